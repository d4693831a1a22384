"""Plots of the learning curve, and of accuracy against cost."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from transfer.pages.plots import COLOURS, INK


def draw_learning_curve(figure: Figure, said: dict) -> None:
    """Accuracy against training pictures a class, a colour a method: draws, means, fitted law with its interval.

    `said` is what `learning_curve.json` says.
    """
    axes = figure.subplots()
    methods = list(dict.fromkeys(row["method"] for row in said["means"]))
    for colour, method in zip(COLOURS, methods):
        points = [(p["images"] / said["classes"], 100 * p["accuracy"]) for p in said["points"] if p["method"] == method]
        axes.plot(*zip(*points), ".", color=colour, markersize=5, alpha=0.6)
        means = [row for row in said["means"] if row["method"] == method]
        axes.plot(
            [row["images"] / said["classes"] for row in means],
            [100 * row["accuracy"] for row in means],
            marker="o",
            linestyle="" if method in said["laws"] else "-",
            color=colour,
            label=method,
        )
        if method in said["laws"]:
            curve = {name: np.array(values) for name, values in said["laws"][method]["curve"].items()}
            x = curve["pictures"] / said["classes"]
            known = curve["pictures"] <= max(row["images"] for row in means)
            axes.plot(x[known], 100 * (1 - curve["error"][known]), color=colour, linewidth=1.6)
            axes.plot(x[~known], 100 * (1 - curve["error"][~known]), color=colour, linewidth=1.6, linestyle=":")
            axes.fill_between(x, 100 * (1 - curve["high"]), 100 * (1 - curve["low"]), color=colour, alpha=0.15, lw=0)
    sizes = [row for row in said["means"] if row["method"] == methods[0]]
    ticks = [row["images"] / said["classes"] for row in sizes]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(row["per_class"]) for row in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="training pictures a class", ylabel="test accuracy in %")
    axes.grid(color=INK, alpha=0.2)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def draw_accuracy_against_cost(figure: Figure, said: dict) -> None:
    """Cross-validated accuracy against milliseconds a picture, with the Pareto front; `said`: `backbones.json`."""
    axes = figure.subplots()
    for row in said["candidates"]:
        x, y = row["milliseconds"], 100 * row["accuracy"]
        chosen = row["label"] == said["recommended"]
        axes.plot([x, x], [100 * end for end in row["ci95"]], color=COLOURS[0], linewidth=1.5, alpha=0.7)
        axes.plot(x, y, "o", color=COLOURS[1 if chosen else 0], markersize=9 if chosen else 6)
        name = f"{row['label']}, {row['image_size']} px" + (" (recommended)" if chosen else "")
        axes.annotate(name, (x, y), (7, 4), textcoords="offset points", fontsize=8, color=INK)
    front = sorted((row["milliseconds"], 100 * row["accuracy"]) for row in said["candidates"] if row["on_front"])
    axes.step(*zip(*front), where="post", color=INK, alpha=0.6, linewidth=1, linestyle="--")
    axes.set_xscale("log")
    times = [row["milliseconds"] for row in said["candidates"]]
    axes.set_xlim(min(times) / 1.6, max(times) * 3)  # room for the names, and for two labels at least
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.set(xlabel="milliseconds a picture", ylabel="cross-validated accuracy in %")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
