"""Writing that leaves nothing half-done under a final name."""

from __future__ import annotations

import csv
import ctypes
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.cells import as_text
from transfer.errors import OutputError
from transfer.free_places import check_free
from transfer.rooms import REPLACED, claim, final_place, reported
from transfer.streams import is_stream, poured

SCHEMA_VERSION = 2  # of the JSON files in a run; 1 had no intervals but those of accuracy
# All of them make a folder known as a run: `config.json` alone is in many others.
RUN = ("config.json", "model.keras", "predictions.csv", "result.json")
MANY = 100  # files, from which on all disks are synced in one go, since each file alone takes milliseconds
AT_FDCWD, EXCHANGE = -100, 2  # of renameat2(2) of Linux; macOS has the same number for renamex_np(2)


@contextmanager
def whole_file(path: Path, synced: bool = True) -> Iterator[Path]:
    """Yield a path, whose file gets the final name when the block ends well and it is on the disk.

    Who writes many files may do without `synced`, and call `sync` once behind them.

    Where `path` is a link, it stays one, and the file that it points to is replaced; what can be no file, such as
    `/dev/stdout`, gets the content instead.

    Raises:
        OutputError: `path` is a folder, is being written by another process, or cannot be written.
    """
    with reported(path):
        if is_stream(path):
            with poured(path) as whole:
                yield whole
            return
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        target = final_place(path)
        with claim(path, tidy=False) as room:
            new = room / target.name
            new.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield new
                if new != target and synced:
                    put_whole(new, target)
                elif new != target:
                    os.replace(new, target)
            except BaseException:
                new.unlink(missing_ok=True)
                raise


def put_whole(new: Path, path: Path) -> None:
    """Give a file on the same disk its final name, once all of it is on the disk; see `whole_file`."""
    with reported(path):
        target = final_place(path)
        sync(new)
        os.replace(new, target)
        _sync_folder(target.parent)


@contextmanager
def whole_folder(path: Path, overwrite: bool = False, known_by: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a fresh folder, which gets the final name when the block ends well and all of it is on the disk.

    `known_by` are files that all folders of the same kind have: only such a one is ever replaced. Where `path`
    is a link, it stays one, and the folder that it points to is written.

    Raises:
        OutputError: see `check_free`; `path` is being written by another process, or cannot be written.
    """
    target = final_place(path)
    with reported(path), claim(path) as room:
        check_free(path, overwrite, known_by)
        new = room / target.name
        new.mkdir()
        try:
            yield new
            if new != target:
                sync(new)
                check_free(path, overwrite, known_by)  # somebody else may have come
                _put(new, target, room)
                _sync_folder(target.parent)
        finally:
            if new != target:  # what had the name before has that of the room now
                shutil.rmtree(new, ignore_errors=True)


def write_json(path: Path, value: dict) -> None:
    """Write one JSON object of a run, with the version of its schema."""
    with whole_file(path) as partial:
        text = json.dumps({"schema_version": SCHEMA_VERSION} | value, indent=1, ensure_ascii=False) + "\n"
        # A file name that is no UTF-8 becomes an escape that JSON itself knows.
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict], encoding: str = "utf-8") -> None:
    """Write one CSV with a header; a row may leave columns out."""
    write_rows(path, [columns, *([row.get(column) for column in columns] for row in rows)], encoding)


def write_rows(path: Path, rows: Iterable[Sequence], encoding: str = "utf-8") -> None:
    """Write one CSV, see `cells`; a file name that is no UTF-8 keeps its bytes."""
    form = {"newline": "", "encoding": encoding, "errors": "surrogateescape"}
    with whole_file(path) as partial, partial.open("w", **form) as file:
        # Unquoted, a text would lose its leading spaces where tables of DATA are read.
        csv.writer(file, quoting=csv.QUOTE_NONNUMERIC).writerows(map(as_text, row) for row in rows)


def sync(path: Path) -> None:
    """Wait until a file, or a folder with all in it, is on the disk."""
    if not path.is_dir():
        return _sync_file(path)
    inside = [path, *path.rglob("*")]
    if len(inside) > MANY and hasattr(os, "sync"):
        return os.sync()
    for each in inside:
        _sync_folder(each) if each.is_dir() else _sync_file(each)


def _sync_file(path: Path) -> None:
    file = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can."""
    with suppress(OSError):
        _sync_file(path)


def _put(new: Path, target: Path, room: Path) -> None:
    """Give a folder its final name; at any moment that has the old folder or the new one."""
    if not target.exists() or not any(target.iterdir()):
        os.replace(new, target)
    elif not _exchange(new, target):
        old = room / REPLACED / target.name  # from where it comes back if this process is killed now
        old.parent.mkdir()
        os.replace(target, old)
        try:
            os.replace(new, target)
        except OSError:
            os.replace(old, target)
            raise
        shutil.rmtree(old.parent, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; `False` where the system or the disk cannot."""
    if sys.platform not in ("linux", "darwin"):
        return False
    library, names = ctypes.CDLL(None), (os.fsencode(one.absolute()), os.fsencode(other.absolute()))
    if hasattr(library, "renameat2"):
        return library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], EXCHANGE) == 0
    return hasattr(library, "renamex_np") and library.renamex_np(*names, EXCHANGE) == 0
