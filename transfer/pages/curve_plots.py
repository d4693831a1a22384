"""Plots of the learning curve, and of accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from transfer.pages.plots import COLOURS, INK, legend_above

APART = 0.08  # of the axis: two ticks that are nearer than that would write over each other


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
    axes.set_xscale("log")
    axes.set(xlabel="training pictures a class", ylabel="test accuracy in %")
    sizes = [row for row in said["means"] if row["method"] == methods[0]]
    _name_sizes(axes, [row["images"] / said["classes"] for row in sizes], [str(row["per_class"]) for row in sizes])
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    legend_above(axes)


def _name_sizes(axes: Axes, places: Sequence[float], names: Sequence[str]) -> None:
    """Name the sizes on the axis from the largest down; one too near to the next keeps its place without a name."""
    low, high = np.log(axes.get_xlim())
    shown, last = [], np.inf
    for place, name in sorted(zip(places, names), reverse=True):
        at = (np.log(place) - low) / (high - low)
        shown.append((place, name if last - at >= APART else ""))
        last = at if shown[-1][1] else last
    axes.set_xticks(*zip(*shown))
    axes.xaxis.set_minor_locator(NullLocator())


def draw_losses_by_rate(figure: Figure, said: dict) -> None:
    """The loss of each step against its learning rate, smoothed as well; `said`: `rates`, `losses`, `smoothed`,
    `suggested` and `highest`."""
    axes = figure.subplots()
    learned = [loss for rate, loss in zip(said["rates"], said["losses"]) if rate <= said["highest"]]
    spare = 0.1 * (max(learned) - min(learned)) or 1.0
    axes.plot(said["rates"], said["losses"], ".", color=COLOURS[0], markersize=4, alpha=0.5)
    axes.plot(said["rates"], said["smoothed"], color=COLOURS[0], linewidth=1.8, label="smoothed")
    for colour, name in zip(COLOURS[1:], ("suggested", "highest")):
        axes.axvline(said[name], color=colour, linewidth=1.4, linestyle="--", label=name)
    axes.set_xscale("log")
    axes.set_ylim(min(learned) - spare, max(learned) + spare)  # what blows up goes out of it
    axes.set(xlabel="learning rate", ylabel="loss of a step")
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    legend_above(axes)


def draw_accuracy_against_cost(figure: Figure, said: dict) -> None:
    """Cross-validated accuracy against milliseconds a picture, with the Pareto front; `said`: `backbones.json`."""
    axes = figure.subplots()
    times = [row["milliseconds"] for row in said["candidates"]]
    middle = (min(times) * max(times)) ** 0.5
    for row in said["candidates"]:
        x, y = row["milliseconds"], 100 * row["accuracy"]
        chosen = row["label"] == said["recommended"]
        axes.plot([x, x], [100 * end for end in row["ci95"]], color=COLOURS[0], linewidth=1.5, alpha=0.7)
        axes.plot(x, y, "o", color=COLOURS[1 if chosen else 0], markersize=9 if chosen else 6)
        name = f"{row['label']}, {row['image_size']} px" + ("\n(recommended)" if chosen else "")
        place, side = ((-7, 4), "right") if x > middle else ((7, 4), "left")  # towards the middle, where there is room
        axes.annotate(name, (x, y), place, textcoords="offset points", fontsize=9, color=INK, ha=side)
    front = sorted((row["milliseconds"], 100 * row["accuracy"]) for row in said["candidates"] if row["on_front"])
    axes.step(*zip(*front), where="post", color=INK, alpha=0.6, linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 1.6, max(times) * 2.2)  # room for two labels at least
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.set(xlabel="milliseconds a picture", ylabel="cross-validated accuracy in %")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
