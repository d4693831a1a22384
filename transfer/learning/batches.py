"""Pictures to the batches that a network is fitted on, made beside the step that takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from transfer.data.augmentation import Change, random_crop
from transfer.data.pipeline import Pictures
from transfer.errors import PictureError, TransferError
from transfer.learning.mixing import Mix, mixed

WORKERS = 2
AHEAD = 3  # batches that wait or are being made while one is learned from

Batch = tuple[np.ndarray | tuple[np.ndarray, ...], np.ndarray, np.ndarray]


class Drawing(NamedTuple):
    """How pictures come to a training step.

    Attributes:
        change: what is done to each of them.
        mix: how pairs of them are mixed, or `None`.
        balanced: whether each class is drawn as often as any other; an epoch has as many pictures as without.
    """

    change: Change = random_crop
    mix: Mix | None = None
    balanced: bool = False


class Batches:
    """Pictures with their targets, a batch at a time.

    Args:
        pictures: where pixels come from.
        indices: which pictures.
        targets: `(N, C)` one-hot labels of those pictures.
        weights: `(N,)` what each of them counts in the loss.

    Attributes:
        lost: the pictures that could not be read any more when their turn came, and why. Another one of their batch
            stands in their place, and counts nothing.
        broken: what ended a stream of them, such as a disk that is gone, or `None`.
    """

    def __init__(self, pictures: Pictures, indices, targets, weights, batch_size: int = 64):
        self.pictures, self.indices, self.targets = pictures, indices, targets
        self.weights, self.batch_size = weights, batch_size
        self.lost: dict[int, str] = {}
        self.broken: TransferError | None = None

    def __len__(self) -> int:
        return -(-len(self.targets) // self.batch_size)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of what the network takes for each picture."""
        return [(self.pictures.size, self.pictures.size, 3)]

    def rows(self, number: int, epoch: int) -> np.ndarray:
        """Which of the pictures are in a batch of an epoch."""
        return np.arange(len(self.targets))[number * self.batch_size : (number + 1) * self.batch_size]

    def batch(self, number: int, epoch: int = 0) -> Batch:
        """Pixels `(B, S, S, 3)` float32 0..255, targets `(B, C)` and weights `(B,)`; the last one is smaller."""
        rows = self.rows(number, epoch)
        pixels, weights = self._read(rows)
        return np.stack(pixels).astype(np.float32), self.targets[rows], weights

    def _read(self, rows: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        read, weights = [], self.weights[rows].copy()
        for place, index in enumerate(self.indices[rows].tolist()):
            try:
                read.append(self.pictures.pixels(index))
            except PictureError as error:
                self.lost[index] = str(error)
                read.append(None)
                weights[place] = 0
        other = next((pixels for pixels in read if pixels is not None), None)
        if other is None:
            other = np.zeros((self.pictures.size, self.pictures.size, 3), np.uint8)
        return [other if pixels is None else pixels for pixels in read], weights


class TrainingBatches(Batches):
    """Shuffled batches of augmented pictures; the same seed gives the same batches.

    Args:
        pictures, indices, targets, weights: see `Batches`.
        seed: of the order and of the changes.
        drawing: which pictures come how often, and what is done to them.
    """

    def __init__(self, pictures, indices, targets, weights, batch_size: int, seed: int, drawing: Drawing | None = None):
        super().__init__(pictures, indices, targets, weights, batch_size)
        self.seed, self.drawing = seed, drawing or Drawing()

    def rows(self, number: int, epoch: int) -> np.ndarray:
        """The same in the order of an epoch."""
        order = self._order(np.random.default_rng((self.seed, epoch)))
        return order[number * self.batch_size : (number + 1) * self.batch_size]

    def batch(self, number: int, epoch: int = 0) -> Batch:
        """The same of pictures in the order of an epoch, each changed at random."""
        rows = self.rows(number, epoch)
        rng = np.random.default_rng((self.seed, epoch, number))
        read, weights = self._read(rows)
        changed = [self.drawing.change(pixels, self.pictures.size, rng) for pixels in read]
        batch = np.stack(changed).astype(np.float32), self.targets[rows], weights
        return mixed(*batch, self.drawing.mix, rng) if self.drawing.mix else batch

    def _order(self, rng: np.random.Generator) -> np.ndarray:
        """The rows of an epoch, of rare classes again and again, of frequent ones a part."""
        if not self.drawing.balanced:
            return rng.permutation(len(self.targets))
        labels = self.targets.argmax(axis=1)
        present = rng.permutation(np.unique(labels))
        drawn = []
        for place, label in enumerate(present):
            number = (len(labels) + place) // len(present)  # they add up to all
            mine = np.flatnonzero(labels == label)
            rounds = [rng.permutation(mine) for _ in range(-(-number // len(mine)))]
            drawn.append(np.concatenate([mine[:0], *rounds])[:number])
        return rng.permutation(np.concatenate(drawn))


def stream(batches: Batches, epochs: Iterable[int] | None = None) -> tf.data.Dataset:
    """Batches in their order, the next ones made by threads while one is learned from.

    Args:
        batches: one or more.
        epochs: that follow each other, from 0 up, none of which is made beyond the last; by default the first alone,
            and then Keras can tell how many batches there are.
    """

    def made() -> Iterator[Batch]:
        wanted = ((number, epoch) for epoch in ((0,) if epochs is None else epochs) for number in range(len(batches)))
        pool = ThreadPoolExecutor(WORKERS)
        try:
            ahead = deque(pool.submit(batches.batch, *next_one) for next_one in islice(wanted, AHEAD))
            while ahead:
                ready = ahead.popleft().result()
                ahead.extend(pool.submit(batches.batch, *next_one) for next_one in islice(wanted, 1))
                yield ready
        except TransferError as error:
            batches.broken = error  # TensorFlow makes another one of it
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    shapes = (*batches.shapes, batches.targets.shape[1:], ())
    *taken, targets, weights = (tf.TensorSpec((None, *shape), tf.float32) for shape in shapes)
    signature = (tuple(taken) if len(taken) > 1 else taken[0], targets, weights)
    data = tf.data.Dataset.from_generator(made, output_signature=signature)
    return data.apply(tf.data.experimental.assert_cardinality(len(batches))) if epochs is None else data


def without_autotune(data: tf.data.Dataset) -> tf.data.Dataset:
    """The same data, whose iterators can be given up at once.

    The thread that tunes a pipeline sleeps 10, 20, 40 ms, ... up to a minute, and whoever gives an iterator up waits
    for it to wake (TensorFlow 2.21): at the end of every epoch and of every pass over validation pictures, and when
    the process ends.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)
