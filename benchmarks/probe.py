"""Linear probe: logistic regression on frozen features, over folders, backbones and picture sizes.

    python benchmarks/probe.py flowers scenes emotions --groups emotions=emotions-groups.csv \
        --backbones bundled,bundled:none,mobilenet_v2:WEIGHTS.h5 --sizes 64,96 --features last,stages

A backbone is NAME or NAME:WEIGHTS. Features are standardised, C = 0.01, and the mean and standard
deviation are over `--splits` random divisions into 80 % and 20 %, by group where groups are given.
`--per-class 10,50,all` trains on so many pictures a class of the 80 %. `--fit` is that of `transfer train`.
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


def accuracies(features: np.ndarray, images, splits: int, per_class: int | None = None) -> list[float]:
    if images.groups:
        divisions = GroupShuffleSplit(splits, test_size=0.2, random_state=0)
    else:
        divisions = StratifiedShuffleSplit(splits, test_size=0.2, random_state=0)
    found = []
    for number, (train, test) in enumerate(divisions.split(features, images.labels, images.groups)):
        if per_class is not None:
            train = np.random.default_rng(number).permutation(train)
            chosen = [train[images.labels[train] == label][:per_class] for label in np.unique(images.labels)]
            train = np.concatenate(chosen)
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
    per_class: str = "all",
    features: Annotated[str, typer.Option(help="last, stages")] = "last",
    fit: str = "crop",
) -> None:
    tables = dict(row.split("=", 1) for row in groups or [])
    sets = {Path(name).name: transfer.load_images(name, tables.get(Path(name).name)) for name in data}
    amounts = [None if amount == "all" else int(amount) for amount in per_class.split(",")]
    print("| backbone | features | px | a class | " + " | ".join(sets) + " | mean | pictures/s |")
    print("| --- " * (len(sets) + 6) + "|")
    for backbone in backbones.split(","):
        name, _, weights = backbone.partition(":")
        label = f"{name} {Path(weights).name if weights else ''}".strip()
        for size in map(int, sizes.split(",")):
            for kind in features.split(","):
                network = transfer.load_backbone(name, size, weights or None, kind)
                started = time.perf_counter()
                found = [transfer.extract_features(network, images, None, fit, cache=False) for images in sets.values()]
                rate = sum(map(len, found)) / (time.perf_counter() - started)
                for amount in amounts:
                    rows = [accuracies(*pair, splits, amount) for pair in zip(found, sets.values())]
                    cells = [f"{100 * np.mean(row):.1f} ± {100 * np.std(row):.1f}" for row in rows]
                    mean = f"{100 * np.mean([np.mean(row) for row in rows]):.1f}"
                    width = f"{kind} ({network.output_shape[-1]})"
                    row = [label, width, str(size), str(amount or "all"), *cells, mean, f"{rate:.0f}"]
                    print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
