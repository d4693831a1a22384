"""A result as files, and back: the names in a run folder are a promise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transfer.cache import cache_folder
from transfer.checks.findings import Finding
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.learning.results import Predictions, Result
from transfer.libraries import versions
from transfer.reading import read_json, read_rows, run_config
from transfer.runs.answer_tables import read_answers, write_answers
from transfer.runs.run_folders import load_network_of, seal
from transfer.statistics.evaluation import FIGURES
from transfer.writing import SCHEMA_VERSION, write_json, write_table


def write_result(result: Result, folder: Path, command: str = "", said: dict | None = None) -> None:
    """Write what a result consists of: network, figures, configuration, predictions, history.

    Args:
        result: to write.
        folder: is made where it is not there.
        command: that was typed, for the record.
        said: of `result.json`; by default the `figures` of the result.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result.model.save(folder / "model.keras")
    write_table(folder / "history.csv", _history_columns(result.history), result.history)
    write_answers(result.predictions, result.images, folder)
    write_json(folder / "result.json", figures(result, command) if said is None else said)
    write_json(folder / "config.json", configuration(result, command))
    seal(folder)


def write_findings(findings: Sequence[Finding], folder: Path) -> None:
    """Write what a check found as `check.json`, without the names of single files."""
    rows = [{name: getattr(row, name) for name in ("kind", "severity", "message", "advice")} for row in findings]
    write_json(folder / "check.json", {"findings": rows})


def figures(result: Result, command: str = "") -> dict:
    """What `result.json` says of one method."""
    parts = result.split.parts()
    return {
        "command": command,
        "classes": list(result.class_names),
        **{name: result.options[name] for name in ("method", "backbone", "weights", "image_size", "seed")},
        "images": {part: len(indices) for part, indices in parts.items()},
        **result.metrics,
        "validation": {name: result.validation[name] for name in ("accuracy", "balanced_accuracy", "log_loss")},
        "parameters": result.parameters(),
        "seconds": {step: round(value, 3) for step, value in result.seconds.items()},
        "cached": result.cached,
        "notes": result.notes,
    }


def configuration(result: Result, command: str = "") -> dict:
    """All that repeats a training."""
    images = result.images
    part_of = {int(i): part for part, indices in result.split.parts().items() for i in indices}
    return {
        "command": command,
        "options": result.options,
        "classes": list(images.class_names),
        "versions": versions(),
        "data": images.data,
        "root": str(images.root),
        "data_digest": images.digest(),
        "levels": images.levels,
        "files": {
            name: {"part": part_of.get(i, "left out"), "class": images.class_names[images.labels[i]], "digest": digest}
            | ({} if images.groups is None else {"group": images.groups[i]})
            for i, (name, digest) in enumerate(zip(images.names, images.digests))
        },
        "division": result.split.division,
        "unreadable": [list(row) for row in images.unreadable],
    }


def unfinished(*asked: object) -> Path:
    """Where a part of something long waits for the others: one place for each thing asked for of these versions."""
    text = json.dumps([SCHEMA_VERSION, versions(), *asked], sort_keys=True, default=str)
    return cache_folder("unfinished") / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def load_result(folder: Path, images: LabelledImages, split: Split) -> Result:
    """Read back what `write_result` wrote for the same pictures."""
    config = run_config(folder, "model.keras", "result.json", "history.csv", "predictions.csv")
    said, answers = read_json(folder / "result.json"), read_answers(folder, images.class_names)
    position = {name: i for i, name in enumerate(images.names)}
    columns, *epochs = read_rows(folder / "history.csv")
    history = [_typed(dict(zip(columns, row))) for row in epochs]
    indices = np.array([position[name] for name in answers.files], int)
    predictions = Predictions(indices, answers.parts, answers.probabilities)
    figures_of_test = {name: said[name] for name in (*FIGURES, "calibration")}
    left_out = [position[name] for name, file in config["files"].items() if file["part"] == "left out"]
    model = load_network_of(folder, config)
    return Result(
        model, images, split.without(left_out), config["options"], figures_of_test, said["validation"], predictions,
        history, said["seconds"], said["notes"], cached=said.get("cached", []),
    )  # fmt: skip


def _typed(row: dict[str, str]) -> dict[str, float | str]:
    return {name: value if name == "phase" else float(value) for name, value in row.items() if value != ""}


def _history_columns(history: Sequence[dict]) -> list[str]:
    return list(dict.fromkeys(name for row in history for name in row))
