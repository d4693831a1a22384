"""With how many training pictures a class a learning curve is measured; known without Keras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.errors import DataError, OptionError, require_whole


def checked_sizes(sizes: Sequence[int] | None, images: LabelledImages, split: Split) -> list[int]:
    """Training pictures a class in rising order: those asked for, or else those that fit the data.

    Raises:
        DataError, OptionError: see `learning_curve`.
    """
    if not len(split.test):
        raise DataError("a learning curve is measured on test pictures, and the split has none; add pictures")
    largest = int(training_counts(images, split).max())
    sizes = settings.curve_sizes(largest) if sizes is None else sizes
    for size in sizes:
        require_whole("sizes", size)
    sizes = sorted({int(size) for size in sizes})
    if sizes and sizes[-1] >= largest:
        raise OptionError(
            f"`sizes={sizes[-1]}`: the largest class has {largest} training pictures; expected sizes below that "
            "(all pictures are measured in any case)"
        )
    return sizes


def training_counts(images: LabelledImages, split: Split) -> np.ndarray:
    """`(C,)` training pictures of each class."""
    return np.bincount(images.labels[split.train], minlength=len(images.class_names))
