"""What the part of a network that training leaves as it is makes of pictures, computed once for all epochs."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import keras
import numpy as np
import tensorflow as tf

from transfer.data.augmentation import Change, unchanged
from transfer.data.pipeline import Pictures
from transfer.errors import PictureError
from transfer.learning.batches import Batch, Batches, TrainingBatches
from transfer.memory import fits
from transfer.networks.halves import Halves

HALF = 2  # bytes of a number in float16
ROOM = 4  # times that the memory of the machine is to hold them
AT_ONCE = 32  # pictures
PLAIN = -1  # the view that shows a picture as it is


class KeptMaps:
    """Maps of pictures between the two halves of a network, each of a few views that are drawn once.

    A view follows from the seed, its number and the place of the picture among all, so that a fit that was broken off
    finds the same again. Numbers are kept in float16 where they fit into it.

    Args:
        halves: of the network.
        pictures: where pixels come from.
        shown: positions of those that training shows; the others are only ever seen as they are.
        views: of each picture that is shown.
        seed: of the views.

    Attributes:
        upper: the half that is trained.
        shapes: of what it takes for each picture.
    """

    def __init__(self, halves: Halves, pictures: Pictures, shown: np.ndarray, views: int, seed: int):
        self._lower, self.upper = halves
        self.pictures, self.views, self._shown, self._seed = pictures, views, shown, seed
        self.shapes = [tuple(tensor.shape[1:]) for tensor in self._lower.outputs]
        pixels = tf.TensorSpec((None, *self._lower.input_shape[1:]), tf.float32)
        self._answer = tf.function(lambda pixels: self._lower(pixels, training=False), input_signature=[pixels])
        self._chosen, self._drawn, self._change = np.array([], int), np.array([], int), unchanged
        self._row = np.full(len(pictures.images.digests), -1)  # of each picture in the arrays below
        self._kept: dict[int, list[np.ndarray]] = {}  # by view
        self._known: dict[int, np.ndarray] = {}  # by view, whether a row is known
        self._lock, self._seconds, self._number = Lock(), 0.0, 0

    def fits(self, number: int) -> bool:
        """Whether the maps of so many pictures can be kept in memory."""
        return fits(ROOM * HALF * number * (self.views + 1) * sum(map(math.prod, self.shapes)))

    @property
    def pace(self) -> float:
        """Seconds that the lower half takes for a picture, as far as it was asked."""
        return self._seconds / max(1, self._number)

    def choose(self, indices: np.ndarray, change: Change) -> None:
        """Say which pictures there will be, and what a view of them is; what is known of the same stays.

        Args:
            indices: positions of pictures.
            change: what is done to a picture for a view.
        """
        if change is self._change and (self._row[indices] >= 0).all():
            return
        self._chosen, self._change, self._kept, self._known = np.sort(indices), change, {}, {}
        self._drawn = np.intersect1d(self._chosen, self._shown)
        self._row[:] = -1
        self._row[self._chosen] = np.arange(len(self._chosen))

    def of(self, indices: np.ndarray, view: int) -> np.ndarray | tuple[np.ndarray, ...]:
        """What the upper half takes, float32: one array, or several.

        A view is computed for all that training shows when it is first asked for, in an order that is always the same.

        Raises:
            UnreadablePictures: one could not be decoded.
        """
        if view != PLAIN:
            view = 0 if self._change is unchanged else view % self.views
        with self._lock:
            self._compute(indices if view == PLAIN else self._drawn, view)
        arrays = tuple(array[self._row[indices]].astype(np.float32) for array in self._kept[view])
        return arrays if len(arrays) > 1 else arrays[0]

    def _compute(self, indices: np.ndarray, view: int) -> None:
        if view not in self._kept:
            self._kept[view] = [np.empty((len(self._chosen), *shape), np.float16) for shape in self.shapes]
            self._known[view] = np.zeros(len(self._chosen), bool)
        missing = indices[~self._known[view][self._row[indices]]]
        if not len(missing):
            return
        started = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(missing), AT_ONCE):
                some = missing[start : start + AT_ONCE]
                seen = np.stack(list(pool.map(lambda index: self._seen(index, view), some.tolist())))
                _keep(self._kept[view], self._row[some], keras.tree.flatten(self._answer(seen.astype(np.float32))))
                self._known[view][self._row[some]] = True
        self._seconds += time.perf_counter() - started
        self._number += len(missing)

    def _seen(self, index: int, view: int) -> np.ndarray:
        try:
            pixels = self.pictures.pixels(index)
        except PictureError as error:
            raise self.pictures.unreadable({index: str(error)}) from None
        if view == PLAIN:
            return pixels
        return self._change(pixels, self.pictures.size, np.random.default_rng((self._seed, view, index)))


def _keep(kept: list[np.ndarray], rows: np.ndarray, tensors: list) -> None:
    for place, tensor in enumerate(tensors):
        values = np.asarray(tensor)
        if kept[place].dtype == np.float16 and not _fits_half(values):
            kept[place] = kept[place].astype(np.float32)
        kept[place][rows] = values


def _fits_half(values: np.ndarray) -> bool:
    """Whether float16 holds them as it holds numbers around 1; it knows none above 65,504, and few below 6e-5."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    return np.abs(rounded - values).max() <= np.finfo(np.float16).eps * np.abs(values).max()


class MapBatches(Batches):
    """Maps of pictures as they are, in place of pixels.

    Args:
        maps: of all the pictures.
        others: see `Batches`, or `TrainingBatches`.
    """

    def __init__(self, maps: KeptMaps, *others):
        super().__init__(maps.pictures, *others)
        self.maps = maps

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of what the upper half takes for each picture."""
        return self.maps.shapes

    def view(self, epoch: int) -> int:
        """The view of an epoch."""
        return PLAIN

    def batch(self, number: int, epoch: int = 0) -> Batch:
        """What the upper half takes, targets `(B, C)` and weights `(B,)`."""
        rows = self.rows(number, epoch)
        return self.maps.of(self.indices[rows], self.view(epoch)), self.targets[rows], self.weights[rows]


class TrainingMapBatches(MapBatches, TrainingBatches):
    """Shuffled maps, in each epoch of the next view."""

    def view(self, epoch: int) -> int:
        """The view of an epoch; behind the last comes the first again."""
        return epoch
