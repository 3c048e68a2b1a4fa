"""What a learner's own check looks at: one module a lesson, and what a learner calls.

Each lesson's module describes, for every exercise, which inputs to try, how to know what is right *without a reference
answer* (a definition, or a numerical derivative of one), the terms the right answer is made of, named slips, and hints. The engine
that reads these descriptions is :mod:`bnlib.judging`; the words they are written in are imported here.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING

import numpy as np

from bnlib.exercises import need_exercise
from bnlib.judging.asked import Answer, Checks, Property
from bnlib.judging.case import Case, remembered
from bnlib.judging.comparing import negligible
from bnlib.judging.diagnosing.evidence import same
from bnlib.judging.diagnosing.slips import Slip
from bnlib.judging.diagnosing.terms import Term
from bnlib.judging.examining import examine, ordinary_cases
from bnlib.judging.showing.report import Report, show
from bnlib.judging.showing.table import report_behind
from bnlib.judging.source import Source
from bnlib.patience import patience
from bnlib.stubs import Derivation, NotFilledError, Quiz, Stub

if TYPE_CHECKING:
    from bnlib.chains.course import Chain

__all__ = [
    "Answer", "Case", "Checks", "Property", "Slip", "Source", "Term",
    "answer_of", "chain_of", "check", "checks_of", "hint", "negligible", "remembered", "report_on", "same",
    "visible",
]  # fmt: skip


def checks_of(stub: Stub) -> Checks:
    """The checks of an exercise: the object of its name in the lesson's module of this package."""
    return getattr(importlib.import_module(f"{__name__}.{stub.lesson.name}"), stub.name)


def chain_of(stub: Derivation) -> Chain:
    """The course's own derivation: the object of the exercise's name in the lesson's module of this package."""
    return getattr(importlib.import_module(f"{__name__}.{stub.lesson.name}"), stub.name)


def answer_of(quiz: Quiz) -> Answer:
    """The answer of a quiz question: the object of its name in the lesson's module of this package."""
    return getattr(importlib.import_module(f"{__name__}.{quiz.lesson.name}"), quiz.name)


@cache
def visible(stub: Stub, cases: int = 3) -> list[Case]:
    """The inputs that :func:`check` looks at: the same every time, and the same objects, which remember what mistakes make of them."""
    checks = checks_of(stub)
    rng = np.random.default_rng(list(stub.id.encode()))
    return [checks.draw(rng) for _ in range(cases)]


class Filled:
    """The lesson's exercises as filled in this process: ``learner.center(h)``."""

    def __init__(self, stub: Stub) -> None:
        self._stubs = stub.lesson.stubs

    def __getattr__(self, name: str) -> Stub:
        try:
            return self._stubs[name]
        except KeyError:
            raise AttributeError(name) from None


class CheckFailed(AssertionError):  # noqa: N818 - a learner reads this name
    """The learner's answer is not right yet. ``report`` says why."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a traceback: the table above it says everything."""
        said = {"empty": " is still empty.", "waits": " waits for another exercise."}
        return [self.report.title + said.get(self.report.undone, f": {self.report.message}")]


def check(stub: Stub) -> None:
    """Check the learner's answer to an exercise, show what was looked at, and name the mistake if there is one.

    Args:
        stub: The exercise, for example ``translation.center``.

    Raises:
        ArgumentError: ``stub`` is no exercise.
        NotFilledError: The exercise is still empty.
        TooLong: The answer did not end in time.
        CheckFailed: The answer is not right yet.
    """
    report = report_on(stub)
    show(report)
    if not report.ok:
        raise CheckFailed(report)


def report_on(stub: Stub, cases: int = 3) -> Report:
    """The report behind :func:`check`, on the visible inputs.

    Raises:
        ArgumentError: ``stub`` is no exercise.
        NotFilledError: The exercise is still empty.
    """
    need_exercise(stub, "check")
    if stub.answer is None:
        raise NotFilledError(f"{stub.name}. {_to_do(stub)}, run that cell, then this one again.")
    if isinstance(stub, Derivation):
        return _derived(stub)
    with patience(stub.id):
        report = _examined(stub, cases)
        if report.ok or report.undone:
            return report
        wrong = next((early for early in _needed(stub) if early.answer and not _examined(early, cases).ok), None)
    return report_behind(report, stub, wrong) if wrong else report


def _to_do(stub: Stub) -> str:
    opening = stub.opening.rstrip(", ")
    if stub.begun:
        return (
            f"The cell that begins with {opening} ended in an error, and what was there before does not count: mend it"
        )
    return f"Write it in the cell that begins with {opening}"


def _examined(stub: Stub, cases: int) -> Report:
    checks = checks_of(stub)
    return examine(checks, Filled(stub), visible(stub, cases), checks.truth, ordinary_cases)


def _needed(stub: Stub) -> list[Stub]:
    """The earlier exercises whose cache it works on or that its answer calls, the first one first."""
    called = {stub.cache_of, *_names(stub.answer)}
    return [earlier for name, earlier in stub.lesson.stubs.items() if name in called & {stub.cache_of, *stub.builds_on}]


def _names(thing: object) -> set[str]:
    """Global names that the code of a function, or of a class's methods, uses."""
    if isinstance(thing, type):
        return set().union(*(_names(value) for value in vars(thing).values()))
    code = thing if isinstance(thing, CodeType) else getattr(thing, "__code__", None)
    return set(code.co_names).union(*(_names(part) for part in code.co_consts)) if code else set()


def _derived(stub: Derivation) -> Report:
    from bnlib.chains.course import judged
    from bnlib.chains.report import report

    return report(stub, judged(stub, stub.answer))


_hints_given: dict[str, int] = {}


def hint(stub: Stub, idea: bool = False) -> None:
    """Show the next hint of the exercise's ladder: where to look, what to write, a worked line.

    Args:
        stub: The exercise.
        idea: After the last hint, True tells the idea of the worked answer (not its code).

    Raises:
        ArgumentError: ``stub`` is no exercise.
    """
    need_exercise(stub, "hint")
    where, ladder, idea_of = stub.id, *_ladder(stub)
    if isinstance(stub, Derivation):
        where += ladder[0]  # each move of a derivation has hints of its own
    given = _hints_given.get(where, 0)
    if given < len(ladder):
        _hints_given[where] = given + 1
        print(f"Hint {given + 1} of {len(ladder)}: {ladder[given]}")
    elif idea:
        print(f"The idea: {idea_of}")
    else:
        print(f"That was the last hint. hint({stub.id}, idea=True) tells the idea of the worked answer.")
        for number, text in enumerate(ladder, 1):
            print(f"Hint {number} of {len(ladder)}: {text}")


def _ladder(stub: Stub) -> tuple[tuple[str, ...], str]:
    """The hints of an exercise, of a derivation those for where the learner stands; and the idea of the worked answer."""
    if not isinstance(stub, Derivation):
        checks = checks_of(stub)
        return checks.hints, checks.idea
    from bnlib.chains.course import judged

    chain = chain_of(stub)
    return chain.hints(judged(stub, stub.answer or stub.start)), chain.idea
