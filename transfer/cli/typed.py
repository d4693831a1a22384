"""Which options were typed, and whether all of them have an effect."""

from __future__ import annotations

from collections.abc import Callable

import typer

from transfer.errors import OptionError


def typed_options(context: typer.Context) -> dict[str, str]:
    """The options on the command line, as they are written, by the names of their parameters."""
    return {
        parameter.name: max(parameter.opts, key=len)
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name).name == "COMMANDLINE"
    }


def _methods(values: dict) -> list[str]:
    return [name.strip() for name in values["methods"].split(",")] if "methods" in values else [values["method"]]


# Options, what they have no effect without, and whether that is there: from the values of all options of the command
# and the names of those that were typed.
NEEDS: tuple[tuple[tuple[str, ...], str, Callable[[dict, dict], bool]], ...] = (
    (("hidden", "dropout", "activation"), "--head mlp", lambda values, typed: values["head"] == "mlp"),
    (("label_smoothing",), "--head linear or mlp", lambda values, typed: values["head"] != "svm"),
    (("share", "train_batch_norm"), "the method finetune", lambda values, typed: "finetune" in _methods(values)),
    (("layers",), "the method scratch", lambda values, typed: "scratch" in _methods(values)),
    (
        ("weights",), "--backbone, since the method is scratch",
        lambda values, typed: "methods" in values or values["method"] != "scratch" or "backbone" in typed,
    ),
    (("sizes", "draws"), "--learning-curve", lambda values, typed: values["learning_curve"]),
    (("repeats",), "--folds", lambda values, typed: values["folds"] is not None),
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
