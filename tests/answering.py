"""Fill a lesson with reference answers, put one text in their place, and see what the checks say.

Shared by the tests of right and wrong answers and by the mutants; the texts are in ``tests/answers/``, one module a lesson.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
from pathlib import Path
from types import SimpleNamespace

from bnlib.checks import report_on
from bnlib.grading.hidden.judge import Judge, WrongAnswer
from bnlib.grading.hidden.reference import reference
from bnlib.notebooks import read
from bnlib.running import new_namespace, run_cells

ROOT = Path(__file__).parent.parent


def module(path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@functools.cache
def answers(lesson):
    return module(ROOT / "tests" / "answers" / f"{lesson.name}.py")


@functools.cache
def hidden_tests(lesson):
    """The lesson's hidden tests by exercise."""
    found = {name: [] for name in lesson.stubs}
    for function in vars(module(ROOT / "tests" / "hidden" / f"test_{lesson.name}.py")).values():
        for mark in getattr(function, "pytestmark", ()):
            if mark.name == "exercise":
                found[mark.args[0].name].append(function)
    return found


@functools.cache
def reference_answers(lesson):
    return reference(lesson)


@contextlib.contextmanager
def filling():
    """A function that fills a lesson with its reference answers and one text; afterwards all stubs are empty again."""
    used = []

    def fill(lesson, text):
        used.append(lesson)
        namespace = new_namespace()
        with contextlib.redirect_stdout(io.StringIO()):
            run_cells(read(ROOT / "solutions" / f"{lesson.key}.ipynb").cells, namespace)
            exec(compile(text, "<answer>", "exec"), namespace)
        for name, stub in lesson.stubs.items():
            stub.answer = namespace[name]
        return SimpleNamespace(**{name: namespace[name] for name in lesson.stubs})

    try:
        yield fill
    finally:
        for lesson in used:
            for stub in lesson.stubs.values():
                stub.answer = None


def visible(stub):
    with contextlib.redirect_stdout(io.StringIO()):
        return report_on(stub)


def hidden(lesson, exercise, learner, stop=True):
    """Reports of the hidden tests that fail."""
    failed = []
    with contextlib.redirect_stdout(io.StringIO()):
        for test in hidden_tests(lesson)[exercise]:
            judge = Judge(lesson.stubs[exercise], learner, reference_answers(lesson), 0, test.__name__)
            try:
                test(judge)
            except WrongAnswer as wrong:
                failed.append(wrong.report)
                if stop:
                    break
    return failed
