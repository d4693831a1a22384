"""Plots of the learning curve, and of accuracy against cost."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from transfer.plots import COLOURS, INK


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
