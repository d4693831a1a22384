"""Fine-tuning on maps that are kept, beside the same through all layers in each step: seconds and test accuracy.

    python benchmarks/kept_maps.py flowers scenes --per-class 50 --splits 2 --size 128

`kept` is what `transfer` does, `anew` the same share of the layers with everything below computed in each step and ever
new crops, `all` trains all layers; `--share 0.3` for another share. Seconds of processor time without decoding, of the
whole run, and seconds of the epochs alone; the ratio is that of whole runs to `kept`.
"""

import os
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import typer

import transfer
from transfer.data.pipeline import Pictures
from transfer.learning.kept_maps import KeptMaps

WAYS = ("kept", "anew", "all")


def main(
    data: list[str],
    per_class: int = 50,
    splits: int = 2,
    size: int = 128,
    backbone: str = "efficientnet_lite0",
    share: float | None = None,
) -> None:
    print(
        "| data | "
        + " | ".join(f"{way}: accuracy, s, s of the epochs" for way in WAYS)
        + " | anew / kept | all / kept |"
    )
    print("| --- " * (len(WAYS) + 3) + "|")
    for place in data:
        images, found = transfer.load_images(place), {way: [] for way in WAYS}
        for seed in range(splits):
            split = transfer.limit_training(transfer.split(images, seed), images.labels, per_class, seed, True)
            pictures = Pictures(images, size, "crop", keep=True)
            pictures.load(np.concatenate(list(split.parts().values())))
            for way in WAYS:
                found[way].append(measured(way, images, split, backbone, pictures, seed, share))
                print("   ", Path(place).name, seed, way, *np.round(found[way][-1], 1), flush=True)
        means = {way: np.mean(rows, axis=0) for way, rows in found.items()}
        cells = [f"{accuracy:.1f}, {whole:.0f}, {epochs:.0f}" for accuracy, whole, epochs in means.values()]
        ratios = [f"{means[way][1] / means['kept'][1]:.2f}" for way in ("anew", "all")]
        print(f"| {Path(place).name} | " + " | ".join([*cells, *ratios]) + " |", flush=True)


def measured(way, images, split, backbone, pictures, seed, share) -> tuple[float, float, float]:
    """Accuracy on the test part in %, seconds of processor time, and seconds of the epochs."""
    keras.utils.set_random_seed(seed)
    there_is_room = KeptMaps.fits
    KeptMaps.fits = there_is_room if way == "kept" else lambda self, number: False
    try:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["TRANSFER_CACHE"] = cache
            share = 1.0 if way == "all" else share
            started, asked = time.process_time(), {"image_size": pictures.size, "seed": seed}
            result = transfer.train(images, split, backbone, "finetune", pictures=pictures, share=share, **asked)
            return 100 * result.metrics["accuracy"], time.process_time() - started, result.seconds["finetune"]
    finally:
        KeptMaps.fits = there_is_room


if __name__ == "__main__":
    typer.run(main)
