"""`predict`, `evaluate` and `export` on a comparison: what is named, what is written, what is never replaced."""

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli, demo_data, quiet, settings
from transfer.cli import tour

quiet.import_tensorflow()

from transfer.data import pipeline  # noqa: E402
from transfer.errors import DataError, OptionError, OutputError, PictureError, TransferError  # noqa: E402
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
    damaged, read = images.paths[split.test[0]], pipeline.read_fitted

    def reads(path, *digest):
        if path == damaged:
            raise PictureError("is cut short or damaged")
        return read(path, *digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "read_fitted", reads)
        patch.setattr(saving, "write_report", lambda *given: None)
        patch.setattr(saving, "export_saved_model", lambda *given: [])
        patch.setenv("TRANSFER_CACHE", str(place / "cache"))
        words = ("--methods", "scratch,dense", "--layers", place / "layers.json", "--image-size", 32, "--epochs", 1)
        printed, said = typed("compare", images.root, *words, "--out", place / "first", "--json")
    return place / "first", said, printed


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


def test_predict_counts_the_answers_of_a_table_by_class(run, tested, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    paths = tested[0]
    rows = transfer.predict(run / "dense", paths)
    said, _ = typed("predict", run / "dense", *paths, "--csv", tmp_path / "a.csv")
    expected = Counter(row.label for row in rows)
    assert dict(line.split("  ") for line in said.splitlines()) == {name: str(n) for name, n in expected.items()}
    ended = CliRunner().invoke(
        cli.app, [*map(str, ("predict", run / "dense", paths[0], text, "--least", 1, "--csv", tmp_path / "b.csv"))]
    )
    assert (ended.exit_code, ended.stdout) == (2, "not sure  1\n")


def test_pictures_are_sorted_into_folders_and_nothing_is_replaced(run, tested, tmp_path):
    first, second = tested[0][:2]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "bad.png").write_text("hello")
    shutil.copy(second, tmp_path / "more" / first.name)  # another picture of the same name
    words = [*map(str, ("predict", run / "dense", first, tmp_path / "more", "--sort-into", tmp_path / "new", "--json"))]
    for copied in (2, 0):
        ended = CliRunner().invoke(cli.app, words)
        assert ended.exit_code == 2
        assert "bad.png is no picture" in ended.stderr
        told = json.loads(ended.stdout)
        assert told["sorted"] == {"copied": copied, "already_there": 2 - copied}
    names = {row["file"]: row["label"] for row in told["predictions"] if not row["error"]}
    found = {path.relative_to(tmp_path / "new"): path.read_bytes() for path in (tmp_path / "new").rglob("*.png")}
    a, b = names[str(first)], names[str(tmp_path / "more" / first.name)]
    other = first.with_stem(f"{first.stem}-2").name if a == b else first.name
    assert found == {Path(a, first.name): first.read_bytes(), Path(b, other): second.read_bytes()}
    typed("predict", run / "dense", first, "--sort-into", tmp_path / "unsure", "--least", 1)
    assert [path.parent.name for path in (tmp_path / "unsure").rglob("*.png")] == ["not sure"]


@pytest.mark.parametrize(
    ("pictures", "place", "said"),
    [
        ("{tmp}", "{tmp}/new", "would be read as pictures the next time"),
        ("{tmp}/**/*.png", "{tmp}/new", "would be read as pictures the next time"),
        ("{data}/0/00.png", "{data}/new", "lies in DATA"),
        ("{data}/0/00.png", "{tmp}/file", "is a file; name a folder"),
    ],
)
def test_sorted_pictures_are_kept_apart(pictures, place, said, run, digits_folder, tmp_path):
    (tmp_path / "file").touch()
    shutil.copy(digits_folder / "0" / "00.png", tmp_path)
    words = [word.format(tmp=tmp_path, data=digits_folder) for word in (pictures, place)]
    with pytest.raises(OutputError, match=said):
        typed("predict", run / "dense", words[0], "--sort-into", words[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00.png", "file"]


def test_a_class_that_is_no_name_of_a_folder_is_not_sorted(tmp_path):
    row = prediction.Prediction("a.png", "../b", 1.0, {"../b": 1.0})
    with pytest.raises(OptionError, match="cannot be the name of a folder"):
        transfer.sort_into([row], tmp_path)


# Of each command: words after its name, and the keys of the object that `--json` prints.
PRINTED = {
    "check": (("{data}",), {"schema_version", "images", "classes", "seconds", "counts", "findings"}),
    "clean": (("{data}", "--out", "clean.csv"), {"drop", "move", "group", "keep"}),
    "augment": (("{data}", "--image-size", "32"), {"page", "presets", "notes"}),
    "train": (
        ("{data}", "--method", "scratch", "--layers", "{layers}", "--image-size", "32", "--epochs", "1"),
        {"accuracy", "method", "classes", "images", "seconds"},
    ),
    "lr": (
        ("{data}", "--method", "scratch", "--image-size", "32"),
        {"method", "network", "rates", "losses", "highest", "suggested", "chosen", "notes"},
    ),
    "evaluate": (("{run}/dense", "{data}"), {"model", "data", "images", "left_out", "unreadable", "notes"}),
    "predict": (("{run}/dense", "{picture}"), {"predictions", "counts"}),
    "features": (
        ("{run}/scratch", "--out", "features.npz"),
        {"file", "pictures", "width", "classes", "network", "notes"},
    ),
    "similar": (("{run}/scratch", "{picture}", "--out", "similar"), {"pictures", "network", "notes", "page"}),
    "explain": (("{run}/scratch", "{picture}"), {"page", "files", "pictures", "layers"}),
    "report": (("{run}", "--out", "page.html"), {"page", "runs"}),
    "export": (("{run}/dense",), {"folder", "format"}),
    "backbones": ((), {"backbones"}),
    "cache": ((), {"folder", "kinds"}),
    "demo": ((), {"data", "run", "result", "predicted", "right"}),
}
FIGURES = ("train", "evaluate", "compare")  # these print all of `result.json`


@pytest.mark.usefixtures("briefly_saved")
def test_every_command_prints_one_object_as_it_is_documented(compared, digits_folder, tmp_path, monkeypatch):
    run, _, printed = compared
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exports, "export_saved_model", lambda *given: [])
    monkeypatch.setattr(
        demo_data, "write_demo_data", lambda name, folder: shutil.copytree(digits_folder, folder / "test")
    )
    monkeypatch.setattr(settings, "TRIED_STEPS", 12)
    monkeypatch.setattr(tour, "compare_shown", lambda context, words: shutil.copytree(run, words[-2]))
    document = (Path(__file__).parent.parent / "docs" / "json.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", document, re.MULTILINE))
    assert rows.keys() == {command.callback.__name__ for command in cli.app.registered_commands}
    assert rows.keys() == {*PRINTED, "compare", "serve"}  # which goes on until it is stopped
    assert {"methods", "differences", "in_words", "best"} <= json.loads(printed).keys()
    given = {"data": digits_folder, "run": run, "picture": digits_folder / "0" / "00.png",
             "layers": run.parent / "layers.json"}  # fmt: skip
    for command, (words, keys) in PRINTED.items():
        said, _ = typed(command, *(word.format(**given) for word in words), "--json")
        told = json.loads(said)
        assert (keys <= told.keys()) if command in FIGURES else (keys == told.keys()), command
        documented = set(re.findall("`([^`]+)`", rows[command]))
        assert keys <= documented or command in FIGURES, command


def test_a_network_sees_values_in_the_range_that_it_was_trained_with(compared, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "write_report", lambda *given: None)
    rng = np.random.default_rng(0)
    for number in range(24):
        place = tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        # Alone, most of them would be taken for another range.
        Image.fromarray(rng.integers(0, 4096 >> number % 5, (32, 32), np.uint16)).save(place)
    words = ("--layers", compared[0].parent / "layers.json", "--image-size", 32, "--epochs", 1, "--method", "scratch")
    printed, _ = typed("train", tmp_path / "data", *words, "--out", tmp_path / "run", "--json")
    (note,) = [note for note in json.loads(printed)["notes"] if "predict_bytes" in note]
    assert "PNG of 16 bits, of which 0 to 4095 is the range" in note
    rows = table(tmp_path / "run" / "predictions.csv")
    files = [tmp_path / "data" / row["file"] for row in rows]
    expected = [[float(row["a"]), float(row["b"])] for row in rows]
    for model in (tmp_path / "run", shutil.copytree(tmp_path / "run" / "saved_model", tmp_path / "alone")):
        answered = transfer.predict(model, files, trust=True)
        np.testing.assert_allclose([[*row.probabilities.values()] for row in answered], expected, atol=1e-5)


@pytest.mark.parametrize("command", ["check", "predict", "evaluate", "explain"])
def test_commands_read_no_larger_pictures_than_they_are_allowed_to(command, run, digits_folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    words = {"check": (digits_folder,), "evaluate": (run / "dense", digits_folder)}
    given = words.get(command, (run / "dense", digits_folder / "0" / "00.png"))
    with pytest.raises((TransferError, SystemExit), match=r"^2$|more than 0.001 million pixels"):
        typed(command, *given, "--most-megapixels", "0.001")


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
    with pytest.raises(OutputError, match="there is no folder"):
        typed(command, "nowhere", given, "--csv", tmp_path / "none" / "answers.csv")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_table_on_standard_output_is_alone_there(command, run, tested, digits_folder, tmp_path):
    given = tested[0][0] if command == "predict" else digits_folder
    typed(command, run / "dense", given, "--csv", tmp_path / "answers.csv")
    said, told = typed(command, run / "dense", given, "--csv", "-")
    assert said == (tmp_path / "answers.csv").read_text()
    assert " in -" in told
    with pytest.raises(OptionError, match="both go to standard output"):
        typed(command, run / "dense", given, "--csv", "-", "--json")


def test_evaluate_writes_its_mistakes_first(run, digits_folder, tmp_path):
    answers = tmp_path / "answers.csv"
    said, told = typed("evaluate", run / "scratch", digits_folder, "--csv", answers, "--json")
    figures, rows = json.loads(said), table(answers)
    assert [*rows[0]] == ["file", "label", "predicted", "probability", "0", "1", "2"]
    assert f"{len(rows)} rows in {answers}" in told
    right = [row["label"] == row["predicted"] for row in rows]
    assert len(rows) == figures["images"]
    assert np.mean(right) == pytest.approx(figures["accuracy"])
    of_true = [(is_right, float(row[row["label"]])) for is_right, row in zip(right, rows)]
    assert of_true == sorted(of_true)
    assert right[0] is all(right)
    assert all(row["file"].startswith(f"{row['label']}/") for row in rows)
    assert all(float(row["probability"]) == max(float(row[name]) for name in "012") for row in rows)
    with pytest.raises(OutputError, match=r"lies in DATA .*name a place elsewhere"):
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
    monkeypatch.setattr(exports, "export_saved_model", lambda *given: [])
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
