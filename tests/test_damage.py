"""A full disk, files that were cut or changed: one sentence each, and nothing half-written."""

import resource
import shutil
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.errors import ExportError, OutputError  # noqa: E402
from transfer.learning.methods import train  # noqa: E402
from transfer.networks import scratch  # noqa: E402
from transfer.runs import kept_results, saving  # noqa: E402


@pytest.fixture(scope="module")
def result(digits):
    return transfer.train(*digits, scratch.dense_network(32, (64,)), "scratch", epochs=1)


@pytest.fixture(scope="module")
def whole(result, tmp_path_factory):
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
    assert not any((tmp_path / "digits").iterdir())


def test_a_cache_on_a_full_disk_is_one_sentence_and_keeps_no_cut_network(digits, own_cache):
    with full_disk(), pytest.raises(OutputError, match=r"cannot be written .*TRANSFER_CACHE"):
        transfer.compare(*digits, scratch.dense_network(32, (64,)), ["dense"], epochs=1)
    assert not any((own_cache / "unfinished").iterdir())


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
    monkeypatch.setattr(saving, "export_saved_model", lambda *given: None)
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
    assert not any((own_cache / "unfinished").iterdir())


def test_a_run_with_files_that_were_cut(run, digits_folder):
    cut(next((run / "saved_model" / "variables").glob("*.data-*")))
    assert "is damaged" in refused("predict", run, digits_folder)
    cut(run / "predictions.csv", 0.99)
    assert "predictions.csv" in refused("report", run)
    cut(run / "model.keras")
    assert "model.keras cannot be loaded safely as a Keras model: it is cut off" in refused("export", run)


def test_a_table_with_other_words_than_numbers(run):
    table = run / "predictions.csv"
    table.write_text(table.read_text().replace("0.", "many "))
    assert "predictions.csv is damaged" in refused("report", run)


@pytest.mark.parametrize("name", ["config.json", "result.json"])
def test_files_of_another_program(run, name, digits_folder):
    (run / name).write_text("{}")
    commands = {"result.json": ("report", run), "config.json": ("export", run)}
    assert f"{name} has no schema version" in refused(*commands[name])
    if name == "config.json":
        assert "no schema version" in refused("evaluate", run, digits_folder)
