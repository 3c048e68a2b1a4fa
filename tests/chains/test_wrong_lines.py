"""Wrong lines of every derivation but the input gradient's: each is refused at its line, and called what it is."""

import pytest

from bnlib.chains.course import judged
from bnlib.checks import chain_of
from bnlib.stubs import chain_rule, layer, normalization, translation

WRONG = {
    (translation.center_slopes, 1): {
        "d(h[k, l], h[i, j]) + d(mu[l], h[i, j])": "sign",
        "d(h[k, l], h[i, j])": "not-centred",
        "d(h[k, l], h[i, j]) - mu[l]": "unnamed",
        "d(h[k,l], h[i,j])*d(mu[l],h[i,j])": "unnamed",
    },
    (translation.center_slopes, 2): {
        "delta[k, i]*delta[l, j] - 1/N": "factor-lost",
        "delta[k, i] - mean(delta[m, i] * delta[l, j] for m in N)": "factor-lost",
        "delta[k, i] * delta[l, j] - sum(delta[m, i] * delta[l, j] for m in N)": "sum-for-mean",
        "delta[k,i]*delta[l,j] - 1/D*delta[l,j]": "wrong-size",
    },
    (translation.center_slopes, 3): {
        "delta[k, i] - 1/N": "factor-lost",
        "delta[l, j] * delta[k, i] - 1/N": "factor-lost",
        "delta[l, j] * (1 - 1/N)": "factor-lost",
        "delta[l, j] * (delta[k, i] - 1)": "one-over-n",
        "delta[l,j]*(delta[k,i] - N)": "one-over-n",
    },
    (translation.center_gradient, 1): {
        "sum(dout[k, j] * d(h_hat[k, j], h[i, j]) for k in N for l in D)": "index",
        "sum(dout[k, l] * d(h_hat[i, j], h[i, j]) for k in N for l in D)": "index",
        "sum(dout[k, l] * d(h_hat[k, l], h[i, j]) for k in N)": "free-letter",
        "dout[i,j]*d(h_hat[i,j],h[i,j])": "sum-lost",
        "sum(d(h_hat[k, l], h[i, j]) for k in N for l in D)": "factor-lost",
    },
    (translation.center_gradient, 2): {
        "sum(dout[k, l] * (delta[k, i] - 1/N) for k in N for l in D)": "factor-lost",
        "sum(dout[k, l] * delta[l,j]*delta[k, i] - 1/N for k in N for l in D)": "bracket",
        "sum(dout[k, l] * delta[l,j] * delta[k, i] for k in N for l in D)": "held-constant",
    },
    (translation.center_gradient, 3): {
        "sum(dout[k, j] * (delta[k, i] - 1/N) for k in N for l in D)": "sum-left",
        "sum(dout[k, l] * (delta[k, i] - 1/N) for k in N for l in D)": "factor-lost",
        "sum(dout[i,j] * (delta[k, i] - 1/N) for k in N)": "index",
    },
    (translation.center_gradient, 4): {
        "dout[i,j] - sum(dout[k,j] for k in N)": "sum-for-mean",
        "dout[i,j]": "term-missing",
        "dout[i,j] - mean(dout[i,l] for l in D)": "wrong-axis",
        "dout[i,j] - 1/N": "unnamed",
        "dout[i,j]*(1-1/N)": "sum-lost",
        "dout[i,j] + mean(dout[k,j] for k in N)": "sign",
        "mean(dout[k,j] for k in N)": "unnamed",
        "sum(dout[k,j] for k in N) - mean(dout[k,j] for k in N)": "factor-lost",
    },
    (normalization.variance_slope, 1): {
        "mean(2*(x[k]-mu) for k in N)": "factor-lost",
        "mean((x[k]-mu)*(d(x[k], x[i]) - d(mu, x[i])) for k in N)": "factor-lost",
        "2*(x[i]-mu)*(d(x[i], x[i]) - d(mu, x[i]))": "sum-for-product",
        "sum(2*(x[k]-mu)*(d(x[k], x[i]) - d(mu, x[i])) for k in N)": "sum-for-mean",
    },
    (normalization.variance_slope, 3): {
        "2/N*(x[i]-mu) - 2/N * sum(x[k]-mu for k in N if k != i)": "factor-extra",
        "2/N*(x[i]-mu)*(1-1/N)": "factor-extra",
        "2*(x[i]-mu) - 2/N**2*sum(x[k]-mu for k in N)": "one-over-n",
        "2/N*x[i] - 2/N**2*sum(x[k]-mu for k in N)": "not-centred",
    },
    (normalization.variance_slope, 4): {
        "2*(x[i]-mu)": "one-over-n",
        "2/N*x[i]": "not-centred",
        "(x[i]-mu)/N": "factor-lost",
        "2/(N-1)*(x[i]-mu)": "bessel",
        "2/N*(x[i]-mu)**2": "exponent",
        "0": "unnamed",
        "2/N": "factor-lost",
    },
    (normalization.inv_std_slope, 1): {
        "-(var+eps)**(-3/2)*d(var,x[i])": "factor-extra",
        "-1/2*(var+eps)**(-1/2)*d(var,x[i])": "exponent",
        "-1/2*(var+eps)**(-3/2)": "chain-rule",
        "1/2*(var+eps)**(-3/2)*d(var,x[i])": "sign",
        "-1/2*var**(-3/2)*d(var,x[i])": "term-missing",
        "-1/2*r**2*d(var,x[i])": "exponent",
        "-1/(2*sqrt(var+eps))*d(var,x[i])": "exponent",
    },
    (normalization.inv_std_slope, 2): {
        "-2/N*(var+eps)**(-3/2)*(x[i]-mu)": "factor-extra",
        "-1/N*(var+eps)**(-3/2)*x[i]": "not-centred",
        "-(var+eps)**(-3/2)*(x[i]-mu)": "one-over-n",
        "-1/2*r**3*(x[i]-mu)": "factor-lost",
    },
    (normalization.layer_gradient, 1): {
        "sum(dout[k, j] * d(y[k, j], x[i, j]) for k in N) * D": "one-over-n",
        "sum(dout[k, l] * d(y[k, l], x[k, l]) for k in N for l in D)": "index",
        "sum(dout[i, l] * d(y[i, l], x[i, j]) for l in D)": "sum-lost",
        "sum(dout[k,l]*d(x_hat[k,l],x[i,j]) for k in N for l in D)": "factor-lost",
    },
    (normalization.layer_gradient, 4): {
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * mean(x_hat[k, j] for k in N))": "factor-lost",
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * sum(dout[k, j] * x_hat[k, j] for k in N))": "sum-for-mean",
        "gamma[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * mean(dout[k, j] * x_hat[k, j] for k in N))": "factor-lost",
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[i, l] for l in D) - x_hat[i, j] * mean(dout[k, j] * x_hat[k, j] for k in N))": "wrong-axis",
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N))": "term-missing",
        "gamma[j] * r[j] * (dout[i, j] - x_hat[i, j] * mean(dout[k, j] * x_hat[k, j] for k in N))": "term-missing",
        "gamma[j] * r[j] * (dout[i, j] - sum(dout[k, j] for k in N) - x_hat[i, j] * sum(dout[k, j] * x_hat[k, j] for k in N))": "sum-for-mean",
        "gamma[j] * r[j] * dout[i,j]": "term-missing",
        "gamma[j] * r[j] * dout[i, j]*(1 - 1/N - x_hat[i,j]**2/N)": "sum-lost",
        "gamma[j] / N * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * mean(dout[k, j] * x_hat[k, j] for k in N))": "one-over-n",
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - (x[i, j]-mu[j]) * mean(dout[k, j] * (x[k, j]-mu[j]) for k in N))": "factor-lost",
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * mean(dout[k, j] for k in N)*mean(x_hat[k, j] for k in N))": "product-of-sums",
        "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[k, j] * mean(dout[k, j] * x_hat[k, j] for k in N))": "free-letter",
        "r[j] * (gamma[j]*dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * mean(dout[k, j] * x_hat[k, j] for k in N))": "bracket",
    },
    (normalization.gamma_gradient, 3): {
        "sum(dout[k, j] * x[k, j] for k in N)": "exchanged",
        "mean(dout[k, j] * x_hat[k, j] for k in N)": "mean-for-sum",
        "sum(dout[k, j] for k in N)": "factor-lost",
        "dout[k,j]*x_hat[k,j]": "free-letter",
        "sum(gamma[j]*dout[k, j] * x_hat[k, j] for k in N)": "factor-extra",
        "sum(dout[k,l]*x_hat[k,l] for k in N for l in D)": "factor-lost",
    },
    (layer.evaluation_gradient, 3): {
        "dout[i, j] * gamma[j] / (running_var[j] + eps)": "exponent",
        "dout[i, j] * gamma[j] / sqrt(running_var[j]) + eps": "outside-the-root",
        "dout[i, j] * gamma[j] / sqrt(running_var[j])": "term-missing",
        "dout[i, j] / sqrt(running_var[j]+eps)": "factor-lost",
        "dout[i, j] * gamma[j] / (sqrt(running_var[j]) + eps)": "outside-the-root",
        "dout[i, j] * gamma[j] * sqrt(running_var[j]+eps)": "upside-down",
        "gamma[j] / sqrt(running_var[j] + eps)": "factor-lost",
    },
    (layer.bias_before_gradient, 1): {
        "d(L, h[i, j])": "free-letter",
        "sum(dy[i,j] for i in N)": "unnamed",
        "mean(d(L,h[i,j]) for i in N) + 1": "term-extra",
    },
    (layer.bias_before_gradient, 2): {
        "gamma[j]*r[j]*(sum(dy[i, j] for i in N) - mean(dy[k, j] for k in N) - sum(x_hat[i, j] for i in N) * mean(dy[k, j] * x_hat[k, j] for k in N))": "sum-for-mean",
        "gamma[j]*r[j]*sum(dy[i,j] for i in N)": "held-constant",
    },
    (chain_rule.two_pistons, 1): {
        "d(L, y[p]) * d(y[p], x)": "free-letter",
        "sum(d(L, y[p]) for p in P)": "factor-lost",
        "sum(d(L,y[p]) + d(y[p],x) for p in P)": "sum-for-product",
        "mean(d(L, y[p]) * d(y[p], x) for p in P)": "mean-for-sum",
        "sum(d(L,y[p]) for p in P)*sum(d(y[p],x) for p in P)": "product-of-sums",
    },
    (chain_rule.two_pistons, 2): {
        "sum(b[p]*a[p]*x for p in P)": "factor-extra",
        "sum(b[p] for p in P)*sum(a[p] for p in P)": "product-of-sums",
        "b[p]*a[p]": "free-letter",
        "sum(a[p] for p in P)": "factor-lost",
        "sum(a[p]+b[p] for p in P)": "sum-for-product",
    },
}  # fmt: skip

RIGHT = [
    (translation.center_slopes, 2, "delta[k, i] * delta[l, j] - mean(delta[m, k] * delta[l, j] for m in N)"),
    (normalization.variance_slope, 1, "mean(2*(x[k]-mu)*d(x[k], x[i]) for k in N)"),
]
"""They look wrong, and are right: another letter of the same delta, and a sum that vanishes."""

CASES = [(stub, place, line, name) for (stub, place), lines in WRONG.items() for line, name in lines.items()]


def judged_behind(stub, place, line):
    """What is found in the course's own lines up to a place, and this one behind them."""
    return judged(stub, "\n= ".join([*chain_of(stub).lines[:place], line]))


@pytest.mark.parametrize(
    ("stub", "place", "line", "name"), CASES, ids=[f"{c[0].name}-{c[1]}-{c[3]}-{n}" for n, c in enumerate(CASES)]
)
def test_a_wrong_line_is_refused_and_called_what_it_is(stub, place, line, name):
    found = judged_behind(stub, place, line)
    assert found.wrong == place
    assert found.mistakes == (name,)


@pytest.mark.parametrize(("stub", "place", "line"), RIGHT)
def test_what_only_looks_wrong_holds(stub, place, line):
    assert not judged_behind(stub, place, line).message


def test_most_have_a_name():
    names = [name for *_, name in CASES]
    assert names.count("unnamed") <= 0.1 * len(names)
