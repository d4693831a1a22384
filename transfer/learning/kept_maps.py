"""What the part of a network that training leaves as it is makes of pictures, computed once for all epochs."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from transfer.data.augmentation import Change, unchanged
from transfer.data.pipeline import Pictures
from transfer.errors import PictureError
from transfer.learning.batches import Batch, Batches, TrainingBatches
from transfer.memory import fits
from transfer.networks.halves import Halves
from transfer.progress import bar

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
        views: of each picture, for training.
        seed: of the views.

    Attributes:
        upper: the half that is trained.
        shapes: of what it takes for each picture.
        pace: seconds that the lower half took for a picture.
    """

    def __init__(self, halves: Halves, pictures: Pictures, views: int, seed: int):
        self._lower, self.upper = halves
        self.pictures, self.views, self._seed = pictures, views, seed
        self.shapes = [tuple(tensor.shape[1:]) for tensor in self._lower.outputs]
        self._rows = np.full(len(pictures.images.digests), -1)  # of each picture in the arrays below
        self._known: dict[int, list[np.ndarray]] = {}  # by view
        self._change: Change | None = None  # that they are views by
        self.pace = 0.0

    def fits(self, number: int) -> bool:
        """Whether the maps of so many pictures can be kept in memory."""
        return fits(ROOM * HALF * number * (self.views + 1) * sum(map(math.prod, self.shapes)))

    def make(self, indices: np.ndarray, change: Change) -> None:
        """Compute all views of some pictures, and each as it is; nothing where all of that is known.

        Args:
            indices: positions of pictures.
            change: what is done to a picture for a view.

        Raises:
            UnreadablePictures: some could not be decoded.
        """
        if change is self._change and (self._rows[indices] >= 0).all():
            return
        started = time.perf_counter()
        indices, self._change, self._known = np.sort(indices), change, {}
        self._rows[:] = -1
        self._rows[indices] = np.arange(len(indices))
        views = [PLAIN, *(range(self.views) if change is not unchanged else [])]
        shown = (None, *self._lower.input_shape[1:])
        answer = tf.function(
            lambda pixels: self._lower(pixels, training=False), input_signature=[tf.TensorSpec(shown, tf.float32)]
        )
        with bar("maps", len(views) * len(indices)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
            for view in views:
                kept = self._known[view] = [np.empty((len(indices), *shape), np.float16) for shape in self.shapes]
                for start in range(0, len(indices), AT_ONCE):
                    some = slice(start, start + AT_ONCE)
                    seen = list(pool.map(lambda index, view=view: self._seen(index, view), indices[some].tolist()))
                    _keep(kept, some, keras.tree.flatten(answer(np.stack(seen).astype(np.float32))))
                    advance(len(seen))
        self.pace = (time.perf_counter() - started) / (len(views) * len(indices))

    def of(self, indices: np.ndarray, view: int) -> np.ndarray | tuple[np.ndarray, ...]:
        """What the upper half takes, float32: one array, or several."""
        kept = self._known.get(view, self._known[PLAIN])
        arrays = tuple(array[self._rows[indices]].astype(np.float32) for array in kept)
        return arrays if len(arrays) > 1 else arrays[0]

    def _seen(self, index: int, view: int) -> np.ndarray:
        try:
            pixels = self.pictures.pixels(index)
        except PictureError as error:
            raise self.pictures.unreadable({index: str(error)}) from None
        if view == PLAIN:
            return pixels
        return self._change(pixels, self.pictures.size, np.random.default_rng((self._seed, view, index)))


def _keep(kept: list[np.ndarray], some: slice, tensors: list) -> None:
    for place, tensor in enumerate(tensors):
        if kept[place].dtype == np.float16 and np.abs(tensor).max() > np.finfo(np.float16).max:
            kept[place] = kept[place].astype(np.float32)
        kept[place][some] = tensor


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
        """The view of an epoch; the first one follows the last."""
        return epoch % self.maps.views
