"""`transfer cache`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from transfer import cache as store
from transfer.cli import options as option
from transfer.cli.show import out, print_json, show_line
from transfer.cli.typed import names_in


def cache(
    clear: Annotated[
        str | None,
        typer.Option(help=f"delete some of {','.join(store.KINDS)}, or all; they are made again when needed"),
    ] = None,
    as_json: option.Json = False,
) -> None:
    """Show what is kept in the user's cache folder, and empty it."""
    if clear is not None:
        store.clear(list(store.KINDS) if clear == "all" else names_in(clear))
    kept = {kind: store.kept(kind) for kind in store.KINDS}
    sizes = {kind: sum(map(store.size, paths)) for kind, paths in kept.items()}
    if as_json:
        rows = {kind: {"entries": len(paths), "bytes": sizes[kind]} for kind, paths in kept.items()}
        return print_json({"folder": str(store.cache_folder()), "kinds": rows})
    table = Table("kind", "entries", "MB")
    for kind, paths in kept.items():
        table.add_row(kind, f"{len(paths):,}", f"{sizes[kind] / 1e6:,.1f}")
    show_line(f"in {store.cache_folder()}")
    out.print(table)
