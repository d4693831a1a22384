"""Can something be written at a place? Found out before any work; nothing is made or changed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from transfer.errors import OutputError
from transfer.rooms import final_place, reported
from transfer.streams import is_stream


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


def _try_place(path: Path) -> None:
    """Write something beside a path that is to be written, or above it where no folder is yet."""
    with tempfile.TemporaryFile(dir=next(folder for folder in path.parents if folder.exists())):
        pass
