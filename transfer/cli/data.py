"""`transfer check`: what is in the data, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

import transfer
from transfer.cli import options as option
from transfer.cli.show import out, print_json, progress
from transfer.errors import DataError


def check(
    data: option.Data,
    groups: option.Groups = None,
    near: Annotated[str, typer.Option(help="near duplicates by hash, features (of the backbone too) or none")] = "hash",
    labels: Annotated[
        bool, typer.Option("--labels", help="look for wrong labels too (a pass of the backbone)")
    ] = False,
    seed: option.Seed = 0,
    out_folder: Annotated[Path | None, typer.Option("--out", help="folder for check.html [default: no page]")] = None,
    strict: option.Strict = False,
    as_json: option.Json = False,
) -> None:
    """Look for duplicates, leaks, broken files, wrong labels and shortcuts in a folder of pictures."""
    result = transfer.check(data, groups, near=near, labels=labels, seed=seed)
    page = None
    if out_folder is not None:
        from transfer.check_page import write_check_page

        page = write_check_page(result, out_folder)
    if as_json:
        print_json(result.as_dict())
    else:
        out.print(findings_table(result.findings))
        rate = len(result.images) / result.seconds
        out.print(f"{len(result.images):,} pictures in {result.seconds:.1f} s, {rate:,.0f} a second")
        if page:
            out.print(f"Thumbnails, and rows to mark for transfer clean: {page}", markup=False, soft_wrap=True)
    if strict:
        refuse(result.findings)


def findings_table(findings) -> Table:
    """Findings, one row each."""
    table = Table("", "finding", "what to do")
    colours = {"problem": "red", "warning": "yellow", "note": "dim"}
    for finding in findings:
        colour = colours[finding.severity]
        table.add_row(f"[{colour}]{finding.severity}[/{colour}]", plain(finding.message), plain(finding.advice))
    return table


def plain(text: str) -> str:
    """Text from file names as a terminal can show it: on one line, without markup."""
    from rich.markup import escape

    return escape("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text))


def refuse(findings) -> None:
    """End with a sentence if there are problems."""
    problems = [finding.message for finding in findings if finding.severity == "problem"]
    if problems:
        raise DataError(f"--strict: {len(problems)} problem(s), first: {problems[0]}; see transfer check, or mend them")


def show_findings(images) -> None:
    """The problems and warnings that show without reading files, a line each."""
    from transfer.checking import quick_findings

    for finding in quick_findings(images):
        if finding.severity != "note" and finding.kind != "unreadable":  # those are named one by one already
            advice = f" ({finding.advice})" if finding.advice else ""
            progress.print(f"{finding.severity}: {finding.message}{advice}", markup=False)
