"""One picture: bytes to upright RGB pixels, and pixels to the square that a network takes.

`runs.graph_images` repeats these two steps as TensorFlow operations, and a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from transfer.data.levels import Levels
from transfer.data.picture_files import opened
from transfer.data.rgb import upright_rgb
from transfer.errors import unknown_name
from transfer.names import FITS


def read_picture(source: Path | str | bytes, digest: str | None = None, levels: Levels | None = None) -> np.ndarray:
    """Decode a picture file.

    Animations give their first frame, transparency is laid on white; EXIF or else XMP turns it upright.

    Args:
        source: a path, or the bytes of a file.
        digest: of its bytes when it was listed, see `digest_of`; with others it is another picture by now.
        levels: of its data set, what values of more than 8 bits become; without, 16 bits keep their upper 8, and
            those of 32 bits go by the range of the picture.

    Returns:
        `(H, W, 3)` uint8 RGB, 0..255.

    Raises:
        PictureError: no picture, cut short, damaged, changed, or of more than 89 million pixels.
    """
    with opened(source, digest) as image:
        return np.array(upright_rgb(image, levels))


def read_fitted(
    source: Path | str | bytes,
    size: int,
    fit: str = "crop",
    digest: str | None = None,
    levels: Levels | None = None,
) -> np.ndarray:
    """What `fit_picture` makes of `read_picture`, `(S, S, 3)` uint8, without an array of all its pixels."""
    with opened(source, digest) as image:
        return _fitted(upright_rgb(image, levels), size, fit)


def crop_box(height: int, width: int, fit: str) -> tuple[float, float, float, float]:
    """The part (left, top, right, bottom) of a picture that is scaled to the square."""
    if fit != "crop":
        return (0, 0, width, height)
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


def padded_size(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width of a picture scaled to fit into `size x size`."""
    longer = max(height, width)
    return max(1, round(height * size / longer)), max(1, round(width * size / longer))


def fit_picture(picture: np.ndarray, size: int, fit: str = "crop") -> np.ndarray:
    """Bring a picture to the square that a network takes, by antialiased bilinear scaling.

    Args:
        picture: `(H, W, 3)` uint8.
        size: side S of the square in pixels.
        fit: `crop` cuts out the middle square, `pad` keeps everything between black bars, `stretch`
            changes the proportions.

    Returns:
        `(S, S, 3)` uint8.
    """
    return _fitted(Image.fromarray(picture), size, fit)


def _fitted(picture: Image.Image, size: int, fit: str) -> np.ndarray:
    if fit not in FITS:
        raise unknown_name("`fit`", fit, FITS)
    box = crop_box(picture.height, picture.width, fit)
    if fit != "pad":
        return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box))
    inner_height, inner_width = padded_size(picture.height, picture.width, size)
    inner = picture.resize((inner_width, inner_height), Image.Resampling.BILINEAR, box)
    square = np.zeros((size, size, 3), np.uint8)
    top, left = (size - inner_height) // 2, (size - inner_width) // 2
    square[top : top + inner_height, left : left + inner_width] = np.asarray(inner)
    return square
