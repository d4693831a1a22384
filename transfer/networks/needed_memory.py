"""What a network takes of the memory while it works, at the least, from the shapes of its layers."""

from __future__ import annotations

import math

import keras

from transfer.memory import FLOAT, fits, require_memory

ADVICE = "give a smaller `image_size`"


def require_forward(network: keras.Model, pictures: int) -> None:
    """Refuse a network whose largest layer does not fit into the memory for so many pictures at once.

    Raises:
        OptionError: with what would be needed.
    """
    each = [_numbers(layer.input) + _numbers(layer.output) for layer in network.layers if hasattr(layer, "output")]
    require_memory(_what(network, pictures, network.input_shape[1]), FLOAT * pictures * max(each, default=0), ADVICE)


def fitting_batch(network: keras.Model, batch_size: int, pictures: int, size: int) -> int:
    """A batch size, halved until training fits, which keeps what every layer gives until the gradients have come back.

    Args:
        network: to be trained.
        batch_size: that is wanted.
        pictures: there are, so that none is larger.
        size: of a picture in pixels.

    Raises:
        OptionError: a single picture does not fit, with what would be needed.
    """
    each = FLOAT * sum(_numbers(layer.output) for layer in network.layers if hasattr(layer, "output"))
    while batch_size > 1 and not fits(each * min(batch_size, pictures)):
        batch_size //= 2
    most = min(batch_size, pictures)
    require_memory(_what(network, most, size), each * most, ADVICE)
    return batch_size


def _numbers(tensors) -> int:
    return sum(math.prod(side or 1 for side in tensor.shape[1:]) for tensor in keras.tree.flatten(tensors))


def _what(network: keras.Model, pictures: int, size: int) -> str:
    shown = "a picture" if pictures == 1 else f"{pictures} pictures"
    return f"{network.name} with {shown} of {size} pixels at once"
