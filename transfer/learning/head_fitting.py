"""A head of each kind, and how it is brought to its features."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from transfer import settings
from transfer.learning import training
from transfer.learning.head_rows import HeadRows
from transfer.learning.histories import History, stops
from transfer.learning.losses import loss_of
from transfer.learning.solved_heads import fit_linear, set_means
from transfer.learning.tasks import Task
from transfer.networks.heads import HEADS


def new_head(
    task: Task, network: keras.Model, rows: HeadRows, strength: float, alone: bool
) -> tuple[keras.Model, Callable[[int], History]]:
    """A head for the features of a network.

    Args:
        task: which head, and its options; those about fitting a whole network are not asked.
        network: gives the features.
        rows: the features to fit it to.
        strength: see `head_choice.HeadChoice`.
        alone: whether the epochs and the rate that were asked for are of the head, and not of fine-tuning behind it;
            a head that is solved has neither.

    Returns:
        (features to logits, a function that fits it to the first pictures of `rows`, as many as it is told, and
        measures it on the others).
    """
    penalty = settings.MLP_L2 if task.options.head == "mlp" else settings.head_l2(len(task.split.train), strength)
    head = task.head(network, penalty)
    fit = _way_to_fit(head, task, rows, strength, alone)

    def noted(number: int) -> History:
        history = fit(number)
        task.stops += stops(history)
        return history

    return head, noted


def _way_to_fit(
    head: keras.Model, task: Task, rows: HeadRows, strength: float, alone: bool
) -> Callable[[int], History]:
    o = task.options
    row = HEADS[o.head]
    if row.means:
        return lambda number: set_means(head, row.means, rows, _weights(task, rows, number), strength)
    if o.head == "linear" and rows.targets.size <= settings.MOST_SOLVED:
        # All of them: fewer would leave it short of its optimum, and spare less than a second.
        fitting = strength, settings.HEAD_STEPS, o.label_smoothing or 0.0
        return lambda number: fit_linear(head, rows, _weights(task, rows, number), *fitting)
    schedule = settings.head_schedule(len(task.split.train), row.convex)
    schedule = task.schedule(schedule) if alone else schedule

    def by_gradients(number: int) -> History:
        parts = [
            (rows.features[some], *task.targets(rows.indices[some])) for some in (slice(number), slice(number, None))
        ]
        return training.fit_head(head, *parts, schedule, loss_of(o, 0.0), o.seed)

    return by_gradients


def _weights(task: Task, rows: HeadRows, number: int) -> tuple[np.ndarray, np.ndarray]:
    return task.targets(rows.indices[:number])[1], task.targets(rows.indices[number:])[1]
