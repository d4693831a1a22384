"""What all converters are given: a network of whole numbers, as a graph that holds its weights.

Whole numbers, so that the pictures of a batch need not become floats first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from transfer.errors import first_line

INPUT = "pictures"  # of what is converted

Answer = Callable[[np.ndarray], np.ndarray]  # pictures `(B, S, S, 3)` uint8 to `(B, D)` float32


def network_of_pixels(model: keras.Model, last: keras.Layer, dtype: str = "uint8") -> keras.Model:
    """A network that takes whole numbers, sharing the weights of `model`.

    Args:
        model: pictures `(B, S, S, 3)` 0..255 to `(B, D)`.
        last: what is done to that; its name is that of the output.
        dtype: of the pictures; `float32` where a converter is to choose whole numbers itself.

    Returns:
        `pictures` `(B, S, S, 3)` 0..255 to what the last layer gives, float32 if that does.
    """
    pictures = keras.Input(model.input_shape[1:], dtype=dtype, name=INPUT)
    values = pictures if dtype == "float32" else keras.ops.cast(pictures, "float32")
    return keras.Model(pictures, last(model(values, training=False)))


def frozen_graph(network: keras.Model, batch: int | None = None):
    """A network as one `tf.function` that was traced once, with its weights as constants.

    Converters trace a network with variables several times, or save it and load it again, which takes longer than all
    else that they do.

    Args:
        network: from `network_of_pixels`.
        batch: how many pictures it takes at once; any number by default.

    Returns:
        `pictures` to a dictionary of the one output by its name.
    """
    (pictures,), (name,) = network.inputs, network.output_names
    trained, others = (
        [keras.ops.convert_to_numpy(variable) for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    )

    @tf.function(input_signature=[tf.TensorSpec((batch, *pictures.shape[1:]), pictures.dtype, name=INPUT)])
    def answer(pictures):
        values, _ = network.stateless_call(trained, others, pictures, training=False)
        return {name: values}

    with _normalisation_in_the_graph(network), _functions_in_the_graph():
        return answer.get_concrete_function()


@contextmanager
def _functions_in_the_graph() -> Iterator[None]:
    """Let what layers have compiled apart be traced as if it were not: Keras does so with convolutions in groups.

    The name of TensorFlow's switch says less than it does: inside of a trace it makes such functions a part of that.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextmanager
def _normalisation_in_the_graph(network: keras.Model) -> Iterator[None]:
    """Let `Normalization` compute with arrays, which become constants; its tensors would become inputs."""
    layers = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.Normalization)]
    before = [(layer.mean, layer.variance) for layer in layers]
    for layer in layers:
        layer.mean, layer.variance = np.array(layer.mean), np.array(layer.variance)
    try:
        yield
    finally:
        for layer, values in zip(layers, before):
            layer.mean, layer.variance = values


def in_small_batches(answer: Answer) -> Answer:
    """The same answers, for so few pictures at once that what a layer makes of them stays near the processor.

    Measured with EfficientNet-Lite0 in docs/engines.md. TensorFlow is slower then, as it begins more anew each time.
    """

    def answer_all(pictures: np.ndarray) -> np.ndarray:
        few = _few(pictures.shape[1])
        return np.concatenate([answer(pictures[i : i + few]) for i in range(0, max(1, len(pictures)), few)])

    return answer_all


def _few(side: int) -> int:
    """The power of two up to 4 pictures of 224 px, 16 of 112: batches of 32 have no shorter end then."""
    return 1 << max(0, int(math.log2(4 * 224**2 / side**2)))


def conversion_failure(error: Exception, model: keras.Model) -> str:
    """What a converter says, in one sentence: the operation that it does not know and its layer, where it names one.

    Args:
        error: that it has raised.
        model: pictures `(B, S, S, 3)` to `(B, D)`, what was to be converted.
    """
    found = re.findall(r"\b(tfl?\.[A-Z]\w+)|No Op registered for (\w+)|found for operations: (.+)", str(error))
    operations = {name.strip() for groups in found for group in groups for name in group.split(",") if name.strip()}
    if not operations:
        return first_line(error)
    layers = _layers_with({name.rpartition(".")[2] for name in operations}, model)
    return f"it does not know {', '.join(sorted(operations))}" + (
        f" of the layer {', '.join(layers)}" if layers else ""
    )


def _layers_with(operations: set[str], model: keras.Model) -> list[str]:
    """The layers of a network in which some of TensorFlow's operations are."""
    layers = {layer.name for layer in model._flatten_layers()}
    pictures = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    graph = tf.function(lambda x: model(x, training=False), [pictures]).get_concrete_function().graph
    scopes = [each.name.split("/")[-2::-1] for each in graph.get_operations() if each.type in operations]
    # Where a scope is entered again, its name gets a number.
    names = ([name for scope in inner for name in (scope, re.sub(r"_\d+$", "", scope))] for inner in scopes)
    nearest = (next((name for name in each if name in layers), None) for each in names)
    return sorted({name for name in nearest if name})
