"""The head for some features: its kind and the strength of its penalty, by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from transfer import settings
from transfer.learning.head_rows import HeadRows
from transfer.learning.held_out import held_out_folds
from transfer.learning.tasks import Task
from transfer.names import AUTO
from transfer.statistics import class_means, penalties

FOLDS = 5


class HeadChoice(NamedTuple):
    """A head and why it.

    Attributes:
        kind: a row of `heads.HEADS`.
        strength: C of its penalty; of class means what their logits are multiplied by.
        why: a sentence, or `""` where nothing was chosen.
    """

    kind: str
    strength: float
    why: str = ""


class Candidate(NamedTuple):
    """A row: the strengths that are tried, what they cost on pictures that are held out, and the usual one."""

    strengths: Sequence[float]
    losses: Callable[[HeadRows, Sequence[np.ndarray], Sequence[float]], np.ndarray]
    usual: float


def _penalised(rows: HeadRows, tested, strengths) -> np.ndarray:
    return penalties.held_out_losses(rows.axes, rows.targets, tested, strengths)


def _cosine(rows: HeadRows, tested, scales) -> np.ndarray:
    features = class_means.of_length_1(rows.standard())
    return class_means.held_out_losses(
        class_means.nearest_direction, features, rows.targets, rows.weights, tested, scales
    )


def _mean(rows: HeadRows, tested, scales) -> np.ndarray:
    return class_means.held_out_losses(
        class_means.nearest_mean, rows.standard(), rows.targets, rows.weights, tested, scales
    )


CANDIDATES = {
    "linear": Candidate(settings.HEAD_STRENGTHS, _penalised, settings.HEAD_C),
    "cosine": Candidate(settings.MEAN_SCALES, _cosine, settings.MEAN_SCALE),
    "mean": Candidate(settings.MEAN_SCALES, _mean, settings.MEAN_SCALE),
}


def choose_head(task: Task, rows: HeadRows) -> HeadChoice:
    """The kind of head, and its strength, with the lowest log loss on pictures that were held out.

    Args:
        task: what is asked for: a head `auto` and no `head_c` are chosen, all else stays.
        rows: features of the pictures to choose by.
    """
    asked, strength = task.options.head, task.options.head_c
    kinds = list(CANDIDATES) if asked == AUTO else [asked]
    if asked not in (AUTO, *CANDIDATES) or (asked == "linear" and strength):
        return HeadChoice(asked, strength or settings.HEAD_C)
    rows = rows.sample(settings.CHOSEN_ON, task.options.seed)
    most = settings.head_folds(*rows.targets.shape)
    tested = (
        held_out_folds(task, rows.indices, FOLDS)[:most]
        if rows.targets.shape[1] <= settings.MOST_CHOSEN_CLASSES
        else []
    )
    if not tested:
        kind = "cosine" if asked == AUTO else asked
        why = "the head cosine is taken, for there is too little to choose one by" if asked == AUTO else ""
        return HeadChoice(kind, CANDIDATES[kind].usual, why)
    best = {}
    for kind in kinds:
        strengths = (strength,) if strength and kind == "linear" else CANDIDATES[kind].strengths
        losses = CANDIDATES[kind].losses(rows, tested, strengths)
        best[kind] = float(losses.min()), strengths[int(losses.argmin())]
    kind = min(best, key=lambda name: best[name][0])
    return HeadChoice(kind, best[kind][1], _why(kind, best, len(rows.indices), len(tested)))


def _why(kind: str, best: dict[str, tuple[float, float]], number: int, folds: int) -> str:
    others = [f"{name} {loss:.2f}" for name, (loss, _) in best.items() if name != kind]
    said = [f"the head {kind} is taken (log loss {best[kind][0]:.2f}; {', '.join(others)})"] if others else []
    if kind == "linear":
        said.append(f"the penalty of the head is C = {best[kind][1]:g}")
    by = f"{folds}-fold cross-validation" if folds > 1 else "a part held out"
    return f"{' and '.join(said)}, by {by} of {number:,} training and validation pictures" if said else ""
