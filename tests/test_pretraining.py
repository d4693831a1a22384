import keras
import numpy as np
import pytest

import transfer
from transfer.errors import DataError, OptionError, WeightsError
from transfer.networks import backbones, distillation, pretraining
from transfer.networks.pretraining import Phase, Pretraining, pretrain
from transfer.networks.quick_layers import quick, quick_copy

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 24)
PIXELS = (RNG.integers(0, 60, (24, 32, 32, 3)) + 150 * LABELS[:, None, None, None]).astype(np.uint8)
ANSWERS = np.eye(5, dtype=np.float16)[LABELS] * 0.9 + 0.02
PHASES = (Phase(1, 16), Phase(1, 32))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A narrow network and small batches."""
    rows = [{"conv": 8, "stride": 2, "bias": False}, {"normalise": "batch"}, {"activation": "relu"}, {"pool": 2}]
    monkeypatch.setattr("transfer.networks.backbones.BUNDLED_LAYERS", rows)
    monkeypatch.setattr(pretraining, "TRAINED_LAYERS", rows)
    monkeypatch.setattr(pretraining, "BATCH", 8)


def run(folder, phases=PHASES, teacher_answers=None, checkpoint_seconds=120, **options):
    said, recipe = [], Pretraining(phases, dtype="float32", **options)
    model = pretrain(PIXELS, LABELS, folder, recipe, teacher_answers, checkpoint_seconds, said.append)
    return model, said


def loss_of(model):
    one_hot = np.eye(2, dtype=np.float32)[LABELS]
    return float(
        np.mean(keras.losses.categorical_crossentropy(one_hot, model(PIXELS, training=True), from_logits=True))
    )


@pytest.mark.parametrize("answers", [None, ANSWERS], ids=["labels", "teacher"])
def test_it_learns(tmp_path, answers):
    model, said = run(tmp_path, (Phase(16, 16),), teacher_answers=answers, learning_rate=1e-2)
    assert model.output_shape == (None, 2)
    assert "step 48/48  16 px" in said[-1]
    assert loss_of(model) < 0.4
    assert model(PIXELS[:, :20, :20].astype(np.float32)).shape == (24, 2)
    backbone = pretraining.without_classifier(model)
    features = keras.Model(model.input, model.get_layer("features").output)
    np.testing.assert_allclose(backbone(PIXELS), features(PIXELS), rtol=1e-4, atol=1e-5)


def test_fewer_pictures_than_a_batch_are_refused(tmp_path):
    with pytest.raises(DataError, match="7 pictures; pretraining takes 8 or more"):
        pretrain(PIXELS[:7], LABELS[:7], tmp_path, Pretraining(PHASES))
    assert not list(tmp_path.iterdir())


class Stop(Exception):
    pass


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    whole, _ = run(tmp_path / "whole", teacher_answers=ANSWERS)
    original = pretraining._save

    def save_and_stop(model, path, step, schedule):
        original(model, path, step, schedule)
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
    for phases, answers in [((Phase(1, 16), Phase(1, 32)), None), ((Phase(2, 16),), ANSWERS)]:
        with pytest.raises(WeightsError, match=r"checkpoint\.npz is the checkpoint of another"):
            run(tmp_path, phases, teacher_answers=answers)
    (tmp_path / "checkpoint.npz").write_bytes(b"garbage " * 20)
    with pytest.raises(WeightsError, match=r"checkpoint\.npz is no checkpoint"):
        run(tmp_path)


def test_the_policy_of_keras_is_left_as_it_was(tmp_path):
    before = keras.config.dtype_policy().name
    pretrain(PIXELS[:8], LABELS[:8], tmp_path, Pretraining((Phase(1, 16),)), log=str)
    assert keras.config.dtype_policy().name == before


def test_soften():
    inputs = keras.Input((4, 4, 3))
    teacher = keras.Model(inputs, keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(inputs)))
    batches = [RNG.uniform(0, 5, (number, 4, 4, 3)).astype(np.float32) for number in (3, 2)]
    soft = distillation.soften(teacher, iter(batches))
    assert soft.shape == (5, 3)
    assert soft.dtype == np.float16
    np.testing.assert_allclose(soft.sum(axis=1, dtype=np.float32), 1, atol=2e-3)
    sharp = np.concatenate([teacher(batch) for batch in batches])
    roots = np.sqrt(sharp)  # temperature 2
    np.testing.assert_allclose(soft, roots / roots.sum(axis=1, keepdims=True), atol=2e-3)


def test_what_is_shipped_is_the_lower_part_of_what_is_trained(monkeypatch):
    monkeypatch.undo()
    shipped, trained = (backbones.bundled_network(None, rows) for rows in (None, pretraining.TRAINED_LAYERS))
    shapes = [[weight.shape for weight in network.get_weights()] for network in (shipped, trained)]
    assert shapes[0] == shapes[1][: len(shapes[0])]
    cut = pretraining.without_classifier(keras.Model(trained.input, trained.output))
    lowest = slice(0, 64)  # the features of the first tap, which both have
    np.testing.assert_allclose(cut(PIXELS)[:, lowest], trained(PIXELS)[:, lowest], rtol=1e-4)


def test_other_layers(tmp_path):
    layers = [{"conv": 4}, {"activation": "relu"}, {"tap": "average"}, {"residual": 8, "stride": 2}]
    model, _ = run(tmp_path, layers=layers)
    assert pretraining.without_classifier(model, layers).output_shape == (None, 12)


def test_top_1(digits_folder):
    images = transfer.load_images(digits_folder)
    inputs = keras.Input((8, 8, 3))
    always_1 = keras.layers.Dense(len(images.class_names), kernel_initializer="zeros", name="labels")
    classifier = keras.Model(inputs, always_1(keras.layers.Flatten()(inputs)))
    always_1.bias.assign(np.eye(len(images.class_names))[1])
    assert pretraining.top_1(classifier, images, 8) == np.mean(images.labels == 1)


def test_answers_are_computed_once(digits_folder, tmp_path, monkeypatch):
    images, asked = transfer.load_images(digits_folder), []

    def teacher(weights):
        asked.append(weights)
        inputs = keras.Input((128, 128, 3))
        return keras.Model(inputs, keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(inputs)))

    monkeypatch.setattr(distillation, "imagenet_teacher", teacher)
    path = tmp_path / "pretraining" / "teacher.npz"
    first = distillation.kept_answers(path, "weights.h5", images)
    assert first.shape == (len(images), 3)
    np.testing.assert_array_equal(distillation.kept_answers(path, "weights.h5", images), first)
    assert asked == ["weights.h5"]
    path.write_bytes(b"garbage")
    with pytest.raises(WeightsError, match=r"teacher\.npz holds no answers"):
        distillation.kept_answers(path, "weights.h5", images)
    np.savez(path, answers=first, digest="another")
    with pytest.raises(WeightsError, match=r"teacher\.npz holds the answers to other pictures"):
        distillation.kept_answers(path, "weights.h5", images)


def test_phases():
    assert pretraining.read_phases("6x32,10x48") == [Phase(6, 32), Phase(10, 48)]
    for text in ("", "6", "6x", "ax32", "6x32x2"):
        with pytest.raises(OptionError, match="expected EPOCHSxPIXELS"):
            pretraining.read_phases(text)


def test_a_quick_copy_answers_and_freezes_alike():
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(256, 3, activation="relu")(inputs)  # valid: not one of the quick ones
    x = keras.layers.BatchNormalization(scale=False)(x)
    x = keras.layers.Conv2D(256, 3, padding="same", activation="relu")(x)
    inner = keras.Model(inputs, keras.layers.BatchNormalization()(x))
    inner.layers[-1].trainable = False
    outputs = keras.layers.BatchNormalization()(keras.layers.GlobalAveragePooling2D()(inner(inputs)))
    model = keras.Model(inputs, outputs)
    copy = quick_copy(model)
    kinds = [type(layer).__name__ for layer in copy.layers[1].layers]
    assert kinds == ["InputLayer", "Conv2D", "BatchNormalization", "_Convolution", "_Normalisation"]
    batch = PIXELS[:4, :6, :6].astype(np.float32)
    for training in (False, True):
        np.testing.assert_allclose(
            copy(batch, training=training), model(batch, training=training), rtol=1e-4, atol=1e-4
        )
    assert [w.shape for w in copy.trainable_weights] == [w.shape for w in model.trainable_weights]
    for a, b in zip(copy.get_weights(), model.get_weights()):  # moving statistics too
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_quick_layers_do_the_same():
    plain = pretraining.bundled_network(None, [{"conv": 256, "bias": False}, {"residual": 256}])
    faster = keras.models.clone_model(plain, clone_function=quick)
    faster.set_weights(plain.get_weights())
    kinds = [type(layer).__name__ for layer in faster.layers]
    assert kinds.count("_Convolution") == 3
    assert kinds.count("_Normalisation") == 2
    gradients = []
    for network in (plain, faster):
        network.compile("sgd", "mse", jit_compile=False)
        before = network.get_weights()
        network.train_on_batch(PIXELS[:4, :6, :6].astype(np.float32), np.ones((4, 256), np.float32))
        gradients.append([after - old for after, old in zip(network.get_weights(), before)])
    for a, b in zip(*gradients):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)
