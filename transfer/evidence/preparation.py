"""What `compare`, `learning_curve` and `cross_validate` begin with alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras

from transfer.data.folders import LabelledImages, check_split
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.option_checks import check_options
from transfer.networks import freezing
from transfer.networks.features import fingerprint
from transfer.runs import records


class Prepared(NamedTuple):
    """A network and the pictures that all trainings share.

    Attributes:
        network: pictures `(B, S, S, 3)` 0..255 to features.
        labels: its `backbone` and `weights` as they are written down.
        pictures: decoded once, for all trainings.
        asked: all that figures depend on but the method and its options.
    """

    network: keras.Model
    labels: dict
    pictures: Pictures
    asked: list

    @property
    def size(self) -> int:
        """Side S of the pictures in pixels."""
        return self.pictures.size

    def unfinished(self, name: str, *options: object) -> Path:
        """Where the figures of a method, a learning curve or folds wait until a run is saved."""
        return records.unfinished(name, *self.asked, *options)


def prepare(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None,
    image_size: int | None,
    weights: str | None,
    fit: str,
    seed: int,
    method: str | None = None,
    layers: Sequence[dict] | None = None,
) -> Prepared:
    """Check the options, seed Keras, and load the network; see `learning.methods.train`.

    Args:
        images, backbone, image_size, weights, fit, seed: of `train`.
        split: the only one, or the first of several.
        method, layers: of `train`, where one method is trained alone; otherwise the network is the pretrained one.
    """
    check_options(seed=seed, image_size=image_size, fit=fit)
    check_split(images, split)
    keras.utils.set_random_seed(seed)
    network, labels = resolve_backbone(backbone, method or "frozen", images, split, image_size, weights, layers)
    if network is not backbone:
        freezing.freeze(network)  # so that no frozen training copies it
    pictures = Pictures(images, network.input_shape[1], fit, keep=method != "frozen")
    computes = labels.get("fingerprint") or fingerprint(network)  # a network of the caller has none written down
    asked = [
        images.digest(), images.names, images.groups, split.digest(images.digests), computes, pictures.size, fit, seed,
    ]  # fmt: skip
    return Prepared(network, labels, pictures, asked)
