"""The same test inputs in other forms: with fewer digits, and laid out in memory in other ways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bnlib.judging.case import Case


def float32(case: Case) -> Case:
    """The case with its arrays of floats in float32."""
    return _changed(case, lambda v: v.astype(np.float32) if v.dtype.kind == "f" else v)


def layouts(*cases: Case) -> list[Case]:
    """Each case with its arrays column by column in memory, with gaps between numbers, and backwards."""
    changes: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        np.asfortranarray,
        lambda v: np.repeat(v, 3, axis=-1)[..., ::3],
        lambda v: v[::-1].copy()[::-1],
    )
    return [_changed(case, change) for case in cases for change in changes]


def _changed(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    return Case({k: change(v) if isinstance(v, np.ndarray) and v.ndim else v for k, v in case.items()})
