"""Whether one network is better than another on the same pictures, or only luckier. Knows no networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from transfer.statistics.intervals import percentile_interval, resampled_sums, units, varies, wilson_interval

LEVEL, POWER = 0.05, 0.8


def paired_difference(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    groups: Sequence[str] | None = None,
    comparisons: int = 1,
    seed: int = 0,
) -> dict:
    """How much more often A is right than B on the same pictures.

    Args:
        labels: `(N,)` class indices; `a`, `b`: `(N,)` predicted ones.
        groups: a name for each picture, `""` for none: a group counts as a whole.
        comparisons: how many pairs of networks are looked at together.
        seed: of the bootstrap.

    Returns:
        - `accuracy_difference`: A minus B, -1..1
        - `ci95`: from bootstrap draws of pictures, or of groups; where all of them gain the same, from
          the share of others that so many have not shown (Wilson)
        - `p_value`: of `sign_flip_test`, not corrected; it and `ci95` are `None` where the pictures
          are too few for any answer to be significant, see `fewest_units`
        - `only_a`, `only_b`: number of pictures where just one of them is right; `pictures`: of all
        - `pictures_needed`: see there
    """
    gain = (a == labels).astype(int) - (b == labels).astype(int)
    found = {
        "accuracy_difference": float(gain.mean()) if len(gain) else None,
        "ci95": None,
        "p_value": None,
        "only_a": int((gain > 0).sum()),
        "only_b": int((gain < 0).sum()),
        "pictures": len(gain),
        "pictures_needed": None,
    }
    unit = units(len(gain), groups)
    count = len(np.unique(unit))
    if count < fewest_units(comparisons):
        return found
    draws = resampled_sums({"gain": gain.astype(float), "pictures": np.ones(len(gain))}, unit, seed)
    gains, unseen = draws["gain"] / draws["pictures"], wilson_interval(0, count)[1]
    alike = [max(-1.0, gain.mean() - unseen), min(1.0, gain.mean() + unseen)]
    return found | {
        "ci95": percentile_interval(gains, count) if varies(gains) else alike,
        "p_value": sign_flip_test(np.bincount(unit, gain).astype(int)),
        "pictures_needed": pictures_needed(gain, unit, comparisons),
    }


def sign_flip_test(gains: np.ndarray) -> float:
    """The p-value of "A and B are equally good", exact.

    If they are, each unit's gain could as well have had the other sign. The law of the sum over all
    sign changes is worked out, not drawn. For single pictures, whose gains are 1, 0 or -1, this is
    McNemar's exact test (McNemar 1947); for groups it is its form for clusters.

    Args:
        gains: `(U,)` integers: how many more pictures of a unit A names rightly than B.
    """
    law = np.ones(1)  # probabilities of the sums -reach..reach
    for size, count in zip(*np.unique(np.abs(gains[gains != 0]), return_counts=True)):
        step = np.zeros(2 * size * count + 1)
        step[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        law = np.convolve(law, step)
    sums = np.abs(np.arange(len(law)) - len(law) // 2)
    return float(min(1.0, law[sums >= abs(gains.sum())].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979): the chance of any false claim stays below the level."""
    order = np.argsort(p_values)
    raised = np.array(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(raised))
    return corrected.tolist()


def fewest_units(comparisons: int = 1) -> int:
    """How many pictures (or groups) a test part needs for any p-value below 0.05 to be possible.

    With fewer, even a network that is right every time beside one that is always wrong would not be
    told apart: each of the `comparisons` has to reach `0.05 / comparisons`.
    """
    return math.floor(math.log2(2 * comparisons / LEVEL)) + 1


def pictures_needed(gain: np.ndarray, unit: np.ndarray, comparisons: int = 1) -> int | None:
    """How many test pictures would show a difference as large as this one, four times out of five.

    The size of a McNemar test (Connor 1987) for a power of 80 %, times the factor by which groups
    widen the spread (the design effect of Kish 1965).

    Args:
        gain: `(N,)` 1 where only A is right, -1 where only B is, else 0.
        unit: `(N,)` from `intervals.units`.
        comparisons: the level is 0.05 divided by it.

    Returns:
        The number, to two digits, rounded up; `None` where the difference is 0.
    """
    difference, differing = gain.mean(), np.abs(gain).mean()
    if not difference:
        return None
    z_level, z_power = stats.norm.ppf([1 - LEVEL / (2 * comparisons), POWER])
    spread = differing - difference**2
    single = (z_level * math.sqrt(differing) + z_power * math.sqrt(spread)) ** 2 / difference**2
    in_groups = (np.bincount(unit, gain - difference) ** 2).sum() / len(gain)
    number = single * max(1.0, in_groups / spread if spread else 1.0)
    digit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / digit) * digit
