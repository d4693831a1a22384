"""Plots of what `result.json` and `history.csv` say. Each takes a figure of Matplotlib and the data to draw on it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter
from rich.cells import cell_len

from transfer.pages.plots import COLOURS, INK, legend_above
from transfer.reading import confusion_counts

MOST_NAMES = 30  # more names than that cannot be read beside each other
LEAST, MOST = 20, 10  # classes drawn where there are too many: the worst and the best


def draw_losses(figure: Figure, histories: dict[str, list[dict]]) -> None:
    """Loss by epoch, a colour a network: validation drawn through, training dotted."""
    axes = _by_epoch(figure, histories, "loss", 1)
    axes.set(ylabel="loss", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_accuracies(figure: Figure, histories: dict[str, list[dict]]) -> None:
    """The same of accuracy."""
    _by_epoch(figure, histories, "accuracy", 100).set(ylabel="accuracy in %")


def _by_epoch(figure: Figure, histories: dict[str, list[dict]], key: str, factor: float) -> Axes:
    axes = figure.subplots()
    # The first on top: a network that is fine-tuned begins with the very head of the frozen one before it.
    for row, epochs in reversed(list(enumerate(histories.values()))):
        numbers = range(1, len(epochs) + 1)
        marker = "o" if len(epochs) == 1 else None  # one point makes no line
        for column, style in ((key, ":"), (f"val_{key}", "-")):
            values = [factor * epoch.get(column, np.nan) for epoch in epochs]
            axes.plot(numbers, values, style, marker=marker, color=COLOURS[row % len(COLOURS)], linewidth=1.8)
        for begun in later_phases(epochs):
            axes.axvline(begun + 0.5, color=COLOURS[row % len(COLOURS)], linewidth=0.8)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def later_phases(epochs: list[dict]) -> list[int]:
    """Positions of the rows with which a further phase begins, such as fine-tuning behind its head."""
    return [place for place, epoch in enumerate(epochs) if place and epoch.get("epoch") == 1]


def draw_confusion(figure: Figure, method: dict) -> None:
    """Rows are true classes, shaded by the share of the row; counts and names only where they can be read."""
    counts, names = confusion_counts(method), method["classes"]
    shares = counts.astype(np.float32)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    axes = figure.subplots()
    colours = np.full((*shares.shape, 4), np.round(255 * np.array(to_rgba(COLOURS[0]))), np.uint8)
    colours[..., 3] = np.round(255 * shares)  # clear where there is nothing, on a light page and on a dark one
    axes.imshow(colours, interpolation="none")
    axes.set(xlabel="predicted", ylabel="true class")
    if len(names) > MOST_NAMES:
        axes.set(xticks=[], yticks=[])
        return
    slanted = max(map(cell_len, names)) * len(names) > 30  # a Chinese letter is as wide as two
    how = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(range(len(names)), [_short(name) for name in names], **how)
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, count, ha="center", va="center", fontsize=10 if len(names) < 16 else 7, color=INK)


def confusion_side(classes: int) -> float:
    """Side of that plot in inches."""
    return min(9.0, 2.0 + 0.4 * classes)


def draw_classes(figure: Figure, method: dict) -> None:
    """Recall, precision and F1 of each class, the worst F1 on top; of many classes the worst and the best."""
    rows = sorted(((row["f1"], name, row) for name, row in method["per_class"].items() if row["support"]))
    if len(rows) > LEAST + MOST:
        rows = [*rows[:LEAST], *rows[-MOST:]]
    axes = figure.subplots()
    keys = (("recall", -0.24), ("precision", 0.0), ("f1", 0.24))
    for (key, offset), colour in zip(keys, COLOURS):
        places = [place + offset for place in range(len(rows))]
        label = "F1" if key == "f1" else key
        shares = [np.nan if row[key] is None else 100 * row[key] for *_, row in rows]
        axes.plot(shares, places, "o", color=colour, markersize=5, label=label)
        for place, (*_, row) in zip(places, rows):
            if interval := row[f"{key}_ci95"]:
                axes.plot([100 * end for end in interval], [place, place], color=colour, linewidth=2, alpha=0.5)
    axes.set_yticks(range(len(rows)), [f"{_short(name)} ({row['support']})" for _, name, row in rows])
    axes.set(xlim=(-2, 102), ylim=(len(rows) - 0.5, -0.5), xlabel="%, with 95 % intervals")
    axes.grid(axis="x", color=INK, alpha=0.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    legend_above(axes)


def classes_height(classes: int) -> float:
    """Height of that plot in inches."""
    return 1.0 + 0.42 * min(classes, LEAST + MOST)


def draw_reliability(figure: Figure, method: dict) -> None:
    """Accuracy against confidence; on the diagonal a probability means what it says."""
    curve, axes = method["reliability"], figure.subplots()
    axes.plot([0, 100], [0, 100], color=INK, linewidth=1, alpha=0.5)
    most = max(row["pictures"] for row in curve)
    for row in curve:
        x = 100 * row["confidence"]
        axes.plot([x, x], [100 * end for end in row["ci95"]], color=COLOURS[0], linewidth=2, alpha=0.45)
        axes.plot(x, 100 * row["accuracy"], "o", color=COLOURS[0], markersize=4 + 8 * (row["pictures"] / most) ** 0.5)
    axes.set(xlim=(0, 102), ylim=(-2, 102), xlabel="confidence in %", ylabel="of these named rightly, in %", aspect=1)
    axes.grid(color=INK, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def _short(name: str, most: int = 24) -> str:
    shown = name if len(name) <= most else f"{name[: most - 1]}…"
    shown = shown.encode("utf-8", "backslashreplace").decode()  # a folder's name may be no UTF-8
    return shown.replace("$", r"\$")  # else Matplotlib reads a formula
