"""What `compare` measures beside its methods: the learning curve, and which backbone to take."""

from __future__ import annotations

from rich.table import Table

import transfer
from transfer.cli.show import millions, out, progress, show_notes
from transfer.errors import OptionError


def chosen_backbone(images, split, backbones: str, backbone: str, weights: str | None, **options):
    """(the choice, name and weights of the recommended backbone) of what `--backbones` lists."""
    if backbone != "bundled" or weights is not None:
        raise OptionError(
            "--backbones with --backbone or --weights; write all of them into --backbones, as NAME:WEIGHTS"
        )
    names = [name.strip() for name in backbones.split(",") if name.strip()]
    choice = transfer.choose_backbone(images, split, names[0] if len(names) == 1 else names, **options)
    progress.print(f"compared with the recommended backbone, {choice.recommended.label}", markup=False)
    weights = choice.recommended.weights
    return choice, choice.recommended.backbone, None if weights == "as given" else weights


def curve_sizes(text: str | None) -> list[int] | None:
    """Pictures a class, from `--sizes`."""
    try:
        return None if text is None else [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise OptionError(f"--sizes {text}; expected whole numbers such as 5,10,20") from error


def show_evidence(also: list) -> None:
    """Print a table and the sentences of each."""
    for more in also:
        show_notes(more.notes)
        out.print(_backbones(more) if isinstance(more, transfer.BackboneChoice) else _curve(more))
        for sentence in more.in_words():
            out.print(f"- {sentence}")


def _backbones(choice) -> Table:
    table = Table("backbone", "px", "accuracy", "95 % interval", "ms a picture", "parameters")
    for row in choice.candidates:
        interval = "{:.1%} to {:.1%}".format(*row.ci95)
        cells = [f"{row.accuracy:.1%}", interval, f"{row.milliseconds:.2f}", millions(row.parameters)]
        table.add_row(row.label + " *" * (row is choice.recommended), str(row.image_size), *cells)
    return table


def _curve(curve) -> Table:
    means = {(row["method"], row["per_class"]): row["accuracy"] for row in curve.means()}
    methods = list(dict.fromkeys(method for method, _ in means))
    table = Table("pictures a class", *methods)
    for size in dict.fromkeys(size for _, size in means):
        table.add_row(str(size), *(f"{means[method, size]:.1%}" for method in methods))
    return table
