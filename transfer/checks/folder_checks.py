"""What files, folders and classes say about the data, without a look at pixels.

Each function takes `Facts` and yields `Found`s; `quality.KINDS` says what each of them weighs.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from transfer.checks.findings import Facts, Found, each
from transfer.data.tables import some
from transfer.pages.wording import number_of

FEW = 25  # pictures of a class: a fifth of them is five test pictures, one of which is 20 %
NO_VALUE = frozenset({"", "#n/a", "<na>", "n/a", "na", "nan", "nil", "none", "null"})
IMBALANCE = 10  # times more pictures in the largest class than in the smallest


def unreadable(facts: Facts) -> Iterator[Found]:
    """Files named like pictures that are none."""
    bad = facts.images.unreadable
    if bad:
        listed = some(f"{name} {reason}" for name, reason in bad)
        names, reasons = zip(*bad)
        yield Found(f"{number_of(len(bad), 'file')} cannot be read: {listed}", files=names, details=reasons)


def empty_classes(facts: Facts) -> Iterator[Found]:
    """Class folders that hold no picture."""
    if facts.images.empty:
        empty = facts.images.empty
        yield Found(f"{number_of(len(empty), 'folder')} without a picture: {some(empty)}", files=empty)


def outside_classes(facts: Facts) -> Iterator[Found]:
    """Pictures that lie beside the class folders, or that the table does not name."""
    if facts.images.outside:
        why = f": {facts.images.table} is read, and does not name them" if facts.images.table else ""
        yield Found(f"{number_of(facts.images.outside, 'picture')} of no class left out{why}")


def other_files(facts: Facts) -> Iterator[Found]:
    """Files that are not even named like pictures."""
    if facts.images.ignored:
        listed = _endings(facts.images.others)
        yield Found(
            f"{number_of(facts.images.ignored, 'other file')} left out: {listed}", figures=dict(facts.images.others)
        )


def unread_pictures(facts: Facts) -> Iterator[Found]:
    """Files that are pictures after all, of a kind that is not read or under another name."""
    unread = facts.images.unread
    if unread:
        count = number_of(sum(number for _, number in unread), "file")
        yield Found(f"{count} left out that look like pictures: {_endings(unread)}", figures=dict(unread))


def counts(facts: Facts) -> Iterator[Found]:
    """How many pictures each class has, by part where DATA names parts."""
    images, by_class = facts.images, facts.images.counts()
    parts = {part or "no part": images.given.count(part) for part in sorted(set(images.given))}
    said = f" ({', '.join(f'{number} {part}' for part, number in parts.items())})" if any(images.given) else ""
    of = f"{number_of(len(images), 'picture')} of {number_of(len(by_class), 'class', 'classes')}"
    yield Found(f"{of}, {each(by_class)}{said}", figures={"classes": by_class, "parts": parts if said else {}})


def lonely_classes(facts: Facts) -> Iterator[Found]:
    """What training refuses: a single class, or a class of one picture."""
    by_class = facts.images.counts()
    if len(by_class) < 2:
        yield Found(f"there is the single class {next(iter(by_class))!r}")
    alone = [name for name, number in by_class.items() if number < 2]
    if alone:
        indices = tuple((i,) for i, label in enumerate(facts.images.labels) if by_class[facts.class_of(label)] < 2)
        yield Found(f"{number_of(len(alone), 'class', 'classes')} of one picture: {some(alone)}", indices)


def small_classes(facts: Facts) -> Iterator[Found]:
    """Classes whose accuracy a test part cannot tell."""
    small = {name: number for name, number in facts.images.counts().items() if 2 <= number < FEW}
    if small:
        listed = some(f"{name} ({number})" for name, number in small.items())
        yield Found(
            f"{number_of(len(small), 'class', 'classes')} with fewer than {FEW} pictures: {listed}", figures=small
        )


def imbalance(facts: Facts) -> Iterator[Found]:
    """One class that is much larger than another."""
    by_class = facts.images.counts()
    most, least = (pick(by_class, key=by_class.get) for pick in (max, min))
    if by_class[most] >= IMBALANCE * by_class[least]:
        share = by_class[most] / len(facts.images)
        yield Found(
            f"{most} has {by_class[most]} pictures and {least} {by_class[least]}: "
            f"always answering {most} would be right for {share:.0%}"
        )


def alike_names(facts: Facts) -> Iterator[Found]:
    """Classes whose names differ by case, spaces or punctuation alone, or are one number written in several ways."""
    spelled = defaultdict(list)
    for name in facts.images.class_names:
        spelled[_meant(name)].append(name)
    for meant, names in spelled.items():
        if len(names) > 1:
            same = "are the same number" if isinstance(meant, float) else "differ by case, spaces or punctuation alone"
            yield Found(f"the classes {' and '.join(map(repr, names))} {same}")


def _meant(name: str) -> str | float:
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", name.strip()):
        return float(name)
    folded = unicodedata.normalize("NFKC", name).casefold()
    # Marks, too: they are vowels in many scripts.
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] in "LMN") or name


def missing_labels(facts: Facts) -> Iterator[Found]:
    """Classes whose names are what spreadsheets and programs write where there is no value."""
    empty = {name: count for name, count in facts.images.counts().items() if name.strip().casefold() in NO_VALUE}
    if empty:
        listed = some(f"{name!r} ({number_of(count, 'picture')})" for name, count in empty.items())
        yield Found(f"{number_of(len(empty), 'class', 'classes')} named like a missing label: {listed}", figures=empty)


def folders_in_classes(facts: Facts) -> Iterator[Found]:
    """Classes whose pictures all lie in folders, several of them with the same names: these may be the classes."""
    outer, shared = _outer_classes(_folders_inside(facts))
    if outer:
        yield Found(f"the classes {some(map(repr, outer))} hold folders of the same names ({some(sorted(shared))})")


def merged_folders(facts: Facts) -> Iterator[Found]:
    """Classes that take in several folders inside them, which may be classes of their own."""
    inside = _folders_inside(facts)
    told = _outer_classes(inside)[0]
    merged = {name: sorted(folders - {""}) for name, folders in inside.items() if len(folders) > 1 and name not in told}
    if merged:
        listed = some(f"{name} ({some(folders)})" for name, folders in merged.items())
        verb = "takes in the folders inside it" if len(merged) == 1 else "take in the folders inside them"
        yield Found(f"{number_of(len(merged), 'class', 'classes')} {verb}: {listed}", figures=merged)


def _folders_inside(facts: Facts) -> dict[str, set[str]]:
    """The folders right inside each class folder that hold pictures of it, `""` for the class folder itself."""
    images, inside = facts.images, defaultdict(set)
    for index, label in enumerate(images.labels):
        depth, folders = images.class_depth(index), images.names[index].split("/")[:-1]
        inside[facts.class_of(label)].add(folders[depth] if 0 < depth < len(folders) else "")
    return inside


def _outer_classes(inside: dict[str, set[str]]) -> tuple[list[str], set[str]]:
    """Two or more classes that hold nothing but folders, some of the same names; and those names."""
    nested = {name: folders for name, folders in inside.items() if "" not in folders}
    often = Counter(folder for folders in nested.values() for folder in folders)
    shared = {folder for folder, number in often.items() if number > 1}
    outer = sorted(name for name, folders in nested.items() if len(folders & shared) > 1)
    return (outer, shared) if len(outer) > 1 else ([], set())


def _endings(counts: Sequence[tuple[str, int]]) -> str:
    return some((f"{count:,} {ending or 'without an ending'}" for ending, count in counts), most=5)
