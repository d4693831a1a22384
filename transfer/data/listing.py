"""DATA as names: which files there are, and the class, group and part that their place gives them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer.data.archives import fetch, is_archive, unpack
from transfer.data.part_names import PART_NAMES
from transfer.data.picture_files import SUFFIXES
from transfer.data.tables import Entry, composed, is_table, read_table, some
from transfer.errors import DataError


@dataclass(frozen=True)
class Listing:
    """The files of DATA by name alone.

    Attributes:
        entries: files named like pictures, sorted by name.
        root: the folder that names start from.
        ignored: number of other files.
        empty: class folders without a file named like a picture.
        outside: number of files named like pictures that lie beside the class folders, or that the table
            in the folder does not name.
    """

    entries: tuple[Entry, ...]
    root: Path
    ignored: int = 0
    empty: tuple[str, ...] = ()
    outside: int = 0


def list_pictures(data: str | Path) -> Listing:
    """Find the files of DATA with their classes, groups and parts; see `folders.load_images`.

    Raises:
        DataError: no folder, table, archive or address of pictures.
    """
    source = fetch(str(data)) if is_address(data) else Path(data)
    try:
        if not source.exists():
            raise DataError(f"{data} does not exist; expected a folder of class folders, a CSV or an archive")
        if is_archive(source):
            source = _unpacked(source, data)
        return _listing(source, data)
    except OSError as error:
        raise DataError(f"{data} cannot be read ({error.strerror}: {error.filename}); allow reading it") from error


def is_address(data: str | Path) -> bool:
    """Tell an address on the web from a path."""
    return str(data).startswith(("https://", "http://"))


def _unpacked(archive: Path, data: str | Path) -> Path:
    try:
        return unpack(archive)
    except DataError:
        if is_address(data):
            archive.unlink(missing_ok=True)  # so that the next command fetches it anew
        raise


def _listing(source: Path, data: str | Path) -> Listing:
    if source.is_file() and source.suffix.lower() == ".csv":
        return _from_table(source)
    if source.is_file():
        raise DataError(f"{data} is a file; expected a folder of class folders, a .csv, .zip, .tar or .tar.gz")
    way, table = _descend(source)
    return _from_table(table, way[-1]) if table else _from_folder(way, data)


def _from_table(table: Path, folder: Path | None = None) -> Listing:
    """The pictures of a table; all of the folder are meant where that was named, and not the table in it."""
    entries = _by_name(read_table(table))
    there = {path.relative_to(folder).as_posix() for path in walk(folder) if is_picture(path)} if folder else set()
    return Listing(entries, table.parent.resolve(), outside=len(there - {entry.name for entry in entries}))


def _by_name(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.name))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def is_picture(path: Path) -> bool:
    """Tell by its name alone whether a file is a picture that counts."""
    return path.suffix.lower() in SUFFIXES and not _is_hidden(path.name)


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not _is_hidden(p.name))


def _descend(folder: Path) -> tuple[list[Path], Path | None]:
    """Step into the only folder of a folder while that holds folders: archives often wrap what they hold.

    Returns:
        (the folders on the way, the last of them that of the pictures; the table in it, if there is one).
    """
    way = [folder]
    while True:
        named = (p for p in way[-1].iterdir() if p.suffix.lower() == ".csv" and p.is_file() and not _is_hidden(p.name))
        tables = sorted(filter(is_table, named))
        if len(tables) > 1:
            raise DataError(
                f"{way[-1]} holds the tables {some(p.name for p in tables)}; give one of them as DATA, "
                "or put their rows into one, with a column split"
            )
        if tables:
            return way, tables[0]
        inner = _visible_folders(way[-1])
        if len(inner) != 1 or not _visible_folders(inner[0]) or inner[0].is_symlink():
            return way, None
        way.append(inner[0])


def _from_folder(way: list[Path], data: str | Path) -> Listing:
    root = way[-1]
    inner = _visible_folders(root)
    if not any(root.iterdir()):
        raise DataError(f"{data} is empty; expected one folder of pictures for each class")
    if not inner:
        raise DataError(f"{data} holds no folders; expected one folder of pictures for each class")
    parts = [p for p in inner if p.name.lower() in PART_NAMES]
    found = {PART_NAMES[p.name.lower()] for p in parts}
    by_part = len(parts) == len(inner)
    if by_part and "train" not in found:
        raise DataError(f"{data} has the parts {', '.join(p.name for p in inner)} but no train/; add it or rename them")
    if "train" in found and len(found) > 1 and not by_part:
        others = some(p.name for p in inner if p not in parts)
        raise DataError(f"{data} has train/ and other parts, but also {others}; move what is no part elsewhere")
    entries, empty = [], []
    beside = [path for folder in [*way, *(inner if by_part else [])] for path in folder.iterdir() if path.is_file()]
    outside = sum(map(is_picture, beside))
    ignored = len(beside) - outside + _files_in_hidden_folders(way[0])
    for part in inner if by_part else [root]:
        given = PART_NAMES[part.name.lower()] if by_part else ""
        for folder in _visible_folders(part):
            files = list(walk(folder))
            pictures = list(filter(is_picture, files))
            label = composed(folder.name)
            entries += [Entry(path, path.relative_to(root).as_posix(), label, given=given) for path in pictures]
            ignored += len(files) - len(pictures)
            if not pictures:
                empty.append(folder.relative_to(root).as_posix())
    return Listing(_by_name(entries), root.resolve(), ignored, tuple(empty), outside)


def walk(folder: Path) -> Iterator[Path]:
    """All files below, links followed but not twice, and never to a folder that holds this one."""
    seen = {str(above) for above in folder.resolve().parents}
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(here, name) for name in sorted(files))


def _refuse(error: OSError) -> None:
    """A folder that cannot be read is no empty one, for which `os.walk` would take it."""
    raise error


def _files_in_hidden_folders(root: Path) -> int:
    """Their number; hidden folders that cannot be read are no matter."""
    below = ((Path(here).relative_to(root).parts, files) for here, _, files in os.walk(root))
    return sum(len(files) for folders, files in below if any(map(_is_hidden, folders)))
