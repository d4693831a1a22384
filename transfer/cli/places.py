"""Where a command writes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from transfer.errors import OptionError
from transfer.free_places import check_apart, check_file, check_folder, check_free
from transfer.rooms import claim, claim_first
from transfer.streams import is_standard_output
from transfer.writing import RUN


@contextmanager
def place_for(
    folder: Path | None,
    source: str,
    what: str,
    overwrite: bool,
    known_by: Sequence[str] = RUN,
    data: str | None = None,
) -> Iterator[Path]:
    """The folder to write, known to be free and writable before any work is done; see `whole_folder`.

    It is claimed, so that no command beside this one takes it: of those without a name that was asked for, each gets
    its own.

    Args:
        folder: that was asked for, or `None` for one in `runs/` called after `source` and `what`.
        source: DATA, or a run.
        what: is done with it.
        overwrite, known_by: see `whole_folder`.
        data: DATA, which the folder must not lie in, where `source` is a run.

    Raises:
        OutputError: the folder is taken, cannot be written, or lies in DATA.
    """
    name = Path(source.rstrip("/")).name.split(".")[0] or "run"
    place = folder or Path("runs", f"{name}-{what}")
    check_apart(place, data or source)
    if folder is not None:
        with claim(folder):
            check_free(folder, overwrite, known_by)
            yield folder
        return
    with claim_first(chain([place], (place.with_name(f"{place.name}-{number}") for number in count(2)))) as free:
        yield free


@contextmanager
def table_place(table: Path | None, as_json: bool) -> Iterator[None]:
    """Claim a table, where one was asked for; what is printed on standard output beside it must not be JSON."""
    if table is None:
        yield
        return
    if as_json and is_standard_output(table):
        raise OptionError(f"--json with a table to {table}: both go to standard output; name a file for one of them")
    check_file(table)
    with claim(table):
        yield


@contextmanager
def page_place(page: Path, data: str | None = None) -> Iterator[Path]:
    """A page to write into a folder, which is made where it is missing; known to be writable, and claimed.

    Raises:
        OutputError: it cannot be written, is being written, or lies in DATA.
    """
    if data is not None:
        check_apart(page, data)
    if not page.parent.exists():
        check_folder(page.parent)
    with claim(page):
        check_file(page)
        yield page
