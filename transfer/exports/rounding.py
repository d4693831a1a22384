"""Kernels on the whole numbers that they will be, chosen so that each convolution goes on giving what it gave.

A converter rounds each weight to the nearest whole number. In a depthwise convolution, where an output is made of 9
or 25 products, the errors do not average out: one that looks for edges gives the brightness too from then on. Here
the errors of the weights that are rounded are made good by those that are still to be rounded, as far as these see
the same pixels (Frantar et al. 2022, GPTQ, arXiv:2210.17323), and what is left of the mean goes into the bias (Nagel et
al. 2019, arXiv:1906.04721).
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from transfer.errors import LayerError
from transfer.networks.taps import OpenNetwork, Tap, open_network

LARGEST = 127  # of int8; a kernel has no -128
PLACES = 7  # by as many of a map is looked at: neighbours tell the same
WIDEST = 2304  # products in an output; the errors of more average out, and their inverse takes minutes
DAMPING = 0.01  # of the mean square of the inputs, as in the paper
BATCH = 8
BLOCK = 64  # weights of an output whose errors reach those behind them at once, as in the paper


class _Seen(NamedTuple):
    """What the inputs of a kernel are like: sum of products `(G, n, n)`, sum `(G, n)`, number."""

    products: np.ndarray
    total: np.ndarray
    number: int


def rounded(model: keras.Model, pictures: np.ndarray) -> keras.Model:
    """A network whose convolutions have kernels of 255 values for each output channel, from -127 to 127 times a scale.

    The largest weight of each channel stays as it is, so that a converter finds the same scale again and changes
    nothing more.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`.
        pictures: `(N, S, S, 3)` uint8 to see what goes into each convolution.

    Returns:
        One with layers of its own; `model` itself where its layers are not known to Keras.
    """
    try:
        network = open_network(model, copies=True)
    except LayerError:
        return model
    seen = _inputs_of_convolutions(network, pictures)
    behind = defaultdict(list)
    for call in network.calls:
        for tensor in call.inputs:
            behind[id(tensor)].append(call.layer)
    for call in network.calls:
        if call.layer in seen:
            _round(call, seen.pop(call.layer), behind[id(call.output)])
    return keras.Model(network.pictures, network.logits, name=model.name)


def _inputs_of_convolutions(network: OpenNetwork, pictures: np.ndarray) -> dict[kl.Layer, _Seen]:
    calls = [call for call in network.calls if _can_be_rounded(call.layer)]
    if not calls:
        return {}
    probe, seen = keras.Model(network.pictures, [call.input for call in calls]), {}
    inputs_of = tf.function(lambda batch: probe(batch, training=False))
    for start in range(0, len(pictures), BATCH):
        inputs = keras.tree.flatten(inputs_of(tf.cast(pictures[start : start + BATCH], tf.float32)))
        for call, maps in zip(calls, inputs):
            patches = _patches(maps.numpy(), call.layer)
            now = _Seen(patches.transpose(0, 2, 1) @ patches, patches.sum(1), patches.shape[1])
            before = seen.get(call.layer)
            seen[call.layer] = _Seen(*(a + b for a, b in zip(before, now))) if before else now
    return seen


def _can_be_rounded(layer: kl.Layer) -> bool:
    if type(layer) not in (kl.Conv2D, kl.DepthwiseConv2D) or layer.data_format != "channels_last":
        return False
    return layer.dilation_rate == (1, 1) and _by_group(layer).shape[1] <= WIDEST


def _groups(layer: kl.Layer) -> int:
    """How many parts the input channels fall into, each seen by output channels of its own."""
    return layer.kernel.shape[2] if isinstance(layer, kl.DepthwiseConv2D) else layer.groups


def _by_group(layer: kl.Layer) -> np.ndarray:
    """The kernel as `(G, n, o)`: of each group, n products for each of o outputs."""
    groups, kernel = _groups(layer), keras.ops.convert_to_numpy(layer.kernel).astype(np.float64)
    height, width, channels, _ = kernel.shape
    within = 1 if isinstance(layer, kl.DepthwiseConv2D) else channels
    parts = kernel.reshape(height * width, within, groups, -1).transpose(2, 0, 1, 3)
    return parts.reshape(groups, height * width * within, -1)


def _as_kernel(parts: np.ndarray, layer: kl.Layer) -> np.ndarray:
    height, width = layer.kernel_size
    shape = len(parts), height * width, -1, parts.shape[2]
    return parts.reshape(shape).transpose(1, 2, 0, 3).reshape(layer.kernel.shape)


def _patches(maps: np.ndarray, layer: kl.Layer) -> np.ndarray:
    """What a kernel sees at some places of each map: `(B, h, w, channels)` to `(G, N, n)`."""
    height, width = layer.kernel_size
    if layer.padding == "same":
        maps = np.pad(maps, ((0, 0), ((height - 1) // 2, height // 2), ((width - 1) // 2, width // 2), (0, 0)))
    rows = np.unique(np.linspace(0, maps.shape[1] - height, PLACES).astype(int))
    columns = np.unique(np.linspace(0, maps.shape[2] - width, PLACES).astype(int))
    found = [maps[:, y : y + height, x : x + width] for y in rows for x in columns]
    groups = _groups(layer)
    parts = np.concatenate(found).reshape(-1, height * width, groups, maps.shape[3] // groups).transpose(2, 0, 1, 3)
    return parts.reshape(groups, parts.shape[1], -1)


def _round(call: Tap, seen: _Seen, behind: list[kl.Layer]) -> None:
    """Change the kernel of a layer, and the mean that it or the normalisation behind it takes off."""
    layer, mean = call.layer, seen.total / seen.number
    normalised = len(behind) == 1 and isinstance(behind[0], kl.BatchNormalization)
    products = seen.products / seen.number
    if layer.use_bias or normalised:  # the mean is made good, and only the rest counts
        products = products - mean[:, :, None] * mean[:, None, :]
    before = _by_group(layer)
    after = _nearest_answers(before, products)
    shift = np.einsum("gno,gn->go", after - before, mean).reshape(-1)
    layer.kernel.assign(_as_kernel(after, layer))
    if layer.use_bias:
        layer.bias.assign_sub(shift)
    elif normalised:
        behind[0].moving_mean.assign_add(shift)


def _nearest_answers(kernel: np.ndarray, products: np.ndarray) -> np.ndarray:
    """A kernel `(G, n, o)` on its grid, by inputs whose products are on average `(G, n, n)`."""
    count = kernel.shape[1]
    largest = np.abs(kernel).argmax(1)
    scale = np.take_along_axis(np.abs(kernel), largest[:, None], 1)[:, 0] / LARGEST
    scale[scale == 0] = 1
    damping = DAMPING * np.trace(products, axis1=1, axis2=2) / count
    damped = products + np.maximum(damping, 1e-12)[:, None, None] * np.eye(count)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).transpose(0, 2, 1)
    left, done, errors = kernel.copy(), np.empty_like(kernel), np.empty_like(kernel)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        for i in range(start, stop):
            steps = np.clip(np.round(left[:, i] / scale), -LARGEST, LARGEST)
            done[:, i] = np.where(largest == i, kernel[:, i], steps * scale)
            errors[:, i] = (left[:, i] - done[:, i]) / upper[:, i, i, None]
            left[:, i + 1 : stop] -= upper[:, i, i + 1 : stop, None] * errors[:, i, None]
        left[:, stop:] -= upper[:, start:stop, stop:].transpose(0, 2, 1) @ errors[:, start:stop]
    return done
