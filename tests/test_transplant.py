"""The learner's answers in the pristine notebook, and what nbval makes of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import psutil
import pytest

from bnlib.checks import chain_of
from bnlib.grading.batch import disagreements
from bnlib.grading.course import Course
from bnlib.grading.isolation.sandbox import isolation
from bnlib.grading.nbval import stage as nbval_stage
from bnlib.grading.nbval.stage import Job, Outcome
from bnlib.grading.nbval.transplant import runnable, transplant
from bnlib.grading.result import CellResult, Exercise, LessonResult
from bnlib.notebooks import Cell, Notebook, parse
from bnlib.release import install_cell
from bnlib.stubs import derive_source, translation

FILL = "@fill(translation.{0})\ndef {0}({1}):\n    {2}"
RIGHT = {
    "center": ("h", "return h - h.mean(axis=0)"),
    "center_jacobian": ("N", "return np.eye(N) - 1 / N"),
    "center_jacobian_full": ("N, D", "return np.einsum('ki,lj->klij', center_jacobian(N), np.eye(D))"),
    "center_backward": ("dout", "return dout - dout.mean(axis=0)"),
}


@pytest.fixture(scope="module")
def pristine():
    return parse(Course().solution(translation.lesson))


def answers(**bodies):
    """Answer cells of the right answers, with other bodies for some; None leaves one out."""
    cells = []
    for name, (arguments, body) in RIGHT.items():
        body = bodies.get(name, body)
        if body is not None:
            cells.append(Cell(name, name, False, FILL.format(name, arguments, body)))
    for name, stub in translation.lesson.derivations.items():
        cells.append(Cell(name, name, False, derive_source(stub, chain_of(stub).lines)))
    return cells


def submission(cells):
    return Notebook(Path("02_translation.ipynb"), translation.lesson, tuple(cells))


def test_the_cell_that_installs_the_course_is_not_the_learners(pristine):
    for address in ("", "https://example.org/course.zip"):
        cell = Cell("moved", None, False, install_cell(address).source)
        handed_in = submission([cell, *answers()])
        assert ids(transplant(pristine, handed_in)) == ids(transplant(pristine, submission([*answers()])))


def ids(notebook):
    return [cell["id"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(notebook, cell_id):
    return next(cell["source"] for cell in notebook["cells"] if cell["id"] == cell_id)


def test_answers_replace_the_reference_answers_and_nothing_else_changes(pristine):
    made = transplant(pristine, submission(answers()))
    assert ids(made) == ids(pristine)
    for cell, old in zip(made["cells"], pristine["cells"], strict=True):
        if cell["id"] in translation.lesson.stubs:
            assert "return" in cell["source"] or cell["id"] in translation.lesson.derivations
            assert cell["metadata"] == old["metadata"]
        else:
            assert cell == old
    assert "BEGIN SOLUTION" not in json.dumps(made)
    assert "BEGIN SOLUTION" in json.dumps(pristine)


def test_a_missing_answer_cell_becomes_the_empty_stub(pristine):
    made = transplant(pristine, submission(answers(center_backward=None)))
    assert "raise NotImplementedError" in source(made, "center_backward")
    assert "BEGIN SOLUTION" not in json.dumps(made)


def test_own_cells_come_before_the_next_answer_in_order(pristine):
    first, *rest = answers()
    own = [Cell(f"x{i}", None, False, f"x = {i}") for i in range(4)]
    given = Cell("imports", None, True, next(c["source"] for c in pristine["cells"] if c["cell_type"] == "code"))
    made = transplant(pristine, submission([given, own[0], own[1], first, own[2], *rest, own[3]]))
    order = ids(made)
    assert [source(made, f"own-{i}") for i in (1, 2, 3, 4)] == ["x = 0", "x = 1", "x = 2", "x = 3"]
    assert order[order.index("center") - 2 : order.index("center")] == ["own-1", "own-2"]
    assert order[order.index("center_jacobian") - 1] == "own-3"
    assert order[order.index("center_backward") + 1] == "own-4"


def test_given_cells_without_metadata_are_not_run_twice(pristine):
    bare = [
        Cell(f"c{i}", None, False, c["source"]) for i, c in enumerate(pristine["cells"]) if c["cell_type"] == "code"
    ]
    given = [cell for cell in bare if "@fill" not in cell.source]
    assert ids(transplant(pristine, submission([*given, *answers()]))) == ids(pristine)


def test_the_last_of_two_answers_counts(pristine):
    old = Cell("old", "center", False, FILL.format("center", "h", "return h"))
    made = transplant(pristine, submission([old, *answers()]))
    assert source(made, "center").endswith("return h - h.mean(axis=0)")
    assert source(made, "own-1") == old.source


@pytest.mark.filterwarnings("ignore:.make_tokens_by_line")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# NBVAL_SKIP\nx = 1", "# (NBVAL_SKIP)\nx = 1"),
        ("\x0c#\u00a0NBVAL_SKIP\nx = 1", "#\u00a0(NBVAL_SKIP)\nx = 1"),
        ("x = 1\u2028# NBVAL_TEST_NAME: mine", "x = 1\u2028# (NBVAL_TEST_NAME: mine)"),
        ("x = (7\n     % 4)", "x = (7\n     % 4)"),
        ("%timeit f()\nx = 1", "pass\nx = 1"),
        ("!ls\nx = 1", "pass\nx = 1"),
        ("if True:\n    %timeit f(1,\n    x = 1", "if True:\n    pass\n    x = 1"),
        ("def (:", "def (:"),
        ("%%time\nx = 1", "%%time\nx = 1"),
    ],
)
def test_what_would_steer_nbval_or_cost_time_is_taken_out(before, after):
    assert runnable(before).strip() == after


def test_nbval_judges_transplanted_answers(pristine):
    cases = {"right": answers(), "wrong": answers(center_backward="return dout")}
    jobs = [Job(transplant(pristine, submission(cells)), "02_translation.ipynb", {}) for cells in cases.values()]
    right, wrong = nbval_stage.run(jobs)
    assert right.passed, right
    assert [cell.id for cell in right.cells] == ids(pristine)
    assert not wrong.passed
    assert wrong.cell("check-center_backward") == "failed"
    message = next(cell.message for cell in wrong.cells if cell.id == "check-center_backward")
    assert "path through the mean" in message


def job(*sources, **others):
    """A small notebook, whose cells are c0, c1, ..."""
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": text, "outputs": [], "execution_count": None}
        for i, text in enumerate(sources)
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    return Job(notebook, "small.ipynb", others)


def test_each_notebook_costs_only_itself():
    """One that fails, kills its kernel, ignores signals, takes too long, leaves children behind; and a right one between."""
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    cases = {
        "fails": job("x = 1", "1 / 0", "assert x == 1"),
        "dies": job("1", "import os; os._exit(0)", "2"),
        "right": job("1"),
        "stubborn": job("1", stubborn, "2"),
        "slow": job(*["import time; time.sleep(3)"] * 9),
        "forks": job("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(4321)"),
        "alone": job("import os", "assert os.listdir() == []"),
        "last": job("1"),
    }
    seen = dict(zip(cases, nbval_stage.run(list(cases.values()), cell_seconds=10, notebook_seconds=25), strict=True))
    may_fork = set() if isolation().processes else {"forks"}
    assert {name for name, each in seen.items() if each.passed} == {"right", "alone", "last"} | may_fork
    assert [c.outcome for c in seen["fails"].cells] == ["passed", "failed", "passed"]
    assert seen["fails"].cells[1].message == "ZeroDivisionError: division by zero"
    assert (seen["dies"].ended, seen["dies"].message, seen["dies"].cell("c0")) == (False, "the kernel died", "passed")
    assert (seen["stubborn"].cell("c1"), seen["stubborn"].cell("c2")) != ("passed", "passed")
    assert (seen["slow"].ended, seen["slow"].message) == (False, "the notebook did not end within 25 s")
    for process in psutil.process_iter(["cmdline", "ppid"]):
        if {"bnlib.grading.nbval.kernel", "bnlib.grading.nbval.kernels", "bnlib.grading.nbval.cells"} & set(
            process.info["cmdline"] or ()
        ):
            assert process.info["ppid"] not in (1, os.getpid()), "a process was left behind"


def result(replayed=None, **statuses):
    again = dict.fromkeys(RIGHT) | (replayed or {})
    exercises = tuple(Exercise(name, 1, statuses.get(name, "right"), replayed=again[name]) for name in RIGHT)
    return LessonResult("02_translation", "", exercises)


def outcome(ended=True, **cells):
    checks = {f"check-{name}": "passed" for name in RIGHT} | {f"check-{name}": seen for name, seen in cells.items()}
    return Outcome(
        ended, tuple(CellResult(cell, seen, "words") for cell, seen in checks.items()), "" if ended else "died"
    )


def test_hidden_tests_and_nbval_that_disagree_are_flagged():
    assert disagreements(result(), outcome()) == []
    assert disagreements(result(center="wrong"), outcome(center="failed")) == []
    assert disagreements(result(center="wrong"), outcome(center="not run")) == []
    assert "passes the notebook's own check" in disagreements(result(center="wrong"), outcome())[0]
    assert "not the notebook's own check" in disagreements(result(), outcome(center="failed"))[0]
    assert "nbval is not content (died)" in disagreements(result(), outcome(ended=False))[0]
    said = disagreements(result({"center": False}, center="wrong"), outcome())
    assert len(said) == 1
    assert "hidden state or tampering" in said[0]
    assert "when replayed" in disagreements(result({"center": True}), outcome(center="failed"))[0]
    assert disagreements(result(dict.fromkeys(RIGHT, True)), outcome()) == []
    own = Outcome(True, (CellResult("own-1", "failed", "NameError"),))
    assert disagreements(result(), own) == []


@pytest.mark.parametrize(
    "source",
    ["x = %time 1\n" * 600, "x = %time 1\n" * 40 + "a = 1\n" * 16_000, "a," * 1_000_000, "x = %time 1\n" * 49 + "("],
    ids=["magic without end", "long and magic", "long", "magic and no Python"],
)
def test_what_would_take_the_graders_time_stays_as_it_is(source):
    began = time.process_time()
    assert runnable(source) == source
    assert time.process_time() - began < 5
