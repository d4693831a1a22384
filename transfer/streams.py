"""What is written into and can be no file of its own: standard output, pipes, devices."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

DASH = "-"  # means standard output, as in other programs; a file of this name is given with its folder


def is_stream(path: Path) -> bool:
    """Whether a path means standard output or error, whatever they are led to, or a pipe or device."""
    if str(path) == DASH or _standard(path):
        return True
    with suppress(OSError):
        mode = path.stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def beside_table(path: Path | None) -> redirect_stdout:
    """A block in which everything but a table goes to standard error, where the table is on standard output."""
    return redirect_stdout(sys.stderr if path is not None and is_standard_output(path) else sys.stdout)


def is_standard_output(path: Path) -> bool:
    """Whether what is written to a path comes out of standard output."""
    return str(path) == DASH or _standard(path) == "stdout"


@contextmanager
def poured(path: Path) -> Iterator[Path]:
    """Yield the path of a file whose content goes into a stream when the block ends well."""
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place, "whole")
        yield whole
        name = "stdout" if str(path) == DASH else _standard(path)
        with whole.open("rb") as file:
            if name:
                stream = getattr(sys, name)
                stream.flush()
                shutil.copyfileobj(file, stream.buffer)
                stream.buffer.flush()
            else:
                with path.open("wb") as stream:
                    shutil.copyfileobj(file, stream)


def _standard(path: Path) -> str:
    """The name in `sys` of the stream that a path leads to, or ""; opened again, a file would begin anew."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        with suppress(OSError):
            if os.path.samestat(os.fstat(number), path.stat()):
                return name
    return ""
