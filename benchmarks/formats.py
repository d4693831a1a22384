"""Which backbones each export format can hold: every row of the table with random weights, exported and judged.

    python benchmarks/formats.py flowers --kept rows.json --rows mobilenet_v2,resnet50 --image-size 64 --per-class 40

One process a row, with limits of time and memory (of what it reserves, which is some GB more than it uses); by default
all rows, smallest first. Rows that `--kept` has with the same options are not made again. What is printed is a table
whose cells are the share of pictures with Keras' first class, and below it why there is no file. Random weights make
answers that hang on little, so whole numbers may fail here and hold with real weights; what a format cannot hold is the
same. Normalisations take the statistics of training pictures, or deep networks would say the same of all. They also
make such networks chaotic (Yang et al. 2019, arXiv:1902.08129): `itself` is how far a probability of Keras moves when
the last bit of its weights does; a file rounds otherwise, too, and is no nearer to Keras than that.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer

import transfer
from transfer import quiet
from transfer.data.pipeline import Pictures
from transfer.data.splits import limit_training
from transfer.errors import ExportError
from transfer.names import ALL, EXPORTS
from transfer.pretrained.architectures import ARCHITECTURES
from transfer.reading import JUDGED, read_judged

TESTED, MOVED = 200, 32  # pictures, about
LAST_BIT = 2**-23  # of float32, of a number
ITSELF, PEAK = "itself", "peak"  # files that say how far Keras is from itself, and the GB of memory that were used


def export_row(name: str, data: str, formats: str, image_size: int, per_class: int, place: str) -> None:
    quiet.import_tensorflow()
    import keras

    images = transfer.load_images(data)
    split = limit_training(transfer.split(images), images.labels, per_class, validation_too=True)
    split = replace(split, test=split.test[:: max(1, len(split.test) // TESTED)])
    size = max(image_size, ARCHITECTURES[name].smallest)
    keras.utils.set_random_seed(0)
    backbone = transfer.load_backbone(name, size, weights="none")
    normalise(backbone, Pictures(images, size).array(split.train))
    result = transfer.train(images, split, backbone, head="linear")
    refused = []
    for format in formats.split(","):
        try:
            transfer.export(result, place, format)
        except ExportError as error:  # the next ones are asked for as well
            refused.append(str(error))
    Path(place, ITSELF).write_text(f"{from_itself(result):.1e}")
    Path(place, PEAK).write_text(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f}")
    if refused:
        sys.exit("; ".join(refused))


def from_itself(result) -> float:
    """By how much a probability of Keras moves at most when each weight does by up to its last bit."""
    from transfer.exports.answering import answering_network
    from transfer.runs.exportables import network_to_export

    source = network_to_export(result)
    network, (pictures, _) = answering_network(source.model), source.pictures("test", MOVED)
    before, rng = network(pictures, training=False).numpy(), np.random.default_rng(0)
    for weights in network.weights:
        weights.assign(weights * (1 + rng.uniform(-LAST_BIT, LAST_BIT, weights.shape)).astype(np.float32))
    return float(np.abs(network(pictures, training=False).numpy() - before).max())


def normalise(backbone, pictures: np.ndarray) -> None:
    """Give every batch normalisation the mean and variance of what comes to it."""
    import tensorflow as tf
    from keras import layers as kl

    from transfer.networks.freezing import every_layer

    backbone.trainable = True
    for layer in every_layer(backbone):
        if isinstance(layer, kl.BatchNormalization):
            layer.momentum = 0.0
    # A graph frees each map when no layer needs it any more.
    tf.function(backbone)(tf.constant(pictures, tf.float32), training=True)


def judged(name: str, *asked: str, minutes: float, gigabytes: float) -> dict:
    """What `read_judged` says of a row, why that is not all (or `""`), and what else it has written."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30),) * 2)

    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-W", "ignore", __file__, *asked, "--only", name, "--place", place]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60 * minutes, preexec_fn=limit)
            why = (ended.stderr.strip().splitlines() or [""])[-1] if ended.returncode else ""
            if ended.returncode < 0:
                why = f"ended by signal {-ended.returncode} after: {why}"
        except subprocess.TimeoutExpired:
            why = f"not done after {minutes:g} minutes"
        found = {"formats": {}, "left_out": {}}
        for file in Path(place).rglob(JUDGED):
            for key, rows in read_judged(file.parent).items():
                found[key] |= rows
        said = {name: Path(place, name).read_text() for name in (ITSELF, PEAK) if Path(place, name).is_file()}
        return {"said": found, "why": why} | said


def cell(said: dict, why: str, name: str) -> str:
    """The share of pictures with Keras' first class, by the numbers that were tried; of a file that is kept in bold."""
    row, left_out = said["formats"].get(name), said["left_out"].get(name, "")
    shares = re.findall(r"([\d.]+)% of the pictures", " ".join(row["instead_of"].values()) if row else left_out)
    if row:
        shares.append(f"**{100 * row['agreement']:.1f}**")
    return "; ".join(shares) or ("refused" if left_out else why)


def reasons(kept: dict[str, dict], columns: Sequence[str]) -> list[str]:
    """Why there is no file, in words, where the table has no share that says it."""
    found = defaultdict(list)
    for name, row in kept.items():
        for format in columns:
            if (why := row["said"]["left_out"].get(format, "")) and "of the pictures" not in why:
                found[why.replace(f"the format {format}", "the format")].append(f"{name} ({format})")
    return [f"- {', '.join(places)}: {why}" for why, places in found.items()]


def main(
    data: str,
    rows: str = "",
    formats: str = ALL,
    image_size: int = 64,
    per_class: int = 40,
    minutes: float = 8,
    gigabytes: float = 12,
    kept: Path | None = None,
    only: str = "",
    place: str = "",
) -> None:
    if only:
        export_row(only, data, formats, image_size, per_class, place)
        return
    columns = EXPORTS if formats == ALL else formats.split(",")
    asked = (data, "--formats", formats, "--image-size", str(image_size), "--per-class", str(per_class))
    wanted = rows.split(",") if rows else sorted(ARCHITECTURES, key=lambda name: ARCHITECTURES[name].parameters)
    found = json.loads(kept.read_text()) if kept and kept.is_file() else {}
    for name in wanted:
        if name in found and found[name].get("asked") == list(asked):
            continue
        start = time.perf_counter()
        row = judged(name, *asked, minutes=minutes, gigabytes=gigabytes)
        found[name] = {"asked": asked, "seconds": time.perf_counter() - start} | row
        if kept:
            kept.write_text(json.dumps(found, indent=1))
    print(f"| backbone | accuracy | itself | {' | '.join(columns)} | GB | seconds |")
    print("| --- " * (len(columns) + 5) + "|")
    shown = {name: found[name] for name in wanted}
    for name, row in shown.items():
        right = next((f"{100 * each['accuracy_keras']:.0f}" for each in row["said"]["formats"].values()), "")
        cells = " | ".join(cell(row["said"], row["why"], each) for each in columns)
        itself, peak = row.get(ITSELF, ""), row.get(PEAK, "")
        print(f"| {name} | {right} | {itself} | {cells} | {peak} | {row['seconds']:.0f} |")
    print(*reasons(shown, columns), sep="\n")


if __name__ == "__main__":
    typer.run(main)
