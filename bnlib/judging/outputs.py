"""Which outputs are wrong, and why: each by itself, exchanged for one another, or the same whatever comes in."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case
from bnlib.judging.comparing import agrees
from bnlib.judging.diagnosing.evidence import Evidence, Finding, same, two_at_once
from bnlib.judging.diagnosing.slips import diagnose, displaced
from bnlib.judging.diagnosing.terms import Term
from bnlib.judging.received import by_name, in_each_others_place, misshapen_output
from bnlib.numerics import Array

if TYPE_CHECKING:
    from bnlib.judging.mistakes.known import Known, Together
    from bnlib.judging.mistakes.twists import Twist


MANY = 2
"""So many mistakes are believed of two outputs before it is asked whether they stand in each other's place."""


def any_wrong(
    checks: Checks,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
) -> bool:
    """Whether anything is not right."""
    calls = list(zip(cases, results, expected, strict=True))
    return not all(
        name in result and agrees(checks, name, case, result[name], right[name])
        for case, result, right in calls
        for name in checks.outputs
    )


def wrong_outputs(
    checks: Checks,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
    dtypes: Mapping[str, str] | None = None,
) -> dict[str, Finding]:
    """The outputs that are not right, with what is known about why; on a walk the first of them only."""
    found: dict[str, Finding] = {}
    moved = _moved(results, expected)
    given, right_before = cases, expected
    after = (
        [checks.follows(case, result) for case, result in zip(cases, results, strict=True)] if checks.follows else ()
    )
    for name in checks.outputs:
        if after:  # what does not follow from a wrong output keeps its case, and all that is remembered with it
            cases = [then if name in values else case for case, (then, values) in zip(given, after, strict=True)]
            expected = [{**right, **values} for right, (_, values) in zip(right_before, after, strict=True)]
        if found and checks.walk:
            break
        if any(name not in result for result in results):
            found[name] = Finding(("unfinished",), f"The walk stops here: {name} is still None.")
            continue
        dtype = (dtypes or {}).get(name, "float64")
        wrong = [
            Evidence(case, result[name], right[name], dtype)
            for case, result, right in zip(cases, results, expected, strict=True)
            if not agrees(checks, name, case, result[name], right[name])
        ]
        if not wrong:
            continue
        near = [item for item in wrong if not item.case.get("far")]
        if any(item.got.shape != item.expected.shape for item in wrong):
            first = next(right for case, right in zip(cases, expected, strict=True) if case is wrong[0].case)
            found[name] = misshapen_output(checks, wrong[0].case, name, wrong[0].got, first)
        elif not near and not all(case.get("far") for case in cases):
            found[name] = Finding(("digits-lost",), f"{name} is right near zero, and {_DIGITS_LOST}")
        elif name in moved and set(moved) == set(moved.values()):
            found[name] = in_each_others_place(moved)
        else:
            unnamed = [other for other, said in found.items() if said.names == ("unnamed",)]
            thorough = not unnamed  # what is wrong in many places has one reason further up
            known = {known for said in found.values() for known in said.names}
            finding = _diagnose(checks, name, wrong, thorough, known)
            if (
                not finding
                and 1 < len(near) < len(wrong)
                and (finding := _diagnose(checks, name, near, thorough, known))
            ):
                finding = _and_digits_lost(name, finding)
            found[name] = finding or Finding(("unnamed",), _first_difference(checks, name, (near or wrong)[0]))
    if set(moved) != set(moved.values()):
        found |= _moved_and_wrong(checks, cases, results, expected, moved, found)
    return found | _exchanged(checks, cases, results, expected, found)


_DIGITS_LOST = (
    "loses its digits where the numbers lie far from zero: "
    "somewhere a small difference is made of large, nearly equal numbers that were rounded before."
)


def _and_digits_lost(name: str, finding: Finding) -> Finding:
    """What explains a result near zero, and not far from it: it loses digits besides, if they are not what it is about."""
    if {"dtype-lost", "nearly-right"} & set(finding.names):
        return finding
    return Finding((*finding.names, "digits-lost"), f"{finding.message} Besides, {name} {_DIGITS_LOST}")


def _moved_and_wrong(
    checks: Checks,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
    moved: Mapping[str, str],
    found: Mapping[str, Finding],
) -> dict[str, Finding]:
    """Findings for right values in the places of others, where one of them is wrong besides and that takes fewer mistakes."""
    last, first = (next(iter(ends)) for ends in (set(moved.values()) - set(moved), set(moved) - set(moved.values())))
    evidence = [
        Evidence(case, result[last], right[first])
        for case, result, right in zip(cases, results, expected, strict=True)
        if result[last].shape == right[first].shape
    ]
    finding = _diagnose(checks, first, evidence) if evidence else None
    alone = [found[name].names for name in (*moved, last)]
    taken = 99 if ("unnamed",) in alone else len({name for names in alone for name in names})
    exchanged = ["-for-" in name for name in (finding.names if finding else ())]
    likelier = sum(exchanged) < sum("-for-" in name for names in alone for name in names)
    if finding is None or 1 + len(exchanged) > taken or (1 + len(exchanged) == taken and not likelier):
        return {} if taken < 99 else dict.fromkeys(moved, in_each_others_place(moved))
    return {**dict.fromkeys(moved, in_each_others_place(moved)), last: finding}


def _diagnose(
    checks: Checks, name: str, evidence: Sequence[Evidence], thorough: bool = True, known: Set[str] = frozenset()
) -> Finding | None:
    twisted = list(_twisted(checks, checks.known, name, evidence)) if checks.known else []
    for twist, _, seen in twisted:
        if all(same(item.got, item.expected) for item in seen):
            return Finding((twist.name,), twist.message)
    ways = checks.known.of(name) if checks.known else ()
    terms = _without_one(checks.known, name, checks.terms_of(name)) if checks.known else checks.terms_of(name)
    finding = diagnose(name, evidence, terms, checks.slips, checks.factors_of(), thorough, known, ways)
    for twist, lines, seen in twisted if thorough and not finding else ():
        terms = _without_one(lines, name, lines.terms(name))
        if twist.beside and (other := diagnose(name, seen, terms, (), lines.factors, False, ways=lines.of(name))):
            return Finding((twist.name, *other.names), two_at_once(twist.message, other.message))
    return finding


def _twisted(
    checks: Checks, usual: Known | Together, name: str, evidence: Sequence[Evidence]
) -> Iterator[tuple[Twist, Known | Together, list[Evidence]]]:
    """The twists that make a difference to an output, with their lines and the evidence as each has it."""
    for twist in checks.twists:
        seen = [each for item in evidence if (each := twist.seen(usual, name, item))]
        pairs = zip(seen, evidence, strict=False)
        moot = not twist.known and all(same(a.got, b.got) and same(a.expected, b.expected) for a, b in pairs)
        if len(seen) == len(evidence) and not moot:
            yield twist, twist.lines(usual), seen


def _without_one(known: Known | Together, name: str, terms: Sequence[Term]) -> Sequence[Term]:
    """Terms, unless there is one and it has no name: the edits of its line say more."""
    return () if len(terms) == 1 and name not in known.said else terms


def _exchanged(
    checks: Checks,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
    found: Mapping[str, Finding],
) -> dict[str, Finding]:
    """Findings for two outputs that have no name where they stand, or many, and have one in each other's place."""
    for pair in itertools.combinations(found, 2):
        told = {name for each in pair for name in found[each].names}
        unnamed = all(found[each].names == ("unnamed",) for each in pair)
        if len(told) <= MANY and not unnamed:
            continue
        shapes = [
            {of[each].shape if each in of else None for of in call for each in pair}
            for call in zip(results, expected, strict=True)
        ]
        if any(len(each) > 1 for each in shapes):
            continue
        why = []
        for here, there in (pair, pair[::-1]):
            evidence = [
                Evidence(case, result[here], right[there])
                for case, result, right in zip(cases, results, expected, strict=True)
            ]
            finding = _diagnose(checks, there, evidence, False)
            if finding is None:
                break
            why.append(finding)
        else:
            names = dict.fromkeys((*why[0].names, *why[1].names))
            if not unnamed and 1 + len(names) >= len(told):
                continue
            message = f"{pair[0]} and {pair[1]} are in each other's place: see the order in the docstring. Besides: {why[0].message}"
            return {pair[0]: Finding(("swapped", *names), message)}
    return {}


def besides(
    checks: Checks, case: Case, result: Mapping[str, Array], right: Mapping[str, Array], problem: Finding
) -> Finding:
    """A wrong shape, and what is known about the outputs whose shape is right."""
    names, message = list(problem.names), problem.message
    for name, got in result.items():
        if not agrees(checks, name, case, got, right[name]):
            evidence = [Evidence(case, got, right[name])]
            why = _diagnose(checks, name, evidence)
            names += why.names if why else ()
            message += f" Besides: {why.message}" if why and why.message not in message else ""
    return Finding(tuple(dict.fromkeys(names)), message)


def _moved(results: Sequence[dict[str, Array]], expected: Sequence[dict[str, Array]]) -> dict[str, str]:
    """Which outputs hold the right value of which other, in every call."""
    calls = [
        displaced(result, {key: right[key] for key in right if key in result}).items()
        for result, right in zip(results, expected, strict=True)
    ]
    return {here: there for here, there in calls[0] if all((here, there) in call for call in calls)} if calls else {}


def same_for_every_input(
    checks: Checks, learner: Any, cases: Sequence[Case], truth: Callable[[Case], Any]
) -> Finding | None:
    """The finding when two calls with different inputs return the very same numbers where they should not."""
    returned = []
    for case in cases[:3]:
        try:
            value = checks.run(learner, copy.deepcopy(case))
            values = value if len(checks.stub.returns) > 1 else (value,)
            arrays = dict(zip(checks.stub.returns, values, strict=True))
            returned.append({name: np.asarray(arrays[name], dtype=np.float64) for name in checks.outputs})
        except Exception:
            return None
    right = [by_name(checks.outputs, truth(copy.deepcopy(case))) for case in cases[:3]]
    for name in checks.outputs:
        got, wanted = ([values[name] for values in each] for each in (returned, right))
        if (
            any(not np.array_equal(wanted[0], other) for other in wanted[1:])
            and all(np.array_equal(got[0], other) for other in got[1:])
            and len(got) > 1
            and np.any(got[0])
        ):
            return Finding(
                ("same-for-every-input",),
                f"{name} is the same whatever comes in: it was called with different inputs and gave the same numbers. Is a variable "
                "of the notebook used where an argument belongs?",
            )
    return None


def _first_difference(checks: Checks, name: str, item: Evidence) -> str:
    """Words for a result nobody has a name for: where it differs first; of a choice, never what is right."""
    if checks.choice:
        given = ", ".join(f"{k} {_describe(item.case[k])}" for k in checks.stub.parameters)
        return f"{name} is {float(item.got):.6g}, and should be another one (for {given})."
    difference = np.abs(item.got - item.expected)
    where = tuple(int(i) for i in np.argwhere(difference > 1e-6 * np.max(difference))[0]) if item.got.ndim else ()
    place = f"{name}[{', '.join(map(str, where))}]" if where else name
    inputs = ", ".join(f"{k} {_describe(v)}" for k, v in item.case.items() if k not in checks.outputs)
    got, expected = float(item.got[where]), float(item.expected[where])
    digits = next(n for n in (6, 10, 17) if f"{got:.{n}g}" != f"{expected:.{n}g}" or n == 17)
    return f"{place} is {got:.{digits}g} and should be {expected:.{digits}g} (for {inputs})."


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        return f"of length {len(value)}"
    return "= the given function" if callable(value) else f"= {value!r}"
