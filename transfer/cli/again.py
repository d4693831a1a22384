"""`transfer train --from`: what it takes beside the run."""

from __future__ import annotations

from pathlib import Path

import typer

from transfer import quiet
from transfer.cli.typed import refuse_beside

ALLOWED = ("data", "again", "out_folder", "overwrite", "as_json")


def refuse_other_options(context: typer.Context) -> None:
    """Everything that shapes the training comes from the run."""
    advice = "leave the others away, or train without --from and give its split with --split"
    refuse_beside(context, "--from", ALLOWED, f"--from repeats a run as it was: {advice}")


def data_of(run: Path) -> str:
    """Where the pictures of a run were, for the name of the next one."""
    quiet.import_tensorflow()
    from transfer.runs.records import trained_on
    from transfer.runs.repetition import read_config

    return trained_on(read_config(run / "config.json" if run.is_dir() else run))
