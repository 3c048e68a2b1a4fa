"""Lesson 07: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.forms import float32
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import geometry

SIZES = [3, 4, 7, 16, 33, 100]
EPSILONS = [1e-8, 1e-5, 1e-3, 0.1, 2.0]
OF_A_FEATURE = (geometry.take_apart, geometry.eigenvalues, geometry.squared_norm)


def feature(judge, size, eps=0.1, scale=1.0):
    """Of one feature what the exercise takes: what the layer makes of it, and a gradient with a mean and a trend."""
    x = scale * (judge.rng.normal(size=size) * judge.rng.uniform(0.5, 3) + judge.rng.uniform(0.5, 5))
    gamma = float(judge.rng.uniform(0.3, 3) * judge.rng.choice([-1.0, 1.0]))
    inv_std = float((x.var() + eps) ** -0.5)
    x_hat = (x - x.mean()) * inv_std
    dout = judge.rng.normal(size=size) + judge.rng.uniform(0.3, 1.5) + 0.6 * x_hat
    sums = {"dgamma": float(dout @ x_hat), "dbeta": float(dout.sum())}
    case = Case(x=x, gamma=gamma, eps=eps, inv_std=inv_std, x_hat=x_hat, dout=dout, **sums)
    return Case({name: case[name] for name in judge.stub.parameters})


def weights(judge, shape, scale=1.0):
    W = scale * (judge.rng.normal(size=shape) + judge.rng.uniform(0.3, 1, size=shape[1]))
    return Case(W=W, dW=judge.rng.normal(size=shape) + 0.5 * W, rate=float(judge.rng.uniform(0.05, 0.8)))


@hidden(*geometry.lesson.derivations.values())
def test_derivation(judge):
    judge.derivation()


@hidden(*geometry.lesson.functions.values())
def test_ordinary(judge):
    judge.examine(judge.draw(6))


# eqs. 7.5, 7.7, 7.8


@hidden(*OF_A_FEATURE)
def test_sizes_and_eps(judge):
    judge.examine([feature(judge, size, eps) for size in SIZES for eps in EPSILONS])


@hidden(*OF_A_FEATURE)
def test_narrow(judge):
    judge.examine([feature(judge, 6, eps, scale=0.01) for eps in EPSILONS])


@hidden(geometry.take_apart)
def test_an_x_hat_of_any_length(judge):
    cases = [feature(judge, size) for size in (5, 8)]
    judge.examine([Case(dout=case.dout, x_hat=length * case.x_hat) for case in cases for length in (0.01, 5.0)])


@hidden(geometry.take_apart, geometry.squared_norm)
def test_float32(judge):
    judge.examine([float32(feature(judge, size)) for size in (5, 8)])


@hidden(geometry.eigenvalues)
def test_exact(judge):
    judge.exact(6)


# eq. 7.11


@hidden(geometry.weight_step)
def test_shapes(judge):
    judge.examine([weights(judge, shape) for shape in ((1, 4), (4, 1), (5, 5), (3, 7), (64, 10))])


@hidden(geometry.weight_step)
def test_scales_and_float32(judge):
    judge.examine([weights(judge, (4, 3), scale) for scale in (1e-3, 1e3)])
    judge.examine([float32(weights(judge, (4, 3)))])


@hidden(geometry.weight_step)
def test_at_right_angles(judge):
    case = weights(judge, (6, 3))
    case["dW"] = case.dW - case.W * np.sum(case.W * case.dW, axis=0) / np.sum(case.W**2, axis=0)
    judge.examine([case])
