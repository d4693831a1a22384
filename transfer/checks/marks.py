"""A spot that looks alike in many pictures of one class: a stamp, a frame, a ruler, a plain background."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer.checks.measures import MINIATURE

CELL = 2  # pixels of the miniature: a sixteenth of the side
ALIKE = 5  # neighbouring grey levels of 256 that count as one: what JPEG and scaling leave of one colour
OFTEN, SELDOM = 0.5, 0.05  # share of the pictures of the class; mean share of those of the others
COMMON = 0.1  # share of a level in whole pictures of the others from which on it is the ground that they are drawn on
FEWEST = 20  # pictures, or groups of them, of a class
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


class Mark(NamedTuple):
    """One spot.

    Attributes:
        label: the class.
        share: of its pictures that are alike there, 0..1.
        elsewhere: mean of that share over the other classes, 0..1.
        row, column: middle of the spot, 0..1 from the top and from the left.
    """

    label: int
    share: float
    elsewhere: float
    row: float
    column: float

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"{ROWS[int(3 * self.row)]} {COLUMNS[int(3 * self.column)]}"


def find_marks(miniatures: np.ndarray, labels: np.ndarray, classes: int, units: Sequence[str]) -> list[Mark]:
    """Find the classes of which many pictures have one grey level in one place, and those of others do not.

    Args:
        miniatures: `(N, 32, 32)` uint8 grey levels.
        labels: `(N,)` class indices.
        classes: their number.
        units: one a picture; those of one class that share a unit count as one picture, so that a
            hundred frames of one film are no mark.

    Returns:
        The most telling spot of each class that has one, most telling first.
    """
    side = MINIATURE // CELL
    levels = miniatures.reshape(-1, side, CELL, side, CELL).mean(axis=(2, 4)).astype(np.int64).reshape(-1, side * side)
    together = Counter(zip(labels.tolist(), units))
    weight = np.array([1 / together[pair] for pair in zip(labels.tolist(), units)])
    total = np.bincount(labels, weight, classes)

    def shares(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(classes, levels)` of values about each level: their share in the class, its mean over the others."""
        counted = np.bincount(values, weight, 256 * classes).reshape(classes, 256)
        summed = np.cumsum(np.pad(counted, ((0, 0), (1, 0))), axis=1)
        share = (summed[:, ALIKE:] - summed[:, :-ALIKE]) / np.maximum(summed[:, -1:], 1e-9)
        return share, (share.sum(axis=0) - share) / max(classes - 1, 1)

    values = 256 * labels[:, None] + levels
    ground = shares(values.ravel(), np.repeat(weight, side * side))[1] > COMMON
    best = np.zeros((classes, 3))  # share, elsewhere, cell
    for cell, column in enumerate(values.T):
        share, elsewhere = shares(column, weight)
        share[ground | (elsewhere > SELDOM)] = 0
        level = share.argmax(axis=1)[:, None]
        here = np.hstack([np.take_along_axis(share, level, 1), np.take_along_axis(elsewhere, level, 1)])
        better = here[:, 0] > best[:, 0]
        best[better] = np.column_stack([here, np.full(classes, cell)])[better]
    telling = (classes > 1) & (best[:, 0] >= OFTEN) & (total >= FEWEST)
    return [
        Mark(label, share, elsewhere, (int(cell) // side + 0.5) / side, (int(cell) % side + 0.5) / side)
        for label in np.argsort(-best[:, 0], kind="stable").tolist()
        if telling[label]
        for share, elsewhere, cell in [best[label].tolist()]
    ]
