"""`transfer predict` over many files: its peak memory, and its pictures a second against the network's own batches.

python benchmarks/predicting.py --pictures 1000,100000

Small pictures of noise are generated. Each number of them is answered in a process of its own, into a CSV; before and
after that the network alone gets batches of pixels, which is as fast as it could be.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import typer
from PIL import Image

FOLDER = 1000  # pictures in one
BATCHES = 100
TRAINING = 40  # pictures of each of two classes


def main(
    pictures: str = "1000,100000", side: int = 64, backbone: str = "bundled", image_size: int = 64, repeats: int = 1
) -> None:
    numbers = [int(number) for number in pictures.split(",")]
    with tempfile.TemporaryDirectory() as place:
        run = _trained(Path(place), side, backbone, image_size)
        _write_pictures(Path(place, "archive"), max(numbers), side)
        first = None
        for number in numbers * repeats:
            told = json.loads(_child(str(run), str(Path(place, "archive")), str(number)))
            first = first or told["peak"]
            share = told["answered"] / told["alone"]
            print(
                f"{number} pictures of {side} px, {backbone} at {image_size} px: peak {told['peak']:.0f} MiB "
                f"({told['peak'] / first - 1:+.1%}), {told['answered']:.0f} pictures a second, the network alone "
                f"{told['alone']:.0f}: {share:.2f}"
            )


def _child(*words: str) -> str:
    done = subprocess.run([sys.executable, __file__, "--child", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()[-1]


def _answer(run: str, archive: str, number: str) -> None:
    import transfer
    from transfer.runs.saved_networks import load_network

    folders = sorted(Path(archive).iterdir())[: -(-int(number) // FOLDER)]
    next(transfer.iter_predictions(run, next(folders[0].iterdir())))  # what is loaded once is no matter of the number
    network = load_network(run)
    before = _alone(network)
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        count = sum(1 for _ in transfer.iter_predictions(run, folders, table=Path(place, "answers.csv")))
        answered = count / (time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(json.dumps({"peak": peak, "answered": answered, "alone": (before + _alone(network)) / 2}))


def _alone(network) -> float:
    """Pictures a second of the network, which are pixels already."""
    pixels = np.zeros((32, network.image_size, network.image_size, 3), np.uint8)
    network.classify(pixels)
    started = time.perf_counter()
    for _ in range(BATCHES):
        network.classify(pixels)
    return 32 * BATCHES / (time.perf_counter() - started)


def _trained(place: Path, side: int, backbone: str, image_size: int) -> Path:
    import transfer

    for label in "ab":
        _write_pictures(place / "data" / label, TRAINING, side, seed=ord(label))
    images = transfer.load_images(place / "data")
    network = transfer.load_backbone(backbone, image_size)
    return transfer.save_run(transfer.train(images, transfer.split(images), network), place / "run")


def _write_pictures(folder: Path, number: int, side: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for i in range(number):
        path = folder / f"{i // FOLDER:03}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((side, side)).save(path, quality=85)


if __name__ == "__main__":
    _answer(*sys.argv[2:]) if sys.argv[1:2] == ["--child"] else typer.run(main)
