"""A picture as Pillow opens it to upright RGB pixels of 8 bits, whole or in parts.

Colour profiles of RGB pictures are ignored, as in every network's own training; CMYK is converted
by its profile where it has one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageCms

from transfer.data.levels import BAND, Levels, kind_of, level_of, values_of
from transfer.data.orientation import TURNS, orientation

SIDEWAYS, FROM_THE_END = (5, 6, 7, 8), (3, 4, 7, 8)  # orientations of which the rows are columns, or come last first
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


def upright_rgb(image: Image.Image, levels: Levels | None = None) -> Image.Image:
    """An opened picture in mode `RGB`, with the pixels that `read_picture` returns; the same object if it is so."""
    size, parts = upright_parts(image, levels)
    first = next(parts)
    if first.size == size:
        return first
    whole, top = Image.new("RGB", size), first.height
    whole.paste(first, (0, 0))
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def upright_parts(image: Image.Image, levels: Levels | None = None) -> tuple[tuple[int, int], Iterator[Image.Image]]:
    """Width and height of an opened picture, upright, and its parts in mode `RGB`, from above, each as wide as all.

    Whole, a large one would be in memory two or three times.
    """
    image.load()  # in a PNG, what says how it stands may lie behind the pixels
    turned = orientation(image)
    size = image.size[::-1] if turned in SIDEWAYS else image.size
    return size, _parts(image, turned, _conversion(image, levels))


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Lay `(H, W, 4)` uint8 pixels on white, in whole numbers so that other code can repeat it."""
    alpha = rgba[..., 3:].astype(np.int32)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _parts(image: Image.Image, turned: int, convert: Callable) -> Iterator[Image.Image]:
    width, height = image.size
    wide, high = (height, width) if turned in SIDEWAYS else (width, height)
    rows = max(1, BAND // max(1, wide))
    for top in range(0, max(1, high), rows):
        first, last = top, min(top + rows, high)
        if turned in FROM_THE_END:
            first, last = high - last, high - first
        box = (first, 0, last, height) if turned in SIDEWAYS else (0, first, width, last)
        part = convert(image if rows >= high else image.crop(box))
        yield part.transpose(TURNS[turned]) if turned in TURNS else part


def _conversion(image: Image.Image, levels: Levels | None) -> Callable[[Image.Image], Image.Image]:
    """What makes a picture in mode `RGB` of this one, or of a part of it."""
    kind, hole = kind_of(image), image.info.get("transparency")
    level = level_of(image, levels) if kind else 1.0
    if kind and kind != "A":
        return lambda part: Image.fromarray(_grey(values_of(part, image), level, hole)).convert("RGB")
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        return lambda part: _cmyk_by_profile(part, image.info["icc_profile"])
    if level and (image.mode in _WITH_ALPHA or hole is not None):
        return lambda part: Image.fromarray(on_white(np.asarray(part.convert("RGBA"))))
    return lambda part: part if part.mode == "RGB" else part.convert("RGB")


def _grey(values: np.ndarray, level: float, hole: object) -> np.ndarray:
    exact = np.float32 if values.dtype.itemsize < 4 or values.dtype == np.float32 else np.float64
    levels = np.fmin(np.fmax(values * exact(level), 0), 255).astype(np.uint8)  # NaN is 0
    return levels if hole is None else np.where(values == hole, np.uint8(255), levels)


def _cmyk_by_profile(image: Image.Image, data: bytes) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert("RGB")  # an unusable profile: the plain conversion
