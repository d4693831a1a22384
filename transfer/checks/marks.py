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
ERRORS = 4.0  # standard errors between the two shares: the best of many spots and levels is looked at
FEWEST = 20  # pictures, or groups of them, of a class that says anything
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
    corners = (miniatures[:, row::CELL, column::CELL] for row in range(CELL) for column in range(CELL))
    levels = (sum(corner.astype(np.uint16) for corner in corners) // CELL**2).reshape(-1, side**2).T
    together = Counter(zip(labels.tolist(), units))
    weight = np.array([1 / together[pair] for pair in zip(labels.tolist(), units)])
    total = np.bincount(labels, weight, classes).round()
    known = total >= FEWEST
    others = known.sum() - known  # classes
    chance = SELDOM * (1 - SELDOM) / np.maximum((total * known).sum() - total, 1)  # variance of the share of others

    def counts(values: np.ndarray) -> np.ndarray:
        return np.bincount(256 * labels + values, weight, 256 * classes).reshape(classes, 256)

    def shares(counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(classes, levels)` about each level: the share in the class, and its mean over the other known classes."""
        summed = np.cumsum(np.pad(counted, ((0, 0), (1, 0))), axis=1)
        share = (summed[:, ALIKE:] - summed[:, :-ALIKE]) / np.maximum(summed[:, -1:], 1e-9) * known[:, None]
        return share, (share.sum(axis=0) - share) / np.maximum(others, 1)[:, None]

    # Counted here and again below: kept for all spots at once, the counts would take half a megabyte a class.
    ground = shares(sum(counts(values) for values in levels))[1] > COMMON
    best = np.zeros((classes, 3))  # share, elsewhere, cell
    for cell, values in enumerate(levels):
        share, elsewhere = shares(counts(values))
        error = np.sqrt(share * (1 - share) / np.maximum(total, 1)[:, None] + chance[:, None])
        share[ground | (elsewhere > SELDOM) | (share - elsewhere < ERRORS * error)] = 0
        level = share.argmax(axis=1)[:, None]
        here = np.hstack([np.take_along_axis(share, level, 1), np.take_along_axis(elsewhere, level, 1)])
        better = here[:, 0] > best[:, 0]
        best[better] = np.column_stack([here, np.full(classes, cell)])[better]
    telling = (others > 0) & (best[:, 0] >= OFTEN)
    return [
        Mark(label, share, elsewhere, (int(cell) // side + 0.5) / side, (int(cell) % side + 0.5) / side)
        for label in np.argsort(-best[:, 0], kind="stable").tolist()
        if telling[label]
        for share, elsewhere, cell in [best[label].tolist()]
    ]
