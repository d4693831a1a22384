"""Where a command writes to."""

from __future__ import annotations

from pathlib import Path

from transfer.errors import OutputError
from transfer.writing import check_free


def free_place(folder: Path | None, data: str, what: str, overwrite: bool, known_by: str = "config.json") -> Path:
    """The folder to write, checked before any work is done; see `whole_folder`."""
    if folder is not None:
        check_free(folder, overwrite, known_by)
        return folder
    name = Path(data.rstrip("/")).name.split(".")[0] or "run"
    stem = Path("runs", f"{name}-{what}")
    numbered = (stem.with_name(f"{stem.name}-{number}") for number in range(2, 10_000))
    free = next((path for path in (stem, *numbered) if not path.exists()), None)
    if free is None:
        raise OutputError(f"{stem} and 10,000 numbered ones exist; give --out")
    return free
