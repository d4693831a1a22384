"""What a network takes of the memory while it works, at the least, from the shapes of its layers."""

from __future__ import annotations

import math

import keras

from transfer.memory import FLOAT, require_memory

ADVICE = "give a smaller `image_size`"


def require_forward(network: keras.Model, pictures: int) -> None:
    """Refuse a network whose largest layer does not fit into the memory for so many pictures at once.

    Raises:
        OptionError: with what would be needed.
    """
    each = [_numbers(layer.input) + _numbers(layer.output) for layer in network.layers if hasattr(layer, "output")]
    require_memory(_what(network, pictures), FLOAT * pictures * max(each, default=0), ADVICE)


def require_training(network: keras.Model, pictures: int) -> None:
    """The same for training, which keeps what every layer gives until the gradients have come back.

    Raises:
        OptionError: with what would be needed.
    """
    each = [_numbers(layer.output) for layer in network.layers if hasattr(layer, "output")]
    require_memory(_what(network, pictures), FLOAT * pictures * sum(each), f"{ADVICE}, or `batch_size`")


def _numbers(tensors) -> int:
    return sum(math.prod(side or 1 for side in tensor.shape[1:]) for tensor in keras.tree.flatten(tensors))


def _what(network: keras.Model, pictures: int) -> str:
    return f"{network.name} with {pictures} pictures of {network.input_shape[1]} pixels at once"
