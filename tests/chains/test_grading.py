"""A derivation on its way through the grader: read as text, judged on other numbers, points for the steps it reached."""

import sys
from dataclasses import replace

import nbformat
import pytest
from nbformat import v4

from bnlib.checks import chain_of
from bnlib.grading.batch import exercise
from bnlib.grading.course import Course
from bnlib.grading.hidden import plugin
from bnlib.grading.hidden.plugin import Batch, Subject
from bnlib.grading.process.worker import Server
from bnlib.grading.result import Exercise
from bnlib.notebooks import parse, read
from bnlib.release import BEGIN, END, build, released
from bnlib.running import new_namespace, run_cells
from bnlib.stubs import Lesson, normalization

STUB = normalization.input_gradient
LINES = chain_of(STUB).lines
HIDDEN = """
from bnlib.grading.hidden.judge import hidden
from bnlib.grading.hidden.plugin import judge, pytest_generate_tests, subject
from bnlib.stubs import normalization


@hidden(normalization.input_gradient)
def test_input_gradient(judge):
    judge.derivation()
"""
SETUP = "from bnlib import check, derive\nfrom bnlib.stubs import normalization"


@pytest.fixture
def lesson(monkeypatch) -> Lesson:
    """Lesson 03 with one exercise; pytest names its hidden tests as the course's own, which may be imported already."""
    monkeypatch.delitem(sys.modules, "tests.hidden.test_normalization", raising=False)
    monkeypatch.setattr(normalization.lesson, "stubs", {STUB.name: STUB})
    yield normalization.lesson
    STUB.answer = None


def cell(text):
    return f'derive(normalization.input_gradient, """\n{text}\n""")'


def notebook(folder, *sources):
    path = folder / "03_normalization.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [v4.new_code_cell(SETUP), *map(v4.new_code_cell, sources)]
    path.write_text(nbformat.writes(v4.new_notebook(cells=cells)))
    return path


HANDED = {
    "right": (cell("\n= ".join(LINES)),),
    "half": (cell("\n= ".join(LINES[:4])),),
    "slip": (cell("\n= ".join([*LINES[:4], LINES[4].replace("r**3", "r**2"), *LINES[5:]])),),
    "jumped": (cell(f"{LINES[0]}\n= {LINES[-1]}"),),
    "empty": (cell(LINES[0]),),
    "missing": (),
    "no text": ("text = 'd(L, x[i])'\nderive(normalization.input_gradient, text)",),
    "attack": (cell("d(L, x[i])\n= __import__('os')._exit(1)"),),
    "megabyte": (cell("x[i] + " * 150_000),),
    "the last counts": (cell("foo"), cell("\n= ".join(LINES))),
    "tampers": ("import bnlib.chains.command\nnormalization.input_gradient.points = 1000", cell(LINES[0])),
    "a cell that ends the process": ("import os\nos._exit(1)", cell("\n= ".join(LINES))),
}  # fmt: skip

GRADED = {
    "right": ("right", 4), "half": ("wrong", 2), "slip": ("wrong", 2), "jumped": ("wrong", 1), "empty": ("empty", 0), "missing": ("missing", 0),
    "no text": ("wrong", 0), "attack": ("wrong", 0), "megabyte": ("wrong", 0), "the last counts": ("right", 4), "tampers": ("empty", 0),
    "a cell that ends the process": ("right", 4),
}  # fmt: skip


def graded(tmp_path, lesson, seed=0):
    course = tmp_path / "course"
    hidden = course / "tests" / "hidden" / "test_normalization.py"
    hidden.parent.mkdir(parents=True)
    hidden.write_text(HIDDEN)
    notebook(course / "solutions", cell("\n= ".join(LINES)))
    subjects = {name: Subject(name, (read(notebook(tmp_path / name, *sources)),)) for name, sources in HANDED.items()}
    with Server() as server:
        batch = Batch(Course(course), server, subjects, seed=seed, replay=True)
        plugin.run(batch, [lesson])
    return batch, {
        name: exercise(STUB, batch.verdict(name, STUB), subject.notebook(lesson), {})
        for name, subject in subjects.items()
    }


def test_points_for_what_was_reached(tmp_path, lesson):
    batch, found = graded(tmp_path, lesson)
    assert {name: (each.status, each.score) for name, each in found.items()} == GRADED
    assert found["slip"].message == "Line 5: the exponent of r is wrong in the second term, inside the sum over k."
    assert found["slip"].mistakes == ("exponent",)
    assert found["jumped"].message.startswith("No line shows this step")
    assert "is not text" in found["no text"].message
    assert "at most 20000 are read" in found["megabyte"].message
    assert not any(verdict.fault for each in batch.verdicts.values() for verdict in each.values())
    assert STUB.points == 4
    assert replace(found["half"], points=1).score == 0.5, "a teacher may give an exercise other points"
    assert Exercise.from_json(found["half"].to_json()) == found["half"]


def test_the_same_seed_gives_the_same_numbers(tmp_path, lesson):
    _, once = graded(tmp_path / "a", lesson, 3)
    _, again = graded(tmp_path / "b", lesson, 3)
    assert once == again


def test_a_learners_process_has_no_language_that_differentiates(tmp_path, lesson):
    source = (
        "try:\n    from bnlib.chains.course import judged\nexcept ImportError as error:\n    found = 1.0\nelse:\n    found = 0.0\n"
        "try:\n    import bnlib.language.values\nexcept ImportError as error:\n    found += 1.0\n"
        "import os.path\nfrom bnlib import fill, derive, reveal\n"
        "try:\n    open(os.path.join(os.path.dirname(bnlib.__file__), 'language', 'values.py')).read()\nexcept OSError:\n    found += 1.0\n"
        "@fill(normalization.normalize_backward)\ndef normalize_backward(dout, x, gamma, eps):\n    return found\n"
    )
    lesson.stubs["normalize_backward"] = normalization.normalize_backward
    path = notebook(tmp_path, "import bnlib\n" + source)
    with Server() as server:
        learner = server.learner([read(path)], lesson)
        assert float(learner.normalize_backward(1.0, 1.0, 1.0, 1.0)) >= 2.0
        isolated = server.level.isolated
        assert not isolated or float(learner.normalize_backward(1.0, 1.0, 1.0, 1.0)) == 3.0
        learner.close()


# -- build and release


def test_the_source_holds_the_courses_chain_and_the_release_its_first_line(tmp_path, lesson):
    path = notebook(tmp_path, "# the derivation\n" + cell("d(L, x[i])"), "check(normalization.input_gradient)")
    build(path)
    source = nbformat.from_dict(parse(path))
    answer, check = source.cells[1:]
    assert answer.id == "input_gradient"
    assert answer.metadata.nbgrader.solution
    assert check.metadata.nbgrader.points == STUB.points
    assert answer.source.splitlines()[0] == "# the derivation"
    assert answer.source.count(BEGIN) == answer.source.count(END) == 1
    assert all(line in answer.source for line in LINES)
    assert "ok" in str(check.outputs)
    handed = next(each for each in released(source, path).cells if each.id == "input_gradient")
    assert handed.source == "# the derivation\n" + cell("d(L, x[i])")
    before = path.read_text()
    build(path)
    assert path.read_text() == before


def test_nbgrader_takes_the_lines_out_and_leaves_a_text(tmp_path, lesson):
    source = normalization.lesson and cell(f"d(L, x[i])\n{BEGIN}\n= 1\n{END}")
    cleared = source.replace(f"{BEGIN}\n= 1\n{END}", "# YOUR CODE HERE\nraise NotImplementedError()")
    path = notebook(tmp_path, cleared)
    run_cells(read(path).cells, new_namespace())
    from bnlib.checks import report_on

    assert report_on(STUB).names == ("empty",)
