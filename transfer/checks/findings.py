"""What a look at the data starts from, and what it ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from transfer.checks.duplicates import Pair, exact_sets, version_sets
from transfer.checks.inspection import Inspection
from transfer.data.folders import LabelledImages
from transfer.data.name_groups import NameGroups, propose_groups

SEVERITIES = ("problem", "warning", "note")


@dataclass(frozen=True)
class Found:
    """One sentence about the data, and the pictures that it is about.

    Attributes:
        message: the sentence.
        sets: indices of pictures; those of one tuple belong together.
        details: a few words on each set, or nothing.
        files: names of files that are no pictures of the data.
        figures: what the sentence says, for programs.
    """

    message: str
    sets: tuple[tuple[int, ...], ...] = ()
    details: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    figures: dict | None = None


@dataclass(frozen=True)
class Finding(Found):
    """A `Found` with the row of `quality.KINDS` that it came from.

    Attributes:
        kind: name of the row.
        severity: `problem` (a result would be wrong), `warning` (look at it), or `note`.
        advice: what to do.
    """

    kind: str = ""
    severity: str = "note"
    advice: str = ""


@dataclass(frozen=True)
class Facts:
    """All that findings are made of.

    Attributes:
        images: the pictures.
        inspections: one for each, or `None` where nothing was measured.
        near: near duplicates, or `None` where they were not looked for.
        suspects: `label_errors.Suspect`s, or `None` where they were not looked for.
        sample: inspections of a few pictures by their indices, where not all were measured.
        fit: how pictures will be brought to the square, see `images.fit_picture`.
    """

    images: LabelledImages
    inspections: Sequence[Inspection] | None = None
    near: Sequence[Pair] | None = None
    suspects: Sequence | None = None
    sample: Mapping[int, Inspection] | None = None
    fit: str = "crop"

    @property
    def looked_at(self) -> Mapping[int, Inspection]:
        """The inspections there are, by index."""
        return dict(enumerate(self.inspections)) if self.inspections else self.sample or {}

    def column(self, name: str) -> np.ndarray:
        """`(N,)` one measure of every picture, see `inspection.Inspection`."""
        return np.array([getattr(inspection, name) for inspection in self.inspections])

    def class_of(self, label: int) -> str:
        """The name of a class by its index."""
        return self.images.class_names[label]

    @cached_property
    def exact_sets(self) -> list[tuple[int, ...]]:
        """Indices of pictures with equal bytes."""
        return exact_sets(self.images.digests)

    @cached_property
    def near_sets(self) -> list[tuple[int, ...]]:
        """Indices of pictures that near duplicates connect, equal files among them."""
        return version_sets(self.images.digests, self.near)

    @cached_property
    def name_groups(self) -> NameGroups | None:
        """The groups that file names show."""
        return propose_groups(self.images.names, self.images.labels)


def each(sizes: dict[str, int]) -> str:
    """`3 each`, or `3 to 7 each`."""
    least, most = min(sizes.values()), max(sizes.values())
    return f"{least} each" if least == most else f"{least} to {most} each"
