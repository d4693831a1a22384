"""What the backbone argument of `train`, `compare` and others stands for: one place for its defaults."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import keras

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.networks import backbones, scratch
from transfer.networks.features import fingerprint

# NAME, or NAME:WEIGHTS; the colon behind the letter of a drive (of Windows) belongs to its path.
_ENTRY = re.compile(r"((?:[A-Za-z]:(?=[\\/]))?[^:]*):?(.*)", re.DOTALL)
NAMED_WEIGHTS = ("bundled", "imagenet", "none", "as given")  # all others are files


def name_and_weights(entry: str) -> tuple[str, str | None]:
    """What an entry such as `mobilenet_v2:FILE` names: a backbone, and its weights if they are not the usual ones."""
    name, weights = _ENTRY.fullmatch(entry).groups()
    return name, weights or None


def resolve_backbone(
    backbone: keras.Model | str | None,
    method: str,
    images: LabelledImages,
    split: Split,
    image_size: int | None = None,
    weights: str | None = None,
    layers: Sequence[dict] | None = None,
) -> tuple[keras.Model, dict]:
    """The network that a backbone argument of `train` stands for, and its names (or layers) for the record.

    Args:
        backbone, method, image_size, weights, layers: see `methods.train`.
        images, split: choose the picture size, and the layers of a convnet, where none are given.

    Returns:
        (pictures `(B, S, S, 3)` 0..255 to features, `backbone` and `weights` as they are written down, files with
        their absolute path; beside them `layers`, or the `fingerprint` of what was loaded).
    """
    if isinstance(backbone, keras.Model):
        return backbone, {"backbone": backbone.name, "weights": "as given"}
    if method == "scratch" and backbone is None:
        size = image_size or settings.image_size(images.typical_side(), default=64, smallest=32)
        layers = layers or settings.scratch_layers(len(split.train), size)
        network = scratch.convnet(size, layers)
        return network, {"backbone": network.name, "weights": "none", "layers": layers}
    name = str(backbone or "bundled")
    bounds = backbones.default_size(name)
    if image_size is None and bounds:
        image_size = settings.image_size(images.typical_side(), *bounds)
    if method == "scratch" and bounds:  # a file has weights of its own to start from
        weights = weights or "none"
    network = backbones.load_backbone(name, image_size, weights)
    weights = weights or backbones.default_weights(name)
    return network, {
        "backbone": name if bounds else _absolute(name),
        "weights": weights if weights in NAMED_WEIGHTS else _absolute(weights),
        "fingerprint": fingerprint(network),
    }


def _absolute(file: str) -> str:
    """A path that means the same file from any folder."""
    return str(Path(file).resolve())
