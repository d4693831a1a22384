import numpy as np
import pytest
from scipy import stats

from transfer.statistics import differences, significance


def right(pattern):
    """Predictions that are right (label 0) where the pattern has a 1."""
    return 1 - np.array(pattern)


def compared(a, b, groups=None, comparisons=1):
    return significance.paired_difference(np.zeros(len(a), int), right(a), right(b), groups, comparisons)


A = np.repeat([1, 0, 1, 0], [15, 5, 65, 15])
B = np.repeat([0, 1, 1, 0], [15, 5, 65, 15])


def test_paired_difference():
    found = compared(A, B)
    assert found["accuracy_difference"] == pytest.approx(0.80 - 0.70)
    assert (found["only_a"], found["only_b"], found["pictures"]) == (15, 5, 100)
    low, high = found["ci95"]
    assert low < 0.10 < high
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt((20 / 100 - 0.1**2) / 100), rel=0.1)
    assert compared(A, B) == found
    swapped = compared(B, A)
    assert swapped["accuracy_difference"] == -found["accuracy_difference"]
    assert swapped["p_value"] == pytest.approx(found["p_value"])


def test_networks_that_answer_alike_may_still_differ_on_other_pictures():
    low, high = compared(A, A)["ci95"]
    assert -0.05 < low < 0 < high < 0.05
    assert compared(np.ones(20, int), np.zeros(20, int))["ci95"] == pytest.approx([0.84, 1], abs=0.01)


@pytest.mark.parametrize(("only_a", "only_b"), [(15, 5), (3, 9), (1, 0), (40, 40), (0, 0)])
def test_single_pictures_give_mcnemar_s_exact_test(only_a, only_b):
    gains = np.repeat([1, -1, 0], [only_a, only_b, 50])
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1
    assert significance.sign_flip_test(gains) == pytest.approx(expected)


def test_groups_flip_as_a_whole():
    gains = np.array([3, 2, -1, 2])
    signs = np.stack(np.meshgrid(*[[-1, 1]] * 4), -1).reshape(-1, 4)
    expected = np.mean(np.abs(signs @ gains) >= gains.sum())
    assert significance.sign_flip_test(gains) == pytest.approx(expected)


def test_copies_of_a_picture_in_one_group_prove_nothing_more():
    copies = [str(i) for i in range(100) for _ in range(5)]
    once, often = compared(A, B), compared(np.repeat(A, 5), np.repeat(B, 5), copies)
    assert often["p_value"] == pytest.approx(once["p_value"])
    assert often["ci95"] == pytest.approx(once["ci95"], abs=0.02)
    assert often["pictures_needed"] == pytest.approx(5 * once["pictures_needed"], rel=0.1)


def test_holm():
    assert significance.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert significance.holm([0.9, 0.8]) == [1.0, 1.0]
    assert significance.holm([]) == []


def test_pictures_needed_reach_the_power_that_is_promised():
    gain = np.repeat([1, -1, 0], [12, 8, 80])
    needed = significance.pictures_needed(gain, np.arange(100))
    assert len(str(needed).rstrip("0")) <= 2
    rng = np.random.default_rng(0)
    only_a, only_b, _ = rng.multinomial(needed, [0.12, 0.08, 0.80], 400).T
    found = [stats.binomtest(a, a + b).pvalue < 0.05 for a, b in zip(only_a, only_b)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)
    assert significance.pictures_needed(gain, np.arange(100), comparisons=6) > needed
    assert significance.pictures_needed(np.repeat([1, -1], 5), np.arange(10)) is None


@pytest.mark.parametrize("comparisons", [1, 6])
def test_too_few_pictures_get_no_p_value(comparisons):
    enough = significance.fewest_units(comparisons)
    few = compared([1] * (enough - 1), [0] * (enough - 1), comparisons=comparisons)
    assert few["p_value"] is few["ci95"] is few["pictures_needed"] is None
    assert compared([1] * enough, [0] * enough, comparisons=comparisons)["p_value"] * comparisons < 0.05


def named(**patterns):
    """Answers of networks to the same pictures."""
    count = len(next(iter(patterns.values())))
    keys, labels = np.arange(count), np.zeros(count, int)
    return {name: differences.Answers(keys, labels, right(pattern), None) for name, pattern in patterns.items()}


def test_a_clear_difference_in_words():
    rows = differences.paired_differences(named(frozen=np.repeat([0, 1], [40, 60]), finetune=np.ones(100, int)))
    (sentence,) = differences.in_words(rows)
    assert sentence.startswith("fine-tuned is better than frozen by 40.0 points (")


def test_an_unclear_difference_in_words():
    rows = differences.paired_differences(named(frozen=A[::2], finetune=np.roll(A, 3)[::2]))
    (sentence,) = differences.in_words(rows)
    assert sentence.startswith("frozen and fine-tuned cannot be told apart with 50 test pictures")
    same = differences.in_words(differences.paired_differences(named(frozen=A, dense=A)))
    assert "they are right equally often" in same[0]


def test_the_correction_can_take_a_difference_back():
    alone = differences.paired_differences(named(frozen=A, dense=B))[0]
    three = differences.paired_differences(named(frozen=A, dense=B, scratch=B))
    assert alone["p_value_holm"] == alone["p_value"] < 0.05 < three[0]["p_value_holm"]
    sentence = differences.in_words(three)[0]
    assert three[0]["ci95"][0] > 0
    assert ", +2.0 to +19.0, not significant after correction for 3 comparisons); about" in sentence
    assert "after correction" not in differences.in_words([three[2]])[0]


def test_an_interval_that_leaves_0_out_where_the_exact_test_does_not_reject():
    row = {"a": "x", "b": "y", "pictures": 60, "accuracy_difference": 0.083, "ci95": [0.01, 0.16], "p_value": 0.063}
    (sentence,) = differences.in_words([row | {"p_value_holm": 0.063, "pictures_needed": 90}])
    assert "(+8.3 points, +1.0 to +16.0, not significant by the exact test)" in sentence


def test_too_few_pictures_in_words():
    rows = differences.paired_differences(named(frozen=[1, 1, 1], dense=[0, 0, 0]))
    (sentence,) = differences.in_words(rows)
    assert "3 test pictures are too few for any statement" in sentence
    assert rows[0]["p_value"] is rows[0]["p_value_holm"] is None


def test_only_pictures_that_both_have_answered_count():
    answers = named(a=A, b=B)
    keys, labels, predicted, _ = answers["b"]
    answers["b"] = differences.Answers(keys[:80], labels[:80], predicted[:80], None)
    assert differences.paired_differences(answers)[0]["pictures"] == 80


def test_where_groups_are_too_few_no_smaller_number_of_pictures_is_named():
    """Five of six groups agree: the exact test cannot reject, though by its size the difference is plain."""
    gains = np.repeat([1, -1], [50, 1])
    groups = np.repeat([f"g{n}" for n in range(6)], [10, 10, 10, 10, 10, 1])
    answers = {
        name: differences.Answers(np.arange(51), np.zeros(51, int), right(hits), groups)
        for name, hits in (("frozen", gains >= 0), ("dense", gains <= 0))
    }
    (row,) = differences.paired_differences(answers)
    assert row["p_value_holm"] > 0.05
    assert row["pictures_needed"] is None
    assert differences.in_words([row])[0].endswith("; more groups would be needed")


def test_groups_of_either_network_count_whichever_is_named_first():
    keys, labels = np.arange(100), np.zeros(100, int)
    tens, pairs = (np.array([f"g{n // size}" for n in keys]) for size in (10, 2))
    rows = {}
    for name, groups_of_a, groups_of_b in (
        ("neither", None, None), ("a", tens, None), ("b", None, tens), ("both", tens, tens), ("finer", tens, pairs),
    ):  # fmt: skip
        a, b = (
            differences.Answers(keys, labels, right(said), groups)
            for said, groups in ((A, groups_of_a), (B, groups_of_b))
        )
        (row,), (swapped,) = (
            differences.paired_differences(answers) for answers in ({"a": a, "b": b}, {"b": b, "a": a})
        )
        assert swapped["p_value"] == row["p_value"]
        assert np.negative(swapped["ci95"][::-1]) == pytest.approx(row["ci95"], abs=1e-12)
        rows[name] = row
    assert rows["a"] == rows["b"] == rows["both"] == rows["finer"]
    assert rows["a"]["p_value"] > rows["neither"]["p_value"]
