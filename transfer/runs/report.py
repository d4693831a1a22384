"""One run or several as one self-contained page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from transfer.data.splits import PARTS
from transfer.learning.results import best_of, refitted
from transfer.networks.model_files import load_model
from transfer.networks.scratch import describe_layers
from transfer.pages import result_plots as draw
from transfer.pages.plots import svg
from transfer.pages.rendering import render
from transfer.reading import confusion_counts, read_json, trained_on
from transfer.runs.saved_runs import SavedResult, read_runs, same_test_pictures
from transfer.runs.shown_pictures import describe_pictures, explain_pictures, least_certain, worst_mistakes
from transfer.statistics.differences import in_words, paired_differences
from transfer.writing import whole_file

# Files that a run may hold besides: NAME.json, whose sentences are `in_words`, and the plot NAME.svg.
MORE = {
    "learning_curve": "With fewer and with more pictures",
    "backbones": "Which backbone",
    "cross_validation": "Over several splits",
}
CONFUSIONS = 12


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
        DataError: the runs were tested on different pictures.
    """
    folders = list({Path(folder).resolve(): Path(folder) for folder in folders}.values())
    saved = read_runs(folders)
    best = best_of({name: each.figures["validation"] for name, each in saved.items()})
    chosen = saved[best]
    model = model or load_model(chosen.folder / "model.keras")
    differences, said = _compared(folders, saved)
    methods = {
        name: each.figures | {"refitted": refitted(each.config["options"], each.figures["images"]["validation"])}
        for name, each in saved.items()
    }
    context = {
        "title": f"{Path(trained_on(chosen.config)).name}: {', '.join(saved)}",
        "data": trained_on(chosen.config),
        "methods": methods,
        "best": best,
        "chosen": methods[best],
        "config": chosen.config,
        "commands": list(dict.fromkeys(each.figures["command"] for each in saved.values() if each.figures["command"])),
        "differences": differences,
        "in_words": said,
        "parts": _class_counts(chosen),
        "notes": sorted({note for each in saved.values() for note in each.figures["notes"]}),
        "findings": _findings(folders),
        "curves": svg(draw.draw_histories, {name: each.history() for name, each in saved.items()}),
        "layers": describe_layers(model),
        "more": [row for folder in folders for row in _more(folder)],
    }
    if chosen.figures["accuracy"] is not None:
        context |= _tested(saved, chosen, model)
    with whole_file(Path(page)) as partial:
        partial.write_text(render("report.html", **context), encoding="utf-8", errors="backslashreplace")
    return Path(page)


def _compared(folders: Sequence[Path], saved: dict[str, SavedResult]) -> tuple[list[dict], list[str]]:
    """(differences in pairs, in words): what the run says of itself, or else worked out."""
    if len(folders) == 1:
        said = read_json(folders[0] / "result.json")
        return said.get("differences", []), said.get("in_words", [])
    differences = paired_differences(same_test_pictures(saved))
    return differences, in_words(differences)


def _tested(saved: dict[str, SavedResult], chosen: SavedResult, model: keras.Model) -> dict:
    """What there is to show only where there were test pictures."""
    figures, tested = chosen.figures, chosen.tested
    classes = len(figures["classes"])
    mistakes = worst_mistakes(tested)
    unsure = least_certain(tested, without=mistakes)
    used, explained = explain_pictures(chosen, model, [*mistakes, *unsure])
    methods = {name: each.figures for name, each in saved.items()}
    return {
        "commonest": max(row["support"] for row in figures["per_class"].values()) / len(tested.labels),
        "bars": svg(draw.draw_accuracies, methods, 0.8 + 0.4 * len(methods)) if len(methods) > 1 else "",
        "classes_plot": svg(draw.draw_classes, figures, draw.classes_height(classes)),
        "confusion": svg(draw.draw_confusion, figures, draw.confusion_side(classes), draw.confusion_side(classes) + 1),
        "confusions": _confusions(figures),
        "reliability": svg(draw.draw_reliability, figures, 4.2, 4.6),
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
    return list({row["message"]: row for path in files for row in read_json(path)["findings"]}.values())


def _more(folder: Path) -> list[dict]:
    """What else was found in this run, with its plot."""
    rows = []
    for name, heading in MORE.items():
        said, plot = folder / f"{name}.json", folder / f"{name}.svg"
        if said.is_file():
            picture = plot.read_text(encoding="utf-8") if plot.is_file() else ""
            rows.append({"heading": heading, "in_words": read_json(said).get("in_words", []), "plot": picture})
    return rows
