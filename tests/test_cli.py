import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import transfer
from transfer import cli
from transfer.cli.places import place_for
from transfer.errors import OptionError, OutputError
from transfer.names import METHODS

ROOT = Path(__file__).parent.parent


def run(*words, **environment):
    """(exit code, stdout, stderr) of the command line in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "transfer", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def typed(*words):
    """The same within this process, which spares importing TensorFlow again; errors come as they are raised."""
    ended = CliRunner().invoke(cli.app, [str(word) for word in words])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.exit_code, ended.stdout, ended.stderr


def refused(*words, **environment):
    """The one sentence that a wrong call ends with."""
    code, out, err = run(*words, **environment)
    assert code == 2, (out, err)
    assert out == ""
    assert "Traceback" not in err
    (sentence,) = [line for line in err.splitlines() if line.startswith("transfer: ")]
    return sentence


@pytest.fixture(scope="module")
def trained(digits_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "run"
    code, out, err = run("train", digits_folder, "--image-size", 32, "--out", folder, "--json")
    assert code == 0, err
    return folder, out, err


def test_train_prints_one_json_object_and_no_noise(trained):
    folder, out, err = trained
    said = json.loads(out)
    assert said["accuracy"] > 0.8
    assert said == json.loads((folder / "result.json").read_text())
    assert all(word not in err for word in ("oneDNN", "cuda", "WARNING", "E0000"))
    assert err.startswith("90 pictures of 3 classes")


def test_predict_and_evaluate_from_the_run(trained, digits_folder, tmp_path):
    folder, *_ = trained
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    picture = next(digits_folder.rglob("*.png"))
    code, out, err = typed("predict", folder, picture, text)
    assert code == 2
    assert str(picture) in out
    assert f"{text} is no picture" in err
    code, out, _ = typed("evaluate", folder, digits_folder, "--json")
    assert json.loads(out)["accuracy"] == json.loads((folder / "result.json").read_text())["accuracy"]
    with pytest.raises(OutputError, match="lies in DATA"):
        typed("export", folder, "--out", digits_folder / "models")


def test_backbones_lists_all():
    code, out, _ = typed("backbones", "--json")
    rows = json.loads(out)["backbones"]
    assert code == 0
    assert len(rows) == 44
    by_name = {row["name"]: row for row in rows}
    assert {"bundled", "mobilenet_v2", "resnet50", "efficientnet_lite0"} <= set(by_name)
    assert by_name["resnet50"]["imagenet_top1"] == 0.749
    code, out, _ = typed("backbones")
    assert code == 0
    assert "74.9%" in out
    assert "in a package" in out
    assert "inception_resnet_v2" in out  # the longest name is whole on 80 columns


def test_wrong_calls_end_with_one_sentence(digits_folder, tmp_path, trained):
    folder, *_ = trained
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model")
    assert "does not exist" in refused("train", tmp_path / "nowhere")
    (tmp_path / "there.csv").write_text("mine")
    assert "or give --overwrite to replace it" in refused("clean", digits_folder, "--out", tmp_path / "there.csv")
    assert "did you mean mobilenet_v2" in refused("train", digits_folder, "--backbone", "mobilnet_v2")
    cases = {
        "`overwrite=True`": ("train", digits_folder, "--out", folder),
        "broken.keras": ("train", digits_folder, "--backbone", broken),
        "from 32 pixels up": ("train", digits_folder, "--image-size", 8),
    }
    for expected, words in cases.items():
        with pytest.raises(cli.TransferError, match=expected):
            typed(*words)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "{data}", "--method", "frosen"),
        ("train", "{data}", "--head", "liner"),
        ("train", "{data}", "--weights", "nowhere.h5"),
        ("train", "{data}", "--hidden", "many"),
        ("train", "{data}", "--layers", "nowhere.json"),
        ("train", "{data}", "--layers", "nowhere.json", "--method", "scratch", "--backbone", "bundled"),
        ("train", "{data}", "--weights", "none", "--method", "scratch"),
        ("train", "{data}", "--head", "linear", "--dropout", "0.5"),
        ("train", "{data}", "--head", "svm", "--label-smoothing", "0.1"),
        ("train", "{data}", "--share", "0.5"),
        ("train", "{data}", "--batch-size", "4"),
        ("train", "{data}", "--repeats", "2"),
        ("compare", "{data}", "--sizes", "5,10"),
        ("compare", "{data}", "--methods", "frozen,dense", "--layers", "nowhere.json"),
        ("compare", "{data}", "--methods", "frozen,scratch", "--train-batch-norm"),
        ("compare", "{data}", "--learning-curve", "--sizes", "5,many", "--backbones", "bundled"),
        ("compare", "{data}", "--learning-curve", "--sizes", "5,1000", "--backbones", "bundled"),
        ("compare", "{data}", "--backbones", "bundled,mobilnet_v2"),
        ("train", "{data}", "--groups", "nowhere.csv"),
        ("train", "{data}", "--layers", "nowhere.json", "--method", "scratch"),
        ("compare", "{data}", "--methods", "frozen,thawed"),
        ("predict", "nowhere", "{data}"),
        ("evaluate", "nowhere", "{data}"),
        ("export", "nowhere"),
        ("demo", "--data", "flowers"),
    ],
)
def test_wrong_options_raise_what_main_turns_into_one_sentence(words, digits_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(cli.app, [word.format(data=digits_folder) for word in words])
    assert isinstance(ended.exception, cli.TransferError)
    assert "\n" not in str(ended.exception)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in str(path)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "{}", "--overwrite"), "--overwrite without --out"),
        (("train", "{}", "--from", "run", "--overwrite"), "--overwrite without --out"),
        (("compare", "{}", "--overwrite"), "--overwrite without --out"),
        (("explain", "{}", "a.png", "--overwrite"), "--overwrite without --out"),
        (("train", "{}", "--epochs", "3"), "--epochs without `head=mlp` or svm"),
        (("train", "{}", "--no-flip"), "--no-flip without the method finetune or scratch"),
        (("compare", "{}", "--methods", "frozen", "--flip"), "--flip without the method finetune or scratch"),
        (("compare", "{}", "--learning-curve", "--methods", "dense"), "--learning-curve without a method that has one"),
        (("compare", "{}", "--methods", ","), "no method; expected some of frozen, finetune, scratch, dense"),
        (("compare", "{}", "--methods", "dense,frozen,dense"), "the method dense is named 2 times"),
        (
            ("compare", "{}", "--methods", "dense", "--backbone", "resnet50", "--weights", "none"),
            "--backbone, --weights without the method frozen or finetune",
        ),
        (("check", "{}", "--seed", "1"), "--seed without --labels"),
        (("clean", "{}", "--seed", "1"), "--seed without --labels"),
        (("clean", "{}", "--move-suspects"), "--move-suspects without --labels"),
        (("clean", "{}", "--labels", "--given-below", "0.1"), "--given-below without --move-suspects"),
        (("clean", "{}", "--apply", "a.csv", "--move-suspects", "--overwrite"), "--apply with --move-suspects, --ov"),
    ],
)
def test_options_without_effect_are_refused_before_anything_is_read(words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=sentence) as refusal:
        typed(*(word.format("nowhere") for word in words))
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_options_are_looked_at_before_data_is_and_before_backbones_are_compared(digits_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "choose_backbone", lambda *args, **options: pytest.fail("compared"), raising=False)
    monkeypatch.chdir(tmp_path)
    layers = tmp_path / "layers.json"
    layers.write_text('[{"covn": 4}]')
    chosen = ("compare", digits_folder, "--backbones", "fast")
    cases = {
        "unknown name 'frozn'; did you mean frozen": ("train", "nowhere", "--method", "frozn"),
        "did you mean balanced": ("train", "nowhere", "--class-weights", "balance"),
        "`learning_rate=-1.0`; expected a number above 0": ("compare", "nowhere", "--learning-rate", -1),
        "`share=2.0`; expected": ("compare", "nowhere", "--share", 2),
        "unknown name 'lineer'; did you mean linear": (*chosen, "--head", "lineer"),
        "did you mean conv": (*chosen, "--layers", layers),
    }
    for expected, words in cases.items():
        with pytest.raises(cli.TransferError, match=expected):
            typed(*words)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--epochs", 0), ("--seed", -1), ("--image-size", 0), ("--batch-size", 0), ("--label-smoothing", 1),
        ("--dropout", -0.1), ("--dropout", 1), ("--hidden", "8,0"), ("--share", 0), ("--learning-rate", 0),
    ],
)  # fmt: skip
def test_a_number_out_of_its_range_is_named(digits_folder, option, value):
    with pytest.raises(OptionError, match=f"`{option[2:].replace('-', '_')}=.*`; expected"):
        typed("train", digits_folder, option, value)


@pytest.mark.parametrize(("option", "value"), [("--per-class", 0), ("--folds", 1), ("--repeats", 0)])
def test_so_is_one_of_another_option(digits_folder, option, value):
    code, _, err = typed("train", digits_folder, option, value)
    assert code == 2
    assert f"Invalid value for '{option}'" in err


def test_options_of_the_same_name_are_in_train_and_compare():
    train, compare = (typer.main.get_command(cli.app).commands[name] for name in ("train", "compare"))
    names = [{opt for parameter in command.params for opt in parameter.opts} for command in (train, compare)]
    assert names[0] - names[1] == {"--method", "--folds", "--repeats", "--from", "--explain-settings"}
    assert names[1] - names[0] == {"--methods", "--learning-curve", "--sizes", "--draws", "--backbones"}


def test_a_place_is_kept_for_one_command_and_given_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with place_for(None, "data/", "train", False) as first, place_for(None, "data/", "train", False) as second:
        assert (str(first), str(second)) == ("runs/data-train", "runs/data-train-2")
        second.mkdir()
        (second / "result.json").touch()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["data-train-2"]
    shutil.rmtree("runs")
    with pytest.raises(cli.TransferError, match="does not exist"):
        typed("train", "nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("train", "."), ("compare", "{data}/"), ("train", "{data}", "--out", "run"), ("train", ".", "--out", "."),
        ("compare", ".", "--out", "{data}/a/run"), ("check", "{data}", "--out", "page"),
        ("clean", ".", "--out", "clean.csv"), ("clean", "."),
    ],
)  # fmt: skip
def test_nothing_is_written_into_data(words, tmp_path, monkeypatch):
    data = tmp_path / "data"
    (data / "a").mkdir(parents=True)
    monkeypatch.chdir(data)
    with pytest.raises(OutputError, match="name a place elsewhere"):
        typed(*(word.format(data=data) for word in words))
    assert [path.name for path in data.rglob("*")] == ["a"]


def test_a_place_that_cannot_be_written_is_refused_before_any_work(digits_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    with pytest.raises(cli.TransferError, match="cannot be written"):
        typed("train", digits_folder)


def test_answers_keep_odd_names_in_one_line(trained, digits_folder, tmp_path):
    folder, *_ = trained
    name = tmp_path / ("long " * 30) / "[red]a.png"
    name.parent.mkdir()
    shutil.copy(digits_folder / "1" / "00.png", name)
    code, out, _ = typed("predict", folder, name)
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith(f"{name}  ")
    code, out, _ = typed("predict", folder, name, "--csv", tmp_path / "answers.csv", "--json")
    assert json.loads(out)["predictions"][0]["file"] == str(name)
    assert (tmp_path / "answers.csv").is_file()


def test_the_version():
    assert typed("--version") == (0, f"transfer {transfer.__version__}\n", "")


@pytest.mark.parametrize(
    ("typed", "completed"), [("transfer pre", "predict"), ("transfer predict --so", "--sort-into")]
)
def test_the_shell_completes_commands_and_options(typed, completed):
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_TRANSFER_COMPLETE": "complete_bash"}
    program = "from transfer.cli import app; app(prog_name='transfer')"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, **words}
    )
    assert ended.stdout.split() == [completed]


def test_help_is_quick_to_read():
    code, out, _ = run("--help")
    assert code == 0
    assert all(verb in out for verb in ("train", "compare", "evaluate", "predict", "export", "backbones", "demo"))
    assert "..." not in out.partition("Commands:")[2]  # what each does is told whole


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_documents_name_run_folders_as_the_commands_do(document):
    kinds = re.findall(r"\bruns/\w+-(\w+)", document.read_text(encoding="utf-8"))
    assert set(kinds) <= {*METHODS, "METHOD", "compare", "again", "explain"}


def test_what_can_be_refused_without_tensorflow_is(trained, digits_folder, tmp_path):
    run, *_ = trained
    layers, empty, data = tmp_path / "layers.json", tmp_path / "empty", digits_folder
    picture = data / "0" / "00.png"
    layers.write_text('[{"covn": 4}]')
    empty.mkdir()
    refusals = {
        "did you mean mobilenet_v2": [
            ("train", data, "--backbone", "mobilnet_v2"), ("compare", data, "--backbone", "mobilnet_v2"),
            ("compare", data, "--backbones", "bundled,mobilnet_v2"),
        ],
        "nowhere.keras does not exist": [("train", data, "--backbone", "nowhere.keras")],
        "no such file; expected bundled, none": [("train", data, "--backbone", "bundled", "--weights", "nowhere.h5")],
        "without the backbone that they are of": [("train", data, "--weights", "nowhere.h5")],
        "brings its own weights": [("train", data, "--backbone", "own.keras", "--weights", "none")],
        "from 32 pixels up": [("train", data, "--image-size", 8), ("compare", data, "--image-size", 8)],
        "did you mean conv": [("train", data, "--method", "scratch", "--layers", layers)],
        "nowhere does not exist": [
            ("train", "nowhere"), ("predict", "nowhere", data), ("evaluate", "nowhere", data),
            ("evaluate", run, "nowhere"), ("check", "nowhere"),
        ],
        "no SavedModel": [("predict", empty, data), ("evaluate", empty, data)],
        "no run folder": [
            ("explain", "nowhere", "a.png"), ("export", "nowhere"), ("report", "nowhere"), ("report", run, "nowhere"),
            ("train", "--from", "nowhere"),
        ],
        "no such file, folder or pattern": [("predict", run, "nowhere.png"), ("explain", run, "nowhere.png")],
        "expected a share from 0 to 1": [("predict", run, data, "--least", 2)],
        "is no file; expected a CSV": [
            ("train", data, "--groups", "nowhere.csv"), ("evaluate", run, data, "--groups", "nowhere.csv"),
        ],
        "a sum below 1": [("train", data, "--test", 0.6, "--validation", 0.4)],
        "expected sizes below that": [("compare", data, "--learning-curve", "--sizes", "5,1000")],
        "give fewer folds": [("train", data, "--folds", 1000)],
        "expected one of savedmodel": [("export", run, "--format", "tflight")],
        "expected one of 0, 1, 2": [("explain", run, picture, "--class", "seven")],
        "did you mean logits": [("explain", run, picture, "--layer", "logit")],
    }  # fmt: skip
    program = """
import json, sys
from typer.testing import CliRunner
from transfer import cli
for words in json.load(sys.stdin):
    error = CliRunner().invoke(cli.app, words).exception
    heavy = "tensorflow" in sys.modules or "keras" in sys.modules
    print(json.dumps([isinstance(error, cli.TransferError), str(error), heavy]))
"""
    asked = [(sentence, [str(word) for word in words]) for sentence, calls in refusals.items() for words in calls]
    asked.append(("", ["backbones"]))  # is answered, with SystemExit(0)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
        input=json.dumps([words for _, words in asked]),
    )  # fmt: skip
    for (sentence, words), line in zip(asked, ended.stdout.splitlines(), strict=True):
        refused, said, heavy = json.loads(line)
        assert (refused, heavy) == (words != ["backbones"], False), (words, said)
        assert sentence in said


@pytest.mark.parametrize(
    ("words", "told", "command"),
    [
        (("train", "data", "--epochs", "x"), "Invalid value for '--epochs': ", "transfer train"),
        (("train", "data", "--epoch", "3"), "No such option", "transfer train"),
        (("predict", "run"), "Missing argument 'PICTURES", "transfer predict"),
        (("tran", "data"), "No such command 'tran'", "transfer"),
        (("check", "data", "more"), "Got unexpected extra argument", "transfer check"),
    ],
)
def test_what_the_parser_refuses_is_one_sentence_too(words, told, command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["transfer", *words])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.lower().startswith(f"transfer: {told}".lower())
    assert said.err.endswith(f"; see {command} --help\n")
    assert said.err.count("\n") == 1


def test_ctrl_c_while_the_command_is_imported_is_one_sentence_too(monkeypatch, capsys):
    class Interrupted:
        @staticmethod
        def find_spec(name, *_):
            if name == "transfer.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "transfer.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    start = EntryPoint("transfer", scripts["transfer"], "console_scripts")
    with pytest.raises(SystemExit, match="130"):
        start.load()()
    assert capsys.readouterr().err == "transfer: stopped by Ctrl-C\n"


def test_exit_codes_are_those_of_the_commands(monkeypatch, capsys):
    def ends_with(*words):
        monkeypatch.setattr(sys, "argv", ["transfer", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    assert ends_with("--version") == (0, f"transfer {transfer.__version__}\n", "")
    code, out, err = ends_with()
    assert code == 2
    assert "recompute" not in out + err
    assert "compare" in out + err
    assert "transfer: " not in out + err

    def leaves(error):
        def end(kinds):
            raise error

        return end

    stopped = 130, "", "transfer: stopped by Ctrl-C\n"
    for error, ended in ((typer.Exit(3), (3, "", "")), (typer.Abort(), stopped), (KeyboardInterrupt(), stopped)):
        monkeypatch.setattr("transfer.cache.clear", leaves(error))
        assert ends_with("cache", "--clear", "all") == ended
