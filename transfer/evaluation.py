"""Labels and probabilities to figures. Knows nothing of networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special, stats
from sklearn import metrics

from transfer.settings import bootstrap_draws

FIGURES = (
    "accuracy", "accuracy_ci95", "balanced_accuracy", "log_loss", "calibration_error", "per_class", "confusion",
)  # fmt: skip


def evaluate_probabilities(labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> dict:
    """The figures of one network on pictures that it never saw.

    Args:
        labels: `(N,)` class indices.
        probabilities: `(N, C)`, rows that sum to 1.
        class_names: C names.

    Returns:
        `accuracy`, `accuracy_ci95` (Wilson), `balanced_accuracy` (over the classes present),
        `log_loss` (nats), `calibration_error`, `per_class`, `confusion` (rows: true classes). All
        shares are 0..1. With no pictures, figures are `None`.
    """
    if not len(labels):
        return dict.fromkeys(FIGURES) | {"per_class": {}, "confusion": []}
    predicted, indices = probabilities.argmax(axis=1), list(range(len(class_names)))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=indices, zero_division=0
    )
    present = support > 0
    correct = int((predicted == labels).sum())
    return {
        "accuracy": correct / len(labels),
        "accuracy_ci95": wilson_interval(correct, len(labels)),
        "balanced_accuracy": float(recall[present].mean()),
        "log_loss": float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-15)).mean()),
        "calibration_error": calibration_error(labels, probabilities),
        "per_class": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, name in enumerate(class_names)
        },
        "confusion": metrics.confusion_matrix(labels, predicted, labels=indices).tolist(),
    }


def wilson_interval(correct: int, total: int) -> list[float]:
    """The 95 % interval of a share (Wilson 1927), low and high, 0..1."""
    interval = stats.binomtest(correct, total).proportion_ci(method="wilson")
    return [float(interval.low), float(interval.high)]


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean gap between confidence and accuracy, 0..1."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[place == b].mean() - correct[place == b].mean()) * (place == b).sum() for b in np.unique(place)
    ]
    return float(sum(gaps) / len(labels))


def paired_difference(labels: np.ndarray, a: np.ndarray, b: np.ndarray, seed: int = 0) -> dict:
    """How much more often A is right than B on the same pictures.

    Args:
        labels: `(N,)` class indices; `a`, `b`: `(N,)` predicted ones.

    Returns:
        `accuracy_difference` (A minus B, -1..1), its `ci95` from bootstrap draws of pictures, and
        `p_value` of McNemar's exact test on the pictures where just one of them is right. With no
        pictures, all three are `None`.
    """
    if not len(labels):
        return {"accuracy_difference": None, "ci95": None, "p_value": None}
    right_a, right_b = a == labels, b == labels
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    total = len(labels)
    # Drawing pictures with replacement is drawing how many of the three kinds come up.
    shares = np.array([only_a, only_b, total - only_a - only_b]) / total
    counts = np.random.default_rng(seed).multinomial(total, shares, bootstrap_draws())
    low, high = np.percentile((counts[:, 0] - counts[:, 1]) / total, [2.5, 97.5])
    p_value = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return {
        "accuracy_difference": (only_a - only_b) / total,
        "ci95": [float(low), float(high)],
        "p_value": float(p_value),
    }


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> float:
    """The number to divide logits by for the lowest log loss (Guo et al. 2017, arXiv:1706.04599)."""
    rows = np.arange(len(labels))

    def loss(log_temperature):
        scaled = logits / np.exp(log_temperature)
        return -special.log_softmax(scaled, axis=1)[rows, labels].mean()

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-4, 4), method="bounded").x))
