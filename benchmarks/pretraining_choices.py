"""Short pretraining runs of equal work, each with one choice changed, by what their features are worth.

    python benchmarks/pretraining_choices.py tiny-imagenet-200-train.tar.gz flowers scenes emotions \\
        --groups emotions=emotions-groups.csv --teacher mobilenet_v2_imagenet.weights.h5 --seen 120000

Every choice sees as many pictures, half of them at 32 and half at 64 pixels, or as many pixels where it has
another size. Time is not measured: on shared cores the same step took 0.9 to 1.5 s of it. Then a linear probe
as in `probe.py`, at 64 px.
"""

import runpy
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import transfer

probe = runpy.run_path(str(Path(__file__).with_name("probe.py")))["accuracies"]


def without(layers: list[dict], kind: str) -> list[dict]:
    return [row for row in layers if kind not in row]


def wider(layers: list[dict], width: int) -> list[dict]:
    return [row | {"conv": width} if row.get("kernel") == 1 else row for row in layers]


def main(
    pictures: str,
    data: list[str],
    teacher: Annotated[Path, typer.Option(help="weights of a whole MobileNetV2")],
    seen: Annotated[int, typer.Option(help="pictures, each counted as often as it is seen")] = 120_000,
    answers: Annotated[Path, typer.Option(help="where the teacher's answers are kept")] = Path("teacher.npz"),
    groups: Annotated[list[str] | None, typer.Option(help="FOLDER=CSV")] = None,
    splits: int = 5,
    seed: int = 0,
) -> None:
    transfer.quiet.import_tensorflow()
    from transfer.data.pipeline import Pictures
    from transfer.networks import distillation, pretraining

    tables = dict(row.split("=", 1) for row in groups or [])
    sets = {Path(name).name: transfer.load_images(name, tables.get(Path(name).name)) for name in data}
    images = transfer.load_images(pictures)
    soft = distillation.kept_answers(answers, teacher, images)
    pixels = Pictures(images, 64).array(range(len(images)))
    order = np.random.default_rng(seed).permutation(len(images))
    layers = pretraining.TRAINED_LAYERS
    choices = {  # layers, teacher, learning rate, the same picture size throughout
        "as chosen": (layers, True, 2e-3, False),
        "labels only": (layers, False, 2e-3, False),
        "last maps only, 1,024 of them": (wider(without(layers, "tap"), 1024), True, 2e-3, False),
        "64 px throughout": (layers, True, 2e-3, True),
        "half the learning rate": (layers, True, 1e-3, False),
        "twice the learning rate": (layers, True, 4e-3, False),
    }

    print("| choice | pictures seen | " + " | ".join(sets) + " | mean |")
    print("| --- " * (len(sets) + 3) + "|")
    for name, (rows, taught, rate, whole) in choices.items():
        sizes = (64, 64) if whole else (32, 64)
        often = round(seen * (32**2 + 64**2) / sum(size**2 for size in sizes) / 2)
        chosen = order[:often]
        with tempfile.TemporaryDirectory() as folder:
            model = pretraining.pretrain(
                pixels[chosen], images.labels[chosen], Path(folder),
                pretraining.Pretraining([pretraining.Phase(1, size) for size in sizes], rows, rate, seed=seed),
                soft[chosen] if taught else None, log=lambda said: None,
            )  # fmt: skip
        network = pretraining.without_classifier(model, rows)
        row = []
        for judged in sets.values():
            features = transfer.extract_features(network, judged, pictures=Pictures(judged, 64), cache=False)
            row.append(100 * np.mean(probe(features, judged, splits)))
        cells = [f"{value:.1f}" for value in (*row, np.mean(row))]
        print(f"| {name} | {2 * len(chosen):,} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
