"""Heads on frozen features: a penalty chosen by cross-validation against fixed ones, and class means.

    python benchmarks/heads.py flowers scenes waste emotions digits --groups emotions=emotions-groups.csv \
        --per-class 5,10,50,all --splits 5

Test accuracy, mean and standard deviation over the splits, for the backbone and picture size that the data chooses. The
last column says by how much the chosen penalty misses the best of the fixed ones, which is known only afterwards.
`--views 2` is that of `transfer train`.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import transfer
from transfer.data.splits import limit_training
from transfer.learning.backbone_argument import resolve_backbone
from transfer.settings import HEAD_STRENGTHS


def accuracies(images, amount: int | None, splits: int, views: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    options = transfer.TrainingOptions(views=views)
    network, _ = resolve_backbone(None, "frozen", images, transfer.split(images), options)
    heads = {f"C = {strength:g}": {"head_c": strength} for strength in HEAD_STRENGTHS}
    heads |= {"chosen": {}, "mean": {"head": "mean"}, "cosine": {"head": "cosine"}, "auto": {"head": "auto"}}
    for seed in range(splits):
        split = transfer.split(images, seed=seed)
        if amount:
            split = limit_training(split, images.labels, amount, seed, validation_too=True)
        for name, changed in heads.items():
            result = transfer.train(images, split, network, options=options, **changed)
            found.setdefault(name, []).append(100 * result.metrics["accuracy"])
    return found


def main(
    data: list[str],
    groups: Annotated[list[str] | None, typer.Option(help="FOLDER=CSV")] = None,
    per_class: str = "5,10,50,all",
    splits: int = 5,
    views: int = 1,
) -> None:
    headings = True
    tables = dict(row.split("=", 1) for row in groups or [])
    for place in data:
        name = Path(place).name
        images = transfer.load_images(place, tables.get(name))
        for amount in per_class.split(","):
            found = accuracies(images, None if amount == "all" else int(amount), splits, views)
            fixed = [key for key in found if key.startswith("C = ")]
            best = max(fixed, key=lambda key: np.mean(found[key]))
            missed = np.subtract(found["chosen"], found[best])
            if headings:
                print(f"| data | a class | {' | '.join(found)} | chosen less the best fixed |")
                print("| --- " * (len(found) + 3) + "|")
                headings = False
            cells = [f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}" for values in found.values()]
            difference = f"{missed.mean():+.1f} ± {missed.std(ddof=1):.1f} ({best})"
            print(f"| {name} | {amount} | {' | '.join(cells)} | {difference} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
