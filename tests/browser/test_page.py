"""The web page in Chromium: figures move and quizzes answer without a kernel, at both widths, in both themes."""

import re
import subprocess
from pathlib import Path

import pytest

from bnlib.release import sources
from bnlib.stubs import lessons

ROOT = Path(__file__).resolve().parents[2]
LESSONS = [path.stem for path in sources(ROOT / "solutions")]


def looked(page, site, name):
    page.goto(f"{site}/{name}.html")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.MathJax && MathJax.startup.promise")
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


@pytest.mark.parametrize("name", LESSONS)
def test_every_figure_moves_and_every_quiz_answers(opened, site, faults, name):
    page = opened()
    looked(page, site, name=f"lessons/{name}")
    for figure in page.locator("[data-figure]:not([data-figure=quiz], [data-figure=pad])").all():
        assert figure.get_attribute("data-moving") is not None
        told = figure.locator("[role=status]")
        before = told.inner_text()
        handles = figure.locator("input[type=range], [role=slider]")
        handles.first.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
            page.keyboard.press(key)
            if told.inner_text() != before:
                break
        assert told.inner_text() != before, figure.get_attribute("data-figure")
    quizzes = page.locator("[data-figure=quiz]").all()
    assert quizzes
    for quiz in quizzes:
        quiz.get_by_role("button").first.focus()
        page.keyboard.press("Enter")
        assert quiz.get_by_role("status").inner_text().startswith(("Right (a).", "Not quite (a)."))
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert not faults(page, "article")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_and_can_be_read(opened, site, faults, picture, width, dark):
    page = opened(width, dark)
    for name in ("index", "formulas", "learners", "lessons/02_translation", f"lessons/{lessons()[2].key}"):
        looked(page, site, name)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"
        picture(page, f"{name.replace('/', '-')}-{width}-{'dark' if dark else 'light'}")
        assert not faults(page, "article"), name


CUT = """
[...document.querySelectorAll("article *")].filter((each) => {
  const { width, right } = each.getBoundingClientRect();
  if (!width || right <= innerWidth + 1) return false;
  for (let box = each.parentElement; box.tagName !== "ARTICLE"; box = box.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
  return true;
}).map((each) => each.textContent.slice(0, 60))
"""


def test_nothing_is_cut_off_on_a_phone(opened, site):
    """What is wider than the screen stands in a box that scrolls: formulas, code, tables."""
    page = opened(width=390)
    names = ("index", "api", "contributing", "genindex", *(path.stem for path in (ROOT / "docs").glob("*.md")))
    for name in (*names, *(f"lessons/{lesson}" for lesson in LESSONS)):
        looked(page, site, name)
        assert page.evaluate(CUT) == [], name
    assert page.locator("span.math.wide").count() == 0
    looked(page, site, "lessons/01_chain_rule")
    assert page.locator("span.math.wide").count() == 1


@pytest.mark.parametrize("name", LESSONS)
def test_nothing_is_cut_off_on_paper(opened, site, name):
    page = opened(width=720)  # a sheet of A4 between its margins, in CSS pixels
    page.emulate_media(media="print")
    looked(page, site, f"lessons/{name}")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    wide = "[...document.querySelectorAll('.math, .cell_output, pre')].filter((box) => box.scrollWidth > box.clientWidth + 1)"
    assert page.evaluate(f"{wide}.map((box) => box.textContent.slice(0, 60))") == []


def test_without_scripts_formulas_are_legible_and_quizzes_say_how_to_answer(opened, site):
    page = opened(scripts=False)
    for name in LESSONS:
        page.goto(f"{site}/lessons/{name}.html")
        text = page.locator("article").inner_text()
        assert not re.search(r"\\\(|\\\[|\\frac|\\tag", text)
        assert page.locator("article math").first.bounding_box()["height"] > 5
        assert "No script runs in this browser" in text
        assert text.count("Answer with quiz(") == page.locator("[data-figure=quiz]").count()
        assert text.count("this is a pad on which to derive") == page.locator("[data-figure=pad]").count()
        for figure in page.locator("[data-figure]:not([data-figure=quiz], [data-figure=pad])").all():
            assert figure.locator("svg, pre, table").first.bounding_box()["height"] > 50


def test_what_is_folded_away_stands_at_the_end_of_the_paper(opened, site):
    page = opened(width=720)
    looked(page, site, "lessons/02_translation")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    end = page.locator("#on-paper")
    assert end.locator("h3").all_inner_texts() == page.locator("article details summary").all_inner_texts()
    assert end.locator("mjx-container").count() == page.locator("article details mjx-container").count() > 5
    assert end.locator("mjx-container").first.bounding_box()["height"] > 5
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert end.count() == 0


@pytest.mark.parametrize("served", [True, False], ids=["on a server", "as files"])
def test_search_finds_a_word(opened, site, built, served):
    page = opened()
    page.goto(f"{site if served else built.as_uri()}/search.html?q=Jacobian")
    page.get_by_text("Search finished").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator("#search-results li").filter(has_text="Lesson 01").count() == 1


def test_the_lessons_are_printed():
    done = subprocess.run(["make", "-s", "-C", ROOT, "pdf"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in LESSONS:
        paper = (ROOT / "build" / "pdf" / f"{name}.pdf").read_bytes()
        assert paper.startswith(b"%PDF")
        assert paper.count(b"/Type /Page\n") > 5
