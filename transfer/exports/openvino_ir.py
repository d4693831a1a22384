"""OpenVINO IR, a graph (`.xml`) beside its weights (`.bin`), with what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from transfer.exports.answering import answering_network
from transfer.networks.openvino_graphs import save_openvino, to_openvino
from transfer.runs.exportables import ExportSource, facts


def write_openvino(source: ExportSource, file: Path) -> None:
    """Write an OpenVINO IR in float32, preprocessing inside; what it says of itself is its runtime information."""
    model = to_openvino(answering_network(source.model))
    said = facts(source)
    labels = " ".join(name.replace(" ", "_") for name in said["class_names"])
    # What OpenVINO's Model API looks for, and the rest under a name of its own.
    model.set_rt_info("Classification", ["model_info", "model_type"])
    model.set_rt_info(labels, ["model_info", "labels"])
    for key, value in said.items():
        model.set_rt_info(json.dumps(value), ["transfer", key])
    save_openvino(model, file)
