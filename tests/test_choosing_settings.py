"""What a training is made with: explained, found by trying, and shortened to the time there is."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer import cli, quiet, settings
from transfer.setting_reasons import REASONS, reason_for

quiet.import_tensorflow()

import keras  # noqa: E402

from transfer.errors import OptionError, TrainingError  # noqa: E402
from transfer.learning import learning_rates, methods, paces  # noqa: E402
from transfer.learning.explained_settings import SCHEDULED  # noqa: E402
from transfer.learning.learning_rates import RateTest, highest_good, smoothed  # noqa: E402
from transfer.learning.options import TrainingOptions  # noqa: E402
from transfer.runs.rate_page import write_rate_page  # noqa: E402

LAYERS = [{"conv": 4, "stride": 2}, {"activation": "relu"}, {"pool": 4}, {"flatten": True}]
PACE = paces.Pace(step=0.5, picture=0.01)


@pytest.fixture
def network():
    return transfer.convnet(32, LAYERS)


def typed(capsys, *words):
    code = None
    try:
        cli.app([*map(str, words)], standalone_mode=False)
    except TrainingError as error:
        code = error
    out, err = capsys.readouterr()
    return code, out, err


def test_what_is_explained_is_what_a_training_takes(digits):
    images, split = digits
    rows = {row.name: row for row in transfer.explain_settings(images, split, "bundled", "finetune", epochs=7)}
    schedule = settings.finetune_schedule(len(split.train), backbone="bundled")
    assert "patience" not in rows  # no epoch is chosen
    for name in set(SCHEDULED) - {"patience"}:
        assert rows[name].value == (7 if name == "epochs" else getattr(schedule, name))
        assert rows[name].asked == (name == "epochs")
    assert (rows["backbone"].value, rows["backbone"].asked) == ("bundled", True)
    assert (rows["share"].value, rows["head_c"].value) == (settings.FINETUNE_SHARE, None)
    assert rows["crops"].value == settings.FINETUNE_VIEWS
    assert rows["warmup_steps"].value == settings.warmup_steps(replace(schedule, epochs=7))
    assert all(row.rule or row.asked for row in rows.values())


@pytest.mark.parametrize("asked", [{}, {"share": 1.0}, {"augment": "none"}])
def test_crops_are_explained_as_they_will_be(digits, asked):
    inner = [keras.layers.Conv2D(4, 3, strides=2), keras.layers.Conv2D(4, 3)]
    nested = keras.Sequential([keras.Input((32, 32, 3)), keras.Sequential(inner), keras.layers.Flatten()])
    before = [layer.trainable for layer in nested.layers]
    rows = {row.name: row.value for row in transfer.explain_settings(*digits, nested, "finetune", **asked)}
    assert rows.get("crops") == (None if asked.get("augment") else "new in each epoch")
    assert [layer.trainable for layer in nested.layers] == before


def test_the_rate_is_that_of_the_weights_and_not_of_the_name(digits):
    rates = {}
    for weights in ("bundled", "none"):
        rows = transfer.explain_settings(*digits, "bundled", "finetune", weights=weights, image_size=32)
        rates |= {weights: next(row.value for row in rows if row.name == "learning_rate")}
    assert rates == {"bundled": 4e-3, "none": 5e-4}
    network = transfer.load_backbone("bundled", 32)
    for weights, pretrained in (("bundled", "bundled"), ("none", ""), ("mine.weights.h5", "")):
        written = {"backbone": "bundled", "weights": weights}  # as a comparison hands on what it has loaded
        _, task, _ = methods.begin(*digits, network, "finetune", TrainingOptions(), labels=written)
        assert task.pretrained == pretrained


@pytest.mark.parametrize("method", ["frozen", "scratch"])
def test_the_command_line_explains_and_trains_nothing(digits_folder, method, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli.learning, "_train_once", None, raising=False)
    words = ("train", digits_folder, "--method", method, "--explain-settings")
    _, out, _ = typed(capsys, *words, "--image-size", 32, "--json")
    rows = {row["name"]: row for row in json.loads(out)["settings"]}
    assert rows["image_size"]["value"] == 32
    assert ("layers" in rows, "share" in rows) == (method == "scratch", False)
    _, out, _ = typed(capsys, *words)
    assert "arXiv:" in "".join(out.split())
    with pytest.raises(OptionError, match="--out with --explain-settings, which trains and writes nothing; leave it"):
        cli.app([*map(str, words), "--out", "run"], standalone_mode=False)
    assert not list(tmp_path.iterdir())


def test_every_reason_is_of_a_setting_and_in_the_docs():
    known = {each.name for each in fields(settings.Schedule)} | {each.name for each in fields(transfer.TrainingOptions)}
    page = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, reason in REASONS.items():
        setting, _, method = name.partition(" of ")
        assert setting in known | {"backbone", "warmup_steps", "crops"}
        assert f"| {name} | {reason.rule} | {reason.source or '-'} | {reason.measured or 'not'} |" in page
        assert reason_for(setting, method or "finetune") == reason


def test_the_highest_good_rate_is_found_under_noise():
    rates, noise = np.linspace(-7, 0, 120), np.random.default_rng(0).normal(0, 0.03, 120)
    learns = np.where(rates < -4, 1, np.where(rates < -2, 1 - 0.4 * (rates + 4), 0.2 + 4 * (rates + 2) ** 2))
    assert -2.2 < rates[highest_good(learns + noise)] < -1.5
    flat = np.where(rates < -3, 0.5, 0.5 + (rates + 3))  # nothing left to learn
    assert -3.6 < rates[highest_good(flat + noise)] < -2.5
    collapsed = np.where(rates < -1.5, learns, np.where(rates < -1, 3, 0.1))  # the same answer to every picture
    assert -2.5 < rates[highest_good(collapsed + noise)] < -1.4
    assert smoothed(np.ones(3)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("method", ["finetune", "scratch"])
def test_a_rate_is_found_and_the_network_stays(digits, network, method, monkeypatch):
    monkeypatch.setattr(settings, "TRIED_STEPS", 24)
    before = network.get_weights()
    test = transfer.find_learning_rate(*digits, network, method, batch_size=16)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert len(test.rates) == len(test.losses) <= 24
    assert np.all(np.diff(test.rates) > 0)
    assert test.suggested == (test.chosen if test.is_unclear else pytest.approx(test.highest / 10))
    assert test.rates[0] <= test.highest <= 1
    assert (test.method, test.chosen) == (method, 5e-4 if method == "finetune" else 1e-3)


def test_where_no_rate_was_too_high_none_is_suggested(tmp_path):
    rates = np.geomspace(1e-7, 1, 50)
    test = RateTest("scratch", "mine at 32 px", rates, np.ones(50), 1.0, 2e-3, 2e-3)
    assert "do not tell which rate is too high; where none is asked for, 0.002 is taken" in test.in_words()
    assert "the losses do not tell" in write_rate_page(test, tmp_path).read_text()


def test_a_frozen_network_has_no_rate(digits, network):
    with pytest.raises(OptionError, match="frozen, whose head has no learning rate to find; expected finetune or"):
        transfer.find_learning_rate(*digits, network, "frozen")


def test_a_network_that_breaks_at_every_rate(digits, network, monkeypatch):
    monkeypatch.setattr(learning_rates, "losses_by_rate", lambda *given: np.zeros(0))
    with pytest.raises(TrainingError, match="no number at a learning rate of 1e-07; look at the network"):
        transfer.find_learning_rate(*digits, network, "scratch")


@pytest.fixture
def found(monkeypatch):
    rates = np.geomspace(1e-7, 1, 50)
    test = RateTest("scratch", "mine at 32 px", rates, np.linspace(2, 1, 50), 1e-2, 1e-3, 2e-3, ("one",))
    monkeypatch.setattr(learning_rates, "find_learning_rate", lambda *given: test)
    monkeypatch.setattr(transfer, "find_learning_rate", lambda *given: test, raising=False)


def test_the_command_line_writes_a_page_and_suggests(found, digits_folder, capsys, tmp_path):
    page = tmp_path / "out" / "learning-rates.html"
    _, out, _ = typed(capsys, "lr", digits_folder, "--method", "scratch", "--out", page.parent)
    assert "a learning rate of 0.001 is suggested for scratch of mine at 32 px: a tenth of 0.01" in out
    assert "where none is asked for, 0.002 is taken" in out
    text = page.read_text()
    assert text.count("<svg") == 1
    assert "0.001" in text
    _, out, _ = typed(capsys, "lr", digits_folder, "--method", "scratch", "--json")
    said = json.loads(out)
    assert (said["suggested"], len(said["rates"]), said["notes"]) == (1e-3, 50, ["one"])
    with pytest.raises(OptionError, match="--epochs in a test of learning rates"):
        cli.app(["lr", str(digits_folder), "--epochs", "3"], standalone_mode=False)
    _, out, _ = typed(capsys, "lr", "--help")
    assert "--batch-size" in out
    assert not any(name in out for name in ("--epochs", "--learning-rate", "--minutes"))


@pytest.fixture
def paced(monkeypatch):
    monkeypatch.setattr(paces, "measured_pace", lambda *given: PACE)


def test_minutes_shorten_the_schedule(digits, network, paced):
    images, split = digits
    result = transfer.train(images, split, network, "scratch", batch_size=16, minutes=0.2)
    epoch = settings.steps(len(split.train), 16) * PACE.step + len(split.validation) * PACE.picture
    epochs = len(result.history)
    assert 0.2 * 60 / epoch * 0.5 < epochs <= 0.2 * 60 / epoch
    assert (result.options["epochs"], result.options["minutes"]) == (epochs, None)
    (note,) = [note for note in result.notes if note.startswith("0.2 minutes are enough for")]
    assert f"for {epochs} of 100 epochs of scratch" in note


def test_where_no_epoch_fits_the_frozen_network_is_the_result(digits, network, paced):
    frozen = transfer.train(*digits, network, "frozen")
    result = transfer.train(*digits, network, "finetune", minutes=1e-4)
    assert any("are enough for 0 of" in note for note in result.notes)
    assert np.array_equal(result.predictions.probabilities, frozen.predictions.probabilities)
    assert result.parameters() == frozen.parameters()
    with pytest.raises(OptionError, match=r"`minutes=0\.0001` of scratch, of which an epoch takes longer; give more"):
        transfer.train(*digits, network, "scratch", minutes=1e-4)


def test_a_pace_is_measured_and_changes_nothing(digits, monkeypatch):
    monkeypatch.setattr(paces, "LONG_ENOUGH", 0.1)
    network = transfer.convnet(32, [*LAYERS, {"dropout": 0.5}])
    before = network.get_weights()
    images, split = digits
    result = transfer.train(images, split, network, "scratch", epochs=2, minutes=1)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert not any("minutes" in note for note in result.notes)  # there were enough
    undisturbed = transfer.train(images, split, network, "scratch", epochs=2)
    assert result.history == undisturbed.history
