"""Groups that can be seen in file names: the person, video or series that several pictures come from."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from transfer.data.tables import read_groups
from transfer.errors import DataError, OptionError, first_line

_WORDS = r"[^\W\d_]+(?:[ _.-]+[^\W\d_]+)*"
_NO_DATE = r"(?!(?:19|20)\d\d[_.-]\d\d?[_.-]\d)"  # a date says when, not of whom
_IDENTIFIER = rf"{_NO_DATE}[^ _.-]*\d[^ _.-]*"
# Which part of the file name, without its ending, is the group. The first row that the names bear out
# counts; a coarser group comes before a finer one, because it can only leak less.
PATTERNS = {
    "ID_rest (S010_004.png, video7_frame12.jpg)": rf"(?P<group>{_IDENTIFIER})[ _.-]+.+",
    "words_number_number (patient_12_slice_3.png)": rf"(?P<group>{_WORDS}[ _.-]+{_NO_DATE}\d+)[ _.-]+.*\d.*",
    "words_number (Ann_Smith_0003.jpg)": rf"(?P<group>{_WORDS})[ _.-]+{_IDENTIFIER}.*",
}
MATCHING = 0.5  # share of the names that a pattern has to fit
SHARED = 0.1  # share of the pictures whose group has more than one of them
# Words that cameras, exports and downloads put before a number: they name no group.
_SOURCES = frozenset(
    re.findall(
        r"\w+",
        "copy download dsc dscf dscn frame gopr image images img kopie mvi p photo photos pic pict picture pictures "
        "pxl sample scan screenshot snapshot test train unnamed untitled val wp",
    )
)


@dataclass(frozen=True)
class NameGroups:
    """Groups read from file names.

    Attributes:
        pattern: which part of a name is the group, in words or as the regular expression given.
        groups: one a picture; `""` where the pattern does not fit.
        example: a file name and its group.
    """

    pattern: str
    groups: tuple[str, ...]
    example: tuple[str, str]

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(set(self.groups) - {""})


def resolve_groups(
    wanted: str, names: Sequence[str], labels: np.ndarray, unreadable: Sequence[str] = ()
) -> tuple[str, ...]:
    """The group of each picture by what `--groups` says: `auto`, a regular expression, or a CSV.

    Args:
        wanted: a regular expression, unless there is a file of that name.
        names: of the pictures below the root; `labels`: `(N,)` their class indices.
        unreadable: names of other files that a CSV may speak of.
    """
    if wanted == "auto":
        if proposed := propose_groups(names, labels):
            return proposed.groups
        raise DataError(
            f"`groups=auto`: the file names show no groups, such as {names[0]!r}; "
            "give a CSV (file,group) or a pattern, or leave `groups` away"
        )
    if not os.path.isfile(wanted):  # which says so of a pattern too long for the name of a file as well
        return groups_by_pattern(names, wanted).groups
    by_name = read_groups(Path(wanted), names, (*names, *unreadable))
    return tuple(by_name[name] for name in names)


def propose_groups(names: Sequence[str], labels: np.ndarray) -> NameGroups | None:
    """The groups that file names show, if they show any.

    A pattern is proposed only if the names bear it out: it fits half of them or more, gives three or
    more groups, a tenth of the pictures share theirs with another one, and groups tell more than the
    class does. Plain numbers (`0012.png`, `IMG_0012.jpg`, `daisy (12).jpg`) show no group.

    Args:
        names: of the files below the root, with `/`.
        labels: `(N,)` class indices.
    """
    stems = [stem_of(name) for name in names]
    for description, expression in PATTERNS.items():
        found = (re.fullmatch(expression, stem) for stem in stems)
        groups = tuple(match["group"] if match else "" for match in found)
        groups = tuple("" if group.casefold() in _SOURCES else group for group in groups)
        if _borne_out(groups, labels):
            return _described(description, names, groups)
    return None


def groups_by_pattern(names: Sequence[str], pattern: str) -> NameGroups:
    """The groups that a regular expression finds in file names.

    Args:
        names: of the files below the root, with `/`.
        pattern: searched in the name without its ending; the group is what its first pair of brackets holds.

    Raises:
        OptionError: no regular expression with a pair of brackets.
        DataError: it fits no name.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise OptionError(
            f"`groups={pattern}` is no file, and no regular expression ({first_line(error)}); correct it"
        ) from error
    if not expression.groups:
        raise OptionError(
            f"`groups={pattern}` is no file; expected a CSV (file,group), auto, "
            "or a pattern with brackets around the group, such as '([^_]+)_'"
        )
    groups = tuple((found[1] or "") if (found := expression.search(stem_of(name))) else "" for name in names)
    if not any(groups):
        raise DataError(
            f"`groups={pattern}` is no file, and as a pattern it fits none of {len(names)} names, such as {names[0]!r}"
        )
    return _described(pattern, names, groups)


def stem_of(name: str) -> str:
    """The file name without folders and ending, also where they are written as on Windows."""
    return posixpath.splitext(posixpath.basename(name.replace("\\", "/")))[0]


def _borne_out(groups: Sequence[str], labels: np.ndarray) -> bool:
    grouped = np.array([group != "" for group in groups], bool)
    if grouped.mean() < MATCHING:
        return False
    number, sizes = np.unique(np.array(groups)[grouped], return_inverse=True, return_counts=True)[1:]
    classes = len(np.unique(labels[grouped]))
    pairs = np.unique(np.stack([number, labels[grouped]]), axis=1).shape[1]
    return bool(
        len(sizes) >= 3
        # One word for each class ("daisy_0001.jpg") says nothing but the class.
        and not (len(sizes) <= classes and pairs <= classes)
        and sizes[sizes > 1].sum() >= SHARED * len(groups)
    )


def _described(pattern: str, names: Sequence[str], groups: tuple[str, ...]) -> NameGroups:
    first = next(i for i, group in enumerate(groups) if group)
    return NameGroups(pattern, groups, (PurePosixPath(names[first]).name, groups[first]))
