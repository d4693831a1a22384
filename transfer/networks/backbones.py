"""Pretrained feature networks: the bundled one, the rows of `architectures`, any `.keras` file."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import keras

from transfer.errors import ImageSizeError, WeightsError, first_line, require_whole, unknown_name
from transfer.names import FEATURES
from transfer.networks import scratch
from transfer.networks.architectures import ARCHITECTURES, Architecture, imagenet_file, imagenet_folder
from transfer.networks.efficientnet_lite import efficientnet_lite, set_tensors
from transfer.networks.model_files import load_feature_network
from transfer.networks.stages import with_stages
from transfer.networks.weight_files import existing_file, load_half_precision, load_weights
from transfer.networks.weight_packages import read_package, read_tensors

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
    imagenet_top1: float | None
    weights: str


def load_backbone(
    name: str = "bundled", image_size: int | None = None, weights: str | None = None, features: str = "last"
) -> keras.Model:
    """Load a network that turns raw pictures into features.

    Args:
        name: `bundled`, a row of `transfer backbones`, or the path of a `.keras` classifier or
            feature network (cut before its last fully-connected layer, if that ends it).
        image_size: side S of the pictures in pixels; the network's own by default.
        weights: `bundled`, `imagenet`, `none` (random), or the path of a weights file; the best that
            the network has by default. A `.keras` file brings its own.
        features: `last`, what the network gives, or `stages`, the averages of its maps at the end of each
            resolution beside it, see `stages.with_stages`.

    Returns:
        `keras.Model`, pictures `(B, S, S, 3)` 0..255 to features `(B, D)`, preprocessing inside.

    Raises:
        UnknownNameError: no such backbone, or no such features.
        ImageSizeError: S is below what the network takes.
        OptionError: `stages` of a network without convolutions.
        WeightsError: weights are missing, damaged, of another architecture, or given beside a `.keras` file.
        ModelFileError: the `.keras` file cannot be loaded safely.
    """
    check_name(str(name))
    if features not in FEATURES:
        raise unknown_name("features", features, FEATURES)
    model = _load(str(name), image_size, weights)
    return with_stages(model) if features == "stages" else model


def _load(name: str, image_size: int | None, weights: str | None) -> keras.Model:
    if name.endswith(".keras"):
        if weights is not None:
            raise WeightsError(f"`weights={weights}`: {name} brings its own weights; leave `weights` away")
        return load_feature_network(Path(name), image_size, BUNDLED_SIZE)
    if name == "bundled":
        return _bundled(_checked_size(name, image_size or BUNDLED_SIZE, BUNDLED_SMALLEST), weights)
    row = ARCHITECTURES[name]
    build = _from_package if row.package else _from_applications
    return build(name, row, _checked_size(name, image_size or row.image_size, row.smallest), weights)


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


def list_backbones() -> list[BackboneRow]:
    """All backbones with their size, their published accuracy on ImageNet, and where their weights are now."""
    rows = [BackboneRow("bundled", BUNDLED_PARAMETERS, BUNDLED_SIZE, BUNDLED_SMALLEST, None, "bundled")]
    for name, row in ARCHITECTURES.items():
        facts = row.parameters, row.image_size, row.smallest, row.imagenet_top1
        rows.append(BackboneRow(name, *facts, _where(row)))
    return rows


def _where(row: Architecture) -> str:
    if imagenet_file(row):
        return "in a package" if row.package else "in Keras' cache"
    return "package to install" if row.package else "to be downloaded"


def default_size(name: str) -> tuple[int, int] | None:
    """The usual and the smallest picture size of a backbone; `None` for a file, which has its own."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name].image_size, ARCHITECTURES[name].smallest
    return (BUNDLED_SIZE, BUNDLED_SMALLEST) if name == "bundled" else None


def default_weights(name: str) -> str:
    """The weights that a backbone is loaded with where none are asked for."""
    return "imagenet" if name in ARCHITECTURES else "bundled" if name == "bundled" else "as given"


def default_features(name: str) -> str:
    """The features of a backbone where none are asked for: those that measured better, see docs/backbones.md."""
    return "stages" if name in ARCHITECTURES else "last"


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
            load_half_precision(model, path, BUNDLED_DIGEST)
    elif weights == "imagenet":
        raise WeightsError('the bundled backbone has no ImageNet weights; give `weights="bundled"`, none or a file')
    elif weights != "none":
        path = existing_file(weights, "bundled")
        if path.suffix == ".npz":
            load_half_precision(model, path)
        else:
            load_weights(model, path, "bundled")
    return model


def _from_package(name: str, row: Architecture, image_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((image_size, image_size, 3), name="pictures")
    model = keras.Model(inputs, efficientnet_lite(name, row.preprocess(inputs)), name=name)
    if weights in (None, "imagenet"):
        set_tensors(model, read_package(row.package))
    elif weights != "none":
        path = existing_file(weights, "imagenet")
        if path.suffix == ".pth":
            try:
                set_tensors(model, read_tensors(path.read_bytes(), str(path)))
            except (KeyError, ValueError) as error:
                raise WeightsError(f"{path} holds no weights of {name} ({first_line(error)})") from error
        else:
            load_weights(model, path, name)
    return model


def _from_applications(name: str, row: Architecture, image_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((image_size, image_size, 3), name="pictures")
    options = dict(include_top=False, pooling="avg", input_tensor=row.preprocess(inputs))
    if row.constructor in ("MobileNet", "MobileNetV2"):
        options["input_shape"] = (image_size, image_size, 3)  # Keras has weights for each of some sizes
    constructor = getattr(keras.applications, row.constructor)
    if weights not in (None, "imagenet"):
        model = constructor(weights=None, **options)
        if weights != "none":
            load_weights(model, existing_file(weights, "imagenet"), name)
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
