"""The record of options: each is declared once, and everything else comes from it."""

import ast
import json
from dataclasses import fields
from pathlib import Path

import keras
import pytest
import typer

import transfer
from transfer import cli, names
from transfer.errors import OptionError, UnknownNameError
from transfer.exports import formats
from transfer.learning.option_rules import rule_of
from transfer.learning.options import TrainingOptions, idle_without, options_from, options_of_run
from transfer.networks import heads, scratch

MOST = 8  # parameters beside records
PARTS = ("Reading", "Looking", "Moving", "Output")
RECORDS = ("TrainingOptions", "typer.Context", *(f"group.{name}" for name in PARTS))


def test_what_cannot_be_used_is_refused_when_the_record_is_made():
    wrong = {
        "epochs": 0, "seed": -1, "image_size": "64", "learning_rate": float("inf"), "hidden": (8, 0), "dropout": 1,
        "share": 0, "batch_size": 1.5,
    }  # fmt: skip
    for name, value in wrong.items():
        with pytest.raises(OptionError, match=f"^`{name}=.*`; expected [a-z]"):
            TrainingOptions(**{name: value})
    for name, value in (("hidden", 8), ("hidden", "8"), ("dropout", "0.5")):
        with pytest.raises(OptionError, match=f"^`{name}={value!r}`; expected [a-z]"):
            TrainingOptions(**{name: value})
    for name, value in (("epochs", True), ("seed", False), ("learning_rate", True), ("flip", "no"), ("refit", 2)):
        with pytest.raises(OptionError, match=f"^`{name}={value!r}`; expected "):
            TrainingOptions(**{name: value})
    for name in ("head", "fit", "activation", "class_weights"):
        with pytest.raises(UnknownNameError, match=f"`{name}`: unknown name 'nonsense'"):
            TrainingOptions(**{name: "nonsense"})
    with pytest.raises(OptionError, match="a head mlp without hidden layers"):
        TrainingOptions(head="mlp", hidden=())


def test_fields_by_name_change_a_record_and_a_wrong_name_gets_the_nearest():
    record = TrainingOptions(epochs=3, hidden=[8])
    assert options_from(record, {"seed": 2}) == TrainingOptions(epochs=3, hidden=(8,), seed=2)
    assert options_from(None, {}) == TrainingOptions()
    with pytest.raises(UnknownNameError, match="did you mean learning_rate"):
        options_from(None, {"learnig_rate": 1})
    with pytest.raises(OptionError, match="options of 'linear'; expected TrainingOptions"):
        options_from("linear", {})


def test_a_run_folder_holds_what_makes_the_same_record():
    record = TrainingOptions(head="mlp", hidden=(8, 4), seed=3, flip=False)
    written = json.loads(json.dumps(record.written()))
    assert options_of_run(written | {"method": "frozen", "trainable_parameters": 8}) == record
    del written["share"], written["train_batch_norm"]  # as an older version wrote it
    assert options_of_run(written) == record


def test_an_option_has_its_field_its_help_and_its_place_on_the_command_line():
    commands = typer.main.get_command(cli.app).commands
    for each in fields(TrainingOptions):
        rule = rule_of(each)
        assert each.name in TrainingOptions.__doc__
        for command in (commands["train"], commands["compare"]):
            mine = {param.name: param for param in command.params}
            assert (each.name in mine) == bool(rule.part)
            assert not rule.part or mine[each.name].help == rule.help


@pytest.mark.parametrize(
    ("options", "methods", "typed", "idle"),
    [
        ({}, ["frozen"], ["hidden", "share"], {"`head=mlp`": ["hidden"], "the method finetune": ["share"]}),
        ({"head": "mlp"}, ["finetune"], ["hidden", "flip", "share"], {}),
        ({"head": "svm"}, ["frozen"], ["label_smoothing"], {"`head=linear` or mlp": ["label_smoothing"]}),
        (
            {}, ["frozen", "dense"], ["layers", "share"],
            {"the method scratch": ["layers"], "the method finetune": ["share"]},
        ),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_known(options, methods, typed, idle):
    assert idle_without(TrainingOptions(**options), methods, typed) == idle


def test_the_words_are_those_of_the_tables():
    assert tuple(heads.HEADS) == names.HEADS
    assert tuple(scratch.LAYERS) == names.LAYERS
    assert tuple(formats.FORMATS) == names.EXPORTS
    assert all(hasattr(keras.activations, name) for name in names.ACTIVATIONS)


@pytest.mark.parametrize("command", ["train", "compare"])
def test_the_help_has_parts_and_fits_a_terminal(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.app([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    parts = [line for line in lines if line and line[0] != " " and line.endswith(":")]
    assert parts[1:6] == ["Data:", "Network:", "Training:", "Evidence:", "Output:"]


def _parameters(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            kinds = [ast.unparse(each.annotation) if each.annotation else "" for each in given]
            yield node.name, sum(kind.split(" |")[0] not in RECORDS for kind in kinds)


@pytest.mark.parametrize("path", sorted(Path(transfer.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_function_carries_many_things_side_by_side(path):
    assert {name: count for name, count in _parameters(path) if count > MOST} == {}
