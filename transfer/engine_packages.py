"""Which packages compute the answers of networks, known without loading any of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import util
from typing import NamedTuple

from transfer.errors import MissingExtraError
from transfer.names import AUTO, BFLOAT16_ENGINE, check_engine


class Runtime(NamedTuple):
    """The extra of this package that brings them, and what they are imported as."""

    extra: str
    modules: Sequence[str]


OPENVINO = Runtime("fast", ("openvino",))
ONNX = Runtime("onnx", ("tf2onnx", "onnx", "onnxruntime"))
RUNTIMES: dict[str, Runtime] = {"openvino": OPENVINO, BFLOAT16_ENGINE: OPENVINO, "onnxruntime": ONNX}


def missing_of(runtime: Runtime) -> str:
    """What to install for a runtime, in words, or `""`."""
    gone = [name for name in runtime.modules if util.find_spec(name) is None]
    return f"needs {', '.join(gone)}; pip install 'transfer[{runtime.extra}]'" if gone else ""


def is_installed(engine: str) -> bool:
    """Whether the packages of an engine are there; TensorFlow always is."""
    return engine not in RUNTIMES or not missing_of(RUNTIMES[engine])


def require_engine(engine: str) -> None:
    """Refuse an engine that is not known or not installed; `auto` does with those that are.

    Raises:
        UnknownNameError: it is not known.
        MissingExtraError: what to install.
    """
    check_engine(engine)
    if engine != AUTO and not is_installed(engine):
        raise MissingExtraError(f"`engine={engine}` {missing_of(RUNTIMES[engine])}")
