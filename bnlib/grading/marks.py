"""What a teacher's rules make of a result: points, points by hand, lateness. Nothing of the student's is run for it.

It is done anew in every run, to kept results too, so that a change of points or dates costs no grading.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bnlib.grading.result import ByHand, Exercise, LessonResult, Marks, Result, tidy
from bnlib.grading.rules import Rules, RulesError
from bnlib.stubs import Stub, lesson_of, lessons

OVERRIDES = "overrides.csv"
_COLUMNS = ("student", "exercise", "points", "comment")


@dataclass(frozen=True)
class Teacher:
    """All that a teacher decided: the rules of the course, and what was given by hand, by student and id of the exercise."""

    rules: Rules = field(default_factory=Rules)
    by_hand: Mapping[tuple[str, str], ByHand] = field(default_factory=dict)


def marked(result: Result, teacher: Teacher) -> Result:
    """A result with all that the teacher decided."""
    for mark in MARKS:
        result = mark(result, teacher)
    return result


def _points(result: Result, teacher: Teacher) -> Result:
    """What each exercise is worth."""
    return _each(result, lambda each, key: replace(each, points=teacher.rules.points_of(_stub(key, each))))


def _by_hand(result: Result, teacher: Teacher) -> Result:
    """What a person decided about single exercises."""

    def given(each: Exercise, key: str) -> Exercise:
        return replace(each, by_hand=teacher.by_hand.get((result.student, _stub(key, each).id)))

    return _each(result, given)


def _lateness(result: Result, teacher: Teacher) -> Result:
    """How late each lesson came and what that costs; replaces what an earlier run said of it."""
    before = {note for lesson in result.lessons.values() for note in lesson.marks.notes}
    done = {key: replace(each, marks=_late(result.student, each, teacher)) for key, each in result.lessons.items()}
    said = [note for lesson in done.values() for note in lesson.marks.notes]
    latest = max((lesson.marks.late for lesson in done.values()), default=0.0)
    notes = (*(note for note in result.notes if note not in before), *said)
    return replace(result, lessons=done, notes=notes, late=duration(latest))


def _late(student: str, lesson: LessonResult, teacher: Teacher) -> Marks:
    due, file = teacher.rules.due_of(student, lesson.lesson), lesson.file
    if not file:
        return Marks()
    called = f"{file.file}: marked LATE by Canvas"
    if due is None:
        return Marks(notes=(f"{called} ({lesson.lesson})",)) if file.marked_late else Marks()
    late = max(0.0, _seconds(file.handed) - due.timestamp())
    flags = []
    if file.stated and (_seconds(file.stated) > due.timestamp()) != (late > 0):
        flags.append(
            f"{file.file}: in time by the date in its zip or timestamp.txt, and late by the file's own; the later counts"
        )
    if file.marked_late and not late:
        flags.append(f"{called}, and in time by its date")
    if not late:
        return Marks(flags=tuple(flags))
    lost = teacher.rules.late.lost(late)
    note = f"{file.file}: late by {duration(late)}"
    note += "; an earlier one was in time" if file.earlier and _seconds(file.earlier) <= due.timestamp() else ""
    note += f"; that costs {lost:g} % of the points" if lost else ""
    return Marks(late, lost, (f"{note} ({lesson.lesson})",), tuple(flags))


MARKS: tuple[Callable[[Result, Teacher], Result], ...] = (_points, _by_hand, _lateness)
"""What becomes of a result after ``batch.STAGES``, in this order."""


def _each(result: Result, change: Callable[[Exercise, str], Exercise]) -> Result:
    done = {
        key: replace(lesson, exercises=tuple(change(each, key) for each in lesson.exercises))
        for key, lesson in result.lessons.items()
    }
    return replace(result, lessons=done)


def _stub(key: str, each: Exercise) -> Stub:
    return lesson_of(key).stubs[each.name]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def duration(seconds: float) -> str:
    """A span of time in words: ``2 d 3 h 5 min``; every begun minute counts."""
    minutes = math.ceil(seconds / 60)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def read_overrides(path: Path, rules: Rules) -> dict[tuple[str, str], ByHand]:
    """What was given by hand: columns student, exercise, points, comment; points or the comment may be left empty.

    Raises:
        RulesError: The file is wrong; a line for each mistake.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path.name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != _COLUMNS:
        raise RulesError(f"{path.name}: the first line must be {','.join(_COLUMNS)}")
    found: dict[tuple[str, str], ByHand] = {}
    mistakes = []
    for row in rows:
        words = {name: (row[name] or "").strip() for name in _COLUMNS}
        try:
            place, given = _override(words, rules)
            if place in found:
                raise ValueError(f"{place[0]} and {place[1]} stand there twice")
            found[place] = given
        except ValueError as error:
            mistakes.append(f"{path.name}: line {rows.line_num}: {error}")
    if mistakes:
        raise RulesError("\n".join(mistakes))
    return found


def _override(row: Mapping[str, str], rules: Rules) -> tuple[tuple[str, str], ByHand]:
    ids = {stub.id: stub for lesson in lessons() for stub in lesson.stubs.values()}
    stub = ids.get(row["exercise"])
    if not row["student"]:
        raise ValueError("names no student")
    if stub is None:
        raise ValueError(f"no exercise is called {row['exercise']!r}; write it like {next(iter(ids))}")
    if not row["points"]:
        return (row["student"], stub.id), ByHand(None, row["comment"])
    try:
        points = float(row["points"])
    except ValueError:
        raise ValueError(f"{row['points']!r} is no number of points") from None
    most = rules.points_of(stub)
    if not 0 <= points <= most:
        raise ValueError(f"{stub.id} has {most:g} points, and {points:g} are given")
    return (row["student"], stub.id), ByHand(tidy(points), row["comment"])
