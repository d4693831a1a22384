"""Pictures to names, through a SavedModel or the folder of a run."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from transfer.data.images import SUFFIXES, fit_picture, read_picture
from transfer.data.pipeline import BATCH
from transfer.errors import DataError, ModelFileError, PictureError, first_line
from transfer.progress import bar
from transfer.runs.exports import SIDECAR
from transfer.writing import write_rows


class Prediction(NamedTuple):
    """The answer to one file.

    Attributes:
        file: as it was asked for.
        label: the most probable class, "" where the file could not be read.
        probability: of `label`, 0..1.
        probabilities: by class name, sum 1.
        error: why there is no answer, or "".
    """

    file: str
    label: str
    probability: float
    probabilities: dict[str, float]
    error: str = ""


class SavedNetwork(NamedTuple):
    """A SavedModel, loaded."""

    classify: object
    class_names: tuple[str, ...]
    image_size: int
    fit: str


def predict(model: str | Path, pictures: Sequence[str | Path]) -> list[Prediction]:
    """Classify picture files.

    Args:
        model: a SavedModel, a folder of its versions (the highest counts), or a run.
        pictures: files, folders (searched through) and patterns such as `photos/*.jpg`.

    Returns:
        One `Prediction` a file, in order. A file that is no picture gets one that says so.

    Raises:
        ModelFileError: no SavedModel of this toolkit there.
        DataError: nothing matches.
    """
    network, files = load_network(model), list_files(pictures)
    rows = []
    with bar("predict", len(files)) as advance:
        for batch, probabilities, errors in answers(network, files):
            for file, values, error in zip(batch, probabilities, errors):
                if error:
                    rows.append(Prediction(str(file), "", float("nan"), {}, error))
                    continue
                best = int(values.argmax())
                by_name = dict(zip(network.class_names, values.tolist()))
                rows.append(Prediction(str(file), network.class_names[best], float(values[best]), by_name))
            advance(len(batch))
    return rows


def write_csv(rows: Sequence[Prediction], path: Path) -> None:
    """Write predictions as a table: file, predicted, probability, one column a class, error."""
    names = next((list(row.probabilities) for row in rows if row.probabilities), [])
    table = [["file", "predicted", "probability", *names, "error"]]
    for row in rows:
        values = [row.probabilities.get(name) for name in names]
        table.append([row.file, row.label, None if row.error else row.probability, *values, row.error])
    write_rows(path, table)


def load_network(model: str | Path) -> SavedNetwork:
    """Load a SavedModel written by this toolkit, from its folder, its versions' folder, or a run."""
    folder = Path(model)
    if not folder.exists():
        raise ModelFileError(f"{model} does not exist; expected a run or a SavedModel")
    versions = sorted((int(p.name), p) for p in folder.glob("*") if p.name.isdigit())
    places = [folder, folder / "saved_model", *(path for _, path in versions[-1:])]
    place = next((p for p in places if (p / "saved_model.pb").is_file()), None)
    if place is None:
        raise ModelFileError(f"{model} holds no SavedModel; expected a run, or a folder with saved_model.pb")
    try:
        about = json.loads((place / SIDECAR).read_text())
        loaded = tf.saved_model.load(str(place))
        classify = loaded.signatures["serving_default"]
        return SavedNetwork(_Keep(loaded, classify), tuple(about["class_names"]), about["image_size"], about["fit"])
    except Exception as error:  # whatever damaged files make TensorFlow raise
        raise ModelFileError(
            f"{place} was not written by transfer, or is damaged ({first_line(error)}); export it again"
        ) from error


class _Keep:
    """A signature that keeps its model alive: TensorFlow lets go of the weights otherwise."""

    def __init__(self, loaded, signature):
        self._loaded, self._signature = loaded, signature

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        answers = self._signature(pictures=tf.constant(pictures, tf.float32))
        return answers["probabilities"].numpy().astype(np.float64)


def list_files(pictures: Sequence[str | Path]) -> list[Path]:
    """Files, pictures below folders, and what matches patterns, each once, in order."""
    found: dict[Path, None] = {}
    for item in pictures:
        path = Path(item)
        if path.is_dir():
            inside = (Path(here, name) for here, _, names in os.walk(path) for name in names)
            matches = sorted(p for p in inside if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        elif path.exists():
            matches = [path]
        else:
            matches = [Path(match) for match in sorted(glob.glob(str(item), recursive=True))]
            if not matches:
                raise DataError(f"{item}: no such file, folder or pattern")
        found |= dict.fromkeys(matches)
    if not found:
        raise DataError(
            f"{', '.join(map(str, pictures)) or 'nothing'}: no pictures there; known are {', '.join(sorted(SUFFIXES))}"
        )
    return list(found)


def answers(network: SavedNetwork, files: Sequence[Path]) -> Iterator[tuple[Sequence[Path], np.ndarray, list[str]]]:
    """Yield (files, probabilities `(B, C)`, for each file why it cannot be read or `""`), batch by batch."""
    size = network.image_size

    def read(path: Path):
        try:
            return fit_picture(read_picture(path), size, network.fit), ""
        except PictureError as error:
            return np.zeros((size, size, 3), np.uint8), str(error)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            pixels, errors = zip(*pool.map(read, batch))
            yield batch, network.classify(np.stack(pixels)), list(errors)
