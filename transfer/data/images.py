"""One picture: bytes to upright RGB pixels, and pixels to the square that a network takes.

`runs.graph_images` repeats these two steps as TensorFlow operations, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from transfer.data.levels import Levels
from transfer.data.picture_files import opened
from transfer.data.rgb import upright_parts, upright_rgb
from transfer.errors import unknown_name
from transfer.names import FITS

WHOLE = 1 << 25  # pixels up to which a picture is converted as a whole; larger ones in parts, to save memory


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
        PictureError: no picture, cut short, damaged, changed, or of more pixels than `limit_pixels` allows.
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
        if image.width * image.height <= WHOLE:
            return _fitted(upright_rgb(image, levels), size, fit)
        (width, height), parts = upright_parts(image, levels)
        return _fitted(_as_wide_as_needed(width, height, parts, size, fit), size, fit, width)


def read_small(source: Path | str | bytes, side: int, levels: Levels | None = None) -> np.ndarray:
    """A picture `(H, W, 3)` uint8 made no wider or higher than `side` pixels, to be shown; see `read_picture`."""
    with opened(source) as image:
        if image.width * image.height <= WHOLE:
            small = upright_rgb(image, levels)
            small.thumbnail((side, side))
            return np.array(small)
        (width, height), parts = upright_parts(image, levels)
        high, wide = padded_size(height, width, side)
        narrow = _as_wide_as_needed(width, height, parts, side, "pad")
        return np.array(narrow.resize((wide, high), Image.Resampling.BILINEAR))


def _crop_box(height: int, width: int, fit: str) -> tuple[float, float, float, float]:
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


def _as_wide_as_needed(width: int, height: int, parts: Iterable[Image.Image], size: int, fit: str) -> Image.Image:
    """A picture given in parts, scaled along its rows alone: Pillow too does that first, and rounds to 8 bits then.

    Where a picture is higher than wide it may begin with the columns, which differs by one grey level at most.
    """
    left, _, right, _ = _crop_box(height, width, _known(fit))
    wide = padded_size(height, width, size)[1] if fit == "pad" else size
    narrow, top = Image.new("RGB", (wide, height)), 0
    for part in parts:
        across = part.resize((wide, part.height), Image.Resampling.BILINEAR, (left, 0, right, part.height))
        narrow.paste(across, (0, top))
        top += part.height
    return narrow


def _fitted(picture: Image.Image, size: int, fit: str, width: int | None = None) -> np.ndarray:
    """The square of a picture, of which the rows may have been scaled already: `width` is that of before."""
    left, upper, right, lower = _crop_box(picture.height, width or picture.width, _known(fit))
    high, wide = padded_size(picture.height, width or picture.width, size) if fit == "pad" else (size, size)
    box = (left, upper, right, lower) if width is None else (0, upper, wide, lower)
    inner = np.asarray(picture.resize((wide, high), Image.Resampling.BILINEAR, box))
    if fit != "pad":
        return inner
    square = np.zeros((size, size, 3), np.uint8)
    top, left = (size - high) // 2, (size - wide) // 2
    square[top : top + high, left : left + wide] = inner
    return square


def _known(fit: str) -> str:
    if fit not in FITS:
        raise unknown_name("`fit`", fit, FITS)
    return fit
