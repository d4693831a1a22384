"""Labels that may be wrong: those that a linear head, trained on other pictures, does not believe."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer.data.folding import folds_of_units
from transfer.data.places import kept_together
from transfer.statistics.linear_probe import out_of_fold

FOLDS = 5


class Suspect(NamedTuple):
    """A picture whose label may be wrong.

    Attributes:
        index: of the picture.
        given: its class index; `suggested`: that of the class it looks like.
        belief: probability of the given class by a head that has not seen the picture, 0..1.
        suggested_belief: that of the suggested class, 0..1.
    """

    index: int
    given: int
    suggested: int
    belief: float
    suggested_belief: float


def suspected_labels(
    features: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    most: float = 0.02,
) -> list[Suspect]:
    """Find labels that may be wrong: those that a head trained on other pictures believes least.

    A picture is suspect if the head thinks another class more probable than its own. Ordered by the
    probability of its own class, the self-confidence of Northcutt et al. (2021, arXiv:1911.00068).
    Thresholds by class, as there, are left away: with them fewer planted errors came first (docs/clean.md).
    A class that is a single group is not judged: no head that knows the class has not seen the group.

    Args:
        features: `(N, D)` float32, of a frozen backbone.
        labels: `(N,)` class indices.
        groups: one name a picture; a group is judged by a head that has seen none of it. Equal
            features count as one group always.
        seed: of the folds.
        most: how many to return at most, as a share of the pictures, 0..1; one at least.
    """
    classes, own = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return []
    beliefs = out_of_fold_probabilities(features, own, groups, seed)
    suggested = beliefs.argmax(axis=1)
    given = beliefs[np.arange(len(own)), own]
    suspect = np.flatnonzero(given < beliefs.max(axis=1))
    order = suspect[np.argsort(given[suspect], kind="stable")]
    return [
        Suspect(
            int(i),
            int(labels[i]),
            int(classes[suggested[i]]),
            float(given[i]),
            float(beliefs[i, suggested[i]]),
        )
        for i in order[: max(1, round(most * len(own)))]
    ]


def out_of_fold_probabilities(
    features: np.ndarray, labels: np.ndarray, groups: Sequence[str] | None = None, seed: int = 0
) -> np.ndarray:
    """What heads think of pictures that they were not trained on.

    Args:
        features: `(N, D)`.
        labels: `(N,)` in 0..C-1, each of them there.
        groups, seed: see `suspected_labels`.

    Returns:
        `(N, C)` probabilities, rows that sum to 1; all 0 where the head knows nothing of the picture's class,
        since all others of it are in the same group.
    """
    contents = [hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest() for row in np.ascontiguousarray(features)]
    units = np.unique(kept_together(contents, groups), return_inverse=True)[1]
    tested = folds_of_units(labels, units, FOLDS, seed)
    beliefs = out_of_fold(features, labels, tested)
    for test in tested:
        beliefs[test[~np.isin(labels[test], np.delete(labels, test))]] = 0
    return beliefs
