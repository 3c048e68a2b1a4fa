"""Lesson 07: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import geometry

SIZES = [3, 4, 7, 16, 33, 100]
EPSILONS = [1e-8, 1e-5, 1e-3, 0.1, 2.0]


def feature(judge, size, eps=0.1, scale=1.0):
    """One feature, with all that the layer makes of it and a gradient with a mean and a trend."""
    x = scale * (judge.rng.normal(size=size) * judge.rng.uniform(0.5, 3) + judge.rng.uniform(0.5, 5))
    gamma = float(judge.rng.uniform(0.3, 3) * judge.rng.choice([-1.0, 1.0]))
    inv_std = float((x.var() + eps) ** -0.5)
    x_hat = (x - x.mean()) * inv_std
    dout = judge.rng.normal(size=size) + judge.rng.uniform(0.3, 1.5) + 0.6 * x_hat
    sums = {"dgamma": float(dout @ x_hat), "dbeta": float(dout.sum())}
    return Case(x=x, gamma=gamma, eps=eps, inv_std=inv_std, x_hat=x_hat, dout=dout, **sums)


def only(case, *names):
    """A case cut down to some of its values."""
    return Case({name: case[name] for name in names})


def features(judge, stub, sizes=(5, 8), epsilons=(0.1,), scales=(1.0,)):
    """Cases for an exercise about one feature."""
    return [
        only(feature(judge, size, eps, scale), *stub.parameters)
        for size in sizes
        for eps in epsilons
        for scale in scales
    ]


def float32(case):
    return Case({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in case.items()})


def weights(judge, shape, scale=1.0):
    W = scale * (judge.rng.normal(size=shape) + judge.rng.uniform(0.3, 1, size=shape[1]))
    return Case(W=W, dW=judge.rng.normal(size=shape) + 0.5 * W, rate=float(judge.rng.uniform(0.05, 0.8)))


# eq. 7.2


@hidden(geometry.sum_of_gradient)
def test_sum_of_gradient(judge):
    judge.derivation()


# eq. 7.4


@hidden(geometry.along_x_hat)
def test_along_x_hat(judge):
    judge.derivation()


# eq. 7.5


@hidden(geometry.take_apart)
def test_take_apart_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(geometry.take_apart)
def test_take_apart_sizes_and_eps(judge):
    judge.examine(features(judge, geometry.take_apart, SIZES, EPSILONS))


@hidden(geometry.take_apart)
def test_take_apart_an_x_hat_of_any_length(judge):
    cases = features(judge, geometry.take_apart)
    judge.examine([Case(dout=case.dout, x_hat=length * case.x_hat) for case in cases for length in (0.01, 5.0)])


@hidden(geometry.take_apart)
def test_take_apart_float32(judge):
    judge.examine([float32(case) for case in features(judge, geometry.take_apart)])


# eq. 7.7


@hidden(geometry.eigenvalues)
def test_eigenvalues_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(geometry.eigenvalues)
def test_eigenvalues_sizes(judge):
    judge.examine(features(judge, geometry.eigenvalues, SIZES))


@hidden(geometry.eigenvalues)
def test_eigenvalues_eps_and_scale(judge):
    judge.examine(features(judge, geometry.eigenvalues, (6,), EPSILONS, (1.0, 0.01)))


@hidden(geometry.eigenvalues)
def test_eigenvalues_exact(judge):
    judge.exact(6)


# eq. 7.8


@hidden(geometry.squared_norm)
def test_squared_norm_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(geometry.squared_norm)
def test_squared_norm_sizes(judge):
    judge.examine(features(judge, geometry.squared_norm, SIZES))


@hidden(geometry.squared_norm)
def test_squared_norm_eps_and_scale(judge):
    judge.examine(features(judge, geometry.squared_norm, (6,), EPSILONS, (1.0, 0.01)))


@hidden(geometry.squared_norm)
def test_squared_norm_float32(judge):
    judge.examine([float32(case) for case in features(judge, geometry.squared_norm)])


# eq. 7.10


@hidden(geometry.along_weights)
def test_along_weights(judge):
    judge.derivation()


# eq. 7.11


@hidden(geometry.weight_step)
def test_weight_step_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(geometry.weight_step)
def test_weight_step_shapes(judge):
    judge.examine([weights(judge, shape) for shape in ((1, 4), (4, 1), (5, 5), (3, 7), (64, 10))])


@hidden(geometry.weight_step)
def test_weight_step_scales_and_float32(judge):
    judge.examine([weights(judge, (4, 3), scale) for scale in (1e-3, 1e3)])
    judge.examine([float32(weights(judge, (4, 3)))])


@hidden(geometry.weight_step)
def test_weight_step_at_right_angles(judge):
    case = weights(judge, (6, 3))
    case["dW"] = case.dW - case.W * np.sum(case.W * case.dW, axis=0) / np.sum(case.W**2, axis=0)
    judge.examine([case])
