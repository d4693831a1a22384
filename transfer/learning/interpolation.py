"""Between a frozen network and the same one fine-tuned: what answers best for pictures that neither has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
from scipy.special import log_softmax

from transfer.errors import UnreadablePictures
from transfer.learning.feature_heads import FeatureHead, answers, rows_of
from transfer.learning.head_fitting import new_head
from transfer.learning.tasks import Task
from transfer.networks import freezing
from transfer.statistics.calibration import fit_temperature
from transfer.stopping import is_stopping

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
BY_FOLDS = "folds held out in turn"  # what a note says where these judged, and not the validation part


class Judged(NamedTuple):
    """What each alpha costs on pictures that its network and its head have not learned from.

    Attributes:
        losses: by alpha, `(N,)` log loss of each picture; empty where there is no picture to judge by.
        on: which pictures they are, in words.
    """

    losses: dict[float, np.ndarray]
    on: str


class Tuned(NamedTuple):
    """A backbone between its weights before fine-tuning and those after, a place at a time.

    Attributes:
        network: pictures to features; it is left with the weights of the last place that was asked for.
        answer: what it makes of pictures `(B, S, S, 3)` uint8, with the weights that it has.
        before, after: its weights.
        strength: of the penalty of every head, see `head_choice.HeadChoice`.
        heads: by alpha, those that are known.
    """

    network: keras.Model
    answer: Callable
    before: list[np.ndarray]
    after: list[np.ndarray]
    strength: float
    heads: dict[float, FeatureHead]

    def set_weights(self, alpha: float) -> None:
        """Go alpha of the way from before to after."""
        self.network.set_weights([before + alpha * (after - before) for before, after in zip(self.before, self.after)])


def judge_between(tuned: Tuned, task: Task, alphas: Sequence[float] = ALPHAS) -> Judged:
    """Ask the validation part of a task, each alpha with a head of its own on what it makes of plain pictures.

    Args:
        tuned: the head of alpha 0 is among its `heads`, and the others are put there.
        task: what it was tuned for.
        alphas: 0..1, see `Tuned`.
    """
    validation = task.split.validation
    heads = [_candidate(tuned, alpha, task) for alpha in alphas] if len(validation) else []
    losses = {alpha: _losses(head, task) for alpha, head in zip(alphas, heads)}
    return Judged(losses, f"on {len(validation):,} validation pictures")


def best_between(tuned: Tuned, task: Task, judged: Judged | None = None) -> FeatureHead:
    """Keep as much of fine-tuning as helps: weights between before and after (WiSE-FT, Wortsman et al. 2021,
    arXiv:2109.01903), each with a head trained anew.

    The lowest log loss is taken, and the frozen network is one of them. So the result is not worse than that on the
    pictures that it is judged by. (A rule of one standard error towards the frozen network gave away half of what
    fine-tuning brings: docs/fine-tuning.md.)

    Args:
        tuned: see `judge_between`; its network is left with the weights that are chosen, and as frozen as those are.
        task: its `notes` are told what was chosen.
        judged: what to choose by, if not the validation part of the task.

    Returns:
        The head of what was chosen, with its features.
    """
    while True:
        try:
            by = judged or judge_between(tuned, task, (0.0, 1.0) if is_stopping() else ALPHAS)
            chosen = best_alpha(by)
            best = _candidate(tuned, chosen, task)
            tuned.set_weights(chosen)
            if "test" not in best.features:
                best = best._replace(features=best.features | {"test": _features(tuned, task, "test")})
        except UnreadablePictures as error:  # gone since they were trained on; nothing is trained again for them
            task.leave_out(error)
            tuned.heads.clear()
        else:
            if chosen == 0:
                freezing.freeze(tuned.network)
            task.notes.append(kept_note(chosen, by))
            return best


def best_alpha(judged: Judged) -> float:
    """How far to go from the frozen network, 0..1: to the lowest mean log loss, and all the way where none is known."""
    return min(judged.losses, key=lambda alpha: judged.losses[alpha].mean(), default=1.0)


def _candidate(tuned: Tuned, alpha: float, task: Task) -> FeatureHead:
    if alpha not in tuned.heads:
        tuned.set_weights(alpha)
        features = {part: _features(tuned, task, part) for part in ("train", "validation")}
        rows, strength = rows_of(task, features), tuned.strength
        head, fit = new_head(task, tuned.network, rows, strength, alone=False)
        tuned.heads[alpha] = FeatureHead(head, fit(len(task.split.train)), features, strength, fit)
    return tuned.heads[alpha]


def _features(tuned: Tuned, task: Task, part: str) -> np.ndarray:
    batches = task.pictures.batches(getattr(task.split, part))
    nothing = np.zeros((0, tuned.network.output_shape[-1]), np.float32)
    return np.concatenate([nothing, *(tuned.answer(batch) for batch in batches)])


def _losses(candidate: FeatureHead, task: Task) -> np.ndarray:
    """Log loss of each validation picture, at the temperature that the network would be saved with."""
    indices = task.split.validation
    labels, logits = task.images.labels[indices], answers(candidate.head, candidate.features["validation"])
    logits = logits / fit_temperature(labels, logits, task.images.groups_of(indices))
    return -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]


def kept_note(alpha: float, judged: Judged) -> str:
    """How much of fine-tuning is kept, and why."""
    if not judged.losses:
        return "all of fine-tuning is kept, for there are no validation pictures to judge it by"
    loss = {alpha: float(values.mean()) for alpha, values in judged.losses.items()}
    if alpha == 0:
        least = min(value for other, value in loss.items() if other)
        return (
            f"the frozen network is kept: fine-tuning did not lower the log loss {judged.on} ({loss[0.0]:.2f} before, "
            f"{least:.2f} at best)"
        )
    return f"{alpha:.0%} of fine-tuning is kept: log loss {loss[alpha]:.2f} {judged.on}, frozen {loss[0.0]:.2f}"
