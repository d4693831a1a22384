"""Which of several networks to take, by their answers to the pictures that are there to choose by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Choice(NamedTuple):
    """A network by name, and why it: a clause without a full stop."""

    method: str
    because: str


def choose(
    right: Mapping[str, np.ndarray], unit: np.ndarray, cheapest_first: list[str], labels: np.ndarray | None = None
) -> Choice:
    """The cheapest network that is not worse than the most accurate one by more than one standard error.

    The rule of one standard error (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3), with the
    error of the difference between two networks on the same pictures.

    Args:
        right: by name, `(N,)` bool: whether each picture was named rightly.
        unit: `(N,)` numbers, the same for pictures that belong together.
        cheapest_first: the names; the first one stands for the others where there are no pictures.
        labels: `(N,)` where each class is to count as much as any other, and so the balanced accuracy.
    """
    first = cheapest_first[0]
    if not len(unit):
        return Choice(first, "there are no validation pictures to choose by, and it is the first")
    count, counted = f"{len(unit):,} validation pictures", np.ones(len(unit))
    if labels is not None:
        number = np.bincount(labels)
        counted = len(labels) / np.count_nonzero(number) / number[labels]
        count += " whose classes count alike"
    shares = {name: right[name] * counted for name in cheapest_first}
    accuracy = {name: float(share.mean()) for name, share in shares.items()}
    best = max(cheapest_first, key=accuracy.get)
    for name in cheapest_first[: cheapest_first.index(best)]:
        error = _standard_error(shares[best] - shares[name], unit)
        if accuracy[best] - accuracy[name] <= error:
            return Choice(
                name,
                f"{count} cannot tell it from {best}, which is {100 * (accuracy[best] - accuracy[name]):.1f} points "
                f"better there with a standard error of {100 * error:.1f}, and it is the cheaper of the two",
            )
    if best == first:
        return Choice(best, f"none is better on {count} ({accuracy[best]:.1%}), and none is cheaper")
    return Choice(
        best, f"it is the best on {count} ({accuracy[best]:.1%}), by more than one standard error over each cheaper one"
    )


def _standard_error(values: np.ndarray, unit: np.ndarray) -> float:
    """Standard error of the mean of `(N,)` values, such as differences between two networks, drawn unit by unit."""
    sums = np.bincount(unit, values)
    counts = np.bincount(unit)
    spread = sums - counts * sums.sum() / counts.sum()
    units = len(counts)
    return float(np.sqrt(units / max(units - 1, 1) * np.square(spread).sum()) / counts.sum())
