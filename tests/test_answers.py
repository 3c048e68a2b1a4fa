"""Right answers in every form pass, wrong ones fail with the right name: visible checks, lesson by lesson.

The forms are in ``tests/answers/``, one module a lesson.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from bnlib.checks import report_on
from bnlib.notebooks import read
from bnlib.running import new_namespace, run_cells
from bnlib.stubs import lesson_of, lessons

ROOT = Path(__file__).parent.parent


def answers(lesson):
    path = ROOT / "tests" / "answers" / f"{lesson.name}.py"
    spec = importlib.util.spec_from_file_location(f"answers_{lesson.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forms(which):
    for lesson in lessons():
        for exercise, texts in getattr(answers(lesson), which).items():
            for label, text in texts.items():
                yield pytest.param(lesson.key, exercise, text, id=f"{lesson.name}.{exercise}-{label}")


@pytest.fixture
def judge():
    """Fill a lesson with its reference answers, put one text in their place, and report on an exercise."""
    used = []

    def report(key, exercise, text):
        lesson = lesson_of(key)
        used.append(lesson)
        namespace = new_namespace()
        errors = run_cells(read(ROOT / "solutions" / f"{key}.ipynb").cells, namespace)
        assert not errors
        namespace["np"] = np
        exec(compile(text, "<answer>", "exec"), namespace)
        for name, stub in lesson.stubs.items():
            stub.answer = namespace[name]
        return report_on(lesson.stubs[exercise])

    yield report
    for lesson in used:
        for stub in lesson.stubs.values():
            stub.answer = None


def test_every_exercise_has_right_and_wrong_answers():
    for lesson in lessons():
        module = answers(lesson)
        assert set(module.RIGHT) == set(module.WRONG) == set(lesson.stubs)


@pytest.mark.parametrize(("key", "exercise", "text"), list(forms("RIGHT")))
def test_right_answer_passes(judge, key, exercise, text):
    report = judge(key, exercise, text)
    assert report.ok, str(report)


@pytest.mark.parametrize(("key", "exercise", "answer"), list(forms("WRONG")))
def test_wrong_answer_is_named(judge, key, exercise, answer):
    name, text = answer
    report = judge(key, exercise, text)
    assert not report.ok
    assert report.message
    if name is not None:
        assert name in report.names, str(report)
