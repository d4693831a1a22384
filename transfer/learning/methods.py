"""What frozen, fine-tuned and from scratch mean: pictures and a split in, a `Result` out."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np

from transfer import settings
from transfer.data.folders import LabelledImages
from transfer.data.image_splits import check_split
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.engine_packages import require_engine
from transfer.errors import OptionError, UnreadablePictures
from transfer.learning.backbone_argument import PRETRAINED, resolve_backbone
from transfer.learning.checkpoints import until_kept
from transfer.learning.feature_heads import final_logits, head_on_features, out_of_fold_logits
from transfer.learning.fine_tuning import fine_tune
from transfer.learning.judging import judge
from transfer.learning.options import TrainingOptions, options_from
from transfer.learning.results import Result, Trained
from transfer.learning.tasks import Task
from transfer.learning.whole_fits import fit_whole
from transfer.names import AUTO, check_methods
from transfer.networks import freezing, heads
from transfer.networks.copies import copy_network, frozen
from transfer.networks.features import forward
from transfer.networks.views import two_views
from transfer.stopping import begin_nothing_more, is_stopping


def train(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None = None,
    method: str = "frozen",
    options: TrainingOptions | None = None,
    *,
    pictures: Pictures | None = None,
    labels: dict | None = None,
    **changed,
) -> Result:
    """Train a network for the classes of a folder and evaluate it once on the test part.

    Args:
        images: from `load_images`.
        split: from `split`.
        backbone: pictures to features: a `keras.Model`, a name for `load_backbone`, or `None` or `auto`
            for one chosen from the data (with `method="scratch"`, `None` is a convnet chosen from its size).
        method: `frozen` trains a head on kept features; `finetune` does so and then trains the top
            of the backbone at a lower rate; `scratch` trains everything, starting from what the
            backbone holds.
        options: everything else, see `TrainingOptions`.
        pictures: decoded pictures to share with other calls.
        labels: `backbone` and `weights` (and `layers`) as they are to be written down, instead of what
            the arguments say.
        changed: fields of `TrainingOptions` by name, instead of those of `options`.

    Returns:
        The `Result`.

    Raises:
        TrainingError: the loss became no number.
        UnknownNameError, OptionError: a wrong name or value, or one that would be ignored.
        MissingExtraError, EngineError: see `choose_engine`.
        ModelFileError: the network takes no pictures of one size, or gives no features `(B, D)`.
        DataError: no training picture of a class can be decoded.
    """
    begin_nothing_more()
    network, task, names = begin(images, split, backbone, method, options_from(options, changed), pictures, labels)
    if why := names.pop("chosen", None):
        task.notes.append(why)
    while True:
        # The head starts the same, whether the network was built here or given, and whatever was left out.
        keras.utils.set_random_seed(task.options.seed)
        with until_kept():
            try:
                model, logits, history = _METHODS[method](network, task)
            except UnreadablePictures as error:
                # Every method decodes all pictures before it fits, and keeps what the others gave.
                task.leave_out(error)
                task.stops.clear()
            else:
                written = {"method": method, **names, **task.options.written()}
                return judge(model, task, logits, history, written)


def begin(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None,
    method: str,
    options: TrainingOptions,
    pictures: Pictures | None = None,
    labels: dict | None = None,
) -> tuple[keras.Model, Task, dict]:
    """What a training has before anything is trained; all of `train`.

    Returns:
        (pictures to features, the task, `backbone` and `weights` and others as they are written down).
    """
    require_engine(options.engine)
    check_methods([method])
    check_split(images, split)
    keras.utils.set_random_seed(options.seed)
    network, names = resolve_backbone(backbone, method, images, split, options)
    if network is not backbone:
        freezing.freeze(network)  # nobody else has it, so that nothing need be copied
    if options.views == 2 and method != "scratch":
        network = two_views(network)
    options = replace(options, image_size=network.input_shape[1])
    size, fit = options.image_size, options.fit
    pictures = pictures or Pictures(images, size, fit, keep=method != "frozen")
    if (pictures.size, pictures.fit) != (size, fit):
        raise OptionError(f"pictures decoded at {pictures.size} ({pictures.fit}); the network takes {size} ({fit})")
    names = dict(labels or names)
    pretrained = names["backbone"] if names["weights"] in PRETRAINED else ""
    return network, Task(images, split, pictures, options, pretrained), names


def _frozen(network: keras.Model, task: Task) -> Trained:
    network = frozen(network)
    trained = head_on_features(network, task, alone=True)
    logits = final_logits(task, trained) | out_of_fold_logits(task, trained)
    return heads.join(network, trained.head), logits, trained.history


def _scratch(network: keras.Model, task: Task) -> Trained:
    network = copy_network(network)
    model, schedule = scratch_start(network, task)
    minutes, seen_after = task.options.minutes, len(task.split.validation) + len(task.split.test)
    history = fit_whole(model, network, task, schedule, "scratch", seen_after)
    if minutes and not history and not is_stopping():
        raise OptionError(f"`minutes={minutes:g}` of scratch, of which an epoch takes longer; give more")
    with task.clock("evaluate"):
        return model, _logits_of_parts(model, task), history


def scratch_start(network: keras.Model, task: Task) -> tuple[keras.Model, settings.Schedule]:
    """What a training from scratch begins with, of a network that may be changed: (it with a head, the schedule)."""
    if task.options.head == AUTO:
        task.take_head("linear")
    freezing.unfreeze(network, 1.0, batch_norm=True)
    schedule = settings.scratch_schedule(len(task.split.train), task.options.batch_size)
    return heads.join(network, task.head(network)), schedule


_METHODS = {"frozen": _frozen, "finetune": fine_tune, "scratch": _scratch}


def _logits_of_parts(model: keras.Model, task: Task) -> dict[str, np.ndarray]:
    nothing = np.zeros((0, len(task.one_hot)), np.float32)
    while True:
        batches = {part: task.pictures.batches(getattr(task.split, part)) for part in ("validation", "test")}
        try:
            return {part: np.concatenate([nothing, *forward(model, batches[part])]) for part in batches}
        except UnreadablePictures as error:  # where they are not kept; nothing is trained again for them
            task.leave_out(error)
