"""Whether one small picture is another one that was cut out, shifted or stretched a little."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

STEPS = 10
# Pairs that are not alike after the first steps get no further ones. Of 2,000 pictures cropped by up to 8 %
# a side, resized or re-encoded, none that the ten steps find had less than 0.91 there; most others have.
FIRST_STEPS, PROMISING = 2, 0.88
MOST_CUT = 0.3  # a solution that scales or moves by more than this share of half the side is none
NOISE, LIGHTING = 0.7, 5.0  # pixels of 32: encoders change what is finer than the first, lighting what is coarser
# Rectangles to start from in looking for larger crops: scale and shift along y, then along x.
STARTS = np.array(
    [
        (scale, (1 - scale) * down, scale, (1 - scale) * right)
        for scale in (1.0, 0.9, 0.8, 0.7)
        for down in ((-1, 0, 1) if scale < 1 else (0,))
        for right in ((-1, 0, 1) if scale < 1 else (0,))
    ]
)
# Close up, where a miniature is too coarse to tell two dandelions apart: pixels of 96.
CLOSE_NOISE, CLOSE_LIGHTING, CLOSE_STEPS = 1.0, 8.0, 4


def aligned_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlate pairs of pictures after finding the rectangle of one that is the whole of the other.

    The rectangle is found by the inverse compositional algorithm (Baker and Matthews 2004, "Lucas-Kanade
    20 years on") with four unknowns: scale and shift along each axis. What is compared then are the
    details, with brightness and its slow changes taken away.

    Args:
        first, second: `(P, S, S)` grey levels, P pairs; S is 32.

    Returns:
        `(P,)` float64 correlations, -1..1; near 1 for two versions of one picture. A pair for which
        no rectangle is found keeps the correlation of the pictures as they are, and one that is far from
        alike after a few steps the correlation it has then.
    """
    first, second = _details(first), _details(second)
    likeness = np.maximum(_correlation(first, second), _aligned(first, second, FIRST_STEPS))
    promising = likeness >= PROMISING
    aligned = _aligned(first[promising], second[promising], STEPS)
    likeness[promising] = np.maximum(likeness[promising], aligned)
    return likeness


def find_crops(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the rectangle of each `second` that may be the whole of its `first`, cut away by up to 30 % of a side.

    As `aligned_correlation`, from the best of several rectangles instead of from the whole.

    Args:
        first, second: `(P, S, S)` grey levels, P pairs; S is 32.

    Returns:
        `(P, 4)` scale and shift along y, then along x, of coordinates -1..1, and the `(P,)` correlations there.
    """
    first, second = _details(first), _details(second)
    tried = [_correlation(first, _cut(second, np.tile(start, (len(first), 1)))) for start in STARTS]
    place = _rectangles(first, second, STEPS, STARTS[np.argmax(tried, axis=0)])
    return place, np.maximum(_correlation(first, _cut(second, place)), np.max(tried, axis=0))


def correlation_close_up(first: np.ndarray, second: np.ndarray, place: np.ndarray) -> np.ndarray:
    """`(P,)` correlation of the details of pairs `(P, S, S)` of larger pictures, S about 96, from `find_crops` on."""
    first, second = (_details(pictures, CLOSE_NOISE, CLOSE_LIGHTING) for pictures in (first, second))
    return _correlation(first, _cut(second, _rectangles(first, second, CLOSE_STEPS, place)))


def _aligned(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    return _correlation(first, _cut(second, _rectangles(first, second, steps)))


def _details(pictures: np.ndarray, noise: float = NOISE, lighting: float = LIGHTING) -> np.ndarray:
    fine, coarse = (_blur(pictures.shape[1], pixels) for pixels in (noise, lighting))
    pictures = fine @ pictures.astype(np.float32) @ fine.T
    details = pictures - coarse @ pictures @ coarse.T
    return details / np.maximum(details.std(axis=(1, 2), keepdims=True), 1e-6)


@cache
def _blur(size: int, pixels: float) -> np.ndarray:
    """A Gaussian along one axis as a matrix, which is far faster than a filter."""
    return ndimage.gaussian_filter1d(np.eye(size, dtype=np.float32), pixels, axis=0)


def _rectangles(first: np.ndarray, second: np.ndarray, steps: int, start: np.ndarray | None = None) -> np.ndarray:
    """`(P, 4)`: scale and shift along y, then along x, which bring `second` onto `first`; coordinates -1..1."""
    size = first.shape[1]
    axis = np.linspace(-1, 1, size)
    along_y, along_x = np.gradient(first, axis, axis, axis=(1, 2))
    steepest = np.stack([along_y * axis[:, None], along_y, along_x * axis, along_x], axis=1)
    flat = steepest.reshape(len(first), 4, size * size)
    hessian = flat @ flat.transpose(0, 2, 1) + 1e-3 * np.eye(4)
    start = np.tile([1.0, 0.0, 1.0, 0.0], (len(first), 1)) if start is None else start
    place = start.copy()
    for _ in range(steps):
        error = _cut(second, place) - first
        error[np.isnan(error)] = 0.0
        step = np.linalg.solve(hessian, flat @ error.reshape(len(first), size * size, 1))[..., 0]
        scale = place[:, ::2] / np.clip(1 + step[:, ::2], 0.5, 2.0)
        place = np.stack([scale, place[:, 1::2] - scale * step[:, 1::2]], axis=2).reshape(-1, 4)
        lost = np.abs(place - start).max(axis=1) > MOST_CUT
        place[lost] = start[lost]
    return place


def _cut(pictures: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Each picture's rectangle at the full size, bilinear; NaN where it reaches outside."""
    size = pictures.shape[1]
    axis = np.linspace(-1, 1, size)
    along = (place[:, ::2, None] * axis + place[:, 1::2, None] + 1) * (size - 1) / 2  # (P, 2, S) pixels
    # A map without rotation takes one weighted sum along each axis.
    weights = np.maximum(1 - np.abs(along.astype(pictures.dtype)[..., None] - np.arange(size, dtype=np.float32)), 0)
    cut = weights[:, 0] @ pictures @ weights[:, 1].transpose(0, 2, 1)
    outside = (along < 0) | (along > size - 1)
    return np.where(outside[:, 0, :, None] | outside[:, 1, None, :], np.nan, cut)


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    seen = ~np.isnan(second)
    count = np.maximum(seen.sum(axis=(1, 2)), 1)

    def mean(values):
        return np.where(seen, values, 0.0).sum(axis=(1, 2)) / count

    a, b = first - mean(first)[:, None, None], second - mean(second)[:, None, None]
    return mean(a * b) / np.maximum(np.sqrt(mean(a * a) * mean(b * b)), 1e-9)
