"""`transfer evaluate`, `predict`, `export` and `backbones`."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import transfer
from transfer import settings
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.places import table_place
from transfer.cli.records import with_records
from transfer.cli.show import exports_table, millions, one_line, out, print_json, progress, show_line, show_notes
from transfer.errors import OptionError
from transfer.exports.runtimes import require_packages
from transfer.free_places import check_apart, check_folder
from transfer.names import ALL, EXPORTS, check_format
from transfer.pages.wording import number_of
from transfer.pretrained.hub_package import keras_hub_is_installed
from transfer.reading import read_judged, run_config, trained_on
from transfer.rooms import claim
from transfer.streams import beside_table
from transfer.unfinished import unfinished_place
from transfer.writing import RUN

NAMED = 20  # files that cannot be read of which each gets a line, where a table has them all


@with_records
def evaluate(
    context: typer.Context,
    *,
    model: option.Model,
    data: option.Data,
    groups: option.Groups = None,
    csv: Annotated[Path | None, typer.Option(help="write a table of all answers, mistakes first")] = None,
    max_size: option.MaxSize = settings.MAX_SIZE,
    asking: group.Answering,
    as_json: option.Json = False,
) -> None:
    """Measure a network on labelled pictures of your own.

    Those that it was trained on are left out.
    """
    context.with_resource(table_place(csv, as_json))
    figures = transfer.evaluate(model, data, groups, csv, asking.trust, max_size, asking.engine)
    if csv:
        _show_written(csv, figures["images"])
    with beside_table(csv):
        print_json(figures) if as_json else _show_evaluated(figures)


def _show_evaluated(figures: dict) -> None:
    (low, high), on = figures["accuracy_ci95"], number_of(figures["images"], "picture")
    show_line(f"accuracy {figures['accuracy']:.1%} ({low:.1%} to {high:.1%}) on {on}")
    reasons = {
        "the model was trained on them": figures["left_out"]["seen"],
        "they belong to another part of DATA": figures["left_out"]["other_parts"],
        "they cannot be read": len(figures["unreadable"]),
    }
    for reason, count in reasons.items():
        if count:
            show_line(f"{number_of(count, 'picture')} left out: {reason}")
    show_notes(figures["notes"])
    table = Table("class", "precision", "recall", "F1", "pictures")
    for name, row in figures["per_class"].items():
        shares = ("-" if row[key] is None else f"{row[key]:.1%}" for key in ("precision", "recall", "f1"))
        table.add_row(escape(one_line(name)), *shares, str(row["support"]))
    out.print(table)


@with_records
def predict(
    context: typer.Context,
    *,
    model: option.Model,
    pictures: option.PictureFiles,
    growing: group.Growing,
    sort_into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="copy the pictures into DIR/CLASS, or DIR/not sure")
    ] = None,
    least: Annotated[float, typer.Option(help="below this probability, 0 to 1, no class is named")] = 0.0,
    top: Annotated[int, typer.Option(min=1, help="print so many classes, the most probable first")] = 1,
    asking: group.Answering,
    as_json: option.Json = False,
) -> None:
    """Name what is in picture files."""
    _check_shown(growing, top, as_json)
    from transfer.runs.sorting import NOT_SURE

    table = growing.table
    context.with_resource(table_place(table, as_json))
    if sort_into:
        context.with_resource(claim(sort_into))
        _check_sort_into(sort_into, pictures, model)
    counts, failed, answers = Counter(), 0, []

    def told(rows: Iterable) -> Iterator:
        nonlocal failed
        for row in rows:
            failed += bool(row.error)
            if row.error and (not table or failed <= NAMED):
                progress.print(one_line(f"{row.file} {row.error}"), markup=False)
            if not row.error:
                counts[row.label or NOT_SURE] += 1
            if as_json:
                answers.append(_without_nan(row._asdict()))
            elif not (table or sort_into):
                show_line(f"{row.file}  {_answer(row, top)}")
            yield row

    try:
        asked = transfer.iter_predictions(model, pictures, least, asking.trust, **vars(growing), engine=asking.engine)
        with closing(asked) as answered:
            rows = told(answered)
            done = transfer.sort_into(rows, sort_into) if sort_into else deque(rows, maxlen=0)
    except BaseException:
        if counts and table and (kept := unfinished_place(table)).exists():
            progress.print(f"{kept} has the answers so far; --resume goes on from there", markup=False)
        raise
    if table:
        _show_written(table, failed + counts.total())
        if failed > NAMED:
            progress.print(f"{failed:,} files could not be read; the column error says why")
    if sort_into:
        _show_sorted(sort_into, done)
    with beside_table(table):
        if as_json:
            print_json({"predictions": answers, "counts": counts} | ({"sorted": done} if sort_into else {}))
        elif table or sort_into:
            for name, number in counts.most_common():
                show_line(f"{name}  {number}")
    if failed:
        raise typer.Exit(2)


def _check_shown(growing: group.Growing, top: int, as_json: bool) -> None:
    """Refuse what would be printed twice, or not at all."""
    if top > 1 and (growing.table or as_json):
        instead = "--csv" if growing.table else "--json"
        raise OptionError(f"--top {top} with {instead}, which has all classes; leave --top away")
    if growing.resume and as_json:
        raise OptionError("--resume with --json, which has all answers, also those that are kept; leave --json away")


def _show_sorted(folder: Path, done: dict) -> None:
    there = f", {done['already_there']} were there" if done["already_there"] else ""
    progress.print(f"{number_of(done['copied'], 'picture')} copied into {folder}{there}", markup=False)


def _check_sort_into(folder: Path, pictures: list[str], model: str) -> None:
    from transfer.runs.sorting import check_sorted_apart

    check_folder(folder)
    check_sorted_apart(folder, pictures)
    if Path(model, "config.json").is_file():
        check_apart(folder, trained_on(run_config(Path(model))))


def export(
    run: option.Run,
    format: Annotated[str, typer.Option(help=f"{', '.join(EXPORTS)}, or {ALL}")] = EXPORTS[0],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="[default: saved_models/NAME OF THE RUN, or exports/...]")
    ] = None,
    as_json: option.Json = False,
) -> None:
    """Write the network of a run for use elsewhere.

    It is checked against the original on pictures of the run.
    """
    check_format(format)
    require_packages(format)
    config = run_config(run)
    is_saved_model = format == EXPORTS[0]
    place = out_folder or Path("saved_models" if is_saved_model else "exports", _name_of(run.resolve()))
    check_apart(place, trained_on(config))
    target = transfer.export(run, place, format)
    told = {"folder": str(target), "format": format}
    if is_saved_model:
        return print_json(told) if as_json else show_line(str(target))
    judged = read_judged(target)
    if as_json:
        return print_json(told | judged)
    out.print(exports_table(judged["formats"]))
    for name, row in judged["formats"].items():
        for numbers, why in row["instead_of"].items():
            show_line(f"- {name} computes with {row['numbers']}: in {numbers} {why}")
    for why in judged["left_out"].values():
        show_line(f"- {why}")
    show_line(str(target))


def backbones(as_json: option.Json = False) -> None:
    """List the pretrained networks.

    The table has their size, their published accuracy, and where their weights are.
    """
    rows = transfer.list_backbones()
    if as_json:
        return print_json({"backbones": [row._asdict() for row in rows]})
    told = "px: usual picture size, and the smallest; top-1: published accuracy on ImageNet at the usual size"
    hub = "keras-hub is installed" if keras_hub_is_installed() else "needs pip install 'transfer[hub]'"
    table = Table("name", "parameters", "px", "from", "top-1", "weights", caption=told)
    for row in rows:
        top1 = "-" if row.imagenet_top1 is None else f"{row.imagenet_top1:.1%}"
        sizes = str(row.image_size), str(row.smallest)
        table.add_row(row.name, millions(row.parameters), *sizes, top1, row.weights)
    out.print(table)
    show_line(f"hub:PRESET and hub:FOLDER are image backbones of KerasHub ({hub}); FILE.keras is a network of your own")


def _show_written(table: Path, rows: int) -> None:
    progress.print(f"{number_of(rows, 'row')} in {table}", markup=False)


def _answer(row, top: int) -> str:
    """The classes of one picture, the most probable first."""
    if row.error:
        return "-"
    best = sorted(row.probabilities.items(), key=lambda pair: -pair[1])[:top]
    said = "  ".join(f"{name}  {probability:.1%}" for name, probability in best)
    return said if row.label else f"not sure  {said}"


def _name_of(run: Path) -> str:
    """What a run is called; its methods have the same names in every comparison."""
    of_comparison = all((run.parent / name).is_file() for name in RUN)
    return f"{run.parent.name}-{run.name}" if of_comparison else run.name


def _without_nan(row: dict) -> dict:
    return row | {"probability": None} if row["error"] else row
