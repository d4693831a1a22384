"""Every option of a training, once: its type, default, range, help, and what it has no effect without.

`train`, `compare`, `cross_validate`, `learning_curve` and the command line take the fields of `TrainingOptions`; a run
folder holds them. Nothing here loads Keras, so that what cannot be used is refused at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real

from transfer.errors import OptionError, unknown_name
from transfer.learning.option_rules import NETWORK, Need, Range, check_value, option, rule_of
from transfer.names import ACTIVATIONS, AUGMENTS, AUTO, EXACT_ENGINES, FEATURES, FITS, HEADS, MIXES, OPTIMISED

_BALANCING = ("class_weights", "sampling", "logit_adjustment")
_STAND_FOR = ("weights", "features", "layers")  # with the backbone, for a network


_COUNT = Range("a whole number from 1 up", Integral, lambda number: number >= 1)
_SHARE = Range("a share from 0 to below 1", Real, lambda share: 0 <= share < 1)
_ABOVE_0 = Range("a number above 0", Real, lambda rate: 0 < rate < float("inf"))
_PART = Range("a share above 0 and up to 1", Real, lambda share: 0 < share <= 1)
_VIEWS = Range("1 or 2", Integral, lambda views: views in (1, 2))
_SEED = Range(f"a whole number from 0 to {2**32 - 1}", Integral, lambda seed: 0 <= seed < 2**32)
_UNITS = Range(
    "whole numbers from 1 up", tuple, lambda units: all(isinstance(each, Integral) and each >= 1 for each in units)
)

_MLP = Need("`head=mlp`", lambda options, methods: options.head == "mlp")
_SMOOTH = Need("`head=linear` or mlp", lambda options, methods: options.head in ("linear", "mlp", AUTO))
_DESCENDED = Need(
    "`head=mlp` or svm (a linear one is solved), or the method finetune or scratch",
    lambda options, methods: options.head in ("mlp", "svm") or set(methods) != {"frozen"},
)
_PENALISED = Need(
    "`head=linear`, svm or auto, and the method frozen or finetune",
    lambda options, methods: options.head in ("linear", "svm", AUTO) and bool({"frozen", "finetune"} & set(methods)),
)
_TUNED = Need("the method finetune", lambda options, methods: "finetune" in methods)
_WHOLE = Need("the method finetune or scratch", lambda options, methods: set(methods) != {"frozen"})
_FLIPPED = Need(
    "the method finetune or scratch, and an `augment` other than none",
    lambda options, methods: set(methods) != {"frozen"} and options.augment != "none",
)
_FOCUSED = Need(
    "`head=mlp`, or a linear one and the method finetune or scratch (behind frozen features it is solved)",
    lambda options, methods: options.head == "mlp" or (options.head in ("linear", AUTO) and set(methods) != {"frozen"}),
)
_ADJUSTED = Need(
    "`head=linear`, mlp or svm (means of classes do not know how frequent they are), and no `optimise`",
    lambda options, methods: options.head in ("linear", "mlp", "svm") and options.optimise is None,
)
_PRETRAINED = Need(
    "the method frozen or finetune", lambda options, methods: bool({"frozen", "finetune"} & set(methods))
)
_SCRATCH = Need("the method scratch", lambda options, methods: "scratch" in methods)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options of a training; a record that exists can be used.

    Raises:
        OptionError: a number out of its range.
        UnknownNameError: a word that is none of those there are.
    """

    weights: str | None = option(None, "bundled, imagenet, none, or a weights file [default: the usual ones]", NETWORK)
    features: str | None = option(
        None, "last, or stages: those of every resolution too [default: stages of ImageNet networks, else last]",
        NETWORK, names=FEATURES, need=_PRETRAINED,
    )  # fmt: skip
    views: int = option(
        1, "2: features of each picture and of its mirror image, averaged; twice the time", NETWORK,
        range=_VIEWS, need=_PRETRAINED,
    )  # fmt: skip
    engine: str = option(
        AUTO, "computes features: tensorflow, openvino, onnxruntime, or auto: the fastest that is installed", NETWORK,
        names=(AUTO, *EXACT_ENGINES), need=_PRETRAINED,
    )  # fmt: skip
    layers: Sequence[dict] | None = option(None, "JSON list of the scratch convnet's layers", NETWORK, need=_SCRATCH)
    head: str = option(
        "linear", "linear, mlp, svm (multi-class hinge loss), mean, cosine (of class means), auto (linear or a mean)",
        NETWORK, names=(*HEADS, AUTO),
    )  # fmt: skip
    image_size: int | None = option(
        None, "side of the square in pixels [default: from the data]", NETWORK, range=_COUNT
    )
    fit: str = option(
        "crop", "crop cuts out the middle, pad keeps all between bars, stretch changes proportions", NETWORK, names=FITS
    )
    seed: int = option(0, "of the split and of every other random choice", range=_SEED)
    epochs: int | None = option(
        None, "at most; of fine-tuning those after the head, of frozen where it is the only method [default: from the "
        "data's size]",
        range=_COUNT, need=_DESCENDED,
    )  # fmt: skip
    minutes: float | None = option(
        None, "that a training may take, of each method: as many epochs as fit [default: all]",
        range=_ABOVE_0, need=_WHOLE,
    )  # fmt: skip
    learning_rate: float | None = option(
        None, "the highest of the schedule [default: from the data's size]", range=_ABOVE_0, need=_DESCENDED
    )
    batch_size: int | None = option(
        None, "pictures a step of a whole network; fewer take less memory [default: from the data's size]",
        range=_COUNT, need=_WHOLE,
    )  # fmt: skip
    hidden: tuple[int, ...] = option(
        (256,), "units of the mlp's hidden layers, such as 256,128", NETWORK, range=_UNITS, need=_MLP
    )
    dropout: float = option(
        0.3, "share of units left out in training of the mlp, 0 to below 1", NETWORK, range=_SHARE, need=_MLP
    )
    activation: str = option("relu", "of the mlp: relu, tanh, sigmoid, ...", NETWORK, names=ACTIVATIONS, need=_MLP)
    label_smoothing: float | None = option(
        None, "share of each target spread over all classes, 0 to below 1 [default: by method]",
        range=_SHARE, need=_SMOOTH,
    )  # fmt: skip
    head_c: float | None = option(
        None, "inverse strength C of the penalty of a linear or svm head [default: of linear by cross-validation]",
        range=_ABOVE_0, need=_PENALISED,
    )  # fmt: skip
    class_weights: str | None = option(
        None, "balanced: rare classes weigh as much as frequent ones", names=("balanced",)
    )
    sampling: str | None = option(
        None, "balanced: training draws each class as often as any other", names=("balanced",), need=_WHOLE
    )
    focal: float | None = option(
        None, "exponent of the focal loss, in which pictures that are sure count less, such as 2",
        range=_ABOVE_0, need=_FOCUSED,
    )  # fmt: skip
    logit_adjustment: float | None = option(
        None, "take so many times the logarithm of its share off each class's logit; 1: as if all were as frequent",
        range=_ABOVE_0, need=_ADJUSTED,
    )  # fmt: skip
    optimise: str | None = option(
        None, "accuracy, balanced (accuracy) or f1 (macro): add to each class's logit what serves it best on "
        "pictures that were held out",
        names=OPTIMISED,
    )  # fmt: skip
    augment: str = option(
        "light", "random changes of training pictures: none, light (crops), standard (turns and colours too), strong "
        "(TrivialAugment and erasing)",
        names=AUGMENTS, need=_WHOLE,
    )  # fmt: skip
    mix: str | None = option(None, "mix training pictures in pairs: mixup or cutmix", names=MIXES, need=_SCRATCH)
    flip: bool = option(True, "mirror training pictures at random", need=_FLIPPED)
    share: float | None = option(
        None, "of the backbone's layers that fine-tuning changes, from the top, above 0 to 1 [default: 0.75]",
        range=_PART, need=_TUNED,
    )  # fmt: skip
    train_batch_norm: bool = option(False, "let fine-tuning change BatchNormalization as well", need=_TUNED)
    refit: bool = option(
        True, "train a frozen linear or svm head once more at the end, on training and validation pictures", None
    )

    def __post_init__(self) -> None:
        if isinstance(self.hidden, Sequence) and not isinstance(self.hidden, str):
            object.__setattr__(self, "hidden", tuple(self.hidden))
        for each in fields(self):
            check_value(each, getattr(self, each.name))
        if self.head == "mlp" and not self.hidden:
            raise OptionError("a head mlp without hidden layers; expected units of one or more, or the head linear")
        balancing = {name: value for name in _BALANCING if (value := getattr(self, name)) is not None}
        if len(balancing) > 1:
            given = " and ".join(f"`{name}={value}`" for name, value in balancing.items())
            raise OptionError(f"{given}: each makes rare classes as likely as frequent ones; give one of them")

    def beside_network(self) -> TrainingOptions:
        """The same for a network that is loaded already, without what it was loaded with."""
        return replace(self, weights=None, features=None, image_size=None, layers=None)

    def written(self) -> dict:
        """The options by name, as JSON holds them; those of the network are written down as what they stood for."""
        return {name: value for name, value in asdict(self).items() if name not in _STAND_FOR} | {
            "hidden": list(self.hidden)
        }


def options_from(options: TrainingOptions | None, given: Mapping[str, object]) -> TrainingOptions:
    """A record with some fields changed.

    Args:
        options: the record, or `None` for the defaults.
        given: values by the names of fields.

    Raises:
        UnknownNameError: no such field.
        OptionError: a value that cannot be used.
    """
    known = [each.name for each in fields(TrainingOptions)]
    for name in given:
        if name not in known:
            raise unknown_name("option", name, known)
    if not isinstance(options, TrainingOptions | None):
        raise OptionError(f"options of {options!r}; expected TrainingOptions(...), or each by its name")
    return replace(options or TrainingOptions(), **given)


def options_of_method(options: TrainingOptions, method: str, methods: Sequence[str]) -> TrainingOptions:
    """What one of several methods takes of the options of all.

    Epochs and rate are of those that train a whole network, where one does: an mlp or svm on frozen features keeps a
    schedule of its own beside them.
    """
    beside = method == "frozen" and set(methods) != {"frozen"}
    return replace(options, epochs=None, learning_rate=None) if beside else options


def options_of_run(written: Mapping[str, object]) -> TrainingOptions:
    """The options that a run folder holds among others; what it does not name has its default."""
    known = [each.name for each in fields(TrainingOptions) if each.name not in _STAND_FOR]
    return TrainingOptions(**{name: written[name] for name in known if name in written})


def idle_without(options: TrainingOptions, methods: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    """Which of some options have no effect: what they need, in words, and their names."""
    idle: dict[str, list[str]] = {}
    for each in fields(options):
        need = rule_of(each).need
        if each.name in names and need and not need.is_there(options, methods):
            idle.setdefault(need.words, []).append(each.name)
    return idle


TrainingOptions.__doc__ += "\n    Attributes:\n" + "\n".join(
    f"        {each.name}: {rule_of(each).help}." for each in fields(TrainingOptions)
)
