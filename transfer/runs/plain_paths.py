"""Paths that TensorFlow takes as they are written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def plain_path(folder: Path) -> Iterator[str]:
    """Yield a path to a folder without the letters by which TensorFlow would look for files of other names too.

    With `[`, `*` or `?` anywhere in it, that is a link in the system's temporary folder.
    """
    if not set("[]*?") & set(str(folder)):
        yield str(folder)
        return
    with tempfile.TemporaryDirectory() as place:
        link = Path(place, "model")
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield str(link)
