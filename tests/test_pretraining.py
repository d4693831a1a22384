import keras
import numpy as np
import pytest

from transfer.errors import WeightsError
from transfer.networks import pretraining
from transfer.networks.pretraining import Phase, pretrain

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 24)
PIXELS = (RNG.integers(0, 60, (24, 32, 32, 3)) + 150 * LABELS[:, None, None, None]).astype(np.uint8)
ANSWERS = np.eye(5, dtype=np.float16)[LABELS] * 0.9 + 0.02
PHASES = (Phase(1, 16), Phase(1, 32))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A narrow network and small batches."""
    rows = [{"conv": 8, "stride": 2, "bias": False}, {"normalise": "batch"}, {"activation": "relu"}]
    monkeypatch.setattr("transfer.networks.backbones.BUNDLED_LAYERS", [*rows, {"pool": 2}, {"residual": 8}])
    monkeypatch.setattr(pretraining, "BATCH", 8)


def run(folder, phases=PHASES, **options):
    said = []
    model = pretrain(PIXELS, LABELS, folder, phases, dtype="float32", log=said.append, **options)
    return model, said


def loss_of(model):
    one_hot = np.eye(2, dtype=np.float32)[LABELS]
    return float(
        np.mean(keras.losses.categorical_crossentropy(one_hot, model(PIXELS, training=True), from_logits=True))
    )


@pytest.mark.parametrize("answers", [None, ANSWERS], ids=["labels", "teacher"])
def test_it_learns(tmp_path, answers):
    model, said = run(tmp_path, (Phase(10, 16),), teacher_answers=answers, learning_rate=1e-2)
    assert model.output_shape == (None, 2)
    assert "step 30/30  16 px" in said[-1]
    assert loss_of(model) < 0.4
    assert model(PIXELS[:, :20, :20].astype(np.float32)).shape == (24, 2)
    backbone = pretraining.without_classifier(model)
    features = keras.Model(model.input, model.get_layer("features").output)
    np.testing.assert_allclose(backbone(PIXELS), features(PIXELS), rtol=1e-4, atol=1e-5)


class Stop(Exception):
    pass


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    whole, _ = run(tmp_path / "whole", teacher_answers=ANSWERS)
    original = pretraining._save

    def save_and_stop(model, path, step, steps):
        original(model, path, step, steps)
        if step == 4:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "_save", save_and_stop)
        with pytest.raises(Stop):
            run(tmp_path / "parts", teacher_answers=ANSWERS, checkpoint_seconds=-1)
    resumed, _ = run(tmp_path / "parts", teacher_answers=ANSWERS)
    for a, b in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    again, said = run(tmp_path / "parts", teacher_answers=ANSWERS)
    assert said == []
    assert all((a == b).all() for a, b in zip(resumed.get_weights(), again.get_weights()))
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["checkpoint.npz"]


def test_a_checkpoint_that_does_not_fit(tmp_path):
    run(tmp_path, (Phase(2, 16),))
    for phases, answers in [((Phase(3, 16),), None), ((Phase(2, 16),), ANSWERS)]:
        with pytest.raises(WeightsError, match=r"checkpoint\.npz is the checkpoint of another"):
            run(tmp_path, phases, teacher_answers=answers)
    (tmp_path / "checkpoint.npz").write_bytes(b"garbage " * 20)
    with pytest.raises(WeightsError, match=r"checkpoint\.npz is no checkpoint"):
        run(tmp_path)


def test_the_policy_of_keras_is_left_as_it_was(tmp_path):
    before = keras.config.dtype_policy().name
    pretrain(PIXELS[:8], LABELS[:8], tmp_path, (Phase(1, 16),), log=str)
    assert keras.config.dtype_policy().name == before


def test_soften():
    inputs = keras.Input((4, 4, 3))
    teacher = keras.Model(inputs, keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(inputs)))
    batches = [RNG.uniform(0, 5, (number, 4, 4, 3)).astype(np.float32) for number in (3, 2)]
    soft = pretraining.soften(teacher, iter(batches))
    assert soft.shape == (5, 3)
    assert soft.dtype == np.float16
    np.testing.assert_allclose(soft.sum(axis=1, dtype=np.float32), 1, atol=2e-3)
    sharp = np.concatenate([teacher(batch) for batch in batches])
    roots = np.sqrt(sharp)  # temperature 2
    np.testing.assert_allclose(soft, roots / roots.sum(axis=1, keepdims=True), atol=2e-3)


def test_the_quick_convolution_is_the_plain_one(monkeypatch):
    rows = [{"conv": 256, "bias": False}, {"residual": 256}]
    monkeypatch.setattr("transfer.networks.backbones.BUNDLED_LAYERS", rows)
    plain = pretraining.bundled_network(None)
    quick = keras.models.clone_model(plain, clone_function=pretraining._quick)
    quick.set_weights(plain.get_weights())
    assert [type(layer).__name__ for layer in quick.layers].count("_Convolution") == 3
    gradients = []
    for network in (plain, quick):
        network.compile("sgd", "mse", jit_compile=False)
        before = network.get_weights()
        network.train_on_batch(PIXELS[:4, :6, :6].astype(np.float32), np.ones((4, 256), np.float32))
        gradients.append([after - old for after, old in zip(network.get_weights(), before)])
    for a, b in zip(*gradients):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)
