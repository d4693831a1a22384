"""A network in two: what training leaves as it is, and what follows."""

from __future__ import annotations

from typing import NamedTuple

import keras

from transfer.errors import LayerError
from transfer.networks.copies import is_of_layers
from transfer.networks.taps import Tap, open_network


class Halves(NamedTuple):
    """Two networks that share the layers of a third: `upper` of what `lower` gives is what that gives.

    Attributes:
        lower: pictures `(B, S, S, 3)` to a list of the tensors that layers above are given.
        upper: that list to the features `(B, D)`.
    """

    lower: keras.Model
    upper: keras.Model


def halves(network: keras.Model) -> Halves | None:
    """Divide a network above the last layer that no trained one comes before.

    Args:
        network: functional, pictures `(B, S, S, 3)` to features `(B, D)`; what is trainable of it is set.

    Returns:
        `None` where no layer with weights is left below, or where layers are out of reach, inside another network.
    """
    if any(isinstance(layer, keras.Model) or is_of_layers(layer) for layer in network.layers):
        return None
    try:
        opened = open_network(network)
    except LayerError:
        return None
    still = {id(opened.pictures)}  # tensors that training cannot change
    below, above = [], []
    for call in opened.calls:
        stays = not _weights(call, "trainable_weights") and all(id(tensor) in still for tensor in call.inputs)
        still |= {id(tensor) for tensor in call.outputs} if stays else set()
        (below if stays else above).append(call)
    if not above or not any(_weights(call, "weights") for call in below):
        return None
    between = _taken(above, still)
    return Halves(keras.Model(opened.pictures, between), keras.Model(between, opened.logits, name=network.name))


def _weights(call: Tap, kind: str) -> list:
    return getattr(call.layer, kind, [])  # an operation of `keras.ops` is in the graph as it is, and has none


def _taken(above: list[Tap], still: set[int]) -> list[keras.KerasTensor]:
    found = {id(tensor): tensor for call in above for tensor in call.inputs if id(tensor) in still}
    return list(found.values())
