"""`transfer demo`."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import options as option
from transfer.cli.show import print_json, read_result, show_line
from transfer.engine_packages import OPENVINO, missing_of


def demo(
    context: typer.Context,
    data: Annotated[str, typer.Option(help="textures, faces or digits")] = "textures",
    per_class: option.PerClass = 20,
    out_folder: Annotated[Path, typer.Option("--out", help="folder to write")] = Path("runs/demo"),
    as_json: option.Json = False,
) -> None:
    """Run the main job on real pictures that come inside packages."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        told = _shown(context, data, per_class, out_folder)
    if as_json:
        print_json(told)


def _shown(context: typer.Context, data: str, per_class: int | None, out_folder: Path) -> dict:
    """Show each step as it is typed, with its answer; returns what `--json` prints."""
    from transfer.demo_data import write_demo_data

    folder = out_folder / data
    about = write_demo_data(data, folder)
    show_line(f"{about} They are in {folder}.")
    run = out_folder / f"{data}-run"
    words = ["compare", str(folder), "--per-class", str(per_class), "--out", str(run), "--overwrite"]
    words += ["--no-flip"] * (data == "digits")  # mirrored, some are no digits
    _typed("transfer", *words)
    compare_shown(context, words)
    some = str(next(path for path in sorted((folder / "test").glob("*")) if path.is_dir()))
    _typed("transfer", "predict", str(run), some)
    rows = transfer.predict(run, [some])
    right = sum(row.label == Path(some).name for row in rows)
    for row in rows[:5]:
        show_line(f"{row.file}  {row.label}  {row.probability:.1%}")
    show_line(f"... the SavedModel names {right} of {len(rows)} rightly")
    show_line("")
    show_line(f"Everything is in {run}; open {run / 'report.html'} in a browser.")
    show_line("Next, with a folder of your own that holds one folder of pictures for each class:")
    for words in ("compare YOUR_FOLDER", "train YOUR_FOLDER", "predict runs/YOUR_RUN PICTURES"):
        show_line(f"  transfer {words}")
    if missing := missing_of(OPENVINO):
        show_line(f"With thousands of pictures, OpenVINO makes that faster; it {missing}")
    return {"data": str(folder), "run": str(run), "result": read_result(run), "predicted": len(rows), "right": right}


def compare_shown(context: typer.Context, words: list[str]) -> None:
    """Run a command as if it had been typed."""
    context.find_root().command.main(words, prog_name="transfer", standalone_mode=False)


def _typed(*words: str) -> None:
    """Show a command as it is typed."""
    show_line("")
    show_line(f"$ {shlex.join(words)}", style="bold")
