"""Pictures to their classes, through a SavedModel or the folder of a run."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from transfer import quiet
from transfer.data.folder_files import is_picture, walk
from transfer.data.picture_files import SUFFIXES
from transfer.data.sources import Source, named_sources
from transfer.engine_packages import require_engine
from transfer.errors import DataError, OptionError
from transfer.names import AUTO
from transfer.progress import bar
from transfer.runs.network_places import network_digest, network_place
from transfer.runs.prediction_tables import Prediction, check_growing, growing_table, kept_rows, written
from transfer.streams import is_stream

if TYPE_CHECKING:
    from transfer.runs.saved_networks import SavedNetwork

ENGINE = "engine.txt"  # in the folder of an unfinished table: by which its answers were computed


def predict(
    model: str | Path,
    pictures: Source | Iterable[Source],
    least: float = 0.0,
    trust: bool = False,
    engine: str = AUTO,
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
        engine: what computes the answers, see `engines.choose_engine`.

    Returns:
        One `Prediction` a picture, in order, each file once. A file that is no picture gets one that says so.

    Raises:
        ModelFileError: no network of this toolkit there, or a SavedModel alone without `trust`.
        DataError: nothing matches, or something else was given.
        OptionError: `least` is no share, or an engine beside a SavedModel that lies in no run.
        UnknownNameError, MissingExtraError, EngineError: see `engines.choose_engine`.
    """
    return list(iter_predictions(model, pictures, least, trust, engine=engine))


def iter_predictions(
    model: str | Path,
    pictures: Source | Iterable[Source],
    least: float = 0.0,
    trust: bool = False,
    table: str | Path | None = None,
    resume: bool = False,
    engine: str = AUTO,
) -> Iterator[Prediction]:
    """Name what is in pictures, and give each answer as it comes: no more than some batches are in memory at once.

    What is wrong with the arguments is raised at once, not with the first answer.

    Args:
        model, pictures, least, trust, engine: see `predict`.
        table: CSV to write as answers come, or Parquet if it ends in `.parquet`: `file`, `predicted`, `probability`,
            `answer_tables.further_columns`, `error`. It gets its name when the last answer was taken; until then its
            rows are in `TABLE.unfinished`, where they stay if this is given up or killed.
        resume: go on from what an earlier call with the same model, pictures, `least` and `engine` has left there: its
            answers come first, and then those that are missing, by the engine that computed the first. The table is
            the same, to the last byte, as in one go.

    Returns:
        One `Prediction` a picture, in order, each file once. Those that were there already have the most probable few
        classes, where the network has more than 200.

    Raises:
        ModelFileError, DataError, UnknownNameError, EngineError: see `predict`.
        OptionError: see `predict`; or `resume` without a table that can be kept.
        OutputError: `table` cannot be written, is something else, or is unfinished, without `resume` or of others.
        MissingExtraError: see `predict`; or `table` is to be Parquet, and pyarrow is not installed.
    """
    if not (isinstance(least, Real) and 0 <= least <= 1):
        raise OptionError(f"least of {least}; expected a share from 0 to 1")
    if resume and (table is None or is_stream(Path(table))):
        raise OptionError("`resume=True` without a file for the table, in which answers are kept; name one")
    if table is not None:
        check_growing(Path(table), resume)
    require_engine(engine)
    network_place(model, trust)
    sources = list_sources(pictures)
    if table is None:
        return _answers(model, sources, least, trust, engine)
    return _tabled_answers(model, sources, least, trust, Path(table), resume, engine)


def _answers(
    model: str | Path, sources: dict[str, Source], least: float, trust: bool, engine: str
) -> Iterator[Prediction]:
    yield from _predictions(_loaded(model, trust, engine, len(sources)), sources, least)


def _tabled_answers(
    model: str | Path, sources: dict[str, Source], least: float, trust: bool, table: Path, resume: bool, engine: str
) -> Iterator[Prediction]:
    files = list(sources)
    pictures = hashlib.blake2b("\0".join(files).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    asked = {"network": network_digest(model, trust), "list of pictures": pictures, "`least`": float(least)}
    asked["`engine`"] = engine
    with growing_table(table, files, asked, resume) as growing:
        # Engines differ in the last digits, and another process may choose another one.
        by = growing.place.with_name(ENGINE)
        before = by.read_text(encoding="utf-8") if growing.kept and by.is_file() else ""
        network = _loaded(model, trust, before or engine, len(sources), by.write_text)
        yield from kept_rows(growing, network.class_names)
        rows = _predictions(network, sources, least, growing.kept)
        yield from written(rows, growing, network.class_names)


def _loaded(
    model: str | Path, trust: bool, engine: str, pictures: int, told: Callable[[str], object] = lambda name: None
) -> SavedNetwork:
    quiet.import_tensorflow()  # takes seconds: what is missing is said before
    from transfer.runs.saved_networks import answering_by, load_network

    return answering_by(load_network(model, trust), engine, pictures, told)


def _predictions(
    network: SavedNetwork, sources: dict[str, Source], least: float, begin: int = 0
) -> Iterator[Prediction]:
    """Yield the answers to all pictures but the first few."""
    from transfer.runs.saved_networks import answers

    names, asked = islice(sources, begin, None), list(islice(sources.values(), begin, None))
    with bar("predict", len(sources), begin) as advance:
        for batch, probabilities, errors in answers(network, asked):
            for values, error in zip(probabilities, errors):
                yield _prediction(next(names), network.class_names, values, error, least)
            advance(len(batch))


def _prediction(file: str, class_names: Sequence[str], values: np.ndarray, error: str, least: float) -> Prediction:
    if error:
        return Prediction(file, "", float("nan"), {}, error)
    by_name = dict(zip(class_names, values.tolist()))
    best = max(by_name, key=by_name.get)
    return Prediction(file, best if by_name[best] >= least else "", by_name[best], by_name)


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
