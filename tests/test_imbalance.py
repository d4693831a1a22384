"""What is done for rare classes: sampling, focal loss, and answers chosen for a figure."""

import json

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score, f1_score

import transfer
from transfer import names, quiet
from transfer.errors import OptionError
from transfer.statistics import decision_bias, penalties

quiet.import_tensorflow()

import keras  # noqa: E402

from transfer.learning import losses, methods, whole_fits  # noqa: E402
from transfer.learning.options import TrainingOptions, idle_without  # noqa: E402
from transfer.networks import heads  # noqa: E402
from transfer.runs import saving  # noqa: E402

RNG = np.random.default_rng(0)


def drawn(number, shares, rng, sure=1.5):
    """(labels, logits): what a network that knows the shares says of pictures of noisy classes."""
    labels = rng.choice(len(shares), number, p=shares)
    seen = sure * np.eye(len(shares))[labels] + rng.normal(size=(number, len(shares)))
    return labels, sure * seen + np.log(shares)


def test_figures_are_scikit_learns():
    labels, logits = drawn(200, [0.7, 0.2, 0.1], RNG)
    predicted = logits.argmax(axis=1)
    found = {name: decision_bias.figure_of(labels, logits, name) for name in names.OPTIMISED}
    assert found["accuracy"] == np.mean(predicted == labels)
    assert found["balanced"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert found["f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert tuple(decision_bias.FIGURES) == names.OPTIMISED


@pytest.mark.parametrize("shares", [[0.8, 0.15, 0.05], [0.9, 0.1]])
def test_a_bias_chosen_on_some_pictures_serves_others(shares):
    rng, shares = np.random.default_rng(1), np.array(shares)
    labels, logits = drawn(2000, shares, rng)
    others, answers = drawn(20_000, shares, rng)
    for name in ("balanced", "f1"):
        bias = decision_bias.fit_bias(labels, logits, shares, name)
        assert bias.mean() == pytest.approx(0, abs=1e-12)
        plain, better = (decision_bias.figure_of(others, answers + by, name) for by in (0, bias))
        assert better > plain + 0.005
    balanced = decision_bias.fit_bias(labels, logits, shares, "balanced")
    np.testing.assert_allclose(balanced, decision_bias.prior_bias(shares), atol=0.7)  # which is best in theory
    accuracy = decision_bias.fit_bias(labels, logits, shares, "accuracy")
    assert np.abs(accuracy).max() < np.abs(balanced).max() / 2


def test_where_nothing_is_better_nothing_is_added():
    labels = np.arange(30) % 3
    for name in names.OPTIMISED:
        assert not decision_bias.fit_bias(labels, 9 * np.eye(3)[labels], np.array([0.5, 0.3, 0.2]), name).any()


def test_a_class_without_training_pictures_counts_as_the_rarest_other():
    bias = decision_bias.prior_bias(np.array([0.8, 0.2, 0.0]))
    assert bias[2] == bias[1]
    assert bias[1] - bias[0] == pytest.approx(np.log(4))


def test_held_out_logits_are_those_that_losses_are_taken_of():
    labels = np.arange(60) % 3
    targets, features = np.eye(3, dtype=np.float32)[labels], RNG.normal(size=(60, 5)).astype(np.float32)
    axes, tested = penalties.principal_axes(features, np.ones(60, np.float32)), [np.arange(20), np.arange(20, 50)]
    logits = penalties.held_out_logits(axes, targets, tested, 0.1)
    assert np.isnan(logits[50:]).all()
    costs = -log_softmax(logits[:50].astype(float), axis=1)[np.arange(50), labels[:50]]
    (loss,) = penalties.held_out_losses(axes, targets, tested, [0.1])
    assert costs.mean() == pytest.approx(loss, rel=1e-5)


def test_the_focal_loss_is_cross_entropy_that_counts_sure_pictures_less():
    targets, logits = np.eye(3, dtype=np.float32), np.array([[4, 0, 0], [1, 0, 1], [0, 2, 0]], np.float32)
    plain, focal = (np.asarray(loss(targets, logits)) for loss in (heads.cross_entropy(), losses.focal(2.0)))
    np.testing.assert_allclose(focal, plain * (1 - np.exp(-plain)) ** 2, rtol=1e-4)


@pytest.fixture(scope="module")
def rare(digits):
    """Digits of which the last class has few pictures to learn from, and a backbone."""
    images, split = digits
    last = np.concatenate([split.train, split.validation])
    last = last[images.labels[last] == 2]
    return images, split.without(last[6:]), transfer.load_backbone("bundled", image_size=32)


def probabilities_of(model, images, indices):
    pixels = np.concatenate(list(methods.Pictures(images, 32).batches(indices))).astype(np.float32)
    return keras.ops.convert_to_numpy(keras.ops.softmax(model(pixels, training=False)))


@pytest.mark.parametrize(
    ("options", "strengths"),
    [({"optimise": "balanced"}, decision_bias.STRENGTHS), ({"logit_adjustment": 1.5}, [1.5])],
)
def test_what_is_added_is_inside_the_network_and_said(rare, options, strengths):
    images, split, network = rare
    plain, changed = (transfer.train(images, split, network, **each) for each in ({}, options))
    bias = np.array(list(changed.metrics["calibration"]["bias"].values()))
    assert plain.metrics["calibration"]["bias"] is None
    assert changed.metrics["calibration"]["temperature"] == plain.metrics["calibration"]["temperature"]
    shares = np.bincount(images.labels[split.train]) / len(split.train)
    assert bias.any()
    assert any(np.allclose(bias, decision_bias.prior_bias(shares, strength)) for strength in strengths)
    difference = np.log(changed.predictions.probabilities) - np.log(plain.predictions.probabilities)
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), np.tile(bias, (len(difference), 1)))
    indices, probabilities = changed.predictions.of("test")
    np.testing.assert_allclose(probabilities_of(changed.model, images, indices), probabilities, atol=1e-4)
    (note,) = [note for note in changed.notes if note.startswith("to logits is added 0 ")]
    assert f"2 {bias[2]:+.2f}" in note
    held_out = len(split.train) + len(split.validation)
    assert (f"of {held_out} pictures that were held out, balanced accuracy is" in note) == ("optimise" in options)


def test_of_a_network_that_has_seen_the_training_part_only_the_validation_part_is_asked(rare):
    images, split, _ = rare
    small = transfer.dense_network(32, (4,))
    result = transfer.train(images, split, small, "scratch", epochs=1, optimise="f1")
    assert any(f"of {len(split.validation)} pictures that were held out, macro F1" in note for note in result.notes)
    none = transfer.Split(split.train, split.validation[:0], split.test)
    result = transfer.train(images, none, small, "scratch", epochs=1, optimise="f1")
    assert "nothing was held out to choose answers of the best macro F1 by" in result.notes
    assert result.metrics["calibration"]["bias"] is None


@pytest.mark.parametrize(
    ("options", "methods", "typed", "idle"),
    [
        ({"focal": 2.0}, ["frozen"], "focal", True),
        ({"focal": 2.0}, ["finetune"], "focal", False),
        ({"focal": 2.0, "head": "mlp"}, ["frozen"], "focal", False),
        ({"focal": 2.0, "head": "svm"}, ["finetune"], "focal", True),
        ({"sampling": "balanced"}, ["frozen"], "sampling", True),
        ({"sampling": "balanced"}, ["frozen", "scratch"], "sampling", False),
        ({"logit_adjustment": 1.0, "head": "mean"}, ["frozen"], "logit_adjustment", True),
        ({"logit_adjustment": 1.0, "optimise": "f1"}, ["frozen"], "logit_adjustment", True),
        ({"logit_adjustment": 1.0}, ["frozen"], "logit_adjustment", False),
        ({"mix": "mixup"}, ["finetune"], "mix", True),
        ({"augment": "strong"}, ["frozen"], "augment", True),
        ({"augment": "none"}, ["finetune"], "flip", True),
    ],
)
def test_what_has_no_effect_is_known(options, methods, typed, idle):
    assert bool(idle_without(TrainingOptions(**options), methods, [typed])) == idle


@pytest.mark.parametrize("other", [{"sampling": "balanced"}, {"logit_adjustment": 1.0}])
def test_rare_classes_are_made_likelier_once(other):
    with pytest.raises(OptionError, match="each makes rare classes as likely as frequent ones; give one of them"):
        TrainingOptions(class_weights="balanced", **other)


def test_options_of_a_whole_network_reach_its_batches_and_its_loss(rare, monkeypatch):
    images, split, _ = rare
    given, kind = [], whole_fits.TrainingBatches
    monkeypatch.setattr(whole_fits, "TrainingBatches", lambda *values: given.append(values[-1]) or kind(*values))
    small = transfer.dense_network(32, (4,))
    options = dict(epochs=1, sampling="balanced", mix="cutmix", augment="none", focal=2.0, label_smoothing=0.0)
    focal = transfer.train(images, split, small, "scratch", **options)
    assert given[0].balanced
    task = methods.Task(images, split, methods.Pictures(images, 32), TrainingOptions(sampling="balanced"))
    labels, (_, weights) = images.labels[split.validation], task.targets(split.validation, as_drawn=True)
    np.testing.assert_allclose(np.bincount(labels, weights)[np.unique(labels)], len(labels) / 3, rtol=1e-5)
    assert (task.targets(split.train)[1] == 1).all()  # those are drawn
    assert given[0].mix is whole_fits.MIXES["cutmix"]
    plain = transfer.train(images, split, small, "scratch", **options | {"focal": None})
    assert focal.history[0]["val_loss"] < plain.history[0]["val_loss"]


def test_the_page_and_the_files_of_a_run_tell_of_it(rare, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "export_saved_model", lambda *given: [])
    images, split, _ = rare
    result = transfer.train(images, split, transfer.dense_network(32, (4,)), "scratch", epochs=1, logit_adjustment=1.0)
    transfer.save_run(result, tmp_path / "run")
    said = json.loads((tmp_path / "run" / "result.json").read_text())
    assert list(said["calibration"]["bias"]) == ["0", "1", "2"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "to logits is added 0 " in page
    assert "each class has another share than here" in page
    answered = transfer.predict(tmp_path / "run", [str(images.paths[i]) for i in split.test[:3]])
    np.testing.assert_allclose(
        [list(row.probabilities.values()) for row in answered], result.predictions.of("test")[1][:3], atol=1e-3
    )
