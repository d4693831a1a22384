"""Error against the number of pictures as a power law, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from transfer.settings import bootstrap_draws
from transfer.statistics.intervals import Z

# From hardly falling to faster than any rate that was measured or proved (Viering & Loog 2021).
EXPONENTS = np.geomspace(0.05, 2.0, 150)
NUMBERS = 3  # that are fitted
LEAST_SIZES, LEAST_POINTS = NUMBERS + 1, 2 * NUMBERS


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = a + b n^-c for n training pictures (Cortes et al. 1993; Hestness et al. 2017, arXiv:1712.00409).

    Attributes:
        a: the error that no number of pictures removes, 0..1.
        b, c: how much there is to learn, from 0 up, and how fast it is learned, 0.05..2.
        draws: `(K, 3)` laws that fit bootstrap draws of the same points.
    """

    a: float
    b: float
    c: float
    draws: np.ndarray

    def laws(self) -> np.ndarray:
        """`(1 + K, 3)`: the law itself, then its draws."""
        return np.vstack([[self.a, self.b, self.c], self.draws])

    def error(self, pictures) -> np.ndarray:
        """Error 0..1 at `pictures` training pictures (a number or an array)."""
        return np.minimum(error_of(self.laws()[:1], np.atleast_1d(pictures))[0], 1)

    def interval(self, pictures) -> tuple[np.ndarray, np.ndarray]:
        """The 95 % interval of that error: low and high."""
        low, high = np.percentile(error_of(self.draws, np.atleast_1d(pictures)), [2.5, 97.5], axis=0)
        return np.minimum(low, 1), np.minimum(high, 1)


def fit_power_law(pictures: np.ndarray, errors: np.ndarray, seed: int = 0) -> PowerLaw | None:
    """Fit a power law to measured errors by weighted least squares.

    For a given c the law is linear in a and b (variable projection, Golub & Pereyra 1973), so that
    a row of exponents finds the best within the bounds, with nothing that could fail to converge.
    The spread between draws falls about as n^-1/2, which gives the weights; new errors with that
    spread around the curve give the bootstrap draws (Efron & Tibshirani 1993, section 6.5). It is known
    from P - 3 degrees of freedom only and is widened as Student's t is wider than the normal distribution:
    for linear least squares, the middle 95 % of the draws are then the exact interval.

    Args:
        pictures: `(P,)` numbers of training pictures.
        errors: `(P,)` shares of wrong answers, 0..1.
        seed: of the bootstrap draws.

    Returns:
        The law; `None` with fewer than four different numbers of pictures, or six points.
    """
    pictures, errors = np.asarray(pictures, float), np.asarray(errors, float)
    if len(np.unique(pictures)) < LEAST_SIZES or len(pictures) < LEAST_POINTS:
        return None
    law = _best(pictures, errors[None])
    expected = error_of(law, pictures)[0]
    freedom = len(pictures) - NUMBERS
    spread = np.sqrt(np.sum(pictures * (errors - expected) ** 2) / freedom / pictures)
    spread *= stats.t.ppf(0.975, freedom) / Z
    noise = np.random.default_rng(seed).normal(0, spread, (bootstrap_draws(), len(pictures)))
    return PowerLaw(*map(float, law[0]), draws=_best(pictures, expected + noise))


def error_of(laws: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """`(K, P)` errors of `(K, 3)` laws at `(P,)` numbers of pictures."""
    a, b, c = laws.T[:, :, None]
    return a + b * np.asarray(pictures, float) ** -c


def pictures_for(laws: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """`(K,)` numbers of pictures at which `(K, 3)` laws come down to `(K,)` errors; infinite where never."""
    a, b, c = laws.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(errors > a, (b / (errors - a)) ** (1 / c), np.inf)


def _best(pictures: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """`(K, 3)` laws with the least squares for `(K, P)` errors; a and b from 0 up."""
    weights = pictures / pictures.sum()
    least, best = np.full(len(errors), np.inf), np.zeros((len(errors), 3))
    mean = errors @ weights
    for c in EXPONENTS:
        x = (pictures / pictures.max()) ** -c
        centred = x - weights @ x
        b = np.maximum(errors @ (weights * centred) / (weights @ centred**2), 0)
        a = mean - b * (weights @ x)
        b = np.where(a < 0, np.maximum(errors @ (weights * x) / (weights @ x**2), 0), b)
        a = np.maximum(a, 0)
        squares = ((errors - a[:, None] - b[:, None] * x) ** 2) @ weights
        better = squares < least
        least = np.where(better, squares, least)
        best = np.where(better[:, None], np.column_stack([a, b * pictures.max() ** c, np.full(len(a), c)]), best)
    return best
