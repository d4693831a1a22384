"""Where the versions of a model lie, found without loading anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transfer.exports.runtimes import ANSWERING, exported_format
from transfer.runs.network_places import network_place, versions

Stamp = tuple[tuple[int, int, int], ...]
EXPORT_FILES = (*ANSWERING, "model.bin")
RUN_FILES = ("model.keras", "config.json")
SAVED_MODEL_FILES = ("saved_model.pb", "assets.extra/*", "variables/*")


class Place(NamedTuple):
    """Where the network of a version lies.

    Attributes:
        number: of its folder; `None` for a run or an export, which have none.
        stamp: what another network in the same place changes, and one that is still being copied.
    """

    number: int | None
    folder: Path
    stamp: Stamp


def version_places(folder: Path, trust: bool) -> list[Place]:
    """What lies at the place of a model now, newest first; some of the versions may be incomplete.

    Args:
        folder: of a run, an export, a SavedModel, or its versions.
        trust: see `network_place`.

    Raises:
        ModelFileError: nothing that could answer, or SavedModels alone without `trust`.
    """
    if exported_format(folder):
        return [Place(None, folder, _stamp(folder, EXPORT_FILES))]
    place, is_run = network_place(folder, trust)
    if is_run or place.parent != folder or not place.name.isdecimal():
        return [Place(None, place, _stamp(place, RUN_FILES if is_run else SAVED_MODEL_FILES))]
    return [Place(int(path.name), path, _stamp(path, SAVED_MODEL_FILES)) for path in reversed(versions(folder))]


def _stamp(folder: Path, patterns: Sequence[str]) -> Stamp:
    known = [path.stat() for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in known)
