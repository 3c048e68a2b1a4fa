"""The reference answers of a lesson, read from ``solutions/`` and run in the grader's own process.

They never enter the process that runs learners' code, and they are behind the stubs only while one of them runs.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bnlib.grading.course import Course, CourseError
from bnlib.notebooks import NotebookError, read
from bnlib.running import new_namespace, run_cells
from bnlib.stubs import Lesson, lesson_of, lessons

_LOAD = re.compile(r"""^[ \t]*load\([ \t]*["'](\w+)["'][ \t]*\)[ \t]*$""", re.MULTILINE)
_registry = threading.RLock()

Answers = Mapping[str, Callable[..., Any]]


class Reference:
    """The reference answers of one lesson: ``reference.center(h)``.

    Args:
        lesson: The lesson.
        answers: From ids of exercises (``translation.center``) to functions, those of earlier lessons included.
    """

    def __init__(self, lesson: Lesson, answers: Answers) -> None:
        self._lesson = lesson
        self._answers = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        stub = self._lesson.stubs.get(name)
        if stub is None:
            raise AttributeError(name)
        answer = self._answers[stub.id]

        def call(*args: Any, **kwargs: Any) -> Any:
            with _filled(self._answers):
                return answer(*args, **kwargs)

        return call


def reference(lesson: Lesson, course: Course | None = None) -> Reference:
    """Run the answers of a lesson's source notebook, and of the lessons it loads.

    Raises:
        CourseError: A source notebook is missing or broken, or leaves an exercise empty.
    """
    answers: dict[str, Callable[..., Any]] = {}
    with _filled({}):
        _run(lesson, course or Course(), answers)
    return Reference(lesson, answers)


def _run(lesson: Lesson, course: Course, answers: dict[str, Callable[..., Any]]) -> None:
    """Add the answers of a lesson, those of the lessons it loads first; ``load`` itself is for learners' folders."""
    try:
        notebook = read(course.solution(lesson))
    except NotebookError as error:
        raise CourseError(f"{course.solution(lesson)}: {error}") from None
    for cell in notebook.cells:
        for key in _LOAD.findall(cell.source):
            if lesson_of(key).key < lesson.key and not any(s.id in answers for s in lesson_of(key).stubs.values()):
                _run(lesson_of(key), course, answers)
    cells = [replace(cell, source=_LOAD.sub("", cell.source)) for cell in notebook.cells]
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        errors = run_cells(cells, new_namespace())
    for name, stub in lesson.stubs.items():
        if stub.answer is None:
            why = errors.get(name) or next(iter(errors.values()), "no cell fills it")
            raise CourseError(f"{course.solution(lesson)}: has no working answer to {name} ({why})")
        answers[stub.id] = stub.answer


@contextlib.contextmanager
def _filled(answers: Answers) -> Iterator[None]:
    """Put answers behind the stubs for a moment; afterwards every stub holds what it held before."""
    stubs = [stub for lesson in lessons() for stub in lesson.stubs.values()]
    with _registry:
        before = [stub.answer for stub in stubs]
        try:
            for stub in stubs:
                stub.answer = answers.get(stub.id)
            yield
        finally:
            for stub, answer in zip(stubs, before, strict=True):
                stub.answer = answer
