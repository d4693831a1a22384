"""Under which names networks are served."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from transfer.errors import OptionError


def named_places(models: Sequence[str | Path]) -> dict[str, Path]:
    """Folders by the names under which they are served: `NAME=FOLDER`, or the folder's own name.

    A method of a comparison is called after both, since methods have the same names in every comparison.

    Raises:
        OptionError: none, two of the same name, or a name that is no part of an address.
    """
    named: dict[str, Path] = {}
    for model in models:
        name, path = _name_and_path(str(model))
        if not re.fullmatch(r"[^/\\:?#\x00-\x1f]+", name):
            raise OptionError(
                f"{str(model)!r} gives the name {name!r}; expected one without / : ? #, as in NAME=FOLDER"
            )
        if name in named:
            raise OptionError(f"{named[name]} and {path} are both called {name}; name one of them, as in NAME=FOLDER")
        named[name] = path
    if not named:
        raise OptionError("no model to serve; expected folders of runs or SavedModels")
    return named


def _name_and_path(model: str) -> tuple[str, Path]:
    name, sign, rest = model.partition("=")
    if sign and not Path(model).exists():
        return name, Path(rest)
    path = Path(model)
    place = path.resolve()
    of_run = place.parent if place.name == "saved_model" else place
    of_comparison = all((of_run.parent / file).is_file() for file in ("config.json", "model.keras"))
    return (f"{of_run.parent.name}-{of_run.name}" if of_comparison else of_run.name), path
