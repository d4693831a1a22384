"""What is typed for an option that is no plain word or number."""

from __future__ import annotations

import json
from pathlib import Path

from transfer.errors import OptionError
from transfer.names import check_layers


def layer_rows(path: Path | None) -> list[dict] | None:
    """The list of layers in a JSON file."""
    if path is None:
        return None
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--layers {path} cannot be read ({error}); expected a JSON list of rows") from error
    if not isinstance(rows, list):
        raise OptionError(f'--layers {path} holds no list; expected rows such as [{{"conv": 32}}, {{"pool": 2}}]')
    check_layers(rows)
    return rows


def whole_numbers(option: str, text: str) -> list[int]:
    """Numbers with commas between them."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise OptionError(f"{option} {text}; expected whole numbers with commas between them") from error
