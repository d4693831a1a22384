"""What is kept of fine-tuning: never what answers worse for validation pictures than the frozen network."""

import numpy as np
import pytest

import transfer
from transfer import settings
from transfer.learning import methods, training, watching
from transfer.learning.fit_states import PARTS, FitState
from transfer.learning.interpolation import ALPHAS
from transfer.networks import scratch

LAYERS = [{"conv": 8}, {"activation": "relu"}, {"pool": 4}, {"flatten": True}, {"dense": 12}, {"activation": "tanh"}]


@pytest.fixture(scope="module")
def backbone():
    import keras

    keras.utils.set_random_seed(1)
    return scratch.convnet(32, LAYERS)


def kernels(model):
    return [weights for weights in model.get_weights() if weights.ndim == 4]


def test_a_fine_tuning_that_does_harm_is_not_kept(digits, backbone):
    frozen = transfer.train(*digits, backbone, "frozen")
    ruined = transfer.train(*digits, backbone, "finetune", learning_rate=1.0, epochs=1, share=1.0)
    (note,) = [note for note in ruined.notes if "fine-tuning did not lower the log loss" in note]
    assert note.startswith("the frozen network is kept: ")
    assert all(map(np.array_equal, kernels(ruined.model), kernels(backbone)))
    np.testing.assert_allclose(ruined.predictions.probabilities, frozen.predictions.probabilities, atol=1e-5)
    assert ruined.parameters() == frozen.parameters()  # of what is kept, training changed the head alone


def test_one_that_helps_is_kept_in_part_or_whole(digits, backbone):
    tuned = transfer.train(*digits, backbone, "finetune", learning_rate=3e-3, epochs=6, share=1.0)
    (note,) = [note for note in tuned.notes if "of fine-tuning is kept: log loss" in note]
    assert float(note.split("%")[0]) / 100 in ALPHAS[1:]
    assert not np.array_equal(kernels(tuned.model)[0], kernels(backbone)[0])
    indices, expected = tuned.predictions.of("test")
    from transfer.data.pipeline import Pictures

    pixels = Pictures(digits[0], 32).array(indices).astype(np.float32)
    logits = np.array(tuned.model(pixels, training=False))
    assert np.array_equal(logits.argmax(axis=1), expected.argmax(axis=1))


def test_without_validation_pictures_all_of_it_is_kept(digits, backbone):
    images, split = digits
    alone = split.without(split.validation)
    result = transfer.train(images, alone, backbone, "finetune", epochs=1)
    assert "all of fine-tuning is kept, for there are no validation pictures to judge it by" in result.notes


def test_few_validation_pictures_are_helped_by_folds(digits, backbone, monkeypatch):
    images, split = digits
    monkeypatch.setattr(settings, "LEAST_TO_JUDGE", len(split.validation) + 1)
    result = transfer.train(images, split, backbone, "finetune", learning_rate=3e-3, epochs=2)
    both = len(split.train) + len(split.validation)
    (note,) = [note for note in result.notes if f"on {both} pictures that 3 folds held out in turn" in note]
    assert "fine-tuning" in note
    assert [row["phase"] for row in result.history if row["phase"] != "head"] == ["finetune"] * 2  # no row of a fold
    assert result.predictions.of("validation")[0].tolist() == split.validation.tolist()


def test_a_fold_that_was_stopped_by_hand_is_told_and_the_result_counts_as_stopped(digits, backbone, monkeypatch):
    images, split = digits
    monkeypatch.setattr(settings, "LEAST_TO_JUDGE", len(split.validation) + 1)
    seen, epochs = watching.Watch.on_epoch_end, []

    def stops(self, epoch, logs=None):
        epochs.append(epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt
        seen(self, epoch, logs)

    monkeypatch.setattr(watching.Watch, "on_epoch_end", stops)
    result = transfer.train(images, split, backbone, "finetune", epochs=2, learning_rate=3e-3)
    assert result.stopped_by_hand
    assert "finetune, fold 1 was stopped by hand after 1 epochs" in result.notes
    assert not any("stopped_by_hand" in row for row in result.history)


@pytest.fixture
def ruined(monkeypatch):
    """The phases that were fitted, each of which leaves nothing of what a network has learned before."""
    phases = []

    def fit(model, batches, validation, schedule, loss, phase, kept):
        noise, rows = np.random.default_rng(0), [{"epoch": 1, "loss": 9.0}]
        model.set_weights([noise.normal(0, 10, weight.shape) for weight in model.get_weights()])
        kept.keep(FitState(schedule, rows, True, {}, {part: [] for part in PARTS}), True)
        phases.append(phase)
        return [{"phase": phase, **row} for row in rows]

    monkeypatch.setattr(training, "fit_network", fit)
    return phases


def test_where_folds_prefer_the_frozen_network_nothing_is_tuned_on_all_pictures(digits, backbone, ruined, monkeypatch):
    images, split = digits
    frozen = transfer.train(images, split, backbone, "frozen")
    monkeypatch.setattr(settings, "LEAST_TO_JUDGE", len(split.validation) + 1)
    result = transfer.train(images, split, backbone, "finetune")
    assert ruined == [f"finetune, fold {number}" for number in (1, 2, 3)]
    (note,) = [note for note in result.notes if note.startswith("the frozen network is kept: ")]
    assert "3 folds held out in turn" in note
    assert all(map(np.array_equal, result.model.get_weights(), frozen.model.get_weights()))
    assert np.array_equal(result.predictions.probabilities, frozen.predictions.probabilities)
    assert (result.history, result.parameters()) == (frozen.history, frozen.parameters())
    assert "folds" in result.seconds
    assert "finetune" not in result.seconds


def test_folds_that_were_done_before_a_kill_are_from_the_cache(digits, backbone, ruined, monkeypatch):
    images, split = digits
    monkeypatch.setattr(settings, "LEAST_TO_JUDGE", len(split.validation) + 1)
    with monkeypatch.context() as killed:
        killed.setattr(methods, "judge", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            transfer.train(images, split, backbone, "finetune")
    result = transfer.train(images, split, backbone, "finetune")
    assert set(result.cached) == {"folds", "features"}
    assert "the folds of finetune went on where they had been broken off" in result.notes


def test_the_rate_is_of_fine_tuning_and_not_of_the_head_before(digits, backbone, monkeypatch):
    monkeypatch.setattr(training, "fit_network", lambda *given: [])
    usual, slow = (
        transfer.train(*digits, backbone, "finetune", head="svm", epochs=1, learning_rate=rate) for rate in (None, 1e-9)
    )
    first, second = ([row for row in result.history if row["phase"] == "head"] for result in (usual, slow))
    assert first == second
    assert len(first) > 1
