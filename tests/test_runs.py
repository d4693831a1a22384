import csv
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from odd_pictures import write_odd_folder
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

import keras  # noqa: E402

from transfer.data.pipeline import Pictures  # noqa: E402
from transfer.errors import DataError, ExportError, LayerError, ModelFileError, OutputError, UnknownNameError  # noqa: E402
from transfer.evidence import comparison  # noqa: E402
from transfer.runs import exportables, exports, records, saving  # noqa: E402
from transfer.runs.prediction import list_files, list_sources  # noqa: E402


@pytest.fixture(scope="module")
def result(digits):
    layers = [{"conv": 8, "stride": 2}, {"activation": "relu"}, {"pool": 2}, {"flatten": True}]
    return transfer.train(*digits, transfer.convnet(32, layers))


@pytest.fixture(scope="module")
def run(result, tmp_path_factory):
    return transfer.save_run(result, tmp_path_factory.mktemp("runs") / "digits", "transfer train digits")


def test_a_run_keeps_what_names_and_contents_tell(digits, result, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "export_saved_model", lambda *given: [])
    images, _ = digits
    twice = replace(images, digests=(*images.digests[:-1], images.digests[0]))
    run = transfer.save_run(replace(result, images=twice), tmp_path / "run")
    kinds = {row["kind"]: row["message"] for row in json.loads((run / "check.json").read_text())["findings"]}
    assert kinds["exact across classes"] in (run / "report.html").read_text()


def test_a_run_folder_holds_what_is_promised(run, result):
    names = {
        "config.json",
        "check.json",
        "result.json",
        "model.keras",
        "saved_model",
        "predictions.csv",
        "history.csv",
        "report.html",
    }
    assert {path.name for path in run.iterdir()} == names
    said = json.loads((run / "result.json").read_text())
    assert said["accuracy"] == result.metrics["accuracy"]
    assert said["classes"] == list(result.class_names)
    assert {"schema_version", "method", "backbone", "weights", "image_size", "seed", "seconds", "confusion"} <= set(
        said
    )
    assert sum(said["images"].values()) == len(result.images)
    config = json.loads((run / "config.json").read_text())
    assert {file["part"] for file in config["files"].values()} == {"train", "validation", "test"}
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tested = [row for row in rows if row["split"] == "test"]
    right = sum(row["label"] == row["predicted"] for row in tested)
    assert right / len(tested) == said["accuracy"]
    assert keras.saving.load_model(run / "model.keras").output_shape == (None, 3)
    assert "<script" not in (run / "report.html").read_text()


def test_pixels_bytes_and_the_run_give_the_same_probabilities(run, result):
    images, split = result.images, result.split
    files = [images.paths[i] for i in split.test]
    expected = result.predictions.of("test")[1]
    answered = np.array([list(row.probabilities.values()) for row in transfer.predict(run, files)])
    assert np.abs(answered - expected).max() < 1e-4
    import tensorflow as tf

    loaded = tf.saved_model.load(str(run / "saved_model"))
    pixels = Pictures(images, 32).array(split.test).astype(np.float32)
    from_pixels = loaded.signatures["serving_default"](pictures=tf.constant(pixels))["probabilities"].numpy()
    assert np.abs(from_pixels - expected).max() < 1e-5
    again = loaded.signatures["serving_default"](pictures=tf.constant(pixels))["probabilities"].numpy()
    assert np.array_equal(from_pixels, again)
    data = tf.constant([path.read_bytes() for path in files])
    from_bytes = loaded.signatures["predict_bytes"](files=data)
    assert np.abs(from_bytes["probabilities"].numpy() - expected).max() < 1e-3
    labels = [name.decode() for name in from_bytes["label"].numpy()]
    assert labels == [images.class_names[i] for i in expected.argmax(axis=1)]


def test_a_saved_model_needs_nothing_of_this_package(run, result):
    picture = result.images.paths[0]
    code = (
        "import sys, tensorflow as tf\n"
        f"model = tf.saved_model.load({str(run / 'saved_model')!r})\n"
        f"data = tf.constant([open({str(picture)!r}, 'rb').read(), b'no picture', b''])\n"
        "answer = model.signatures['predict_bytes'](files=data)\n"
        "assert 'transfer' not in sys.modules\n"
        "print([name.decode() for name in answer['label'].numpy()])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    label, *bad = eval(ended.stdout)
    assert label in result.class_names
    assert bad == ["", ""]


def test_export_makes_versions_and_predict_takes_the_newest(run, tmp_path, result):
    first = shutil.copytree(run / "saved_model", tmp_path / "digits" / "1")
    second = transfer.export(run, tmp_path / "digits")
    assert (second.name, first.is_dir()) == ("2", True)
    shutil.rmtree(first / "variables")
    rows = transfer.predict(tmp_path / "digits", [result.images.paths[0]], trust=True)
    assert rows[0].label in result.class_names


def test_an_export_that_answers_wrongly_is_deleted(result, tmp_path, monkeypatch):
    def wrong(model, class_names):
        answer = exports.__dict__["_original"](model, class_names)
        return lambda pictures: answer(pictures * 0.5)

    monkeypatch.setitem(exports.__dict__, "_original", exports.endpoint)
    monkeypatch.setattr(exports, "endpoint", wrong)
    with pytest.raises(ExportError, match="differs"):
        transfer.export(result, tmp_path / "digits")
    assert not (tmp_path / "digits").exists()


def test_a_run_is_checked_with_the_pictures_that_its_result_was_checked_with(run, result):
    samples = exportables.network_to_export(result).samples
    assert exportables.network_to_export(run).samples == samples
    assert {path.parent.name for path in samples} == set(result.class_names)


def test_export_of_unknown_format(result, tmp_path):
    with pytest.raises(UnknownNameError, match="savedmodel"):
        transfer.export(result, tmp_path / "x", format="saved_model")


def test_the_export_of_a_run_whose_pictures_are_gone_is_its_own(run, result, tmp_path, capsys):
    moved = shutil.copytree(run, tmp_path / "run")
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"root": str(tmp_path / "gone")}))
    target = transfer.export(moved, tmp_path / "digits")
    assert "are gone: its own SavedModel is copied" in capsys.readouterr().err
    picture = [result.images.paths[0]]
    (copied,), (original,) = transfer.predict(target, picture, trust=True), transfer.predict(run, picture)
    assert copied.label == original.label
    assert copied.probabilities == pytest.approx(original.probabilities, abs=1e-5)
    next((moved / "saved_model").rglob("*.pb")).write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"\.pb is not the file that was written with this run"):
        transfer.export(moved, tmp_path / "again")
    shutil.rmtree(moved / "saved_model")
    with pytest.raises(ExportError, match="put the data back"):
        transfer.export(moved, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_file_and_class_names_that_are_no_utf_8(digits_folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(digits_folder / "0", data / "n\udcfcll")
    shutil.copytree(digits_folder / "1", data / "one")
    for picture in data.rglob("*.png"):
        picture.rename(picture.with_name(f"\udcff{picture.name}"))
    images = transfer.load_images(data)
    layers = [{"conv": 4, "stride": 2}, {"activation": "relu"}]
    result = transfer.train(images, transfer.split(images), None, "scratch", layers=layers, image_size=32, epochs=1)
    run = transfer.save_run(result, tmp_path / "run")
    assert "\\udcff" in (run / "report.html").read_text()
    assert records.load_result(run, images, result.split).predictions.indices.tolist() == [
        *result.split.validation, *result.split.test,
    ]  # fmt: skip
    transfer.explain(run, [images.paths[0]], tmp_path / "explained")
    assert transfer.evaluate(run, data)["accuracy"] == result.metrics["accuracy"]
    rows = list(transfer.iter_predictions(run, [data], table=tmp_path / "answers.csv"))
    assert {row.file for row in rows} == {str(path) for path in images.paths}
    assert [row[0] for row in records.read_rows(tmp_path / "answers.csv")[1:]] == [row.file for row in rows]
    ended = CliRunner().invoke(cli.app, ["predict", str(run), str(data)])
    assert ended.exit_code == 0, ended.output
    assert "\\udcff00.png  " in ended.stdout


def test_evaluate_counts_only_pictures_the_run_never_saw(run, result, digits_folder):
    figures = transfer.evaluate(run, digits_folder)
    assert figures["images"] == len(result.split.test)
    assert figures["accuracy"] == result.metrics["accuracy"]
    assert transfer.evaluate(run / "saved_model", digits_folder)["images"] == figures["images"]
    assert figures["notes"] == []
    assert figures["left_out"] == {"seen": len(result.images) - len(result.split.test), "other_parts": 0}


def test_evaluate_tells_of_groups_that_the_run_was_trained_on(run, result, digits_folder, tmp_path):
    copy, groups = shutil.copytree(run, tmp_path / "run"), tmp_path / "groups.csv"
    config = json.loads((copy / "config.json").read_text())
    for file in config["files"].values():
        file["group"] = "ann" if file["part"] == "train" else "bob"
    (copy / "config.json").write_text(json.dumps(config))
    tested = result.split.test.tolist()
    rows = [f"{name},{'ann' if i in tested[:3] else 'eve'}" for i, name in enumerate(result.images.names)]
    groups.write_text("\n".join(["file,group", *rows]))
    (note,) = transfer.evaluate(copy, digits_folder, groups)["notes"]
    assert note.startswith(f"3 of {len(tested)} pictures are of a group that the model was trained on")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The SavedModel of the run, away from the run."""
    return shutil.copytree(run / "saved_model", tmp_path_factory.mktemp("exported") / "digits" / "1")


def test_evaluate_counts_the_part_that_data_names_and_tells_what_it_cannot_know(exported, digits_folder, tmp_path):
    for part in ("train", "val"):
        shutil.copytree(digits_folder, tmp_path / part, ignore=lambda _, names: [n for n in names if n > "00.png"][3:])
    figures = transfer.evaluate(exported, tmp_path, trust=True)
    assert figures["left_out"] == {"seen": 0, "other_parts": figures["images"]}
    ended = CliRunner().invoke(cli.app, ["evaluate", str(exported), str(tmp_path), "--trust"])
    assert f"{figures['images']} pictures left out: they belong to another part of DATA" in ended.stdout
    assert "note: what the model was trained on is not known here" in ended.stderr


def test_evaluate_takes_one_class_and_one_picture(exported, digits_folder, tmp_path):
    (tmp_path / "1").mkdir()
    shutil.copy(digits_folder / "1" / "00.png", tmp_path / "1")
    figures = transfer.evaluate(exported, tmp_path, trust=True)
    assert figures["images"] == 1
    assert figures["accuracy"] in (0.0, 1.0)


def test_predict_answers_the_others_when_one_file_is_no_picture(run, result, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    good, bad = transfer.predict(run, [result.images.paths[0], text])
    assert good.label
    assert not bad.label
    assert "no picture" in bad.error


def test_predict_answers_or_names_every_file_that_a_folder_can_contain(run, tmp_path):
    odd = write_odd_folder(tmp_path)
    rows = {row.file: row for row in transfer.predict(run, [odd.root])}
    assert {name for name in odd.bad if rows[str(odd.root / name)].error} == set(odd.bad)
    assert rows[str(odd.root / "odd/empty.jpg")].error == "is empty"
    assert {name for name in odd.good if rows[str(odd.root / name)].label} == set(odd.good)


def test_predict_takes_folders_and_patterns(run, digits_folder):
    every = transfer.predict(run, [digits_folder])
    some = transfer.predict(run, [f"{digits_folder}/*/*0.png"])
    assert len(every) == 90
    assert 0 < len(some) < 90


def test_predict_takes_pictures_as_python_holds_them(run, result, tmp_path):
    path = result.images.paths[0]
    pixels = np.asarray(Image.open(path))  # grey
    colours = np.stack([pixels] * 3, axis=2)
    damaged = Image.open(io.BytesIO(path.read_bytes()[:-60]))
    sound = (path.read_bytes(), Image.open(path), pixels, colours, colours[None], path)
    *rows, nothing, cut = transfer.predict(run, (picture for picture in (*sound, b"nothing", damaged)))
    names = ["pictures[0]", "pictures[1]", "pictures[2]", "pictures[3]", "pictures[4][0]", str(path)]
    assert [row.file for row in rows] == names
    (expected,) = transfer.predict(run, str(path))
    for row in (*rows, *transfer.predict(run, colours)):
        assert row.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert nothing.error
    assert cut.error
    wrong = {
        "pictures is an array of float32": pixels.astype(np.float32), "(8, 8, 4)": np.zeros((8, 8, 4), np.uint8),
        "(0, 8, 3)": np.zeros((0, 8, 3), np.uint8), "(2, 0, 8, 3)": np.zeros((2, 0, 8, 3), np.uint8),
        "of type NoneType": None, "pictures[1] is of type int": [path, 3], "nothing: no pictures": [],
    }  # fmt: skip
    for said, pictures in wrong.items():
        with pytest.raises(DataError, match=re.escape(said)):
            list_sources(pictures)
    with pytest.raises(DataError, match="pictures is no file"):
        list_files(pixels)


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_predict_with_something_that_is_no_model(tmp_path, what, digits_folder):
    if what == "empty":
        (tmp_path / what).mkdir()
    with pytest.raises(ModelFileError, match=what):
        transfer.predict(tmp_path / what, [digits_folder])


def test_what_is_no_result_is_no_run(tmp_path):
    for value in ("x", {}, None):
        with pytest.raises(DataError, match=f"result is of type {type(value).__name__}; expected what transfer.train"):
            transfer.save_run(value, tmp_path / "run")


@pytest.mark.usefixtures("briefly_saved")
def test_an_existing_run_is_not_overwritten_unless_asked(result, tmp_path):
    run = transfer.save_run(result, tmp_path / "run", "first")
    with pytest.raises(OutputError, match="`overwrite=True`"):
        transfer.save_run(result, run)
    assert json.loads((run / "result.json").read_text())["command"] == "first"
    transfer.save_run(result, run, "again", overwrite=True)
    assert json.loads((run / "result.json").read_text())["command"] == "again"


@pytest.mark.usefixtures("briefly_saved")
def test_compare_shares_the_split_and_says_how_sure_it_is(digits, tmp_path):
    layers = [{"conv": 8}, {"activation": "relu"}, {"pool": 4}]
    methods = ("frozen", "scratch", "dense")
    results = transfer.compare(*digits, "bundled", methods, image_size=32, layers=layers, epochs=2)
    assert [*results] == [*methods]
    assert repr(results).startswith("Comparison(frozen: accuracy ")
    assert repr(results["frozen"]).startswith("Result(frozen, bundled at 32 px, accuracy ")
    assert max(map(len, map(repr, (results, *results.values(), results["frozen"].predictions)))) < 500
    assert len({tuple(result.predictions.of("test")[0]) for result in results.values()}) == 1
    assert len(results.differences) == 3
    assert len(results.in_words()) == 4
    run = transfer.save_run(results, tmp_path / "run")
    said = json.loads((run / "result.json").read_text())
    assert {"methods", "differences", "best"} <= set(said)
    assert all((run / name / "model.keras").is_file() for name in methods)
    figure = said["methods"][said["best"]]["accuracy"]
    assert json.loads((run / said["best"] / "result.json").read_text())["accuracy"] == figure


def test_a_layer_that_cannot_be_is_refused_before_the_other_methods_are_trained(digits, monkeypatch):
    monkeypatch.setattr(comparison, "train", lambda *args, **options: pytest.fail("trained"))
    with pytest.raises(LayerError, match="did you mean conv"):
        transfer.compare(*digits, "bundled", ("frozen", "scratch"), image_size=32, layers=[{"covn": 4}])


@pytest.mark.usefixtures("briefly_saved")
def test_a_comparison_that_was_broken_off_goes_on_where_it_stopped(digits, tmp_path, monkeypatch):
    trained = []
    train = comparison.train

    def counted(*args, **options):
        trained.append(args[3])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(*args, **options)

    monkeypatch.setattr(comparison, "train", counted)
    network = transfer.convnet(32, [{"conv": 4, "stride": 4}])
    asked = dict(backbone=network, methods=("frozen", "dense"), epochs=1)
    with pytest.raises(KeyboardInterrupt):
        transfer.compare(*digits, **asked)
    results = transfer.compare(*digits, **asked)
    assert trained == ["frozen", "scratch", "scratch"]
    transfer.save_run(results, tmp_path / "run")
    transfer.compare(*digits, **asked)
    assert trained == ["frozen", "scratch", "scratch", "frozen", "scratch"]
