"""`transfer demo`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import options as option
from transfer.cli.show import show_line


def demo(
    context: typer.Context,
    data: Annotated[str, typer.Option(help="textures, faces or digits")] = "textures",
    per_class: option.PerClass = 20,
    out_folder: Annotated[Path, typer.Option("--out", help="folder to write")] = Path("runs/demo"),
) -> None:
    """Run the main job on real pictures that come inside packages."""
    from transfer.demo_data import write_demo_data

    folder = out_folder / data
    about = write_demo_data(data, folder)
    show_line(f"{about} They are in {folder}.")
    run = out_folder / f"{data}-run"
    words = ["compare", str(folder), "--per-class", str(per_class), "--out", str(run), "--overwrite"]
    words += ["--no-flip"] * (data == "digits")  # mirrored, some are no digits
    _typed("transfer", *words)
    context.find_root().command.main(words, prog_name="transfer", standalone_mode=False)
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


def _typed(*words: str) -> None:
    """Show a command as it is typed."""
    show_line("")
    show_line(f"$ {shlex.join(words)}", style="bold")
