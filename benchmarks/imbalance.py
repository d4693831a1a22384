"""Rare classes: class weights, sampling, focal loss, logit adjustment, and answers chosen for a figure.

    python benchmarks/imbalance.py emotions --groups emotions=emotions-groups.csv --splits 5
    python benchmarks/imbalance.py waste scenes --tail 0.03 --splits 5
    python benchmarks/imbalance.py digits --tail 0.03 --method scratch --rows whole --image-size 32 --splits 3

`--tail 0.03` makes a set imbalanced: of the training and validation pictures of each class, in an order drawn anew for
each split, a share falling from 1 to 0.03 is kept. The test part stays whole, and figures are those at the mix of the
training part. Means over splits made from different seeds; in brackets mean and standard deviation of the difference to
the first row on the same splits.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import transfer
from transfer.learning.backbone_argument import resolve_backbone

CHOSEN = {f"optimise {name}": {"optimise": name} for name in ("accuracy", "balanced", "f1")}
WEIGHTED = {"class weights": {"class_weights": "balanced"}}
ADJUSTED = {"logit adjustment 1": {"logit_adjustment": 1.0}}
FOCAL = {"focal 2": {"focal": 2.0}}
BOTH = {"weights, optimise balanced": {"class_weights": "balanced", "optimise": "balanced"}}
ROWS = {
    "linear": {"none": {}} | WEIGHTED | ADJUSTED | CHOSEN | BOTH,
    "mlp": {name: {"head": "mlp"} | row for name, row in ({"none": {}} | WEIGHTED | FOCAL | ADJUSTED | CHOSEN).items()},
    "whole": {"none": {}} | WEIGHTED | {"sampling": {"sampling": "balanced"}} | FOCAL | ADJUSTED | CHOSEN,
}  # fmt: skip


def with_tail(split: transfer.Split, labels: np.ndarray, rarest: float, seed: int) -> transfer.Split:
    """The split without some pictures of all classes but one, which one follows from the seed."""
    rng = np.random.default_rng(seed)
    kept = dict(zip(rng.permutation(labels.max() + 1), np.geomspace(1, rarest, labels.max() + 1)))
    gone = []
    for part in (split.train, split.validation):
        for label, share in kept.items():
            mine = rng.permutation(part[labels[part] == label])
            gone += mine[max(2, round(share * len(mine))) :].tolist()
    return split.without(gone)


def figures(result, mix: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, balanced accuracy and macro F1 of the test part in %, where each class has a share of the pictures."""
    counts = np.array(result.metrics["confusion"], float)
    there = counts.sum(axis=1) > 0
    counts[there] *= (mix[there] / counts[there].sum(axis=1))[:, None]
    hits = np.diag(counts)[there]
    f1 = 2 * hits / (counts.sum(axis=1) + counts.sum(axis=0))[there]
    return 100 * hits.sum() / counts.sum(), 100 * np.mean(hits / counts.sum(axis=1)[there]), 100 * np.mean(f1)


def measure(images, rows: dict[str, dict], tail: float, splits: int, method: str, options) -> dict[str, np.ndarray]:
    """Figures `(splits, 3)` by row."""
    backbone = None
    if method != "scratch":
        backbone, _ = resolve_backbone(None, method, images, transfer.split(images), options)
        options = options.beside_network()
    found: dict[str, list] = {name: [] for name in rows}
    for seed in range(splits):
        split = transfer.split(images, seed=seed)
        split = with_tail(split, images.labels, tail, seed) if tail < 1 else split
        part = split.train if tail < 1 else split.test
        mix = np.bincount(images.labels[part], minlength=len(images.class_names)) / len(part)
        for name, changed in rows.items():
            result = transfer.train(images, split, backbone, method, options, **changed, seed=seed)
            found[name].append(figures(result, mix))
    return {name: np.array(values) for name, values in found.items()}


def main(
    data: list[str],
    groups: Annotated[list[str] | None, typer.Option(help="FOLDER=CSV")] = None,
    tail: float = 1.0,
    method: str = "frozen",
    rows: str = "linear",
    image_size: int | None = None,
    splits: int = 5,
) -> None:
    tables = dict(row.split("=", 1) for row in groups or [])
    print("| data | | accuracy | balanced accuracy | macro F1 |\n| --- | --- | --- | --- | --- |")
    for place in data:
        name = Path(place).name
        images = transfer.load_images(place, tables.get(name))
        found = measure(images, ROWS[rows], tail, splits, method, transfer.TrainingOptions(image_size=image_size))
        for row, values in found.items():
            cells = [f"{mean:.1f}" for mean in values.mean(axis=0)]
            if row != "none":
                gained = values - found["none"]
                spread = zip(gained.mean(axis=0), gained.std(axis=0, ddof=1))
                cells = [f"{cell} ({mean:+.1f} ± {std:.1f})" for cell, (mean, std) in zip(cells, spread)]
            print(f"| {name} | {row} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
