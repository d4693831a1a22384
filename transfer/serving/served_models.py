"""The networks that a server answers with, each under a name, in one or several versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.errors import ModelFileError, first_line
from transfer.exports.exported_networks import load_export
from transfer.exports.runtimes import ANSWERING, exported_format
from transfer.runs.exports import SIDECAR
from transfer.runs.network_places import network_place, versions
from transfer.runs.saved_networks import SavedNetwork, load_network
from transfer.serving.batching import Batching
from transfer.serving.refusals import Refusal

KEPT = 2  # versions of a model that answer: the newest, and the one before for those who still ask for it
Stamp = tuple[tuple[int, int, int], ...]


class Version(NamedTuple):
    """A network that answers.

    Attributes:
        model, number: under which it is asked for.
        class_names: as text that every client can read; names that are no UTF-8 have escapes.
        stamp: of its files.
    """

    model: str
    number: int
    network: SavedNetwork
    class_names: tuple[str, ...]
    batching: Batching
    stamp: Stamp


class Place(NamedTuple):
    """Where the network of a version lies; a run has no number of its own."""

    number: int | None
    folder: Path
    stamp: Stamp


class ServedModels:
    """Networks by name and version; new versions are looked for by `look`, and answer after `take_up`.

    Args:
        places: folders of runs, SavedModels, or versions of one, by name.
        trust: run the graphs of SavedModels that lie in no run.
        count_batch: called with the name, the version, and the numbers of readable and other pictures.
        tell: called with a sentence for each version that is taken up later, or cannot be.

    Raises:
        ModelFileError: one of them cannot be loaded.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        trust: bool,
        count_batch: Callable[[str, int, int, int], None],
        tell: Callable[[str], None],
    ):
        self._places, self._trust, self._count_batch, self._tell = dict(places), trust, count_batch, tell
        self._refused: set[tuple[Path, Stamp]] = set()
        self._served: dict[str, dict[int, Version]] = {name: {} for name in places}
        for name in places:
            for place in self._there(name):
                self._put(self._load(name, place))

    def names(self) -> list[str]:
        """Of all models, in the order in which they were given."""
        return list(self._served)

    def versions(self, name: str) -> list[Version]:
        """Those of a model that answer, newest first.

        Raises:
            Refusal: 404, no such model.
        """
        if name not in self._served:
            raise Refusal(404, f"there is no model {name!r} here; expected {' or '.join(self._served)}")
        return sorted(self._served[name].values(), key=lambda version: -version.number)

    def version(self, name: str, number: int | None = None) -> Version:
        """One of them, by default the newest.

        Raises:
            Refusal: 404, no such model or version.
        """
        known = self.versions(name)
        for version in known:
            if number in (None, version.number):
                return version
        there = ", ".join(str(version.number) for version in known)
        raise Refusal(404, f"{name} has no version {number} here; there is {there}")

    def look(self) -> list[Version]:
        """Load the versions that are new on the disk, which takes seconds; what cannot be loaded is told once."""
        found = []
        for name, served in self._served.items():
            known = {version.stamp for version in served.values()}
            for place in self._there(name):
                if place.stamp in known or (place.folder, place.stamp) in self._refused:
                    continue
                try:
                    found.append(self._load(name, place))
                except Exception as error:  # whatever a damaged network, or one too large, makes its runtime raise
                    self._refused.add((place.folder, place.stamp))
                    self._tell(f"{name} stays as it is: {first_line(error)}")
        return found

    def take_up(self, found: Sequence[Version]) -> None:
        """Let versions answer, in place of the oldest; call it where requests are taken, so that none comes between."""
        for version in found:
            self._put(version)
            self._tell(f"{version.model} answers with version {version.number} now")

    def close(self) -> None:
        """Answer what waits, and end."""
        every = [version for served in self._served.values() for version in served.values()]
        for version in every:
            version.batching.close()
        for version in every:
            version.batching.join()

    def _put(self, version: Version) -> None:
        served = self._served[version.model]
        if before := served.get(version.number):
            before.batching.close()
        served[version.number] = version
        for number in sorted(served)[:-KEPT]:
            served.pop(number).batching.close()

    def _load(self, name: str, place: Place) -> Version:
        network = (
            load_export(place.folder) if exported_format(place.folder) else load_network(place.folder, self._trust)
        )
        nothing = np.zeros((1, network.image_size, network.image_size, 3), np.uint8)
        network.classify(nothing)  # the first answer takes longest
        number = place.number
        if number is None:
            number = 1 + max(self._served[name], default=0)
        batching = Batching(network, lambda *counts: self._count_batch(name, number, *counts))
        readable = tuple(each.encode("utf-8", "backslashreplace").decode() for each in network.class_names)
        return Version(name, number, network, readable, batching, place.stamp)

    def _there(self, name: str) -> list[Place]:
        """What lies at the place of a model now; nothing where it has vanished after it was loaded."""
        folder = self._places[name]
        try:
            if exported_format(folder):
                return [Place(None, folder, _stamp(folder, (*ANSWERING, "model.bin")))]
            place, is_run = network_place(folder, self._trust)
            files = ("model.keras", "config.json") if is_run else ("saved_model.pb", str(SIDECAR), "variables/*")
            numbered = [] if is_run or place.parent != folder or not place.name.isdecimal() else versions(folder)
            whole = [path for path in numbered if (path / "saved_model.pb").is_file()][-KEPT:]
            if whole:
                return [Place(int(path.name), path, _stamp(path, files)) for path in whole]
            return [Place(None, place, _stamp(place, files))]
        except (ModelFileError, OSError):
            if not self._served[name]:
                raise
            return []


def _stamp(folder: Path, patterns: Sequence[str]) -> Stamp:
    """What another network in the same place changes, and one that is still being copied."""
    known = [path.stat() for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in known)
