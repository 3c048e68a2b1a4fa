"""Lesson 03: every numbered equation, evaluated index by index against definitions and numerical derivatives."""

import numpy as np
import pytest

from bnlib.numerics import jacobian_central, jacobian_complex

DEFINITIONS = {
    "3.1": "defines mu",
    "3.2": "defines sigma squared",
    "3.3": "defines x_hat",
    "3.4": "defines y",
    "3.19": "defines the layer; used by all that follow",
}

N, D = 6, 3
EPS = 0.3
GAMMA = np.array([1.7, -0.8, 2.4])
BETA = np.array([0.5, -1.0, 3.0])


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=N) * 1.3 + 4.0


@pytest.fixture
def batch():
    return np.random.default_rng(1).normal(size=(N, D)) * [0.4, 1.0, 3.0] + [4.0, -2.0, 9.0]


@pytest.fixture
def dout():
    return np.random.default_rng(2).normal(size=(N, D)) + 1.0


def delta(a, b):
    return 1.0 if a == b else 0.0


# one feature


def mean(x):
    return sum(x) / len(x)


def variance(x):
    return sum((v - mean(x)) ** 2 for v in x) / len(x)


def inverse(x):
    """The r of the lesson."""
    return (variance(x) + EPS) ** -0.5


def normalized(x):
    return np.array([(v - mean(x)) / np.sqrt(variance(x) + EPS) for v in x])


def scaled(x):
    return GAMMA[0] * normalized(x) + BETA[0]


def gradient(x, dout):
    """dL/dx for L = sum(dout * y): the loss itself is differentiated, nothing of the lesson is used."""
    return jacobian_complex(lambda x: np.sum(dout * scaled(x)), x)


# all features


def layer(x, gamma=GAMMA, beta=BETA):
    return np.stack([gamma[l] * normalized(x[:, l]) + beta[l] for l in range(x.shape[1])], axis=1)


def hats(x):
    return np.stack([normalized(column) for column in x.T], axis=1)


def inverses(x):
    return [inverse(column) for column in x.T]


def layer_gradient(x, dout):
    return jacobian_complex(lambda x: np.sum(dout * layer(x)), x)


# the scaling of part 3, by itself


def divided(c):
    return np.stack([column / np.sqrt(sum(column**2) / len(column) + EPS) for column in c.T], axis=1)


def inverse_rms(c):
    return [(sum(column**2) / len(column) + EPS) ** -0.5 for column in c.T]


def scaling_gradient(c, g):
    return jacobian_complex(lambda c: np.sum(g * divided(c)), c)


def test_eq_3_3a(x):
    for k in range(N):
        assert normalized(x)[k] == pytest.approx((x[k] - mean(x)) * inverse(x))


def test_eq_3_5(x):
    dy, dx_hat = jacobian_complex(scaled, x), jacobian_complex(normalized, x)
    for k, i in np.ndindex(N, N):
        assert dy[k, i] == pytest.approx(GAMMA[0] * dx_hat[k, i])


def test_eq_3_6(x):
    left, dmu, dr = jacobian_complex(normalized, x), jacobian_complex(mean, x), jacobian_complex(inverse, x)
    dx = jacobian_complex(lambda x: x, x)
    for k, i in np.ndindex(N, N):
        right = inverse(x) * dx[k, i] + x[k] * dr[i] - inverse(x) * dmu[i] - mean(x) * dr[i]
        assert left[k, i] == pytest.approx(right)


def test_eq_3_7(x):
    np.testing.assert_allclose(jacobian_complex(mean, x), [1 / N] * N)
    own = jacobian_central(lambda x: x, x)
    for k, i in np.ndindex(N, N):
        assert own[k, i] == pytest.approx(delta(k, i), abs=1e-9)


def test_eq_3_8(x):
    left, dmu = jacobian_complex(variance, x), jacobian_complex(mean, x)
    for i in range(N):
        middle = sum(2 * (x[j] - mean(x)) * (delta(j, i) - dmu[i]) for j in range(N)) / N
        right = sum(2 * (x[j] - mean(x)) * (delta(j, i) - 1 / N) for j in range(N)) / N
        assert left[i] == pytest.approx(middle)
        assert middle == pytest.approx(right)


def test_eq_3_9(x):
    left = jacobian_complex(variance, x)
    for i in range(N):
        right = 2 / N * (x[i] - mean(x)) - 2 / N**2 * sum(x[j] - mean(x) for j in range(N))
        assert left[i] == pytest.approx(right)


def test_eq_3_10(x):
    assert sum(x[j] - mean(x) for j in range(N)) == pytest.approx(0, abs=1e-13)
    assert sum(x) - N * mean(x) == pytest.approx(0, abs=1e-13)


def test_eq_3_10_one_left_out(x):
    """The remark below (3.11): without j = i the deviations do not cancel."""
    for i in range(N):
        assert sum(x[j] - mean(x) for j in range(N) if j != i) == pytest.approx(-(x[i] - mean(x)))


def test_eq_3_11(x):
    exact, measured = jacobian_complex(variance, x), jacobian_central(variance, x)
    for i in range(N):
        assert exact[i] == pytest.approx(2 / N * (x[i] - mean(x)))
        assert measured[i] == pytest.approx(2 / N * (x[i] - mean(x)), abs=1e-8)


def test_eq_3_12(x):
    left, dvar, v = jacobian_complex(inverse, x), jacobian_complex(variance, x), variance(x) + EPS
    for i in range(N):
        assert left[i] == pytest.approx(-0.5 * v**-1.5 * dvar[i])
        assert left[i] == pytest.approx(-1 / N * v**-1.5 * (x[i] - mean(x)))


def test_eq_3_13(x):
    left, dr = jacobian_complex(normalized, x), jacobian_complex(inverse, x)
    for k, i in np.ndindex(N, N):
        assert left[k, i] == pytest.approx(inverse(x) * (delta(k, i) - 1 / N) + (x[k] - mean(x)) * dr[i])


def test_eq_3_14(x):
    left, r = jacobian_complex(normalized, x), inverse(x)
    for k, i in np.ndindex(N, N):
        right = r * (delta(k, i) - 1 / N) - 1 / N * r**3 * (x[i] - mean(x)) * (x[k] - mean(x))
        assert left[k, i] == pytest.approx(right)


def test_eq_3_15(x):
    exact, measured = jacobian_complex(scaled, x), jacobian_central(scaled, x)
    x_hat = normalized(x)
    for k, i in np.ndindex(N, N):
        right = GAMMA[0] * inverse(x) * (delta(k, i) - 1 / N - 1 / N * x_hat[i] * x_hat[k])
        assert exact[k, i] == pytest.approx(right)
        assert measured[k, i] == pytest.approx(right, abs=1e-8)


def test_eq_3_16(x, dout):
    J, d = jacobian_complex(scaled, x), dout[:, 0]
    for i in range(N):
        assert gradient(x, d)[i] == pytest.approx(sum(d[k] * J[k, i] for k in range(N)))


def test_eq_3_17(x, dout):
    d, x_hat = dout[:, 0], normalized(x)
    for i in range(N):
        three = (
            sum(d[k] * delta(k, i) for k in range(N)),
            -sum(d[k] for k in range(N)) / N,
            -sum(d[k] * x_hat[i] * x_hat[k] for k in range(N)) / N,
        )
        assert gradient(x, d)[i] == pytest.approx(GAMMA[0] * inverse(x) * sum(three))


def test_eq_3_18(x, dout):
    d, x_hat = dout[:, 0], normalized(x)
    for i in range(N):
        bracket = d[i] - sum(d[k] for k in range(N)) / N - x_hat[i] * sum(d[k] * x_hat[k] for k in range(N)) / N
        assert gradient(x, d)[i] == pytest.approx(GAMMA[0] * inverse(x) * bracket)


def test_eq_3_18_published_slip(x, dout):
    """Without dout in the last sum the third term is zero: it is not a small error, the path is gone."""
    assert sum(normalized(x)) == pytest.approx(0, abs=1e-13)


def test_eq_3_20(batch):
    left = jacobian_complex(lambda x: np.array([variance(column) for column in x.T]), batch)
    mu = [mean(column) for column in batch.T]
    for l, i, j in np.ndindex(D, N, D):
        middle = sum(2 * (batch[m, l] - mu[l]) * delta(l, j) * (delta(m, i) - 1 / N) for m in range(N)) / N
        assert left[l, i, j] == pytest.approx(middle, abs=1e-14)
        assert middle == pytest.approx(2 / N * delta(l, j) * (batch[i, l] - mu[l]), abs=1e-14)


def test_eq_3_21(batch):
    left, x_hat, r = jacobian_complex(layer, batch), hats(batch), inverses(batch)
    for k, l, i, j in np.ndindex(N, D, N, D):
        bracket = delta(k, i) - 1 / N - 1 / N * x_hat[i, l] * x_hat[k, l]
        assert left[k, l, i, j] == pytest.approx(delta(l, j) * GAMMA[l] * r[l] * bracket, abs=1e-13)


def test_eq_3_22(batch, dout):
    J, dx = jacobian_complex(layer, batch), layer_gradient(batch, dout)
    for i, j in np.ndindex(N, D):
        assert dx[i, j] == pytest.approx(sum(dout[k, l] * J[k, l, i, j] for k in range(N) for l in range(D)))


def test_eq_3_23(batch, dout):
    dx, x_hat, r = layer_gradient(batch, dout), hats(batch), inverses(batch)
    for i, j in np.ndindex(N, D):
        mean_dout = sum(dout[k, j] for k in range(N)) / N
        bracket = dout[i, j] - mean_dout - x_hat[i, j] * sum(dout[k, j] * x_hat[k, j] for k in range(N)) / N
        assert dx[i, j] == pytest.approx(GAMMA[j] * r[j] * bracket)


def parameter_gradients(batch, dout):
    dbeta = jacobian_complex(lambda beta: np.sum(dout * layer(batch, GAMMA, beta)), BETA)
    dgamma = jacobian_complex(lambda gamma: np.sum(dout * layer(batch, gamma, BETA)), GAMMA)
    return dgamma, dbeta


def test_eq_3_24(batch, dout):
    _, dbeta = parameter_gradients(batch, dout)
    for j in range(D):
        assert dbeta[j] == pytest.approx(sum(dout[k, j] for k in range(N)))


def test_eq_3_25(batch, dout):
    dgamma, _ = parameter_gradients(batch, dout)
    x_hat = hats(batch)
    for j in range(D):
        assert dgamma[j] == pytest.approx(sum(dout[k, j] * x_hat[k, j] for k in range(N)))


def test_eq_3_26(batch, dout):
    dx, x_hat, r = layer_gradient(batch, dout), hats(batch), inverses(batch)
    dgamma, dbeta = parameter_gradients(batch, dout)
    for i, j in np.ndindex(N, D):
        right = GAMMA[j] * r[j] / N * (N * dout[i, j] - dbeta[j] - x_hat[i, j] * dgamma[j])
        assert dx[i, j] == pytest.approx(right)


def test_eq_3_27(batch):
    c = np.stack([column - mean(column) for column in batch.T], axis=1)
    s = inverse_rms(c)
    np.testing.assert_allclose(s, inverses(batch))
    for k, l in np.ndindex(N, D):
        assert c[k, l] * s[l] == pytest.approx(hats(batch)[k, l])


def test_eq_3_28(batch):
    """At a batch that is not centred."""
    c = batch[:, :1]
    left, z, s = jacobian_complex(divided, c)[:, 0, :, 0], divided(c)[:, 0], inverse_rms(c)[0]
    for k, i in np.ndindex(N, N):
        assert left[k, i] == pytest.approx(s * delta(k, i) - 1 / N * s**3 * c[i, 0] * c[k, 0])
        assert left[k, i] == pytest.approx(s * (delta(k, i) - 1 / N * z[k] * z[i]))


def test_eq_3_29(batch, dout):
    """At a batch that is not centred."""
    left, z, s = scaling_gradient(batch, dout), divided(batch), inverse_rms(batch)
    for i, j in np.ndindex(N, D):
        right = s[j] * (dout[i, j] - z[i, j] * sum(dout[k, j] * z[k, j] for k in range(N)) / N)
        assert left[i, j] == pytest.approx(right)


def centred_gradient(batch, dout):
    """dL/dc at c = x - mu, for the gradient gamma * dout that arrives at z."""
    c = np.stack([column - mean(column) for column in batch.T], axis=1)
    return c, scaling_gradient(c, GAMMA * dout)


def test_eq_3_30(batch, dout):
    dx, (_, dc) = layer_gradient(batch, dout), centred_gradient(batch, dout)
    for i, j in np.ndindex(N, D):
        assert dx[i, j] == pytest.approx(dc[i, j] - sum(dc[k, j] for k in range(N)) / N)


def test_eq_3_31(batch, dout):
    c, dc = centred_gradient(batch, dout)
    g, z, s = GAMMA * dout, divided(c), inverse_rms(c)
    for j in range(D):
        left = sum(dc[i, j] for i in range(N)) / N
        mean_g, mean_z = sum(g[:, j]) / N, sum(z[:, j]) / N
        assert left == pytest.approx(s[j] * (mean_g - mean_z * sum(g[k, j] * z[k, j] for k in range(N)) / N))
        assert left == pytest.approx(s[j] * mean_g)


def test_eq_3_32(batch, dout):
    dx, (c, _) = layer_gradient(batch, dout), centred_gradient(batch, dout)
    g, z, s = GAMMA * dout, divided(c), inverse_rms(c)
    for i, j in np.ndindex(N, D):
        last = z[i, j] * sum(g[k, j] * z[k, j] for k in range(N)) / N
        assert dx[i, j] == pytest.approx(s[j] * (g[i, j] - sum(g[k, j] for k in range(N)) / N - last))
