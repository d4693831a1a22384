"""What makes sense after a command: one or two others, with the paths of this one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import transfer
from transfer.cli.show import show_line


def show_steps(steps: Sequence[str]) -> None:
    """Print commands, last of all."""
    if steps:
        show_line("Next:")
    for step in steps:
        show_line(f"  {step}")


def typed_path(path: str | Path) -> str:
    """A path as a word of a command, in which one that begins with a dash would be taken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def after_check(data: str, groups: str | None, found) -> list[str]:
    """Of a `Check`: mend what can be mended, or train where nothing speaks against it."""
    same = [typed_path(data), *([] if groups is None else ["--groups", groups])]
    if any(action.action != "keep" for action in transfer.propose_actions(found)):
        return [shlex.join(["transfer", "clean", *same])]
    wrong = any(finding.severity == "problem" for finding in found.findings)
    return [] if wrong else [shlex.join(["transfer", "train", *same])]


def after_train(result, place: Path, also: Sequence = ()) -> list[str]:
    """Of a `Result`: use it, and look at its worst mistake, or measure it where neither test nor `also` did."""
    steps = [_predict(place)]
    indices, probabilities = result.predictions.of("test")
    if not len(indices):
        method = [] if result.method == "frozen" else ["--method", result.method]
        again = ["transfer", "train", typed_path(result.images.data), *method, "--test", "0", "--folds", "5"]
        return steps if also else [*steps, shlex.join(again)]
    from transfer.runs.saved_runs import Tested
    from transfer.runs.shown_pictures import worst_mistakes

    files = [str(result.images.paths[i]) for i in indices]
    mistakes = worst_mistakes(Tested(files, result.images.labels[indices], probabilities), most=1)
    return steps + [shlex.join(["transfer", "explain", typed_path(place), typed_path(files[i])]) for i in mistakes]


def after_compare(comparison, place: Path) -> list[str]:
    """Of a `Comparison`: use its network, or the one that was clearly better on the test pictures."""
    from transfer.statistics.significance import LEVEL  # SciPy takes a second to import

    steps, best = [_predict(place)], comparison.best
    for row in comparison.differences:
        if best in (row["a"], row["b"]) and row["p_value_holm"] is not None and row["p_value_holm"] < LEVEL:
            a_won = row["accuracy_difference"] > 0
            winner = row["a"] if a_won else row["b"]
            steps += [f"{_predict(place / winner)}  # {winner} was clearly better"] if winner != best else []
    return steps


def _predict(place: Path) -> str:
    return f"{shlex.join(['transfer', 'predict', typed_path(place)])} new/*.jpg"
