"""What a training asks for, looked at before its pictures are read and before TensorFlow is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.cli.typed import names_in
from transfer.learning.options import TrainingOptions
from transfer.names import AUTO
from transfer.pretrained.backbone_table import SETS, brings_weights, check_backbone, check_unnamed, name_and_weights


def check_asked_backbone(backbone: str, training: TrainingOptions, methods: Sequence[str]) -> None:
    """Refuse a backbone that cannot be had, see `check_backbone`; from scratch it needs no weights."""
    from_scratch = set(methods) == {"scratch"} and training.weights is None and not brings_weights(backbone)
    weights = "none" if from_scratch else training.weights
    if backbone == AUTO:
        check_unnamed(weights)
        backbone = "bundled"  # which is always there, and takes the smallest pictures
    check_backbone(backbone, training.image_size, weights)


def check_candidates(backbones: str, training: TrainingOptions) -> None:
    """The same for each entry of `--backbones`; of a set, those that cannot be had are left out later."""
    entries = names_in(backbones)
    for entry in entries if entries not in [[name] for name in SETS] else ():
        name, weights = name_and_weights(entry)
        check_backbone(name, training.image_size, weights)
