import re

import keras
import numpy as np
import pytest

from transfer.errors import TrainingError
from transfer.learning import histories, training, watching
from transfer.learning.batches import Batches, TrainingBatches
from transfer.networks import heads, scratch
from transfer.settings import Schedule
from transfer.statistics.standardising import mean_and_variance

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 120)
TARGETS = np.eye(3, dtype=np.float32)[LABELS]
FEATURES = (TARGETS @ RNG.normal(size=(3, 6)) * 20 + 100 + RNG.normal(size=(120, 6))).astype(np.float32)
WEIGHTS = np.ones(120, np.float32)
VALIDATION = (FEATURES[80:], TARGETS[80:])
QUICK = Schedule(epochs=15, steps=5, batch_size=16, learning_rate=3e-2, patience=15)


def fit(schedule=QUICK, validation=VALIDATION, seed=0, loss=None, features=FEATURES, **options):
    keras.utils.set_random_seed(seed)
    head = heads.head(6, 3, **options)
    loss = loss or heads.cross_entropy()
    history = training.fit_head(head, (features[:80], TARGETS[:80], WEIGHTS[:80]), validation, schedule, loss)
    return head, history


def mean_loss(head, validation=VALIDATION, weights=None):
    return np.average(heads.cross_entropy()(validation[1], head(validation[0])), weights=weights)


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"kind": "linear"}, heads.cross_entropy(0.1)),
        ({"kind": "mlp", "hidden": (8,)}, heads.cross_entropy()),
        ({"kind": "svm"}, heads.multiclass_hinge),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_heads_learn_what_can_be_separated(options, loss):
    head, history = fit(loss=loss, **options)
    assert (np.argmax(head(VALIDATION[0]), axis=1) == LABELS[80:]).mean() > 0.95
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
    assert {"phase", "loss", "accuracy", "val_loss", "val_accuracy"} <= set(history[0])
    assert history[-1]["loss"] < history[0]["loss"]


def test_features_are_standardised_by_the_training_part():
    head, _ = fit(Schedule(1, 5, 16, 1e-3, 1))
    mean, variance = head.get_layer("standardise").get_weights()
    for found, expected in zip((mean, variance), mean_and_variance(FEATURES[:80])):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_seed_repeats_exactly():
    short = Schedule(3, 5, 16, 1e-2, 3)
    (one, first), (two, second), (other, _) = (fit(short, seed=seed, kind="mlp") for seed in (1, 1, 2))
    assert first == second
    assert all((a == b).all() for a, b in zip(one.get_weights(), two.get_weights()))
    assert any((a != b).any() for a, b in zip(one.get_weights(), other.get_weights()))


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_the_best_epoch_is_kept_by_the_loss_without_penalty(l2):
    upside_down = (FEATURES[80:], np.roll(TARGETS[80:], 1, axis=1))  # worse with every epoch
    head, history = fit(Schedule(30, 5, 16, 1e-1, patience=3), upside_down, l2=l2)
    losses = [row["val_loss"] for row in history]
    assert len(losses) == int(np.argmin(losses)) + 1 + 3
    assert mean_loss(head, upside_down) == pytest.approx(min(losses), rel=1e-4)


def test_without_patience_the_last_epoch_is_kept():
    upside_down = (FEATURES[80:], np.roll(TARGETS[80:], 1, axis=1))
    head, history = fit(Schedule(6, 5, 16, 1e-1, patience=None), upside_down)
    assert len(history) == 6
    assert mean_loss(head, upside_down) == pytest.approx(history[-1]["val_loss"], rel=1e-4)


def test_validation_pictures_count_as_much_as_they_are_told():
    weights = np.linspace(0, 2, 40, dtype=np.float32)
    head, (row,) = fit(Schedule(1, 5, 16, 1e-2, 3), (*VALIDATION, weights))
    assert row["val_loss"] == pytest.approx(mean_loss(head, weights=weights), rel=1e-4)


def test_without_validation_pictures():
    _, history = fit(validation=())
    assert len(history) > 1
    assert histories.stops(history) == []
    assert "val_loss" not in history[0]


def test_a_loss_that_is_no_number():
    broken = FEATURES.copy()
    broken[3] = np.nan
    with pytest.raises(TrainingError, match=r"loss became nan in epoch 1 of head, at a learning rate of 0\.03; give"):
        fit(features=broken)


def test_weights_that_are_no_numbers_are_not_blamed_on_the_rate():
    network = heads.join(scratch.dense_network(8, (4,)), heads.head(4, 3))
    network.get_layer("logits").bias.assign([0, np.inf, 0])
    with pytest.raises(TrainingError, match="with_head has weights that are no finite numbers; give those"):
        training.fit_network(network, [], [], QUICK, heads.cross_entropy(), "scratch")


def test_a_rate_that_is_far_too_high_is_named():
    _, usual = fit()
    assert histories.diverged(usual, 3) == []
    unlike = RNG.normal(size=FEATURES.shape).astype(np.float32)
    _, history = fit(Schedule(epochs=3, steps=5, batch_size=16, learning_rate=1e6, patience=None), features=unlike)
    (said,) = histories.diverged(usual + history, 3)
    assert re.fullmatch(
        r"head ended with a loss of \S+e\+\d+, where equal probabilities of all classes give 1\.10: the learning rate "
        "is far too high for it",
        said,
    )


def stop_in_epoch(number, monkeypatch):
    original = watching.Watch.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == number:
            raise KeyboardInterrupt
        original(self, epoch, logs)

    monkeypatch.setattr(watching.Watch, "on_epoch_end", on_epoch_end)


def test_stopped_by_hand_the_best_state_is_kept(monkeypatch, capsys):
    stop_in_epoch(4, monkeypatch)
    head, history = fit()
    assert len(history) == 3
    assert histories.stops(history) == ["head was stopped by hand after 3 epochs"]
    assert mean_loss(head) <= min(row["val_loss"] for row in history) + 1e-4
    assert "head stopped by hand after 3 epochs" in " ".join(capsys.readouterr().err.split())


def test_stopped_by_hand_with_nothing_to_keep(monkeypatch):
    stop_in_epoch(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(validation=())


class Held:
    """Pixels as `Batches` asks for them."""

    def __init__(self, pixels):
        self.held, self.size = pixels, pixels.shape[1]

    def pixels(self, index):
        return self.held[index]


def batches(seed=0, **options):
    pixels = RNG_PICTURES.copy()
    return TrainingBatches(
        Held(pixels), np.arange(24), TARGETS[:24], np.arange(24, dtype=np.float32), 10, seed, **options
    )


RNG_PICTURES = np.random.default_rng(1).integers(0, 60, (24, 12, 12, 3)).astype(np.uint8)
RNG_PICTURES += (LABELS[:24] * 90).astype(np.uint8)[:, None, None, None]


def epoch_of(data, epoch=0):
    return [data.batch(number, epoch) for number in range(len(data))]


def test_batches_hold_every_picture_once():
    data = epoch_of(batches())
    assert [len(part[0]) for part in data] == [10, 10, 4]
    weights = np.concatenate([part[2] for part in data])
    assert sorted(weights) == list(range(24))
    np.testing.assert_array_equal(np.concatenate([part[1] for part in data]), TARGETS[weights.astype(int)])
    pixels = data[0][0]
    assert pixels.dtype == np.float32
    assert pixels.shape == (10, 12, 12, 3)
    assert pixels.max() > 1


def test_batches_repeat_by_seed_and_differ_by_epoch():
    one, two, other = batches(3), batches(3), batches(4)
    first = epoch_of(one)
    for a, b in zip(first, epoch_of(two)):
        np.testing.assert_array_equal(a[0], b[0])
    assert (first[0][2] != epoch_of(other)[0][2]).any()
    second = epoch_of(one, 1)
    assert (first[0][2] != second[0][2]).any()
    np.testing.assert_array_equal(second[0][0], two.batch(0, 1)[0])


def test_a_small_convnet_learns():
    keras.utils.set_random_seed(0)
    backbone = scratch.convnet(12, [{"conv": 8, "stride": 2}, {"activation": "relu"}])
    model = heads.join(backbone, heads.head(8, 3))
    pictures = RNG_PICTURES.astype(np.float32)
    validation = Batches(Held(RNG_PICTURES), np.arange(24), TARGETS[:24], np.ones(24, np.float32))
    schedule = Schedule(12, 3, 10, 3e-2, patience=12, weight_decay=1e-2)
    history = training.fit_network(model, batches(), validation, schedule, heads.cross_entropy(), "scratch")
    assert history[0]["phase"] == "scratch"
    assert (np.argmax(model(pictures), axis=1) == LABELS[:24]).mean() > 0.9
