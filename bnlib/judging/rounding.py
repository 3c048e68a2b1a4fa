"""How far apart two right answers may be: what the rounding of the inputs does to them.

Where a case says whether it is ``far`` from zero (lesson 09), keeping the digits is the exercise, and nothing is allowed for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnlib.judging.case import Case, remembered
from bnlib.numerics import Array

MOST_ROUNDING = 1e-5
"""Rounding is allowed for up to here where a batch is narrow and far from zero; the inputs that are drawn need 1.2e-9 at most."""

UNITS = 8 * float(np.finfo(float).eps)
"""Right forms were measured within 7.2 eps (1 + max|x| / sqrt(var + eps)) of the truth."""


@remembered
def rounding(case: Case) -> float:
    """What two right answers may differ by, relatively, because a batch lies far from zero and is narrow: its mean takes digits away."""
    if "far" in case:
        return 0.0
    lost = 0.0
    for batch in _batches(case).values():
        varies = batch[..., np.ptp(batch, axis=0) > 0]
        if varies.size:
            lost = max(lost, float(np.max(np.abs(varies).max(axis=0) * _inv_std(case, varies), initial=0.0)))
    return min(UNITS * (1 + lost), MOST_ROUNDING)


@remembered
def noise(case: Case, *, gradient: bool = True) -> float:
    """How large a term can come out that is zero on paper, such as the sum of a centred batch.

    It is the rounding of an input, added up over the batch. In a gradient it may carry another input and the inverse standard
    deviation as factors, and does not shrink with the gradient that comes in.
    """
    batches = _batches(case)
    if not batches or "far" in case:
        return 0.0
    rows = max(map(len, batches.values()))
    largest = [float(np.max(np.abs(value))) for key, value in _numbers(case).items() if key != "eps"]
    if not gradient:
        return UNITS * rows * max(largest)
    steep = [1.0]
    if "eps" in case:
        steep += [float(np.max(_inv_std(case, batch))) for key, batch in batches.items() if not key.startswith("d")]
    least, most = sorted([0.0, *largest])[-2:]
    return UNITS * rows * most * max(1.0, least) * max(steep)


def is_float32(case: Case) -> bool:
    """True when the inputs themselves have no more than seven digits."""
    return any(isinstance(v, np.ndarray) and v.dtype == np.float32 for v in case.values())


def _numbers(case: Case) -> Mapping[str, Any]:
    """The numbers and arrays of a case that can be rounded."""
    return {
        k: v
        for k, v in case.items()
        if isinstance(v, (float, np.ndarray)) and np.size(v) and np.asarray(v).dtype.kind == "f"
    }


def _batches(case: Case) -> Mapping[str, Array]:
    """The arrays of a case with a row for each example: those of two directions, or of one where there is no other."""
    arrays = {key: value for key, value in _numbers(case).items() if np.ndim(value) in (1, 2)}
    most = max((value.ndim for value in arrays.values()), default=0)
    return {key: value for key, value in arrays.items() if value.ndim == most}


def _inv_std(case: Case, batch: Array) -> Array:
    """One over the standard deviation of each feature, with the case's eps where it has one."""
    with np.errstate(all="ignore"):
        return 1 / np.sqrt(batch.var(axis=0) + case.get("eps", 0.0))
