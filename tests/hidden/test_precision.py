"""Lesson 09: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import precision


def batch(judge, N, D, offset=0.0, scale=1.0):
    """Features that differ in location and spread."""
    rng = judge.rng
    return offset + scale * (rng.uniform(0.5, 3, size=D) * rng.normal(size=(N, D)) + rng.uniform(0.5, 5, size=D))


def parameters(judge, D, eps=1e-5):
    rng = judge.rng
    return {"gamma": rng.uniform(0.3, 3, size=D) * rng.choice([-1, 1], size=D), "beta": rng.normal(size=D), "eps": eps}


def float32(case):
    return Case({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in case.items()})


# eqs. 9.2, 9.3


def grown(judge, N, D, **place):
    x = batch(judge, N + 1, D, **place)
    mu = x[:-1].mean(axis=0)
    mu = mu + (x[:-1] - mu).mean(axis=0)
    return Case(count=N, mu=mu, m2=((x[:-1] - mu) ** 2).sum(axis=0), row=x[-1])


@hidden(precision.update_statistics)
def test_update_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(precision.update_statistics)
def test_update_sizes_and_scales(judge):
    judge.examine([grown(judge, N, D) for N, D in ((1, 3), (2, 1), (50, 7), (1000, 2))])
    judge.examine([grown(judge, 6, 3, scale=scale) for scale in (1e-6, 1e6)])


@hidden(precision.update_statistics)
def test_update_far(judge):
    judge.examine([Case(grown(judge, 9, 4, offset=offset), far=bool(offset)) for offset in (0.0, 2e6, -2e6)])


@hidden(precision.update_statistics)
def test_update_float32(judge):
    judge.examine([float32(grown(judge, 5, 3))])


# eqs. 9.4, 9.5


@hidden(precision.merged_squares)
def test_merged_squares(judge):
    judge.derivation()


def merged(judge, A, B, D, **place):
    a, b = batch(judge, A, D, **place), batch(judge, B, D, **place)
    return Case(
        count_a=A, mu_a=a.mean(axis=0), var_a=a.var(axis=0), count_b=B, mu_b=b.mean(axis=0), var_b=b.var(axis=0)
    )


@hidden(precision.merge_statistics)
def test_merge_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(precision.merge_statistics)
def test_merge_sizes_and_scales(judge):
    judge.examine([merged(judge, A, B, D) for A, B, D in ((1, 1, 3), (1, 40, 2), (300, 2, 5), (8, 8, 1))])
    judge.examine([merged(judge, 3, 5, 4, scale=scale) for scale in (1e-6, 1e6)])


@hidden(precision.merge_statistics)
def test_merge_far(judge):
    judge.examine([Case(merged(judge, 7, 4, 4, offset=offset), far=bool(offset)) for offset in (0.0, 2e6, -2e6)])


@hidden(precision.merge_statistics)
def test_merge_float32(judge):
    judge.examine([float32(merged(judge, 3, 6, 3))])


# eq. 9.6


@hidden(precision.center_accurately)
def test_center_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(precision.center_accurately)
def test_center_shapes(judge):
    judge.examine([Case(x=batch(judge, N, D), far=False) for N, D in ((1, 3), (2, 2), (3, 7), (200, 2))])


@hidden(precision.center_accurately)
def test_center_far(judge):
    cases = [
        Case(x=batch(judge, N, 4, offset=offset), far=bool(offset)) for N in (7, 40) for offset in (0.0, 1e9, -3e9)
    ]
    judge.examine(cases)


@hidden(precision.center_accurately)
def test_center_with_a_constant_feature(judge):
    x = batch(judge, 9, 3, offset=1e9)
    x[:, 1] = 1e9 + 0.1
    judge.examine([Case(x=batch(judge, 9, 3), far=False), Case(x=x, far=True)])


@hidden(precision.center_accurately)
def test_center_float32(judge):
    judge.examine([Case(x=batch(judge, 9, 3).astype(np.float32))])


# eqs. 9.7, 9.8

SIZES = [[5, 3], [1, 1, 7], [4], [2, 9, 3, 6], [40, 8]]


def spread(judge, sizes, dout=False, D=3, eps=1e-5, **place):
    x = batch(judge, sum(sizes), D, **place)
    case = Case(x=x, sizes=sizes, **parameters(judge, D, eps))
    if dout:
        case["dout"] = judge.rng.normal(size=x.shape) + judge.rng.uniform(-2, 2, size=D)
    return case


@hidden(precision.sync_batchnorm_forward)
def test_sync_forward_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(precision.sync_batchnorm_forward)
def test_sync_forward_sizes(judge):
    judge.examine([spread(judge, sizes) for sizes in SIZES])


@hidden(precision.sync_batchnorm_forward)
def test_sync_forward_eps_and_tiny_variance(judge):
    judge.examine([spread(judge, [4, 7], scale=1e-2, eps=eps) for eps in (1e-8, 1e-3, 2.0)])


@hidden(precision.sync_batchnorm_forward)
def test_sync_forward_far(judge):
    cases = [spread(judge, [3, 5, 4], offset=offset, eps=1e-3) for offset in (0.0, 2e6, -2e6)]
    judge.examine([Case(case, far=index > 0) for index, case in enumerate(cases)])


@hidden(precision.sync_batchnorm_forward)
def test_sync_forward_float32(judge):
    judge.examine([float32(spread(judge, [6, 4], eps=0.01))])


@hidden(precision.sync_batchnorm_backward)
def test_sync_backward_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(precision.sync_batchnorm_backward)
def test_sync_backward_sizes(judge):
    judge.examine([spread(judge, sizes, dout=True) for sizes in SIZES])


@hidden(precision.sync_batchnorm_backward)
def test_sync_backward_eps_and_scales(judge):
    judge.examine([spread(judge, [4, 7], dout=True, scale=1e-2, eps=eps) for eps in (1e-8, 1e-3, 2.0)])
    judge.examine([spread(judge, [6, 2], dout=True, offset=1e3), spread(judge, [3, 8], dout=True, scale=1e3)])


@hidden(precision.sync_batchnorm_backward)
def test_sync_backward_exact(judge):
    judge.exact(6)


def normalized(judge, N, D, eps=1e-5, **place):
    """What the fast form is given."""
    case = spread(judge, [N], dout=True, D=D, eps=eps, **place)
    inv_std = 1 / np.sqrt(case.x.var(axis=0) + eps)
    return Case(case, inv_std=inv_std, x_hat=(case.x - case.x.mean(axis=0)) * inv_std)


@hidden(precision.batchnorm_backward_fast)
def test_fast_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(precision.batchnorm_backward_fast)
def test_fast_shapes(judge):
    judge.examine([normalized(judge, N, D) for N, D in ((4, 7), (5, 5), (16, 1), (300, 5), (1030, 40))])


@hidden(precision.batchnorm_backward_fast)
def test_fast_eps_and_scales(judge):
    judge.examine([normalized(judge, 6, 4, scale=1e-2, eps=eps) for eps in (1e-8, 1e-3, 2.0)])
    judge.examine([normalized(judge, 6, 4, offset=1e3), normalized(judge, 6, 4, scale=1e3)])


@hidden(precision.batchnorm_backward_fast)
def test_fast_float32_and_layouts(judge):
    cases = [normalized(judge, 8, 3, eps=0.01) for _ in range(2)]
    judge.examine([float32(cases[0])])
    judge.examine([Case({k: np.asfortranarray(v) if isinstance(v, np.ndarray) else v for k, v in cases[1].items()})])


@hidden(precision.batchnorm_backward_fast)
def test_fast_exact(judge):
    judge.exact(6)
