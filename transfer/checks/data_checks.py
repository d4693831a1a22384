"""What groups, parts, labels and equal pictures say about the data, without a look at pixels.

Each function takes `Facts` and yields `Found`s; `quality.KINDS` says what each of them weighs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from transfer.checks.findings import Facts, Found, each
from transfer.data.tables import some
from transfer.pages.wording import number_of

TRAINED = 0.65  # share of the pictures that `splits.split_by_content` leaves for training


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
        yield Found(f"{number_of(len(sizes), 'group')}, {each(sizes)}", figures={"groups": len(sizes)})


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
        said = f"{number_of(len(sets), 'label')} that may be wrong, the most suspect first"
        yield Found(said, sets, details, figures=figures)


def _of_sets(
    facts: Facts, sets: Sequence[tuple[int, ...]], message: str, kinds, same: bool, what: Sequence[str]
) -> Iterator[Found]:
    chosen = [indices for indices in sets if (len(kinds(facts, indices)) == 1) == same]
    if chosen:
        details = tuple(" / ".join(sorted(kinds(facts, indices))) for indices in chosen)
        said = message.format(number_of(len(chosen), *what), files=number_of(sum(map(len, chosen)), "file"))
        yield Found(said, tuple(chosen), details)


def _labels(facts: Facts, indices: Sequence[int]) -> set[str]:
    return {facts.class_of(facts.images.labels[i]) for i in indices}


def _parts(facts: Facts, indices: Sequence[int]) -> set[str]:
    return {_part(facts, i) for i in indices}


def _part(facts: Facts, index: int) -> str:
    """Where a split puts a picture, see `splits.split_by_content`: those that name no part are for training."""
    return facts.images.given[index] or "train"


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
