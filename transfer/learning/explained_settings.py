"""What a training would be made with, and why: the settings for DATA, without training anything."""

from __future__ import annotations

from typing import NamedTuple

import keras

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.learning.fine_tuning import maps_to_keep
from transfer.learning.methods import begin
from transfer.learning.options import TrainingOptions, options_from
from transfer.learning.tasks import Task
from transfer.networks.copies import copy_network
from transfer.setting_reasons import reason_for

SCHEDULED = (
    "batch_size", "epochs", "learning_rate", "patience", "label_smoothing", "weight_decay", "smallest_crop",
    "lowest_rate",
)  # fmt: skip


class Setting(NamedTuple):
    """A setting of a training.

    Attributes:
        name: of the option, or of the field of `settings.Schedule`.
        value: a word or number; `None` for what is chosen when the head is trained.
        asked: whether it was asked for, and not chosen.
        rule, source, measured: see `setting_reasons.Reason`; empty where it was asked for.
    """

    name: str
    value: object
    asked: bool
    rule: str
    source: str
    measured: str


def explain_settings(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None = None,
    method: str = "frozen",
    options: TrainingOptions | None = None,
    **changed,
) -> list[Setting]:
    """The settings that `train` would take for the same arguments.

    The seconds of a step are not known without training: `minutes` shortens nothing here.
    """
    options = options_from(options, changed)
    network, task, names = begin(images, split, backbone, method, options)
    number, o = len(split.train), options
    values = {"backbone": names["backbone"], "image_size": network.input_shape[1]}
    asked = {name for name in ("image_size", "features", "layers") if getattr(o, name) is not None}
    asked |= {"backbone"} if backbone not in (None, "auto") else set()
    values |= {name: names[name] for name in ("features", "layers") if name in names}
    values["head"] = o.head
    asked |= {"head"} if o.head != TrainingOptions.head else set()
    if method != "scratch" and o.head == "linear":
        values["head_c"], asked = o.head_c, asked | ({"head_c"} if o.head_c else set())
    if method == "finetune":
        values["share"] = o.share or settings.FINETUNE_SHARE
        values |= {"crops": _crops(network, task)} if o.augment != "none" else {}
    if method != "frozen":
        schedule = task.schedule(
            settings.finetune_schedule(number, o.batch_size, task.pretrained)
            if method == "finetune"
            else settings.scratch_schedule(number, o.batch_size)
        )
        values |= {name: value for name in SCHEDULED if (value := getattr(schedule, name)) is not None}
        values["warmup_steps"] = settings.warmup_steps(schedule)
        if o.label_smoothing is not None:
            values["label_smoothing"] = o.label_smoothing
    given = ("share", "batch_size", "epochs", "learning_rate", "label_smoothing")
    asked |= {name for name in given if getattr(o, name) is not None}
    nothing = ("", "", "")
    return [
        Setting(name, value, name in asked, *(nothing if name in asked else reason_for(name, method)))
        for name, value in values.items()
    ]


def _crops(network: keras.Model, task: Task) -> int | str:
    """How many there are of each picture; a copy is asked, for what is trainable of it is set."""
    maps = maps_to_keep(copy_network(network), task)
    return maps.views if maps else "new in each epoch"
