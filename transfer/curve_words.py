"""What a learning curve says, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from transfer.power_laws import PowerLaw, error_of, pictures_for

REFERENCE = "frozen"
REFERENCE_SIZE = 20  # pictures a class; the nearest size that was measured is taken
MORE = 100  # pictures
NAMES = {"frozen": "frozen", "finetune": "fine-tuned", "scratch": "from scratch"}


def sentences(means: Sequence[dict], laws: Mapping[str, PowerLaw | None]) -> list[str]:
    """How many times the pictures each method needs for what frozen reaches, and what more pictures would bring.

    Args:
        means: one dict a method and size: `method`, `per_class`, `images`, `accuracy`.
        laws: by method; those without a law have nothing said about them.
    """
    laws = {method: law for method, law in laws.items() if law is not None}
    most = {row["method"]: row["images"] for row in means}  # all pictures come last
    said = []
    if REFERENCE in laws:
        rows = [row for row in means if row["method"] == REFERENCE and isinstance(row["per_class"], int)]
        row = min(rows, key=lambda row: abs(row["per_class"] - REFERENCE_SIZE))
        others = [method for method in laws if method != REFERENCE]
        said += [_times(method, laws[method], laws[REFERENCE], row, most[method]) for method in others]
    return said + [_gain(method, law, most[method]) for method, law in laws.items()]


def _times(method: str, law: PowerLaw, reference: PowerLaw, row: dict, most: float) -> str:
    """`row` is the reference's at one size; `most` the largest number of pictures that was measured."""
    targets = error_of(reference.laws(), [row["images"]])[:, 0]
    needed = pictures_for(law.laws(), targets) / row["images"]
    low, high = np.quantile(needed[1:], [0.025, 0.975], method="nearest")  # infinite ones cannot be averaged
    goal = f"what {NAMES[REFERENCE]} reaches with {row['per_class']} a class"
    if needed[0] * row["images"] <= most:
        return f"{NAMES[method]} needs about {_number(needed[0])} x the pictures ({_span(low, high)}) to reach {goal}"
    beyond = (
        f"{NAMES[method]} does not reach {goal} with all {most:.0f} pictures, {_number(most / row['images'])} x as many"
    )
    if np.isinf(needed[0]):
        return f"{beyond}; its fitted curve never does"
    return f"{beyond}; its fitted curve does with about {_number(needed[0])} x ({_span(low, high)})"


def _gain(method: str, law: PowerLaw, most: float) -> str:
    errors = error_of(law.laws(), [most, most + MORE])
    gains = 100 * (errors[:, 0] - errors[:, 1])
    low, high = np.percentile(gains[1:], [2.5, 97.5])
    return (
        f"another {MORE} training pictures are expected to bring {NAMES[method]} "
        f"{gains[0]:.1f} points ({low:.1f} to {high:.1f})"
    )


def _span(low: float, high: float) -> str:
    if np.isinf(low):
        return "the interval is open"
    return f"{_number(low)} to {_number(high)}" if np.isfinite(high) else f"{_number(low)} or more"


def _number(times: float) -> str:
    return f"{times:.0f}" if times >= 10 else f"{times:.2g}"
