"""The pictures that say most about a network: its worst mistakes, what it is least certain of, where it looked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from transfer.data.images import read_fitted, read_small
from transfer.errors import PictureError
from transfer.networks.explanation import where_it_looked
from transfer.pages.drawing import data_address, overlay, thumbnail
from transfer.runs.saved_runs import SavedResult, Tested

SHOWN, EXPLAINED = 12, 6
SIDE, QUALITY = 256, 60  # pixels, twice as many as are shown at first: a picture can be enlarged


def worst_mistakes(tested: Tested, most: int = SHOWN) -> np.ndarray:
    """Positions of wrongly named pictures, the lowest probability of the true class first."""
    of_true = tested.probabilities[np.arange(len(tested.labels)), tested.labels]
    wrong = np.flatnonzero(tested.probabilities.argmax(axis=1) != tested.labels)
    return wrong[np.argsort(of_true[wrong], kind="stable")][:most]


def least_certain(tested: Tested, without: Sequence[int] = (), most: int = SHOWN) -> np.ndarray:
    """Positions of the pictures whose two most probable classes are nearest to each other."""
    ranked = np.sort(tested.probabilities, axis=1)
    order = np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")
    return order[~np.isin(order, without)][:most]


def describe_pictures(saved: SavedResult, positions: Sequence[int]) -> list[dict]:
    """For each picture its file, names, probabilities and a thumbnail (`None` where the file is gone)."""
    return [_named(saved, i) | {"picture": _thumbnail(saved, i)} for i in positions]


def explain_pictures(saved: SavedResult, model: keras.Model, positions: Sequence[int]) -> tuple[str, list[dict]]:
    """(what was used, rows as above) for the first few that are still there; `picture` is overlaid with the map."""
    size, fit, pixels, kept = saved.figures["image_size"], saved.config["options"]["fit"], [], []
    for i in positions:
        if len(kept) < EXPLAINED and (square := _read(read_fitted, saved, i, size, fit)) is not None:
            pixels.append(square)
            kept.append(i)
    if not kept:
        return "", []
    stack = np.stack(pixels).astype(np.float32)
    used, heats = where_it_looked(model, stack, saved.tested.probabilities[kept].argmax(axis=1))
    rows = [
        _named(saved, i) | {"plain": _web(picture.astype(np.uint8)), "picture": _web(overlay(picture, heat))}
        for i, picture, heat in zip(kept, stack, heats)
    ]
    return used, rows


def _named(saved: SavedResult, position: int) -> dict:
    tested, names = saved.tested, saved.figures["classes"]
    chances, label = tested.probabilities[position], tested.labels[position]
    return {
        "file": tested.files[position],
        "true": names[label],
        "predicted": names[chances.argmax()],
        "probability": float(chances.max()),
        "of_true": float(chances[label]),
    }


def _read(read: Callable, saved: SavedResult, position: int, *how) -> np.ndarray | None:
    """What `read` makes of a picture, or `None` where it is gone or damaged by now."""
    try:
        return read(saved.path(saved.tested.files[position]), *how, levels=saved.config.get("levels"))
    except (PictureError, OSError):
        return None


def _thumbnail(saved: SavedResult, position: int) -> str | None:
    picture = _read(read_small, saved, position, SIDE)
    return None if picture is None else data_address(picture, QUALITY)


def _web(picture: np.ndarray) -> str:
    """A small WebP for an `<img>`."""
    return thumbnail(picture, SIDE, QUALITY)
