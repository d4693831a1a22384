"""Fitting: the only place with `fit`, and with `compile` but for pretraining."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from transfer.errors import TrainingError
from transfer.learning.batches import Batches, TrainingBatches, stream, without_autotune
from transfer.learning.optimizers import adamw, cosine
from transfer.networks.heads import Loss
from transfer.networks.quick_layers import quick_copy
from transfer.progress import bar, console
from transfer.settings import Schedule
from transfer.statistics.standardising import mean_and_variance
from transfer.stopping import is_stopping

Targets = tuple[np.ndarray, ...]
History = list[dict[str, float | str]]
UNPENALISED = "unpenalised_loss"


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
        One row an epoch; the last has `stopped_by_hand` where Ctrl-C ended it, see `stops`.
    """
    if head.compiled:
        head.optimizer.iterations.assign(0)  # the learning rate starts over
    else:
        # A step takes less time than the call that starts it: one call an epoch.
        optimizer = keras.optimizers.Adam(cosine(schedule))
        head.compile(optimizer, loss, **_measured(loss), jit_compile=False, steps_per_execution=schedule.steps)
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
    model: keras.Model, batches: TrainingBatches, validation: Batches, schedule: Schedule, loss: Loss, phase: str
) -> History:
    """Train what is trainable of a whole network on augmented pictures; after SIGTERM it stays as it is.

    Raises:
        DataError: too many of the pictures are gone; what both `Batches` have lost is told by them.
        TrainingError: the loss is no number any more, or weights were none from the start.
    """
    if is_stopping():
        return []
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise TrainingError(f"{model.name} has weights that are no finite numbers; give those of its training")
    quick = quick_copy(model)
    quick.compile(adamw(quick, schedule), loss, **_measured(loss), jit_compile=False)
    known = stream(validation) if len(validation) else None
    try:
        history = _fit(quick, stream(batches, endless=True), known, schedule, phase)
    except tf.errors.OpError:
        if broken := batches.broken or validation.broken:
            raise broken from None
        raise
    model.set_weights(quick.get_weights())
    return history


def stopped_by_hand(phase: str, history: History) -> None:
    """Note in the last row of a history that Ctrl-C or SIGTERM ended it, and tell the user."""
    history[-1]["stopped_by_hand"] = 1.0
    who, then = ("SIGTERM", "") if is_stopping() else ("hand", "; press Ctrl-C again to give up")
    console.print(f"{phase} stopped by {who} after {len(history)} epochs: the best state so far is kept{then}")


def stops(history: History) -> list[str]:
    """One sentence for each phase of a history that was stopped by hand."""
    return [
        f"{row['phase']} was stopped by hand after {row['epoch']} epochs" for row in history if "stopped_by_hand" in row
    ]


FAR = 10  # times the loss of equal probabilities: at common rates a loss ends below twice that


def diverged(history: History, classes: int) -> list[str]:
    """One sentence for each phase of a history that ended far from having learned anything, though in numbers."""
    equal = float(np.log(classes))
    last = {row["phase"]: row["loss"] for row in history}
    return [
        f"{phase} ended with a loss of {loss:.3g}, where equal probabilities of all classes give {equal:.2f}: the "
        "learning rate is far too high for it"
        for phase, loss in last.items()
        if loss > FAR * equal
    ]


def _measured(loss: Loss) -> dict:
    # What Keras calls the loss holds penalties of the weights too, which say nothing of how well pictures are told.
    return {"weighted_metrics": ["accuracy", keras.metrics.MeanMetricWrapper(loss, name=UNPENALISED)]}


def _fit(
    model: keras.Model, data: tf.data.Dataset, validation: tf.data.Dataset | None, schedule: Schedule, phase: str
) -> History:
    watched = f"val_{UNPENALISED}" if validation is not None else UNPENALISED
    chosen = schedule.patience is not None
    best = keras.callbacks.EarlyStopping(
        watched, mode="min", patience=schedule.patience or 0, restore_best_weights=validation is not None
    )
    with bar(phase, schedule.epochs) as advance:
        watch = _Watch(advance)
        try:
            model.fit(
                without_autotune(data),
                epochs=schedule.epochs,
                steps_per_epoch=schedule.steps,
                shuffle=False,
                validation_data=None if validation is None else without_autotune(validation),
                callbacks=[best, watch] if chosen else [watch],
                verbose=0,
            )
        except KeyboardInterrupt:
            if not watch.rows:
                raise
            if best.best_weights is not None:
                model.set_weights(best.best_weights)
            stopped_by_hand(phase, watch.rows)
    if watch.broken:
        raise TrainingError(
            f"the loss became {watch.broken} in epoch {len(watch.rows)} of {phase}, at a learning rate of "
            f"{schedule.learning_rate:g}; give a lower `learning_rate`, or look at the layers of a network of your own"
        )
    return [{"phase": phase, **row} for row in watch.rows]


def in_words(row: dict) -> str:
    """How good a network is after an epoch, for the progress bar."""
    shown = "val_accuracy" if "val_accuracy" in row else "accuracy"
    return f"{shown.replace('val_', 'validation ')} {row[shown]:.3f}"


class _Watch(keras.callbacks.Callback):
    """Keeps the rows of the history, moves the bar, and stops when the loss is no number."""

    def __init__(self, advance: Callable):
        super().__init__()
        self.advance, self.rows, self.broken = advance, [], ""

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1}
        for part in ("", "val_"):
            names = {"loss": UNPENALISED, "accuracy": "accuracy"}
            row |= {part + name: float(logs[part + key]) for name, key in names.items() if part + key in logs}
        self.rows.append(row)
        self.advance(1, note=in_words(row))
        if not np.isfinite(row["loss"]):
            self.broken = str(row["loss"])
            self.model.stop_training = True
