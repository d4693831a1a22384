"""The network that is converted: whole numbers in, probabilities out, nothing left for others to do."""

from __future__ import annotations

import keras
from keras import layers as kl

INPUT, OUTPUT = "pictures", "probabilities"


def answering_network(model: keras.Model, dtype: str = "uint8") -> keras.Model:
    """A network that answers with probabilities, sharing the weights of `model`.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`.
        dtype: of the pictures; `float32` where a converter is to choose whole numbers itself.

    Returns:
        `pictures` `(B, S, S, 3)` 0..255 to `probabilities` `(B, C)` float32.
    """
    pictures = keras.Input(model.input_shape[1:], dtype=dtype, name=INPUT)
    values = pictures if dtype == "float32" else keras.ops.cast(pictures, "float32")
    logits = model(values, training=False)
    return keras.Model(pictures, kl.Softmax(dtype="float32", name=OUTPUT)(logits))
