"""A cleaned copy of DATA; the original is only read."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from transfer.checks.cleaning import Action
from transfer.data.folder_files import is_hidden
from transfer.data.folders import LabelledImages
from transfer.data.picture_files import SUFFIXES, opened
from transfer.errors import DataError
from transfer.free_places import check_apart
from transfer.progress import bar
from transfer.writing import whole_folder, write_table

GROUPS = "groups.csv"


def write_clean_copy(images: LabelledImages, actions: Sequence[Action], out: str | Path, data: str | Path) -> dict:
    """Copy pictures into a new folder as actions say; those without an action are copied as they are.

    The copy is `class/picture`, below `train/`, `validation/` and `test/` where DATA names parts. Where
    there are groups, `groups.csv` (`file,group`) in the copy names them for `--groups`.

    Args:
        images: DATA as it is now.
        actions: from `read_actions`.
        out: a folder that does not exist yet, outside DATA.
        data: DATA itself.

    Returns:
        Numbers of pictures `copied`, `moved` and `dropped`, and of `groups`.

    Raises:
        OutputError: `out` lies in DATA or beside the pictures of a table, exists, or cannot be written.
        DataError: a class would be left with one picture, or cannot be the name of a folder of its own; or
            a picture that an action speaks of would be in two classes, as itself or as a copy.
    """
    out = Path(out)
    for place in (Path(data), images.root):
        check_apart(out, place)
    by_name = {action.file: action for action in actions}
    plans = [by_name.get(name) for name in images.names]
    kept = [index for index, plan in enumerate(plans) if plan is None or plan.action != "drop"]
    owns = [images.class_names[label] for label in images.labels]
    labels = {i: plans[i].label if plans[i] and plans[i].action == "move" else owns[i] for i in kept}
    groups = {i: (plans[i] and plans[i].group) or (images.groups[i] if images.groups else "") for i in kept}
    _require_classes(labels)
    _require_one_class_each(images, labels, {action.digest for action in actions})
    targets = _targets(images, owns, labels)
    with whole_folder(out) as partial:
        with bar("copy", len(targets)) as advance:
            for index, target in targets.items():
                place = partial / target
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(images.paths[index], place)
                advance()
        if any(groups.values()):
            rows = [{"file": str(target), "group": groups[index]} for index, target in targets.items()]
            write_table(partial / GROUPS, ("file", "group"), rows)
    moved = sum(labels[i] != owns[i] for i in kept)
    dropped = sum(action.action == "drop" for action in actions)
    return {"copied": len(kept), "moved": moved, "dropped": dropped, "groups": len(set(groups.values()) - {""})}


def _require_classes(labels: dict[int, str]) -> None:
    counts = Counter(labels.values())
    spelled: dict[str, str] = {}
    for name in sorted(counts):
        if (other := spelled.setdefault(name.casefold(), name)) != name:
            raise DataError(
                f"the classes {other!r} and {name!r} differ by case alone, which some disks take for one folder; "
                "move the pictures of one to the other"
            )
    for name, count in counts.items():
        if count < 2:
            raise DataError(f"class {name!r} would be left with one picture; keep two or more, or drop it as well")
        if name != PurePosixPath(name).name or "\\" in name or is_hidden(name):
            raise DataError(f"class {name!r} cannot be the name of a folder; rename it in the table of DATA")
    if len(counts) < 2:
        raise DataError(f"{len(counts)} of the classes would be left; keep pictures of two or more")


def _require_one_class_each(images: LabelledImages, labels: dict[int, str], digests: set[str]) -> None:
    """Refuse contents, of those with `digests`, that are kept in two classes; a fault that nobody looked at stays."""
    first: dict[str, int] = {}
    for index, label in labels.items():
        other = first.setdefault(images.digests[index], index)
        if labels[other] != label and images.digests[index] in digests:
            raise DataError(
                f"{images.names[other]} and {images.names[index]} contradict each other, the same picture in the "
                f"classes {labels[other]!r} and {label!r}; drop one or move it"
            )


def _targets(images: LabelledImages, owns: Sequence[str], labels: dict[int, str]) -> dict[int, PurePosixPath]:
    """Where each picture goes: its place inside its class stays, and none takes that of another one."""
    by_part = bool(set(images.given) - {""})
    taken: set[str] = set()
    targets = {}
    for index in sorted(labels, key=lambda i: labels[i] != owns[i]):  # those that stay have the first choice
        folder = PurePosixPath((images.given[index] or "train") if by_part else "", labels[index])
        parts = PurePosixPath(images.names[index]).parts
        wanted = target = folder.joinpath(*parts[images.class_depth(index) :])
        if wanted.suffix.lower() not in SUFFIXES:  # as a table may name them, but no folder holds them
            wanted = target = wanted.with_name(wanted.name + _suffix_of(images.paths[index]))
        number = 2
        # Some file systems take two names that differ by case for one.
        while str(target).casefold() in taken:
            target = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
            number += 1
        taken.add(str(target).casefold())
        targets[index] = target
    return targets


def _suffix_of(path: Path) -> str:
    """The ending that names how a picture is stored."""
    with opened(path) as image:
        return ".jpg" if image.format == "MPO" else f".{image.format.lower()}"
