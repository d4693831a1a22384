"""What the frozen method costs beside a plain pass over the same pictures, in one process.

    python benchmarks/frozen_run.py flowers --backbone mobilenet_v2 --weights WEIGHTS.h5 --image-size 128

The plain pass decodes one file after the other with Pillow and sends batches of 32 through the same
network in a `tf.function`. Then come: the whole frozen run from files to result with an empty cache,
a second run with another seed and head, and a run after 20 pictures were added.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import typer
from PIL import Image

import transfer


def plain_pass(network, paths: list[Path], size: int) -> float:
    import tensorflow as tf

    forward = tf.function(lambda x: network(x, training=False), input_signature=[tf.TensorSpec((None, size, size, 3))])
    forward(np.zeros((32, size, size, 3), np.float32))
    started = time.perf_counter()
    for start in range(0, len(paths), 32):
        opened = (Image.open(path).convert("RGB") for path in paths[start : start + 32])
        pixels = [np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)) for image in opened]
        forward(np.stack(pixels).astype(np.float32))
    return time.perf_counter() - started


def whole_run(data: Path, network, **options) -> tuple[float, float]:
    started = time.perf_counter()
    images = transfer.load_images(data)
    result = transfer.train(images, transfer.split(images, options.get("seed", 0)), network, "frozen", **options)
    return time.perf_counter() - started, result.metrics["accuracy"]


def main(
    data: Path, backbone: str = "bundled", weights: str | None = None, image_size: int = 128, seeds: int = 5
) -> None:
    network = transfer.load_backbone(backbone, image_size, weights)
    with tempfile.TemporaryDirectory() as copy:
        os.environ["TRANSFER_CACHE"] = str(Path(copy, "cache"))
        folder = Path(copy, "data")
        shutil.copytree(data, folder)
        extra = sorted(p for p in folder.rglob("*") if p.is_file())[::200][:20]
        for path in extra:
            shutil.move(path, Path(copy, f"{path.parent.name}-{path.name}"))
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        plain = plain_pass(network, paths, image_size)
        print(f"plain pass over {len(paths)} pictures: {plain:.1f} s")
        first, _ = whole_run(folder, network)
        print(f"first frozen run: {first:.1f} s, {first / plain:.2f} of the plain pass")
        for options in ({"seed": 1}, {"seed": 0, "head": "svm"}):
            again, _ = whole_run(folder, network, **options)
            print(f"again with {options}: {again:.2f} s, {again / first:.3f} of the first")
        for path in extra:
            shutil.move(Path(copy, f"{path.parent.name}-{path.name}"), path)
        more, _ = whole_run(folder, network)
        print(f"after {len(extra)} pictures were added: {more:.2f} s")
        found = [whole_run(folder, network, seed=seed)[1] for seed in range(seeds)]
        print(f"test accuracy over {seeds} seeds: {np.mean(found):.4f} +- {np.std(found):.4f}")


if __name__ == "__main__":
    typer.run(main)
