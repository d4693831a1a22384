"""What labels, names, groups, parts and equal pictures say about the data, without a look at pixels.

Each function takes `Facts` and yields `Found`s; `quality.KINDS` says what each of them weighs.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from transfer.checks.findings import Facts, Found
from transfer.data.tables import some

FEW = 25  # pictures of a class: a fifth of them is five test pictures, one of which is 20 %
TRAINED = 0.65  # share of the pictures that `splits.split_by_content` leaves for training
IMBALANCE = 10  # times more pictures in the largest class than in the smallest


def unreadable(facts: Facts) -> Iterator[Found]:
    """Files named like pictures that are none."""
    bad = facts.images.unreadable
    if bad:
        listed = some(f"{name} {reason}" for name, reason in bad)
        names, reasons = zip(*bad)
        yield Found(f"{_count(len(bad), 'file')} cannot be read: {listed}", files=names, details=reasons)


def empty_classes(facts: Facts) -> Iterator[Found]:
    """Class folders that hold no picture."""
    if facts.images.empty:
        empty = facts.images.empty
        yield Found(f"{_count(len(empty), 'folder')} without a picture: {some(empty)}", files=empty)


def outside_classes(facts: Facts) -> Iterator[Found]:
    """Pictures that lie beside the class folders, or that the table does not name."""
    if facts.images.outside:
        yield Found(f"{_count(facts.images.outside, 'picture')} of no class left out")


def other_files(facts: Facts) -> Iterator[Found]:
    """Files that are not even named like pictures."""
    if facts.images.ignored:
        yield Found(f"{_count(facts.images.ignored, 'other file')} (hidden, or not named like a picture) left out")


def counts(facts: Facts) -> Iterator[Found]:
    """How many pictures each class has, by part where DATA names parts."""
    images, by_class = facts.images, facts.images.counts()
    parts = {part or "no part": images.given.count(part) for part in sorted(set(images.given))}
    said = f" ({', '.join(f'{number} {part}' for part, number in parts.items())})" if any(images.given) else ""
    of = f"{_count(len(images), 'picture')} of {_count(len(by_class), 'class', 'classes')}"
    yield Found(f"{of}, {_each(by_class)}{said}", figures={"classes": by_class, "parts": parts if said else {}})


def lonely_classes(facts: Facts) -> Iterator[Found]:
    """What training refuses: a single class, or a class of one picture."""
    by_class = facts.images.counts()
    if len(by_class) < 2:
        yield Found(f"there is the single class {next(iter(by_class))!r}")
    alone = [name for name, number in by_class.items() if number < 2]
    if alone:
        indices = tuple((i,) for i, label in enumerate(facts.images.labels) if by_class[_class(facts, label)] < 2)
        yield Found(f"{_count(len(alone), 'class', 'classes')} of one picture: {some(alone)}", indices)


def small_classes(facts: Facts) -> Iterator[Found]:
    """Classes whose accuracy a test part cannot tell."""
    small = {name: number for name, number in facts.images.counts().items() if 2 <= number < FEW}
    if small:
        listed = some(f"{name} ({number})" for name, number in small.items())
        yield Found(f"{_count(len(small), 'class', 'classes')} with fewer than {FEW} pictures: {listed}", figures=small)


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
        inside[_class(facts, label)].add(folders[depth] if 0 < depth < len(folders) else "")
    nested = {name: folders for name, folders in inside.items() if "" not in folders}
    often = Counter(folder for folders in nested.values() for folder in folders)
    shared = {folder for folder, number in often.items() if number > 1}
    outer = sorted(name for name, folders in nested.items() if len(folders & shared) > 1)
    if len(outer) > 1:
        yield Found(f"the classes {some(map(repr, outer))} hold folders of the same names ({some(sorted(shared))})")


def missing_classes(facts: Facts) -> Iterator[Found]:
    """Parts that DATA names in which a class does not occur."""
    given = np.array([_part(facts, i) for i in range(len(facts.images))])
    for part in np.unique(given).tolist():
        there = set(facts.images.labels[given == part])
        missing = [name for label, name in enumerate(facts.images.class_names) if label not in there]
        if missing:
            yield Found(f"{part} has no picture of {some(missing)}")


def groups(facts: Facts) -> Iterator[Found]:
    """How many groups are kept on one side of a split."""
    sizes = Counter(filter(None, facts.images.groups or ()))
    if sizes:
        yield Found(f"{_count(len(sizes), 'group')}, {_each(sizes)}", figures={"groups": len(sizes)})


def ungrouped(facts: Facts) -> Iterator[Found]:
    """Pictures in no group where most are in one: their names may be such that a pattern found nothing."""
    names, groups = facts.images.names, facts.images.groups or ()
    alone = [index for index, group in enumerate(groups) if not group]
    if 0 < len(alone) <= len(groups) / 2:
        listed = some(names[index] for index in alone)
        message = f"{len(alone):,} of {len(groups):,} pictures are in none of the groups: {listed}"
        yield Found(message, tuple((index,) for index in alone))


def groups_in_names(facts: Facts) -> Iterator[Found]:
    """Groups that file names show, where nothing yet keeps them together."""
    proposed = facts.name_groups
    if proposed is None or facts.images.groups is not None or any(facts.images.given):
        return
    groups = np.array(proposed.groups)
    shared = groups != ""
    sizes = dict(zip(*np.unique(groups[shared], return_counts=True)))
    # Each of the others of its group is not in training with chance 1 - TRAINED.
    leaking = sum(number * (1 - (1 - TRAINED) ** (number - 1)) for number in sizes.values()) / len(groups)
    yield Found(
        f"file names show {proposed.count} groups ({proposed.example[0]} is of {proposed.example[1]!r}); with a random "
        f"split {leaking:.0%} of the test pictures would have others of their group in training",
        figures={"pattern": proposed.pattern, "groups": proposed.count, "leaking": float(leaking)},
    )


def groups_across_parts(facts: Facts) -> Iterator[Found]:
    """Groups that lie in several parts that DATA names."""
    yield from _divided(facts, facts.images.groups or (), "{} with pictures in more than one part")


def name_groups_across_parts(facts: Facts) -> Iterator[Found]:
    """Groups that file names only show, in several parts that DATA names."""
    if facts.images.groups is None and facts.name_groups:
        yield from _divided(facts, facts.name_groups.groups, "file names show {} with pictures in more than one part")


def _divided(facts: Facts, groups: Sequence[str], message: str) -> Iterator[Found]:
    members = defaultdict(list)
    for index, group in enumerate(groups):
        if group:
            members[group].append(index)
    sets = [tuple(indices) for indices in members.values()]
    yield from _of_sets(facts, sets, message, _parts, same=False, what=("group",))


def suspected_labels(facts: Facts) -> Iterator[Found]:
    """Pictures that a network trained on the others takes for another class."""
    if facts.suspects:
        names = facts.images.class_names
        details = tuple(f"{names[s.given]}, looks like {names[s.suggested]}" for s in facts.suspects)
        sets = tuple((int(s.index),) for s in facts.suspects)
        figures = {
            "suggested": [names[s.suggested] for s in facts.suspects],
            "belief": [s.belief for s in facts.suspects],
            "suggested_belief": [s.suggested_belief for s in facts.suspects],
        }
        said = f"{_count(len(sets), 'label')} that may be wrong, the most suspect first"
        yield Found(said, sets, details, figures=figures)


def _of_sets(
    facts: Facts, sets: Sequence[tuple[int, ...]], message: str, kinds, same: bool, what: Sequence[str]
) -> Iterator[Found]:
    chosen = [indices for indices in sets if (len(kinds(facts, indices)) == 1) == same]
    if chosen:
        details = tuple(" / ".join(sorted(kinds(facts, indices))) for indices in chosen)
        said = message.format(_count(len(chosen), *what), files=_count(sum(map(len, chosen)), "file"))
        yield Found(said, tuple(chosen), details)


def _labels(facts: Facts, indices: Sequence[int]) -> set[str]:
    return {_class(facts, facts.images.labels[i]) for i in indices}


def _parts(facts: Facts, indices: Sequence[int]) -> set[str]:
    return {_part(facts, i) for i in indices}


def _part(facts: Facts, index: int) -> str:
    """Where a split puts a picture, see `splits.split_by_content`: those that name no part are for training."""
    return facts.images.given[index] or "train"


def _class(facts: Facts, label: int) -> str:
    return facts.images.class_names[label]


def _each(sizes: dict[str, int]) -> str:
    least, most = min(sizes.values()), max(sizes.values())
    return f"{least} each" if least == most else f"{least} to {most} each"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _repeated(sets: str, where: str, kinds, same: bool) -> Callable[[Facts], Iterator[Found]]:
    what = {"exact_sets": "equal files", "near_sets": "near duplicates"}[sets]
    named = f"set of {what}", f"sets of {what}"
    return lambda facts: _of_sets(facts, getattr(facts, sets), f"{{}} {where}, {{files}}", kinds, same, named)


# Pictures that are there more than once, by kind of finding. Under two classes one label is wrong; in two parts that
# DATA names they are a leak.
REPEATED: dict[str, Callable[[Facts], Iterator[Found]]] = {
    "exact in class": _repeated("exact_sets", "within a class", _labels, same=True),
    "exact across classes": _repeated("exact_sets", "in different classes", _labels, same=False),
    "exact across parts": _repeated("exact_sets", "in more than one part", _parts, same=False),
    "near in class": _repeated("near_sets", "within a class", _labels, same=True),
    "near across classes": _repeated("near_sets", "in different classes", _labels, same=False),
    "near across parts": _repeated("near_sets", "in more than one part", _parts, same=False),
}
