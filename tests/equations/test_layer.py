"""Lesson 05: every numbered equation, evaluated index by index against definitions and numerical derivatives."""

import itertools

import numpy as np
import pytest

from bnlib.numerics import jacobian_central, jacobian_complex

DEFINITIONS = {
    "5.1": "defines training mode; used by all the others",
    "5.2": "defines CS231n's running average; unrolled in 5.4",
    "5.3": "defines PyTorch's running average",
    "5.9": "defines evaluation mode",
    "5.14": "defines the affine layer",
    "5.17": "defines the block",
}

N, D, H, EPS = 6, 3, 4, 0.02


@pytest.fixture
def rng():
    return np.random.default_rng(55)


def delta(a, b):
    return 1.0 if a == b else 0.0


def mean(x):
    return np.array([sum(x[m, l] for m in range(len(x))) / len(x) for l in range(x.shape[1])])


def variance(x, divisor=None):
    divisor = len(x) if divisor is None else divisor
    return np.array([sum((x[m, l] - mean(x)[l]) ** 2 for m in range(len(x))) / divisor for l in range(x.shape[1])])


def normalized(x):
    mu, var = mean(x), variance(x)
    return np.array([[(x[k, l] - mu[l]) / np.sqrt(var[l] + EPS) for l in range(x.shape[1])] for k in range(len(x))])


def train(x, gamma, beta):
    return gamma * normalized(x) + beta


def serve(x, gamma, beta, running_mean, running_var):
    return np.array(
        [
            [
                gamma[l] * (x[k, l] - running_mean[l]) / np.sqrt(running_var[l] + EPS) + beta[l]
                for l in range(x.shape[1])
            ]
            for k in range(len(x))
        ]
    )


def affine(x, W, b):
    """Eq. 5.14 with its index sum written out."""
    return np.array(
        [[sum(x[i, d] * W[d, j] for d in range(len(W))) + b[j] for j in range(W.shape[1])] for i in range(len(x))]
    )


@pytest.fixture
def batch(rng):
    return {
        "x": rng.normal(size=(N, D)) * 1.5 + 3.0,
        "gamma": rng.uniform(0.5, 2, size=D) * np.array([1, -1, 1]),
        "beta": rng.normal(size=D),
        "dout": rng.normal(size=(N, D)) + 0.5,
        "running_mean": rng.normal(size=D) + 2.0,
        "running_var": rng.uniform(0.5, 2, size=D),
    }


@pytest.mark.parametrize("old", [0.9, 0.35])
def test_eq_5_4(rng, old):
    """Step by step by (5.2), and by (5.3) with the other weight's name, against the sum."""
    s, start, T = rng.normal(size=12), 1.7, 12
    cs231n = pytorch = start
    for value in s:
        cs231n = old * cs231n + (1 - old) * value
        pytorch = (1 - (1 - old)) * pytorch + (1 - old) * value
    unrolled = old**T * start + (1 - old) * sum(old ** (T - t) * s[t - 1] for t in range(1, T + 1))
    assert cs231n == pytest.approx(unrolled, rel=1e-13)
    assert pytorch == pytest.approx(unrolled, rel=1e-13)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_eq_5_5(n):
    """All batches of n draws from five equally likely numbers: the expectation is a plain mean, without error."""
    values = np.array([1.0, 2.0, 2.5, 4.0, 7.5])
    true = sum((v - sum(values) / 5) ** 2 for v in values) / 5
    biased = [variance(np.array(draw)[:, None])[0] for draw in itertools.product(values, repeat=n)]
    assert sum(biased) / len(biased) == pytest.approx((n - 1) / n * true, rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_eq_5_6(n):
    """The unbiased variance is right on average."""
    values = np.array([1.0, 2.0, 2.5, 4.0, 7.5])
    true = sum((v - sum(values) / 5) ** 2 for v in values) / 5
    unbiased = [variance(np.array(draw)[:, None], n - 1)[0] for draw in itertools.product(values, repeat=n)]
    assert sum(unbiased) / len(unbiased) == pytest.approx(true, rel=1e-12)


def test_eq_5_7(batch):
    x, gamma, beta, dout = (batch[key] for key in ("x", "gamma", "beta", "dout"))
    dgamma = jacobian_complex(lambda g: np.sum(dout * train(x, g, beta)), gamma)
    dbeta = jacobian_complex(lambda b: np.sum(dout * train(x, gamma, b)), beta)
    x_hat = normalized(x)
    for l in range(D):
        assert sum(dout[k, l] * x_hat[k, l] for k in range(N)) == pytest.approx(dgamma[l], rel=1e-12)
        assert sum(dout[k, l] for k in range(N)) == pytest.approx(dbeta[l], rel=1e-12)


def three_paths(x, gamma, dout):
    """The right side of eq. 5.8, entry by entry."""
    x_hat, sigma = normalized(x), np.sqrt(variance(x) + EPS)
    dx = np.empty(x.shape)
    for i, l in np.ndindex(x.shape):
        n = len(x)
        through_mean = sum(dout[k, l] for k in range(n)) / n
        through_variance = x_hat[i, l] * sum(dout[k, l] * x_hat[k, l] for k in range(n)) / n
        dx[i, l] = gamma[l] / sigma[l] * (dout[i, l] - through_mean - through_variance)
    return dx


def test_eq_5_8(batch):
    x, gamma, beta, dout = (batch[key] for key in ("x", "gamma", "beta", "dout"))
    dx = jacobian_complex(lambda x: np.sum(dout * train(x, gamma, beta)), x)
    np.testing.assert_allclose(three_paths(x, gamma, dout), dx, atol=1e-13)


def stored(batch):
    return (batch[key] for key in ("gamma", "beta", "running_mean", "running_var"))


def test_eq_5_10(batch):
    gamma, beta, m, v = stored(batch)
    J = jacobian_complex(lambda x: serve(x, gamma, beta, m, v), batch["x"])
    for k, l, i, j in np.ndindex(J.shape):
        assert J[k, l, i, j] == pytest.approx(delta(k, i) * delta(l, j) * gamma[l] / np.sqrt(v[l] + EPS), abs=1e-13)


def test_eq_5_11(batch):
    gamma, beta, m, v = stored(batch)
    dout = batch["dout"]
    J = jacobian_central(lambda x: serve(x, gamma, beta, m, v), batch["x"])
    dx = jacobian_complex(lambda x: np.sum(dout * serve(x, gamma, beta, m, v)), batch["x"])
    for i, j in np.ndindex(N, D):
        middle = sum(dout[k, l] * J[k, l, i, j] for k in range(N) for l in range(D))
        assert middle == pytest.approx(dx[i, j], abs=1e-8)
        assert gamma[j] / np.sqrt(v[j] + EPS) * dout[i, j] == pytest.approx(dx[i, j], abs=1e-13)


def test_eq_5_12(batch):
    gamma, beta, dout = batch["gamma"], batch["beta"], batch["dout"][:1]
    one = batch["x"][:1]
    np.testing.assert_allclose(train(one, gamma, beta)[0], beta, atol=1e-14)
    np.testing.assert_allclose(jacobian_complex(lambda x: np.sum(dout * train(x, gamma, beta)), one), 0, atol=1e-13)


def test_eq_5_13(batch):
    """It has one solution a feature; any other gamma or beta misses x."""
    x = batch["x"]
    x_hat = normalized(x)
    for l in range(D):
        solution, misfit, *_ = np.linalg.lstsq(np.stack([x_hat[:, l], np.ones(N)], axis=1), x[:, l], rcond=None)
        assert misfit[0] == pytest.approx(0, abs=1e-24)
        assert solution[0] == pytest.approx(np.sqrt(variance(x)[l] + EPS), rel=1e-12)
        assert solution[1] == pytest.approx(mean(x)[l], rel=1e-12)


@pytest.fixture
def network(rng):
    return {
        "x": rng.normal(size=(N, D)) + 1.0,
        "W": rng.normal(size=(D, H)),
        "b": rng.normal(size=H),
        "dh": rng.normal(size=(N, H)) + 0.4,
        "gamma": rng.uniform(0.5, 2, size=H),
        "beta": rng.normal(size=H),
    }


def test_eq_5_15(network):
    x, W, b, dh = (network[key] for key in ("x", "W", "b", "dh"))
    dx = jacobian_complex(lambda x: np.sum(dh * affine(x, W, b)), x)
    dW = jacobian_complex(lambda W: np.sum(dh * affine(x, W, b)), W)
    db = jacobian_complex(lambda b: np.sum(dh * affine(x, W, b)), b)
    for i, d in np.ndindex(N, D):
        assert sum(dh[i, j] * W[d, j] for j in range(H)) == pytest.approx(dx[i, d], abs=1e-13)
    for d, j in np.ndindex(D, H):
        assert sum(x[i, d] * dh[i, j] for i in range(N)) == pytest.approx(dW[d, j], abs=1e-13)
    for j in range(H):
        assert sum(dh[i, j] for i in range(N)) == pytest.approx(db[j], abs=1e-13)


def test_eq_5_16(rng):
    y, da = rng.normal(size=(N, H)), rng.normal(size=(N, H))
    dy = jacobian_central(lambda y: np.sum(da * np.maximum(0, y)), y)
    for i, j in np.ndindex(N, H):
        assert da[i, j] * (1.0 if y[i, j] > 0 else 0.0) == pytest.approx(dy[i, j], abs=1e-9)


def test_eq_5_18(network):
    x, W, b, dy, gamma, beta = (network[key] for key in ("x", "W", "b", "dh", "gamma", "beta"))
    h = affine(x, W, b)
    dh = jacobian_complex(lambda h: np.sum(dy * train(h, gamma, beta)), h)
    db = jacobian_complex(lambda b: np.sum(dy * train(affine(x, W, b), gamma, beta)), b)
    x_hat, sigma = normalized(h), np.sqrt(variance(h) + EPS)
    for j in range(H):
        bracket = (
            sum(dy[i, j] for i in range(N))
            - N * sum(dy[k, j] for k in range(N)) / N
            - sum(x_hat[i, j] for i in range(N)) * sum(dy[k, j] * x_hat[k, j] for k in range(N)) / N
        )
        assert sum(dh[i, j] for i in range(N)) == pytest.approx(0, abs=1e-13)
        assert gamma[j] / sigma[j] * bracket == pytest.approx(0, abs=1e-13)
        assert db[j] == pytest.approx(0, abs=1e-13)


def test_eq_5_19(network, rng):
    """The right side is affine in x: its Jacobian is W', its value at zero b'; and it agrees for every other x."""
    W, b, gamma, beta = (network[key] for key in ("W", "b", "gamma", "beta"))
    m, v = rng.normal(size=H), rng.uniform(0.5, 2, size=H)

    def right(x):
        return serve(affine(x, W, b), gamma, beta, m, v)

    zero = np.zeros((1, D))
    W2, b2 = jacobian_complex(right, zero)[0, :, 0, :].T, right(zero)[0]
    for d, j in np.ndindex(D, H):
        assert W2[d, j] == pytest.approx(gamma[j] * W[d, j] / np.sqrt(v[j] + EPS), rel=1e-12)
    for j in range(H):
        assert b2[j] == pytest.approx(gamma[j] * (b[j] - m[j]) / np.sqrt(v[j] + EPS) + beta[j], rel=1e-12)
    x = 10 * rng.normal(size=(N, D))
    for i, j in np.ndindex(N, H):
        left = sum(x[i, d] * W2[d, j] for d in range(D)) + b2[j]
        assert left == pytest.approx(right(x)[i, j], rel=1e-11)
