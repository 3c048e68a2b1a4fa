"""Name the mistake: which term of the derivation a wrong result lost, doubled or turned round.

Every right gradient of this course is a sum of known terms. A wrong one usually lies in their span as well, with other
coefficients (:mod:`bnlib.judging.diagnosing.terms`). What lies outside the span is compared with a bank of named slips: each alone, each two that
can be made together, and each with the terms as it leaves them, so that a slip and a lost term are named as two.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import Evidence, Finding, same, two_at_once, value_of
from bnlib.judging.diagnosing.terms import (
    MISSING,
    Coefficients,
    Factor,
    Factors,
    Parts,
    Term,
    columns,
    factor_table,
    matching,
)
from bnlib.numerics import Array, relative_error

NEARLY = 1e-5
"""Results closer than this fraction of their size are right but for their digits; of mistakes only single named ones are."""

_OF_A_QUANTITY = re.compile("(?<!^mean)-(times|over)-(?![A-Z])")
"""A factor that is a quantity, and no size: a line of the derivation says more precisely how it came or went."""


@dataclass(frozen=True)
class Slip:
    """A mistake with a name, told by what it computes.

    Attributes:
        name: Stable name for counting, for example ``"wrong-axis"``.
        message: One or two sentences for the learner: what was probably done, and where to look. Never the right formula.
        output: Which returned value it concerns.
        wrong: From a case to the wrong value; may raise or warn, then it does not match.
        parts: What this mistake makes of the terms, where it leaves them terms: another coefficient may be wrong besides.
    """

    name: str
    message: str
    output: str
    wrong: Callable[[Case], Any]
    parts: Parts | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, or both of two at once."""
        return tuple(self.name.split("+"))


class Explanation(Protocol):
    """A mistake, or two at once, told by what it computes: a :class:`Slip`, or one that follows from a derivation."""

    @property
    def names(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def message(self) -> str: ...  # noqa: D102

    @property
    def wrong(self) -> Callable[[Case], Any]: ...  # noqa: D102

    @property
    def parts(self) -> Parts | None: ...  # noqa: D102


class Derived(Protocol):
    """What one way of deriving an output knows: single mistakes made often, other ones, and two at once."""

    @property
    def often(self) -> Sequence[Explanation]: ...  # noqa: D102

    def explaining(self, kind: str, evidence: Sequence[Evidence]) -> Iterator[Explanation]: ...  # noqa: D102

    def spanning(self, evidence: Sequence[Evidence]) -> Sequence[Explanation]: ...  # noqa: D102

    def multiples(self, evidence: Sequence[Evidence]) -> Iterator[Explanation]: ...  # noqa: D102

    def besides(self, names: Set[str], evidence: Sequence[Evidence]) -> Iterator[Explanation]: ...  # noqa: D102


def diagnose(
    output: str,
    evidence: Sequence[Evidence],
    terms: Sequence[Term] = (),
    slips: Sequence[Slip] = (),
    factors: Factors | None = None,
    thorough: bool = True,
    known: Set[str] = frozenset(),
    ways: Sequence[Derived] = (),
) -> Finding | None:
    """Name the mistake that explains all the evidence, or None.

    Args:
        output: Name of the returned value the evidence is about.
        evidence: Wrong results, all of the right shape and finite.
        terms: Summands of the right result; fitted feature by feature (the last axis).
        slips: Named mistakes; those about other outputs are passed over.
        factors: From a case to further quantities a term may be multiplied by in error, for example
            ``{"gamma": case.gamma}``: numbers or one value a feature. N, 2 and signs are always tried.
        thorough: Whether to look for exchanges and for two slips at once as well, which takes most of the time.
        known: Names found for other outputs of the same answer, tried first.
        ways: What follows from the derivations of the output.

    Returns:
        The explanation with the fewest mistakes; a single slip to the letter before all others.
    """
    with np.errstate(all="ignore"):
        return _diagnose(output, evidence, terms, slips, factors, thorough, known, ways)


def _diagnose(
    output: str,
    evidence: Sequence[Evidence],
    terms: Sequence[Term],
    slips: Sequence[Slip],
    factors: Factors | None,
    thorough: bool,
    known: Set[str],
    ways: Sequence[Derived],
) -> Finding | None:
    if all(_seven_digits(item) for item in evidence):
        return Finding(
            ("dtype-lost",),
            f"{output} has the digits of {_narrow(evidence[0])} and no more, though the inputs are float64: is there a dtype= "
            "or an astype on the way?",
        )
    if all(_whole_numbers(item) for item in evidence):
        return _integers(output, evidence[0].dtype)
    slips = [slip for slip in slips if slip.output == output]
    single: list[Explanation] = [slip for slip in slips if len(slip.names) == 1]
    if found := _match(evidence, itertools.chain(single, _explaining(ways, "own", evidence))):
        return found
    if 0 < (error := max(item.error for item in evidence)) < NEARLY:
        if found := _match(evidence, _explaining(ways, "often", evidence)):
            return found
        digits = int(-math.log10(error))
        return Finding(
            ("nearly-right",),
            f"{output} is right to about {digits} digits, and to no more. Was something measured with a small step, rounded, computed "
            "in float32 on the way, or is there a small constant too many? A formula gives all digits.",
        )
    coefficients = Coefficients(output, evidence, terms, factors)
    fitted = coefficients.explain()
    if fitted and fitted[1] <= 1 and not any(_OF_A_QUANTITY.search(name) for name in fitted[0].names):
        return fitted[0]
    if fitted and fitted[1] <= 2 and all(name.endswith(("-missing", "-sign")) for name in fitted[0].names):
        return fitted[0]
    for kind in ("often", "seldom"):
        if found := _match(
            evidence, sorted(_explaining(ways, kind, evidence), key=lambda each: known.isdisjoint(each.names))
        ):
            return found
    if fitted and (fitted[1] <= 2 or not thorough or known >= set(fitted[0].names)):
        return fitted[0]
    if not thorough:
        return None
    derived = [mistake for way in ways for mistake in way.often]
    again = [each for each in (*single, *derived) if not known.isdisjoint(each.names)]
    if both := _besides(again, coefficients, None):
        return both[0] if fitted is None or both[1] < fitted[1] else fitted[0]
    if known and (found := _match(evidence, (mistake for way in ways for mistake in way.besides(known, evidence)))):
        return found
    if found := _match(evidence, (slip for slip in slips if len(slip.names) > 1)):
        return found
    spanning = (each for way in ways for each in way.spanning(evidence))
    both = _besides(itertools.chain(single, spanning), coefficients, fitted)
    if both and both[1] <= 2 and not any(_OF_A_QUANTITY.search(name) for name in both[0].names):
        return both[0]
    if found := _match(evidence, _explaining(ways, "pairs", evidence)):
        return found
    if both and both[1] <= 2:
        return both[0]
    for each in (*single, *(mistake for way in ways for mistake in way.multiples(evidence))):
        if factor := _slip_times_factor(each, evidence, factors):
            names = (*each.names, *(f"{output.replace('_', '-')}-{part}" for part in factor.name.split("+")))
            return Finding(names, f"Two things at once. {each.message} Besides, {output} {factor.words}.")
    if both:
        return both[0]
    fractions = any(np.any(item.expected != np.round(item.expected)) for item in evidence)
    return _integers(output, evidence[0].dtype) if fractions and not evidence[0].dtype.startswith("float") else None


def _besides(
    slips: Iterable[Explanation], coefficients: Coefficients, fitted: tuple[Finding, int] | None
) -> tuple[Finding, int] | None:
    """A slip and wrong coefficients of the terms as it leaves them, where that takes fewer mistakes than ``fitted``."""
    for slip in slips:
        if fitted and fitted[1] <= 2:
            break  # a mistake and one coefficient: nothing is less
        besides = coefficients.explain(slip.parts, fitted[1] - 1 if fitted else 99) if slip.parts else None
        if besides and not besides[0].names:
            return Finding(slip.names, slip.message), 1  # its terms are all there is, written over more entries
        if besides:
            both = Finding((*slip.names, *besides[0].names), two_at_once(slip.message, besides[0].message))
            fitted = both, 1 + besides[1]
    return fitted


def _narrow(item: Evidence) -> str:
    return "float16" if np.array_equal(item.got, item.got.astype(np.float16)) else "float32"


def _seven_digits(item: Evidence) -> bool:
    """True when a result is right but for having been rounded to float32, or float16."""
    if not np.any(item.got != np.round(item.got)):
        return False
    with np.errstate(over="ignore"):
        rounded = np.array_equal(item.got, item.got.astype(np.float32))
    return rounded and relative_error(item.got, item.expected) < (1e-2 if _narrow(item) == "float16" else 1e-3)


def _whole_numbers(item: Evidence) -> bool:
    """True when a right result has lost everything behind the point."""
    if not np.any(item.expected != np.round(item.expected)) or np.max(np.abs(item.got), initial=0.0) < 2:
        return False
    return any(np.array_equal(item.got, cut(item.expected)) for cut in (np.trunc, np.round, np.floor, np.ceil))


def _integers(output: str, dtype: str) -> Finding:
    what = "rounded to whole numbers" if dtype.startswith("float") else f"of type {dtype}"
    return Finding(
        ("returned-integers",),
        f"{output} is {what}, and what stands behind the point is lost. Was an array made with dtype=int or from a list "
        "of integers and then written into, or is there a //, int() or round() on the way?",
    )


def _explaining(ways: Sequence[Derived], kind: str, evidence: Sequence[Evidence]) -> Iterator[Explanation]:
    for way in ways:
        yield from way.explaining(kind, evidence)


def _match(evidence: Sequence[Evidence], mistakes: Iterable[Explanation]) -> Finding | None:
    """The first mistake that computes exactly what came back, for all the evidence."""
    for mistake in mistakes:
        if all(item.explained_by(mistake.wrong) for item in evidence):
            return Finding(mistake.names, mistake.message)
    return None


def displaced(got: Mapping[str, Array], expected: Mapping[str, Array]) -> dict[str, str]:
    """Which right value stands in the place of which other: ``{"dgamma": "dbeta"}`` when dgamma holds dbeta's value.

    Only values that are wrong where they stand count, and only right values that are nowhere in their own place.
    """
    wrong = [name for name in expected if name in got and not same(got[name], expected[name])]
    found: dict[str, str] = {}
    for here in wrong:
        for there in wrong:
            free = here not in found and there not in found.values()
            if free and here != there and same(got[here], expected[there]):
                found[here] = there
    return found


def _slip_times_factor(slip: Explanation, evidence: Sequence[Evidence], factors: Factors | None) -> Factor | None:
    """The factor by which every result differs from what the slip computes, or None."""
    possible: Any = True
    names: list[Factor] = []
    for item in evidence:
        value = value_of(slip.wrong, item.case)
        if value is None or value.shape != item.got.shape or value.ndim == 0:
            return None  # any two single numbers have a ratio: that explains nothing
        slipped, got = columns(value), columns(item.got)
        size = np.sum(slipped * slipped, axis=1)
        if not np.all(size > 0):
            return None
        ratio = np.sum(slipped * got, axis=1) / size
        if not same(got, slipped * ratio[:, None]):
            return None
        names, values = factor_table(item, factors)
        possible = possible & matching(values, ratio[None])[:, 0]
    first = int(np.argmax(possible))
    return names[first] if np.any(possible) and names[first].cost and names[first] is not MISSING else None
