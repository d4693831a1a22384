"""`transfer check` and `clean`: what is in the data before anything is trained, and a copy without its faults."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import transfer
from transfer.cli import option_groups as group
from transfer.cli import options as option
from transfer.cli.next_steps import after_check, show_steps, typed_path
from transfer.cli.places import page_place, place_for, table_place
from transfer.cli.records import with_records
from transfer.cli.show import one_line, out, print_json, progress, show_line
from transfer.cli.typed import refuse_beside, refuse_idle_options
from transfer.errors import DataError, OptionError
from transfer.free_places import check_apart, check_unwritten
from transfer.streams import beside_table

APPLIED = ("data", "apply", "groups", "max_size", "place", "as_json", "most_megapixels")  # what `clean --apply` takes


@with_records
def check(
    context: typer.Context,
    *,
    data: option.Data,
    looking: group.Looking,
    most_megapixels: option.MostMegapixels = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help="folder for check.html [default: no page]")] = None,
    strict: option.Strict = False,
    as_json: option.Json = False,
) -> None:
    """Tell what is in a folder of pictures, and what is wrong.

    It looks for duplicates, leaks, broken files, wrong labels and shortcuts.
    """
    refuse_idle_options(context)
    page = None
    if out_folder is not None:
        context.with_resource(page_place(out_folder / "check.html", data))
    result = transfer.check(data, **vars(looking))
    if out_folder is not None:
        from transfer.checks.check_page import write_check_page

        page = write_check_page(result, out_folder)
    if as_json:
        print_json(result.as_dict())
    else:
        out.print(findings_table(result.findings))
        rate = len(result.images) / result.seconds
        out.print(f"{len(result.images):,} pictures in {result.seconds:.1f} s, {rate:,.0f} a second")
        if page:
            show_line(f"Thumbnails, and rows to mark for transfer clean: {page}")
    if strict:
        refuse(result.findings)
    if not as_json:
        show_steps(after_check(data, looking.groups, result))


@with_records
def clean(
    context: typer.Context,
    *,
    data: option.Data,
    apply: Annotated[Path | None, typer.Option(help="edited table: copy DATA as it says")] = None,
    looking: group.Looking,
    moving: group.Moving,
    most_megapixels: option.MostMegapixels = None,
    place: Annotated[
        Path | None, typer.Option("--out", help="table to write [default: clean.csv]; with --apply, the new folder")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a table that is there")] = False,
    as_json: option.Json = False,
) -> None:
    """Mend a folder of pictures by a table that you edit.

    The table proposes what to keep, drop, move and group; --apply copies DATA as the edited one says.
    """
    from transfer.checks.cleaned_copies import GROUPS

    if apply is None:
        refuse_idle_options(context)
        place = place or Path("clean.csv")
        check_apart(place, data)
        context.with_resource(table_place(place, as_json))
        check_unwritten(place, overwrite)
        found = transfer.check(data, **vars(looking))
        actions = transfer.propose_actions(found, **vars(moving))
        transfer.write_actions(actions, place, overwrite)
        told = {name: sum(action.action == name for action in actions) for name in ("drop", "move", "group", "keep")}
        said = ", ".join(f"{count} to {name}" for name, count in told.items())
        same = [typed_path(data), *([] if looking.groups is None else ["--groups", looking.groups])]
        then = shlex.join(["transfer", "clean", *same, "--apply", typed_path(place), "--out", "NEW"])
        after = f"{said}. Edit {place}, then: {then}"
    else:
        refuse_beside(context, "--apply", APPLIED, "the table says what to do: leave the others away")
        if place is None:
            raise OptionError(f"--apply {apply} without --out; name the folder for the cleaned copy")
        context.with_resource(place_for(place, data, "clean", False, ()))
        images = transfer.load_images(data, looking.groups, lenient=True, max_size=looking.max_size)
        told = transfer.write_clean_copy(images, transfer.read_actions(apply, images), place, data)
        said = ", ".join(f"{count} {name}" for name, count in told.items())
        written = shlex.quote(str(place / GROUPS))
        after = f"{place}: {said}" + (f"; use it with --groups {written}" if told["groups"] else "")
    with beside_table(place):
        if as_json:
            return print_json(told)
        show_line(after)


def findings_table(findings) -> Table:
    """Findings, one row each."""
    table = Table("", "finding", "what to do")
    colours = {"problem": "red", "warning": "yellow", "note": "dim"}
    for finding in findings:
        colour = colours[finding.severity]
        table.add_row(
            f"[{colour}]{finding.severity}[/{colour}]", escape(one_line(finding.message)), escape(finding.advice)
        )
    return table


def refuse(findings) -> None:
    """End with a sentence if there are problems."""
    problems = [finding.message for finding in findings if finding.severity == "problem"]
    if problems:
        raise DataError(f"--strict: {len(problems)} problem(s), first: {problems[0]}; see transfer check, or mend them")


def show_findings(findings) -> None:
    """The problems and warnings, a line each, and how many groups there are."""
    for finding in findings:
        said = finding.severity != "note" or finding.kind == "groups"
        if said and finding.kind != "unreadable":  # those are named one by one already
            advice = f" ({finding.advice})" if finding.advice else ""
            progress.print(one_line(f"{finding.severity}: {finding.message}{advice}"), markup=False)
