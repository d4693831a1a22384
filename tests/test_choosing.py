import numpy as np
import pytest

from transfer.statistics.choosing import choose

NAMES = ["frozen", "finetune", "scratch"]


def answers(*changes, count=100):
    """A network that is right for four pictures of five, and others that lose and win some against it."""
    first = np.arange(count) % 5 > 0
    rows = [first]
    for lost, won in changes:
        row = first.copy()
        row[np.flatnonzero(first)[:lost]] = False
        row[np.flatnonzero(~first)[:won]] = True
        rows.append(row)
    return dict(zip(NAMES, rows))


@pytest.mark.parametrize(
    ("changes", "chosen", "said"),
    [
        (((3, 3), (9, 0)), "frozen", "none is better on 100 validation pictures (80.0%), and none is cheaper"),
        (((4, 6), (9, 0)), "frozen", "cannot tell it from finetune, which is 2.0 points better there with a standard"),
        (((20, 0), (4, 6)), "frozen", "cannot tell it from scratch, which is 2.0 points better there"),
        (((2, 16), (5, 20)), "finetune", "cannot tell it from scratch, which is 1.0 points better there"),
        (((4, 6), (2, 16)), "scratch", "it is the best on 100 validation pictures (94.0%), by more than one standard"),
    ],
)
def test_the_cheapest_that_is_not_worse_by_more_than_one_standard_error(changes, chosen, said):
    choice = choose(answers(*changes), np.arange(100), NAMES)
    assert choice.method == chosen
    assert said in choice.because


def test_pictures_of_one_group_count_as_one():
    rights = answers((2, 8), (9, 0))
    assert choose(rights, np.arange(100), NAMES).method == "finetune"
    assert choose(rights, np.arange(100) // 50, NAMES).method == "frozen"  # all that it wins lies in one of two groups


def test_the_error_is_that_of_a_paired_difference():
    rng = np.random.default_rng(0)
    a, b = rng.random(4000) < 0.8, rng.random(4000) < 0.8
    expected = np.std(a.astype(float) - b, ddof=1) / np.sqrt(4000)
    said = choose({"frozen": a & b, "finetune": a | b}, np.arange(4000), NAMES[:2]).because
    assert expected > 0.005
    assert said.startswith("it is the best")


def test_without_pictures_it_is_the_first():
    none = np.zeros(0, int)
    choice = choose(dict.fromkeys(NAMES, none.astype(bool)), none, NAMES)
    assert choice == ("frozen", "there are no validation pictures to choose by, and it is the first")


def test_classes_count_alike_where_labels_are_given():
    labels = np.repeat([0, 1], [90, 10])
    frequent, rare = np.arange(100) < 90, np.arange(100) >= 20
    rights = {"frozen": frequent, "finetune": rare}
    assert choose(rights, np.arange(100), NAMES[:2]).method == "frozen"
    choice = choose(rights, np.arange(100), NAMES[:2], labels)
    assert choice.method == "finetune"
    assert "100 validation pictures whose classes count alike (88.9%)" in choice.because
