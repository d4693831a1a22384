"""How well probabilities rank the pictures of a class before all others: the area under the ROC curve."""

from __future__ import annotations

import numpy as np
from scipy import sparse, special, stats

from transfer.statistics.intervals import unvaried_interval


def roc_auc(
    labels: np.ndarray, probabilities: np.ndarray, unit: np.ndarray
) -> tuple[float | None, list[float] | None, np.ndarray]:
    """The area under the ROC curve of each class against the rest, and their mean with its interval.

    The interval is DeLong's (DeLong et al. 1988): each picture's share in the areas comes from ranks,
    `O(C N log N)` in all, where a bootstrap would rank every draw. Shares are added up within groups
    (Obuchowski 1997), and the interval is taken on the logit scale, which keeps it within 0..1.

    Args:
        labels: `(N,)` class indices.
        probabilities: `(N, C)`.
        unit: `(N,)` from `intervals.units`.

    Returns:
        (mean area, its 95 % interval, `(C,)` areas); a class without pictures, or of all pictures,
        has none (NaN), and where no class has one the first two are `None`.
    """
    classes, sizes = probabilities.shape[1], np.bincount(unit)
    areas, pairs, influence = np.full(classes, np.nan), np.full(classes, np.nan), np.zeros(len(labels))
    for c in np.unique(labels):
        mine = labels == c
        if mine.all():
            continue
        inside, outside = probabilities[mine, c], probabilities[~mine, c]
        beaten, beaten_by = _share_below(inside, outside), 1 - _share_below(outside, inside)
        areas[c] = beaten.mean()
        own, held = np.unique(unit[mine], return_counts=True)
        pairs[c] = min(len(own), len(sizes) - np.count_nonzero(held == sizes[own]))
        influence[mine] += (beaten - areas[c]) / len(inside)
        influence[~mine] += (beaten_by - areas[c]) / len(outside)
    known = int((~np.isnan(areas)).sum())
    if not known:
        return None, None, areas
    mean, count = float(np.nanmean(areas)), int(unit.max()) + 1
    # So many separate pairs of pictures the mean stands on; each serves both of its classes.
    separate = int(min(known / np.nanmean(1 / pairs), count) / 2)
    lone = mean * (1 - mean) / known**2
    deviation, freedom = _deviation(influence / known, labels, unit, lone)
    if separate < 2 or min(deviation, mean, 1 - mean) < 1e-12:
        return mean, unvaried_interval(mean, separate), areas  # all ranked rightly (or none), or hardly any
    reach = stats.t.ppf(0.975, freedom) * deviation / (mean * (1 - mean)) * np.array([-1, 1])
    return mean, special.expit(special.logit(mean) + reach).tolist(), areas


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value the share of the others that are lower, equal ones counted half."""
    ordered = np.sort(others)
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + up_to) / (2 * len(others))


def _deviation(shares: np.ndarray, labels: np.ndarray, unit: np.ndarray, lone: float) -> tuple[float, float]:
    """(standard deviation of a mean area, its degrees of freedom).

    Each class is a sample of its own, as small as it is: its shares are widened by n / (n - 1), and
    the classes make up the degrees of freedom of Student's t as in the test of Brunner & Munzel (2000).

    Args:
        shares: `(N,)` what each picture adds to the mean, 0 on average.
        labels, unit: see `roc_auc`.
        lone: the variance of a class of one unit, which tells nothing of its spread: the largest that
            shares with this mean can have.
    """
    of_class = sparse.csr_array((shares, (unit, labels)))
    held = np.bincount(of_class.indices)
    beside = np.maximum(held - 1, 1)
    of_class.data *= np.sqrt(held / beside)[of_class.indices]
    parts = np.bincount(of_class.indices, of_class.data**2)
    if not parts.any():
        return 0.0, 1.0
    alone = lone * np.sum(held == 1)
    variance = (of_class.sum(axis=1) ** 2).sum() + alone
    return float(np.sqrt(variance)), float((parts.sum() + alone) ** 2 / (parts**2 / beside).sum())
