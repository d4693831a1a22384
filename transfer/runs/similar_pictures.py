"""The pictures that are nearest to others, by what a network makes of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from transfer.data.pipeline import squares
from transfer.data.sources import Source
from transfer.errors import require_whole
from transfer.learning.options import TrainingOptions
from transfer.progress import bar
from transfer.runs.picture_features import PictureFeatures, features_of
from transfer.runs.prediction import list_sources
from transfer.settings import MAX_SIZE

if TYPE_CHECKING:
    import keras

DIGITS = 6  # of a cosine; float32 has little more


class Neighbour(NamedTuple):
    """A picture near another one: its path, its class, and the cosine of their features, -1..1."""

    file: str
    label: str
    similarity: float


class SimilarPictures(NamedTuple):
    """The answer to one picture.

    Attributes:
        file: as it was asked for; `pictures[2]` where that is no file.
        nearest: the nearest one first.
        error: why there is no answer, or "".
    """

    file: str
    nearest: tuple[Neighbour, ...]
    error: str = ""


def find_similar(
    source: str | Path | PictureFeatures,
    pictures: Source | Iterable[Source],
    count: int = 10,
    backbone: keras.Model | str | None = None,
    options: TrainingOptions | None = None,
    max_size: float = MAX_SIZE,
    **changes: Any,
) -> list[SimilarPictures]:
    """Find the pictures of DATA, or of those that a run learned from, that are most like some others.

    All are compared, by the cosine of their features. A picture is not among its own answers; a copy of it is.

    Args:
        source: DATA, the folder of a run, or what `features_of` made of one of them.
        pictures: to be looked for, see `predict`.
        count: how many to find for each of them.
        backbone, options, max_size, **changes: see `features_of`; without effect where that was called before.

    Returns:
        One `SimilarPictures` a picture, in order, each file once. A file that is no picture gets one that says so.

    Raises:
        OptionError: `count` is no whole number from 1 up; see also `features_of`.
        DataError: nothing matches, or something else was given.
    """
    require_whole("count", count)
    asked = list_sources(pictures)
    found = (
        source if isinstance(source, PictureFeatures) else features_of(source, backbone, options, max_size, **changes)
    )
    known, places = _of_length_1(found.features), {os.path.abspath(path): i for i, path in enumerate(found.paths)}
    names, rows = iter(asked.items()), []
    with bar("similar", len(asked)) as advance:
        for features, errors in _seen(found, list(asked.values())):
            # The same features differ in the last digits by their place in a product, and are to keep their order.
            cosines = (_of_length_1(features) @ known.T).astype(np.float64).round(DIGITS)
            for values, error in zip(cosines, errors):
                name, picture = next(names)
                itself = places.get(os.path.abspath(picture)) if isinstance(picture, (str, Path)) else None
                rows.append(SimilarPictures(name, () if error else _nearest(found, values, itself, count), error))
            advance(len(errors))
    return rows


def _seen(found: PictureFeatures, pictures: list[Source]) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield (features `(B, D)`, errors) of pictures, batch by batch."""
    from transfer.networks.features import forward

    reasons: list[str] = []

    def batches() -> Iterator[np.ndarray]:
        for pixels, errors in squares(pictures, found.network.input_shape[1], found.fit, found.levels):
            reasons[:] = errors
            yield pixels

    for features in forward(found.network, batches()):
        yield features, [*reasons]


def _nearest(found: PictureFeatures, cosines: np.ndarray, itself: int | None, count: int) -> tuple[Neighbour, ...]:
    """The nearest of all pictures but one, those alike in their order."""
    others = np.arange(len(cosines)) if itself is None else np.delete(np.arange(len(cosines)), itself)
    if count < len(others):
        least = np.partition(cosines[others], -count)[-count]
        others = others[cosines[others] >= least]
    best = others[np.argsort(-cosines[others], kind="stable")][:count]
    labels = (found.class_names[found.labels[i]] for i in best)
    return tuple(Neighbour(str(found.paths[i]), label, float(cosines[i])) for i, label in zip(best, labels))


def _of_length_1(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)
