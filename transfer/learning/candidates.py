"""Between a frozen network and the same one fine-tuned: what answers best for pictures that neither has seen."""

from __future__ import annotations

import keras
import numpy as np
from scipy.special import log_softmax

from transfer.errors import UnreadablePictures
from transfer.learning.feature_heads import FeatureHead, answers, rows_of
from transfer.learning.head_fitting import new_head
from transfer.learning.tasks import Task
from transfer.networks.engines import compiled
from transfer.statistics.calibration import fit_temperature
from transfer.statistics.choosing import standard_error
from transfer.statistics.intervals import units
from transfer.stopping import is_stopping

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def best_between(network: keras.Model, frozen: list[np.ndarray], start: FeatureHead, task: Task) -> FeatureHead:
    """Keep as much of fine-tuning as helps: weights between before and after (WiSE-FT, Wortsman et al. 2021,
    arXiv:2109.01903), each with a head trained anew on what they make of plain pictures.

    Judged by the log loss on the validation part; within one standard error of the best, what is nearest to the frozen
    network is taken. So the result is never worse than that there.

    Args:
        network: the backbone, fine-tuned; it is left with the weights that are chosen.
        frozen: its weights before.
        start: the head of the frozen network.
        task: its `notes` are told what was chosen.

    Returns:
        The head of what was chosen, with its features.
    """
    tuned, known = network.get_weights(), {0.0: start}
    while True:
        try:
            return _best_between(network, (frozen, tuned), known, start.strength, task)
        except UnreadablePictures as error:  # gone since they were trained on; nothing is trained again for them
            task.leave_out(error)
            known = {}


def _best_between(
    network: keras.Model, ends: tuple[list, list], known: dict[float, FeatureHead], strength: float, task: Task
) -> FeatureHead:
    answer, split = compiled(network), task.split

    def set_weights(alpha: float) -> None:
        network.set_weights([before + alpha * (after - before) for before, after in zip(*ends)])

    def features_of(part: str) -> np.ndarray:
        batches = task.pictures.batches(getattr(split, part))
        nothing = np.zeros((0, network.output_shape[-1]), np.float32)
        return np.concatenate([nothing, *(answer(batch) for batch in batches)])

    def candidate(alpha: float) -> FeatureHead:
        set_weights(alpha)
        features = {part: features_of(part) for part in ("train", "validation")}
        head, fit = new_head(task, network, rows_of(task, features), strength, alone=False)
        return FeatureHead(head, fit(len(split.train)), features, strength, fit)

    alphas = (1.0,) if not len(split.validation) else (0.0, 1.0) if is_stopping() else ALPHAS
    candidates = {alpha: known.get(alpha) or candidate(alpha) for alpha in alphas}
    losses = {alpha: _losses(each, task) for alpha, each in candidates.items()} if len(split.validation) else {}
    unit = units(len(split.validation), task.images.groups_of(split.validation))
    chosen = _nearest_to_frozen(losses, unit) if losses else 1.0
    set_weights(chosen)
    best = candidates[chosen]
    if "test" not in best.features:
        best = best._replace(features=best.features | {"test": features_of("test")})
    task.notes.append(_said(chosen, losses))
    return best


def _losses(candidate: FeatureHead, task: Task) -> np.ndarray:
    """Log loss of each validation picture, at the temperature that the network would be saved with."""
    indices = task.split.validation
    labels, logits = task.images.labels[indices], answers(candidate.head, candidate.features["validation"])
    logits = logits / fit_temperature(labels, logits, task.images.groups_of(indices))
    return -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]


def _nearest_to_frozen(losses: dict[float, np.ndarray], unit: np.ndarray) -> float:
    best = min(losses, key=lambda alpha: losses[alpha].mean())
    for alpha in sorted(losses):
        worse = losses[alpha] - losses[best]
        if worse.mean() <= standard_error(worse, unit):
            return alpha
    return best


def _said(chosen: float, losses: dict[float, np.ndarray]) -> str:
    if not losses:
        return "all of fine-tuning is kept, for there are no validation pictures to judge it by"
    loss = {alpha: float(values.mean()) for alpha, values in losses.items()}
    best = min(loss, key=loss.get)
    count = f"on {len(losses[chosen]):,} validation pictures"
    if chosen == 0:
        return (
            f"the frozen network is kept: fine-tuning did not lower the log loss {count} by more than a standard error "
            f"({loss[0.0]:.2f}, and {loss[best]:.2f} at best)"
        )
    return f"{chosen:.0%} of fine-tuning is kept: log loss {loss[chosen]:.2f} {count}, frozen {loss[0.0]:.2f}"
