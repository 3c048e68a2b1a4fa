"""When a result is right: differences are measured against the natural scale of what a feature is made of."""

from __future__ import annotations

import numpy as np

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case
from bnlib.numerics import Array

FLOAT32_TOLERANCE = 2e-4
"""Used where the inputs themselves are float32; never where the data are ill-conditioned."""


MOST_ROUNDING = 5e-8
"""Rounding is allowed for up to here where a batch is narrow and far from zero."""


def agrees(checks: Checks, name: str, case: Case, got: Array, right: Array) -> bool:
    """True when one output is right, feature by feature, measured against the natural scale of its terms."""
    if got.shape != right.shape:
        return False
    size = np.abs(right)
    for term in checks.terms_of(name):
        size = np.maximum(size, np.abs(np.broadcast_to(term.value(case), right.shape)))
    whole = np.max(size, initial=0.0)
    axes = tuple(range(right.ndim - 1)) if right.ndim > 1 else None
    scale = np.maximum(np.max(size, axis=axes, initial=0.0), 1e-9 * whole)
    tolerance = max(checks.tolerance, FLOAT32_TOLERANCE if is_float32(case) else rounding(case))
    return bool(np.all(np.abs(got - right) <= tolerance * scale))


def rounding(case: Case) -> float:
    """What two right answers may differ by because a batch lies far from zero and is narrow: subtracting its mean loses digits."""
    lost = 0.0
    for batch in case.values():
        if isinstance(batch, np.ndarray) and batch.ndim == 2 and batch.dtype.kind == "f" and batch.size:
            varies = batch[:, np.ptp(batch, axis=0) > 0]
            with np.errstate(all="ignore"):
                lost = max(lost, float(np.max(np.abs(varies).max(axis=0) / varies.std(axis=0), initial=0.0)))
    return min(8 * np.finfo(float).eps * lost, MOST_ROUNDING)


def is_float32(case: Case) -> bool:
    """True when the inputs themselves have no more than seven digits."""
    return any(isinstance(v, np.ndarray) and v.dtype == np.float32 for v in case.values())
