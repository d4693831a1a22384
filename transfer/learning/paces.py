"""How fast a network trains here, and how many epochs of that fit into a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from itertools import accumulate, repeat
from typing import NamedTuple

import keras

from transfer.learning.batches import TrainingBatches, stream, without_autotune
from transfer.learning.training import own_errors, to_be_fitted
from transfer.networks.heads import Loss
from transfer.settings import Schedule

LONG_ENOUGH = 1.0  # seconds, to measure a pace
SPARE = 0.05  # share of the time that is left over: no epoch takes as long as the one before


class Pace(NamedTuple):
    """Seconds that a step of training takes, and those in which a network answers to a picture."""

    step: float
    picture: float


def measured_pace(model: keras.Model, batches: TrainingBatches, schedule: Schedule, loss: Loss) -> Pace:
    """How fast a network trains here, by steps that another one with its weights makes.

    Raises:
        DataError: pictures are gone, see `Batches`.
    """
    before = random.getstate()  # from which Keras draws the seeds of layers
    # The first epoch again and again: maps of the next ones may have to be computed first, which is no step.
    quick, data = to_be_fitted(model, schedule, loss), without_autotune(stream(batches, repeat(0)))

    def timed(run: Callable, steps: int) -> float:
        begun = time.perf_counter()
        run(steps)
        return time.perf_counter() - begun

    def seconds(run: Callable) -> float:
        run(1)  # in which the graph is made
        alone, steps, took = timed(run, 1), 2, 0.0
        while took < LONG_ENOUGH and steps < 4 * max(schedule.steps, 4):
            steps *= 2
            # What it takes to begin counts once in an epoch, and not in each step.
            took = max(timed(run, 1 + steps) - alone, 1e-6)
        return took / steps

    with own_errors(batches):
        step = seconds(lambda steps: quick.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False))
        random.setstate(before)
        answer = seconds(lambda steps: quick.evaluate(data, steps=steps, verbose=0))
    return Pace(step, answer / schedule.batch_size)


def epochs_within(seconds: float, costs: Sequence[float]) -> int:
    """Epochs that end within a time; 0 where not one does.

    Args:
        seconds: there are.
        costs: seconds that each epoch takes.
    """
    return sum(end <= (1 - SPARE) * seconds for end in accumulate(costs))
