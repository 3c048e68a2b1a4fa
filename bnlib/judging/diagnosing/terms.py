"""Fit a wrong result to the terms of the right one, and say in words what its coefficients mean.

A right gradient of this course is a sum of known terms. Least squares, feature by feature, gives the coefficients of a
learner's result; over those of the right one they are 0 (a term is missing), -1 (its sign), N (a sum for a mean), one over gamma
(a factor is missing), and so on. Of several explanations the one with the fewest mistakes is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import MATCH, NO_VALUE, Evidence, Finding, value_of
from bnlib.numerics import Array


@dataclass(frozen=True)
class Term:
    """One summand of a right result.

    Attributes:
        name: Words that complete "The ... is missing", for example ``"path through the mean"``.
        where: Where the lesson derives it, for example ``"eq. 2.7"``.
        value: From a case to the term's value, in the shape of the output, without its coefficient.
        missing: What to ask besides where the term is missing.
    """

    name: str
    where: str
    value: Callable[[Case], Array]
    missing: str = ""


@dataclass(frozen=True)
class Factors:
    """What a term may be multiplied by in error: quantities with one value a feature, and counts.

    Attributes:
        values: The quantities by name.
        lengths: How many entries a mean is over, and how many there are of what it is not over, which is counted in error.
        count: What a learner calls the first, ``"N"``, and what these entries are.
        other: The same for the second.
    """

    values: Callable[[Case], Mapping[str, Any]] = lambda case: {}
    lengths: Callable[[Case], tuple[float, float]] | None = None
    count: tuple[str, str] = ("N", "examples")
    other: tuple[str, str] = ("D", "features")

    def counted(self, item: Evidence) -> tuple[float, float]:
        """The two counts."""
        if self.lengths:
            return self.lengths(item.case)
        case = item.case
        N = (
            case["N"]
            if "N" in case
            else next(v.shape[0] for v in case.values() if isinstance(v, np.ndarray) and v.ndim)
        )
        return N, _features(item.expected) if _features(item.expected) > 1 else np.nan


Parts = Callable[[Case], Sequence[Array]]
"""From a case to the values that a mistake gives the terms, without coefficients, in the order of the terms."""


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


_PLAIN = (
    ("times-{N}", "is {many} times too large: a sum stands where a mean belongs"),
    ("over-{N}", "is {many} times too small: there is one division by {many} too many"),
    ("doubled", "is twice too large"),
    ("halved", "is half as large as it should be"),
    ("bessel", "is {many}/({many}-1) times as large as it should be: {many} - 1 stands where {many} belongs"),
    ("bessel", "is ({many}-1)/{many} times as large as it should be: a factor ({many}-1)/{many} is too many"),
    ("{D}-for-{N}", "counts the {features} where it should count the {examples}"),
    ("over-{D}", "is divided by the number of {features} too: {many} counts the {examples} alone"),
    ("times-{N}^2", "is multiplied by {many} where it should be divided by it"),
)
"""Names and words of the factors that every exercise has; their values are in ``factor_table``."""


@cache
def _named_factors(count: tuple[str, str], other: tuple[str, str], more: tuple[str, ...]) -> list[Factor]:
    """The factors of a table: the simple ones, their negatives, and products of two."""
    known = {
        "N": count[0].replace(" * ", ""),
        "many": count[0],
        "examples": count[1],
        "D": other[0],
        "features": other[1],
    }
    plain = [(name.format_map(known), words.format_map(known)) for name, words in _PLAIN]
    for name in more:
        plain += [
            (f"times-{name}", f"carries a factor {name} too many"),
            (f"over-{name}", f"lacks a factor {name}"),
        ]
    table = [RIGHT, MISSING, SIGN, *(Factor(name, words, 1) for name, words in plain)]
    table += [Factor(f"sign+{name}", f"has the wrong sign and {words}", 2) for name, words in plain]
    return table + [
        Factor(f"{a}+{b}", f"{one}; it also {two}", 2) for (a, one), (b, two) in itertools.combinations(plain, 2)
    ]


def factor_table(item: Evidence, factors: Factors | None) -> tuple[list[Factor], Array]:
    """Every factor that has a name, the simplest first, and its values: one row a factor, one column a feature."""
    factors = factors or Factors()
    shape, features = item.expected.shape, _features(item.expected)
    N, D = factors.counted(item)
    bessel = N / (N - 1) if N > 1 else np.nan  # a batch of one has no such factor
    more = factors.values(item.case)
    plain: list[Any] = [N, 1 / N, 2.0, 0.5, bessel, 1 / bessel, N / D, 1 / D, N**2]
    for value in more.values():
        plain += [value, 1 / np.asarray(value, dtype=np.float64)]
    plain = [
        np.ravel(value) if np.size(value) in (1, shape[min(1, len(shape) - 1)] if shape else 1) else np.nan
        for value in plain
    ]  # of other features: of no use here
    width = max(features, *(np.size(value) for value in plain))
    values = np.empty((len(plain), width))
    for row, value in zip(values, plain, strict=True):
        row[:] = value
    one, two = np.triu_indices(len(plain), 1)
    simple = np.array([1.0, 0.0, -1.0])[:, None] * np.ones(width)
    return _named_factors(factors.count, factors.other, tuple(more)), np.concatenate(
        [simple, values, -values, values[one] * values[two]]
    )


def matching(values: Array, ratios: Array) -> Any:
    """Which rows of a table's ``values`` are equal to which ratios: (factors, ratios).

    Args:
        values: (factors, features).
        ratios: (ratios, features), or (ratios, 1) for the same in all features.
    """
    near = 1e-6 * np.maximum(1.0, np.abs(values))
    fits = np.abs(values[:, :1] - ratios[:, 0]) <= near[:, :1]
    rows, places = np.nonzero(fits)  # few fit in one feature: only these are looked at in the others
    fits[rows, places] = (np.abs(values[rows] - ratios[places]) <= near[rows]).all(axis=1)
    return fits


def _features(array: Array) -> int:
    return array.shape[1] if array.ndim > 1 else 1


def columns(array: Array, ahead: int = 0) -> Array:
    """Reshape to (features, rows): features, and channels, are the second axis, and a vector or a number is one feature.

    Args:
        array: With ``ahead`` axes in front that stay as they are.
        ahead: How many.
    """
    if array.ndim - ahead < 2:
        return array.reshape(*array.shape[:ahead], 1, -1)
    front = np.moveaxis(array, ahead + 1, ahead)
    return front.reshape(*front.shape[: ahead + 1], -1)


def fit(target: Array, values: Sequence[Array | None]) -> Array | None:
    """Coefficients (terms, features) by least squares of a result on the terms' values; None outside their span."""
    every = np.empty((len(values), *target.shape))
    for index, value in enumerate(values):
        try:
            every[index] = np.nan if value is None else value
        except ValueError:
            return None
    basis = np.moveaxis(columns(every, 1), 0, -1)
    wanted = columns(target)
    size = np.sqrt(np.einsum("frt,frt->ft", basis, basis))
    if not np.all((size > 0) & (size < np.inf)) or basis.shape[1] <= len(values):
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

    def explain(self, parts: Parts | None = None, below: int = 99) -> tuple[Finding, int] | None:
        """Explain the evidence by wrong coefficients; None when it is not in their span, or nothing is wrong.

        Args:
            parts: What the terms come out as under a mistake made besides.
            below: More mistakes than this, or as many, are no explanation.

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
        factors = self._tables[0][0]
        found: tuple[Factor, list[Factor]] | None = None
        fits = self._fitting(ratios, 0)
        for common in (0, *_common(fits)):
            each = _each_term(factors, fits if common == 0 else self._fitting(ratios, common), ratios, common)
            if each is None:
                continue
            cost = factors[common].cost + sum(one.cost for one in each)
            if all(one is MISSING for one in each):
                cost = 1  # nothing but zeros came back
            if cost < below:
                below, found = cost, (factors[common], each)
        if found is None or (below == 0 and parts is None):
            return None
        return _say(self.output, self.terms, found[0], found[1], ratios[0][:, 0]), below

    def _fitting(self, ratios: Sequence[Array], common: int) -> Array:
        """Which factors of the table fit which terms, once a common one is taken out: (factors, terms)."""
        fits = [matching(v, ratio / v[common]) for (_, v), ratio in zip(self._tables, ratios, strict=True)]
        return np.logical_and.reduce(fits)


def _parts(parts: Parts, case: Case) -> Sequence[Array | None]:
    """The terms' values under a mistake; None for those that have none."""
    try:
        return parts(case)
    except NO_VALUE:
        return [None]


def _common(fits: Array) -> Iterator[int]:
    """Factors that may be common to all terms: those of any term, the simplest two."""
    for of_term in fits.T if fits.shape[1] > 1 else ():
        yield from (int(index) for index in np.flatnonzero(of_term)[:2] if index > 1)


def _each_term(names: Sequence[Factor], fits: Array, ratios: Sequence[Array], common: int) -> list[Factor] | None:
    """The simplest factor of each term; None where one has no name and changes, or is not all there is."""
    found = []
    for term, of_term in enumerate(fits.T):
        if of_term.any():
            found.append(names[int(of_term.argmax())])
            continue
        rest = np.concatenate([ratio[term] for ratio in ratios])
        if common or not np.allclose(rest, rest[0], rtol=1e-6, atol=1e-9):
            return None
        found.append(OTHER)
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
    asked = [f" {term.missing}" for term, factor in zip(terms, each, strict=True) if factor is MISSING and term.missing]
    return Finding(tuple(names), f"{message}.{''.join(asked)}")
