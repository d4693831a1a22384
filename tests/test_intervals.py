import numpy as np
import pytest
from scipy import special, stats

from transfer.statistics import calibration, evaluation, intervals


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
    assert intervals.wilson_interval(correct, total) == pytest.approx(expected, abs=1e-4)


def test_nothing_of_nothing_has_no_interval():
    assert intervals.wilson_interval(0, 0) is None
    assert intervals.percentile_interval(np.array([np.nan]), 10) is None
    assert intervals.percentile_interval(np.array([1.0, 2.0]), 1) is None


def test_few_units_widen_an_interval_as_student_s_t_does():
    draws = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert intervals.percentile_interval(draws, 1e6) == pytest.approx([-1.96, 1.96], abs=1e-3)
    reach = stats.t.ppf(0.975, 9) * np.sqrt(10 / 9)
    assert intervals.percentile_interval(draws, 10) == pytest.approx([-reach, reach], abs=1e-2)


def test_groups_that_all_agree_are_as_many_pieces_of_evidence_and_one_is_none():
    right, all_of_them = np.tile([True, False], 40), np.ones(80, bool)

    def interval(groups):
        unit = np.repeat(np.arange(groups), 80 // groups)
        draws = intervals.resampled_sums({"right": right.astype(float), "all": np.ones(80)}, unit)
        return intervals.share_interval(right, all_of_them, unit, draws["right"] / draws["all"])

    assert interval(1) == [0, 1]
    assert interval(10) == intervals.wilson_interval(5, 10)
    assert interval(2) == intervals.wilson_interval(1, 2)


def test_pictures_without_a_group_stand_alone():
    unit = intervals.units(5, ["x", "", "x", "", "1"])
    assert unit[0] == unit[2]
    assert len(set(unit)) == 4


def test_resampled_sums_have_the_mean_and_spread_of_draws():
    values = np.random.default_rng(0).normal(size=300)
    draws = intervals.resampled_sums({"value": values, "both": np.stack([values, -values], 1)}, np.arange(300))
    assert draws["value"].shape == (2000,)
    assert np.allclose(draws["both"], np.stack([draws["value"], -draws["value"]], 1))
    assert draws["value"].mean() == pytest.approx(values.sum(), abs=2)
    assert draws["value"].std() == pytest.approx(values.std() * np.sqrt(300), rel=0.05)


def test_whole_groups_are_drawn():
    unit = np.repeat(np.arange(10), 7)
    draws = intervals.resampled_sums({"pictures": np.ones(70), "first": (unit == 0).astype(float)}, unit)
    assert set(draws["pictures"]) == {70}
    assert set(draws["first"] % 7) == {0}


def test_calibration_error():
    def sure(confidence, correct):
        probabilities = np.tile([confidence, 1 - confidence], (100, 1))
        return calibration.calibration_error(np.arange(100) >= correct, probabilities)

    assert sure(0.8, 80) == pytest.approx(0)
    assert sure(0.9, 60) == pytest.approx(0.3)
    assert sure(1.0, 50) == pytest.approx(0.5)
    both = np.concatenate([np.tile([0.9, 0.1], (50, 1)), np.tile([0.6, 0.4], (50, 1))])
    labels = np.concatenate([np.zeros(45), np.ones(5), np.zeros(20), np.ones(30)])
    assert calibration.calibration_error(labels, both) == pytest.approx(0.5 * 0 + 0.5 * 0.2)
    low, high = evaluation.evaluate_probabilities(labels.astype(int), both, ("a", "b"))["reliability"]
    assert (low["confidence"], low["accuracy"], low["pictures"]) == pytest.approx((0.6, 0.4, 50))
    assert (high["confidence"], high["accuracy"], high["pictures"]) == pytest.approx((0.9, 0.9, 50))
    assert low["ci95"][0] < 0.4 < low["ci95"][1]


def answers(pictures, classes=4):
    """(labels, logits) of a network whose probabilities mean what they say."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(pictures, classes)) * 2
    chance = special.softmax(logits, axis=1).cumsum(axis=1)
    return (rng.random((pictures, 1)) > chance).sum(axis=1), logits


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_recovered_and_mends_the_calibration(temperature):
    labels, logits = answers(5000)
    found = calibration.fit_temperature(labels, logits * temperature)
    assert found == pytest.approx(temperature, rel=0.06)
    mended = calibration.calibration_error(labels, special.softmax(logits * temperature / found, axis=1))
    assert mended < 0.03


def test_one_large_group_does_not_set_the_temperature():
    labels, logits = answers(600)
    groups = ["one"] * 300 + [str(i // 20) for i in range(300)]
    odd = np.where(np.arange(600)[:, None] < 300, 4.0, 1.0)  # the network is too sure of one person
    assert calibration.fit_temperature(labels, logits * odd) > 1.3
    assert calibration.fit_temperature(labels, logits * odd, groups) == 1
    assert calibration.fit_temperature(labels, logits * 3, groups) == calibration.fit_temperature(labels, logits * 3)
    assert calibration.fit_temperature(labels, logits * 3, ["one"] * 600) == 1
    assert calibration.fit_temperature(labels, logits * 3, [""] * 600) > 2


def test_a_few_pictures_named_rightly_are_no_reason_for_certainty():
    labels = np.arange(12) % 3
    temperature = calibration.fit_temperature(labels, 4 * np.eye(3)[labels])
    assert 0.3 < temperature < 1
    assert calibration.fit_temperature(np.zeros(0, int), np.zeros((0, 3))) == 1
