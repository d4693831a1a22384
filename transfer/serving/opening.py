"""Folders to a service: networks loaded, counters at 0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from transfer.names import AUTO
from transfer.progress import console
from transfer.serving.asking import Service, Waiting
from transfer.serving.metrics import Metrics
from transfer.serving.refusals import Limits
from transfer.serving.served_models import ServedModels


def open_service(
    places: Mapping[str, Path],
    limits: Limits,
    trust: bool = False,
    collect: str | Path | None = None,
    engine: str = AUTO,
) -> Service:
    """Load networks by name; for the arguments see `server.serve`.

    Raises:
        ModelFileError: one of them cannot be loaded.
    """
    waiting = Waiting()
    metrics = Metrics(lambda: waiting.pictures)
    models = ServedModels(places, trust, metrics.count_batch, _tell, engine)
    return Service(models, limits, waiting, metrics, None if collect is None else Path(collect))


def _tell(sentence: str) -> None:
    console.print(f"note: {sentence}", markup=False, soft_wrap=True)
