"""Does a file answer like its network, on real pictures of its run, and how much is lost where it may not."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from transfer.errors import ExportError
from transfer.exports.answering import answering_network
from transfer.networks.conversions import Answer
from transfer.runs.exportables import NOTHING_TO_CHECK_WITH, PARTS, ExportSource
from transfer.statistics.significance import LEVEL, paired_difference

AT_LEAST, AT_MOST = 200, 1000  # pictures; of the test part as many as the second allows
BATCH = 32
LOSS = 0.01  # of the test pictures


class Gate(NamedTuple):
    """How far the answers of a file may be from those of Keras.

    Attributes:
        agreement: share of pictures that have to get the same first class, 0..1.
        largest, mean: difference of a probability that is allowed.
    """

    agreement: float
    largest: float = math.inf
    mean: float = math.inf


EXACT = Gate(0.98, largest=1e-4)  # float32: what is left are sums in another order
HALF = Gate(0.99, mean=2e-3)  # weights in float16 move a picture that is between two classes, and hardly any other
WHOLE = Gate(0.98)


class Reference(NamedTuple):
    """Pictures, and what Keras says of them.

    Attributes:
        pictures: `(N, S, S, 3)` uint8; labels: `(N,)`.
        tested: `(N,)`, whether each is of the test part.
        probabilities: `(N, C)`; seconds: that Keras took for all of them.
    """

    pictures: np.ndarray
    labels: np.ndarray
    tested: np.ndarray
    probabilities: np.ndarray
    seconds: float


def reference(source: ExportSource) -> Reference:
    """Pictures of the test part, with others of validation and training where it has too few, and Keras' answers.

    Raises:
        ExportError: none of them can be read.
    """
    pictures, labels, tested = [], [], []
    for part in PARTS:
        room = AT_MOST if part == "test" else AT_LEAST - sum(map(len, labels))
        if room > 0:
            some, their = source.pictures(part, room)
            pictures.append(some)
            labels.append(their)
            tested.append(np.full(len(their), part == "test"))
    squares = np.concatenate(pictures)
    if not len(squares):
        raise ExportError(NOTHING_TO_CHECK_WITH)
    network = answering_network(source.model)
    answer = tf.function(
        lambda pictures: network(pictures, training=False), [tf.TensorSpec((None, *squares.shape[1:]), tf.uint8)]
    )
    answers, seconds = timed(lambda pictures: answer(pictures).numpy(), squares, BATCH)
    return Reference(squares, np.concatenate(labels), np.concatenate(tested), answers, seconds)


def timed(answer: Answer, pictures: np.ndarray, batch: int) -> tuple[np.ndarray, float]:
    """(answers to all pictures, seconds that they took), after one batch that is not timed."""
    answer(pictures[:batch])
    start = time.perf_counter()
    answers = np.concatenate([answer(pictures[i : i + batch]) for i in range(0, len(pictures), batch)])
    return answers.astype(np.float32), time.perf_counter() - start


def compare_answers(answer: Answer, known: Reference, batch: int) -> dict:
    """The figures of a file beside those of Keras.

    Returns:
        - `pictures`, `test_pictures`: how many were compared; `batch`: how many the runtime got at once
        - `largest_difference`, `mean_difference`: of probabilities
        - `agreement`: share of pictures with the same first class, 0..1
        - `accuracy`, `accuracy_keras`: on the test part, or `None` without one
        - `loss`: of accuracy, with its `loss_ci95` and `loss_p_value`
        - `pictures_a_second`, `pictures_a_second_keras`: decoding not counted
    """
    answers, seconds = timed(answer, known.pictures, batch)
    gaps = np.abs(answers - known.probabilities)
    first, expected, tested = answers.argmax(1), known.probabilities.argmax(1), known.tested
    paired = paired_difference(known.labels[tested], expected[tested], first[tested])
    right = [float((said == known.labels)[tested].mean()) if tested.any() else None for said in (first, expected)]
    return {
        "pictures": len(answers),
        "test_pictures": int(tested.sum()),
        "batch": batch,
        "largest_difference": float(gaps.max()) if np.isfinite(answers).all() else float("inf"),
        "mean_difference": float(gaps.mean()),
        "agreement": float((first == expected).mean()),
        "accuracy": right[0],
        "accuracy_keras": right[1],
        "loss": paired["accuracy_difference"],
        "loss_ci95": paired["ci95"],
        "loss_p_value": paired["p_value"],
        "pictures_a_second": len(answers) / seconds,
        "pictures_a_second_keras": len(answers) / known.seconds,
    }


def objection(row: dict, gate: Gate) -> str:
    """Why a file with these figures of `compare_answers` cannot be used, or `""`."""
    for name, words, allowed in (("largest", "by up to", gate.largest), ("mean", "on average by", gate.mean)):
        gap = row[f"{name}_difference"]
        if math.isnan(gap) or gap > allowed:
            return f"its probabilities differ from Keras' {words} {gap:.2g}; {allowed:g} is allowed"
    if row["agreement"] < gate.agreement:
        expected = f"expected {gate.agreement:.0%}"
        return f"it names the same class as Keras for {row['agreement']:.1%} of the pictures; {expected}"
    lost, p_value = row["loss"] or 0.0, row["loss_p_value"]
    if lost > LOSS and p_value is not None and p_value < LEVEL:
        return f"it loses {lost:.1%} accuracy on the test part; {LOSS:.0%} is allowed, or what chance may do"
    return ""
