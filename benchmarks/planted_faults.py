"""Precision and recall of what `check` finds, on faults planted into a folder of pictures.

python benchmarks/planted_faults.py flowers
"""

import csv
import shutil
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageOps

import transfer

KINDS = ("re-encoded", "resized", "cropped", "mirrored")


def main(
    folder: Path,
    count: int = 20,
    wrong: float = 0.02,
    seeds: int = 3,
    near: str = "hash",
    crop: Annotated[float, typer.Option(help="of a side, at most")] = 0.05,
    keep: Path | None = None,
) -> None:
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as place:
            data, faults = plant(folder, Path(place, "data"), count, wrong, crop, seed)
            if keep is not None and seed == 0:
                shutil.copytree(data, keep)
                write_truth(faults, keep.with_suffix(".csv"))
            report(transfer.check(data, near=near, labels=wrong > 0, seed=seed), faults, seed)


def plant(
    source: Path, target: Path, count: int, wrong: float, crop: float, seed: int
) -> tuple[Path, dict[str, set | dict]]:
    """Copy the pictures in which check finds no duplicates as train/ and test/, and plant faults there."""
    rng = np.random.default_rng(seed)
    clean = transfer.check(source)
    copies = {i for pair in clean.near for i in pair[:2]}
    copies |= {i for finding in clean.findings if finding.kind.startswith("exact") for s in finding.sets for i in s}
    images, names = clean.images, clean.images.class_names
    good = rng.permutation([i for i in range(len(images)) if i not in copies])
    faults = {"exact": set(), "near": {}, "labels": set()}  # of near pairs, what was done
    mislabelled = set(good[: round(wrong * len(good))].tolist())
    doubled = good[-2 * count :].tolist()
    for i in good.tolist():
        label = names[images.labels[i]]
        if i in mislabelled:
            label = rng.choice([name for name in names if name != label])
        part = "train" if i in doubled or rng.random() < 0.8 else "test"
        name = f"{part}/{label}/{i:06}{images.paths[i].suffix}"
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images.paths[i], target / name)
        if i in mislabelled:
            faults["labels"].add(name)
        if i in doubled[:count]:
            copy = f"test/{label}/{i:06}x{images.paths[i].suffix}"
            Path(target / copy).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(images.paths[i], target / copy)
            faults["exact"].add(frozenset((name, copy)))
        elif i in doubled:
            copy = f"test/{label}/{i:06}y.jpg"
            Path(target / copy).parent.mkdir(parents=True, exist_ok=True)
            kind = KINDS[len(faults["near"]) % len(KINDS)]
            changed(images.paths[i], kind, crop, rng).save(target / copy, quality=int(rng.integers(50, 90)))
            faults["near"][frozenset((name, copy))] = kind
    return target, faults


def changed(path: Path, kind: str, crop: float, rng: np.random.Generator) -> Image.Image:
    """A version of a picture: cropped (`crop / 5` to `crop` a side), resized (50 to 150 %), mirrored, or not."""
    with Image.open(path) as image:
        image = image.convert("RGB")
    width, height = image.size
    if kind == "resized":
        scale = rng.uniform(0.5, 1.5)
        return image.resize((round(scale * width), round(scale * height)), Image.Resampling.BICUBIC)
    if kind == "cropped":
        left, top, right, bottom = rng.uniform(crop / 5, crop, 4) * (width, height, width, height)
        return image.crop((round(left), round(top), round(width - right), round(height - bottom)))
    return ImageOps.mirror(image) if kind == "mirrored" else image


def report(check: transfer.Check, faults: dict[str, set], seed: int) -> None:
    names = check.images.names
    exact = {
        frozenset((names[a], names[b]))
        for finding in check["exact across parts"]
        for indices in finding.sets
        for a, b in combinations(indices, 2)
    }
    near = {frozenset((names[pair.first], names[pair.second])) for pair in check.near}
    ranked = [names[indices[0]] for finding in check["suspected labels"] for indices in finding.sets]
    top = set(ranked[: round(0.02 * len(names))])
    for kind, found in (("exact", exact), ("near", near), ("labels", top)):
        right, planted = len(found & set(faults[kind])), len(faults[kind])
        precision, recall = right / max(1, len(found)), right / max(1, planted)
        print(
            f"seed {seed} {kind:7} precision {precision:.3f} recall {recall:.3f} "
            f"({right} of {planted} planted, {len(found)} found)",
            flush=True,
        )
    missed = Counter(kind for pair, kind in faults["near"].items() if pair not in near)
    print(f"seed {seed} missed  {dict(missed)}", flush=True)


def write_truth(faults: dict[str, set], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [kind, *sorted(pair)] for kind in ("exact", "near") for pair in sorted(map(sorted, faults[kind]))
        )


if __name__ == "__main__":
    typer.run(main)
