"""What was found in a derivation, as the table of a check: every line, each waypoint with its points, the form of the end."""

from __future__ import annotations

from bnlib.chains import forms
from bnlib.chains.judge import Judgement
from bnlib.judging.showing.report import Report, Row
from bnlib.stubs import Derivation

EQUAL = "every line equals the one above"


def report(stub: Derivation, found: Judgement, passed: str = "") -> Report:
    """The table of one derivation; its rows carry the points that are earned.

    Args:
        stub: The exercise.
        found: What was found in the learner's text.
        passed: What to say below when nothing is missing.
    """
    names = found.mistakes
    rows = [Row(EQUAL, not found.message, found.message)]
    if found.empty:
        empty = f"write your derivation below {stub.start}, a line for each step, run that cell, then this one again."
        rows, names = [Row(EQUAL, False, empty, undone="empty")], ("empty",)
    jumped = found.finished and not all(found.reached)
    reached = found.reached or (False,) * len(stub.waypoints)
    for waypoint, there in zip(stub.waypoints, reached, strict=True):
        missing = "no line shows this step: write it between the lines you have" if jumped and not there else ""
        ok = True if there else False if jumped else None
        rows.append(Row(waypoint.words, ok, missing, _points(waypoint.points), points=waypoint.points))
    todo = found.unfinished if not found.message and not found.empty else ""
    ending = True if found.finished else False if todo else None
    said = f"Every line holds so far; go on: {todo}." if todo else ""
    rows.append(Row(forms.wanted(stub.form), ending, said, _points(stub.end_points), points=stub.end_points))
    if todo and not names:
        names = ("unfinished",)
    if jumped:
        names = ("step-missing",)
    closing = f"hint({stub.id}) tells the next move."
    if found.finished and not jumped:
        closing = passed or "Visible checks passed; hidden tests grade more."
    return Report(stub.id, tuple(rows), closing, names)


def _points(number: int) -> str:
    return f"{number} point{'' if number == 1 else 's'}"
