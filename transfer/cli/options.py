"""The options of the command line, each declared once: they mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Fit(StrEnum):
    """How a picture is brought to the square."""

    crop = "crop"
    pad = "pad"
    stretch = "stretch"


def below_one(value: float | None) -> float | None:
    """A share from 0 to below 1, or a refusal."""
    if value is not None and not 0 <= value < 1:
        raise typer.BadParameter(f"{value} is no share from 0 to below 1")
    return value


DATA_HELP = "folder of class folders, CSV (file,label), zip or tar, or https address"
Data = Annotated[str, typer.Argument(help=DATA_HELP)]
DataOrNone = Annotated[str | None, typer.Argument(help=DATA_HELP, metavar="DATA")]
Model = Annotated[str, typer.Argument(help="folder of a run, or of a SavedModel")]
Backbone = Annotated[str, typer.Option(help="name from 'transfer backbones', or a .keras file")]
Weights = Annotated[str | None, typer.Option(help="bundled, imagenet, none, or a weights file")]
ImageSize = Annotated[int | None, typer.Option(min=1, help="side of the square in pixels [default: from the data]")]
Groups = Annotated[
    str | None, typer.Option(help="a group stays on one side of the split: CSV (file,group), auto, or a pattern")
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
Together = Annotated[
    str | None, typer.Option("--keep-together", help="near-duplicates: re-encoded, resized or mirrored copies")
]
WrittenSplit = Annotated[
    Path | None, typer.Option("--split", help="use a split again: a run, its config.json, or a CSV (file,part)")
]
ValidationShare = Annotated[
    float | None,
    typer.Option("--validation", help="share of the pictures that choose epochs and rates [default: 0.15]"),
]
TestShare = Annotated[float | None, typer.Option("--test", help="share of the pictures for testing [default: 0.2]")]
Folds = Annotated[int | None, typer.Option(min=2, help="also train on so many folds, for mean and spread")]
Repeats = Annotated[int, typer.Option(min=1, help="how often the folds are dealt anew")]
Seed = Annotated[int, typer.Option(min=0, help="of the split and of every other random choice")]
FitOption = Annotated[Fit, typer.Option(help="cut out the middle, keep all between bars, or change proportions")]
OUT_HELP = "folder to write [default: the next free one in runs/]"
Strict = Annotated[bool, typer.Option("--strict", help="end with exit code 2 if the data has a problem")]
Json = Annotated[bool, typer.Option("--json", help="the result as one JSON object on standard output")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the folder that --out names")]
Head = Annotated[str, typer.Option(help="linear, mlp or svm")]
Hidden = Annotated[str, typer.Option(help="units of the mlp's hidden layers, such as 256,128")]
Dropout = Annotated[
    float, typer.Option(callback=below_one, help="share of units left out in training of the mlp, 0 to below 1")
]
Activation = Annotated[str, typer.Option(help="of the mlp: relu, tanh, sigmoid, ...")]
Epochs = Annotated[int | None, typer.Option(min=1, help="at most [default: from the data's size]")]
LearningRate = Annotated[float | None, typer.Option(help="[default: from the data's size]")]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="pictures a step; fewer take less memory [default: from the data's size]")
]
Smoothing = Annotated[float | None, typer.Option(callback=below_one, help="label smoothing, 0 to below 1")]
Share = Annotated[
    float | None, typer.Option(help="of the backbone's layers that fine-tuning changes, from the top, above 0 to 1")
]
TrainBatchNorm = Annotated[
    bool, typer.Option("--train-batch-norm", help="let fine-tuning change BatchNormalization as well")
]
ClassWeights = Annotated[str | None, typer.Option(help="balanced: rare classes weigh as much as frequent ones")]
Flip = Annotated[bool, typer.Option(help="mirror training pictures at random")]
PerClass = Annotated[int | None, typer.Option(min=1, help="use at most so many training pictures a class")]
Again = Annotated[
    Path | None, typer.Option("--from", help="a run or its config.json: the same training again; DATA only if it moved")
]
Curve = Annotated[bool, typer.Option("--learning-curve", help="also measure with 5, 10, 20, ... pictures a class")]
Sizes = Annotated[str | None, typer.Option(help="of the learning curve: pictures a class, such as 5,10,20")]
Draws = Annotated[int, typer.Option(min=1, help="of the learning curve: how often pictures are drawn for each size")]
Backbones = Annotated[
    str | None, typer.Option(help="choose one: a,b,c (each NAME or NAME:WEIGHTS), fast, or all-local")
]
Layers = Annotated[Path | None, typer.Option(help="JSON list of the scratch convnet's layers")]
