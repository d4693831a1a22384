"""`transfer evaluate`, `predict`, `export` and `backbones`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import transfer
from transfer.cli import options as option
from transfer.cli.show import millions, one_line, out, print_json, progress, show_line, show_notes
from transfer.reading import run_config, trained_on
from transfer.writing import check_apart


def evaluate(
    model: option.Model, data: option.Data, groups: option.Groups = None, as_json: option.Json = False
) -> None:
    """Measure a run or a SavedModel on labelled pictures that it was not trained on."""
    figures = transfer.evaluate(model, data, groups)
    if as_json:
        return print_json(figures)
    low, high = figures["accuracy_ci95"]
    show_line(f"accuracy {figures['accuracy']:.1%} ({low:.1%} to {high:.1%}) on {figures['images']} pictures")
    reasons = {
        "the model was trained on them": figures["left_out"]["seen"],
        "they belong to another part of DATA": figures["left_out"]["other_parts"],
        "they cannot be read": len(figures["unreadable"]),
    }
    for reason, count in reasons.items():
        if count:
            show_line(f"{count} pictures left out: {reason}")
    show_notes(figures["notes"])
    table = Table("class", "precision", "recall", "F1", "pictures")
    for name, row in figures["per_class"].items():
        table.add_row(
            escape(one_line(name)), *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), str(row["support"])
        )
    out.print(table)


def predict(
    model: option.Model,
    pictures: Annotated[list[str], typer.Argument(help="files, folders, patterns")],
    csv: Annotated[Path | None, typer.Option(help="write a table instead of printing")] = None,
    as_json: option.Json = False,
) -> None:
    """Name what is in picture files."""
    rows = transfer.predict(model, pictures)
    if csv:
        from transfer.runs.prediction import write_csv

        write_csv(rows, csv)
        progress.print(f"{len(rows)} rows in {csv}", markup=False)
    if as_json:
        print_json({"predictions": [_without_nan(row._asdict()) for row in rows]})
    elif not csv:
        for row in rows:
            show_line(f"{row.file}  -" if row.error else f"{row.file}  {row.label}  {row.probability:.1%}")
    failed = [row for row in rows if row.error]
    for row in failed:
        progress.print(one_line(f"{row.file} {row.error}"), markup=False)
    if failed:
        raise typer.Exit(2)


def export(
    run: Annotated[Path, typer.Argument(help="folder of a run")],
    format: Annotated[str, typer.Option(help="savedmodel")] = "savedmodel",
    out_folder: Annotated[Path | None, typer.Option("--out", help="[default: saved_models/NAME OF THE RUN]")] = None,
) -> None:
    """Write the network of a run for use elsewhere, checked against the original."""
    place = out_folder or Path("saved_models", run.resolve().name)
    check_apart(place, trained_on(run_config(run)))
    target = transfer.export(run, place, format)
    show_line(str(target))


def backbones(as_json: option.Json = False) -> None:
    """The table of pretrained networks."""
    rows = transfer.list_backbones()
    if as_json:
        return print_json({"backbones": [row._asdict() for row in rows]})
    table = Table("name", "parameters", "usual size", "from", "weights")
    for row in rows:
        table.add_row(row.name, millions(row.parameters), f"{row.image_size} px", f"{row.smallest} px", row.weights)
    out.print(table)


def _without_nan(row: dict) -> dict:
    return row | {"probability": None} if row["error"] else row
