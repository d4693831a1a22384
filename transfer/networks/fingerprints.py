"""What a network computes, as a digest by which what was made of it is known again."""

from __future__ import annotations

import hashlib
import json

import keras


def fingerprint(model: keras.Model) -> str:
    """A digest of what a network computes: its graph, whatever the names in it, and its weights."""
    graph = json.dumps(_without_names(model.get_config()), sort_keys=True, default=str)
    digest = hashlib.blake2b(graph.encode(), digest_size=16)
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _without_names(config, positions: dict[str, int] | None = None):
    """A configuration whose layers and operations are known by their position: Keras numbers their names on and on."""
    if isinstance(config, (list, tuple)):
        return [_without_names(value, positions) for value in config]
    if not isinstance(config, dict):
        return config
    if "input_layers" in config:  # a graph, in which names are its own
        positions = {row["name"]: position for position, row in enumerate(config["layers"])}
    return {
        key: keras.tree.map_structure(lambda end: positions.get(end, end), value)
        if key in ("keras_history", "input_layers", "output_layers")
        else _without_names(value, positions)
        for key, value in config.items()
        if key not in ("name", "trainable", "compile_config")
    }
