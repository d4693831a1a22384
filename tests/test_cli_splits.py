"""Groups, folds and written splits from the command line."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.cli.evidence import show_evidence
from transfer.data.splits import NO_TEST
from transfer.errors import OptionError, TransferError
from transfer.writing import write_json


def call(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(digits_folder, tmp_path_factory):
    """A run with two folds and groups by the last digit of the file name, and what was said of it as JSON."""
    run = tmp_path_factory.mktemp("folds") / "run"
    backbone = run.with_name("tiny.keras")
    transfer.convnet(32, [{"conv": 16}, {"activation": "relu"}, {"pool": 4}, {"flatten": True}]).save(backbone)
    words = ("--folds", 2, "--groups", "([0-9])$", "--backbone", backbone, "--out", run, "--json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transfer.runs.saving.export_saved_model", lambda *given: [])
        done = call("train", digits_folder, *words)
    assert done.exit_code == 0, done.output
    return run, done


def test_a_run_holds_the_figures_of_its_folds_and_a_network_trained_as_usual(trained):
    run, done = trained
    said = json.loads((run / "cross_validation.json").read_text())
    assert [row["fold"] for row in said["folds"]] == [1, 2]
    assert sum(row["test"] for row in said["folds"]) == 90
    accuracies = [row["accuracy"] for row in said["folds"]]
    assert said["summary"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 2)
    assert min(accuracies) > 0.7
    assert json.loads(done.stdout)["cross_validation"] == said
    assert (run / "model.keras").is_file()
    assert all(sentence in (run / "report.html").read_text() for sentence in said["in_words"])
    assert len((run / "cross_validation.csv").read_text().splitlines()) == 91
    assert said["pooled"]["intervals_over"] == "groups"


def test_what_folds_say_is_a_result(capsys):
    rows = [{"fold": fold, "accuracy": 0.5, "balanced_accuracy": 0.5, "log_loss": 1.0} for fold in (1, 2)]
    share = {"accuracy": 0.5, "accuracy_ci95": [0.2, 0.8]}
    pooled = {"answers": 8, "pictures": 8, **share, **{f"balanced_{name}": value for name, value in share.items()}}
    notes = ("no backbone was named", "fold 2")
    show_evidence([transfer.CrossValidation(rows, pooled, [], notes)], notes[:1])
    said, told = capsys.readouterr()
    assert "over 2 folds, accuracy 50.0%" in said
    assert "accuracy 50.0% (95% interval 20.0 to 80.0)" in said
    assert told == "note: fold 2\n"  # the other was told of the network of the run


def test_groups_stay_together_in_the_run(trained):
    run, done = trained
    assert "note: 10 groups, 9 each" in done.stderr
    files = json.loads((run / "config.json").read_text())["files"]
    parts = {}
    for name, row in files.items():
        parts.setdefault(name[-5], set()).add(row["part"])
    assert len(parts) == 10
    assert all(len(found) == 1 for found in parts.values())


def test_the_split_of_that_run_is_used_again(trained, digits_folder):
    run, _ = trained
    images = transfer.load_images(digits_folder)
    files = json.loads((run / "config.json").read_text())["files"]
    for part, indices in transfer.read_split(images, run).parts().items():
        assert sorted(images.names[i] for i in indices) == sorted(n for n, row in files.items() if row["part"] == part)


def test_without_a_test_part_the_network_is_made_of_all_pictures(digits_folder, tmp_path):
    run, page = tmp_path / "run", tmp_path / "page.html"
    done = call("train", digits_folder, "--test", 0, "--validation", 0, "--image-size", 32, "--out", run)
    assert done.exit_code == 0, done.exception
    said = json.loads((run / "result.json").read_text())
    assert said["images"] == {"train": 90, "validation": 0, "test": 0}
    assert said["accuracy"] is None
    assert NO_TEST in said["notes"]
    assert "There were no test pictures" in (run / "report.html").read_text()
    assert (run / "saved_model" / "saved_model.pb").is_file()
    assert done.stdout.endswith(
        f"Next:\n  transfer predict {run} new/*.jpg\n  transfer train {digits_folder} --test 0 --folds 5\n"
    )
    fold = {"fold": 1, "train": 45, "validation": 0, "test": 45, "log_loss": 0.3}
    fold |= dict.fromkeys(("accuracy", "balanced_accuracy"), 0.9)
    write_json(run / "cross_validation.json", {"in_words": ["as measured"], "folds": [fold]})
    transfer.build_report([run], page)
    assert "by others like it, trained on folds" in page.read_text()


def test_folds_measure_where_nothing_is_kept_for_testing(digits_folder, tmp_path, monkeypatch):
    def measured(images, splits, *_):
        raise TransferError(f"{len(splits)} folds of {len(images)}")

    monkeypatch.setattr(transfer, "cross_validate", measured, raising=False)
    done = call("train", digits_folder, "--test", 0, "--folds", 2, "--out", tmp_path / "run")
    assert str(done.exception) == "2 folds of 90"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--folds", 50), "no class has more than 30"),
        (("--folds", 3, "--split", "run"), "--folds 3 with --split"),
        (("--folds", 3, "--groups", "^[0-9]([0-9])$", "--per-class", 5), "--folds 3 with --per-class 5"),
        (("--groups", "(zebra)"), "fits none"),
        (("--groups", "auto"), "show no groups"),
        (("--keep-together", "twins"), "near-duplicates"),
        (("--split", "nowhere.csv"), "does not exist"),
        (("--split", "run", "--test", 0.3), "--test 0.3 with --split run"),
        (("--folds", 3, "--test", 0.3), "--folds 3 with --test 0.3"),
        (("--test", 0.6, "--validation", 0.4), "a sum below 1"),
    ],
)
def test_what_cannot_be_split_is_refused_in_one_sentence(digits_folder, tmp_path, words, sentence):
    done = call("train", digits_folder, *words, "--out", tmp_path / "run")
    assert isinstance(done.exception, TransferError), done.exception
    assert sentence in str(done.exception)
    assert not (tmp_path / "run").exists()
    if "--per-class" in words:
        assert isinstance(done.exception, OptionError)


@pytest.mark.parametrize(
    ("given", "shares", "sentence"),
    [
        (("train", "test"), ("--test", 0.3), "--test 0.3"),
        (("train", "validation"), ("--test", 0.3), "--test 0.3"),
        (("train", "validation", "test"), ("--validation", 0.3), "--validation 0.3"),
        (("train", "test"), ("--validation", 0.3), None),
        (("",), ("--validation", 0.3, "--test", 0.5), None),
    ],
)
def test_shares_are_for_what_is_not_given(digits, given, shares, sentence, digits_folder, tmp_path, monkeypatch):
    images, _ = digits
    parted = replace(images, given=tuple(given[i % len(given)] for i in range(len(images))))
    split = {}
    monkeypatch.setattr(transfer, "load_images", lambda *_, **__: parted)
    monkeypatch.setattr(transfer, "compare", lambda images, made, *_, **__: split.update(made.parts()))
    done = call("compare", digits_folder, *shares, "--out", tmp_path / "run")
    if sentence:
        assert isinstance(done.exception, OptionError), done.exception
        assert sentence in str(done.exception)
    else:
        left = 1 - sum(shares[1::2]) if "" in given else 0.7 * 0.5
        assert len(split["train"]) / len(images) == pytest.approx(left, abs=0.1)
