"""Options of the command line that belong together, as records: a field is an option wherever a command takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from transfer import settings
from transfer.cli import options as option
from transfer.learning.options import TrainingOptions
from transfer.names import AUGMENTS, AUTO
from transfer.serving.refusals import Limits
from transfer.serving.server import Address


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How DATA is read and divided."""

    groups: option.Groups = None
    keep_together: Annotated[
        str | None,
        typer.Option(help="near-duplicates: re-encoded, resized or mirrored copies", rich_help_panel="Data"),
    ] = None
    split_file: Annotated[
        Path | None,
        typer.Option(
            "--split",
            help="use a split again: a run, its config.json, or a CSV (file,part)",
            rich_help_panel="Data",
        ),
    ] = None
    validation: Annotated[
        float | None,
        typer.Option(help="share of the pictures that choose epochs and rates [default: 0.15]", rich_help_panel="Data"),
    ] = None
    test: Annotated[
        float | None,
        typer.Option(help="share of the pictures for testing, 0 for none [default: 0.2]", rich_help_panel="Data"),
    ] = None
    per_class: option.PerClass = None
    max_size: option.MaxSize = settings.MAX_SIZE
    strict: option.Strict = False
    most_megapixels: option.MostMegapixels = None

    def shares(self) -> dict[str, float]:
        """The shares of the parts that were typed."""
        typed = {"validation": self.validation, "test": self.test}
        return {part: share for part, share in typed.items() if share is not None}


@dataclass(frozen=True, kw_only=True)
class Looking:
    """What a check looks for, and with what."""

    groups: option.Groups = None
    near: option.NearDuplicates = "hash"
    labels: option.LookAtLabels = False
    engine: option.Engine = AUTO
    max_size: option.MaxSize = settings.MAX_SIZE
    seed: option.Seed = 0


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Which networks are asked, and about which pictures."""

    trust: Annotated[
        bool, typer.Option("--trust", help="run the graph of a SavedModel that lies in no run; it is a program")
    ] = False
    most_megapixels: option.MostMegapixels = None


@dataclass(frozen=True, kw_only=True)
class Answering(Asking):
    """Which networks are asked, and what computes their answers."""

    engine: option.Engine = AUTO


@dataclass(frozen=True, kw_only=True)
class Growing:
    """A table that is written while answers come."""

    table: Annotated[
        Path | None,
        typer.Option(
            "--csv", help="write a table (Parquet, if it ends in .parquet), and print the count of each class"
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the table of the same command that was broken off")
    ] = False


def _as_trained(name: str):
    """A field that is the option of a training of this name."""
    each = TrainingOptions.__dataclass_fields__[name]
    return field(default=each.default, metadata=each.metadata)


@dataclass(frozen=True, kw_only=True)
class Seeing:
    """With which backbone pictures are looked at."""

    backbone: option.Backbone = AUTO
    weights: str | None = _as_trained("weights")
    features: str | None = _as_trained("features")
    image_size: int | None = _as_trained("image_size")
    fit: str = _as_trained("fit")
    engine: str = _as_trained("engine")


@dataclass(frozen=True, kw_only=True)
class Changing:
    """Which training pictures are shown, and how they are changed at random."""

    method: Annotated[str, typer.Option(help="finetune or scratch: their crops differ")] = "finetune"
    pictures: Annotated[int, typer.Option(min=1, help="of each class")] = 2
    draws: Annotated[int, typer.Option(min=1, help="changes of each picture")] = 5
    augment: Annotated[str | None, typer.Option(help=f"one of {', '.join(AUGMENTS)} [default: all but none]")] = None
    mix: str | None = _as_trained("mix")
    flip: bool = _as_trained("flip")
    image_size: int | None = _as_trained("image_size")
    fit: str = _as_trained("fit")
    seed: int = _as_trained("seed")

    def presets(self) -> tuple[str, ...]:
        """Those that are shown."""
        return AUGMENTS[1:] if self.augment is None else (self.augment,)

    def training(self) -> TrainingOptions:
        """As a training takes them."""
        shared = ("mix", "flip", "image_size", "fit", "seed")
        return TrainingOptions(augment=self.presets()[-1], **{name: getattr(self, name) for name in shared})


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server listens, who may ask, and from where on requests are refused."""

    host: option.Host = Address.host
    port: option.Port = Address.port
    token: option.Token = Address.token
    most_megabytes: option.MostMegabytes = Limits.most_megabytes
    most_seconds: option.MostSeconds = Limits.most_seconds
    most_waiting: option.MostWaiting = Limits.most_waiting

    def address(self) -> Address:
        """As the server takes it."""
        return Address(host=self.host, port=self.port, token=self.token)

    def limits(self) -> Limits:
        """As the server takes them."""
        return Limits(
            most_megabytes=self.most_megabytes, most_seconds=self.most_seconds, most_waiting=self.most_waiting
        )


@dataclass(frozen=True, kw_only=True)
class Moving:
    """When another class is proposed for a picture."""

    move_suspects: option.MoveSuspects = False
    given_below: option.GivenBelow = settings.GIVEN_BELOW
    suggested_above: option.SuggestedAbove = settings.SUGGESTED_ABOVE


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a command writes, and what it prints."""

    out_folder: option.Out = None
    overwrite: option.Overwrite = False
    as_json: option.Json = False
