"""A network as a graph of ONNX, and what such a file answers."""

from __future__ import annotations

import logging
import os
import warnings
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from transfer.networks.conversions import INPUT, Answer, frozen_graph

OPSET = 18  # the newest that tf2onnx writes


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
    _teach_erfc()
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
