"""Pictures of a batch mixed in pairs, with their targets: for networks from scratch, never for what is saved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MIXUP_ALPHA, CUTMIX_ALPHA = 0.2, 1.0  # of the Beta distributions that shares are drawn from, as in the papers

# Pixels `(B, S, S, 3)`, those of the partners, and chance → the mixed pixels and the share `(B,)` of the first.
Mix = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def mixed(
    pixels: np.ndarray, targets: np.ndarray, weights: np.ndarray, mix: Mix, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mix each picture of a batch with another one of it.

    The loss of a mixed picture is that of both, by their shares and by what each of them counts.

    Args:
        pixels: `(B, S, S, 3)` float32.
        targets: `(B, C)`.
        weights: `(B,)`.
        mix: a row of `MIXES`.
        rng: the source of chance.

    Returns:
        Pixels, targets and weights of the same shapes.
    """
    other = rng.permutation(len(pixels))
    pixels, share = mix(pixels, pixels[other], rng)
    first, second = share * weights, (1 - share) * weights[other]
    counted = (first + second).astype(np.float32)
    both = first[:, None] * targets + second[:, None] * targets[other]
    return pixels, (both / np.maximum(counted, 1e-12)[:, None]).astype(np.float32), counted


def mixup(pixels: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lay one picture over the other (Zhang et al. 2017, arXiv:1710.09412)."""
    share = rng.beta(MIXUP_ALPHA, MIXUP_ALPHA, len(pixels)).astype(np.float32)
    by = share[:, None, None, None]
    return by * pixels + (1 - by) * others, share


def cutmix(pixels: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Put a rectangle of one picture into the other (Yun et al. 2019, arXiv:1905.04899)."""
    side, pixels = pixels.shape[1], pixels.copy()
    share = np.empty(len(pixels), np.float32)
    for row, drawn in enumerate(rng.beta(CUTMIX_ALPHA, CUTMIX_ALPHA, len(pixels))):
        half = side * np.sqrt(1 - drawn) / 2
        middle = rng.uniform(0, side, 2)
        (top, left), (bottom, right) = (np.clip(np.round(middle + way * half), 0, side).astype(int) for way in (-1, 1))
        pixels[row, top:bottom, left:right] = others[row, top:bottom, left:right]
        share[row] = 1 - (bottom - top) * (right - left) / side**2
    return pixels, share


MIXES: dict[str, Mix] = {"mixup": mixup, "cutmix": cutmix}
