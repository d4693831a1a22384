"""Networks in pairs: what their answers to the same pictures say, in figures and in words."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from transfer.data.together import joined
from transfer.statistics.significance import LEVEL, fewest_units, holm, paired_difference

NAMES_IN_WORDS = {
    "finetune": "fine-tuned", "scratch": "the convnet from scratch", "dense": "the dense network",
}  # fmt: skip


class Answers(NamedTuple):
    """What one network said of its test pictures.

    Attributes:
        keys: `(N,)` what tells a picture from all others, each once.
        labels, predicted: `(N,)` class indices.
        groups: `(N,)` names, or `None`.
    """

    keys: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    groups: np.ndarray | None


def paired_differences(answers: Mapping[str, Answers]) -> list[dict]:
    """Compare all pairs of networks on the pictures that both have answered.

    Returns:
        One dict a pair: `a`, `b`, what `significance.paired_difference` gives, and `p_value_holm`,
        corrected for the number of pairs. Pictures that share a group in either network's data count as
        one group. `pictures_needed` is `None` also where so many were not enough: groups are what is short.
    """
    pairs = list(combinations(answers, 2))
    rows = []
    for a, b in pairs:
        _, in_a, in_b = np.intersect1d(answers[a].keys, answers[b].keys, return_indices=True)
        groups = _groups_of_both(answers[a].groups, answers[b].groups, in_a, in_b)
        said = answers[a].predicted[in_a], answers[b].predicted[in_b]
        found = paired_difference(answers[a].labels[in_a], *said, groups, len(pairs))
        rows.append({"a": a, "b": b, **found, "p_value_holm": None})
    known = [row for row in rows if row["p_value"] is not None]
    for row, corrected in zip(known, holm([row["p_value"] for row in known])):
        row["p_value_holm"] = corrected
        if corrected >= LEVEL and (row["pictures_needed"] or 0) <= row["pictures"]:
            row["pictures_needed"] = None
    return rows


def _groups_of_both(a: np.ndarray | None, b: np.ndarray | None, in_a, in_b) -> np.ndarray | None:
    """What belongs together for either of two networks: a name for each picture, whichever of them is the first."""
    namings = [names[at] for names, at in ((a, in_a), (b, in_b)) if names is not None]
    return joined(*namings).astype(str) if namings else None


def in_words(differences: list[dict]) -> list[str]:
    """One sentence a pair: which is better and by how much, or what it would take to tell."""
    return [_sentence(row, len(differences)) for row in differences]


def _sentence(row: dict, comparisons: int) -> str:
    a, b = (NAMES_IN_WORDS.get(row[side], row[side]) for side in ("a", "b"))
    pictures = f"{row['pictures']:,} test picture{'s' * (row['pictures'] != 1)}"
    if row["p_value_holm"] is None:
        return (
            f"nothing can be said of {a} and {b}: {pictures} are too few for any statement; at least "
            f"{fewest_units(comparisons)} that do not belong together are needed, and many more for small differences"
        )
    gain = 100 * row["accuracy_difference"]
    low, high = (100 * end for end in row["ci95"])
    if row["p_value_holm"] >= LEVEL:
        needed = row["pictures_needed"]
        if needed:
            more = f"about {needed:,} would be needed"
        else:
            more = "more groups would be needed" if gain else "they are right equally often"
        apart = f"{gain:+.1f} points, {low:+.1f} to {high:+.1f}{_why_not(row, comparisons)}"
        return f"{a} and {b} cannot be told apart with {pictures} ({apart}); {more}"
    if gain < 0:
        a, b, gain, low, high = b, a, -gain, -high, -low
    return f"{a} is better than {b} by {gain:.1f} points ({low:.1f} to {high:.1f})"


def _why_not(row: dict, comparisons: int) -> str:
    """Why a difference counts for nothing although its interval, which is of one comparison, leaves 0 out."""
    low, high = row["ci95"]
    if low <= 0 <= high:
        return ""
    alone = row["p_value"] < LEVEL
    return ", not significant " + (f"after correction for {comparisons} comparisons" if alone else "by the exact test")
