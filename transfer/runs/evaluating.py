"""How good a network is on labelled pictures that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfer import quiet
from transfer.data.folders import load_images
from transfer.engine_packages import require_engine
from transfer.errors import DataError
from transfer.free_places import check_apart, check_file, check_table
from transfer.names import AUTO
from transfer.reading import run_config
from transfer.rooms import claim
from transfer.runs.answer_tables import further_columns, labelled_cells
from transfer.runs.network_places import network_place
from transfer.settings import MAX_SIZE
from transfer.writing import write_rows

COLUMNS = ("file", "label", "predicted", "probability")  # that a table of answers begins with
NOT_KNOWN = (
    "what the model was trained on is not known here: pictures from its training make the figures better than they are"
)


def evaluate(
    model: str | Path,
    data: str | Path,
    groups: str | Path | None = None,
    table: str | Path | None = None,
    trust: bool = False,
    max_size: float = MAX_SIZE,
    engine: str = AUTO,
) -> dict:
    """Measure a SavedModel or a run on labelled pictures.

    Pictures that a run was trained or validated on are left out, by their content; where DATA names
    a test part, or else a validation part, only that counts.

    Args:
        model: a SavedModel, a folder of its versions (the highest counts), a run, or one method of a comparison.
        data: see `load_images`.
        groups: see `load_images`.
        table: CSV to write, one row a picture that counted: `file`, `label`, `predicted`, `probability`, and
            `answer_tables.further_columns`. Mistakes come first, and of these the one least likely to be right.
        trust: run the graph of a SavedModel that lies in no run, see `load_network`.
        max_size: see `load_images`.
        engine: what computes the answers, see `engines.choose_engine`.

    Returns:
        The figures of `evaluation.evaluate_probabilities`, with the number of `images` that counted, of those
        `left_out` because they were `seen` in training or are in `other_parts` of DATA, the names of the
        `unreadable` ones, and `notes` for the reader.

    Raises:
        ModelFileError: no network of this toolkit there, or a SavedModel alone without `trust`.
        DataError: DATA has other classes, or no picture that counts.
        OutputError: `table` cannot be written, lies in DATA, or is another file.
        OptionError, UnknownNameError, MissingExtraError, EngineError: see `predict`.
    """
    require_engine(engine)
    if table is not None:
        check_file(Path(table))
        with claim(Path(table)):
            check_apart(Path(table), data)
            check_table(Path(table), COLUMNS)
            return _evaluated(model, data, groups, Path(table), trust, max_size, engine)
    return _evaluated(model, data, groups, None, trust, max_size, engine)


def _evaluated(
    model: str | Path, data: str | Path, groups, table: Path | None, trust: bool, max_size: float, engine: str
) -> dict:
    network_place(model, trust)
    images = load_images(data, groups, lenient=True, max_size=max_size)
    quiet.import_tensorflow()  # takes seconds: what is missing is said before
    from transfer.runs.saved_networks import answering_by, answers, load_network
    from transfer.statistics.evaluation import evaluate_probabilities

    network = load_network(model, trust)
    unknown = sorted(set(images.class_names) - set(network.class_names))
    if unknown:
        known = ", ".join(network.class_names)
        raise DataError(f"{data} has the class {unknown[0]!r}; the model knows {known}")
    learned = _learned_from(Path(model))
    seen = {file["digest"] for file in learned or ()}
    part = next((part for part in ("test", "validation") if part in images.given), None)
    in_part = [i for i in range(len(images)) if part is None or images.given[i] == part]
    rows = [i for i in in_part if images.digests[i] not in seen]
    if not rows:
        raise DataError(f"{data} holds only pictures that the model was trained on; give others")
    index = {name: position for position, name in enumerate(network.class_names)}
    labels = np.array([index[images.class_names[images.labels[i]]] for i in rows])
    network = answering_by(network, engine, len(rows))
    probabilities, errors = [], []
    for _, values, failed in answers(network, [images.paths[i] for i in rows]):
        probabilities.append(values)
        errors += failed
    good = np.array([not error for error in errors])
    if not good.any():
        raise DataError(f"{data}: none of {len(rows)} pictures can be decoded, {images.names[rows[0]]} {errors[0]}")
    counted, labels, probabilities = np.array(rows)[good], labels[good], np.concatenate(probabilities)[good]
    figures = evaluate_probabilities(labels, probabilities, network.class_names, images.groups_of(counted))
    if table is not None:
        files = [images.names[i] for i in counted]
        write_rows(table, _answers(files, labels, probabilities, network.class_names))
    unreadable = [*images.unreadable, *((images.names[i], error) for i, error in zip(rows, errors) if error)]
    return {
        "model": str(model), "data": str(data), "images": int(good.sum()),
        "left_out": {"seen": len(in_part) - len(rows), "other_parts": len(images) - len(in_part)},
        "unreadable": [name for name, _ in unreadable],
        "notes": [NOT_KNOWN] if learned is None else _shared_groups(learned, images.groups_of(counted)), **figures,
    }  # fmt: skip


def _answers(files: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> list[list]:
    """A header and a row for each picture, mistakes first."""
    right = probabilities.argmax(axis=1) == labels
    of_true = probabilities[np.arange(len(labels)), labels]
    order = np.lexsort((of_true, right))
    rows = ([files[i], *labelled_cells(names, labels[i], probabilities[i])] for i in order)
    return [[*COLUMNS, *further_columns(names)], *rows]


def _learned_from(model: Path) -> list[dict] | None:
    """The files that a run was trained and validated on; `None` for a SavedModel that lies in no run."""
    place = model.resolve()
    config = (place.parent if place.name == "saved_model" else place) / "config.json"
    if not config.is_file():
        return None
    return [file for file in run_config(config)["files"].values() if file["part"] in ("train", "validation")]


def _shared_groups(learned: Sequence[dict], groups: np.ndarray | None) -> list[str]:
    """A sentence where pictures that counted have the groups, `(N,)` names, of others that were learned from."""
    known = {file.get("group") for file in learned} - {None, ""}
    count = 0 if groups is None else sum(group in known for group in groups.tolist())
    if not count:
        return []
    return [
        f"{count:,} of {len(groups):,} pictures are of a group that the model was trained on: where its name stands "
        "for the same as then, figures look better than they are"
    ]
