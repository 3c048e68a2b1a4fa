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


@pytest.mark.parametrize("f", [np.var, np.std, np.linalg.norm, lambda v: np.abs(v).sum()])
def test_what_a_complex_step_loses_central_differences_see(f):
    x = np.array([0.5, -1.0, 2.0])
    assert np.abs(jacobian_central(f, x)).max() > 0.1
    assert np.abs(jacobian_complex(f, x)).max() < 1e-9


def test_the_variance_that_the_docstring_names_passes():
    x = np.array([0.5, -1.0, 2.0])
    mine = jacobian_complex(lambda v: ((v - v.mean()) ** 2).mean(), x)
    np.testing.assert_allclose(mine, jacobian_central(np.var, x), atol=1e-9)


@pytest.mark.parametrize(("size", "near", "far"), [(1.0, 0, 1e-10), (1e-3, 1e-6, 1), (1e6, 1e-6, 1)])
def test_the_usual_step_is_for_numbers_of_the_size_of_one(size, near, far):
    """1e-5 is too large where f changes within 1e-3, and too small beside 1e6; 1e-5 times that size is right."""
    x, truth = np.array([1.1 * size]), np.cos(1.1) / size

    def error(h):
        return relative_error(jacobian_central(lambda v: np.sin(v / size), x, h)[0, 0], truth)

    assert near < error(1e-5) < far
    assert error(1e-5 * size) < 1e-10
