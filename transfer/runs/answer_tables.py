"""The answers of a network as tables, and read again: a column a class, or with many classes the most probable few."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from transfer.data.folders import LabelledImages
from transfer.errors import ModelFileError, first_line
from transfer.reading import read_rows
from transfer.settings import MOST_COLUMNS
from transfer.writing import whole_file, write_rows

if TYPE_CHECKING:
    from transfer.learning.results import Predictions

TABLE, ALL = "predictions.csv", "predictions.npz"
_BEGIN = ["file", "split", "label", "predicted", "probability"]
_SHOWN = 5


class SavedAnswers(NamedTuple):
    """`(N,)` names of files and parts, `(N,)` class indices, `(N, C)` probabilities."""

    files: list[str]
    parts: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


def further_columns(names: Sequence[str], labelled: bool = True) -> list[str]:
    """What a table has behind the most probable class: the classes, or beyond 200 of them the next four.

    Args:
        names: of the classes.
        labelled: whether the true class is known.
    """
    if len(names) <= MOST_COLUMNS:
        return list(names)
    next_ones = [f"{what}_{place}" for place in range(2, _SHOWN + 1) for what in ("predicted", "probability")]
    return ["probability_of_label"] * labelled + next_ones


def further_cells(names: Sequence[str], values: np.ndarray, label: int | None = None) -> list:
    """One row of `further_columns`, for probabilities `(C,)` and the index of the true class, if that is known."""
    if len(names) <= MOST_COLUMNS:
        return values.tolist()
    best = np.sort(np.argpartition(-values, _SHOWN)[:_SHOWN])
    next_ones = best[np.argsort(-values[best], kind="stable")][1:]
    of_label = [] if label is None else [float(values[label])]
    return of_label + [cell for c in next_ones for cell in (names[c], float(values[c]))]


def labelled_cells(names: Sequence[str], label: int, values: np.ndarray) -> list:
    """What tables say of one answer: true class, most probable one, its probability, and `further_cells`."""
    best = int(values.argmax())
    return [names[label], names[best], float(values[best]), *further_cells(names, values, label)]


def answer_table(predictions: Predictions, images: LabelledImages, part: str = "split") -> list[list]:
    """A header and one row an answer, as in `predictions.csv`; `part` is what the column of parts is called."""
    names, labels = images.class_names, images.labels
    answers = zip(predictions.indices, predictions.parts.tolist(), predictions.probabilities)
    rows = ([images.names[i], place, *labelled_cells(names, labels[i], values)] for i, place, values in answers)
    return [["file", part, "label", "predicted", "probability", *further_columns(names)], *rows]


def write_answers(predictions: Predictions, images: LabelledImages, folder: Path) -> None:
    """Write `predictions.csv`, and where that has no room for all probabilities `predictions.npz`.

    Row i of its `probabilities` `(N, C)` float16 is row i of the table, column c is class c of `result.json`. They
    are rounded down, so that the most probable class stays so: by less than 1/128 of themselves, or 5e-7.
    """
    write_rows(folder / TABLE, answer_table(predictions, images))
    if len(images.class_names) > MOST_COLUMNS:
        with whole_file(folder / ALL) as partial, partial.open("wb") as file:
            np.savez_compressed(file, probabilities=_rounded_down(predictions.probabilities))


def read_answers(folder: Path, classes: Sequence[str]) -> SavedAnswers:
    """Read what `write_answers` wrote.

    Args:
        folder: of the run.
        classes: that its `config.json` names.

    Raises:
        ModelFileError: a file is missing, damaged, or is about other classes.
    """
    path, index = folder / TABLE, {name: c for c, name in enumerate(classes)}
    header, *rows = read_rows(path)
    narrow = header == [*_BEGIN, *classes]
    if not narrow and header != [*_BEGIN, *further_columns(classes)]:
        raise ModelFileError(f"{path} has columns for other classes than config.json beside it; expected a whole run")
    try:
        labels, predicted = (np.array([index[row[column]] for row in rows], int) for column in (2, 3))
        shape = (len(rows), len(classes))
        if narrow:
            probabilities = np.array([row[5:] for row in rows], np.float64).reshape(shape)
        else:
            probabilities = _all_probabilities(folder / ALL, shape)
            for row, cell in zip(probabilities, rows):
                exact = {index[cell[2]]: cell[5], index[cell[3]]: cell[4]}
                exact |= {index[name]: value for name, value in zip(cell[6::2], cell[7::2])}
                row[list(exact)] = [float(value) for value in exact.values()]
    except (ValueError, KeyError) as error:
        raise ModelFileError(f"{path} is damaged ({first_line(error)}); expected a whole run folder") from error
    if not np.isfinite(probabilities).all() or (probabilities.argmax(axis=1) != predicted).any():
        raise ModelFileError(f"{path} is damaged (its probabilities and classes differ); expected a whole run folder")
    return SavedAnswers([row[0] for row in rows], np.array([row[1] for row in rows], "U10"), labels, probabilities)


def _rounded_down(values: np.ndarray) -> np.ndarray:
    near = values.astype(np.float32).astype(np.float16)
    bits = near.view(np.uint16) - (near > values)  # the next number below has the next lower bits
    return (bits & np.uint16(0xFFF8)).astype(np.uint16).view(np.float16)  # what is random cannot be compressed


def _all_probabilities(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """`(N, C)` float64 from `predictions.npz`, refused by its size before anything of another size is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(row.file_size for row in archive.infolist())
        if unpacked > 2 * shape[0] * shape[1] + 10_000:
            raise ValueError(f"it unpacks to {unpacked} bytes")
        with np.load(path, allow_pickle=False) as arrays:
            found = arrays["probabilities"]
        if found.shape != shape:
            raise ValueError(f"it holds {found.shape} probabilities for {shape} in the table")
        return found.astype(np.float64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{path} is damaged ({first_line(error)}); expected a whole run folder") from error
