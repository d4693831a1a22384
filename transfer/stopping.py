"""SIGTERM, which schedulers, containers and `systemctl stop` send, ends a command as Ctrl-C does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

EXIT_CODE, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT  # as shells count a process that a signal has ended
BY_CTRL_C = "transfer: stopped by Ctrl-C"


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt` in the block; outside of the main thread nothing changes."""
    before = None
    with suppress(ValueError):
        before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def is_stopping() -> bool:
    """Whether SIGTERM has come: what is at hand is brought to its end, and nothing else is begun."""
    return signal.getsignal(signal.SIGTERM) is _stop_again


def begin_nothing_more() -> None:
    """Raise `KeyboardInterrupt` where something long would begin after SIGTERM."""
    if is_stopping():
        raise KeyboardInterrupt


def _stop(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, _stop_again)
    raise KeyboardInterrupt


def _stop_again(number: int, frame: object) -> None:
    raise KeyboardInterrupt
