"""What a trained network is worth: its answers to the validation and test parts, and the figures of them."""

from __future__ import annotations

import keras
import numpy as np
from scipy.special import softmax

from transfer.learning.decisions import bias_of_answers
from transfer.learning.histories import diverged, lowered
from transfer.learning.results import Predictions, Result
from transfer.learning.tasks import Task
from transfer.networks import heads
from transfer.statistics.calibration import calibration_error, fit_temperature
from transfer.statistics.evaluation import evaluate_probabilities


def judge(model: keras.Model, task: Task, logits: dict[str, np.ndarray], history: list[dict], written: dict) -> Result:
    """The result of a training, with temperature and bias of its answers put into the network.

    Args:
        model: pictures to logits.
        task: what it was trained for.
        logits: `(N, C)` by part, `validation` and `test`, and `out_of_fold` where answers are chosen by it.
        history: one row an epoch.
        written: the options as a run folder holds them.
    """
    split, labels, names = task.split, task.images.labels, task.images.class_names
    with task.clock("evaluate"):
        # Fitted where the network has learned nothing: the test part is still to be asked.
        validation_groups = task.images.groups_of(split.validation)
        temperature = fit_temperature(labels[split.validation], logits["validation"], validation_groups)
        bias = bias_of_answers(task, logits, temperature)
        before = softmax(logits["test"].astype(np.float64), axis=1)
        heads.divide_logits(model, temperature)
        heads.shift_logits(model, bias)
        parts = ("validation", "test")
        probabilities = {part: softmax(logits[part].astype(np.float64) / temperature + bias, axis=1) for part in parts}
        figures = {}
        for part in parts:
            indices = getattr(split, part)
            groups = task.images.groups_of(indices)
            figures[part] = evaluate_probabilities(labels[indices], probabilities[part], names, groups)
        figures["test"]["calibration"] = {
            "temperature": temperature,
            "error_before": calibration_error(labels[split.test], before) if len(before) else None,
            "bias": dict(zip(names, bias.tolist())) if bias.any() else None,
        }
        predictions = Predictions(
            np.concatenate([getattr(split, part) for part in parts]),
            np.concatenate([np.full(len(getattr(split, part)), part, dtype="U10") for part in parts]),
            np.concatenate([probabilities[part] for part in parts]),
        )
    task.notes += lowered(history) + diverged(history, len(names))
    trained = int(sum(np.prod(weight.shape) for weight in model.trainable_weights))
    return Result(
        model, task.images, split, written | {"trainable_parameters": trained}, figures["test"],
        figures["validation"], predictions, history, task.clock.seconds(), task.notes + task.stops,
        cached=task.cached, stops=task.stops,
    )  # fmt: skip
