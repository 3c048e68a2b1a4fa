"""Numerical differentiation and the error measure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnlib.numerics import jacobian_central, jacobian_complex, relative_error, vjp_complex

seeds = st.integers(0, 10_000)


@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_jacobian_of_a_linear_map_is_its_matrix(seed, rows, columns):
    rng = np.random.default_rng(seed)
    A, x = rng.normal(size=(rows, columns)), rng.normal(size=columns)
    np.testing.assert_allclose(jacobian_complex(lambda v: A @ v, x), A, atol=1e-14)
    np.testing.assert_allclose(jacobian_central(lambda v: A @ v, x), A, atol=1e-9)


@given(seeds)
def test_complex_step_is_exact_where_central_differences_are_not(seed):
    x = np.random.default_rng(seed).uniform(0.5, 3, size=4)
    exact = np.diag(np.cos(x) * np.exp(np.sin(x)))
    assert relative_error(jacobian_complex(lambda v: np.exp(np.sin(v)), x), exact) < 1e-14
    assert relative_error(jacobian_central(lambda v: np.exp(np.sin(v)), x), exact) < 1e-8


def test_shapes_are_output_then_input():
    f = lambda v: np.stack([v.sum(axis=0), v[0]])  # noqa: E731
    assert jacobian_complex(f, np.ones((3, 4))).shape == (2, 4, 3, 4)
    assert jacobian_central(f, np.ones((3, 4))).shape == (2, 4, 3, 4)
    assert jacobian_central(np.sum, np.ones(3)).shape == (3,)


@given(seeds)
def test_vjp_contracts_the_jacobian(seed):
    rng = np.random.default_rng(seed)
    x, dout = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    f = lambda v: v**3 + v.sum()  # noqa: E731
    np.testing.assert_allclose(vjp_complex(f, x, dout), 3 * x**2 * dout + dout.sum(), atol=1e-12)


def test_inputs_stay_as_they_were():
    x = np.arange(3.0)
    jacobian_central(np.sin, x)
    jacobian_complex(np.sin, x)
    assert x.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("got", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1e-9, 0.0], [0.0, 0.0], np.inf),
        ([np.nan], [1.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_relative_error(got, expected, error):
    assert relative_error(got, expected) == pytest.approx(error)


def test_relative_error_against_a_given_scale():
    assert relative_error([1.1], [1.0], scale=[10.0, -100.0]) == pytest.approx(1e-3)
