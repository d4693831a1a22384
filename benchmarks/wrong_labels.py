"""Planted wrong labels: how many are among the pictures that are suspected first.

    python benchmarks/wrong_labels.py flowers --seeds 3
    python benchmarks/wrong_labels.py flowers --backbone mobilenet_v2 --weights WEIGHTS.h5 --image-size 128

For each seed, 2 % of the labels are changed to another class at random. Printed for each way of
ranking: the share of planted ones among the first 2 %. With `cleanlab` installed, its rankings of the
same probabilities come beside this package's. The share is a lower bound: labels that were wrong
before count as false alarms.
"""

import time
from pathlib import Path

import numpy as np
import typer

import transfer
from transfer.checks.label_errors import out_of_fold_probabilities, suspected_labels

try:
    from cleanlab.filter import find_label_issues
except ImportError:
    find_label_issues = None


def plant(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(labels of which some are wrong, which ones as `(N,)` bool)."""
    rng, classes = np.random.default_rng(seed), labels.max() + 1
    wrong = np.isin(np.arange(len(labels)), rng.choice(len(labels), round(share * len(labels)), replace=False))
    return np.where(wrong, (labels + rng.integers(1, classes, len(labels))) % classes, labels), wrong


def confident_learning(beliefs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of those that reach another class's mean probability, the least believed first."""
    thresholds = np.array([beliefs[labels == label, label].mean() for label in range(beliefs.shape[1])])
    confident = np.where(beliefs >= thresholds, beliefs, 0.0)
    rows, best = np.arange(len(labels)), confident.argmax(axis=1)
    suspect = np.flatnonzero((confident[rows, best] > 0) & (best != labels))
    return suspect[np.argsort(beliefs[suspect, labels[suspect]])]


def precisions(features: np.ndarray, labels: np.ndarray, seed: int, share: float = 0.02) -> dict[str, float]:
    noisy, wrong = plant(labels, share, seed)
    most = int(wrong.sum())
    started = time.perf_counter()
    found = {"as here": [suspect.index for suspect in suspected_labels(features, noisy, seed=seed)]}
    seconds = time.perf_counter() - started
    beliefs = out_of_fold_probabilities(features, noisy, seed=seed)
    found["confident learning"] = confident_learning(beliefs, noisy)[:most]
    if find_label_issues:
        for ranked_by in ("self_confidence", "normalized_margin"):
            found[f"cleanlab, {ranked_by}"] = find_label_issues(noisy, beliefs, return_indices_ranked_by=ranked_by)[
                :most
            ]
    right = float((beliefs.argmax(axis=1) == labels).mean())
    return {name: float(wrong[indices].mean()) for name, indices in found.items()} | {
        "accuracy out of fold": right,
        "seconds": seconds,
    }


def main(
    data: Path, seeds: int = 3, backbone: str = "bundled", weights: str | None = None, image_size: int = 96
) -> None:
    images = transfer.load_images(data)
    features = transfer.extract_features(transfer.load_backbone(backbone, image_size, weights), images)
    rows = [precisions(features, images.labels, seed) for seed in range(seeds)]
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name}: {np.mean(values):.3f} +- {np.std(values, ddof=1):.3f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
