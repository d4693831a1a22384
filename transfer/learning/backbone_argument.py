"""What the backbone argument of `train`, `compare` and others stands for: one place for its defaults."""

from __future__ import annotations

from pathlib import Path

import keras

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.errors import ModelFileError, OptionError
from transfer.learning.backbone_default import default_backbone
from transfer.learning.options import TrainingOptions
from transfer.names import AUTO
from transfer.networks import backbones, scratch
from transfer.networks.fingerprints import fingerprint
from transfer.pretrained.backbone_table import (
    brings_weights,
    check_unnamed,
    default_features,
    default_size,
    default_weights,
)
from transfer.pretrained.hub_package import HUB

PRETRAINED = ("bundled", "imagenet", "as given")
NAMED_WEIGHTS = (*PRETRAINED, "none")  # all others are files


def resolve_backbone(
    backbone: keras.Model | str | None,
    method: str,
    images: LabelledImages,
    split: Split,
    options: TrainingOptions,
) -> tuple[keras.Model, dict]:
    """The network that a backbone argument of `train` stands for, and its names (or layers) for the record.

    Args:
        backbone, method: see `methods.train`.
        images, split: choose the picture size, and the layers of a convnet, where none are given.
        options: `image_size`, `weights`, `features` and `layers` of them.

    Returns:
        (pictures `(B, S, S, 3)` 0..255 to features, `backbone` and `weights` as they are written down, files with
        their absolute path; beside them `layers`, or the `features` and the `fingerprint` of what was loaded; and where
        the data chose the backbone, why: `chosen`).

    Raises:
        ModelFileError: a network that takes or gives something else.
        OptionError: an option that would be ignored.
    """
    image_size, weights, layers = options.image_size, options.weights, options.layers
    if layers is not None and (backbone is not None or method != "scratch"):
        raise OptionError("layers beside a backbone; they are of the convnet that scratch builds without one")
    if options.features is not None and (
        isinstance(backbone, keras.Model) or (backbone is None and method == "scratch")
    ):
        raise OptionError(f"features {options.features} beside a network that is used as it is; leave them away")
    if isinstance(backbone, keras.Model):
        _check_network(backbone, image_size, weights)
        return backbone, {"backbone": backbone.name, "weights": "as given"}
    if method == "scratch" and backbone is None:
        size = image_size or settings.scratch_size(images.typical_side())
        layers = settings.scratch_layers(len(split.train), size) if layers is None else layers
        network = scratch.convnet(size, layers)
        return network, {"backbone": network.name, "weights": "none", "layers": layers}
    name, chosen = str(backbone or AUTO), {}
    if name == AUTO:
        name, image_size, chosen = _from_data(images, options)
    bounds = default_size(name)
    if image_size is None and bounds:
        image_size = settings.image_size(images.typical_side(), *bounds)
    if method == "scratch" and bounds:  # a file or preset has weights of its own to start from
        weights = weights or "none"
    features = options.features or default_features(name)
    network = backbones.load_backbone(name, image_size, weights, features)
    weights = weights or default_weights(name)
    return network, {
        "backbone": name if bounds else _absolute_name(name),
        "weights": weights if weights in NAMED_WEIGHTS else _absolute(weights),
        "features": features,
        "fingerprint": fingerprint(network),
    } | chosen


def _from_data(images: LabelledImages, options: TrainingOptions) -> tuple[str, int | None, dict]:
    """(name, picture size, why) of the backbone where none is named, of those that the weights can be of."""
    if options.weights == "bundled":
        return "bundled", options.image_size, {}
    check_unnamed(options.weights)
    name, image_size, why = default_backbone(images, options.image_size)
    return name, image_size, {"chosen": why}


def asked_for(options: dict) -> tuple[str, str | None, str] | None:
    """Name, weights and features for `load_backbone` of what a run started from.

    Args:
        options: of its configuration.

    Returns:
        `None` for a list of layers, and for a network given in Python, which cannot be had again.
    """
    name, weights = options["backbone"], options["weights"]
    if "layers" in options or (weights == "as given" and not brings_weights(name)):
        return None
    # A run of a version that knew no other features has none written down.
    return name, None if weights == "as given" else weights, options.get("features", "last")


def _check_network(network: keras.Model, image_size: int | None, weights: str | None) -> None:
    """Refuse a network given in Python that is no backbone, and options that it has no use for."""
    takes, gives = (getattr(network, name, None) for name in ("input_shape", "output_shape"))
    if not (isinstance(takes, tuple) and len(takes) == 4 and takes[1] and takes[1:] == (takes[1], takes[1], 3)):
        raise ModelFileError(
            f"{network.name} takes {takes}; expected pictures (B, S, S, 3) of one size: give it input_shape=(S, S, 3)"
        )
    if not (isinstance(gives, tuple) and len(gives) == 2):
        raise ModelFileError(
            f'{network.name} gives {gives}; expected features (B, D): give it pooling="avg", or a pooling layer'
        )
    if weights is not None:
        raise OptionError(f"weights {weights} beside a network; it has its own, leave them away")
    if image_size not in (None, takes[1]):
        raise OptionError(f"image_size of {image_size} beside a network for {takes[1]} pixels; leave it away")


def _absolute_name(backbone: str) -> str:
    """A `.keras` file, or `hub:` and a folder, that means the same from any folder; a preset by its name stays."""
    if not backbone.startswith(HUB):
        return _absolute(backbone)
    preset = backbone.removeprefix(HUB)
    return f"{HUB}{_absolute(preset)}" if Path(preset).is_dir() else backbone


def _absolute(file: str) -> str:
    """A path that means the same file from any folder."""
    return str(Path(file).resolve())
