"""A head on the features that a network gives, before anything in the network is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from transfer import settings
from transfer.checks.mirrored import mirrored_note
from transfer.errors import OptionError
from transfer.learning.head_choice import FOLDS, choose_head
from transfer.learning.head_fitting import new_head
from transfer.learning.head_rows import HeadRows
from transfer.learning.held_out import held_out_folds
from transfer.learning.histories import History
from transfer.learning.results import refitted
from transfer.learning.solved_heads import smoothed
from transfer.learning.tasks import Task
from transfer.networks.features import extract_features
from transfer.statistics.penalties import held_out_logits
from transfer.stopping import is_stopping


class FeatureHead(NamedTuple):
    """A head that was trained on the training pictures.

    Attributes:
        head: features to logits.
        history: one row an epoch.
        features: `(N, D)` of each part.
        strength: see `head_choice.HeadChoice`.
        fit: trains it on so many of the first pictures of the training and validation parts, one behind the other.
    """

    head: keras.Model
    history: History
    features: dict[str, np.ndarray]
    strength: float
    fit: Callable[[int], History]


def head_on_features(network: keras.Model, task: Task, alone: bool) -> FeatureHead:
    """Choose a head for the features of a network, and train it; see `head_fitting.new_head`.

    Raises:
        OptionError: two views of classes that are mirror images of each other.
    """
    parts = task.split.parts()
    with task.clock("features"):
        order = np.concatenate(list(parts.values()))
        known, o = [], task.options
        values = extract_features(
            network, task.images, order, o.fit, task.pictures, on_known=known.append, engine=o.engine
        )
        task.cached = [step for step in task.cached if step != "features"]
        task.cached += ["features"] if known[0] == len({task.images.digests[i] for i in order}) else []
        features = dict(zip(parts, np.split(values, np.cumsum([len(indices) for indices in parts.values()])[:-1])))
    if task.options.views == 2 and (found := mirrored_note(task.pictures, task.split.train)):
        raise OptionError(f"`views=2` for classes that mirroring mixes up; expected 1 ({found})")
    with task.clock("head"):
        rows = rows_of(task, features)
        chosen = choose_head(task, rows)
        task.take_head(*chosen)
        head, fit = new_head(task, network, rows, chosen.strength, alone)
        return FeatureHead(head, fit(len(parts["train"])), features, chosen.strength, fit)


def rows_of(task: Task, features: dict[str, np.ndarray]) -> HeadRows:
    """What a head is trained on: the training part, then the validation part."""
    indices = np.concatenate([task.split.train, task.split.validation])
    values = np.concatenate([features["train"], features["validation"]])
    return HeadRows(indices, values, *task.targets(indices))


def final_logits(task: Task, trained: FeatureHead) -> dict[str, np.ndarray]:
    """Logits of the validation and test parts; in between, the head is trained on validation pictures too.

    Its loss has one minimum and no epoch to choose, so the validation part has said what it can: its figures are those
    of the head that never saw it.
    """
    logits = {"validation": answers(trained.head, trained.features["validation"])}
    if refitted(task.options, len(task.split.validation)) and not is_stopping():
        with task.clock("head"):
            both = len(task.split.train) + len(task.split.validation)
            trained.fit(both)
    return logits | {"test": answers(trained.head, trained.features["test"])}


def out_of_fold_logits(task: Task, trained: FeatureHead) -> dict[str, np.ndarray]:
    """Logits of all pictures that are not tested by heads that have not seen them, where `optimise` asks for them.

    Only features that training has not touched can tell what a picture is worth that no head has seen.

    Returns:
        `out_of_fold`: `(N, C)`, of the training part and then the validation part, NaN for pictures that belong
        together with all others of their class. Or nothing, for heads that are not solved.
    """
    o = task.options
    if o.optimise is None or o.head != "linear":
        return {}
    with task.clock("head"):
        rows = rows_of(task, trained.features)
        if rows.targets.size > settings.MOST_SOLVED:
            return {}
        targets, folds = smoothed(rows.targets, o.label_smoothing or 0.0), held_out_folds(task, rows.indices, FOLDS)
        return {"out_of_fold": held_out_logits(rows.axes, targets, folds, trained.strength)}


def answers(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """Logits `(N, C)` of features."""
    return keras.ops.convert_to_numpy(head(keras.ops.convert_to_tensor(features), training=False))
