"""Fitting: the only place with `compile` but for pretraining, and with `fit` but for steps that are thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from transfer.errors import TrainingError
from transfer.learning.batches import Batches, TrainingBatches, stream, without_autotune
from transfer.learning.checkpoints import Checkpoint
from transfer.learning.fit_states import FitState
from transfer.learning.histories import FAR, TOO_FAR, History, stopped_by_hand
from transfer.learning.optimizers import adamw, cosine
from transfer.learning.watching import UNPENALISED, Best, Course, Watch
from transfer.networks.heads import Loss
from transfer.networks.quick_layers import quick_copy
from transfer.progress import bar
from transfer.settings import Schedule
from transfer.statistics.standardising import mean_and_variance
from transfer.stopping import is_stopping

Targets = tuple[np.ndarray, ...]
# What a rate that blew up is multiplied by, and the least share of the first one that is tried.
LOWERED, LEAST_RATE = 0.1, 1e-5


def fit_head(
    head: keras.Model, rows: Targets, validation: Targets, schedule: Schedule, loss: Loss, seed: int = 0
) -> History:
    """Train a head on kept features by Adam; its first layer is set to standardise them.

    A head that was trained before goes on from there, and is not compiled anew.

    Args:
        head: from `heads.head`.
        rows: features `(N, D)` float32, one-hot targets `(N, C)` and weights `(N,)`.
        validation: the same of the validation pictures, of which there may be none.

    Returns:
        One row an epoch; the last has `stopped_by_hand` where Ctrl-C ended it, see `histories.stops`.
    """
    if head.compiled:
        head.optimizer.iterations.assign(0)  # the learning rate starts over
    else:
        # A step takes less time than the call that starts it: one call an epoch.
        _compile(head, keras.optimizers.Adam(cosine(schedule)), loss, schedule.steps)
    head.get_layer("standardise").set_weights(mean_and_variance(rows[0]))
    arrays = [tf.constant(array) for array in rows]
    # Indices are shuffled, since rows one by one cost more than the steps themselves; repeated, so that an
    # epoch has the same few steps however few pictures there are.
    number = len(rows[0])
    indices = tf.data.Dataset.range(number).shuffle(number, seed=seed).repeat()
    batches = indices.batch(schedule.batch_size).map(lambda chosen: tuple(tf.gather(a, chosen) for a in arrays))
    known = tf.data.Dataset.from_tensors(validation) if len(validation) and len(validation[0]) else None
    return _fit(head, batches.prefetch(2), known, schedule, "head")


def fit_network(
    model: keras.Model,
    batches: TrainingBatches,
    validation: Batches,
    schedule: Schedule,
    loss: Loss,
    phase: str,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Train what is trainable of a whole network on augmented pictures; after SIGTERM it stays as it is.

    Where the loss becomes no number, or is far from that of equal probabilities, the fit goes on from the epoch before
    at a lower learning rate, see `histories.lowered`.

    Args:
        model: gets the new weights at the end.
        batches, validation, schedule, loss: of the fit.
        phase: its name.
        checkpoint: what was reached before, by a schedule that is written there, and how it is kept.

    Raises:
        DataError: too many of the pictures are gone; what both `Batches` have lost is told by them.
        TrainingError: the loss is no number at lower rates either, or weights were none from the start.
    """
    if is_stopping():
        return []
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise TrainingError(f"{model.name} has weights that are no finite numbers; give those of its training")
    state, keep = checkpoint or Checkpoint()
    known = stream(validation) if len(validation) else None
    asked, equal = schedule.learning_rate, float(np.log(batches.targets.shape[1]))
    while True:
        schedule = state.schedule if state else schedule
        may_lower = schedule.learning_rate > asked * LEAST_RATE
        is_lowered = schedule.learning_rate < asked
        far = equal * (TOO_FAR if is_lowered else FAR) if may_lower else np.inf
        course = Course(state, keep, far, is_lowered)
        quick = to_be_fitted(model, schedule, loss)
        data = stream(batches, range(len(state.rows) if state else 0, schedule.epochs))
        try:
            with own_errors(batches, validation):
                history = _fit(quick, data, known, schedule, phase, course)
        except _BlownUp as error:
            if not may_lower:
                raise
            schedule = replace(schedule, learning_rate=schedule.learning_rate * LOWERED)
            state = error.state and replace(error.state, schedule=schedule)
        else:
            model.set_weights(quick.get_weights())
            return history


@contextmanager
def own_errors(*streamed: Batches) -> Iterator[None]:
    """Raise what ended a stream of batches, of which TensorFlow makes an error of its own."""
    try:
        yield
    except tf.errors.OpError:
        if broken := next((batches.broken for batches in streamed if batches.broken), None):
            raise broken from None
        raise


def to_be_fitted(
    model: keras.Model,
    schedule: Schedule,
    loss: Loss,
    rate: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> keras.Model:
    """A compiled network that computes the same with the weights of this one, and leaves it as it is.

    Args:
        model: see `quick_layers.quick_copy`.
        schedule: of the optimizer.
        loss: of logits.
        rate: instead of that of the schedule.
    """
    quick = quick_copy(model)
    _compile(quick, adamw(quick, schedule, rate), loss)
    return quick


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: Loss, steps: int = 1) -> None:
    # What Keras calls the loss holds penalties of the weights too, which say nothing of how well pictures are told.
    unpenalised = keras.metrics.MeanMetricWrapper(loss, name=UNPENALISED)
    # All variables are made before the graph of a step is: one that makes some is traced twice.
    measured = [keras.metrics.CategoricalAccuracy(name="accuracy"), unpenalised]
    model.compile(optimizer, loss, weighted_metrics=measured, jit_compile=False, steps_per_execution=steps)
    optimizer.build(model.trainable_variables)


class _BlownUp(TrainingError):
    def __init__(self, message: str, state: FitState | None):
        super().__init__(message)
        self.state = state  # before that; `None` at the start


def _fit(
    model: keras.Model,
    data: tf.data.Dataset,
    validation: tf.data.Dataset | None,
    schedule: Schedule,
    phase: str,
    course: Course | None = None,
) -> History:
    begin = course.begin if course else None
    best = Best(schedule, validation is not None, begin)
    with bar(phase, schedule.epochs) as advance:
        watch = Watch(advance, best, schedule, course)
        if begin and begin.over:
            best.end_at_once(model)
            return [{"phase": phase, **row} for row in watch.rows]
        try:
            model.fit(
                without_autotune(data),
                epochs=schedule.epochs,
                initial_epoch=len(watch.rows),
                steps_per_epoch=schedule.steps,
                shuffle=False,
                validation_data=None if validation is None else without_autotune(validation),
                callbacks=[best, watch],
                verbose=0,
            )
        except KeyboardInterrupt:
            if not watch.rows:
                raise
            if best.best_weights is not None:
                model.set_weights(best.best_weights)
            if watch.state:
                course.keep(watch.state, True)
            stopped_by_hand(phase, watch.rows)
    if watch.broken:
        raise _BlownUp(
            f"the loss became {watch.broken} in epoch {len(watch.rows)} of {phase}, at a learning rate of "
            f"{schedule.learning_rate:g}; give a lower `learning_rate`, or look at the layers of a network of your own",
            watch.state,
        )
    return [{"phase": phase, **row} for row in watch.rows]
