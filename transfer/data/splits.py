"""Which picture belongs to which part, decided by its content alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from transfer.data.part_names import PARTS
from transfer.data.places import Places, kept_together
from transfer.errors import DataError, OptionError, require_whole

NO_TEST = "no picture is kept for testing: only a cross-validation says how good such a network is"


@dataclass(frozen=True)
class Split:
    """Indices of the training, validation and test pictures, and what the user should know.

    Attributes:
        train, validation, test: int64 arrays of indices into the `LabelledImages`.
        notes: one sentence for each thing that did not go by the plain rule.
        division: what the parts follow from: `content`, `given` (DATA names them), `written` (`read_split`),
            `folds`; or `""`, nobody knows.
        pictures: a digest of the contents that the indices count, in order, or `""`, nobody knows.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: tuple[str, ...] = ()
    division: str = ""
    pictures: str = ""

    def __repr__(self) -> str:
        counts = ", ".join(f"{part}: {len(indices)}" for part, indices in self.parts().items())
        return f"Split({counts}, division={self.division!r})"

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
        validation, test: shares of the pictures, 0..1; with 0 there is no such part.

    Raises:
        OptionError: shares that leave nothing to train on, or a seed that is no whole number from 0 up.
        DataError: a class without a training picture.
    """
    require_whole("seed", seed, least=0)
    shares = validation, test
    if not (all(isinstance(share, Real) and 0 <= share < 1 for share in shares) and sum(shares) < 1):
        raise OptionError(
            f"shares of {validation} for validation and {test} for test; "
            "expected two numbers from 0 up with a sum below 1"
        )
    place = Places(kept_together(digests, groups), labels, seed)
    named = {"validation", "test"} & set(given or ())
    if named:
        part = _follow_given(np.array(given), place, validation)
        notes = place.rescue(part, class_names, () if len(named) == 2 or not validation else ("validation",))
        notes += leaks(place.units, part)
    else:
        part = np.where(place.number < test, "test", np.where(place.number < test + validation, "validation", "train"))
        notes = place.rescue(part, class_names, ("train", *["test"] * (test > 0), *["validation"] * (validation > 0)))
    require_training(labels, part, class_names)
    if not np.any(part == "test"):
        notes.append(NO_TEST)
    return as_split(part, notes, "given" if named else "content", digests)


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
    require_whole("per_class", per_class)
    require_whole("seed", seed, least=0)
    validation = split.validation
    if validation_too and len(validation):
        fewer = max(1, round(per_class * len(validation) / len(split.train)))
        validation = _drawn(validation, labels, fewer, seed)
    return replace(split, train=_drawn(split.train, labels, per_class, seed), validation=validation)


def _drawn(indices: np.ndarray, labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(indices)
    return np.sort(np.concatenate([order[labels[order] == label][:per_class] for label in np.unique(labels)]))


def as_split(part: np.ndarray, notes: Sequence[str], division: str, digests: Sequence[str]) -> Split:
    """The `Split` of `(N,)` names of parts; other names than those of `PARTS` are left out."""
    return Split(*(np.flatnonzero(part == name) for name in PARTS), tuple(notes), division, digest_in_order(digests))


def digest_in_order(digests: Sequence[str]) -> str:
    """One digest of the contents of pictures, in order."""
    return hashlib.blake2b("\n".join(digests).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _follow_given(given: np.ndarray, place: Places, validation: float) -> np.ndarray:
    part = np.where(given == "", "train", given).astype("U10")
    if "test" not in given:
        part[given == "validation"] = "test"
    if "validation" not in part:
        part[(part == "train") & (place.number < validation)] = "validation"
    return part
