"""`transfer train --from`: what it takes beside the run."""

from __future__ import annotations

import typer

from transfer.cli.typed import refuse_beside, refuse_idle_options

ALLOWED = ("data", "again", "max_size", "out_folder", "overwrite", "as_json", "most_megapixels")


def refuse_other_options(context: typer.Context) -> None:
    """Everything that shapes the training comes from the run."""
    advice = "leave the others away, or train without --from and give its split with --split"
    refuse_beside(context, "--from", ALLOWED, f"--from repeats a run as it was: {advice}")
    refuse_idle_options(context)
