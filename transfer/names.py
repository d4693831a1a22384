"""Words that a user chooses by: they can be looked at before Keras is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transfer.errors import LayerError, OptionError, unknown_name

METHODS = ("frozen", "finetune", "scratch")
COMPARED = (*METHODS, "dense")  # the last is `scratch` with a plain dense network
AUGMENTED = ("finetune", "scratch")  # methods that see pictures again and again, changed at random
AUTO = "auto"  # a backbone, or a head, from the data
FEATURES = ("last", "stages")
HEADS = ("linear", "mlp", "svm", "mean", "cosine")  # the rows of `heads.HEADS`
# The rows of `formats.FORMATS`, and before them what a run holds anyway.
EXPORTS = ("savedmodel", "litert", "litert-f16", "litert-int8", "litert-uint8", "onnx", "openvino")
ALL = "all"  # of them
FITS = ("crop", "pad", "stretch")
AUGMENTS = ("none", "light", "standard", "strong")  # the rows of `augmentation.PRESETS`
MIXES = ("mixup", "cutmix")  # the rows of `mixing.MIXES`
OPTIMISED = ("accuracy", "balanced", "f1")  # figures that `decision_bias.fit_bias` knows
# The rows of `engines.ENGINES`; the last computes in bfloat16, so that it is for answers, and not for trainings.
BFLOAT16_ENGINE = "openvino-bf16"
EXACT_ENGINES = ("tensorflow", "openvino", "onnxruntime")
ENGINES = (*EXACT_ENGINES, BFLOAT16_ENGINE)
# All of Keras but one that halves the width and one that needs two more numbers.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
)  # fmt: skip

LAYERS = (  # the rows of `scratch.LAYERS`
    "resize", "crop", "conv", "normalise", "activation", "pool", "global_pool", "residual", "tap", "dropout",
    "flatten", "dense",
)  # fmt: skip


def check_layers(rows: Sequence[Mapping[str, object]]) -> None:
    """Refuse a list of layers for `scratch.convnet` with a row of an unknown kind.

    Raises:
        LayerError: no row, or one that is of no kind.
    """
    if not rows:
        raise LayerError('no layers; expected rows such as {"conv": 32}')
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping) or not row:
            raise LayerError(f'layer {position} is {row!r}; expected a row such as {{"conv": 32}}')
        if next(iter(row)) not in LAYERS:
            raise unknown_name(f"layer {position}", next(iter(row)), LAYERS, LayerError)


def check_format(name: str) -> None:
    """Refuse a format that nothing can be exported to.

    Raises:
        UnknownNameError: it is not known.
    """
    if name not in (*EXPORTS, ALL):
        raise unknown_name("`format`", name, (*EXPORTS, ALL))


def check_engine(name: str) -> None:
    """Refuse an engine that is not known.

    Raises:
        UnknownNameError: it is none of `ENGINES`, nor `auto`.
    """
    if name not in (AUTO, *ENGINES):
        raise unknown_name("`engine`", name, (AUTO, *ENGINES))


def check_augmented(method: str) -> None:
    """Refuse a method that changes no pictures.

    Raises:
        UnknownNameError: it is none of `AUGMENTED`.
    """
    if method not in AUGMENTED:
        raise unknown_name("`method`", method, AUGMENTED)


def check_methods(names: Sequence[str], known: Sequence[str] = METHODS) -> None:
    """Refuse names that cannot be used.

    Raises:
        OptionError: there are none, or one is named twice.
        UnknownNameError: one of them is not known.
    """
    if isinstance(names, str):
        raise OptionError(f"methods of {names!r}; expected several names, such as {[names]}")
    if not names:
        raise OptionError(f"no method; expected some of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise unknown_name("method", name, known)
        if names.count(name) > 1:
            raise OptionError(f"the method {name} is named {names.count(name)} times; name each once")
