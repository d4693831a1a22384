"""The network that is converted: whole numbers in, probabilities out, nothing left for others to do."""

from __future__ import annotations

import keras
from keras import layers as kl

from transfer.networks.conversions import network_of_pixels

OUTPUT = "probabilities"


def answering_network(model: keras.Model, dtype: str = "uint8") -> keras.Model:
    """A network that answers with probabilities, sharing the weights of `model`.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`.
        dtype: see `network_of_pixels`.

    Returns:
        `pictures` `(B, S, S, 3)` 0..255 to `probabilities` `(B, C)` float32.
    """
    return network_of_pixels(model, kl.Softmax(dtype="float32", name=OUTPUT), dtype)
