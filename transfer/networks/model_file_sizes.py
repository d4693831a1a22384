"""How large the model of a `.keras` file is, found out before any of it is allocated."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path

import h5py
import keras
import tensorflow as tf

from transfer.errors import ModelFileError

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_FREE = 64 << 20  # bytes that any file may ask for
_TIMES = 20  # as many bytes as a file has may it unpack to: Keras itself packs nothing


def check_sizes(path: Path) -> None:
    """Refuse a `.keras` file that asks for far more memory than it has bytes.

    Its archive's directory says what it unpacks to, its weights what arrays they hold, and its configuration what
    arrays its layers make: those are only drawn as a graph here.

    Raises:
        ModelFileError: one of them is out of proportion.
    """
    allowed = _FREE + _TIMES * path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        _require(path, "unpacks to", sum(part.file_size for part in archive.infolist()), allowed)
        config = json.loads(archive.read(_CONFIG))
        weights = archive.read(_WEIGHTS) if _WEIGHTS in archive.namelist() else b""
    if weights:
        _require(path, "has weights of", _bytes_of_arrays(weights), allowed)
    _require(path, "has layers of", _bytes_of_layers(config), allowed)


def _require(path: Path, what: str, size: int, allowed: int) -> None:
    if size > allowed:
        raise ModelFileError(
            f"{path} {what} {size / 1e9:.3g} GB, in a file of {path.stat().st_size / 1e6:.3g} MB: it is damaged, or "
            "made to fill the memory; expected a .keras file as Keras writes it"
        )


def _bytes_of_arrays(weights: bytes) -> int:
    sizes = []
    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    return sum(sizes)


def _bytes_of_layers(config: dict) -> int:
    with tf.Graph().as_default():
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        return sum(math.prod(each.shape) * 4 for each in model.variables)
