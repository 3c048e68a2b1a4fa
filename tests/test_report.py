"""Feedback and class page: everything escaped, nothing loaded, nothing of the hidden tests but the diagnosis."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bnlib.grading.book import gradebook
from bnlib.grading.course import Course
from bnlib.grading.reports.gradescope import results
from bnlib.grading.reports.report import class_page, feedback_data, feedback_page
from bnlib.grading.reports.words import reason
from bnlib.grading.result import ByHand, CellResult, Exercise, LessonResult, Marks, NbvalResult, Result, Seen
from bnlib.stubs import translation

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

NBVAL = NbvalResult(True, isolation="isolated: everything", ran=19)
EVIL = "<script>alert('x')</script>\"'&"

WORTH = dict(zip(translation.lesson.stubs, (1, 1, 1, 2, 2, 2), strict=True))
"""Points in these tests, whatever the lesson gives."""


def an_exercise(name, status="right", message="", **more):
    return Exercise(name, WORTH[name], status, message, passed=3, tests=7, **more)


def result(student="anna", exercises=None, flags=(), **more):
    exercises = exercises or [an_exercise(name) for name in translation.lesson.stubs]
    about = {"nbval": NBVAL, "isolation": "isolated: everything", **more}
    lesson = LessonResult("02_translation", "Only the translation", tuple(exercises), flags=tuple(flags), **about)
    return Result(student, "x", {"02_translation": lesson})


def wrong(message=EVIL, **more):
    names = list(translation.lesson.stubs)
    return [an_exercise(names[0], "wrong", message, **more), *(an_exercise(name) for name in names[1:])]


class Page(HTMLParser):
    """Tags and attributes of a page; fails on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], set(), set(), ""
        self.links, self.scripts = [], []
        self.feed(text)
        assert not self.open
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in ("meta", "br", "rect", "line", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data


def pages():
    nbval = NbvalResult(False, EVIL, "", EVIL, 3, (CellResult(EVIL, "failed", EVIL), CellResult("b", "not run")))
    bad = result(EVIL, wrong(mistakes=(EVIL,), remarks=(EVIL,)), [EVIL], nbval=nbval, isolation=EVIL)
    bad = replace(bad, reasons=(EVIL,), notes=(EVIL,))
    return [feedback_page(bad), feedback_page(result(reason=EVIL)), class_page([bad, result()], [translation.lesson])]


@pytest.mark.parametrize("number", range(3))
def test_pages_are_escaped_and_self_contained(number):
    text = pages()[number]
    page = Page(text)
    assert not page.attributes & {"src", "onload", "onerror"}
    assert all(link.startswith(("feedback/", "#", "similar-")) for link in page.links)
    # Whatever may slip through, a browser runs the one script whose digest the page names, or none.
    policy = re.search(r'content="(default-src[^"]*)"', text)[1]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'" + "".join(
        f"; script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in page.scripts
    )
    assert len(page.scripts) == (number == 2)
    assert "alert('x')" in page.text
    assert "http://" not in text
    assert "https://" not in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert 'lang="en"' in text


def test_a_student_reads_points_and_diagnosis_and_not_what_is_for_the_teacher():
    given = result("anna", wrong("in dh, a path is missing", mistakes=("secret-name",)), ["look at anna"])
    text = Page(feedback_page(given)).text
    assert "8 of 9 points" in text
    assert "in dh, a path is missing." in text
    assert "isolated: everything" in text
    for hidden in ("look at anna", "secret-name"):
        assert hidden not in text
        assert hidden not in str(feedback_data(given))


def test_a_fault_of_the_grader_is_told_without_details():
    names = list(translation.lesson.stubs)
    given = result("anna", [an_exercise(names[0], "not graded", "test_center_secret: ZeroDivisionError")])
    assert "test_center_secret" not in feedback_page(given)
    assert "test_center_secret" not in str(feedback_data(given))
    assert "could not be graded" in reason(given)


def test_nbval_is_told_in_words():
    cells = [CellResult("check-center", "failed", "NameError: name 'x'")]
    cells += [CellResult(f"c{i}", "not run") for i in range(4)]
    text = Page(feedback_page(result(nbval=NbvalResult(False, "the kernel died", ran=3, cells=tuple(cells))))).text
    assert "1 of 3 cells did not do what they do in the solution, and 4 were not run (the kernel died)" in text
    assert "check-center: NameError: name 'x'" in text
    assert "prints what the solution prints" in Page(feedback_page(result())).text
    faulty = Page(feedback_page(result(nbval=NbvalResult(False, fault="no kernel: secret")))).text
    assert "through no fault of yours" in faulty
    assert "secret" not in faulty


def test_what_the_teacher_gave_and_what_lateness_cost_is_shown_as_such():
    names = list(translation.lesson.stubs)
    given = an_exercise(names[0], "wrong", "a sum", by_hand=ByHand(0.5, "The idea is right <here>"))
    page = feedback_page(result("anna", [given], marks=Marks(9e4, 20)))
    text = Page(page).text
    assert "Your teacher gave 0.5 of 1 points by hand: The idea is right <here>." in text
    assert "0.4 of 1 points, after 20 % less for lateness" in text
    data = feedback_data(result("anna", [given], marks=Marks(9e4, 20)))["lessons"]["02_translation"]
    assert data["lost"] == 20
    assert data["exercises"][0]["by_hand"] == {"points": 0.5, "comment": "The idea is right <here>"}
    assert "by hand" not in feedback_page(result())
    assert "lateness" not in feedback_page(result())


def test_every_failing_output_is_shown_once():
    rows = (
        Seen("dx agrees", False, "a path is missing"),
        Seen("dgamma agrees", True),
        Seen("dbeta agrees", False, "a <sum>", "largest difference 0.5"),
        Seen("shape", False),
        Seen("the same again", None),
    )
    wrong = Exercise("center", 1, "wrong", "In dx, a path is missing", rows=rows)
    page = Page(feedback_page(result("anna", [wrong]))).text
    assert page.count("a path is missing") == 1
    assert "dbeta agrees: wrong (largest difference 0.5). a <sum>." in page
    assert "shape: wrong." in page
    assert "dgamma" not in page
    assert "the same again" not in page
    (each,) = feedback_data(result("anna", [wrong]))["lessons"]["02_translation"]["exercises"]
    assert [row["ok"] for row in each["rows"]] == [False, True, False, False, None]


def test_a_row_that_the_message_says_with_a_capital_is_not_said_again():
    rows = (Seen("runs, and returns J in the right shape", False, "raised IndexError: index 3"),)
    wrong = Exercise("center", 1, "wrong", "Raised IndexError: index 3", rows=rows)
    page = Page(feedback_page(result("anna", [wrong]))).text
    assert page.count("aised IndexError") == 1


def test_an_error_that_is_carried_forward_is_nobodys_mistake():
    names = list(translation.lesson.stubs)
    cause = an_exercise(names[0], "wrong", "a sum", mistakes=("sum-for-mean",))
    carried = Exercise(names[1], 2, "carried", f"Right by itself; mend {names[0]} first", causes=(names[0],))
    rest = [an_exercise(name) for name in names[2:]]
    results = [result(f"s{i}", [cause, carried, *rest]) for i in range(4)]
    assert "✓ right by itself" in feedback_page(results[0])
    text = Page(class_page(results, [translation.lesson])).text
    assert f"translation.{names[1]} 2 p. 4 of 4 (100 %) 4" in text
    assert f"translation.{names[0]} 1 p. 0 of 4 (0 %) 4" in text
    assert f"mistake 4 {names[0]} sum for mean" in text


def test_what_nbval_flags_is_for_the_teacher():
    given = result("anna", nbval=replace(NBVAL, flags=("tampering?",), key="k"))
    assert "tampering?" not in feedback_page(given)
    assert "tampering?" not in str(feedback_data(given))
    assert "tampering?" in class_page([given], [translation.lesson])


def test_both_isolations_are_said_and_one_that_is_the_same_once():
    assert Page(feedback_page(result())).text.count("isolated: everything") == 1
    less = result(nbval=replace(NBVAL, isolation="NOT fully isolated"))
    for text in (Page(feedback_page(less)).text, Page(class_page([less], [translation.lesson])).text):
        assert "Answers were run in a process of their own; isolated: everything." in text
        assert "Notebooks were run by nbval in a kernel of their own; NOT fully isolated." in text


def test_the_class_page_counts():
    results = [result(f"s{i}", wrong("said", mistakes=("sum-for-mean",)) if i < 3 else None) for i in range(12)]
    results[0], results[5] = (
        results[5],
        result("s0", wrong("said", mistakes=("sum-for-mean",)), ["a person should look"]),
    )
    text = Page(class_page(results, [translation.lesson])).text
    assert "12 students; mean 8.8, median 9 of 9 points" in text
    assert "9 of 12 (75 %)" in text
    assert "sum for mean" in text
    assert "to look at s0 8 of 9 1 02_translation a person should look. s1 8 of 9 0 s10" in text


def test_the_class_page_links_each_student_and_says_what_the_run_was():
    page = class_page(
        [replace(result("Ada & Bo"), slug="Ada & Bo")], [translation.lesson], facts=["21 November 2026", "bnlib 1.0"]
    )
    assert Page(page).links == ["feedback/Ada%20%26%20Bo.html"]
    assert "21 November 2026 · bnlib 1.0" in Page(page).text
    assert "look alike" not in page
    page = Page(class_page([result()], [translation.lesson], similar=[translation.lesson]))
    assert "Answers that look alike: Only the translation." in page.text
    assert page.links[-1] == "similar-02_translation.html"


def test_templates_are_in_the_wheel():
    project = tomllib.loads((Course().root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["bnlib.grading.reports"]
    folder = Course().root / "bnlib" / "grading" / "reports"
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    assert {path for path in (folder / "templates").rglob("*") if path.is_file()} == packed
    assert {"base.html", "style.css", "sort.js"} <= {path.name for path in packed}


def test_who_handed_in_nothing_counts_in_no_statistics():
    results = [result(f"s{i}", wrong() if i < 3 else None) for i in range(4)]
    nothing = result("late", [an_exercise(name, "missing") for name in translation.lesson.stubs], reason="no notebook")
    text = Page(class_page([*results, nothing], [translation.lesson], ["roster.csv"])).text
    assert "5 students, 1 of them without a notebook that could be graded; mean 8.2, median 8 of 9 points" in text
    assert "1 of 4 (25 %) 4" in text
    assert "No submissions, passed over: roster.csv." in text
    page = class_page([nothing], [translation.lesson])
    assert "1 student, 1 of them without a notebook" in Page(page).text
    assert "mean" not in Page(page).text


def test_exercises_are_drawn_by_how_telling_they_are_where_that_can_be_told():
    names = list(translation.lesson.stubs)
    results = []
    for i in range(12):
        solved = [i < 6, i < 6, i % 2, i < 4, i < 4, i < 4]
        each = [
            an_exercise(name, "right" if right else "wrong", "said") for name, right in zip(names, solved, strict=True)
        ]
        results.append(result(f"s{i}", each))
    page = class_page(results, [translation.lesson])
    drawn = page[page.index("Solved by how many") :]
    assert drawn.count("<circle") == len(names)
    assert f"translation.{names[0]}: 50 %, 0." in drawn
    assert f"translation.{names[2]}: 50 %, 0.00" in drawn
    assert "<circle" not in class_page(results[:9], [translation.lesson])


def test_an_empty_answer_is_no_mistake_of_the_class():
    empty = [an_exercise(name, "empty", "still empty", mistakes=("empty",)) for name in translation.lesson.stubs]
    assert "Most common mistakes" not in class_page([result("a", empty)], [translation.lesson])


def test_the_gradebook_is_safe_to_open_in_a_spreadsheet():
    rows = [result("=cmd()", wrong("@danger")), result("two\nlines"), result("+1")]
    read = list(csv.reader(io.StringIO(gradebook(rows, [translation.lesson]))))
    assert [row[0] for row in read] == ["student", "'=cmd()", "two lines", "'+1"]
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in read for cell in row)
    points = [*WORTH.values()]
    assert read[1][1 : len(points) + 5] == [
        *map(str, (sum(points[1:]), sum(points), 0, *points[1:], sum(points[1:]), sum(points)))
    ]


def test_names_do_not_steer_a_terminal_or_a_spreadsheet():
    name = "\x1b]0;owned\x07 \u202e anna"
    given = replace(result(name), notes=(f"{name}.zip/a.ipynb: passed over",), reasons=(name,))
    told = gradebook([given, result("\uff1d1+1")], [translation.lesson])
    for text in (told, feedback_page(given), class_page([given], [translation.lesson], [name])):
        assert not set(text) & set("\x1b\x07\u202e")
    assert "'\uff1d1+1" in told


def test_what_is_right_by_itself_has_its_points_and_counts_no_mistake():
    names = list(translation.lesson.stubs)
    carried = an_exercise(names[2], "carried", "Right by itself; mend center_jacobian first", causes=(names[1],))
    exercises = [*wrong(mistakes=("a-mistake",))[:2], carried, an_exercise(names[3])]
    one = result(exercises=exercises)
    assert one.score == one.max - exercises[0].points
    page = Page(feedback_page(one)).text
    assert "✓ right by itself" in page
    assert "mend center_jacobian first" in page
    told = results(one)["tests"][2]
    assert (told["status"], told["score"]) == ("passed", carried.points)
    assert "mend center_jacobian first" in told["output"]
