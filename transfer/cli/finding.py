"""`transfer features` and `similar`: what a network makes of pictures, and which are most alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import transfer
from transfer import settings
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.doors import check_asked_backbone
from transfer.cli.places import page_place
from transfer.cli.records import with_records
from transfer.cli.show import one_line, out, print_json, progress, show_line, show_notes
from transfer.free_places import check_apart, check_unwritten
from transfer.names import AUTO
from transfer.rooms import claim
from transfer.runs.picture_features import check_features_file, features_of, is_run_folder, write_features
from transfer.runs.prediction import list_files

Source = Annotated[str, typer.Argument(metavar="RUN_OR_DATA", help=f"folder of a run, or {option.DATA_HELP}")]


@with_records
def features(
    context: typer.Context,
    *,
    source: Source,
    file: Annotated[Path, typer.Option("--out", help="file to write: .npz, or .parquet")],
    seeing: group.Seeing,
    max_size: option.MaxSize = settings.MAX_SIZE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that is there")] = False,
    most_megapixels: option.MostMegapixels = None,
    as_json: option.Json = False,
) -> None:
    """Write the features of each picture.

    They are what a backbone, or the network of a run, makes of it.
    """
    check_features_file(file)
    check_apart(file, source)
    context.with_resource(claim(file))
    check_unwritten(file, overwrite)
    found = _seen(source, seeing, max_size)
    write_features(found, file)
    number, width = found.features.shape
    if as_json:
        told = {"file": str(file), "pictures": number, "width": width, "classes": list(found.class_names)}
        return print_json(told | {"network": found.about, "notes": list(found.notes)})
    show_notes(found.notes)
    show_line(f"{number:,} pictures, {width:,} features each, of {found.about}: {file}")


@with_records
def similar(
    context: typer.Context,
    *,
    source: Source,
    pictures: option.PictureFiles,
    top: Annotated[int, typer.Option(min=1, help="find so many for each picture")] = 10,
    seeing: group.Seeing,
    max_size: option.MaxSize = settings.MAX_SIZE,
    most_megapixels: option.MostMegapixels = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help="folder for similar.html [default: no page]")] = None,
    as_json: option.Json = False,
) -> None:
    """Find the pictures that are most like others.

    They are sought in DATA, or in what a run was made from.
    """
    if out_folder is not None:
        context.with_resource(page_place(out_folder / "similar.html", source))
    list_files(pictures)  # what is missing is said before anything is computed
    found = _seen(source, seeing, max_size)
    rows = transfer.find_similar(found, pictures, top)
    told = {"network": found.about, "notes": list(found.notes)}
    if out_folder is not None:
        from transfer.runs.similar_page import write_similar_page

        told["page"] = str(write_similar_page(rows, found, out_folder))
    if as_json:
        nearest = [row._asdict() | {"nearest": [near._asdict() for near in row.nearest]} for row in rows]
        print_json({"pictures": nearest} | told)
    else:
        show_notes(found.notes)
        for row in rows:
            if not row.error:
                table = Table("similar", "class", "cosine", title=escape(one_line(row.file)), title_justify="left")
                for near in row.nearest:
                    table.add_row(escape(one_line(near.file)), escape(one_line(near.label)), f"{near.similarity:.3f}")
                out.print(table)
        show_line(told.get("page", f"seen by {found.about}"))
    failed = [row for row in rows if row.error]
    for row in failed:
        progress.print(one_line(f"{row.file} {row.error}"), markup=False)
    if failed:
        raise typer.Exit(2)


def _seen(source: str, seeing: group.Seeing, max_size: float):
    """The features of the pictures there."""
    named = {name: value for name, value in vars(seeing).items() if name != "backbone"}
    backbone = None if seeing.backbone == AUTO else seeing.backbone
    if not is_run_folder(source):
        check_asked_backbone(seeing.backbone, transfer.TrainingOptions(**named), ["frozen"])
    return features_of(source, backbone, max_size=max_size, **named)
