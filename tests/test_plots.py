"""Figures: what a notebook gets of them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from bnlib.plots import Live, Picture, new_figure


def _bar(height: float = 1.0) -> Picture:
    figure, (ax,) = new_figure(width=2, height=1)
    ax.bar([0], [height])
    return Picture(figure, f'a bar of "{height}" & no more')


def test_a_figure_is_a_png_of_the_asked_size_with_its_text() -> None:
    shown = _bar()._repr_mimebundle_()
    assert shown["text/plain"] == 'Figure: a bar of "1.0" & no more'
    assert 'alt="a bar of &quot;1.0&quot; &amp; no more"' in shown["text/html"]
    png = _bar().png
    assert png.startswith(b"\x89PNG")
    assert [int.from_bytes(png[start : start + 4], "big") for start in (16, 20)] == [220, 110]


def test_the_same_figure_has_the_same_bytes() -> None:
    assert _bar().png == _bar().png


def test_a_learners_style_does_not_darken_the_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    plain = _bar().png
    with matplotlib.rc_context({"figure.facecolor": "black", "savefig.facecolor": "black"}):
        assert _bar().png == plain


def test_sliders_draw_their_first_figure_once() -> None:
    drawn = []

    def draw(height: float) -> Picture:
        drawn.append(height)
        return _bar(height)

    live = Live(draw, height=("height", 0.0, 3.0, 2.0, 0.5))
    shown = live._repr_mimebundle_()
    assert drawn == [2.0]
    assert set(shown) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    widget = live.widget()
    widget.children[0].value = 3.0
    assert drawn == [2.0, 2.0, 3.0]
    assert '"3.0' in widget.children[1].value.replace("&quot;", '"')


def test_the_text_alone_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNLIB_FIGURES", "text")
    monkeypatch.setattr(Picture, "png", property(lambda _: pytest.fail("it was drawn")))
    assert _bar()._repr_mimebundle_() == {"text/plain": 'Figure: a bar of "1.0" & no more'}
    live = Live(lambda height: _bar(height), height=("height", 0.0, 3.0, 2.0, 0.5))
    assert live._repr_mimebundle_() == {"text/plain": 'Figure: a bar of "2.0" & no more'}


def test_where_nobody_looks_nothing_is_drawn_and_nothing_imported_to_draw_with():
    program = """
import sys
import numpy as np
from bnlib.plots import chain_rule, gates, layer, normalization, translation
from bnlib.stubs import translation as stubs
from bnlib.quizzes import QuizView
print(chain_rule.pistons().first())
print(translation.jacobian_blocks(np.ones((2, 2, 2, 2))))
print(*QuizView(stubs.applied_twice)._repr_mimebundle_())
print(sorted({"matplotlib", "ipywidgets"} & sys.modules.keys()))
"""
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "BNLIB_FIGURES": "text", "BNLIB_QUIZZES": "text"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[0].startswith("Figure: ")
    assert said[1].startswith("Figure: A matrix of 2 by 2 blocks.")
    assert said[2:] == ["text/plain text/html", "[]"]


def test_new_figure_gives_axes_in_reading_order() -> None:
    _, axes = new_figure(columns=2, rows=2)
    places = np.array([ax.get_position().p0 for ax in axes])
    assert list(np.lexsort((places[:, 0], -places[:, 1]))) == [0, 1, 2, 3]
