"""Inputs of which no digit may be lost: a case that says whether it is far from zero (lesson 09)."""

import numpy as np
import pytest
from answering import bench

from bnlib.checks import Case, checks_of, visible
from bnlib.judging.comparing import agrees
from bnlib.judging.rounding import noise, rounding
from bnlib.stubs import precision

FAR = (
    precision.update_statistics,
    precision.merge_statistics,
    precision.center_accurately,
    precision.sync_batchnorm_forward,
)


@pytest.mark.parametrize("stub", FAR, ids=lambda stub: stub.name)
def test_the_visible_inputs_lie_near_zero_and_far_from_it(stub):
    assert {case.far for case in visible(stub)} == {True, False}


def test_nothing_is_allowed_for_rounding_where_digits_are_to_be_kept():
    x = np.random.default_rng(0).normal(size=(8, 3)) + 1e6
    usual, kept = Case(x=x), Case(x=x, far=True)
    assert rounding(usual) > 1e-9
    assert noise(usual) > 1e-9
    assert rounding(kept) == noise(kept) == 0
    checks = checks_of(precision.center_accurately)
    right = checks.truth(usual)
    once = x - x.mean(axis=0)
    assert agrees(checks, "xc", usual, once, right)
    assert not agrees(checks, "xc", kept, once, right)
    assert agrees(checks, "xc", kept, once - once.mean(axis=0), right)


@pytest.mark.parametrize(("dtype", "places"), [("float64", (0, 10, 30)), ("float32", (0, 5, 10))])
@pytest.mark.parametrize("N", [4, 16, 64, 256])
def test_how_many_digits_a_far_mean_costs(dtype, places, N):
    """What lesson 09, section 4, says: the error of x_hat grows with |x| / sigma and with the root of N, rows being added one after the other."""
    rng, u, largest = np.random.default_rng(N), np.finfo(dtype).eps / 2, []
    for place in 30 * places:
        x = (rng.normal(size=(N, 3)) + 2.0**place * rng.uniform(1, 2)).astype(dtype)
        right = x.astype(np.longdouble) - x[0]
        right -= right.mean(axis=0)
        sigma = np.sqrt(np.mean(right**2, axis=0))
        xc = x - x.mean(axis=0)
        off = np.abs(xc / np.sqrt(np.mean(xc**2, axis=0)) - right / sigma)
        largest.append(np.max(off / (u * (1 + np.abs(x) / sigma))))
    assert 0.2 < np.median(largest) / np.sqrt(N) < np.quantile(largest, 0.9) / np.sqrt(N) < 1
    assert np.max(largest) < 2.5 * np.sqrt(N)


ONE_PASS = """
def sync_batchnorm_forward(shards, gamma, beta, eps):
    n = sum(map(len, shards))
    mu = sum(x.sum(axis=0) for x in shards) / n
    var = sum((x**2).sum(axis=0) for x in shards) / n - mu**2
    return [gamma * (x - mu) / np.sqrt(var + eps) for x in shards], None
"""


def test_a_mistake_near_zero_is_named_though_digits_are_lost_besides():
    report = bench(precision.sync_batchnorm_forward).report(ONE_PASS)
    assert report.names == ("shift-missing", "digits-lost")
    assert "Besides, outs loses its digits where the numbers lie far from zero" in report.message


LAST_ROWS = """
def batchnorm_backward_fast(dout, x_hat, inv_std, gamma):
    dx = np.zeros_like(dout)
    for i in range(0, len(dout), 3):
        dgamma, dbeta = (dout * x_hat)[i : i + 3].sum(axis=0), dout[i : i + 3].sum(axis=0)
        dx[i : i + 3] = gamma * inv_std * (dout[i : i + 3] - dbeta / 7 - x_hat[i : i + 3] * dgamma / 7)
    return dx, dgamma, dbeta
"""


def test_the_output_that_has_a_name_speaks_first():
    report = bench(precision.batchnorm_backward_fast).report(LAST_ROWS)
    assert report.names == ("last-block-only",)
    assert [row.ok for row in report.rows[2:5]] == [False, False, False]
    assert report.message.startswith("dgamma is the sum of the last block alone")
