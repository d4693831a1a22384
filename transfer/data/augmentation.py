"""Random changes of training pictures, applied in front of the network and never saved with it."""

from __future__ import annotations

import numpy as np
from PIL import Image


def random_crop(
    picture: np.ndarray, size: int, rng: np.random.Generator, smallest: float = 0.35, flip: bool = True
) -> np.ndarray:
    """Cut out a random part, scale it to the square, and mirror it half the time.

    The inception crop (Szegedy et al. 2014, arXiv:1409.4842): part of the area and proportions
    drawn at random.

    Args:
        picture: `(H, W, 3)` uint8.
        size: side S of the result in pixels.
        rng: the source of chance.
        smallest: share of the area that is kept at least, 0..1.
        flip: whether a mirror image means the same.

    Returns:
        `(S, S, 3)` uint8.
    """
    height, width = picture.shape[:2]
    area = rng.uniform(smallest, 1.0) * height * width
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    w, h = min(width, np.sqrt(area * ratio)), min(height, np.sqrt(area / ratio))
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (left, top, left + w, top + h)
    crop = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box))
    return crop[:, ::-1] if flip and rng.random() < 0.5 else crop
