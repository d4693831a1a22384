"""The JSON files of a run read again: the door through which pages and comparisons get their figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from transfer.errors import ModelFileError
from transfer.reading import read_json
from transfer.shapes import (
    ANYTHING,
    COUNT,
    NUMBER,
    POSITIVE,
    SENTENCES,
    SEVERAL,
    SHARE,
    TEXT,
    YES_OR_NO,
    Maybe,
    misfit,
)

INTERVAL = (SHARE, SHARE)
NUMBERS = (NUMBER, NUMBER)

# Of the answers to test pictures, by one network or by those of folds.
ANSWERED = {
    "classes": [TEXT],
    "accuracy": SHARE, "accuracy_ci95": INTERVAL,
    "balanced_accuracy": SHARE, "balanced_accuracy_ci95": INTERVAL,
    "log_loss": NUMBER, "log_loss_ci95": NUMBERS,
    "calibration_error": SHARE, "calibration_error_ci95": INTERVAL,
    "top_k": Maybe({"k": SEVERAL, "accuracy": SHARE, "ci95": INTERVAL}),
    "reliability": [{"confidence": SHARE, "accuracy": SHARE, "ci95": INTERVAL, "pictures": SEVERAL}],
    "per_class": {str: {
        "precision": Maybe(SHARE), "precision_ci95": Maybe(INTERVAL), "recall": Maybe(SHARE),
        "recall_ci95": Maybe(INTERVAL), "f1": Maybe(SHARE), "f1_ci95": Maybe(INTERVAL), "support": COUNT,
    }},
    "confusion": ANYTHING,
    "intervals_over": TEXT,
}  # fmt: skip
# Of a network, whether there were test pictures or not; older runs do not tell all.
TRAINED = {
    "command": TEXT, "classes": [TEXT], "method": TEXT, "backbone": TEXT, "weights": Maybe(TEXT),
    "image_size": SEVERAL, "seed": COUNT, "images": {"train": COUNT, "validation": COUNT, "test": COUNT},
    "validation": {"accuracy": Maybe(SHARE)}, "parameters": {"total": COUNT, "trainable": COUNT},
    "seconds": {"total": NUMBER, str: NUMBER}, "notes": SENTENCES, "cached?": SENTENCES, "caveats?": SENTENCES,
}  # fmt: skip
TESTED = TRAINED | ANSWERED | {
    "roc_auc": Maybe(SHARE), "roc_auc_ci95": Maybe(INTERVAL),
    "per_class": {str: ANSWERED["per_class"][str] | {"roc_auc": Maybe(SHARE)}},
    "calibration": {"temperature": POSITIVE, "error_before": SHARE, "bias?": Maybe({str: NUMBER})},
}  # fmt: skip
COMPARED = {
    "methods": {str: ANYTHING},
    "chosen?": {"method": TEXT, "because": TEXT},
    "caveats?": SENTENCES,
    "in_words?": SENTENCES,
    "differences?": [{
        "a": TEXT, "b": TEXT, "accuracy_difference": Maybe(NUMBER), "ci95": Maybe(NUMBERS), "only_a": COUNT,
        "only_b": COUNT, "p_value": Maybe(SHARE), "p_value_holm": Maybe(SHARE),
    }],
}  # fmt: skip


def _result_fault(said: dict) -> str:
    if "methods" not in said:
        return _network_fault(said)
    if wrong := misfit(said, COMPARED):
        return wrong
    methods = said["methods"]
    named = {row[side] for row in said.get("differences", []) for side in "ab"}
    named |= {said["chosen"]["method"]} if "chosen" in said else set()
    if not methods or not named <= set(methods):
        return "has no figures of a network that it speaks of"
    if len({_was_tested(figures) for figures in methods.values()}) > 1:
        return "has networks that were tested beside some that were not"
    return next(filter(None, map(_network_fault, methods.values())), "")


def _network_fault(figures: object) -> str:
    tested = _was_tested(figures)
    return misfit(figures, TESTED if tested else TRAINED) or (_figures_fault(figures) if tested else "")


def _was_tested(figures: object) -> bool:
    return isinstance(figures, dict) and figures.get("accuracy") is not None


def _figures_fault(said: dict) -> str:
    classes, confusion = said["classes"], said["confusion"]
    support = {name: row["support"] for name, row in said["per_class"].items()}
    square, cells = ((COUNT,) * len(classes),) * len(classes), {"cells": [(COUNT, COUNT, COUNT)]}
    if list(support) != classes:
        return "has figures of other classes in per_class"
    if not (sum(support.values()) and said["reliability"]):
        return "has figures, and no pictures that they are of"
    if wrong := misfit(confusion, cells if isinstance(confusion, dict) else square, "confusion"):
        return wrong
    if isinstance(confusion, dict) and any(max(cell[:2]) >= len(classes) for cell in confusion["cells"]):
        return "has more classes in confusion than names of them"
    return ""


def _folds_fault(said: dict) -> str:
    return _figures_fault(said["pooled"]) if "pooled" in said else ""


def _curve_fault(said: dict) -> str:
    methods = {row["method"] for row in said["means"]}
    if not methods or methods != {row["method"] for row in said["points"]}:
        return "has points and means of different methods, or none"
    if any(len({*map(len, law["curve"].values())}) != 1 for law in said["laws"].values()):
        return "has laws whose curves have several lengths"
    return ""


def _choice_fault(said: dict) -> str:
    return "" if any(row["on_front"] for row in said["candidates"]) else "has no backbone on its front"


class Document(NamedTuple):
    """A row: the shape of a file, and what is wrong between its values, or `""`."""

    shape: dict
    fault: Callable[[dict], str] = lambda said: ""


_CURVE = {"pictures": [POSITIVE], "error": [NUMBER], "high": [NUMBER], "low": [NUMBER]}
DOCUMENTS = {
    "result.json": Document({}, _result_fault),  # of one network, or of several
    "check.json": Document(
        {"findings": [dict.fromkeys(("kind", "severity", "message", "advice"), TEXT)]},
    ),
    "cross_validation.json": Document(
        {
            "pooled?": ANSWERED | {"answers": COUNT, "pictures": COUNT},
            "in_words": SENTENCES,
            "folds": [
                dict.fromkeys(("fold", "train", "validation", "test"), COUNT)
                | {"accuracy": SHARE, "balanced_accuracy": SHARE, "log_loss": NUMBER}
            ],
        },
        _folds_fault,
    ),
    "learning_curve.json": Document(
        {
            "points": [{"method": TEXT, "images": POSITIVE, "accuracy": SHARE}],
            "means": [{"method": TEXT, "per_class": ANYTHING, "images": POSITIVE, "accuracy": SHARE}],
            "laws": {str: {"curve": _CURVE}},
            "classes": SEVERAL,
            "in_words": SENTENCES,
        },
        _curve_fault,
    ),
    "backbones.json": Document(
        {
            "candidates": [
                {"label": TEXT, "image_size": SEVERAL, "milliseconds": POSITIVE, "accuracy": SHARE, "ci95": INTERVAL}
                | {"on_front": YES_OR_NO}
            ],
            "recommended": TEXT,
            "in_words": SENTENCES,
        },
        _choice_fault,
    ),
}


def read_document(path: Path) -> dict:
    """One of the files of `DOCUMENTS`, whose values can be relied on.

    Raises:
        ModelFileError: it cannot be read, or a value in it is something else; the message names the place.
    """
    said, document = read_json(path), DOCUMENTS[path.name]
    if wrong := misfit(said, document.shape) or document.fault(said):
        raise ModelFileError(f"{path} {wrong}; expected a whole run folder")
    return said
