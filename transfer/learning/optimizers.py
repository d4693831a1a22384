"""How the weights of a whole network are changed, step by step."""

from __future__ import annotations

import keras
import numpy as np

from transfer.settings import Schedule, warmup_steps

Rate = keras.optimizers.schedules.LearningRateSchedule


def adamw(model: keras.Model, schedule: Schedule, rate: Rate | None = None) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101) for the weights of a network that may change.

    Its rate rises for a tenth of the steps and falls along a cosine; gradients are cut to a norm of 1; biases and
    normalisation do not decay.

    Args:
        model: its weights count from the pictures to the logits.
        schedule: with `lowest_rate` below 1, each has a rate of its own that falls towards the pictures by equal
            factors (Howard & Ruder 2018, arXiv:1801.06146): what all tasks have in common changes least.
        rate: another one than that of the schedule.
    """
    shares = np.geomspace(schedule.lowest_rate, 1, len(model.trainable_variables)).tolist()
    optimizer = _ByDepth(shares, rate or cosine(schedule), weight_decay=schedule.weight_decay, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def cosine(schedule: Schedule) -> Rate:
    """The rate of each step of a schedule."""
    steps, warmup = schedule.epochs * schedule.steps, warmup_steps(schedule)
    return keras.optimizers.schedules.CosineDecay(
        schedule.learning_rate * 0.01, steps - warmup, warmup_target=schedule.learning_rate, warmup_steps=warmup
    )


class _ByDepth(keras.optimizers.AdamW):
    """AdamW with a share of the rate for each weight, in their order."""

    def __init__(self, shares: list[float], *args, **options):
        super().__init__(*args, name="adamw", **options)
        self.shares = shares

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * self.shares[self._get_variable_index(variable)])
