"""What the layers of a network hold and find, as arrays: filters, feature maps, exciting pictures, edges."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl
from scipy import ndimage

from transfer.errors import LayerError
from transfer.networks.features import forward
from transfer.networks.taps import OpenNetwork, Tap, is_convolution, open_network

EDGES = ("vertical edges", "horizontal edges", "edges of any direction")
_LUMINANCE = (0.299, 0.587, 0.114)


def layer_output(model: keras.Model, pictures: np.ndarray, layer: str) -> np.ndarray:
    """What a layer makes of pictures: for a convolution one new image a filter.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`.
        pictures: `(B, S, S, 3)` 0..255.
        layer: a name from `layer_names`.

    Returns:
        float32, `(B, H, W, filters)` for a map, `(B, units)` for a fully-connected layer.

    Raises:
        LayerError: no layer of that name.
    """
    network = open_network(model)
    tapped = network.up_to(network.tap(layer).output)
    outputs = keras.ops.convert_to_numpy(tapped(np.asarray(pictures, np.float32), training=False))
    return outputs[: len(pictures)]  # behind them may come those of a second view, see `two_views`


def first_layer_images(model: keras.Model) -> np.ndarray:
    """The weights of the first layer as images of what each unit answers to most.

    For a convolution these are its filters, for a dense network the weights of each unit, laid out as the
    pixels they belong to. They are shown in the colours of the picture, whatever the network's own
    preprocessing makes of them (some backbones take blue first).

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to anything.

    Returns:
        `(units, height, width, 3)` float32 0..1: grey (0.5) is a weight of 0, each unit's largest
        weight is 0 or 1.

    Raises:
        LayerError: no such layer, or it does not see three colours.
    """
    network = open_network(model)
    first = network.first_weighted()
    seen = _map_before(network, first)
    kernel = first.layer.get_weights()[0]
    if kernel.ndim == 2 and len(kernel) == np.prod(seen.shape[1:]):
        kernel = kernel.reshape(*seen.shape[1:], -1)
    if kernel.ndim != 4 or kernel.shape[2] != 3:
        raise LayerError(f"layer {first.layer.name} has weights {kernel.shape}; expected some for each of 3 colours")
    filters = np.einsum("hwcf,cd->fhwd", kernel, _colour_matrix(network, seen))
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return (0.5 + filters / np.maximum(2 * largest, 1e-12)).astype(np.float32)


def first_layer_before_training(model: keras.Model, seed: int) -> np.ndarray:
    """The first layer of a network from scratch as it was before training, made again from its seed.

    The first layer draws the first random numbers after the seed is set, so that its initial weights are
    the same in every network that begins with it. It sets the seed of Keras.

    Args:
        model: a network trained by `train` with `method="scratch"` from random weights.
        seed: of that training.

    Returns:
        as `first_layer_images`.
    """
    keras.utils.set_random_seed(seed)
    return first_layer_images(keras.models.clone_model(model))


def most_exciting(
    model: keras.Model, batches: Iterable[np.ndarray], layer: str, count: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """The pictures that excite each unit of a layer most (Zeiler & Fergus 2014, arXiv:1311.2901).

    A unit of a map counts with its highest value over all positions.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to logits.
        batches: uint8 pictures `(B, S, S, 3)`.
        layer: a name from `layer_names`.
        count: how many pictures a unit.

    Returns:
        (positions of the pictures, `(units, count)`, most exciting first; the unit's values for them).

    Raises:
        LayerError: no layer of that name.
    """
    network = open_network(model)
    output = network.tap(layer).output
    if len(output.shape) == 4:
        output = kl.GlobalMaxPooling2D()(output)
    values = np.concatenate(list(forward(network.up_to(output), batches))).T
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(values, order, axis=1)


def sobel(picture: np.ndarray) -> np.ndarray:
    """Edges as the classic operator of Sobel and Feldman (1968) finds them in a picture's luminance.

    Args:
        picture: `(H, W, 3)` 0..255.

    Returns:
        `(3, H, W)` float32: vertical and horizontal edges, signed, and their strength.
    """
    grey = np.asarray(picture, np.float32) @ np.array(_LUMINANCE, np.float32)
    vertical, horizontal = ndimage.sobel(grey, axis=1), ndimage.sobel(grey, axis=0)
    return np.stack([vertical, horizontal, np.hypot(vertical, horizontal)])


def edge_correlations(model: keras.Model, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much each filter of the first layer finds what Sobel's operator finds.

    Args:
        model: a convolutional network, pictures `(B, S, S, 3)` 0..255.
        picture: `(S, S, 3)` 0..255.

    Returns:
        (Pearson's correlation -1..1 over all positions for each of `EDGES` and each filter, `(3,
        filters)`; the filters' maps, `(filters, H, W)`).

    Raises:
        LayerError: the first layer is no convolution.
    """
    first = open_network(model).first_weighted().layer
    if not is_convolution(first):
        raise LayerError(f"the first layer {first.name} is no convolution; it finds no edges to compare")
    maps = layer_output(model, picture[None], first.name)[0]
    edges = tf.image.resize(sobel(picture).transpose(1, 2, 0), maps.shape[:2], "area").numpy()
    flat = [_standardised(values.reshape(-1, values.shape[-1])) for values in (edges, maps)]
    return flat[0].T @ flat[1] / len(flat[0]), maps.transpose(2, 0, 1)


def _standardised(columns: np.ndarray) -> np.ndarray:
    centred = columns - columns.mean(axis=0)
    return centred / np.maximum(centred.std(axis=0), 1e-9)


def _map_before(network: OpenNetwork, first: Tap) -> keras.KerasTensor:
    """The last map on the way to a layer: what it sees, before it is flattened."""
    seen = network.pictures
    for tap in network.taps.values():
        if len(tap.input.shape) == 4:
            seen = tap.input
        if tap is first:
            return seen
    return seen


def _colour_matrix(network: OpenNetwork, seen: keras.KerasTensor) -> np.ndarray:
    """What a layer sees of red, green and blue, `(3 channels, 3 colours)`.

    Preprocessing treats all positions alike, so that plain pictures tell: black, and each full colour.
    """
    size = network.pictures.shape[1]
    plain = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)])[:, None, None].repeat(size, 1).repeat(size, 2)
    answers = keras.ops.convert_to_numpy(network.up_to(seen)(plain.astype(np.float32), training=False))
    answers = answers[: len(plain)]
    middle = answers[:, answers.shape[1] // 2, answers.shape[2] // 2]
    return ((middle[1:] - middle[0]) / 255).T
