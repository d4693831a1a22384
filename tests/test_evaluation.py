import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from transfer import evaluation

RNG = np.random.default_rng(0)
NAMES = ("a", "b", "c")
LABELS = RNG.integers(0, 3, 200)
PROBABILITIES = special.softmax(RNG.normal(size=(200, 3)) + 1.5 * np.eye(3)[LABELS], axis=1)


def test_figures_against_scikit_learn():
    found = evaluation.evaluate_probabilities(LABELS, PROBABILITIES, NAMES)
    predicted = PROBABILITIES.argmax(axis=1)
    assert set(found) == set(evaluation.FIGURES)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(LABELS, predicted))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(LABELS, predicted))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(LABELS, PROBABILITIES))
    assert found["confusion"] == metrics.confusion_matrix(LABELS, predicted).tolist()
    report = metrics.classification_report(LABELS, predicted, target_names=NAMES, output_dict=True)
    for name in NAMES:
        row = report[name]
        expected = {"precision": row["precision"], "recall": row["recall"], "f1": row["f1-score"]}
        assert found["per_class"][name] == pytest.approx(expected | {"support": row["support"]})


def test_a_class_without_pictures():
    found = evaluation.evaluate_probabilities(np.array([0, 0, 1]), np.eye(3)[[0, 1, 1]] * 0.9 + 0.1 / 3, NAMES)
    assert found["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert found["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert len(found["confusion"]) == 3


def test_no_pictures():
    found = evaluation.evaluate_probabilities(np.zeros(0, int), np.zeros((0, 3)), NAMES)
    assert set(found) == set(evaluation.FIGURES)
    assert found["accuracy"] is found["log_loss"] is found["accuracy_ci95"] is None
    nobody = evaluation.paired_difference(*[np.zeros(0, int)] * 3)
    assert nobody == {"accuracy_difference": None, "ci95": None, "p_value": None}


def test_a_sure_mistake_costs_much_but_not_everything():
    found = evaluation.evaluate_probabilities(np.array([1]), np.array([[1.0, 0.0]]), ("a", "b"))
    assert found["log_loss"] == pytest.approx(-np.log(1e-15))


@pytest.mark.parametrize(
    ("correct", "total", "expected"),
    [  # by Wilson's formula with z = 1.959964
        (5, 10, (0.23659, 0.76341)),
        (0, 10, (0.0, 0.27753)),
        (10, 10, (0.72247, 1.0)),
        (81, 263, (0.25529, 0.36621)),  # Newcombe 1998, table I
    ],
)
def test_wilson(correct, total, expected):
    assert evaluation.wilson_interval(correct, total) == pytest.approx(expected, abs=1e-4)


def test_calibration_error():
    def sure(confidence, correct):
        probabilities = np.tile([confidence, 1 - confidence], (100, 1))
        return evaluation.calibration_error(np.arange(100) >= correct, probabilities)

    assert sure(0.8, 80) == pytest.approx(0)
    assert sure(0.9, 60) == pytest.approx(0.3)
    assert sure(1.0, 50) == pytest.approx(0.5)
    both = np.concatenate([np.tile([0.9, 0.1], (50, 1)), np.tile([0.6, 0.4], (50, 1))])
    labels = np.concatenate([np.zeros(45), np.ones(5), np.zeros(20), np.ones(30)])
    assert evaluation.calibration_error(labels, both) == pytest.approx(0.5 * 0 + 0.5 * 0.2)


def test_paired_difference():
    labels = np.zeros(100, int)
    a, b = np.ones(100, int), np.ones(100, int)
    a[:80] = 0
    b[10:75] = 0  # 15 only a, 0 only b
    b[95:] = 0  # 5 only b
    found = evaluation.paired_difference(labels, a, b)
    assert found["accuracy_difference"] == pytest.approx(0.80 - 0.70)
    assert found["p_value"] == pytest.approx(stats.binomtest(15, 20).pvalue)
    low, high = found["ci95"]
    assert low < 0.10 < high
    spread = np.sqrt((20 / 100 - 0.1**2) / 100)
    assert (high - low) / 2 == pytest.approx(1.96 * spread, rel=0.1)
    assert evaluation.paired_difference(labels, a, b) == found
    swapped = evaluation.paired_difference(labels, b, a)
    assert swapped["accuracy_difference"] == -found["accuracy_difference"]
    assert swapped["p_value"] == pytest.approx(found["p_value"])


def test_identical_answers_do_not_differ():
    found = evaluation.paired_difference(LABELS, LABELS, LABELS)
    assert found == {"accuracy_difference": 0.0, "ci95": [0.0, 0.0], "p_value": 1.0}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_recovered(temperature):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(5000, 4)) * 2
    chance = special.softmax(logits, axis=1).cumsum(axis=1)
    labels = (rng.random((5000, 1)) > chance).sum(axis=1)
    assert evaluation.fit_temperature(labels, logits * temperature) == pytest.approx(temperature, rel=0.06)
