"""What leak-free splitting changes: the same training with pictures split one by one, and kept together.

    python benchmarks/leak_free_split.py emotions --groups emotions-groups.csv --seeds 5

Trains a frozen linear head on the bundled backbone for each way of splitting and each seed (of the
split and of the training), and prints accuracy, balanced accuracy, and how many test pictures share
their group by CSV with a training picture.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

import transfer
from transfer.data.places import kept_together


def main(data: Path, groups: Path | None = None, seeds: int = 5, image_size: int = 64) -> None:
    single = transfer.load_images(data)
    ways = {
        "one by one": single,
        "near duplicates together": transfer.keep_together(single),
        "groups from names": transfer.load_images(data, "auto"),
    }
    truth = ways["groups from names"].groups
    if groups:
        ways["groups from CSV"] = transfer.load_images(data, groups)
        truth = ways["groups from CSV"].groups
        ways["CSV and near duplicates"] = transfer.keep_together(ways["groups from CSV"])
    backbone = transfer.load_backbone("bundled", image_size)
    for name, images in ways.items():
        rows = []
        for seed in range(seeds):
            split = transfer.split(images, seed)
            result = transfer.train(replace(images, groups=None), split, backbone, seed=seed)
            leaking = np.isin(np.array(truth)[split.test], np.array(truth)[split.train]).mean()
            rows.append([result.metrics["accuracy"], result.metrics["balanced_accuracy"], leaking])
        units = len(set(kept_together(images.digests, images.groups)))
        figures = (f"{100 * m:.1f} +- {100 * s:.1f}" for m, s in zip(np.mean(rows, 0), np.std(rows, 0, ddof=1)))
        print(name, units, *figures, [round(row[0], 4) for row in rows], sep=" | ", flush=True)


if __name__ == "__main__":
    typer.run(main)
