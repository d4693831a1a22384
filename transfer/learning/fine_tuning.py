"""Fine-tuning: a head on a frozen network, then the layers below it, of which no more is kept than helps."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from transfer import settings
from transfer.data.splits import Split
from transfer.learning.feature_heads import FeatureHead, final_logits, head_on_features
from transfer.learning.held_out import held_out_folds
from transfer.learning.interpolation import (
    ALPHAS,
    BY_FOLDS,
    Judged,
    Tuned,
    best_alpha,
    best_between,
    judge_between,
    kept_note,
)
from transfer.learning.kept_maps import KeptMaps
from transfer.learning.options import TrainingOptions
from transfer.learning.results import Trained
from transfer.learning.tasks import Task
from transfer.learning.whole_fits import fit_whole
from transfer.networks import freezing, heads
from transfer.networks.copies import copy_network
from transfer.networks.engines import compiled
from transfer.networks.halves import halves


def fine_tune(network: keras.Model, task: Task) -> Trained:
    """Train a head, then the top of a copy of the network with it, and keep as much of that as helps."""
    network = copy_network(network)
    answer, maps, by_folds = compiled(network), maps_to_keep(network, task), None
    if _needs_folds(task):
        with task.clock("folds"):
            by_folds = _judged_by_folds(network, answer, maps, task)
    if by_folds and best_alpha(by_folds) == 0:  # nothing would be kept of a fine-tuning on all of the pictures
        freezing.freeze(network)
        start = head_on_features(network, task, alone=False)
        task.notes.append(kept_note(0.0, by_folds))
        return _left_frozen(network, task, start)
    tuned, history = _tune(network, answer, maps, task, "finetune")
    start = tuned.heads[0.0]
    if not history:  # there was no time for it
        return _left_frozen(network, task, start)
    with task.clock("candidates"):
        best = best_between(tuned, task, by_folds)
    logits = final_logits(task, best)
    return heads.join(network, best.head), logits, start.history + history


def _left_frozen(network: keras.Model, task: Task, start: FeatureHead) -> Trained:
    freezing.freeze(network)
    return heads.join(network, start.head), final_logits(task, start), start.history


def _needs_folds(task: Task) -> bool:
    """Whether the validation part is too small to say what to keep of fine-tuning, and there is time for folds."""
    return 0 < len(task.split.validation) < settings.LEAST_TO_JUDGE and task.options.minutes is None


def maps_to_keep(network: keras.Model, task: Task) -> KeptMaps | None:
    """A place for what the layers below those that are fine-tuned give; `None` where there are none, or no room."""
    _open(network, task.options)
    if not (divided := halves(network)):
        return None
    pool = np.concatenate([task.split.train, task.split.validation])
    shown = pool if _needs_folds(task) else task.split.train  # each fold trains on validation pictures too
    maps = KeptMaps(divided, task.pictures, shown, settings.FINETUNE_VIEWS, task.options.seed)
    return maps if maps.fits(len(pool)) else None


def _tune(
    network: keras.Model, answer: Callable, maps: KeptMaps | None, task: Task, phase: str
) -> tuple[Tuned, list[dict]]:
    model, start, schedule = finetune_start(network, task, maps and maps.upper)
    before = network.get_weights()
    seen_after = (len(ALPHAS) - 1) * (len(task.split.train) + len(task.split.validation)) + len(task.split.test)
    history = fit_whole(model, network, task, schedule, phase, seen_after, maps)
    return Tuned(network, answer, before, network.get_weights(), start.strength, {0.0: start}), history


def _judged_by_folds(network: keras.Model, answer: Callable, maps: KeptMaps | None, task: Task) -> Judged | None:
    """What each alpha costs, where few validation pictures could not tell: fine-tuned without each fold in turn.

    The network is left as it was.
    """
    pool = np.concatenate([task.split.train, task.split.validation])
    before, nothing = network.get_weights(), np.array([], int)
    told, found, went_on = 0, [], False
    for fold in held_out_folds(task, pool, settings.TUNING_FOLDS):
        part = Split(np.delete(pool, fold), pool[fold], nothing)
        each = Task(task.images, part, task.pictures, task.options, task.pretrained)
        phase = f"finetune, fold {len(found) + 1}"
        tuned, history = _tune(network, answer, maps, each, phase)
        task.stops += each.stops
        if not history:
            return None
        went_on |= phase in each.cached
        found.append(judge_between(tuned, each).losses)
        told += len(fold)
        network.set_weights(before)
    if not found:
        return None
    if went_on:
        task.cached.append("folds")
        task.notes.append("the folds of finetune went on where they had been broken off")
    losses = {alpha: np.concatenate([losses[alpha] for losses in found]) for alpha in ALPHAS}
    return Judged(losses, f"on {told:,} pictures that {len(found)} {BY_FOLDS}")


def finetune_start(
    network: keras.Model, task: Task, upper: keras.Model | None = None
) -> tuple[keras.Model, FeatureHead, settings.Schedule]:
    """What fine-tuning begins with, of a network that may be changed: (it with a head, the head, the schedule).

    Given its upper half, that gets the head.
    """
    freezing.freeze(network)
    start, o = head_on_features(network, task, alone=False), task.options
    _open(network, o)
    schedule = settings.finetune_schedule(len(task.split.train), o.batch_size, task.pretrained)
    return heads.join(upper or network, copy_network(start.head)), start, schedule


def _open(network: keras.Model, options: TrainingOptions) -> None:
    freezing.unfreeze(network, options.share or settings.FINETUNE_SHARE, options.train_batch_norm)
