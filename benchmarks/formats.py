"""Which backbones each export format can hold: every row of the table with random weights, exported and judged.

    python benchmarks/formats.py flowers --rows mobilenet_v2,resnet50 --image-size 64 --per-class 40

One process a row, with limits of time and memory; by default all rows, smallest first. What is printed is a table whose
cells are the share of pictures with Keras' first class and the numbers inside, or why there is no file. Random weights
make answers that hang on little, so whole numbers may fail here and hold with real weights; what a format cannot hold
is the same. Normalisations take the statistics of training pictures, or deep networks would say the same of all.
"""

import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

import transfer
from transfer.data.pipeline import Pictures
from transfer.data.splits import limit_training
from transfer.names import ALL, EXPORTS
from transfer.pretrained.architectures import ARCHITECTURES
from transfer.reading import JUDGED, read_judged

TESTED = 200  # pictures, about


def export_row(name: str, data: str, formats: str, image_size: int, per_class: int, place: str) -> None:
    images = transfer.load_images(data)
    split = limit_training(transfer.split(images), images.labels, per_class, validation_too=True)
    split = replace(split, test=split.test[:: max(1, len(split.test) // TESTED)])
    size = max(image_size, ARCHITECTURES[name].smallest)
    backbone = transfer.load_backbone(name, size, weights="none")
    normalise(backbone, Pictures(images, size).array(split.train))
    result = transfer.train(images, split, backbone, head="linear")
    for format in formats.split(","):
        transfer.export(result, place, format)


def normalise(backbone, pictures: np.ndarray) -> None:
    """Give every batch normalisation the mean and variance of what comes to it."""
    from keras import layers as kl

    from transfer.networks.freezing import every_layer

    backbone.trainable = True
    for layer in every_layer(backbone):
        if isinstance(layer, kl.BatchNormalization):
            layer.momentum = 0.0
    backbone(pictures.astype(np.float32), training=True)


def judged(name: str, *asked: str, minutes: float, gigabytes: float) -> tuple[dict, str]:
    """(what `read_judged` says of a row, why that is not all, or `""`)."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30),) * 2)

    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-W", "ignore", __file__, *asked, "--only", name, "--place", place]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60 * minutes, preexec_fn=limit)
            said = ended.stderr.strip() or f"ended by signal {-ended.returncode}"
            why = said.splitlines()[-1] if ended.returncode else ""
        except subprocess.TimeoutExpired:
            why = f"not done after {minutes:g} minutes"
        found = {"formats": {}, "left_out": {}}
        for file in Path(place).rglob(JUDGED):
            for key, rows in read_judged(file.parent).items():
                found[key] |= rows
        return found, why


def cell(said: dict, name: str) -> str:
    """What became of a format: the share of pictures with Keras' class and the numbers inside, or why it is deleted."""
    if row := said["formats"].get(name):
        return f"{row['agreement']:.1%}, {row['numbers']}"
    return said["left_out"].get(name, "")


def main(
    data: str,
    rows: str = "",
    formats: str = ALL,
    image_size: int = 64,
    per_class: int = 40,
    minutes: float = 4,
    gigabytes: float = 8,
    only: str = "",
    place: str = "",
) -> None:
    if only:
        export_row(only, data, formats, image_size, per_class, place)
        return
    columns = EXPORTS if formats == ALL else formats.split(",")
    print(f"| backbone | accuracy | {' | '.join(columns)} |")
    print("| --- " * (len(columns) + 2) + "|")
    asked = (data, "--formats", formats, "--image-size", str(image_size), "--per-class", str(per_class))
    for name in rows.split(",") if rows else sorted(ARCHITECTURES, key=lambda name: ARCHITECTURES[name].parameters):
        said, why = judged(name, *asked, minutes=minutes, gigabytes=gigabytes)
        right = next((f"{row['accuracy_keras']:.0%}" for row in said["formats"].values()), "")
        print(f"| {name} | {right} | {' | '.join(cell(said, each) or why for each in columns)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
