"""Lesson 01: every numbered equation, evaluated index by index against definitions and numerical derivatives."""

import numpy as np
import pytest

from bnlib.numerics import jacobian_central, jacobian_complex

DEFINITIONS = {"1.5": "defines the normalization of one feature", "1.9": "defines scale and shift"}

N, D = 5, 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def standardized(x):
    mu = sum(x) / len(x)
    sigma = np.sqrt(sum((value - mu) ** 2 for value in x) / len(x))
    return np.array([(value - mu) / sigma for value in x])


def scaled_and_shifted(x_hat, gamma, beta):
    rows, columns = x_hat.shape
    return np.array([[gamma[j] * x_hat[k, j] + beta[j] for j in range(columns)] for k in range(rows)])


def slope(f, x):
    """Derivative of a function of one number, by central differences."""
    return float(jacobian_central(lambda v: f(v[0]), np.array([x]))[0])


def test_eq_1_1():
    def y(x):
        return np.sin(x)

    def L(y):
        return np.exp(2 * y)

    assert slope(lambda x: L(y(x)), 0.7) == pytest.approx(slope(L, y(0.7)) * slope(y, 0.7), rel=1e-8)


def test_eq_1_2():
    def y1(x):
        return x**3

    def y2(x):
        return np.cos(x)

    def L(y1, y2):
        return y1 * np.exp(y2) + y2**2

    x = 0.8
    first = slope(lambda v: L(v, y2(x)), y1(x)) * slope(y1, x)
    second = slope(lambda v: L(y1(x), v), y2(x)) * slope(y2, x)
    assert slope(lambda x: L(y1(x), y2(x)), x) == pytest.approx(first + second, rel=1e-8)


@pytest.mark.parametrize("M", [3, 5, 7])
def test_eq_1_3(rng, M):
    A, x = rng.normal(size=(N, M)), rng.normal(size=M)

    def y(x):
        return np.sin(A @ x) + np.exp(x).sum()

    def L(y):
        return np.sum(np.cos(y)) * y[0]

    dL_dy, dy_dx = jacobian_complex(L, y(x)), jacobian_complex(y, x)
    dL_dx = jacobian_complex(lambda x: L(y(x)), x)
    for i in range(M):
        assert sum(dL_dy[k] * dy_dx[k, i] for k in range(N)) == pytest.approx(dL_dx[i], rel=1e-10)


def test_eq_1_4(rng):
    x = rng.normal(size=N)
    J = jacobian_complex(np.tanh, x)
    for k, i in np.ndindex(N, N):
        assert J[k, i] == pytest.approx(slope(np.tanh, x[k]) if k == i else 0.0, abs=1e-9)


def test_the_function_of_eq_1_5_moves_every_output(rng):
    x = rng.normal(size=N) + 3.0
    y = standardized(x)
    assert sum(y) == pytest.approx(0, abs=1e-12)
    assert sum(y**2) / N == pytest.approx(1)
    assert np.all(np.abs(jacobian_complex(standardized, x)) > 1e-3)


def test_eq_1_6(rng):
    x, h = rng.normal(size=N) + 3.0, 1e-5
    J = jacobian_complex(standardized, x)
    for i in range(N):
        e = np.array([1.0 if m == i else 0.0 for m in range(N)])
        up, down = standardized(x + h * e), standardized(x - h * e)
        for k in range(N):
            assert (up[k] - down[k]) / (2 * h) == pytest.approx(J[k, i], abs=1e-8)


def f(x):
    """Function with easy derivatives: f'(x) = 2 e^(2x), f''(x) = 4 e^(2x), f'''(x) = 8 e^(2x)."""
    return np.exp(2 * x)


@pytest.mark.parametrize("h", [1e-2, 1e-3])
def test_eq_1_7(h):
    error = (f(0.3 + h) - f(0.3)) / h - 2 * f(0.3)
    assert error == pytest.approx(h / 2 * 4 * f(0.3), rel=2 * h)


@pytest.mark.parametrize("h", [1e-2, 1e-3])
def test_eq_1_8(h):
    error = (f(0.3 + h) - f(0.3 - h)) / (2 * h) - 2 * f(0.3)
    assert error == pytest.approx(h**2 / 6 * 8 * f(0.3), rel=h)


@pytest.fixture
def layer(rng):
    return rng.normal(size=(N, D)), rng.uniform(1, 3, size=D), rng.normal(size=D)


def test_eq_1_10(layer):
    x_hat, gamma, beta = layer
    by_x = jacobian_complex(lambda x: scaled_and_shifted(x, gamma, beta), x_hat)
    by_gamma = jacobian_complex(lambda g: scaled_and_shifted(x_hat, g, beta), gamma)
    by_beta = jacobian_complex(lambda b: scaled_and_shifted(x_hat, gamma, b), beta)
    for k, l, i, j in np.ndindex(N, D, N, D):
        assert by_x[k, l, i, j] == pytest.approx(gamma[l] if k == i and l == j else 0.0)
    for k, l, j in np.ndindex(N, D, D):
        assert by_gamma[k, l, j] == pytest.approx(x_hat[k, l] if l == j else 0.0)
        assert by_beta[k, l, j] == pytest.approx(1.0 if l == j else 0.0)


def gradients(layer, dout):
    """For each of x_hat, gamma, beta: the function of it alone, its place, and dL/d of it for L = sum(dout * y)."""
    x_hat, gamma, beta = layer
    functions = (
        (lambda x: scaled_and_shifted(x, gamma, beta), x_hat),
        (lambda g: scaled_and_shifted(x_hat, g, beta), gamma),
        (lambda b: scaled_and_shifted(x_hat, gamma, b), beta),
    )
    return [(y, p, jacobian_central(lambda q, y=y: np.sum(dout * y(q)), p)) for y, p in functions]


def test_eq_1_11(rng, layer):
    dout = rng.normal(size=(N, D)) + 1.0
    for y, p, gradient in gradients(layer, dout):
        slopes = jacobian_complex(y, p)
        for index in np.ndindex(p.shape):
            total = sum(dout[k, l] * slopes[(k, l, *index)] for k in range(N) for l in range(D))
            assert total == pytest.approx(gradient[index], abs=1e-7)


def test_eq_1_12(rng, layer):
    dout = rng.normal(size=(N, D)) + 1.0
    x_hat, gamma, _ = layer
    dx_hat, dgamma, dbeta = (gradient for _, _, gradient in gradients(layer, dout))
    for i, j in np.ndindex(N, D):
        assert dout[i, j] * gamma[j] == pytest.approx(dx_hat[i, j], abs=1e-7)
    for j in range(D):
        assert sum(dout[k, j] * x_hat[k, j] for k in range(N)) == pytest.approx(dgamma[j], abs=1e-7)
        assert sum(dout[k, j] for k in range(N)) == pytest.approx(dbeta[j], abs=1e-7)
