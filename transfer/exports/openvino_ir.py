"""OpenVINO IR: a graph (`.xml`) beside its weights (`.bin`), run by OpenVINO."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from transfer.exports.answering import INPUT, OUTPUT, answering_network
from transfer.exports.parity import Answer
from transfer.runs.exportables import ExportSource, facts


def write_openvino(source: ExportSource, file: Path) -> None:
    """Write an OpenVINO IR in float32, preprocessing inside; what it says of itself is its runtime information."""
    import openvino

    network = answering_network(source.model)
    shape = (None, *source.model.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, name=INPUT)])
    def answer(pictures):
        return {OUTPUT: network(pictures, training=False)}

    model = openvino.convert_model(answer.get_concrete_function())
    model.inputs[0].tensor.set_names({INPUT})
    model.outputs[0].tensor.set_names({OUTPUT})
    said = facts(source)
    labels = " ".join(name.replace(" ", "_") for name in said["class_names"])
    # What OpenVINO's Model API looks for, and the rest under a name of its own.
    model.set_rt_info("Classification", ["model_info", "model_type"])
    model.set_rt_info(labels, ["model_info", "labels"])
    for key, value in said.items():
        model.set_rt_info(json.dumps(value), ["transfer", key])
    openvino.save_model(model, file, compress_to_fp16=False)


def open_openvino(file: Path) -> Answer:
    """The answers of an OpenVINO IR on the processor, in float32: new ones would take bfloat16 by themselves."""
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(file, "CPU", options)

    def answer(pictures: np.ndarray) -> np.ndarray:
        return compiled(pictures)[0]

    return answer
