"""Writing that leaves nothing half-done under a final name."""

from __future__ import annotations

import csv
import ctypes
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.cells import as_text
from transfer.errors import OutputError
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


def check_free(path: Path, overwrite: bool = False, known_by: Sequence[str] = ()) -> None:
    """Find out before any work whether a folder can be written here; nothing is made.

    Raises:
        OutputError: something is there already (with `overwrite`: something without one of the files `known_by`),
            the place cannot be written, or is one that cannot get another name.
    """
    target = final_place(path)
    if target.is_symlink():
        raise OutputError(f"{path} is a link that leads to itself; name another place")
    if Path.cwd().is_relative_to(target) or os.path.ismount(target):
        raise OutputError(
            f"{path} cannot be replaced: it is a mount point, or the current folder lies there; name a place below it"
        )
    with reported(path):
        empty = target.is_dir() and not any(target.iterdir())
        taken = target.exists() and not empty
        _try_place(target)
    if taken and not overwrite:
        raise OutputError(
            f"{path} exists already; name another place"
            + (", or give `overwrite=True` to replace it" if known_by else "")
        )
    missing = [name for name in known_by if not (target / name).is_file()]
    if taken and (missing or not known_by):
        raise OutputError(
            f"{path} has no {', '.join(missing)} in it, and `overwrite=True` replaces only folders that do; "
            "name another place"
        )


def check_file(path: Path) -> None:
    """Find out before any work whether a file can be written here, or replaced; nothing is made or changed.

    Raises:
        OutputError: it is a folder, lies in none, or cannot be written.
    """
    with reported(path):
        if is_stream(path):
            return
        target = final_place(path)
        with suppress(FileNotFoundError):
            path.stat()  # a loop of links has no end
        if target.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        if not target.parent.is_dir():
            raise OutputError(
                f"{path} cannot be written (there is no folder {target.parent}); make it, or name another place"
            )
        if target.exists():
            with target.open("ab"):  # which it is only asked whether it may be
                pass
        _try_place(target)


def check_unwritten(path: Path, overwrite: bool) -> None:
    """Find out before any work whether a file would be lost, or cannot be written.

    Raises:
        OutputError: it is there already, and `overwrite` is off; see `check_file`.
    """
    check_file(path)
    if path.exists() and not overwrite and not is_stream(path):
        raise OutputError(f"{path} exists already; name another place, or give `overwrite=True` to replace it")


def check_folder(path: Path) -> None:
    """Find out before any work whether files can be written into a folder, which may be there or not.

    Raises:
        OutputError: it is a file, or cannot be written.
    """
    with reported(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path} is a file; name a folder")
        _try_place(path.absolute() / "file")


def check_table(path: Path, columns: Sequence[str]) -> None:
    """Find out before any work whether a table can be written here; nothing is made.

    A command that is given once more may replace its table, but nothing else: with `--csv *.jpg` the
    first picture is the table's name.

    Args:
        path: of the table.
        columns: that tables of this kind begin with, as `write_rows` writes them.

    Raises:
        OutputError: there is something else with anything in it; see `check_file`.
    """
    check_file(path)
    begin, said = ",".join(f'"{column}"' for column in columns).encode(), b""
    with reported(path):
        if path.exists() and not is_stream(path):
            with path.open("rb") as file:
                said = file.read(len(begin))
    if said not in (b"", begin):
        raise OutputError(
            f"{path} exists already and is no table of this command, which replaces nothing else; name another file"
        )


def check_apart(path: Path, data: str | Path) -> None:
    """Find out before any work whether a file or folder would change DATA, where it could become a class of its own.

    Args:
        path: to be written.
        data: DATA.

    Raises:
        OutputError: `path` lies in DATA, or DATA in `path`.
    """
    if is_stream(path):
        return
    place, source = final_place(path), final_place(Path(data))
    relation = "lies in" if place.is_relative_to(source) else "holds" if source.is_relative_to(place) else ""
    if relation and source.exists():  # an address does not
        raise OutputError(f"{path} {relation} DATA ({data}), which is never changed; name a place elsewhere")


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


def _try_place(path: Path) -> None:
    """Write something beside a path that is to be written, or above it where no folder is yet."""
    with tempfile.TemporaryFile(dir=next(folder for folder in path.parents if folder.exists())):
        pass


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
