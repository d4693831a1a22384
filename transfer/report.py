"""A run folder as one self-contained page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import jinja2
import numpy as np
from matplotlib.figure import Figure

from transfer.model_files import load_model
from transfer.records import read_json
from transfer.scratch import describe_layers
from transfer.writing import whole_file

INK = "#808080"  # legible on a light page and on a dark one
COLOURS = ("#2a78c5", "#e07b22", "#3a9d5d", "#a65bb8")


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run folder, from the files in it.

    The page needs no network and no script; plots are drawn into it as SVG.
    """
    result, config = read_json(folder / "result.json"), read_json(folder / "config.json")
    methods = result.get("methods", {result.get("method", ""): result})
    best = result.get("best", next(iter(methods)))
    chosen = methods[best]
    histories = {name: _history(folder / name if "methods" in result else folder) for name in methods}
    folds = folder / "cross_validation.json"
    said = result.get("in_words", []) + (read_json(folds)["in_words"] if folds.is_file() else [])
    tested = chosen["accuracy"] is not None
    page = _template().render(
        title=f"{Path(config['root']).name}: {', '.join(methods)}",
        lead=_lead(chosen, best),
        command=result["command"],
        methods=methods,
        best=best,
        bars=_draw(_bars, methods, height=0.5 + 0.4 * len(methods)) if tested and len(methods) > 1 else "",
        in_words=said,
        counts={"total": len(config["files"]), "parts": chosen["images"]},
        classes=chosen["classes"],
        notes=sorted({note for method in methods.values() for note in method["notes"]}),
        curves=_draw(_curves, histories),
        per_class=chosen["per_class"],
        confusion=_draw(_confusion, chosen, height=_side(chosen), width=_side(chosen) + 1) if tested else "",
        layers=describe_layers(load_model(folder / "model.keras")),
        versions=config["versions"],
        image_size=chosen["image_size"],
        seed=chosen["seed"],
    )
    target = folder / "report.html"
    with whole_file(target) as partial:
        partial.write_text(page, encoding="utf-8")
    return target


def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("transfer", "templates")
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("report.html")


def _lead(chosen: dict, best: str) -> str:
    if chosen["accuracy"] is None:
        return "There were no test pictures, so nothing can be said about how good the network is."
    low, high = chosen["accuracy_ci95"]
    return (
        f"The {best} network names {chosen['accuracy']:.1%} of {chosen['images']['test']} test pictures rightly "
        f"(95 % interval {low:.1%} to {high:.1%}); always saying the commonest class would be right for "
        f"{_commonest(chosen):.1%}."
    )


def _commonest(method: dict) -> float:
    support = [row["support"] for row in method["per_class"].values()]
    return max(support) / sum(support)


def _draw(plot: Callable, data, height: float = 3.2, width: float = 8.0) -> str:
    """The SVG of a plot without background, so that it fits a light and a dark page."""
    figure = Figure((width, height), layout="constrained")
    plot(figure, data)
    for axes in figure.axes:
        axes.set_facecolor("none")
        axes.tick_params(colors=INK, labelsize=9)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        axes.title.set_color(INK)
        for spine in axes.spines.values():
            spine.set_color(INK)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _bars(figure: Figure, methods: dict) -> None:
    axes = figure.subplots()
    for row, (name, method) in enumerate(reversed(methods.items())):
        value, (low, high) = 100 * method["accuracy"], (100 * end for end in method["accuracy_ci95"])
        axes.barh(row, value, color=COLOURS[0], height=0.6)
        axes.plot([low, high], [row, row], color=INK, linewidth=2)
        axes.text(1, row, name, va="center", color="white", fontsize=9)
    axes.set(xlim=(0, 100), yticks=[], xlabel="accuracy in %, with its 95 % interval")
    axes.spines[["top", "right", "left"]].set_visible(False)


def _curves(figure: Figure, histories: dict) -> None:
    left, right = figure.subplots(1, 2)
    for colour, (name, rows) in zip(COLOURS, histories.items()):
        epochs = range(1, len(rows) + 1)
        for axes, key in ((left, "loss"), (right, "accuracy")):
            axes.plot(epochs, [row.get(key) for row in rows], color=colour, linestyle=":", linewidth=1.2)
            axes.plot(epochs, [row.get(f"val_{key}") for row in rows], color=colour, linewidth=1.8, label=name)
    left.set(xlabel="epoch", ylabel="loss", yscale="log")
    right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
    right.legend(frameon=False, labelcolor=INK, fontsize=9, title="validation; dotted: training", title_fontsize=9)
    right.get_legend().get_title().set_color(INK)


def _confusion(figure: Figure, method: dict) -> None:
    counts, names = np.array(method["confusion"]), method["classes"]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    many = len(names) > 30
    axes.set(xlabel="predicted", ylabel="true class")
    axes.set_xticks(range(len(names)), names if not many else [""] * len(names), rotation=90 if len(names) > 6 else 0)
    axes.set_yticks(range(len(names)), names if not many else [""] * len(names))
    if not many:
        for (row, column), count in np.ndenumerate(counts):
            dark = shares[row, column] > 0.5
            axes.text(column, row, count, ha="center", va="center", fontsize=8, color="white" if dark else "black")


def _side(method: dict) -> float:
    return min(9.0, 2.0 + 0.45 * len(method["classes"]))


def _history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if k != "phase" and v} for row in csv.DictReader(file)]
