"""Recognise what is in your pictures: transfer learning with Keras, and an honest comparison.

Everything below is loaded when it is first used, so that `import transfer` is instant.
"""

from __future__ import annotations

from importlib import import_module

from transfer import quiet

__version__ = "0.1.0"

_HOMES = {
    "LabelledImages": "folders",
    "load_images": "folders",
    "split": "folders",
    "folds": "folders",
    "check": "checking",
    "Check": "checking",
    "keep_together": "duplicates",
    "read_split": "written_splits",
    "propose_actions": "cleaning",
    "write_actions": "cleaning",
    "read_actions": "cleaning",
    "write_clean_copy": "cleaned_copies",
    "limit_training": "splits",
    "Split": "splits",
    "load_backbone": "backbones",
    "list_backbones": "backbones",
    "freeze": "freezing",
    "unfreeze": "freezing",
    "extract_features": "features",
    "head": "heads",
    "join": "heads",
    "convnet": "scratch",
    "dense_network": "scratch",
    "describe_layers": "scratch",
    "layer_names": "taps",
    "layer_output": "inner_images",
    "first_layer_images": "inner_images",
    "most_exciting": "inner_images",
    "explain": "explain_page",
    "grad_cam": "explanation",
    "input_gradient": "explanation",
    "occlusion_map": "explanation",
    "train": "methods",
    "cross_validate": "cross_validation",
    "CrossValidation": "cross_validation",
    "Result": "results",
    "repeat_run": "repetition",
    "choose_backbone": "backbone_choice",
    "BackboneChoice": "candidates",
    "compare": "comparison",
    "Comparison": "comparison",
    "learning_curve": "learning_curves",
    "LearningCurve": "learning_curves",
    "save_run": "runs",
    "build_report": "report",
    "export": "exports",
    "predict": "prediction",
    "evaluate": "prediction",
    "TransferError": "errors",
}
_LIGHT = (  # modules that do without TensorFlow
    "errors", "folders", "checking", "cleaning", "cleaned_copies", "duplicates", "splits", "written_splits",
)  # fmt: skip
__all__ = [*_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'transfer' has no attribute {name!r}")
    if _HOMES[name] not in _LIGHT:
        quiet.import_tensorflow()
    value = globals()[name] = getattr(import_module(f"transfer.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
