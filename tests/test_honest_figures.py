"""What stands beside a figure: what makes it untrustworthy, what was not computed, and what was left undone for it."""

import html
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.learning import whole_fits  # noqa: E402
from transfer.runs import saving  # noqa: E402


def arrow(rng, right):
    """An arrow to the left or right, 32 pixels wide, at a place and of a size of its own."""
    pixels = np.full((32, 32), 255, np.uint8)
    size, top, left = rng.integers(5, 9), rng.integers(2, 12), rng.integers(2, 10)
    for step in range(size):
        pixels[top + size - step : top + size + step + 1, left + step] = 0
    pixels[top + size, left : left + 2 * size] = 0
    return Image.fromarray(pixels[:, ::-1] if right else pixels)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Pictures of two classes whose names show persons, three pictures of each."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("faces")
    for label in ("glad", "sad"):
        (root / label).mkdir()
        for number in range(30):
            name = f"{label}_{'abcdefghij'[number // 3]}_{number % 3 + 1:04}.png"
            level = 200 if label == "glad" else 60
            Image.fromarray(rng.integers(0, 55, (32, 32), np.uint8) + level).save(root / label / name)
    return root


def test_what_makes_a_figure_untrustworthy_and_what_came_from_the_cache_stand_beside_it(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "export_saved_model", lambda *given: [])
    transfer.convnet(32, [{"conv": 4, "stride": 4}]).save(tmp_path / "tiny.keras")
    words = ["train", faces, "--backbone", tmp_path / "tiny.keras"]
    said, told = [], []
    for name in ("first", "second"):
        ended = CliRunner().invoke(cli.app, [str(word) for word in [*words, "--out", tmp_path / name]])
        assert ended.exit_code == 0, ended.output
        said.append(json.loads((tmp_path / name / "result.json").read_text()))
        told.append(" ".join(ended.stdout.split()))
        words += ["--seed", 1]
    (caveat,) = said[0]["caveats"]
    assert caveat.startswith("file names show 20 groups")
    assert f"! not to be trusted as it is: {caveat}" in told[0]
    assert caveat in html.unescape((tmp_path / "first" / "report.html").read_text())
    assert [figures["cached"] for figures in said] == [[], ["features"]]
    assert ["* without the features, which came from the cache" in line for line in told] == [False, True]


def test_classes_that_are_mirror_images_of_each_other_are_not_mirrored_in_training(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        for number in range(45):
            arrow(rng, label == "right").save(tmp_path / label / f"{number}.png")
    flips, kind = [], whole_fits.TrainingBatches
    monkeypatch.setattr(whole_fits, "TrainingBatches", lambda *given: flips.append(given[-1]) or kind(*given))
    images = transfer.load_images(tmp_path)
    network = transfer.dense_network(32, (4,))
    results = [
        transfer.train(images, transfer.split(images), network, "scratch", epochs=1, flip=flip)
        for flip in (True, False)
    ]
    assert [drawing.change.keywords["flip"] for drawing in flips] == [False, False]
    assert [sum("no random flips" in note for note in result.notes) for result in results] == [1, 0]
