"""The files of a run read again, each whole or refused in one sentence."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from transfer.errors import ModelFileError
from transfer.writing import SCHEMA_VERSION

# What others rely on in `config.json`, in its `options`, and in what it says of each picture.
_CONFIG = {"options": dict, "classes": list, "versions": dict, "root": str, "files": dict}
_OPTIONS = dict.fromkeys(("backbone", "fit", "image_size", "method", "seed", "weights"), object)
_FILE = dict.fromkeys(("class", "digest", "part"), str)


def run_config(run: Path) -> dict:
    """What the `config.json` of a run says.

    Args:
        run: the folder of a run, or its `config.json`.

    Raises:
        ModelFileError: no run, not whole, or of another schema version.
    """
    path = run / "config.json" if run.is_dir() else run
    if not path.is_file():
        raise ModelFileError(f"{run} is no run folder; expected one that transfer train or compare wrote")
    config = read_json(path)
    _require(config, _CONFIG, path)
    _require(config["options"], _OPTIONS, path)
    for file in config["files"].values():
        _require(file, _FILE, path)
    return config


def trained_on(config: dict) -> str:
    """DATA of a run, as an address or an absolute path; an older run knows no more of it than its root."""
    return config.get("data") or config["root"]


def read_json(path: Path) -> dict:
    """Read one JSON object that `writing.write_json` wrote.

    Raises:
        ModelFileError: it cannot be read, or another version of this package wrote it in another way.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read ({error}); expected a whole run folder") from error
    if not isinstance(said, dict) or "schema_version" not in said:
        raise ModelFileError(f"{path} has no schema version; expected a file of a run folder")
    if said["schema_version"] != SCHEMA_VERSION:
        raise ModelFileError(
            f"{path} has schema version {said['schema_version']}; this version of transfer reads {SCHEMA_VERSION}: "
            "use the one that wrote it, or train again"
        )
    return said


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a CSV of a run, with its header.

    Raises:
        ModelFileError: it cannot be read, or was cut.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.reader(file))
    except (OSError, csv.Error) as error:
        raise ModelFileError(f"{path} cannot be read ({error}); expected a whole run folder") from error
    if len({len(row) for row in rows}) != 1:
        raise ModelFileError(f"{path} has rows of several lengths, or none; expected a whole run folder")
    return rows


def _require(said: object, kinds: Mapping[str, type], path: Path) -> None:
    said = said if isinstance(said, dict) else {}
    odd = [name for name, kind in kinds.items() if not (name in said and isinstance(said[name], kind))]
    if odd:
        raise ModelFileError(f"{path} has no whole {', '.join(odd)}; expected the config.json of a run folder")
