"""The options of the command line, each declared once: they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transfer import settings
from transfer.names import ENGINES


def below_one(value: float | None) -> float | None:
    """A share from 0 to below 1, or a refusal."""
    if value is not None and not 0 <= value < 1:
        raise typer.BadParameter(f"{value} is no share from 0 to below 1")
    return value


def above_zero(value: float) -> float:
    """A number above 0, or a refusal."""
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is no number above 0")
    return value


def limit(most_megapixels: float | None) -> float | None:
    """Let the command read pictures of so many million pixels."""
    if most_megapixels is not None:
        from transfer.data.pixel_limits import limit_pixels  # Pillow is not for `--help` to load

        limit_pixels(most_megapixels)
    return most_megapixels


DATA_HELP = "folder of class folders, CSV (file,label), zip or tar, or https address"
Data = Annotated[str, typer.Argument(help=DATA_HELP, metavar="DATA")]
DataOrNone = Annotated[str | None, typer.Argument(help=DATA_HELP, metavar="DATA")]
Model = Annotated[str, typer.Argument(help="folder of a run, or of a SavedModel", metavar="RUN_OR_MODEL")]
Run = Annotated[Path, typer.Argument(help="folder of a run", metavar="RUN")]
PictureFiles = Annotated[list[str], typer.Argument(help="files, folders, patterns", metavar="PICTURES")]
Backbone = Annotated[
    str,
    typer.Option(
        help="name from 'transfer backbones', a .keras file, hub:PRESET or hub:FOLDER of KerasHub, or auto: by data",
        rich_help_panel="Network",
    ),
]
Engine = Annotated[str, typer.Option(help=f"computes the answers: {', '.join(ENGINES)}, or auto: the fastest")]
Groups = Annotated[
    str | None,
    typer.Option(
        help="a group stays on one side of the split: CSV (file,group), auto, or a pattern", rich_help_panel="Data"
    ),
]
MostMegapixels = Annotated[
    float | None,
    typer.Option(
        callback=limit, help=f"of pictures that are read [default: {settings.MEGAPIXELS}]", rich_help_panel="Data"
    ),
]
NearDuplicates = Annotated[str, typer.Option(help="near duplicates by hash, features (of the backbone too) or none")]
LookAtLabels = Annotated[bool, typer.Option("--labels", help="look for wrong labels too (a pass of the backbone)")]
MoveSuspects = Annotated[
    bool, typer.Option("--move-suspects", help="propose to move suspects that the heads of --labels are sure of")
]
GivenBelow = Annotated[
    float, typer.Option(callback=below_one, help="to be moved, a picture's class has less than this probability")
]
SuggestedAbove = Annotated[
    float, typer.Option(callback=below_one, help="and the class that is suggested more than this")
]
MaxSize = Annotated[
    float,
    typer.Option(callback=above_zero, help="GB that an archive of DATA may unpack to", rich_help_panel="Data"),
]
Folds = Annotated[
    int | None,
    typer.Option(min=2, help="also train on so many folds, for mean and spread", rich_help_panel="Evidence"),
]
Repeats = Annotated[int, typer.Option(min=1, help="how often the folds are dealt anew", rich_help_panel="Evidence")]
Seed = Annotated[int, typer.Option(min=0, help="of the split and of every other random choice")]

Strict = Annotated[
    bool, typer.Option("--strict", help="end with exit code 2 if the data has a problem", rich_help_panel="Data")
]
Json = Annotated[
    bool, typer.Option("--json", help="the result as one JSON object on standard output", rich_help_panel="Output")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="folder to write [default: the next free one in runs/]", rich_help_panel="Output"),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="replace the folder that --out names", rich_help_panel="Output")
]
PerClass = Annotated[
    int | None, typer.Option(min=1, help="use at most so many training pictures a class", rich_help_panel="Data")
]
Again = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="a run or its config.json: the same training again; DATA only if it moved",
        rich_help_panel="Training",
    ),
]
ExplainSettings = Annotated[
    bool,
    typer.Option(
        "--explain-settings", help="print what would be chosen for DATA, and why; trains nothing",
        rich_help_panel="Output",
    ),
]  # fmt: skip
Curve = Annotated[
    bool,
    typer.Option(
        "--learning-curve", help="also measure with 5, 10, 20, ... pictures a class", rich_help_panel="Evidence"
    ),
]
Sizes = Annotated[
    str | None,
    typer.Option(help="of the learning curve: pictures a class, such as 5,10,20", rich_help_panel="Evidence"),
]
Draws = Annotated[
    int,
    typer.Option(
        min=1, help="of the learning curve: how often pictures are drawn for each size", rich_help_panel="Evidence"
    ),
]
Backbones = Annotated[
    str | None,
    typer.Option(help="choose one: a,b,c (each NAME or NAME:WEIGHTS), fast, or all-local", rich_help_panel="Evidence"),
]

Host = Annotated[str, typer.Option(help="address to listen on; others than this machine reach 0.0.0.0")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")]
Token = Annotated[
    str, typer.Option(envvar="TRANSFER_TOKEN", help="that requests have to bear [default: none]", show_default=False)
]
MostMegabytes = Annotated[float, typer.Option(callback=above_zero, help="of the body of a request")]
MostSeconds = Annotated[float, typer.Option(callback=above_zero, help="for a body to come, and for its answer")]
MostWaiting = Annotated[int, typer.Option(min=1, help="pictures that may wait for an answer")]
