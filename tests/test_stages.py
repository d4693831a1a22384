"""Features of every resolution, found from the graph of a network."""

import keras
import numpy as np
import pytest
from keras import layers as kl

from transfer.errors import OptionError, UnknownNameError
from transfer.networks import backbones, explanation, features, fingerprints, freezing, heads, scratch, stages, taps

RNG = np.random.default_rng(0)
QUICK = {
    "bundled": [32],
    "mobilenet_v2": [96, 144, 192, 576],
    "resnet50_v2": [64, 256, 512, 1024],
}
SLOW = {
    "mobilenet_v3_small": [16, 72, 96, 288],
    "efficientnet_lite2": [96, 144, 288, 720],
    "vgg16": [64, 128, 256, 512, 512],
    "densenet121": [64, 128, 256, 512],
    "convnext_tiny": [96, 192, 384],
    "inception_v3": [64, 192, 288, 768],
    "xception": [64, 128, 256, 728],
    "nasnet_mobile": [32, 44, 264, 528],
    "efficientnet_b0": [96, 144, 240, 672],
    "efficientnet_v2_b0": [16, 32, 192, 672],
}


def pictures(size, number=2):
    return RNG.integers(0, 256, (number, size, size, 3)).astype(np.float32)


def averaged(tensors):
    return np.concatenate([np.mean(tensor, axis=(1, 2)) for tensor in tensors], axis=1)


@pytest.fixture(scope="module")
def tiny():
    """Two resolutions, a residual block in each."""
    rows = [{"conv": 4, "stride": 2}, {"residual": 4}, {"residual": 6, "stride": 2}, {"residual": 6}]
    return scratch.convnet(24, rows, name="tiny")


def test_averages_of_each_resolution_stand_before_the_usual_features(tiny):
    model = stages.with_stages(tiny)
    raw = pictures(24)
    sums = [layer.output for layer in tiny.layers if isinstance(layer, kl.Activation)]
    end_of_first = next(tensor for tensor in reversed(sums) if tensor.shape[1:] == (12, 12, 4))
    expected = np.concatenate([averaged([keras.Model(tiny.input, end_of_first)(raw)]), tiny(raw)], axis=1)
    np.testing.assert_allclose(model(raw), expected, atol=1e-5)
    assert model.name == "tiny"
    assert model.input_shape == tiny.input_shape


@pytest.mark.parametrize(
    ("name", "channels"),
    [*QUICK.items(), *(pytest.param(*row, marks=pytest.mark.slow, id=row[0]) for row in SLOW.items())],
)
def test_stages_of_a_row_of_the_table(name, channels):
    size = 96 if name in SLOW else 64
    model = backbones.load_backbone(name, size, "none", features="stages")
    averaged = model.get_layer("stages").input[:-1]
    assert [tensor.shape[-1] for tensor in averaged] == channels
    sides = [tensor._keras_history.operation.input.shape[1] for tensor in averaged]
    assert sides == sorted(sides, reverse=True)
    assert np.isfinite(keras.ops.convert_to_numpy(model(pictures(size)))).all()


def test_a_network_with_stages_is_trained_saved_opened_and_explained_like_any_other(tiny, tmp_path):
    backbone = stages.with_stages(tiny)
    freezing.unfreeze(backbone, 0.5)
    opened = [layer.name for layer in backbone.layers if layer.trainable]
    freezing.unfreeze(tiny, 0.5)
    assert opened == [layer.name for layer in tiny.layers if layer.trainable]
    freezing.freeze(backbone)
    assert not backbone.trainable_weights

    model = heads.join(backbone, heads.head(backbone.output_shape[-1], 2))
    raw = pictures(24)
    maps = explanation.grad_cam(model, raw)
    assert maps.max() <= 1
    assert maps.shape == (2, 24, 24)
    model.save(tmp_path / "with_stages.keras")
    loaded = keras.saving.load_model(tmp_path / "with_stages.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(raw), model(raw), atol=1e-5)
    again = backbones.load_backbone(str(tmp_path / "with_stages.keras"))
    np.testing.assert_allclose(again(raw), backbone(raw), atol=1e-5)
    assert next(features.forward(again, [raw.astype(np.uint8)])).shape == (2, backbone.output_shape[-1])
    # What has the averages of all its resolutions gets none of them twice.
    twice = backbones.load_backbone(str(tmp_path / "with_stages.keras"), features="stages")
    assert twice.output_shape == backbone.output_shape
    assert fingerprints.fingerprint(backbone) != fingerprints.fingerprint(tiny)


def test_a_copy_of_a_network_is_changed_and_the_network_is_not(tiny):
    before = tiny.get_weights()
    model = stages.with_stages(tiny)
    model.set_weights([values + 1 for values in model.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(before, tiny.get_weights()))
    assert len(tiny.layers[1]._inbound_nodes) == 1


def test_nested_and_reused_layers_are_found():
    relu, twice, outside = kl.ReLU(), kl.Conv2D(4, 3, padding="same"), kl.Conv2D(4, 3, padding="same")
    inner_inputs = keras.Input((12, 12, 4))
    inner = keras.Model(inner_inputs, relu(kl.Conv2D(6, 3, 2, "same")(twice(twice(inner_inputs)))))
    inputs = keras.Input((24, 24, 3))
    x = relu(kl.Conv2D(4, 3, 2, "same")(kl.Rescaling(1 / 255)(inputs)))
    y = outside(inner(outside(x))[..., :4])
    network = keras.Model(inputs, kl.GlobalAveragePooling2D()(relu(kl.Conv2D(8, 3, 2, "same")(y))))
    model = stages.with_stages(network)
    assert model.output_shape == (None, 4 + 4 + 8)
    assert model.count_params() == network.count_params()
    raw = pictures(24)
    np.testing.assert_allclose(model(raw)[:, -8:], network(raw), atol=1e-5)
    np.testing.assert_allclose(model(raw)[:, 4:8], averaged([keras.Model(inputs, y)(raw)]), atol=1e-5)


def test_gates_and_paddings_are_no_stages():
    inputs = keras.Input((32, 32, 3))
    x = kl.Conv2D(4, 3, 2, "same", activation="relu")(inputs)
    gate = kl.Conv2D(4, 1, activation="sigmoid")(kl.GlobalAveragePooling2D(keepdims=True)(x))
    gated = kl.Multiply()([x, gate])
    padded = kl.ZeroPadding2D(2)(gated)
    last = kl.Conv2D(5, 3, 2)(padded)
    network = taps.open_network(keras.Model(inputs, kl.Flatten()(last)), copies=True)
    assert [tensor.shape[1:] for tensor in stages.stage_maps(network)] == [(16, 16, 4), (9, 9, 5)]
    assert stages.stage_maps(network)[0]._keras_history.operation.name == gated._keras_history.operation.name


@pytest.mark.parametrize("after", [(), (kl.Conv2D(7, 1),)], ids=["averaged", "convolved"])
def test_one_position_is_no_stage(after):
    inputs = keras.Input((8, 8, 3))
    x = kl.GlobalAveragePooling2D(keepdims=True)(kl.Conv2D(5, 3, 2, "same")(inputs))
    for layer in after:
        x = layer(x)
    network = taps.open_network(keras.Model(inputs, kl.Flatten()(x)), copies=True)
    assert [tensor.shape[1:] for tensor in stages.stage_maps(network)] == ([(4, 4, 5)] if after else [])


def test_bad_input(tmp_path):
    dense = scratch.dense_network(16, hidden=(4,))
    dense.save(tmp_path / "dense.keras")
    with pytest.raises(OptionError, match="has no convolutions and so no maps; expected features last"):
        backbones.load_backbone(str(tmp_path / "dense.keras"), features="stages")
    with pytest.raises(UnknownNameError, match="did you mean stages"):
        backbones.load_backbone("bundled", features="stage")
