"""The keywords that errors name in backticks, as the options of the command line."""

from __future__ import annotations

import re

import typer

# `overwrite=True`, `weights="none"`, `image_size`: as they are written in Python.
_KEYWORD = re.compile(r"`(\w+)(?:=([^`]*))?`")
QUOTES = "\"'"


def with_options(message: str, app: typer.Typer) -> str:
    """What an error says, with `--overwrite` for `overwrite=True`; what is no option of a command stays as it is."""
    commands = typer.main.get_command(app).commands.values()
    options = {p.name: max(p.opts, key=len) for command in commands for p in command.params if p.opts[0][0] == "-"}

    def typed(keyword: re.Match) -> str:
        name, value = keyword.groups()
        if name not in options:
            return keyword[0]
        return options[name] if value in (None, "True") else f"{options[name]} {value.strip(QUOTES)}"

    return _KEYWORD.sub(typed, message)
