"""What to do about findings: one proposed action a picture, in a table that a person edits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from transfer import settings
from transfer.checks.checking import Check
from transfer.checks.duplicates import keep_together, version_sets
from transfer.checks.findings import Finding
from transfer.data.folders import LabelledImages
from transfer.data.tables import composed, read_by_name
from transfer.errors import DataError
from transfer.free_places import check_unwritten
from transfer.writing import write_table

ACTIONS = ("drop", "move", "group", "keep")  # the first that is proposed for a picture counts
COLUMNS = ("file", "digest", "action", "class", "group", "reason")
_FIRST_PART = ("test", "validation", "train", "")  # whose copy stays of a picture that is in several


class Action(NamedTuple):
    """What to do with one picture.

    Attributes:
        file: its name below the root of DATA.
        digest: of its bytes when it was looked at, `""` if it cannot be read.
        action: one of `ACTIONS`.
        label: its class (or `""` in a table), or for `move` the class to move it to.
        group: name of the group that it belongs to in the copy, or `""`.
        reason: what was found.
    """

    file: str
    digest: str
    action: str
    label: str
    group: str
    reason: str


def propose_actions(
    check: Check,
    move_suspects: bool = False,
    given_below: float = settings.GIVEN_BELOW,
    suggested_above: float = settings.SUGGESTED_ABOVE,
) -> list[Action]:
    """One action for each picture that something was found about, in the order of file names.

    Dropped are files that cannot be read, pictures with the same bytes under several classes, all but
    one of them inside a class (that of the test part, or else of the validation part, stays), and
    copies and members of its groups that a test part has in other parts. Near duplicates become
    a group; pictures that only look odd, or whose label is suspected, are kept for a person to look at.

    Args:
        check: from `check`.
        move_suspects: move pictures with a suspected label to the class that is suggested, where their own has a
            probability below `given_below` and that one a probability above `suggested_above` (0..1, by heads
            that have not seen the picture).
    """
    images = check.images
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for finding in check.findings:
        for index, action, reason in _PROPOSALS.get(finding.kind, _nothing)(images, finding):
            found[index].append((action, reason))
    moves = _sure_moves(check, given_below, suggested_above) if move_suspects else {}
    for index, (_, reason) in moves.items():
        found[index].append(("move", reason))
    near = {index for indices in version_sets(images.digests, check.near) for index in indices}
    joined = keep_together(images, check.near).groups if near else images.groups or ("",) * len(images)
    # Pictures of a group that near duplicates join with another one get its new name too.
    renamed = {i for i, group in enumerate(images.groups or ()) if group and near and group != joined[i]}
    for index in renamed - near:
        found[index].append(("group", "its group has near duplicates in another one"))
    rows = [Action(name, "", "drop", "", "", reason) for name, reason in images.unreadable]
    for index, proposals in found.items():
        action, _ = min(proposals, key=lambda proposal: ACTIONS.index(proposal[0]))
        label = moves[index][0] if action == "move" else images.class_names[images.labels[index]]
        group = joined[index] if index in near | renamed else ""
        reason = "; ".join(dict.fromkeys(proposal[1] for proposal in proposals))
        rows.append(Action(images.names[index], images.digests[index], action, label, group, reason))
    return sorted(rows)


def write_actions(actions: list[Action], path: str | Path, overwrite: bool = False) -> None:
    """Write actions as a CSV with the columns `file,digest,action,class,group,reason`.

    Raises:
        OutputError: there is such a file already, which a person may have edited.
    """
    path = Path(path)
    check_unwritten(path, overwrite)
    # Without the mark at its start, Excel takes UTF-8 for the letters of Windows.
    write_table(path, COLUMNS, [dict(zip(COLUMNS, action)) for action in actions], encoding="utf-8-sig")


def read_actions(path: str | Path, images: LabelledImages) -> list[Action]:
    """The actions of a table, each checked against the pictures.

    Args:
        path: a CSV as `write_actions` writes it.
        images: DATA as it is now.

    Raises:
        DataError: a row contradicts itself, DATA or another row of the file, or the file has changed since.
    """
    unreadable = [name for name, _ in images.unreadable]
    rows = read_by_name(Path(path), COLUMNS[:-1], (*images.names, *unreadable))
    position = {name: index for index, name in enumerate(images.names)}
    groups = set(images.groups or ())
    shortened = {group.lstrip("0"): group for group in groups if group.isdecimal()}
    actions = []
    for name, row in rows.items():
        digest, action, group = ((row[column] or "").strip() for column in ("digest", "action", "group"))
        if group and group not in groups and group in shortened:
            raise DataError(
                f"{path}: {name} has the group {group!r}, which is {shortened[group]!r} in DATA; "
                "a spreadsheet took it for a number: set the column to text there"
            )
        action = Action(name, digest, action, composed(row["class"] or ""), group, row.get("reason") or "")
        if wrong := _wrong(action, images, position.get(name)):
            raise DataError(f"{path}: {name} {wrong}")
        actions.append(action)
    return actions


def _wrong(action: Action, images: LabelledImages, index: int | None) -> str:
    """What is wrong with a row, or `""`; `index` is `None` for a file that cannot be read."""
    if action.action not in ACTIONS:
        return f"has the action {action.action!r}; expected one of {', '.join(ACTIONS)}"
    if index is None:
        return "" if action.action == "drop" else "cannot be read as a picture; drop it, or mend the file first"
    if action.action == "drop" and not action.digest:
        return ""  # it looks whole, and only decoding it fails
    if action.digest != images.digests[index]:
        return "has changed since the table was written (its digest differs); run transfer clean again"
    own = images.class_names[images.labels[index]]
    if action.action == "move" and action.label not in images.class_names:
        return f"is to be moved to {action.label!r}, which is no class of DATA; expected one of its classes"
    if action.action == "move" and action.label == own:
        return f"is to be moved to {own!r}, where it is; name another class, or keep it"
    if action.action in ("keep", "group") and action.label not in ("", own):
        return (
            f"has the action {action.action} but the class {action.label!r}; its own is {own!r}: write move, or {own}"
        )
    if action.action == "group" and not action.group:
        return "has the action group but no name of one; give one, or keep it"
    return ""


def _nothing(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    yield from ()


def _drop_all(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    for indices, classes in zip(finding.sets, finding.details):
        yield from ((i, "drop", f"the same bytes under the classes {classes}") for i in indices)


def _keep_first(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    for indices in finding.sets:
        first, *others = sorted(indices, key=lambda i: _rank(images, i))
        yield first, "keep", f"the same bytes as {images.names[others[0]]}"
        yield from ((i, "drop", f"the same bytes as {images.names[first]}") for i in others)


def _keep_in_test(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    for indices in finding.sets:
        stays = min(indices, key=lambda i: _rank(images, i))
        for i in indices:
            action = "keep" if _rank(images, i) == _rank(images, stays) else "drop"
            yield i, action, f"{finding.kind}: {images.names[stays]} is in {images.given[stays]}"


def _rank(images: LabelledImages, index: int) -> int:
    return _FIRST_PART.index(images.given[index])


def _group(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    for first, *others in finding.sets:
        yield first, "group", f"a version of {images.names[others[0]]}"
        yield from ((i, "group", f"a version of {images.names[first]}") for i in others)


def _doubt(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    # About half of the suspects on flowers are labelled rightly (docs/clean.md): a person decides.
    for (index,), said in zip(finding.sets, finding.details):
        yield index, "keep", f"look at it: {said}"


def _sure_moves(check: Check, given_below: float, suggested_above: float) -> dict[int, tuple[str, str]]:
    """By index of a suspect: (the class to move it to, the reason)."""
    moves = {}
    for finding in check["suspected labels"]:
        columns = (finding.figures[name] for name in ("suggested", "belief", "suggested_belief"))
        for (index,), label, given, suggested in zip(finding.sets, *columns):
            if given < given_below and suggested > suggested_above:
                moves[index] = label, f"its class has the probability {given:.3f}, {label} {suggested:.3f}"
    return moves


def _look_at(images: LabelledImages, finding: Finding) -> Iterator[tuple]:
    yield from ((i, "keep", f"look at it: {finding.kind}") for indices in finding.sets for i in indices)


# By kind of finding (`quality.KINDS`): (index, action, reason) of its pictures.
_PROPOSALS = {
    "exact across classes": _drop_all,
    "exact in class": _keep_first,
    "exact across parts": _keep_in_test,
    "near across parts": _keep_in_test,
    "groups across parts": _keep_in_test,
    "near across classes": _group,
    "near in class": _group,
    "suspected labels": _doubt,
} | dict.fromkeys(
    ("one tone", "dark", "overexposed", "blurry", "nearly empty", "odd sizes", "odd shapes", "animations"), _look_at
)
