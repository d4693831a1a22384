import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import transfer

FOLDER = Path(transfer.__file__).parent
# fmt: off
LOWEST_FIRST = [
    "quiet", "errors", "cache", "writing", "drawing", "progress", "images", "measures", "inspection",
    "augmentation", "settings", "plots", "result_plots", "curve_plots", "power_laws", "curve_words", "archives",
    "splits", "folding", "tables", "name_groups", "listing", "folders", "alignment", "duplicates", "findings",
    "data_checks", "shortcuts", "picture_checks", "quality", "written_splits", "architectures", "scratch",
    "freezing", "taps", "model_files", "backbones", "heads", "pipeline", "features", "label_errors", "checking",
    "cleaning", "check_page", "cleaned_copies", "explanation", "inner_images", "explain_sections", "training",
    "intervals", "calibration", "ranking", "evaluation", "significance", "differences", "graph_images",
    "pretraining", "results", "records", "tasks", "methods", "repetition", "cross_validation", "exports",
    "saved_runs", "shown_pictures", "report", "runs", "comparison", "learning_curves", "candidates",
    "backbone_choice", "prediction", "explain_page", "demo_data", "cli", "__main__", "__init__",
]
# fmt: on
HEAVY = ("tensorflow", "keras", "matplotlib", "sklearn", "PIL")


def files(module):
    """The file of a module, or all files of a package."""
    package = FOLDER / module
    return sorted(package.glob("*.py")) if package.is_dir() else [FOLDER / f"{module}.py"]


def imports(path):
    """Names of the modules of this package that a file imports, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"transfer.{alias.name}" for alias in node.names] if node.module == "transfer" else [node.module]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name and name.startswith("transfer.")}
        found |= {"__init__" for name in names if name == "transfer"}
    return {name for name in found if name != "quiet"}


def test_every_module_has_its_place():
    packages = [path.parent.name for path in FOLDER.glob("*/__init__.py")]
    assert sorted([*packages, *(path.stem for path in FOLDER.glob("*.py"))]) == sorted(LOWEST_FIRST)


@pytest.mark.parametrize("module", LOWEST_FIRST)
def test_imports_point_downwards(module):
    below = LOWEST_FIRST[: LOWEST_FIRST.index(module)]
    if module == "cli":
        below = [*below, "cli", "__init__"]  # the command line is a user of the public names
    assert set.union(*map(imports, files(module))) - set(below) == set()


def test_import_is_instant():
    program = f"import sys, transfer; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
    assert answer.stderr == ""


@pytest.mark.parametrize("name", transfer.__all__)
def test_every_public_name_is_there(name):
    assert getattr(transfer, name) is not None
    assert name in dir(transfer)


def test_no_other_names():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = transfer.nonsense


def test_a_module_and_a_public_function_never_share_a_name():
    modules = {path.stem for path in FOLDER.glob("*.py")}
    assert modules & set(transfer.__all__) == set()
    for name in transfer.__all__:
        home = importlib.import_module(getattr(transfer, name).__module__)
        assert getattr(home, name) is getattr(transfer, name)
