"""The hidden tests: right answers in every form earn the points, wrong ones never do, an empty notebook is all empty."""

from __future__ import annotations

import os
import signal
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from answering import hidden_tests

from bnlib.grading.batch import exercise
from bnlib.grading.course import Course, CourseError
from bnlib.grading.hidden import plugin
from bnlib.grading.hidden.judge import Judge
from bnlib.grading.hidden.plugin import Batch, Subject, Verdict
from bnlib.grading.hidden.reference import reference
from bnlib.grading.isolation.sandbox import Limits
from bnlib.grading.process.worker import Learner, Server
from bnlib.judging.showing.table import WAITS
from bnlib.notebooks import Cell, Notebook, read
from bnlib.stubs import lesson_of, lessons, translation

ROOT = Course().root

RIGHT = {
    "center": [
        "return h - h.mean(axis=0)",
        "return h - np.mean(h, axis=0, keepdims=True)",
        "return h - h.sum(0) / len(h)",
        "return h - np.ones((len(h), len(h))) @ h / len(h)",
        "return (h.T - h.T.mean(axis=1)[:, None]).T",
        "return [[float(v) - float(np.mean(h[:, j])) for j, v in enumerate(row)] for row in h]",
        "return np.stack([c - c.mean() for c in h.T], axis=1)",
        "h = h.copy()\nh -= h.mean(0)\nreturn h",
        "return h.astype(np.float64) - h.astype(np.float64).mean(0)",
        "return np.einsum('ki,id->kd', np.eye(len(h)) - 1 / len(h), h)",
    ],
    "center_jacobian": [
        "return np.eye(N) - 1 / N",
        "return np.eye(N) - np.full((N, N), 1 / N)",
        "return [[(k == i) - 1 / N for i in range(N)] for k in range(N)]",
        "J = -np.ones((N, N)) / N\nJ[np.diag_indices(N)] += 1\nreturn J",
        "return (N * np.eye(N) - np.ones((N, N))) / N",
    ],
    "center_jacobian_full": [
        "return np.einsum('ki,lj->klij', np.eye(N) - 1 / N, np.eye(D))",
        "return np.kron(np.eye(N) - 1 / N, np.eye(D)).reshape(N, D, N, D)",
        "J = np.zeros((N, D, N, D))\nfor l in range(D):\n    J[:, l, :, l] = np.eye(N) - 1 / N\nreturn J",
        "A = np.eye(N) - 1 / N\nreturn A[:, None, :, None] * np.eye(D)[None, :, None, :]",
    ],
    "center_backward": [
        "return dout - dout.mean(axis=0)",
        "return dout - 1 / dout.shape[0] * np.sum(dout, axis=0)",
        "N = len(dout)\nreturn (np.eye(N) - 1 / N) @ dout",
        "dh = dout + 0.0\ndmu = -dout.sum(0)\ndh += dmu / len(dout)\nreturn dh",
        "N, D = dout.shape\nJ = np.einsum('ki,lj->klij', np.eye(N) - 1 / N, np.eye(D))\n"
        "return np.einsum('kl,klij->ij', dout, J)",
    ],
}

WRONG = {
    "center": [
        "return h",
        "return h - h.mean()",
        "return h - h.mean(axis=1, keepdims=True)",
        "return h - h.sum(axis=0)",
        "return (h - h.mean(0)) / h.std(0)",
        "return h.mean(0) - h",
        "h -= h.mean(0)\nreturn h",
        "return h - np.median(h, axis=0)",
        "return h - h.sum(0) / (len(h) - 1)",
        "return h - h[:64].mean(0)",
        "return (h - h.mean(0)).astype(np.float32)",
        "return np.round(h - h.mean(0), 6)",
        "return h - h.mean(0) + 1e-7",
    ],
    "center_jacobian": [
        "return np.eye(N)",
        "return np.eye(N) * (1 - 1 / N)",
        "return np.eye(N) - 1",
        "return np.eye(N) + 1 / N",
        "return np.eye(N) - (1 - np.eye(N)) / N",
        "return np.zeros((N, N))",
        "return np.eye(4) - 1 / 4",
    ],
    "center_jacobian_full": [
        "return np.einsum('ki,lj->klij', np.eye(N), np.eye(D))",
        "return np.einsum('ki,lj->klij', np.eye(N) - 1 / N, np.ones((D, D)))",
        "return np.einsum('ki,lj->klij', np.eye(N), np.eye(D)) - 1 / N",
        "return np.einsum('ki,lj->klij', np.eye(N) - 1 / D, np.eye(D))",
        "return np.einsum('ki,lj->kilj', np.eye(N) - 1 / N, np.eye(D))",
        "return np.einsum('ki,lj->ijkl', np.eye(D) - 1 / D, np.eye(N)).reshape(N, D, N, D)",
    ],
    "center_backward": [
        "return dout",
        "return dout * (1 - 1 / len(dout))",
        "return dout - dout.sum(axis=0)",
        "return dout - dout.mean(axis=1, keepdims=True)",
        "return dout - dout.mean()",
        "return dout + dout.mean(0)",
        "return -dout.mean(0) * np.ones_like(dout)",
        "return (dout - dout.mean(0)) / len(dout)",
        "return np.zeros_like(dout)",
        "dout -= dout.mean(0)\nreturn dout",
        "import itertools\ncenter_backward.n = getattr(center_backward, 'n', 0) + 1\n"
        "return (dout - dout.mean(0)) * (1 + 1e-3 * (center_backward.n > 1))",
        # a derivative by finite differences is no derivation: hidden tests are exact
        "f = lambda h: np.sum((h - h.mean(0)) * dout)\nh = np.ones_like(dout)\nout = np.empty_like(dout)\n"
        "for i in np.ndindex(h.shape):\n    e = np.zeros_like(h); e[i] = 1e-5\n"
        "    out[i] = (f(h + e) - f(h - e)) / 2e-5\nreturn out",
    ],
}


@pytest.fixture(scope="module")
def server():
    with Server(Limits(wall=5)) as server:
        yield server


def notebook(answers, path="02_translation.ipynb"):
    """A notebook with these bodies of functions in its answer cells."""
    cells = [
        Cell("imports", None, True, "import numpy as np\nfrom bnlib import fill\nfrom bnlib.stubs import translation")
    ]
    for name, body in answers.items():
        stub = translation.lesson.stubs[name]
        head = f"@fill({stub.id})\ndef {name}{stub.signature}:\n"
        cells.append(Cell(name, name, False, head + textwrap.indent(body, "    ")))
    return Notebook(Path(path), translation.lesson, tuple(cells))


def judged(server, notebooks, seed=0, **more):
    subjects = {name: Subject(name, (each,)) for name, each in notebooks.items()}
    batch = Batch(Course(), server, subjects, seed=seed, **more)
    plugin.run(batch, [translation.lesson])
    return batch


def cases(bodies):
    return [pytest.param(name, body, id=f"{name}-{n}") for name, each in bodies.items() for n, body in enumerate(each)]


@pytest.fixture(scope="module")
def verdicts(server):
    """All bodies of both tables, each a submission of one answer, judged in one session."""
    bodies = [(name, body) for table in (RIGHT, WRONG) for name, each in table.items() for body in each]
    names = {f"s{i}": notebook({name: body}) for i, (name, body) in enumerate(bodies)}
    batch = judged(server, names)
    return {
        body: batch.verdicts[subject][f"translation.{name}"]
        for subject, (name, body) in zip(names, bodies, strict=True)
    }


@pytest.mark.parametrize(("name", "body"), cases(RIGHT))
def test_every_right_form_earns_the_points(verdicts, name, body):
    assert verdicts[body].right, verdicts[body]


@pytest.mark.parametrize(("name", "body"), cases(WRONG))
def test_no_wrong_answer_earns_points(verdicts, name, body):
    verdict = verdicts[body]
    assert not verdict.right
    assert verdict.message
    assert verdict.mistakes
    assert not verdict.fault


def test_the_released_notebook_is_all_empty(server):
    released = read(ROOT / "notebooks" / "02_translation.ipynb")
    batch = judged(server, {"released": released})
    for stub in translation.lesson.stubs.values():
        result = exercise(stub, batch.verdict("released", stub), released, batch.errors["released", "02_translation"])
        assert (result.status, result.score, result.mistakes) == ("empty", 0, ("empty",))


def test_stopping_early_in_one_lesson_leaves_the_next_lessons_alone(server):
    released = tuple(read(ROOT / "notebooks" / f"{lesson.key}.ipynb") for lesson in lessons())
    solved = tuple(read(Course().solution(lesson)) for lesson in lessons())
    subjects = {"empty": Subject("empty", released), "solved": Subject("solved", solved)}
    batch = Batch(Course(), server, subjects)
    plugin.run(batch, lessons())
    for lesson in lessons():
        for stub in lesson.stubs.values():
            assert batch.verdict("empty", stub).fault == ""
            assert batch.verdict("empty", stub).mistakes == ("empty",)
            assert batch.verdict("solved", stub).right, stub.id


def test_one_exercise_that_never_ends_costs_only_itself():
    answers = {name: bodies[0] for name, bodies in RIGHT.items()}
    with Server(Limits(wall=0.5, cells=3)) as server:
        batch = judged(server, {"a": notebook({**answers, "center": "while True: pass"}), "b": notebook(answers)})
    right = {name: [batch.verdict(name, translation.lesson.stubs[each]).right for each in RIGHT] for name in ("a", "b")}
    assert right == {"a": [False, True, True, True], "b": [True, True, True, True]}
    assert batch.verdicts["a"]["translation.center"].mistakes == ("raises-Timeout",)


def test_inputs_depend_on_seed_exercise_and_test_and_nothing_else():
    def first(seed, test, stub=translation.center):
        return next(iter(Judge(stub, None, None, seed, test).draw(1)[0].values()))

    assert np.array_equal(first(1, "test_a"), first(1, "test_a"))
    assert not np.array_equal(first(1, "test_a"), first(2, "test_a"))
    assert not np.array_equal(first(1, "test_a"), first(1, "test_b"))
    assert not np.array_equal(first(1, "test_a"), first(1, "test_a", translation.center_backward))


@pytest.fixture
def judged_by(server, tmp_path):
    """Judge a notebook of lesson 02 with hidden tests that are given as text."""

    def judge(tests: str, answers: Notebook) -> Batch:
        hidden = tmp_path / "tests" / "hidden"
        hidden.mkdir(parents=True)
        (tmp_path / "solutions").symlink_to(ROOT / "solutions")
        (hidden / "conftest.py").write_text((ROOT / "tests/hidden/conftest.py").read_text())
        head = "from bnlib.grading.hidden.judge import hidden\nfrom bnlib.stubs import translation\n"
        (hidden / "test_translation.py").write_text(head + tests)
        batch = Batch(Course(tmp_path), server, {"a": Subject("a", (answers,))})
        plugin.run(batch, [translation.lesson])
        return batch

    return judge


def test_a_hidden_test_of_several_exercises_is_one_of_each(judged_by):
    tests = (
        "@hidden(translation.center, translation.center_backward)\ndef test_ordinary(judge):\n    judge.examine(judge.draw(3))\n"
        "@hidden(translation.center)\ndef test_of_one(judge):\n    judge.examine(judge.draw(2))\n"
    )
    batch = judged_by(tests, notebook({"center": RIGHT["center"][0], "center_backward": "return dout"}))
    center, backward = (batch.verdicts["a"][f"translation.{name}"] for name in ("center", "center_backward"))
    assert (center.total, center.passed) == (2, 2)
    assert (backward.total, backward.passed) == (1, 0)
    assert backward.mistakes == ("path-through-the-mean-missing",)


def test_a_fault_of_ours_is_not_a_wrong_answer(judged_by):
    answers = notebook({"center": RIGHT["center"][0]})
    batch = judged_by("@hidden(translation.center)\ndef test_broken(judge):\n    1 / 0\n", answers)
    verdict = batch.verdicts["a"]["translation.center"]
    assert not verdict.right
    assert "ZeroDivisionError" in verdict.fault
    result = exercise(translation.center, verdict, answers, {})
    assert (result.status, result.score) == ("not graded", 0)


def test_a_session_that_is_killed_is_tried_again_and_then_not_graded(server, monkeypatch):
    """A signal from outside costs nobody a point: the first is repaired, the second is the grader's fault."""
    kill = "import signal\nsignal.raise_signal(signal.SIGKILL)"
    answers = notebook({name: bodies[0] for name, bodies in RIGHT.items()} | {"center": kill})
    call, struck = Learner._call, []

    def killed_once(learner, name, *args, **kwargs):
        if name == "center_backward" and not struck:
            struck.append(os.kill(learner._session._child.pid, signal.SIGKILL))
        return call(learner, name, *args, **kwargs)

    monkeypatch.setattr(Learner, "_call", killed_once)
    batch = Batch(Course(), server, {"a": Subject("a", (answers,))}, replay=True)
    plugin.run(batch, [translation.lesson])
    assert struck
    found = {
        name: exercise(stub, batch.verdict("a", stub), answers, {})
        for name, stub in translation.lesson.functions.items()
    }
    assert {name: each.status for name, each in found.items()} == {
        name: "not graded" if name == "center" else "right" for name in RIGHT
    }
    assert "ended twice by SIGKILL" in found["center"].message


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_cells_that_end_their_process_by_a_signal_cost_and_earn_nobody_a_point(server, name):
    """Whose doing it was is not known: what is right all the same is right, and of the rest nothing is said."""
    bodies = {exercise: each[0] for exercise, each in RIGHT.items() if exercise != "center_jacobian"}
    answers = notebook(bodies | {"center": "return h"})
    end = Cell("mine", None, False, f"import signal\nsignal.raise_signal(signal.{name})")
    answers = replace(answers, cells=(*answers.cells, end))
    batch = judged(server, {"a": answers}, carry=True)
    found = {
        name: exercise(stub, batch.verdict("a", stub), answers, {})
        for name, stub in translation.lesson.functions.items()
    }
    expected = dict.fromkeys(found, "right") | {"center": "not graded", "center_jacobian": "missing"}
    assert {name: each.status for name, each in found.items()} == expected
    assert f"ended twice by {name}" in found["center"].message
    assert found["center"].score == 0


@pytest.mark.parametrize(
    "lesson", [each for each in lessons() if Course().solution(each).is_file()], ids=lambda lesson: lesson.key
)
def test_every_exercise_has_hidden_tests_and_a_reference_answer(lesson):
    answers = reference(lesson)
    for stub in lesson.stubs.values():
        assert hidden_tests(lesson)[stub.name]
        assert callable(getattr(answers, stub.name))


def test_reference_answers_leave_the_stubs_as_they_were():
    def mine(h):
        return h

    translation.center.answer, before = mine, translation.center.answer
    try:
        answers = reference(translation.lesson)
        assert np.allclose(answers.center(np.arange(6.0).reshape(3, 2)).mean(0), 0)
        assert np.allclose(answers.center_jacobian_full(3, 2).sum(axis=2), 0)
        assert translation.center.answer is mine
        assert translation.center_jacobian.answer is None
    finally:
        translation.center.answer = before
    with pytest.raises(AttributeError):
        answers.nothing  # noqa: B018


def test_a_course_without_solutions_says_so(tmp_path):
    with pytest.raises(CourseError, match="there is no such file"):
        reference(translation.lesson, Course(tmp_path))
    with pytest.raises(CourseError, match="is not there, so 02_translation cannot be graded"):
        Course(tmp_path).require(translation.lesson)


def test_a_damaged_solution_stops_before_anybody_is_graded(tmp_path):
    course = Course(tmp_path)
    for path in (course.solution(translation.lesson), course.hidden(translation.lesson)):
        path.parent.mkdir(parents=True)
        path.write_text("{")
    with pytest.raises(CourseError, match=r"^solutions/02_translation\.ipynb: is not a notebook"):
        course.require(translation.lesson)


@pytest.mark.parametrize(
    ("message", "mistakes", "status", "said"),
    [
        ("dx lacks the factor gamma", ("a",), "wrong", "dx lacks the factor gamma"),
        ("center_jacobian[0, 0] is 1", ("a",), "wrong", "center_jacobian[0, 0] is 1"),
        ("raised ValueError: no", ("raises-ValueError",), "wrong", "Raised ValueError: no"),
        ("it is still empty", ("empty",), "empty", "Still empty"),
        (
            f"{WAITS}: center is still empty.",
            ("empty",),
            "wrong",
            "It needs another exercise first: center is still empty.",
        ),
    ],
)
def test_what_is_written_down_of_an_exercise(message, mistakes, status, said):
    stub = lesson_of("normalization").stubs["batchnorm_backward"]
    notebook = Notebook(Path("x"), stub.lesson, (Cell("a", stub.name, False, "x"),))
    remarks = ("dx has a direction of length 1 in front", "dgamma is a list")
    written = exercise(stub, Verdict(message=message, mistakes=mistakes, remarks=remarks), notebook, {})
    assert (written.status, written.message) == (status, said)
    assert written.remarks == remarks
