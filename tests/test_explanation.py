import json
import re
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.cli.doors import check_layer
from transfer.data.pipeline import BATCH
from transfer.errors import DataError, LayerError, ModelFileError, OutputError, PictureError, UnknownNameError
from transfer.networks import backbones, explanation, features, heads, inner_images, scratch, taps
from transfer.networks.preprocessing import PREPROCESSING
from transfer.pretrained.architectures import ARCHITECTURES
from transfer.runs import explain_page, explain_sections, records

RNG = np.random.default_rng(0)
PATCHES = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "known_patch.py"))
AREA = PATCHES["PATCH"] ** 2 / PATCHES["SIZE"] ** 2
LAYERS = [{"conv": 8}, {"activation": "relu"}, {"pool": 2}, {"conv": 6, "stride": 2}, {"activation": "relu"}]
MAPS = [explanation.grad_cam, explanation.input_gradient, explanation.occlusion_map]


def pictures(size=32, number=2):
    return RNG.integers(0, 256, (number, size, size, 3)).astype(np.uint8)


def with_head(backbone, classes=3):
    return heads.join(backbone, heads.head(backbone.output_shape[-1], classes))


# Where it looked, tested for meaning.


@pytest.fixture(scope="module")
def patches():
    """(pictures, classes, masks of the deciding patch, maps by a random network, by a trained one)."""
    made, classes, masks = PATCHES["pictures"](32, 1000)
    model = PATCHES["network"](0)
    random = {look: look(model, made, classes) for look in MAPS}
    PATCHES["fit"](model, 0)
    assert (np.argmax(model(made, training=False), axis=1) == classes).mean() > 0.9
    return made, classes, masks, random, {look: look(model, made, classes) for look in MAPS}


@pytest.mark.parametrize("look", MAPS)
def test_the_mass_of_a_map_lies_on_the_patch_that_decides(patches, look):
    _, _, masks, random, trained = patches
    assert PATCHES["mass_on_patch"](random[look], masks) < 3 * AREA
    assert PATCHES["mass_on_patch"](trained[look], masks) > 4 * AREA


def test_grad_cam_has_most_of_its_mass_there_and_occlusion_agrees(patches):
    *_, masks, _, trained = patches
    assert PATCHES["mass_on_patch"](trained[explanation.grad_cam], masks) > 0.5
    assert PATCHES["correlation"](trained[explanation.grad_cam], trained[explanation.occlusion_map]) > 0.8


# Every kind of network.


def nested():
    """A backbone as a model in a Sequential in a model."""
    inner = scratch.convnet(32, LAYERS, name="inner")
    sequence = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1.0), inner])
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, keras.layers.Dense(3)(sequence(inputs)))


NETWORKS = {
    "bundled": lambda: with_head(backbones.bundled_network(32)),
    "scratch": lambda: with_head(scratch.convnet(32, LAYERS)),
    "flattened": lambda: with_head(scratch.convnet(32, [*LAYERS, {"flatten": True}, {"dense": 4}])),
    "dense": lambda: with_head(scratch.dense_network(32, (8,))),
    "nested": nested,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_of_every_kind_of_network(name):
    model, shown = NETWORKS[name](), pictures()
    before = [layer.output.name for layer in model.layers]
    method, maps = explanation.where_it_looked(model, shown)
    assert method == ("input gradient" if name == "dense" else "Grad-CAM")
    assert maps.shape == (2, 32, 32)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    last = transfer.layer_names(model)[-1]
    np.testing.assert_array_equal(model(shown.astype("f4")), transfer.layer_output(model, shown, last))
    assert [layer.output.name for layer in model.layers] == before


def test_a_class_is_explained_by_itself():
    model, shown = NETWORKS["scratch"](), pictures()
    predicted = np.argmax(model(shown.astype("f4")), axis=1)
    by_default = explanation.grad_cam(model, shown)
    np.testing.assert_allclose(explanation.grad_cam(model, shown, predicted), by_default, atol=1e-5)
    assert np.abs(explanation.grad_cam(model, shown, (predicted + 1) % 3) - by_default).max() > 0.01


def test_layers_of_a_nested_model_are_those_of_the_model_itself():
    inner = scratch.convnet(32, LAYERS, name="inner")
    inputs = keras.Input((32, 32, 3))
    outer = keras.Model(inputs, keras.layers.Dense(3)(inner(inputs)))
    shown = pictures()
    name = taps.open_network(inner).maps()[-1]
    deep = transfer.layer_output(outer, shown, f"inner.{name}")
    np.testing.assert_allclose(deep, transfer.layer_output(inner, shown, name), atol=1e-5)


def test_layers_called_by_keyword_and_numbers_before_a_tensor():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Reshape((-1, 4))(keras.layers.Conv2D(4, 3)(1.0 - inputs))
    x = keras.layers.MultiHeadAttention(2, 4)(query=x, value=x)
    inner = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x))
    outer = keras.Model(inputs, keras.layers.Dense(3)(inner(inputs=inputs)))
    network = taps.open_network(outer)
    assert all(isinstance(tap.input, keras.KerasTensor) for tap in network.taps.values())
    shown = pictures(16)
    np.testing.assert_allclose(network.up_to(network.logits)(shown), outer(shown), rtol=1e-4, atol=1e-4)


def test_a_dense_network_has_no_maps():
    with pytest.raises(LayerError, match="use input_gradient or occlusion_map"):
        explanation.grad_cam(NETWORKS["dense"](), pictures())


def test_layers_that_only_pad_are_no_typical_ones():
    kl, inputs = keras.layers, keras.Input((32, 32, 3))
    x = kl.ZeroPadding2D(1)(kl.Conv2D(4, 3, padding="same", name="first")(inputs))
    model = keras.Model(inputs, kl.Conv2D(4, 3, strides=2, name="second")(x))
    assert explain_sections.typical_layers(taps.open_network(model)) == ["first", "second"]


def test_a_layer_without_maps_cannot_be_weighed():
    with pytest.raises(LayerError, match="expected maps"):
        explanation.grad_cam(NETWORKS["scratch"](), pictures(), layer="logits")


def test_unknown_layer_gives_the_nearest_names():
    with pytest.raises(LayerError, match="did you mean logits"):
        transfer.layer_output(NETWORKS["scratch"](), pictures(), "logit")


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_backbone_is_opened(name):
    size = ARCHITECTURES[name].smallest
    model = with_head(backbones.load_backbone(name, size, "none"))
    maps = explanation.grad_cam(model, pictures(size))
    assert maps.shape == (2, size, size)
    assert np.isfinite(maps).all()
    assert np.isfinite(inner_images.first_layer_images(model)).all()


# What layers hold and find.


def test_first_layer_of_a_backbone_that_takes_blue_first_is_in_the_colours_of_the_picture():
    inputs = keras.Input((32, 32, 3))
    convolution = keras.layers.Conv2D(6, 5, 2)
    model = keras.Model(inputs, convolution(PREPROCESSING[ARCHITECTURES["resnet50"].preprocessing](inputs)))
    images = inner_images.first_layer_images(model)
    kernel = convolution.get_weights()[0][:, :, ::-1, 4]
    assert images.shape == (6, 5, 5, 3)
    np.testing.assert_allclose(images[4], 0.5 + kernel / np.abs(kernel).max() / 2, atol=1e-4)


def test_weights_of_a_dense_network_are_images_of_the_picture():
    model = NETWORKS["dense"]()
    images = inner_images.first_layer_images(model)
    assert images.shape == (8, 32, 32, 3)
    weights = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense)).get_weights()[0]
    assert np.corrcoef(images[3].ravel(), weights[:, 3])[0, 1] > 0.999


@pytest.mark.parametrize("build", [lambda: scratch.convnet(32, LAYERS), lambda: scratch.dense_network(32, (8,))])
def test_filters_before_training_come_back_from_the_seed(build):
    keras.utils.set_random_seed(7)
    model = with_head(build())
    before = inner_images.first_layer_images(model)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(inner_images.first_layer_before_training(model, 7), before)
    assert np.abs(inner_images.first_layer_before_training(model, 8) - before).max() > 0.1


def test_a_filter_that_is_sobel_is_found():
    model = scratch.convnet(32, [{"conv": 3}])
    kernel = RNG.normal(size=(3, 3, 3, 3)).astype(np.float32)
    kernel[..., 1] = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])[..., None] * inner_images._LUMINANCE
    model.layers[2].set_weights([kernel, np.zeros(3)])
    smooth = np.kron(RNG.integers(0, 256, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    correlations, maps = inner_images.edge_correlations(model, smooth)
    assert correlations.shape == (3, 3)
    assert maps.shape == (3, 32, 32)
    assert correlations[0].argmax() == 1
    assert correlations[0, 1] > 0.9  # not 1: the borders differ


def test_the_most_exciting_pictures_of_a_unit():
    model = scratch.convnet(8, [{"conv": 3, "kernel": 1, "bias": False}])
    model.layers[2].set_weights([np.eye(3)[None, None]])  # unit 0 sees red, 1 green, 2 blue
    shown = np.zeros((6, 8, 8, 3), np.uint8)
    for number, (colour, value) in enumerate([(0, 90), (1, 80), (2, 70), (0, 200), (1, 210), (2, 220)]):
        shown[number, 2, 2, colour] = value
    order, values = inner_images.most_exciting(model, [shown[:4], shown[4:]], model.layers[2].name, 2)
    assert order.tolist() == [[3, 0], [4, 1], [5, 2]]
    assert (np.diff(values) < 0).all()


# The command line.


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain") / "digits"
    result = transfer.train(*digits, method="scratch", layers=LAYERS, image_size=32, epochs=1, seed=3)
    records.write_result(result, folder)
    return folder


def explain(run, *words):
    return CliRunner().invoke(cli.app, ["explain", str(run), *map(str, words)])


@pytest.fixture(scope="module")
def page(run, digits_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "out"
    ended = explain(run, digits_folder / "1" / "0[0-3].png", "--class", "1", "--out", folder, "--json")
    assert ended.exit_code == 0, ended.output
    return folder, json.loads(ended.stdout)


def test_explain_writes_one_page_and_its_plates(page, digits_folder):
    folder, told = page
    text = (folder / "explain.html").read_text()
    assert told["files"] == sorted(path.name for path in folder.iterdir())
    assert len(told["pictures"]) == 4
    assert {row["explained"] for row in told["pictures"]} == {"1"}
    assert {row["true"] for row in told["pictures"]} == {"1"}
    right = [row["predicted"] == "1" for row in told["pictures"]]
    titles = re.findall(r"<h2.*?</h2>", text, re.DOTALL)
    said = [sum(words in title for title in titles) for words in ("%), rightly", ", but it is 1")]
    assert said == [sum(right), 4 - sum(right)]
    assert text.count("data:image/webp") == len(told["files"]) - 1
    assert "src=" not in text.replace('src="data:', "")
    assert "http" not in text
    for said in ("Grad-CAM", "before training, made again", "the bundled backbone", "Sobel", "neuron of class 2"):
        assert said in text


@pytest.mark.parametrize(
    ("units", "side", "said"), [(8, 3, "8 units"), (200, 3, "128 of 200 units"), (9, 400, "2 of 9 units")]
)
def test_first_layers_say_how_many_units_are_shown(units, side, said):
    (plate,) = explain_sections.first_layer(np.zeros((units, side, side, 3)), {}, is_dense=True).plates
    assert plate.caption == f"this network: {said}"
    assert plate.image.max() == 255  # the paper between units is not the grey of no weight, here all are 0
    assert plate.image.shape[0] * plate.image.shape[1] < 500_000


def test_of_many_classes_some_are_shown_and_the_page_says_so():
    model, shown, names = with_head(scratch.convnet(32, LAYERS), 25), pictures(number=9), [str(n) for n in range(25)]
    layer = explain_sections.exciting_layer(taps.open_network(model))
    section = explain_sections.exciting(model, shown[0], shown, layer, names, "pictures")
    assert section.text.endswith("at the end (the first 20 of 25 classes).")
    assert sum("neuron of class" in plate.caption for plate in section.plates) == 20


def test_filters_before_fine_tuning_are_shown_where_they_can_be_had_again(tmp_path):
    model, path = with_head(scratch.convnet(32, LAYERS)), str(tmp_path / "own.keras")
    model.save(path)
    options = {"method": "finetune", "weights": "as given", "image_size": 32}
    for backbone, shown in ((path, ["before fine-tuning"]), ("bundled", []), ("no such network", [])):
        config = {"options": options | {"backbone": backbone}}
        assert list(explain_page._other_filters(model, config)) == shown


def test_no_batch_is_larger_than_in_training(run, digits_folder, tmp_path, monkeypatch):
    sizes = []
    forward = features.forward

    def counted(model, batches):
        for answers in forward(model, batches):
            sizes.append(len(answers))
            yield answers

    for module in (explain_page, inner_images):
        monkeypatch.setattr(module, "forward", counted)
    transfer.explain(run, [digits_folder / "0"], tmp_path / "out", examples=digits_folder)
    assert max(sizes) <= BATCH
    assert sum(sizes) == 30 + 2 * 90  # the pictures, and the examples for two layers


def test_explain_a_named_layer_of_a_dense_network(digits, digits_folder, tmp_path):
    images, split = digits
    network = scratch.dense_network(32, (8,))
    result = transfer.train(images, split, network, method="scratch", epochs=1)
    records.write_result(result, tmp_path / "run")
    ended = explain(
        tmp_path / "run", digits_folder / "0" / "00.png", "--layer", "logits", "--examples", digits_folder / "0",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ended.exit_code == 0, ended.output
    text = (tmp_path / "out" / "explain.html").read_text()
    for said in ("gradients at the pixels stand in", "a weight for every pixel", "logits: 3", "30 pictures of 0"):
        assert said in text
    assert "Sobel" not in text
    taken = explain(tmp_path / "run", digits_folder / "1", "--out", tmp_path / "out")
    assert isinstance(taken.exception, OutputError)
    again = explain(tmp_path / "run", digits_folder / "1" / "00.png", "--out", tmp_path / "out", "--overwrite")
    assert again.exit_code == 0, again.output
    assert "30 pictures of 0" not in (tmp_path / "out" / "explain.html").read_text()


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("{run}", "{picture}", "--layer", "logit"), LayerError, "did you mean logits"),
        (("{run}", "{picture}", "--class", "seven"), UnknownNameError, "expected one of 0, 1, 2"),
        (("{run}", "nowhere.png"), DataError, "no such file"),
        (("{run}", "{broken}"), PictureError, "broken.png is no picture of a known format; expected"),
        (("{broken}", "{picture}"), ModelFileError, "cannot be read"),
        (("{run}", "{picture}", "--out", "{data}/plates"), OutputError, "lies in"),
        (("{run}", "{picture}", "--out", "{run}"), OutputError, "exists already"),
        (("{run}", "{picture}", "--out", "{run}", "--overwrite"), OutputError, "no explain.html in it"),
    ],
)
def test_bad_input(run, digits_folder, tmp_path, words, error, said):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    places = dict(run=run, data=digits_folder, picture=digits_folder / "0" / "00.png", broken=tmp_path / "broken.png")
    words = [word.format(**places) for word in words]
    ended = explain(*words, *(() if "--out" in words else ("--out", tmp_path / "out")))
    assert isinstance(ended.exception, error)
    assert said in str(ended.exception)
    assert "\n" not in str(ended.exception)
    assert not (tmp_path / "out").exists()


def test_the_names_of_layers_are_known_without_loading_them(tmp_path):
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="dense")], name="inner")
    outer = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(name="flat"), keras.layers.Dense(8), inner])
    outer.save(tmp_path / "model.keras")
    for name in taps.layer_names(outer):
        check_layer(tmp_path, name)
    for name in ("inner", "dense_", "inner.flat"):
        with pytest.raises(LayerError, match="layer: unknown name"):
            check_layer(tmp_path, name)
    (tmp_path / "model.keras").write_bytes(b"no archive")
    check_layer(tmp_path, "which is for others to say")
