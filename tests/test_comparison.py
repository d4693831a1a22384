"""What a comparison that was broken off takes up again, and what it does not."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

import transfer
from transfer import quiet

quiet.import_tensorflow()

from transfer.errors import OptionError  # noqa: E402
from transfer.evidence import comparison, learning_curves  # noqa: E402
from transfer.learning.results import Predictions  # noqa: E402
from transfer.runs import records  # noqa: E402

LAYERS = [{"conv": 4}, {"pool": 4}]


@pytest.fixture(scope="module")
def backbone():
    return transfer.convnet(32, LAYERS)


@pytest.fixture(scope="module")
def result(digits, backbone):
    return transfer.train(*digits, backbone, epochs=1, refit=False)


@pytest.fixture
def trainings(result, monkeypatch):
    """Calls of `train`, which gives one result at once, of which the first may be stopped by hand."""
    calls = []

    def train(images, split, network, method, options, **shared):
        calls.append(images)
        stopped = options.learning_rate is not None and len(calls) == 1
        return replace(result, images=images, stops=["head was stopped by hand after 3 epochs"] * stopped)

    monkeypatch.setattr(comparison, "train", train)
    return calls


def compare(images, split, backbone, learning_rate=None):
    return transfer.compare(images, split, backbone, ["frozen"], epochs=1, learning_rate=learning_rate)


def test_a_comparison_of_nothing_is_refused(digits, backbone, trainings):
    with pytest.raises(OptionError, match="no method; expected some of frozen, finetune, scratch, dense"):
        transfer.compare(*digits, backbone, [])
    assert trainings == []


def test_it_goes_on_with_the_same_pictures_under_the_same_names_and_groups_only(digits, backbone, trainings):
    images, split = digits
    first = compare(images, split, backbone)["frozen"]
    assert compare(images, split, backbone)["frozen"].metrics == first.metrics
    assert len(trainings) == 1
    renamed = replace(images, names=tuple(f"new/{name}" for name in images.names))
    grouped = replace(images, groups=images.names)
    for others in (renamed, grouped):
        assert compare(others, split, backbone)["frozen"].images is others
    assert len(trainings) == 3


def test_what_is_taken_up_again_has_the_split_that_it_was_trained_on(digits, backbone, result, monkeypatch):
    images, split = digits
    readable = replace(result, split=split.without(split.test[:1]))
    monkeypatch.setattr(comparison, "train", lambda *given, **options: readable)
    first, again = (compare(images, split, backbone)["frozen"] for _ in range(2))
    assert again is not first
    assert records.figures(again)["images"] == records.figures(first)["images"]
    assert records.configuration(again) == records.configuration(first)


def test_the_method_is_chosen_by_validation_pictures_and_the_cheaper_one_where_they_cannot_tell(result):
    both = transfer.Comparison(dense=result, frozen=result)
    assert both.best == "frozen"
    assert "none is better on" in both.chosen.because
    test = result.predictions.parts == "test"
    unknown = replace(result, predictions=Predictions(*(v[test] for v in vars(result.predictions).values())))
    nothing = transfer.Comparison(dense=unknown, frozen=unknown)
    assert nothing.chosen == ("frozen", "there are no validation pictures to choose by, and it is the first")


def test_a_training_that_was_stopped_by_hand_is_made_again(digits, backbone, trainings):
    assert compare(*digits, backbone, learning_rate=0.1)["frozen"].stopped_by_hand
    assert not compare(*digits, backbone, learning_rate=0.1)["frozen"].stopped_by_hand
    compare(*digits, backbone, learning_rate=0.1)
    assert len(trainings) == 2


def test_epochs_beside_other_methods_are_not_of_the_frozen_head(digits, backbone, monkeypatch, result):
    taken = []

    def train(images, split, network, method, options, **shared):
        taken.append((method, options.epochs, options.learning_rate))
        return result

    monkeypatch.setattr(comparison, "train", train)
    monkeypatch.setattr(learning_curves, "train", train)
    asked = dict(head="mlp", epochs=3, learning_rate=1e-3)
    transfer.compare(*digits, backbone, ["frozen", "finetune"], **asked)
    transfer.compare(*digits, backbone, ["frozen"], **asked)  # and is no result of the first
    transfer.compare(*digits, backbone, ["frozen", "dense"], **asked)  # whose frozen one is that of the first
    assert taken == [
        ("frozen", None, None), ("finetune", 3, 1e-3), ("frozen", 3, 1e-3), ("scratch", 3, 1e-3)
    ]  # fmt: skip
    taken.clear()
    for methods in (["frozen"], ["frozen", "scratch"]):
        transfer.learning_curve(*digits, backbone, methods, [4], 1, **asked)
    assert taken == [
        ("frozen", 3, 1e-3), ("frozen", None, None), ("scratch", 3, 1e-3), ("scratch", 3, 1e-3)
    ]  # fmt: skip


def test_its_networks_are_the_last_points_of_a_learning_curve(digits, backbone, trainings, monkeypatch):
    drawn = []

    def train(images, part, *given, **options):
        drawn.append(len(part.train))
        return SimpleNamespace(split=part, metrics={"accuracy": 0.5}, stopped_by_hand=False)

    monkeypatch.setattr(learning_curves, "train", train)
    asked = dict(epochs=1, learning_rate=None)
    compared = transfer.compare(*digits, backbone, ["frozen", "scratch"], **asked)
    curve = transfer.learning_curve(*digits, backbone, ["frozen", "scratch"], [4], 1, **asked)
    assert drawn == [12, 12]
    last = {point["method"]: point for point in curve.points if point["per_class"] == "all"}
    for name, result in compared.items():
        assert last[name]["accuracy"] == result.metrics["accuracy"]
        assert last[name]["images"] == len(digits[1].train)
    transfer.learning_curve(*digits, backbone, ["frozen"], [4], 1, **asked | {"epochs": 2})
    assert drawn[2:] == [12, len(digits[1].train)]
