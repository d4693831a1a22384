"""What `compare`, `learning_curve` and `cross_validate` begin with alike."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import keras

from transfer.data.folders import LabelledImages
from transfer.data.image_splits import check_split
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.options import TrainingOptions
from transfer.networks import freezing
from transfer.networks.fingerprints import fingerprint
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

    def unfinished(self, name: str, *options: TrainingOptions) -> Path:
        """Where the figures of a method, a learning curve or folds with these options wait until a run is saved."""
        return records.unfinished(name, *self.asked, *map(asdict, options))


def prepare(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None,
    options: TrainingOptions,
    method: str | None = None,
) -> Prepared:
    """Seed Keras, and load the network; see `learning.methods.train`.

    Args:
        images, backbone, options: of `train`.
        split: the only one, or the first of several.
        method: where one is trained alone; otherwise the network is the pretrained one, and layers are of another.
    """
    check_split(images, split)
    keras.utils.set_random_seed(options.seed)
    wanted = options if method else replace(options, layers=None)
    network, labels = resolve_backbone(backbone, method or "frozen", images, split, wanted)
    if network is not backbone:
        freezing.freeze(network)  # so that no frozen training copies it
    pictures = Pictures(images, network.input_shape[1], options.fit, keep=method != "frozen")
    computes = labels.get("fingerprint") or fingerprint(network)  # a network of the caller has none written down
    asked = [
        images.digest(), images.names, images.groups, split.digest(images.digests), computes, pictures.size
    ]  # fmt: skip
    return Prepared(network, labels, pictures, asked)
