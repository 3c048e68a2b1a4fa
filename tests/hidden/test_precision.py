"""Lesson 09: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.forms import float32, layouts
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import precision

# -- inputs: sizes, and where the numbers lie


def batch(judge, N, D, offset=0.0, scale=1.0):
    """Features that differ in location and spread."""
    rng = judge.rng
    return offset + scale * (rng.uniform(0.5, 3, size=D) * rng.normal(size=(N, D)) + rng.uniform(0.5, 5, size=D))


def grown(judge, N, D, **place):
    x = batch(judge, N + 1, D, **place)
    mu = x[:-1].mean(axis=0)
    mu = mu + (x[:-1] - mu).mean(axis=0)
    return Case(count=N, mu=mu, m2=((x[:-1] - mu) ** 2).sum(axis=0), row=x[-1])


def merged(judge, A, B, D, **place):
    a, b = batch(judge, A, D, **place), batch(judge, B, D, **place)
    return Case(
        count_a=A, mu_a=a.mean(axis=0), var_a=a.var(axis=0), count_b=B, mu_b=b.mean(axis=0), var_b=b.var(axis=0)
    )


def centred(judge, N, D, **place):
    return Case(x=batch(judge, N, D, **place))


def spread(judge, *sizes, D=3, eps=1e-5, **place):
    rng = judge.rng
    x = batch(judge, sum(sizes), D, **place)
    parameters = {"gamma": rng.uniform(0.3, 3, size=D) * rng.choice([-1, 1], size=D), "beta": rng.normal(size=D)}
    case = Case(x=x, sizes=list(sizes), **parameters, eps=eps)
    if judge.stub is not precision.sync_batchnorm_forward:
        case["dout"] = rng.normal(size=x.shape) + rng.uniform(-2, 2, size=D)
    return case


def normalized(judge, N, D, eps=1e-5, **place):
    """What the fast form is given."""
    case = spread(judge, N, D=D, eps=eps, **place)
    inv_std = 1 / np.sqrt(case.x.var(axis=0) + eps)
    return Case(case, inv_std=inv_std, x_hat=(case.x - case.x.mean(axis=0)) * inv_std)


SHARDS = ((5, 3), (1, 1, 7), (4,), (2, 9, 3, 6), (40, 8))
MADE = {
    precision.update_statistics: (grown, ((1, 3), (2, 1), (50, 7), (1000, 2), (6, 3))),
    precision.merge_statistics: (merged, ((1, 1, 3), (1, 40, 2), (300, 2, 5), (8, 8, 1), (3, 5, 4))),
    precision.center_accurately: (centred, ((1, 3), (2, 2), (3, 7), (200, 2), (7, 4))),
    precision.sync_batchnorm_forward: (spread, SHARDS),
    precision.sync_batchnorm_backward: (spread, SHARDS),
    precision.batchnorm_backward_fast: (normalized, ((4, 7), (5, 5), (16, 1), (300, 5), (1030, 40), (5000, 2), (8, 3))),
}
"""For each exercise how its inputs are made, and of which sizes; the last are ordinary ones."""


def made(judge, sizes=None, **settings):
    """An input of some sizes, of the ordinary ones if none are given."""
    make, known = MADE[judge.stub]
    return make(judge, *(sizes or known[-1]), **settings)


# -- tests


@hidden(precision.merged_squares)
def test_derivation(judge):
    judge.derivation()


@hidden(*MADE)
def test_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(*MADE)
def test_sizes(judge):
    judge.examine([made(judge, sizes) for sizes in MADE[judge.stub][1]])


@hidden(precision.update_statistics, precision.merge_statistics)
def test_scales(judge):
    judge.examine([made(judge, scale=scale) for scale in (1e-6, 1e6)])


@hidden(precision.sync_batchnorm_forward, precision.sync_batchnorm_backward, precision.batchnorm_backward_fast)
def test_eps_and_tiny_variance(judge):
    judge.examine([made(judge, scale=1e-2, eps=eps) for eps in (1e-8, 1e-3, 2.0)])


@hidden(precision.sync_batchnorm_backward, precision.batchnorm_backward_fast)
def test_large(judge):
    judge.examine([made(judge, offset=1e3), made(judge, scale=1e3)])


@hidden(precision.update_statistics, precision.merge_statistics)
def test_far(judge):
    judge.examine([Case(made(judge, offset=offset), far=bool(offset)) for offset in (0.0, 2e6, -2e6)])


@hidden(precision.sync_batchnorm_forward)
def test_far_shards(judge):
    judge.examine([Case(made(judge, offset=offset, eps=1e-3), far=bool(offset)) for offset in (0.0, 2e6, -2e6)])


@hidden(precision.center_accurately)
def test_very_far(judge):
    places = [(N, offset) for N in (7, 40) for offset in (0.0, 1e9, -3e9)]
    judge.examine([Case(made(judge, (N, 4), offset=offset), far=bool(offset)) for N, offset in places])


@hidden(precision.center_accurately)
def test_a_constant_feature(judge):
    x = batch(judge, 9, 3, offset=1e9)
    x[:, 1] = 1e9 + 0.1
    judge.examine([Case(x=batch(judge, 9, 3), far=False), Case(x=x, far=True)])


@hidden(*MADE)
def test_float32_and_layouts(judge):
    judge.examine([float32(made(judge)), *layouts(made(judge))])


@hidden(precision.sync_batchnorm_backward, precision.batchnorm_backward_fast)
def test_exact(judge):
    judge.exact(6)
