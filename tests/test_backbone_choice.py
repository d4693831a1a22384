import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import transfer
from transfer import cli, quiet

quiet.import_tensorflow()

from transfer.data import pipeline  # noqa: E402
from transfer.errors import DataError, ModelFileError, OptionError, PictureError, UnknownNameError, WeightsError  # noqa: E402
from transfer.evidence import backbone_choice, learning_curves  # noqa: E402
from transfer.evidence.candidates import BackboneChoice, Candidate  # noqa: E402
from transfer.pretrained import architectures  # noqa: E402
from transfer.pretrained.backbone_table import name_and_weights  # noqa: E402
from transfer.runs import saving  # noqa: E402
from transfer.statistics.linear_probe import out_of_fold  # noqa: E402
from transfer.statistics.significance import holm, sign_flip_test  # noqa: E402


def candidate(name, milliseconds, accuracy, p_value=None):
    return Candidate(
        name, "imagenet", 96, 10**6, 4.0, milliseconds, accuracy, [accuracy - 0.02, accuracy + 0.02], 0, p_value
    )


@pytest.fixture(scope="module")
def choice(digits):
    return transfer.choose_backbone(*digits, ["bundled", "bundled:none"], image_size=32)


def test_backbones_are_ranked_by_what_a_linear_head_reaches(choice, digits):
    _, split = digits
    assert [row.accuracy for row in choice.candidates] == sorted(
        (row.accuracy for row in choice.candidates), reverse=True
    )
    assert {row.label for row in choice.candidates} == {"bundled", "bundled:none"}
    assert choice.pictures == len(split.train) + len(split.validation)
    for row in choice.candidates:
        assert row.ci95[0] <= row.accuracy <= row.ci95[1]
        assert row.parameters == transfer.list_backbones()[0].parameters
        assert row.milliseconds > 0
    assert choice.best.p_value is None
    assert 0 <= choice.candidates[1].p_value <= 1


def test_every_answer_comes_from_a_head_that_never_saw_the_picture(digits):
    images, split = digits
    noise = np.random.default_rng(0).normal(size=(len(split.train), 20))
    tested = backbone_choice._folds(images, split.train, 0)
    probabilities = out_of_fold(noise, images.labels[split.train], tested)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == images.labels[split.train]).mean() < 0.6
    assert np.array_equal(np.sort(np.concatenate(tested)), np.arange(len(split.train)))


def test_the_best_of_several_is_compared_as_one_of_all_pairs(digits):
    images, split = digits
    labels, rng = images.labels[split.train], np.random.default_rng(0)
    answers = [np.where(rng.random(len(labels)) < wrong, (labels + 1) % 3, labels) for wrong in (0.02, 0.2, 0.3)]
    rows = backbone_choice._against_best([candidate("net", 9.0, 0.9)] * 3, answers, images, split.train)
    alone = [sign_flip_test(1 * (answers[i] == labels) - (answers[0] == labels)) for i in (1, 2)]
    third = sign_flip_test(1 * (answers[1] == labels) - (answers[2] == labels))
    assert [row.p_value for row in rows] == [None, *holm([*alone, third])[:2]]


def test_the_cheapest_that_cannot_be_told_from_the_best_is_recommended():
    best, alike = candidate("large", 9.0, 0.90), candidate("small", 2.0, 0.89, 0.3)
    worse, wasteful = candidate("tiny", 1.0, 0.70, 0.001), candidate("odd", 10.0, 0.60, 0.001)
    choice = BackboneChoice((best, alike, worse, wasteful), 500, 5)
    assert choice.recommended is alike
    assert [row.backbone for row in choice.front] == ["tiny", "small", "large"]
    assert "recommended: small at 96 px, 89.0%: it cannot be told from the best" in choice.in_words()[1]
    assert BackboneChoice((best, worse), 500, 5).in_words()[1] == "recommended: large; every cheaper one is worse"
    assert BackboneChoice((alike, best), 500, 5).in_words()[1] == "recommended: small; it is the cheapest, too"


def test_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    local = backbone_choice.backbone_set("all-local")
    assert local[:2] == ["bundled", "efficientnet_lite0"]
    assert all(name == "bundled" or architectures.ARCHITECTURES[name].package for name in local)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / architectures.ARCHITECTURES["vgg16"].weights_file.replace("*", "")).write_bytes(b"")
    assert backbone_choice.backbone_set("all-local") == [*local, "vgg16"]
    assert {"bundled", "mobilenet_v2", "efficientnet_b0"} <= set(backbone_choice.backbone_set("fast"))
    assert "vgg16" not in backbone_choice.backbone_set("fast")


def test_of_a_set_those_without_weights_are_left_out_and_noted(digits, monkeypatch):
    monkeypatch.setattr(backbone_choice, "backbone_set", lambda name: ["bundled", "bundled:nowhere.h5"])
    choice = transfer.choose_backbone(*digits, "fast", image_size=32)
    assert [row.label for row in choice.candidates] == ["bundled"]
    assert "nowhere.h5" in choice.notes[0]
    with pytest.raises(WeightsError):
        transfer.choose_backbone(*digits, ["bundled:nowhere.h5"], image_size=32)


def test_a_picture_that_cannot_be_decoded_is_left_out_for_all_of_them(digits, monkeypatch):
    images, split = digits
    bad, read = images.paths[split.train[0]], pipeline.read_fitted

    def fails(path, *how):
        if path == bad:
            raise PictureError("is cut short or damaged")
        return read(path, *how)

    monkeypatch.setattr(pipeline, "read_fitted", fails)
    choice = transfer.choose_backbone(images, split, ["bundled"], image_size=32)
    assert choice.pictures == len(split.train) + len(split.validation) - 1
    assert images.names[split.train[0]] in choice.notes[0]
    assert choice.notes[0].endswith("they are left out")


def test_few_pictures_are_divided_into_fewer_folds(digits, tmp_path):
    images, split = digits
    transfer.convnet(32, [{"conv": 4, "stride": 4}]).save(tmp_path / "tiny.keras")
    mine = [split.train[images.labels[split.train] == label] for label in range(3)]
    asked = str(tmp_path / "tiny.keras")
    few = transfer.Split(np.concatenate([rows[:3] for rows in mine]), split.validation[:0], split.test)
    choice = transfer.choose_backbone(images, few, asked)
    assert (choice.folds, choice.pictures) == (3, 9)
    assert "of 9 pictures in 3-fold cross-validation" in choice.in_words()[0]
    alone = transfer.Split(np.concatenate([mine[0][:1], *mine[1:]]), split.validation[:0], split.test)
    with pytest.raises(DataError, match=r"class '0' is a single picture or group, .* or name one with `backbone`"):
        transfer.choose_backbone(images, alone, asked)


@pytest.mark.parametrize(("names", "error"), [([], OptionError), (["bundeld"], UnknownNameError)])
def test_wrong_names(digits, names, error):
    with pytest.raises(error):
        transfer.choose_backbone(*digits, names)


@pytest.mark.parametrize(
    ("entry", "name", "weights"),
    [
        ("bundled", "bundled", None),
        ("mobilenet_v2:none", "mobilenet_v2", "none"),
        (r"mobilenet_v2:C:\weights\x.h5", "mobilenet_v2", r"C:\weights\x.h5"),
        (r"C:\nets\own.keras", r"C:\nets\own.keras", None),
        ("d:/nets/own.keras", "d:/nets/own.keras", None),
        (r"C:\nets\own.keras:D:\x.h5", r"C:\nets\own.keras", r"D:\x.h5"),
        ("/nets/own.keras", "/nets/own.keras", None),
    ],
)
def test_the_colon_of_a_drive_divides_nothing(entry, name, weights):
    assert name_and_weights(entry) == (name, weights)


def test_a_file_on_a_drive_is_looked_for_as_a_whole(digits):
    with pytest.raises(ModelFileError, match=r"C:.nets.own\.keras does not exist"):
        transfer.choose_backbone(*digits, [r"C:\nets\own.keras"])


def test_it_is_written_with_its_plot(choice, tmp_path):
    choice.write(tmp_path)
    said = json.loads((tmp_path / "backbones.json").read_text())
    assert said["recommended"] == choice.recommended.label
    with (tmp_path / "backbones.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == [row.label for row in choice.candidates]
    assert "recommended" in (tmp_path / "backbones.svg").read_text()


def test_compare_takes_both_options(digits_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "export_saved_model", lambda *given: [])
    answer, drawn = SimpleNamespace(split=SimpleNamespace(train=[0] * 12), metrics={"accuracy": 0.5}), []
    answer.stopped_by_hand = False
    monkeypatch.setattr(learning_curves, "train", lambda images, part, *_, **__: drawn.append(part) or answer)
    for name, stride in (("narrow", 4), ("wide", 2)):
        transfer.convnet(32, [{"conv": 4, "stride": stride}]).save(tmp_path / f"{name}.keras")
    names = ",".join(str(tmp_path / f"{name}.keras") for name in ("narrow", "wide"))
    words = ["compare", digits_folder, "--methods", "frozen", "--backbones", names]
    words += ["--learning-curve", "--sizes", "4", "--draws", 1, "--out", tmp_path / "run"]
    ended = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert ended.exit_code == 0, ended
    assert "pictures a class" in ended.stdout
    assert "recommended: " in ended.stdout
    assert "compared with the recommended backbone, " in ended.stderr
    assert len(drawn) == 1  # all pictures are trained on by the comparison, not once more
    said, curve = (json.loads((tmp_path / "run" / f"{name}.json").read_text()) for name in ("result", "learning_curve"))
    assert curve["points"][-1]["accuracy"] == said["methods"]["frozen"]["accuracy"]
    for name in ("learning_curve", "backbones"):
        assert all((tmp_path / "run" / f"{name}.{kind}").is_file() for kind in ("csv", "json", "svg"))


@pytest.mark.parametrize(
    "words",
    [
        ("--learning-curve", "--sizes", "5,5000"),
        ("--learning-curve", "--sizes", "few"),
        ("--backbones", "bundled", "--weights", "none"),
        ("--backbones", "bundeld,bundled"),
    ],
)
def test_wrong_options_end_in_one_sentence_and_write_nothing(words, digits_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(cli.app, ["compare", str(digits_folder), *words])
    assert isinstance(ended.exception, cli.TransferError), ended.exception
    assert "\n" not in str(ended.exception)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
