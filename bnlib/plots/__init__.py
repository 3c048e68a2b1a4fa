"""Figures of the course. Cells say what is shown; the modules here, one a lesson, say how.

Every figure is a :class:`Picture`: an SVG without a ground, drawn in the text colour of the page around it, so that it
follows a light or dark theme, with a text that says what is to be seen for those who do not see it. Figures that move
are :class:`bnlib.plots.live.Live`. Colours are distinguishable without full colour vision. With the environment variable ``BNLIB_FIGURES=text`` notebooks show that text alone, and nothing is drawn: for a screen
reader, and for the grader, where nobody looks. Matplotlib is imported by the first figure that is drawn.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from bnlib.hollow import Nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#5F6670",
)
"""Okabe and Ito's palette, the colours of all line and bar charts."""

POSITIVE, NEGATIVE = "#C66A00", "#7A5FD0"
"""Colours of the cells of a matrix, the more opaque the larger the entry; text on them has contrast in both themes."""

DPI = 110

TEXT = "BNLIB_FIGURES"
"""Environment variable: ``text`` shows the text of a figure in place of the figure."""


class Picture:
    """A finished figure with its alternative text.

    Args:
        figure: What was drawn; from :func:`new_figure`.
        alt: What the figure shows, in one or two sentences.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure = figure
        self.alt = alt

    @cached_property
    def png(self) -> bytes:
        """The image on a white ground, for paper."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        buffer = io.BytesIO()
        # The canvas draws once; Figure.savefig draws twice.
        FigureCanvasAgg(self.figure).print_png(buffer, metadata={"Software": None}, pil_kwargs={"optimize": True})
        return buffer.getvalue()

    def html(self) -> str:
        """The drawing as an element that carries its alternative text and follows the colours of the page.

        What is taken out of a page that is not trusted are drawings, but not what stands inside: there the PNG appears.
        """
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        image = base64.b64encode(self.png).decode()
        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": "bnlib", "svg.fonttype": "path"}):
            self.figure.patch.set_visible(False)
            FigureCanvasSVG(self.figure).print_svg(
                buffer, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
            )
            self.figure.patch.set_visible(True)
        drawn = buffer.getvalue()
        _, _, inside = drawn[drawn.index("<svg ") :].partition(">")
        # Nothing refers to numbered parts, and every figure of a page would have the same.
        inside = re.sub(
            r' id="[a-zA-Z]+[a-z]_\d+"|<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|\n\s*',
            " ",
            inside,
            flags=re.S,
        )
        inside = re.sub("#[0-9a-f]{6}", lambda colour: on_the_page(colour[0]), inside)
        inside = _renamed(re.sub(r'(?<= d=")[^"]*', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), inside))
        width, height = (round(72 * inches, 2) for inches in self.figure.get_size_inches())
        return (
            f'<svg role="img" aria-label="{escape(self.alt)}" viewBox="0 0 {width:g} {height:g}" '
            f'style="width:{width / 72 * DPI:.0f}px;max-width:100%;height:auto;fill:currentColor;'
            f'stroke-linejoin:round;stroke-linecap:butt"><desc><img alt="{escape(self.alt)}" style="max-width:100%" '
            f'src="data:image/png;base64,{image}"></desc>{inside}'
        )

    def __str__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": str(self)} if text_alone() else {"text/plain": str(self), "text/html": self.html()}


def _renamed(drawn: str) -> str:
    """A drawing whose parts have names that no other figure of the page has, the same every time.

    Matplotlib names a part after all digits of its place, of which the last differ from run to run.
    """
    names = list(dict.fromkeys(re.findall(r'(?<= id=")[^"]+', drawn)))
    for number, name in enumerate(names):
        drawn = re.sub(rf'(?<=["#]){re.escape(name)}(?=[")])', f"@{number}", drawn)
    figure = hashlib.sha256(drawn.encode()).hexdigest()[:8]
    return re.sub(r'(?<=["#])@(?=\d+[")])', f"f{figure}-", drawn)


def on_the_page(colour: str) -> str:
    """What stands for a colour on a page: black is the page's text colour, and a share of it gives others contrast in both themes.

    Args:
        colour: As ``#`` and six digits.
    """
    if colour == "#000000":
        return "currentColor"
    if colour.upper() == GREY:
        return "color-mix(in srgb, currentColor 70%, transparent)"
    if colour.upper() in (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY):
        return f"color-mix(in srgb, {colour} 75%, currentColor)"
    return colour


def text_alone() -> bool:
    """Whether figures are shown as their text."""
    return os.environ.get(TEXT) == "text"


def new_figure(
    columns: int = 1,
    width: float = 8.0,
    height: float = 3.2,
    rows: int = 1,
    widths: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure that fits a laptop's notebook column, and its axes in reading order.

    Args:
        columns: Axes side by side.
        width: Inches; 8 fills the column of a 1280 pixel wide window.
        height: Inches.
        rows: Axes one above the other.
        widths: Of the columns, in proportion.
    """
    if text_alone():
        return Nothing(), [Nothing()] * (rows * columns)  # type: ignore[return-value, list-item]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, width_ratios=widths)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.patch.set_visible(False)
    return figure, list(axes.flat)


def patch(kind: str, *args: Any, **kwargs: Any) -> Patch:
    """A shape to add to axes.

    Args:
        kind: Its class in ``matplotlib.patches``.
        *args: What that class takes.
        **kwargs: The same.
    """
    if text_alone():
        return Nothing()  # type: ignore[return-value]
    from matplotlib import patches

    return getattr(patches, kind)(*args, **kwargs)


def matrix(ax: Axes, values: Any, title: str, limit: float | None = None, numbers: bool = True) -> Any:
    """Draw a small matrix as coloured cells with its numbers in them; returns the cells for a colour bar.

    Zero is no colour at all: the page shows through.

    Args:
        ax: Where.
        values: (rows, columns) array.
        title: Above the matrix.
        limit: Absolute value of the strongest colours; the largest entry by default.
        numbers: Write the entries into the cells (for up to about ten rows).
    """
    values = np.asarray(values, dtype=float)
    limit = float(np.max(np.abs(values))) if limit is None else limit
    rows, columns = values.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    cells = ax.pcolormesh(*edges, values, cmap=_diverging(), vmin=-limit, vmax=limit)
    ax.set(aspect="equal", ylim=(rows - 0.5, -0.5))
    ax.set_title(title, fontsize=10)
    ax.set_xticks(range(columns))
    ax.set_yticks(range(rows))
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set(visible=True, color=GREY, linewidth=0.6)
    if numbers:
        for (row, column), value in np.ndenumerate(values):
            ax.text(column, row, f"{value + 0.0:.2f}", ha="center", va="center", fontsize=8)
    return cells


def colour_bar(figure: Figure, cells: Any, axes: Any, label: str = "", shrink: float = 1.0) -> None:
    """A colour bar beside matrices.

    Args:
        figure: Theirs.
        cells: What :func:`matrix` returned.
        axes: Where they are drawn.
        label: What an entry is.
        shrink: Height, as a share of theirs.
    """
    bar = figure.colorbar(cells, ax=axes, label=label, shrink=shrink)
    assert bar.solids is not None
    bar.solids.set_rasterized(True)  # 256 cells side by side would show their seams
    bar.outline.set_visible(False)
    bar.ax.patch.set_visible(False)


def _diverging() -> Any:
    """The colour map of signed values."""
    if text_alone():
        return Nothing()
    from matplotlib.colors import ListedColormap, to_rgb

    strength = np.linspace(-1, 1, 257)
    return ListedColormap([(*to_rgb(POSITIVE if s > 0 else NEGATIVE), 0.85 * abs(s)) for s in strength])
