"""One run or several as one self-contained page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from transfer.data.part_names import PARTS
from transfer.errors import DataError
from transfer.learning.interpolation import BY_FOLDS
from transfer.learning.options import options_of_run
from transfer.learning.results import best_of, refitted
from transfer.networks.heads import HEADS
from transfer.networks.model_files import load_model
from transfer.networks.scratch import describe_layers
from transfer.pages import result_plots as draw
from transfer.pages.curve_plots import draw_accuracy_against_cost, draw_learning_curve
from transfer.pages.plots import svg
from transfer.pages.rendering import render
from transfer.reading import confusion_counts, read_json, trained_on
from transfer.runs.documents import read_document
from transfer.runs.headlines import differing_options, headline
from transfer.runs.saved_runs import SavedResult, read_runs, same_test_pictures, short_names
from transfer.runs.shown_pictures import describe_pictures, explain_pictures, least_certain, worst_mistakes
from transfer.statistics.differences import in_words, paired_differences
from transfer.writing import whole_file

# Files NAME.json that a run may hold besides, whose sentences are `in_words`: heading, plot and its height in inches.
MORE = {
    "cross_validation": ("Over several splits", None, 0),
    "learning_curve": ("With fewer and with more pictures", draw_learning_curve, 3.6),
    "backbones": ("Which backbone", draw_accuracy_against_cost, 3.6),
}
CONFUSIONS = 12
NARROW = 12  # classes whose matrix can be read on a telephone; a larger one is moved sideways there


def write_report(folder: str | Path, model: keras.Model | None = None) -> Path:
    """Write `report.html` into a run folder, from the files in it.

    Args:
        folder: of a run.
        model: its network, where that is at hand; else it is loaded.

    Raises:
        ModelFileError: no run, not whole, or of another schema version.
    """
    return build_report([folder], Path(folder, "report.html"), model)


def build_report(folders: Sequence[str | Path], page: str | Path, model: keras.Model | None = None) -> Path:
    """Write one page about one run, or about several that were tested on the same pictures.

    The page needs no network and no script; plots are drawn into it as SVG, pictures as WebP. All
    below the comparison is about the network with the highest accuracy on its validation pictures.

    Args:
        folders: of runs; each may be a comparison.
        page: the file to write.
        model: the best network, where that is at hand; else it is loaded.

    Raises:
        ModelFileError: no run, not whole, or of another schema version.
        DataError: the runs were tested on different pictures, or there is none.
    """
    if not folders:
        raise DataError("no run to report; expected folders of runs")
    folders = list({Path(folder).resolve(): Path(folder) for folder in folders}.values())
    saved = read_runs(folders)
    best, because = _chosen(folders, saved)
    chosen = saved[best]
    model = model or load_model(chosen.folder / "model.keras")
    differences, said = _compared(folders, saved)
    methods = {
        name: each.figures | {"refitted": _refitted(each), "settled": _settled(each)} for name, each in saved.items()
    }
    histories = {name: each.history() for name, each in saved.items()}
    context = {
        "data_name": Path(trained_on(chosen.config)).name,
        "data": trained_on(chosen.config),
        "methods": methods,
        "best": best,
        "because": because,
        "chosen": methods[best],
        "config": chosen.config,
        "commands": list(dict.fromkeys(each.figures["command"] for each in saved.values() if each.figures["command"])),
        "differing": differing_options(saved),
        "differences": differences,
        "in_words": said,
        "parts": _class_counts(chosen),
        "notes": sorted({note for each in saved.values() for note in each.figures["notes"]}),
        "findings": _findings(folders),
        "curves": [svg(plot, histories, 3.0) for plot in (draw.draw_losses, draw.draw_accuracies)],
        "in_phases": any(map(draw.later_phases, histories.values())),
        "layers": describe_layers(model),
        "more": [row for folder, name in zip(folders, short_names(folders)) for row in _more(folder, name, folders)],
    }
    if chosen.figures["accuracy"] is not None:
        context |= _tested(saved, best, model, _folds(folders, saved))
    with whole_file(Path(page)) as partial:
        partial.write_text(render("report.html", **context), encoding="utf-8", errors="backslashreplace")
    return Path(page)


def _chosen(folders: Sequence[Path], saved: dict[str, SavedResult]) -> tuple[str, str]:
    """(the network that the page is about, why): what a comparison says of its own choice, else by validation."""
    if len(folders) == 1 and (said := read_json(folders[0] / "result.json").get("chosen")):
        return said["method"], said["because"]
    return best_of({name: each.figures["validation"] for name, each in saved.items()}), ""


def _compared(folders: Sequence[Path], saved: dict[str, SavedResult]) -> tuple[list[dict], list[str]]:
    """(differences in pairs, in words): what the run says of itself, or else worked out."""
    if len(folders) == 1:
        said = read_json(folders[0] / "result.json")
        return said.get("differences", []), said.get("in_words", [])
    differences = paired_differences(same_test_pictures(saved))
    return differences, in_words(differences)


def _refitted(run: SavedResult) -> bool:
    options = run.config["options"]
    validation = run.figures["images"]["validation"]
    return options["method"] != "scratch" and refitted(options_of_run(options), validation)


def _settled(run: SavedResult) -> str:
    """What the validation part of a run chooses."""
    options = run.config["options"]
    kept = {"finetune": "how much of fine-tuning is kept", "scratch": "the epoch"}
    of_method = kept.get(options["method"], "" if HEADS[options["head"]].convex else "the epoch")
    if any(BY_FOLDS in note for note in run.figures["notes"]):
        return f"the temperature and, in folds with the training pictures, {of_method}"
    return " and ".join(filter(None, [of_method, "the temperature"]))


def _folds(folders: Sequence[Path], saved: dict[str, SavedResult]) -> dict | None:
    """What the folds of a run say, where the page is about that one network."""
    path = folders[0] / "cross_validation.json"
    said = read_document(path) if len(saved) == 1 and path.is_file() else {}
    return said if "pooled" in said else None


def _tested(saved: dict[str, SavedResult], best: str, model: keras.Model, folds: dict | None) -> dict:
    """What there is to show only where there were test pictures; classes and confusions over all folds."""
    chosen = saved[best]
    answered = folds["pooled"] if folds else chosen.figures
    classes, side = len(answered["classes"]), draw.confusion_side(len(answered["classes"]))
    mistakes = worst_mistakes(chosen.tested)
    unsure = least_certain(chosen.tested, without=mistakes)
    used, explained = explain_pictures(chosen, model, [*mistakes, *unsure])
    return {
        "headline": headline(saved, best, folds),
        "folds": folds,
        "answered": answered,
        "classes_plot": svg(draw.draw_classes, answered, draw.classes_height(classes)),
        "confusion": svg(draw.draw_confusion, answered, side, side + 1),
        "matrix": (f"{22 * classes}px" if NARROW < classes <= draw.MOST_NAMES else "0", f"{side + 1:.1f}in"),
        "confusions": _confusions(answered),
        "reliability": svg(draw.draw_reliability, chosen.figures, 4.2, 4.6),
        "mistakes": describe_pictures(chosen, mistakes),
        "unsure": describe_pictures(chosen, unsure),
        "looked_with": used,
        "explained": explained,
    }


def _confusions(figures: dict) -> list[dict]:
    """The pairs of classes most often taken for each other, by number of pictures."""
    counts = confusion_counts(figures)
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = [divmod(int(place), len(counts)) for place in order]
    names, support = figures["classes"], counts.sum(axis=1)
    return [
        {"true": names[t], "predicted": names[p], "pictures": int(wrong[t, p]), "share": wrong[t, p] / support[t]}
        for t, p in pairs
        if wrong[t, p]
    ]


def _class_counts(saved: SavedResult) -> dict[str, dict[str, int]]:
    """Number of pictures of each class in each part."""
    counts = Counter((file["class"], file["part"]) for file in saved.config["files"].values())
    return {name: {part: counts[name, part] for part in PARTS} for name in saved.config["classes"]}


def _findings(folders: Sequence[Path]) -> list[dict]:
    """What `check.json` of the runs tells, each once; an older run has none."""
    files = [path for folder in folders if (path := folder / "check.json").is_file()]
    return list({row["message"]: row for path in files for row in read_document(path)["findings"]}.values())


def _more(folder: Path, name: str, folders: Sequence[Path]) -> list[dict]:
    """What else was found in this run, with its plot, drawn anew from the figures."""
    rows = []
    for file, (heading, plot, height) in MORE.items():
        if (path := folder / f"{file}.json").is_file():
            said = read_document(path)
            rows.append(
                {
                    "heading": heading if len(folders) == 1 else f"{heading}: {name}",
                    "in_words": said.get("in_words", []),
                    # A choice of backbones tells how many folds it had, and no row of any.
                    "folds": said.get("folds", []) if file == "cross_validation" else [],
                    "plot": svg(plot, said, height) if plot else "",
                }
            )
    return rows
