"""What an export has to know of a trained network: where it came from, and the pictures that it is judged on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from transfer.data.folders import spread
from transfer.data.images import read_fitted
from transfer.data.levels import Levels
from transfer.errors import ExportError, PictureError
from transfer.learning.results import Result
from transfer.libraries import versions
from transfer.pretrained.architectures import ARCHITECTURES
from transfer.reading import read_json, run_config
from transfer.runs.records import figures
from transfer.runs.run_folders import load_network_of

PARTS = ("test", "validation", "train")  # in the order in which pictures are taken to compare answers on
SAMPLES = 16
NOTHING_TO_CHECK_WITH = (
    "no picture of its data can be read to check the export with; put the data back where it was in training"
)


class ExportSource(NamedTuple):
    """A trained network.

    Attributes:
        model: pictures `(B, S, S, 3)` 0..255 to logits `(B, C)`.
        fit: how pictures are brought to the square.
        options, figures: as `config.json` and `result.json` of its run have them.
        versions: of the libraries that trained it.
        files: of each part, picture files and their class.
        run: what its run is called.
        levels: what values of more than 8 bits become, see `data.levels`.
    """

    model: keras.Model
    class_names: Sequence[str]
    fit: str
    options: Mapping
    figures: Mapping
    versions: Mapping[str, str]
    files: Mapping[str, Sequence[tuple[Path, int]]]
    run: str
    levels: Levels

    @property
    def image_size(self) -> int:
        """Side S of the square in pixels."""
        return self.model.input_shape[1]

    @property
    def samples(self) -> list[Path]:
        """Some files of the test part, else of training, that are still where they were."""
        files = self.files["test"] or self.files["train"]
        return spread([path for path, _ in files if path.is_file()], SAMPLES)

    def pictures(self, part: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Some pictures of a part, spread over it: `(N, S, S, 3)` uint8 and their classes `(N,)`.

        Files that are gone, or cannot be read any more, are left out.
        """
        size, chosen = self.image_size, spread(list(self.files[part]), number)

        def read(path: Path) -> np.ndarray | None:
            try:
                return read_fitted(path, size, self.fit, levels=self.levels)
            except (PictureError, OSError):
                return None

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            squares = list(pool.map(read, [path for path, _ in chosen]))
        labels = [label for (_, label), square in zip(chosen, squares) if square is not None]
        squares = [square for square in squares if square is not None]
        return np.array(squares, np.uint8).reshape(-1, size, size, 3), np.array(labels, int)


def network_to_export(result) -> ExportSource:
    """What an export has to know of a `Result`, a `Comparison` (its best network) or the folder of a run.

    Raises:
        ModelFileError: no run, or a damaged one.
    """
    if isinstance(result, dict):
        result = result[result.best]
    if isinstance(result, Result):
        images = result.images
        files = {
            part: [(images.paths[i], int(images.labels[i])) for i in indices]
            for part, indices in result.split.parts().items()
        }
        said = figures(result)
        return ExportSource(
            result.model,
            result.class_names,
            result.fit,
            result.options,
            said,
            versions(),
            files,
            Path(images.root).name,
            images.levels,
        )
    folder = Path(result)
    config = run_config(folder, "model.keras")
    said = read_json(folder / "result.json")
    said = said["methods"][said["best"]] if "methods" in said else said
    classes, root = config["classes"], Path(config["root"])
    files = {
        part: [
            (root / name, classes.index(file["class"]))
            for name, file in config["files"].items()
            if file["part"] == part
        ]
        for part in PARTS
    }
    options = config["options"]
    return ExportSource(
        load_network_of(folder, config), classes, options["fit"], options, said, config["versions"], files,
        folder.resolve().name, config.get("levels", {}),
    )  # fmt: skip


def require_pictures(source: ExportSource) -> None:
    """Refuse a network that nothing can be compared on.

    Raises:
        ExportError: no picture of its data is where it was.
    """
    if not any(path.is_file() for part in PARTS for path, _ in source.files[part]):
        raise ExportError(NOTHING_TO_CHECK_WITH)


def facts(source: ExportSource) -> dict:
    """What every file says of itself, as JSON holds it; names that are no UTF-8 have escapes for their bytes."""
    options = source.options
    said = {
        "class_names": list(source.class_names),
        "image_size": source.image_size,
        "fit": source.fit,
        "levels": dict(source.levels),
        "colour_order": "RGB",
        "run": source.run,
        "method": options["method"],
        "backbone": options["backbone"],
        "weights": options["weights"],
        "weights_licence": weights_licence(options),
        "accuracy": source.figures["accuracy"],
        "accuracy_ci95": source.figures.get("accuracy_ci95"),
        "versions": dict(source.versions),
        "written_by": f"transfer {metadata.version('transfer')}",
    }
    return keras.tree.map_structure(
        lambda value: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value, said
    )


def weights_licence(options: Mapping) -> str:
    """Under which terms the weights are that a training began with; its own come from the user's pictures."""
    name, weights = str(options["backbone"]), options["weights"]
    if weights == "none":
        return "none: trained from random weights"
    if weights == "bundled":
        return "Apache-2.0 (bundled with transfer)"
    if weights == "imagenet":
        if ARCHITECTURES[name].package:
            return f"Apache-2.0 (package {ARCHITECTURES[name].package.name})"
        return f"that of the ImageNet weights of {name}, see keras.io/api/applications"
    return f"that of {name if weights == 'as given' else weights}, which this program does not know"
