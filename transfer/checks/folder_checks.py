"""What files, folders and classes say about the data, without a look at pixels.

Each function takes `Facts` and yields `Found`s; `quality.KINDS` says what each of them weighs.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator

from transfer.checks.findings import Facts, Found, each, number_of
from transfer.data.tables import some

FEW = 25  # pictures of a class: a fifth of them is five test pictures, one of which is 20 %
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
        yield Found(f"{number_of(facts.images.outside, 'picture')} of no class left out")


def other_files(facts: Facts) -> Iterator[Found]:
    """Files that are not even named like pictures."""
    if facts.images.ignored:
        yield Found(f"{number_of(facts.images.ignored, 'other file')} (hidden, or not named like a picture) left out")


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
    """Classes whose names differ by case, spaces or punctuation alone."""
    spelled = defaultdict(list)
    for name in facts.images.class_names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        # Marks, too: they are vowels in many scripts.
        spelled["".join(letter for letter in folded if unicodedata.category(letter)[0] in "LMN") or name].append(name)
    for names in spelled.values():
        if len(names) > 1:
            yield Found(f"the classes {' and '.join(map(repr, names))} differ by case, spaces or punctuation alone")


def folders_in_classes(facts: Facts) -> Iterator[Found]:
    """Classes whose pictures all lie in folders, several of them with the same names: these may be the classes."""
    images, inside = facts.images, defaultdict(set)
    for index, label in enumerate(images.labels):
        depth, folders = images.class_depth(index), images.names[index].split("/")[:-1]
        inside[facts.class_of(label)].add(folders[depth] if 0 < depth < len(folders) else "")
    nested = {name: folders for name, folders in inside.items() if "" not in folders}
    often = Counter(folder for folders in nested.values() for folder in folders)
    shared = {folder for folder, number in often.items() if number > 1}
    outer = sorted(name for name, folders in nested.items() if len(folders & shared) > 1)
    if len(outer) > 1:
        yield Found(f"the classes {some(map(repr, outer))} hold folders of the same names ({some(sorted(shared))})")
