"""Which options were typed, whether all of them have an effect, and whether they can be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from transfer import quiet, settings
from transfer.errors import OptionError
from transfer.method_names import METHODS, check_methods


def typed_options(context: typer.Context) -> dict[str, str]:
    """The options on the command line, as they are written, by the names of their parameters."""
    typed = [p for p in context.command.params if context.get_parameter_source(p.name).name == "COMMANDLINE"]
    return {p.name: max(p.secondary_opts if context.params[p.name] is False else p.opts, key=len) for p in typed}


def names_in(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _methods(values: dict) -> list[str]:
    return names_in(values["methods"]) if "methods" in values else [values["method"]]


# Options, what they have no effect without, and whether that is there: from the values of all options of the command
# and the names of those that were typed.
NEEDS: tuple[tuple[tuple[str, ...], str, Callable[[dict, dict], bool]], ...] = (
    (("hidden", "dropout", "activation"), "--head mlp", lambda values, typed: values["head"] == "mlp"),
    (("label_smoothing",), "--head linear or mlp", lambda values, typed: values["head"] != "svm"),
    (("share", "train_batch_norm"), "the method finetune", lambda values, typed: "finetune" in _methods(values)),
    (
        ("flip", "batch_size"), "the method finetune or scratch",
        lambda values, typed: set(_methods(values)) != {"frozen"},
    ),
    (
        ("backbone", "weights"), "the method frozen or finetune",
        lambda values, typed: "methods" not in values or {"frozen", "finetune"} & set(_methods(values)),
    ),
    (("layers",), "the method scratch", lambda values, typed: "scratch" in _methods(values)),
    (
        ("weights",), "--backbone, since the method is scratch",
        lambda values, typed: "methods" in values or values["method"] != "scratch" or "backbone" in typed,
    ),
    (
        ("learning_curve",), f"a method that has one ({', '.join(METHODS)})",
        lambda values, typed: set(_methods(values)) != {"dense"},
    ),
    (("overwrite",), "--out", lambda values, typed: values.get("out_folder", True)),
    (("sizes", "draws"), "--learning-curve", lambda values, typed: values["learning_curve"]),
    (("repeats",), "--folds", lambda values, typed: values["folds"] is not None),
    (("seed",), "--labels", lambda values, typed: values.get("labels", True)),
    (("move_suspects",), "--labels", lambda values, typed: values["labels"]),
    (("given_below", "suggested_above"), "--move-suspects", lambda values, typed: values["move_suspects"]),
)  # fmt: skip


def refuse_idle_options(context: typer.Context) -> None:
    """End with a sentence if an option would be ignored."""
    typed = typed_options(context)
    for names, needed, is_there in NEEDS:
        idle = [typed[name] for name in names if name in typed]
        if idle and not is_there(context.params, typed):
            raise OptionError(f"{', '.join(idle)} without {needed}; give that too, or leave {idle[0]} away")
    if "backbones" not in context.params and {"layers", "backbone"} <= set(typed):
        raise OptionError("--layers with --backbone; the one or the other says what is trained from scratch")


def refuse_beside(context: typer.Context, option: str, allowed: tuple[str, ...], advice: str) -> None:
    """End with a sentence if an option leaves others without effect, all but those that are allowed beside it."""
    others = [written for name, written in typed_options(context).items() if name not in allowed]
    if others:
        raise OptionError(f"{option} with {', '.join(others)}; {advice}")


def refuse_unusable(methods: Sequence[str], known: Sequence[str], options: dict) -> None:
    """End with a sentence, before DATA is looked at, if a method or a number cannot be used."""
    from transfer.learning.option_checks import check_options

    check_methods(methods, known)
    check_options(**options)


def refuse_unbuildable(images, options: dict) -> None:
    """End with a sentence, before anything takes hours, if the head or the layers cannot be built."""
    quiet.import_tensorflow()
    from transfer.networks.heads import check_head
    from transfer.networks.scratch import convnet

    check_head(*(options[name] for name in ("head", "hidden", "dropout", "activation")))
    if options["layers"] is not None:
        convnet(options["image_size"] or settings.image_size(images.typical_side(), 224, 32), options["layers"])
