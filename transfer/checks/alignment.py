"""Whether one small picture is another one that was cut out, shifted or stretched a little."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

STEPS = 10
# Pairs that are not alike after the first steps get no further ones. Of 2,000 pictures cropped by up to 8 %
# a side, resized or re-encoded, none that the ten steps find had less than 0.91 there; most others have.
FIRST_STEPS, PROMISING = 2, 0.88
MOST_CUT = 0.3  # a solution that scales or moves by more than this share of half the side is none
# As matrices, which blur far faster than a filter; pixels of 32: encoders change what is finer than the
# first, lighting what is coarser than the second.
_NOISE, _LIGHTING = (ndimage.gaussian_filter1d(np.eye(32, dtype=np.float32), pixels, axis=0) for pixels in (0.7, 5.0))


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


def _aligned(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    return _correlation(first, _cut(second, _rectangles(first, second, steps)))


def _details(pictures: np.ndarray) -> np.ndarray:
    pictures = _NOISE @ pictures.astype(np.float32) @ _NOISE.T
    details = pictures - _LIGHTING @ pictures @ _LIGHTING.T
    return details / np.maximum(details.std(axis=(1, 2), keepdims=True), 1e-6)


def _rectangles(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """`(P, 4)`: scale and shift along y, then along x, which bring `second` onto `first`; coordinates -1..1."""
    size = first.shape[1]
    axis = np.linspace(-1, 1, size)
    along_y, along_x = np.gradient(first, axis, axis, axis=(1, 2))
    steepest = np.stack([along_y * axis[:, None], along_y, along_x * axis, along_x], axis=1)
    flat = steepest.reshape(len(first), 4, size * size)
    hessian = flat @ flat.transpose(0, 2, 1) + 1e-3 * np.eye(4)
    place = np.tile([1.0, 0.0, 1.0, 0.0], (len(first), 1))
    for _ in range(steps):
        error = _cut(second, place) - first
        error[np.isnan(error)] = 0.0
        step = np.linalg.solve(hessian, flat @ error.reshape(len(first), size * size, 1))[..., 0]
        scale = place[:, ::2] / np.clip(1 + step[:, ::2], 0.5, 2.0)
        place = np.stack([scale, place[:, 1::2] - scale * step[:, 1::2]], axis=2).reshape(-1, 4)
        lost = np.abs(place - [1, 0, 1, 0]).max(axis=1) > MOST_CUT
        place[lost] = [1, 0, 1, 0]
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
