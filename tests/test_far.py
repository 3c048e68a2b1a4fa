"""Inputs of which no digit may be lost: a case that says whether it is far from zero (lesson 09)."""

import numpy as np
import pytest

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
