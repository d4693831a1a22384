"""Accuracy against the number of training pictures, for frozen, fine-tuned and from scratch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from transfer.cache import is_kept, keep_content, kept_content
from transfer.data.folders import LabelledImages
from transfer.data.splits import Split, limit_training
from transfer.errors import require_whole
from transfer.evidence import curve_words
from transfer.evidence.amounts import checked_sizes, training_counts
from transfer.evidence.preparation import Prepared, prepare
from transfer.learning.methods import train
from transfer.learning.options import TrainingOptions, options_from, options_of_method
from transfer.learning.results import Result
from transfer.names import METHODS, check_methods
from transfer.pages import plots
from transfer.pages.curve_plots import draw_learning_curve
from transfer.progress import console
from transfer.reading import read_json
from transfer.statistics.power_laws import LEAST_POINTS, LEAST_SIZES, PowerLaw, fit_power_law
from transfer.writing import write_json, write_table

ALL = "all"
COLUMNS = ("method", "per_class", "draw", "images", "accuracy")


@dataclass(frozen=True)
class LearningCurve:
    """Accuracies on one fixed test part after training on more and more pictures.

    Attributes:
        points: one dict a training: `method`, `per_class` (pictures a class, or `all`), `draw`,
            `images` (training pictures in all) and `accuracy` (0..1).
        laws: by method, error against the number of training pictures; `None` where there are too few points.
        classes: how many there are.
        tested: number of test pictures, the same for every point.
        notes: what the user should know, one sentence each.
        unfinished: where the points wait until `save_run` writes the curve.
    """

    points: list[dict]
    laws: dict[str, PowerLaw | None]
    classes: int
    tested: int
    notes: tuple[str, ...]
    unfinished: Path

    def __repr__(self) -> str:
        ends = {row["method"]: row["accuracy"] for row in self.means()}
        said = ", ".join(f"{method} up to {accuracy:.3f}" for method, accuracy in ends.items())
        return f"LearningCurve({len(self.points)} trainings: {said}; {self.tested} test pictures)"

    def means(self) -> list[dict]:
        """One dict a method and size: mean `accuracy`, its `spread` over draws, mean number of `images`."""
        rows = []
        for method, size in dict.fromkeys((point["method"], point["per_class"]) for point in self.points):
            mine = [p for p in self.points if (p["method"], p["per_class"]) == (method, size)]
            accuracies = [point["accuracy"] for point in mine]
            images = float(np.mean([point["images"] for point in mine]))
            spread = float(np.std(accuracies, ddof=1)) if len(mine) > 1 else None
            rows.append(
                {"method": method, "per_class": size, "images": images, "draws": len(mine)}
                | {"accuracy": float(np.mean(accuracies)), "spread": spread}
            )
        return rows

    def in_words(self) -> list[str]:
        """How many times the pictures each method needs for the same accuracy, and what more of them would bring."""
        return curve_words.sentences(self.means(), self.laws)

    def as_dict(self) -> dict:
        """What `learning_curve.json` says; fitted errors are given at 100 numbers of pictures."""
        seen = np.array([point["images"] for point in self.points])
        pictures = np.geomspace(seen.min(), 2 * seen.max(), 100)
        return {
            "points": self.points,
            "means": self.means(),
            "laws": {name: _described(law, pictures) for name, law in self.laws.items() if law},
            "classes": self.classes,
            "tested": self.tested,
            "in_words": self.in_words(),
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> None:
        """Write `learning_curve.csv`, `.json` and `.svg` into a run folder."""
        said = self.as_dict()
        write_table(folder / "learning_curve.csv", COLUMNS, self.points)
        write_json(folder / "learning_curve.json", said)
        (folder / "learning_curve.svg").write_text(plots.svg(draw_learning_curve, said, height=4.5), encoding="utf-8")


def learning_curve(
    images: LabelledImages,
    split: Split,
    backbone: keras.Model | str | None = None,
    methods: Sequence[str] = METHODS,
    sizes: Sequence[int] | None = None,
    draws: int = 3,
    options: TrainingOptions | None = None,
    **changed,
) -> LearningCurve:
    """Train each method on 5, 10, 20, 50, ... pictures a class and on all, and measure each time on the same test part.

    A smaller draw is part of the larger one with the same number. The validation part shrinks with
    the training part, as it would in a smaller collection. The frozen backbone sees each picture
    once in all. Points are kept in the cache until `save_run` writes the curve, so that one that
    was broken off goes on where it stopped. A `Comparison` of the same pictures that waits there gives
    the points of all pictures.

    Args:
        images: from `load_images`.
        split: from `split`; its test part is used whole, every time.
        backbone: for `frozen` and `finetune`, see `train`; `scratch` is a convnet for pictures of the same
            size, with the layers that `settings` has for so many pictures unless `layers` says which.
        methods: of `frozen`, `finetune` and `scratch`.
        sizes: training pictures a class, below what the largest class has; all pictures come last by
            themselves. A smaller class gives what it has.
        draws: how often pictures are drawn for each size, from 1 up; all pictures are taken once.
        options, changed: see `compare`; `seed` is that of the draws, too.

    Raises:
        DataError: there are no test pictures.
        OptionError: no method, a size that the data does not have, or no draw.
        UnknownNameError: no such method or option.
    """
    check_methods(methods)
    options = replace(options_from(options, changed), refit=False)
    sizes = checked_sizes(sizes, images, split)
    require_whole("draws", draws)
    shared = prepare(images, split, backbone, options)
    asked = {method: options_of_method(options, method, methods) for method in METHODS}
    place = shared.unfinished("learning curve", *asked.values())
    done = json.loads(kept_content(place / "points") or "{}")
    points, stopped = [], []
    for method in methods:
        for per_class, draw in [(n, d) for n in sizes for d in range(draws)] + [(ALL, 0)]:
            key = f"{method} {per_class} {draw}"
            point = done.get(key)
            if point is None and per_class == ALL:
                point = _compared(shared.unfinished(method, asked[method]))
            if point is None:
                result = _trained_on(images, split, shared, method, asked[method], per_class, draw)
                point = {"images": len(result.split.train), "accuracy": result.metrics["accuracy"]}
                if result.stopped_by_hand:
                    stopped.append(f"{method}, {per_class} a class, draw {draw + 1}, was stopped by hand")
                else:
                    done[key] = point
                    keep_content(place / "points", json.dumps(done).encode())
                if console.is_terminal:
                    console.print(f"{method}, {per_class} a class, draw {draw + 1}: {point['accuracy']:.1%}")
            points.append({"method": method, "per_class": per_class, "draw": draw, **point})
    laws = {name: _fitted([point for point in points if point["method"] == name]) for name in methods}
    notes = (*stopped, *_notes(images, split, sizes, laws))
    return LearningCurve(points, laws, len(images.class_names), len(split.test), notes, place)


def _trained_on(
    images: LabelledImages,
    split: Split,
    shared: Prepared,
    method: str,
    options: TrainingOptions,
    per_class: int | str,
    draw: int,
) -> Result:
    """Train a method on so many pictures of each class, or on all of them."""
    seed = (options.seed + draw) % 2**32  # where the seeds of Keras end
    if per_class != ALL:
        split = limit_training(split, images.labels, per_class, seed, validation_too=True)
    if method == "scratch":
        network, labels = None, None
        options = replace(options, weights=None, features=None, image_size=shared.size)
    else:
        network, labels, options = shared.network, shared.labels, options.beside_network()
    return train(images, split, network, method, options, seed=seed, pictures=shared.pictures, labels=labels)


def _compared(place: Path) -> dict | None:
    """The point of all pictures, where `compare` has made the same training."""
    if not is_kept(place):
        return None
    said = read_json(place / "result.json")
    return {"images": said["images"]["train"], "accuracy": said["accuracy"]}


def _fitted(points: list[dict]) -> PowerLaw | None:
    pictures = np.array([point["images"] for point in points])
    return fit_power_law(pictures, 1 - np.array([point["accuracy"] for point in points]))


def _described(law: PowerLaw, pictures: np.ndarray) -> dict:
    low, high = law.interval(pictures)
    ends = {name: np.percentile(law.draws[:, i], [2.5, 97.5]).tolist() for i, name in enumerate("abc")}
    numbers = {name: getattr(law, name) for name in "abc"}
    curve = {"pictures": pictures, "error": law.error(pictures), "low": low, "high": high}
    return {**numbers, "ci95": ends, "curve": {name: values.tolist() for name, values in curve.items()}}


def _notes(images: LabelledImages, split: Split, sizes: list[int], laws: dict) -> tuple[str, ...]:
    counts = training_counts(images, split)
    notes = []
    small = [name for name, count in zip(images.class_names, counts) if sizes and count < sizes[-1]]
    if small:
        notes.append(
            f"{len(small)} of {len(counts)} classes have fewer than {sizes[-1]} training pictures and give all they "
            "have to the larger sizes: the mix of classes nears that of the test part with the size, and part of what "
            "more pictures seem to bring is that"
        )
    if None in laws.values():
        notes.append(
            f"no curve is fitted: that needs {LEAST_SIZES} sizes or more, all pictures among them, and "
            f"{LEAST_POINTS} points"
        )
    return tuple(notes)
