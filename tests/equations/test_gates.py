"""Lesson 04: every numbered equation, evaluated index by index against definitions and numerical derivatives."""

import numpy as np
import pytest

from bnlib.numerics import jacobian_central, jacobian_complex

DEFINITIONS = {
    "4.1": "defines mu",
    "4.2": "defines xc",
    "4.3": "defines sq",
    "4.4": "defines var",
    "4.5": "defines std",
    "4.6": "defines inv",
    "4.7": "defines x_hat",
    "4.8": "defines scaled",
    "4.9": "defines out",
}

N, D, EPS = 6, 3, 0.04
NAMES = ("mu", "xc", "sq", "var", "std", "inv", "x_hat", "scaled", "out")


class Layer:
    """The nine gates on one batch; any of the values may be held while those after it are recomputed."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(N, D)) * [0.5, 1, 3] + 4
        self.gamma, self.beta = rng.normal(size=D) + 2, rng.normal(size=D)
        self.dout = rng.normal(size=(N, D)) + 1

    def run(self, **held):
        v = {"x": self.x, **held}

        def entries(f):
            return np.array([[f(k, l) for l in range(D)] for k in range(N)])

        gates = {
            "mu": lambda: np.array([sum(v["x"][m, l] for m in range(N)) / N for l in range(D)]),
            "xc": lambda: entries(lambda k, l: v["x"][k, l] - v["mu"][l]),
            "sq": lambda: entries(lambda k, l: v["xc"][k, l] ** 2),
            "var": lambda: np.array([sum(v["sq"][m, l] for m in range(N)) / N for l in range(D)]),
            "std": lambda: np.sqrt(v["var"] + EPS),
            "inv": lambda: 1 / v["std"],
            "x_hat": lambda: entries(lambda k, l: v["xc"][k, l] * v["inv"][l]),
            "scaled": lambda: entries(lambda k, l: self.gamma[l] * v["x_hat"][k, l]),
            "out": lambda: entries(lambda k, l: v["scaled"][k, l] + self.beta[l]),
        }
        for name in NAMES:
            if name not in held:
                v[name] = gates[name]()
        return v

    def loss(self, **held):
        return np.sum(self.dout * self.run(**held)["out"])

    def gradient(self, name):
        return jacobian_complex(lambda value: self.loss(**{name: value}), self.run()[name])


@pytest.fixture(scope="module")
def layer():
    return Layer()


@pytest.fixture(scope="module")
def v(layer):
    return layer.run()


@pytest.fixture(scope="module")
def d(layer):
    return {name: layer.gradient(name) for name in ("x", *NAMES)}


def mean(array, l):
    return sum(array[m, l] for m in range(N)) / N


def close(left, right):
    np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-12)


def every(f):
    return np.array([[f(k, l) for l in range(D)] for k in range(N)])


def test_eq_4_10():
    a, db = np.array([0.5, 2.0, 3.0]), np.array([1.0, -2.0, 0.7])
    for f, slope in ((np.sqrt, lambda a: 0.5 / np.sqrt(a)), (np.exp, np.exp), (np.sin, np.cos)):
        da = jacobian_complex(lambda a, f=f: np.sum(db * f(a)), a)
        close(da, db * slope(a))


def test_eq_4_11(d):
    close(d["sq"], every(lambda k, l: d["var"][l] / N))


def test_eq_4_12(layer, v, d):
    """What the square gate sends back: everything else is held, the straight wire to x_hat included."""

    def through_square(xc):
        inv = layer.run(sq=xc**2)["inv"]
        return layer.loss(x_hat=v["xc"] * inv)

    close(jacobian_complex(through_square, v["xc"]), every(lambda k, l: 2 * v["xc"][k, l] * d["sq"][k, l]))


def test_eq_4_13(v, d):
    close(d["var"], [d["std"][l] / (2 * v["std"][l]) for l in range(D)])


def test_eq_4_14(v, d):
    close(d["std"], [-(v["inv"][l] ** 2) * d["inv"][l] for l in range(D)])


def test_eq_4_15(layer, v, d):
    """What the multiply gate sends back: inv is held."""
    product = jacobian_complex(lambda xc: layer.loss(xc=xc, inv=v["inv"]), v["xc"])
    close(product, every(lambda k, l: d["x_hat"][k, l] * v["inv"][l]))


def test_eq_4_16(v, d):
    close(d["inv"], [sum(d["x_hat"][k, l] * v["xc"][k, l] for k in range(N)) for l in range(D)])


def test_eq_4_17(v, d):
    both = every(lambda k, l: d["x_hat"][k, l] * v["inv"][l] + 2 * v["xc"][k, l] * d["sq"][k, l])
    close(d["xc"], both)


def test_eq_4_18(layer, v, d):
    central = jacobian_central(lambda xc: layer.loss(xc=xc), v["xc"])
    np.testing.assert_allclose(central, d["xc"], rtol=1e-6, atol=1e-8)


def test_eq_4_19(d):
    close(d["mu"], [-sum(d["xc"][k, l] for k in range(N)) for l in range(D)])


def test_eq_4_20(d):
    close(d["x"], every(lambda k, l: d["xc"][k, l] + d["mu"][l] / N))


def test_eq_4_21(v, d):
    products = d["x_hat"] * v["xc"]
    left = every(lambda k, l: 2 * v["xc"][k, l] * d["sq"][k, l])
    middle = every(lambda k, l: 2 * v["xc"][k, l] / N / (2 * v["std"][l]) * -(v["inv"][l] ** 2) * N * mean(products, l))
    right = every(lambda k, l: -v["inv"][l] * v["x_hat"][k, l] * mean(d["x_hat"] * v["x_hat"], l))
    close(left, middle)
    close(middle, right)


def test_eq_4_22(v, d):
    inner = d["x_hat"] * v["x_hat"]
    close(d["xc"], every(lambda k, l: v["inv"][l] * (d["x_hat"][k, l] - v["x_hat"][k, l] * mean(inner, l))))


def test_eq_4_23(v, d):
    for l in range(D):
        assert d["mu"][l] / N == pytest.approx(-mean(d["xc"], l))
        assert d["mu"][l] / N == pytest.approx(-v["inv"][l] * mean(d["x_hat"], l))


def test_eq_4_24(layer, v, d):
    dx_hat = every(lambda k, l: layer.gamma[l] * layer.dout[k, l])
    close(dx_hat, d["x_hat"])
    inner = dx_hat * v["x_hat"]
    close(
        d["x"],
        every(lambda k, l: v["inv"][l] * (dx_hat[k, l] - mean(dx_hat, l) - v["x_hat"][k, l] * mean(inner, l))),
    )
