"""What a diagnosis is given, and what it says: wrong results with their inputs, and names with a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.rounding import noise
from bnlib.numerics import Array

MATCH = 1e-7
"""Two results are the same mistake when they agree to this fraction of the natural scale."""


NO_VALUE = (ValueError, TypeError, ArithmeticError, IndexError)
"""What a mistake may raise where it cannot be made."""


@dataclass(frozen=True)
class Finding:
    """What a diagnosis says: names for the teacher's counts, a message for the learner."""

    names: tuple[str, ...]
    message: str


def two_at_once(one: str, two: str) -> str:
    """Words for two mistakes."""
    return f"Two things at once. {one} And: {two}"


@dataclass(frozen=True)
class Evidence:
    """One output of one call: the case, what came back (as float64), what should have, and the type it came in."""

    case: Case
    got: Array
    expected: Array
    dtype: str = "float64"

    @cached_property
    def limit(self) -> Array:
        """How far what a mistake computes may be from what came back, feature by feature: not as far as the right answer is."""
        off = np.abs(self.got - self.expected)
        largest, far = self._size, self._by_feature(off)
        wrong = far / largest > 1e-6 * np.max(far / largest, initial=0.0)
        limit = np.where(wrong, np.minimum(MATCH * largest, 0.3 * far), MATCH * largest)
        return np.maximum(limit, min(noise(self.case), 0.3 * float(np.max(off, initial=0.0))))

    @cached_property
    def _size(self) -> Array:
        """The largest number of each feature; one feature is not told by the digits of another."""
        size = np.maximum(np.abs(self.got), np.abs(self.expected))
        return np.maximum(self._by_feature(size), max(1e-9 * np.max(size, initial=0.0), 1e-300))

    def _by_feature(self, values: Array) -> Array:
        """The largest of each feature: the last axis, or each entry where there is one for each feature of the inputs."""
        if values.ndim > 1:
            return np.max(values, axis=tuple(range(values.ndim - 1)), initial=0.0)
        layers = (value for value in self.case.values() if isinstance(value, np.ndarray) and value.ndim == 2)
        if values.ndim == 1 and any(value.shape[1:] == values.shape for value in layers):
            return values
        return np.asarray(np.max(values, initial=0.0))

    @property
    def error(self) -> float:
        """The largest difference as a fraction of the largest number of its feature."""
        return float(np.max(self._by_feature(np.abs(self.got - self.expected)) / self._size, initial=0.0))

    def explained_by(self, compute: Callable[[Case], Any]) -> bool:
        """True when ``compute`` makes of the case what came back."""
        value = value_of(compute, self.case)
        if value is None or value.shape not in ((), self.got.shape):
            return False
        return bool(self.near(np.broadcast_to(value, (1, *self.got.shape)))[0])

    def near(self, values: Array) -> Array:
        """Which of several results, one below the other, are what came back; nan and inf are not."""
        return np.all(np.abs(values - self.got) <= self.limit, axis=tuple(range(1, values.ndim)))


def value_of(compute: Callable[[Case], Any], case: Case) -> Array | None:
    """A slip's or a term's value as an array, or None where it has none; nan and inf may be in it."""
    try:
        return np.asarray(compute(case), dtype=np.float64)
    except NO_VALUE:
        return None


def same(one: Array, other: Array) -> bool:
    """True when two finite results agree to MATCH of their size; equal shapes needed."""
    if one.shape != other.shape:
        return False
    scale = max(np.max(np.abs(one), initial=1e-300), np.max(np.abs(other), initial=0.0))
    return bool(np.max(np.abs(one - other), initial=0.0) <= MATCH * scale)
