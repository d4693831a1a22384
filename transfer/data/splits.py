"""Which picture belongs to which part, decided by its content alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from transfer.data.split_words import rescue_notes
from transfer.data.together import joined
from transfer.errors import DataError, OptionError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Indices of the training, validation and test pictures, and what the user should know.

    Attributes:
        train, validation, test: int64 arrays of indices into the `LabelledImages`.
        notes: one sentence for each thing that did not go by the plain rule.
        division: what the parts follow from: `content`, `given` (DATA names them), `written` (`read_split`),
            `folds`; or `""`, nobody knows.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()
    division: str = ""

    def parts(self) -> dict[str, np.ndarray]:
        """The three index arrays by name."""
        return {part: getattr(self, part) for part in PARTS}

    def digest(self, digests: Sequence[str]) -> str:
        """One digest of which contents are in which part."""
        rows = sorted(f"{part} {digests[i]}" for part, indices in self.parts().items() for i in indices)
        return hashlib.blake2b("\n".join(rows).encode(), digest_size=16).hexdigest()

    def without(self, positions: Sequence[int]) -> Split:
        """The same split with some pictures left out."""
        kept = {part: indices[~np.isin(indices, positions)] for part, indices in self.parts().items()}
        return replace(self, **kept)


def split_by_content(
    digests: Sequence[str],
    labels: np.ndarray,
    class_names: Sequence[str],
    groups: Sequence[str] | None = None,
    given: Sequence[str] | None = None,
    seed: int = 0,
    validation: float = 0.15,
    test: float = 0.2,
) -> Split:
    """Assign every picture to a part by a hash of its group, or else of its bytes.

    So the same picture under two names is never on both sides, and adding or renaming files moves
    no other file. Only where chance leaves a class without a picture in one of the parts is the one
    nearest in order moved there, and a note says so.

    Args:
        digests: one content digest a picture.
        labels: `(N,)` class indices.
        class_names: for the notes.
        groups: one name a picture; a group stays together. An empty name stands for no group.
        given: one part a picture, as its folder says: `train`, `validation`, `test` or `""`. Where
            some say `validation` or `test`, those that say nothing are for training.
        seed: another seed gives another split.
        validation, test: shares of the pictures, 0..1.

    Raises:
        OptionError: shares that leave nothing to train on.
        DataError: a class without a training picture.
    """
    if not (0 < validation < 1 and 0 < test < 1 and validation + test < 1):
        raise OptionError(
            f"shares of {validation} for validation and {test} for test; "
            "expected two numbers above 0 with a sum below 1"
        )
    place = Places(kept_together(digests, groups), labels, seed)
    named = {"validation", "test"} & set(given or ())
    if named:
        part = _follow_given(np.array(given), place, validation)
        notes = place.rescue(part, class_names, () if len(named) == 2 else ("validation",))
        notes += leaks(place.units, part)
    else:
        part = np.where(place.number < test, "test", np.where(place.number < test + validation, "validation", "train"))
        notes = place.rescue(part, class_names, ("train", "test", "validation"))
    require_training(labels, part, class_names)
    return as_split(part, notes, "given" if named else "content")


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


def leaks(units: Sequence[str], part: np.ndarray) -> list[str]:
    """One sentence for each two parts that hold pictures of the same content or group.

    Args:
        units: `(N,)` what has to stay together: a group, or else a content digest.
        part: `(N,)` names of parts.
    """
    units, notes = np.asarray(units), []
    for part_a, part_b in (("test", "train"), ("test", "validation"), ("validation", "train")):
        mine = part == part_a
        count = int(np.isin(units[mine], units[part == part_b]).sum())
        if count:
            notes.append(
                f"the given split leaks: {count} of {mine.sum()} {part_a} pictures have their content or group in "
                f"{part_b} too, so figures look better than they are"
            )
    return notes


def require_training(
    labels: np.ndarray, part: np.ndarray, class_names: Sequence[str], fix: str = "add pictures or remove the class"
) -> None:
    """Refuse a split, `(N,)` names of parts, that leaves a class without a training picture."""
    trained = np.bincount(labels[part == "train"], minlength=len(class_names))
    for label in np.flatnonzero(trained == 0):
        raise DataError(
            f"class {class_names[label]!r} has {np.sum(labels == label)} picture(s), all of them in one group or part, "
            f"and none is left to train on; {fix}"
        )


def limit_training(
    split: Split, labels: np.ndarray, per_class: int, seed: int = 0, validation_too: bool = False
) -> Split:
    """Keep at most `per_class` training pictures of each class, drawn with `seed`.

    Args:
        split: what to draw from; its test part stays whole.
        labels: `(N,)` class indices of all pictures.
        per_class: from 1 up; a class that has fewer keeps all.
        seed: of the draw; a smaller draw is part of the larger one with the same seed.
        validation_too: keep validation pictures in proportion, one a class or more, as a smaller collection
            would have them.
    """
    if per_class < 1:
        raise OptionError(f"--per-class {per_class}; expected 1 or more pictures a class")
    validation = split.validation
    if validation_too and len(validation):
        fewer = max(1, round(per_class * len(validation) / len(split.train)))
        validation = _drawn(validation, labels, fewer, seed)
    return replace(split, train=_drawn(split.train, labels, per_class, seed), validation=validation)


def _drawn(indices: np.ndarray, labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(indices)
    return np.sort(np.concatenate([order[labels[order] == label][:per_class] for label in np.unique(labels)]))


def as_split(part: np.ndarray, notes: Sequence[str] = (), division: str = "") -> Split:
    """The `Split` of `(N,)` names of parts; other names than those of `PARTS` are left out."""
    return Split(*(np.flatnonzero(part == name) for name in PARTS), notes=tuple(notes), division=division)


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
        """
        classes, moved_to, missing = len(class_names), defaultdict(list), defaultdict(list)
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
                    moved_to[want].append(name)
                    break
        for label, name in enumerate(class_names):
            mine = self.units[self.labels == label]
            one_group = len(mine) > 1 == len(set(mine))
            for want in wanted:
                if want != "train" and not counts[want][label]:
                    missing[want, one_group].append(name)
        return rescue_notes(moved_to, missing)

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


def _follow_given(given: np.ndarray, place: Places, validation: float) -> np.ndarray:
    part = np.where(given == "", "train", given).astype("U10")
    if "test" not in given:
        part[given == "validation"] = "test"
    if "validation" not in part:
        part[(part == "train") & (place.number < validation)] = "validation"
    return part


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()) / 2**64
