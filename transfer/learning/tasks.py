"""One training as data: what is to be learned, with which loss, weights and schedule."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from math import prod

import keras
import numpy as np

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.errors import DataError, UnreadablePictures
from transfer.learning.options import TrainingOptions
from transfer.memory import require_weights
from transfer.networks import heads


class Task:
    """The data of one training: split, targets, weights, pictures."""

    def __init__(
        self, images: LabelledImages, split: Split, pictures: Pictures, options: TrainingOptions, pretrained: str = ""
    ):
        self.images, self.split, self.pictures, self.options = images, split, pictures, options
        self.pretrained = pretrained  # name of the backbone whose weights it starts from
        self.clock = Clock()
        self.notes = list(split.notes)
        self.cached: list[str] = []  # steps whose results were there from before
        self.stops: list[str] = []  # one sentence a fit that Ctrl-C ended before its time
        self.one_hot = np.eye(len(images.class_names), dtype=np.float32)
        if not len(split.train):
            raise DataError("the split leaves no training pictures; add pictures")

    def leave_out(self, error: UnreadablePictures) -> None:
        """Take pictures that cannot be decoded out of the split, and note it.

        Raises:
            DataError: a class has no other training picture.
        """
        labels, before = self.images.labels, self.split
        self.split = before.without(error.positions)
        for label in np.setdiff1d(labels[before.train], labels[self.split.train]):
            name = self.images.class_names[label]
            raise DataError(f"{error.note}, and there is no other training picture of class {name!r}; add pictures")
        self.notes.append(error.note)

    def targets(self, indices: np.ndarray, as_drawn: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """One-hot labels `(N, C)` of some pictures, and what each of them counts in the loss, `(N,)`, 1 on average.

        Balanced, each class counts as much as any other among them, however the classes of another part are mixed. So
        it does where balanced sampling is asked for and they are to count `as_drawn`, without being drawn.
        """
        labels = self.images.labels[indices]
        weights = np.ones(len(labels))
        if self.options.class_weights or (as_drawn and self.options.sampling):
            weights = len(labels) / (len(self.one_hot) * np.bincount(labels)[labels])
        return self.one_hot[labels], weights.astype(np.float32)

    def schedule(self, schedule: settings.Schedule) -> settings.Schedule:
        """A schedule with the epochs and the rate that were asked for."""
        chosen = {"epochs": self.options.epochs, "learning_rate": self.options.learning_rate}
        return replace(schedule, **{name: value for name, value in chosen.items() if value is not None})

    def take_head(self, kind: str, strength: float | None = None, why: str = "") -> None:
        """Settle on a head and its penalty where they were left to the data: a repetition chooses nothing."""
        penalised = kind in ("linear", "svm")
        self.options = replace(self.options, head=kind, head_c=strength if penalised else None)
        self.notes += [why] if why else []

    def head(self, network: keras.Model, l2: float = 0.0) -> keras.Model:
        """A new head for the features of a network."""
        o = self.options
        width, classes = network.output_shape[-1], len(self.one_hot)
        units = (width, *(o.hidden if o.head == "mlp" else ()), classes)
        require_weights("the head", sum(map(prod, pairwise(units))), "give fewer units to `hidden`")
        return heads.head(width, classes, o.head, o.hidden, o.dropout, o.activation, l2)


class Clock:
    """Seconds spent in each step."""

    def __init__(self):
        self._started, self._steps = time.perf_counter(), {}

    @contextmanager
    def __call__(self, step: str):
        """Count the time of a block for `step`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._steps[step] = self._steps.get(step, 0.0) + time.perf_counter() - started

    def seconds(self) -> dict[str, float]:
        """Seconds by step so far, with their `total`."""
        return self._steps | {"total": time.perf_counter() - self._started}
