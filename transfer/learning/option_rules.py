"""What is known of an option beside its type and default: help, range, names, what it has no effect without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, field
from typing import Any, NamedTuple

from transfer.errors import OptionError, unknown_name

NETWORK, TRAINING = "Network", "Training"  # the parts of `--help`


class Need(NamedTuple):
    """What an option has no effect without, in words, and whether it is there: of the record and the methods."""

    words: str
    is_there: Callable[[Any, Sequence[str]], bool]


class Range(NamedTuple):
    """The values that an option may have, in words; of which type, and whether one is among them."""

    expected: str
    kind: type
    holds: Callable[[Any], bool]


class Rule(NamedTuple):
    """What is known of an option beside its type and default.

    Attributes:
        help: what it is, as `--help` has it.
        part: of `--help`; an option without one is not on the command line.
        range, names: the values, or the words, that it may be.
        need: what it has no effect without.
    """

    help: str
    part: str | None = TRAINING
    range: Range | None = None
    names: Sequence[str] = ()
    need: Need | None = None


def option(default: object, help: str, part: str | None = TRAINING, **rule) -> Any:
    """A field of a record with this default and a `Rule`."""
    return field(default=default, metadata={"rule": Rule(help, part, **rule)})


def rule_of(option: Field) -> Rule:
    """What is known of a field."""
    return option.metadata["rule"]


def check_value(option: Field, value: object) -> None:
    """Refuse what a field cannot be.

    Raises:
        OptionError: a number out of its range.
        UnknownNameError: a word that is none of those there are.
    """
    rule = rule_of(option)
    if value is None and option.default is None:
        return
    if rule.names and value not in rule.names:
        raise unknown_name(f"`{option.name}`", value, rule.names)
    number = rule.range
    # To Python, True is the number 1.
    if number and (isinstance(value, bool) or not (isinstance(value, number.kind) and number.holds(value))):
        raise OptionError(f"`{option.name}={value!r}`; expected {number.expected}")
    if isinstance(option.default, bool) and not isinstance(value, bool):
        raise OptionError(f"`{option.name}={value!r}`; expected True or False")
