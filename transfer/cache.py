"""The folder for things that can be made again: features, inspections, unpacked archives."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from transfer.errors import OutputError


def cache_folder(*below: str) -> Path:
    """A folder in the user's cache, made if missing; `TRANSFER_CACHE` moves it elsewhere."""
    root = os.environ.get("TRANSFER_CACHE") or platformdirs.user_cache_dir("transfer", appauthor=False)
    folder = Path(root, *below)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the cache folder {folder} cannot be made ({error.strerror}); set TRANSFER_CACHE") from error
    return folder


@contextmanager
def reported(what: str, place: Path | str) -> Iterator[None]:
    """Say in one sentence that a SQLite file of the cache cannot be used.

    Raises:
        OutputError: damaged, locked, or the disk is full.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(f"the {what} in {place} cannot be used ({error}); free space, or delete that file") from error
