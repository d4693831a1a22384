"""What a training asks for, looked at before its pictures are read and before TensorFlow is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from math import prod
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from transfer.cli.typed import names_in
from transfer.data.pipeline import BATCH
from transfer.errors import LayerError, unknown_name
from transfer.learning.options import TrainingOptions
from transfer.memory import FLOAT, require_memory, require_weights
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


def check_layer(run: Path, layer: str) -> None:
    """Refuse the name of a layer that is not in the network of a run, which its file tells without being loaded.

    A file that cannot be read is for others to refuse.

    Raises:
        LayerError: there is none of that name.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, BadZipFile), ZipFile(run / "model.keras") as file:
        names = list(_layer_names(json.loads(file.read("config.json"))))
        if layer not in names:
            raise unknown_name("layer", layer, names, LayerError)


def _layer_names(model: dict, prefix: str = "") -> Iterator[str]:
    """Names of the layers in the configuration of a model, as `taps.open_network` has them."""
    for layer in model["config"]["layers"]:
        name = prefix + layer["config"]["name"]
        yield from _layer_names(layer, f"{name}.") if "layers" in layer["config"] else [name]


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
