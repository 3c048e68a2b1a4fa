"""Name the mistake: which term of the derivation a wrong result lost, doubled or turned round.

Every right gradient of this course is a sum of known terms. A wrong one usually lies in their span as well, with other
coefficients; least squares recovers them, feature by feature, and their ratios to the right ones say what happened,
also for mistakes nobody listed. What lies outside the span is compared with a bank of named slips.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnlib.numerics import Array, relative_error

MATCH = 1e-7
"""Two results are the same mistake when they agree to this fraction of the natural scale."""


class Case(dict):
    """One test input: the arguments by name, also readable as attributes (``case.dout``)."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True)
class Term:
    """One summand of a right result.

    Attributes:
        name: Words that complete "The ... is missing", for example ``"path through the mean"``.
        where: Where the lesson derives it, for example ``"eq. 2.7"``.
        value: From a case to the term's value, in the shape of the output, without its coefficient.
    """

    name: str
    where: str
    value: Callable[[Case], Array]


@dataclass(frozen=True)
class Slip:
    """A mistake with a name, told by what it computes.

    Attributes:
        name: Stable name for counting, for example ``"wrong-axis"``.
        message: One or two sentences for the learner: what was probably done, and where to look. Never the right formula.
        output: Which returned value it concerns.
        wrong: From a case to the wrong value; may raise or warn, then it does not match.
    """

    name: str
    message: str
    output: str
    wrong: Callable[[Case], Any]


@dataclass(frozen=True)
class Knob:
    """One way of going wrong in a computation that has several: turned alone or together with another.

    Attributes:
        name: As for a slip.
        message: As for a slip.
        turn: The arguments of the model that this mistake changes.
    """

    name: str
    message: str
    turn: Mapping[str, Any]


def variants(output: str, model: Callable[..., Any], knobs: Sequence[Knob]) -> tuple[Slip, ...]:
    """Slips for every knob alone and for every two that can be turned together.

    Args:
        output: The returned value they concern.
        model: ``model(case)`` is right; ``model(case, **turn)`` is what a mistake makes of it.
        knobs: The mistakes.

    Returns:
        First the single ones, then the pairs, whose names are joined by ``+``.
    """
    single = [Slip(k.name, k.message, output, lambda case, k=k: model(case, **k.turn)) for k in knobs]
    pairs = [
        Slip(
            f"{a.name}+{b.name}",
            f"Two things at once. {a.message} And: {b.message}",
            output,
            lambda case, a=a, b=b: model(case, **a.turn, **b.turn),
        )
        for a, b in itertools.combinations(knobs, 2)
        if not set(a.turn) & set(b.turn)
    ]
    return (*single, *pairs)


@dataclass(frozen=True)
class Finding:
    """What a diagnosis says: names for the teacher's counts, a message for the learner."""

    names: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Evidence:
    """One output of one call: the case, what came back, what should have."""

    case: Case
    got: Array
    expected: Array


Factors = Callable[[Case], Mapping[str, Any]]


def diagnose(
    output: str,
    evidence: Sequence[Evidence],
    terms: Sequence[Term] = (),
    slips: Sequence[Slip] = (),
    factors: Factors | None = None,
) -> Finding | None:
    """Name the mistake that explains all the evidence, or None.

    Args:
        output: Name of the returned value the evidence is about.
        evidence: Wrong results, all of the right shape and finite.
        terms: Summands of the right result; fitted feature by feature (the last axis).
        slips: Named mistakes; those about other outputs are passed over.
        factors: From a case to further quantities a term may be multiplied by in error, for example
            ``{"gamma": case.gamma}``: numbers or one value a feature. N, 2 and signs are always tried.

    Returns:
        The first explanation found: float32, a slip to the letter, the terms, two slips, a slip times a factor.
    """
    if all(_seven_digits(item) for item in evidence):
        return Finding(
            ("float32",),
            f"{output} has the seven digits of float32 and no more: is there a dtype=np.float32 or an astype on the way?",
        )
    single = [slip for slip in slips if slip.output == output and "+" not in slip.name]
    pairs = [slip for slip in slips if slip.output == output and "+" in slip.name]
    found = _match(evidence, single) or (_fit_terms(output, evidence, terms, factors) if terms else None)
    found = found or _match(evidence, pairs)
    if found:
        return found
    for slip in single:
        factor = _slip_times_factor(slip, evidence, factors)
        if factor:
            return Finding(
                (slip.name, factor.name), f"Two things at once. {slip.message} Besides, the result {factor.words}."
            )
    return None


def _seven_digits(item: Evidence) -> bool:
    """True when a result is right but for having been rounded to float32."""
    rounded = np.array_equal(item.got, item.got.astype(np.float32))
    return rounded and relative_error(item.got, item.expected) < 1e-4 and bool(np.any(item.got != np.round(item.got)))


def _match(evidence: Sequence[Evidence], slips: Sequence[Slip]) -> Finding | None:
    """The first slip that computes exactly what came back, for all the evidence."""
    for slip in slips:
        if all(_same(item.got, _value(slip.wrong, item.case), item.expected) for item in evidence):
            return Finding(tuple(slip.name.split("+")), slip.message)
    return None


def swapped(got: Mapping[str, Array], expected: Mapping[str, Array]) -> tuple[str, str] | None:
    """Two returned values that would be right in each other's place, or None."""
    for a, b in itertools.combinations(expected, 2):
        if (
            not _same(got[a], expected[a], expected[a])
            and _same(got[a], expected[b], expected[b])
            and _same(got[b], expected[a], expected[a])
        ):
            return a, b
    return None


@dataclass(frozen=True)
class _Factor:
    """A factor a term has too much: its stable name, and words that complete "the result ..."."""

    name: str
    words: str


def _value(compute: Callable[[Case], Any], case: Case) -> Array | None:
    """A slip's or a term's value as a finite array, or None where it has none."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(compute(case), dtype=np.float64)
    except (ValueError, TypeError, ArithmeticError, IndexError):
        return None
    return value if np.all(np.isfinite(value)) else None


def _same(got: Array, other: Array | None, expected: Array) -> bool:
    """True when two results agree to MATCH of their size; equal shapes needed."""
    if other is None or got.shape != other.shape:
        return False
    scale = max(np.max(np.abs(other), initial=0.0), np.max(np.abs(expected), initial=0.0), 1e-300)
    return bool(np.max(np.abs(got - other), initial=0.0) <= MATCH * scale)


def _columns(array: Array, features: int) -> Array:
    """Reshape to (rows, features): one column a feature; a vector is one feature."""
    return array.reshape(-1, features)


def _fit_terms(
    output: str, evidence: Sequence[Evidence], terms: Sequence[Term], factors: Factors | None
) -> Finding | None:
    """Explain the evidence by wrong coefficients of the terms, or return None when it is not in their span."""
    possible: list[list[_Factor]] | None = None
    ratios: list[Array] = []
    for item in evidence:
        ratio = _coefficient_ratios(item, terms)
        if ratio is None:
            return None
        ratios.append(ratio)
        here = [_factors_that_match(row, item.case, factors) for row in ratio]
        if possible is None:
            possible = here
        else:
            possible = [[f for f in before if f in now] for before, now in zip(possible, here, strict=True)]
    if possible is None:
        return None
    best: list[_Factor | None] = [choices[0] if choices else None for choices in possible]
    everywhere = np.concatenate(ratios, axis=1)
    for factor, values in zip(best, everywhere, strict=True):
        if factor is None and not np.allclose(values, values[0], rtol=1e-6, atol=1e-9):
            return None  # a coefficient without a name that is another one each time explains nothing
    return _say(output, terms, best, ratios)


def _coefficient_ratios(item: Evidence, terms: Sequence[Term]) -> Array | None:
    """Fitted coefficients of the learner's result over those of the right one: (terms, features); None outside the span."""
    features = item.expected.shape[-1] if item.expected.ndim > 1 else 1
    values = []
    for term in terms:
        value = _value(term.value, item.case)
        if value is None:
            return None
        values.append(_columns(np.broadcast_to(value, item.expected.shape), features))
    got, expected = _columns(item.got, features), _columns(item.expected, features)
    ratios = np.empty((len(terms), features))
    for feature in range(features):
        basis = np.stack([value[:, feature] for value in values], axis=1)
        size = np.linalg.norm(basis, axis=0)
        if not np.all(size > 0) or basis.shape[0] <= len(terms):
            return None
        basis = basis / size
        right, *_ = np.linalg.lstsq(basis, expected[:, feature], rcond=None)
        fitted, *_ = np.linalg.lstsq(basis, got[:, feature], rcond=None)
        error = np.max(np.abs(basis @ fitted - got[:, feature]))
        scale = max(np.max(np.abs(got[:, feature])), np.max(np.abs(expected[:, feature])))
        if error > MATCH * scale or np.any(np.abs(right) < MATCH * scale):
            return None
        ratios[:, feature] = fitted / right
    return ratios


def _factors_that_match(ratio: Array, case: Case, factors: Factors | None) -> list[_Factor]:
    """All named factors equal to ``ratio`` (one value a feature), the simplest first."""
    found = []
    for factor, value in _factor_table(case, factors):
        if np.all(np.abs(ratio - value) <= 1e-6 * np.maximum(1.0, np.abs(value))):
            found.append(factor)
    return found


def _factor_table(case: Case, factors: Factors | None) -> list[tuple[_Factor, Any]]:
    """Every factor that has a name, with its value for this case."""
    N = case["N"] if "N" in case else next(v.shape[0] for v in case.values() if isinstance(v, np.ndarray) and v.ndim)
    bessel = N / (N - 1) if N > 1 else np.nan  # a batch of one has no such factor
    plain: list[tuple[_Factor, Any]] = [
        (_Factor("times-N", "is N times too large: a sum stands where a mean belongs"), N),
        (_Factor("over-N", "is N times too small: there is one division by N too many"), 1 / N),
        (_Factor("doubled", "is twice too large"), 2.0),
        (_Factor("halved", "is half as large as it should be"), 0.5),
        (_Factor("bessel", "is off by N/(N-1): one place divides by N - 1 and another by N"), bessel),
        (_Factor("bessel", "is off by (N-1)/N: one place divides by N - 1 and another by N"), 1 / bessel),
    ]
    for name, value in (factors(case) if factors else {}).items():
        value = np.asarray(value, dtype=np.float64)
        plain.append((_Factor(f"times-{name}", f"carries a factor {name} too many"), value))
        with np.errstate(divide="ignore", invalid="ignore"):
            plain.append((_Factor(f"over-{name}", f"lacks a factor {name}"), 1 / value))
    table: list[tuple[_Factor, Any]] = [
        (_Factor("right", "is right"), 1.0),
        (_Factor("missing", "is missing"), 0.0),
        (_Factor("sign", "has the wrong sign"), -1.0),
    ]
    table += plain
    table += [(_Factor(f"sign+{f.name}", f"has the wrong sign and {f.words}"), -v) for f, v in plain]
    for (f, v), (g, w) in itertools.combinations(plain, 2):
        table.append((_Factor(f"{f.name}+{g.name}", f"{f.words}; it also {g.words}"), v * w))
    return table


def _say(output: str, terms: Sequence[Term], best: Sequence[_Factor | None], ratios: Sequence[Array]) -> Finding | None:
    """Turn the terms' factors into one finding; None when all of them are right."""
    names = {factor.name if factor else "other" for factor in best}
    if names == {"right"}:
        return None
    slug = output.replace("_", "-")
    first = best[0]
    if len(names) == 1 and first is not None and first.name != "missing" and len(terms) > 1:
        return Finding(
            tuple(f"{slug}-{part}" for part in first.name.split("+")),
            f"Every term of {output} is there, but {output} {first.words}.",
        )
    if names == {"missing"}:
        return Finding((f"{slug}-zero",), f"{output} is zero everywhere.")
    parts, wrong = [], []
    for term, factor, ratio in zip(terms, best, np.stack([r[:, 0] for r in ratios]).T, strict=True):
        if factor is not None and factor.name == "right":
            continue
        term_slug = term.name.replace(" ", "-")
        if factor is None:
            parts.append(f"the {term.name} ({term.where}) comes out {ratio[0]:.3g} times as large as it should be")
            wrong.append(f"{term_slug}-coefficient")
        else:
            parts.append(f"the {term.name} ({term.where}) {factor.words}")
            wrong += [f"{term_slug}-{part}" for part in factor.name.split("+")]
    right = [term.name for term, factor in zip(terms, best, strict=True) if factor and factor.name == "right"]
    message = "; and ".join(parts)
    if right:
        message += f". The {' and the '.join(right)} {'is' if len(right) == 1 else 'are'} right"
    return Finding(tuple(wrong), f"In {output}, {message}.")


def _slip_times_factor(slip: Slip, evidence: Sequence[Evidence], factors: Factors | None) -> _Factor | None:
    """The factor by which every result differs from what the slip computes, or None."""
    common: list[_Factor] | None = None
    for item in evidence:
        value = _value(slip.wrong, item.case)
        if value is None or value.shape != item.got.shape or value.ndim == 0:
            return None  # any two single numbers have a ratio: that explains nothing
        features = value.shape[-1] if value.ndim > 1 else 1
        slipped, got = _columns(value, features), _columns(item.got, features)
        size = np.sum(slipped * slipped, axis=0)
        if not np.all(size > 0):
            return None
        ratio = np.sum(slipped * got, axis=0) / size
        if not _same(got, slipped * ratio, got):
            return None
        here = [
            factor
            for factor in _factors_that_match(ratio, item.case, factors)
            if factor.name not in ("right", "missing")
        ]
        common = here if common is None else [factor for factor in common if factor in here]
    return common[0] if common else None
