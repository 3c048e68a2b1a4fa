"""The derivations of the three posts that the course cites, typed in line by line from their formulas."""

import numpy as np

from bnlib.chains.course import judged
from bnlib.chains.judge import Ground, judge
from bnlib.chains.report import report
from bnlib.stubs import normalization

ROOT = "sqrt(var + eps)"

FIRST_POST = f"""
d(L, x[i])
= sum(d(L, y[k]) * d(y[k], x[i]) for k in N)
= sum(d(L, y[k]) * gamma/{ROOT} * (delta[k, i] - 1/N - 1/N * ((x[i] - mu)/{ROOT}) * ((x[k] - mu)/{ROOT})) for k in N)
= gamma/{ROOT} * (sum(d(L, y[k]) * delta[k, i] for k in N) - 1/N * sum(d(L, y[k]) for k in N)
    - 1/N * sum(((x[i] - mu)/{ROOT}) * ((x[k] - mu)/{ROOT}) for k in N))
= gamma/{ROOT} * (d(L, y[i]) - 1/N * sum(d(L, y[k]) for k in N)
    - (1/N * ((x[i] - mu)/{ROOT}) * sum(d(L, y[k]) * ((x[k] - mu)/{ROOT}) for k in N)))
= gamma/{ROOT} * (d(L, y[i]) - 1/N * sum(d(L, y[k]) for k in N) - 1/N * x_hat[i] * sum(x_hat[k] * d(L, y[k]) for k in N))
"""

SLOPES = f"""
d(y[k], x[i])
= d(y[k], x_hat[k]) * d(x_hat[k], x[i])
= d(gamma * x_hat[k] + beta, x_hat[k]) * d(x_hat[k], x[i])
= gamma * d(x_hat[k], x[i])
= gamma * d((x[k] - mu)/{ROOT}, x[i])
= gamma * (d(x[k]/{ROOT}, x[i]) - d(mu/{ROOT}, x[i]))
= gamma * ((1/{ROOT}) * d(x[k], x[i]) + x[k] * d(1/{ROOT}, x[i]) - (1/{ROOT}) * d(mu, x[i]) - mu * d(1/{ROOT}, x[i]))
= gamma/{ROOT} * (delta[k, i] - 1/N - 1/N * ((x[i] - mu)/{ROOT}) * ((x[k] - mu)/{ROOT}))
"""

VARIANCE = """
d(var, x[i])
= d(1/N * sum((x[j] - mu)**2 for j in N), x[i])
= 1/N * (-2/N * sum(x[j] - mu for j in N if j != i) + 2*(x[i] - mu)*(1 - 1/N))
= 2/N * (x[i] - mu)
"""

ROOT_SLOPE = f"""
d(1/{ROOT}, x[i])
= -1/2 * (var + eps)**(-3/2) * d(var, x[i])
= -1/N * (var + eps)**(-3/2) * (x[i] - mu)
"""

SECOND_POST_TRANSLATION = """
d(x[k, l] - mu[l], x[i, j])
= d(x[k, l], x[i, j]) - d(mu[l], x[i, j])
= delta[k, i] * delta[l, j] - 1/N * delta[l, j]
= delta[l, j] * (delta[k, i] - 1/N)
"""

SECOND_POST = """
d(L, x[i, j])
= sum(d(L, y[k, l]) * d(y[k, l], x[i, j]) for k in N for l in D)
= sum(d(L, y[k, l]) * d(y[k, l], x_hat[k, l]) * d(x_hat[k, l], x[i, j]) for k in N for l in D)
= sum(dout[k, l] * gamma[l] * d(x_hat[k, l], x[i, j]) for k in N for l in D)
= sum(dout[k, l] * gamma[l] * ((delta[k, i] * delta[j, l] - 1/N * delta[j, l]) * (var[l] + eps)**(-1/2)
    - 1/2 * (x[k, l] - mu[l]) * (var[l] + eps)**(-3/2) * d(var[l], x[i, j])) for k in N for l in D)
= sum(dout[k, l] * gamma[l] * ((delta[k, i] * delta[j, l] - 1/N * delta[j, l]) * (var[l] + eps)**(-1/2)
    - 1/N * (x[k, l] - mu[l]) * (var[l] + eps)**(-3/2) * (x[i, l] - mu[l]) * delta[l, j]) for k in N for l in D)
= sum(dout[k, j] * gamma[j] * ((delta[k, i] - 1/N) * (var[j] + eps)**(-1/2)
    - 1/N * (x[k, j] - mu[j]) * (var[j] + eps)**(-3/2) * (x[i, j] - mu[j])) for k in N)
= dout[i, j] * gamma[j] * (var[j] + eps)**(-1/2) - 1/N * sum(dout[k, j] for k in N) * gamma[j] * (var[j] + eps)**(-1/2)
    - 1/N * sum(dout[k, j] * gamma[j] * (x[k, j] - mu[j]) for k in N) * (var[j] + eps)**(-3/2) * (x[i, j] - mu[j])
= 1/N * gamma[j] * (var[j] + eps)**(-1/2) * (N * dout[i, j] - sum(dout[k, j] for k in N)
    - (x[i, j] - mu[j]) * (var[j] + eps)**(-1) * sum(dout[k, j] * (x[k, j] - mu[j]) for k in N))
"""

THIRD_POST_GATES = """
dx_hat[i] = gamma * dout[i]
divar = sum(dx_hat[k] * (x[k] - mu) for k in N)
dxmu1[i] = dx_hat[i] * r
dsqrtvar = -1 / sqrt(var + eps)**2 * divar
dvar = 1/2 * 1 / sqrt(var + eps) * dsqrtvar
dsq = 1/N * dvar
dxmu2[i] = 2 * (x[i] - mu) * dsq
dx1[i] = dxmu1[i] + dxmu2[i]
dmu = -sum(dxmu1[k] + dxmu2[k] for k in N)
dx2 = 1/N * dmu
"""

THIRD_POST = """
d(L, x[i])
= dx1[i] + dx2
= dxmu1[i] + dxmu2[i] - 1/N * sum(dxmu1[k] + dxmu2[k] for k in N)
= gamma * dout[i] * r + 2 * (x[i] - mu) * 1/N * dvar - 1/N * sum(gamma * dout[k] * r + 2 * (x[k] - mu) * 1/N * dvar for k in N)
= gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))
"""


def one_feature(start, more=""):
    setting = normalization.ONE_FEATURE
    setting = normalization.Setting(setting.given, setting.definitions + more)
    return Ground(setting, start, np.random.default_rng(0))


def test_the_slip_of_the_first_post_is_caught_at_its_line():
    found = judged(normalization.input_gradient, FIRST_POST)
    assert [line.ok for line in found.lines] == [True, True, True, False, False, True]
    assert "Line 4: " in found.message
    assert found.mistakes == ("factor-lost",)
    assert "in the third term, inside the sum over k" in found.message


def test_the_first_post_without_its_slip():
    right = FIRST_POST.replace("1/N * sum(((x[i]", "1/N * sum(d(L, y[k]) * ((x[i]").replace("d(L, y[k])", "dout[k]")
    found = judged(normalization.input_gradient, right.replace("d(L, y[i])", "dout[i]"))
    assert found.finished
    assert all(found.reached)


def test_the_lemmas_of_the_first_post():
    for text in (SLOPES, VARIANCE, ROOT_SLOPE):
        assert not judge(one_feature(text.split("\n")[1]), text).message
    assert judged(normalization.variance_slope, VARIANCE).finished


def test_the_indicator_of_the_first_post_is_refused_with_what_to_type():
    found = judged(normalization.input_gradient, "d(L, x[i])\n= sum(dout[k] * 1(k == i) for k in N)")
    assert found.message == "Line 2: write delta[k, i], not 1(k == i)."


def test_the_second_post():
    found = judged(normalization.layer_gradient, SECOND_POST)
    assert found.finished, found.message or found.unfinished
    assert report(normalization.layer_gradient, found).ok
    ground = Ground(normalization.ALL_FEATURES, SECOND_POST_TRANSLATION.split("\n")[1], np.random.default_rng(0))
    assert not judge(ground, SECOND_POST_TRANSLATION).message


def test_the_gates_of_the_third_post():
    found = judge(one_feature("d(L, x[i])", THIRD_POST_GATES), THIRD_POST)
    assert not found.message
    assert len(found.lines) == 5
    for gate, broken in (
        ("2 * (x[i]", "(x[i]"),
        ("1/2 * 1", "1"),
        ("= -sum", "= sum"),
        ("1 / sqrt(var + eps)**2", "1 / sqrt(var + eps)"),
    ):
        assert gate in THIRD_POST_GATES
        wrong = judge(one_feature("d(L, x[i])", THIRD_POST_GATES.replace(gate, broken)), THIRD_POST).wrong
        assert wrong is not None, gate
