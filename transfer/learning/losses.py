"""The loss that a network is fitted by."""

from __future__ import annotations

import keras

from transfer.learning.options import TrainingOptions
from transfer.networks.heads import HEADS, Loss


def loss_of(options: TrainingOptions, smoothing: float) -> Loss:
    """The loss of a head, or the focal one where that was asked for.

    Args:
        options: of the training.
        smoothing: share of each target spread over all classes where no other was asked for, 0..1.
    """
    smoothing = smoothing if options.label_smoothing is None else options.label_smoothing
    return focal(options.focal, smoothing) if options.focal else HEADS[options.head].loss(smoothing)


def focal(gamma: float, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy in which a picture counts the less the surer of it the network is (Lin et al. 2017,
    arXiv:1708.02002): times (1 - p)^gamma. Targets and logits `(B, C)` to `(B,)`.
    """

    def loss(one_hot, logits):
        return keras.losses.categorical_focal_crossentropy(
            one_hot, logits, alpha=1.0, gamma=gamma, from_logits=True, label_smoothing=label_smoothing
        )

    return loss
