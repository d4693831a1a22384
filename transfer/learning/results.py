"""What a training gives: a network, its answers, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.learning.options import TrainingOptions
from transfer.networks.heads import HEADS

Trained = tuple[keras.Model, dict[str, np.ndarray], list[dict]]  # network, logits by part, history


def best_of(validation: Mapping[str, dict]) -> str:
    """Which of several networks has the highest accuracy on its validation part; without one, the first.

    Args:
        validation: by name, the figures on that part.
    """
    return max(validation, key=lambda name: validation[name]["accuracy"] or 0.0)


def in_short(figures: Mapping) -> str:
    """The accuracy with its interval in a few words."""
    if figures["accuracy"] is None:
        return "no test pictures"
    low, high = figures["accuracy_ci95"]
    return f"accuracy {figures['accuracy']:.3f} ({low:.3f} to {high:.3f})"


def refitted(options: TrainingOptions, validation: int) -> bool:
    """Whether `train` fits the head of a pretrained network once more, on training and validation pictures together.

    Args:
        options: of the training.
        validation: how many validation pictures there are.
    """
    return options.refit and HEADS[options.head].convex and validation > 0


@dataclass
class Predictions:
    """Probabilities for the validation and test pictures, or for those of folds.

    Attributes:
        indices: `(M,)` positions in the `LabelledImages`; parts: `(M,)` their part, or number of the fold.
        probabilities: `(M, C)`, rows that sum to 1.
    """

    indices: np.ndarray
    parts: np.ndarray
    probabilities: np.ndarray

    def __repr__(self) -> str:
        return f"Predictions({len(self.indices)} pictures, {self.probabilities.shape[-1]} classes)"

    def of(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """(indices, probabilities) of one part."""
        mine = self.parts == part
        return self.indices[mine], self.probabilities[mine]


@dataclass
class Result:
    """One trained network and how good it is.

    Attributes:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`.
        metrics: figures on the test part, see `evaluation.evaluate_probabilities`.
        validation: the same on the validation part.
        history: one row an epoch; a phase that Ctrl-C ended has `stopped_by_hand` in its last one.
        seconds: what each step took.
        cached: the steps whose results were there from before, so that their seconds say nothing.
        options: all that repeats the training.
        notes: what the user should know, one sentence each.
        stops: one sentence a fit that Ctrl-C ended before its time, one of a fold or of a head included.
        unfinished: where this result waits in the cache until `save_run` has written it.
    """

    model: keras.Model
    images: LabelledImages
    split: Split
    options: dict
    metrics: dict
    validation: dict
    predictions: Predictions
    history: list[dict]
    seconds: dict[str, float]
    notes: list[str] = field(default_factory=list)
    unfinished: Path | None = None
    cached: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        backbone, size = self.options["backbone"], self.image_size
        return (
            f"Result({self.method}, {backbone} at {size} px, {in_short(self.metrics)}, {self.images!r}, {self.split!r})"
        )

    @property
    def method(self) -> str:
        """`frozen`, `finetune` or `scratch`."""
        return self.options["method"]

    @property
    def stopped_by_hand(self) -> bool:
        """Whether Ctrl-C ended a part of the training before its time."""
        return bool(self.stops)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in the order of the probabilities."""
        return self.images.class_names

    @property
    def image_size(self) -> int:
        """Side S of the square in pixels."""
        return self.model.input_shape[1]

    @property
    def fit(self) -> str:
        """How pictures are brought to the square."""
        return self.options["fit"]

    def parameters(self) -> dict[str, int]:
        """Numbers of weights, and of those that were trained."""
        return {"total": self.model.count_params(), "trainable": self.options["trainable_parameters"]}
