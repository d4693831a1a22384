"""The networks that a server answers with, each under a name, in one or several versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from transfer.errors import ModelFileError, first_line
from transfer.names import AUTO
from transfer.runs.saved_networks import SavedNetwork
from transfer.serving.batching import Batching
from transfer.serving.refusals import Refusal
from transfer.serving.served_networks import open_network
from transfer.serving.version_places import Place, Stamp, version_places

KEPT = 2  # versions of a model that answer: the newest, and the one before for those who still ask for it


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


class Failure(NamedTuple):
    """Why a version could not be loaded when its files had this stamp."""

    stamp: Stamp
    reason: str


class ServedModels:
    """Networks by name and version; new versions are looked for by `look`, and answer after `take_up`.

    Of several versions the newest that can be loaded answer; one that cannot be, since it is damaged or still being
    copied, is tried again when its files have changed.

    Args:
        places: folders of runs, exports, SavedModels, or versions of one, by name.
        trust: run the graphs of SavedModels that lie in no run.
        count_batch: called with the name, the version, and the numbers of readable and other pictures.
        tell: called with a sentence for each version that is taken up later, or cannot be loaded.
        engine: see `served_networks.open_network`.

    Raises:
        ModelFileError: of one of them no version can be loaded.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        trust: bool,
        count_batch: Callable[[str, int, int, int], None],
        tell: Callable[[str], None],
        engine: str = AUTO,
    ):
        self._places, self._trust, self._engine = dict(places), trust, engine
        self._count_batch, self._tell = count_batch, tell
        self._served: dict[str, dict[int, Version]] = {name: {} for name in places}
        self._failed: dict[str, dict[int, Failure]] = {name: {} for name in places}
        for name in places:
            for version in self._load_new(name):
                self._put(version)

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
        failed = self.failed(name).get(number)
        why = f"has no version {number} here" if failed is None else f"cannot load version {number} ({failed})"
        raise Refusal(404, f"{name} {why}; there is {there}")

    def failed(self, name: str) -> dict[int, str]:
        """Why versions of a model do not answer, by number, newest first."""
        return {number: failure.reason for number, failure in self._failed[name].items()}

    def look(self) -> list[Version]:
        """Load the versions that are new on the disk, which takes seconds; what cannot be loaded is told once."""
        return [version for name in self._served for version in self._load_new(name)]

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

    def _load_new(self, name: str) -> list[Version]:
        """Load what is new at the place of a model, from the newest on, until enough versions answer."""
        served, before = self._served[name], self._failed[name]
        answering = {version.stamp for version in served.values()}
        found: list[Version] = []
        failed: dict[int, Failure] = {}
        errors: list[Exception] = []
        for place in self._there(name):
            number = 1 + max(served, default=0) if place.number is None else place.number
            if len(found) == KEPT or (len(served) == KEPT and number < min(served)):
                break
            if place.stamp in answering:
                continue
            if number in before and before[number].stamp == place.stamp:
                failed[number] = before[number]
                continue
            try:
                found.append(self._load(name, number, place))
            except Exception as error:  # whatever a damaged network, or one too large, makes its runtime raise
                failed[number] = Failure(place.stamp, first_line(error))
                errors.append(error)
        if errors and not (served or found):
            raise errors[0] if len(errors) == 1 else _none_of(self._places[name], failed)
        for number, failure in failed.items():
            if number not in before or before[number].reason != failure.reason:
                self._tell(f"version {number} of {name} is left out: {failure.reason}")
        self._failed[name] = failed
        return found

    def _load(self, name: str, number: int, place: Place) -> Version:
        network = open_network(place.folder, self._trust, self._engine)
        batching = Batching(network, lambda *counts: self._count_batch(name, number, *counts))
        readable = tuple(each.encode("utf-8", "backslashreplace").decode() for each in network.class_names)
        return Version(name, number, network, readable, batching, place.stamp)

    def _there(self, name: str) -> list[Place]:
        """What lies at the place of a model; nothing where it has vanished after it was loaded."""
        try:
            return version_places(self._places[name], self._trust)
        except (ModelFileError, OSError):
            if not self._served[name]:
                raise
            return []


def _none_of(folder: Path, failed: Mapping[int, Failure]) -> ModelFileError:
    listed = "; ".join(f"version {number}: {failure.reason}" for number, failure in failed.items())
    return ModelFileError(f"{folder} has no version that can be loaded; {listed}")
