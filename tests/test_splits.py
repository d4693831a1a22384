import hashlib
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer.data.folders import LabelledImages
from transfer.data.folding import folds_by_content
from transfer.data.image_splits import check_split
from transfer.data.splits import NO_TEST, limit_training, split_by_content
from transfer.data.together import joined, sets_of
from transfer.errors import DataError, OptionError

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
        assert any("'b' has no test picture: its pictures are all in one group" in note for note in notes)


def test_no_class_takes_the_last_training_picture_of_another():
    """Class a has the groups g1 and g2, b has g1 and g3: moving g1 for one of them can leave the other none."""
    labels, groups = np.array([0, 1, 1, 0], np.int32), ["g1", "g1", "g3", "g2"]
    for seed in range(60):
        split = split_by_content(digests_of(4), labels, CLASSES, groups, seed=seed)
        assert set(labels[split.train]) == {0, 1}


def test_splits_are_those_of_earlier_versions():
    """What was split once keeps its parts: of 4,000 pictures, and where classes are too small for chance."""
    digests = digests_of(4000)
    labels = np.array([int(digest[:4], 16) % 5 for digest in digests], np.int32)
    labels[:9] = 5
    groups = [f"g{n % 800}" if n % 2 else "" for n in range(4000)]
    asked = (digests, labels, tuple("abcdef"))
    assert split_by_content(*asked).digest(digests) == "4dfa3598f6e32564fdfc6fdb610bfcaa"
    assert split_by_content(*asked, groups, seed=2).digest(digests) == "fc0e9d157faebfd2ebd1c52a3b21766f"
    folds = [split.digest(digests) for split in folds_by_content(*asked, groups, k=3)]
    assert folds == [
        "69a1c198fde232243bcee3a32bccf100", "cea747be9461468fa493b58b6af1f970", "c9cc693556b002d71cde638ffd12f0b9",
    ]  # fmt: skip
    every = hashlib.blake2b(digest_size=16)
    for seed in range(200):
        for small in (2, 3, 5, 8):
            labels = np.array([0] * 60 + [1] * small, np.int32)
            split = split_by_content(digests[: 60 + small], labels, CLASSES, seed=seed)
            every.update(split.digest(digests).encode())
    assert every.hexdigest() == "5b7684d5e7e60ad684dc13e52eb22f2c"


def test_names_and_pairs_join_pictures_directly_or_through_others():
    contents, groups = ["a", "b", "a", "c", "d", "e"], ["", "x", "", "x", "", ""]
    assert joined(contents, groups).tolist() == [0, 1, 0, 1, 4, 5]
    assert joined(contents, groups, pairs=[(4, 2), (3, 4)]).tolist() == [0, 0, 0, 0, 0, 5]
    assert sets_of(joined(contents, groups)) == [(0, 2), (1, 3)]
    assert sets_of(joined([])) == []


def given_parts(**counts):
    return [part for part, count in counts.items() for _ in range(count)]


def test_given_parts_are_kept():
    given = given_parts(train=60, validation=20, test=20)
    split = split_by_content(digests_of(100), alternating(100), CLASSES, given=given)
    parts = part_of(split)
    assert [parts[i] for i in range(100)] == given
    assert split.division == "given"


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


@pytest.mark.parametrize(("validation", "test"), [(0.6, 0.4), (-0.1, 0.5), (0.2, 1.0)])
def test_impossible_shares_are_refused(validation, test):
    with pytest.raises(OptionError, match="expected"):
        split_by_content(digests_of(10), alternating(10), CLASSES, validation=validation, test=test)


@pytest.mark.parametrize(("validation", "test"), [(0.2, 0), (0, 0.2), (0, 0)])
def test_a_share_of_nothing_leaves_the_part_empty_and_is_told(validation, test):
    labels = np.array([0] * 50 + [1] * 2, np.int32)  # chance may leave the second class without a picture in a part
    for seed in range(5):
        split = split_by_content(digests_of(52), labels, CLASSES, seed=seed, validation=validation, test=test)
        assert sum(map(len, split.parts().values())) == 52
        assert (len(split.validation) > 0, len(split.test) > 0) == (validation > 0, test > 0)
        assert (NO_TEST in split.notes) == (test == 0)


def test_limit_training_keeps_so_many_of_each_class_and_larger_draws_hold_smaller_ones():
    labels = alternating(400)
    split = split_by_content(digests_of(400), labels, CLASSES)
    five, ten = (limit_training(split, labels, count, seed=3) for count in (5, 10))
    assert np.bincount(labels[five.train]).tolist() == [5, 5]
    assert set(five.train) < set(ten.train) < set(split.train)
    assert np.array_equal(five.test, split.test)
    assert len(limit_training(split, labels, 10**6).train) == len(split.train)
    assert split.division == five.division == split.without([0]).division == "content"
    assert not np.array_equal(limit_training(split, labels, 5, seed=4).train, five.train)
    with pytest.raises(OptionError, match="expected a whole number from 1 up"):
        limit_training(split, labels, 0)


def test_a_split_of_other_pictures_is_refused(digits_folder):
    images = transfer.load_images(digits_folder)
    fewer = replace(images, digests=images.digests[:50], labels=images.labels[:50], paths=images.paths[:50])
    split = transfer.split(images)
    for good in (split, transfer.folds(images, 2)[0], limit_training(split, images.labels, 3), split.without([0])):
        check_split(images, good)
        with pytest.raises(DataError, match="one of other pictures"):
            check_split(fewer, good)
    check_split(images, transfer.Split(*split.parts().values()))  # by hand
    with pytest.raises(DataError, match="one of other pictures"):
        check_split(replace(images, digests=images.digests[::-1]), split)
    with pytest.raises(DataError, match="one of other pictures"):
        check_split(fewer, transfer.Split(*split.parts().values()))
    for given in ((str(digits_folder), split), (images, "0.2")):
        with pytest.raises(DataError, match=r"is of type str; expected what transfer\.\w+ returns"):
            check_split(*given)


def test_values_are_short_to_look_at(digits_folder):
    images = transfer.load_images(digits_folder, groups="([0-9])$")
    assert repr(images).startswith("LabelledImages(90 pictures, 0: 30, 1: 30, 2: 30, 10 groups, root='")
    assert repr(transfer.split(images)).startswith("Split(train: ")
    assert repr(transfer.check(images)).startswith("Check(0 problems, ")
    assert max(len(repr(value)) for value in (images, transfer.split(images), transfer.check(images))) < 400


@pytest.mark.parametrize("wrong", [{"test": "0.2"}, {"validation": 1.0}, {"k": "3"}, {"repeats": 1.5}])
def test_shares_and_numbers_as_text_are_refused(digits_folder, wrong):
    divide = transfer.folds if {"k", "repeats"} & set(wrong) else transfer.split
    with pytest.raises(OptionError, match="expected"):
        divide(transfer.load_images(digits_folder), **wrong)


def test_limited_validation_shrinks_in_proportion_and_keeps_every_class():
    labels = alternating(400)
    split = split_by_content(digests_of(400), labels, CLASSES)
    five, thirty = (limit_training(split, labels, count, seed=3, validation_too=True) for count in (5, 30))
    assert np.bincount(labels[five.validation]).tolist() == [1, 1]
    assert len(five.validation) < len(thirty.validation) < len(split.validation)
    assert np.array_equal(five.train, limit_training(split, labels, 5, seed=3).train)
    assert np.array_equal(thirty.test, split.test)


def test_without_leaves_pictures_out_of_every_part():
    split = split_by_content(digests_of(50), alternating(50), CLASSES)
    gone = [int(split.train[0]), int(split.test[0])]
    assert set(part_of(split)) - set(part_of(split.without(gone))) == set(gone)


def test_contents_that_two_groups_share_bind_them_together():
    digests = [*digests_of(400), digests_of(1)[0]]
    groups = [*(f"g{i // 2}" for i in range(400)), "other"]
    for seed in range(10):
        parts = part_of(split_by_content(digests, alternating(401), CLASSES, groups, seed=seed))
        assert parts[0] == parts[1] == parts[400]


def test_a_given_split_is_kept_and_its_leaks_are_reported():
    digests = digests_of(100)
    digests[99], digests[98] = digests[0], digests[2]
    given = given_parts(train=60, validation=20, test=20)
    split = split_by_content(digests, alternating(100), CLASSES, given=given)
    assert [part_of(split)[i] for i in range(100)] == given
    (note,) = split.notes
    assert "2 of 20 test pictures" in note
    assert "in train" in note
    grouped = split_by_content(digests_of(100), alternating(100), CLASSES, ["one"] * 70 + [""] * 30, given)
    assert "10 of 20 validation pictures" in grouped.notes[0]


NAMES = ("{n:05}.png", "ümlaut {n}.jpg", 'it\'s "{n}".webp', "a\\b\\{n}.jpeg", "C:\\pictures\\{n}.PNG", "深/{n}.tif")


@pytest.mark.parametrize("seed", range(5))
def test_added_renamed_and_moved_files_change_no_other_part(seed):
    """On thousands of names: what a file is called, where it lies and what lies beside it decide nothing."""
    rng = np.random.default_rng(seed)
    count, classes = 4000, ("a", "b", "c")
    labels = rng.integers(0, 3, count).astype(np.int32)
    groups = [f"g{n % 800}" if n % 2 else "" for n in range(count)]

    def part_by_content(numbers, names):
        order = np.argsort(names)
        numbers = np.asarray(numbers)[order]
        digests = [digests_of(1, n)[0] for n in numbers]
        images = LabelledImages(
            tuple(map(Path, np.array(names)[order])), tuple(np.array(names)[order]), labels[numbers], classes,
            tuple(digests), tuple(groups[n] for n in numbers), ("",) * len(numbers), Path("anywhere", str(seed)),
        )  # fmt: skip
        parts = part_of(transfer.split(images, seed))
        return {int(n): parts[i] for i, n in enumerate(numbers)}

    fewer = [int(n) for n in rng.permutation(count)[: count - 500]]
    before = part_by_content(fewer, [f"{classes[labels[n]]}/{n:05}.png" for n in fewer])
    renamed = [NAMES[rng.integers(len(NAMES))].format(n=n * 7919 % 100_003) for n in range(count)]
    after = part_by_content(range(count), renamed)
    assert all(after[n] == part for n, part in before.items())


def folds_of(count, groups=None, **options):
    return folds_by_content(digests_of(count), alternating(count), CLASSES, groups, **options)


def test_every_picture_is_tested_once_in_each_repeat_and_classes_are_spread_evenly():
    splits = folds_of(203, k=5, repeats=3)
    assert len(splits) == 15
    for start in (0, 5, 10):
        tested = np.concatenate([split.test for split in splits[start : start + 5]])
        assert sorted(tested) == list(range(203))
    for split in splits:
        assert sorted(np.concatenate([split.train, split.validation, split.test])) == list(range(203))
        assert set(np.bincount(split.test % 2)) <= {20, 21}
        assert len(split.validation) > 0
    assert not np.array_equal(splits[0].test, splits[5].test)


def test_folds_keep_groups_and_equal_contents_together():
    digests = [*digests_of(195), *digests_of(5)]
    groups = [f"g{n // 5}" if n < 100 else "" for n in range(200)]
    for split in folds_by_content(digests, alternating(200), CLASSES, groups, k=4, repeats=2):
        parts = part_of(split)
        assert all(parts[n] == parts[n - n % 5] for n in range(100))
        assert all(parts[n] == parts[n + 195] for n in range(5))


def test_folds_follow_from_content_and_seed_alone():
    order = np.random.default_rng(0).permutation(300)
    digests = np.array(digests_of(300))
    one = folds_by_content(list(digests), alternating(300), CLASSES)
    two = folds_by_content(list(digests[order]), alternating(300)[order], CLASSES)
    for a, b in zip(one, two):
        assert set(digests[a.test]) == set(digests[order][b.test])
        assert set(digests[a.validation]) == set(digests[order][b.validation])
    assert not np.array_equal(one[0].test, folds_of(300, seed=1)[0].test)


def test_a_class_smaller_than_the_folds_is_in_as_many_as_it_can():
    labels = np.array([0] * 60 + [1] * 3, np.int32)
    splits = folds_by_content(digests_of(63), labels, CLASSES, k=5)
    assert sorted(int((labels[split.test] == 1).sum()) for split in splits) == [0, 0, 1, 1, 1]
    assert all(1 in labels[split.train] for split in splits)


@pytest.mark.parametrize(
    ("options", "groups", "error", "sentence"),
    [
        ({"k": 1}, None, OptionError, "`k=1`"),
        ({"repeats": 0}, None, OptionError, "`repeats=0`"),
        ({"seed": "a"}, None, OptionError, "`seed='a'`; expected a whole number from 0 up"),
        ({"k": 60}, None, OptionError, "more than 50 pictures or groups"),
        ({"k": 5}, [f"g{n % 4}" for n in range(100)], OptionError, "more than 2 pictures or groups"),
        ({"k": 2}, [f"g{n % 2}" for n in range(100)], DataError, "'a' is a single picture or group"),
    ],
)
def test_impossible_folds_are_refused(options, groups, error, sentence):
    with pytest.raises(error, match=sentence):
        folds_of(100, groups, **options)


def test_what_is_no_pictures_and_what_are_no_splits(digits):
    images, split = digits
    for function in (transfer.split, transfer.folds):
        with pytest.raises(DataError, match=r"images is of type str; expected what transfer\.load_images returns"):
            function("x")
    for splits in (split, []):
        with pytest.raises(DataError, match=r"no splits to train on in turn; expected those that transfer\.folds"):
            transfer.cross_validate(images, splits)


def test_folds_of_data_that_names_its_parts_are_refused(digits):
    images, _ = digits
    with pytest.raises(OptionError, match="names its own"):
        transfer.folds(replace(images, given=("test",) * len(images)))
    assert len(transfer.folds(images, 3)) == 3


def test_every_fold_trains_on_every_class():
    """By chance alone, all pictures of a class that are not tested would be for validation in some of the folds."""
    labels, names = np.repeat(np.arange(20, dtype=np.int32), 4), [f"c{n}" for n in range(20)]
    splits = folds_by_content(digests_of(80), labels, names, k=4, repeats=2, validation=0.5)
    assert all(set(labels[split.train]) == set(range(20)) for split in splits)
    assert any("had no train picture by chance" in note for split in splits for note in split.notes)
    assert sorted(np.concatenate([split.test for split in splits[:4]])) == list(range(80))


def test_folds_of_groups_train_on_every_class_or_are_refused():
    """Groups of several classes may leave no even folds but those that test a class all at once."""
    rng, refused = np.random.default_rng(0), []
    for _ in range(60):
        labels, groups = rng.integers(0, 3, 24).astype(np.int32), [f"g{n}" for n in rng.integers(0, 5, 24)]
        try:
            splits = folds_by_content(digests_of(24), labels, "abc", groups, k=3)
        except (DataError, OptionError) as error:
            refused.append(str(error))
        else:
            assert all(set(labels[split.train]) == {0, 1, 2} for split in splits)
    assert len(refused) < 30
    assert any("none is left to train on; give other than 3 folds" in sentence for sentence in refused)


def test_notes_on_many_classes_are_one():
    digests, names = [f"{i:032x}" for i in range(300)], [f"class {i:03}" for i in range(100)]
    notes = split_by_content(digests, np.arange(300) // 3, names).notes
    assert 1 <= len(notes) <= 4
    assert all(re.match(r"\d+ classes ha(d|ve) no \w+ picture", note) for note in notes)
    assert "the next one in order of each was moved there (class 0" in notes[0]
