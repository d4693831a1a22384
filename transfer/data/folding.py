"""Repeated k-fold splits by content, for data too small for one test part."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Real

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from transfer.data.places import Places, kept_together
from transfer.data.splits import Split, as_split, require_training
from transfer.errors import DataError, OptionError, require_whole


def folds_by_content(
    digests: Sequence[str],
    labels: np.ndarray,
    class_names: Sequence[str],
    groups: Sequence[str] | None = None,
    k: int = 5,
    seed: int = 0,
    repeats: int = 1,
    validation: float = 0.15,
) -> list[Split]:
    """Repeated k-fold: in each repeat every picture is in the test part of one of k splits.

    Groups and equal contents stay together and each class is spread as evenly as they allow
    (scikit-learn's `StratifiedGroupKFold`, fed in an order that contents decide): names and places of
    files change nothing. Added files can move others, since folds have to stay even.

    Args:
        digests, labels, class_names, groups, seed: as for `split_by_content`.
        k: folds, 2 or more.
        repeats: how often the pictures are dealt anew.
        validation: share of what is not tested, 0..1.

    Returns:
        `k * repeats` splits.

    Raises:
        OptionError: more folds than groups, or than every class has pictures.
        DataError: a class whose pictures are all one group, or whose groups would all be tested at once.
    """
    require_whole("k", k, least=2)
    require_whole("repeats", repeats)
    require_whole("seed", seed, least=0)
    if not (isinstance(validation, Real) and 0 < validation < 1):
        raise OptionError(f"a share of {validation} for validation; expected a number above 0 and below 1")
    units = kept_together(digests, groups)
    each = [len(set(units[labels == label])) for label in range(len(class_names))]
    for name, count in zip(class_names, each):
        if count < 2:
            raise DataError(
                f"class {name!r} is a single picture or group, which cannot be trained and tested in turn; "
                "add others or remove it"
            )
    if k > max(each):
        raise OptionError(f"{k} folds, but no class has more than {max(each)} pictures or groups; give fewer folds")
    splits = []
    for repeat in range(repeats):
        place = Places(units, labels, f"{seed}.{repeat}")
        for tested in _deal(place, k):
            part = np.where(place.number < validation, "validation", "train").astype("U10")
            part[tested] = "test"
            notes = place.rescue(part, class_names, ("train", "validation"), kept=("test",))
            require_training(labels, part, class_names, f"give other than {k} folds, or add pictures or groups")
            splits.append(as_split(part, notes, "folds", digests))
    return splits


def folds_of_units(labels: np.ndarray, units: np.ndarray, k: int, seed: int) -> list[np.ndarray]:
    """Folds of some pictures to answer for in turn, each class spread as evenly as may be.

    Args:
        labels: `(N,)`.
        units: `(N,)` whole numbers from 0, the same for what must stay together; one of several classes counts as of
            the rarest of them.
        k: folds at most.
        seed: of the dealing.

    Returns:
        Positions of each fold: k of them, fewer where no class has as many units, none where all have one.
    """
    rarest_first = np.argsort(np.bincount(labels)[labels], kind="stable")
    of_unit = labels[rarest_first[np.unique(units[rarest_first], return_index=True)[1]]]
    folds = min(k, int(np.bincount(of_unit).max()))
    if folds < 2:
        return []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        divided = StratifiedKFold(folds, shuffle=True, random_state=seed).split(of_unit, of_unit)
        return [np.flatnonzero(np.isin(units, held_out)) for _, held_out in divided]


def _deal(place: Places, k: int) -> list[np.ndarray]:
    """Indices of the k test parts."""
    rank = np.unique(place.number, return_inverse=True)[1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # it is in some of the folds, as it can be
        tested = [indices for _, indices in StratifiedGroupKFold(k).split(rank, place.labels, rank)]
    if not all(map(len, tested)):
        raise OptionError(f"{k} folds, but the groups fill only {sum(map(bool, map(len, tested)))}; give fewer folds")
    return tested
