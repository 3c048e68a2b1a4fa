"""Project: batch norm without variance. Another measure of spread under the same layer; docs/projects.md says how it is judged.

python examples/projects/without_variance.py
"""

import numpy as np
from project import main, off, reference

from bnlib.numerics import jacobian_central


def forward(x, gamma, beta, eps):
    """Centre each feature, and divide it by a spread of your own and eps. Returns y (N, D) and a cache."""
    raise NotImplementedError


def backward(dout, cache):
    """Send a gradient back: dout (N, D). Returns dx (N, D), dgamma (D,) and dbeta (D,)."""
    raise NotImplementedError


def check():
    """A normalization, and not by the variance; its gradient is that of what it computes."""
    rng = np.random.default_rng(0)
    N, D, eps = 9, 4, 1e-6
    x, dout = rng.normal(size=(N, D)) * [1, 2, 0.5, 3] + [0, 5, -3, 1], rng.normal(size=(N, D))
    gamma, beta = rng.normal(size=(2, D))

    def out(x, gamma=gamma, beta=beta):
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


def multiple(one, other):
    """Whether two arrays differ by one factor alone."""
    ratio = one / other
    return bool(np.ptp(ratio) < 1e-3 * np.max(np.abs(ratio)))


if __name__ == "__main__":
    main(check)
