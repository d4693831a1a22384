"""Files of a run that somebody changed: the place of what is no figure any more, and no page without sense."""

import json
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import softmax

from transfer.errors import ModelFileError
from transfer.evidence.candidates import BackboneChoice, Candidate
from transfer.evidence.cross_validation import CrossValidation, pooled_figures
from transfer.evidence.learning_curves import LearningCurve
from transfer.learning.results import Predictions
from transfer.runs.documents import DOCUMENTS, read_document
from transfer.shapes import COUNT, NUMBER, SHARE, TEXT, Maybe, misfit
from transfer.statistics.evaluation import evaluate_probabilities
from transfer.statistics.power_laws import fit_power_law
from transfer.writing import write_json

CLASSES = ("a", "b")
LABELS = np.array([0, 1] * 10)
CHOSEN = {"chosen": {"method": "frozen", "because": ""}, "differences": []}
PROBABILITIES = softmax(np.random.default_rng(0).normal(size=(20, 2)), axis=1)


class Listed(NamedTuple):
    """What figures need of pictures."""

    class_names: tuple
    labels: np.ndarray
    groups: None = None

    def __len__(self):
        return len(self.labels)


@pytest.mark.parametrize(
    ("said", "shape", "wrong"),
    [
        (1, NUMBER, ""),
        (True, NUMBER, "has true, where a number is expected"),
        (float("nan"), NUMBER, "has NaN, where"),
        (1e300, NUMBER, "has 1e+300, where"),
        (1.5, COUNT, "where a whole number from 0 up"),
        (1.5, SHARE, "where a share from 0 to 1"),
        (None, Maybe(TEXT), ""),
        ([1, "a"], [NUMBER], 'has "a" as [1], where a number is expected'),
        ([1], (NUMBER, NUMBER), "has [1], where a list of 2 is expected"),
        ({"a": 1, "b": 2}, {"a": NUMBER, "c?": TEXT}, ""),
        ({"b": 2}, {"a": NUMBER}, "has no a"),
        ({"a": 1, "b": {"c": "d"}}, {"a": NUMBER, str: {"c": NUMBER}}, 'has "d" as b.c, where a number is expected'),
        ("a" * 99, NUMBER, f'has "{"a" * 39}..., where'),
    ],
)
def test_what_is_of_another_shape_is_found_with_its_place(said, shape, wrong):
    assert wrong in misfit(said, shape)
    assert bool(misfit(said, shape)) == bool(wrong)


def figures(**more):
    """What `result.json` says of one network."""
    return {
        "command": "", "classes": list(CLASSES), "method": "frozen", "backbone": "mine", "weights": "none",
        "image_size": 32, "seed": 0, "images": {"train": 8, "validation": 2, "test": 20},
        **evaluate_probabilities(LABELS, PROBABILITIES, CLASSES), "validation": {"accuracy": 0.5},
        "calibration": {"temperature": 1.0, "error_before": 0.1}, "parameters": {"total": 8, "trainable": 8},
        "seconds": {"head": 1.0, "total": 2.0}, "notes": [], "cached": [],
    } | more  # fmt: skip


def several():
    return {
        "methods": {"frozen": figures(), "dense": figures()},
        "chosen": {"method": "frozen", "because": "it is"},
        "differences": [
            {"a": "frozen", "b": "dense", "accuracy_difference": 0.1, "ci95": [-0.1, 0.3], "only_a": 2, "only_b": 1,
             "p_value": None, "p_value_holm": None}
        ],
    }  # fmt: skip


def others(tmp_path):
    """The other files that a run may hold, by name, as they are always written."""
    images = Listed(CLASSES, LABELS)
    answers = Predictions(np.arange(20), np.array([1, 2] * 10), PROBABILITIES)
    share = {"accuracy": 0.5, "balanced_accuracy": 0.5, "log_loss": 1.0}
    folds = [{"fold": fold, "train": 8, "validation": 2, "test": 10} | share for fold in (1, 2)]
    points = [
        {"method": "frozen", "per_class": size, "draw": 1, "images": 2 * size, "accuracy": 0.5} for size in (5, 10, 20)
    ]
    law = fit_power_law([10, 20, 40, 80, 160, 320], [0.5, 0.4, 0.3, 0.25, 0.2, 0.15], [20] * 6)
    return {
        "check.json": {"findings": [{"kind": "dark", "severity": "note", "message": "dark", "advice": ""}]},
        "cross_validation.json": CrossValidation(folds, pooled_figures(images, answers), [], (), tmp_path).as_dict(),
        "learning_curve.json": LearningCurve(points, {"frozen": law}, 2, 20, (), tmp_path).as_dict(),
        "backbones.json": BackboneChoice(
            (Candidate("mine", "none", 32, 8, 1.0, 2.0, 0.5, [0.4, 0.6]),), 20, 2
        ).as_dict(),
    }


def refused(path, said):
    path.write_text(json.dumps({"schema_version": 2} | said))
    with pytest.raises(ModelFileError) as error:
        read_document(path)
    assert str(error.value).startswith(f"{path} has ")
    assert str(error.value).endswith("; expected a whole run folder")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_always_written_fits(tmp_path):
    files = others(tmp_path) | {"result.json": figures()}
    assert set(files) == set(DOCUMENTS)
    for name, said in files.items():
        write_json(tmp_path / name, said)
        assert read_document(tmp_path / name)["schema_version"] == 2
    untested = figures(**evaluate_probabilities(LABELS[:0], PROBABILITIES[:0], CLASSES), calibration={})
    for said in (several(), untested, several() | {"methods": {"frozen": untested, "dense": untested}}):
        write_json(tmp_path / "result.json", said)
        read_document(tmp_path / "result.json")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"accuracy": "0.5"}, 'has "0.5" as accuracy, where a share from 0 to 1 is expected'),
        ({"accuracy_ci95": [0.1]}, "has [0.1] as accuracy_ci95, where a list of 2 is expected"),
        ({"seconds": {"head": 1.0}}, "has no seconds.total"),
        ({"classes": ["a"]}, "has figures of other classes in per_class"),
        ({"reliability": []}, "has figures, and no pictures that they are of"),
        ({"confusion": [[1, 2]]}, "as confusion, where a list of 2 is expected"),
        ({"confusion": {"cells": [[0, 7, 1]]}}, "has more classes in confusion than names of them"),
    ],
)
def test_figures_that_contradict_themselves(tmp_path, changed, said):
    assert said in refused(tmp_path / "result.json", figures(**changed))
    assert said in refused(tmp_path / "result.json", several() | {"methods": {"frozen": figures(**changed)}} | CHOSEN)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"methods": {}}, "has no figures of a network that it speaks of"),
        ({"methods": {"frozen": figures()}}, "has no figures of a network that it speaks of"),
        ({"chosen": {"method": "finetune", "because": ""}}, "has no figures of a network that it speaks of"),
        ({"methods": {"frozen": figures(), "dense": figures(accuracy=None)}}, "that were tested beside some that were"),
        ({"differences": [None]}, "has null as differences[0], where an object is expected"),
    ],
)
def test_networks_that_contradict_each_other(tmp_path, changed, said):
    assert said in refused(tmp_path / "result.json", several() | changed)


def test_other_files_that_contradict_themselves(tmp_path):
    files = others(tmp_path)
    curve, folds, choice = (files[f"{name}.json"] for name in ("learning_curve", "cross_validation", "backbones"))
    for name, wrong, said in (
        ("check", {"findings": [{"kind": "dark"}]}, "has no findings[0].severity"),
        ("cross_validation", folds | {"folds": [[]]}, "has [] as folds[0], where an object"),
        ("cross_validation", folds | {"pooled": folds["pooled"] | {"reliability": []}}, "has figures, and no pictures"),
        ("learning_curve", curve | {"means": []}, "has points and means of different methods, or none"),
        (
            "backbones",
            choice | {"candidates": [choice["candidates"][0] | {"on_front": False}]},
            "has no backbone on its",
        ),
    ):
        assert said in refused(tmp_path / f"{name}.json", wrong)
    curve["laws"]["frozen"]["curve"]["low"] = []
    assert "has laws whose curves have several lengths" in refused(tmp_path / "learning_curve.json", curve)
