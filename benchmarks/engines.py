"""What each engine spares: files to features, and a whole frozen run beside a plain pass of TensorFlow.

    python benchmarks/engines.py flowers --pictures 2000

Each engine starts with an empty cache of features, in turn; `first` has the network to convert, the others find it
converted. Ratios are to TensorFlow in the same round.
"""

import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import typer
from frozen_run import plain_pass

import transfer
from transfer import names, quiet
from transfer.data.folders import spread
from transfer.engine_packages import is_installed


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    told = dict(line.split("\t: ", 1) for line in (line.replace("\t\t", "\t") for line in lines) if "\t: " in line)
    sets = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in told.get("flags", "")]
    return f"{told.get('model name', platform.processor())}, {os.cpu_count()} cores, {' '.join(sets)}"


def usable() -> list[str]:
    from transfer.networks.engines import ENGINES

    return [name for name in names.ENGINES if is_installed(name) and not ENGINES[name].refusal()]


def features_a_second(network, images, indices, engine: str) -> float:
    started = time.perf_counter()
    transfer.extract_features(network, images, indices, cache=False, engine=engine)
    return len(indices) / (time.perf_counter() - started)


def whole_run(images, network, engine: str, place: Path) -> float:
    started = time.perf_counter()
    again = transfer.load_images(images.root)
    transfer.save_run(transfer.train(again, transfer.split(again), network, engine=engine), place)
    return time.perf_counter() - started


def main(
    data: Path, backbone: str = "efficientnet_lite0", sizes: str = "128,224", pictures: int = 2000, rounds: int = 3
) -> None:
    quiet.import_tensorflow()
    images = transfer.load_images(data)
    indices = spread(list(range(len(images))), pictures)
    print(f"{processor()}; {len(indices)} pictures of {data.name}, {backbone}, {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRANSFER_CACHE"] = folder
        for size in map(int, sizes.split(",")):
            network = transfer.load_backbone(backbone, size)
            features_a_second(network, images, indices[:64], "tensorflow")  # the first pass finds its memory
            first = features_a_second(network, images, indices, "auto")
            found = {engine: [] for engine in ("tensorflow", "auto", *usable()[1:])}
            for engine in usable():
                features_a_second(network, images, indices[:32], engine)
            for _ in range(rounds):
                for engine, rates in found.items():
                    rates.append(features_a_second(network, images, indices, engine))
            slow = np.array(found["tensorflow"])
            print(f"{size} px: auto, first: {first:.0f} a second, {first / np.median(slow):.2f} x TensorFlow")
            for engine, rates in found.items():
                ratios = np.array(rates) / slow
                told = f"{np.median(ratios):.2f} x ({ratios.min():.2f} to {ratios.max():.2f})"
                print(f"{size} px: {engine}: {np.median(rates):.0f} a second, {told}")
            plain = plain_pass(network, [images.paths[i] for i in range(len(images))], size)
            print(f"{size} px: plain pass of TensorFlow over all {len(images)}: {plain:.1f} s")
            for engine in ("tensorflow", "auto"):
                shutil.rmtree(folder, ignore_errors=True)
                seconds = whole_run(images, network, engine, Path(folder, "runs", f"{size}-{engine}"))
                over = (seconds - 10) / plain
                print(f"{size} px: whole frozen run, {engine}: {seconds:.1f} s = {over:.2f} x the pass + 10 s")


if __name__ == "__main__":
    typer.run(main)
