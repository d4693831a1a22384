"""What `compare` measures beside its methods: the learning curve, and which backbone to take."""

from __future__ import annotations

from collections.abc import Collection

from rich.markup import escape
from rich.table import Table

import transfer
from transfer.cli.show import millions, one_line, out, progress, show_line, show_notes
from transfer.cli.typed import names_in
from transfer.cli.values import whole_numbers
from transfer.errors import OptionError
from transfer.evidence.amounts import checked_sizes
from transfer.learning.options import TrainingOptions
from transfer.names import AUTO


def chosen_backbone(images, split, backbones: str, backbone: str, training: TrainingOptions):
    """(the choice, name and weights of the recommended backbone) of what `--backbones` lists."""
    if backbone != AUTO or training.weights is not None:
        raise OptionError(
            "--backbones with --backbone or --weights; write all of them into --backbones, as NAME:WEIGHTS"
        )
    names = names_in(backbones)
    same = {name: getattr(training, name) for name in ("image_size", "features", "fit", "seed", "engine")}
    choice = transfer.choose_backbone(images, split, names[0] if len(names) == 1 else names, **same)
    progress.print(f"compared with the recommended backbone, {choice.recommended.label}", markup=False)
    weights = choice.recommended.weights
    return choice, choice.recommended.backbone, None if weights == "as given" else weights


def curve_sizes(text: str | None, images, split) -> list[int]:
    """Pictures a class, from `--sizes`, that the data has."""
    return checked_sizes(None if text is None else whole_numbers("--sizes", text), images, split)


def show_evidence(also: list, already: Collection[str] = ()) -> None:
    """Print a table, where there is one, and the sentences of each; notes that were told `already` are not."""
    for more in also:
        show_notes(more.notes, already)
        if isinstance(more, transfer.BackboneChoice):
            out.print(_backbones(more))
        elif isinstance(more, transfer.LearningCurve):
            out.print(_curve(more))
        for sentence in more.in_words():
            show_line(f"- {sentence}")


def _backbones(choice) -> Table:
    table = Table("backbone", "px", "accuracy", "95% interval", "ms a picture", "parameters")
    for row in choice.candidates:
        interval = "{:.1%} to {:.1%}".format(*row.ci95)
        cells = [f"{row.accuracy:.1%}", interval, f"{row.milliseconds:.2f}", millions(row.parameters)]
        label = escape(one_line(row.label)) + " *" * (row is choice.recommended)
        table.add_row(label, str(row.image_size), *cells)
    return table


def _curve(curve) -> Table:
    means = {(row["method"], row["per_class"]): row["accuracy"] for row in curve.means()}
    methods = list(dict.fromkeys(method for method, _ in means))
    table = Table("pictures a class", *methods)
    for size in dict.fromkeys(size for _, size in means):
        table.add_row(str(size), *(f"{means[method, size]:.1%}" for method in methods))
    return table
