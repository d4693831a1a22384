"""Frozen, fine-tuned, from scratch and dense, by pictures a class and picture size: accuracy on one test part.

    python benchmarks/methods.py flowers scenes --sizes 64 --per-class 10,50,all --splits 3
    python benchmarks/methods.py emotions --groups emotions=emotions-groups.csv

Mean and standard deviation over splits made from different seeds; `frozen` is the linear head. Where training
pictures are limited, so are those of the validation part, in proportion.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import transfer


def main(
    data: list[str],
    backbone: str = "bundled",
    weights: str | None = None,
    methods: str = "frozen,finetune,scratch,dense",
    sizes: str = "64",
    per_class: str = "10,50,all",
    groups: Annotated[list[str] | None, typer.Option(help="FOLDER=CSV")] = None,
    splits: int = 3,
) -> None:
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TRANSFER_CACHE"] = cache  # nothing is left of trainings that are never saved
        measure(data, backbone, weights, methods, sizes, per_class, groups, splits)


def measure(data, backbone, weights, methods, sizes, per_class, groups, splits) -> None:
    tables = dict(row.split("=", 1) for row in groups or [])
    names = methods.split(",")
    print("| data | px | a class | " + " | ".join(names) + " |")
    print("| --- " * (3 + len(names)) + "|")
    for place in data:
        images = transfer.load_images(place, tables.get(Path(place).name))
        for size in map(int, sizes.split(",")):
            for amount in per_class.split(","):
                found = {name: [] for name in names}
                for seed in range(splits):
                    split = transfer.split(images, seed)
                    if amount != "all":
                        split = transfer.limit_training(split, images.labels, int(amount), seed, validation_too=True)
                    compared = transfer.compare(
                        images, split, backbone, names, image_size=size, weights=weights, seed=seed
                    )
                    for name, result in compared.items():
                        found[name].append(100 * result.metrics["accuracy"])
                cells = [f"{np.mean(row):.1f} ± {np.std(row):.1f}" for row in found.values()]
                print("| " + " | ".join([Path(place).name, str(size), amount, *cells]) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
