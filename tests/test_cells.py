"""Names that a spreadsheet would run: text in every table that is written, and themselves where it is read again."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from odd_pictures import png, scene
from scipy.special import softmax

import transfer
from transfer.cells import as_text, from_text
from transfer.checks.cleaning import Action
from transfer.data import tables
from transfer.evidence.cross_validation import FIGURES, CrossValidation, pooled_figures
from transfer.learning.results import Predictions
from transfer.runs import answer_tables, evaluating, prediction_tables
from transfer.writing import write_rows

RUN = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", '=HYPERLINK("http://a.example","b")')
QUOTED = ("'=1", "''-1", "'\t", "'")
PLAIN = ("cat", "'tis", "''twas", "", " =1", "a=b", "1-2")
CLASSES = ("'=1", "+b", '-"c",', "=1")
PICTURE = png(scene(8, 8)[..., 0], 8, 0)


def cells(path):
    """All cells of a table as any other program sees them."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [cell for row in csv.reader(file) for cell in row]


def is_text(cell):
    """Whether a spreadsheet takes a cell for text or a number, and runs nothing."""
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))


@pytest.mark.parametrize("name", [*RUN, *QUOTED, *PLAIN])
def test_a_cell_comes_back_and_runs_nothing(name):
    written = as_text(name)
    assert from_text(written) == name
    assert is_text(written)
    assert (written != name) == (name in RUN or name in QUOTED[:-1])


def test_numbers_stay_numbers():
    assert [as_text(cell) for cell in (-1, -0.5, None)] == [-1, -0.5, None]


@pytest.fixture
def data(tmp_path):
    """A folder whose classes and files a spreadsheet would run."""
    for label, name in enumerate(CLASSES):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for i, file in enumerate(("=1.png", "-2.png", "3.png")):
            (folder / file).write_bytes(PICTURE + bytes([label, i]))
    return tmp_path / "data"


def answers(images):
    count, classes = len(images), len(images.class_names)
    probabilities = softmax(np.random.default_rng(0).normal(size=(count, classes)), axis=1)
    return Predictions(np.arange(count), np.array(["validation", "test"] * (count // 2)), probabilities)


def test_predictions_of_a_run(data, tmp_path):
    images = transfer.load_images(data)
    answer_tables.write_answers(answers(images), images, tmp_path)
    assert all(map(is_text, cells(tmp_path / "predictions.csv")))
    found = answer_tables.read_answers(tmp_path, images.class_names)
    assert found.files == list(images.names)
    assert np.array_equal(found.labels, images.labels)


def test_folds_and_answers_to_other_pictures(data, tmp_path):
    images = transfer.load_images(data)
    given = answers(images)
    folds = replace(given, parts=np.array([1, 2] * (len(images) // 2)))
    rows = [{"fold": fold} | dict.fromkeys(FIGURES, 0.5) for fold in (1, 2)]
    pooled = pooled_figures(images, folds)
    CrossValidation(rows, pooled, answer_tables.answer_table(folds, images, "fold"), (), tmp_path).write(tmp_path)
    write_rows(
        tmp_path / "answers.csv",
        evaluating._answers(images.names, images.labels, given.probabilities, images.class_names),
    )
    predicted = [
        prediction_tables.Prediction(name, images.class_names[0], 0.5, dict(zip(images.class_names, row)))
        for name, row in zip(images.names, given.probabilities.tolist())
    ]
    names = images.class_names
    table = [prediction_tables.header(names), *(prediction_tables.cells(row, names) for row in predicted)]
    write_rows(tmp_path / "predicted.csv", table)
    for name in ("cross_validation.csv", "answers.csv", "predicted.csv"):
        assert all(map(is_text, cells(tmp_path / name))), name
    # The table of answers is one of pictures, too, for whoever puts the files beside it.
    assert {row["label"] for _, row in tables.read_rows(tmp_path / "answers.csv", ("file", "label"))} == set(CLASSES)


def test_the_table_of_clean_and_the_groups_of_a_copy(data, tmp_path):
    images = transfer.load_images(data)
    first, second = images.names[:2]
    moved = next(name for name in CLASSES if name != images.class_names[images.labels[1]])
    actions = [
        Action(first, images.digests[0], "group", images.class_names[images.labels[0]], "=g", "-reason"),
        Action(second, images.digests[1], "move", moved, "", "=reason"),
    ]
    transfer.write_actions(actions, tmp_path / "clean.csv")
    assert all(map(is_text, cells(tmp_path / "clean.csv")))
    read = transfer.read_actions(tmp_path / "clean.csv", images)
    assert read == actions
    transfer.write_clean_copy(images, read, tmp_path / "copy", data)
    assert all(map(is_text, cells(tmp_path / "copy" / "groups.csv")))
    again = transfer.load_images(tmp_path / "copy", tmp_path / "copy" / "groups.csv")
    assert set(again.class_names) == set(CLASSES)
    assert set(again.groups) == {"=g", ""}


def test_a_written_split_and_a_table_of_pictures(data, tmp_path):
    images = transfer.load_images(data)
    parts = ["test" if i % 3 == 0 else "train" for i in range(len(images))]
    write_rows(tmp_path / "split.csv", [("file", "part"), *zip(images.names, parts)])
    split = transfer.read_split(images, tmp_path / "split.csv")
    assert split.test.tolist() == [i for i, part in enumerate(parts) if part == "test"]
    labels = [images.class_names[label] for label in images.labels]
    write_rows(data / "list.csv", [("file", "label"), *zip(images.names, labels)])
    listed = transfer.load_images(data / "list.csv")
    assert (listed.names, listed.class_names) == (images.names, images.class_names)
    # Somebody else's table knows nothing of the quote.
    for name in ("'+5.png", "'+6.png"):
        (data / name).write_bytes(PICTURE + name.encode())
    (data / "by-hand.csv").write_text("file,label\n'+5.png,a\n'+6.png,a\n=1/=1.png,b\n=1/-2.png,b\n")
    assert transfer.load_images(data / "by-hand.csv").names == ("'+5.png", "'+6.png", "=1/-2.png", "=1/=1.png")
