"""What the commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from transfer.reading import read_json

progress = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False)


def methods_table(methods: dict[str, dict]) -> Table:
    """The figures of several methods, one row each."""
    cached = " and ".join(dict.fromkeys(step for row in methods.values() for step in row["cached"]))
    caption = f"* without the {cached}, which came from the cache" if cached else None
    table = Table("method", "accuracy", "95% interval", "parameters", "trained", "seconds", caption=caption)
    for name, row in methods.items():
        if row["accuracy"] is None:
            accuracy, interval = "-", "no test pictures"
        else:
            accuracy = f"{row['accuracy']:.1%}"
            interval = "{:.1%} to {:.1%}".format(*row["accuracy_ci95"])
        parameters = row["parameters"]
        total, trained = millions(parameters["total"]), millions(parameters["trainable"])
        seconds = f"{row['seconds']['total']:.0f}{'*' * bool(row['cached'])}"
        table.add_row(name, accuracy, interval, total, trained, seconds)
    return table


def exports_table(formats: dict[str, dict]) -> Table:
    """How exported files compare with Keras, one row each."""
    first = next(iter(formats.values()))
    accuracy = "" if first["accuracy"] is None else f", accuracy {first['accuracy_keras']:.1%}"
    batches = " or ".join(str(size) for size in sorted({row["batch"] for row in formats.values()}))
    told = (
        "max and mean diff: of probabilities; same: pictures with the same first class; a second: pictures, decoded "
        f"already, {batches} at once. Keras on the same {first['pictures']} pictures: "
        f"{first['pictures_a_second_keras']:,.0f} a second{accuracy} on {first['test_pictures']} of the test part"
    )
    table = Table("format", "max diff", "mean diff", "same", "accuracy", "MB", "a second", caption=told)
    table.columns[0].no_wrap, table.columns[0].overflow = True, "fold"
    for name, row in formats.items():
        accuracy = "-" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        gaps = f"{row['largest_difference']:.1e}", f"{row['mean_difference']:.1e}"
        size, speed = f"{row['megabytes']:.2f}", f"{row['pictures_a_second']:,.0f}"
        table.add_row(name, *gaps, f"{row['agreement']:.1%}", accuracy, size, speed)
    return table


def millions(number: int) -> str:
    """A number of weights, short."""
    return f"{number / 1e6:.2f} M" if number >= 10_000 else str(number)


def read_result(place: Path) -> dict:
    """The figures of a run."""
    return read_json(place / "result.json")


def read_evidence(place: Path) -> dict[str, dict]:
    """What else a run found, such as its cross-validation, by name."""
    from transfer.runs.report import MORE

    files = {name: place / f"{name}.json" for name in MORE}
    return {name: read_json(path) for name, path in files.items() if path.is_file()}


def show_caveats(figures: dict) -> None:
    """What speaks against believing the accuracies, beside them."""
    for caveat in figures["caveats"]:
        show_line(f"! not to be trusted as it is: {caveat}", style="yellow")


def show_place(place: Path) -> None:
    """Tell where everything is."""
    show_line(f"The network, its SavedModel and {place / 'report.html'} are in {place}")


def print_json(value: dict) -> None:
    """Print one JSON object, alone on standard output."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    # A file name that is no UTF-8, or a letter that the output lacks, becomes an escape that JSON itself knows.
    print(json.dumps(value, ensure_ascii=not is_utf8).encode("utf-8", "backslashreplace").decode())


def one_line(text: str) -> str:
    """Text with file names in it as a terminal can show it, whatever letters they hold."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def show_line(text: str, style: str | None = None) -> None:
    """Print a line on standard output as it is: no markup in file names, and none of them broken."""
    out.print(one_line(text), style=style, markup=False, soft_wrap=True)


def show_settings(rows, as_json: bool) -> None:
    """Print what `explain_settings` gives."""
    if as_json:
        return print_json({"settings": [row._asdict() for row in rows]})
    table = Table("setting", "value", "why")
    for row in rows:
        reasons = [row.rule, row.source, f"measured: {row.measured}" if row.measured else ""]
        why = "asked for" if row.asked else ". ".join(filter(None, reasons)) or "as it is"
        value = f"{len(row.value)} rows" if row.name == "layers" else row.value
        table.add_row(row.name, "when trained" if value is None else escape(one_line(str(value))), escape(why))
    out.print(table)


def command_line() -> str:
    """The words that were typed."""
    return shlex.join(["transfer", *sys.argv[1:]])


def show_notes(notes, already=()) -> None:
    """Print what the user should know and was not told already."""
    for note in notes:
        if note not in already:
            progress.print(f"note: {note}", markup=False)
