"""The features that a head is chosen and trained on, with what is worked out of them once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from transfer.statistics.penalties import Axes, principal_axes
from transfer.statistics.standardising import mean_and_variance, standardised


@dataclass(frozen=True, eq=False)
class HeadRows:
    """Features of pictures that are not tested.

    The axes and the scale are of all of them, whichever are left out of a fit: that says nothing of their classes.

    Attributes:
        indices: `(N,)` positions in the `LabelledImages`, those for training before those for validation.
        features: `(N, D)` float32.
        targets: `(N, C)` one-hot.
        weights: `(N,)` what each counts where all are trained on.
    """

    indices: np.ndarray
    features: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    @cached_property
    def scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of each feature."""
        return mean_and_variance(self.features)

    def standard(self) -> np.ndarray:
        """The features by that scale, `(N, D)` float32."""
        return standardised(self.features, *self.scale)

    @cached_property
    def axes(self) -> Axes:
        """The standardised features along their principal axes."""
        return principal_axes(self.standard(), self.weights)

    def sample(self, number: int, seed: int) -> HeadRows:
        """Some of them at random; all where there are no more than that."""
        if len(self.indices) <= number:
            return self
        rows = np.sort(np.random.default_rng(seed).permutation(len(self.indices))[:number])
        return HeadRows(self.indices[rows], self.features[rows], self.targets[rows], self.weights[rows])
