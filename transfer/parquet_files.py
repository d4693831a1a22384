"""Tables as Parquet files, through pyarrow, which is loaded when one is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import util
from pathlib import Path

from transfer.errors import MissingExtraError, OutputError, first_line
from transfer.free_places import check_file
from transfer.rooms import reported
from transfer.streams import is_stream
from transfer.writing import whole_file

ENDING = ".parquet"
TEXT, NUMBER, LABEL = "text", "number", "label"  # kinds of columns; a whole number is a vector of so many float32


def is_parquet(path: Path) -> bool:
    """Tell by its name whether a table is to be written as Parquet."""
    return path.suffix.lower() == ENDING


def check_parquet(path: Path, columns: Sequence[str]) -> None:
    """Find out before any work whether a table can be written here as Parquet; nothing is made.

    Args:
        path: of the table.
        columns: that tables of this kind begin with, see `free_places.check_table`.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OutputError: there is something else with anything in it; see `free_places.check_file`.
    """
    if util.find_spec("pyarrow") is None:
        raise MissingExtraError(
            f"{path} needs pyarrow; pip install 'transfer[parquet]', or name a file that does not end in {ENDING}"
        )
    check_file(path)
    if not is_stream(path) and path.exists() and path.stat().st_size and _columns(path)[: len(columns)] != [*columns]:
        raise OutputError(
            f"{path} exists already and is no table of this command, which replaces nothing else; name another file"
        )


def write_parquet(path: Path, kinds: Sequence[tuple[str, str | int]], parts: Iterable[Sequence[Sequence]]) -> None:
    """Write a table part by part, so that it never is in memory as a whole.

    Args:
        path: gets the name when all of it is there; what is there already is replaced.
        kinds: name and kind of each column.
        parts: of each the values of all columns; `None` is a value that there is none of.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    types = {TEXT: pyarrow.string(), NUMBER: pyarrow.float64(), LABEL: pyarrow.int32()}
    schema = pyarrow.schema(
        [
            (_valid(name), types[kind] if kind in types else pyarrow.list_(pyarrow.float32(), kind))
            for name, kind in kinds
        ]
    )
    texts = [kind == TEXT for _, kind in kinds]
    with whole_file(path) as partial, parquet.ParquetWriter(partial, schema) as file:
        for part in parts:
            values = [map(_valid, column) if is_text else column for column, is_text in zip(part, texts)]
            arrays = [pyarrow.array(column, field.type) for column, field in zip(values, schema)]
            file.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _valid(text: str) -> str:
    """A file name that is no UTF-8, which Parquet cannot hold, with escapes in the place of its bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _columns(path: Path) -> list[str]:
    """Names of the columns of a file; none where it is another kind of file."""
    import pyarrow
    from pyarrow import parquet

    with reported(path):
        try:
            return parquet.read_schema(path).names
        except pyarrow.ArrowInvalid as error:
            raise OutputError(
                f"{path} exists already and is no Parquet file ({first_line(error)}); name another file"
            ) from error
