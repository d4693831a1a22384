"""What computes answers: each engine answers like the network, and nobody notices which one it was."""

import importlib.util
import shutil
import sys

import numpy as np
import pytest

import transfer
from transfer import quiet, settings

quiet.import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers as kl  # noqa: E402

from transfer import cli, engine_packages, names  # noqa: E402
from transfer.cache import cache_folder  # noqa: E402
from transfer.errors import EngineError, MissingExtraError, OptionError, OutputError, UnknownNameError  # noqa: E402
from transfer.networks import conversions, engines, openvino_graphs, scratch  # noqa: E402
from transfer.networks.views import two_views  # noqa: E402
from transfer.runs.saved_networks import answering_by, load_network  # noqa: E402

MANY = 1_000_000  # pictures with which any engine pays


def needs(name):
    """A test parameter that is skipped where an engine is not installed, or where the processor is none for it."""
    modules = engine_packages.RUNTIMES[name].modules if name in engine_packages.RUNTIMES else ()
    gone = [module for module in modules if importlib.util.find_spec(module) is None]
    why = f"{', '.join(gone)} not installed" if gone else engines.ENGINES[name].refusal()
    return pytest.param(name, marks=pytest.mark.skipif(bool(why), reason=why))


EVERY = [needs(name) for name in names.ENGINES]
OTHERS = [needs(name) for name in names.EXACT_ENGINES[1:]]


def small_network(seed=0):
    keras.utils.set_random_seed(seed)
    return scratch.convnet(16, [{"conv": 8, "stride": 2}, {"activation": "relu"}], name="small")


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), np.uint8)


@pytest.fixture
def eager(monkeypatch):
    """`auto` takes another engine whenever that answers like TensorFlow."""
    monkeypatch.setattr(engines, "_is_faster", lambda *given: True)
    monkeypatch.setattr(engines, "_told", set())


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    backbone = scratch.convnet(16, [{"conv": 8, "stride": 2}, {"activation": "relu"}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transfer.runs.saving.write_report", lambda *given: None)
        return transfer.save_run(transfer.train(*digits, backbone), tmp_path_factory.mktemp("runs") / "run")


def typed(*words):
    """The exit code of the command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["transfer", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code


def run_engine_contract(name, network, pictures):
    """What every engine must do for a network: pictures to `(B, D)`."""
    expected = network(pictures.astype(np.float32), training=False).numpy()
    chosen = engines.choose_engine(network, name, pictures, MANY)
    answers = chosen.answer(pictures)
    assert chosen.name == name
    assert answers.dtype == np.float32
    assert answers.shape == expected.shape
    tolerance = engines.TOLERANCE if engines.ENGINES[name].is_exact else 0.1
    assert np.abs(answers - expected).max() <= tolerance * expected.std()
    np.testing.assert_array_equal(chosen.answer(pictures), answers)  # the same again, and still there afterwards
    for length in (1, 5):
        some = chosen.answer(pictures[:length])
        assert some.shape == (length, expected.shape[1])
        np.testing.assert_allclose(some, answers[:length], atol=tolerance * expected.std())


@pytest.mark.parametrize("name", EVERY)
def test_every_engine_keeps_the_contract(name, pictures):
    run_engine_contract(name, small_network(), pictures)


@pytest.mark.parametrize("name", OTHERS)
def test_networks_that_are_made_of_others(name, pictures):
    nested = keras.Sequential([keras.Input((16, 16, 3)), two_views(small_network()), keras.layers.Dense(3)])
    run_engine_contract(name, nested, pictures)


def convnext_layers():
    """Convolutions in groups, which Keras compiles apart, and an exact GELU, by a function that tf2onnx lacks."""
    return [
        kl.Conv2D(8, 3, groups=8), kl.LayerNormalization(), kl.Activation("gelu"), kl.Conv2D(8, 3, groups=2),
    ]  # fmt: skip


def mobilenet_layers():
    """A convolution to which one number is added, at which a pass of tf2onnx fails."""
    return [kl.Conv2D(8, 3, use_bias=False), kl.Activation("hard_sigmoid")]


@pytest.mark.parametrize("layers", [convnext_layers, mobilenet_layers])
@pytest.mark.parametrize("name", OTHERS)
def test_networks_at_which_converters_have_failed(name, layers, pictures):
    keras.utils.set_random_seed(0)
    scaled = [keras.Input((16, 16, 3)), kl.Rescaling(1 / 64, -2), kl.Conv2D(8, 3)]
    run_engine_contract(name, keras.Sequential([*scaled, *layers(), kl.GlobalAveragePooling2D()]), pictures)


@pytest.mark.parametrize("length", [0, 1, 4, 33])
def test_large_pictures_are_answered_few_at_once(length):
    asked = []

    def answer(pictures):
        asked.append(len(pictures))
        return pictures.mean((1, 2), dtype=np.float32)

    pictures = np.random.default_rng(0).integers(0, 256, (length, 224, 224, 3), np.uint8)
    np.testing.assert_array_equal(
        conversions.in_small_batches(answer)(pictures), pictures.mean((1, 2), dtype=np.float32)
    )
    assert sum(asked) == length
    assert max(asked) <= 4
    assert len(asked) == max(1, -(-length // 4))


def test_the_table_has_the_names_that_users_choose_by():
    assert tuple(engines.ENGINES) == names.ENGINES
    assert tuple(name for name, row in engines.ENGINES.items() if row.is_exact) == names.EXACT_ENGINES
    assert set(engines.AUTOMATIC) == set(settings.CONVERTING) == set(names.EXACT_ENGINES) - {"tensorflow"}


@pytest.mark.parametrize("name", OTHERS)
def test_a_network_is_converted_once_and_again_when_it_is_damaged_or_changed(name, pictures, monkeypatch):
    written = []

    def write(network, file):
        written.append(file.name)
        conversion.write(network, file)

    conversion = engines.ENGINES[name].conversion
    row = engines.ENGINES[name]._replace(conversion=conversion._replace(write=write))
    monkeypatch.setattr(engines, "ENGINES", {**engines.ENGINES, name: row})
    first = engines.choose_engine(small_network(), name, pictures, MANY).answer(pictures)
    again = engines.choose_engine(small_network(), name, pictures, MANY).answer(pictures)
    np.testing.assert_array_equal(first, again)
    assert len(written) == 1
    (kept,) = cache_folder("engines").iterdir()
    (kept / conversion.file).write_bytes(b"no network")
    engines.choose_engine(small_network(), name, pictures, MANY)
    engines.choose_engine(small_network(seed=1), name, pictures, MANY)
    assert len(written) == 3


def test_few_pictures_are_answered_by_tensorflow(pictures, eager):
    assert engines.choose_engine(small_network(), "auto", pictures, 100).name == "tensorflow"
    assert not cache_folder("engines").exists()


def test_when_an_engine_pays():
    assert not settings.engine_pays(1000, 0.003, converting=1.5)  # 3 s of TensorFlow, of which 1.2 are spared
    assert settings.engine_pays(1000, 0.003, converting=0)
    assert settings.engine_pays(1000, 0.010, converting=1.5)


@pytest.mark.parametrize("name", OTHERS)
def test_auto_takes_what_is_installed(name, pictures, eager, monkeypatch):
    monkeypatch.setattr(engines, "is_installed", lambda asked: asked == name)
    chosen = engines.choose_engine(small_network(), "auto", pictures, MANY)
    assert chosen.name == name
    monkeypatch.setattr(engines, "_is_faster", lambda *given: False)
    assert engines.choose_engine(small_network(), "auto", pictures, MANY).name == "tensorflow"


def test_what_would_help_is_told_once_where_it_would_help_much(pictures, eager, monkeypatch, capfd):
    monkeypatch.setattr(engine_packages.util, "find_spec", lambda module: None)
    monkeypatch.setattr(engines, "_seconds", lambda *given: 0.01)
    for count in (1000, MANY, MANY):
        assert engines.choose_engine(small_network(), "auto", pictures, count).name == "tensorflow"
    said = f"note: OpenVINO would take half of these {(MANY - 32) * 0.01 / 32:.0f} seconds; it needs openvino; "
    assert capfd.readouterr().err == f"{said}pip install 'transfer[fast]'\n"


def test_the_faster_one_is_faster():
    import time

    quick, slow = (lambda _: None), (lambda _: time.sleep(0.01))
    assert engines._is_faster(quick, slow, 0.01, None)
    assert not engines._is_faster(slow, quick, 1e-5, None)


@pytest.mark.parametrize("wrong", [lambda values: values + 0.01, lambda values: values * np.nan])
def test_an_engine_that_answers_otherwise_is_not_taken(wrong, pictures, eager, monkeypatch, capfd):
    row = engines.ENGINES["openvino"]._replace(
        conversion=engines.Conversion("network", "numpy", lambda network, file: file.touch()),
        open=lambda file: lambda batch: wrong(small_network()(batch.astype(np.float32)).numpy()),
    )
    monkeypatch.setattr(engines, "ENGINES", {**engines.ENGINES, "openvino": row})
    monkeypatch.setattr(engines, "is_installed", lambda name: name == "openvino")
    monkeypatch.setattr(engines, "require_engine", lambda name: None)
    for _ in range(2):
        assert engines.choose_engine(small_network(), "auto", pictures, MANY).name == "tensorflow"
    assert (
        capfd.readouterr().err.count("note: TensorFlow computes small: the answers of openvino for small differ") == 1
    )
    with pytest.raises(
        EngineError, match=r"`engine=openvino`: the answers .* of their spread; 0.0001 is allowed; give"
    ):
        engines.choose_engine(small_network(), "openvino", pictures, MANY)


@keras.saving.register_keras_serializable("tests")
class Strange(keras.layers.Layer):
    """Of an operation that only TensorFlow knows."""

    def call(self, x):
        return tf.math.bessel_i0e(x)


@pytest.mark.parametrize("name", OTHERS)
def test_a_layer_that_an_engine_does_not_know_is_named(name, pictures, eager, monkeypatch, capfd):
    inputs = keras.Input((16, 16, 3))
    maps = Strange(name="strange")(keras.layers.Rescaling(1 / 255)(inputs))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps), name="odd")
    said = f"{name} cannot compute odd: it does not know (tf.)?BesselI0e of the layer strange"
    with pytest.raises(EngineError, match=f"`engine={name}`: {said}; give tensorflow, or auto"):
        engines.choose_engine(network, name, pictures, MANY)
    monkeypatch.setattr(engines, "is_installed", lambda asked: asked == name)
    assert engines.choose_engine(network, "auto", pictures, MANY).name == "tensorflow"
    told = capfd.readouterr().err
    assert told.startswith("note: TensorFlow computes odd: ")
    assert told.count("\n") == 1
    assert not any(cache_folder("engines").glob("[0-9a-f]*"))


def test_a_processor_without_bfloat16_is_told(pictures, monkeypatch):
    monkeypatch.setattr(engines, "require_engine", lambda name: None)
    monkeypatch.setattr(openvino_graphs, "computes_in_bfloat16", lambda: False)
    with pytest.raises(EngineError, match="this processor does not compute in bfloat16"):
        engines.choose_engine(small_network(), names.BFLOAT16_ENGINE, pictures, MANY)


def test_what_is_not_there_is_refused_at_once(digits, run, digits_folder, monkeypatch, capsys):
    with pytest.raises(UnknownNameError, match="`engine`: unknown name 'opnvino'; did you mean openvino"):
        transfer.predict(run, digits_folder, engine="opnvino")
    monkeypatch.setattr(engine_packages.util, "find_spec", lambda module: None)
    said = r"`engine=openvino` needs openvino; pip install 'transfer\["
    for ask in (
        lambda: transfer.train(*digits, small_network(), engine="openvino"),
        lambda: transfer.predict(run, digits_folder, engine="openvino"),
        lambda: transfer.evaluate(run, digits_folder, engine="openvino"),
        lambda: transfer.check(digits_folder, labels=True, engine="openvino"),
    ):
        with pytest.raises(MissingExtraError, match=said):
            ask()
    for words in (
        ("predict", run, digits_folder, "--engine", "onnxruntime"),
        ("train", digits_folder, "--engine", "onnxruntime"),
        ("features", digits_folder, "--out", "features.npz", "--engine", "onnxruntime"),
    ):
        assert typed(*words) == 2
        assert "--engine onnxruntime needs tf2onnx, onnx, onnxruntime; pip install" in capsys.readouterr().err
    assert typed("check", digits_folder, "--engine", "openvino") == 2
    assert "--engine without --labels or --near features" in capsys.readouterr().err
    assert typed("train", digits_folder, "--engine", names.BFLOAT16_ENGINE) == 2
    assert "unknown name 'openvino-bf16'" in capsys.readouterr().err


def test_the_graph_of_a_saved_model_is_for_tensorflow(run, tmp_path):
    alone = load_network(shutil.copytree(run / "saved_model", tmp_path / "alone"), trust=True)
    assert answering_by(alone, "auto", MANY) is alone
    for name in names.EXACT_ENGINES[1:]:
        with pytest.raises((OptionError, MissingExtraError), match=f"`engine={name}`"):
            answering_by(alone, name, MANY)


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_run_with_two_engines_gives_the_same_predictions(name, digits, run, own_cache, monkeypatch):
    images, split = digits
    answers = {}
    for engine in ("tensorflow", name):
        monkeypatch.setenv("TRANSFER_CACHE", str(own_cache / engine))  # features of the one are no help to the other
        result = transfer.train(images, split, small_network(), engine=engine)
        answers[engine] = result.predictions.probabilities
        assert result.options["engine"] == engine
        assert (own_cache / engine / "engines").exists() == (engine != "tensorflow")
    np.testing.assert_allclose(*answers.values(), atol=1e-4)
    np.testing.assert_array_equal(*(each.argmax(axis=1) for each in answers.values()))
    said = [transfer.predict(run, images.root, engine=engine) for engine in answers]
    assert [row.label for row in said[0]] == [row.label for row in said[1]]
    np.testing.assert_allclose(*([[*row.probabilities.values()] for row in rows] for rows in said), atol=1e-4)
    figures = [transfer.evaluate(run, images.root, engine=engine) for engine in answers]
    assert figures[0]["confusion"] == figures[1]["confusion"]


@pytest.mark.parametrize("name", OTHERS[:1])
def test_a_table_that_is_gone_on_with_is_by_the_same_engine(name, run, digits_folder, eager, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "engine_pays", lambda *given: True)
    whole, broken = tmp_path / "whole.csv", tmp_path / "broken.csv"
    list(transfer.iter_predictions(run, digits_folder, table=whole))
    rows = transfer.iter_predictions(run, digits_folder, table=broken)
    for _ in range(40):
        next(rows)
    rows.close()
    monkeypatch.setattr(engines, "_is_faster", lambda *given: False)
    with pytest.raises(OutputError, match="was begun with another `engine`"):
        next(transfer.iter_predictions(run, digits_folder, table=broken, resume=True, engine="tensorflow"))
    used = []
    original = engines.ENGINES[name].open
    row = engines.ENGINES[name]._replace(open=lambda file: used.append(name) or original(file))
    monkeypatch.setattr(engines, "ENGINES", {**engines.ENGINES, name: row})
    list(transfer.iter_predictions(run, digits_folder, table=broken, resume=True))
    assert used == [name]
    assert broken.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("name", OTHERS[:1])
def test_openvino_reports_nothing_to_its_makers(name):
    openvino_graphs.import_openvino()
    from openvino.tools.ovc import telemetry_utils

    assert telemetry_utils.tm.__name__ == "openvino.tools.ovc.telemetry_stub"
