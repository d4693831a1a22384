"""Linear probe: logistic regression on frozen features, over folders, backbones and picture sizes.

    python benchmarks/probe.py flowers scenes emotions --groups emotions=emotions-groups.csv \
        --backbones bundled,bundled:none,mobilenet_v2:WEIGHTS.h5 --sizes 64,96

A backbone is NAME or NAME:WEIGHTS. Features are standardised, C = 0.01, and the mean and standard
deviation are over `--splits` random divisions into 80 % and 20 %, by group where groups are given.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import transfer


def accuracies(features: np.ndarray, images, splits: int) -> list[float]:
    if images.groups:
        divisions = GroupShuffleSplit(splits, test_size=0.2, random_state=0)
    else:
        divisions = StratifiedShuffleSplit(splits, test_size=0.2, random_state=0)
    found = []
    for train, test in divisions.split(features, images.labels, images.groups):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        probe.fit(features[train], images.labels[train])
        found.append(probe.score(features[test], images.labels[test]))
    return found


def main(
    data: list[str],
    backbones: str = "bundled",
    sizes: str = "64",
    groups: Annotated[list[str] | None, typer.Option(help="FOLDER=CSV")] = None,
    splits: int = 5,
) -> None:
    tables = dict(row.split("=", 1) for row in groups or [])
    sets = {Path(name).name: transfer.load_images(name, tables.get(Path(name).name)) for name in data}
    print("| backbone | px | " + " | ".join(sets) + " | mean | pictures/s |")
    print("| --- " * (len(sets) + 4) + "|")
    for backbone in backbones.split(","):
        name, _, weights = backbone.partition(":")
        for size in map(int, sizes.split(",")):
            network = transfer.load_backbone(name, size, weights or None)
            cells, means, seconds, count = [], [], 0.0, 0
            for images in sets.values():
                started = time.perf_counter()
                features = transfer.extract_features(network, images, cache=False)
                seconds += time.perf_counter() - started
                count += len(images)
                found = 100 * np.array(accuracies(features, images, splits))
                cells.append(f"{found.mean():.1f} ± {found.std():.1f}")
                means.append(found.mean())
            label = Path(weights).name if weights else ""
            row = [f"{name} {label}".strip(), str(size), *cells, f"{np.mean(means):.1f}", f"{count / seconds:.0f}"]
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
