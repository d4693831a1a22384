import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import transfer
from transfer import quiet
from transfer.reading import read_rows
from transfer.statistics.intervals import wilson_interval

quiet.import_tensorflow()

from transfer.evidence import cross_validation  # noqa: E402
from transfer.evidence.cross_validation import pooled_figures  # noqa: E402
from transfer.learning.results import Predictions  # noqa: E402
from transfer.runs.kept_results import until_saved  # noqa: E402


def answered(images, repeats, seed=0, wrong=0.2):
    """Answers to every picture, as often as it is tested, the same each time."""
    count = len(images)
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(count) < wrong, (images.labels + 1) % 3, images.labels)
    probabilities = 0.7 * np.eye(3)[said] + 0.1
    return Predictions(
        np.tile(np.arange(count), repeats),
        np.repeat(np.arange(repeats), count) * 2 + np.arange(count * repeats) % 2,
        np.tile(probabilities, (repeats, 1)),
    )


@pytest.fixture
def trained(digits, monkeypatch, own_cache):
    """Trainings that answer at once; the splits that were trained on."""
    images, _ = digits
    known, splits = answered(images, 1).probabilities, []

    def train(images, split, *_, **__):
        splits.append(split)
        right = known[split.test].argmax(axis=1) == images.labels[split.test]
        figures = {"accuracy": right.mean(), "balanced_accuracy": right.mean(), "log_loss": 1.0}
        parts = np.full(len(split.test), "test")
        return SimpleNamespace(
            split=split, metrics=figures, predictions=Predictions(split.test, parts, known[split.test]), notes=["odd"],
            stopped_by_hand=len(splits) == 3,
        )  # fmt: skip

    monkeypatch.setattr(cross_validation, "train", train)
    return splits


@pytest.fixture(scope="module")
def network():
    return transfer.convnet(32, [{"conv": 4, "stride": 4}])


@pytest.fixture
def folded(digits, network, trained):
    """Two folds, dealt twice."""
    images, _ = digits
    return transfer.cross_validate(images, transfer.folds(images, 2, repeats=2), network)


def test_folds_that_are_done_are_trained_once(folded, digits, network, trained, tmp_path):
    images, _ = digits
    folds = transfer.folds(images, 2, repeats=2)
    assert len(trained) == 4
    again = transfer.cross_validate(images, folds, network)
    assert [split.digest(images.digests) for split in trained[4:]] == [folds[2].digest(images.digests)]  # stopped
    assert again.as_dict() == folded.as_dict()
    assert again.answers == folded.answers
    transfer.cross_validate(images, folds, network)
    assert len(trained) == 5
    for other in ({"method": "finetune"}, {"epochs": 3}, {"seed": 1}):
        transfer.cross_validate(images, folds[:1], network, **other)
    assert len(trained) == 8
    with until_saved([again]):
        pass
    transfer.cross_validate(images, folds, network)
    assert len(trained) == 12


def test_every_answer_is_kept_and_counts(folded, digits, tmp_path):
    images, _ = digits
    folded.write(tmp_path)
    header, *rows = read_rows(tmp_path / "cross_validation.csv")
    assert header == ["file", "fold", "label", "predicted", "probability", "0", "1", "2"]
    assert sorted(row[0] for row in rows) == sorted(2 * images.names)
    assert len({(row[0], row[1]) for row in rows}) == 180
    assert {row[1] for row in rows} == {"1", "2", "3", "4"}
    said = json.loads((tmp_path / "cross_validation.json").read_text())
    pooled = said["pooled"]
    assert (pooled["answers"], pooled["pictures"]) == (180, 90)
    assert pooled["accuracy"] == pytest.approx(np.mean([row[2] == row[3] for row in rows]))
    assert pooled["accuracy_ci95"][0] < pooled["accuracy"] < pooled["accuracy_ci95"][1]
    assert pooled["accuracy"] == pytest.approx(said["summary"]["accuracy"]["mean"], abs=0.01)
    assert np.sum(pooled["confusion"]) == 180
    assert said["in_words"][1].startswith(
        "all 180 answers to 90 pictures together, each by a network that had not seen"
    )
    assert (tmp_path / "cross_validation.svg").read_text().startswith("<svg")


def test_pooled_figures_of_one_repeat_are_those_of_independent_pictures(digits):
    images, _ = digits
    found = pooled_figures(images, answered(images, 1))
    assert found["accuracy_ci95"] == wilson_interval(round(90 * found["accuracy"]), 90)
    assert found["intervals_over"] == "pictures"
    assert "roc_auc" not in json.dumps(found)


def test_a_picture_that_is_tested_twice_is_one_piece_of_evidence(digits):
    images, _ = digits
    once, twice = (pooled_figures(images, answered(images, repeats)) for repeats in (1, 2))
    assert twice["accuracy"] == pytest.approx(once["accuracy"])
    assert np.ptp(twice["accuracy_ci95"]) == pytest.approx(np.ptp(once["accuracy_ci95"]), rel=0.1)
    assert twice["intervals_over"] == "pictures"


def test_groups_are_drawn_as_a_whole(digits):
    images, _ = digits
    grouped = replace(images, groups=tuple(str(i // 6) for i in range(90)))
    answers = answered(images, 2)
    answers.probabilities[:] = (
        0.7 * np.eye(3)[np.where(np.arange(180) % 90 < 30, 1, images.labels[answers.indices])] + 0.1
    )
    alone, found = pooled_figures(images, answers), pooled_figures(grouped, answers)
    assert found["intervals_over"] == "groups"
    assert np.ptp(found["accuracy_ci95"]) > 1.5 * np.ptp(alone["accuracy_ci95"])
