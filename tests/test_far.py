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
