"""Progress bars on standard error, shown on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(stderr=True)


@contextmanager
def bar(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar with the time left; call what it yields with the number of steps done.

    An optional `note` beside the bar says how it goes.
    """
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not (console.is_terminal and total)) as progress:
        task = progress.add_task(description, total=total, note="")

        def advance(steps: int = 1, note: str | None = None) -> None:
            progress.update(task, advance=steps, **({} if note is None else {"note": note}))

        yield advance
