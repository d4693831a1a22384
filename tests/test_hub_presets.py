import importlib.util
import json

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import (
    ImageSizeError,
    MissingExtraError,
    ModelFileError,
    OptionError,
    UnknownNameError,
    WeightsError,
)
from transfer.learning.backbone_argument import asked_for
from transfer.networks import copies, fingerprints, freezing, heads, model_files, quick_layers, taps
from transfer.networks.backbones import load_backbone
from transfer.networks.hub_presets import load_hub_network
from transfer.pretrained import backbone_table, hub_package

INSTALLED = importlib.util.find_spec("keras_hub") is not None
needs_keras_hub = pytest.mark.skipif(not INSTALLED, reason="keras-hub is not installed: pip install 'transfer[hub]'")
SIZE, SCALE, OFFSET = 32, [0.01, 0.02, 0.03], [-1.0, -0.5, 0.5]
RNG = np.random.default_rng(0)


def resnet(hub):
    return hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[7], stackwise_num_filters=[64], stackwise_num_blocks=[1],
        stackwise_num_strides=[1], block_type="basic_block", use_pre_activation=False,
    )  # fmt: skip


def vit(hub):
    return hub.models.ViTBackbone(
        image_shape=(SIZE, SIZE, 3), patch_size=16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8
    )


def preset(folder, make, converter):
    """A preset folder with random weights; what KerasHub itself makes of it, from pictures to maps or tokens."""
    keras.utils.set_random_seed(0)
    import keras_hub

    backbone = make(keras_hub)
    scale = getattr(keras_hub.layers, converter)(image_size=(SIZE, SIZE), scale=SCALE, offset=OFFSET)
    backbone.save_to_preset(str(folder))
    scale.save_to_preset(str(folder))
    return f"hub:{folder}", lambda pixels: np.array(backbone(scale(pixels)))


@pytest.fixture(scope="module")
def convnet(tmp_path_factory):
    return preset(tmp_path_factory.mktemp("resnet"), resnet, "ResNetImageConverter")


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return preset(tmp_path_factory.mktemp("vit"), vit, "ViTImageConverter")


def pictures(size=SIZE):
    return RNG.integers(0, 256, (2, size, size, 3)).astype(np.float32)


@needs_keras_hub
def test_a_convnet_with_its_preprocessing(convnet):
    name, answer = convnet
    backbone, raw = load_backbone(name), pictures()
    assert backbone.input_shape == (None, SIZE, SIZE, 3)
    np.testing.assert_allclose(backbone(raw), answer(raw).mean(axis=(1, 2)), rtol=1e-3, atol=1e-5)
    assert fingerprints.fingerprint(backbone) == fingerprints.fingerprint(load_backbone(name))
    assert load_backbone(name, 48)(pictures(48)).shape == (2, 64)
    assert load_backbone(name, features="stages").output_shape[1] > 64


@needs_keras_hub
def test_a_transformer_gives_its_class_token(transformer):
    name, answer = transformer
    backbone, raw = load_backbone(name), pictures()
    np.testing.assert_allclose(backbone(raw), answer(raw)[:, 0], rtol=1e-3, atol=1e-5)
    with pytest.raises(ImageSizeError, match=r"`image_size=48`: .* was made for 32 pixels"):
        load_backbone(name, 48)
    with pytest.raises(OptionError, match="no convolutions"):
        load_backbone(name, features="stages")


@needs_keras_hub
@pytest.mark.parametrize("kind", ["convnet", "transformer"])
def test_a_joined_network_is_copied_tuned_and_saved(kind, request, tmp_path):
    backbone = load_backbone(request.getfixturevalue(kind)[0])
    freezing.freeze(backbone)
    assert not backbone.trainable_weights
    network = copies.copy_network(heads.join(backbone, heads.head(backbone.output_shape[1], 3)))
    freezing.unfreeze(network)
    assert network.trainable_weights
    network.save(tmp_path / "own.keras")
    raw = pictures()
    np.testing.assert_allclose(model_files.load_model(tmp_path / "own.keras")(raw), network(raw), rtol=1e-5)


@needs_keras_hub
def test_a_training_on_a_preset(convnet, digits):
    images, split = digits
    result = transfer.train(images, transfer.limit_training(split, images.labels, 3, 0), convnet[0])
    assert (result.options["backbone"], result.options["weights"]) == (convnet[0], "as given")
    assert asked_for(result.options) == (convnet[0], None, "last")
    # Its network is plain: it loads where KerasHub is not installed.
    assert "keras_hub" not in json.dumps(keras.saving.serialize_keras_object(result.model))


@needs_keras_hub
def test_a_transformer_is_one_layer_where_others_are_opened(transformer):
    backbone = load_backbone(transformer[0])
    model, raw = heads.join(backbone, heads.head(backbone.output_shape[1], 3)), pictures()
    np.testing.assert_allclose(quick_layers.quick_copy(model)(raw), model(raw), rtol=1e-5)
    network = taps.open_network(model, copies=True)
    np.testing.assert_allclose(network.up_to(network.logits)(raw), model(raw), rtol=1e-5)
    assert network.maps() == []


@needs_keras_hub
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["convnet", "transformer"])
def test_runs_on_presets(kind, request, digits, tmp_path):
    (images, split), name = digits, request.getfixturevalue(kind)[0]
    result = transfer.train(images, split, name, "finetune", epochs=1)
    transfer.save_run(result, tmp_path / "run")
    again = transfer.repeat_run(tmp_path / "run")
    np.testing.assert_allclose(again.predictions.probabilities, result.predictions.probabilities, atol=1e-5)
    (told,) = transfer.explain(tmp_path / "run", [images.paths[0]], tmp_path / "page")["pictures"]
    assert told["method"] == {"convnet": "Grad-CAM", "transformer": "input gradient"}[kind]


# What cannot be had.


@needs_keras_hub
def test_presets_that_cannot_be_had(convnet, tmp_path, monkeypatch):
    import keras_hub

    with pytest.raises(UnknownNameError, match="did you mean resnet_18_imagenet"):
        load_hub_network("hub:resnet_18_imagnet")

    def offline(*args, **kwargs):
        raise OSError("Name or service not known\nand more")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", offline)
    with pytest.raises(ModelFileError, match="not on this machine and cannot be fetched") as caught:
        load_hub_network("hub:resnet_18_imagenet")
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_hub_network(f"hub:{tmp_path}")


@needs_keras_hub
def test_a_preset_without_preprocessing(tmp_path):
    import keras_hub

    resnet(keras_hub).save_to_preset(str(tmp_path))
    with pytest.raises(ModelFileError, match="has no preprocessing of pictures"):
        load_hub_network(f"hub:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "weights", "error", "said"),
    [
        ("hub:", None, ModelFileError, "expected the name of a preset"),
        ("hub:no/such", None, ModelFileError, "no such folder"),
        ("hub:.", None, ModelFileError, "has no config.json"),
        ("hub:vit", "none", WeightsError, "brings its own weights"),
    ],
)
def test_refused_before_anything_is_loaded(name, weights, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub_package.util, "find_spec", lambda package: package)
    with pytest.raises(error, match=said):
        backbone_table.check_backbone(name, weights=weights)


def test_keras_hub_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(hub_package.util, "find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=r"hub:vit needs keras-hub.*pip install 'transfer\[hub\]'"):
        backbone_table.check_backbone("hub:vit")


@needs_keras_hub
def test_a_saved_transformer_says_what_it_needs(transformer, tmp_path, monkeypatch):
    load_backbone(transformer[0]).save(tmp_path / "own.keras")
    monkeypatch.setattr(hub_package.util, "find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=r"own\.keras needs keras-hub"):
        model_files.load_model(tmp_path / "own.keras")


def test_entries_of_backbones():
    assert backbone_table.name_and_weights("hub:hf://user/model") == ("hub:hf://user/model", None)
