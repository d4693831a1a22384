"""The folder for things that can be made again: features, inspections, near duplicates, unpacked archives."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from transfer.errors import OutputError, unknown_name

# What lies in each folder of the cache, by its name: `clear` deletes nothing else, wherever TRANSFER_CACHE leads.
KINDS = {
    "features": r"[0-9a-f]{32}-.+\.sqlite(-journal)?",
    "inspections": r"\d+\.sqlite(-journal)?",
    "pairs": r"[0-9a-f]{32}\.json",
    "archives": r"[0-9a-f]{32}|unpacking-.+",
    "downloads": r"[0-9a-f]{16}",
    "unfinished": r"[0-9a-f]{32}|\.partial-.+",
}


def cache_folder(*below: str) -> Path:
    """A folder in the user's cache, made if missing; `TRANSFER_CACHE` moves it elsewhere."""
    root = os.environ.get("TRANSFER_CACHE") or platformdirs.user_cache_dir("transfer", appauthor=False)
    folder = Path(root, *below)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the cache folder {folder} cannot be made ({error.strerror}); set TRANSFER_CACHE") from error
    return folder


def kept(kind: str) -> list[Path]:
    """The files and folders of one of `KINDS`."""
    return sorted(path for path in cache_folder(kind).iterdir() if re.fullmatch(KINDS[kind], path.name))


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum(Path(folder, name).lstat().st_size for folder, _, names in os.walk(path) for name in names)


def clear(kinds: Sequence[str]) -> None:
    """Delete what is kept of some of `KINDS`: it is made again where it is needed.

    Raises:
        UnknownNameError: no such kind; nothing has been deleted then.
        OutputError: something cannot be deleted.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise unknown_name("kind of cache", kind, KINDS)
    for path in (path for kind in kinds for path in kept(kind)):
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise OutputError(f"{path} cannot be deleted ({error.strerror}); delete it by hand") from error


@contextmanager
def reported(what: str, place: Path | str) -> Iterator[None]:
    """Say in one sentence that a SQLite file of the cache cannot be used.

    Raises:
        OutputError: damaged, locked, or the disk is full.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(f"the {what} in {place} cannot be used ({error}); free space, or delete that file") from error
