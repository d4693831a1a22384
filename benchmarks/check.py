"""Files a second of `check`, first and second time, against a plain single-threaded Pillow loop.

python benchmarks/check.py flowers
python benchmarks/check.py --pictures 100000
"""

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

import transfer
from transfer.data.picture_files import SUFFIXES


def main(folder: Annotated[Path | None, typer.Argument()] = None, pictures: int = 100_000, near: str = "hash") -> None:
    with tempfile.TemporaryDirectory() as place:
        os.environ["TRANSFER_CACHE"] = str(Path(place, "cache"))
        folder = folder or generated(Path(place, "data"), pictures)
        check = transfer.check  # loads the libraries: a second or less, however many files there are
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        loop = timed("Pillow loop", len(files), lambda: decode(files))
        for turn in ("first check", "second check"):
            seconds = timed(turn, len(files), lambda: check(folder, near=near))
            print(f"  {loop / seconds:.2f} x the files a second of the loop")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def timed(what: str, files: int, work) -> float:
    start, processor = time.perf_counter(), time.process_time()
    work()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    print(
        f"{what}: {files} files in {seconds:.1f} s, {files / seconds:.0f} a second, "
        f"{1e6 * processor / files:.0f} microseconds of processor time each",
        flush=True,
    )
    return seconds


def decode(files: list[Path]) -> None:
    for path in files:
        with Image.open(path) as image:
            np.asarray(image.convert("RGB"))


def generated(root: Path, pictures: int) -> Path:
    """Small pictures, each its own, in 20 classes."""
    rng = np.random.default_rng(0)
    for number in range(pictures):
        path = root / f"class{number % 20:02}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(path, quality=80)
    return root


if __name__ == "__main__":
    typer.run(main)
