"""Tables that grow while answers come and outlive a kill; features as files; the pictures that are most alike."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.errors import MissingExtraError, OptionError, OutputError  # noqa: E402
from transfer.rooms import sweep  # noqa: E402
from transfer.runs import prediction_tables, saving  # noqa: E402


def typed(*words, code=0):
    """(stdout, stderr) of the command line within this process; errors come as they are raised."""
    ended = CliRunner().invoke(cli.app, [str(word) for word in words])
    if ended.exit_code != code:
        raise ended.exception
    return ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    layers = [{"conv": 4, "stride": 4}, {"activation": "relu"}, {"flatten": True}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "write_report", lambda *given: None)
        patch.setattr(saving, "export_saved_model", lambda *given: [])
        result = transfer.train(*digits, None, "scratch", layers=layers, image_size=32, epochs=1)
        return transfer.save_run(result, place / "run")


@pytest.fixture(scope="module")
def archive(digits_folder, tmp_path_factory):
    """90 digits, a file that is none, and one whose name a spreadsheet would run; relative, from its own folder."""
    place = tmp_path_factory.mktemp("archive")
    for path in digits_folder.rglob("*.png"):
        shutil.copy(path, place / f"{path.parent.name}-{path.name}")
    shutil.copy(path, place / "=1+1\nb,\r\n.png")
    (place / "1-broken.png").write_text("hello")
    return place


@pytest.fixture
def here(archive, monkeypatch):
    monkeypatch.chdir(archive)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def taken(rows, number):
    """Take so many answers of a generator, which is then given up."""
    answers = [next(rows) for _ in range(number)]
    rows.close()
    return answers


# Forked from a process that has loaded TensorFlow and done nothing with it; each goes on with the table.
KILLED = """
import os, signal, sys
from transfer import quiet
quiet.import_tensorflow()
import transfer
from transfer.runs import saved_networks  # what all of them need
run, table, *moments = sys.argv[1:]
for moment in moments:
    child = os.fork()
    if not child:
        for number, row in enumerate(transfer.iter_predictions(run, "*.png", table=table, resume=True), start=1):
            if number == int(moment):
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.path.exists(table))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes in another way")
@pytest.mark.usefixtures("here")
def test_a_table_after_three_kills_is_that_of_one_go(run, tmp_path):
    typed("predict", run, "*.png", "--csv", tmp_path / "whole.csv", code=2)
    environment = os.environ | {"PYTHONPATH": str(Path(transfer.__file__).parent.parent)}
    words = [sys.executable, "-c", KILLED, run, tmp_path / "killed.csv", 40, 75, 92, 93]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == [f"{-signal.SIGKILL} False"] * 3 + ["0 True"]
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert names(tmp_path) == ["killed.csv", "whole.csv"]


@pytest.mark.usefixtures("here")
def test_all_files_are_in_one_table_in_their_order(run, tmp_path):
    _, told = typed("predict", run, ".", "--csv", tmp_path / "a.csv", code=2)
    assert told.splitlines() == ["1-broken.png is no picture of a known format", f"92 rows in {tmp_path / 'a.csv'}"]
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = transfer.predict(run, ".")
    assert [row["file"].removeprefix("'") for row in rows] == [row.file for row in expected] == sorted(os.listdir())
    assert rows[-1]["file"] == "'=1+1\nb,\r\n.png"
    (broken,) = [row for row in rows if row["error"]]
    assert [*broken.values()] == ["1-broken.png", "", "", "", "", "", "is no picture of a known format"]
    assert [row["probability"] for row in rows if row != broken] == [
        str(row.probability) for row in expected if not row.error
    ]


@pytest.mark.usefixtures("here")
def test_what_is_unfinished_is_neither_swept_nor_lost_nor_mixed(run, tmp_path):
    table, kept = tmp_path / "a.csv", tmp_path / "a.csv.unfinished"
    taken(transfer.iter_predictions(run, "*.png", table=table), 3)
    assert names(tmp_path) == []  # not one whole batch
    first = taken(transfer.iter_predictions(run, "*.png", table=table), 70)
    rows = (kept / "rows.csv").read_bytes()
    sweep(tmp_path)
    assert names(tmp_path) == ["a.csv.unfinished"]
    with pytest.raises(
        OutputError, match=r"has the first 64 answers .* give `resume=True` to go on from there, or del"
    ):
        transfer.iter_predictions(run, "*.png", table=table)
    for other in ({"pictures": "*0.png"}, {"least": 0.5}, {"pictures": "[01]*.png", "least": 0.5}):
        with pytest.raises(OutputError, match=r"was begun with another (list of pictures|`least`)"):
            next(
                transfer.iter_predictions(**{"model": run, "pictures": "*.png", "table": table, "resume": True} | other)
            )
    assert (kept / "rows.csv").read_bytes() == rows
    # Cut anywhere, and with what a disk has lost: only whole rows of whole batches are taken over.
    for cut, expected in ((rows[:-7], 64), (rows[: len(rows) // 2], 32), (rows[:2000] + bytes(50), 0), (rows[:9], 0)):
        (kept / "rows.csv").write_bytes(cut)
        assert prediction_tables._whole_rows(kept / "rows.csv")[0] == expected
    (kept / "rows.csv").write_bytes(rows[:-7])
    said, told = typed("predict", run, "*.png", "--csv", table, "--resume", "--sort-into", tmp_path / "sorted", code=2)
    assert sum(int(line.split()[-1]) for line in said.splitlines()) == 91
    assert f"92 rows in {table}" in told
    assert len([path for path in (tmp_path / "sorted").rglob("*.png") if path.is_file()]) == 91
    with table.open(newline="") as file:
        assert [row[0].removeprefix("'") for row in csv.reader(file)][1:71] == [row.file for row in first]
    assert names(tmp_path) == ["a.csv", "sorted"]


@pytest.mark.usefixtures("here")
def test_what_cannot_be_gone_on_with_is_refused(run, tmp_path):
    for words in ((), ("--csv", "-")):
        with pytest.raises(OptionError, match="`resume=True` without a file for the table"):
            typed("predict", run, "*.png", "--resume", *words)
    with pytest.raises(OptionError, match="--resume with --json"):
        typed("predict", run, "*.png", "--csv", tmp_path / "a.csv", "--resume", "--json")
    (tmp_path / "a.csv.unfinished").mkdir()
    (tmp_path / "a.csv.unfinished" / "mine.txt").touch()
    for resume in (False, True):
        with pytest.raises(OutputError, match="has other files in it"):
            next(transfer.iter_predictions(run, "*.png", table=tmp_path / "a.csv", resume=resume))
    assert names(tmp_path / "a.csv.unfinished") == ["mine.txt"]


def test_parquet_is_named_where_it_cannot_be_written(run, archive, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("transfer.parquet_files.util.find_spec", lambda name: None)
    for call in (
        lambda: transfer.iter_predictions(run, archive, table=tmp_path / "a.parquet"),
        lambda: typed("features", archive, "--out", tmp_path / "a.parquet"),
    ):
        with pytest.raises(MissingExtraError, match=r"a.parquet needs pyarrow; pip install 'transfer\[parquet\]'"):
            call()


@pytest.mark.usefixtures("here")
def test_a_parquet_table_has_the_same_answers(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pip install 'transfer[parquet]'")
    table = tmp_path / "a.parquet"
    taken(transfer.iter_predictions(run, "*.png", table=table), 40)
    expected = list(transfer.iter_predictions(run, "*.png", table=table, resume=True))
    found = parquet.read_table(table).to_pydict()
    assert [*found] == ["file", "predicted", "probability", "0", "1", "2", "error"]
    assert (found["file"], found["predicted"]) == ([row.file for row in expected], [row.label for row in expected])
    assert found["probability"] == [None if row.error else row.probability for row in expected]
    assert names(tmp_path) == ["a.parquet"]
    list(transfer.iter_predictions(run, "0-0*.png", table=table))  # replaces one of its own, and nothing else
    (tmp_path / "b.parquet").write_text("hello")
    with pytest.raises(OutputError, match="is no Parquet file"):
        transfer.iter_predictions(run, "*.png", table=tmp_path / "b.parquet")
    transfer.write_features(transfer.features_of(run), tmp_path / "f.parquet")
    row = parquet.read_table(tmp_path / "f.parquet").slice(89).to_pylist()[0]
    assert (row["file"], row["class"], row["label"], len(row["features"])) == ("2/29.png", "2", 2, 256)


def test_features_are_written_with_the_names_and_classes_of_their_pictures(run, digits_folder, tmp_path):
    said, _ = typed("features", digits_folder, "--backbone", "bundled", "--image-size", 32, "--out", tmp_path / "a.npz")
    assert re.fullmatch(r"90 pictures, \d+ features each, of bundled at 32 px, weights bundled: .*a\.npz\n", said)
    images = transfer.load_images(digits_folder)
    with np.load(tmp_path / "a.npz") as found:
        assert found["files"].tolist() == list(images.names)
        assert found["class_names"][found["labels"]].tolist() == [name[0] for name in images.names]
        expected = transfer.extract_features(transfer.load_backbone("bundled", 32), images)
        assert np.array_equal(found["features"], expected)
        assert found["features"].dtype == np.float32
    with pytest.raises(OutputError, match="exists already"):
        typed("features", digits_folder, "--out", tmp_path / "a.npz")
    with pytest.raises(OptionError, match=r"ends neither in \.npz nor in \.parquet"):
        typed("features", digits_folder, "--out", tmp_path / "a.txt")
    with pytest.raises(OutputError, match="lies in DATA"):
        typed("features", digits_folder, "--out", digits_folder / "a.npz")
    with pytest.raises(OptionError, match="a run has its own network"):
        typed("features", run, "--image-size", 32, "--out", tmp_path / "b.npz")


def test_the_nearest_pictures_are_those_of_the_largest_cosine(run, digits):
    images, found = digits[0], transfer.features_of(run)
    asked = [images.paths[3], np.asarray(Image.open(images.paths[40])), b"nothing"]
    itself, pixels, none = transfer.find_similar(found, asked, count=5)
    unit = found.features / np.linalg.norm(found.features, axis=1, keepdims=True)
    for row, index in ((itself, 3), (pixels, 40)):
        order = np.argsort(-unit[index] @ unit.T, kind="stable")
        order = order[order != 3][:5] if index == 3 else order[:5]
        assert [near.file for near in row.nearest] == [str(images.paths[i]) for i in order]
        np.testing.assert_allclose([near.similarity for near in row.nearest], (unit @ unit[index])[order], atol=1e-5)
    assert (pixels.file, pixels.nearest[0].label) == ("pictures[1]", "1")
    assert pixels.nearest[0].similarity == pytest.approx(1, abs=1e-5)
    assert (none.nearest, bool(none.error)) == ((), True)
    with pytest.raises(OptionError, match=r"`count=0`"):
        transfer.find_similar(found, asked, count=0)


def test_what_is_equally_near_keeps_its_order_and_nothing_is_like_no_features(run):
    found = transfer.features_of(run)
    paths, values = found.paths, np.ones_like(found.features)
    values[7] = 0
    (row,) = transfer.find_similar(found._replace(features=values), paths[0], count=100)
    assert [near.file for near in row.nearest] == [str(path) for path in (*paths[1:7], *paths[8:], paths[7])]
    assert row.nearest[-1].similarity == 0


@pytest.mark.usefixtures("here")
def test_similar_shows_a_table_and_a_page(run, tmp_path):
    printed, told = typed("similar", run, "0-00.png", "1-broken.png", "--top", 3, "--out", tmp_path / "page", code=2)
    assert "1-broken.png is no picture" in told
    assert str(tmp_path / "page" / "similar.html") in printed
    page = (tmp_path / "page" / "similar.html").read_text()
    assert page.count("<img") == 4
    assert "It is no picture of a known format" in page
    said, _ = typed("similar", run, "0-00.png", "--top", 3, "--json")
    (row,) = json.loads(said)["pictures"]
    assert row["nearest"][0]["file"].endswith("0/00.png")  # the same picture under another name
    assert all(near["file"][-6:] in page for near in row["nearest"])


@pytest.mark.usefixtures("here")
def test_a_command_that_is_stopped_says_how_it_is_gone_on_with(run, tmp_path, monkeypatch):
    shown, table = [], tmp_path / "a.csv"

    def stopped(rows, folder):
        shown.extend(next(rows) for _ in range(40))
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "sort_into", stopped)
    words = ("predict", run, "*.png", "--csv", table, "--sort-into", tmp_path / "sorted")
    ended = CliRunner().invoke(cli.app, [str(word) for word in words], standalone_mode=False)
    assert f"{table}.unfinished has the answers so far; --resume goes on from there" in ended.stderr
    assert names(tmp_path) == ["a.csv.unfinished"]
