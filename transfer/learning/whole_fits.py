"""A whole network brought to its pictures: in the memory and time there are, and on from where it was broken off."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from transfer import settings
from transfer.checks.mirrored import mirrored_note
from transfer.data.augmentation import change_of
from transfer.data.splits import digest_in_order
from transfer.errors import OptionError
from transfer.learning import paces, training
from transfer.learning.batches import Batches, Drawing, TrainingBatches
from transfer.learning.checkpoints import Checkpoint, checkpoint, not_needed, others, place_of
from transfer.learning.histories import History, stops
from transfer.learning.kept_maps import KeptMaps, MapBatches, TrainingMapBatches
from transfer.learning.losses import loss_of
from transfer.learning.mixing import MIXES
from transfer.learning.tasks import Task
from transfer.libraries import versions
from transfer.networks.fingerprints import fingerprint
from transfer.networks.needed_memory import ADVICE, fitting_batch
from transfer.progress import console
from transfer.settings import Schedule

OTHER = ("other pictures", "another split", "another network")  # known by digests that say nothing


def fit_whole(
    model: keras.Model,
    network: keras.Model,
    task: Task,
    schedule: Schedule,
    phase: str,
    seen_after: int,
    maps: KeptMaps | None = None,
) -> History:
    """Fit what is trainable of a network on augmented pictures.

    A batch that is too large for the memory is halved, and a schedule that takes more than the task's `minutes` is
    shortened: notes say so, and the task's options become those that do the same again.

    Args:
        model: `network` with its head, or its upper half with it.
        network: as the fit finds it, by which one that was broken off is known again.
        task: the pictures, and what was asked for.
        schedule: of `settings`.
        phase: its name.
        seen_after: pictures that the network will answer to behind the fit, each counted as often as that.
        maps: of its lower half, which `model` is then given in place of pictures.

    Returns:
        One row an epoch; none where no epoch fits into `minutes`, or SIGTERM has come before.

    Raises:
        OptionError: a single picture is too large for the memory.
        TrainingError, DataError: see `training.fit_network`.
    """
    schedule, split = task.schedule(schedule), task.split
    asked = _asked(network, task, schedule, phase, maps)
    place = place_of(asked)
    with task.clock(phase), checkpoint(place, asked, task.images.data) as kept:
        task.pictures.load(np.concatenate(list(split.parts().values())))
        if kept.state:
            task.cached.append(phase)
            task.notes.append(f"{phase} went on behind epoch {len(kept.state.rows)}, where it had been broken off")
            schedule = _with_batch(task, schedule, kept.state.schedule.batch_size)
            schedule = _with_epochs(task, schedule, kept.state.schedule.epochs)
        else:
            _tell_of_others(phase, others(asked, task.images.data))
            batch_size = fitting_batch(model, schedule.batch_size, len(split.train), task.pictures.size)
            schedule = _with_batch(task, schedule, batch_size)
        history = _fit(model, task, schedule, phase, kept, seen_after, maps)
    task.stops += (stopped := stops(history))
    if history and not stopped:
        not_needed(place)
    return history


def _fit(
    model: keras.Model,
    task: Task,
    schedule: Schedule,
    phase: str,
    kept: Checkpoint,
    seen_after: int,
    maps: KeptMaps | None,
) -> History:
    """Fit with the largest batch that the memory has room for, halved as often as needed."""
    split, o, drawing = task.split, task.options, drawing_of(task, schedule, phase)
    loss, targets = loss_of(o, schedule.label_smoothing), task.targets(split.train)
    plain, shuffled = (MapBatches, TrainingMapBatches) if maps else (Batches, TrainingBatches)
    if maps:
        maps.choose(np.concatenate([split.train, split.validation]), drawing.change)
    source = maps or task.pictures
    validation = plain(source, split.validation, *task.targets(split.validation, as_drawn=True))
    while True:
        batches = shuffled(source, split.train, *targets, schedule.batch_size, o.seed, drawing)
        try:
            if task.options.minutes is not None and kept.state is None:
                pace = paces.measured_pace(model, batches, schedule, loss)
                epochs = _epochs_in_time(task, schedule, pace, phase, seen_after, maps)
                if not epochs:
                    return []
                schedule = _with_epochs(task, schedule, epochs)
            history = training.fit_network(model, batches, validation, schedule, loss, phase, kept)
        except tf.errors.ResourceExhaustedError:
            if schedule.batch_size == 1:
                raise OptionError(
                    f"a picture of {task.pictures.size} px is too much for the memory; {ADVICE}"
                ) from None
            schedule, kept = _with_batch(task, schedule, schedule.batch_size // 2), kept._replace(state=None)
        else:
            if lost := batches.lost | validation.lost:
                # They stay in their part: some epochs may have seen them.
                task.notes.append(f"{task.pictures.unreadable(lost).note} from then on")
            return history


def drawing_of(task: Task, schedule: Schedule, phase: str) -> Drawing:
    """How training pictures are drawn and changed in a phase; `task.notes` are told where they cannot be mirrored."""
    o = task.options
    mirrored = mirrored_note(task.pictures, task.split.train) if o.flip and o.augment != "none" else ""
    task.notes += [f"{mirrored}: no random flips"] if mirrored else []
    change = change_of(o.augment, schedule.smallest_crop, flip=o.flip and not mirrored)
    return Drawing(change, MIXES.get(o.mix) if phase == "scratch" else None, balanced=o.sampling is not None)


def _asked(network: keras.Model, task: Task, schedule: Schedule, phase: str, maps: KeptMaps | None) -> dict:
    """All that the weights follow from, by name."""
    images = task.images
    rows = [f"{digest} {images.class_names[label]}" for digest, label in zip(images.digests, images.labels)]
    return {
        "phase": phase,
        OTHER[0]: digest_in_order(rows),
        OTHER[1]: task.split.digest(images.digests),
        OTHER[2]: fingerprint(network),
        "crops": maps.views if maps else None,  # with another memory there may be room for maps, or none any more
        **task.options.written(),
        "learning_rate": schedule.learning_rate,  # which may hang on the name of the network
        **versions(),
    }


def _tell_of_others(phase: str, differing: dict[str, object]) -> None:
    """Say that what was broken off before cannot go on here, and why."""
    if differing:
        words = [name if name in OTHER else f"{name} {value}" for name, value in differing.items()]
        words = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
        said = f"note: a {phase} of this DATA was broken off with {words}; that waits for the same again"
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _with_batch(task: Task, schedule: Schedule, size: int) -> Schedule:
    """A schedule with a smaller batch, which is then asked for and noted."""
    before = schedule.batch_size
    if size == before:
        return schedule
    task.options = replace(task.options, batch_size=size)
    task.notes.append(f"{before} pictures at once are too many for the memory: a step takes {size}")
    return replace(schedule, batch_size=size, steps=settings.steps(len(task.split.train), size))


def _with_epochs(task: Task, schedule: Schedule, epochs: int) -> Schedule:
    """A schedule with the epochs that time allows, which are then asked for instead of the time."""
    if task.options.minutes is not None:
        task.options = replace(task.options, minutes=None, epochs=epochs)
    return replace(schedule, epochs=epochs)


def _epochs_in_time(
    task: Task, schedule: Schedule, pace: paces.Pace, phase: str, seen_after: int, maps: KeptMaps | None
) -> int:
    """How many epochs end early enough for what comes behind them; noted where not all do."""
    minutes, spent, split = task.options.minutes, task.clock.seconds(), task.split
    below, judged = maps.pace if maps else 0.0, len(split.validation)
    costs = np.full(schedule.epochs, schedule.steps * pace.step + judged * pace.picture)
    costs[:1] += judged * below  # the maps of plain pictures
    costs[1 : maps.views if maps else 1] += len(split.train) * below  # the first view is there
    # What heads cost before they cost again on features of other weights.
    left = 60 * minutes - spent["total"] - spent.get("head", 0.0) - seen_after * (pace.picture + below)
    epochs = paces.epochs_within(left, costs.tolist())
    if epochs < len(costs):
        task.notes.append(
            f"{minutes:g} minutes are enough for {epochs} of {len(costs)} epochs of {phase}, each of "
            f"{costs.mean():.3g} seconds"
        )
    return epochs
