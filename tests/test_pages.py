"""What pages are made of, without any network."""

import re

import numpy as np
import pytest

from transfer.pages import curve_plots, plots, result_plots
from transfer.pages.rendering import render
from transfer.pages.wording import percent, without_place, without_places


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [
        (0.998, 1, "99.8"), (0.9996, 1, "> 99.9"), (1.0, 1, "100.0"), (0.0002, 1, "< 0.1"), (0.0, 1, "0.0"),
        (0.996, 0, "> 99"), (0.2, 0, "20"), (0.845, 1, "84.5"),
    ],
)  # fmt: skip
def test_what_is_not_all_is_never_said_to_be_100(share, digits, said):
    assert percent(share, digits) == f"{said}\u00a0%"


def test_a_share_of_nothing_is_a_dash():
    assert percent(None) == "-"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("transfer train /data/flowers --out /tmp/x/runs/a/", "transfer train …/flowers --out …/a"),
        ("transfer train '/data/of mine/flowers' --seed 1", "transfer train '…/flowers' --seed 1"),
        ("--groups=/tmp/g.csv --weights=~/w.h5", "--groups=…/g.csv --weights=…/w.h5"),
        (r"transfer check C:\Users\me\flowers", "transfer check …/flowers"),
        ("transfer train https://example.org/a/b.zip", "transfer train https://example.org/a/b.zip"),
        ("runs/a, rose / tulip, 1/2, ../b", "runs/a, rose / tulip, 1/2, ../b"),
    ],
)
def test_absolute_paths_are_shortened_and_nothing_else(text, said):
    assert without_places(text) == said


def test_a_value_that_is_one_path_is_shortened_with_its_spaces():
    assert without_place("/data/of mine/flowers/") == "…/flowers"
    assert without_place("/data/of mine/my flowers") == "…/my flowers"
    for value in ("bundled", "own/a.keras", 3, None):
        assert without_place(value) == value


CURVE = {
    "classes": 5,
    "means": [
        {"method": m, "per_class": size, "images": images, "accuracy": 0.5 + images / 1000}
        for m in ("frozen", "finetune", "scratch")
        for size, images in ((5, 25), (20, 100), (50, 250), (100, 500), ("all", 505))
    ],
    "points": [{"method": "frozen", "images": 25, "accuracy": 0.5}],
    "laws": {},
}
COSTS = {
    "recommended": "efficientnet_v2_b0",
    "candidates": [
        {"label": label, "image_size": 224, "milliseconds": cost, "accuracy": 0.8, "ci95": [0.7, 0.9], "on_front": True}
        for label, cost in (("bundled", 0.8), ("efficientnet_v2_b0", 19.0), ("a backbone with a long name", 40.0))
    ],
}
HISTORY = {
    name: [{"loss": 2 / e, "accuracy": 1 - 1 / (e + 1), "val_loss": 2 / e, "val_accuracy": 0.5} for e in range(1, 9)]
    for name in ("frozen", "scratch")
}
CLASSES = {
    "per_class": {
        name: {"recall": 0.1, "precision": 0.9, "f1": 0.5, "support": 9}
        | {f"{key}_ci95": [0.05, 0.95] for key in ("recall", "precision", "f1")}
        for name in ("a class whose name is far too long to be shown", "b")
    }
}


def drawn(plot, data, height=3.6):
    """The figure as `svg` draws it, laid out."""
    figures = []
    plots.svg(lambda figure, said: figures.append(figure) or plot(figure, said), data, height)
    (figure,) = figures
    return figure


@pytest.mark.parametrize(
    ("plot", "data"),
    [
        (curve_plots.draw_learning_curve, CURVE), (curve_plots.draw_accuracy_against_cost, COSTS),
        (result_plots.draw_losses, HISTORY), (result_plots.draw_accuracies, HISTORY),
        (result_plots.draw_classes, CLASSES),
    ],
)  # fmt: skip
def test_words_in_plots_are_whole_and_apart(plot, data):
    figure = drawn(plot, data)
    edges = figure.bbox
    for axes in figure.axes:
        names = [label for label in (*axes.get_xticklabels(), *axes.texts, *axes.get_yticklabels()) if label.get_text()]
        shown = [
            label
            for label in names
            if axes.bbox.expanded(1.01, 1.01).overlaps(label.get_window_extent()) or label in axes.get_yticklabels()
        ]
        assert shown
        for label in shown:
            box = label.get_window_extent()
            assert edges.x0 <= box.x0, label.get_text()
            assert box.x1 <= edges.x1, label.get_text()
        ticks = sorted(
            (box.x0, box.x1)
            for label in axes.get_xticklabels()
            if label.get_text() and axes.bbox.x0 - 1 <= (box := label.get_window_extent()).x0 <= axes.bbox.x1
        )
        assert all(left[1] < right[0] for left, right in zip(ticks, ticks[1:]))
        if legend := axes.get_legend():
            assert legend.get_window_extent().y0 >= axes.bbox.y1 - 1  # above the lines, over none


def test_the_last_size_of_a_curve_keeps_its_name():
    names = [label.get_text() for label in drawn(curve_plots.draw_learning_curve, CURVE).axes[0].get_xticklabels()]
    assert sorted(filter(None, names)) == ["20", "5", "50", "all"]


def test_a_plot_fits_a_telephone():
    width = re.search(r'width="([\d.]+)pt"', plots.svg(result_plots.draw_classes, CLASSES))
    assert float(width[1]) <= 390


def test_pages_share_one_look_and_load_nothing():
    plate = type("Plate", (), {"name": "p", "caption": "c", "image": np.zeros((9, 9, 3), np.uint8)})()
    section = {"title": "A <title>", "text": "t", "plates": [plate]}
    page = render("explain.html", title="Inside x", about="", sections=[section], addresses={"p": "data:image/webp,"})
    assert page.count("<style>") == 1
    assert "color-scheme: light dark" in page
    assert '<a href="#s1">A &lt;title&gt;</a>' in page
    assert '<h2 id="s1">A &lt;title&gt;</h2>' in page
    assert not re.findall(r"""@import|url\(|src="(?!data:)|https?:""", page)
