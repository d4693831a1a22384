"""`transfer serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.records import with_records
from transfer.cli.show import print_json, progress, show_line

HERE = ("127.0.0.1", "::1", "localhost")


@with_records
def serve(
    context: typer.Context,
    *,
    models: Annotated[
        list[str],
        typer.Argument(
            help="folders of runs, SavedModels, exports to openvino, onnx or litert: FOLDER or NAME=FOLDER",
            metavar="MODELS",
        ),
    ],
    listening: group.Listening,
    collect: Annotated[
        Path | None, typer.Option(metavar="DIR", help="keep pictures whose answer is corrected on the page, for train")
    ] = None,
    answering: group.Answering,
    as_json: option.Json = False,
) -> None:
    """Answer requests over HTTP, with a page to try it.

    It takes files, TensorFlow Serving's REST protocol, and the Open Inference Protocol.
    """

    def tell(url: str, names: list[str]) -> None:
        if as_json:
            print_json({"url": url, "models": names})
        else:
            show_line(url)
            progress.print(f"serving {', '.join(names)}; Ctrl-C ends it", markup=False)
        if listening.host not in HERE and not listening.token:
            progress.print("note: whoever reaches this machine may ask; --token lets only those who know it")

    transfer.serve(models, listening.address(), listening.limits(), collect, answering.trust, answering.engine, tell)
