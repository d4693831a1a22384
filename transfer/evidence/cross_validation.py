"""The same training on every fold: mean and spread of its figures, and those of all answers together."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from transfer.cache import keep_content, kept_content
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split
from transfer.errors import DataError
from transfer.evidence.preparation import prepare
from transfer.learning.checkpoints import until_kept
from transfer.learning.methods import train
from transfer.learning.options import TrainingOptions, options_from
from transfer.learning.results import Predictions
from transfer.pages.plots import svg
from transfer.pages.result_plots import confusion_side, draw_confusion
from transfer.progress import bar
from transfer.runs.answer_tables import answer_table
from transfer.statistics.evaluation import evaluate_probabilities
from transfer.statistics.intervals import units
from transfer.writing import write_json, write_rows

FIGURES = ("accuracy", "balanced_accuracy", "log_loss")


@dataclass(frozen=True)
class CrossValidation:
    """Figures of one training on the test part of each fold.

    Attributes:
        rows: one dict a fold: `fold`, `train`, `validation`, `test` (numbers of pictures), `accuracy`,
            `balanced_accuracy` (0..1) and `log_loss` (nats).
        pooled: figures of all answers together, see `pooled_figures`.
        answers: a header and one row an answer: `file`, `fold`, `label`, `predicted`, `probability`, and
            `answer_tables.further_columns`.
        notes: what the user should know, one sentence each.
        unfinished: where the folds wait until `save_run` writes them.
    """

    rows: list[dict]
    pooled: dict
    answers: list[list]
    notes: tuple[str, ...] = ()
    unfinished: Path | None = None

    def __repr__(self) -> str:
        accuracy = self.summary()["accuracy"]
        return f"CrossValidation({len(self.rows)} folds, accuracy {accuracy['mean']:.3f} +- {accuracy['spread']:.3f})"

    def summary(self) -> dict[str, dict[str, float]]:
        """`mean` and `spread` (standard deviation over folds) of each figure.

        Folds share training pictures, so that the spread over the root of their number is too small
        for an error of the mean (Bengio & Grandvalet 2004).
        """
        values = {name: [row[name] for row in self.rows] for name in FIGURES}
        return {name: {"mean": float(np.mean(v)), "spread": float(np.std(v, ddof=1))} for name, v in values.items()}

    def in_words(self) -> list[str]:
        """The figures as sentences."""
        accuracy, balanced = (self.summary()[name] for name in FIGURES[:2])
        pooled = self.pooled
        ends = {name: "{:.1f} to {:.1f}".format(*(100 * end for end in pooled[f"{name}_ci95"])) for name in FIGURES[:2]}
        return [
            f"over {len(self.rows)} folds, accuracy {accuracy['mean']:.1%} +- {accuracy['spread']:.1%}, "
            f"balanced {balanced['mean']:.1%} +- {balanced['spread']:.1%} (spread from fold to fold)",
            f"all {pooled['answers']:,} answers to {pooled['pictures']:,} pictures together, each by a network that "
            f"had not seen the picture: accuracy {pooled['accuracy']:.1%} (95% interval {ends['accuracy']}), "
            f"balanced {pooled['balanced_accuracy']:.1%} ({ends['balanced_accuracy']})",
        ]

    def as_dict(self) -> dict:
        """What `cross_validation.json` says."""
        return {
            "summary": self.summary(),
            "pooled": self.pooled,
            "in_words": self.in_words(),
            "folds": self.rows,
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> None:
        """Write `cross_validation.csv`, `.json` and `.svg`, the pooled confusion matrix, into a run folder."""
        write_rows(folder / "cross_validation.csv", self.answers)
        write_json(folder / "cross_validation.json", self.as_dict())
        side = confusion_side(len(self.pooled["classes"]))
        (folder / "cross_validation.svg").write_text(svg(draw_confusion, self.pooled, side, side + 1), encoding="utf-8")


def cross_validate(
    images: LabelledImages,
    splits: Sequence[Split],
    backbone: keras.Model | str | None = None,
    method: str = "frozen",
    options: TrainingOptions | None = None,
    **changed,
) -> CrossValidation:
    """Train and evaluate on each of several splits; every picture is decoded once for all of them.

    A fold that is done is kept in the cache until `save_run` writes all of them: what was broken off goes on
    with the next one. A training that was stopped by hand counts, and is not kept.

    Args:
        images: from `load_images`.
        splits: from `folds`, two or more.
        backbone, method, options, changed: as for `train`.

    Raises:
        DataError: no splits.
    """
    if isinstance(splits, Split) or not splits:
        raise DataError("there are no splits to train on in turn; expected those that transfer.folds returns")
    options = options_from(options, changed)
    shared = prepare(images, splits[0], backbone, options, method)
    place = shared.unfinished(f"folds of {method}", options)
    given = options.beside_network()
    same = dict(pictures=shared.pictures, labels=shared.labels)
    rows, found, notes = [], [], {}
    with bar("folds", len(splits)) as advance:
        for number, split in enumerate(splits, start=1):
            kept = place / split.digest(images.digests)
            fold = _take_up(kept)
            if fold is None:
                with until_kept():
                    result = train(images, split, shared.network, method, given, **same)
                    fold = _Fold(
                        {part: len(indices) for part, indices in result.split.parts().items()}
                        | {name: result.metrics[name] for name in FIGURES},
                        result.notes,
                        *result.predictions.of("test"),
                    )
                    if not result.stopped_by_hand:
                        _keep(fold, kept)
            rows.append({"fold": number, **fold.figures})
            found.append((fold.indices, np.full(len(fold.indices), number), fold.probabilities))
            notes |= dict.fromkeys(fold.notes)
            advance()
    answers = Predictions(*map(np.concatenate, zip(*found)))
    pooled = pooled_figures(images, answers)
    return CrossValidation(rows, pooled, answer_table(answers, images, "fold"), tuple(notes), place)


class _Fold(NamedTuple):
    """Figures and notes of one training, and its answers to the test part: `(M,)` positions, `(M, C)`."""

    figures: dict
    notes: list[str]
    indices: np.ndarray
    probabilities: np.ndarray


def _keep(fold: _Fold, place: Path) -> None:
    written = io.BytesIO()
    said = json.dumps([fold.figures, fold.notes])
    np.savez(written, said=said, indices=fold.indices, probabilities=fold.probabilities)
    keep_content(place, written.getvalue())


def _take_up(place: Path) -> _Fold | None:
    kept = kept_content(place)
    if kept is None:
        return None
    with np.load(io.BytesIO(kept), allow_pickle=False) as file:
        return _Fold(*json.loads(str(file["said"])), file["indices"], file["probabilities"])


def pooled_figures(images: LabelledImages, answers: Predictions) -> dict:
    """The figures of all test answers together, each by a network that had not seen the picture.

    A fold may hold one picture of a class or none, so that F1 and recall are those of the pooled counts, not
    means over folds. Areas under ROC curves are left away: they would rank the outputs of one network among
    those of others (Forman & Scholz 2010, doi:10.1145/1882471.1882479).

    With repeats a picture has several answers. Their mean would be that of an ensemble, which is better than
    the network that is to be judged; so all count, and intervals follow from drawing pictures (or groups) with
    all their answers. Folds share training pictures, which no interval of this kind knows: it is
    somewhat too narrow (Bates, Hastie & Tibshirani 2023, arXiv:2104.00673).

    Args:
        images: from `load_images`.
        answers: test answers of all folds.

    Returns:
        What `evaluate_probabilities` gives, without those areas, and the numbers of `answers` and `pictures`;
        `support` and `confusion` count answers.
    """
    unit = units(len(images), images.groups)[answers.indices].astype(str)
    labels = images.labels[answers.indices]
    figures = evaluate_probabilities(labels, answers.probabilities, images.class_names, list(unit))
    return {
        "answers": len(labels),
        "pictures": len(np.unique(answers.indices)),
        "classes": list(images.class_names),
        **_without_areas(figures),
        "per_class": {name: _without_areas(row) for name, row in figures["per_class"].items()},
        "intervals_over": "pictures" if images.groups is None else "groups",
    }


def _without_areas(figures: dict) -> dict:
    return {name: value for name, value in figures.items() if not name.startswith("roc_auc")}
