"""Commands that take records: each field of one is an option of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import Field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, get_type_hints

import typer
from typer.core import TyperCommand

from transfer.cli.values import layer_rows, whole_numbers
from transfer.learning.option_rules import rule_of

# Types that are typed otherwise than they are in Python: the one of the command line, and the way between.
TYPED: dict[str, tuple[type, Callable]] = {
    "tuple[int, ...]": (str, whole_numbers),
    "Sequence[dict] | None": (Path | None, lambda option, path: layer_rows(path)),
}

_BY_NAME = inspect.Parameter.KEYWORD_ONLY


class GroupedCommand(TyperCommand):
    """A command whose help has a part for each kind of option."""

    def format_options(self, ctx, formatter) -> None:
        """Write the arguments, and then the options part by part."""
        parts: dict[str, list] = {}
        for param in self.get_params(ctx):
            # Typer before 0.26 takes --help itself from Click, which knows no panels.
            panel = getattr(param, "rich_help_panel", None) or "Options"
            title = "Arguments" if param.param_type_name == "argument" else panel
            if row := param.get_help_record(ctx):
                parts.setdefault(title, []).append(row)
        for title, rows in parts.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def with_records(command: Callable, hidden: Collection[str] = ()) -> Callable:
    """The same command for Typer, with the fields of its records in place of each parameter that is one.

    A field is an option by its annotation, as parameters are, or by the rule of `learning.option_rules` that it has.
    Of these, the help does not list those that are `hidden`: the command refuses them, and says why.
    """
    signature = inspect.signature(command, eval_str=True)
    records = {name: p.annotation for name, p in signature.parameters.items() if is_dataclass(p.annotation)}
    expanded = []
    for name, parameter in signature.parameters.items():
        expanded += _parameters(records[name], hidden) if name in records else [parameter]

    @wraps(command)
    def run(**values):
        for name, record in records.items():
            values[name] = record(**{each.name: _value(each, values.pop(each.name)) for each in _shown(record)})
        return command(**values)

    run.__signature__ = signature.replace(parameters=[p.replace(kind=_BY_NAME) for p in expanded])
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
    return run


def _shown(record: type) -> list[Field]:
    return [each for each in fields(record) if "rule" not in each.metadata or rule_of(each).part]


def _parameters(record: type, hidden: Collection[str]) -> list[inspect.Parameter]:
    hints = get_type_hints(record, include_extras=True)
    found = []
    for each in _shown(record):
        annotation, default = hints[each.name], each.default
        if "rule" in each.metadata:
            annotation, default = _option(each, annotation, each.name in hidden)
        found.append(inspect.Parameter(each.name, _BY_NAME, default=default, annotation=annotation))
    return found


def _option(each: Field, hint: type, hidden: bool) -> tuple[object, object]:
    """(annotation, default) of a field with a rule."""
    rule, default = rule_of(each), each.default
    kind = TYPED[each.type][0] if each.type in TYPED else hint
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    # What is off by default is only ever switched on.
    names = [f"--{each.name.replace('_', '-')}"] if default is False else []
    return Annotated[kind, typer.Option(*names, help=rule.help, rich_help_panel=rule.part, hidden=hidden)], default


def _value(each: Field, value: object) -> object:
    if each.type in TYPED and "rule" in each.metadata:
        return TYPED[each.type][1](f"--{each.name}", value)
    return value
