"""Writing that leaves nothing half-done under a final name."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from transfer.cells import as_text
from transfer.errors import OutputError

SCHEMA_VERSION = 2  # of the JSON files in a run; 1 had no intervals but those of accuracy
# All of them make a folder known as a run: `config.json` alone is in many others.
RUN = ("config.json", "model.keras", "predictions.csv", "result.json")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, which gets the final name when the block ends well.

    Raises:
        OutputError: `path` is a folder, or cannot be written.
    """
    with _reported(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, overwrite: bool = False, known_by: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a fresh folder beside `path`, which gets the final name when the block ends well.

    `known_by` are files that all folders of the same kind have: only such a one is ever replaced. Where `path`
    is a link, it stays one, and the folder that it points to is written.

    Raises:
        OutputError: see `check_free`, or `path` cannot be written.
    """
    check_free(path, overwrite, known_by)
    target = _followed(path)
    with _reported(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".partial-{target.name}-", dir=target.parent))
        partial.chmod(0o755)
        try:
            yield partial
            replace_folder(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def check_free(path: Path, overwrite: bool = False, known_by: Sequence[str] = ()) -> None:
    """Find out before any work whether a folder can be written here; nothing is made.

    Raises:
        OutputError: something is there already (with `overwrite`: something without one of the files `known_by`),
            the place cannot be written, or is one that cannot get another name.
    """
    target = _followed(path)
    if target.is_symlink():
        raise OutputError(f"{path} is a link that leads to itself; name another place")
    if Path.cwd().is_relative_to(target) or os.path.ismount(target):
        raise OutputError(
            f"{path} cannot be replaced: it is a mount point, or the current folder lies there; name a place below it"
        )
    with _reported(path):
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


def check_unwritten(path: Path, overwrite: bool) -> None:
    """Find out before any work whether a file would be lost.

    Raises:
        OutputError: it is there already, and `overwrite` is off.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; name another place, or give `overwrite=True` to replace it")


def check_folder(path: Path) -> None:
    """Find out before any work whether files can be written into a folder, which may be there or not.

    Raises:
        OutputError: it is a file, or cannot be written.
    """
    with _reported(path):
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
        OutputError: there is something else with anything in it, or the place cannot be written.
    """
    begin, said = ",".join(f'"{column}"' for column in columns).encode(), b""
    with _reported(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        _try_place(path.absolute())
        if path.exists():
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
    place, source = _followed(path), _followed(Path(data))
    relation = "lies in" if place.is_relative_to(source) else "holds" if source.is_relative_to(place) else ""
    if relation and source.exists():  # an address does not
        raise OutputError(f"{path} {relation} DATA ({data}), which is never changed; name a place elsewhere")


def make_numbered(stem: Path) -> Path:
    """Make an empty folder called `stem`, or `stem-2` and so on where that is taken: no two processes get the same.

    Raises:
        OutputError: the place cannot be written.
    """
    with _reported(stem):
        stem.parent.mkdir(parents=True, exist_ok=True)
        for path in chain([stem], (stem.with_name(f"{stem.name}-{number}") for number in count(2))):
            with suppress(FileExistsError):
                path.mkdir()
                return path


def replace_folder(partial: Path, path: Path) -> None:
    """Move a whole folder to its final name, whatever is there."""
    old = path.with_name(f".old-{os.getpid()}-{path.name}")
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(partial, path)
    except OSError:
        if old.exists():
            os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


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


def _followed(path: Path) -> Path:
    """Where a path leads to; one that leads to itself is its own end, where `resolve` of Python 3.11 gives up."""
    return Path(os.path.realpath(path))


def _try_place(path: Path) -> None:
    """Write something beside a path that is to be written, or above it where no folder is yet."""
    with tempfile.TemporaryFile(dir=next(folder for folder in path.parents if folder.exists())):
        pass


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be written ({reason}); free space, or name another place (TRANSFER_CACHE moves the cache)"
        ) from error
