"""Steps of a normalization that several lessons share: one thing in them may be exchanged for another."""

from __future__ import annotations

from bnlib.checks import Step


def moments(mean: str, variance: str, centring: str, x: str = "x") -> tuple[Step, ...]:
    """Mean, distances and variance of the batch ``x``; the other arguments are their equations."""
    return (
        Step("mu", mean, lambda q: q.mean(getattr(q, x))),
        Step("xc", centring, lambda q: getattr(q, x) - q.mu),
        Step("var", variance, lambda q: q.variance(getattr(q, x))),
    )


def division(where: str) -> tuple[Step, ...]:
    """From distances and variance to x_hat."""
    return (
        Step("std", where, lambda q: q.root(q.var + q.eps)),
        Step("inv_std", where, lambda q: 1 / q.std),
        Step("x_hat", where, lambda q: q.xc * q.inv_std),
    )


def scaled(name: str, where: str) -> Step:
    """The output."""
    return Step(name, where, lambda q: q.gamma * q.x_hat + q.beta)


def parameters(dgamma: str, dbeta: str) -> tuple[Step, Step]:
    """Gradients of the two parameters."""
    return (
        Step("dbeta", dbeta, lambda q: q.sum(q.dout)),
        Step("dgamma", dgamma, lambda q: q.sum(q.dout * q.x_hat)),
    )


def three_terms(where: str) -> Step:
    """The gradient of the input."""
    return Step(
        "dx",
        where,
        lambda q: q.gamma * q.inv_std * (q.dout - q.mean(q.dout) - q.x_hat * q.mean(q.dout * q.x_hat)),
    )
