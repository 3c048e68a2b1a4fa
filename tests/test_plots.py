"""Figures: what a notebook gets of them."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from bnlib.plots import BLUE, Picture, colour_bar, matrix, new_figure
from bnlib.plots.live import Live


def _bar(height: float = 1.0) -> Picture:
    figure, (ax,) = new_figure(width=2, height=1)
    ax.bar([0], [height])
    return Picture(figure, f'a bar of "{height}" & no more')


def test_a_figure_is_a_drawing_with_its_text_and_a_png_of_the_asked_size() -> None:
    shown = _bar()._repr_mimebundle_()
    assert shown["text/plain"] == 'Figure: a bar of "1.0" & no more'
    assert shown["text/html"].startswith(
        '<svg role="img" aria-label="a bar of &quot;1.0&quot; &amp; no more" viewBox="0 0 144 72"'
    )
    png = _bar().png
    assert png.startswith(b"\x89PNG")
    assert [int.from_bytes(png[start : start + 4], "big") for start in (16, 20)] == [220, 110]


def test_a_drawing_follows_the_theme_of_its_page() -> None:
    figure, (ax, other) = new_figure(columns=2)
    ax.bar([0], [1.0], color=BLUE)
    colour_bar(figure, matrix(other, np.eye(2), "a matrix"), other)
    drawn = Picture(figure, "a bar and a matrix").html()
    assert "fill:currentColor" in drawn
    assert "stroke: currentColor" in drawn
    assert f"color-mix(in srgb, {BLUE.lower()} 75%, currentColor)" in drawn
    assert not re.search("#ffffff|#000000|fill: ?white|<style", drawn)


def test_where_drawings_are_taken_out_the_image_is_left() -> None:
    class Left(HTMLParser):
        """What is left of a page without its SVG elements, which is all that is taken out."""

        found: list[tuple[str, dict[str, str | None]]] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in {"svg", "desc", "defs", "g", "path", "use", "rect", "clippath", "pattern", "image"}:
                self.found.append((tag, dict(attrs)))

    Left().feed(_bar().html())
    ((tag, attributes),) = Left.found
    assert (tag, attributes["alt"]) == ("img", 'a bar of "1.0" & no more')
    assert base64.b64decode((attributes["src"] or "").removeprefix("data:image/png;base64,")) == _bar().png


def test_parts_of_two_drawings_have_different_names() -> None:
    named = [set(re.findall(r' id="([^"]+)"', _bar(height).html())) for height in (1.0, 2.0)]
    assert named[0]
    assert named[1]
    assert not named[0] & named[1]
    for name in re.findall(r'(?:url\(|href=")#([^")]+)', _bar(1.0).html()):
        assert name in named[0]


def test_the_same_figure_has_the_same_bytes() -> None:
    assert _bar().png == _bar().png
    assert len({_bar().html() for _ in range(5)}) == 1


def test_a_learners_style_does_not_darken_the_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    plain = _bar().png
    with matplotlib.rc_context({"figure.facecolor": "black", "savefig.facecolor": "black"}):
        assert _bar().png == plain


def test_the_text_alone_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNLIB_FIGURES", "text")
    monkeypatch.setattr(Picture, "png", property(lambda _: pytest.fail("it was drawn")))
    assert _bar()._repr_mimebundle_() == {"text/plain": 'Figure: a bar of "1.0" & no more'}
    monkeypatch.setattr(Picture, "html", lambda _: pytest.fail("it was drawn"))
    assert Live("pistons", _bar(2.0))._repr_mimebundle_() == {"text/plain": 'Figure: a bar of "2.0" & no more'}


def test_where_nobody_looks_nothing_is_drawn_and_nothing_imported_to_draw_with():
    program = """
import sys
import numpy as np
from bnlib.plots import chain_rule, gates, geometry, layer, normalization, precision, translation
from bnlib.stubs import translation as stubs
from bnlib.quizzes import QuizView
print(chain_rule.pistons())
print(translation.jacobian_blocks(np.ones((2, 2, 2, 2))))
three, two = np.arange(3.0), np.ones((2, 2))
for figure in (
    chain_rule.nudge(three, tanh=np.tanh), translation.contraction(two, np.ones((2, 2, 2, 2))),
    normalization.three_terms(three, three, 1.0, 1.0, three), normalization.five_bars(three, three, three),
    normalization.on_the_circle(three - 1, three - 1, three, three), gates.recomputed("xc"),
    gates.walk(np.arange(4.0), np.ones(1), np.ones(1), 1.0, np.ones(4)), layer.settling(np.ones((9, 4)), (1.0, 1.0)),
    layer.served({"a": (two, two)}), translation.jacobian(two), geometry.losing_two(three, three, 1.0), geometry.lengths({"a": (three, three)}),
    precision.far_from_zero(three, 3),
):
    print(*figure._repr_mimebundle_(), str(figure)[:8])
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
    assert said[2:] == [*["text/plain Figure: "] * 13, "text/plain", "[]"]


def test_new_figure_gives_axes_in_reading_order() -> None:
    _, axes = new_figure(columns=2, rows=2)
    places = np.array([ax.get_position().p0 for ax in axes])
    assert list(np.lexsort((places[:, 0], -places[:, 1]))) == [0, 1, 2, 3]
