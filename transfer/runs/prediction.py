"""Pictures to their classes, through a SavedModel or the folder of a run."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer import quiet
from transfer.data.folder_files import is_picture, walk
from transfer.data.picture_files import SUFFIXES
from transfer.data.sources import Source, named_sources
from transfer.errors import DataError, OptionError
from transfer.progress import bar
from transfer.runs.answer_tables import further_cells, further_columns
from transfer.runs.network_places import network_place
from transfer.writing import write_rows

COLUMNS = ("file", "predicted", "probability")  # that a table of predictions begins with


class Prediction(NamedTuple):
    """The answer to one picture.

    Attributes:
        file: as it was asked for; `pictures[2]` where that is no file.
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
    model: str | Path, pictures: Source | Iterable[Source], least: float = 0.0, trust: bool = False
) -> list[Prediction]:
    """Name what is in pictures.

    A network names one of its classes for any picture, also for one of none of them: what is less probable
    than `least` gets no label.

    Args:
        model: a SavedModel, a folder of its versions (the highest counts), a run, or one method of a comparison.
        pictures: a file, a folder (searched through), a pattern such as `photos/*.jpg`, the bytes of a file, a Pillow
            picture, a uint8 array `(H, W, 3)` or `(H, W)` 0..255, or several of these; an array `(N, H, W, 3)` is N.
        least: probability from which on a class is named, 0..1.
        trust: run the graph of a SavedModel that lies in no run, see `load_network`.

    Returns:
        One `Prediction` a picture, in order, each file once. A file that is no picture gets one that says so.

    Raises:
        ModelFileError: no network of this toolkit there, or a SavedModel alone without `trust`.
        DataError: nothing matches, or something else was given.
        OptionError: `least` is no share.
    """
    if not (isinstance(least, Real) and 0 <= least <= 1):
        raise OptionError(f"least of {least}; expected a share from 0 to 1")
    network_place(model, trust)
    sources = list_sources(pictures)
    quiet.import_tensorflow()  # takes seconds: what is missing is said before
    from transfer.runs.saved_networks import answers, load_network

    network, names, rows = load_network(model, trust), iter(sources), []
    with bar("predict", len(sources)) as advance:
        for batch, probabilities, errors in answers(network, list(sources.values())):
            for values, error in zip(probabilities, errors):
                rows.append(_prediction(next(names), network.class_names, values, error, least))
            advance(len(batch))
    return rows


def _prediction(file: str, class_names: Sequence[str], values: np.ndarray, error: str, least: float) -> Prediction:
    if error:
        return Prediction(file, "", float("nan"), {}, error)
    by_name = dict(zip(class_names, values.tolist()))
    best = max(by_name, key=by_name.get)
    return Prediction(file, best if by_name[best] >= least else "", by_name[best], by_name)


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
    """Files, pictures below folders, and what matches patterns, each once, in order.

    Raises:
        DataError: nothing matches, or something else was given.
    """
    found = list_sources(pictures)
    for name, source in found.items():
        if not isinstance(source, Path):
            raise DataError(f"{name} is no file; expected files, folders or patterns")
    return list(found.values())


def list_sources(pictures: Source | Iterable[Source]) -> dict[str, Source]:
    """Each picture that was asked for, once and in order, by what it is called; folders and patterns as their files.

    Raises:
        DataError: nothing matches, or something else was given.
    """
    asked, found = list(named_sources(pictures)), {}
    for name, source in asked:
        found |= {str(path): path for path in _matches(source)} if isinstance(source, (str, Path)) else {name: source}
    if not found:
        raise DataError(
            f"{', '.join(name for name, _ in asked) or 'nothing'}: no pictures there; "
            f"known are {', '.join(sorted(SUFFIXES))}"
        )
    return found


def _matches(item: str | Path) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        return _pictures_below(path)
    if path.exists():
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(str(item), recursive=True))]
    if not matches:
        raise DataError(f"{item}: no such file, folder or pattern")
    return matches


def _pictures_below(folder: Path) -> list[Path]:
    try:
        return sorted(filter(is_picture, walk(folder)))
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}); allow reading it") from error
