"""DATA as names: which files there are, and the class, group and part that their place gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer.cache import discard
from transfer.data.archives import is_archive, unpack
from transfer.data.downloads import fetch
from transfer.data.folder_files import (
    count_by_ending,
    count_in_hidden_folders,
    is_picture,
    unread_pictures,
    visible_folders,
    walk,
)
from transfer.data.folder_layouts import descend, find_layout, tables_in
from transfer.data.no_classes import no_classes
from transfer.data.tables import Entry, composed, read_table, some
from transfer.errors import DataError
from transfer.settings import MAX_SIZE


@dataclass(frozen=True)
class Listing:
    """The files of DATA by name alone.

    Attributes:
        entries: files named like pictures, sorted by name.
        root: the folder that names start from.
        others: how many other files have each ending, `hidden` for those that are.
        unread: of them, those that are pictures after all, by ending, see `folder_files.unread_pictures`.
        empty: class folders without a file named like a picture.
        outside: number of files named like pictures that lie beside the class folders, or that the table
            in the folder does not name.
        table: name of that table, or `""`.
    """

    entries: tuple[Entry, ...]
    root: Path
    others: tuple[tuple[str, int], ...] = ()
    unread: tuple[tuple[str, int], ...] = ()
    empty: tuple[str, ...] = ()
    outside: int = 0
    table: str = ""


def list_pictures(data: str | Path, max_size: float = MAX_SIZE) -> Listing:
    """Find the files of DATA with their classes, groups and parts; see `folders.load_images`.

    Raises:
        DataError: no folder, table, archive or address of pictures.
    """
    source = fetch(str(data), max_size) if is_address(data) else Path(data)
    try:
        if not source.exists():
            raise DataError(f"{data} does not exist; expected a folder of class folders, a CSV or an archive")
        if is_archive(source):
            source = _unpacked(source, data, max_size)
        return _listing(source, data)
    except OSError as error:
        raise DataError(f"{data} cannot be read ({error.strerror}: {error.filename}); allow reading it") from error


def is_address(data: str | Path) -> bool:
    """Tell an address on the web from a path."""
    return str(data).startswith(("https://", "http://"))


def _unpacked(archive: Path, data: str | Path, max_size: float) -> Path:
    try:
        return unpack(archive, max_size)
    except DataError:
        if is_address(data):
            discard(archive.parent)  # so that the next command fetches it anew
        raise


def _listing(source: Path, data: str | Path) -> Listing:
    if source.is_file() and source.suffix.lower() == ".csv":
        return Listing(_by_name(read_table(source)), source.parent.resolve())
    if source.is_file():
        raise DataError(f"{data} is a file; expected a folder of class folders, a .csv, .zip, .tar or .tar.gz")
    way = descend(source)
    tables = tables_in(way[-1])
    if len(tables) > 1:
        raise DataError(
            f"{way[-1]} holds the tables {some(path.name for path in tables)}; give one of them as DATA, "
            "or put their rows into one, with a column split"
        )
    return _from_table(tables[0]) if tables else _from_folder(way, data)


def _from_table(table: Path) -> Listing:
    """The pictures of the table in a folder that was given: all of the folder are meant."""
    try:
        entries = _by_name(read_table(table))
    except DataError as error:
        raise DataError(f"{error}; or take {table.name} away if the folders beside it are the classes") from error
    there = {path.relative_to(table.parent).as_posix() for path in walk(table.parent) if is_picture(path)}
    outside = len(there - {entry.name for entry in entries})
    return Listing(entries, table.parent.resolve(), outside=outside, table=table.name)


def _by_name(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _from_folder(way: list[Path], data: str | Path) -> Listing:
    root = way[-1]
    if not visible_folders(root):
        raise no_classes(data, [root])
    layout = find_layout(way, data)
    entries, empty = [], []
    beside = [path for folder in layout.above for path in folder.iterdir() if path.is_file()]
    others = [path for path in beside if not is_picture(path)]
    outside = len(beside) - len(others)
    for part, folder in layout.classes:
        files = list(walk(folder))
        pictures = list(filter(is_picture, files))
        others += [path for path in files if not is_picture(path)]
        label = composed(folder.name)
        entries += [Entry(path, path.relative_to(root).as_posix(), label, given=part) for path in pictures]
        if not pictures:
            empty.append(folder.relative_to(root).as_posix())
    if not entries:
        raise no_classes(data, layout.above)
    counts = count_by_ending(others)
    counts["hidden"] += count_in_hidden_folders(way[0])
    return Listing(
        entries=_by_name(entries),
        root=root.resolve(),
        others=tuple((+counts).most_common()),
        unread=tuple(unread_pictures(others).most_common()),
        empty=tuple(empty),
        outside=outside,
    )
