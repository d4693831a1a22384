"""Properties of files that give the class away, so that a network need not look at what is in the picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transfer.checks.inspection import Inspection
from transfer.data.name_groups import stem_of

FOLDS = 5
BINS = 16  # of a number; of a word, the commonest so many, and one for all others
FEWEST = 8  # pictures, or groups of them, of a class
ERRORS = 3.0  # standard errors above chance


class Shortcut(NamedTuple):
    """A property, and (label, balanced accuracy 0..1) of the classes that it gives away, surest first."""

    name: str
    classes: tuple[tuple[int, float], ...]


class Property(NamedTuple):
    """One property: its value for a file, and the balanced accuracy from which on it is suspicious.

    What is in a picture may well show in its brightness, so that such properties need more.
    """

    name: str
    value: object
    least: float


PROPERTIES = (
    Property("colour or grey", lambda file: "grey" if file.colour < 2 else "colour", 0.7),
    Property("file format", lambda file: file.format, 0.7),
    Property("kind of pixels", lambda file: file.mode, 0.7),
    Property("width", lambda file: file.width, 0.7),
    Property("height", lambda file: file.height, 0.7),
    Property("proportions", lambda file: file.width / file.height, 0.75),
    Property("bytes a pixel", lambda file: file.size / (file.width * file.height), 0.85),
    Property("camera", lambda file: file.camera, 0.7),
    Property("sharpness", lambda file: file.sharpness, 0.85),
    Property("brightness", lambda file: file.brightness, 0.85),
    Property("contrast", lambda file: file.contrast, 0.85),
)
NAME = "kind of file name"


def find_shortcuts(
    inspections: Sequence[Inspection],
    names: Sequence[str],
    labels: np.ndarray,
    class_names: Sequence[str],
    groups: Sequence[str] | None = None,
) -> list[Shortcut]:
    """Find properties that predict a class on pictures that the prediction was not made from.

    Args:
        inspections: N of them; `names`: of the files; `labels`: `(N,)` class indices.
        class_names: sorted.
        groups: one a picture; a group is predicted from other groups only.

    Returns:
        Those well above chance, the most telling first.
    """
    fold = _folds(groups or [""] * len(labels))
    units = _units(labels, groups, len(class_names))
    columns = [(kind.name, [kind.value(file) for file in inspections], kind.least) for kind in PROPERTIES]
    columns.append((NAME, _name_kinds(names, class_names), 0.7))
    found = []
    for name, values, least in columns:
        accuracy = balanced_accuracy(_binned(values), labels, fold, len(class_names))
        error = np.sqrt((accuracy * (1 - accuracy) + 0.25 / units) / units)
        telling = (accuracy >= least) & (accuracy > 0.5 + ERRORS * error) & (units >= FEWEST)
        order = [label for label in np.argsort(-accuracy, kind="stable").tolist() if telling[label]]
        if order:
            found.append(Shortcut(name, tuple((label, float(accuracy[label])) for label in order)))
    return sorted(found, key=lambda shortcut: -shortcut.classes[0][1])


def balanced_accuracy(bins: np.ndarray, labels: np.ndarray, fold: np.ndarray, classes: int) -> np.ndarray:
    """How well one property tells each class from the others, by cross-validation.

    In each fold the share of every class in every bin is counted on the other folds; a bin speaks for
    a class that is commoner there than the other classes are on average. Every class counts the same.

    Args:
        bins: `(N,)` the property, as whole numbers from 0.
        labels: `(N,)`; `fold`: `(N,)` whole numbers from 0.

    Returns:
        `(classes,)` mean of the share of the class and the share of the others that are told rightly,
        0..1; 0.5 is chance.
    """
    if classes < 2:
        return np.full(classes, 0.5)
    counts = np.zeros((fold.max() + 1, classes, bins.max() + 1))
    np.add.at(counts, (fold, labels, bins), 1)
    sizes = np.maximum(counts.sum(axis=(0, 2)), 1)
    right = np.zeros(classes)
    wrong = np.zeros(classes)
    for held_out in counts:
        others = counts.sum(axis=0) - held_out
        share = others / np.maximum(others.sum(axis=1, keepdims=True), 1)
        rest = (share.sum(axis=0) - share) / (classes - 1)
        says_so = share > rest
        told = held_out / sizes[:, None]
        right += (told * says_so).sum(axis=1)
        wrong += ((told.sum(axis=0) - told) * says_so).sum(axis=1) / (classes - 1)
    return (right + 1 - wrong) / 2


def _folds(groups: Sequence[str]) -> np.ndarray:
    rng = np.random.default_rng(0)
    unit = np.unique([group or f"\0{i}" for i, group in enumerate(groups)], return_inverse=True)[1]
    return rng.integers(0, FOLDS, unit.max() + 1)[unit]


def _units(labels: np.ndarray, groups: Sequence[str] | None, classes: int) -> np.ndarray:
    """`(classes,)` number of groups, or of pictures, of each class."""
    if groups is None:
        return np.bincount(labels, minlength=classes)
    pairs = {(int(label), group or i) for i, (label, group) in enumerate(zip(labels, groups))}
    return np.bincount([label for label, _ in pairs], minlength=classes)


def _binned(values: Sequence) -> np.ndarray:
    if isinstance(values[0], str):
        common = {value: place for place, (value, _) in enumerate(Counter(values).most_common(BINS))}
        return np.array([common.get(value, len(common)) for value in values])
    values = np.asarray(values, float)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    # An edge is the most frequent value of its neighbourhood: it gets a bin of its own.
    return np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right")


def _name_kinds(names: Sequence[str], class_names: Sequence[str]) -> list[str]:
    """What file names have in common (`IMG_#`), without the numbers and the words of class names."""
    words = {word for name in class_names for word in re.findall(r"[^\W\d_]+", name.casefold())}
    kinds = []
    for name in names:
        stem = stem_of(name).casefold()
        stem = re.sub(r"[^\W\d_]+", lambda found: "" if _says(found[0], words) else found[0], stem)
        kinds.append(re.sub(r"[0-9a-f]{8,}|\d+", "#", stem))
    return kinds


def _says(word: str, class_words: set[str]) -> bool:
    return word in class_words or word.rstrip("s") in class_words or f"{word}s" in class_words
