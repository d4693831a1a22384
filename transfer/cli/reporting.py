"""`transfer report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli.show import show_line
from transfer.errors import OutputError


def report(
    runs: Annotated[list[Path], typer.Argument(help="folders of runs")],
    page: Annotated[
        Path | None, typer.Option("--out", help="page to write [default: RUN/report.html, of several report.html]")
    ] = None,
) -> None:
    """Write the page of a run again, or of several side by side that were tested on the same pictures."""
    if page is None:
        page = runs[0] / "report.html" if len(runs) == 1 else Path("report.html")
        if len(runs) > 1 and page.exists():
            raise OutputError(f"{page} exists already; name the page with --out")
    show_line(str(transfer.build_report(runs, page)))
