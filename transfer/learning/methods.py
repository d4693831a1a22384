"""What frozen, fine-tuned and from scratch mean: pictures and a split in, a `Result` out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import keras
import numpy as np

from transfer import settings
from transfer.checks.mirrored import mirrored_note
from transfer.data.augmentation import random_crop
from transfer.data.folders import LabelledImages, check_split
from transfer.data.pipeline import Pictures
from transfer.data.splits import Split
from transfer.engine_packages import require_engine
from transfer.errors import OptionError, UnreadablePictures
from transfer.learning import training
from transfer.learning.backbone_argument import resolve_backbone
from transfer.learning.batches import Batches, TrainingBatches
from transfer.learning.candidates import best_between
from transfer.learning.feature_heads import final_logits, head_on_features
from transfer.learning.judging import judge
from transfer.learning.options import TrainingOptions, options_from
from transfer.learning.results import Result
from transfer.learning.tasks import Task
from transfer.names import AUTO, check_methods
from transfer.networks import freezing, heads
from transfer.networks.copies import copy_network, frozen
from transfer.networks.features import forward
from transfer.networks.needed_memory import require_training
from transfer.networks.views import two_views
from transfer.stopping import begin_nothing_more

Trained = tuple[keras.Model, dict[str, np.ndarray], list[dict]]  # network, logits by part, history


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
    check_methods([method])
    options = options_from(options, changed)
    require_engine(options.engine)
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
    task = Task(images, split, pictures, options)
    names = dict(labels or names)
    if why := names.pop("chosen", None):
        task.notes.append(why)
    while True:
        # The head starts the same, whether the network was built here or given, and whatever was left out.
        keras.utils.set_random_seed(options.seed)
        try:
            model, logits, history = _METHODS[method](network, task)
        except UnreadablePictures as error:
            # Every method decodes all pictures before it fits, and keeps what the others gave.
            task.leave_out(error)
        else:
            written = {"method": method, **names, **task.options.written()}
            return judge(model, task, logits, history, written)


def _frozen(network: keras.Model, task: Task) -> Trained:
    network = frozen(network)
    trained = head_on_features(network, task, alone=True)
    logits = final_logits(task, trained)
    return heads.join(network, trained.head), logits, trained.history


def _finetune(network: keras.Model, task: Task) -> Trained:
    network = copy_network(network)
    freezing.freeze(network)
    start, before = head_on_features(network, task, alone=False), network.get_weights()
    o = task.options
    per_class = len(task.split.train) / len(task.one_hot)
    freezing.unfreeze(network, o.share or settings.finetune_share(per_class), o.train_batch_norm)
    schedule = settings.finetune_schedule(len(task.split.train), o.batch_size)
    model = heads.join(network, copy_network(start.head))
    history = _fit_whole(model, task, schedule, "finetune")
    with task.clock("candidates"):
        best = best_between(network, before, start, task)
    logits = final_logits(task, best)
    model = heads.join(network, best.head)
    return model, logits, start.history + history


def _scratch(network: keras.Model, task: Task) -> Trained:
    network = copy_network(network)
    if task.options.head == AUTO:
        task.take_head("linear")
    freezing.unfreeze(network, 1.0, batch_norm=True)
    model = heads.join(network, task.head(network))
    schedule = settings.scratch_schedule(len(task.split.train), task.options.batch_size)
    history = _fit_whole(model, task, schedule, "scratch")
    with task.clock("evaluate"):
        return model, _logits_of_parts(model, task), history


_METHODS = {"frozen": _frozen, "finetune": _finetune, "scratch": _scratch}


def _fit_whole(model: keras.Model, task: Task, schedule: settings.Schedule, phase: str) -> training.History:
    o, split = task.options, task.split
    schedule = task.schedule(schedule)
    require_training(model, min(schedule.batch_size, len(split.train)))
    with task.clock(phase):
        task.pictures.load(np.concatenate(list(split.parts().values())))
        mirrored = mirrored_note(task.pictures, split.train) if o.flip else ""
        task.notes += [f"{mirrored}: no random flips"] if mirrored else []
        change = partial(random_crop, smallest=schedule.smallest_crop, flip=o.flip and not mirrored)
        batches = TrainingBatches(
            task.pictures, split.train, *task.targets(split.train), schedule.batch_size, o.seed, change
        )
        validation = Batches(task.pictures, split.validation, *task.targets(split.validation))
        loss = task.loss(schedule.label_smoothing)
        history = training.fit_network(model, batches, validation, schedule, loss, phase)
    if lost := batches.lost | validation.lost:
        # They stay in their part: some epochs may have seen them.
        task.notes.append(f"{task.pictures.unreadable(lost).note} from then on")
    return history


def _logits_of_parts(model: keras.Model, task: Task) -> dict[str, np.ndarray]:
    nothing = np.zeros((0, len(task.one_hot)), np.float32)
    while True:
        batches = {part: task.pictures.batches(getattr(task.split, part)) for part in ("validation", "test")}
        try:
            return {part: np.concatenate([nothing, *forward(model, batches[part])]) for part in batches}
        except UnreadablePictures as error:  # where they are not kept; nothing is trained again for them
            task.leave_out(error)
