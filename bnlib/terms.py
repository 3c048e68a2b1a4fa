"""Fit a wrong result to the terms of the right one, and say in words what its coefficients mean.

A right gradient of this course is a sum of known terms. Least squares, feature by feature, gives the coefficients of a
learner's result; over those of the right one they are 0 (a term is missing), -1 (its sign), N (a sum for a mean), one over gamma
(a factor is missing), and so on. Of several explanations the one with the fewest mistakes is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnlib.numerics import Array

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
class Finding:
    """What a diagnosis says: names for the teacher's counts, a message for the learner."""

    names: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Evidence:
    """One output of one call: the case, what came back (as float64), what should have, and the type it came in."""

    case: Case
    got: Array
    expected: Array
    dtype: str = "float64"


Factors = Callable[[Case], Mapping[str, Any]]
Parts = Callable[[Case], Sequence[Array]]
"""From a case to the values that a mistake gives the terms, without coefficients, in the order of the terms."""


def value_of(compute: Callable[[Case], Any], case: Case) -> Array | None:
    """A slip's or a term's value as a finite array, or None where it has none."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(compute(case), dtype=np.float64)
    except (ValueError, TypeError, ArithmeticError, IndexError):
        return None
    return value if np.all(np.isfinite(value)) else None


def same(got: Array, other: Array | None, expected: Array) -> bool:
    """True when two results agree to MATCH of their size; equal shapes needed."""
    if other is None or got.shape != other.shape:
        return False
    scale = max(np.max(np.abs(other), initial=0.0), np.max(np.abs(expected), initial=0.0), 1e-300)
    return bool(np.max(np.abs(got - other), initial=0.0) <= MATCH * scale)


@dataclass(frozen=True)
class Factor:
    """A factor too much: its stable name, words that complete "the result ...", and how many mistakes it is."""

    name: str
    words: str
    cost: int


RIGHT = Factor("right", "is right", 0)
MISSING = Factor("missing", "is missing", 1)
SIGN = Factor("sign", "has the wrong sign", 1)
OTHER = Factor("coefficient", "", 3)
"""A factor without a name; it must be the same number everywhere."""


Tables = Sequence[tuple[list[Factor], Array]]
"""For each piece of evidence the named factors, the same each time, and their values."""


def factor_table(item: Evidence, factors: Factors | None) -> tuple[list[Factor], Array]:
    """Every factor that has a name, the simplest first, and its values: one row a factor, one column a feature."""
    case, shape = item.case, item.expected.shape
    features = shape[-1] if len(shape) > 1 else 1
    N = case["N"] if "N" in case else next(v.shape[0] for v in case.values() if isinstance(v, np.ndarray) and v.ndim)
    bessel = N / (N - 1) if N > 1 else np.nan  # a batch of one has no such factor
    plain: list[tuple[str, str, Any]] = [
        ("times-N", "is N times too large: a sum stands where a mean belongs", N),
        ("over-N", "is N times too small: there is one division by N too many", 1 / N),
        ("doubled", "is twice too large", 2.0),
        ("halved", "is half as large as it should be", 0.5),
        ("bessel", "is off by N/(N-1): one place divides by N - 1 and another by N", bessel),
        ("bessel", "is off by (N-1)/N: one place divides by N - 1 and another by N", 1 / bessel),
    ]
    D = features if features > 1 else np.nan
    plain += [
        ("D-for-N", "counts the features where it should count the examples", N / D),
        ("over-D", "is divided by the number of features too: N is the number of examples alone", 1 / D),
    ]
    for name, value in (factors(case) if factors else {}).items():
        value = np.asarray(value, dtype=np.float64)
        plain.append((f"times-{name}", f"carries a factor {name} too many", value))
        with np.errstate(divide="ignore", invalid="ignore"):
            plain.append((f"over-{name}", f"lacks a factor {name}", 1 / value))
    width = max([features, *(np.size(value) for *_, value in plain)])
    values = np.array([np.broadcast_to(value, width) for *_, value in plain], dtype=np.float64)
    one, two = np.triu_indices(len(plain), 1)
    table = [RIGHT, MISSING, SIGN, *(Factor(name, words, 1) for name, words, _ in plain)]
    table += [Factor(f"sign+{name}", f"has the wrong sign and {words}", 2) for name, words, _ in plain]
    for a, b in zip(one, two, strict=True):
        table.append(Factor(f"{plain[a][0]}+{plain[b][0]}", f"{plain[a][1]}; it also {plain[b][1]}", 2))
    simple = np.array([1.0, 0.0, -1.0])[:, None] * np.ones(width)
    with np.errstate(invalid="ignore", over="ignore"):
        return table, np.concatenate([simple, values, -values, values[one] * values[two]])


def matching(values: Array, ratio: Array) -> Any:
    """Which rows of a table's ``values`` are equal to ``ratio``, one value a feature, or the same for all."""
    with np.errstate(invalid="ignore"):
        return np.all(np.abs(values - ratio) <= 1e-6 * np.maximum(1.0, np.abs(values)), axis=1)


def columns(array: Array, features: int) -> Array:
    """Reshape to (features, rows): a vector is one feature."""
    return array.reshape(-1, features).T


def fit(target: Array, values: Sequence[Array | None]) -> Array | None:
    """Coefficients (terms, features) by least squares of a result on the terms' values; None outside their span."""
    shape = target.shape
    features = shape[-1] if len(shape) > 1 else 1
    try:
        spread = [columns(np.broadcast_to(value, shape), features) for value in values if value is not None]
    except ValueError:
        return None
    if len(spread) < len(values):
        return None
    basis, wanted = np.stack(spread, axis=-1), columns(target, features)
    size = np.linalg.norm(basis, axis=1)
    if not np.all(size > 0) or basis.shape[1] <= len(values):
        return None
    basis = basis / size[:, None]
    q, r = np.linalg.qr(basis)
    if np.any(np.abs(np.diagonal(r, axis1=1, axis2=2)) < 1e-9):
        return None
    fitted = np.linalg.solve(r, np.swapaxes(q, 1, 2) @ wanted[..., None])
    error = np.max(np.abs((basis @ fitted)[..., 0] - wanted), axis=1)
    scale = np.maximum(np.max(np.abs(wanted), axis=1), 1e-300)
    return (fitted[..., 0] / size).T if np.all(error <= MATCH * scale) else None


class Coefficients:
    """What the terms of a right result say about wrong ones.

    Args:
        output: Name of the returned value.
        evidence: Wrong results.
        terms: Summands of the right result.
        factors: Quantities a term may be multiplied by in error.
    """

    def __init__(
        self, output: str, evidence: Sequence[Evidence], terms: Sequence[Term], factors: Factors | None
    ) -> None:
        self.output, self.evidence, self.terms, self.factors = output, evidence, terms, factors

    @cached_property
    def _tables(self) -> Tables:
        return [factor_table(item, self.factors) for item in self.evidence]

    @cached_property
    def _values(self) -> list[list[Array | None]]:
        return [[value_of(term.value, item.case) for term in self.terms] for item in self.evidence]

    @cached_property
    def _right(self) -> list[Array] | None:
        """Coefficients of the right results; None where the terms do not determine them."""
        found = []
        for item, values in zip(self.evidence, self._values, strict=True):
            right = fit(item.expected, values)
            if right is None or np.any(np.abs(right) < MATCH):
                return None
            found.append(right)
        return found

    def explain(self, parts: Parts | None = None) -> tuple[Finding, int] | None:
        """Explain the evidence by wrong coefficients; None when it is not in their span, or nothing is wrong.

        Args:
            parts: What the terms come out as under a mistake made besides.

        Returns:
            The finding, and how many mistakes it needs.
        """
        if not self.terms or self._right is None:
            return None
        ratios = []
        for item, values, right in zip(self.evidence, self._values, self._right, strict=True):
            got = fit(item.got, values if parts is None else _parts(parts, item.case))
            if got is None:
                return None
            ratios.append(got / right)
        best: tuple[int, Factor, list[Factor]] | None = None
        for common in _candidates(ratios, self._tables):
            found = _each_term(ratios, self._tables, common)
            if found is None:
                continue
            factor = self._tables[0][0][common]
            cost = factor.cost + sum(one.cost for one in found)
            if best is None or cost < best[0]:
                best = cost, factor, found
        if best is None or (best[0] == 0 and parts is None):
            return None
        return _say(self.output, self.terms, best[1], best[2], ratios[0][:, 0]), best[0]


def _parts(parts: Parts, case: Case) -> list[Array | None]:
    """The terms' values under a mistake; None for one that has none."""
    found: Sequence[Array] = ()

    def compute(case: Case) -> Array:
        nonlocal found
        found = parts(case)
        return np.zeros(1)

    if value_of(compute, case) is None:
        return [None]
    return [value_of(lambda case, part=part: part, case) for part in found]  # type: ignore[misc]


def _candidates(ratios: Sequence[Array], tables: Tables) -> Iterator[int]:
    """Factors that may be common to all terms: none, and those of any term."""
    yield 0
    for term in range(len(ratios[0])) if len(ratios[0]) > 1 else ():
        fits = np.all([matching(v, ratio[term]) for (_, v), ratio in zip(tables, ratios, strict=True)], axis=0)
        yield from (int(index) for index in np.flatnonzero(fits)[:2] if index > 1)


def _each_term(ratios: Sequence[Array], tables: Tables, common: int) -> list[Factor] | None:
    """The simplest factor of each term once a common one is taken out; None where one has no name and changes."""
    names, found = tables[0][0], []
    for term in range(len(ratios[0])):
        rests = [ratio[term] / v[common] for (_, v), ratio in zip(tables, ratios, strict=True)]
        fits = np.all([matching(v, rest) for (_, v), rest in zip(tables, rests, strict=True)], axis=0)
        rest = np.concatenate(rests)
        if np.any(fits):
            found.append(names[int(np.argmax(fits))])
        elif common == 0 and np.allclose(rest, rest[0], rtol=1e-6, atol=1e-9):
            found.append(OTHER)
        else:
            return None
    return found


def _say(output: str, terms: Sequence[Term], common: Factor, each: Sequence[Factor], ratio: Array) -> Finding:
    """Turn the terms' factors into words."""
    slug = output.replace("_", "-")
    names = [f"{slug}-{part}" for part in common.name.split("+")] if common is not RIGHT else []
    if all(factor is MISSING for factor in each):
        return Finding((f"{slug}-zero",), f"{output} is zero everywhere.")
    parts, right = [], []
    for term, factor, value in zip(terms, each, ratio, strict=True):
        if factor is RIGHT:
            right.append(term.name)
        elif factor is OTHER:
            parts.append(f"the {term.name} ({term.where}) comes out {value:.3g} times as large as it should be")
        else:
            parts.append(f"the {term.name} ({term.where}) {factor.words}")
        if factor is not RIGHT:
            names += [f"{term.name.replace(' ', '-')}-{part}" for part in factor.name.split("+")]
    if not parts:
        return Finding(tuple(names), f"Every term of {output} is there, but {output} {common.words}." if names else "")
    message = f"In {output}, {'; and '.join(parts)}"
    if common is not RIGHT:
        message += f". Besides, {output} as a whole {common.words}"
    elif right:
        message += f". The {' and the '.join(right)} {'is' if len(right) == 1 else 'are'} right"
    return Finding(tuple(names), f"{message}.")
