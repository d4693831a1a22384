"""The files of a run known again, and its network held against what else is there."""

from __future__ import annotations

from pathlib import Path

import keras

from transfer.data.pipeline import BATCH
from transfer.errors import ModelFileError
from transfer.networks.model_files import load_model
from transfer.networks.needed_memory import require_forward
from transfer.reading import file_digest, read_json
from transfer.writing import write_json


def seal(folder: Path) -> None:
    """Write into `config.json` the digests of all other files in a run, by which `run_config` knows them again.

    Those of the methods of a comparison stand in their own; a report may be written anew at any time.
    """
    inside = [*folder.glob("*"), *(folder / "saved_model").rglob("*")]
    names = sorted(path.relative_to(folder).as_posix() for path in inside if path.is_file())
    written = {name: file_digest(folder / name) for name in names if name != "config.json"}
    write_json(folder / "config.json", read_json(folder / "config.json") | {"written": written})


def load_network_of(run: Path, config: dict) -> keras.Model:
    """The network of a run, as its `config.json` says that it is.

    Raises:
        ModelFileError: it cannot be loaded, takes pictures of another size, or answers for another number of classes.
        OptionError: its pictures are too large for the memory.
    """
    path = run / "model.keras"
    model = load_model(path)
    size, classes = config["options"]["image_size"], len(config["classes"])
    takes, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if takes != (None, size, size, 3) or gives != (None, classes):
        raise ModelFileError(
            f"{path} takes {takes} and gives {gives}, and config.json beside it tells of pictures of {size} px and "
            f"{classes} classes; one of the two is of another run"
        )
    require_forward(model, BATCH)
    return model
