"""The table of formats: how each is written, opened again, and called from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from transfer.exports import litert, onnx_file, openvino_ir
from transfer.exports.parity import BATCH, EXACT, HALF, WHOLE, Gate
from transfer.networks.conversions import Answer
from transfer.networks.onnx_graphs import open_onnx
from transfer.networks.openvino_graphs import open_openvino
from transfer.runs.exportables import ExportSource
from transfer.runs.exports import export_saved_model
from transfer.runs.plain_paths import plain_path

FLOAT = "float32"


class Format(NamedTuple):
    """A row.

    Attributes:
        file: that is written, or the folder.
        writers: from a network to that file, by the numbers that it then computes with; the first whose answers
            may stand is kept.
        open: from that file to a function of its own runtime.
        gate: how far its answers may be from Keras'.
        batch: how many pictures its runtime gets at once.
        imports, call: lines of Python that give `probabilities` and `names` of `pixels` `(1, S, S, 3)` uint8.
        takes, gives: what goes in and comes out, in words.
        javascript: whether the model card has a program for Node.js, too.
    """

    file: str
    writers: Mapping[str, Callable[[ExportSource, Path], None]]
    open: Callable[[Path], Answer]
    gate: Gate
    batch: int
    imports: str
    call: str
    takes: str = "`pictures`, `(1, {size}, {size}, 3)` uint8"
    gives: str = "`probabilities`, `(1, {classes})` float32"
    javascript: bool = False


_LITERT = """\
network = Interpreter("model.tflite")
network.allocate_tensors()
network.set_tensor(network.get_input_details()[0]["index"], pixels)
network.invoke()
probabilities = network.get_tensor(network.get_output_details()[0]["index"])[0]
names = zipfile.ZipFile("model.tflite").read("labels.txt").decode().split("\\n")"""
_UINT8 = """\
scale, zero = network.get_output_details()[0]["quantization"]
probabilities = (probabilities.astype(float) - zero) * scale"""
_ONNX = """\
network = onnxruntime.InferenceSession("model.onnx")
probabilities = network.run(None, {"pictures": pixels})[0][0]
names = json.loads(network.get_modelmeta().custom_metadata_map["class_names"])"""
_OPENVINO = """\
model = openvino.Core().read_model("model.xml")
network = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
probabilities = network(pixels)[0][0]
names = json.loads(model.get_rt_info(["transfer", "class_names"]).value)"""
_SAVED_MODEL = """\
network = tf.saved_model.load("1")
answers = network.signatures["serving_default"](pictures=tf.cast(pixels, tf.float32))
probabilities = answers["probabilities"].numpy()[0]
names = [name.decode() for name in answers["class_names"].numpy()[0]]"""


def _write_saved_model(source: ExportSource, folder: Path) -> None:
    export_saved_model(source, folder)


def _open_saved_model(folder: Path) -> Answer:
    with plain_path(folder) as place:
        loaded = tf.saved_model.load(place)
    signature = loaded.signatures["serving_default"]

    def answer(pictures: np.ndarray) -> np.ndarray:
        # `loaded` is named here, so that it lives as long as its signature.
        return (signature(pictures=tf.cast(pictures, tf.float32)), loaded)[0]["probabilities"].numpy()

    return answer


_F32, _F16 = {FLOAT: litert.write_float32}, {"float32, weights in float16": litert.write_float16}
_INT8 = {"int8": litert.write_int8, "float32, weights in int8": litert.write_int8_weights}
_INTERPRETER = "import zipfile\nfrom ai_edge_litert.interpreter import Interpreter"
_ANY = "`pictures`, `(B, {size}, {size}, 3)` uint8", "`probabilities`, `(B, {classes})` float32"
_FLOATS = "`pictures`, `(B, {size}, {size}, 3)` float32; or `files`, bytes", "`probabilities`, `(B, {classes})` float32"
FORMATS: dict[str, Format] = {
    "savedmodel": Format("1", {FLOAT: _write_saved_model}, _open_saved_model, EXACT, BATCH,
                         "import tensorflow as tf", _SAVED_MODEL, *_FLOATS),
    "litert": Format("model.tflite", _F32, litert.open_litert, EXACT, 1, _INTERPRETER, _LITERT),
    "litert-f16": Format("model.tflite", _F16, litert.open_litert, HALF, 1, _INTERPRETER, _LITERT),
    "litert-int8": Format("model.tflite", _INT8, litert.open_litert, WHOLE, 1, _INTERPRETER, _LITERT),
    "litert-uint8": Format("model.tflite", {"int8": litert.write_uint8}, litert.open_litert, WHOLE, 1, _INTERPRETER,
                           f"{_LITERT}\n{_UINT8}", gives="`probabilities`, `(1, {classes})` uint8 with a scale"),
    "onnx": Format("model.onnx", {FLOAT: onnx_file.write_onnx}, open_onnx, EXACT, BATCH,
                   "import json\nimport onnxruntime", _ONNX, *_ANY, javascript=True),
    "openvino": Format("model.xml", {FLOAT: openvino_ir.write_openvino}, open_openvino, EXACT, BATCH,
                       "import json\nimport openvino", _OPENVINO, *_ANY),
}  # fmt: skip
