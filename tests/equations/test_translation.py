"""Lesson 02: every numbered equation, evaluated index by index against definitions and numerical derivatives."""

import numpy as np
import pytest

from bnlib.numerics import jacobian_central, jacobian_complex

DEFINITIONS = {"2.1": "defines h_hat; used by all the others", "2.2": "defines mu"}

N, D = 5, 3


@pytest.fixture
def h():
    return np.random.default_rng(0).normal(size=(N, D)) + 4.0


@pytest.fixture
def dout():
    return np.random.default_rng(1).normal(size=(N, D)) + 1.0


def delta(a, b):
    return 1.0 if a == b else 0.0


def mean(h):
    return np.array([sum(h[m, l] for m in range(len(h))) / len(h) for l in range(h.shape[1])])


def centred(h):
    return np.array([[h[k, l] - mean(h)[l] for l in range(h.shape[1])] for k in range(len(h))])


def centred_one(x):
    return x - sum(x) / len(x)


def test_eq_2_3(h):
    assert jacobian_central(lambda x: sum(x) / N, h[:, 0]) == pytest.approx(np.full(N, 1 / N), abs=1e-9)


def test_eq_2_4(h):
    J = np.array([[delta(k, i) - 1 / N for i in range(N)] for k in range(N)])
    np.testing.assert_allclose(jacobian_complex(centred_one, h[:, 0]), J, atol=1e-14)
    np.testing.assert_allclose(jacobian_central(centred_one, h[:, 0]), J, atol=1e-9)


def test_eq_2_5(h):
    J = jacobian_complex(mean, h)
    for l, i, j in np.ndindex(D, N, D):
        middle = sum(delta(m, i) * delta(l, j) for m in range(N)) / N
        assert J[l, i, j] == pytest.approx(middle, abs=1e-14)
        assert middle == pytest.approx(delta(l, j) / N)


def test_eq_2_6(h):
    J = jacobian_complex(centred, h)
    for k, l, i, j in np.ndindex(N, D, N, D):
        assert J[k, l, i, j] == pytest.approx(delta(l, j) * (delta(k, i) - 1 / N), abs=1e-14)


def gradient(h, dout):
    """dL/dh for L = sum(dout * centred(h)): the loss itself is differentiated, nothing of the lesson is used."""
    return jacobian_complex(lambda x: np.sum(dout * centred(x)), h)


def test_eq_2_7(h, dout):
    J, dh = jacobian_complex(centred, h), gradient(h, dout)
    for i, j in np.ndindex(N, D):
        assert sum(dout[k, l] * J[k, l, i, j] for k in range(N) for l in range(D)) == pytest.approx(dh[i, j])


def test_eq_2_8(h, dout):
    dh = gradient(h, dout)
    for i, j in np.ndindex(N, D):
        right = sum(dout[k, j] * delta(k, i) for k in range(N)) - sum(dout[k, j] for k in range(N)) / N
        assert right == pytest.approx(dh[i, j])


def test_eq_2_9(h, dout):
    dh = gradient(h, dout)
    for i, j in np.ndindex(N, D):
        assert dout[i, j] - sum(dout[k, j] for k in range(N)) / N == pytest.approx(dh[i, j])


def test_eq_2_10(dout):
    rng = np.random.default_rng(2)
    x, W, b = rng.normal(size=(N, 4)), rng.normal(size=(4, D)), rng.normal(size=D)
    db = jacobian_complex(lambda b: np.sum(dout * centred(x @ W + b)), b)
    np.testing.assert_allclose(db, 0, atol=1e-13)


def test_eq_2_11():
    J = np.array([[delta(k, i) - 1 / N for i in range(N)] for k in range(N)])
    np.testing.assert_allclose(J @ J, J, atol=1e-14)
    np.testing.assert_array_equal(J, J.T)
