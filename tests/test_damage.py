"""A full disk, files that were cut or changed: one sentence each, and nothing half-written."""

import json
import os
import re
import resource
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

import keras  # noqa: E402

from transfer.errors import ExportError, OutputError  # noqa: E402
from transfer.learning import watching  # noqa: E402
from transfer.learning.methods import train  # noqa: E402
from transfer.networks import scratch  # noqa: E402
from transfer.reading import read_json, read_rows, run_config  # noqa: E402
from transfer.rooms import claim  # noqa: E402
from transfer.runs import exports, kept_results, saving  # noqa: E402


@pytest.fixture(scope="module")
def result(digits):
    return transfer.train(*digits, scratch.dense_network(32, (64,)), "scratch", epochs=1)


@pytest.fixture(scope="module")
def whole(result, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "write_report", lambda *given: None)
        return transfer.save_run(result, tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def run(whole, tmp_path):
    """A copy of a run, to be damaged."""
    return shutil.copytree(whole, tmp_path / "run")


@contextmanager
def full_disk():
    """No file can become longer than 100 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def cut(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def refused(*words):
    """The one sentence that a command ends with."""
    error = CliRunner().invoke(cli.app, [str(word) for word in words]).exception
    assert isinstance(error, cli.TransferError), error
    assert "\n" not in str(error)
    return str(error)


def test_an_export_to_a_full_disk_is_one_sentence(result, tmp_path):
    with full_disk(), pytest.raises(OutputError, match=r"1 cannot be written \(File too large\); free space") as error:
        transfer.export(result, tmp_path / "digits")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_cache_on_a_full_disk_costs_no_method_and_keeps_no_cut_network(digits, own_cache, capsys):
    with full_disk():
        results = transfer.compare(*digits, scratch.dense_network(32, (64,)), ["dense"], epochs=1)
    assert list(results) == ["dense"]
    assert not list(own_cache.rglob("*.keras"))
    said = capsys.readouterr().err
    assert said.count("note: ") == said.count(f"note: the cache in {own_cache} cannot be used (File too large)") == 1


def test_what_was_trained_is_not_trained_again_when_it_could_not_be_saved(
    digits_folder, tmp_path, own_cache, monkeypatch
):
    def differs(*given):
        raise ExportError("the exported model differs")

    trained = []
    monkeypatch.setattr(kept_results, "train", lambda *given, **options: trained.append(1) or train(*given, **options))
    monkeypatch.setattr(saving, "export_saved_model", differs)
    monkeypatch.setattr(saving, "write_report", lambda *given: None)
    layers = tmp_path / "layers.json"
    layers.write_text('[{"conv": 4, "stride": 4}, {"activation": "relu"}]')
    words = ("train", digits_folder, "--method", "scratch", "--layers", layers, "--image-size", 32, "--epochs", 1)
    said = refused(*words, "--out", tmp_path / "run")
    (kept,) = (own_cache / "unfinished").iterdir()
    assert said == (
        f"the exported model differs; what was trained is kept ({kept}): the same command again goes on from there"
    )
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(saving, "export_saved_model", lambda *given: [])
    for place, trainings in (("run", 1), ("another", 2)):
        ended = CliRunner().invoke(cli.app, [str(word) for word in (*words, "--out", tmp_path / place)])
        assert ended.exit_code == 0, ended.exception
        assert len(trained) == trainings
        assert not any((own_cache / "unfinished").iterdir())
    run, another = ((tmp_path / place / "predictions.csv").read_bytes() for place in ("run", "another"))
    assert run == another


def test_a_training_is_not_lost_to_a_cache_on_a_full_disk(digits, own_cache):
    network = [{"flatten": True}, {"dense": 64}]
    with full_disk():
        result = kept_results.train_once(*digits, method="scratch", layers=network, image_size=32, epochs=1)
    assert result.metrics["accuracy"] is not None
    assert not list(own_cache.rglob("*.keras"))


def test_what_waits_in_a_damaged_cache_is_trained_again(digits, result, own_cache, monkeypatch):
    trained = []
    monkeypatch.setattr(kept_results, "train", lambda *given, **options: trained.append(1) or replace(result))
    asked = dict(method="scratch", layers=[{"flatten": True}], image_size=32, epochs=1)
    kept_results.train_once(*digits, **asked)
    for number, damage in enumerate((cut, lambda path: path.unlink()), start=1):
        kept_results.train_once(*digits, **asked)
        assert len(trained) == number
        damage(next(own_cache.rglob("model.keras")))
    kept_results.train_once(*digits, **asked)
    assert len(trained) == 3


def test_an_export_beside_another_gets_its_own_number(result, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "export_saved_model", lambda found, target: target.mkdir() or [])
    with claim(tmp_path / "digits" / "1"):  # as another process would
        target = transfer.export(result, tmp_path / "digits")
    assert target == tmp_path / "digits" / "2"
    assert [path.name for path in target.parent.iterdir()] == ["2"]


@pytest.mark.usefixtures("briefly_saved")
def test_sigterm_keeps_the_best_state_and_begins_nothing_more(digits_folder, tmp_path, monkeypatch, capsys):
    seen = watching.Watch.on_epoch_end

    def ends(self, epoch, logs=None):
        seen(self, epoch, logs)
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def ended(*words):
        layers = tmp_path / "layers.json"
        layers.write_text('[{"flatten": true}]')
        words = (words[0], digits_folder, *words[1:], "--layers", layers, "--image-size", 32, "--epochs", 50)
        monkeypatch.setattr(sys, "argv", ["transfer", *map(str, words)])
        with pytest.raises(SystemExit) as code:
            cli.main()
        return code.value.code, capsys.readouterr().err

    monkeypatch.setattr(watching.Watch, "on_epoch_end", ends)
    before = signal.getsignal(signal.SIGTERM)
    code, said = ended("train", "--method", "scratch", "--out", tmp_path / "run")
    assert (code, "stopped by SIGTERM after 2 epochs: the best state so far is kept" in said) == (143, True)
    run_config(tmp_path / "run", "model.keras", "result.json", "predictions.csv")
    assert len(read_rows(tmp_path / "run" / "history.csv")) == 3
    assert read_json(tmp_path / "run" / "result.json")["notes"][-1] == "scratch was stopped by hand after 2 epochs"
    code, said = ended("compare", "--methods", "scratch,dense", "--out", tmp_path / "comparison")
    assert (code, said.count("stopped by SIGTERM after 2 epochs"), "dense" in said) == (143, 1, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layers.json", "run"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_with_files_that_were_cut(run, digits_folder):
    shutil.copytree(run / "saved_model", run.parent / "1")
    cut(next((run.parent / "1" / "variables").glob("*.data-*")))
    assert "is damaged" in refused("predict", run.parent / "1", digits_folder, "--trust")
    cut(run / "predictions.csv", 0.99)
    assert "predictions.csv is not the file that was written with this run" in refused("report", run)
    cut(run / "model.keras")
    for command in (("export", run), ("predict", run, digits_folder)):
        assert "model.keras is not the file that was written with this run" in refused(*command)
    as_of_old(run)
    assert "model.keras cannot be loaded safely as a Keras model: it is cut off" in refused("export", run)


def as_of_old(run):
    """The run without the digests of its files, as it was written before there were any."""
    change(run / "config.json", lambda said: said.pop("written"))


def test_a_run_of_an_older_version_tells_less_and_has_its_page(run):
    as_of_old(run)
    for name in ("unreadable", "division", "data"):
        change(run / "config.json", lambda said, name=name: said.pop(name))
    for name in ("cached", "caveats"):
        change(run / "result.json", lambda said, name=name: said.pop(name))
    assert transfer.build_report([run], run / "report.html").is_file()


def change(path, how):
    said = json.loads(path.read_text())
    how(said)
    path.write_text(json.dumps(said))


def test_a_table_with_other_words_than_numbers(run):
    as_of_old(run)
    table = run / "predictions.csv"
    said = table.read_text()
    table.write_text(said.replace("0.", "many "))
    assert "predictions.csv is damaged" in refused("report", run)
    table.write_text(said.replace(json.dumps(json.loads((run / "config.json").read_text())["classes"][0]), '"9"'))
    assert "predictions.csv has columns for other classes than config.json" in refused("report", run)
    table.write_text(said)
    (run / "history.csv").write_text('"loss"\n"much"\n')
    assert "history.csv is damaged" in refused("report", run)


def test_files_of_another_run_are_found_and_named(run, digits_folder):
    as_of_old(run)
    whole = shutil.copytree(run, run.parent / "whole")

    def again():
        shutil.rmtree(run)
        shutil.copytree(whole, run)

    keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]).save(
        run / "model.keras"
    )
    for command in (("predict", run, digits_folder), ("export", run), ("evaluate", run, digits_folder)):
        assert re.search(r"model.keras takes .* and gives \(None, 4\), and config.json .* 3 classes", refused(*command))
    again()
    change(run / "config.json", lambda said: said["classes"].reverse())
    assert "result.json names other classes than config.json" in refused("report", run)
    again()
    change(run / "config.json", lambda said: said["files"].popitem())
    change(run / "config.json", lambda said: said.update(files=dict(list(said["files"].items())[:1])))
    assert re.search(
        r"predictions.csv has a picture .* that config.json beside it does not know", refused("report", run)
    )
    for change_of, sentence in (
        (lambda said: said.update(classes=["0", "0", "1"]), "no list of different class names"),
        (lambda said: said["classes"].pop(), "has pictures of a class '2'"),
    ):
        again()
        change(run / "config.json", change_of)
        assert sentence in refused("predict", run, digits_folder)
    again()
    for name, other in (("notes", None), ("per_class", []), ("classes", {})):
        change(run / "result.json", lambda said, name=name, other=other: said.update({name: other}))
        assert re.search(f"result.json has .* as {name}, where a.* is expected", refused("report", run))


@pytest.mark.parametrize("name", ["config.json", "result.json"])
def test_files_of_another_program(run, name, digits_folder):
    as_of_old(run)
    (run / name).write_text("{}")
    commands = {"result.json": ("report", run), "config.json": ("export", run)}
    assert f"{name} has no schema version" in refused(*commands[name])
    if name == "config.json":
        assert "no schema version" in refused("evaluate", run, digits_folder)
