import ast
import runpy
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from transfer import quiet

RECIPES = sorted(Path(__file__).parent.parent.joinpath("recipes").glob("*.py"))


def main_of(name):
    quiet.import_tensorflow()
    return runpy.run_path(str(RECIPES[0].with_name(name)))["main"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_one_page_that_opens_with_its_command(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 40
    assert f"python recipes/{path.name}" in ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_tells_what_it_takes(path):
    app = typer.Typer()
    app.command()(main_of(path.name))
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0


def test_retrain_export_and_classify(digits_folder, tmp_path, capsys):
    main_of("retrain.py")(str(digits_folder), str(tmp_path / "digits"))
    main_of("classify.py")(str(tmp_path / "digits" / "1"), [str(digits_folder / "0")])
    said = capsys.readouterr().out
    assert "accuracy" in said
    assert said.count("00.png") == 1


def test_train_head_tries_every_head(digits_folder, capsys):
    main_of("train_head.py")(str(digits_folder), seeds=1)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["linear", "mlp", "svm"]
