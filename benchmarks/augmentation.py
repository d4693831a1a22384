"""Presets of random changes and mixed pictures: accuracy of networks that are trained with them.

    python benchmarks/augmentation.py scenes --method scratch --image-size 64 --per-class 50
    python benchmarks/augmentation.py flowers --method finetune --backbone bundled --per-class 50

Test accuracy in %, mean and standard deviation over splits made from different seeds, in brackets those of the
difference to `light`. With `--speed` the milliseconds that a preset takes for a picture instead.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import transfer
from transfer.data.augmentation import change_of
from transfer.data.pipeline import Pictures
from transfer.names import AUGMENTS, MIXES


def milliseconds(images, size: int, preset: str) -> float:
    """What a picture costs: the median of ten rounds over a hundred of them."""
    pixels = Pictures(images, size).array(np.linspace(0, len(images) - 1, 100).astype(int))
    change, rng, rounds = change_of(preset, 0.8, True), np.random.default_rng(0), []
    for _ in range(10):
        started = time.perf_counter()
        for picture in pixels:
            change(picture, size, rng)
        rounds.append(10 * (time.perf_counter() - started))
    return float(np.median(rounds))


def main(
    data: list[str],
    method: str = "scratch",
    backbone: Annotated[str | None, typer.Option(help="of finetune")] = None,
    image_size: int = 64,
    per_class: int = 50,
    epochs: int | None = None,
    splits: int = 3,
    first: int = 0,
    only: Annotated[str | None, typer.Option(help="some of the presets and mixes, with commas")] = None,
    speed: bool = False,
) -> None:
    rows = {name: {"augment": name} for name in ("light", *AUGMENTS)}
    if method == "scratch":
        rows |= {f"light, {mix}": {"mix": mix} for mix in MIXES}
    rows = {name: row for name, row in rows.items() if only is None or name in ("light", *only.split(","))}
    for place in data:
        images = transfer.load_images(place)
        if speed:
            print(Path(place).name, {name: f"{milliseconds(images, image_size, name):.2f} ms" for name in AUGMENTS})
            continue
        found: dict[str, list[float]] = {name: [] for name in rows}
        for seed in range(first, first + splits):
            split = transfer.split(images, seed=seed)
            split = transfer.limit_training(split, images.labels, per_class, seed, validation_too=True)
            for name, changed in rows.items():
                result = transfer.train(
                    images, split, backbone, method, image_size=image_size, epochs=epochs, seed=seed, **changed
                )
                found[name].append(100 * result.metrics["accuracy"])
                print(Path(place).name, seed, name, found[name][-1], f"{result.seconds['total']:.0f} s", flush=True)
        for name, values in found.items():
            gained = np.subtract(values, found["light"])
            cell = f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
            cell += f" ({gained.mean():+.1f} ± {gained.std(ddof=1):.1f})"
            print(f"| {Path(place).name} | {name} | {cell} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
