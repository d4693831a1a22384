"""What a training asks for, looked at before its pictures are read and before TensorFlow is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from transfer.cli.typed import names_in
from transfer.data.pipeline import BATCH
from transfer.learning.options import TrainingOptions
from transfer.memory import FLOAT, require_memory, require_weights
from transfer.names import AUTO
from transfer.pretrained.backbone_table import SETS, check_backbone, check_unnamed, name_and_weights


def check_asked_backbone(backbone: str, training: TrainingOptions, methods: Sequence[str]) -> None:
    """Refuse a backbone that cannot be had, see `check_backbone`; from scratch it needs no weights."""
    from_scratch = set(methods) == {"scratch"} and training.weights is None and not backbone.endswith(".keras")
    weights = "none" if from_scratch else training.weights
    if backbone == AUTO:
        check_unnamed(weights)
        backbone = "bundled"  # which is always there, and takes the smallest pictures
    check_backbone(backbone, training.image_size, weights)


def check_needed_memory(training: TrainingOptions) -> None:
    """Refuse a picture size or a head that cannot fit into the memory, whatever the backbone is.

    Raises:
        OptionError: with what would be needed at the least.
    """
    if training.image_size is not None:
        size = FLOAT * BATCH * 3 * training.image_size**2
        require_memory(f"`image_size={training.image_size}`, {BATCH} pictures at once,", size, "give a smaller one")
    if training.head == "mlp":
        number = sum(map(prod, pairwise((1, *training.hidden, 2))))
        require_weights(f"`hidden={','.join(map(str, training.hidden))}`", number, "give fewer units")


def check_candidates(backbones: str, training: TrainingOptions) -> None:
    """The same for each entry of `--backbones`; of a set, those that cannot be had are left out later."""
    entries = names_in(backbones)
    for entry in entries if entries not in [[name] for name in SETS] else ():
        name, weights = name_and_weights(entry)
        check_backbone(name, training.image_size, weights)
