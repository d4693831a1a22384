"""What stays together, and the place in order that its content gives it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from transfer.data.part_names import PARTS
from transfer.data.tables import some
from transfer.data.together import joined

ONE_GROUP = ("its pictures are all in one group", "the pictures of each are all in one group")
TOO_SMALL = ("it is too small to be split", "they are too small to be split")


def kept_together(digests: Sequence[str], groups: Sequence[str] | None) -> np.ndarray:
    """What must not be divided, a name for each picture: its content, or its group and all that share contents with it.

    Args:
        digests: one content digest a picture.
        groups: one name a picture, `""` for no group; or `None`.
    """
    if not groups:
        return np.array(digests)
    names = [f"group {group}" if group else digest for digest, group in zip(digests, groups)]
    found, unit = np.unique(names, return_inverse=True)
    first, last = joined(digests, groups), np.zeros(len(names), int)
    # The last in order names them all: a group, which sorts behind the digits of a digest.
    np.maximum.at(last, first, unit)
    return found[last[first]]


class Places:
    """What is kept together, each unit with its number in 0..1.

    Attributes:
        units: `(N,)` numbers, the same for what is kept together.
        labels: `(N,)` class indices.
        number: `(N,)` in 0..1, by a hash of the unit's name and the seed.
    """

    def __init__(self, units: Sequence[str], labels: np.ndarray, seed: int | str):
        names, self.units = np.unique(units, return_inverse=True)
        self.labels = labels
        self.number = np.array([_fraction(f"{seed}\0{name}") for name in names])[self.units]

    def rescue(
        self, part: np.ndarray, class_names: Sequence[str], wanted: Sequence[str], kept: Sequence[str] = ()
    ) -> list[str]:
        """In `part` `(N,)`, give classes without a picture in a wanted part the nearest unit in order of another.

        For training it comes from any part that is not `kept` as it is; else from training, or for the
        test from validation, and no move takes the last training picture of a class.

        Returns:
            Sentences on the classes that were moved, and on those that still lack a part.
        """
        classes = len(class_names)
        told = defaultdict(list)  # names of classes by what is to be said of one, and of several
        counts = {name: np.bincount(self.labels[part == name], minlength=classes) for name in PARTS}
        for label, name in enumerate(class_names):
            for want in wanted:
                if counts[want][label]:
                    continue
                for moved in self._candidates(part, label, want, kept):
                    leaving = np.bincount(self.labels[moved], minlength=classes)
                    giver = str(part[moved[0]])
                    if giver == "train" and np.any(leaving[leaving > 0] == counts["train"][leaving > 0]):
                        continue
                    part[moved] = want
                    counts[giver] -= leaving
                    counts[want] += leaving
                    told[
                        f"had no {want} picture by chance: its next one in order was moved there",
                        f"had no {want} picture by chance: the next one in order of each was moved there",
                    ].append(name)
                    break
        for label, name in enumerate(class_names):
            mine = self.units[self.labels == label]
            one_group = len(mine) > 1 == len(set(mine))
            why = ONE_GROUP if one_group else TOO_SMALL
            for want in wanted:
                if want != "train" and not counts[want][label]:
                    told[f"has no {want} picture: {why[0]}", f"have no {want} picture: {why[1]}"].append(name)
        return [
            f"class {names[0]!r} {of_one}" if len(names) == 1 else f"{len(names):,} classes {several} ({some(names)})"
            for (of_one, several), names in told.items()
        ]

    def _candidates(self, part: np.ndarray, label: int, want: str, kept: Sequence[str]) -> Iterator[np.ndarray]:
        """Pictures that could go to part `want` for a class, unit by unit, the nearest in order first."""
        mine = np.flatnonzero((self.labels == label) & ~np.isin(part, kept))
        if want == "train":
            mine = mine[np.argsort(-self.number[mine], kind="stable")]
        else:
            mine = mine[np.argsort(self.number[mine], kind="stable")]
            givers = ("train", "validation") if want == "test" else ("train",)
            mine = np.concatenate([mine[part[mine] == giver] for giver in givers])
        for first in np.sort(np.unique(self.units[mine], return_index=True)[1]):
            # Of a unit that a given split has in two parts, only the pictures of the giving part move.
            yield np.flatnonzero((self.units == self.units[mine[first]]) & (part == part[mine[first]]))


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()) / 2**64
