"""When a result is right: differences are measured against the natural scale of what a feature is made of, and against rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case, remembered
from bnlib.judging.diagnosing.terms import Term
from bnlib.judging.rounding import is_float32, noise, rounding
from bnlib.numerics import Array

FLOAT32_TOLERANCE = 2e-4
"""Used where the inputs themselves are float32; never where the data are ill-conditioned."""

ALL_DIGITS = 1e-12
"""Used where a case says that it is not far from zero, in exercises about digits: right forms are within 5e-15 there."""


def agrees(checks: Checks, name: str, case: Case, got: Array, right: Array) -> bool:
    """True when one output is right, feature by feature, measured against the natural scale of its terms."""
    if got.shape != right.shape:
        return False
    size = np.abs(right)
    for term in checks.terms_of(name):
        size = np.maximum(size, _size(case, term=term))
    whole = np.max(size, initial=0.0)
    axes = tuple(range(right.ndim - 1)) if right.ndim > 1 else None
    scale = np.maximum(np.max(size, axis=axes, initial=0.0), 1e-9 * whole)
    allowed = checks.tolerance if case.get("far", True) else ALL_DIGITS
    tolerance = max(allowed, FLOAT32_TOLERANCE if is_float32(case) else rounding(case))
    return bool(np.all(np.abs(got - right) <= tolerance * scale + noise(case, gradient=name.startswith("d"))))


@remembered
def _size(case: Case, *, term: Term) -> Array:
    return np.abs(term.value(case))


def negligible(case: Case, value: ArrayLike, size: ArrayLike) -> bool:
    """True when what a property says is zero is zero beside ``size``, up to rounding."""
    return bool(np.all(np.abs(value) <= 1e-8 * np.abs(size) + noise(case)))
