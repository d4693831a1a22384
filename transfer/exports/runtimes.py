"""Which packages each format needs to be written and judged, known without loading any of them."""

from __future__ import annotations

from pathlib import Path

from transfer.engine_packages import ONNX, OPENVINO, Runtime, missing_of
from transfer.errors import MissingExtraError
from transfer.names import ALL, EXPORTS

_LITERT = Runtime("litert", ("ai_edge_litert", "flatbuffers"))
RUNTIMES: dict[str, Runtime] = {
    **{name: _LITERT for name in EXPORTS if name.startswith("litert")},
    "onnx": ONNX,
    "openvino": OPENVINO._replace(extra="openvino"),
}

# Files that `exported_networks` opens; all kinds of LiteRT alike.
ANSWERING = {"model.xml": "openvino", "model.onnx": "onnx", "model.tflite": "litert"}


def exported_format(folder: Path) -> str:
    """The format of a folder that `export` wrote, of those in `ANSWERING`, or `""`."""
    return next((name for file, name in ANSWERING.items() if (folder / file).is_file()), "")


def missing_packages(format: str) -> str:
    """What to install for a format, in words, or `""`."""
    missing = missing_of(RUNTIMES.get(format, Runtime("", ())))
    return missing and f"`format={format}` {missing}"


def require_packages(format: str) -> None:
    """Refuse a format whose packages are not installed; of all formats those that are there are enough.

    Raises:
        MissingExtraError: what to install.
    """
    if format != ALL and (missing := missing_packages(format)):
        raise MissingExtraError(missing)
