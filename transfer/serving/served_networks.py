"""A folder to a network that is ready to answer, by the engine that is fastest here."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from transfer.data.pipeline import BATCH
from transfer.exports.exported_networks import load_export
from transfer.exports.runtimes import exported_format
from transfer.runs.saved_networks import SavedNetwork, answering_by, load_network

MANY = 10**9  # pictures that a server may be asked about: a conversion pays


def open_network(folder: Path, trust: bool, engine: str) -> SavedNetwork:
    """Load a network and let it answer once, since the first answer takes longest.

    Args:
        folder: of a run, an export, or a SavedModel.
        trust: see `load_network`.
        engine: what computes the answers of a run, see `engines.choose_engine`. It is chosen, and compared with
            TensorFlow, by pictures of chance, for there are no others yet.

    Returns:
        One that several threads may ask at once.

    Raises:
        ModelFileError, MissingExtraError: see `load_network` and `load_export`.
        EngineError: an engine that was named cannot compute this network.
    """
    if exported_format(folder):
        network = load_export(folder)
        _warm(network, 1)
        return _in_turn(network)
    names: list[str] = []
    loaded = load_network(folder, trust)
    network = answering_by(loaded, engine, MANY, names.append) if loaded.model is not None else loaded
    _warm(network, BATCH)
    return network if loaded.model is None or names == ["tensorflow"] else _in_turn(network)


def _warm(network: SavedNetwork, pictures: int) -> None:
    shape = (pictures, network.image_size, network.image_size, 3)
    network.classify(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def _in_turn(network: SavedNetwork) -> SavedNetwork:
    """What other runtimes have opened serves one thread at a time, and has all cores then."""
    one = threading.Lock()

    def classify(pictures: np.ndarray) -> np.ndarray:
        with one:
            return network.classify(pictures)

    return network._replace(classify=classify)
