"""A small network in every format: what the files answer and say of themselves, and when they are refused."""

import importlib.util
import json
import math
import zipfile

import numpy as np
import pytest
from rich.console import Console

import transfer
from transfer import quiet

quiet.import_tensorflow()

import keras  # noqa: E402
from keras import layers as kl  # noqa: E402

from transfer import engine_packages  # noqa: E402
from transfer.cli.show import exports_table  # noqa: E402
from transfer.errors import ExportError, MissingExtraError, OutputError, UnknownNameError  # noqa: E402
from transfer.exports import (  # noqa: E402
    answering,
    exporting,
    formats,
    litert,
    litert_graphs,
    litert_metadata,
    model_card,
    parity,
    runtimes,
)
from transfer.names import EXPORTS  # noqa: E402
from transfer.networks import onnx_graphs, scratch  # noqa: E402
from transfer.reading import read_judged  # noqa: E402
from transfer.runs import exportables  # noqa: E402


def needs(*names):
    """Skip where the runtime of a format is not installed."""
    missing = [module for name in names for module in runtimes.RUNTIMES[name].modules]
    gone = sorted({module for module in missing if importlib.util.find_spec(module) is None})
    return pytest.mark.skipif(bool(gone), reason=f"{', '.join(gone)} not installed: pip install 'transfer[...]'")


RUN = ("litert", "onnx", "openvino")  # the others are called as the first of them is
FILES = [pytest.param(name, marks=needs(name)) for name in EXPORTS if name != "savedmodel"]


@pytest.fixture(scope="module")
def source(digits):
    """A network that is sure of its answers: a linear head on what random filters make of three digits."""
    keras.utils.set_random_seed(0)
    backbone = scratch.convnet(32, [{"conv": 8, "stride": 2}, {"activation": "relu"}, {"flatten": True}])
    return exportables.network_to_export(transfer.train(*digits, backbone))


@pytest.fixture(scope="module")
def known(source):
    return parity.reference(source)


@pytest.fixture(scope="module")
def written(source, known, tmp_path_factory):
    """Each format by its name, written once; the programs of three model cards are run."""
    place = tmp_path_factory.mktemp("exports")

    def write(name):
        if not (place / name).exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(exporting, "network_to_export", lambda result: source)
                patch.setattr(exporting, "reference", lambda source: known)
                if name not in RUN:
                    patch.setattr(model_card, "run_example", lambda *args: "not run")
                assert transfer.export(None, place, name) == place / name
        return place / name

    return write


@pytest.fixture
def quick(monkeypatch, source, known):
    """The same source and answers each time, and a model card whose program is not run."""
    monkeypatch.setattr(exporting, "network_to_export", lambda result: source)
    monkeypatch.setattr(exporting, "reference", lambda source: known)
    monkeypatch.setattr(model_card, "run_example", lambda *args: "not run")


def test_the_table_has_the_names_that_users_choose_by():
    assert tuple(formats.FORMATS) == EXPORTS


def test_the_pictures_of_a_comparison(source, known):
    """All of the test part, and others up to the number that there has to be; here there are fewer."""
    counts = {part: len(files) for part, files in source.files.items()}
    assert len(known.pictures) == sum(counts.values()) == 90
    assert known.tested.sum() == counts["test"]
    assert known.probabilities.shape == (90, 3)
    expected = keras.ops.softmax(source.model(known.pictures.astype(np.float32)))
    np.testing.assert_allclose(known.probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("name", FILES)
def test_a_file_answers_like_its_network(written, name, source, known):
    folder, row = written(name), formats.FORMATS[name]
    assert {row.file, "README.md", "parity.json"} <= {path.name for path in folder.iterdir()}
    (judged,) = read_judged(folder)["formats"].values()
    assert judged["agreement"] >= row.gate.agreement
    right = (known.probabilities.argmax(1) == known.labels)[known.tested].mean()
    assert judged["accuracy_keras"] == pytest.approx(right)
    answers = row.open(folder / row.file)(known.pictures[:5])
    np.testing.assert_allclose(answers, known.probabilities[:5], atol=min(row.gate.largest, 0.2))
    best = source.class_names[int(known.probabilities[0].argmax())]
    printed = f"{best}  " if name in RUN else "not run"
    assert f"for a picture of the run:\n\n```\n{printed}" in (folder / "README.md").read_text()


def test_a_saved_model_beside_the_others_answers_like_its_network(source, known, tmp_path):
    row = formats.FORMATS["savedmodel"]
    (write,) = row.writers.values()
    write(source, tmp_path / row.file)
    answers = row.open(tmp_path / row.file)(known.pictures[:5])
    np.testing.assert_allclose(answers, known.probabilities[:5], atol=row.gate.largest)


@needs("litert")
def test_what_litert_says_of_itself(written):
    from ai_edge_litert import schema_py_generated as schema

    file = written("litert") / "model.tflite"
    with zipfile.ZipFile(file) as archive:
        assert archive.read("labels.txt").decode().split("\n") == ["0", "1", "2"]
        said = json.loads(archive.read("transfer.json"))
    assert (said["fit"], said["colour_order"], said["image_size"]) == ("crop", "RGB", 32)
    model = schema.Model.GetRootAs(file.read_bytes())
    named = {model.Metadata(i).Name(): model.Metadata(i).Buffer() for i in range(model.MetadataLength())}
    metadata = bytes(model.Buffers(named[b"TFLITE_METADATA"]).DataAsNumpy())
    assert metadata[4:8] == litert_metadata.IDENTIFIER
    assert b"labels.txt" in metadata


@needs("litert")
def test_a_head_whose_weights_are_of_very_different_sizes_is_not_rounded(source, known, tmp_path):
    """Behind a standardisation they are; by one scale for all, hardly any was left."""
    from ai_edge_litert import schema_py_generated as schema

    keras.utils.set_random_seed(0)
    layers = [kl.Rescaling(1 / 255), kl.Conv2D(16, 3, 2, activation="relu"), kl.Conv2D(32, 3, 2, activation="relu")]
    model = keras.Sequential([keras.Input((32, 32, 3)), *layers, kl.GlobalAveragePooling2D(), kl.Dense(3)])
    silent, head = model.layers[2].kernel, model.layers[-1].kernel
    silent.assign(np.where(np.arange(32) == 0, 0, silent))
    head.assign(np.where(np.arange(32) == 0, 1e6, 1e3 * np.array(head).T).T)
    pictures = known.pictures[:20]
    model.layers[-1].bias.assign(-np.mean(model(pictures.astype(np.float32)), axis=0))
    expected = keras.ops.softmax(model(pictures.astype(np.float32)))
    assert np.ptp(expected, axis=0).max() > 0.3
    for write in (litert.write_int8, litert.write_int8_weights):
        write(source._replace(model=model), tmp_path / "model.tflite")
        np.testing.assert_allclose(litert.open_litert(tmp_path / "model.tflite")(pictures), expected, atol=0.1)
        written = litert_graphs.unpacked((tmp_path / "model.tflite").read_bytes())
        kernels = [
            tensor for tensor in written.subgraphs[0].tensors if tuple(tensor.shape)[1:] in {(3, 3, 3), (3, 3, 16)}
        ]
        assert {tensor.type for tensor in kernels if written.buffers[tensor.buffer].data is not None} == {
            schema.TensorType.INT8
        }


@needs("onnx")
def test_the_card_of_onnx_has_javascript_for_its_network(written):
    code = (written("onnx") / "README.md").read_text().partition("```javascript\n")[2].partition("```")[0]
    assert 'const names = ["0", "1", "2"];' in code
    assert 'resize(32, 32, { fit: "cover" })' in code
    assert 'readFile("model.onnx")' in code


@needs("onnx")
def test_onnx_holds_the_normalisation_of_vgg_resnet_and_densenet(monkeypatch, tmp_path):
    """It used to ask for mean and variance as inputs."""
    layer = keras.layers.Normalization(mean=(100.0, 110.0, 120.0), variance=(50.0, 60.0, 70.0))
    model = keras.Sequential([keras.Input((8, 8, 3)), layer, keras.layers.GlobalAveragePooling2D()])
    pictures = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    expected = keras.ops.softmax(model(pictures.astype(np.float32)))
    mean = layer.mean
    copies = []
    monkeypatch.setattr("tf2onnx.graph.Graph.__deepcopy__", lambda graph, memo: copies.append(graph), raising=False)
    onnx_graphs.write_onnx_graph(answering.answering_network(model), tmp_path / "model.onnx")
    np.testing.assert_allclose(onnx_graphs.open_onnx(tmp_path / "model.onnx")(pictures), expected, atol=1e-5)
    assert layer.mean is mean
    assert not copies, "each of tf2onnx's passes would hold all weights once more"


@needs("onnx")
def test_what_onnx_says_of_itself(written):
    import onnx

    model = onnx.load(written("onnx") / "model.onnx")
    assert [each.name for each in (*model.graph.input, *model.graph.output)] == ["pictures", "probabilities"]
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said["class_names"]) == ["0", "1", "2"]
    assert said["weights_licence"].startswith("that of")
    assert model.opset_import[0].version == int(said["opset"])


@needs("openvino")
def test_what_openvino_says_of_itself(written):
    import openvino

    model = openvino.Core().read_model(written("openvino") / "model.xml")
    assert model.get_rt_info(["model_info", "labels"]).value == "0 1 2"
    assert json.loads(model.get_rt_info(["transfer", "class_names"]).value) == ["0", "1", "2"]


@pytest.mark.parametrize("change", [lambda answers: answers + 2e-4, lambda answers: answers * np.nan])
def test_a_file_that_answers_otherwise_is_deleted(quick, monkeypatch, tmp_path, change, known):
    row = formats.FORMATS["onnx"]
    monkeypatch.setattr(exporting, "missing_packages", lambda name: "")
    monkeypatch.setattr(exporting, "require_packages", lambda name: None)
    answers = {picture.tobytes(): each for picture, each in zip(known.pictures, known.probabilities)}

    def open_other(file):
        return lambda pictures: change(np.stack([answers[picture.tobytes()] for picture in pictures]))

    other = row._replace(writers={"float32": lambda source, file: file.write_bytes(b"model")}, open=open_other)
    monkeypatch.setitem(formats.FORMATS, "onnx", other)
    with pytest.raises(ExportError, match="onnx was deleted: in float32 its probabilities differ"):
        transfer.export(None, tmp_path, "onnx")
    assert not list(tmp_path.iterdir())


def test_what_loses_too_much_in_whole_numbers_keeps_them_for_its_weights(quick, monkeypatch, tmp_path, known):
    def write(numbers):
        return lambda source, file: file.write_text(numbers)

    def open_file(file):
        rows = {"whole": known.probabilities[:, ::-1], "weights": known.probabilities}[file.read_text()]
        answers = {picture.tobytes(): row for picture, row in zip(known.pictures, rows)}
        return lambda pictures: np.stack([answers[picture.tobytes()] for picture in pictures])

    monkeypatch.setattr(exporting, "missing_packages", lambda name: "")
    monkeypatch.setattr(exporting, "require_packages", lambda name: None)
    row = formats.FORMATS["litert-int8"]
    writers = {numbers: write(numbers) for numbers in ("whole", "weights")}
    monkeypatch.setitem(formats.FORMATS, "litert-int8", row._replace(writers=writers, open=open_file))
    folder = transfer.export(None, tmp_path, "litert-int8")
    judged = read_judged(folder)["formats"]["litert-int8"]
    assert judged["numbers"] == "weights"
    assert list(judged["instead_of"]) == ["whole"]
    assert (folder / "model.tflite").read_text() == "weights"


def test_whole_numbers_may_lose_a_little():
    row = {"largest_difference": 0.3, "mean_difference": 0.01, "agreement": 0.985, "loss": 0.02, "loss_p_value": 0.2}
    assert parity.objection(row, parity.WHOLE) == ""
    assert "differ from Keras' by up to 0.3; 0.0001 is allowed" in parity.objection(row, parity.EXACT)
    assert "names the same class as Keras for 97.0%" in parity.objection(row | {"agreement": 0.97}, parity.WHOLE)
    assert "loses 2.0% accuracy" in parity.objection(row | {"loss_p_value": 0.01}, parity.WHOLE)
    assert parity.objection(row | {"loss": 0.01, "loss_p_value": 0.01}, parity.WHOLE) == ""
    assert parity.objection(row | {"loss": None, "loss_p_value": None}, parity.WHOLE) == ""
    assert "differ" in parity.objection(row | {"mean_difference": math.nan}, parity.WHOLE)


def test_half_precision_is_judged_by_all_pictures_and_not_by_the_one_that_moves_most():
    row = {"largest_difference": 0.06, "mean_difference": 5e-4, "agreement": 0.995, "loss": 0.0, "loss_p_value": 1.0}
    assert parity.objection(row, parity.HALF) == ""
    assert "on average by 0.003; 0.002 is allowed" in parity.objection(row | {"mean_difference": 3e-3}, parity.HALF)
    assert "98.5% of the pictures; expected 99%" in parity.objection(row | {"agreement": 0.985}, parity.HALF)


def test_the_names_of_the_formats_can_be_read_in_a_narrow_terminal(capsys):
    row = {
        "largest_difference": 1e-5, "mean_difference": 1e-6, "agreement": 1.0, "accuracy": 1.0, "accuracy_keras": 1.0,
        "megabytes": 123.45, "pictures_a_second": 1234.5, "pictures_a_second_keras": 1.0, "batch": 1, "pictures": 210,
        "test_pictures": 210,
    }  # fmt: skip
    Console(width=80).print(exports_table(dict.fromkeys(EXPORTS, row)))
    said = capsys.readouterr().out
    assert all(f"│ {name} " in said for name in EXPORTS)
    assert "1,234" in said
    assert "123.45" in said


def test_all_formats_are_those_that_can_be_had(quick, monkeypatch, tmp_path):
    def broken(source, file):
        raise RuntimeError("'tf.Erfc' op is neither a custom op nor a flex op\nand more")

    def missing(name):
        return "`format=openvino` needs openvino" if name == "openvino" else ""

    monkeypatch.setattr(exporting, "missing_packages", missing)
    kept = formats.FORMATS["savedmodel"]._replace(
        writers={"float32": lambda source, file: file.write_bytes(b"")},
        open=lambda file: lambda pictures: np.eye(3)[[0] * len(pictures)],
    )
    monkeypatch.setattr(exporting, "objection", lambda judged, gate: "")
    monkeypatch.setattr(exporting, "FORMATS", {
        "savedmodel": kept, "onnx": kept._replace(writers={"float32": broken}), "openvino": kept,
    })  # fmt: skip
    folder = transfer.export(None, tmp_path / "all", "all")
    said = json.loads((folder / "parity.json").read_text())
    assert [*said["formats"]] == ["savedmodel"]
    assert said["left_out"] == {
        "onnx": "the format onnx cannot hold this network: it does not know tf.Erfc",
        "openvino": "`format=openvino` needs openvino",
    }
    assert sorted(path.name for path in folder.iterdir()) == ["parity.json", "savedmodel"]


def test_what_is_refused(quick, monkeypatch, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean onnx"):
        transfer.export(None, tmp_path, "onx")
    monkeypatch.setattr(engine_packages.util, "find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=r"needs tf2onnx, onnx, onnxruntime; pip install 'transfer\[onnx\]'"):
        transfer.export(None, tmp_path, "onnx")
    monkeypatch.setattr(engine_packages.util, "find_spec", lambda module: module)
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "mine").write_bytes(b"")
    with pytest.raises(OutputError, match="exists already"):
        transfer.export(None, tmp_path, "onnx")


def test_a_run_whose_pictures_are_gone(source, tmp_path, monkeypatch):
    gone = source._replace(files={part: [(tmp_path / "gone.png", 0)] for part in exportables.PARTS})
    monkeypatch.setattr(exporting, "network_to_export", lambda result: gone)
    monkeypatch.setattr(exporting, "require_packages", lambda name: None)
    with pytest.raises(ExportError, match="put the data back"):
        transfer.export(None, tmp_path / "new", "onnx")


def test_a_disk_that_is_full_in_the_middle(quick, monkeypatch, tmp_path):
    def full(source, file):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "missing_packages", lambda name: "")
    monkeypatch.setattr(exporting, "require_packages", lambda name: None)
    monkeypatch.setitem(formats.FORMATS, "onnx", formats.FORMATS["onnx"]._replace(writers={"float32": full}))
    monkeypatch.setattr(exporting, "FORMATS", {"onnx": formats.FORMATS["onnx"]})
    for name in ("onnx", "all"):
        with pytest.raises(OutputError, match=r"onnx cannot be written \(No space left on device\); free space"):
            transfer.export(None, tmp_path / "new", name)
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("backbone", "weights", "said"),
    [
        ("bundled", "bundled", "Apache-2.0"),
        ("efficientnet_lite0", "imagenet", "Apache-2.0 (package efficientnet-lite0"),
        ("resnet50", "imagenet", "see keras.io/api/applications"),
        ("mobilenet_v2", "/own.h5", "that of /own.h5"),
        ("convnet", "none", "none: trained from random weights"),
    ],
)
def test_licences_of_weights(backbone, weights, said):
    assert said in exportables.weights_licence({"backbone": backbone, "weights": weights, "method": "frozen"})
