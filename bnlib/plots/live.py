"""Figures that move: a picture, the data behind it, and a program for the browser that draws with them.

All that a figure needs to move is in its cell's output: no kernel answers, no widget is registered, nothing is fetched. So it
moves in JupyterLab, in VS Code, on a static page and in a notebook that was opened again; a widget of ipywidgets or
anywidget needs a kernel or a stored state, a manager, and outside JupyterLab a download of that manager. Quizzes work the same way. Where no program
runs (a notebook that is not trusted, paper), the still picture stays. Each figure is a file of ``static/``: its mathematics
in a function of its own, tested against numpy, and a drawing; what they share is ``kit.js``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from bnlib.plots import (
    BLUE,
    GREEN,
    GREY,
    NEGATIVE,
    ORANGE,
    POSITIVE,
    PURPLE,
    SKY,
    VERMILION,
    Picture,
    on_the_page,
    text_alone,
)

STATIC = files(__package__) / "static"
_COLOURS = {
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "vermilion": VERMILION,
    "purple": PURPLE,
    "sky": SKY,
    "grey": GREY,
}


class Live:
    """A figure that moves in the browser.

    Args:
        name: Its file in ``static/``, without the ``.js``; the module exports ``draw(host, data)``.
        still: The picture for the first values.
        **data: What the program needs: numbers, text, arrays.
    """

    def __init__(self, name: str, still: Picture, **data: Any) -> None:
        self.name = name
        self.still = still
        self.data = data

    def html(self) -> str:
        """The still picture, and what sets it in motion."""
        colours = {name: on_the_page(colour) for name, colour in _COLOURS.items()}
        given = {
            "label": self.still.alt,
            "colours": {**colours, "positive": POSITIVE, "negative": NEGATIVE},
            **self.data,
        }
        return moving(self.name, self.still.html(), given)

    def __str__(self) -> str:
        return str(self.still)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": str(self)} if text_alone() else {"text/plain": str(self), "text/html": self.html()}


def moving(name: str, still: str, data: Mapping[str, Any]) -> str:
    """What stands on a page until its program runs, and all that the program needs.

    Args:
        name: The program's file in ``static/``, without the ``.js``.
        still: One element of HTML.
        data: What ``draw`` gets.
    """
    return f'{element(name, still, data)}<script type="module">{_program(name)}</script>'


def element(name: str, still: str, data: Mapping[str, Any]) -> str:
    """The same where the program stands elsewhere on the page."""
    return f'<div data-figure="{name}">{still}<script type="application/json">{as_json(data)}</script></div>'


def as_json(data: Mapping[str, Any]) -> str:
    """Data as text that may stand inside a page."""
    return json.dumps(data, default=lambda array: np.asarray(array).tolist(), ensure_ascii=False).replace("</", "<\\/")


@cache
def _program(name: str) -> str:
    """A figure's module and the kit as one module that imports nothing."""
    return f'{joined((STATIC / f"{part}.js").read_text("utf-8") for part in ("kit", name))}start("{name}", draw);\n'


def joined(modules: Iterable[str]) -> str:
    """Modules as one text that imports nothing: each speaks of those before it."""
    text = re.sub(r"^(import .*\n|export )", "", "\n".join(modules), flags=re.M)
    return re.sub(
        r"^\s*(//.*|/\*\*.*\*/|/\*\*(.|\n)*?\*/)\n", "", text, flags=re.M
    )  # remarks are for those who read the file
