"""How well probabilities rank the pictures of a class before all others: the area under the ROC curve."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from transfer.statistics.intervals import Z, unvaried_interval


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
    areas, influence = np.full(probabilities.shape[1], np.nan), np.zeros(len(labels))
    for c in np.unique(labels):
        mine = labels == c
        if mine.all():
            continue
        inside, outside = probabilities[mine, c], probabilities[~mine, c]
        rank = stats.rankdata(probabilities[:, c])
        beaten = (rank[mine] - stats.rankdata(inside)) / len(outside)
        beaten_by = 1 - (rank[~mine] - stats.rankdata(outside)) / len(inside)
        areas[c] = beaten.mean()
        influence[mine] += (beaten - areas[c]) / len(inside)
        influence[~mine] += (beaten_by - areas[c]) / len(outside)
    known = int((~np.isnan(areas)).sum())
    if not known:
        return None, None, areas
    mean = float(np.nanmean(areas))
    of_unit = np.bincount(unit, influence / known)
    deviation = np.sqrt((of_unit**2).sum() * len(of_unit) / max(len(of_unit) - 1, 1))
    if deviation < 1e-12:
        # All ranked rightly (or none): what is left is that so many separate pairs of pictures came out alike.
        return mean, unvaried_interval(mean, len(of_unit) // 2), areas
    reach = Z * deviation / (mean * (1 - mean)) * np.array([-1, 1])
    return mean, special.expit(special.logit(mean) + reach).tolist(), areas
