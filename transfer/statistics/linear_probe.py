"""How well features tell classes apart: linear heads that answer for what they were not trained on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfer.settings import HEAD_C


def out_of_fold(features: np.ndarray, labels: np.ndarray, tested: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities by cross-validation: a linear probe (Alain & Bengio 2016, arXiv:1610.01644) for each fold.

    The probe is the toolkit's linear head, brought to its optimum without a validation part.

    Args:
        features: `(N, D)`.
        labels: `(N,)` in 0..C-1.
        tested: positions of each fold; the probe that answers for them learns from all others.

    Returns:
        `(N, C)`, rows that sum to 1. A class that a probe has not seen has probability 0; rows of
        pictures in no fold are 0.
    """
    probabilities = np.zeros((len(labels), labels.max() + 1))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=HEAD_C, max_iter=100, tol=1e-3))
    for test in tested:
        train = np.setdiff1d(np.arange(len(labels)), test)
        seen = np.unique(labels[train])
        if len(seen) == 1:  # which scikit-learn refuses
            probabilities[test, seen] = 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe.fit(features[train], labels[train])
        probabilities[np.ix_(test, seen)] = probe.predict_proba(features[test])
    return probabilities
