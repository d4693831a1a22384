"""A network as a graph of ONNX, and what such a file answers."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from transfer.networks.conversions import INPUT, Answer, frozen_graph

OPSET = 18  # the newest that tf2onnx writes
_CATCH = "TF2ONNX_CATCH_ERRORS"  # whether a pass that fails is undone; without the variable it is


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
    export = keras.Model(pictures, {name: whole(pictures)}).export
    convert = partial(export, str(file), "onnx", verbose=False, input_signature=signature, opset_version=OPSET)
    _teach_erfc()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # it raises what it logs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of Keras' own patch for tf2onnx
        try:
            with _without_copies():
                convert()
        except Exception:  # where one of its passes fails, it has to be able to go back
            convert()


@contextmanager
def _without_copies() -> Iterator[None]:
    """Let each pass of tf2onnx change the graph itself, not a copy of it: 8 GB of copies for a ResNet50."""
    before = os.environ.get(_CATCH)
    os.environ[_CATCH] = "FALSE"
    try:
        yield
    finally:
        del os.environ[_CATCH]
        if before is not None:
            os.environ[_CATCH] = before


def open_onnx(file: Path) -> Answer:
    """What an ONNX file answers by ONNX Runtime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def answer(pictures: np.ndarray) -> np.ndarray:
        return session.run(None, {INPUT: pictures})[0]

    return answer


@cache
def _teach_erfc() -> None:
    """Let tf2onnx know 1 - erf(x), by which TensorFlow computes an exact GELU."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, graph, node, **_) -> None:
            node.type = "Erf"
            (erf,), one = node.output, graph.make_const(f"{node.name}_one", np.float32(1))
            graph.insert_new_node_on_output("Sub", erf, name=f"{node.name}_rest", inputs=[one.output[0], erf])
