"""What can be measured on the pixels of one picture."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image
from scipy import fft

from transfer.data.images import padded_size

SIDE = 8  # of the descriptor: 8 x 8 frequencies
MINIATURE = 32  # pixels: the side of what near duplicates are compared by
MOST, STEP = 512, 16  # pixels of the middle that detail is looked for in, in whole steps
DROP = 0.02  # share of the strongest band's energy below which a band counts as empty
SMALL = 256  # the longest side at which a picture is looked at as a whole


def measure(picture: Image.Image) -> dict[str, float | bytes]:
    """Measure one picture.

    Args:
        picture: in mode `RGB`.

    Returns:
        `brightness` and `contrast`, mean and standard deviation of the grey levels, 0..255;
        `colour`, mean range of the three channels in a pixel, 0..255, 0 for grey; `flat`, the share of
        8 x 8 tiles without anything in them, 0..1; `sharpness`, the `detail` of the whole picture at no
        more than 256 pixels; `detail`, see `detail`; `descriptor`, see `descriptor`; `miniature`, its
        32 x 32 grey levels, a byte each.
    """
    small = _reduced(picture)
    shades = small.convert("L")
    miniature = np.asarray(shades.resize((MINIATURE, MINIATURE), Image.Resampling.BILINEAR))
    grey = np.asarray(shades)
    channels = np.asarray(small.resize((32, 32)))
    levels, counts = np.arange(256), np.array(shades.histogram()) / grey.size
    brightness = float(levels @ counts)
    found = detail(picture)
    return {
        "brightness": brightness,
        "contrast": float(np.sqrt((levels - brightness) ** 2 @ counts)),
        "colour": float((channels.max(axis=2) - channels.min(axis=2)).mean()),
        "flat": _flat(grey),
        "sharpness": found if small is picture else detail(small),
        "detail": found,
        "descriptor": descriptor(miniature),
        "miniature": miniature.tobytes(),
    }


def _reduced(picture: Image.Image) -> Image.Image:
    if max(picture.size) <= SMALL:
        return picture
    height, width = padded_size(picture.height, picture.width, SMALL)
    return picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _flat(grey: np.ndarray) -> float:
    """The share of 8 x 8 tiles whose grey levels have a standard deviation below 2."""
    height, width = grey.shape[0] // 8, grey.shape[1] // 8
    if not (height and width):
        return 0.0
    tiles = grey[: 8 * height, : 8 * width].astype(np.float32).reshape(height, 8, width, 8)
    return float((np.square(tiles).mean(axis=(1, 3)) - tiles.mean(axis=(1, 3)) ** 2 < 4).mean())


def detail(picture: Image.Image) -> float:
    """The share of a picture's width in pixels that its content fills: 0.5 for one enlarged twice.

    Enlarging adds no frequencies: above the old limit the spectrum is empty. In the power spectrum of
    the middle of the picture, averaged over rings and weighted with the squared frequency (by which
    the power of natural scenes falls: Field 1987), the outermost ring that still holds `DROP` of the
    strongest one is the limit.

    Args:
        picture: in mode `RGB` or `L`.

    Returns:
        0..1; 1.0 for pictures of less than 32 pixels.
    """
    side = min(*picture.size, MOST) // STEP * STEP
    if side < 32:
        return 1.0
    left, top = ((length - side) // 2 for length in picture.size)
    grey = np.asarray(picture.crop((left, top, left + side, top + side)).convert("L"), np.float32)
    window, ring, frequency, count = _rings(side)
    waves = fft.rfft2((grey - grey.mean()) * window).ravel()
    power = waves.real**2 + waves.imag**2
    weighted = np.bincount(ring, power, len(frequency))[1:-1] / count[1:-1] * frequency[1:-1] ** 2
    if weighted.max() < 1e-3 * side**2:
        return 1.0
    return float(min(1.0, frequency[1:-1][np.flatnonzero(weighted > DROP * weighted.max())[-1]] + 1 / 64))


def descriptor(miniature: np.ndarray) -> bytes:
    """What a picture looks like from afar, in 64 bytes: a perceptual hash that keeps more than the signs.

    The 8 x 8 lowest frequencies of its cosine transform (the pHash of Zauner 2010), weighted with the
    frequency so that the lighting does not drown the shapes, scaled to -127..127 as int8.

    Args:
        miniature: `(32, 32)` grey levels, 0..255.
    """
    waves = (_COSINES @ miniature.astype(np.float32) @ _COSINES.T) * _WEIGHTS
    return np.round(waves * (127 / max(float(np.abs(waves).max()), 1.0))).astype(np.int8).tobytes()


_COSINES = fft.dct(np.eye(MINIATURE, dtype=np.float32), norm="ortho", axis=0)[:SIDE]
_WEIGHTS = np.hypot(*np.mgrid[:SIDE, :SIDE]).astype(np.float32)


@cache  # no more than MOST / STEP sides occur
def _rings(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(window, ring of each coefficient, frequency of each ring as share of the highest, coefficients of each)."""
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    radius = 2 * np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side)).ravel()
    ring = np.minimum(np.round(radius * 32), 33).astype(int)
    return window, ring, np.arange(34) / 32, np.maximum(np.bincount(ring, minlength=34), 1)
