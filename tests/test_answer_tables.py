"""Tables of answers: a column a class as promised, and with many classes neither they nor `result.json` explode."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from transfer.errors import ModelFileError
from transfer.learning.results import Predictions
from transfer.reading import confusion_counts, read_rows
from transfer.runs import answer_tables, prediction_tables
from transfer.statistics.evaluation import evaluate_probabilities
from transfer.writing import write_rows

ROWS = 60


def answers(classes):
    rng = np.random.default_rng(classes)
    names = tuple(f"c{n:03}" for n in range(classes))
    labels = rng.integers(0, classes, ROWS)
    probabilities = softmax(3 * rng.normal(size=(ROWS, classes)), axis=1)
    images = SimpleNamespace(class_names=names, labels=labels, names=[f"{n}.png" for n in range(ROWS)])
    return images, Predictions(np.arange(ROWS), np.array(["validation", "test"] * (ROWS // 2)), probabilities)


@pytest.mark.parametrize("classes", [3, 200, 201])
def test_what_was_written_is_read_again(classes, tmp_path):
    images, predictions = answers(classes)
    answer_tables.write_answers(predictions, images, tmp_path)
    found = answer_tables.read_answers(tmp_path, images.class_names)
    assert found.files == images.names
    assert found.parts.tolist() == predictions.parts.tolist()
    assert np.array_equal(found.labels, images.labels)
    np.testing.assert_allclose(found.probabilities, predictions.probabilities, rtol=1 / 128, atol=5e-7)
    assert np.array_equal(found.probabilities.argmax(axis=1), predictions.probabilities.argmax(axis=1))
    header, *rows = read_rows(tmp_path / "predictions.csv")
    assert (tmp_path / "predictions.npz").exists() == (classes > 200)
    if classes <= 200:
        assert header == ["file", "split", "label", "predicted", "probability", *images.class_names]
        assert np.array_equal(found.probabilities, predictions.probabilities)
        return
    best = np.argsort(-predictions.probabilities, axis=1)[:, :5]
    assert header[5:8] == ["probability_of_label", "predicted_2", "probability_2"]
    for row, five, values, label in zip(rows, best, predictions.probabilities, images.labels):
        assert [row[3], *row[6::2]] == [images.class_names[c] for c in five]
        assert [float(cell) for cell in (row[4], *row[7::2], row[5])] == [*values[five], values[label]]
    again = tmp_path / "again"
    again.mkdir()
    kept = Predictions(predictions.indices, predictions.parts, found.probabilities)
    answer_tables.write_answers(kept, images, again)
    assert (again / "predictions.csv").read_bytes() == (tmp_path / "predictions.csv").read_bytes()


def test_folds_have_no_column_a_class_either_where_there_are_many():
    images, predictions = answers(201)
    header, *rows = answer_tables.answer_table(predictions, images, "fold")
    assert header[:6] == ["file", "fold", "label", "predicted", "probability", "probability_of_label"]
    assert {len(row) for row in rows} == {len(header)} == {14}


def test_a_table_that_does_not_belong_to_the_others_is_named(tmp_path):
    images, predictions = answers(201)
    answer_tables.write_answers(predictions, images, tmp_path)
    with pytest.raises(ModelFileError, match=r"predictions\.csv has columns for other classes than config.json"):
        answer_tables.read_answers(tmp_path, images.class_names[:3])
    np.savez_compressed(tmp_path / "predictions.npz", probabilities=np.zeros((10_000, 201), np.float16))
    with pytest.raises(ModelFileError, match=r"predictions.npz is damaged \(it unpacks to"):
        answer_tables.read_answers(tmp_path, images.class_names)
    np.savez_compressed(tmp_path / "predictions.npz", probabilities=np.zeros((ROWS, 200), np.float16))
    with pytest.raises(ModelFileError, match=r"predictions.npz is damaged \(it holds \(60, 200\) probabilities"):
        answer_tables.read_answers(tmp_path, images.class_names)
    (tmp_path / "predictions.npz").unlink()
    with pytest.raises(ModelFileError, match=r"predictions\.npz is damaged"):
        answer_tables.read_answers(tmp_path, images.class_names)


def test_a_network_of_many_classes_is_told_by_its_most_probable_ones(tmp_path):
    images, predictions = answers(201)
    values = predictions.probabilities[0]
    row = prediction_tables.Prediction("a.png", "c001", values.max(), dict(zip(images.class_names, values.tolist())))
    rows = [row, prediction_tables.Prediction("b.png", "", float("nan"), {}, "is empty")]
    names = images.class_names
    table = [prediction_tables.header(names), *(prediction_tables.cells(each, names) for each in rows)]
    write_rows(tmp_path / "a.csv", table)
    header, good, bad = read_rows(tmp_path / "a.csv")
    assert len(header) == 12
    assert (header[3], good[3]) == ("predicted_2", images.class_names[np.argsort(-values)[1]])
    assert bad == ["b.png", *[""] * 10, "is empty"]


def test_a_confusion_matrix_of_many_classes_keeps_the_cells_that_are_not_0():
    images, predictions = answers(201)
    figures = evaluate_probabilities(images.labels, predictions.probabilities, images.class_names)
    assert len(figures["confusion"]["cells"]) <= ROWS
    read = json.loads(json.dumps(figures | {"classes": images.class_names}))
    expected = confusion_matrix(images.labels, predictions.probabilities.argmax(axis=1), labels=range(201))
    assert np.array_equal(confusion_counts(read), expected)
    images, predictions = answers(200)
    figures = evaluate_probabilities(images.labels, predictions.probabilities, images.class_names)
    assert np.array_equal(confusion_counts(figures | {"classes": images.class_names}), figures["confusion"])
