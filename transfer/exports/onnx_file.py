"""ONNX, with what the file says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from transfer.exports.answering import answering_network
from transfer.networks.onnx_graphs import OPSET, write_onnx_graph
from transfer.runs.exportables import ExportSource, facts


def write_onnx(source: ExportSource, file: Path) -> None:
    """Write an ONNX file; what it says of itself stands in its metadata properties, lists as JSON."""
    import onnx

    write_onnx_graph(answering_network(source.model), file)
    model = onnx.load(file)
    said = facts(source) | {"opset": OPSET}
    properties = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model)
    onnx.save(model, file)
