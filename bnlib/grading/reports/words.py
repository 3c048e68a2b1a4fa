"""Words for people about a result: what pages, the gradebook and other platforms say of it alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bnlib.grading.result import CARRIED, NOT_GRADED, RIGHT, Exercise, LessonResult, Result
from bnlib.judging.showing.report import printable

_FORMULA = re.compile(r"(^|[;\t|])(\s*)(?=[=+\-@＝＋－＠])")
_STATUS = {
    "right": "✓ right",
    "carried": "✓ right by itself",
    "wrong": "✗ not right",
    "empty": "✗ empty",
    "missing": "✗ missing",
    "not graded": "not graded",
}

_MISSING = {
    "missing": "there is no answer cell",
    "not graded": "your teacher has been told that this could not be graded",
}


def sentence(text: str) -> str:
    """A text with a full stop, unless it has an end of its own."""
    return text if text.endswith((".", "?", "!", ")")) else f"{text}."


def cell(text: str) -> str:
    """Text on one line that no spreadsheet takes for a formula, nor any part of it: some split at other signs than commas."""
    text = printable(" ".join(text.encode("utf-8", "replace").decode().split()))
    return _FORMULA.sub(r"\1\2'", text)


def solved(each: Exercise) -> bool:
    """True when the student's own part of it is right."""
    return each.status in (RIGHT, CARRIED)


def status(each: Exercise) -> str:
    """How an exercise went, in a word or two."""
    return _STATUS[each.status]


def failing(each: Exercise) -> list[str]:
    """What is wrong with each output of an exercise beyond what its message says, in the order in which it was looked at."""
    said = []
    for row in each.rows:
        if row.ok is False and not (row.message and row.message.lower() in each.message.lower()):
            detail = f" ({row.detail})" if row.detail else ""
            said.append(f"{row.name}: wrong{detail}" + (f". {row.message}" if row.message else ""))
    return said


def message(each: Exercise) -> str:
    """What to tell a student about an exercise; faults of the grader are for the teacher."""
    if each.status == NOT_GRADED or not each.message:
        return _MISSING.get(each.status, "")
    return each.message


def by_hand(each: Exercise) -> str:
    """What a person decided about an exercise; "" when nobody did."""
    if each.by_hand is None:
        return ""
    given = each.by_hand.points
    said = "Your teacher" if given is None else f"Your teacher gave {given} of {each.points} points by hand"
    return f"{said}: {each.by_hand.comment}" if each.by_hand.comment else said


def reason(result: Result) -> str:
    """Why points are missing, in a line for the gradebook; "" when none are."""
    parts = [*result.reasons]
    for lesson in result.lessons.values():
        if lesson.reason:
            parts += [lesson.reason] if lesson.reason not in "; ".join(parts) else []
            continue
        for each in lesson.exercises:
            said = [message(each)] if each.score < each.points else []
            said += [by_hand(each)] if each.by_hand else []
            parts += [f"{each.name}: {'. '.join(said)}"] if said else []
    return "; ".join(parts)


def to_look_at(result: Result) -> list[str]:
    """What a teacher should know of a student, most pressing first."""
    return [*result.flags, *(text for text in result.reasons if text not in result.faults), *result.notes]


def isolation(results: Iterable[Result]) -> list[str]:
    """With what answers were kept apart from everything else, in sentences: of hidden tests and of nbval's kernels."""
    lessons: list[LessonResult] = [lesson for result in results for lesson in result.lessons.values()]
    workers = {lesson.isolation for lesson in lessons} - {""}
    kernels = {lesson.nbval.isolation for lesson in lessons if lesson.nbval} - {""}
    if workers == kernels:
        return [f"Answers and notebooks were run in processes of their own; {level}." for level in sorted(workers)]
    said = [f"Answers were run in a process of their own; {level}." for level in sorted(workers)]
    return said + [f"Notebooks were run by nbval in a kernel of their own; {level}." for level in sorted(kernels)]
