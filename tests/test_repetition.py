import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.errors import DataError, ModelFileError  # noqa: E402
from transfer.reading import run_config, trained_on  # noqa: E402
from transfer.runs import records, repetition  # noqa: E402

LAYERS = [{"conv": 4}, {"activation": "relu"}, {"pool": 4}]
FROZEN = dict(backbone="bundled", image_size=32, head="svm", epochs=2)


def split_of(result):
    names = result.images.names
    return {part: {names[i] for i in indices} for part, indices in result.split.parts().items()}


def written(digits, folder, options):
    """A run of few training pictures in a folder, without its export and report."""
    images, split = digits
    result = transfer.train(images, transfer.limit_training(split, images.labels, 9), **options)
    records.write_result(result, folder)
    return folder, result


@pytest.fixture(scope="module")
def compared(digits, tmp_path_factory):
    """One method of a comparison as a run."""
    folder = tmp_path_factory.mktemp("repeated") / "dense"
    result = transfer.compare(*digits, transfer.convnet(32, LAYERS), ["dense"], epochs=1, seed=3)["dense"]
    records.write_result(result, folder)
    return folder, result


@pytest.fixture(scope="module")
def run(compared):
    return compared[0]


@pytest.mark.parametrize("method", ["frozen", "dense"])
def test_the_same_split_and_the_same_figures_to_the_last_digit(method, compared, digits, tmp_path, monkeypatch):
    folder, first = compared if method == "dense" else written(digits, tmp_path / "frozen", FROZEN)
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "empty"))  # nothing kept helps
    again = transfer.repeat_run(folder / "config.json")
    assert split_of(again) == split_of(first)
    assert again.metrics == first.metrics
    assert np.array_equal(again.predictions.probabilities, first.predictions.probabilities)
    assert again.options == first.options
    assert not any("here and was" in note for note in again.notes)


def changed(run, folder, **values):
    """A copy of a run whose configuration says something else."""
    folder.mkdir()
    config = json.loads((run / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.usefixtures("briefly_saved")
def test_train_from_a_run_finds_pictures_that_moved_and_names_versions_that_differ(run, digits_folder, tmp_path):
    config = json.loads((run / "config.json").read_text())
    config["versions"]["keras"] = "2.0"
    config["files"]["0/00.png"]["class"] = "1"
    said = {"versions": config["versions"], "files": config["files"], "data": str(tmp_path / "nowhere")}
    old = changed(run, tmp_path / "old", **said)
    (old / "history.csv").write_text('"phase","epoch","stopped_by_hand"\n"scratch",1,1\n')
    with pytest.raises(DataError, match="nowhere does not exist"):
        transfer.repeat_run(old)
    moved = shutil.copytree(digits_folder, tmp_path / "moved")
    words = ["train", moved, "--from", old / "config.json", "--out", tmp_path / "again", "--json"]
    ended = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert ended.exit_code == 0, ended.exception
    assert "and was 2.0" in ended.stderr
    assert "note: the run was stopped by hand, and this one was not" in ended.stderr
    assert "numpy is" not in ended.stderr
    assert "1 picture(s) have another class than in the run: 0/00.png (was 1)" in " ".join(ended.stderr.split())
    assert json.loads(ended.stdout)["accuracy"] == json.loads((run / "result.json").read_text())["accuracy"]


def test_a_stop_of_a_fold_which_has_no_row_in_the_history_is_told_too(run, tmp_path):
    assert repetition._stopped_by_hand(run) == []
    old = changed(run, tmp_path / "old")
    figures = json.loads((run / "result.json").read_text())
    figures["notes"] = ["finetune, fold 1 was stopped by hand after 1 epochs"]
    (old / "result.json").write_text(json.dumps(figures))
    (told,) = repetition._stopped_by_hand(old)
    assert "the run was stopped by hand" in told


def test_other_classes_a_network_of_python_and_what_is_no_run_are_refused(run, tmp_path):
    with pytest.raises(ModelFileError, match="of a class '0' that its list of classes does not have"):
        transfer.repeat_run(changed(run, tmp_path / "a", classes=["x", "y", "z"]))
    options = json.loads((run / "config.json").read_text())["options"]
    del options["layers"]
    with pytest.raises(ModelFileError, match="given in Python"):
        transfer.repeat_run(changed(run, tmp_path / "b", options=options | {"weights": "as given"}))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelFileError, match="of a run folder"):
        transfer.repeat_run(tmp_path)


def test_a_table_and_a_network_in_files_are_found_from_any_folder_and_a_network_that_changed_is_named(
    digits_folder, tmp_path, monkeypatch
):
    data = shutil.copytree(digits_folder, tmp_path / "data")
    names = [path.relative_to(data).as_posix() for path in sorted(data.rglob("*.png"))]
    for table, classes in (("all.csv", "uvw"), ("own.csv", "xyz")):
        rows = [f"{name},{classes[int(name[0])]}" for name in names]
        (data / table).write_text("\n".join(["file,label", *rows]))
    monkeypatch.chdir(data)
    transfer.convnet(32, LAYERS).save("own.keras")
    images = transfer.load_images("own.csv")
    run, _ = written((images, transfer.split(images)), tmp_path / "run", dict(backbone="own.keras", epochs=1))
    transfer.convnet(32, LAYERS).save("own.keras")
    monkeypatch.chdir(tmp_path)
    assert trained_on(run_config(run)) == str(data / "own.csv")
    again = transfer.repeat_run(run)
    assert again.class_names == ("x", "y", "z")
    assert "own.keras (as given) has changed since the run: figures may differ" in " ".join(again.notes)


@pytest.mark.parametrize("alike", [False, True])
def test_groups_come_from_the_run(alike, digits):
    images, _ = digits
    if alike:  # one content lies in many groups
        images = replace(images, digests=("the same",) * len(images))
    files = {
        name: {"part": "train", "digest": digest, "group": name[:3]}
        for name, digest in zip(images.names, images.digests)
    }
    assert repetition._with_groups(images, {"files": files}).groups == tuple(name[:3] for name in images.names)
    moved = replace(images, names=tuple(f"moved/{name}" for name in images.names))
    groups = repetition._with_groups(moved, {"files": files}).groups
    assert groups == tuple("2/2" if alike else name[:3] for name in images.names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "{run}", "--head", "svm", "--seed", "1"), "--head, --seed"),
        ((), "DATA is missing"),
        (("--from", "{run}/result.json"), "expected the config.json"),
        (("--from", "nowhere"), "is no run folder"),
    ],
)
def test_what_does_not_go_together_is_refused(words, said, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(cli.app, ["train", *(word.format(run=run) for word in words)])
    assert isinstance(ended.exception, cli.TransferError), ended.exception
    assert said in str(ended.exception)
    assert not list(tmp_path.iterdir())
