"""The streams of the command line: one that was closed takes what it is given, and one that is full says so."""

from __future__ import annotations

import io
import os
import sys


def open_closed() -> None:
    """Open what was closed (`2>&-`) to nowhere: the next file would get its number, and messages in it, otherwise."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def escape_what_is_missing() -> None:
    """Write what the encoding of a console does not have as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def said_of(error: OSError) -> str:
    """One sentence for what went wrong at a place that no function names better; without one, it is the output."""
    if error.filename is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes what is left once more when it ends
    place = "standard output" if error.filename is None else os.fsdecode(error.filename)
    return f"{place} cannot be used ({error.strerror or error}); allow it, free space, or name another place"
