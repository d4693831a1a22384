import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from transfer import settings
from transfer.statistics import evaluation, intervals, ranking

RNG = np.random.default_rng(0)
NAMES = ("a", "b", "c")
LABELS = RNG.integers(0, 3, 200)
PROBABILITIES = special.softmax(RNG.normal(size=(200, 3)) + 1.5 * np.eye(3)[LABELS], axis=1)


@pytest.fixture(scope="module")
def found():
    return evaluation.evaluate_probabilities(LABELS, PROBABILITIES, NAMES)


def test_figures_against_scikit_learn(found):
    predicted = PROBABILITIES.argmax(axis=1)
    assert set(found) == set(evaluation.FIGURES)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(LABELS, predicted))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(LABELS, predicted))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(LABELS, PROBABILITIES))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(LABELS, PROBABILITIES, multi_class="ovr"))
    assert found["confusion"] == metrics.confusion_matrix(LABELS, predicted).tolist()
    report = metrics.classification_report(LABELS, predicted, target_names=NAMES, output_dict=True)
    for c, name in enumerate(NAMES):
        row, said = report[name], found["per_class"][name]
        expected = {"precision": row["precision"], "recall": row["recall"], "f1": row["f1-score"]}
        assert {key: said[key] for key in expected} == pytest.approx(expected)
        assert said["support"] == row["support"]
        assert said["roc_auc"] == pytest.approx(metrics.roc_auc_score(c == LABELS, PROBABILITIES[:, c]))


def test_every_figure_lies_in_its_interval(found):
    names = [name for name in evaluation.FIGURES if name.endswith("_ci95")]
    rows = [(found[name.removesuffix("_ci95")], found[name]) for name in names]
    rows += [(row[key], row[f"{key}_ci95"]) for row in found["per_class"].values() for key in ("precision", "f1")]
    rows += [(row["accuracy"], row["ci95"]) for row in found["reliability"] if row["pictures"] > 40]
    for value, (low, high) in rows:
        assert low <= value <= high
        assert high - low < 0.3


def test_the_same_pictures_give_the_same_intervals(found):
    assert evaluation.evaluate_probabilities(LABELS, PROBABILITIES, NAMES) == found


def test_among_the_k_most_probable(found):
    assert found["top_k"] is None  # two guesses are most of three classes
    labels = np.arange(200) % 8
    probabilities = special.softmax(np.random.default_rng(1).normal(size=(200, 8)) + np.eye(8)[labels], axis=1)
    top = evaluation.evaluate_probabilities(labels, probabilities, "abcdefgh")["top_k"]
    assert top["k"] == 2
    assert top["accuracy"] == pytest.approx(metrics.top_k_accuracy_score(labels, probabilities, k=2))
    assert top["ci95"][0] < top["accuracy"] < top["ci95"][1]


@pytest.mark.parametrize(("classes", "k"), [(2, None), (3, None), (7, None), (8, 2), (12, 3), (20, 5), (200, 5)])
def test_chance_finds_a_quarter_at_most_among_the_k_most_probable(classes, k):
    assert settings.top_k(classes) == k


def test_groups_widen_the_intervals_of_the_reliability_curve_too():
    labels, groups = np.repeat(np.arange(12) % 2, 20), [str(i // 20) for i in range(240)]
    probabilities = np.tile([0.45, 0.55], (240, 1))  # always the second class: half of the groups are all wrong
    (alone,) = evaluation.evaluate_probabilities(labels, probabilities, NAMES[:2])["reliability"]
    (grouped,) = evaluation.evaluate_probabilities(labels, probabilities, NAMES[:2], groups)["reliability"]
    assert alone["accuracy"] == grouped["accuracy"] == 0.5
    assert np.ptp(grouped["ci95"]) > 3 * np.ptp(alone["ci95"])


def test_a_class_without_pictures():
    found = evaluation.evaluate_probabilities(np.array([0, 0, 1]), np.eye(3)[[0, 1, 1]] * 0.9 + 0.1 / 3, NAMES)
    absent = found["per_class"]["c"]
    assert (absent["precision"], absent["recall"], absent["f1"], absent["support"]) == (None, None, None, 0)
    assert absent["recall_ci95"] is absent["f1_ci95"] is absent["roc_auc"] is None
    assert found["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert len(found["confusion"]) == 3


def test_answers_for_a_class_without_pictures_are_wrong_but_say_nothing_of_finding_it():
    found = evaluation.evaluate_probabilities(np.array([0, 0, 1]), np.eye(3)[[0, 2, 2]] * 0.9 + 0.1 / 3, NAMES)
    named, missed = found["per_class"]["c"], found["per_class"]["b"]
    assert (named["precision"], named["recall"], named["f1"]) == (0.0, None, None)
    assert (missed["precision"], missed["recall"], missed["f1"]) == (None, 0.0, 0.0)


def test_one_class_alone_has_no_area_under_its_curve():
    found = evaluation.evaluate_probabilities(np.zeros(4, int), PROBABILITIES[:4], NAMES)
    assert found["roc_auc"] is found["roc_auc_ci95"] is None


def test_no_pictures():
    found = evaluation.evaluate_probabilities(np.zeros(0, int), np.zeros((0, 3)), NAMES)
    assert set(found) == set(evaluation.FIGURES)
    assert found["accuracy"] is found["log_loss"] is found["accuracy_ci95"] is None


def test_a_sure_mistake_costs_much_but_not_everything():
    found = evaluation.evaluate_probabilities(np.array([1]), np.array([[1.0, 0.0]]), ("a", "b"))
    assert found["log_loss"] == pytest.approx(-np.log(1e-15))


@pytest.mark.parametrize("groups", [None, [str(i // 4) for i in range(40)]])
def test_all_right_is_no_proof_of_perfection(groups):
    labels = np.arange(40) % 2
    found = evaluation.evaluate_probabilities(labels, np.eye(2)[labels] * 0.8 + 0.1, ("a", "b"), groups)
    assert found["accuracy"] == found["balanced_accuracy"] == found["roc_auc"] == 1
    lows = [found[f"{name}_ci95"][0] for name in ("accuracy", "balanced_accuracy", "roc_auc")]
    assert max(lows) < 0.95
    assert (found["accuracy_ci95"][0] < 0.8) == (groups is not None)


def test_a_single_group_tells_nothing_of_others():
    found = evaluation.evaluate_probabilities(LABELS, PROBABILITIES, NAMES, ["one"] * 200)
    for name in ("accuracy", "balanced_accuracy", "roc_auc", "calibration_error"):
        assert found[f"{name}_ci95"] == [0, 1]
    assert found["per_class"]["a"]["f1_ci95"] == found["reliability"][0]["ci95"] == [0, 1]
    assert found["log_loss_ci95"] is None


def test_a_class_all_right_or_all_wrong_has_an_f1_as_unsure_as_its_recall():
    labels = np.repeat([0, 1, 2], 12)
    answers = np.where(labels == 2, 1, labels)
    found = evaluation.evaluate_probabilities(labels, np.eye(3)[answers] * 0.9 + 0.1 / 3, NAMES)["per_class"]
    assert (found["a"]["f1"], found["c"]["f1"]) == (1, 0)
    for name in "ac":
        assert found[name]["f1_ci95"] == found[name]["recall_ci95"]
    assert found["b"]["f1_ci95"][0] < found["b"]["f1"] < found["b"]["f1_ci95"][1]


def test_balanced_accuracy_stands_on_its_smallest_classes():
    labels = np.repeat([0, 1], [400, 8])
    right = np.arange(408) % 4 > 0
    probabilities = np.eye(2)[np.where(right, labels, 1 - labels)] * 0.8 + 0.1
    found = evaluation.evaluate_probabilities(labels, probabilities, ("a", "b"))["balanced_accuracy_ci95"]
    reach = np.subtract(0.75, intervals.wilson_interval(6, 8)), np.subtract(0.75, intervals.wilson_interval(300, 400))
    assert found == pytest.approx(0.75 + np.hypot(*reach) / 2 * [-1, 1])


def test_groups_of_one_class_each_are_separate_evidence_for_its_mean():
    labels = np.repeat(np.arange(4), 40)
    groups = [str(i // 4) for i in range(160)]
    apart, crossed = (
        evaluation.evaluate_probabilities(labels, np.eye(4)[labels] * 0.8 + 0.05, tuple("abcd"), names)
        for names in (groups, [str(i % 10) for i in range(160)])
    )
    alone = 1 - intervals.wilson_interval(10, 10)[0]
    assert apart["balanced_accuracy_ci95"] == pytest.approx([1 - alone / 2, 1])
    assert crossed["balanced_accuracy_ci95"] == pytest.approx([1 - alone, 1])


def test_pictures_of_one_group_are_less_evidence():
    labels, probabilities = np.repeat(LABELS, 5), np.repeat(PROBABILITIES, 5, axis=0)
    groups = np.repeat([str(i) for i in range(200)], 5)
    alone = evaluation.evaluate_probabilities(labels, probabilities, NAMES)
    together = evaluation.evaluate_probabilities(labels, probabilities, NAMES, groups)
    assert (alone["intervals_over"], together["intervals_over"]) == ("pictures", "groups")
    for name in ("accuracy", "balanced_accuracy", "log_loss", "roc_auc"):
        narrow, wide = (np.ptp(found[f"{name}_ci95"]) for found in (alone, together))
        assert found_once(name) == pytest.approx(wide, rel=0.15)
        assert wide > 1.8 * narrow


def found_once(name):
    """Width of the interval where every picture is there once."""
    return np.ptp(evaluation.evaluate_probabilities(LABELS, PROBABILITIES, NAMES)[f"{name}_ci95"])


def test_the_area_s_interval_is_as_wide_as_a_bootstrap_of_it(found):
    rng, areas = np.random.default_rng(1), []
    for _ in range(150):
        drawn = rng.integers(0, 200, 200)
        areas.append(metrics.roc_auc_score(LABELS[drawn], PROBABILITIES[drawn], multi_class="ovr"))
    assert np.ptp(found["roc_auc_ci95"]) == pytest.approx(2 * 1.96 * np.std(areas), rel=0.2)


@pytest.mark.parametrize(("positives", "share"), [(1, 0.99), (3, 0.85), (5, 0.88), (40, 0.92)])
def test_the_area_of_a_rare_class_has_an_interval_that_holds(positives, share):
    """Two normal distributions, 1.4 deviations apart, 80 pictures in all: the area is 0.839."""
    rng, labels = np.random.default_rng(3), (np.arange(80) < positives).astype(int)
    truth, held = special.ndtr(1.4 / np.sqrt(2)), 0
    for _ in range(200):
        score = rng.normal(size=80) + 1.4 * labels
        low, high = ranking.roc_auc(labels, np.stack([-score, score], axis=1), np.arange(80))[1]
        held += low <= truth <= high
    assert held / 200 >= share


def test_one_lone_picture_of_a_class_widens_the_interval_of_the_area_and_no_more():
    rows = np.concatenate([np.flatnonzero(LABELS < 2), np.flatnonzero(LABELS == 2)[:1]])
    _, (low, high), _ = ranking.roc_auc(LABELS[rows], PROBABILITIES[rows], np.arange(len(rows)))
    _, (all_low, all_high), _ = ranking.roc_auc(LABELS, PROBABILITIES, np.arange(len(LABELS)))
    assert 2 * (all_high - all_low) < high - low < 0.6


def test_groups_that_hold_both_classes_leave_the_area_sure():
    """What a whole group shares cancels within it: the interval is narrower than that of separate pictures."""
    rng, labels = np.random.default_rng(4), np.arange(60) % 2
    pairs, truth, held, narrower = np.arange(60) // 2, special.ndtr(1 / np.sqrt(2 * (1 + 9))), 0, 0
    for _ in range(150):
        score = 3 * rng.normal(size=30)[pairs] + rng.normal(size=60) + labels
        probabilities = np.stack([-score, score], axis=1)
        low, high = ranking.roc_auc(labels, probabilities, pairs)[1]
        apart = ranking.roc_auc(labels, probabilities, np.arange(60))[1]
        held += low <= truth <= high
        narrower += high - low < 0.75 * np.ptp(apart)
    assert held / 150 > 0.9
    assert narrower / 150 > 0.9
