"""What can be measured on the pixels of pictures, of many at once: a call of numpy costs more than a small picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import fft

from transfer.data.images import padded_size

SIDE = 8  # of the descriptor: 8 x 8 frequencies
MINIATURE = 32  # pixels: the side of what near duplicates are compared by
MOST, STEP = 512, 16  # pixels of the middle that detail is looked for in, in whole steps
DROP = 0.02  # share of the strongest band's energy below which a band counts as empty
SMALL = 256  # the longest side at which a picture is looked at as a whole
STACK = 2**16  # pixels measured at once: 256 KB of float32 stay in the processor's cache
LUMA = (0.299, 0.587, 0.114)  # of red, green, blue in grey: ITU-R BT.601, as Pillow has it


class Views(NamedTuple):
    """What of a picture is measured, in Pillow's images.

    Attributes:
        grey: the whole picture in mode `L`, 256 x 256 pixels at most.
        middle: its middle in mode `L` at full size, 512 x 512 pixels at most; `None` where `grey` is
            of full size.
        thumbnail: 32 x 32 pixels in mode `RGB`.
    """

    grey: Image.Image
    middle: Image.Image | None
    thumbnail: Image.Image


def views(picture: Image.Image) -> Views:
    """Make what `measure` takes of a picture in mode `RGB`."""
    small, middle = picture, None
    if max(picture.size) > SMALL:
        height, width = padded_size(picture.height, picture.width, SMALL)
        small = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        left, top = (max(0, length - MOST) // 2 for length in picture.size)
        box = (left, top, min(left + MOST, picture.width), min(top + MOST, picture.height))
        middle = picture.crop(box).convert("L")
    thumbnail = small.resize((MINIATURE, MINIATURE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return Views(small.convert("L"), middle, thumbnail)


def measure(seen: Sequence[Views]) -> list[dict[str, float | bytes]]:
    """Measure pictures.

    Args:
        seen: from `views`, one or more.

    Returns:
        For each `brightness` and `contrast`, mean and standard deviation of the grey levels, 0..255;
        `colour`, mean range of the three channels in a pixel, 0..255, 0 for grey; `flat`, the share of
        8 x 8 tiles without anything in them, 0..1; `sharpness`, the `detail` of the whole picture at no
        more than 256 pixels; `detail`, see `detail`; `descriptor`, see `descriptor`; `miniature`, its
        32 x 32 grey levels, a byte each.
    """
    brightness, contrast, flat, sharpness = zip(*_in_stacks(_of_levels, [view.grey for view in seen]))
    middles = iter(_in_stacks(detail, [view.middle for view in seen if view.middle is not None]))
    thumbnails = _stacked([view.thumbnail for view in seen])
    miniatures = np.rint(thumbnails @ np.array(LUMA, np.float32)).astype(np.uint8)
    columns = {
        "brightness": brightness,
        "contrast": contrast,
        "colour": _colour(thumbnails),
        "flat": flat,
        "sharpness": sharpness,
        "detail": [of_all if view.middle is None else next(middles) for view, of_all in zip(seen, sharpness)],
        "descriptor": [row.tobytes() for row in descriptor(miniatures)],
        "miniature": [row.tobytes() for row in miniatures],
    }
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _in_stacks(function: Callable[[np.ndarray], np.ndarray], pictures: Sequence[Image.Image]) -> list:
    """The rows that `function` gives for pictures of any sizes, which it takes in stacks `(B, H, W)` float32."""
    places, rows = defaultdict(list), {}
    for index, picture in enumerate(pictures):
        places[picture.size].append(index)
    for (width, height), indices in places.items():
        step = max(1, STACK // (height * width))
        for part in (indices[start : start + step] for start in range(0, len(indices), step)):
            stack = _stacked([pictures[index] for index in part]).astype(np.float32)
            rows.update(zip(part, function(stack).tolist()))
    return [rows[index] for index in range(len(pictures))]


def _stacked(pictures: Sequence[Image.Image]) -> np.ndarray:
    """`(B, H, W)` or `(B, H, W, 3)` uint8: pictures of one size, which Pillow hands out fastest in one piece."""
    width, height = pictures[0].size
    strip = Image.new(pictures[0].mode, (width, height * len(pictures)))
    for number, picture in enumerate(pictures):
        strip.paste(picture, (0, number * height))
    pixels = np.asarray(strip)
    return pixels.reshape(len(pictures), height, *pixels.shape[1:])


def _of_levels(grey: np.ndarray) -> np.ndarray:
    """`(B, 4)` brightness, contrast, flat and sharpness."""
    brightness = grey.mean(axis=(1, 2), keepdims=True)
    centred = grey - brightness
    squares = centred * centred
    contrast = np.sqrt(squares.mean(axis=(1, 2)))
    return np.stack([brightness[:, 0, 0], contrast, _flat(centred, squares), detail(centred)], axis=1)


def _colour(channels: np.ndarray) -> list[float]:
    """The mean range of the channels in a pixel."""
    red, green, blue = np.moveaxis(channels, -1, 0)  # numpy takes five times as long along an axis of three
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return (highest - lowest).mean(axis=(1, 2)).tolist()


def _flat(levels: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The share of 8 x 8 tiles with a standard deviation below 2, from levels `(B, H, W)` and their squares."""
    count, height, width = len(levels), levels.shape[1] // 8, levels.shape[2] // 8
    if not (height and width):
        return np.zeros(count)
    rows = (values[:, : 8 * height, : 8 * width].reshape(-1, 8, 8 * width) for values in (levels, squares))
    mean, square = (row.sum(axis=1).reshape(-1, 8).sum(axis=1) / 64 for row in rows)
    return (square - mean**2 < 4).reshape(count, -1).mean(axis=1)


def detail(grey: np.ndarray) -> np.ndarray:
    """The share of a picture's width in pixels that its content fills: 0.5 for one enlarged twice.

    Enlarging adds no frequencies: above the old limit the spectrum is empty. In the power spectrum of
    the middle of the picture, averaged over rings and weighted with the squared frequency (by which
    the power of natural scenes falls: Field 1987), the outermost ring that still holds `DROP` of the
    strongest one is the limit.

    Args:
        grey: `(B, H, W)` grey levels, their mean taken away or not, of no more than 512 x 512 pixels.

    Returns:
        `(B,)` 0..1; 1.0 for pictures of less than 32 pixels.
    """
    side = min(grey.shape[1:]) // STEP * STEP
    if side < 32:
        return np.ones(len(grey))
    top, left = ((length - side) // 2 for length in grey.shape[1:])
    middle = grey[:, top : top + side, left : left + side]
    window, order, start, frequency, weight = _rings(side)
    waves = fft.rfft2((middle - middle.mean(axis=(1, 2), keepdims=True)) * window).reshape(len(grey), -1)
    power = (waves.real**2 + waves.imag**2).take(order, axis=1)
    weighted = np.add.reduceat(power, start, axis=1) * weight
    strongest = weighted.max(axis=1, keepdims=True)
    limit = np.where(weighted > DROP * strongest, frequency, 0).max(axis=1) + 1 / 64
    return np.where(strongest[:, 0] < 1e-3 * side**2, 1, np.minimum(limit, 1))


def descriptor(miniatures: np.ndarray) -> np.ndarray:
    """What a picture looks like from afar, in 64 bytes: a perceptual hash that keeps more than the signs.

    The 8 x 8 lowest frequencies of its cosine transform (the pHash of Zauner 2010), weighted with the
    frequency so that the lighting does not drown the shapes, scaled to -127..127.

    Args:
        miniatures: `(B, 32, 32)` grey levels, 0..255.

    Returns:
        `(B, 8, 8)` int8.
    """
    waves = (_COSINES @ miniatures.astype(np.float32) @ _COSINES.T) * _WEIGHTS
    strongest = np.maximum(np.abs(waves).max(axis=(1, 2), keepdims=True), 1)
    return np.round(waves * (127 / strongest)).astype(np.int8)


_COSINES = fft.dct(np.eye(MINIATURE, dtype=np.float32), norm="ortho", axis=0)[:SIDE]
_WEIGHTS = np.hypot(*np.mgrid[:SIDE, :SIDE]).astype(np.float32)


@cache  # no more than MOST / STEP sides occur
def _rings(side: int) -> tuple[np.ndarray, ...]:
    """What `detail` needs for a square of one size, without the mean and the corners of the spectrum.

    Returns:
        window; indices of the coefficients, ring by ring; where each ring starts there; its frequency
        as a share of the highest; the weight of its sum.
    """
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    ring = np.round(64 * np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side)).ravel())
    order = np.argsort(ring, kind="stable")
    order = order[(ring[order] >= 1) & (ring[order] <= 32)]
    rings, start, count = np.unique(ring[order], return_index=True, return_counts=True)
    frequency = rings / 32
    return window, order, start, frequency, frequency**2 / count
