"""Heads that need no optimiser: a linear one at the optimum of its loss, and means of classes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import keras
import numpy as np
from scipy.special import log_softmax

from transfer.learning.head_rows import HeadRows
from transfer.learning.histories import History, in_words, stopped_by_hand
from transfer.progress import bar
from transfer.statistics.class_means import Kernel
from transfer.statistics.penalties import fit_steps

Weights = tuple[np.ndarray, np.ndarray]


def fit_linear(
    head: keras.Model, rows: HeadRows, weights: Weights, strength: float, steps: int, smoothing: float = 0.0
) -> History:
    """Bring a linear head to the optimum of its loss by steps that look at all pictures.

    Args:
        head: from `heads.head`.
        rows: the features.
        weights: what each of the first pictures counts, and each of the others, which are measured only.
        strength: inverse strength C of the penalty.
        steps: how many.
        smoothing: share of each target spread over all classes, 0..1.

    Returns:
        One row a step, which is an epoch; the last has `stopped_by_hand` where Ctrl-C ended it, see `histories.stops`.
    """
    counted, measured = _counted(weights)
    targets = smoothed(rows.targets, smoothing)
    history: History = []
    with bar("head", steps) as advance:
        try:
            for kernel, bias in islice(fit_steps(rows.axes, targets, counted, strength), steps):
                history.append(_row(len(history) + 1, rows.axes.rows @ kernel + bias, targets, counted, measured))
                reached = kernel, bias
                advance(1, note=in_words(history[-1]))
        except KeyboardInterrupt:
            if not history:
                raise
            stopped_by_hand("head", history)
    head.get_layer("standardise").set_weights(rows.scale)
    head.get_layer("logits").set_weights([rows.axes.back @ reached[0], reached[1]])
    return history


def set_means(
    head: keras.Model, means: Callable[..., Kernel], rows: HeadRows, weights: Weights, scale: float
) -> History:
    """Give a head the means of the classes.

    Args:
        head: of a row of `heads.HEADS` that has `means`.
        means: that of the row.
        rows, weights: see `fit_linear`.
        scale: what the logits are multiplied by.

    Returns:
        One row, as after an epoch.
    """
    head.get_layer("standardise").set_weights(rows.scale)
    last, known = head.get_layer("logits"), len(weights[0])
    before = keras.Model(head.input, last.input)(rows.features, training=False)
    features = keras.ops.convert_to_numpy(before)
    kernel, bias = means(features[:known], rows.targets[:known], weights[0])
    last.set_weights([scale * kernel, scale * bias])
    return [_row(1, scale * (features @ kernel + bias), rows.targets, *_counted(weights))]


def smoothed(targets: np.ndarray, share: float) -> np.ndarray:
    """Targets `(N, C)` with a share of each spread over all classes, 0..1."""
    return (1 - share) * targets + share / targets.shape[1]


def _counted(weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """What each picture counts in the fit, and in the measure of the others, both `(N,)`."""
    first, others = weights
    nothing = np.zeros_like
    return np.concatenate([first, nothing(others)]), np.concatenate([nothing(first), others])


def _row(epoch: int, logits: np.ndarray, targets: np.ndarray, counted: np.ndarray, measured: np.ndarray) -> dict:
    losses = -(targets * log_softmax(logits, axis=-1)).sum(axis=-1)
    right = logits.argmax(axis=-1) == targets.argmax(axis=-1)
    row = {"phase": "head", "epoch": epoch}
    for part, weights in {"": counted, "val_": measured}.items():
        if weights.any():
            row[f"{part}loss"] = float(np.average(losses, weights=weights))
            row[f"{part}accuracy"] = float(np.average(right, weights=weights))
    return row
