"""Labels and probabilities to figures, each with its 95 % interval. Knows nothing of networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn import metrics

from transfer.settings import MOST_COLUMNS, top_k
from transfer.statistics.calibration import bin_columns, calibration_error, reliability_curve
from transfer.statistics.intervals import (
    Z,
    mean_interval,
    percentile_interval,
    resampled_sums,
    share_interval,
    units,
    varies,
)
from transfer.statistics.ranking import roc_auc

FIGURES = (
    "accuracy", "accuracy_ci95", "balanced_accuracy", "balanced_accuracy_ci95", "top_k", "log_loss", "log_loss_ci95",
    "roc_auc", "roc_auc_ci95", "calibration_error", "calibration_error_ci95", "reliability", "per_class", "confusion",
    "intervals_over",
)  # fmt: skip


def evaluate_probabilities(
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    groups: Sequence[str] | None = None,
) -> dict:
    """The figures of one network on pictures that it never saw.

    Args:
        labels: `(N,)` class indices.
        probabilities: `(N, C)`, rows that sum to 1.
        class_names: C names.
        groups: a name for each picture, `""` for none: intervals then follow from drawing whole
            groups, since pictures of one person or video are not so many separate pieces of evidence.

    Returns:
        A dict with the names in `FIGURES`; those ending in `_ci95` are `[low, high]`. Shares are
        0..1. Means over classes are over the classes present.

        - `accuracy`, `balanced_accuracy`
        - `top_k`: `k`, `accuracy` and `ci95` of the true class being among the k most probable;
          `None` for fewer than eight classes
        - `log_loss`: nats
        - `roc_auc`: one class against the rest, mean over classes
        - `calibration_error`, and `reliability`: see `calibration`
        - `per_class`: by name `precision`, `recall`, `f1`, their `_ci95`, `roc_auc`, `support`; `None` where
          there is nothing to take a share of: precision without an answer, the others without a picture
        - `confusion`: rows are true classes; with more than 200 of them the `cells` that are not 0, each a list of
          true class, answer and number of pictures. `reading.confusion_counts` reads both
        - `intervals_over`: `pictures` or `groups`

        With no pictures, figures are `None`.
    """
    if not len(labels):
        return dict.fromkeys(FIGURES) | {"per_class": {}, "confusion": [], "reliability": []}
    classes, unit = len(class_names), units(len(labels), groups)
    predicted = probabilities.argmax(axis=1)
    right, loss = predicted == labels, _losses(labels, probabilities)
    among = _among_top(labels, probabilities, k) if (k := top_k(classes)) else None
    bins = bin_columns(labels, probabilities)
    counted = {"right": right, "among": np.zeros(len(labels)) if among is None else among, "loss": loss}
    draws = _drawn(counted, bins, labels, predicted, classes, unit)
    all_pictures = np.ones(len(labels), bool)
    accuracy_ci95 = share_interval(right, all_pictures, unit, draws["right"] / draws["pictures"])
    error = calibration_error(labels, probabilities)
    error_draws = np.abs(draws["gap"]).sum(axis=1) / draws["pictures"]
    auc, auc_ci95, auc_of_class = roc_auc(labels, probabilities, unit)
    per_class = _per_class(labels, predicted, unit, draws, class_names, auc_of_class)
    balanced, balanced_ci95 = _mean_recall(per_class, labels, unit, draws["recall"])
    return {
        "accuracy": float(right.mean()),
        "accuracy_ci95": accuracy_ci95,
        "balanced_accuracy": balanced,
        "balanced_accuracy_ci95": balanced_ci95,
        "top_k": None if among is None else {
            "k": k,
            "accuracy": float(among.mean()),
            "ci95": share_interval(among, all_pictures, unit, draws["among"] / draws["pictures"]),
        },
        "log_loss": float(loss.mean()),
        "log_loss_ci95": percentile_interval(draws["loss"] / draws["pictures"], unit.max() + 1),
        "roc_auc": auc,
        "roc_auc_ci95": auc_ci95,
        "calibration_error": error,
        "calibration_error_ci95": _calibration_interval(error, error_draws, accuracy_ci95),
        "reliability": reliability_curve(bins, unit, _share(draws["inside_right"], draws["inside"])),
        "per_class": per_class,
        "confusion": _confusion(labels, predicted, classes),
        "intervals_over": "pictures" if groups is None else "groups",
    }  # fmt: skip


def _drawn(
    counted: dict[str, np.ndarray],
    bins: dict[str, np.ndarray],
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: int,
    unit: np.ndarray,
) -> dict[str, np.ndarray]:
    """Sums over pictures drawn anew: of what is counted of each, by bins of their confidence, and by class."""
    draws = resampled_sums(
        {
            "pictures": np.ones(len(labels)),
            **{name: values.astype(float) for name, values in counted.items()},
            "inside": bins["inside"],
            "inside_right": bins["right"],
            "gap": bins["confidence"] - bins["right"],
            "true": _one_hot(labels, classes),
            "predicted": _one_hot(predicted, classes),
            "hit": _one_hot(labels, classes, counted["right"]),
        },
        unit,
    )
    return draws | {"recall": _share(draws["hit"], draws["true"])}


def _mean_recall(
    per_class: dict[str, dict], labels: np.ndarray, unit: np.ndarray, draws: np.ndarray
) -> tuple[float, list[float]]:
    """The mean over the classes present, and its interval."""
    recalls = np.array([[row["recall"], *row["recall_ci95"]] for row in per_class.values() if row["support"]])
    present, column = np.unique(labels, return_inverse=True)
    held = np.unique(np.stack([unit, column]), axis=1)
    held = sparse.csr_array((np.ones(held.shape[1]), held), shape=(unit.max() + 1, len(present)))
    return float(recalls[:, 0].mean()), mean_interval(recalls[:, 0], recalls[:, 1:], draws[:, present], held)


def _per_class(labels, predicted, unit, draws, class_names: Sequence[str], aucs: np.ndarray) -> dict[str, dict]:
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(len(class_names)), zero_division=np.nan
    )
    f1[support == 0] = np.nan  # answers for a class without pictures: wrong, but no measure of finding it
    right, rows = predicted == labels, {}
    for c, name in enumerate(class_names):  # one at a time: with thousands of classes, all their draws fill the memory
        hit, true, named = (draws[what][:, c] for what in ("hit", "true", "predicted"))
        recall_ci95 = share_interval(right, labels == c, unit, draws["recall"][:, c])
        f1_draws = _share(2 * hit, true + named)
        rows[name] = {
            "precision": _number(precision[c]),
            "precision_ci95": share_interval(right, predicted == c, unit, _share(hit, named)),
            "recall": _number(recall[c]),
            "recall_ci95": recall_ci95,
            "f1": _number(f1[c]),
            # All right or all wrong: no draw differs, and what is known is what recall knows.
            "f1_ci95": percentile_interval(f1_draws, len(np.unique(unit[(labels == c) | (predicted == c)])))
            if varies(f1_draws)
            else recall_ci95,
            "roc_auc": _number(aucs[c]),
            "support": int(support[c]),
        }
    return rows


def _confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> list | dict:
    if classes <= MOST_COLUMNS:
        return metrics.confusion_matrix(labels, predicted, labels=range(classes)).tolist()
    cells, counts = np.unique(np.stack([labels, predicted], axis=1), axis=0, return_counts=True)
    return {"cells": np.column_stack([cells, counts]).tolist()}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _calibration_interval(found: float, draws: np.ndarray, accuracy_ci95: list[float]) -> list[float]:
    """The interval of a figure that chance can only raise.

    The error of drawn pictures holds what chance adds twice: once in the pictures, once in drawing
    from them. The basic bootstrap interval (Davison & Hinkley 1997, section 5.2) takes one of the two off
    its low end; here both are taken off, and the high end stays above what was found. That errs on
    the wide side: `benchmarks/coverage.py`. Where no draw differs, it is as unsure as accuracy is.
    """
    if not varies(draws):
        width = accuracy_ci95[1] - accuracy_ci95[0]
        return [max(0.0, found - width), min(1.0, found + width)]
    chance = max(0.0, draws.mean() - found)
    low = 2 * found - np.percentile(draws, 97.5) - chance
    return [float(max(0.0, low)), float(min(1.0, found + Z * draws.std()))]


def _losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-15))


def _among_top(labels: np.ndarray, probabilities: np.ndarray, k: int) -> np.ndarray:
    """Which pictures have their class among the k most probable ones, `(N,)`."""
    return (np.argpartition(-probabilities, k - 1, axis=1)[:, :k] == labels[:, None]).any(axis=1)


def _one_hot(indices: np.ndarray, classes: int, counted: np.ndarray | None = None) -> sparse.csr_array:
    values = np.ones(len(indices)) if counted is None else counted.astype(float)
    return sparse.csr_array((values, (np.arange(len(indices)), indices)), shape=(len(indices), classes))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part of the whole; where there is nothing, no number."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
