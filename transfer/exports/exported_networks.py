"""An exported file, opened as a network that answers like its run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from transfer.errors import ModelFileError, first_line
from transfer.exports.formats import FORMATS
from transfer.exports.litert_metadata import FACTS
from transfer.exports.runtimes import exported_format, require_packages
from transfer.networks.conversions import in_small_batches
from transfer.networks.openvino_graphs import import_openvino
from transfer.runs.saved_networks import SavedNetwork


def load_export(folder: Path) -> SavedNetwork:
    """Open an export to OpenVINO, ONNX or LiteRT by its own runtime.

    Such a file is data: no graph of it can read or write files. One thread may ask at a time.

    Raises:
        ModelFileError: it is damaged, or was not written by this toolkit.
        MissingExtraError: the runtime is not installed.
    """
    name = exported_format(folder)
    require_packages(name)
    file = folder / FORMATS[name].file
    try:
        said = _FACTS[name](file)
        size, names = said["image_size"], tuple(said["class_names"])
        answer = in_small_batches(FORMATS[name].open(file))
        shape = answer(np.zeros((1, size, size, 3), np.uint8)).shape
        network = SavedNetwork(
            lambda pictures: answer(pictures).astype(np.float64), names, size, said["fit"], said.get("levels", {})
        )
    except Exception as error:  # whatever damaged files make a runtime raise
        raise ModelFileError(
            f"{file} was not written by transfer, or is damaged ({first_line(error)}); export it again"
        ) from error
    if shape != (1, len(names)):
        raise ModelFileError(f"{file} gives {shape} for one picture and {len(names)} classes; export it again")
    return network


def _openvino_facts(file: Path) -> dict:
    said = import_openvino().Core().read_model(file).get_rt_info(["transfer"]).astype(dict)
    return {key: json.loads(value.value) for key, value in said.items()}


def _onnx_facts(file: Path) -> dict:
    import onnx

    properties = {each.key: each.value for each in onnx.load(file, load_external_data=False).metadata_props}
    as_json = ("class_names", "image_size", "levels")
    return properties | {key: json.loads(properties[key]) for key in as_json if key in properties}


def _litert_facts(file: Path) -> dict:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read(FACTS))


_FACTS: dict[str, Callable[[Path], dict]] = {
    "openvino": _openvino_facts,
    "onnx": _onnx_facts,
    "litert": _litert_facts,
}
