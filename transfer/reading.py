"""The files of a run read again, each whole or refused in one sentence."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from transfer.cells import from_text
from transfer.errors import ModelFileError
from transfer.names import FITS
from transfer.shapes import COUNT, NUMBER, SEVERAL, TEXT, Kind, Maybe, misfit
from transfer.writing import SCHEMA_VERSION

JUDGED = "parity.json"  # beside exported files
_FIT = Kind(f"one of {', '.join(FITS)}", lambda value: value in FITS)
# What others rely on in `config.json`; an older run has not all of it.
_CONFIG = {
    "options": {
        "backbone": TEXT, "fit": _FIT, "image_size": SEVERAL, "method": TEXT, "seed": COUNT, "weights": Maybe(TEXT)
    },
    "classes": [TEXT], "versions": {str: TEXT}, "root": TEXT, "data?": Maybe(TEXT), "division?": TEXT,
    "files": {str: {"class": TEXT, "digest": TEXT, "part": TEXT, "group?": TEXT}},
    "unreadable?": [(TEXT, TEXT)], "written?": {str: TEXT}, "levels?": {str: NUMBER},
}  # fmt: skip


def run_config(run: Path, *files: str) -> dict:
    """What the `config.json` of a run says: the door through which every reader of a run goes.

    Args:
        run: the folder of a run, or its `config.json`.
        files: of the run that are read next; each has to be the one that was written with it.

    Raises:
        ModelFileError: no run, not whole, or of another schema version; the message names the file.
    """
    path = run / "config.json" if run.is_dir() else run
    if not path.is_file():
        raise ModelFileError(f"{run} is no run folder; expected one that transfer train or compare wrote")
    config = read_json(path)
    if wrong := misfit(config, _CONFIG):
        raise ModelFileError(f"{path} {wrong}; expected the config.json of a run folder")
    classes = config["classes"]
    if not 0 < len(set(classes)) == len(classes):
        raise ModelFileError(f"{path} has no list of different class names; expected the config.json of a run folder")
    odd = sorted({file["class"] for file in config["files"].values()} - set(classes))
    if odd:
        raise ModelFileError(f"{path} has pictures of a class {odd[0]!r} that its list of classes does not have")
    written = config.get("written", {})
    for name in files:
        if name in written and file_digest(path.parent / name) != written[name]:
            raise ModelFileError(
                f"{path.parent / name} is not the file that was written with this run: its digest is another than in "
                "config.json; take the run from where it is whole, or train again"
            )
    return config


def file_digest(path: Path) -> str:
    """32 hexadecimal digits for the content of a file of a run.

    Raises:
        ModelFileError: it is missing, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}); expected a whole run folder") from error


def confusion_counts(figures: Mapping) -> np.ndarray:
    """The confusion matrix `(C, C)` of figures, with `classes`, as whole numbers; rows are true classes."""
    said, classes = figures["confusion"], len(figures["classes"])
    if not isinstance(said, Mapping):
        return np.array(said, int)
    counts = np.zeros((classes, classes), int)
    true, predicted, pictures = np.array(said["cells"], int).reshape(-1, 3).T
    counts[true, predicted] = pictures
    return counts


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


def read_judged(folder: Path) -> dict:
    """How the files of an export compare with Keras: `formats`, figures by name, and `left_out`, with the reasons.

    Raises:
        ModelFileError: it cannot be read.
    """
    said = read_json(folder / JUDGED)
    return {name: said[name] for name in ("formats", "left_out")}


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a CSV of a run, with its header.

    Raises:
        ModelFileError: it cannot be read, or was cut.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = [list(map(from_text, row)) for row in csv.reader(file)]
    except (OSError, csv.Error) as error:
        raise ModelFileError(f"{path} cannot be read ({error}); expected a whole run folder") from error
    if len({len(row) for row in rows}) != 1:
        raise ModelFileError(f"{path} has rows of several lengths, or none; expected a whole run folder")
    return rows
