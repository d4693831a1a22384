"""Cells of tables that a spreadsheet would run, as text and back: names of files and classes come from anybody."""

from __future__ import annotations

import re

# A cell that begins so is a formula, or hides one behind its white space (OWASP, CSV injection); the last four are
# what East Asian keyboards write. Quotes before it belong to it, so that a text that has one comes back, too.
RUN = r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"


def as_text(cell: object) -> object:
    """What to write for a cell: a text that a spreadsheet would run gets a quote before it, by which it is none."""
    return f"'{cell}" if isinstance(cell, str) and re.match(RUN, cell) else cell


def from_text(cell: str) -> str:
    """The text that `as_text` wrote; any other stays as it is."""
    return cell[1:] if re.match(f"'{RUN}", cell) else cell
