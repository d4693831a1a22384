"""Labelled files to batches of pixels; each file is decoded once."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from transfer.data.images import read_fitted
from transfer.data.levels import Levels
from transfer.data.sources import Source, read_square
from transfer.errors import DataError, PictureError, UnreachablePicture, UnreadablePictures

if TYPE_CHECKING:
    from transfer.data.folders import LabelledImages

BATCH = 32
GONE = 0.1  # share of the pictures that may be gone before that is taken for a disk that is
PAUSE, PAUSES = 1.0, 4  # seconds until a file that is not there is looked for again, and how often that is done in vain
IN_MEMORY = 1 << 30  # bytes of pixels held in memory; more go to a temporary file


class Pictures:
    """The pictures of a `LabelledImages` at one size, decoded in parallel when they are asked for.

    Args:
        images: where the files are.
        size: side S of the square in pixels.
        fit: how a picture is brought to the square, see `images.fit_picture`.
        keep: hold decoded pictures for the next time (S x S x 3 bytes each), in memory or, where
            they are many, in a temporary file that vanishes with the process; where there is no room
            for that, they are decoded each time.
    """

    def __init__(self, images: LabelledImages, size: int, fit: str = "crop", keep: bool = False):
        self.images, self.size, self.fit = images, size, fit
        self._kept = _room((len(images), size, size, 3)) if keep else None
        self._known = np.zeros(len(images), bool)
        self._gone: set[int] = set()
        self._pauses = PAUSES

    def batches(self, indices: Sequence[int], batch_size: int = BATCH) -> Iterator[np.ndarray]:
        """Yield uint8 batches `(B, S, S, 3)` in the order of `indices`, the last one smaller.

        Raises:
            UnreadablePictures: after the last batch, for files that could not be decoded or are gone; in their
                place stand black pictures.
            DataError: more than a tenth of all files are gone.
        """
        indices = np.asarray(indices)
        parts = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
        failed: list[tuple[int, str]] = []
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            ahead: deque = deque()
            for part in parts[:2]:
                ahead.append([pool.submit(self.pixels, i) for i in part])
            for number, part in enumerate(parts):
                if number + 2 < len(parts):
                    ahead.append([pool.submit(self.pixels, i) for i in parts[number + 2]])
                batch = np.zeros((len(part), self.size, self.size, 3), np.uint8)
                for row, (index, future) in enumerate(zip(part, ahead.popleft())):
                    try:
                        batch[row] = future.result()
                    except PictureError as error:
                        failed.append((int(index), str(error)))
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)
        if failed:
            raise self.unreadable(dict(failed))

    def unreadable(self, reasons: Mapping[int, str]) -> UnreadablePictures:
        """The error that names pictures that cannot be read (to be raised).

        Args:
            reasons: why, by position.
        """
        listed = "; ".join(f"{self.images.names[i]} {reason}" for i, reason in islice(reasons.items(), 5))
        return UnreadablePictures(
            f"{len(reasons)} picture(s) could not be decoded: {listed}; leave them out with split.without()", reasons
        )

    def array(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures as one array `(N, S, S, 3)` uint8."""
        return np.concatenate([np.zeros((0, self.size, self.size, 3), np.uint8), *self.batches(indices)])

    def load(self, indices: Sequence[int]) -> None:
        """Decode pictures, so that `pixels` has them at hand where they are kept.

        Raises:
            UnreadablePictures: some could not be decoded.
        """
        for _ in self.batches(indices):
            pass

    def pixels(self, index: int) -> np.ndarray:
        """One picture `(S, S, 3)` uint8, decoded if it was not kept.

        Raises:
            PictureError: it cannot be decoded, or is gone and not back a moment later.
            DataError: more than a tenth of all files are gone.
        """
        if self._known[index]:
            return self._kept[index]
        # What is kept of a picture, here and on disk, is kept by the content that it was listed with.
        images = self.images
        file = images.paths[index], self.size, self.fit, images.digests[index], images.levels
        try:
            picture = read_fitted(*file)
        except UnreachablePicture:
            picture = self._read_again(index, file)
        if self._kept is not None:
            self._kept[index] = picture
            self._known[index] = True
        return picture

    def _read_again(self, index: int, file: tuple) -> np.ndarray:
        """Read a file that was not there a moment ago; a disk that stays away is not waited for again and again."""
        if self._pauses:
            time.sleep(PAUSE)
        try:
            picture = read_fitted(*file)
        except UnreachablePicture:
            self._pauses = max(0, self._pauses - 1)
            self._count_gone(index)
            raise
        self._pauses = PAUSES
        return picture

    def _count_gone(self, index: int) -> None:
        self._gone.add(index)
        if len(self._gone) > max(1, GONE * len(self.images)):
            raise DataError(
                f"{len(self._gone)} of {len(self.images)} pictures are gone since they were listed, the last of them "
                f"{self.images.names[index]}; look whether their disk is still there and start again: what was "
                "computed so far is kept"
            )


def squares(
    pictures: Sequence[Source], size: int, fit: str, levels: Levels | None = None
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield (uint8 batch `(B, S, S, 3)`, why each picture cannot be read or `""`), in order; such a picture is black.

    Two batches are read while the one before is at work.

    Args:
        pictures, size, fit, levels: see `sources.read_square`.
    """

    def read(picture: Source):
        try:
            return read_square(picture, size, fit, levels), ""
        except PictureError as error:
            return np.zeros((size, size, 3), np.uint8), str(error)

    parts = (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        reading = deque([pool.submit(read, picture) for picture in part] for part in islice(parts, 2))
        while reading:
            pixels, errors = zip(*(future.result() for future in reading.popleft()))
            reading.extend([pool.submit(read, picture) for picture in part] for part in islice(parts, 1))
            yield np.stack(pixels), list(errors)
    finally:
        pool.shutdown(cancel_futures=True)


def _room(shape: tuple[int, ...]) -> np.ndarray | None:
    size = int(np.prod(shape, dtype=np.int64))
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    # The file takes its room as it is written, and a disk that is full by then ends the process.
    if shutil.disk_usage(tempfile.gettempdir()).free < 1.1 * size:
        return None
    with tempfile.TemporaryFile() as file:  # the memory map keeps the nameless file alive
        return np.memmap(file, np.uint8, "w+", shape=shape)
