"""A full disk, files that were cut or changed: one sentence each, and nothing half-written."""

import resource
import shutil
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.errors import OutputError  # noqa: E402
from transfer.networks import scratch  # noqa: E402


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
