"""What the checks of the projects share: how a check is shown, and what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bnlib.network.norms import Norm
from bnlib.numerics import Array

Pass = Callable[..., Any]
"""A forward or a backward pass as a learner writes it."""
Row = tuple[str, bool]
"""What is asked, in words, and whether it is so."""


def shown(rows: Callable[[Pass, Pass], Iterator[Row]]) -> Callable[[Pass, Pass], None]:
    """A check that prints a line for each of its rows, and says so where nothing is written yet."""

    @wraps(rows)
    def check(forward: Pass, backward: Pass) -> None:
        found = []
        try:
            for words, right in rows(forward, backward):
                print(f"{'ok   ' if right else 'wrong'}  {words}")
                found.append(right)
        except NotImplementedError:
            print("wrong  not written yet: put your code in the place of `raise NotImplementedError`")
        else:
            print(f"{sum(found)} of {len(found)} rows are ok")

    return check


def off(got: ArrayLike, expected: ArrayLike, scale: float | None = None) -> float:
    """How wrong an array is, beside ``scale`` or the largest number that is right; inf for another shape, or no numbers."""
    got, expected = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if got.shape != expected.shape or not np.all(np.isfinite(got)):
        return np.inf
    scale = np.max(np.abs(expected), initial=0) if scale is None else scale
    return float(np.max(np.abs(got - expected), initial=0) / (scale or 1))


def reference(x: Array, gamma: Array, beta: Array, dout: Array, eps: float) -> tuple[Array, Array, Array, Array, float]:
    """The course's layer in float64: y, dx, dgamma, dbeta, and the scale of dx."""
    x, gamma, beta, dout = (np.asarray(each, dtype=np.float64) for each in (x, gamma, beta, dout))
    layer = Norm(gamma, beta, eps=eps)
    y, dx = layer.forward(x, True), layer.backward(dout)
    return y, dx, layer.dgamma, layer.dbeta, float(np.max(np.abs(gamma * dout * layer.inv_std)))
