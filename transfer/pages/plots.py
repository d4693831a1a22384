"""How every plot is drawn: as SVG in the colour of the text around it, so that it fits a light and a dark page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#010203"  # stands for the colour of the text, whatever that is
COLOURS = ("#2a78c5", "#e07b22", "#3a9d5d", "#a65bb8", "#c8443f", "#7a7f2c", "#1d9aa8", "#8c6d5a")
# Words stay words: a tenth of the size of drawn letters, and they can be searched for.
STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "transfer"}


WIDTH = 5.2  # inches: a plot that fits a telephone whole, with letters that can be read there


def svg(plot: Callable[[Figure, object], None], data: object, height: float = 3.2, width: float = WIDTH) -> str:
    """Draw a plot as an `<svg>` element.

    Args:
        plot: called with an empty figure and `data`; draws what is neither line nor area of data in `INK`.
        data: whatever `plot` takes.
        height, width: in inches of 72 points, one of which is a pixel on a telephone.
    """
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # Matplotlib has no Chinese letters to measure; who looks at the page has letters to show.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure((width, height), layout="constrained")
        plot(figure, data)
        for axes in figure.axes:
            axes.set_facecolor("none")
            axes.tick_params(colors=INK, labelsize=11)
            for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
                text.set(color=INK, size=11)
            for spine in axes.spines.values():
                spine.set_color(INK)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def legend_above(axes: Axes) -> None:
    """The legend in one row above the plot, where it covers no line."""
    box = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "borderaxespad": 0.2, "columnspacing": 1.4}
    axes.legend(frameon=False, labelcolor=INK, fontsize=11, handlelength=1.2, **box)
