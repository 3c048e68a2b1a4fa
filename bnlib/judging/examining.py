"""Examine an answer: run it on cases, compare, diagnose, and report row by row.

The visible checks and the hidden tests both come here, with a numerical truth or with the reference answer.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case, ordinary
from bnlib.judging.diagnosing.evidence import Finding
from bnlib.judging.outputs import any_wrong, besides, same_for_every_input, wrong_outputs
from bnlib.judging.received import Ordered, by_name, changed_input, settle, together
from bnlib.judging.rounding import is_float32
from bnlib.judging.showing.report import Report
from bnlib.judging.showing.table import Table, stations_of
from bnlib.numerics import Array, relative_error
from bnlib.running import describe_error


def examine(
    checks: Checks,
    learner: Any,
    cases: Sequence[Case],
    truth: Callable[[Case], Any],
    second: Callable[[Checks], Sequence[Case]] | None = None,
) -> Report:
    """Run the learner's functions on cases, compare with ``truth``, and report row by row.

    Args:
        checks: The exercise's description.
        learner: Namespace of the lesson's exercises, in this process or a proxy of another.
        cases: Test inputs.
        truth: From a case to the right outputs.
        second: Draws inputs of another kind, where something is wrong. Two quantities may agree by accident on one kind, and a name must hold on both.
    """
    stub, names = checks.stub, checks.outputs
    table = Table(checks)
    results: list[dict[str, Array]] = []
    expected: list[dict[str, Array]] = []
    remarks: list[str] = []
    dtypes: dict[str, str] = {}
    order: Ordered | None = None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        copies = [copy.deepcopy(case) for case in (*cases, cases[0])]
        checks.ahead(learner, copies)
        for case, given in zip(cases, copies, strict=False):
            right = by_name(names, truth(copy.deepcopy(case)))
            try:
                value = checks.run(learner, given)
            except NotImplementedError as error:
                return table.undone(error)
            except Exception as error:
                earlier = _named(checks, table, cases, results, expected)
                return earlier or table.fail(0, f"raised {describe_error(error)}", f"raises-{_kind(error)}")
            value = order.sorted(stub.returns, value) if order else value
            problem, result = settle(checks, case, value, right, remarks, dtypes)
            if isinstance(problem, Ordered) and not results:  # in the right order there may be something else
                order = problem
                problem, result = settle(checks, case, order.sorted(stub.returns, value), right, remarks, dtypes)
            if problem:
                if "wrong-shape" in problem.names:
                    always = same_for_every_input(checks, learner, cases, truth)
                    problem = always or besides(checks, case, result, right, problem)
                    problem = together(order, problem) if order and order is not problem else problem
                earlier = _named(checks, table, cases, results, expected)
                return earlier or table.fail(0, problem.message, *problem.names)
            if (changed := changed_input(case, given)) is not None:
                travels = (name for name in stub.parameters if name not in case and name != "cache")
                changed = changed if changed in stub.parameters else next(travels, changed)
                return table.fail(
                    1,
                    f"{stub.name} changed {changed}, its caller's array: something assigns into it or uses -=, *= "
                    "and the like on it. Work on a new array.",
                    "input-changed",
                )
            results.append(result)
            expected.append(right)
        if checks.walk:
            table.stations = stations_of(checks, cases, results, expected)
        wrong: dict[str, Finding] = {}
        if any_wrong(checks, cases, results, expected):
            cases_of_second_kind = second(checks) if second and not checks.walk else ()
            more = _calls(checks, learner, cases_of_second_kind, truth, order)
            wrong = wrong_outputs(checks, [*cases, *more[0]], results + more[1], expected + more[2], dtypes)
        if order:
            return table.fail(0, *_with(order, wrong))
        if wrong and all(finding.names == ("unnamed",) for finding in wrong.values()):
            always = same_for_every_input(checks, learner, cases, truth)
            return table.wrong({next(iter(wrong)): always} if always else wrong)
        if wrong:
            return table.wrong(wrong)
        for index, prop in enumerate(checks.properties):
            # Stated to float64 precision, so only judged there; the values were compared above in any case.
            precise = [pair for pair in zip(cases, results, strict=True) if not is_float32(pair[0])]
            if not all(prop.holds(case, result) for case, result in precise):
                return table.fail(2 + len(names) + index, prop.message, prop.name.replace(" ", "-"))
        if (message := _not_repeatable(checks, learner, cases[0], copies[-1], results[0])) is not None:
            return table.fail(-1, message, "not-repeatable")
    return table.passed(tuple(dict.fromkeys(remarks)))


def _named(
    checks: Checks,
    table: Table,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
) -> Report | None:
    """The report on the cases before one that failed outright, where they have a name for the mistake.

    Only the diagonal of a Jacobian, say, is a wrong number where it is square, and a wrong shape where it is not.
    """
    wrong = {} if checks.walk else wrong_outputs(checks, cases[: len(results)], results, expected)
    named = any(finding.names != ("unnamed",) for finding in wrong.values())
    return table.wrong(wrong) if named else None


def ordinary_cases(checks: Checks) -> list[Case]:
    """Inputs of a second kind: other sizes, no batch far from zero or narrow; the same every time."""
    rng = np.random.default_rng([2, *checks.stub.id.encode()])
    drawn = (case for case in iter(lambda: checks.draw(rng), None) if not case.get("far"))
    return [ordinary(case, rng) for case in itertools.islice(drawn, 2)]


def _with(order: Ordered, wrong: Mapping[str, Finding]) -> tuple[str, ...]:
    """A message and names for another order, and for what is wrong besides."""
    named = together(*(finding for finding in wrong.values() if finding.names != ("unnamed",)))
    return f"{order.message} Besides: {named.message}" if named.names else order.message, *order.names, *named.names


def _calls(
    checks: Checks, learner: Any, cases: Sequence[Case], truth: Callable[[Case], Any], order: Ordered | None
) -> tuple[list[Case], list[dict[str, Array]], list[dict[str, Array]]]:
    """Cases, what came back and what is right, as far as the learner's function runs: this is no more than evidence."""
    used, results, expected = [], [], []
    for case in cases:
        right = by_name(checks.outputs, truth(copy.deepcopy(case)))
        try:
            value = checks.run(learner, copy.deepcopy(case))
            value = order.sorted(checks.stub.returns, value) if order else value
            problem, result = settle(checks, case, value, right, [], {})
        except Exception:
            break
        if problem is None:
            used.append(case)
            results.append(result)
            expected.append(right)
    return used, results, expected


def _kind(error: Exception) -> str:
    """Name of the learner's error for the counts; errors that come from another process carry it."""
    return getattr(error, "kind", type(error).__name__)


def _not_repeatable(checks: Checks, learner: Any, case: Case, given: Case, before: Mapping[str, Array]) -> str | None:
    """A message when the first case no longer gives what it gave."""
    try:
        value = checks.run(learner, given)
    except Exception as error:
        return f"raised {describe_error(error)} when called a second time"
    problem, again = settle(checks, case, value, before, [], {})
    if problem or any(relative_error(again[k], before[k]) > 1e-12 for k in before):
        return "The second call with the same input gives another result: it depends on something kept between calls."
    return None
