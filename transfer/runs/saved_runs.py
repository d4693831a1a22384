"""Run folders read again without their networks, and compared where they were tested on the same pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.data.tables import some
from transfer.errors import DataError, ModelFileError, first_line
from transfer.reading import read_rows, run_config
from transfer.runs.answer_tables import read_answers
from transfer.runs.documents import read_document
from transfer.statistics.differences import Answers

UNKNOWN_BEFORE = {"caveats": [], "cached": []}  # figures that older runs do not tell


class Tested(NamedTuple):
    """The answers to the test part: `(N,)` file names and class indices, `(N, C)` probabilities."""

    files: list[str]
    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class SavedResult:
    """One trained network as its folder tells of it.

    Attributes:
        folder: of the run, or of one method of a comparison.
        figures: what `result.json` says; config: what `config.json` says.
    """

    folder: Path
    figures: dict
    config: dict

    @cached_property
    def tested(self) -> Tested:
        """The test part of `predictions.csv`."""
        answers = read_answers(self.folder, self.config["classes"])
        mine = np.flatnonzero(answers.parts == "test")
        files = [answers.files[i] for i in mine]
        unknown = [name for name in files if name not in self.config["files"]]
        if unknown:
            raise ModelFileError(
                f"{self.folder / 'predictions.csv'} has a picture {unknown[0]} that config.json beside it does not "
                "know; one of the two is of another run"
            )
        return Tested(files, answers.labels[mine], answers.probabilities[mine])

    def history(self) -> list[dict[str, float]]:
        """One row an epoch, from `history.csv`."""
        path = self.folder / "history.csv"
        columns, *epochs = read_rows(path)
        try:
            return [{k: float(v) for k, v in zip(columns, row) if k != "phase" and v} for row in epochs]
        except ValueError as error:
            raise ModelFileError(f"{path} is damaged ({first_line(error)}); expected a whole run folder") from error

    def path(self, file: str) -> Path:
        """Where a picture was when the network was trained."""
        return Path(self.config["root"], file)

    def answers(self) -> Answers:
        """The test part for a comparison; a picture is known by its content and class, not by its name."""
        files, tested = self.config["files"], self.tested
        known, keys = Counter(), []
        for name in tested.files:
            content = f"{files[name]['digest']} {files[name]['class']}"
            known[content] += 1
            keys.append(f"{content} {known[content]}")
        groups = [files[name].get("group") for name in tested.files]
        in_groups = any(group is not None for group in groups)
        return Answers(
            np.array(keys), tested.labels, tested.probabilities.argmax(axis=1), np.array(groups) if in_groups else None
        )


def read_run(folder: Path) -> dict[str, SavedResult]:
    """The networks of a run by method.

    Raises:
        ModelFileError: no run, not whole, or of another schema version.
    """
    config = run_config(folder, "result.json", "check.json")
    said = read_document(folder / "result.json")
    if "methods" not in said:
        return {config["options"]["method"]: _saved(folder, UNKNOWN_BEFORE | said)}
    of_all, networks = said.get("caveats", []), {}
    for name, figures in said["methods"].items():
        figures = UNKNOWN_BEFORE | figures
        caveats = list(dict.fromkeys([*of_all, *figures["caveats"]]))
        networks[name] = _saved(folder / name, figures | {"caveats": caveats})
    return networks


def _saved(folder: Path, figures: dict) -> SavedResult:
    path, config = folder / "result.json", run_config(folder, "predictions.csv", "history.csv")
    if figures["classes"] != config["classes"]:
        raise ModelFileError(f"{path} names other classes than config.json beside it; one of the two is of another run")
    return SavedResult(folder, figures, config)


def read_runs(folders: Sequence[Path]) -> dict[str, SavedResult]:
    """The networks of several runs under names that tell them apart."""
    runs = {folder: read_run(folder) for folder in folders}
    if len(runs) == 1:
        return next(iter(runs.values()))
    named = {}
    for name, methods in zip(short_names(list(runs)), runs.values()):
        named |= {name if len(methods) == 1 else f"{name}: {method}": saved for method, saved in methods.items()}
    return named


def short_names(folders: Sequence[Path]) -> list[str]:
    """What tells folders apart: the last names of their paths, as few as do it."""
    paths = [folder.resolve().parts for folder in folders]
    longest = max(map(len, paths))
    depth = next((d for d in range(1, longest) if len({path[-d:] for path in paths}) == len(paths)), longest)
    return [Path(*path[-depth:]).as_posix() for path in paths]


def same_test_pictures(saved: Mapping[str, SavedResult]) -> dict[str, Answers]:
    """The answers of networks that were tested on the same pictures.

    Raises:
        DataError: their classes, labels or test pictures differ; the message names them.
    """
    first, *others = saved
    answers = {name: each.answers() for name, each in saved.items()}
    for name in others:
        known, here = saved[first].figures["classes"], saved[name].figures["classes"]
        if known != here:
            odd = sorted(set(known) ^ set(here))
            raise DataError(f"{first} and {name} know different classes ({some(odd)}); compare runs on the same data")
        if relabelled := _relabelled(saved[first], saved[name]):
            raise DataError(
                f"{first} and {name} know test pictures in different classes: {some(relabelled)}; "
                "train both on the same labels"
            )
        only = [_only(saved, answers, a, b) for a, b in ((first, name), (name, first))]
        if any(only):
            raise DataError(
                f"{first} and {name} were tested on different pictures: {' and '.join(filter(None, only))}; "
                "train both on the same data with the same `seed`"
            )
    return answers


def _relabelled(a: SavedResult, b: SavedResult) -> list[str]:
    """Test pictures that are in another class for B, with both classes."""
    files_of_a, files_of_b = ([run.config["files"][name] for name in run.tested.files] for run in (a, b))
    known = defaultdict(set)
    for file in files_of_b:
        known[file["digest"]].add(file["class"])
    return [
        f"{name} ({file['class']} and {', '.join(sorted(known[file['digest']]))})"
        for name, file in zip(a.tested.files, files_of_a)
        if file["digest"] in known and file["class"] not in known[file["digest"]]
    ]


def _only(saved: Mapping[str, SavedResult], answers: Mapping[str, Answers], a: str, b: str) -> str:
    """What was in the test part of one run alone, in words."""
    missing = np.flatnonzero(~np.isin(answers[a].keys, answers[b].keys))
    files = saved[a].tested.files
    return f"{len(missing)} only in {a} ({some(files[i] for i in missing)})" if len(missing) else ""
