"""Networks built from a list of layers: the small convnet, deep residual ones, the dense network.

Each network takes raw pictures `(B, S, S, 3)` with values 0..255 and gives features `(B, D)`, just
like a pretrained backbone, so that every head and method works with it.
"""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import keras
from keras import layers as kl

from transfer.errors import ImageSizeError, LayerError, OptionError, require_whole, unknown_name
from transfer.memory import require_weights
from transfer.names import ACTIVATIONS, check_layers

LayerRow = Mapping[str, object]

TOO_SMALL = "the pictures are too small for these layers; give a larger `image_size`, or layers that shrink less"


def _conv(x, filters, kernel=3, stride=1, padding="same", bias=True):
    _require_weights(filters * x.shape[-1])
    return kl.Conv2D(filters, kernel, stride, padding, use_bias=bias)(x)


def _normalise(x, kind="batch"):
    if kind == "batch":
        return kl.BatchNormalization()(x)
    if kind == "layer":
        return kl.LayerNormalization()(x)
    raise unknown_name("normalise", kind, ("batch", "layer"), LayerError)


def _activation(x, name):
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS, LayerError)
    return kl.Activation(name)(x)


def _residual(x, filters, stride=1, activation="relu"):
    """Two 3x3 convolutions beside a shortcut (He et al. 2015, arXiv:1512.03385, figure 2)."""
    y = _normalise(_conv(x, filters, stride=stride, bias=False))
    y = _normalise(_conv(_activation(y, activation), filters, bias=False))
    if stride != 1 or x.shape[-1] != filters:
        x = _normalise(_conv(x, filters, kernel=1, stride=stride, bias=False))
    return _activation(kl.Add()([x, y]), activation)


def _global_pool(x, kind="average"):
    kinds = {"average": kl.GlobalAveragePooling2D, "max": kl.GlobalMaxPooling2D}
    if kind not in kinds:
        raise unknown_name("global_pool", kind, kinds, LayerError)
    return kinds[kind]()(x)


def _dense(x, units):
    _require_weights(units * prod(side or 1 for side in x.shape[1:]))
    return kl.Dense(units)(x if len(x.shape) == 2 else kl.Flatten()(x))


def _require_weights(number):
    try:
        require_weights("this layer", number, "give fewer units, a smaller `image_size`, or layers that shrink more")
    except OptionError as error:
        raise LayerError(str(error)) from error


# One row a kind of layer: what its first value means is the first argument after the tensor.
LAYERS: dict[str, Callable] = {
    "resize": lambda x, size: kl.Resizing(size, size, antialias=True)(x),
    "crop": lambda x, size: kl.CenterCrop(size, size)(x),
    "conv": _conv,
    "normalise": _normalise,
    "activation": _activation,
    "pool": lambda x, size: kl.MaxPooling2D(size)(x),
    "global_pool": _global_pool,
    "residual": _residual,
    "tap": _global_pool,
    "dropout": lambda x, rate: kl.Dropout(rate)(x),
    "flatten": lambda x, _=True: kl.Flatten()(x),
    "dense": _dense,
}
ON_MAPS = ("resize", "crop", "conv", "pool", "global_pool", "residual", "tap")
WHOLE = ("resize", "crop", "conv", "pool", "residual", "dense")


def convnet(image_size: int | None, layers: Sequence[LayerRow], name: str = "convnet") -> keras.Model:
    """Build a network from rows such as `{"conv": 32, "kernel": 5}` or `{"pool": 2}`.

    The first key of a row is the kind of layer and its value the layer's main number; the other
    keys are options. Kinds:

    - `resize: S`, `crop: S`: bring the picture to `S x S`, by scaling or by cutting out the middle
    - `conv: filters` (`kernel=3, stride=1, padding="same", bias=True`)
    - `normalise: "batch" | "layer"`; `activation: "relu" | "tanh" | "sigmoid" | any of Keras`
    - `pool: size`: non-overlapping max pooling; `global_pool: "average" | "max"`
    - `residual: filters` (`stride=1, activation="relu"`): two convolutions beside a shortcut
    - `flatten: True`, `dense: units`, `dropout: rate`

    Args:
        image_size: side S of the pictures in pixels, or `None` for any size (then the layers must
            not flatten).
        layers: the rows, first layer first. Where the last one still gives a map, its average over
            all positions is taken. `{"tap": "average"}` adds the average (or `max`) of the map at that
            depth to the features and lets the map itself pass.

    Returns:
        A functional `keras.Model`, pictures `(B, S, S, 3)` 0..255 to features `(B, D)`. Pixels are
        scaled to -1..1 inside.

    Raises:
        ImageSizeError: S is no whole number.
        LayerError: no row, one of an unknown kind, an option the kind does not have, or a layer that does
            not fit behind the one before.
    """
    check_layers(layers)
    if image_size is not None:
        require_whole("image_size", image_size, error=ImageSizeError)
    inputs = keras.Input((image_size, image_size, 3), name="pictures")
    x = kl.Rescaling(1 / 127.5, offset=-1.0, name="to_minus_one_to_one")(inputs)
    taps = []
    for position, row in enumerate(layers):
        y = _apply(x, row, position)
        if "tap" in row:
            taps.append(y)
        else:
            x = y
    if len(x.shape) == 4:
        x = kl.GlobalAveragePooling2D(name=None if taps else "features")(x)
    if taps:
        x = kl.Concatenate(name="features")([*taps, x])
    return keras.Model(inputs, x, name=name)


def _apply(x, row: LayerRow, position: int):
    (kind, value), *options = row.items()
    where = f"layer {position}, {dict(row)}"
    known = list(inspect.signature(LAYERS[kind]).parameters)[2:]
    for option, _ in options:
        if not known:
            raise LayerError(f"{where}: unknown option {option!r}; {kind} has none")
        if option not in known:
            raise unknown_name(f"{where}, option", option, known, LayerError)
    if kind in WHOLE and (not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1):
        raise LayerError(f"{where}: received {value!r}; expected a whole number from 1 up")
    if kind in ON_MAPS and len(x.shape) != 4:
        raise LayerError(f"{where}: expected a map (height, width, channels) before it, received {x.shape[1:]}")
    unfit = f"{where}, cannot be built on {x.shape[1:]}"
    try:
        y = LAYERS[kind](x, value, **dict(options))
    except LayerError as error:
        raise LayerError(f"{where}: {error}") from error
    except Exception as error:  # Keras and its backend raise many kinds
        raise LayerError(f"{unfit}: {_reason(error)}") from error
    if any(side is not None and side < 1 for side in y.shape):  # older Keras builds them
        raise LayerError(f"{unfit}: {TOO_SMALL}")
    return y


def _reason(error: BaseException) -> str:
    """What Keras says, without the frame it puts around what TensorFlow says."""
    plain = re.sub(r"\x1b\[\d*m", "", str(error))
    if "zero or negative" in plain:
        return TOO_SMALL
    lines = [line for line in plain.splitlines() if line and not line.startswith("Exception encountered")]
    return next(iter(lines), type(error).__name__)


def dense_network(image_size: int, hidden: Sequence[int] = (256, 256), activation: str = "relu") -> keras.Model:
    """The plain artificial neural network on pixels: no convolution, no shared weights.

    Args:
        image_size: side S of the pictures in pixels.
        hidden: units of each fully-connected layer.
        activation: a Keras activation by name.

    Returns:
        `keras.Model`, pictures `(B, S, S, 3)` 0..255 to features `(B, hidden[-1])`.
    """
    return convnet(image_size, dense_layers(hidden, activation), name="dense_network")


def dense_layers(hidden: Sequence[int] = (256, 256), activation: str = "relu") -> list[LayerRow]:
    """The rows of `dense_network`."""
    rows: list[LayerRow] = [{"flatten": True}]
    for units in hidden:
        rows += [{"dense": units}, {"activation": activation}]
    return rows


@dataclass(frozen=True)
class LayerDescription:
    """One layer: its output for one picture, its parameters, and what a dense layer would cost."""

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parameters: int
    dense_parameters: int | None


def describe_layers(model: keras.Model) -> list[LayerDescription]:
    """Tell for every layer its output shape, its parameters and the price of not sharing weights.

    `dense_parameters` is what a fully-connected layer from the same input to the same output would
    need, `inputs x outputs + outputs`; `None` for layers without parameters of their own and where
    a shape is open.
    """
    rows = []
    for layer in model.layers:
        if isinstance(layer, kl.InputLayer):
            continue
        inputs, outputs = keras.tree.flatten(layer.input), keras.tree.flatten(layer.output)
        out, into = outputs[0].shape[1:], inputs[0].shape[1:] if len(inputs) == 1 else None
        weighted = isinstance(layer, (kl.Conv2D, kl.DepthwiseConv2D, kl.Dense))
        known = weighted and into is not None and None not in (*into, *out)
        dense = prod(into) * prod(out) + prod(out) if known else None
        rows.append(LayerDescription(layer.name, type(layer).__name__, tuple(out), layer.count_params(), dense))
    return rows
