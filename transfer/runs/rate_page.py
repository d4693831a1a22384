"""A test of learning rates as a self-contained page."""

from __future__ import annotations

from pathlib import Path

from transfer.learning.learning_rates import RateTest, smoothed
from transfer.pages.curve_plots import draw_losses_by_rate
from transfer.pages.plots import svg
from transfer.pages.rendering import render
from transfer.writing import whole_file

PAGE = "learning-rates.html"


def as_json(test: RateTest) -> dict:
    """A test in plain lists and numbers."""
    found = {name: getattr(test, name) for name in ("method", "network", "highest", "suggested", "chosen")}
    return found | {"rates": test.rates.tolist(), "losses": test.losses.tolist(), "notes": list(test.notes)}


def write_rate_page(test: RateTest, folder: str | Path) -> Path:
    """Write `learning-rates.html`: the plot of the losses, and what follows from it.

    Args:
        test: from `find_learning_rate`.
        folder: made if missing.

    Returns:
        The path of the page.
    """
    target = Path(folder) / PAGE
    drawn = svg(draw_losses_by_rate, as_json(test) | {"smoothed": smoothed(test.losses).tolist()}, 3.4)
    with whole_file(target) as partial:
        page = render(PAGE, title="Learning rates", test=test, plot=drawn)
        partial.write_text(page, encoding="utf-8", errors="backslashreplace")
    return target
