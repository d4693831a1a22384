import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import transfer

FOLDER = Path(transfer.__file__).parent
# fmt: off
LAYERS = {  # packages, and the modules in each, lowest first
    "": [
        "quiet", "errors", "names", "engine_packages", "settings", "setting_reasons", "libraries", "cells", "shapes",
        "memory", "progress", "stopping", "streams", "rooms", "free_places", "writing", "unfinished", "parquet_files",
        "cache", "kept_rows", "reading",
    ],
    "data": [
        "levels", "pixel_limits", "picture_files", "orientation", "rgb", "images", "sources", "augmentation",
        "archives", "downloads", "folder_files", "part_names", "tables", "no_classes", "folder_layouts", "name_groups",
        "listing", "together", "places", "splits", "folding", "folders", "image_splits", "written_splits", "pipeline",
    ],
    "pages": ["wording", "drawing", "plots", "result_plots", "curve_plots", "rendering"],
    "statistics": [
        "intervals", "choosing", "calibration", "ranking", "evaluation", "significance", "differences", "power_laws",
        "linear_probe", "standardising", "penalties", "class_means",
        "decision_bias",
    ],
    "pretrained": ["weight_packages", "architectures", "hub_package", "backbone_table"],
    "networks": [
        "weight_files", "needed_memory", "preprocessing", "efficientnet_lite", "scratch", "freezing", "copies",
        "taps", "stages", "halves", "views", "model_file_sizes", "model_files", "hub_presets", "backbones", "heads",
        "fingerprints", "conversions", "openvino_graphs", "onnx_graphs", "engines", "features",
        "explanation", "inner_images", "distillation", "quick_layers", "pretraining",
    ],
    "checks": [
        "measures", "inspection", "alignment", "kept_pairs", "duplicates", "crops", "findings", "folder_checks",
        "data_checks", "shortcuts", "marks", "mirrored", "picture_checks", "value_checks", "quality", "label_errors",
        "checking", "cleaning", "cleaned_copies", "check_page",
    ],
    "learning": [
        "option_rules", "options", "losses", "mixing", "batches", "fit_states", "checkpoints", "optimizers",
        "histories", "watching", "training", "paces", "results", "tasks", "held_out", "head_rows", "head_choice",
        "solved_heads", "head_fitting", "feature_heads", "interpolation", "kept_maps", "whole_fits", "backbone_default",
        "backbone_argument", "decisions", "judging", "fine_tuning", "methods", "learning_rates", "explained_settings",
    ],
    "runs": [
        "network_places", "plain_paths", "graph_files", "graph_bitmaps", "graph_fitting", "graph_images",
        "answer_tables", "documents", "run_folders", "records", "kept_results", "exportables", "export_checks",
        "exports", "saved_runs", "headlines", "shown_pictures", "report",
        "saving", "saved_networks", "prediction_tables", "prediction", "sorting", "evaluating", "explain_sections",
        "explain_page", "picture_features", "similar_pictures", "similar_page", "rate_page",
        "augmented_page", "repetition",
    ],
    "exports": [
        "runtimes", "answering", "parity", "onnx_file", "openvino_ir", "rounding", "litert_graphs",
        "litert_metadata", "litert", "formats", "model_card", "exporting", "exported_networks",
    ],
    "serving": [
        "refusals", "packages", "model_names", "metrics", "batching", "served_networks", "version_places",
        "served_models", "asking", "bodies", "doors", "connections", "json_bodies", "tensorflow_rest", "open_inference",
        "forms", "classify_files", "looking", "collecting", "page", "app", "opening", "server",
    ],
    "evidence": [
        "preparation", "cross_validation", "comparison", "amounts", "curve_words", "learning_curves", "candidates",
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


def test_the_map_of_the_code_names_every_module():
    text = (FOLDER.parent / "docs" / "README.md").read_text(encoding="utf-8")
    named = {word.rpartition(".")[2] for word in re.findall(r"`([a-z_.]+)`", text)}
    assert {name.rpartition(".")[2] for name in LOWEST_FIRST} - named == set()


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


def test_what_python_users_are_told_names_no_option():
    """Findings are for the terminal and the page, where options are right."""
    for name, path in MODULES.items():
        if name.startswith(("cli.", "checks.")):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
        texts = [node.value for node in constants if isinstance(node.value, str)]
        assert [text for text in texts if re.search(r"--[a-z]", text)] == [], name


def test_the_command_line_names_options_where_errors_name_keywords():
    from transfer import cli
    from transfer.cli.option_names import with_options

    said = 'runs/`a` is there: `overwrite=True`, `weights="none"`, `image_size=8`, `class_name`, `per_class`'
    assert with_options(said, cli.app) == (
        "runs/`a` is there: --overwrite, --weights none, --image-size 8, --class, --per-class"
    )


def test_a_module_and_a_public_function_never_share_a_name():
    modules = {part for name in MODULES for part in name.split(".")}
    assert modules & set(transfer.__all__) == set()
    for name in transfer.__all__:
        home = importlib.import_module(getattr(transfer, name).__module__)
        assert getattr(home, name) is getattr(transfer, name)
