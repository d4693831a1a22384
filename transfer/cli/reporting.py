"""`transfer report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import options as option
from transfer.cli.show import print_json, show_line
from transfer.free_places import check_file, check_unwritten
from transfer.reading import run_config
from transfer.rooms import claim


def report(
    context: typer.Context,
    runs: Annotated[list[Path], typer.Argument(help="folders of runs", metavar="RUNS")],
    page: Annotated[
        Path | None, typer.Option("--out", help="page to write [default: RUN/report.html, of several report.html]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a page that is there")] = False,
    as_json: option.Json = False,
) -> None:
    """Write the page of a run again, or of several side by side.

    Several have to be tested on the same pictures.
    """
    for run in runs:  # what is missing is said before TensorFlow is loaded
        run_config(run)
    if page is None and len(runs) == 1:
        page = runs[0] / "report.html"  # its own, written again
        check_file(page)
    else:
        page = page or Path("report.html")
        check_unwritten(page, overwrite)
    context.with_resource(claim(page))
    written = transfer.build_report(runs, page)
    if as_json:
        return print_json({"page": str(written), "runs": [str(run) for run in runs]})
    show_line(str(written))
