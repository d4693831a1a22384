"""Pretrained feature networks: the bundled one, all of `keras.applications`, any `.keras` file."""

from __future__ import annotations

import hashlib
import re
import sys
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from transfer.errors import ImageSizeError, WeightsError, first_line, require_whole, unknown_name
from transfer.networks import scratch
from transfer.networks.architectures import ARCHITECTURES, Architecture, imagenet_file, imagenet_folder
from transfer.networks.model_files import load_feature_network

BUNDLED_LAYERS: list[dict] = [
    {"conv": 32, "stride": 2, "bias": False},
    {"normalise": "batch"},
    {"activation": "relu"},
    {"pool": 2},
    {"residual": 64},
    {"residual": 64},
    {"tap": "average"},
    {"residual": 128, "stride": 2},
    {"residual": 128},
    {"tap": "average"},
    {"tap": "max"},
    {"residual": 256, "stride": 2},
    {"residual": 256},
    {"tap": "max"},
]
BUNDLED_FILE = "bundled.npz"
BUNDLED_DIGEST = "35395ee55b5be221a073fb0af0cdb564192290b3f593550bd4e903a8118138b0"
BUNDLED_SIZE, BUNDLED_SMALLEST, BUNDLED_PARAMETERS = 96, 32, 2_762_464


class BackboneRow(NamedTuple):
    """One line of `transfer backbones`."""

    name: str
    parameters: int
    image_size: int
    smallest: int
    weights: str


def load_backbone(name: str = "bundled", image_size: int | None = None, weights: str | None = None) -> keras.Model:
    """Load a network that turns raw pictures into features.

    Args:
        name: `bundled`, a row of `transfer backbones`, or the path of a `.keras` classifier or
            feature network (cut before its last fully-connected layer, if that ends it).
        image_size: side S of the pictures in pixels; the network's own by default.
        weights: `bundled`, `imagenet`, `none` (random), or the path of a weights file; the best that
            the network has by default. A `.keras` file brings its own.

    Returns:
        `keras.Model`, pictures `(B, S, S, 3)` 0..255 to features `(B, D)`, preprocessing inside.

    Raises:
        UnknownNameError: no such backbone.
        ImageSizeError: S is below what the network takes.
        WeightsError: weights are missing, damaged, of another architecture, or given beside a `.keras` file.
        ModelFileError: the `.keras` file cannot be loaded safely.
    """
    check_name(str(name))
    if str(name).endswith(".keras"):
        if weights is not None:
            raise WeightsError(f"`weights={weights}`: {name} brings its own weights; leave `weights` away")
        return load_feature_network(Path(name), image_size, BUNDLED_SIZE)
    if name == "bundled":
        return _bundled(_checked_size(name, image_size or BUNDLED_SIZE, BUNDLED_SMALLEST), weights)
    row = ARCHITECTURES[name]
    return _from_applications(name, row, _checked_size(name, image_size or row.image_size, row.smallest), weights)


def check_name(name: str) -> None:
    """Find out before any work whether a backbone is known.

    Raises:
        UnknownNameError: no such backbone.
    """
    if name != "bundled" and name not in ARCHITECTURES and not name.endswith(".keras"):
        raise unknown_name("backbone", name, ("bundled", *ARCHITECTURES))


def bundled_network(image_size: int | None, layers: Sequence[dict] | None = None) -> keras.Model:
    """The architecture of the bundled backbone, or other rows, with random weights; `None` takes any picture size."""
    return scratch.convnet(image_size, layers or BUNDLED_LAYERS, name="bundled")


def save_bundled(model: keras.Model, path: Path) -> str:
    """Write the weights of a bundled network in half precision; returns the digest of the file."""
    np.savez(path, **{f"w{i}": w.astype(np.float16) for i, w in enumerate(model.get_weights())})
    return _digest(path.read_bytes())


def list_backbones() -> list[BackboneRow]:
    """All backbones with their size, and whether their weights are on this machine."""
    rows = [BackboneRow("bundled", BUNDLED_PARAMETERS, BUNDLED_SIZE, BUNDLED_SMALLEST, "bundled")]
    for name, row in ARCHITECTURES.items():
        here = "on this machine" if imagenet_file(row) else "to be downloaded"
        rows.append(BackboneRow(name, row.parameters, row.image_size, row.smallest, here))
    return rows


def default_size(name: str) -> tuple[int, int] | None:
    """The usual and the smallest picture size of a backbone; `None` for a file, which has its own."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name].image_size, ARCHITECTURES[name].smallest
    return (BUNDLED_SIZE, BUNDLED_SMALLEST) if name == "bundled" else None


def default_weights(name: str) -> str:
    """The weights that a backbone is loaded with where none are asked for."""
    return "imagenet" if name in ARCHITECTURES else "bundled" if name == "bundled" else "as given"


def _checked_size(name: str, image_size: int, smallest: int) -> int:
    require_whole("image_size", image_size, error=ImageSizeError)
    if image_size < smallest:
        raise ImageSizeError(f"`image_size={image_size}`: {name} takes pictures from {smallest} pixels up")
    return image_size


def _bundled(image_size: int, weights: str | None) -> keras.Model:
    model = bundled_network(image_size)
    if weights in (None, "bundled"):
        data = resources.files("transfer").joinpath("weights", BUNDLED_FILE)
        if not data.is_file():
            raise WeightsError(f"{BUNDLED_FILE} is missing from the package; install transfer again")
        with resources.as_file(data) as path:
            _set_half_precision(model, path, BUNDLED_DIGEST)
    elif weights == "imagenet":
        raise WeightsError('the bundled backbone has no ImageNet weights; give `weights="bundled"`, none or a file')
    elif weights != "none":
        path = _existing(weights, "bundled")
        if path.suffix == ".npz":
            _set_half_precision(model, path)
        else:
            _load_weights(model, path, "bundled")
    return model


def _set_half_precision(model: keras.Model, path: Path, digest: str | None = None) -> None:
    if digest is not None and _digest(path.read_bytes()) != digest:
        raise WeightsError(f"{path} is damaged: its digest is not that of the shipped weights; install transfer again")
    try:
        with np.load(path, allow_pickle=False) as file:
            values = [file[f"w{i}"].astype(np.float32) for i in range(len(file.files))]
        model.set_weights(values)
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} holds no weights of the bundled network ({first_line(error)})") from error


def _from_applications(name: str, row: Architecture, image_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((image_size, image_size, 3), name="pictures")
    options = dict(include_top=False, pooling="avg", input_tensor=row.preprocess(inputs))
    if row.constructor in ("MobileNet", "MobileNetV2"):
        options["input_shape"] = (image_size, image_size, 3)  # Keras has weights for each of some sizes
    constructor = getattr(keras.applications, row.constructor)
    if weights not in (None, "imagenet"):
        model = constructor(weights=None, **options)
        if weights != "none":
            _load_weights(model, _existing(weights, "imagenet"), name)
        return keras.Model(inputs, model.output, name=name)
    folder = imagenet_folder()
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():  # Keras tells of downloads and sizes
            warnings.simplefilter("ignore", UserWarning)
            return keras.Model(inputs, constructor(weights="imagenet", **options).output, name=name)
    except ValueError as error:
        raise WeightsError(f"the ImageNet weights of {name} do not fit ({first_line(error)})") from error
    except OSError as error:
        raise WeightsError(
            f"the ImageNet weights of {name} in {folder} cannot be read ({first_line(error)}); "
            "delete them, so that they are fetched again"
        ) from error
    except Exception as error:  # Keras raises a bare Exception where a download fails
        address = next(iter(re.findall(r"https?://[^\s:]+", str(error))), "them")
        file = address.rsplit("/", 1)[-1] if "*" in row.weights_file else row.weights_file
        raise WeightsError(
            f"the ImageNet weights of {name} are not on this machine and cannot be downloaded; "
            f"fetch {address} elsewhere and put it into {folder} as {file}, "
            "or give `weights=FILE`, or the bundled backbone"
        ) from error


def _load_weights(model: keras.Model, path: Path, name: str) -> None:
    try:
        with warnings.catch_warnings():  # Keras names layer after layer that does not fit before it raises
            warnings.simplefilter("ignore", UserWarning)
            model.load_weights(path)
    except Exception as error:  # Keras and h5py raise ValueError, OSError, KeyError and more
        raise WeightsError(
            f"{path} holds no weights of {name} without its classifier ({first_line(error)}); "
            "give a file that belongs to this backbone"
        ) from error


def _existing(weights: str, usual: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(f"`weights={weights}`: no such file; expected {usual}, none or a weights file")
    return path


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
