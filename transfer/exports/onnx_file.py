"""ONNX: through tf2onnx, as Keras drives it; run by ONNX Runtime."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from transfer.exports.answering import INPUT, answering_network
from transfer.exports.parity import Answer
from transfer.runs.exportables import ExportSource, facts

OPSET = 18  # the newest that tf2onnx writes


def write_onnx(source: ExportSource, file: Path) -> None:
    """Write an ONNX file; what it says of itself stands in its metadata properties, lists as JSON."""
    import onnx

    signature = [tf.TensorSpec((None, *source.model.input_shape[1:]), tf.uint8, name=INPUT)]
    network = answering_network(source.model)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # it raises what it logs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of Keras' own patch for tf2onnx
        network.export(str(file), format="onnx", verbose=False, input_signature=signature, opset_version=OPSET)
    model = onnx.load(file)
    said = facts(source) | {"opset": OPSET}
    properties = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def open_onnx(file: Path) -> Answer:
    """The answers of an ONNX file by ONNX Runtime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def answer(pictures: np.ndarray) -> np.ndarray:
        return session.run(None, {INPUT: pictures})[0]

    return answer
