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

from transfer.errors import OutputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, which gets the final name when the block ends well."""
    with _reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, overwrite: bool = False, known_by: str | None = None) -> Iterator[Path]:
    """Yield a fresh folder beside `path`, which gets the final name when the block ends well.

    `known_by` is a file that marks a folder of the same kind: only such a one is ever replaced.

    Raises:
        OutputError: `path` holds something already and `overwrite` is off, or cannot be written.
    """
    check_free(path, overwrite, known_by)
    with _reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".partial-{path.name}-", dir=path.parent))
        partial.chmod(0o755)
        try:
            yield partial
            replace_folder(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def check_free(path: Path, overwrite: bool = False, known_by: str | None = None) -> None:
    """Find out before any work whether a folder can be written here.

    Raises:
        OutputError: something is there already (with `overwrite`: something without a file `known_by`),
            or the place cannot be written.
    """
    with _reported(path):
        taken = path.is_file() or (path.is_dir() and any(path.iterdir()))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    if taken and not overwrite:
        raise OutputError(
            f"{path} exists already; choose another --out" + (", or give --overwrite to replace it" if known_by else "")
        )
    if taken and not (known_by and (path / known_by).is_file()):
        raise OutputError(
            f"{path} has no {known_by} in it, and --overwrite replaces only folders that do; choose another --out"
        )


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
    """Write one JSON object."""
    with whole_file(path) as partial:
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        # A file name that is no UTF-8 becomes an escape that JSON itself knows.
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict]) -> None:
    """Write one CSV with a header; a row may leave columns out."""
    write_rows(path, [columns, *([row.get(column) for column in columns] for row in rows)])


def write_rows(path: Path, rows: Iterable[Sequence]) -> None:
    """Write one CSV; a file name that is no UTF-8 keeps its bytes."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        # Unquoted, a text would lose its leading spaces where tables of DATA are read.
        csv.writer(file, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}); free space or choose another --out") from error
