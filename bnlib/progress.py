"""Lesson by lesson: what is filled, and what passes its visible checks."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from bnlib.checks import report_on
from bnlib.judging.showing.report import show, titled
from bnlib.notebooks import NotebookError, read
from bnlib.patience import TooLong
from bnlib.running import find, new_namespace, replaying, run_cells
from bnlib.stubs import Lesson, lessons

SECONDS = 60
"""How long the saved notebooks may take before they are given up."""


@dataclass(frozen=True)
class Standing:
    """How far one lesson is.

    Attributes:
        key: The lesson.
        title: Its title.
        total: Number of exercises.
        filled: How many hold something other than the empty stub.
        passing: How many pass their visible checks.
        points: Points of the passing exercises, and of all.
        next: The first exercise that does not pass yet, or "".
        note: Why nothing is known, or "".
    """

    key: str
    title: str
    total: int
    filled: int
    passing: int
    points: tuple[int, int]
    next: str
    note: str = ""


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
    filled, passing, points, following = 0, 0, 0, ""
    for stub in lesson.stubs.values():
        try:
            report = report_on(stub) if stub.answer else None
        except TooLong:
            report, filled = None, filled + 1
        if report and "empty" not in report.names:
            filled += 1
        if report:
            points += stub.points if report.ok else report.earned
        if report and report.ok:
            passing += 1
        elif not following:
            following = stub.name
    total = len(lesson.stubs)
    return Standing(lesson.key, lesson.title, total, filled, passing, (points, lesson.points), following)


def saved_standings() -> Standings:
    """Standings of the saved notebooks, each run in a process of its own so that an endless loop cannot hang this one."""
    return Standings(_saved(lesson) for lesson in lessons())


def _saved(lesson: Lesson) -> Standing:
    unknown = Standing(lesson.key, lesson.title, len(lesson.stubs), 0, 0, (0, lesson.points), "")
    try:
        read(find(lesson.key))
    except NotebookError as error:
        return Standing(**{**vars(unknown), "note": str(error)})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bnlib.progress", lesson.key],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        values = json.loads(done.stdout.splitlines()[-1])
        return Standing(**{**values, "points": tuple(values["points"])})
    except subprocess.TimeoutExpired:
        return Standing(**{**vars(unknown), "note": f"took longer than {SECONDS} s: look for an endless loop"})
    except (subprocess.CalledProcessError, ValueError, IndexError):
        return Standing(**{**vars(unknown), "note": "its code ended the process that looked at it"})


def _main(key: str) -> None:
    """Run one saved notebook's answers, and print its standing as JSON."""
    lesson = next(lesson for lesson in lessons() if lesson.key == key)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_cells(read(find(key)).cells, new_namespace())
        result = standing(lesson)
    print(json.dumps(vars(result)))


if __name__ == "__main__":
    _main(sys.argv[1])
