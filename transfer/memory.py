"""How much memory there is: what could never fit is refused by its size, before any of it is taken."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from transfer.errors import OptionError

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container
TRAINED = 4  # numbers for each weight in training: itself, its gradient, two averages of Adam
FLOAT = 4  # bytes


def machine_memory() -> int | None:
    """Bytes of memory of this machine, or of the container that this runs in; `None` where nothing tells."""
    sizes = []
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in _LIMITS:
        with suppress(ValueError, OSError):  # "max" where there is no limit
            sizes.append(int(Path(file).read_text()))
    return min(sizes, default=None)


def fits(size: int) -> bool:
    """Whether so many bytes are not more than there is, as far as can be told."""
    there = machine_memory()
    return there is None or size <= there


def require_memory(what: str, size: int, advice: str) -> None:
    """Refuse what needs more memory than there is.

    Args:
        what: needs it.
        size: bytes that it takes at the least.
        advice: what to do instead.

    Raises:
        OptionError: with what would be needed.
    """
    if not fits(size):
        raise OptionError(
            f"{what} needs {size / 1e9:,.0f} GB of memory or more, and this machine has {machine_memory() / 1e9:.0f}; "
            f"{advice}"
        )


def require_weights(what: str, number: int, advice: str) -> None:
    """Refuse layers whose weights cannot be trained in this memory; see `require_memory`."""
    require_memory(f"{what}, {number:,} weights,", TRAINED * FLOAT * number, advice)
