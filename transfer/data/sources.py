"""Pictures as Python holds them: a file, its bytes, a Pillow picture, an array of pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from transfer.data.images import fit_picture, read_fitted
from transfer.data.levels import Levels
from transfer.data.rgb import upright_rgb
from transfer.errors import DataError, PictureError, first_line

Source = str | Path | bytes | Image.Image | np.ndarray
EXPECTED = (
    "expected a file, folder or pattern, the bytes of a file, a Pillow picture, a uint8 array (H, W, 3), (H, W) or "
    "(N, H, W, 3), or several of these"
)


def named_sources(pictures: Source | Iterable[Source], name: str = "pictures") -> Iterator[tuple[str, Source]]:
    """Yield each picture with what it is called: a path by itself, others as Python finds them, `pictures[2]`.

    Args:
        pictures: one of `Source`, an array of several pictures, or any of these one after another.
        name: of `pictures`.

    Raises:
        DataError: something else.
    """
    if isinstance(pictures, (str, Path)):
        yield str(pictures), pictures
    elif isinstance(pictures, (bytes, Image.Image)):
        yield name, pictures
    elif isinstance(pictures, np.ndarray) and pictures.dtype.kind in "biufc":
        is_picture = pictures.ndim == 2 or (pictures.ndim in (3, 4) and pictures.shape[-1] == 3)
        if pictures.dtype != np.uint8 or not is_picture or 0 in pictures.shape[int(pictures.ndim == 4) :]:
            raise DataError(f"{name} is an array of {pictures.dtype} {pictures.shape}; {EXPECTED}")
        if pictures.ndim < 4:
            yield name, pictures
        else:
            yield from ((f"{name}[{position}]", pixels) for position, pixels in enumerate(pictures))
    elif isinstance(pictures, Iterable):
        for position, picture in enumerate(pictures):
            yield from named_sources(picture, f"{name}[{position}]")
    else:
        raise DataError(f"{name} is of type {type(pictures).__name__}; {EXPECTED}")


def read_square(source: Source, size: int, fit: str, levels: Levels | None = None) -> np.ndarray:
    """The pixels of one picture, upright and brought to the square, `(S, S, 3)` uint8 RGB, 0..255.

    Args:
        source: the picture.
        size, fit: of the square, see `images.fit_picture`.
        levels: of the data set that a network learned from, see `images.read_picture`.

    Raises:
        PictureError: it cannot be decoded, see `read_picture`.
    """
    if isinstance(source, np.ndarray):
        return fit_picture(source if source.ndim == 3 else np.repeat(source[..., None], 3, axis=2), size, fit)
    if not isinstance(source, Image.Image):
        return read_fitted(source, size, fit, levels=levels)
    try:
        return fit_picture(np.asarray(upright_rgb(source, levels)), size, fit)
    except Exception as error:  # its file is read now, and decoders raise every kind on damaged bytes
        raise PictureError(f"is cut short or damaged ({first_line(error)})") from error
