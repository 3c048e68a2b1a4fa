"""The check of the project "Batch norm without variance"."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bnlib.numerics import Array, jacobian_central
from bnlib.projects.shared import Pass, Row, off, reference, shown


@shown
def check(forward: Pass, backward: Pass) -> Iterator[Row]:
    """A normalization, and not by the variance; its gradient is that of what it computes."""
    rng = np.random.default_rng(0)
    N, D, eps = 9, 4, 1e-6
    x, dout = rng.normal(size=(N, D)) * [1, 2, 0.5, 3] + [0, 5, -3, 1], rng.normal(size=(N, D))
    gamma, beta = rng.normal(size=(2, D))

    def out(x: Array, gamma: Array = gamma, beta: Array = beta) -> Array:
        return forward(x, gamma, beta, eps)[0]

    y = out(x)
    yield "x + 1 gives what x gives", off(out(x + 1), y) < 1e-9
    yield "10 * x gives what x gives, but for eps", off(out(10 * x), y) < 1e-4
    yield "one feature does not move another", off(out(x * [1, 7, 1, 1])[:, [0, 2, 3]], y[:, [0, 2, 3]]) < 1e-12
    yield (
        "it is not batch normalization by the variance, nor a multiple",
        not multiple(y - beta, reference(x, gamma, 0 * beta, dout, eps)[0]),
    )
    yield "a constant feature gives numbers", bool(np.all(np.isfinite(out(0 * x + 3))))
    dx, dgamma, dbeta = backward(dout, forward(x, gamma, beta, eps)[1])
    measured = {
        "dx": (dx, jacobian_central(lambda x: np.sum(dout * out(x)), x)),
        "dgamma": (dgamma, jacobian_central(lambda gamma: np.sum(dout * out(x, gamma=gamma)), gamma)),
        "dbeta": (dbeta, jacobian_central(lambda beta: np.sum(dout * out(x, beta=beta)), beta)),
    }
    for name, (got, expected) in measured.items():
        yield f"{name}: {off(got, expected):.1e} from the measured one, at most 1e-6", off(got, expected) <= 1e-6
    yield "the columns of dx add up to 0", bool(np.all(np.abs(dx.sum(axis=0)) < 1e-9))


def multiple(one: Array, other: Array) -> bool:
    """Whether two arrays differ by one factor alone."""
    ratio = one / other
    return bool(np.ptp(ratio) < 1e-3 * np.max(np.abs(ratio)))
