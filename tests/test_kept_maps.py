"""What lies below the layers that are trained is computed once, and changes nothing of what comes out."""

import keras
import numpy as np
import pytest

import transfer
from transfer.data.augmentation import change_of, unchanged
from transfer.data.pipeline import Pictures
from transfer.learning import fine_tuning
from transfer.learning.kept_maps import PLAIN, KeptMaps
from transfer.networks import freezing, scratch
from transfer.networks.halves import Halves, halves

LAYERS = [
    {"conv": 8}, {"normalise": "batch"}, {"activation": "relu"}, {"pool": 4}, {"residual": 8}, {"pool": 2},
    {"flatten": True}, {"dense": 12}, {"activation": "tanh"},
]  # fmt: skip


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(1)
    return scratch.convnet(32, LAYERS)


@pytest.fixture
def pictures(digits):
    return Pictures(digits[0], 32, keep=True)


@pytest.mark.parametrize("share", [0.8, 0.5])
def test_the_upper_half_of_what_the_lower_gives_is_the_whole(backbone, digits, pictures, share):
    freezing.unfreeze(backbone, share)
    lower, upper = halves(backbone)
    pixels = pictures.array(digits[1].test[:4]).astype(np.float32)
    assert np.array_equal(upper(lower(pixels)), backbone(pixels))
    assert not lower.trainable_weights
    assert [id(weight) for weight in upper.trainable_weights] == [id(w) for w in backbone.trainable_weights]


def test_a_network_with_operations_that_are_no_layers_is_divided_too():
    inputs = keras.Input((8, 8, 3))
    below = keras.layers.Conv2D(4, 3, padding="same", trainable=False)(inputs)
    beside = keras.ops.relu(below + keras.layers.Conv2D(4, 3, padding="same", trainable=False)(below))
    above = keras.layers.Conv2D(4, 3, padding="same")(beside) + below
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(above))
    lower, upper = halves(network)
    assert len(lower.outputs) == 2
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    assert np.array_equal(upper(lower(pixels)), network(pixels))


def test_there_are_no_halves_where_nothing_stays_or_is_out_of_reach(backbone):
    freezing.unfreeze(backbone, 1.0)
    assert halves(backbone) is None
    freezing.unfreeze(backbone, 0.5)
    assert halves(keras.Sequential([keras.Input((32, 32, 3)), backbone])) is None


def test_a_fit_on_kept_maps_is_the_fit_on_pictures(backbone, digits, monkeypatch):
    asked = {"share": 0.5, "epochs": 2, "augment": "none", "learning_rate": 3e-3}
    kept = transfer.train(*digits, backbone, "finetune", **asked)
    monkeypatch.setattr(fine_tuning, "halves", lambda network: None)
    usual = transfer.train(*digits, backbone, "finetune", **asked)
    for mine, other, before in zip(kept.model.get_weights(), usual.model.get_weights(), backbone.get_weights()):
        np.testing.assert_allclose(mine, other, atol=2e-3)  # of float16
        assert before.shape != other.shape or before.ndim != 2 or not np.array_equal(before, other)  # it moved


@pytest.mark.parametrize(("epochs", "views", "by_folds"), [(5, 2, False), (1, 1, False), (1, 1, True)])
def test_each_view_that_an_epoch_sees_is_drawn_once(backbone, digits, monkeypatch, epochs, views, by_folds):
    drawn = []

    def changed(pixels, size, rng):
        drawn.append(rng.random())
        return pixels

    monkeypatch.setattr("transfer.learning.whole_fits.change_of", lambda *given, **named: changed)
    monkeypatch.setattr(fine_tuning.settings, "FINETUNE_VIEWS", 2)
    split = digits[1]
    if by_folds:  # each of them trains on validation pictures too
        monkeypatch.setattr(fine_tuning.settings, "LEAST_TO_JUDGE", len(split.validation) + 1)
    transfer.train(*digits, backbone, "finetune", share=0.5, epochs=epochs)
    assert len(drawn) == views * (len(split.train) + by_folds * len(split.validation))
    assert len(set(drawn)) == len(drawn)


def test_views_do_not_depend_on_the_pictures_to_judge_by(backbone, digits, pictures):
    freezing.unfreeze(backbone, 0.5)
    part, train, change = halves(backbone), digits[1].train, change_of("light", 0.5, True)
    alone, among = (KeptMaps(part, pictures, train, 1, 0) for _ in range(2))
    alone.choose(train, change)
    among.choose(np.arange(len(digits[0])), change)
    assert np.array_equal(alone.of(train, 0), among.of(train, 0))  # to the last bit: batches are the same


def test_maps_that_do_not_fit_are_not_kept(backbone, digits, monkeypatch):
    monkeypatch.setattr("transfer.learning.kept_maps.fits", lambda size: False)
    monkeypatch.setattr(KeptMaps, "choose", None)
    result = transfer.train(*digits, backbone, "finetune", share=0.5, epochs=1)
    assert [row["phase"] for row in result.history].count("finetune") == 1


@pytest.mark.parametrize("scale", [1e4, 1e-8])  # above and below the numbers that float16 knows
def test_views_follow_from_the_seed_and_numbers_keep_their_size(pictures, digits, scale):
    inputs = keras.Input((32, 32, 3))
    large = keras.layers.Rescaling(scale)(keras.layers.AveragePooling2D(8)(inputs))
    part = Halves(keras.Model(inputs, [large]), keras.Model(large, keras.layers.Flatten()(large)))
    chosen, change = np.array([7, 3]), change_of("light", 0.5, True)
    first, again, other = (KeptMaps(part, pictures, chosen, 3, seed) for seed in (0, 0, 1))
    for maps in (first, again, other):
        maps.choose(chosen, change)
    plain = pictures.array(chosen).astype(np.float32).reshape(2, 4, 8, 4, 8, 3).mean((2, 4)) * scale
    half = np.finfo(np.float16)
    assert not half.tiny < plain.max() < half.max
    np.testing.assert_allclose(first.of(chosen, PLAIN), plain, rtol=1e-5)
    views = [first.of(chosen, view) for view in range(3)]
    assert all(np.array_equal(view, again.of(chosen, number)) for number, view in enumerate(views))
    assert not any(np.array_equal(view, other.of(chosen, number)) for number, view in enumerate(views))
    assert not np.array_equal(views[0], views[1])
    first.choose(chosen, unchanged)
    assert np.array_equal(first.of(chosen, 2), first.of(chosen, PLAIN))
