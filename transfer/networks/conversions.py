"""Networks for other runtimes than TensorFlow: OpenVINO, and ONNX, and what these answer.

What is converted takes whole numbers, so that the pictures of a batch need not become floats first.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from transfer.errors import first_line

INPUT = "pictures"  # of what is converted
OPSET = 18  # the newest that tf2onnx writes

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


def import_openvino():
    """OpenVINO without the package that reports its use to its makers: unless switched off, it asks nobody."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


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

    with _normalisation_in_the_graph(network):
        return answer.get_concrete_function()


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


def to_openvino(network: keras.Model):
    """An `openvino.Model` that computes the same in float32.

    Args:
        network: from `network_of_pixels`.
    """
    openvino, (name,) = import_openvino(), network.output_names
    model = openvino.convert_model(frozen_graph(network))
    model.inputs[0].tensor.set_names({INPUT})
    model.outputs[0].tensor.set_names({name})
    return model


def save_openvino(model, file: Path) -> None:
    """Write an `openvino.Model` as IR: a graph (`.xml`) beside its weights (`.bin`)."""
    import_openvino().save_model(model, file, compress_to_fp16=False)


def open_openvino(file: Path, precision: str = "f32") -> Answer:
    """What an OpenVINO IR answers on the processor.

    Args:
        file: the `.xml`.
        precision: new processors would take bfloat16 by themselves.
    """
    # One batch at a time is to have all cores.
    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    compiled = import_openvino().Core().compile_model(file, "CPU", options)

    def answer(pictures: np.ndarray) -> np.ndarray:
        return compiled(pictures)[0]

    return answer


def computes_in_bfloat16() -> bool:
    """Whether this processor has instructions for it, as OpenVINO knows."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def write_onnx_graph(network: keras.Model, file: Path) -> None:
    """Write an ONNX file that computes the same, through tf2onnx, as Keras drives it.

    Args:
        network: from `network_of_pixels`.
        file: to write.
    """
    graph, (name,) = frozen_graph(network), network.output_names
    pictures = keras.Input(network.input_shape[1:], dtype="uint8", name=INPUT)
    whole = keras.layers.Lambda(lambda x: graph(x)[name], network.output_shape[1:], dtype="float32", name=name)
    signature = [tf.TensorSpec(network.input_shape, tf.uint8, name=INPUT)]
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # it raises what it logs
    # Or each of its passes works on a copy of the whole graph, to go back to where one fails: 8 GB for a ResNet50.
    os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of Keras' own patch for tf2onnx
        keras.Model(pictures, {name: whole(pictures)}).export(
            str(file), format="onnx", verbose=False, input_signature=signature, opset_version=OPSET
        )


def open_onnx(file: Path) -> Answer:
    """What an ONNX file answers by ONNX Runtime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def answer(pictures: np.ndarray) -> np.ndarray:
        return session.run(None, {INPUT: pictures})[0]

    return answer


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
