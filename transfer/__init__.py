"""Recognise what is in your pictures: transfer learning with Keras, and an honest comparison.

Everything below is loaded when it is first used, so that `import transfer` is instant.
"""

from __future__ import annotations

from importlib import import_module

from transfer import quiet

__version__ = "0.1.0"

_HOMES = {
    "LabelledImages": "data.folders",
    "load_images": "data.folders",
    "limit_pixels": "data.pixel_limits",
    "split": "data.image_splits",
    "folds": "data.image_splits",
    "check": "checks.checking",
    "Check": "checks.checking",
    "keep_together": "checks.duplicates",
    "read_split": "data.written_splits",
    "propose_actions": "checks.cleaning",
    "write_actions": "checks.cleaning",
    "read_actions": "checks.cleaning",
    "write_clean_copy": "checks.cleaned_copies",
    "limit_training": "data.splits",
    "Split": "data.splits",
    "load_backbone": "networks.backbones",
    "list_backbones": "pretrained.backbone_table",
    "freeze": "networks.freezing",
    "unfreeze": "networks.freezing",
    "extract_features": "networks.features",
    "head": "networks.heads",
    "join": "networks.heads",
    "convnet": "networks.scratch",
    "dense_network": "networks.scratch",
    "describe_layers": "networks.scratch",
    "layer_names": "networks.taps",
    "layer_output": "networks.inner_images",
    "first_layer_images": "networks.inner_images",
    "most_exciting": "networks.inner_images",
    "explain": "runs.explain_page",
    "grad_cam": "networks.explanation",
    "input_gradient": "networks.explanation",
    "occlusion_map": "networks.explanation",
    "write_augmented_page": "runs.augmented_page",
    "train": "learning.methods",
    "TrainingOptions": "learning.options",
    "explain_settings": "learning.explained_settings",
    "find_learning_rate": "learning.learning_rates",
    "write_rate_page": "runs.rate_page",
    "cross_validate": "evidence.cross_validation",
    "CrossValidation": "evidence.cross_validation",
    "Result": "learning.results",
    "repeat_run": "runs.repetition",
    "choose_backbone": "evidence.backbone_choice",
    "BackboneChoice": "evidence.candidates",
    "compare": "evidence.comparison",
    "Comparison": "evidence.comparison",
    "learning_curve": "evidence.learning_curves",
    "LearningCurve": "evidence.learning_curves",
    "save_run": "runs.saving",
    "build_report": "runs.report",
    "export": "exports.exporting",
    "predict": "runs.prediction",
    "iter_predictions": "runs.prediction",
    "sort_into": "runs.sorting",
    "features_of": "runs.picture_features",
    "PictureFeatures": "runs.picture_features",
    "write_features": "runs.picture_features",
    "find_similar": "runs.similar_pictures",
    "evaluate": "runs.evaluating",
    "serve": "serving.server",
    "TransferError": "errors",
}
# These do without TensorFlow, or load it once they have looked at what they were given.
_LIGHT = (
    "errors", "data.", "checks.", "learning.options", "pretrained.", "runs.prediction", "runs.evaluating",
    "runs.sorting", "runs.augmented_page", "runs.picture_features", "runs.similar_pictures", "serving.",
)  # fmt: skip
__all__ = [*_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'transfer' has no attribute {name!r}")
    if not _HOMES[name].startswith(_LIGHT):
        quiet.import_tensorflow()
    value = globals()[name] = getattr(import_module(f"transfer.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
