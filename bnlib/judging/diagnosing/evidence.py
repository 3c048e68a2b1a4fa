"""What a diagnosis is given, and what it says: wrong results with their inputs, and names with a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bnlib.judging.case import Case
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


@dataclass(frozen=True)
class Evidence:
    """One output of one call: the case, what came back (as float64), what should have, and the type it came in."""

    case: Case
    got: Array
    expected: Array
    dtype: str = "float64"

    @cached_property
    def _limit(self) -> float:
        """How far what a mistake computes may be from what came back: not as far as the right answer is."""
        return min(MATCH * self._size, 0.3 * float(np.max(np.abs(self.got - self.expected), initial=0.0)))

    @cached_property
    def _size(self) -> float:
        return float(max(np.max(np.abs(self.got), initial=0.0), np.max(np.abs(self.expected), initial=1e-300)))

    @property
    def error(self) -> float:
        """The largest difference as a fraction of the largest number of its feature."""
        axes = tuple(range(self.got.ndim - 1)) if self.got.ndim > 1 else None
        size = np.maximum(np.abs(self.got), np.abs(self.expected)).max(axis=axes, initial=1e-9 * self._size)
        return float(np.max(np.abs(self.got - self.expected).max(axis=axes, initial=0.0) / size, initial=0.0))

    def explained_by(self, compute: Callable[[Case], Any]) -> bool:
        """True when ``compute`` makes of the case what came back."""
        value = value_of(compute, self.case)
        if value is None or value.shape != self.got.shape:
            return False
        return bool(self.near(value[None])[0])

    def near(self, values: Array) -> Any:
        """Which of several results, one below the other, are what came back; nan and inf are not."""
        return np.abs(values - self.got).reshape(len(values), -1).max(axis=1, initial=0.0) <= self._limit


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
