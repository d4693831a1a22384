"""A network as a graph of OpenVINO, and what such a file answers."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from transfer.networks.conversions import INPUT, Answer, frozen_graph


def import_openvino():
    """OpenVINO without the package that reports its use to its makers: unless switched off, it asks nobody."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


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
