"""What `compare` and `learning_curve` begin with alike."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import keras

from transfer.data.folders import LabelledImages
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.option_checks import check_options
from transfer.networks.features import fingerprint
from transfer.runs import records


class Prepared(NamedTuple):
    """A pretrained network and the pictures that all methods share.

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
        """Where the figures of a method, or of a learning curve, wait until a run is saved."""
        return records.unfinished(name, *self.asked, *options)


def prepare(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None,
    image_size: int | None,
    weights: str | None,
    fit: str,
    seed: int,
) -> Prepared:
    """Check the options, seed Keras, and load the network; see `learning.methods.train`."""
    check_options(seed=seed, image_size=image_size, fit=fit)
    keras.utils.set_random_seed(seed)
    network, labels = resolve_backbone(backbone, "frozen", images, split, image_size, weights)
    pictures = Pictures(images, network.input_shape[1], fit, keep=True)
    computes = labels.get("fingerprint") or fingerprint(network)  # a network of the caller has none written down
    asked = [
        images.digest(), images.names, images.groups, split.digest(images.digests), computes, pictures.size, fit, seed,
    ]  # fmt: skip
    return Prepared(network, labels, pictures, asked)
