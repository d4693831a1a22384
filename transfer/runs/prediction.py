"""Pictures to names, through a SavedModel or the folder of a run."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.data.images import SUFFIXES
from transfer.data.listing import is_picture, walk
from transfer.errors import DataError, OptionError
from transfer.progress import bar
from transfer.runs.answer_tables import further_cells, further_columns
from transfer.runs.saved_networks import answers, load_network
from transfer.writing import write_rows

COLUMNS = ("file", "predicted", "probability")  # that a table of predictions begins with


class Prediction(NamedTuple):
    """The answer to one file.

    Attributes:
        file: as it was asked for.
        label: the most probable class, "" where it is not probable enough or the file could not be read.
        probability: of the most probable class, 0..1.
        probabilities: by class name, sum 1.
        error: why there is no answer, or "".
    """

    file: str
    label: str
    probability: float
    probabilities: dict[str, float]
    error: str = ""


def predict(
    model: str | Path, pictures: Sequence[str | Path], least: float = 0.0, trust: bool = False
) -> list[Prediction]:
    """Classify picture files.

    A network names one of its classes for any picture, also for one of none of them: what is less probable
    than `least` gets no label.

    Args:
        model: a SavedModel, a folder of its versions (the highest counts), a run, or one method of a comparison.
        pictures: files, folders (searched through) and patterns such as `photos/*.jpg`.
        least: probability from which on a class is named, 0..1.
        trust: run the graph of a SavedModel that lies in no run, see `load_network`.

    Returns:
        One `Prediction` a file, in order. A file that is no picture gets one that says so.

    Raises:
        ModelFileError: no network of this toolkit there, or a SavedModel alone without `trust`.
        DataError: nothing matches.
        OptionError: `least` is no share.
    """
    if not 0 <= least <= 1:
        raise OptionError(f"least of {least}; expected a share from 0 to 1")
    network, files = load_network(model, trust), list_files(pictures)
    rows = []
    with bar("predict", len(files)) as advance:
        for batch, probabilities, errors in answers(network, files):
            for file, values, error in zip(batch, probabilities, errors):
                if error:
                    rows.append(Prediction(str(file), "", float("nan"), {}, error))
                    continue
                by_name = dict(zip(network.class_names, values.tolist()))
                best = max(by_name, key=by_name.get)
                label = best if by_name[best] >= least else ""
                rows.append(Prediction(str(file), label, by_name[best], by_name))
            advance(len(batch))
    return rows


def write_csv(rows: Sequence[Prediction], path: Path) -> None:
    """Write predictions as a table: file, predicted, probability, `answer_tables.further_columns`, error."""
    names = next((list(row.probabilities) for row in rows if row.probabilities), [])
    columns = further_columns(names, labelled=False)
    table = [[*COLUMNS, *columns, "error"]]
    for row in rows:
        values = np.array([*row.probabilities.values()])
        cells = [None] * len(columns) if row.error else further_cells(names, values)
        table.append([row.file, row.label, None if row.error else row.probability, *cells, row.error])
    write_rows(path, table)


def list_files(pictures: Sequence[str | Path]) -> list[Path]:
    """Files, pictures below folders, and what matches patterns, each once, in order."""
    found: dict[Path, None] = {}
    for item in pictures:
        path = Path(item)
        if path.is_dir():
            matches = _pictures_below(path)
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


def _pictures_below(folder: Path) -> list[Path]:
    try:
        return sorted(filter(is_picture, walk(folder)))
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}); allow reading it") from error
