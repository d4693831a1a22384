"""Pretrained feature networks: the bundled one, rows of `architectures`, any `.keras` file or preset of KerasHub."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import resources
from pathlib import Path

import keras

from transfer.errors import WeightsError, first_line, unknown_name
from transfer.names import FEATURES
from transfer.networks import scratch
from transfer.networks.efficientnet_lite import efficientnet_lite, set_tensors
from transfer.networks.hub_presets import load_hub_network
from transfer.networks.model_files import load_feature_network
from transfer.networks.preprocessing import PREPROCESSING
from transfer.networks.stages import with_stages
from transfer.networks.weight_files import load_half_precision, load_weights
from transfer.pretrained.architectures import ARCHITECTURES, Architecture, imagenet_folder
from transfer.pretrained.backbone_table import BUNDLED_FILE, BUNDLED_SIZE, check_backbone, default_size
from transfer.pretrained.hub_package import HUB
from transfer.pretrained.weight_packages import read_package, read_tensors

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
BUNDLED_DIGEST = "35395ee55b5be221a073fb0af0cdb564192290b3f593550bd4e903a8118138b0"


def load_backbone(
    name: str = "bundled", image_size: int | None = None, weights: str | None = None, features: str = "last"
) -> keras.Model:
    """Load a network that turns raw pictures into features.

    Args:
        name: `bundled`, a row of `transfer backbones`, or the path of a `.keras` classifier or
            feature network (cut before its last fully-connected layer, if that ends it), or `hub:` and a
            preset of KerasHub, see `hub_presets.load_hub_network`.
        image_size: side S of the pictures in pixels; the network's own by default.
        weights: `bundled`, `imagenet`, `none` (random), or the path of a weights file; the best that
            the network has by default. A `.keras` file or a preset brings its own.
        features: `last`, what the network gives, or `stages`, the averages of its maps at the end of each
            resolution beside it, see `stages.with_stages`.

    Returns:
        `keras.Model`, pictures `(B, S, S, 3)` 0..255 to features `(B, D)`, preprocessing inside.

    Raises:
        UnknownNameError: no such backbone, or no such features.
        ImageSizeError: S is below what the network takes.
        OptionError: `stages` of a network without convolutions.
        WeightsError: weights are missing, damaged, of another architecture, or given beside what brings its own.
        ModelFileError: the `.keras` file or the preset cannot be loaded (safely).
        MissingExtraError: a preset, and KerasHub is not installed.
    """
    check_backbone(str(name), image_size, weights)
    if features not in FEATURES:
        raise unknown_name("features", features, FEATURES)
    model = _load(str(name), image_size, weights)
    return with_stages(model) if features == "stages" else model


def _load(name: str, image_size: int | None, weights: str | None) -> keras.Model:
    if name.endswith(".keras"):
        return load_feature_network(Path(name), image_size, BUNDLED_SIZE)
    if name.startswith(HUB):
        return load_hub_network(name, image_size)
    size = image_size or default_size(name)[0]
    if name == "bundled":
        return _bundled(size, weights)
    row = ARCHITECTURES[name]
    build = _from_package if row.package else _from_applications
    return build(name, row, size, weights)


def bundled_network(image_size: int | None, layers: Sequence[dict] | None = None) -> keras.Model:
    """The architecture of the bundled backbone, or other rows, with random weights; `None` takes any picture size."""
    return scratch.convnet(image_size, layers or BUNDLED_LAYERS, name="bundled")


def _bundled(image_size: int, weights: str | None) -> keras.Model:
    model = bundled_network(image_size)
    if weights in (None, "bundled"):
        data = resources.files("transfer").joinpath("weights", BUNDLED_FILE)
        if not data.is_file():
            raise WeightsError(f"{BUNDLED_FILE} is missing from the package; install transfer again")
        with resources.as_file(data) as path:
            load_half_precision(model, path, BUNDLED_DIGEST)
    elif weights != "none":
        path = Path(weights)
        if path.suffix == ".npz":
            load_half_precision(model, path)
        else:
            load_weights(model, path, "bundled")
    return model


def _from_package(name: str, row: Architecture, image_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((image_size, image_size, 3), name="pictures")
    model = keras.Model(inputs, efficientnet_lite(name, PREPROCESSING[row.preprocessing](inputs)), name=name)
    if weights in (None, "imagenet"):
        set_tensors(model, read_package(row.package))
    elif weights != "none":
        path = Path(weights)
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
    options = dict(include_top=False, pooling="avg", input_tensor=PREPROCESSING[row.preprocessing](inputs))
    if row.constructor in ("MobileNet", "MobileNetV2"):
        options["input_shape"] = (image_size, image_size, 3)  # Keras has weights for each of some sizes
    constructor = getattr(keras.applications, row.constructor)
    if weights not in (None, "imagenet"):
        model = constructor(weights=None, **options)
        if weights != "none":
            load_weights(model, Path(weights), name)
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
