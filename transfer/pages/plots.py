"""How every plot is drawn: as SVG in the colour of the text around it, so that it fits a light and a dark page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import matplotlib
from matplotlib.figure import Figure

INK = "#010203"  # stands for the colour of the text, whatever that is
COLOURS = ("#2a78c5", "#e07b22", "#3a9d5d", "#a65bb8", "#c8443f", "#7a7f2c", "#1d9aa8", "#8c6d5a")
# Words stay words: a tenth of the size of drawn letters, and they can be searched for.
STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "transfer"}


def svg(plot: Callable[[Figure, object], None], data: object, height: float = 3.2, width: float = 8.0) -> str:
    """Draw a plot as an `<svg>` element.

    Args:
        plot: called with an empty figure and `data`; draws what is neither line nor area of data in `INK`.
        data: whatever `plot` takes.
        height, width: in inches of 72 points.
    """
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # Matplotlib has no Chinese letters to measure; who looks at the page has letters to show.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure((width, height), layout="constrained")
        plot(figure, data)
        for axes in figure.axes:
            axes.set_facecolor("none")
            axes.tick_params(colors=INK, labelsize=9)
            for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
                text.set_color(INK)
            for spine in axes.spines.values():
                spine.set_color(INK)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
