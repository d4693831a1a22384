"""What a backbone makes of each picture, computed once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import keras
import numpy as np

from transfer.cache import cache_folder
from transfer.data.folders import LabelledImages
from transfer.data.pipeline import BATCH, Pictures
from transfer.engine_packages import require_engine
from transfer.errors import TrainingError, UnreadablePictures
from transfer.kept_rows import KeptRows
from transfer.names import AUTO
from transfer.networks.engines import choose_engine, compiled, keeps_apart
from transfer.networks.fingerprints import fingerprint
from transfer.networks.needed_memory import require_forward
from transfer.progress import bar

WRITTEN_TOGETHER = 512  # pictures; what a stop loses at most


def extract_features(
    backbone: keras.Model,
    images: LabelledImages,
    indices: Sequence[int] | None = None,
    fit: str = "crop",
    pictures: Pictures | None = None,
    cache: bool = True,
    on_known: Callable[[int], None] = lambda count: None,
    engine: str = AUTO,
) -> np.ndarray:
    """Send pictures through a backbone, each content once, and only those not on disk already.

    Args:
        backbone: pictures `(B, S, S, 3)` 0..255 to features `(B, D)`.
        images: the files.
        indices: which of them; all by default.
        fit: how pictures are brought to the square.
        pictures: where pixels come from, if something else wants to keep them too.
        cache: keep the features in the user's cache folder, by content, backbone, size, fit and levels.
        on_known: is told how many contents were on disk already.
        engine: what computes them, see `engines.choose_engine`. Those that compute in float32 share what is kept.

    Returns:
        `(len(indices), D)` float32.

    Raises:
        UnreadablePictures: some could not be decoded; what the others gave is on disk.
        OptionError: the pictures are too large for the memory.
        TrainingError: features are NaN or infinite.
        UnknownNameError, MissingExtraError, EngineError: see `engines.choose_engine`.
    """
    require_engine(engine)
    indices = np.arange(len(images)) if indices is None else np.asarray(indices)
    size = backbone.input_shape[1]
    require_forward(backbone, min(BATCH, len(indices)))
    pictures = pictures or Pictures(images, size, fit)
    digests = [images.digests[i] for i in indices]
    with closing(_Store(backbone, pictures, cache, engine)) as store:
        known = store.read(set(digests))
        on_known(len(known))
        missing = {digest: index for digest, index in zip(digests, indices) if digest not in known}
        known |= _compute(backbone, pictures, missing, store, engine)
    if not digests:
        return np.zeros((0, backbone.output_shape[-1]), np.float32)
    features = np.stack([known[digest] for digest in digests])
    if len(odd := np.flatnonzero(~np.isfinite(features).all(axis=1))):
        raise TrainingError(
            f"{backbone.name} gives features that are no finite numbers for {len(odd)} of {len(indices)} pictures, "
            f"first {images.names[indices[odd[0]]]}; look at its weights, and at what its layers make of that picture"
        )
    return features


def _compute(
    backbone: keras.Model, pictures: Pictures, missing: dict[str, int], store: _Store, engine: str
) -> dict[str, np.ndarray]:
    digests, rows = list(missing), {}
    failed: list[UnreadablePictures] = []
    chosen = None
    with bar("features", len(digests)) as advance:
        for start in range(0, len(digests), WRITTEN_TOGETHER):
            part = digests[start : start + WRITTEN_TOGETHER]
            values, bad = [], set()
            try:
                for batch in pictures.batches([missing[digest] for digest in part]):
                    if chosen is None:
                        chosen = choose_engine(backbone, engine, batch, len(digests))
                        values.extend(chosen.of_sample)
                    else:
                        values.extend(chosen.answer(batch))
                    advance(len(batch))
            except UnreadablePictures as error:
                failed.append(error)
                bad = {pictures.images.digests[i] for i in error.positions}
            fresh = {digest: value for digest, value in zip(part, values) if digest not in bad}
            store.write(fresh)
            rows |= fresh
    if len(failed) == 1:
        raise failed[0]
    if failed:
        positions = [i for error in failed for i in error.positions]
        raise UnreadablePictures(f"{len(positions)} pictures could not be decoded; first: {failed[0]}", positions)
    return rows


def forward(model: keras.Model, batches: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the model's float32 answers to uint8 batches; one compiled graph for every batch length.

    What a layer inside gives may be longer: behind the pictures come their second views, see `two_views`.
    """
    answer = compiled(model)
    for batch in batches:
        yield answer(batch)[: len(batch)]


def batches_of(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an array `(N, ...)` in batches."""
    yield from (pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH))


class _Store:
    """Features by picture digest in one file for each backbone, size, fit and levels."""

    def __init__(self, backbone: keras.Model, pictures: Pictures, persistent: bool, engine: str):
        levels = "".join(f"-{kind.replace(';', '')}{level:g}" for kind, level in pictures.images.levels.items())
        name = f"{fingerprint(backbone)}-{pictures.size}-{pictures.fit}{levels}{keeps_apart(engine)}.sqlite"
        self._bytes = 4 * backbone.output_shape[-1]
        self._rows = KeptRows(cache_folder("features") / name if persistent else None, ("value",))

    def read(self, digests: set[str]) -> dict[str, np.ndarray]:
        known = {digest: value for digest, (value,) in self._rows.read(digests).items() if len(value) == self._bytes}
        return {digest: np.frombuffer(value, np.float32) for digest, value in known.items()}

    def write(self, rows: dict[str, np.ndarray]) -> None:
        self._rows.write({digest: (row.tobytes(),) for digest, row in rows.items()})

    def close(self) -> None:
        self._rows.close()
