import inspect
import urllib.error
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as kl

from transfer.errors import ImageSizeError, ModelFileError, UnknownNameError, WeightsError
from transfer.networks import backbones, features, freezing, heads, model_files, scratch, weight_files
from transfer.networks.preprocessing import PREPROCESSING
from transfer.pretrained import architectures, backbone_table
from transfer.pretrained.architectures import ARCHITECTURES

RNG = np.random.default_rng(0)
KERAS = [name for name, row in ARCHITECTURES.items() if row.package is None]
QUICK = ("efficientnet_v2_b0", "mobilenet_v2", "mobilenet_v3_small")
EVERY = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ARCHITECTURES]


def pictures(size, number=2):
    return RNG.integers(0, 256, (number, size, size, 3)).astype(np.float32)


def same(before, after):
    return len(before) == len(after) and all(np.array_equal(a, b) for a, b in zip(before, after))


def one_step(backbone):
    model = heads.join(backbone, heads.head(backbone.output_shape[-1], 2))
    model.compile(keras.optimizers.SGD(1.0), loss="mse", run_eagerly=True)  # quicker than building the graph
    model.train_on_batch(pictures(backbone.input_shape[1]), np.ones((2, 2), np.float32))


def batch_norms(model):
    return [layer for layer in model.layers if isinstance(layer, kl.BatchNormalization)]


def values(layers):
    return [weight.copy() for layer in layers for weight in layer.get_weights()]


# The table.


def test_the_table_holds_all_constructors():
    functions = inspect.getmembers(keras.applications, inspect.isfunction)
    assert sorted(ARCHITECTURES[name].constructor for name in KERAS) == sorted(name for name, _ in functions)
    assert (len(KERAS), len(ARCHITECTURES)) == (40, 43)


@pytest.mark.parametrize("name", EVERY)
def test_a_row_of_the_table(name):
    row = ARCHITECTURES[name]
    model = backbones.load_backbone(name, row.smallest, "none")
    assert model.input_shape == (None, row.smallest, row.smallest, 3)
    assert len(model.output_shape) == 2
    assert model(pictures(row.smallest)).shape == (2, model.output_shape[1])
    assert sum(int(np.prod(w.shape)) for w in model.weights) == pytest.approx(row.parameters, abs=10)

    still = values(batch_norms(model))
    freezing.unfreeze(model)
    before = model.get_weights()
    one_step(model)
    assert same(still, values(batch_norms(model)))
    assert not same(before, model.get_weights())

    freezing.freeze(model)
    before = model.get_weights()
    one_step(model)
    assert same(before, model.get_weights())
    assert not model.trainable_weights

    if still:
        freezing.unfreeze(model, batch_norm=True)
        one_step(model)
        assert not same(still, values(batch_norms(model)))


@pytest.mark.parametrize("name", KERAS)
def test_preprocessing_is_that_of_the_network(name):
    row = ARCHITECTURES[name]
    raw = pictures(8)
    module = inspect.getmodule(inspect.unwrap(getattr(keras.applications, row.constructor)))
    expected = module.preprocess_input(raw.copy())
    inputs = keras.Input((8, 8, 3))
    found = raw if row.preprocessing == "none" else keras.Model(inputs, PREPROCESSING[row.preprocessing](inputs))(raw)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "share", "opened"),
    [("mobilenet_v2", 0.0, 0), ("mobilenet_v2", 0.001, 1), ("mobilenet_v2", 0.5, 26), ("mobilenet_v2", 1.0, 52)],
)
def test_a_share_is_opened_from_the_top(name, share, opened):
    model = backbones.load_backbone(name, 32, "none")
    freezing.unfreeze(model, share)
    weighted = [layer for layer in model.layers if layer.weights and not isinstance(layer, kl.BatchNormalization)]
    assert [layer.trainable for layer in weighted] == [False] * (52 - opened) + [True] * opened


def test_batch_norm_below_the_opened_part_stays():
    model = backbones.bundled_network(32)
    freezing.unfreeze(model, 0.5, batch_norm=True)
    trainable = [layer.trainable for layer in batch_norms(model)]
    assert trainable[0] is False
    assert trainable[-1] is True
    assert trainable == sorted(trainable)


# The bundled network.


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A weights file of random numbers in the place of the shipped one."""
    (tmp_path / "weights").mkdir()
    model = backbones.bundled_network(None)
    path = tmp_path / "weights" / backbones.BUNDLED_FILE
    monkeypatch.setattr(backbones, "BUNDLED_DIGEST", weight_files.save_half_precision(model, path))
    monkeypatch.setattr(backbones.resources, "files", lambda package: tmp_path)
    return path, model


def test_bundled(shipped):
    path, original = shipped
    model = backbones.load_backbone()
    assert model.input_shape == (None, backbone_table.BUNDLED_SIZE, backbone_table.BUNDLED_SIZE, 3)
    assert model.count_params() == backbone_table.BUNDLED_PARAMETERS
    for kept, given in zip(model.get_weights(), original.get_weights()):
        np.testing.assert_allclose(kept, given, rtol=1e-3, atol=1e-6)
    for other in (backbones.load_backbone(image_size=32), backbones.load_backbone("bundled", 40, str(path))):
        assert same(other.get_weights(), model.get_weights())
    assert not same(backbones.load_backbone(weights="none").get_weights(), model.get_weights())


@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: data[:500] + b"x" + data[501:]])
def test_damaged_bundled_weights(shipped, damage):
    shipped[0].write_bytes(damage(shipped[0].read_bytes()))
    with pytest.raises(WeightsError, match="damaged"):
        backbones.load_backbone()


def test_bundled_weights_that_are_not_there(shipped):
    shipped[0].unlink()
    with pytest.raises(WeightsError, match="install transfer again"):
        backbones.load_backbone()


def test_weights_file_of_a_user_for_the_bundled_network(tmp_path):
    path = tmp_path / "own.weights.h5"
    model = backbones.bundled_network(32)
    model.save_weights(path)
    assert same(backbones.load_backbone("bundled", 48, str(path)).get_weights(), model.get_weights())


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("mobilenetv2",), UnknownNameError, "did you mean mobilenet_v2"),
        (("nothing like it",), UnknownNameError, "expected one of bundled"),
        (("mobilenet_v2", 31, "none"), ImageSizeError, "from 32 pixels up"),
        (("xception", 70, "none"), ImageSizeError, "from 71 pixels up"),
        (("bundled", 16, "none"), ImageSizeError, "from 32 pixels up"),
        (("bundled", "96", "none"), ImageSizeError, "`image_size='96'`; expected a whole number"),
        (("own.keras", "96"), ImageSizeError, "`image_size='96'`; expected a whole number"),
        (("bundled", None, "imagenet"), WeightsError, "no ImageNet weights"),
        (("mobilenet_v2", 32, "missing.h5"), WeightsError, "no such file; expected imagenet, none or a weights file"),
        (("mobilenet_v2", 32, "bundled"), WeightsError, "expected imagenet, none"),
        (("bundled", 32, "missing.npz"), WeightsError, "no such file; expected bundled, none or a weights file"),
        (("missing.keras",), ModelFileError, "does not exist"),
    ],
    ids=str,
)
def test_bad_input(arguments, error, said):
    with pytest.raises(error, match=said) as caught:
        backbones.load_backbone(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "bundled"])
@pytest.mark.parametrize(
    "file", ["other.weights.h5", "other.keras", "garbage.h5", "garbage.npz", "empty.npz", "array.npz"]
)
def test_weights_of_another_architecture(tmp_path, name, file):
    path = tmp_path / file
    if file == "other.keras":
        scratch.convnet(32, [{"conv": 4}]).save(path)
    elif file.startswith("other"):
        scratch.convnet(32, [{"conv": 4}]).save_weights(path)
    elif file.startswith("array"):
        with path.open("wb") as stream:
            np.save(stream, np.zeros(3))
    else:
        path.write_bytes(b"" if file.startswith("empty") else b"garbage " * 50)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(WeightsError, match=file) as caught:
            backbones.load_backbone(name, 32, str(path))
    assert "\n" not in str(caught.value)
    assert not warned


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Keras without a network and with an empty cache."""

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "size", "file"),
    [
        ("mobilenet_v2", 128, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_128_no_top.h5"),
        ("mobilenet_v2", 64, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ("mobilenet_v3_small", 64, "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"),
        ("vgg16", 32, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("efficientnet_b0", 32, "efficientnetb0_notop.h5"),
        pytest.param("nasnet_mobile", 32, "nasnet_mobile_no_top.h5", marks=pytest.mark.slow),
    ],
)
def test_imagenet_weights_without_a_network(offline, capsys, name, size, file):
    with pytest.raises(WeightsError) as caught:
        backbones.load_backbone(name, size)
    message = str(caught.value)
    assert f"into {offline / 'models'} as {file}" in message
    assert "fetch https://" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""
    assert architectures.imagenet_file(ARCHITECTURES[name]) is None
    (offline / "models" / file).write_bytes(b"")
    assert architectures.imagenet_file(ARCHITECTURES[name]) == offline / "models" / file


def test_imagenet_weights_from_the_cache_of_keras(offline):
    original = backbones.load_backbone("mobilenet_v2", 128, "none")
    folder = offline / "models"
    folder.mkdir()
    path = folder / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_128_no_top.h5"
    path.write_bytes(b"cut short")
    with pytest.raises(WeightsError, match="delete them"):
        backbones.load_backbone("mobilenet_v2", 128)
    assert {row.name: row.weights for row in backbone_table.list_backbones()}["mobilenet_v2"] == "in Keras' cache"
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, original)
    assert same(backbones.load_backbone("mobilenet_v2", 128).get_weights(), original.get_weights())


def test_list_backbones():
    rows = {row.name: row for row in backbone_table.list_backbones()}
    assert [*rows] == ["bundled", *ARCHITECTURES]
    for name, row in rows.items():
        assert backbone_table.default_size(name) == (row.image_size, row.smallest)
        assert name == "bundled" or 0.65 < row.imagenet_top1 < 0.88
    assert rows["bundled"].imagenet_top1 is None
    assert rows["efficientnet_lite0"].weights == "in a package"
    for row in rows.values():
        assert Path(row.file).is_file() if row.file else row.weights in ("to be downloaded", "package to install")
    assert rows["bundled"].file


# A user's own file.


def classifier(size=24):
    inputs = keras.Input((size, size, 3))
    x = kl.Conv2D(5, 3, activation="relu")(inputs)
    x = kl.BatchNormalization()(x)
    x = kl.Dense(6)(kl.GlobalAveragePooling2D()(x))
    outputs = kl.Dense(3, activation="softmax")(kl.Dropout(0.2)(x))
    return keras.Model(inputs, outputs)


def save(model, path):
    for weight in model.weights:
        if not keras.backend.is_int_dtype(weight.dtype):
            weight.assign(np.abs(RNG.normal(size=weight.shape)) + 0.1)
    model.save(path)
    return str(path)


def test_a_classifier_is_cut_before_its_last_dense_layer(tmp_path):
    original = classifier()
    backbone = backbones.load_backbone(save(original, tmp_path / "own.keras"))
    raw = pictures(24)
    expected = keras.Model(original.input, original.layers[-1].input)(raw)
    np.testing.assert_allclose(backbone(raw), expected, rtol=1e-5)
    assert backbone.output_shape == (None, 6)
    assert backbone.name == "own"


def test_a_classifier_at_another_size(tmp_path):
    original = classifier()
    backbone = backbones.load_backbone(save(original, tmp_path / "own.keras"), 40)
    assert backbone.input_shape == (None, 40, 40, 3)
    assert same(backbone.get_weights(), original.get_weights()[:-2])
    assert backbone(pictures(40)).shape == (2, 6)


def test_a_sequential_classifier(tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 3)), kl.Conv2D(4, 3), kl.GlobalMaxPooling2D(), kl.Dense(2)])
    raw = pictures(16)
    backbone = backbones.load_backbone(save(model, tmp_path / "own.keras"))
    expected = model.layers[1](model.layers[0](raw))
    np.testing.assert_allclose(backbone(raw), expected, rtol=1e-5)


def test_a_nested_feature_network_under_a_classifier(tmp_path):
    inner = scratch.convnet(16, [{"conv": 4}])
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, kl.Dense(2)(inner(inputs)))
    backbone = backbones.load_backbone(save(model, tmp_path / "own.keras"))
    raw = pictures(16)
    np.testing.assert_allclose(backbone(raw), inner(raw), rtol=1e-4)


def test_a_map_is_pooled(tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 3)), kl.Conv2D(4, 3)])
    raw = pictures(16)
    backbone = backbones.load_backbone(save(model, tmp_path / "own.keras"))
    np.testing.assert_allclose(backbone(raw), np.mean(model(raw), axis=(1, 2)), rtol=1e-5)


def test_dense_layers_inside_the_features_stay(tmp_path):
    inputs = keras.Input((16, 16, 3))
    maps = kl.Conv2D(4, 3)(inputs)
    gate = kl.Dense(4, activation="sigmoid")(kl.GlobalAveragePooling2D()(maps))
    maps = kl.Multiply()([maps, kl.Reshape((1, 1, 4))(gate)])
    model = keras.Model(inputs, kl.GlobalAveragePooling2D()(kl.Conv2D(7, 1)(maps)))
    raw = pictures(16)
    backbone = backbones.load_backbone(save(model, tmp_path / "own.keras"))
    np.testing.assert_allclose(backbone(raw), model(raw), rtol=1e-4)


def test_a_convolution_of_one_position_is_a_classifier(tmp_path):
    inputs = keras.Input((16, 16, 3))
    pooled = kl.GlobalAveragePooling2D(keepdims=True)(kl.Conv2D(4, 3)(inputs))
    outputs = kl.Softmax()(kl.Flatten()(kl.Conv2D(3, 1)(pooled)))
    backbone = backbones.load_backbone(save(keras.Model(inputs, outputs), tmp_path / "own.keras"))
    raw = pictures(16)
    np.testing.assert_allclose(backbone(raw), np.reshape(keras.Model(inputs, pooled)(raw), (2, 4)), rtol=1e-5)


@pytest.mark.parametrize("name", ["run (1)", "_größe", "日本"])
def test_a_network_of_this_toolkit_becomes_a_backbone_again(tmp_path, name):
    first = heads.join(scratch.convnet(16, [{"conv": 4}, {"residual": 4}]), heads.head(4, 3))
    backbone = backbones.load_backbone(save(first, tmp_path / f"{name}.keras"))
    assert next(features.forward(backbone, [pictures(16).astype(np.uint8)])).shape == (2, 4)
    again = heads.join(backbone, heads.head(4, 5, kind="mlp", hidden=(3,)))
    again.save(tmp_path / "again.keras")
    raw = pictures(16)
    loaded = model_files.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(loaded(raw), again(raw), rtol=1e-5)


def test_a_network_that_flattens_keeps_its_size(tmp_path):
    path = save(scratch.dense_network(16, hidden=(4, 4)), tmp_path / "dense.keras")
    with pytest.raises(ImageSizeError, match="was made for 16"):
        backbones.load_backbone(path, 24)


def broken_files(tmp_path):
    garbage = tmp_path / "garbage.keras"
    garbage.write_bytes(b"garbage " * 100)
    half = tmp_path / "half.keras"
    classifier().save(half)
    half.write_bytes(half.read_bytes()[:2000])
    unsafe = tmp_path / "unsafe.keras"
    keras.Sequential([keras.Input((8, 8, 3)), kl.Lambda(lambda x: x * 2), kl.Dense(2)]).save(unsafe)
    two = tmp_path / "two.keras"
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    keras.Model(inputs, kl.Add()(inputs)).save(two)
    grey = tmp_path / "grey.keras"
    keras.Sequential([keras.Input((8, 8, 1)), kl.Flatten(), kl.Dense(2)]).save(grey)
    return {"garbage": garbage, "half": half, "unsafe": unsafe, "two": two, "grey": grey}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("garbage", "cannot be loaded safely"),
        ("half", "cannot be loaded safely"),
        ("unsafe", "Lambda layer"),
        ("two", "expected one input of pictures"),
        ("grey", "expected one input of pictures"),
    ],
)
def test_a_file_that_is_no_backbone(tmp_path, case, said):
    with pytest.raises(ModelFileError, match=said) as caught:
        backbones.load_backbone(str(broken_files(tmp_path)[case]))
    assert "\n" not in str(caught.value)
