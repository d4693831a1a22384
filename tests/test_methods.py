import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import transfer
from transfer import names, quiet

quiet.import_tensorflow()

import keras  # noqa: E402
from keras import layers as kl  # noqa: E402
from scipy.special import log_softmax  # noqa: E402

from transfer.data import pipeline  # noqa: E402
from transfer.errors import (  # noqa: E402
    DataError,
    ModelFileError,
    OptionError,
    PictureError,
    TrainingError,
    UnknownNameError,
    WeightsError,
)
from transfer.learning import interpolation, methods, training, watching  # noqa: E402
from transfer.learning.backbone_argument import asked_for, resolve_backbone  # noqa: E402
from transfer.learning.options import TrainingOptions  # noqa: E402
from transfer.networks.fingerprints import fingerprint  # noqa: E402
from transfer.runs import records  # noqa: E402

SMALL = [{"conv": 4}, {"activation": "relu"}, {"pool": 4}]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    return transfer.load_backbone("bundled", image_size=32), str(tmp_path_factory.mktemp("features"))


@pytest.fixture
def backbone(bundled, monkeypatch):
    """The bundled network, through which all tests together send each picture once."""
    monkeypatch.setenv("TRANSFER_CACHE", bundled[1])
    return bundled[0]


def weights_of(model):
    return [weight.copy() for weight in model.get_weights()]


@pytest.mark.parametrize("head", ["linear", "mlp", "svm"])
def test_frozen_learns_and_leaves_the_backbone_as_it_was(digits, backbone, head):
    before = weights_of(backbone)
    result = transfer.train(*digits, backbone, head=head, hidden=[32])
    assert result.metrics["accuracy"] > 0.8
    assert all(np.array_equal(a, b) for a, b in zip(before, backbone.get_weights()))
    probabilities = result.predictions.probabilities
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert result.parameters()["trainable"] < result.parameters()["total"]


def test_an_mlp_of_few_pictures_is_about_as_good_as_a_linear_head(digits, backbone):
    images, split = digits
    few = transfer.limit_training(split, images.labels, 4)
    linear, mlp = (transfer.train(images, few, backbone, head=head, seed=1) for head in ("linear", "mlp"))
    assert mlp.metrics["accuracy"] > linear.metrics["accuracy"] - 0.08


def test_epochs_do_not_stop_a_head_that_is_solved_before_its_optimum(digits, backbone):
    bounded, whole = (transfer.train(*digits, backbone, epochs=epochs) for epochs in (1, None))
    assert bounded.history == whole.history


def test_frozen_leaves_the_given_network_as_trainable_as_it_was(digits):
    own = transfer.convnet(32, [{"conv": 4, "stride": 4}, {"normalise": "batch"}, {"conv": 4, "stride": 2}])
    own.layers[2].trainable = False
    before, trained = [layer.trainable for layer in own.layers], len(own.trainable_weights)
    result = transfer.train(*digits, own, epochs=1)
    assert ([layer.trainable for layer in own.layers], len(own.trainable_weights)) == (before, trained)
    head = sum(int(np.prod(weight.shape)) for weight in result.model.trainable_weights)
    assert result.parameters()["trainable"] == head == 4 * 3 + 3
    statistics = [weights_of(layer) for layer in result.model.layers if isinstance(layer, kl.BatchNormalization)]
    result.model.compile("sgd", "mse")
    result.model.fit(np.ones((4, 32, 32, 3)), np.ones((4, 3)), verbose=0)
    after = [layer.get_weights() for layer in result.model.layers if isinstance(layer, kl.BatchNormalization)]
    assert all(np.array_equal(a, b) for old, new in zip(statistics, after) for a, b in zip(old, new))
    transfer.freeze(own)
    assert own.layers[2] in transfer.train(*digits, own, epochs=1).model.layers  # nothing is copied


def test_the_model_answers_as_the_predictions_say(digits, backbone):
    images, split = digits
    result = transfer.train(images, split, backbone, seed=1)
    from transfer.data.pipeline import Pictures

    pixels = Pictures(images, 32).array(split.test).astype(np.float32)
    logits = np.asarray(result.model(pixels))
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    answered = exponents / exponents.sum(axis=1, keepdims=True)
    assert np.abs(answered - result.predictions.of("test")[1]).max() < 1e-4


def test_the_same_seed_repeats_the_figures_to_the_last_digit(digits, backbone):
    first, second = (transfer.train(*digits, backbone, seed=3) for _ in range(2))
    assert first.metrics == second.metrics
    assert np.array_equal(first.predictions.probabilities, second.predictions.probabilities)


def test_finetune_changes_the_top_and_keeps_batch_norm_and_the_given_backbone(digits, monkeypatch):
    block = [{"normalise": "batch"}, {"activation": "relu"}]
    backbone = transfer.convnet(32, [{"conv": 4, "stride": 2}, *block, {"conv": 8, "stride": 4}, *block])
    before = weights_of(backbone)
    monkeypatch.setattr(interpolation, "judge_between", lambda *_: interpolation.Judged({}, ""))  # all of it is kept
    result = transfer.train(*digits, backbone, "finetune", share=0.4, epochs=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, backbone.get_weights()))
    changed = {}
    for old, new in zip(backbone.layers, result.model.layers):
        if old.weights:
            same = all(np.array_equal(a, b) for a, b in zip(old.get_weights(), new.get_weights()))
            changed.setdefault(type(old).__name__, []).append(not same)
    assert not any(changed["BatchNormalization"])
    assert changed["Conv2D"][-1]
    assert not changed["Conv2D"][0]
    assert [row["phase"] for row in result.history].count("finetune") == 2


def test_scratch_trains_a_given_convnet_and_repeats(digits):
    convnet = transfer.convnet(32, [{"conv": 8}, {"normalise": "batch"}, {"activation": "relu"}, {"pool": 4}])
    first, second = (transfer.train(*digits, convnet, "scratch", epochs=3, seed=2) for _ in range(2))
    assert first.metrics == second.metrics
    assert first.history[-1]["loss"] < first.history[0]["loss"]


def test_refit_changes_the_network_and_leaves_the_validation_figures(digits, backbone):
    plain, again = (transfer.train(*digits, backbone, refit=refit) for refit in (False, True))
    assert plain.validation == again.validation
    assert not np.array_equal(plain.model.get_weights()[-1], again.model.get_weights()[-1])


def test_class_weights_and_smoothing_change_the_training(digits, backbone):
    plain = transfer.train(*digits, backbone)
    smoothed = transfer.train(*digits, backbone, label_smoothing=0.3)
    temperatures = [result.metrics["calibration"]["temperature"] for result in (smoothed, plain)]
    assert temperatures[0] < temperatures[1]  # smoothed targets make the head less sure
    balanced = transfer.train(*digits, backbone, class_weights="balanced")
    assert balanced.metrics["accuracy"] > 0.8


def balanced_loss_of_validation(result):
    """What the network, before its temperature, gives on average more than without weights."""
    indices, probabilities = result.predictions.of("validation")
    labels, temperature = result.images.labels[indices], result.metrics["calibration"]["temperature"]
    before = log_softmax(temperature * np.log(probabilities), axis=1)
    losses = -before[np.arange(len(labels)), labels]
    return np.mean([losses[labels == label].mean() for label in np.unique(labels)]) - losses.mean()


@pytest.mark.parametrize("method", ["frozen", "scratch"])
def test_class_weights_hold_for_the_loss_that_chooses_the_epoch_and_not_for_the_temperature(digits, method):
    images, split = digits
    rare = split.validation[images.labels[split.validation] == 0]
    split = transfer.limit_training(split.without(rare[1:]), images.labels, 6)
    options = dict(epochs=1, label_smoothing=0.0, refit=False)
    if method == "frozen":  # at its optimum, to which the way is another one
        options |= {"epochs": 300, "head_c": 0.01}
    network = transfer.convnet(32, SMALL)
    plain, balanced = (
        transfer.train(images, split, network, method, class_weights=weights, **options)
        for weights in (None, "balanced")
    )
    row, weighed = plain.history[-1], balanced.history[-1]
    assert weighed["loss"] == pytest.approx(row["loss"], rel=1e-4)  # as many training pictures of each class
    assert weighed["val_loss"] - row["val_loss"] == pytest.approx(balanced_loss_of_validation(balanced), rel=1e-3)
    for figure in ("temperature", "error_before"):
        assert balanced.metrics["calibration"][figure] == pytest.approx(plain.metrics["calibration"][figure], rel=1e-4)


@pytest.fixture
def decoded(monkeypatch):
    """`files` that were decoded, and `damaged` ones that cannot be."""
    read = pipeline.read_fitted

    decoded = SimpleNamespace(files=[], damaged=set())

    def reads(path, *digest):
        decoded.files.append(path)
        if path in decoded.damaged:
            raise PictureError("is cut short or damaged")
        return read(path, *digest)

    monkeypatch.setattr(pipeline, "read_fitted", reads)
    return decoded


def test_a_picture_that_cannot_be_decoded_is_left_out_and_named(digits, decoded):
    images, split = digits
    decoded.damaged = {images.paths[split.train[0]]}
    result = transfer.train(images, split, transfer.convnet(32, SMALL))
    assert split.train[0] not in result.split.train
    assert any(images.names[split.train[0]] in note for note in result.notes)


def test_one_of_the_test_part_is_as_if_left_out_from_the_start(digits, decoded, monkeypatch):
    images, split = digits
    decoded.damaged = {images.paths[split.test[0]]}
    fitted, fit = [], training.fit_network
    monkeypatch.setattr(training, "fit_network", lambda *given: fitted.append(given[1].batch_size) or fit(*given))
    network, parts = transfer.convnet(32, SMALL), (split, split.without(split.test[:1]))
    found, known = (transfer.train(images, part, network, "scratch", epochs=1, batch_size=5) for part in parts)
    assert found.metrics == known.metrics
    assert fitted == [5, 5]


def test_a_class_of_which_no_training_picture_can_be_decoded_is_refused(digits, decoded):
    images, split = digits
    split = transfer.limit_training(split, images.labels, 1)
    decoded.damaged = {images.paths[split.train[1]]}
    with pytest.raises(DataError, match=r"could not be decoded.* no other training picture of class '1'"):
        transfer.train(images, split, transfer.convnet(32, SMALL))


@pytest.fixture
def vanishing(digits_folder, tmp_path, monkeypatch):
    """(images, split, function): the files at the positions it takes vanish after an epoch, and no pixel is kept."""
    shutil.copytree(digits_folder, tmp_path, dirs_exist_ok=True)
    images, seen = transfer.load_images(tmp_path), watching.Watch.on_epoch_end
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    monkeypatch.setattr(pipeline, "PAUSE", 0)
    monkeypatch.setattr(pipeline.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    def delete(positions):
        def ends(self, epoch, logs=None):
            for position in positions:
                images.paths[position].unlink(missing_ok=True)
            seen(self, epoch, logs)

        monkeypatch.setattr(watching.Watch, "on_epoch_end", ends)

    return images, transfer.split(images), delete


def test_files_that_vanish_while_a_network_is_fitted_are_named_and_left_out(vanishing):
    images, split, delete = vanishing
    gone = [part[0] for part in split.parts().values()]
    delete(gone)
    network = transfer.convnet(32, SMALL)
    result = transfer.train(images, split, network, "scratch", epochs=3, batch_size=1 + len(split.train) // 2)
    assert len(result.history) == 3
    assert all(np.isfinite(row["loss"]) and np.isfinite(row["val_loss"]) for row in result.history)
    for position in gone:
        assert any(f"{images.names[position]} does not exist" in note for note in result.notes)
    assert set(result.predictions.indices) == {*split.validation[1:], *split.test[1:]}
    assert gone[0] in result.split.train  # an epoch has seen it


def test_a_disk_that_goes_away_while_a_network_is_fitted_ends_the_training(vanishing):
    images, split, delete = vanishing
    delete(range(0, len(images), 2))
    with pytest.raises(DataError, match=r"\d\d of 90 pictures are gone since they were listed"):
        transfer.train(images, split, transfer.convnet(32, SMALL), "scratch", epochs=3)


def test_folds_decode_each_picture_once(digits, decoded):
    images, split = digits
    splits = [transfer.limit_training(split, images.labels, 4, seed) for seed in (0, 1)]
    options = dict(layers=SMALL, image_size=32, epochs=1, fit="pad")
    transfer.cross_validate(images, splits, None, "scratch", **options)
    assert len(decoded.files) == len(set(decoded.files)) > 0


def test_a_training_that_was_stopped_by_hand_says_so(digits, monkeypatch):
    seen = watching.Watch.on_epoch_end

    def stops(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        seen(self, epoch, logs)

    monkeypatch.setattr(watching.Watch, "on_epoch_end", stops)
    result = transfer.train(*digits, transfer.convnet(32, SMALL), "scratch", epochs=5)
    assert result.stopped_by_hand
    assert records.figures(result)["notes"][-1] == "scratch was stopped by hand after 2 epochs"


def test_folds_of_a_network_from_scratch_repeat(digits):
    images, split = digits
    splits, rows = [transfer.limit_training(split, images.labels, 4)], []
    for state in (5, 6):
        keras.utils.set_random_seed(state)
        rows += transfer.cross_validate(images, splits, None, "scratch", layers=SMALL, image_size=32, epochs=1).rows
    assert rows[0] == rows[1]


def test_a_file_brings_its_own_weights(digits, tmp_path, monkeypatch):
    path = str(tmp_path / "own.keras")
    transfer.convnet(32, SMALL).save(path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"own\.keras brings its own weights; leave `weights` away"):
        transfer.load_backbone(path, weights="none")
    for method in names.METHODS:
        network, said = resolve_backbone("own.keras", method, *digits, TrainingOptions())
        assert said == {
            "backbone": path,
            "weights": "as given",
            "features": "last",
            "fingerprint": fingerprint(network),
        }
    assert resolve_backbone("bundled", "scratch", *digits, TrainingOptions())[1]["weights"] == "none"


@pytest.mark.parametrize(
    ("backbone", "weights", "asked"),
    [
        ("bundled", "bundled", ("bundled", "bundled", "last")),
        ("mobilenet_v2", "/w.h5", ("mobilenet_v2", "/w.h5", "last")),
        ("/own.keras", "as given", ("/own.keras", None, "last")),
        ("bundled", "as given", None),  # a network of Python, whatever its name
    ],
)
def test_what_a_run_asked_for(backbone, weights, asked):
    assert asked_for({"backbone": backbone, "weights": weights}) == asked
    if asked is not None:  # written down by default since there are others than the last
        said = {"backbone": backbone, "weights": weights, "features": "stages"}
        assert asked_for(said) == (*asked[:2], "stages")
    assert asked_for({"backbone": backbone, "weights": weights, "layers": SMALL}) is None


def network(outputs, shape=(32, 32, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, outputs(inputs))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: network(kl.GlobalMaxPooling2D(), (None, None, 3)), r"None, None, 3\).*input_shape=\(S, S, 3\)"),
        (lambda: network(kl.GlobalMaxPooling2D(), (32, 16, 3)), r"\(None, 32, 16, 3\)"),
        (lambda: network(kl.GlobalMaxPooling2D(), (32, 32, 1)), r"\(None, 32, 32, 1\)"),
        (lambda: network(kl.Conv2D(2, 3)), r'\(None, 30, 30, 2\).*pooling="avg"'),
        (lambda: network(lambda x: [kl.Flatten()(x), kl.Flatten()(x)]), r"gives \[\(None"),
        (lambda: keras.Sequential([kl.Flatten()]), "takes None"),
    ],
)  # fmt: skip
def test_a_network_that_is_no_backbone_is_refused(digits, given, said):
    with pytest.raises(ModelFileError, match=said) as raised:
        transfer.train(*digits, given())
    assert "\n" not in str(raised.value)


def test_a_network_whose_layers_have_the_names_of_a_head_gets_one(digits):
    x = inputs = keras.Input((32, 32, 3), name="pictures")
    for layer in (kl.AveragePooling2D(8), kl.Flatten(name="standardise"), kl.Dense(4, name="logits")):
        x = layer(x)
    result = transfer.train(*digits, keras.Model(inputs, x), epochs=1)
    assert [layer.name for layer in result.model.layers][-2:] == ["head_standardise", "head_logits"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weights": "none"}, "weights none beside a network"),
        ({"image_size": 64}, "image_size of 64 .* 32 pixels"),
        ({"layers": SMALL, "method": "scratch"}, "layers beside a backbone"),
        ({"backbone": None, "layers": SMALL}, "layers beside a backbone"),
    ],
)
def test_what_would_be_ignored_beside_a_network_is_refused(digits, options, said):
    with pytest.raises(OptionError, match=said):
        transfer.train(*digits, **{"backbone": transfer.convnet(32, SMALL)} | options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"method": "frosen"}, UnknownNameError),
        ({"head": "liner"}, UnknownNameError),
        ({"activation": "rely"}, UnknownNameError),
        ({"fit": "crob"}, UnknownNameError),
        ({"class_weights": "equal"}, UnknownNameError),
        ({"method": "finetune", "share": 0.0}, OptionError),
        ({"dropout": 1.5}, OptionError),
        ({"head": "mlp", "dropout": "0.3"}, OptionError),
        ({"head": "mlp", "hidden": 256}, OptionError),
        ({"image_size": "96"}, OptionError),
        ({"hidden": [0]}, OptionError),
        ({"epochs": 0}, OptionError),
        ({"batch_size": 0}, OptionError),
        ({"epochs": 2.5}, OptionError),
        ({"seed": -1}, OptionError),
        ({"image_size": 0}, OptionError),
        ({"label_smoothing": 5}, OptionError),
        ({"learning_rate": float("nan")}, OptionError),
    ],
)
def test_wrong_options_are_refused_before_any_work(digits, options, error, monkeypatch):
    monkeypatch.setattr(methods, "resolve_backbone", None)
    with pytest.raises(error, match=r"expected|did you mean") as raised:
        transfer.train(*digits, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("many", [transfer.compare, transfer.learning_curve, transfer.choose_backbone])
def test_wrong_seeds_are_refused_everywhere(digits, many):
    with pytest.raises(OptionError, match="`seed=-1`"):
        many(*digits, seed=-1)


def test_a_rate_that_breaks_the_training(digits, backbone):
    with pytest.raises(TrainingError, match="lower `learning_rate`"):
        transfer.train(*digits, backbone, learning_rate=1e30, head="svm")
