"""One thing exchanged for another in a computation that is written step by step."""

import numpy as np
import pytest

from bnlib.checks import Case, Step, Steps
from bnlib.judging.diagnosing.evidence import Evidence
from bnlib.judging.diagnosing.slips import diagnose
from bnlib.judging.diagnosing.steps import exchanged

STEPS = Steps(
    (
        Step("mu", "eq. 1", lambda q: q.mean(q.x)),
        Step("xc", "eq. 2", lambda q: q.x - q.mu),
        Step("std", "eq. 3", lambda q: q.root(q.variance(q.x) + q.eps)),
        Step("z", "eq. 4", lambda q: q.xc / q.std),
        Step("out", "eq. 5", lambda q: q.gamma * q.z + q.beta),
        Step("next", "eq. 6", lambda q: q.beta + q.mu, output="beta"),
    )
)


def draw(seed):
    rng = np.random.default_rng(seed)
    N, D = int(rng.integers(5, 9)), int(rng.integers(2, 5))
    gamma, beta = rng.uniform(1.2, 3, size=(2, D))
    return Case(x=rng.normal(size=(N, D)) + 3, gamma=gamma, beta=beta, eps=float(rng.uniform(0.1, 0.5)))


def out(c, mu=None, var=None, scale=None, shift=None):
    mu = c.x.mean(axis=0) if mu is None else mu
    var = c.x.var(axis=0) + c.eps if var is None else var
    return (c.gamma if scale is None else scale) * (c.x - mu) / np.sqrt(var) + (c.beta if shift is None else shift)


def named(wrong, output="out", right=out):
    evidence = [Evidence(c, wrong(c), right(c)) for c in map(draw, range(3))]
    return diagnose(output, evidence, steps=STEPS)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (lambda c: out(c, scale=c.beta), "out-beta-for-gamma"),
        (lambda c: out(c, scale=1.0), "out-without-gamma"),
        (lambda c: out(c, shift=0.0), "out-without-beta"),
        (lambda c: out(c, shift=-c.beta), "out-sign-of-beta"),
        (lambda c: out(c, scale=1 / c.gamma), "out-inverse-of-gamma"),
        (lambda c: out(c, scale=c.gamma**2), "out-gamma-twice"),
        (lambda c: out(c, mu=-c.x.mean(axis=0)), "xc-sign-of-mu"),
        (lambda c: out(c, mu=c.x.sum(axis=0)), "mu-sum-for-mean"),
        (lambda c: out(c, mu=c.x.mean()), "mu-mean-over-everything-for-mean"),
        (lambda c: out(c, mu=c.x.mean(axis=1, keepdims=True)), "mu-mean-over-the-features-for-mean"),
        (lambda c: out(c, var=c.x.var(axis=0) - c.eps / 100), None),
        (lambda c: out(c, var=c.x.std(axis=0) + c.eps), "std-standard-deviation-for-variance"),
        (lambda c: out(c, var=(c.x.var(axis=0) + c.eps) ** 2), "z-std-twice"),
        (lambda c: out(c, var=c.x.var(axis=0)), "std-without-eps"),
    ],
)
def test_one_exchange_is_found_without_being_listed(wrong, name):
    found = named(wrong)
    assert (found.names if found else None) == ((name,) if name else None)


def test_words_name_the_step_and_not_the_formula():
    found = named(lambda c: out(c, scale=c.beta))
    assert found.message == "In out (eq. 5), beta stands where gamma belongs. Nothing else is wrong in out."


def test_a_step_may_compute_the_next_value_of_something_given():
    right = lambda c: c.beta + c.x.mean(axis=0)  # noqa: E731
    found = named(lambda c: c.gamma + c.x.mean(axis=0), "beta", right)
    assert found.names == ("next-gamma-for-beta",)


def test_an_output_without_steps_has_no_name():
    assert named(lambda c: c.gamma, "dgamma", lambda c: c.beta) is None


def test_an_exchange_must_explain_all_the_evidence():
    sizes = {len(draw(seed).x) for seed in range(3)}
    assert len(sizes) > 1
    assert named(lambda c: out(c, scale=c.beta if len(c.x) == min(sizes) else 1.0)) is None


def test_names_found_elsewhere_are_tried_alone_and_first():
    evidence = [Evidence(c, out(c, scale=c.beta), out(c)) for c in map(draw, range(3))]
    assert exchanged("out", evidence, STEPS, {"out-beta-for-gamma"}).names == ("out-beta-for-gamma",)
    assert exchanged("out", evidence, STEPS, {"out-without-gamma"}) is None
