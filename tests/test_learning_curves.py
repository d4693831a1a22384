import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import transfer
from transfer import quiet
from transfer.evidence import curve_words
from transfer.settings import curve_sizes
from transfer.statistics.power_laws import PowerLaw, fit_power_law, pictures_for

quiet.import_tensorflow()

from transfer.errors import DataError, OptionError, UnknownNameError  # noqa: E402
from transfer.evidence import learning_curves  # noqa: E402
from transfer.networks import features  # noqa: E402
from transfer.runs import records  # noqa: E402

SIZES = np.repeat([25, 50, 100, 250, 500, 2500], 3)
LAYERS = [{"conv": 4}, {"pool": 4}]


def measured(law, seed, spread=0.15, sizes=SIZES):
    """Errors of a known power law, with a spread that falls as draws of pictures do."""
    a, b, c = law
    return a + b * sizes**-c + np.random.default_rng(seed).normal(0, spread, len(sizes)) / sizes**0.5


@pytest.fixture(scope="module")
def backbone():
    return transfer.convnet(32, LAYERS)


@pytest.fixture
def trainings(monkeypatch):
    """(backbone, method, options, others by name) of calls of `train`, which answers at once, better with more."""
    calls = []

    def train(images, split, backbone, method, options, **shared):
        calls.append((backbone, method, options, shared))
        accuracy = 1 - 0.5 * len(split.train) ** -0.3 - 0.01 * (shared["seed"] % 2)
        stopped = options.epochs == 99 and len(calls) == 1
        return SimpleNamespace(split=split, metrics={"accuracy": accuracy}, stopped_by_hand=stopped)

    monkeypatch.setattr(learning_curves, "train", train)
    return calls


@pytest.fixture
def curve(digits, backbone, trainings):
    return transfer.learning_curve(*digits, backbone, ["frozen", "scratch"], [2, 4, 8], draws=2)


def test_a_power_law_is_found_again():
    law = fit_power_law(SIZES, 0.1 + 2.0 * SIZES**-0.5)
    assert (law.a, law.b, law.c) == pytest.approx((0.1, 2.0, 0.5), rel=0.1)
    assert law.error(10_000)[0] == pytest.approx(0.12, abs=0.003)
    assert pictures_for(law.laws(), law.laws() @ [1, 0, 0])[0] == np.inf


def test_the_interval_of_a_power_law_holds_the_truth_about_as_often_as_it_says():
    truth = (0.15, 1.2, 0.4)
    held = 0
    for seed in range(25):
        low, high = fit_power_law(SIZES, measured(truth, seed)).interval(5000)
        held += low[0] <= truth[0] + truth[1] * 5000 ** -truth[2] <= high[0]
    assert held >= 21


def test_so_does_that_of_one_point_a_size():
    truth, sizes, at = (0.15, 1.2, 0.4), np.unique(SIZES), np.array([100, 2500, 5000])
    errors = truth[0] + truth[1] * at ** -truth[2]
    held = []
    for seed in range(40):
        low, high = fit_power_law(sizes, measured(truth, seed, sizes=sizes)).interval(at)
        held.append((low <= errors) & (errors <= high))
    assert np.mean(held) >= 0.9  # 0.83 with draws from a normal distribution


def test_a_law_stays_within_its_bounds():
    for errors in (np.full(len(SIZES), 0.5), 0.2 + 0.1 * SIZES / SIZES.max()):
        law = fit_power_law(SIZES, errors)
        assert law.b == pytest.approx(0)
        assert law.error(10**6)[0] == pytest.approx(law.a)
    assert fit_power_law(SIZES, 30.0 / SIZES).a == pytest.approx(0, abs=1e-3)
    assert fit_power_law(SIZES[:9], np.ones(9)) is None
    assert fit_power_law(np.unique(SIZES)[:5], np.linspace(1, 0, 5)) is None


def test_in_words():
    frozen, scratch, hopeless = ((0.1, 2.0, 0.5), (0.1, 6.0, 0.5), (0.6, 1.0, 0.5))
    laws = {
        name: fit_power_law(SIZES, measured(law, 0, 0.01))
        for name, law in (("frozen", frozen), ("scratch", scratch), ("finetune", hopeless))
    }
    sizes = [5, 10, 20, 50, 100, "all"]
    means = [
        {"method": name, "per_class": size, "images": images, "accuracy": 1 - laws[name].error(images)[0]}
        for name in laws
        for size, images in zip(sizes, np.unique(SIZES))
    ]
    nine_times, never, *gains = curve_words.sentences(means, laws)
    assert nine_times.startswith("from scratch needs about 9 x the pictures (")
    assert nine_times.endswith("to reach what frozen reaches with 20 a class")
    assert "does not reach what frozen reaches with 20 a class with all 2500 pictures, 25 x as many" in never
    assert never.endswith("its fitted curve never does")
    assert "another 100 training pictures are expected to bring frozen 0.1 points" in gains[0]
    means[-1]["accuracy"] = 0.99
    assert (
        "reaches what frozen reaches with 20 a class with 25 x the pictures; no curve"
        in (curve_words.sentences(means, laws)[1])
    )


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0, 0, 0], "no more than 0.25 x the pictures, the fewest that were measured (0.25 or less), to"),
        ([0.1, 0.01, 2], "no more than 0.25 x the pictures, the fewest that were measured (0.25 or less to 2), to"),
        ([0.8, 0.1, 2], "about 0.8 x the pictures (0.25 or less to 2) to"),
        ([0.8, 0.1, np.inf], "about 0.8 x the pictures (the interval is open) to"),
        ([0.8, 0.5, np.inf], "about 0.8 x the pictures (0.5 or more) to"),
        ([0.8, 0.5, 2], "about 0.8 x the pictures (0.5 to 2) to"),
        ([9.97, 5, 20], "about 10 x the pictures (5 to 20) to"),
    ],
)
def test_nothing_is_said_of_fewer_pictures_than_were_measured(times, said):
    """Laws 10 / n, and such as reach the same with so many times the pictures, by the law and two draws of it."""
    frozen = PowerLaw(0.0, 10.0, 1.0, np.repeat([[0.0, 10.0, 1.0]], 2, axis=0))
    law, *draws = ((1.0, 0.0, 1.0) if np.isinf(t) else (0.0, 10.0 * t, 1.0) for t in times)
    means = [
        {"method": name, "per_class": size, "images": images, "accuracy": 0.9}
        for name in ("frozen", "finetune")
        for size, images in ((5, 25), (20, 100), ("all", 2500))
    ]
    sentence = curve_words.sentences(means, {"frozen": frozen, "finetune": PowerLaw(*law, np.array(draws))})[0]
    assert sentence == f"fine-tuned needs {said} reach what frozen reaches with 20 a class"


def test_sizes_follow_a_series():
    assert curve_sizes(184) == [5, 10, 20, 50, 100]
    assert curve_sizes(5) == []


def test_every_draw_is_measured_and_all_come_last(curve, digits):
    _, split = digits
    frozen = [point for point in curve.points if point["method"] == "frozen"]
    assert [(p["per_class"], p["draw"]) for p in frozen] == [
        (2, 0), (2, 1), (4, 0), (4, 1), (8, 0), (8, 1), ("all", 0),
    ]  # fmt: skip
    assert [p["images"] for p in frozen] == [6, 6, 12, 12, 24, 24, len(split.train)]
    assert curve.tested == len(split.test)
    assert curve.means()[-1]["spread"] is None


def test_each_method_gets_its_network(digits, backbone, trainings):
    transfer.learning_curve(*digits, backbone, ["finetune", "scratch"], [5], draws=1, layers=LAYERS, epochs=4)
    assert [call[:2] for call in trainings] == [(backbone, "finetune")] * 2 + [(None, "scratch")] * 2
    assert all((options.epochs, options.refit) == (4, False) for *_, options, _ in trainings)
    assert (trainings[-1][2].layers, trainings[-1][2].image_size) == (LAYERS, 32)


def test_small_draws_are_part_of_larger_ones_and_validation_shrinks_along(digits, backbone, monkeypatch):
    images, split = digits
    parts = []

    def train(images, part, *_, **__):
        parts.append(part)
        return SimpleNamespace(split=part, metrics={"accuracy": 0.5}, stopped_by_hand=False)

    monkeypatch.setattr(learning_curves, "train", train)
    transfer.learning_curve(images, split, backbone, ["frozen"], [4, 8], draws=1)
    small, large, _ = parts
    assert set(small.train) < set(large.train)
    assert len(small.validation) < len(large.validation) < len(split.validation)
    assert np.array_equal(small.test, split.test)


def test_the_frozen_part_sends_each_picture_through_the_backbone_once(digits, backbone, monkeypatch):
    images, split = digits
    seen = []
    compute = features._compute

    def counting(network, pictures, missing, *others):
        seen.extend(missing)
        return compute(network, pictures, missing, *others)

    monkeypatch.setattr(features, "_compute", counting)
    curve = transfer.learning_curve(images, split, backbone, ["frozen"], [3], 1, epochs=1)
    assert len(seen) == len(set(seen)) == len(images)
    assert all(0 <= point["accuracy"] <= 1 for point in curve.points)


def test_a_broken_curve_goes_on_where_it_stopped(digits, backbone, trainings, monkeypatch):
    train = learning_curves.train

    def stops(*arguments, **options):
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    asked = (*digits, backbone, ["frozen"], [2, 4], 1)
    with monkeypatch.context() as broken:
        broken.setattr(learning_curves, "train", stops)
        with pytest.raises(KeyboardInterrupt):
            transfer.learning_curve(*asked)
    curve = transfer.learning_curve(*asked)
    assert len(trainings) == 3
    again = transfer.learning_curve(*asked)
    assert (len(trainings), again.points) == (3, curve.points)
    images, _ = digits
    transfer.learning_curve(replace(images, groups=images.names), *asked[1:])
    transfer.learning_curve(replace(images, names=images.names[::-1]), *asked[1:])
    assert len(trainings) == 9


def test_the_largest_seed_has_draws_too(digits, backbone, trainings):
    transfer.learning_curve(*digits, backbone, ["frozen"], [2], draws=3, seed=2**32 - 1)
    assert [shared["seed"] for *_, shared in trainings] == [2**32 - 1, 0, 1, 2**32 - 1]


def test_points_of_other_versions_are_measured_again(digits, backbone, trainings, monkeypatch):
    transfer.learning_curve(*digits, backbone, ["frozen"], [2], draws=1)
    monkeypatch.setattr(records, "versions", lambda: {"keras": "99"})
    transfer.learning_curve(*digits, backbone, ["frozen"], [2], draws=1)
    assert len(trainings) == 4


def test_a_point_that_was_stopped_by_hand_is_noted_and_measured_again(digits, backbone, trainings):
    asked = (*digits, backbone, ["frozen"], np.array([2, 4]), 1)
    curve = transfer.learning_curve(*asked, epochs=99)
    assert curve.notes[0] == "frozen, 2 a class, draw 1, was stopped by hand"
    again = transfer.learning_curve(*asked, epochs=99)
    assert len(trainings) == 4
    assert again.points == curve.points
    assert not any("stopped" in note for note in again.notes)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"sizes": [5, 5000]}, OptionError, "`sizes=5000`: the largest class has"),
        ({"sizes": [0]}, OptionError, "`sizes=0`; expected a whole number from 1 up"),
        ({"sizes": "5"}, OptionError, "`sizes='5'`"),
        ({"draws": 0}, OptionError, "`draws=0`"),
        ({"draws": True}, OptionError, "`draws=True`"),
        ({"methods": ["frosen"]}, UnknownNameError, "did you mean frozen"),
    ],
)
def test_wrong_options(digits, backbone, options, error, said):
    with pytest.raises(error, match=said) as raised:
        transfer.learning_curve(*digits, backbone, **options)
    assert "\n" not in str(raised.value)


def test_no_test_pictures(digits, backbone):
    images, split = digits
    with pytest.raises(DataError, match="test pictures"):
        transfer.learning_curve(images, transfer.Split(split.train, split.validation, split.test[:0]), backbone)


def test_it_is_written_with_its_plot(curve, tmp_path):
    curve.write(tmp_path)
    with (tmp_path / "learning_curve.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(curve.points)
    said = json.loads((tmp_path / "learning_curve.json").read_text())
    assert said["points"] == curve.points
    assert said["in_words"] == curve.in_words()
    assert 0 <= said["laws"]["frozen"]["a"] <= 1
    assert (tmp_path / "learning_curve.svg").read_text().startswith("<svg")


def test_smaller_classes_are_noted(digits, backbone, trainings):
    images, split = digits
    rare = split.train[images.labels[split.train] == 0][3:]
    curve = transfer.learning_curve(images, split.without(rare), backbone, ["frozen"], [5], draws=1)
    assert curve.notes[0].startswith("1 of 3 classes have fewer than 5")
    assert curve.points[0]["images"] == 13
