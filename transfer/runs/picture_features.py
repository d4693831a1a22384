"""What a network makes of the pictures of DATA or of a run, as an array or a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from transfer import quiet
from transfer.data.folders import load_images
from transfer.data.levels import Levels
from transfer.data.splits import Split
from transfer.engine_packages import require_engine
from transfer.errors import DataError, OptionError, UnreadablePictures
from transfer.free_places import check_file
from transfer.learning.options import TrainingOptions, options_from
from transfer.parquet_files import LABEL, TEXT, check_parquet, is_parquet, write_parquet
from transfer.reading import run_config, trained_on
from transfer.settings import MAX_SIZE
from transfer.writing import whole_file

if TYPE_CHECKING:
    import keras

NPZ = ".npz"
TOGETHER = 2_000  # rows of a Parquet file that are in memory once more
COLUMNS = ("file", "class", "label")  # that a Parquet file of features begins with


class PictureFeatures(NamedTuple):
    """The features of N labelled pictures.

    Attributes:
        files: their names below the root of DATA.
        paths: where they are.
        labels: `(N,)` int32 indices into `class_names`.
        class_names: sorted.
        features: `(N, D)` float32.
        network: pictures `(B, S, S, 3)` 0..255 to such features.
        fit, levels: how a picture is brought to the square that it takes.
        about: what the network is, in words.
        notes: what the reader should know, such as which files were left out.
    """

    files: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    features: np.ndarray
    network: keras.Model
    fit: str
    levels: Levels
    about: str
    notes: tuple[str, ...]


def features_of(
    source: str | Path,
    backbone: keras.Model | str | None = None,
    options: TrainingOptions | None = None,
    max_size: float = MAX_SIZE,
    **changes: Any,
) -> PictureFeatures:
    """Send all pictures of DATA, or those that a run learned from, through a network; what is known is not computed.

    DATA is seen by a backbone. A run has its own network, and gives what the last layer of that is given.

    Args:
        source: DATA, see `load_images` (one class is enough), or the folder of a run.
        backbone: see `train`; by default, the data chooses.
        options: of them `weights`, `features`, `image_size`, `fit` and `engine` count.
        max_size: see `load_images`.
        **changes: fields of `options` by name.

    Raises:
        DataError: no pictures there, or none of them can be decoded.
        OptionError: a backbone or options for it beside a run.
        ModelFileError: the run is damaged.
        TransferError: see `load_backbone` and `extract_features`.
    """
    options, is_run = options_from(options, changes), is_run_folder(source)
    if is_run and (backbone is not None or options != TrainingOptions(engine=options.engine)):
        raise OptionError(f"`backbone` or its options beside {source}: a run has its own network; leave them away")
    require_engine(options.engine)
    config = run_config(Path(source), "model.keras") if is_run else {}
    images = load_images(trained_on(config) if is_run else source, lenient=True, max_size=max_size)
    quiet.import_tensorflow()  # takes seconds: what is missing is said before
    from transfer.networks.features import extract_features

    if is_run:
        images = replace(images, levels=config.get("levels", {}))
        network, fit = _before_last_layer(Path(source), config), config["options"]["fit"]
        about = f"the network of {source} at {network.input_shape[1]} px"
    else:
        from transfer.learning.backbone_argument import resolve_backbone

        everything = Split(np.arange(len(images)), np.array([], int), np.array([], int))
        network, named = resolve_backbone(backbone, "frozen", images, everything, options)
        fit, about = options.fit, f"{named['backbone']} at {network.input_shape[1]} px, weights {named['weights']}"
    notes = [f"{name} {reason}; it is left out" for name, reason in images.unreadable]
    kept = np.arange(len(images))
    try:
        values = extract_features(network, images, kept, fit, engine=options.engine)
    except UnreadablePictures as error:
        kept = np.setdiff1d(kept, error.positions)
        notes.append(error.note)
        if not len(kept):
            raise DataError(f"{source}: none of {len(images)} pictures can be decoded; {error.note}") from error
        values = extract_features(network, images, kept, fit, engine=options.engine)
    return PictureFeatures(
        tuple(images.names[i] for i in kept), tuple(images.paths[i] for i in kept), images.labels[kept],
        images.class_names, values, network, fit, images.levels, about, tuple(notes),
    )  # fmt: skip


def is_run_folder(source: str | Path) -> bool:
    """Whether a path is that of a run, and not of DATA."""
    return all(Path(source, name).is_file() for name in ("config.json", "model.keras"))


def check_features_file(path: Path) -> None:
    """Find out before any work whether features can be written here; nothing is made.

    Raises:
        OptionError: it ends neither in `.npz` nor in `.parquet`.
        MissingExtraError: it is to be Parquet, and pyarrow is not installed.
        OutputError: it cannot be written.
    """
    if is_parquet(path):
        check_parquet(path, COLUMNS)
    elif path.suffix.lower() == NPZ:
        check_file(path)
    else:
        raise OptionError(
            f"{path} ends neither in .npz nor in .parquet, which say what is written; give it one of them"
        )


def write_features(found: PictureFeatures, path: str | Path) -> Path:
    """Write features with the names and classes of their pictures; what has the name is replaced.

    A `.npz` has `files`, `labels`, `class_names` and `features`, as `PictureFeatures` has them; a `.parquet` a row a
    picture: `file`, `class`, `label` and a list of D numbers, `features`.

    Raises:
        OptionError, MissingExtraError, OutputError: see `check_features_file`.
    """
    path = Path(path)
    check_features_file(path)
    if is_parquet(path):
        kinds = [*zip(COLUMNS, (TEXT, TEXT, LABEL)), ("features", found.features.shape[1])]
        write_parquet(path, kinds, _parts(found))
        return path
    names = {"files": np.array(found.files), "class_names": np.array(found.class_names)}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **names, labels=found.labels, features=found.features)
    return path


def _parts(found: PictureFeatures) -> Iterator[list]:
    for start in range(0, len(found.files), TOGETHER):
        part = slice(start, start + TOGETHER)
        classes = [found.class_names[label] for label in found.labels[part]]
        yield [found.files[part], classes, found.labels[part], list(found.features[part])]


def _before_last_layer(run: Path, config: dict) -> keras.Model:
    """The network of a run without its last layer, pictures to what that is given."""
    from transfer.networks.taps import open_network
    from transfer.runs.run_folders import load_network_of

    network = open_network(load_network_of(run, config))
    return network.up_to(network.calls[-1].input)
