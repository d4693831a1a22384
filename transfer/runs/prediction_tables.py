"""Answers as a table that grows while they come, and is gone on with when it was broken off.

Rows are written as CSV into `NAME.unfinished`, see `transfer.unfinished`; the whole table gets its name, or becomes a
Parquet file. Going on, only whole batches are kept: a picture beside others in its batch could get other last digits.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.cells import as_text, from_text
from transfer.data.pipeline import BATCH
from transfer.errors import OutputError
from transfer.free_places import check_table
from transfer.parquet_files import NUMBER, TEXT, check_parquet, is_parquet, write_parquet
from transfer.rooms import claim, reported
from transfer.runs.answer_tables import further_cells, further_columns
from transfer.settings import MOST_COLUMNS
from transfer.streams import is_stream
from transfer.unfinished import discard, unfinished_folder, unfinished_place
from transfer.writing import put_whole, whole_file

COLUMNS = ("file", "predicted", "probability")  # that a table of predictions begins with
ROWS = "rows.csv"  # in an unfinished folder
TOGETHER = 20_000  # rows of a Parquet file that are in memory at once
FORM = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}


class Prediction(NamedTuple):
    """The answer to one picture.

    Attributes:
        file: as it was asked for; `pictures[2]` where that is no file.
        label: the most probable class, "" where it is not probable enough or the file could not be read.
        probability: of the most probable class, 0..1.
        probabilities: by class name, sum 1.
        error: why there is no answer, or "".
    """

    file: str
    label: str
    probability: float
    probabilities: dict[str, float]
    error: str = ""


class GrowingTable(NamedTuple):
    """A table of predictions that is being written.

    Attributes:
        place: of its rows, as CSV.
        kept: how many rows of an earlier process are there: from the first one on, none left out.
    """

    place: Path
    kept: int


def header(names: Sequence[str]) -> list[str]:
    """The columns of a table of predictions: file, predicted, probability, `further_columns`, error.

    Args:
        names: of the classes.
    """
    return [*COLUMNS, *further_columns(names, labelled=False), "error"]


def cells(row: Prediction, names: Sequence[str]) -> list:
    """One row of such a table; a file that could not be read has nothing but its name and the error."""
    if row.error:
        return [row.file, "", *[None] * (len(header(names)) - 3), row.error]
    values = np.array([*row.probabilities.values()])
    return [row.file, row.label, row.probability, *further_cells(names, values), ""]


def check_growing(table: Path, resume: bool) -> None:
    """Find out before any work whether a table of predictions can be written here; nothing is made.

    Raises:
        OutputError: there is something else, or an unfinished table without `resume`; see `free_places.check_table`.
        MissingExtraError: it is to be Parquet, and pyarrow is not installed.
    """
    (check_parquet if is_parquet(table) else check_table)(table, COLUMNS)
    if resume or is_stream(table):
        return
    rows = unfinished_place(table) / ROWS
    with reported(rows), claim(table, tidy=False):  # a process that lives has broken off nothing
        kept = _whole_rows(rows)[0] if rows.is_file() else 0
    if kept:
        raise OutputError(
            f"{rows.parent} has the first {kept:,} answers of a command that was broken off; give `resume=True` to go "
            "on from there, or delete it to begin anew"
        )


@contextmanager
def growing_table(
    table: Path, files: Sequence[str], asked: Mapping[str, object], resume: bool = False
) -> Iterator[GrowingTable]:
    """Yield a table to be written row by row, which gets its name when the block ends well.

    Otherwise, whatever ends the process, the rows are kept for a call with `resume`, but for what is a stream.

    Args:
        table: CSV, or Parquet if its name ends so.
        files: what the pictures are called, in the order of the rows.
        asked, resume: see `unfinished_folder`.

    Raises:
        OutputError: see `unfinished_folder`.
    """
    with ExitStack() as stack:
        if is_stream(table):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = stack.enter_context(unfinished_folder(table, asked, resume))
        rows = folder / ROWS
        with reported(table):
            kept, size = _whole_rows(rows, files) if rows.is_file() else (0, 0)
            os.truncate(rows, size) if rows.is_file() else rows.touch()
        try:
            yield GrowingTable(rows, kept)
        except BaseException:
            if not is_stream(table) and not _whole_rows(rows)[0]:
                discard(folder)
            raise
        _finish(rows, table)
        if not is_stream(table):
            discard(folder)


def kept_rows(table: GrowingTable, names: Sequence[str]) -> Iterator[Prediction]:
    """Yield the answers that are in a growing table; of more than 200 classes, with the most probable few."""
    if not table.kept:
        return
    with table.place.open(**FORM) as file:
        reader = csv.reader(file)
        columns = next(reader)[len(COLUMNS) : -1]
        for file_name, label, probability, *further, error in (list(map(from_text, row)) for row in reader):
            if error:
                yield Prediction(file_name, "", float("nan"), {}, error)
                continue
            if columns == [*map(as_text, names)]:
                values = dict(zip(names, map(float, further)))
            else:
                pairs = [(label, probability), *zip(further[::2], further[1::2])]
                values = {name: float(value) for name, value in pairs if name}
            yield Prediction(file_name, label, float(probability), values)


def written(rows: Iterable[Prediction], table: GrowingTable, names: Sequence[str]) -> Iterator[Prediction]:
    """Yield answers, each after it was put behind the rows of a growing table.

    Args:
        rows: those that the table does not have.
        table: from `growing_table`.
        names: of the classes.
    """
    with table.place.open("a", **FORM) as file:
        # Unquoted, a text would lose its leading spaces where tables of DATA are read.
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        if not table.kept:
            writer.writerow(map(as_text, header(names)))
        for number, row in enumerate(rows, start=table.kept + 1):
            writer.writerow(map(as_text, cells(row, names)))
            if number % BATCH == 0:
                file.flush()  # from here on the system has it, whatever becomes of this process
            yield row


def _whole_rows(place: Path, files: Sequence[str] | None = None) -> tuple[int, int]:
    """(rows, bytes with the header) of all whole batches at the start of a table that may have been cut anywhere.

    Args:
        place: of the rows.
        files: that they are about, if that is known; the last batch of these may be a smaller one.
    """
    read, ending, whole = 0, b"", (0, 0)

    def lines(file) -> Iterator[str]:  # of which a row is several where a name has line breaks in it
        nonlocal read, ending
        for line in file:
            read, ending = read + len(line), line[-2:]
            yield line.decode("utf-8", "surrogateescape")

    with place.open("rb") as file, suppress(csv.Error):  # cut inside of a cell
        width = 0
        for count, row in enumerate(csv.reader(lines(file), strict=True)):
            width = width or len(row)
            expected = None if files is None or not count else files[count - 1] if count <= len(files) else ""
            if ending != b"\r\n" or len(row) != width or expected not in (None, from_text(row[0])):
                break
            if count and (count % BATCH == 0 or (files is not None and count == len(files))):
                whole = (count, read)
    return whole


def _finish(rows: Path, table: Path) -> None:
    """Give the whole table its name."""
    if is_parquet(table):
        with rows.open(**FORM) as file:
            reader = csv.reader(file)
            columns = list(map(from_text, next(reader)))
            texts = {0, 1, len(columns) - 1}
            if columns[len(COLUMNS) : -1] == further_columns([""] * (MOST_COLUMNS + 1), labelled=False):
                texts |= {*range(len(COLUMNS), len(columns), 2)}
            kinds = [TEXT if place in texts else NUMBER for place in range(len(columns))]
            write_parquet(table, list(zip(columns, kinds)), _parts(reader, kinds))
    elif is_stream(table):
        with whole_file(table) as partial:
            shutil.move(rows, partial)
    else:
        put_whole(rows, table)


def _parts(reader: Iterator[Sequence[str]], kinds: Sequence[str]) -> Iterator[list[list]]:
    """The columns of some rows at a time; a number that there is none of becomes `None`."""
    while part := list(islice(reader, TOGETHER)):
        yield [
            [from_text(cell) for cell in column] if kind == TEXT else [float(cell) if cell else None for cell in column]
            for column, kind in zip(zip(*part), kinds)
        ]
