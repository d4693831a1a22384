"""`transfer lr`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import transfer
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.doors import check_asked_backbone, check_needed_memory
from transfer.cli.loading import load
from transfer.cli.places import page_place
from transfer.cli.records import with_records
from transfer.cli.show import print_json, show_line, show_notes
from transfer.cli.typed import refuse_idle_options, typed_options
from transfer.errors import OptionError
from transfer.learning.options import TrainingOptions
from transfer.names import AUTO, check_methods

PAGE = "learning-rates.html"
MEASURED = ("learning_rate", "epochs", "minutes")


@partial(with_records, hidden=MEASURED)
def lr(
    context: typer.Context,
    *,
    data: option.Data,
    reading: group.Reading,
    backbone: option.Backbone = AUTO,
    method: Annotated[str, typer.Option(help="finetune or scratch", rich_help_panel="Training")] = "finetune",
    training: TrainingOptions,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="folder for learning-rates.html [default: no page]")
    ] = None,
    as_json: option.Json = False,
) -> None:
    """Find a learning rate by trying many.

    It is one for fine-tuning, or for training from scratch.
    """
    check_methods([method])
    refuse_idle_options(context, training, [method])
    typed = typed_options(context)
    if idle := [typed[name] for name in MEASURED if name in typed]:
        raise OptionError(f"{', '.join(idle)} in a test of learning rates, which tries them in a fixed number of steps")
    check_needed_memory(training)
    network = None if method == "scratch" and "backbone" not in typed else backbone
    if network is not None:
        check_asked_backbone(network, training, [method])
    if out_folder is not None:
        context.with_resource(page_place(out_folder / PAGE, data))
    images, split, _ = load(data, reading, training)
    test = transfer.find_learning_rate(images, split, network, method, training)
    from transfer.runs.rate_page import as_json as written
    from transfer.runs.rate_page import write_rate_page

    page = write_rate_page(test, out_folder) if out_folder is not None else None
    if as_json:
        return print_json(written(test) | ({"page": str(page)} if page else {}))
    show_notes(test.notes, already=split.notes)
    show_line(test.in_words())
    if page:
        show_line(str(page))
