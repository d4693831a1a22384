"""Progress on standard error: bars on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(stderr=True)
EVERY = 30.0  # seconds between two lines, so that what is shorter says nothing


@contextmanager
def bar(description: str, total: int, done: int = 0) -> Iterator[Callable[..., None]]:
    """Show a bar with the time left; call what it yields with the number of steps done.

    `done` of the steps were there before, and tell nothing of the time that the others take. An optional `note` beside
    the bar says how it goes. Where there is no terminal, such as in the log of a cluster, lines say the same, at most
    one in `EVERY` seconds.
    """
    if not console.is_terminal:
        yield _lines(description, total, done)
        return
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    # What is printed meanwhile goes above the bar, but what is led elsewhere stays there.
    shown = {"console": console, "transient": True, "redirect_stdout": sys.stdout.isatty()}
    with Progress(*columns, **shown, disable=total == done) as progress:
        task = progress.add_task(description, total=total, completed=done, note="")

        def advance(steps: int = 1, note: str | None = None) -> None:
            progress.update(task, advance=steps, **({} if note is None else {"note": note}))

        yield advance


def _lines(description: str, total: int, before: int) -> Callable[..., None]:
    started = told = time.monotonic()
    done = before

    def advance(steps: int = 1, note: str | None = None) -> None:
        nonlocal done, told
        done, now = done + steps, time.monotonic()
        if now - told < EVERY or not before < done < total:
            return
        told = now
        left = _duration((now - started) / (done - before) * (total - done))
        beside = f", {note}" if note else ""
        console.print(f"{description} {done}/{total} ({left} left){beside}", markup=False, highlight=False)

    return advance


def _duration(seconds: float) -> str:
    """About how long, in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
