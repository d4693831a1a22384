"""EfficientNet-Lite: EfficientNets without squeeze-and-excitation and with ReLU6, for processors.

Tan & Le 2019 (arXiv:1905.11946); the Lite variants: github.com/tensorflow/tpu, `models/official/efficientnet/lite`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl


class Stage(NamedTuple):
    """Blocks of one width: how often, kernel, stride of the first, widening inside a block, channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280  # channels, the same for all variants
# By how much a variant is wider and deeper than the first.
VARIANTS = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}

# What the layers of a block, and those around the blocks, are called in the files of weights.
_IN_BLOCK = {
    "expand_conv": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "project_conv": "_project_conv",
    "project_norm": "_bn2",
}
_AROUND = {"stem_conv": "_conv_stem", "stem_norm": "_bn0", "head_conv": "_conv_head", "head_norm": "_bn1"}


def efficientnet_lite(variant: str, pixels) -> keras.KerasTensor:
    """The features `(B, 1280)` of a variant with random weights.

    Args:
        variant: a key of `VARIANTS`.
        pixels: `(B, S, S, 3)`, what the network was trained on: (x - 127) / 128 of 0..255.
    """
    width, depth = VARIANTS[variant]
    x = _convolution(pixels, kl.Conv2D(STEM, 3, 2, "same", use_bias=False, name="stem_conv"), "stem_norm")
    number = 0
    for position, stage in enumerate(STAGES):
        fixed = position in (0, len(STAGES) - 1)  # the first and the last are not deepened
        for repeat in range(stage.repeats if fixed else ceil(depth * stage.repeats)):
            row = stage._replace(channels=_widened(stage.channels, width), stride=stage.stride if repeat == 0 else 1)
            x = _block(x, row, f"block{number}_")
            number += 1
    x = _convolution(x, kl.Conv2D(HEAD, 1, use_bias=False, name="head_conv"), "head_norm")
    return kl.GlobalAveragePooling2D(name="features")(x)


def set_tensors(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Give a network the weights of a file, whose kernels have the order of torch.

    Raises:
        KeyError: the file lacks a layer.
        ValueError: a layer has another shape there.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        block, _, rest = layer.name.partition("_")
        name = f"_blocks.{block[5:]}.{_IN_BLOCK[rest]}" if block.startswith("block") else _AROUND[layer.name]
        if isinstance(layer, kl.BatchNormalization):
            layer.set_weights([tensors[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        else:
            order = (2, 3, 0, 1) if isinstance(layer, kl.DepthwiseConv2D) else (2, 3, 1, 0)
            layer.set_weights([tensors[f"{name}.weight"].transpose(order)])


def _block(x, row: Stage, name: str):
    """Widen, look at each channel's neighbourhood, narrow; beside it a shortcut where the shape stays."""
    inputs, inside = x, x.shape[-1] * row.expansion
    if row.expansion != 1:
        x = _convolution(x, kl.Conv2D(inside, 1, use_bias=False, name=f"{name}expand_conv"), f"{name}expand_norm")
    depthwise = kl.DepthwiseConv2D(row.kernel, row.stride, "same", use_bias=False, name=f"{name}depthwise_conv")
    x = _convolution(x, depthwise, f"{name}depthwise_norm")
    x = kl.Conv2D(row.channels, 1, use_bias=False, name=f"{name}project_conv")(x)
    x = kl.BatchNormalization(epsilon=1e-3, name=f"{name}project_norm")(x)
    return kl.Add()([x, inputs]) if row.stride == 1 and inputs.shape[-1] == row.channels else x


def _convolution(x, convolution: keras.Layer, norm: str):
    return kl.ReLU(6.0)(kl.BatchNormalization(epsilon=1e-3, name=norm)(convolution(x)))


def _widened(channels: int, width: float) -> int:
    """A multiple of 8 near the product, no less than nine tenths of it."""
    wide = max(8, int(channels * width + 4) // 8 * 8)
    return wide if wide >= 0.9 * channels * width else wide + 8
