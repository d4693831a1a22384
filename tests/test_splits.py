import hashlib
from contextlib import suppress

import numpy as np
import pytest

from transfer.errors import DataError, OptionError
from transfer.splits import limit_training, split_by_content

CLASSES = ("a", "b")


def digests_of(count, start=0):
    return [hashlib.blake2b(str(i).encode(), digest_size=16).hexdigest() for i in range(start, start + count)]


def part_of(split):
    return {int(i): part for part, indices in split.parts().items() for i in indices}


def alternating(count):
    return np.arange(count, dtype=np.int32) % 2


def test_every_picture_is_in_one_part_and_shares_are_near_what_was_asked():
    split = split_by_content(digests_of(4000), alternating(4000), CLASSES, validation=0.1, test=0.3)
    assert sorted(np.concatenate([split.train, split.validation, split.test])) == list(range(4000))
    assert len(split.validation) / 4000 == pytest.approx(0.1, abs=0.02)
    assert len(split.test) / 4000 == pytest.approx(0.3, abs=0.03)
    assert split.notes == ()


def test_the_same_bytes_are_on_one_side_whatever_their_names():
    digests = digests_of(500) * 2
    parts = part_of(split_by_content(digests, alternating(1000), CLASSES))
    assert all(parts[i] == parts[i + 500] for i in range(500))


def test_adding_and_reordering_files_moves_no_other():
    before = split_by_content(digests_of(3000), alternating(3000), CLASSES)
    more = digests_of(3300)
    order = np.random.default_rng(0).permutation(3300)
    after = part_of(split_by_content([more[i] for i in order], alternating(3300)[order], CLASSES))
    place = {int(i): n for n, i in enumerate(order)}
    assert all(after[place[i]] == part for i, part in part_of(before).items())


def test_a_group_stays_together_and_an_empty_name_is_no_group():
    groups = [f"g{i // 7}" if i < 700 else "" for i in range(1400)]
    parts = part_of(split_by_content(digests_of(1400), alternating(1400), CLASSES, groups))
    assert all(parts[i] == parts[i - i % 7] for i in range(700))
    assert len({parts[i] for i in range(700, 1400)}) == 3


def test_a_seed_repeats_and_another_differs():
    splits = [split_by_content(digests_of(300), alternating(300), CLASSES, seed=seed) for seed in (0, 0, 1)]
    assert np.array_equal(splits[0].test, splits[1].test)
    assert not np.array_equal(splits[0].test, splits[2].test)
    digests = [split.digest(digests_of(300)) for split in splits]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("small", [2, 3, 5])
def test_a_small_class_is_trained_and_tested_or_the_user_is_told(small, seed):
    labels = np.array([0] * 100 + [1] * small, np.int32)
    split = split_by_content(digests_of(100 + small), labels, CLASSES, seed=seed)
    for part, indices in split.parts().items():
        told = any("'b'" in note and part in note for note in split.notes)
        assert 1 in labels[indices] or (told and part == "validation" and small < 5)


@pytest.mark.parametrize("seed", range(20))
def test_a_class_that_is_one_group_is_told_or_refused(seed):
    labels = np.array([0] * 50 + [1] * 5, np.int32)
    groups = [""] * 50 + ["one"] * 5
    with suppress(DataError):
        notes = split_by_content(digests_of(55), labels, CLASSES, groups, seed=seed).notes
        assert any("'b' has no test picture" in note for note in notes)


def given_parts(**counts):
    return [part for part, count in counts.items() for _ in range(count)]


def test_given_parts_are_kept():
    given = given_parts(train=60, validation=20, test=20)
    parts = part_of(split_by_content(digests_of(100), alternating(100), CLASSES, given=given))
    assert [parts[i] for i in range(100)] == given


def test_without_a_test_part_the_validation_part_is_the_test():
    given = given_parts(train=200, validation=40)
    split = split_by_content(digests_of(240), alternating(240), CLASSES, given=given)
    assert split.test.tolist() == list(range(200, 240))
    assert 0 < len(split.validation) < 80
    assert split.validation.max() < 200


def test_with_a_test_part_alone_validation_is_taken_from_training():
    split = split_by_content(
        digests_of(240), alternating(240), CLASSES, given=given_parts(train=200, test=20) + [""] * 20
    )
    assert split.test.tolist() == list(range(200, 220))
    assert len(split.train) + len(split.validation) == 220
    assert len(split.validation) > 0


def test_a_training_part_alone_is_divided():
    split = split_by_content(digests_of(200), alternating(200), CLASSES, given=["train"] * 200)
    assert len(split.test) > 0


def test_a_class_without_training_pictures_is_refused_by_name():
    labels = np.array([0] * 20 + [1] * 5, np.int32)
    with pytest.raises(DataError, match="'b' has 5 picture"):
        split_by_content(digests_of(25), labels, CLASSES, given=given_parts(train=20, test=5))


@pytest.mark.parametrize(("validation", "test"), [(0, 0.2), (0.2, 0), (0.6, 0.4), (-0.1, 0.5), (0.2, 1.0)])
def test_impossible_shares_are_refused(validation, test):
    with pytest.raises(OptionError, match="expected"):
        split_by_content(digests_of(10), alternating(10), CLASSES, validation=validation, test=test)


def test_limit_training_keeps_so_many_of_each_class_and_larger_draws_hold_smaller_ones():
    labels = alternating(400)
    split = split_by_content(digests_of(400), labels, CLASSES)
    five, ten = (limit_training(split, labels, count, seed=3) for count in (5, 10))
    assert np.bincount(labels[five.train]).tolist() == [5, 5]
    assert set(five.train) < set(ten.train) < set(split.train)
    assert np.array_equal(five.test, split.test)
    assert len(limit_training(split, labels, 10**6).train) == len(split.train)
    assert not np.array_equal(limit_training(split, labels, 5, seed=4).train, five.train)
    with pytest.raises(OptionError, match="1 or more"):
        limit_training(split, labels, 0)


def test_without_leaves_pictures_out_of_every_part():
    split = split_by_content(digests_of(50), alternating(50), CLASSES)
    gone = [int(split.train[0]), int(split.test[0])]
    assert set(part_of(split)) - set(part_of(split.without(gone))) == set(gone)
