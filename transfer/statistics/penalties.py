"""Penalised logistic regression: one at its optimum, or many strengths and folds of it, from one decomposition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits

from transfer.settings import HEAD_STEPS


class Axes(NamedTuple):
    """Features along their principal axes.

    Attributes:
        rows: `(N, R)` the features there.
        weights: `(N,)` what each picture counted.
        spread: `(R,)` the weighted sum of squares along each axis.
        back: `(D, R)`: times a kernel `(R, C)` it is one of the features.
    """

    rows: np.ndarray
    weights: np.ndarray
    spread: np.ndarray
    back: np.ndarray


def principal_axes(features: np.ndarray, weights: np.ndarray) -> Axes:
    """Decompose features once for all that follows.

    Args:
        features: `(N, D)` float32, standardised.
        weights: `(N,)` above 0: what each picture counts.
    """
    root = np.sqrt(weights)[:, None].astype(np.float32)
    rows = features * root
    if len(rows) < rows.shape[1]:  # no more axes than pictures: found from the products of pictures
        spread, sides = _eigen(rows @ rows.T)
        kept = spread > 1e-6 * spread[-1]
        length = np.sqrt(spread[kept])
        sides = sides[:, kept]
        return Axes(sides * length / root, weights, spread[kept], rows.T @ (sides / length))
    spread, back = _eigen(rows.T @ rows)
    return Axes(features @ back, weights, np.maximum(spread, 0), back)


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, rising, and eigenvectors; a single thread is the fastest by half, and by far beside other work."""
    with threadpool_limits(1):
        return eigh(matrix, driver="evd", overwrite_a=True, check_finite=False)


def fit_steps(
    axes: Axes, targets: np.ndarray, weights: np.ndarray, strength: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield kernel `(R, C)` and bias `(C,)` after each step towards the optimum; one step looks at all pictures once.

    Along the axes a step is the slope divided by a bound on the curvature of the loss that holds everywhere, so that
    none is too long (Böhning 1992, Multinomial logistic regression algorithm). The steps are accelerated, and start
    over where they overshoot (O'Donoghue & Candès 2015, arXiv:1204.3982).

    Args:
        axes: of the features.
        targets: `(N, C)`, rows that sum to 1.
        weights: `(N,)`: what each picture counts, 0 for those that are left out.
        strength: inverse strength C of the penalty, as scikit-learn's logistic regression counts it.
    """
    for kernel, bias in _steps(axes, targets, weights[None], [strength]):
        yield kernel[:, 0, 0], bias[0, 0]


def held_out_losses(
    axes: Axes, targets: np.ndarray, tested: Sequence[np.ndarray], strengths: Sequence[float]
) -> np.ndarray:
    """What penalised logistic regression costs on pictures that it has not seen, by the strength of its penalty.

    All folds and all strengths take their steps together, as one product of matrices; as many as a head takes, since
    where the penalty is weak that is part of what holds it back.

    Args:
        axes, targets: see `fit_steps`.
        tested: positions of each fold, which answers for them and learns from all others.
        strengths: inverse strengths C.

    Returns:
        `(len(strengths),)`: mean log loss over the pictures in `tested`.
    """
    losses, number = np.zeros(len(strengths)), 0.0
    for positions, logits in _held_out(axes, targets, tested, strengths):
        costs = -(targets[positions, None] * log_softmax(logits.astype(np.float64), axis=-1)).sum(axis=-1)
        losses += axes.weights[positions] @ costs
        number += axes.weights[positions].sum()
    return losses / number


def held_out_logits(axes: Axes, targets: np.ndarray, tested: Sequence[np.ndarray], strength: float) -> np.ndarray:
    """Logits `(N, C)` by heads that have not seen the picture; NaN for pictures that are in no fold.

    Args:
        axes, targets, tested: see `held_out_losses`.
        strength: inverse strength C.
    """
    found = np.full(targets.shape, np.nan, np.float32)
    for positions, logits in _held_out(axes, targets, tested, [strength]):
        found[positions] = logits[:, 0]
    return found


def _held_out(
    axes: Axes, targets: np.ndarray, tested: Sequence[np.ndarray], strengths: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the positions of each fold and their logits `(n, P, C)` by heads fitted on all others."""
    weights = np.tile(axes.weights, (len(tested), 1))
    for fold, positions in enumerate(tested):
        weights[fold, positions] = 0
    steps = _steps(axes, targets, weights, strengths)
    kernel, bias = next(state for number, state in enumerate(steps, 1) if number == HEAD_STEPS)
    for fold, positions in enumerate(tested):
        yield positions, np.tensordot(axes.rows[positions], kernel[:, fold], 1) + bias[fold]


def _steps(
    axes: Axes, targets: np.ndarray, weights: np.ndarray, strengths: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield kernels `(R, F, P, C)` and biases `(F, P, C)` for weights `(F, N)`."""
    rows, total = axes.rows, weights.sum(axis=1)
    (folds, number), width, classes = weights.shape, rows.shape[1], targets.shape[1]
    counted = (weights / total[:, None]).T[:, :, None, None].astype(np.float32)
    penalty = (1 / np.outer(total, strengths))[..., None].astype(np.float32)
    most = (weights / axes.weights).max(axis=1) / total
    rate = 1 / (axes.spread[:, None, None, None] * most[:, None, None].astype(np.float32) / 2 + penalty)
    kernel = np.zeros((width, folds, len(strengths), classes), np.float32)
    bias = np.zeros(kernel.shape[1:], np.float32)
    ahead, bias_ahead, pace = kernel, bias, np.ones(bias.shape[:2], np.float32)
    while True:
        logits = (rows @ ahead.reshape(width, -1)).reshape(number, *bias.shape) + bias_ahead
        slope = counted * (softmax(logits, axis=-1) - targets[:, None, None])
        kernel_slope = (rows.T @ slope.reshape(number, -1)).reshape(kernel.shape) + penalty * ahead
        next_kernel, next_bias = ahead - rate * kernel_slope, bias_ahead - slope.sum(axis=0)
        overshot = (kernel_slope * (next_kernel - kernel)).sum(axis=(0, 3)) > 0
        pace = np.where(overshot, np.float32(1), pace)
        next_pace = (1 + np.sqrt(1 + 4 * np.square(pace))) / 2
        momentum = ((pace - 1) / next_pace)[..., None]
        ahead = next_kernel + momentum * (next_kernel - kernel)
        bias_ahead = next_bias + momentum * (next_bias - bias)
        kernel, bias, pace = next_kernel, next_bias, next_pace
        yield kernel, bias
