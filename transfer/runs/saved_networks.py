"""A SavedModel, or the network of a run, loaded to name what is in pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from transfer.data.levels import Levels
from transfer.data.pipeline import BATCH, squares
from transfer.data.sources import Source
from transfer.engine_packages import require_engine
from transfer.errors import ModelFileError, OptionError, first_line
from transfer.names import AUTO
from transfer.networks.engines import choose_engine
from transfer.reading import run_config
from transfer.runs.exports import SIDECAR, endpoint
from transfer.runs.network_places import network_place
from transfer.runs.plain_paths import plain_path
from transfer.runs.run_folders import load_network_of


class SavedNetwork(NamedTuple):
    """A network that answers, and what it has to be given; of a run also its Keras `model`, to be looked into."""

    classify: object
    class_names: tuple[str, ...]
    image_size: int
    fit: str
    levels: Levels
    model: object = None


def load_network(model: str | Path, trust: bool = False) -> SavedNetwork:
    """Load the network of a run, or a SavedModel written by this toolkit from its folder or its versions' folder.

    A `model.keras` is data and loads in safe mode. The graph of a SavedModel is a program, which can read and write
    files: it is used only where there is nothing else, and with `trust`.

    Args:
        model: a run, one method of a comparison, or a SavedModel.
        trust: run the graph of a SavedModel that lies in no run.

    Raises:
        ModelFileError: neither of them there, damaged, or a SavedModel alone without `trust`.
    """
    place, is_run = network_place(model, trust)
    return _keras_model(place) if is_run else _saved_model(place)


def _saved_model(place: Path) -> SavedNetwork:
    try:
        about = json.loads((place / SIDECAR).read_text())
        with plain_path(place) as path:
            loaded = tf.saved_model.load(path)
        network = SavedNetwork(
            _Keep(loaded, loaded.signatures["serving_default"]),
            tuple(about["class_names"]), about["image_size"], about["fit"], about.get("levels", {}),
        )  # fmt: skip
        black = tf.zeros((1, network.image_size, network.image_size, 3))
        named = loaded.signatures["serving_default"](pictures=black)["class_names"].numpy()[0].tolist()
    except Exception as error:  # whatever damaged files make TensorFlow raise
        raise ModelFileError(
            f"{place} was not written by transfer, or is damaged ({first_line(error)}); export it again"
        ) from error
    if named != [name.encode("utf-8", "surrogateescape") for name in network.class_names]:
        raise ModelFileError(f"{place / SIDECAR} names other classes than the graph beside it; export it again")
    return network


def _keras_model(run: Path) -> SavedNetwork:
    config = run_config(run, "model.keras")
    model = load_network_of(run, config)
    classify = _Keep(model, endpoint(model, config["classes"]))
    return SavedNetwork(
        classify, tuple(config["classes"]), model.input_shape[1], config["options"]["fit"], config.get("levels", {}),
        model,
    )  # fmt: skip


class _Keep:
    """A signature that keeps its model alive: TensorFlow lets go of the weights otherwise."""

    def __init__(self, loaded, signature):
        self._loaded, self._signature = loaded, signature

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        answers = self._signature(pictures=tf.constant(pictures, tf.float32))
        return answers["probabilities"].numpy().astype(np.float64)


def answering_by(
    network: SavedNetwork, engine: str, pictures: int, told: Callable[[str], None] = lambda name: None
) -> SavedNetwork:
    """The same network, answering by an engine, which the first batch that it is asked about may choose.

    Args:
        network: from `load_network`.
        engine: see `engines.choose_engine`.
        pictures: how many will be asked about.
        told: called with the name of the engine before it answers.

    Raises:
        UnknownNameError, MissingExtraError: see `engines.choose_engine`.
        OptionError: another engine than TensorFlow for the graph of a SavedModel.
    """
    require_engine(engine)
    if network.model is None and engine not in (AUTO, "tensorflow"):
        raise OptionError(
            f"`engine={engine}` for a SavedModel that lies in no run, which is TensorFlow's own; give the run, or "
            "`engine=tensorflow`"
        )
    if network.model is None or engine == "tensorflow":
        told("tensorflow")
        return network
    pictures_in = keras.Input(network.model.input_shape[1:])
    sure = keras.layers.Softmax(dtype="float32")(network.model(pictures_in, training=False))
    answering = keras.Model(pictures_in, sure, name=network.model.name)
    chosen = None

    def classify(pixels: np.ndarray) -> np.ndarray:
        nonlocal chosen
        if chosen is not None:
            return chosen.answer(pixels).astype(np.float64)
        chosen = choose_engine(answering, engine, pixels, pictures, known=network.classify)
        told(chosen.name)
        return chosen.of_sample.astype(np.float64)

    return network._replace(classify=classify)


def answers(
    network: SavedNetwork, pictures: Sequence[Source]
) -> Iterator[tuple[Sequence[Source], np.ndarray, list[str]]]:
    """Yield (pictures, probabilities `(B, C)`, for each picture why it cannot be read or `""`), batch by batch."""
    starts = range(0, len(pictures), BATCH)
    for start, (pixels, errors) in zip(starts, squares(pictures, network.image_size, network.fit, network.levels)):
        yield pictures[start : start + BATCH], network.classify(pixels), errors
