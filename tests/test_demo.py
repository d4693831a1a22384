import shlex
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, engine_packages
from transfer.cli import tour
from transfer.demo_data import write_demo_data
from transfer.errors import MissingExtraError, TransferError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "classes", "train", "test"),
    [("textures", 3, 528, 192), ("faces", 2, 120, 80), ("digits", 10, 1200, 597)],
)
def test_the_demo_pictures_are_real_and_divided(name, classes, train, test, tmp_path):
    write_demo_data(name, tmp_path / name)
    images = transfer.load_images(tmp_path / name)
    assert len(images.class_names) == classes
    assert Counter(images.given) == {"train": train, "test": test}
    assert not images.unreadable
    split = transfer.split(images)
    assert len(split.test) == test
    assert len(split.validation) > 0


def test_no_texture_patch_of_the_test_touches_one_of_the_training(tmp_path):
    write_demo_data("textures", tmp_path)
    tops = {part: {int(path.stem[:3]) for path in (tmp_path / part).rglob("*.png")} for part in ("train", "test")}
    assert min(tops["test"]) - max(tops["train"]) == 64


def test_writing_twice_changes_nothing(tmp_path):
    write_demo_data("faces", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    write_demo_data("faces", tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}


@pytest.mark.parametrize(("name", "flip"), [("faces", True), ("digits", False)])
def test_the_demo_runs_the_command_that_it_shows(name, flip, tmp_path, monkeypatch):
    asked = []

    def stop(images, split, backbone, methods, options):
        asked.append(options.flip)
        raise TransferError("enough")

    monkeypatch.setattr(transfer, "compare", stop)
    ended = CliRunner().invoke(cli.app, ["demo", "--data", name, "--out", str(tmp_path)])
    assert str(ended.exception) == "enough"
    run = shlex.quote(f"{tmp_path / name}-run")
    words = f"$ transfer compare {shlex.quote(str(tmp_path / name))} --per-class 20 --out {run} --overwrite"
    assert words + (" --no-flip" * (not flip)) + "\n" in ended.stdout
    assert asked == [flip]


@pytest.mark.parametrize("installed", [True, False])
def test_the_demo_ends_with_what_would_be_faster(tmp_path, monkeypatch, installed):
    monkeypatch.setattr(tour, "compare_shown", lambda *command: None)
    monkeypatch.setattr(tour, "read_result", lambda run: {})
    monkeypatch.setattr(transfer, "predict", lambda run, pictures: [])
    monkeypatch.setattr(engine_packages.util, "find_spec", lambda module: installed or None)
    ended = CliRunner().invoke(cli.app, ["demo", "--data", "textures", "--out", str(tmp_path)])
    assert ended.exit_code == 0
    assert ("OpenVINO makes that faster; it needs openvino; pip install 'transfer[fast]'" in ended.stdout) != installed


def test_unknown_set():
    with pytest.raises(UnknownNameError, match="textures"):
        write_demo_data("texture", "nowhere")


def test_without_scikit_image_the_error_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingExtraError, match=r"transfer\[demo\]"):
        write_demo_data("faces", tmp_path)


def test_digits_keep_their_grey_levels(tmp_path):
    from sklearn.datasets import load_digits

    from transfer.data.images import read_picture

    write_demo_data("digits", tmp_path)
    first = read_picture(next(tmp_path.rglob("0000.png")))
    expected = (load_digits().images[0] * (255 / 16)).round()
    assert np.array_equal(first[..., 0], expected)
