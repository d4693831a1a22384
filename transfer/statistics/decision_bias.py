"""A number a class, added to its logit, by which answers are best for the figure that is asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Steps whose figures are averaged, so that no lucky one is taken.
AROUND = 5

# How strongly frequent classes are held back: those tried with more than two classes, and thresholds for two.
STRENGTHS, THRESHOLDS = np.arange(-5, 21) / 10, np.arange(-40, 41) / 10


def _accuracy(hits: np.ndarray, true: np.ndarray, answered: np.ndarray) -> float:
    return hits.sum() / true.sum()


def _balanced(hits: np.ndarray, true: np.ndarray, answered: np.ndarray) -> float:
    there = true > 0
    return np.mean(hits[there] / true[there])


def _f1(hits: np.ndarray, true: np.ndarray, answered: np.ndarray) -> float:
    there = true > 0
    return np.mean(2 * hits[there] / (true + answered)[there])


# Words, and the figure from pictures `(C,)` of each class: rightly named, there, and named so.
FIGURES: dict[str, tuple[str, Callable[..., float]]] = {
    "accuracy": ("accuracy", _accuracy),
    "balanced": ("balanced accuracy", _balanced),
    "f1": ("macro F1", _f1),
}


def figure_of(labels: np.ndarray, logits: np.ndarray, name: str) -> float:
    """A figure of answers, 0..1; means over classes are over those present.

    Args:
        labels: `(N,)` class indices.
        logits: `(N, C)`.
        name: a row of `FIGURES`.
    """
    classes, predicted = logits.shape[1], logits.argmax(axis=1)
    counts = (np.bincount(each, minlength=classes) for each in (labels[predicted == labels], labels, predicted))
    return float(FIGURES[name][1](*counts))


def prior_bias(shares: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """What makes frequent classes less likely: logit adjustment (Menon et al. 2021, arXiv:2007.07314).

    Where a network gives the probabilities of pictures of which each class has its share, those with a bias of strength
    1 are of pictures of which all classes have the same. A network that is trained with the logits so adjusted
    ends at the same bias, since its last layer has one of its own that nothing holds back.

    Args:
        shares: `(C,)` of the pictures that the network was trained on; any that is 0 counts as the smallest other.
        strength: times the logarithm of the shares.

    Returns:
        `(C,)`, 0 on average.
    """
    logarithms = np.log(np.maximum(shares, shares[shares > 0].min()))
    return strength * (logarithms.mean() - logarithms)


def fit_bias(labels: np.ndarray, logits: np.ndarray, shares: np.ndarray, name: str) -> np.ndarray:
    """The bias with which a figure is highest: for two classes any, for more one of `prior_bias`, by its strength.

    One number is chosen however many classes there are. With a bias of its own for each class, chosen by the same
    pictures, figures of other pictures were lower (docs/imbalance.md).

    Args:
        labels: `(N,)` class indices of pictures that the network was not trained on, one or more.
        logits: `(N, C)`.
        shares: see `prior_bias`.
        name: a row of `FIGURES`.

    Returns:
        `(C,)`, 0 on average; of equally good ones the smallest.
    """
    two = logits.shape[1] == 2
    direction, strengths = (np.array([-0.5, 0.5]), THRESHOLDS) if two else (prior_bias(shares), STRENGTHS)
    figures = [figure_of(labels, logits + strength * direction, name) for strength in strengths]
    around = np.convolve(np.pad(figures, AROUND // 2, mode="edge"), np.full(AROUND, 1 / AROUND), "valid").round(9)
    order = np.argsort(np.abs(strengths), kind="stable")
    return strengths[order[np.argmax(around[order])]] * direction
