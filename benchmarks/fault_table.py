"""What the benchmarks of faults tell: each thing that was tried, and their sum as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Tried(NamedTuple):
    """One fault.

    Attributes:
        what: was tried, the same words for all of a kind.
        held: whether all went as it should.
        happened: what went otherwise, or "".
    """

    what: str
    held: bool
    happened: str = ""


def summed(tried: Sequence[Tried]) -> list[tuple[str, int, int]]:
    """(what, how many times it was tried, how many times it held), in the order in which they first came."""
    kinds = dict.fromkeys(one.what for one in tried)
    return [(what, len(held := [one.held for one in tried if one.what == what]), sum(held)) for what in kinds]


def failures(tried: Sequence[Tried]) -> list[str]:
    """A line for each that did not hold."""
    return [f"{one.what}: {one.happened}" for one in tried if not one.held]
