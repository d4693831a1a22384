"""What is added to the logits of a trained network, so that its answers serve what was asked for."""

from __future__ import annotations

import numpy as np

from transfer.data.tables import some
from transfer.learning.tasks import Task
from transfer.statistics import decision_bias

MOST_NAMED = 12  # classes in a note


def bias_of_answers(task: Task, logits: dict[str, np.ndarray], temperature: float) -> np.ndarray:
    """The bias `(C,)` for logits that are divided by the temperature; `task.notes` are told of it.

    Args:
        task: its `optimise` or `logit_adjustment`; zeros without either.
        logits: `(N, C)` by part; those of `validation` choose, or of `out_of_fold` where they are there, see
            `feature_heads.out_of_fold_logits`.
        temperature: see `calibration.fit_temperature`.
    """
    o, names = task.options, task.images.class_names
    shares = np.bincount(task.images.labels[task.split.train], minlength=len(names)) / len(task.split.train)
    if o.optimise is None:
        if not o.logit_adjustment:
            return np.zeros(len(names))
        bias = decision_bias.prior_bias(shares, o.logit_adjustment)
        task.notes.append(f"{_said(names, bias)}, by the share of each class in training")
        return bias
    indices, values = task.split.validation, logits["validation"]
    if "out_of_fold" in logits:
        indices, values = np.concatenate([task.split.train, indices]), logits["out_of_fold"]
    known = np.isfinite(values).all(axis=1)
    labels, values = task.images.labels[indices[known]], values[known].astype(np.float64) / temperature
    figure = decision_bias.FIGURES[o.optimise][0]
    if not len(labels):
        task.notes.append(f"nothing was held out to choose answers of the best {figure} by")
        return np.zeros(len(names))
    bias = decision_bias.fit_bias(labels, values, shares, o.optimise)
    before, after = (decision_bias.figure_of(labels, values + by, o.optimise) for by in (0, bias))
    task.notes.append(
        f"{_said(names, bias)}: of {len(labels):,} pictures that were held out, {figure} is {after:.1%}, and "
        f"{before:.1%} without"
    )
    return bias


def _said(names: tuple[str, ...], bias: np.ndarray) -> str:
    added = some((f"{name} {by:+.2f}" for name, by in zip(names, bias)), MOST_NAMED)
    return f"to logits is added {added}" if bias.any() else "to no logit is anything added"
