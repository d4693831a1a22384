"""The rows of a fit, one an epoch, and what is said of them."""

from __future__ import annotations

import numpy as np

from transfer.progress import console
from transfer.stopping import is_stopping

History = list[dict[str, float | str]]
STOPPED = "was stopped by hand"
FAR = 10  # times the loss of equal probabilities: at common rates a loss ends below twice that
# The same where a rate was lowered: one is sought at which the network learns, and not one at which its loss comes down
# to that of equal probabilities, and stays there.
TOO_FAR = 2


def stopped_by_hand(phase: str, history: History) -> None:
    """Note in the last row of a history that Ctrl-C or SIGTERM ended it, and tell the user."""
    history[-1]["stopped_by_hand"] = 1.0
    who, then = ("SIGTERM", "") if is_stopping() else ("hand", "; press Ctrl-C again to give up")
    console.print(f"{phase} stopped by {who} after {len(history)} epochs: the best state so far is kept{then}")


def stops(history: History) -> list[str]:
    """One sentence for each phase of a history that was stopped by hand."""
    return [f"{row['phase']} {STOPPED} after {row['epoch']} epochs" for row in history if "stopped_by_hand" in row]


def lowered(history: History) -> list[str]:
    """One sentence for each phase of a history whose learning rate was lowered, since it had been too high."""
    rates: dict[str, dict] = {}
    for row in history:
        if "lowered_rate" in row:
            rates.setdefault(row["phase"], {"epoch": row["epoch"]})["rate"] = row["lowered_rate"]
    return [
        f"the loss of {phase} was no number or far off, so that its learning rate was lowered: from epoch "
        f"{said['epoch']} on to {said['rate']:g}"
        for phase, said in rates.items()
    ]


def diverged(history: History, classes: int) -> list[str]:
    """One sentence for each phase of a history that ended far from having learned anything, though in numbers."""
    equal = float(np.log(classes))
    last = {row["phase"]: row["loss"] for row in history}
    return [
        f"{phase} ended with a loss of {loss:.3g}, where equal probabilities of all classes give {equal:.2f}: the "
        "learning rate is far too high for it"
        for phase, loss in last.items()
        if loss > FAR * equal
    ]


def in_words(row: dict) -> str:
    """How good a network is after an epoch, for the progress bar."""
    shown = "val_accuracy" if "val_accuracy" in row else "accuracy"
    return f"{shown.replace('val_', 'validation ')} {row[shown]:.3f}"
