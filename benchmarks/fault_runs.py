"""Run folders in which something was changed, by a disk or a person: read as they are, or refused in one sentence."""

import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from fault_table import Tried
from PIL import Image

from transfer import quiet
from transfer.errors import TransferError

WORKERS = 2
JSON = ("config.json", "result.json", "check.json", "cross_validation.json", "learning_curve.json", "backbones.json")
NUMBERS = (-1, 0, 0.5, 10**30, 1e308, float("nan"), float("inf"))
ODD = (*NUMBERS, None, True, "", "odd", "2", [], [[]], {}, {"a": {}}, [None])


def damaged_runs(folder: Path, number: int = 600, seed: int = 0) -> list[Tried]:
    """Damage a copy of a run at random, many times, and let every reader of runs have it.

    Args:
        folder: to work in; is empty.
        number: of damaged runs.
        seed: of what is changed.
    """
    _made(folder)
    shares = [range(worker, number, WORKERS) for worker in range(WORKERS)]
    # Each process loads TensorFlow once; one that has done so already cannot be forked.
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        return [tried for share in pool.map(partial(_damaged, folder, seed), shares) for tried in share]


def _made(folder: Path) -> None:
    """Two runs of tiny networks, one of them a comparison with all that a run can hold besides, and their pictures."""
    import transfer

    quiet.import_tensorflow()
    from transfer.networks import scratch

    os.environ["TRANSFER_CACHE"] = str(folder / "cache")
    rng = np.random.default_rng(0)
    for label in range(3):
        (folder / "data" / f"c{label}").mkdir(parents=True)
        for i in range(24):
            pixels = rng.integers(0, 160, (16, 16, 3)) + 30 * label
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "data" / f"c{label}" / f"{i:02}.png")
    images = transfer.load_images(folder / "data")
    split = transfer.split(images)
    network = scratch.convnet(16, [{"conv": 4, "stride": 4}, {"activation": "relu"}])
    methods = ["frozen", "dense"]
    also = [
        transfer.cross_validate(images, transfer.folds(images, 2), network, epochs=1),
        transfer.learning_curve(images, split, network, ["frozen"], [5, 10], 1, epochs=1),
        transfer.choose_backbone(images, split, ["bundled", "bundled:none"], image_size=32),
    ]
    transfer.save_run(transfer.compare(images, split, network, methods, epochs=1), folder / "several", also=also)
    transfer.save_run(transfer.train(images, split, network, epochs=2), folder / "one", also=also[:1])


def _damaged(folder: Path, seed: int, numbers: range) -> list[Tried]:
    quiet.import_tensorflow()
    warnings.simplefilter("ignore")
    os.environ["TRANSFER_CACHE"] = str(folder / "cache")
    tried = []
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        run = folder / f"damaged-{number}"
        shutil.copytree(folder / rng.choice(("one", "several")), run)
        kind, file, said = _damage(run, rng)
        happened = "; ".join(
            f"{number}, {file} {said}: {name}: {fault}" for name, fault in _read(run, folder / "data", file) if fault
        )
        tried.append(Tried(f"a damaged run: {kind}", not happened, happened))
        shutil.rmtree(run)
    return tried


def _damage(run: Path, rng: random.Random) -> tuple[str, str, str]:
    """Change something; returns its kind, the file, and what was done."""
    if rng.random() < 0.75:  # as it was written before there were digests, or by somebody who took them away
        for config in run.rglob("config.json"):
            said = json.loads(config.read_text())
            said.pop("written", None)
            config.write_text(json.dumps(said))
    files = sorted(path for path in run.rglob("*") if path.is_file() and "saved_model" not in path.parts)
    documents = [path for path in files if path.name in JSON]
    if rng.random() < 0.75:
        file = rng.choice(documents)
        return "another value in JSON", str(file.relative_to(run)), _change_value(file, rng)
    file = rng.choice(files)
    name, how = rng.choice(list(_BYTES.items()))
    file.write_bytes(how(file.read_bytes(), rng))
    return "other bytes", str(file.relative_to(run)), name


def _change_value(file: Path, rng: random.Random) -> str:
    said = json.loads(file.read_text())
    holder, key, path = said, "", []
    while isinstance(holder, (dict, list)) and holder:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = rng.choice([each for each in keys if each != "schema_version"])
        path.append(key)
        if not isinstance(holder[key], (dict, list)) or not holder[key] or rng.random() < 0.3:
            break
        holder = holder[key]
    if rng.random() < 0.2:
        del holder[key]
        value = "deleted"
    elif rng.random() < 0.1 and isinstance(holder, list):
        holder.append(holder[key])
        value = "doubled"
    else:
        value = holder[key] = rng.choice(ODD)
    file.write_text(json.dumps(said))
    return f"{'.'.join(map(str, path))} = {value!r}"


_BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "empty": lambda data, rng: b"",
    "cut": lambda data, rng: data[: rng.randrange(len(data) or 1)],
    "one byte": lambda data, rng: _flipped(data, rng, 1),
    "many bytes": lambda data, rng: _flipped(data, rng, 50),
    "zeros": lambda data, rng: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "twice": lambda data, rng: data + data,
    "rows": lambda data, rng: b"".join(rng.sample(lines := data.splitlines(True), len(lines))),
}


def _flipped(data: bytes, rng: random.Random, times: int) -> bytes:
    changed = bytearray(data)
    for _ in range(min(times, len(changed))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _read(run: Path, data: Path, file: str) -> Iterator[tuple[str, str]]:
    """(command, what went wrong or "") of every reader that looks at this file."""
    import transfer

    images = transfer.load_images(data)
    readers: dict[str, Callable] = {"report": lambda: transfer.build_report([run], run.parent / f"{run.name}.html")}
    if file.endswith(("config.json", "model.keras")):
        readers |= {
            "read_split": lambda: transfer.read_split(images, run),
            "predict": lambda: transfer.predict(run, [data / "c0" / "00.png"]),
        }
    if "result" in file and run.name.endswith(("0", "5")):
        readers["report of two"] = lambda: transfer.build_report([run, run.parent / "one"], run.parent / "two.html")
    if file.endswith(("config.json", "model.keras")) and run.name.endswith("0"):
        readers["explain"] = lambda: transfer.explain(run, [data / "c0" / "00.png"], run / "explained")
        readers["export"] = lambda: transfer.export(run, run / "exported")
        readers["again"] = lambda: transfer.repeat_run(run)
    for name, read in readers.items():
        try:
            read()
        except TransferError as error:
            yield name, "more than a sentence" if "\n" in str(error) else ""
        except Exception as error:
            yield name, f"{type(error).__name__}: {error}"
        else:
            yield name, ""
