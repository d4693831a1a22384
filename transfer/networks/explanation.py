"""Where a network looked: maps over a picture of what decided for a class.

Each function takes a network, pictures and classes, and gives maps of the pictures' size. They rest on
different things (gradients at the last maps, gradients at the pixels, no gradients at all), so that
one can check the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from transfer.data.pipeline import BATCH
from transfer.errors import LayerError
from transfer.networks.features import batches_of, forward
from transfer.networks.taps import open_network

# The square of an occlusion map has this part of the side and moves by half of itself. Against Grad-CAM on 40
# `flowers`, a quarter agrees better than a sixth (correlation 0.27 to 0.20) for half the answers.
COVERS = 4


def grad_cam(
    model: keras.Model, pictures: np.ndarray, classes: Sequence[int] | None = None, layer: str | None = None
) -> np.ndarray:
    """Gradient-weighted class activation maps (Selvaraju et al. 2017, arXiv:1610.02391).

    The maps of a layer are added up, each weighted by the mean gradient of the class's logit at it; what
    speaks against the class is cut off.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`; nested models are looked into.
        pictures: `(B, S, S, 3)` 0..255.
        classes: `(B,)` the class to explain for each picture; the predicted one by default.
        layer: whose maps to use; by default the last before the positions are given up.

    Returns:
        `(B, S, S)` float32 0..1, each picture's highest value 1; all 0 where nothing speaks for the class.

    Raises:
        LayerError: no such layer, or one without maps (a dense network has none at all).
    """
    network = open_network(model)
    if layer is None and not network.maps():
        raise LayerError(f"{model.name} has no maps to weigh; use input_gradient or occlusion_map for it")
    name = layer or network.maps()[-1]
    tap = network.tap(name)
    if len(tap.output.shape) != 4:
        raise LayerError(f"layer {name} gives {tap.output.shape[1:]}; expected maps (height, width, channels)")
    both = network.up_to(tap.output, network.logits)

    def maps_of(batch, chosen):
        with tf.GradientTape() as tape:
            tape.watch(batch)  # a frozen network has nothing else that is recorded
            maps, logits = both(batch, training=False)
            score = _score(logits, chosen)
        weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2), keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))[: len(batch)]  # see `two_views`
        return tf.image.resize(heat, batch.shape[1:3])[..., 0].numpy()

    return _scaled(_in_batches(maps_of, pictures, classes))


def input_gradient(model: keras.Model, pictures: np.ndarray, classes: Sequence[int] | None = None) -> np.ndarray:
    """How much each pixel could change the class's logit (Simonyan et al. 2013, arXiv:1312.6034).

    The largest absolute gradient of the three colours. It needs no maps, so it serves a dense network.

    Args:
        model, pictures, classes: as for `grad_cam`.

    Returns:
        `(B, S, S)` float32 0..1, each picture's highest value 1.
    """

    def maps_of(batch, chosen):
        with tf.GradientTape() as tape:
            tape.watch(batch)
            score = _score(model(batch, training=False), chosen)
        return np.abs(tape.gradient(score, batch).numpy()).max(axis=-1)

    return _scaled(_in_batches(maps_of, pictures, classes))


def occlusion_map(model: keras.Model, pictures: np.ndarray, classes: Sequence[int] | None = None) -> np.ndarray:
    """What it costs the class to cover a part of the picture (Zeiler & Fergus 2014, arXiv:1311.2901).

    A square of the picture's mean colour moves over it; a pixel gets the mean drop in the class's
    log-probability over all squares that covered it. No gradient is used. It takes about 80 answers of
    the network a picture.

    Args:
        model, pictures, classes: as for `grad_cam`.

    Returns:
        `(B, S, S)` float32 0..1, each picture's highest value 1; 0 where covering does not harm.
    """
    size = pictures.shape[1]
    window = max(1, round(size / COVERS))
    steps = range(-(window // 2), size, max(1, window // 2))
    squares = [(slice(max(0, y), y + window), slice(max(0, x), x + window)) for y in steps for x in steps]
    squares = [square for square in squares if square[0].stop > 0 and square[1].stop > 0]
    covered = np.zeros((size, size), np.float32)
    for square in squares:
        covered[square] += 1
    answers = np.concatenate(list(forward(model, _occluded(pictures, squares))))
    answers = log_softmax(answers.astype(np.float64), axis=1).reshape(len(pictures), 1 + len(squares), -1)
    maps = np.zeros(pictures.shape[:3], np.float32)
    for row, values in enumerate(answers):
        chosen = values[0].argmax() if classes is None else classes[row]
        for square, drop in zip(squares, values[0, chosen] - values[1:, chosen]):
            maps[row][square] += drop
    return _scaled(maps / covered)


def where_it_looked(
    model: keras.Model, pictures: np.ndarray, classes: Sequence[int] | None = None
) -> tuple[str, np.ndarray]:
    """Grad-CAM, or for a network without maps the input gradient; with the name of what was used."""
    if open_network(model).maps():
        return "Grad-CAM", grad_cam(model, pictures, classes)
    return "input gradient", input_gradient(model, pictures, classes)


def _occluded(pictures: np.ndarray, squares: Sequence[tuple[slice, slice]]) -> Iterator[np.ndarray]:
    """Yield uint8 batches: each picture as it is, then once for each square that is covered."""
    for picture in pictures:
        copies = np.repeat(picture[None].round().astype(np.uint8), 1 + len(squares), axis=0)
        colour = picture.mean(axis=(0, 1)).round()
        for copy, square in zip(copies[1:], squares):
            copy[square] = colour
        yield from batches_of(copies)


def _score(logits: tf.Tensor, classes: np.ndarray | None) -> tf.Tensor:
    """The logits of the chosen classes, or the highest ones, added up over the batch."""
    chosen = tf.argmax(logits, axis=1) if classes is None else tf.constant(classes, tf.int64)
    return tf.reduce_sum(tf.gather(logits, chosen, axis=1, batch_dims=1))


def _in_batches(maps_of: Callable, pictures: np.ndarray, classes: Sequence[int] | None) -> np.ndarray:
    maps = [np.zeros((0, *pictures.shape[1:3]), np.float32)]
    for start in range(0, len(pictures), BATCH):
        part = slice(start, start + BATCH)
        chosen = None if classes is None else np.asarray(classes)[part]
        maps.append(maps_of(tf.constant(pictures[part], tf.float32), chosen))
    return np.concatenate(maps)


def _scaled(maps: np.ndarray) -> np.ndarray:
    positive = np.maximum(maps, 0)
    highest = positive.max(axis=(1, 2), keepdims=True)
    return np.divide(positive, highest, out=np.zeros_like(positive), where=highest > 0)
