"""Which options were typed, whether all of them have an effect, and whether they can be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from transfer import quiet, settings
from transfer.errors import OptionError
from transfer.learning.options import TrainingOptions, idle_without
from transfer.names import METHODS


def typed_options(context: typer.Context) -> dict[str, str]:
    """The options on the command line, as they are written, by the names of their parameters."""
    typed = [p for p in context.command.params if context.get_parameter_source(p.name).name == "COMMANDLINE"]
    return {p.name: max(p.secondary_opts if context.params[p.name] is False else p.opts, key=len) for p in typed}


def names_in(text: str) -> list[str]:
    """Names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


# Options of commands, what they have no effect without, and whether that is there: from the values of all options of
# the command and the names of those that were typed. Those of a training have theirs in `learning.options`.
NEEDS: tuple[tuple[tuple[str, ...], str, Callable[[dict, dict], bool]], ...] = (
    (
        ("backbone", "weights"), "the method frozen or finetune",
        lambda values, typed: "methods" not in values or {"frozen", "finetune"} & set(names_in(values["methods"])),
    ),
    (
        ("weights",), "--backbone, since the method is scratch",
        lambda values, typed: "methods" in values or values["method"] != "scratch" or "backbone" in typed,
    ),
    (
        ("learning_curve",), f"a method that has one ({', '.join(METHODS)})",
        lambda values, typed: set(names_in(values["methods"])) != {"dense"},
    ),
    (("overwrite",), "--out", lambda values, typed: values.get("out_folder", True)),
    (("sizes", "draws"), "--learning-curve", lambda values, typed: values.get("learning_curve", True)),
    (("repeats",), "--folds", lambda values, typed: values["folds"] is not None),
    (("seed",), "--labels", lambda values, typed: values.get("labels", True)),
    (
        ("engine",), "--labels or --near features",
        lambda values, typed: "labels" not in values or values["labels"] or values["near"] == "features",
    ),
    (("move_suspects",), "--labels", lambda values, typed: values["labels"]),
    (("given_below", "suggested_above"), "--move-suspects", lambda values, typed: values["move_suspects"]),
)  # fmt: skip


def refuse_idle_options(
    context: typer.Context, training: TrainingOptions | None = None, methods: Sequence[str] = ()
) -> None:
    """End with a sentence if an option would be ignored.

    Args:
        context: of the command.
        training, methods: where it trains.
    """
    typed = typed_options(context)
    idle = idle_without(training, methods, list(typed)) if training else {}
    for names, needed, is_there in NEEDS:
        given = [name for name in names if name in typed]
        if given and not is_there(context.params, typed):
            idle.setdefault(needed, given)
    for needed, names in idle.items():
        first, *others = (typed[name] for name in names)
        raise OptionError(f"{', '.join([first, *others])} without {needed}; give that too, or leave {first} away")
    if "backbones" not in context.params and {"layers", "backbone"} <= set(typed):
        raise OptionError("--layers with --backbone; the one or the other says what is trained from scratch")


def refuse_beside(context: typer.Context, option: str, allowed: tuple[str, ...], advice: str) -> None:
    """End with a sentence if an option leaves others without effect, all but those that are allowed beside it."""
    others = [written for name, written in typed_options(context).items() if name not in allowed]
    if others:
        raise OptionError(f"{option} with {', '.join(others)}; {advice}")


def refuse_unbuildable(images, training: TrainingOptions) -> None:
    """End with a sentence, before anything takes hours, if the layers cannot be built."""
    quiet.import_tensorflow()
    from transfer.networks.scratch import convnet

    if training.layers is not None:
        convnet(training.image_size or settings.image_size(images.typical_side(), 224, 32), training.layers)
