"""The shape of JSON as data, and the first place where something else was written.

A shape is one of

- a `Kind` of plain value;
- `[shape]`, a list of any length, or `(shape, ...)`, a list with one value for each of them;
- `{"name": shape}`, where `name?` may be missing, and `{str: shape}` for all other names, which else are not looked at;
- `Maybe(shape)`, that or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

LARGEST = 1e15  # above it, counts and figures are none, and pages and plots cannot show them
SHOWN = 40  # letters of a value in a sentence


class Kind(NamedTuple):
    """A kind of plain value: what it is called, and whether a value is one."""

    expected: str
    holds: Callable[[object], bool]


class Maybe(NamedTuple):
    """A shape, or null."""

    shape: object


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) < LARGEST


TEXT = Kind("text", lambda value: isinstance(value, str))
NUMBER = Kind("a number", _is_number)
POSITIVE = Kind("a number above 0", lambda value: _is_number(value) and value > 0)
SHARE = Kind("a share from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
COUNT = Kind("a whole number from 0 up", lambda value: _is_number(value) and isinstance(value, Integral) and value >= 0)
SEVERAL = Kind("a whole number from 1 up", lambda value: COUNT.holds(value) and value >= 1)
YES_OR_NO = Kind("true or false", lambda value: isinstance(value, bool))
ANYTHING = Kind("anything", lambda value: True)
SENTENCES = [TEXT]


def misfit(said: object, shape: object, place: str = "") -> str:
    """Where a value is not of a shape and what is there, as the middle of a sentence; `""` where it fits."""
    if isinstance(shape, Maybe):
        return "" if said is None else misfit(said, shape.shape, place)
    if isinstance(shape, Kind):
        return "" if shape.holds(said) else _unlike(said, shape.expected, place)
    if isinstance(shape, dict):
        return _misfit_of_names(said, shape, place)
    if not isinstance(said, list):
        return _unlike(said, "a list", place)
    if isinstance(shape, tuple) and len(said) != len(shape):
        return _unlike(said, f"a list of {len(shape)}", place)
    shapes = shape if isinstance(shape, tuple) else shape * len(said)
    found = (misfit(value, each, f"{place}[{i}]") for i, (value, each) in enumerate(zip(said, shapes)))
    return next(filter(None, found), "")


def _misfit_of_names(said: object, shape: dict, place: str) -> str:
    if not isinstance(said, dict):
        return _unlike(said, "an object", place)
    before = f"{place}." if place else ""
    known = {name.removesuffix("?"): each for name, each in shape.items() if name is not str}
    missing = [name for name in known if name not in said and name in shape]
    if missing:
        return f"has no {before}{missing[0]}"
    others = shape.get(str, ANYTHING)
    found = (misfit(value, known.get(name, others), f"{before}{name}") for name, value in said.items())
    return next(filter(None, found), "")


def _unlike(said: object, expected: str, place: str) -> str:
    shown = json.dumps(said, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    return f"has {shown}{f' as {place}' if place else ''}, where {expected} is expected"
