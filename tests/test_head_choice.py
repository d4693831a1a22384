"""The head that is chosen for features: its kind, its penalty, its scale, and the views it is trained on."""

from itertools import islice

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import NearestCentroid

import transfer
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.errors import OptionError
from transfer.networks import scratch
from transfer.networks.views import two_views
from transfer.runs import saving
from transfer.statistics import class_means, penalties
from transfer.statistics.standardising import mean_and_variance, standardised

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
TARGETS = np.eye(3, dtype=np.float32)[LABELS]


def features_of(width: int) -> np.ndarray:
    values = RNG.normal(size=(60, width)).astype(np.float32)
    values[:, :3] += 1.5 * TARGETS
    return standardised(values, *mean_and_variance(values))


@pytest.mark.parametrize("width", [8, 90])  # fewer and more features than pictures
@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_a_linear_head_is_scikit_learns_at_its_optimum(width, strength):
    features, weights = features_of(width), RNG.uniform(0.5, 2, 60).astype(np.float32)
    axes = penalties.principal_axes(features, weights)
    left_out = weights * (np.arange(60) < 45)
    kernel, bias = list(islice(penalties.fit_steps(axes, TARGETS, left_out, strength), 200))[-1]
    ours = features @ (axes.back @ kernel) + bias
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=2000).fit(features[:45], LABELS[:45], weights[:45])
    logits = theirs.decision_function(features)
    np.testing.assert_allclose(ours - ours.mean(axis=1, keepdims=True), logits, atol=0.02 * np.abs(logits).max())


def test_held_out_losses_are_those_of_heads_fitted_one_by_one():
    features, weights = features_of(90), RNG.uniform(0.5, 2, 60).astype(np.float32)
    tested = [np.arange(0, 20), np.arange(20, 50)]
    found = penalties.held_out_losses(penalties.principal_axes(features, weights), TARGETS, tested, [0.003, 0.03])
    for strength, loss in zip([0.003, 0.03], found):
        sums = 0.0
        for fold in tested:
            others = np.setdiff1d(np.arange(60), fold)
            head = LogisticRegression(C=strength, tol=1e-8, max_iter=2000)
            head.fit(features[others], LABELS[others], weights[others])
            sums += log_loss(
                LABELS[fold], head.predict_proba(features[fold]), sample_weight=weights[fold], normalize=False
            )
        assert loss == pytest.approx(sums / weights[np.concatenate(tested)].sum(), rel=0.01)


def test_class_means_are_those_of_the_nearest_centroid():
    features, weights = features_of(8), np.ones(60, np.float32)
    kernel, bias = class_means.nearest_mean(features, TARGETS, weights)
    assert np.array_equal(
        (features @ kernel + bias).argmax(axis=1), NearestCentroid().fit(features, LABELS).predict(features)
    )
    unit = class_means.of_length_1(features)
    kernel, bias = class_means.nearest_direction(unit, TARGETS, weights)
    cosines = unit @ kernel
    assert not bias.any()
    assert np.abs(cosines).max() <= 1 + 1e-6
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1, rtol=1e-5)


def test_few_pictures_lend_their_features_a_common_scale():
    silent = np.zeros((8, 2), np.float32)
    silent[:, 0] = np.arange(8)
    assert mean_and_variance(silent)[1][1] > 1  # and not 0, by which the next picture would be divided
    many = RNG.normal(size=(4000, 2)) * [1, 10]
    np.testing.assert_allclose(mean_and_variance(many)[1], many.var(axis=0), rtol=0.01)


def test_the_saved_network_answers_as_its_head_did(digits, tmp_path):
    backbone = transfer.load_backbone("bundled", image_size=32)
    for kind in ("linear", "mean", "cosine"):
        result = transfer.train(*digits, backbone, head=kind)
        assert result.metrics["accuracy"] > 0.8, kind
        indices, expected = result.predictions.of("test")
        result.model.save(tmp_path / "model.keras")
        pixels = Pictures(digits[0], 32).array(indices).astype(np.float32)
        loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
        answers = keras.ops.softmax(loaded(pixels, training=False))
        np.testing.assert_allclose(answers, expected, atol=1e-3, err_msg=kind)


def test_auto_says_what_was_chosen_and_a_repetition_chooses_nothing(digits):
    auto = transfer.train(*digits, "bundled", head="auto", image_size=32)
    assert auto.options["head"] in ("linear", "mean", "cosine")
    assert any(note.startswith(f"the head {auto.options['head']} is taken (log loss ") for note in auto.notes)
    chosen = transfer.train(*digits, "bundled", image_size=32)
    strength = chosen.options["head_c"]
    assert any(f"C = {strength:g}, by 5-fold cross-validation of " in note for note in chosen.notes)
    again = transfer.train(*digits, "bundled", head_c=strength, image_size=32)
    assert not any("cross-validation" in note for note in again.notes)
    np.testing.assert_array_equal(again.predictions.probabilities, chosen.predictions.probabilities)


def test_with_a_picture_a_class_there_is_nothing_to_choose_by(digits):
    images, split = digits
    one_each = np.array([split.train[images.labels[split.train] == label][0] for label in range(3)])
    alone = Split(one_each, split.train[:0], split.test)
    result = transfer.train(images, alone, "bundled", head="auto", image_size=32)
    assert result.options["head"] == "cosine"
    assert "the head cosine is taken, for there is too little to choose one by" in result.notes
    assert result.metrics["accuracy"] > 0.5


def test_two_views_see_a_picture_as_its_mirror_image():
    network = scratch.convnet(16, [{"conv": 4}, {"activation": "relu"}, {"flatten": True}, {"dense": 5}])
    both = two_views(network)
    pictures = RNG.integers(0, 256, (3, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(both(pictures), both(pictures[:, :, ::-1]), atol=1e-4)
    expected = (np.array(network(pictures)) + np.array(network(pictures[:, :, ::-1]))) / 2
    np.testing.assert_allclose(both(pictures), expected, atol=1e-4)


def test_a_run_with_two_views_is_saved_and_explained(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "write_report", lambda *given: None)
    backbone = scratch.convnet(32, [{"conv": 4, "stride": 2}, {"activation": "relu"}, {"conv": 8, "stride": 2}])
    result = transfer.train(*digits, backbone, views=2)
    transfer.save_run(result, tmp_path / "run")
    indices, expected = result.predictions.of("test")
    files = [str(digits[0].paths[i]) for i in indices[:3]]
    answers = transfer.predict(tmp_path / "run", files)
    answered = [list(answer.probabilities.values()) for answer in answers]
    np.testing.assert_allclose(answered, expected[:3], atol=1e-3)
    pixels = Pictures(digits[0], 32).array(indices[:3]).astype(np.float32)
    assert transfer.grad_cam(result.model, pixels).shape == (3, 32, 32)
    first = transfer.first_layer_images(result.model)
    layer = next(name for name in transfer.layer_names(result.model) if name.startswith("conv2d"))
    assert transfer.layer_output(result.model, pixels, layer).shape[::3] == (3, len(first))


def test_classes_that_are_mirror_images_have_one_view(tmp_path):
    from PIL import Image, ImageDraw

    for name, sign in (("left", -1), ("right", 1)):
        (tmp_path / name).mkdir()
        for number in range(40):
            picture = Image.new("RGB", (32, 32), (200, 200, 200 + number % 9))
            x, y = RNG.integers(12, 20, 2)
            ImageDraw.Draw(picture).polygon(
                [(x - 7 * sign, y - 8), (x - 7 * sign, y + 8), (x + 9 * sign, y)], (20, 20, number)
            )
            picture.save(tmp_path / name / f"{number}.png")
    images = transfer.load_images(tmp_path)
    with pytest.raises(OptionError, match=r"`views=2` for classes that mirroring mixes up; expected 1 \(mirror images"):
        transfer.train(images, transfer.split(images), "bundled", views=2, image_size=32)
