import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import transfer

FOLDER = Path(transfer.__file__).parent
# fmt: off
LAYERS = {  # packages, and the modules in each, lowest first
    "": ["quiet", "errors", "method_names", "settings", "cache", "writing", "reading", "progress"],
    "data": [
        "orientation", "images", "augmentation", "archives", "tables", "name_groups", "listing", "split_words",
        "together", "splits", "folding", "folders", "written_splits", "pipeline",
    ],
    "pages": ["drawing", "plots", "result_plots", "curve_plots", "rendering"],
    "statistics": [
        "intervals", "calibration", "ranking", "evaluation", "significance", "differences", "power_laws",
        "linear_probe",
    ],
    "networks": [
        "architectures", "scratch", "freezing", "copies", "taps", "model_file_sizes", "model_files", "backbones",
        "heads", "features", "explanation", "inner_images", "distillation", "quick_layers", "pretraining",
    ],
    "checks": [
        "measures", "inspection", "alignment", "duplicates", "crops", "findings", "data_checks", "shortcuts", "marks",
        "picture_checks", "quality", "label_errors", "checking", "cleaning", "cleaned_copies", "check_page",
    ],
    "learning": ["option_checks", "training", "results", "tasks", "backbone_argument", "methods"],
    "runs": [
        "plain_paths", "graph_files", "graph_bitmaps", "graph_fitting", "graph_images", "answer_tables", "run_folders",
        "records", "kept_results", "export_checks", "exports", "saved_runs", "shown_pictures", "report", "saving",
        "saved_networks", "prediction", "evaluating", "explain_sections", "explain_page", "repetition",
    ],
    "evidence": [
        "preparation", "cross_validation", "comparison", "curve_words", "learning_curves", "candidates",
        "backbone_choice",
    ],
}
# fmt: on
LOWEST_FIRST = [f"{package}.{name}".lstrip(".") for package, names in LAYERS.items() for name in names] + ["demo_data"]
HEAVY = ("tensorflow", "keras", "matplotlib", "sklearn", "PIL")


def dotted(path):
    """`transfer/data/splits.py` as `data.splits`."""
    return ".".join(path.relative_to(FOLDER).with_suffix("").parts)


def imports(path):
    """Modules of this package that a file imports, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "transfer"}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "transfer":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if _is_module(name) else node.module for name in names}
    return {name.partition(".")[2] or "__init__" for name in found} - {"quiet"}


def _is_module(name):
    path = FOLDER.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or path.is_dir()


MODULES = {dotted(path): path for path in FOLDER.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")}


def test_every_module_has_its_place():
    assert sorted(name for name in MODULES if not name.startswith("cli.")) == sorted(LOWEST_FIRST)


@pytest.mark.parametrize("module", LOWEST_FIRST)
def test_imports_point_downwards(module):
    below = LOWEST_FIRST[: LOWEST_FIRST.index(module)]
    assert imports(MODULES[module]) - set(below) == set()


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
    modules = {part for name in MODULES for part in name.split(".")}
    assert modules & set(transfer.__all__) == set()
    for name in transfer.__all__:
        home = importlib.import_module(getattr(transfer, name).__module__)
        assert getattr(home, name) is getattr(transfer, name)
