"""`transfer predict` over many files: its peak memory, its pictures a second, and what kills do to its table.

python benchmarks/predicting.py --pictures 1000,100000 --kills 3

Small pictures of noise are generated. Each number of them is answered in a process of its own, into a CSV; before and
after that the network alone gets batches of pixels, which is as fast as it could be. Then the same is done once more
for the last number, killed (SIGKILL) at so many moments and gone on with.
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

from transfer.runs.prediction_tables import ROWS
from transfer.unfinished import unfinished_place

FOLDER = 1000  # pictures in one
BATCHES = 100
TRAINING = 40  # pictures of each of two classes


def main(
    pictures: str = "1000,100000",
    side: int = 64,
    backbone: str = "bundled",
    image_size: int = 64,
    repeats: int = 1,
    kills: int = 0,
) -> None:
    numbers = [int(number) for number in pictures.split(",")]
    with tempfile.TemporaryDirectory() as place:
        run, archive, table = (
            _trained(Path(place), side, backbone, image_size),
            Path(place, "archive"),
            Path(place, "t"),
        )
        _write_pictures(archive, max(numbers), side)
        first = None
        for number in numbers * repeats:
            told = json.loads(_child("--answer", run, archive, number, table))
            first = first or told["peak"]
            share = told["answered"] / told["alone"]
            print(
                f"{number} pictures of {side} px, {backbone} at {image_size} px: peak {told['peak']:.0f} MiB "
                f"({told['peak'] / first - 1:+.1%}), {told['answered']:.0f} pictures a second, the network alone "
                f"{told['alone']:.0f}: {share:.2f}",
                flush=True,
            )
        if kills:
            print(_killed(run, archive, numbers[-1], table, kills))


def _child(*words: object) -> str:
    done = subprocess.run(_command(*words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return (done.stdout.splitlines() or [""])[-1]


def _command(*words: object) -> list[str]:
    return [sys.executable, __file__, *map(str, words)]


def _killed(run: Path, archive: Path, number: int, table: Path, kills: int) -> str:
    """The same table again, killed at equal distances: what became of it, in words."""
    again, moments = table.with_name("again"), []
    rows = unfinished_place(again) / ROWS
    for kill in range(1, kills + 1):
        wanted = kill / (kills + 1) * table.stat().st_size
        child = subprocess.Popen(_command("--go-on", run, archive, number, again), stderr=subprocess.DEVNULL)
        while not (rows.is_file() and rows.stat().st_size >= wanted):
            if child.poll() is not None:
                raise SystemExit("it ended before it was killed")
            time.sleep(0.02)
        child.kill()
        child.wait()
        moments.append(rows.read_bytes().count(b"\n"))
    _child("--go-on", run, archive, number, again)
    same = again.read_bytes() == table.read_bytes()
    return f"killed behind {', '.join(map(str, moments))} rows: the table is {'the same' if same else 'ANOTHER'}"


def _folders(archive: str, number: str) -> list[Path]:
    return sorted(Path(archive).iterdir())[: -(-int(number) // FOLDER)]


def _go_on(run: str, archive: str, number: str, table: str) -> None:
    import transfer

    for _ in transfer.iter_predictions(run, _folders(archive, number), table=table, resume=True):
        pass


def _answer(run: str, archive: str, number: str, table: str) -> None:
    import transfer
    from transfer.runs.saved_networks import load_network

    folders = _folders(archive, number)
    next(transfer.iter_predictions(run, next(folders[0].iterdir())))  # what is loaded once is no matter of the number
    network = load_network(run)
    before = _alone(network)
    Path(table).unlink(missing_ok=True)
    started = time.perf_counter()
    count = sum(1 for _ in transfer.iter_predictions(run, folders, table=table))
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


CHILDREN = {"--answer": _answer, "--go-on": _go_on}


if __name__ == "__main__":
    CHILDREN[sys.argv[1]](*sys.argv[2:]) if sys.argv[1:2] and sys.argv[1] in CHILDREN else typer.run(main)
