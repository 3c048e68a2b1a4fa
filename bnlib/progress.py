"""Lesson by lesson: what is filled, and what passes its visible checks."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape

from bnlib.checks import report_on
from bnlib.judging.showing.report import show, titled
from bnlib.notebooks import NotebookError, read
from bnlib.patience import TooLong
from bnlib.running import find, new_namespace, replaying, run_cells
from bnlib.stubs import Lesson, Stub, lessons

SECONDS = 60
"""How long the saved notebooks may take before they are given up."""


@dataclass(frozen=True)
class Done:
    """How far one exercise is.

    Attributes:
        name: The exercise.
        points: What it is worth.
        earned: What it earns as it is.
        filled: It holds something other than the empty stub.
        passing: It passes its visible checks.
    """

    name: str
    points: int
    earned: int = 0
    filled: bool = False
    passing: bool = False


@dataclass(frozen=True)
class Standing:
    """How far one lesson is.

    Attributes:
        key: The lesson.
        title: Its title.
        exercises: How far each is, in the lesson's order.
        note: Why nothing is known, or "".
    """

    key: str
    title: str
    exercises: tuple[Done, ...]
    note: str = ""

    @property
    def total(self) -> int:
        """Number of exercises."""
        return len(self.exercises)

    @property
    def filled(self) -> int:
        """How many hold something other than the empty stub."""
        return sum(each.filled for each in self.exercises)

    @property
    def passing(self) -> int:
        """How many pass their visible checks."""
        return sum(each.passing for each in self.exercises)

    @property
    def points(self) -> tuple[int, int]:
        """Points of what passes, and of all."""
        return sum(each.earned for each in self.exercises), sum(each.points for each in self.exercises)

    @property
    def next(self) -> str:
        """The first exercise that does not pass yet, or ""."""
        return next((each.name for each in self.exercises if not each.passing), "")


class Standings:
    """All lessons' standings; a table in Jupyter, aligned text elsewhere."""

    def __init__(self, lessons: Iterable[Standing]) -> None:
        self.lessons = tuple(lessons)

    _HEAD = ("lesson", "filled", "passing", "points", "next")

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for s in self.lessons:
            if s.note:
                rows.append((f"{s.key}  {s.title}", "-", "-", f"-/{s.points[1]}", s.note))
            else:
                passing = f"{s.passing}/{s.total}"
                points = f"{s.points[0]}/{s.points[1]}"
                rows.append((f"{s.key}  {s.title}", f"{s.filled}/{s.total}", passing, points, s.next or "done"))
        return rows

    def __str__(self) -> str:
        rows = [self._HEAD, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self._HEAD))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        def cells(row: tuple[str, ...], tag: str, scope: str = "") -> str:
            return "".join(f'<{tag}{scope} style="text-align:left">{escape(text)}</{tag}>' for text in row)

        head = cells(self._HEAD, "th", ' scope="col"')
        rows = (cells(row[:1], "th", ' scope="row"') + cells(row[1:], "td") for row in self._rows())
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table>{titled('progress')}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


def progress() -> None:
    """Show lesson by lesson what is filled and passes.

    Exercises filled in this session count as they are now; the other lessons are read from their saved notebooks, in a
    process of their own.
    """
    if replaying():
        return
    here = {lesson.key: standing(lesson) for lesson in lessons() if any(s.answer for s in lesson.stubs.values())}
    saved = {s.key: s for s in saved_standings().lessons if s.key not in here}
    show(Standings(here.get(lesson.key) or saved[lesson.key] for lesson in lessons()))


def standing(lesson: Lesson) -> Standing:
    """How far a lesson is with what is filled in this process."""
    return Standing(lesson.key, lesson.title, tuple(map(_done, lesson.stubs.values())))


def _done(stub: Stub) -> Done:
    try:
        report = report_on(stub) if stub.answer else None
    except TooLong:
        return Done(stub.name, stub.points, filled=True)
    if report is None:
        return Done(stub.name, stub.points)
    earned = stub.points if report.ok else report.earned
    return Done(stub.name, stub.points, earned, "empty" not in report.names, report.ok)


def saved_standings(chosen: Iterable[Lesson] = ()) -> Standings:
    """Standings of the saved notebooks, each run in a process of its own so that an endless loop cannot hang this one.

    Args:
        chosen: Lessons to look at; by default all.
    """
    return Standings(_saved(lesson) for lesson in tuple(chosen) or lessons())


def _saved(lesson: Lesson) -> Standing:
    unknown = Standing(lesson.key, lesson.title, tuple(Done(each.name, each.points) for each in lesson.stubs.values()))
    try:
        read(find(lesson.key))
    except NotebookError as error:
        return replace(unknown, note=str(error))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bnlib.progress", lesson.key],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        values = json.loads(done.stdout.splitlines()[-1])
        return replace(unknown, exercises=tuple(Done(**each) for each in values))
    except subprocess.TimeoutExpired:
        return replace(unknown, note=f"took longer than {SECONDS} s: look for an endless loop")
    except (subprocess.CalledProcessError, ValueError, IndexError, TypeError):
        return replace(unknown, note="its code ended the process that looked at it")


def classroom(standings: Standings) -> str:
    """The points of the visible checks, in the form that GitHub Classroom's reporter reads: JSON in base64.

    Source: https://github.com/classroom-resources/autograding-grading-reporter (src/main.js, src/notify-classroom.js).
    """
    tests = [
        {
            "name": f"{lesson.key}: {each.name}",
            "status": "pass" if each.passing else "fail",
            "score": each.earned,
            "message": lesson.note,
            "test_code": "",
            "filename": "",
            "line_no": 0,
            "duration": 0,
        }
        for lesson in standings.lessons
        for each in lesson.exercises
    ]
    status = "pass" if all(test["status"] == "pass" for test in tests) else "fail"
    most = sum(lesson.points[1] for lesson in standings.lessons)
    result = {"version": 1, "status": status, "max_score": most, "tests": tests}
    return base64.b64encode(json.dumps(result).encode()).decode()


def _main(key: str) -> None:
    """Run one saved notebook's answers, and print how far each exercise is, as JSON."""
    lesson = next(lesson for lesson in lessons() if lesson.key == key)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_cells(read(find(key)).cells, new_namespace())
        result = standing(lesson)
    print(json.dumps([vars(each) for each in result.exercises]))


if __name__ == "__main__":
    _main(sys.argv[1])
