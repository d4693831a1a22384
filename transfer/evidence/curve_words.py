"""What a learning curve says, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from transfer.statistics.power_laws import PowerLaw, error_of, pictures_for

REFERENCE = "frozen"
REFERENCE_SIZE = 20  # pictures a class; the nearest size that was measured is taken
MORE = 100  # pictures
NAMES = {"frozen": "frozen", "finetune": "fine-tuned", "scratch": "from scratch"}


def sentences(means: Sequence[dict], laws: Mapping[str, PowerLaw | None]) -> list[str]:
    """How many times the pictures each method needs for what frozen reaches, and what more pictures would bring.

    Args:
        means: one dict a method and size, all pictures last: `method`, `per_class`, `images`, `accuracy`.
        laws: by method; those without a law have nothing said about them.
    """
    laws = {method: law for method, law in laws.items() if law is not None}
    rows = {method: [row for row in means if row["method"] == method] for method in laws}
    said = []
    if REFERENCE in laws:
        drawn = [row for row in rows[REFERENCE] if isinstance(row["per_class"], int)]
        goal = min(drawn, key=lambda row: abs(row["per_class"] - REFERENCE_SIZE))
        others = [method for method in laws if method != REFERENCE]
        said += [_times(method, rows[method], laws[method], laws[REFERENCE], goal) for method in others]
    return said + [_gain(method, law, rows[method][-1]["images"]) for method, law in laws.items()]


def _times(method: str, rows: list[dict], law: PowerLaw, reference: PowerLaw, goal: dict) -> str:
    """The points say whether `goal`, the reference at one size, is reached; the laws say with how many pictures."""
    targets = error_of(reference.laws(), [goal["images"]])[:, 0]
    needed = pictures_for(law.laws(), targets) / goal["images"]
    low, high = np.quantile(needed[1:], [0.025, 0.975], method="nearest")  # infinite ones cannot be averaged
    fewest = rows[0]["images"] / goal["images"]
    span = _span(low, high, fewest)
    by_law = (
        f"about {_number(needed[0])} x the pictures ({span})"
        if needed[0] >= fewest
        else f"no more than {_number(fewest)} x the pictures, the fewest that were measured ({span}),"
    )
    name, most = NAMES[method], rows[-1]["images"]
    what = f"what {NAMES[REFERENCE]} reaches with {goal['per_class']} a class"
    first = next((row["images"] for row in rows if row["accuracy"] >= goal["accuracy"]), None)
    if first is None:
        missed = (
            f"{name} does not reach {what} with all {most:.0f} pictures, {_number(most / goal['images'])} x as many"
        )
        return f"{missed}; its fitted curve {'never does' if np.isinf(needed[0]) else f'says {by_law}'}"
    if needed[0] * goal["images"] <= most:
        return f"{name} needs {by_law} to reach {what}"
    return f"{name} reaches {what} with {_number(first / goal['images'])} x the pictures; no curve fits its points well"


def _gain(method: str, law: PowerLaw, most: float) -> str:
    errors = error_of(law.laws(), [most, most + MORE])
    gains = 100 * (errors[:, 0] - errors[:, 1])
    low, high = np.percentile(gains[1:], [2.5, 97.5])
    return (
        f"another {MORE} training pictures are expected to bring {NAMES[method]} "
        f"{gains[0]:.1f} points ({low:.1f} to {high:.1f})"
    )


def _span(low: float, high: float, fewest: float) -> str:
    """An interval in words; a law says nothing of fewer pictures than were measured."""
    if np.isinf(low) or (low < fewest and np.isinf(high)):
        return "the interval is open"
    start = _number(low) if low >= fewest else f"{_number(fewest)} or less"
    if high < fewest:
        return start
    return f"{start} to {_number(high)}" if np.isfinite(high) else f"{start} or more"


def _number(times: float) -> str:
    return f"{times:.0f}" if times >= 9.95 else f"{times:.2g}"
