"""A SavedModel, or the network of a run, loaded to name what is in pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from transfer.data.images import fit_picture
from transfer.data.pipeline import BATCH
from transfer.data.sources import Source, read_source
from transfer.errors import ModelFileError, PictureError, first_line
from transfer.networks.model_files import load_model
from transfer.reading import run_config
from transfer.runs.exports import SIDECAR, endpoint, versions


class SavedNetwork(NamedTuple):
    """A network that answers, and what it has to be given."""

    classify: object
    class_names: tuple[str, ...]
    image_size: int
    fit: str


def load_network(model: str | Path) -> SavedNetwork:
    """Load a SavedModel written by this toolkit, from its folder, its versions' folder, or a run.

    One method of a comparison has no SavedModel: there the Keras model answers.

    Raises:
        ModelFileError: neither of them there, or damaged.
    """
    folder = Path(model)
    if not folder.exists():
        raise ModelFileError(f"{model} does not exist; expected a run or a SavedModel")
    places = [folder, folder / "saved_model", *versions(folder)[-1:]]
    place = next((p for p in places if (p / "saved_model.pb").is_file()), None)
    if place is not None:
        return _saved_model(place)
    if (folder / "model.keras").is_file():
        return _keras_model(folder)
    raise ModelFileError(f"{model} holds no SavedModel; expected a run, or a folder with saved_model.pb")


def _saved_model(place: Path) -> SavedNetwork:
    try:
        about = json.loads((place / SIDECAR).read_text())
        loaded = tf.saved_model.load(str(place))
        classify = _Keep(loaded, loaded.signatures["serving_default"])
        return SavedNetwork(classify, tuple(about["class_names"]), about["image_size"], about["fit"])
    except Exception as error:  # whatever damaged files make TensorFlow raise
        raise ModelFileError(
            f"{place} was not written by transfer, or is damaged ({first_line(error)}); export it again"
        ) from error


def _keras_model(run: Path) -> SavedNetwork:
    config, model = run_config(run), load_model(run / "model.keras")
    classify = _Keep(model, endpoint(model, config["classes"]))
    return SavedNetwork(classify, tuple(config["classes"]), model.input_shape[1], config["options"]["fit"])


class _Keep:
    """A signature that keeps its model alive: TensorFlow lets go of the weights otherwise."""

    def __init__(self, loaded, signature):
        self._loaded, self._signature = loaded, signature

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        answers = self._signature(pictures=tf.constant(pictures, tf.float32))
        return answers["probabilities"].numpy().astype(np.float64)


def answers(
    network: SavedNetwork, pictures: Sequence[Source]
) -> Iterator[tuple[Sequence[Source], np.ndarray, list[str]]]:
    """Yield (pictures, probabilities `(B, C)`, for each picture why it cannot be read or `""`), batch by batch."""
    size = network.image_size

    def read(picture: Source):
        try:
            return fit_picture(read_source(picture), size, network.fit), ""
        except PictureError as error:
            return np.zeros((size, size, 3), np.uint8), str(error)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            pixels, errors = zip(*pool.map(read, batch))
            yield batch, network.classify(np.stack(pixels)), list(errors)
