"""`transfer demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import options as option
from transfer.cli.learning import compare
from transfer.cli.show import out, say


def demo(
    data: Annotated[str, typer.Option(help="textures, faces or digits")] = "textures",
    per_class: option.PerClass = 20,
    out_folder: Annotated[Path, typer.Option("--out", help="folder to write")] = Path("runs/demo"),
) -> None:
    """Run the main job on real pictures that come inside packages."""
    from transfer.demo_data import write_demo_data

    folder = out_folder / data
    about = write_demo_data(data, folder)
    out.print(f"{about} They are in {folder}.\n")
    run = out_folder / f"{data}-run"
    say(f"transfer compare {folder} --per-class {per_class} --out {run} --overwrite")
    flags = dict(per_class=per_class, out_folder=run, overwrite=True, flip=data != "digits")
    compare(str(folder), **flags)
    some = [str(next(p for p in sorted((folder / "test").glob("*")) if p.is_dir()))]
    say(f"transfer predict {run} {some[0]}")
    rows = transfer.predict(run, some)
    right = sum(row.label == Path(some[0]).name for row in rows)
    for row in rows[:5]:
        out.print(f"{row.file}  {row.label}  {row.probability:.1%}")
    out.print(f"... the SavedModel names {right} of {len(rows)} rightly\n")
    out.print(f"Everything is in {run}; open {run / 'report.html'} in a browser.")
    out.print("Next, with a folder of your own that holds one folder of pictures for each class:")
    out.print("  transfer compare YOUR_FOLDER\n  transfer train YOUR_FOLDER\n  transfer predict runs/YOUR_RUN PICTURES")
