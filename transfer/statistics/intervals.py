"""Intervals: how far the truth may lie from what was found on these pictures. Knows no networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import sparse, stats

from transfer.settings import bootstrap_draws

Z = float(stats.norm.ppf(0.975))
DRAWS_AT_ONCE = 200  # bounds the memory: so many times N numbers


def wilson_interval(correct: int, total: int) -> list[float] | None:
    """The 95 % interval of a share of independent pictures (Wilson 1927): low and high, 0..1.

    `None` for a share of no pictures.
    """
    return list(_wilson(int(correct), int(total))) if total else None


@cache  # thousands of classes of a few pictures have few different shares
def _wilson(correct: int, total: int) -> tuple[float, float]:
    interval = stats.binomtest(correct, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def units(count: int, groups: Sequence[str] | None = None) -> np.ndarray:
    """What is drawn as a whole: `(N,)` numbers from 0, one for each group.

    Args:
        count: N, the number of pictures.
        groups: a name for each picture, `""` for one that belongs to none; `None`: each on its own.
    """
    if groups is None:
        return np.arange(count)
    names = [f"group {group}" if group else str(position) for position, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1]


def resampled_sums(columns: dict[str, np.ndarray], unit: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Sums over the pictures of bootstrap draws (Efron 1979).

    Every draw takes as many units as there are, with replacement. Whatever is a function of sums
    (shares, means, an F1) needs no more than these, so that no draw looks at single pictures.

    Args:
        columns: by name `(N,)` or `(N, K)` numbers, dense or sparse.
        unit: `(N,)` from `units`: pictures of one group are drawn together (Field & Welsh 2007).
        seed: of the draws.

    Returns:
        By name `(draws,)` or `(draws, K)`.
    """
    blocks = [sparse.csr_array(column if column.ndim == 2 else column[:, None]) for column in columns.values()]
    count = int(unit.max()) + 1
    belongs = sparse.csr_array((np.ones(len(unit)), (unit, np.arange(len(unit)))), shape=(count, len(unit)))
    of_unit = (belongs @ sparse.hstack(blocks)).T.tocsr()
    rng, sums = np.random.default_rng(seed), np.empty((bootstrap_draws(), of_unit.shape[0]))
    for start in range(0, bootstrap_draws(), DRAWS_AT_ONCE):
        draws = min(DRAWS_AT_ONCE, bootstrap_draws() - start)
        drawn = rng.integers(0, count, (draws, count)) + count * np.arange(draws)[:, None]
        times = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count)
        sums[start : start + draws] = (of_unit @ times.T.astype(np.float64)).T
    parts = np.split(sums, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1)
    return {name: part if columns[name].ndim == 2 else part[:, 0] for name, part in zip(columns, parts)}


def percentile_interval(draws: np.ndarray, count: float) -> list[float] | None:
    """The middle 95 % of bootstrap draws, and more of them the fewer units were drawn.

    Draws of n units spread less than samples do, by sqrt((n - 1) / n), and the normal distribution
    behind 95 % has thinner tails than Student's. The expanded percentile interval makes up for both
    (Hesterberg 2015, arXiv:1411.5279).

    Args:
        draws: `(draws,)`; those that are no number (0 of 0) do not count.
        count: n, the number of units that the figure stands on.

    Returns:
        Low and high; `None` for fewer than two units, and where no draw is a number.
    """
    known = draws[~np.isnan(draws)]
    if count < 2 or not len(known):
        return None
    tail = stats.norm.sf(np.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1))
    return np.quantile(known, [tail, 1 - tail]).tolist()


def varies(draws: np.ndarray) -> bool:
    """Whether bootstrap draws `(draws,)` differ: where they do not, they tell nothing of how far the truth may lie."""
    known = draws[~np.isnan(draws)]
    return len(known) > 0 and bool(np.ptp(known) > 1e-12)


def share_interval(right: np.ndarray, counted: np.ndarray, unit: np.ndarray, draws: np.ndarray) -> list[float] | None:
    """The 95 % interval of a share: Wilson's, or from draws where pictures come in groups.

    Args:
        right, counted: `(N,)` booleans: which pictures the share is of, and which of them are right.
        unit: `(N,)` from `units`.
        draws: `(draws,)` the same share in bootstrap draws.
    """
    groups = len(np.unique(unit[counted]))
    hits, total = int((right & counted).sum()), int(counted.sum())
    if groups == total:
        return wilson_interval(hits, total)
    return percentile_interval(draws, groups) if varies(draws) else unvaried_interval(hits / total, groups)


def unvaried_interval(share: float, groups: int) -> list[float]:
    """The 95 % interval of a share that is the same in every draw, though it may not be in the next group.

    Wilson's over the groups, as if each were one picture; a single group tells nothing of others.
    """
    return wilson_interval(round(share * groups), groups) if groups > 1 else [0.0, 1.0]


def mean_interval(shares: np.ndarray, intervals: np.ndarray, draws: np.ndarray, held: sparse.csr_array) -> list[float]:
    """The 95 % interval of the mean of shares, from their own intervals.

    Each end is as far from the mean as the ends of the shares are from them, added up like errors
    (method of variance estimates recovery: Zou, Huang & Zhang 2009). So it stands on the small classes
    as well as on the large ones, and on those that are all right, where no bootstrap draw differs.

    Args:
        shares: `(C,)`, 0..1; intervals: `(C, 2)` low and high of each.
        draws: `(draws, C)` the same shares in bootstrap draws, no number for a share of nothing.
        held: `(U, C)` ones where a unit has pictures of a share. Shares that have units in common go
            together: as their draws do, or where those do not vary, as far as they have units in common.
    """
    sizes = held.sum(axis=0)
    together = (held.T @ held).toarray() / np.sqrt(np.outer(sizes, sizes))
    centred = np.nan_to_num(draws - np.nanmean(draws, axis=0))
    vary = np.flatnonzero(centred.std(axis=0) > 1e-12)
    scaled = centred[:, vary] / centred[:, vary].std(axis=0)
    of_those = np.ix_(vary, vary)
    together[of_those] = np.where(together[of_those] > 0, scaled.T @ scaled / len(draws), 0.0)
    below, above = shares - intervals[:, 0], intervals[:, 1] - shares
    low, high = (np.sqrt(max(0.0, reach @ together @ reach)) / len(shares) for reach in (below, above))
    return [float(max(0.0, shares.mean() - low)), float(min(1.0, shares.mean() + high))]
