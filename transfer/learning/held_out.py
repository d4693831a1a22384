"""Folds of pictures to answer for in turn, by networks or heads that have not learned from them."""

from __future__ import annotations

import numpy as np

from transfer.data.folding import folds_of_units
from transfer.data.places import kept_together
from transfer.learning.tasks import Task


def _units_of(task: Task, indices: np.ndarray) -> np.ndarray:
    """What no fold may divide, `(N,)` whole numbers from 0: groups, and pictures that are equal."""
    groups = task.images.groups and [task.images.groups[i] for i in indices]
    together = kept_together([task.images.digests[i] for i in indices], groups)
    return np.unique(together, return_inverse=True)[1]


def held_out_folds(task: Task, indices: np.ndarray, folds: int) -> list[np.ndarray]:
    """Positions in `indices` of each fold, fewer than all pictures and folds where little is known of the classes.

    A picture of a class whose other pictures are held out as well is in none: nothing would be known of it.
    """
    labels = task.images.labels[indices]
    found = folds_of_units(labels, _units_of(task, indices), folds, task.options.seed)
    judged = [fold[np.isin(labels[fold], np.delete(labels, fold))] for fold in found]
    return [fold for fold in judged if len(fold)]
