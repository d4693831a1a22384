"""What can be measured on the pixels of one picture."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import fft

SIDE = 8  # of the descriptor: 8 x 8 frequencies
MOST = 512  # pixels of the middle that detail is looked for in
DROP = 0.02  # share of the strongest band's energy below which a band counts as empty
SMALL = 256  # the longest side at which a picture is looked at as a whole


def measure(pixels: np.ndarray) -> dict[str, float | bytes]:
    """Measure one picture.

    Args:
        pixels: `(H, W, 3)` uint8 RGB.

    Returns:
        `brightness` and `contrast`, mean and standard deviation of the grey levels, 0..255;
        `colour`, mean range of the three channels in a pixel, 0..255, 0 for grey; `extreme`, the larger
        share of pixels that are black (below 6) or white (above 249), 0..1; `flat`, the share of 8 x 8
        tiles without anything in them, 0..1; `sharpness`, the `detail` of the whole picture at no more
        than 256 pixels; `detail`, see `detail`; `descriptor`, see `descriptor`.
    """
    whole = Image.fromarray(pixels)
    small = whole.copy()
    small.thumbnail((SMALL, SMALL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    shades = small.convert("L")
    grey = np.asarray(shades)
    channels = np.asarray(small.resize((32, 32)))
    levels, counts = np.arange(256), np.array(shades.histogram()) / grey.size
    brightness = float(levels @ counts)
    found = detail(grey if small.size == whole.size else np.asarray(whole.convert("L")))
    return {
        "brightness": brightness,
        "contrast": float(np.sqrt((levels - brightness) ** 2 @ counts)),
        "colour": float((channels.max(axis=2) - channels.min(axis=2)).mean()),
        "extreme": float(max(counts[:6].sum(), counts[250:].sum())),
        "flat": _flat(grey),
        "sharpness": found if small.size == whole.size else detail(grey),
        "detail": found,
        "descriptor": descriptor(shades),
    }


def _flat(grey: np.ndarray) -> float:
    """The share of 8 x 8 tiles whose grey levels have a standard deviation below 2."""
    height, width = grey.shape[0] // 8, grey.shape[1] // 8
    if not (height and width):
        return 0.0
    tiles = grey[: 8 * height, : 8 * width].astype(np.float32).reshape(height, 8, width, 8)
    return float((np.square(tiles).mean(axis=(1, 3)) - tiles.mean(axis=(1, 3)) ** 2 < 4).mean())


def detail(grey: np.ndarray) -> float:
    """The share of a picture's width in pixels that its content fills: 0.5 for one enlarged twice.

    Enlarging adds no frequencies: above the old limit the spectrum is empty. In the power spectrum of
    the middle of the picture, averaged over rings and weighted with the squared frequency (by which
    the power of natural scenes falls: Field 1987), the outermost ring that still holds `DROP` of the
    strongest one is the limit.

    Args:
        grey: `(H, W)` grey levels, 0..255.

    Returns:
        0..1; 1.0 for pictures of less than 32 pixels.
    """
    side = min(*grey.shape, MOST)
    if side < 32:
        return 1.0
    top, left = ((length - side) // 2 for length in grey.shape)
    grey = grey[top : top + side, left : left + side].astype(np.float32)
    window = np.hanning(side).astype(np.float32)
    waves = fft.rfft2((grey - grey.mean()) * window[:, None] * window).ravel()
    power = waves.real**2 + waves.imag**2
    ring, frequency, count = _rings(side)
    weighted = np.bincount(ring, power, len(frequency))[1:-1] / count[1:-1] * frequency[1:-1] ** 2
    if weighted.max() < 1e-3 * side**2:
        return 1.0
    return float(min(1.0, frequency[1:-1][np.flatnonzero(weighted > DROP * weighted.max())[-1]] + 1 / 64))


def descriptor(picture: Image.Image) -> bytes:
    """What a picture looks like from afar, in 64 bytes: a perceptual hash that keeps more than the signs.

    The 8 x 8 lowest frequencies of its cosine transform (the pHash of Zauner 2010), weighted with the
    frequency so that the lighting does not drown the shapes, scaled to -127..127 as int8.

    Args:
        picture: in mode `L`.
    """
    small = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR), np.float32)
    waves = (_COSINES @ small @ _COSINES.T) * _WEIGHTS
    return np.round(waves * (127 / max(float(np.abs(waves).max()), 1.0))).astype(np.int8).tobytes()


_COSINES = fft.dct(np.eye(32, dtype=np.float32), norm="ortho", axis=0)[:SIDE]
_WEIGHTS = np.hypot(*np.mgrid[:SIDE, :SIDE]).astype(np.float32)
_KNOWN_RINGS: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}


def _rings(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(ring of each coefficient, frequency of each ring as share of the highest, coefficients of each)."""
    if side not in _KNOWN_RINGS:
        radius = 2 * np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side)).ravel()
        ring = np.minimum(np.round(radius * 32), 33).astype(int)
        _KNOWN_RINGS[side] = ring, np.arange(34) / 32, np.maximum(np.bincount(ring, minlength=34), 1)
    return _KNOWN_RINGS[side]
