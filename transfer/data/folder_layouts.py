"""Where the class folders of a folder are, and the part that each belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer.data.folder_files import is_hidden, is_picture, visible_folders
from transfer.data.part_names import is_plain_part, part_in
from transfer.data.tables import is_table, some
from transfer.errors import DataError


@dataclass(frozen=True)
class Layout:
    """The class folders of a folder.

    Attributes:
        classes: (part or `""`, class folder) each.
        above: the folders on the way to them, whose files belong to no class.
    """

    classes: tuple[tuple[str, Path], ...]
    above: tuple[Path, ...]


def descend(folder: Path, tables: bool = True) -> list[Path]:
    """Step into the only folder of a folder while that holds folders: archives often wrap what they hold.

    Args:
        folder: to start from.
        tables: stop where a table of pictures lies.

    Returns:
        The folders on the way, the last of them that of the class folders.
    """
    way = [folder]
    while not (tables and tables_in(way[-1])):
        inner = visible_folders(way[-1])
        if len(inner) != 1 or not visible_folders(inner[0]) or inner[0].is_symlink():
            break
        way.append(inner[0])
    return way


def tables_in(folder: Path) -> list[Path]:
    """The tables of pictures that lie in a folder."""
    named = (p for p in folder.iterdir() if p.suffix.lower() == ".csv" and p.is_file() and not is_hidden(p.name))
    return sorted(filter(is_table, named))


def find_layout(way: Sequence[Path], data: str | Path) -> Layout:
    """The classes of the last folder of `way`, from `descend`.

    Folders are parts where the names of all of them hold the word of a part, such as `train_images` and
    `test_images` or `seg_train` and `seg_test`; in each, a single inner folder is stepped into.

    Raises:
        DataError: some of the folders are parts and others are not, or there is nothing to train on.
    """
    root = way[-1]
    inner = visible_folders(root)
    if not _are_parts(inner, data):
        _refuse_parts_in_classes(inner, data)
        return Layout(tuple(("", folder) for folder in inner), tuple(way))
    ways = {folder: descend(folder, tables=False) for folder in inner}
    classes = [(part_in(part.name), folder) for part, (*_, last) in ways.items() for folder in visible_folders(last)]
    _refuse_parts_in_classes([folder for _, folder in classes], data)
    return Layout(tuple(classes), (*way, *(folder for steps in ways.values() for folder in steps)))


def _are_parts(inner: Sequence[Path], data: str | Path) -> bool:
    parts = {folder: part_in(folder.name) for folder in inner}
    found = set(parts.values())
    if "" not in found and (len(found) > 1 or not any(map(_holds_pictures, inner))):
        if "train" not in found:
            raise DataError(
                f"{data} has the parts {some(_names(inner))} but no train/; add it or rename them, "
                "also where these are classes"
            )
        return True
    # Of several folders that are not all parts, `test_tube` with pictures in it is a class and `seg_test` is not.
    named = [folder for folder in inner if parts[folder] and (is_plain_part(folder.name) or _is_outer(folder))]
    others = some(f"{name}/" for name in _names(inner) if name not in _names(named))
    told = {parts[folder] for folder in named}
    if "train" in told and len(told) > 1:
        raise DataError(
            f"{data} has {some(f'{name}/' for name in _names(named))} and other parts, but also {others}; "
            "move what is no part elsewhere, and rename what is a class"
        )
    for folder in named:
        # A train with pictures in it may be one of the vehicles.
        if is_plain_part(folder.name) and (parts[folder] != "train" or _is_outer(folder)):
            beside = f", beside {others}" if others else ""
            raise DataError(
                f"{data} has {folder.name}/, the name of a part{beside}; move the class folders into train/ "
                f"or what is no part elsewhere, or rename {folder.name}/ if it is a class"
            )
    return False


def _refuse_parts_in_classes(classes: Sequence[Path], data: str | Path) -> None:
    for folder in classes:
        inside = [inner for inner in visible_folders(folder) if is_plain_part(inner.name)]
        if {part_in(inner.name) for inner in inside} & {"validation", "test"}:
            raise DataError(
                f"{data}: the class folder {folder.name} holds {some(f'{name}/' for name in _names(inside))}, named "
                f"like parts; expected part/class/picture: move them so that {inside[0].name}/ holds {folder.name}/, "
                "or rename them"
            )


def _is_outer(folder: Path) -> bool:
    return not _holds_pictures(folder) and bool(visible_folders(folder))


def _holds_pictures(folder: Path) -> bool:
    return any(is_picture(path) and path.is_file() for path in folder.iterdir())


def _names(folders: Sequence[Path]) -> Iterator[str]:
    return (folder.name for folder in folders)
