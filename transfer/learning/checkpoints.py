"""What a fit has reached, kept in the cache until its result is: the same training goes on from there after a kill."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from transfer import cache
from transfer.errors import OutputError
from transfer.learning.fit_states import FitState, as_bytes, from_bytes
from transfer.rooms import claim

ASKED, STATE = "asked.json", "state.npz"
KIND = "checkpoints"
SHARE = 0.02  # of the time that may go into keeping, as long as none is older than
LONGEST = 60.0  # seconds
DAYS = 30  # from which on nobody will go on from it
_outermost: ContextVar[list[Path] | None] = ContextVar("outermost", default=None)


class Checkpoint(NamedTuple):
    """How a fit goes on and is kept.

    Attributes:
        state: what was reached before, or `None`.
        keep: keeps a state, if enough time has gone by since the last one, or if it is told `at_once`.
    """

    state: FitState | None = None
    keep: Callable[[FitState, bool], None] = lambda state, at_once: None


@contextmanager
def until_kept() -> Iterator[None]:
    """Forget the checkpoints of all fits in the block when it ends well: their results are kept elsewhere by then.

    A block in another one leaves that to the outer one.
    """
    if _outermost.get() is not None:
        yield
        return
    token = _outermost.set([])
    try:
        yield
        for place in _outermost.get():
            cache.discard(place)
    finally:
        _outermost.reset(token)


def not_needed(place: Path) -> None:
    """Let the block of `until_kept` around this forget a checkpoint."""
    if (places := _outermost.get()) is not None:
        places.append(place)


def place_of(asked: Mapping[str, object]) -> Path:
    """Where the checkpoint of a fit lies.

    Args:
        asked: what its weights follow from.
    """
    text = json.dumps(asked, sort_keys=True, default=str)
    return cache.cache_folder(KIND) / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@contextmanager
def checkpoint(place: Path, asked: Mapping[str, object], data: str) -> Iterator[Checkpoint]:
    """Yield what was reached of a fit, and how it is kept while the block lasts.

    Two processes that do the same at once do not write into one place: the second one keeps nothing. Where the cache
    cannot be written, nothing is kept either.

    Args:
        place: from `place_of`.
        asked: see there.
        data: the DATA of the pictures, by which `others` finds what was begun otherwise.
    """
    _sweep()
    with ExitStack() as stack:
        try:
            stack.enter_context(claim(place, tidy=False))
        except OutputError:
            yield Checkpoint()
        else:
            yield Checkpoint(read(place), _keeper(place, {"data": data, "asked": dict(asked)}))


def read(place: Path) -> FitState | None:
    """The state in a checkpoint, if there is one, and if it is whole."""
    if not cache.is_kept(place):
        return None
    with suppress(OSError):
        return from_bytes((place / STATE).read_bytes())
    return None


def others(asked: Mapping[str, object], data: str) -> dict[str, object]:
    """What the last fit of this DATA and phase that was broken off had otherwise, by names in `asked`."""
    last, found, written = 0.0, {}, json.loads(json.dumps(asked, default=str))
    for path in cache.kept(KIND):
        with suppress(OSError, ValueError, TypeError, KeyError):
            before = json.loads((path / ASKED).read_text(encoding="utf-8"))
            then, written_at = before["asked"], (path / STATE).stat().st_mtime
            if before["data"] == data and then["phase"] == asked["phase"] and written_at > last:
                last, found = written_at, {name: then.get(name) for name in written if then.get(name) != written[name]}
    return found


def _keeper(place: Path, about: dict) -> Callable[[FitState, bool], None]:
    last, took = time.monotonic(), 0.0

    def keep(state: FitState, at_once: bool) -> None:
        nonlocal last, took
        begun = time.monotonic()
        if not at_once and begun - last < min(took / SHARE, LONGEST):
            return
        with cache.going_on_without(), cache.kept_folder(place) as partial:
            (partial / ASKED).write_text(json.dumps(about, default=str), encoding="utf-8")
            (partial / STATE).write_bytes(as_bytes(state))
        last = time.monotonic()
        took = last - begun

    return keep


def _sweep() -> None:
    for path in cache.kept(KIND):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > DAYS * 24 * 3600:
                cache.discard(path)
