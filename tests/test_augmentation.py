"""Random changes of training pictures, and the page that shows them."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import transfer
from transfer import cli, names
from transfer.data.augmentation import PRESETS, change_of, random_crop
from transfer.errors import UnknownNameError
from transfer.learning import mixing
from transfer.learning.batches import Drawing, TrainingBatches

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (24, 24, 3)).astype(np.uint8)


class Held:
    """Pixels as `Batches` asks for them."""

    size = 24

    def pixels(self, index):
        return np.roll(PICTURE, index, axis=0)


def batches(labels, drawing, seed=0, weights=None):
    targets = np.eye(max(labels) + 1, dtype=np.float32)[labels]
    weights = np.ones(len(labels), np.float32) if weights is None else weights
    return TrainingBatches(Held(), np.arange(len(labels)), targets, weights, 8, seed, drawing)


@pytest.mark.parametrize("preset", names.AUGMENTS)
def test_a_preset_follows_from_its_generator_and_gives_whole_pictures(preset):
    change, before = change_of(preset, 0.5, True), PICTURE.copy()
    drawn = [[change(PICTURE, 24, np.random.default_rng(seed)) for seed in range(40)] for _ in range(2)]
    np.testing.assert_array_equal(*drawn)
    np.testing.assert_array_equal(PICTURE, before)
    assert {(each.shape, each.dtype) for each in drawn[0]} == {((24, 24, 3), np.dtype(np.uint8))}
    assert len({each.tobytes() for each in drawn[0]}) == (1 if preset == "none" else 40)


def test_light_is_the_crop_and_the_mirroring_and_none_is_neither():
    light = change_of("light", 0.35, True)(PICTURE, 24, np.random.default_rng(1))
    np.testing.assert_array_equal(light, random_crop(PICTURE, 24, np.random.default_rng(1)))
    assert change_of("none", 0.35, True)(PICTURE, 24, np.random.default_rng(1)) is PICTURE


@pytest.mark.parametrize("preset", ["light", "standard", "strong"])
def test_no_preset_mirrors_where_mirror_images_mean_something_else(preset):
    """Pictures that are bright on the left only: whatever else is done, most of that stays."""
    bright = np.zeros((24, 24, 3), np.uint8)
    bright[:, :12] = 200

    def leaning(flip):
        change, rng = change_of(preset, 0.9, flip), np.random.default_rng(0)
        drawn = [change(bright, 24, rng).astype(float) for _ in range(60)]
        return np.mean([each[:, :8].mean() > each[:, 16:].mean() for each in drawn])

    assert leaning(flip=False) > 0.85
    assert 0.2 < leaning(flip=True) < 0.8


def test_standard_changes_colours_and_strong_erases():
    grey = np.full((24, 24, 3), 100, np.uint8)
    standard, strong = (
        [change_of(preset, 0.9, True)(grey, 24, np.random.default_rng(seed)) for seed in range(60)]
        for preset in ("standard", "strong")
    )
    assert len({int(each.mean()) for each in standard}) > 10
    assert all(each.std() < 1 for each in standard)
    assert 5 < sum(each.std() > 5 for each in strong) < 30


@pytest.mark.parametrize("mix", names.MIXES)
def test_a_mixed_picture_costs_what_both_do_by_their_shares(mix):
    """With one colour and one weight a picture, both can be read off the mixture."""
    rng, levels = np.random.default_rng(3), np.arange(8) * 30.0
    pixels = np.tile(levels[:, None, None, None], (1, 16, 16, 3)).astype(np.float32)
    targets, weights = np.eye(8, dtype=np.float32), np.array([1, 1, 1, 1, 2, 2, 2, 0], np.float32)
    new, both, counted = mixing.mixed(pixels, targets, weights, mixing.MIXES[mix], rng)
    assert (new.shape, new.dtype, both.dtype, counted.dtype) == (pixels.shape, *3 * [np.dtype(np.float32)])
    share = counted[:, None] * both / np.maximum(weights, 1e-9)  # of each picture in each mixture
    share[:, 7] = 1 - share[:, :7].sum(axis=1)
    np.testing.assert_allclose(share @ levels, new.mean(axis=(1, 2, 3)), atol=0.05)
    np.testing.assert_allclose(share @ weights, counted, atol=1e-5)
    assert (share.max(axis=1) < 0.99).sum() >= 2
    np.testing.assert_array_equal(pixels[:, 0, 0, 0], levels)


@pytest.mark.parametrize("mix", [None, "mixup"])
def test_batches_are_the_same_again_and_others_in_another_epoch(mix):
    drawing = Drawing(change_of("strong", 0.5, True), mixing.MIXES.get(mix), balanced=True)
    labels = [0] * 14 + [1] * 5
    first, again = batches(labels, drawing), batches(labels, drawing)
    for one, other in zip(first.batch(1, 2), again.batch(1, 2)):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first.batch(1, 2)[0], first.batch(1, 3)[0])


def test_balanced_sampling_draws_each_class_as_often_and_uses_every_picture():
    labels = [0] * 14 + [1] * 5 + [3] * 2  # none of class 2
    number = np.arange(21, dtype=np.float32)
    data = batches(labels, Drawing(balanced=True), weights=number)
    seen = []
    for epoch in range(3):
        epochs = [data.batch(place, epoch) for place in range(len(data))]
        assert np.concatenate([targets for _, targets, _ in epochs]).sum(axis=0).tolist() == [7, 7, 0, 7]
        seen += np.concatenate([weights for _, _, weights in epochs]).tolist()
    assert {14, 15, 16, 17, 18, 19, 20} <= set(seen)
    assert len(set(seen) - {*range(14, 21)}) > 7  # of the frequent class other ones each time


def test_the_tables_have_the_names_that_users_choose_by():
    assert tuple(PRESETS) == names.AUGMENTS
    assert tuple(mixing.MIXES) == names.MIXES


@pytest.fixture
def pictures(tmp_path):
    for label in ("dark", "light"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            pixels = np.random.default_rng(number).integers(0, 128, (40, 40, 3)) + 120 * (label == "light")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / label / f"{number}.png")
    return tmp_path / "data"


def run(capsys, monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["transfer", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr()


def test_the_page_shows_pictures_as_the_network_will_see_them(pictures, tmp_path, capsys, monkeypatch):
    page = tmp_path / "sheet.html"
    words = ("augment", pictures, "--out", page, "--draws", 3, "--pictures", 1, "--image-size", 32)
    code, said = run(capsys, monkeypatch, *words, "--json")
    assert code == 0, said.err
    assert json.loads(said.out) == {"page": str(page), "presets": ["light", "standard", "strong"], "notes": []}
    text = page.read_text()
    assert re.findall(r"<h2 [^>]*>(\w+)</h2>", text) == ["light", "standard", "strong"]
    assert text.count("<img ") == 2 * 3 * (1 + 3)  # classes; the picture by preset, and its changes
    assert "80 to 100 %" in text
    code, said = run(capsys, monkeypatch, *words)
    assert (code, "--overwrite" in said.err) == (2, True)
    options = ("--overwrite", "--augment", "light", "--method", "scratch", "--mix", "cutmix", "--no-flip")
    code, said = run(capsys, monkeypatch, *words, *options)
    assert code == 0, said.err
    text = page.read_text()
    assert text.count("<img ") == 2 * 4
    assert all(words in text for words in ("35 to 100 %", "never mirrored", "cutmix", "% of it"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--augment", "strnog"), "`augment`: unknown name 'strnog'; did you mean strong?"),
        (("--method", "frozen"), "`method`: unknown name 'frozen'; expected one of finetune, scratch"),
        (("--mix", "mixup"), "--mix without the method scratch"),
        (("--augment", "none", "--no-flip"), "--no-flip without the method finetune or scratch, and an --augment"),
    ],
)  # fmt: skip
def test_what_has_no_effect_on_the_page_is_refused(words, said, tmp_path, capsys, monkeypatch):
    code, printed = run(capsys, monkeypatch, "augment", tmp_path / "nowhere", "--out", tmp_path / "page.html", *words)
    assert code == 2
    assert said.replace("`augment`", "--augment").replace("`method`", "--method") in printed.err
    assert not (tmp_path / "page.html").exists()


def test_the_page_of_classes_that_are_mirror_images_says_so(pictures, monkeypatch):
    monkeypatch.setattr("transfer.runs.augmented_page.mirrored_note", lambda *given: "mirror images look alike")
    images = transfer.load_images(pictures)
    page = pictures.parent / "page.html"
    notes = transfer.write_augmented_page(images, transfer.split(images), page, presets=["light"])
    assert notes == ["mirror images look alike: no random flips"]
    assert "never mirrored" in page.read_text()
    with pytest.raises(UnknownNameError, match="`method`: unknown name 'frozen'"):
        transfer.write_augmented_page(images, transfer.split(images), page, "frozen")
