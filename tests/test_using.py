"""`predict`, `evaluate` and `export` on a comparison: what is named, what is written, what is never replaced."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.data import pipeline  # noqa: E402
from transfer.errors import DataError, OptionError, OutputError, PictureError  # noqa: E402
from transfer.runs import exports, prediction, saving  # noqa: E402
from transfer.runs.prediction import list_files  # noqa: E402


def typed(*words):
    """(stdout, stderr) of the command line within this process; errors come as they are raised."""
    ended = CliRunner().invoke(cli.app, [str(word) for word in words])
    if ended.exception:
        raise ended.exception
    return ended.stdout, ended.stderr


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def compared(digits, tmp_path_factory):
    """(run of two methods, what was said of it), trained where one test picture cannot be decoded."""
    images, split = digits
    place = tmp_path_factory.mktemp("compared")
    (place / "layers.json").write_text('[{"conv": 4, "stride": 4}, {"activation": "relu"}]')
    damaged, read = images.paths[split.test[0]], pipeline.read_picture

    def reads(path, *digest):
        if path == damaged:
            raise PictureError("is cut short or damaged")
        return read(path, *digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "read_picture", reads)
        patch.setattr(saving, "write_report", lambda *given: None)
        patch.setenv("TRANSFER_CACHE", str(place / "cache"))
        words = ("--methods", "scratch,dense", "--layers", place / "layers.json", "--image-size", 32, "--epochs", 1)
        _, said = typed("compare", images.root, *words, "--out", place / "first")
    return place / "first", said


@pytest.fixture(scope="module")
def run(compared):
    return compared[0]


@pytest.fixture(scope="module")
def tested(run, digits):
    """The test pictures of the run, with the answers that were written down, by method."""
    images, _ = digits
    answers = {name: [row for row in table(run / name / "predictions.csv") if row["split"] == "test"]
               for name in ("scratch", "dense")}  # fmt: skip
    return [images.root / row["file"] for row in answers["dense"]], answers


def test_compare_tells_the_notes_of_its_methods_once(compared):
    assert len(re.findall(r"^note: .*could not be decoded.*left out$", compared[1], re.MULTILINE)) == 1


@pytest.mark.parametrize("method", ["scratch", "dense"])
def test_each_method_of_a_comparison_answers(method, run, tested):
    paths, answers = tested
    rows = transfer.predict(run / method, paths)
    expected = [[float(row[name]) for name in "012"] for row in answers[method]]
    np.testing.assert_allclose([[*row.probabilities.values()] for row in rows], expected, atol=1e-5)


def test_a_class_below_the_least_probability_is_not_named(run, tested, tmp_path):
    path = tested[0][0]
    (row,), (unsure,) = transfer.predict(run / "dense", [path]), transfer.predict(run / "dense", [path], least=1.0)
    assert row.label
    assert unsure == row._replace(label="")
    assert typed("predict", run / "dense", path)[0] == f"{path}  {row.label}  {row.probability:.1%}\n"
    said, _ = typed("predict", run / "dense", path, "--least", 1, "--top", 3)
    named = "  ".join(
        f"{name}  {row.probabilities[name]:.1%}" for name in sorted("012", key=row.probabilities.get)[::-1]
    )
    assert said == f"{path}  not sure  {named}\n"
    said, _ = typed("predict", run / "dense", path, "--least", 1, "--json", "--csv", tmp_path / "answers.csv")
    (found,) = json.loads(said)["predictions"]
    assert (found["label"], found["probability"]) == ("", row.probability)
    assert [answer["predicted"] for answer in table(tmp_path / "answers.csv")] == [""]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--least", 1.5), "least of 1.5; expected a share"),
        (("--top", 2, "--json"), "--top 2 with --json, which has all classes"),
        (("--top", 2, "--csv", "a.csv"), "--top 2 with --csv"),
    ],
)
def test_predict_refuses_what_cannot_be(words, sentence, run, digits_folder):
    with pytest.raises(OptionError, match=sentence):
        typed("predict", run, digits_folder, *words)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_table_replaces_nothing_but_a_table_of_the_same_command(command, run, tested, digits_folder, tmp_path):
    given = tested[0][0] if command == "predict" else digits_folder
    picture, answers, other = (tmp_path / name for name in ("a.png", "answers.csv", "other.csv"))
    shutil.copy(tested[0][0], picture)
    other.write_text("file,label\n")
    contents = picture.read_bytes(), other.read_bytes()
    for path in (picture, other, run / "predictions.csv"):
        with pytest.raises(OutputError, match="is no table of this command"):
            typed(command, "nowhere", given, "--csv", path)
    with pytest.raises(OutputError, match="cannot be written"):
        typed(command, "nowhere", given, "--csv", other / "answers.csv")
    with pytest.raises(OutputError, match="is a folder"):
        typed(command, "nowhere", given, "--csv", tmp_path)
    assert (picture.read_bytes(), other.read_bytes()) == contents
    answers.touch()
    for _ in range(2):
        typed(command, run / "dense", given, "--csv", answers)
    assert table(answers)[0]["probability"]


def test_evaluate_writes_its_mistakes_first(run, digits_folder, tmp_path):
    answers = tmp_path / "answers.csv"
    said, told = typed("evaluate", run, digits_folder, "--csv", answers, "--json")
    figures, rows = json.loads(said), table(answers)
    assert [*rows[0]] == ["file", "label", "predicted", "probability", "0", "1", "2"]
    assert f"{len(rows)} rows in {answers}" in told
    right = [row["label"] == row["predicted"] for row in rows]
    assert len(rows) == figures["images"]
    assert np.mean(right) == pytest.approx(figures["accuracy"])
    of_true = [(is_right, float(row[row["label"]])) for is_right, row in zip(right, rows)]
    assert of_true == sorted(of_true)
    assert right[0] is False
    assert all(row["file"].startswith(f"{row['label']}/") for row in rows)
    assert all(float(row["probability"]) == max(float(row[name]) for name in "012") for row in rows)
    with pytest.raises(OutputError, match=r"lies in DATA .*choose an --csv elsewhere"):
        typed("evaluate", run, digits_folder, "--csv", digits_folder / "answers.csv")


def test_a_class_without_pictures_has_no_figures(run, tested, tmp_path):
    (tmp_path / "1").mkdir()
    for path in (path for path in tested[0] if path.parent.name == "1"):
        shutil.copy(path, tmp_path / "1")
    said, _ = typed("evaluate", run, tmp_path)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines()]
    rows = {row[0]: row[1:] for row in cells if len(row) == 5}
    confusion = transfer.evaluate(run, tmp_path)["confusion"]
    for label in "02":
        answers = sum(row[int(label)] for row in confusion)
        assert rows[label] == ["0.0%" if answers else "-", "-", "-", "0"]
    assert rows["1"][1].endswith("%")


def test_a_method_is_exported_under_the_name_of_its_comparison_and_no_model_becomes_another(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(exports.FORMATS, "savedmodel", lambda *given: [])
    assert typed("export", run / "dense") == ("saved_models/first-dense/1\n", "")
    place = tmp_path / "saved_models" / "first-dense"
    (place / "²").mkdir(parents=True)
    about = place / "1" / exports.SIDECAR
    about.parent.mkdir(parents=True)
    about.write_text(json.dumps({"class_names": ["0", "cat"]}))
    with pytest.raises(OutputError, match="holds a model that knows cat, which this one does not"):
        typed("export", run / "dense")
    about.write_text(json.dumps({"class_names": ["0", "1"]}))  # a class more is a new version
    assert transfer.export(run / "dense", place).name == "2"


def test_predict_goes_through_folders_as_training_does(tmp_path, monkeypatch):
    far, folder = tmp_path / "far", tmp_path / "folder"
    for place in (far, folder / ".thumbnails", folder / "__MACOSX", folder / "b"):
        place.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(place / "a.png")
    (folder / "b" / "notes.txt").touch()
    (folder / "link").symlink_to(far)
    assert list_files([folder]) == [folder / "b" / "a.png", folder / "link" / "a.png"]

    def closed(top):
        raise PermissionError(13, "Permission denied", str(top))
        yield

    monkeypatch.setattr(prediction, "walk", closed)
    with pytest.raises(DataError, match=r"folder cannot be read \(Permission denied\); allow reading it"):
        list_files([folder])
