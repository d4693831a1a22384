"""CSV files: tables of pictures, and tables of groups."""

from __future__ import annotations

import csv
import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from transfer.cells import as_text, from_text
from transfer.data.part_names import part_named
from transfer.errors import DataError

_ONE_LINE = {"label", "group", "split", "part"}  # the name of a file may hold a line break


@dataclass(frozen=True)
class Entry:
    """One picture of DATA before it was looked at: file, name below the root, class, group, part."""

    path: Path
    name: str
    label: str
    group: str = ""
    given: str = ""


def composed(text: str) -> str:
    """Text with each accented letter as one (Unicode's NFC): macOS and its archives write the accent apart."""
    return unicodedata.normalize("NFC", text)


def is_table(path: Path) -> bool:
    """Tell a table of pictures by its first row."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        try:
            return {"file", "label"} <= set(_reader(file).fieldnames or ())
        except csv.Error:
            return False


def read_table(table: Path) -> list[Entry]:
    """The pictures of a CSV with the columns `file,label[,group][,split]`, paths below the table."""
    root, entries, missing = table.parent.resolve(), {}, []
    for line, row in read_rows(table, ("file", "label")):
        relative, label = row["file"], row["label"]
        if not relative or not label:
            raise DataError(f"{table}, line {line}: file or label is empty; every row needs both")
        paths = (Path(os.path.normpath(root / spelling)) for spelling in _spellings(relative))
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            missing.append(relative)
            path = Path(os.path.normpath(root / relative))
        if not path.is_relative_to(root) and not path.resolve().is_relative_to(root):
            raise DataError(f"{table}, line {line}: {relative} lies outside {root}; give paths below the table")
        split = row.get("split") or ""
        if split and not part_named(split):
            raise DataError(f"{table}, line {line}: split is {split!r}; expected train, validation or test")
        name = (path if path.is_relative_to(root) else path.resolve()).relative_to(root).as_posix()
        entry = Entry(path, name, composed(label), (row.get("group") or "").strip(), part_named(split))
        if entries.setdefault(name, entry) != entry:
            raise DataError(f"{table} has two rows for {name} that contradict each other; keep one")
    if missing:
        raise DataError(f"{table} names {len(missing)} file(s) that do not exist, {some(missing)}; correct the table")
    if not entries:
        raise DataError(f"{table} has no rows; expected one for each picture")
    return list(entries.values())


def read_rows(table: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV that has at least these columns, each with the number of the line that it begins on.

    Raises:
        DataError: another file, a column that is there twice, a row with more cells than columns, or a quote
            that swallows the rows below it.
    """
    line = 2
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = _reader(file)
            names = reader.fieldnames = list(map(from_text, reader.fieldnames or ()))
            if not set(columns) <= set(names):
                found = ", ".join(names) or "nothing"
                raise DataError(f"{table} has the columns {found}; expected at least {', '.join(columns)}")
            twice = some(name for name, count in Counter(filter(None, names)).items() if count > 1)
            if twice:
                raise DataError(f"{table}, line 1: more than one column is called {twice}; keep one")
            for row in reader:
                line = reader.line_num - sum(cell.count("\n") for cell in row.values() if isinstance(cell, str))
                row = {name: from_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
                _check_cells(row, f"{table}, line {line}")
                yield line, row
                line = reader.line_num + 1  # of the next one, which may not come to its end
    except OSError as error:
        raise DataError(f"{table} cannot be read ({error.strerror}); allow reading it") from error
    except csv.Error as error:
        raise DataError(f"{table}, line {line}: {error}; look for a quote without its other half") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{table} is no CSV in UTF-8 ({error}); save it as such") from error


def _check_cells(row: dict[str | None, str], place: str) -> None:
    if any(row.get(None, ())):
        raise DataError(
            f"{place}: {len(row) - 1 + len(row[None])} cells in {len(row) - 1} columns; "
            "put a text that holds the delimiter into quotes"
        )
    for column in _ONE_LINE & set(row):
        if "\n" in (row[column] or "").strip():
            raise DataError(f"{place}: {column} goes over several lines; look for a quote without its other half")


def read_by_name(table: Path, columns: Sequence[str], known: Iterable[str]) -> dict[str, dict[str, str]]:
    """The rows of a CSV by the picture they name, for tables that say something of pictures of DATA.

    Args:
        table: a CSV with the column `file` among others, names spelled as on this system, Windows or macOS.
        columns: it must have.
        known: names of the pictures of DATA.

    Raises:
        DataError: no such table, a picture with two rows that differ, or a row for a file that is not in DATA.
    """
    if not table.is_file():
        raise DataError(f"{table} does not exist; expected a CSV with the columns {','.join(columns)}")
    known, rows, unknown = set(known), {}, []
    for _, row in read_rows(table, columns):
        written = row["file"] or ""
        name = next((spelling for spelling in _spellings(written) if spelling in known), None)
        if name is None:
            unknown += [written] if written else []
        elif rows.setdefault(name, row) != row:
            raise DataError(f"{table} has two rows for {name} that contradict each other; keep one")
    if unknown:
        raise DataError(f"{table} names {len(unknown)} file(s) that are not in DATA, {some(unknown)}; take them out")
    return rows


def read_groups(table: Path, names: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """The group of each picture, from a CSV with the columns `file,group`.

    Args:
        names: the pictures that need one.
        known: all that the table may name.
    """
    rows = read_by_name(table, ("file", "group"), known)
    missing = [name for name in names if name not in rows]
    if missing:
        raise DataError(f"`groups={table}` has no row for {len(missing)} picture(s), {some(missing)}; add them")
    return {name: (row["group"] or "").strip() for name, row in rows.items()}


def _reader(file: TextIO) -> csv.DictReader:
    header = file.readline()
    file.seek(0)
    # Spreadsheets divide cells by `;` where a comma divides decimals.
    delimiter = ";" if ";" in header and "," not in header else ","
    return csv.DictReader(file, delimiter=delimiter, skipinitialspace=True, strict=True)


def _spellings(written: str) -> Iterator[str]:
    """The names of a file that a table may mean, first the one that it has: on POSIX, a backslash is a letter."""
    yield written
    yield as_text(written)  # in a table of somebody else, the quote may belong to the name
    yield posixpath.normpath(written)
    yield (plain := posixpath.normpath(written.replace("\\", "/")))
    yield composed(plain)
    yield unicodedata.normalize("NFD", plain)


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few of some names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
