"""The same training on every fold: mean and spread of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from transfer.data.folders import LabelledImages
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.methods import train
from transfer.learning.option_checks import check_options
from transfer.progress import bar
from transfer.writing import write_json

FIGURES = ("accuracy", "balanced_accuracy", "log_loss")


@dataclass(frozen=True)
class CrossValidation:
    """Figures of one training on the test part of each fold.

    Attributes:
        rows: one dict a fold: `fold`, `train`, `validation`, `test` (numbers of pictures), `accuracy`,
            `balanced_accuracy` (0..1) and `log_loss` (nats).
        notes: what the user should know, one sentence each.
    """

    rows: list[dict]
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, dict[str, float]]:
        """`mean` and `spread` (standard deviation over folds) of each figure.

        Folds share training pictures, so that the spread over the root of their number is too small
        for an error of the mean (Bengio & Grandvalet 2004).
        """
        values = {name: [row[name] for row in self.rows] for name in FIGURES}
        return {name: {"mean": float(np.mean(v)), "spread": float(np.std(v, ddof=1))} for name, v in values.items()}

    def in_words(self) -> list[str]:
        """The figures as a sentence."""
        accuracy, balanced = (self.summary()[name] for name in FIGURES[:2])
        return [
            f"over {len(self.rows)} folds, accuracy {accuracy['mean']:.1%} +- {accuracy['spread']:.1%}, "
            f"balanced {balanced['mean']:.1%} +- {balanced['spread']:.1%} (spread from fold to fold)"
        ]

    def as_dict(self) -> dict:
        """What `cross_validation.json` says."""
        return {
            "summary": self.summary(),
            "in_words": self.in_words(),
            "folds": self.rows,
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> None:
        """Write `cross_validation.json` into a run folder."""
        write_json(folder / "cross_validation.json", self.as_dict())


def cross_validate(
    images: LabelledImages,
    splits: Sequence[Split],
    backbone: keras.Model | str | None = None,
    method: str = "frozen",
    head: str = "linear",
    *,
    layers: Sequence[dict] | None = None,
    image_size: int | None = None,
    weights: str | None = None,
    seed: int = 0,
    **options,
) -> CrossValidation:
    """Train and evaluate on each of several splits; every picture is decoded once for all of them.

    Args:
        images: from `load_images`.
        splits: from `folds`, two or more.
        backbone, method, head, layers, image_size, weights, seed: as for `train`.
        options: the others of `train`.
    """
    check_options(seed=seed, image_size=image_size)
    keras.utils.set_random_seed(seed)
    network, labels = resolve_backbone(backbone, method, images, splits[0], image_size, weights, layers)
    pictures = Pictures(images, network.input_shape[1], options.get("fit", "crop"), keep=method != "frozen")
    rows, notes = [], {}
    with bar("folds", len(splits)) as advance:
        for number, split in enumerate(splits, start=1):
            result = train(images, split, network, method, head, labels=labels, seed=seed, pictures=pictures, **options)
            counts = {part: len(indices) for part, indices in result.split.parts().items()}
            rows.append({"fold": number, **counts, **{name: result.metrics[name] for name in FIGURES}})
            notes |= dict.fromkeys(result.notes)
            advance()
    return CrossValidation(rows, tuple(notes))
