"""Where a command writes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.writing import RUN, check_apart, check_free, make_numbered


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

    One that is named here is made at once, so that no command beside this one takes it, and goes again
    where nothing came into it.

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
        check_free(folder, overwrite, known_by)
        yield folder
        return
    made = make_numbered(place)
    try:
        yield made
    finally:
        with suppress(OSError):  # it is not empty: there is a run in it
            made.rmdir()
            made.parent.rmdir()
