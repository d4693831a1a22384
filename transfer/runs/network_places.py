"""Where a network that answers lies: in a run, or in a SavedModel; found without loading anything."""

from __future__ import annotations

import hashlib
from pathlib import Path

from transfer.errors import ModelFileError
from transfer.reading import file_digest


def network_place(model: str | Path, trust: bool = False) -> tuple[Path, bool]:
    """The folder to load, and whether it is a run, whose `model.keras` is only data; see `load_network`.

    Raises:
        ModelFileError: neither a run nor a SavedModel there, or a SavedModel alone without `trust`.
    """
    folder = Path(model)
    if not folder.exists():
        raise ModelFileError(f"{model} does not exist; expected a run or a SavedModel")
    run = folder.parent if folder.resolve().name == "saved_model" else folder
    if all((run / name).is_file() for name in ("model.keras", "config.json")):
        return run, True
    places = [folder, folder / "saved_model", *reversed(versions(folder))]  # the newest may still be on its way
    place = next((p for p in places if (p / "saved_model.pb").is_file()), None)
    if place is None:
        raise ModelFileError(f"{model} is no run and holds no SavedModel; expected one of them")
    if not trust:
        raise ModelFileError(
            f"{place} is a SavedModel alone: its graph is a program that can read and write files as you can; give "
            "`trust=True` if you know who made it, or name its run, whose model.keras is only data"
        )
    return place, False


def network_digest(model: str | Path, trust: bool = False) -> str:
    """32 hexadecimal digits for the files of the network that lies there; see `network_place`."""
    place, is_run = network_place(model, trust)
    names = ["config.json", "model.keras"] if is_run else sorted(p.relative_to(place) for p in place.rglob("*"))
    digests = [f"{name} {file_digest(place / name)}" for name in names if (place / name).is_file()]
    return hashlib.blake2b("\n".join(digests).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def versions(folder: Path) -> list[Path]:
    """The versions of a model in the layout of TensorFlow Serving, oldest first."""
    return sorted((path for path in folder.glob("*") if path.name.isdecimal()), key=lambda path: int(path.name))
