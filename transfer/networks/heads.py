"""The new fully-connected part that turns features into one logit for each class, and its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl

from transfer.errors import OptionError, unknown_name
from transfer.names import ACTIVATIONS
from transfer.statistics import class_means

Loss = Callable  # targets and logits `(B, C)` to what each picture costs, `(B,)`


def _linear(x, l2, **_):
    return x


def _of_length_1(x, l2, **_):
    return kl.UnitNormalization(name="of_length_1")(x)


def _mlp(x, l2, hidden, dropout, activation):
    for units in hidden:
        x = kl.Dense(units, kernel_regularizer=keras.regularizers.L2(l2))(x)
        x = kl.Activation(activation)(x)
        x = kl.Dropout(dropout)(x)
    return x


def multiclass_hinge(one_hot, scores):
    """The loss of a multi-class support vector machine (Crammer & Singer 2001).

    Args:
        one_hot: `(B, C)` targets.
        scores: `(B, C)` logits.

    Returns:
        `(B,)`: by how much the best wrong class comes within 1 of the right one.
    """
    right = keras.ops.sum(one_hot * scores, axis=-1)
    best_wrong = keras.ops.max(scores - 1e9 * one_hot, axis=-1)
    return keras.ops.relu(1.0 + best_wrong - right)


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Softmax cross-entropy: one-hot targets and logits, both `(B, C)`, to `(B,)`."""

    def loss(one_hot, logits):
        return keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True, label_smoothing=label_smoothing)

    return loss


class HeadRow(NamedTuple):
    """A row: what comes before the last layer, its loss by label smoothing, and whether that has a single minimum.

    Attributes:
        means: the last layer from features, targets and weights, of a head that is not fitted.
    """

    layers: Callable
    loss: Callable
    convex: bool
    means: Callable[..., class_means.Kernel] | None = None


HEADS: dict[str, HeadRow] = {
    "linear": HeadRow(_linear, cross_entropy, convex=True),
    "mlp": HeadRow(_mlp, cross_entropy, convex=False),
    "svm": HeadRow(_linear, lambda label_smoothing: multiclass_hinge, convex=True),
    "mean": HeadRow(_linear, cross_entropy, convex=True, means=class_means.nearest_mean),
    "cosine": HeadRow(_of_length_1, cross_entropy, convex=True, means=class_means.nearest_direction),
}


def head(
    features: int,
    classes: int,
    kind: str = "linear",
    hidden: Sequence[int] = (256,),
    dropout: float = 0.3,
    activation: str = "relu",
    l2: float = 0.0,
) -> keras.Model:
    """Build a head: features are standardised, then come hidden layers if any, then the logits.

    Args:
        features: D, the width of the features.
        classes: C, the number of classes.
        kind: `linear`, `mlp`, `svm` (a linear head to be trained with the hinge loss), or `mean` and `cosine`, whose
            logits are by distance from the mean of each class, or by the cosine to it, see `training.set_means`.
        hidden, dropout, activation: of the mlp: units of each hidden layer, share of units left out
            in training (0..1), a Keras activation by name.
        l2: weight of the squared kernel in the loss.

    Returns:
        `keras.Model`, features `(B, D)` to logits `(B, C)`. Its layer `standardise` is the
        identity until `training.fit_head` sets it.

    Raises:
        UnknownNameError: no such kind or activation.
        OptionError: a share or units out of their range.
    """
    _check_head(kind, hidden, dropout, activation)
    inputs = keras.Input((features,), name="features")
    x = kl.BatchNormalization(center=False, scale=False, trainable=False, epsilon=1e-6, name="standardise")(inputs)
    x = HEADS[kind].layers(x, l2, hidden=hidden, dropout=dropout, activation=activation)
    outputs = kl.Dense(classes, kernel_regularizer=keras.regularizers.L2(l2), name="logits")(x)
    return keras.Model(inputs, outputs, name=f"{kind}_head")


def _check_head(kind: str, hidden: Sequence[int], dropout: float, activation: str) -> None:
    """Find out before any work whether `head` can be built."""
    if kind not in HEADS:
        raise unknown_name("head", kind, HEADS)
    if not (isinstance(dropout, Real) and 0 <= dropout < 1):
        raise OptionError(f"dropout of {dropout}; expected a share from 0 to below 1")
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    if not isinstance(hidden, Iterable) or not all(isinstance(units, Integral) and units >= 1 for units in hidden):
        raise OptionError(f"hidden layers of {hidden} units; expected whole numbers from 1 up, such as [256]")
    if kind == "mlp" and not hidden:
        raise OptionError("a head mlp without hidden layers; expected units of one or more, or the head linear")


def join(backbone: keras.Model, head: keras.Model) -> keras.Model:
    """Put a head on a backbone: one flat network, pictures to logits, sharing both their weights.

    Layers of the head whose name the backbone has already are called `head_` and that name from then on.
    """
    x, taken = backbone.output, {layer.name for layer in backbone.layers}
    for layer in head.layers[1:]:
        while layer.name in taken:
            layer.name = f"head_{layer.name}"
        x = layer(x)
    return keras.Model(backbone.input, x, name=f"{backbone.name}_with_head")


def divide_logits(model: keras.Model, temperature: float) -> None:
    """Divide the logits of a network by a number inside its last layer, which costs an answer nothing.

    Args:
        model: its last layer is a Dense without activation, as `join` makes it.
        temperature: see `calibration.fit_temperature`.
    """
    last = model.layers[-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])


def shift_logits(model: keras.Model, bias: np.ndarray) -> None:
    """Add a number a class `(C,)` to the logits of such a network, inside its last layer."""
    kernel, own = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, own + bias])
