"""Figures of the course. Cells say what is shown; the modules here, one a lesson, say how.

Every figure is a :class:`Picture`: a PNG on a white ground, so that it reads the same in light and dark themes, with a
text that says what is to be seen for those who do not see it. Colours are distinguishable without full colour vision.
With the environment variable ``BNLIB_FIGURES=text`` notebooks show that text alone, and nothing is drawn: for a screen
reader, and for the grader, where nobody looks. Matplotlib is imported by the first figure that is drawn.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
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

DIVERGING = "PuOr_r"
"""Colour map of signed values: purple is negative, white zero, orange positive."""

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
        """The image file, drawn when first asked for."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        buffer = io.BytesIO()
        # The canvas draws once; Figure.savefig draws twice.
        FigureCanvasAgg(self.figure).print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()

    def html(self) -> str:
        """The image as an element that carries its alternative text."""
        data = base64.b64encode(self.png).decode()
        return f'<img alt="{escape(self.alt)}" style="max-width:100%;height:auto" src="data:image/png;base64,{data}">'

    def __str__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": str(self)} if _text_alone() else {"text/plain": str(self), "text/html": self.html()}


class Live:
    """A figure that follows sliders; where no widgets are shown, the figure for the sliders' first values.

    Args:
        draw: From the sliders' values (keyword arguments) to a picture.
        sliders: For each argument of ``draw``: label, lowest, highest and first value, step; a step that is an int makes
            a slider of whole numbers.
    """

    def __init__(self, draw: Callable[..., Picture], **sliders: tuple[str, float, float, float, float]) -> None:
        self.draw = draw
        self.sliders = sliders

    def first(self) -> Picture:
        """The picture for the first values."""
        return self.draw(**{name: start for name, (_, _, _, start, _) in self.sliders.items()})

    def widget(self) -> Any:
        """Sliders above the picture."""
        return self._widget(self.first())

    def _widget(self, first: Picture) -> Any:
        import ipywidgets as widgets

        controls = {}
        for name, (label, low, high, start, step) in self.sliders.items():
            slider = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
            controls[name] = slider(
                description=label,
                min=low,
                max=high,
                value=start,
                step=step,
                style={"description_width": "initial"},
                layout=widgets.Layout(width="32em"),
            )
        image = widgets.HTML(first.html())

        def redraw(_: Any) -> None:
            image.value = self.draw(**{name: control.value for name, control in controls.items()}).html()

        for control in controls.values():
            control.observe(redraw, names="value")
        return widgets.VBox([*controls.values(), image])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        first = self.first()
        if _text_alone():
            return first._repr_mimebundle_()
        view = {"version_major": 2, "version_minor": 0, "model_id": self._widget(first).model_id}
        return {**first._repr_mimebundle_(), "application/vnd.jupyter.widget-view+json": view}


def _text_alone() -> bool:
    return os.environ.get(TEXT) == "text"


def new_figure(columns: int = 1, width: float = 8.0, height: float = 3.2, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure that fits a laptop's notebook column, and its axes in reading order.

    Args:
        columns: Axes side by side.
        width: Inches; 8 fills the column of a 1280 pixel wide window.
        height: Inches.
        rows: Axes one above the other.
    """
    if _text_alone():
        return Nothing(), [Nothing()] * (rows * columns)  # type: ignore[return-value, list-item]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat)


def patch(kind: str, *args: Any, **kwargs: Any) -> Patch:
    """A shape to add to axes.

    Args:
        kind: Its class in ``matplotlib.patches``.
        *args: What that class takes.
        **kwargs: The same.
    """
    if _text_alone():
        return Nothing()  # type: ignore[return-value]
    from matplotlib import patches

    return getattr(patches, kind)(*args, **kwargs)


def matrix(ax: Axes, values: Any, title: str, limit: float | None = None, numbers: bool = True) -> Any:
    """Draw a small matrix as coloured cells with its numbers in them; returns the image for a colour bar.

    Args:
        ax: Where.
        values: (rows, columns) array.
        title: Above the matrix.
        limit: Absolute value of the strongest colours; the largest entry by default.
        numbers: Write the entries into the cells (for up to about ten rows).
    """
    values = np.asarray(values, dtype=float)
    limit = float(np.max(np.abs(values))) if limit is None else limit
    image = ax.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit)
    ax.set_title(title, fontsize=10)
    ax.set_xticks(range(values.shape[1]))
    ax.set_yticks(range(values.shape[0]))
    ax.tick_params(length=0, labelsize=8)
    ax.spines[:].set_visible(False)
    if numbers:
        for (row, column), value in np.ndenumerate(values):
            dark = abs(value) > 0.65 * limit
            ax.text(
                column,
                row,
                f"{value + 0.0:.2f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "black",
            )
    return image
