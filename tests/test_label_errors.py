import numpy as np
import pytest

from transfer.checks.label_errors import out_of_fold_probabilities, suspected_labels


def clusters(each=60, classes=4, width=128, spread=1.0, seed=0):
    """Features in one cloud a class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = rng.normal(0, 1, (classes, width))
    return (centres[labels] + rng.normal(0, spread, (len(labels), width))).astype(np.float32), labels


def planted(labels, share, seed=0):
    """(labels of which some are wrong, which ones)."""
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    noisy = labels.copy()
    noisy[wrong] = (noisy[wrong] + rng.integers(1, labels.max() + 1, len(wrong))) % (labels.max() + 1)
    return noisy, set(wrong.tolist())


@pytest.mark.parametrize("seed", range(3))
def test_planted_wrong_labels_come_first_and_the_right_class_is_suggested(seed):
    features, labels = clusters(spread=0.5, seed=seed)
    noisy, wrong = planted(labels, 0.05, seed)
    suspects = suspected_labels(features, noisy, seed=seed, most=0.05)
    hits = [suspect for suspect in suspects if suspect.index in wrong]
    assert len(hits) >= 0.8 * len(wrong)
    assert all(suspect.given == noisy[suspect.index] for suspect in suspects)
    assert all(suspect.suggested == labels[suspect.index] for suspect in hits)
    assert [suspect.belief for suspect in suspects] == sorted(suspect.belief for suspect in suspects)
    assert all(0 <= suspect.belief < suspect.suggested_belief <= 1 for suspect in suspects)


def test_right_labels_far_apart_are_not_suspected():
    features, labels = clusters(spread=0.2)
    assert suspected_labels(features, labels) == []


def test_no_more_than_asked_for_and_the_same_seed_the_same_answer():
    features, labels = clusters(spread=5.0)
    few = suspected_labels(features, labels, most=0.01)
    assert len(few) == 2
    assert suspected_labels(features, labels, most=0.01) == few


def test_copies_and_groups_do_not_vouch_for_one_another():
    features, labels = clusters(each=30, spread=0.5)
    noisy = np.concatenate([labels, [3, 3, 3]])
    copies = np.concatenate([features, features[:1], features[:1], features[:1]])
    assert {suspect.index for suspect in suspected_labels(copies, noisy, most=0.1)} >= {120, 121, 122}
    series = np.concatenate([features, features[:1] + 0.01 * np.arange(8)[:, None].astype(np.float32)])
    noisy = np.concatenate([labels, [3] * 8])
    groups = [""] * 120 + ["series"] * 8
    assert {suspect.index for suspect in suspected_labels(series, noisy, groups, most=0.1)} >= set(range(120, 128))


def test_probabilities_are_of_heads_that_did_not_see_the_picture():
    features, labels = clusters(each=20)
    beliefs = out_of_fold_probabilities(features, labels)
    assert beliefs.shape == (80, 4)
    assert np.allclose(beliefs.sum(axis=1), 1)
    assert (beliefs.argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize("rare", [6, 1])
def test_a_class_that_is_a_single_group_is_not_judged(rare):
    features, labels = clusters(each=30)
    noisy, wrong = planted(labels, 0.05)
    features = np.concatenate([features, features[:rare] + 9])
    noisy = np.append(noisy, [4] * rare)
    groups = [""] * 120 + ["one video"] * rare
    assert not out_of_fold_probabilities(features, noisy, groups)[120:].any()
    suspects = {suspect.index for suspect in suspected_labels(features, noisy, groups, most=0.05)}
    assert suspects <= set(range(120))
    assert suspects & wrong


def test_of_few_pictures_one_may_be_named():
    features, labels = clusters(each=6, classes=3, spread=0.3)
    labels[4] = 2
    assert [suspect.index for suspect in suspected_labels(features, labels)] == [4]


def test_a_rare_class_inside_groups_is_known_to_every_head():
    features, labels = clusters(each=40, classes=2)
    features, labels = np.concatenate([features, features[:2] + 9]), np.append(labels, [2, 2])
    groups = [""] * 82
    for picture, group in ((0, "a"), (1, "a"), (80, "a"), (2, "b"), (3, "b"), (81, "b")):
        groups[picture] = group
    for seed in range(5):
        assert np.all(out_of_fold_probabilities(features, labels, groups, seed)[80:, 2] > 0)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1], [0, 0, 1, 1], [0, 5, 5, 5, 9], [2, 2, 2, 2, 2, 2, 7]])
def test_hardly_any_pictures_break_nothing(labels):
    features = np.random.default_rng(0).normal(size=(len(labels), 3)).astype(np.float32)
    for suspect in suspected_labels(features, np.array(labels), most=1):
        assert {suspect.given, suspect.suggested} <= set(labels)
    assert suspected_labels(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1])) == []
