"""Whether a probability means what it says: calibration error, reliability curve, temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, sparse, special, stats

from transfer.statistics.intervals import share_interval, units

BINS = 15


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean gap between confidence and accuracy, 0..1.

    Args:
        labels: `(N,)` class indices.
        probabilities: `(N, C)`, rows that sum to 1.
        bins: of equal width, over the confidence.
    """
    columns = bin_columns(labels, probabilities, bins)
    return float(np.abs(columns["confidence"].sum(axis=0) - columns["right"].sum(axis=0)).sum() / len(labels))


def reliability_curve(columns: dict[str, sparse.csr_array], unit: np.ndarray, draws: np.ndarray) -> list[dict]:
    """Confidence and accuracy bin by bin (Niculescu-Mizil & Caruana 2005).

    Args:
        columns: from `bin_columns`.
        unit: `(N,)` from `intervals.units`.
        draws: `(draws, bins)` accuracy of each bin in bootstrap draws.

    Returns:
        One dict for each bin that holds pictures: mean `confidence`, `accuracy` with its `ci95`
        (see `intervals.share_interval`), all 0..1, and the number of `pictures`.
    """
    counts, confidence, hits = (columns[name].sum(axis=0) for name in ("inside", "confidence", "right"))
    inside, right = columns["inside"].toarray() > 0, columns["right"].sum(axis=1) > 0
    return [
        {
            "confidence": float(confidence[b] / counts[b]),
            "accuracy": float(hits[b] / counts[b]),
            "ci95": share_interval(right, inside[:, b], unit, draws[:, b]),
            "pictures": int(counts[b]),
        }
        for b in np.flatnonzero(counts)
    ]


def bin_columns(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> dict[str, sparse.csr_array]:
    """What each picture adds to its bin: `inside`, `confidence` and `right`, sparse `(N, bins)` each."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.arange(len(labels))
    values = {"inside": np.ones(len(labels)), "confidence": confidence, "right": right.astype(np.float64)}
    shape = (len(labels), bins)
    return {name: sparse.csr_array((value, (rows, place)), shape=shape) for name, value in values.items()}


def fit_temperature(labels: np.ndarray, logits: np.ndarray, groups: Sequence[str] | None = None) -> float:
    """The number to divide logits by so that probabilities mean what they say (Guo et al. 2017, arXiv:1706.04599).

    The lowest log loss, with a standard normal prior on its logarithm: where few pictures are all
    named rightly, the loss alone would take the temperature to zero and every answer to 100 %.

    Pictures of one group resemble each other, and a validation part may hold few groups: a temperature
    that suits one of them is no news about others. So with groups it stays 1 unless the groups agree on
    a side.

    Args:
        labels: `(N,)` class indices of pictures that the network was not trained on.
        logits: `(N, C)`.
        groups: a name for each picture, `""` for none; or `None`.

    Returns:
        Above 1 where the network was too sure; 1 for no pictures.
    """
    if not len(labels) or (groups is not None and not _groups_agree(labels, logits, groups)):
        return 1.0
    rows = np.arange(len(labels))

    def cost(log_temperature):
        scaled = logits / np.exp(log_temperature)
        return -special.log_softmax(scaled, axis=1)[rows, labels].sum() + log_temperature**2 / 2

    return float(np.exp(optimize.minimize_scalar(cost, bounds=(-4, 4), method="bounded").x))


def _groups_agree(labels: np.ndarray, logits: np.ndarray, groups: Sequence[str], level: float = 0.05) -> bool:
    """Whether the slope of the log loss at temperature 1 differs from 0 over groups (score test, t distribution)."""
    slopes = (special.softmax(logits, axis=1) * logits).sum(axis=1) - logits[np.arange(len(labels)), labels]
    sums = np.bincount(units(len(labels), groups), weights=slopes)
    return len(sums) > 1 and bool(stats.ttest_1samp(sums, 0.0).pvalue < level)
