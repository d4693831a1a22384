"""One tiny model exported beside pictures that TensorFlow cannot read: what is said of them, and what it answers."""

import json
import shutil

import numpy as np
import pytest
from odd_pictures import bad, good
from PIL import Image
from test_graph_images import DIFFERENT, REFUSED, TIFFS

import transfer
from transfer import quiet
from transfer.data import images

quiet.import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from transfer.errors import ModelFileError  # noqa: E402
from transfer.networks import scratch  # noqa: E402
from transfer.runs import export_checks, exportables, exports, saved_networks  # noqa: E402

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 99), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential(layers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where every odd picture lies, in a place whose name is a pattern."""
    place = tmp_path_factory.mktemp("odd") / "all [x] of*"
    place.mkdir()
    for name, file in good().items():
        (place / name).write_bytes(file.data)
    return place


@pytest.fixture(scope="module")
def exported(network, folder):
    """(SavedModel, samples that it does not read alike): all of its samples are TIFFs."""
    target = folder / "model" / "1"
    files = {"test": [(folder / name, 0) for name in TIFFS]}
    found = exportables.ExportSource(network, NAMES, "pad", {}, {}, {}, files, "odd", {})
    return target, exports.export_saved_model(found, target)


def test_an_export_is_judged_where_tensorflow_reads_no_sample(exported, folder):
    assert exported[1] == [folder / name for name in TIFFS]


def test_bytes_get_the_answers_of_the_toolkit_or_none(exported, network, folder):
    answers = tf.saved_model.load(str(shutil.copytree(exported[0], folder.parent / "model"))).signatures
    files = {name: file.data for name, file in {**good(), **bad()}.items()}
    found = answers["predict_bytes"](files=tf.constant([*files.values()]))
    rows = dict(zip(files, found["probabilities"].numpy()))
    alike = [name for name in good() if name not in (*REFUSED, *DIFFERENT)]
    squares = np.stack([images.fit_picture(images.read_picture(files[name]), 16, "pad") for name in alike])
    expected = keras.ops.softmax(network(squares.astype(np.float32)))
    np.testing.assert_allclose(np.stack([rows[name] for name in alike]), expected, atol=1e-4)
    none = {name for name, is_readable in zip(files, found["readable"].numpy()) if not is_readable}
    assert none == {*REFUSED, *bad()}
    assert {name for name, row in rows.items() if not row.any()} == none
    assert np.isfinite(found["probabilities"]).all()  # TensorFlow Serving would write NaN, which is no JSON
    assert {name for name, label in zip(files, found["label"].numpy()) if not label} == none
    # TensorFlow Serving takes {"b64": ...} for texts, and gives so what is called `_bytes`.
    assert answers["predict_bytes"].structured_input_signature[1]["files"].dtype == tf.string
    assert sorted(found) == ["class_names", "label", "probabilities", "readable"]
    for name, nothing in (("predict_bytes", {"files": tf.constant([], tf.string)}),
                          ("serving_default", {"pictures": tf.zeros((0, 16, 16, 3))})):  # fmt: skip
        empty = answers[name](**nothing)
        assert empty["probabilities"].shape == empty["class_names"].shape == (0, 3)
        assert empty["label"].shape == (0,)


def test_files_that_are_read_in_another_way_are_named(exported, folder):
    files = {name: folder / name for name in good()}
    (note,) = export_checks.decoding_notes(files, exported[1])
    named = {*REFUSED, *DIFFERENT, "cmyk_bad_profile.jpg"}  # no header tells that a profile cannot be used
    assert f"does not read {len(named)} of {len(files)} pictures" in note
    assert "compressed BMP: run_lengths.bmp" in note
    assert "TIFF: " in note
    kinds = {name for name in good() if export_checks.decoding_notes({name: folder / name})}
    assert kinds == named
    assert export_checks.decoding_notes({"rgb.png": folder / "rgb.png"}) == []
    assert (
        "another kind: rgb.png"
        in export_checks.decoding_notes({"rgb.png": folder / "rgb.png"}, [folder / "rgb.png"])[0]
    )


def test_the_graph_of_a_saved_model_alone_is_run_only_when_it_is_trusted(exported, folder, tmp_path):
    picture = folder / "rgb.png"
    with pytest.raises(ModelFileError, match=r"can read and write files as you can; give `trust=True`"):
        transfer.predict(exported[0].parent, [picture])
    (row,) = transfer.predict(exported[0].parent, [picture], trust=True)
    assert row.label in NAMES
    copy = shutil.copytree(exported[0], tmp_path / "1")
    about = copy / exports.SIDECAR
    about.write_text(json.dumps(json.loads(about.read_text()) | {"class_names": NAMES[::-1]}))
    with pytest.raises(ModelFileError, match="names other classes than the graph"):
        transfer.predict(tmp_path, [picture], trust=True)


def test_tiffs_in_a_place_that_is_a_pattern_become_a_run(digits_folder, tmp_path, monkeypatch, capsys):
    here = tmp_path / "here [x]"
    for path in sorted(digits_folder.glob("*/0*.png")):
        place = here / "data [y]" / path.parent.name
        place.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(place / f"{path.stem}.tif")
    monkeypatch.chdir(here)
    tiffs = transfer.load_images("data [y]")
    result = transfer.train(tiffs, transfer.split(tiffs), scratch.dense_network(32, (4,)), "scratch", epochs=1)
    run = transfer.save_run(result, "run [z]")
    *_, note = json.loads((run / "result.json").read_text())["notes"]
    assert note.startswith("predict_bytes of the SavedModel does not read 30 of 30 pictures")
    assert f"note: {note}" in capsys.readouterr().err
    shutil.rmtree(run / "saved_model" / "variables")  # the graph of a run is not used
    assert len(transfer.predict(run / "saved_model", ["data [y]"])) == 30
    assert saved_networks.load_network(run).class_names == tiffs.class_names
