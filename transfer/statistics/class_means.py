"""Classifiers that need no fitting: a picture is of the class whose mean it is nearest to.

With one to three pictures a class they are what a penalised head can hope to be (Snell et al. 2017, arXiv:1703.05175).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import logsumexp

Kernel = tuple[np.ndarray, np.ndarray]  # `(D, C)` and the bias `(C,)` of logits


def nearest_mean(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Kernel:
    """Logits that fall with the squared distance from each class mean, by D: that of standardised features is about 1.

    Args:
        features: `(N, D)`.
        targets: `(N, C)` one-hot.
        weights: `(N,)`.
    """
    means, width = _means(features, targets, weights), features.shape[1]
    return 2 * means.T / width, -np.square(means).sum(axis=1) / width


def nearest_direction(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Kernel:
    """Logits that are the cosines to each class mean, of features that have length 1 (Gidaris & Komodakis 2018,
    arXiv:1804.09458).
    """
    means = of_length_1(_means(features, targets, weights))
    return means.T, np.zeros(len(means), np.float32)


def of_length_1(features: np.ndarray) -> np.ndarray:
    """Rows divided by their length; those of zeros stay."""
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def held_out_losses(
    classifier: Callable[..., Kernel],
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    tested: Sequence[np.ndarray],
    scales: Sequence[float],
) -> np.ndarray:
    """Mean log loss of class means on pictures that are not among them, by what their logits are multiplied by.

    Args:
        classifier: `nearest_mean`, or `nearest_direction` of features that have length 1.
        features, targets, weights, tested: see `penalties.held_out_losses`.
        scales: factors of the logits.

    Returns:
        `(len(scales),)`.
    """
    losses, number = np.zeros(len(scales)), 0.0
    for positions in tested:
        others = np.setdiff1d(np.arange(len(features)), positions)
        kernel, bias = classifier(features[others], targets[others], weights[others])
        logits = np.multiply.outer(np.array(scales), features[positions].astype(np.float64) @ kernel + bias)
        costs = logsumexp(logits, axis=-1) - (targets[positions] * logits).sum(axis=-1)
        losses += costs @ weights[positions]
        number += weights[positions].sum()
    return losses / number


def _means(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    counted = targets * weights[:, None]
    return (counted.T @ features / np.maximum(counted.sum(axis=0), 1e-12)[:, None]).astype(np.float32)
