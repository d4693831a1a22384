"""Files of weights: read into a network, or refused with one sentence."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np

from transfer.errors import WeightsError, first_line


def load_weights(model: keras.Model, path: Path, name: str) -> None:
    """Give a network the weights in a file of Keras.

    Raises:
        WeightsError: they belong to another network than `name`, or it is no such file.
    """
    try:
        with warnings.catch_warnings():  # Keras names layer after layer that does not fit before it raises
            warnings.simplefilter("ignore", UserWarning)
            model.load_weights(path)
    except Exception as error:  # Keras and h5py raise ValueError, OSError, KeyError and more
        raise WeightsError(
            f"{path} holds no weights of {name} without its classifier ({first_line(error)}); "
            "give a file that belongs to this backbone"
        ) from error


def save_half_precision(model: keras.Model, path: Path) -> str:
    """Write the weights as float16 arrays `w0, w1, ...`; returns the digest of the file."""
    np.savez(path, **{f"w{i}": w.astype(np.float16) for i, w in enumerate(model.get_weights())})
    return _digest(path)


def load_half_precision(model: keras.Model, path: Path, digest: str | None = None) -> None:
    """Give a network what `save_half_precision` wrote.

    Raises:
        WeightsError: the file has another digest, or belongs to another network.
    """
    if digest is not None and _digest(path) != digest:
        raise WeightsError(f"{path} is damaged: its digest is not that of the shipped weights; install transfer again")
    try:
        with np.load(path, allow_pickle=False) as file:
            values = [file[f"w{i}"].astype(np.float32) for i in range(len(file.files))]
        model.set_weights(values)
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} holds no weights of the {model.name} network ({first_line(error)})") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
