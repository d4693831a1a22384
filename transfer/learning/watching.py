"""What looks on while Keras fits: the best epoch, the state to go on from, the rows of the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from transfer.learning.fit_states import FitState, capture, restore
from transfer.learning.histories import in_words
from transfer.settings import Schedule

UNPENALISED = "unpenalised_loss"


class Course(NamedTuple):
    """What the fit of a whole network has beside its schedule.

    Attributes:
        begin: the state that it goes on from.
        keep: is told of each state that it reaches, and whether that is the last.
        far: the loss from which on it has blown up.
        is_lowered: whether its rate was lowered before.
    """

    begin: FitState | None
    keep: Callable[[FitState, bool], None]
    far: float
    is_lowered: bool


class Best(keras.callbacks.EarlyStopping):
    """Stops early and keeps the best epoch where the schedule has patience, also of a fit that goes on from a state."""

    def __init__(self, schedule: Schedule, judged: bool, begin: FitState | None):
        watched = f"val_{UNPENALISED}" if judged else UNPENALISED
        chosen, patience = schedule.patience is not None, schedule.patience or schedule.epochs
        super().__init__(watched, mode="min", patience=patience, restore_best_weights=judged and chosen)
        self.begin = begin

    def on_train_begin(self, logs=None):
        """Go on from the state."""
        super().on_train_begin(logs)
        if self.begin:
            restore(self.begin, self.model, self)

    def end_at_once(self, model: keras.Model) -> None:
        """Bring a network to what a fit that is over has left."""
        self.set_model(model)
        self.on_train_begin()
        self.on_train_end()


class Watch(keras.callbacks.Callback):
    """Keeps the rows of the history, moves the bar, and stops when the loss is no number.

    Of a whole network it has the state after the last epoch, for which it comes behind `best`.
    """

    def __init__(self, advance: Callable, best: Best, schedule: Schedule, course: Course | None):
        super().__init__()
        self.advance, self.best, self.schedule, self.course, self.broken = advance, best, schedule, course, ""
        self.state = course.begin if course else None
        self.rows = [dict(row) for row in self.state.rows] if self.state else []
        for row in self.rows:
            advance(1, note=in_words(row))

    def on_epoch_end(self, epoch, logs=None):
        """Add a row, and have the state kept."""
        row = {"epoch": epoch + 1}
        for part in ("", "val_"):
            names = {"loss": UNPENALISED, "accuracy": "accuracy"}
            row |= {part + name: float(logs[part + key]) for name, key in names.items() if part + key in logs}
        if self.course and self.course.is_lowered:
            row["lowered_rate"] = self.schedule.learning_rate
        self.rows.append(row)
        self.advance(1, note=in_words(row))
        if not np.isfinite(row["loss"]) or (self.course and row["loss"] > self.course.far):
            self.broken = f"{row['loss']:g}"
            self.model.stop_training = True
        elif self.course:
            over = self.model.stop_training or epoch + 1 == self.schedule.epochs
            self.state = capture(self.model, self.best, self.schedule, self.rows, over)
            self.course.keep(self.state, over)


class EachStep(keras.callbacks.Callback):
    """The loss of each step by itself; ends where it is no number."""

    def __init__(self):
        super().__init__()
        self.losses, self.advance = [], lambda count, note: None

    def on_train_batch_begin(self, batch, logs=None):
        """Forget the step before."""
        self.model.reset_metrics()  # which are means over an epoch

    def on_train_batch_end(self, batch, logs=None):
        """Add the loss of the step."""
        loss = float(logs[UNPENALISED])
        if not np.isfinite(loss):
            self.model.stop_training = True
            return
        self.losses.append(loss)
        self.advance(1, note=f"loss {loss:.3g}")
