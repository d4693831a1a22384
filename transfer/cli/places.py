"""Where a command writes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.errors import OptionError
from transfer.writing import check_free, make_numbered


@contextmanager
def place_for(
    folder: Path | None, data: str, what: str, overwrite: bool, known_by: str = "config.json"
) -> Iterator[Path]:
    """The folder to write, known to be free and writable before any work is done; see `whole_folder`.

    One that is named here is made at once, so that no command beside this one takes it, and goes again
    where nothing came into it.

    Raises:
        OptionError: there is something to overwrite only where a folder is named.
        OutputError: the folder is taken or cannot be written.
    """
    if overwrite and folder is None:
        raise OptionError("--overwrite without --out; give that too, or leave --overwrite away")
    if folder is not None:
        check_free(folder, overwrite, known_by)
        yield folder
        return
    name = Path(data.rstrip("/")).name.split(".")[0] or "run"
    made = make_numbered(Path("runs", f"{name}-{what}"))
    try:
        yield made
    finally:
        with suppress(OSError):  # it is not empty: there is a run in it
            made.rmdir()
