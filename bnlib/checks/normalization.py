"""Lesson 03: what is checked about the full normalization, its gradients, and derivations with a slip.

Normalization is written here the long way round, one feature and one example at a time, so that a complex step can
differentiate it. Truth comes from there; the short expressions below only say what mistakes compute.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import (
    Answer,
    Case,
    Checks,
    Property,
    Slip,
    Source,
    negligible,
)
from bnlib.checks.shared import (
    ABOUT_PARAMETERS,
    CACHE_ORDER,
    GATES,
    SCALED,
    SUMS,
    THREE_TERMS,
    about_dx,
    about_parameters,
    parameters,
    paths,
)
from bnlib.judging.mistakes.known import Known
from bnlib.numerics import jacobian_complex, vjp_complex
from bnlib.stubs import normalization

# -- definitions


def _moments(column):
    """Mean and mean squared deviation of one feature, summed by hand."""
    mu = sum(column) / len(column)
    return mu, sum((value - mu) ** 2 for value in column) / len(column)


def _rescaled(column, spread, eps):
    return [value / np.sqrt(spread + eps) for value in column]


def _normalized(x, gamma, beta, eps):
    """Eq. 3.19, entry by entry."""
    out = np.empty(x.shape, dtype=np.result_type(x, gamma, beta))
    for feature in range(x.shape[1]):
        mu, var = _moments(x[:, feature])
        for example, value in enumerate(_rescaled([v - mu for v in x[:, feature]], var, eps)):
            out[example, feature] = gamma[feature] * value + beta[feature]
    return out


def _one_feature(x, gamma, eps):
    return _normalized(x[:, None], np.array([gamma]), np.zeros(1), eps)[:, 0]


def _divided_by_rms(xc, eps):
    """The second half of eq. 3.27: no mean is taken away here."""
    out = np.empty_like(xc)
    for feature in range(xc.shape[1]):
        column = xc[:, feature]
        out[:, feature] = _rescaled(column, sum(value**2 for value in column) / len(column), eps)
    return out


def _layer_gradients(case):
    """The three gradients of sum(dout * out), each by a complex step of eq. 3.19."""
    x, gamma, beta, eps = case.x, case.gamma, case.beta, case.eps
    return (
        vjp_complex(lambda x: _normalized(x, gamma, beta, eps), x, case.dout),
        vjp_complex(lambda gamma: _normalized(x, gamma, beta, eps), gamma, case.dout),
        vjp_complex(lambda beta: _normalized(x, gamma, beta, eps), beta, case.dout),
    )


# -- inputs


def _shape(rng):
    return int(rng.integers(5, 9)), int(rng.integers(2, 5))


def _scattered(rng, shape):
    """Numbers far from zero: one feature so far that a variance computed carelessly loses its digits."""
    columns = shape[1:]
    spread, place = rng.uniform(0.5, 2, size=columns), rng.uniform(2, 6, size=columns)
    if columns:
        far = int(rng.integers(*columns))
        spread[far], place[far] = rng.uniform(0.3, 0.6), rng.uniform(1e4, 2e4)
    elif rng.random() < 0.7:
        spread, place = rng.uniform(0.3, 0.6), rng.uniform(1e4, 2e4)
    return rng.normal(size=shape) * spread + place


def _scale(rng, size=None):
    """Scales of either sign, none near 0 or 1: both hide mistakes."""
    return rng.uniform(1.2, 3, size=size) * rng.choice([-1.0, 1.0], size=size)


def _upstream(rng, x):
    """A gradient with a mean, and with a trend along x: no term of the answer is small."""
    trend = (x - x.mean(axis=0)) / x.std(axis=0)
    return rng.normal(size=x.shape) + rng.uniform(0.5, 1.5, size=x.shape[1:]) + rng.uniform(0.4, 0.9) * trend


def _eps(rng):
    return float(rng.uniform(0.05, 0.4))


def _batch(rng):
    return Case(x=_scattered(rng, _shape(rng)))


def _feature(rng):
    return Case(x=_scattered(rng, _shape(rng)[:1]))


def _feature_eps(rng):
    return Case(x=_scattered(rng, _shape(rng)[:1]), eps=_eps(rng))


def _feature_gamma(rng):
    return Case(**_feature(rng), gamma=float(_scale(rng)), eps=_eps(rng))


def _feature_gradient(rng):
    case = _feature_gamma(rng)
    return Case(dout=_upstream(rng, case.x), **case)


def _layer(rng):
    N, D = _shape(rng)
    beta = rng.uniform(0.5, 3, size=D) * rng.choice([-1.0, 1.0], size=D)
    return Case(x=_scattered(rng, (N, D)), gamma=_scale(rng, D), beta=beta, eps=_eps(rng))


def _layer_gradient(rng):
    case = _layer(rng)
    return Case(dout=_upstream(rng, case.x), **case)


def _off_centre(rng):
    N, D = _shape(rng)
    xc = rng.normal(size=(N, D)) * rng.uniform(0.5, 2, size=D) + rng.uniform(0.5, 1.5, size=D)
    return Case(dout=_upstream(rng, xc), xc=xc, eps=_eps(rng))


def _standardized(case):
    """inv_std and x_hat of a batch."""
    inv_std = (case.x.var(axis=0) + case.eps) ** -0.5
    return SimpleNamespace(inv_std=inv_std, x_hat=(case.x - case.x.mean(axis=0)) * inv_std)


def _sums_to_zero(name):
    def holds(case, out):
        g, inv_std = case.gamma * case.dout if "gamma" in case else case.dout, _standardized(case).inv_std
        size = np.abs(g * inv_std).sum(axis=0)
        # Far from zero x is rounded by more of its spread, and x_hat sums to zero to no more digits than that leaves.
        return negligible(case, out[name].sum(axis=0), size * (1 + 1e-7 * np.abs(case.x).max(axis=0) * inv_std))

    return holds


# -- derivations

_MOMENTS = """
mu       = mean(x)                                          # eq. 3.1
var      = variance(x)                                      # eq. 3.2
"""
_ONE = (
    _MOMENTS
    + """
_xc      = x - mu                                           # eq. 3.3
inv_std  = 1 / sqrt(var + eps)                              # eq. 3.3
x_hat    = _xc * inv_std                                    # eq. 3.3
"""
)
_SLOPES = """
dvar     = 2 * (x - mu) / N                                 # eq. 3.11
dinv_std = -1/2 * inv_std**3 * dvar                         # eq. 3.12
"""
_SUM_LEFT_OUT = """
sum-left-out: x - mu => (x - mu) * (1 - 1/N) | the result is too small by the factor (1 - 1/N): the terms with m different from i in eq. 3.8 do not add up to zero by themselves
"""
_FORWARD = (
    _MOMENTS
    + """
_xc      = x - mu                                           # eq. 3.19
_std     = sqrt(var + eps)                                  # eq. 3.19
inv_std  = 1 / _std                                         # eq. 3.19
x_hat    = _xc * inv_std                                    # eq. 3.19
out      = gamma * x_hat + beta                             # eq. 3.19
"""
)
_STAGED = """
mu       = mean(x)                                          # eq. 3.1
_xc      = x - mu                                           # eq. 3.2
var      = mean(_xc**2)                                     # eq. 3.2
x_hat    = (x - mu) / sqrt(var + eps)                       # eq. 3.19
out      = gamma * x_hat + beta                             # eq. 3.19
"""
_AT_ONCE = _MOMENTS + "out = gamma * (x - mu) / sqrt(var + eps) + beta  # eq. 3.19"
_PARAMETERS = parameters("eq. 3.25", "eq. 3.24")
_COMPOSED = """
_g       = gamma * dout                                     # eq. 3.29
dxc      = inv_std * (_g - x_hat * mean(_g * x_hat))        # eq. 3.29
dx       = dxc - mean(dxc)                                  # eq. 3.30
"""
_ONE_FEATURE = "x: N, gamma, eps, dout: N"
_LAYER = "x: N D, gamma: D, beta: D, eps, dout: N D"


# -- part 1: one feature

batch_statistics = Checks(
    normalization.batch_statistics,
    draw=_batch,
    truth=lambda case: tuple(np.array(v) for v in zip(*(_moments(c) for c in case.x.T), strict=True)),
    against="eq. 3.1 and 3.2, summed by hand",
    known=Known(
        "x: N D",
        _MOMENTS,
        "var = mean((x - mean(x))**2)  # eq. 3.2",
        rules="not-squared: mean(A**2) => mean(A) | the distances from the mean add up to zero: square each of them before they are added up",
        words={
            "mean-over-everything@mu": "mu is one number for the whole array. Eq. 3.1 has one for each feature: name the axis.",
            "not-centred@var": "The squares of x were averaged. Eq. 3.2 subtracts mu before it squares.",
        },
    ),
    hints=(
        "Both are means over the batch: of x in eq. 3.1, of the squared deviations in eq. 3.2. Which axis is the batch?",
        "mu first, with axis=0. Subtract it from x, square, and take the mean over the same axis.",
        "For feature 0 alone: mu[0] = x[:, 0].sum() / N, and var[0] = sum((x[k, 0] - mu[0]) ** 2 for k in range(N)) / N.",
    ),
    idea="Two means over axis 0; the second one is the mean of what was squared after the first was subtracted.",
    slips=(Slip("median", "This is the median. Eq. 3.1 is the mean.", "mu", lambda case: np.median(case.x, axis=0)),),
)

dvar_dx = Checks(
    normalization.dvar_dx,
    draw=_feature,
    truth=lambda case: jacobian_complex(lambda x: _moments(x)[1], case.x),
    against="the numerical derivative of eq. 3.2",
    known=Known(
        "x: N",
        _MOMENTS + "dvar = 2 * (x - mu) / N  # eq. 3.11",
        rules=_SUM_LEFT_OUT
        + """
            not-differentiated: 2 * A => A**2 | these are the terms of eq. 3.2 itself: each square still has to be differentiated
            std-for-variance: 2 * A / N => A / N / sqrt(var) | this is the derivative of the standard deviation: eq. 3.2 has no root
        """,
        terms={"dvar": ("slope",)},
    ),
    hints=(
        "Take the last line of your variance_slope. Which of its letters count examples, and which are numbers?",
        "It has one index, i: a number times the deviation of x[i] from the mean, for all i at once. No loop, no sum.",
        "For example 0 alone, with N = 2: 2 * (x[0] - mu) / 2.",
    ),
    idea="A factor of eq. 3.11 times the whole array of deviations; no loop, no sum.",
    slips=(
        Slip(
            "variance-itself",
            "This is the variance, not its derivative.",
            "dvar",
            lambda case: np.full(len(case.x), case.x.var()),
        ),
    ),
    properties=(
        Property(
            "dvar sums to zero",
            lambda case, out: negligible(case, out["dvar"].sum(), np.abs(out["dvar"]).sum()),
            "dvar does not sum to zero, though moving all examples together leaves the variance as it is.",
        ),
    ),
)


dinvstd_dx = Checks(
    normalization.dinvstd_dx,
    draw=_feature_eps,
    truth=lambda case: jacobian_complex(lambda x: (_moments(x)[1] + case.eps) ** -0.5, case.x),
    against="the numerical derivative of 1/sqrt(var + eps)",
    known=Known(
        "x: N, eps",
        _ONE + _SLOPES,
        rules=_SUM_LEFT_OUT
        + """
            exponent: A**3 => 1 / A | the exponent of var + eps is wrong: differentiating a power lowers it by one
            exponent-sign: A**3 => 1 / A**3 | the exponent of var + eps has the wrong sign: it is lowered by one, from -1/2
            derivative-of-the-root: 1/2 * inv_std**3 => -1/2 * inv_std | this is the derivative of sqrt(var + eps), and eq. 3.12 is about one over it
        """,
        words={
            "exponent@dinv_std": "The exponent of var + eps is wrong. Differentiating a power lowers it by one: from -1/2 to what? See eq. 3.12."
        },
        terms={"dinv_std": ("product of slopes",)},
    ),
    hints=(
        "Eq. 3.12 is a chain of two slopes. You have written one of them already.",
        "The outer slope is that of u ** (-1/2) at u = var + eps; the inner one is dvar_dx(x).",
        "For var + eps = 4, the outer slope is -0.5 * 4 ** -1.5 = -0.0625.",
    ),
    idea="The power rule at var + eps gives one number; it multiplies the array that dvar_dx returns.",
)


_TERMS = ("delta term", "term of the mean", "term of the variance")

xhat_jacobian = Checks(
    normalization.xhat_jacobian,
    draw=_feature_eps,
    truth=lambda case: jacobian_complex(lambda x: _one_feature(x, 1.0, case.eps), case.x),
    against="the numerical Jacobian of eq. 3.3",
    known=Known(
        "x: N, eps",
        _ONE + "J[k, i] = inv_std * (delta[k, i] - 1/N - x_hat[k] * x_hat[i] / N)  # eq. 3.14",
        _ONE
        + _SLOPES
        + "J[k, i] = inv_std * delta[k, i] + x[k] * dinv_std[i] - inv_std / N - mu * dinv_std[i]  # eq. 3.6",
        rules="indices-exchanged: x[k] * dinv_std[i] => x[i] * dinv_std[k] | x and the derivative of inv_std have each other's index: x has the k of the rows",
        words={
            "wrong-index@J": "An index is wrong: in eq. 3.6, x has the index k of the rows, and the derivative of inv_std the index i of the columns.",
        },
        terms={"J": _TERMS},
    ),
    hints=(
        "Eq. 3.6 has four terms. For each, ask which of the indices k and i it really contains: that says whether it is a "
        "matrix, a row, or one number.",
        "dx_k/dx_i is np.eye(N), dmu/dx_i is 1/N, and dinv_std/dx_i is your dinvstd_dx(x, eps). The product x_k * dinv[i] is "
        "an outer product: np.outer(x, dinv) has x along the rows.",
        "Entry [0, 1] alone: 0 + x[0] * dinv[1] - inv_std / N - mu * dinv[1].",
    ),
    idea="Four arrays, one for each term of eq. 3.6; broadcasting fits the row and the number to the two matrices.",
    properties=(
        Property(
            "each row of J sums to zero",
            lambda case, out: negligible(case, out["J"].sum(axis=1), np.max(np.abs(out["J"]))),
            "A row of J does not sum to zero, though moving all inputs together changes no output.",
        ),
    ),
)


normalize_jacobian = Checks(
    normalization.normalize_jacobian,
    draw=_feature_gamma,
    truth=lambda case: jacobian_complex(lambda x: _one_feature(x, case.gamma, case.eps), case.x),
    against="the numerical Jacobian of eq. 3.4",
    known=Known(
        "x: N, gamma, eps",
        _ONE + "J[k, i] = gamma * inv_std * (delta[k, i] - 1/N - x_hat[k] * x_hat[i] / N)  # eq. 3.15",
        rules="plain-product-for-outer: x_hat[k] * x_hat[i] => sum(x_hat[k] * x_hat[k] for k in N) | the product of x_hat with itself is one number: an outer product has a number for each pair k, i",
        terms={"J": _TERMS},
    ),
    hints=(
        "Eq. 3.15 is one number in front of a bracket. Of the three terms in the bracket, one you know from lesson 02, and "
        "one is a product of something with index i and something with index k.",
        "x_hat first. The product x_hat_i * x_hat_k for all i and k is an outer product, (N, N).",
        "Entry [0, 1] alone: gamma * inv_std * (0 - 1 / N - x_hat[1] * x_hat[0] / N).",
    ),
    idea="The centring's matrix minus an outer product of x_hat with itself over N, all times one number.",
    properties=(
        Property(
            "each row of J sums to zero",
            lambda case, out: negligible(case, out["J"].sum(axis=1), np.max(np.abs(out["J"]))),
            "A row of J does not sum to zero, though moving all inputs together changes no output.",
        ),
    ),
)

normalize_backward = Checks(
    normalization.normalize_backward,
    draw=_feature_gradient,
    truth=lambda case: vjp_complex(lambda x: _one_feature(x, case.gamma, case.eps), case.x, case.dout),
    against="the numerical derivative of eq. 3.4",
    known=Known(
        _ONE_FEATURE,
        _ONE + THREE_TERMS + "  # eq. 3.18",
        _ONE + SCALED + "  # eq. 3.18",
        _ONE + GATES + "  # eq. 3.18",
        rules=CACHE_ORDER,
        words=about_dx("eq. 3.18", "eq. 3.16"),
        terms={"dx": paths("eq. 3.18", "the third term of eq. 3.18, which comes from eq. 3.11")},
    ),
    hints=(
        "Eq. 3.18 has one factor in front and three terms in the bracket. Each of the two sums in it is a mean of something.",
        "Compute x_hat and inv_std first, as in eq. 3.3. One mean is of dout, the other of dout * x_hat; the second is "
        "multiplied by x_hat again, entry by entry.",
        "Try your line on dout = x_hat, with a small eps: the bracket is x_hat - 0 - x_hat * mean(x_hat * x_hat), nearly zero. "
        "(A dout of ones tests less: the third term is zero then, whatever stands before its sum.)",
    ),
    idea="Take from dout its mean and its projection on x_hat; what is left, times gamma and inv_std, is dx.",
    properties=(Property("dx sums to zero", _sums_to_zero("dx"), "dx does not sum to zero over the batch."),),
)


# -- ladders with a slip in them


def _ladder(arguments, slip, *lines):
    """A derivation as functions, and the number of the first line that does not follow."""
    return arguments, slip, tuple(f"def line({arguments}):\n    return {line}\n" for line in lines)


_THREE_SUMS = "g * (d - d.sum() / len(d) - x_hat * (d * x_hat).sum() / len(d))"
_LADDERS = (
    # Early, and undone later; sums over all entries never notice it, as x_hat sums to zero.
    _ladder(
        "d, x_hat, g",
        2,
        _THREE_SUMS,
        "g * (d - d.mean() - 2 * x_hat * np.mean(d * x_hat))",
        "g * d - g * d.mean() - 2 * g * x_hat * np.mean(d * x_hat)",
        "g * (d - d.mean()) - g * x_hat * np.mean(d * x_hat)",
    ),
    # The first and the last entry are right in every line.
    _ladder(
        "x, eps",
        4,
        "[sum(2 * (x - x.mean()) * ((np.arange(len(x)) == i) - 1 / len(x))) / len(x) for i in range(len(x))]",
        "(x - x.mean()) * 2 / len(x) - 2 * sum(x - x.mean()) / len(x) ** 2",
        "((x - x.mean()) * len(x) + x.sum() - x.mean() * len(x)) * 2 / len(x) ** 2",
        "np.concatenate([x[:1] - x.mean(), x[1:-1] - x[1:-1].mean() + x[0], x[-1:] - x.mean()]) * 2 / len(x)",
        "2 * np.concatenate([x[:1] - x.mean(), x[1:-1] - x[1:-1].mean() + x[0], x[-1:] - x.mean()]) / len(x)",
    ),
    # No slip: every line is the same, said in another way.
    _ladder(
        "d, x_hat, g",
        0,
        _THREE_SUMS,
        "g * (d - d.mean()) - g * x_hat * np.mean((d - d.mean()) * x_hat)",
        "g * (d - d.mean() - x_hat * np.cov(d, x_hat, bias=True)[0, 1])",
        "g * ((np.eye(len(d)) - np.ones(len(d)) / len(d)) @ d - x_hat * (x_hat @ d) / len(d))",
        "-g * (d.mean() - d + x_hat * np.einsum('k,k->', d, x_hat) / len(d))",
    ),
    # The slip is in the last line, and the values are single numbers.
    _ladder(
        "x, eps",
        5,
        "np.mean((x - x.mean()) ** 2) + eps",
        "np.mean(x**2 - 2 * x * x.mean() + x.mean() ** 2) + eps",
        "np.mean(x**2) - 2 * x.mean() * x.mean() + x.mean() ** 2 + eps",
        "np.mean(x**2) - x.mean() ** 2 + eps",
        "np.mean(x**2) - (x.mean() + eps) ** 2",
    ),
    # The factor that gets lost inside the last sum, and is back one line later.
    _ladder(
        "d, x_hat, g",
        3,
        "[sum(d[k] * g * ((k == i) - 1 / len(d) - x_hat[i] * x_hat[k] / len(d)) for k in range(len(d))) for i in range(len(d))]",
        "g * d - g * sum(d) / len(d) - g * np.array([sum(d * x_hat[i] * x_hat) for i in range(len(d))]) / len(d)",
        "g * (d - sum(d) / len(d) - np.array([sum(x_hat[i] * x_hat) for i in range(len(d))]) / len(d))",
        "g * (d - sum(d) / len(d) - x_hat * sum(d * x_hat) / len(d))",
        "g * (d - d.mean() - x_hat * (d * x_hat).mean())",
    ),
)


def _arguments(rng, names):
    """What the lines of a ladder are called with."""
    case = _layer_gradient(rng)
    x = case.x[:, 0] - case.x[:, 0].mean() + rng.uniform(2, 5)
    near = _standardized(Case(x=x, eps=case.eps))
    known = {
        "x": x,
        "eps": case.eps,
        "d": case.dout[:, 0],
        "x_hat": near.x_hat,
        "g": float(case.gamma[0] * near.inv_std),
    }
    return tuple(known[name] for name in names.split(", "))


def _draw_ladder(rng):
    """One ladder after the other, so that the first three inputs are three different ones; the numbers are random."""
    drawn = rng.bit_generator.seed_seq.n_children_spawned
    rng.spawn(1)
    names, slip, texts = _LADDERS[drawn % len(_LADDERS)]
    return Case(lines=[Source(text) for text in texts], args=_arguments(rng, names), slip=slip)


def _disagreements(case, differ):
    values = [np.asarray(line(*case.args), dtype=float) for line in case.lines]
    return [number for number in range(2, len(values) + 1) if differ(values[number - 2], values[number - 1])]


def _differ(before, after):
    return np.max(np.abs(before - after)) > 1e-6 * np.max(np.abs(before))


def _first(numbers):
    return numbers[0] if numbers else 0


first_slip = Checks(
    normalization.first_slip,
    draw=_draw_ladder,
    truth=lambda case: case.slip,
    against="the line where the slip was put",
    choice=True,
    hints=(
        "You need no algebra. Call two neighbouring lines with the same arguments: do they give the same numbers?",
        "Go through the lines in order, keep the value of the line before, and return the number of the first line whose "
        "value is another one. Rounding grows with the numbers: allow a difference of a billionth of the largest of them; == allows none.",
        "If the values of three lines were [1, 2], [1, 2], [1, 3], the answer would be 3.",
    ),
    idea="Evaluate all lines, compare neighbours entry by entry with room for rounding, and stop at the first pair that differs.",
    slips=(
        Slip(
            "counted-from-zero",
            "The line was found, but counted from zero. Lines are counted from 1, as people read them.",
            "number",
            lambda case: case.slip - 1 if case.slip else 0,
        ),
        Slip(
            "last-for-first",
            "This is the last line that disagrees with the one before. A slip may be undone further down, which is a "
            "disagreement too: return the first.",
            "number",
            lambda case: (_disagreements(case, _differ) or [0])[-1],
        ),
        Slip(
            "rounding-taken-for-a-slip",
            "This line is right: it differs from the one before by rounding only, in the last digits. Leave room for that.",
            "number",
            lambda case: _first(_disagreements(case, lambda a, b: np.any(a != b))),
        ),
        Slip(
            "only-sums-compared",
            "Something was missed: two lines can have equal sums and still differ entry by entry. Compare all entries.",
            "number",
            lambda case: _first(_disagreements(case, lambda a, b: abs(a.sum() - b.sum()) > 1e-6 * np.abs(a).sum())),
        ),
        Slip(
            "only-first-entry-compared",
            "Something was missed: two lines can agree in their first entry and differ in others. Compare all entries.",
            "number",
            lambda case: _first(_disagreements(case, lambda a, b: _differ(a.flat[0], b.flat[0]))),
        ),
        Slip(
            "only-last-entry-compared",
            "Something was missed: two lines can agree in their last entry and differ in others. Compare all entries.",
            "number",
            lambda case: _first(_disagreements(case, lambda a, b: _differ(a.flat[-1], b.flat[-1]))),
        ),
        Slip(
            "compared-with-the-last-line",
            "The lines were compared with the last one, as if the end of a derivation were always right.",
            "number",
            lambda case: _against_the_end(case),
        ),
        Slip("nothing-found", "No slip was found, and there is one.", "number", lambda case: 0),
        Slip(
            "number-of-lines",
            "This is the number of lines. Where all lines agree, the answer is 0.",
            "number",
            lambda case: len(case.lines),
        ),
    ),
)


def _against_the_end(case):
    values = [np.asarray(line(*case.args), dtype=float) for line in case.lines]
    return _first([number for number, value in enumerate(values, 1) if _differ(values[-1], value)])


# -- part 2: the whole layer


batchnorm_forward = Checks(
    normalization.batchnorm_forward,
    draw=_layer,
    truth=lambda case: _normalized(case.x, case.gamma, case.beta, case.eps),
    against="eq. 3.19, entry by entry",
    known=Known(
        _LAYER,
        _FORWARD,
        _STAGED,
        _AT_ONCE,
        terms={"out": ("scaled part | the product in eq. 3.19", "shift | the last term of eq. 3.19")},
        words={
            "shift-before-scale@out": "beta was added first and scaled too. In eq. 3.19 it stands outside the product."
        },
    ),
    hints=(
        "You have mu and var from batch_statistics. What remains of eq. 3.19 is arithmetic on arrays of shape (N, D) and (D,).",
        "x - mu; divided by the root of var + eps, that is x_hat; then gamma and beta, row by row. Return out and a tuple of what "
        "you would not like to compute again.",
        "For feature 0 alone: out[:, 0] = gamma[0] * (x[:, 0] - mu[0]) / np.sqrt(var[0] + eps) + beta[0].",
    ),
    idea="Four lines, one for each named quantity: mu and var, inv_std, x_hat, out. The names are also what the cache should hold.",
)


_LAYER_PROPERTIES = (
    Property(
        "each feature of dx sums to zero over the batch",
        _sums_to_zero("dx"),
        "Some feature of dx does not sum to zero over the batch.",
    ),
)

_FEATURES_MIXED = Slip(
    "features-mixed",
    "x_hat @ x_hat.T multiplies examples with examples and adds up over the features: the sum over k is one for each feature alone.",
    "dx",
    lambda case: _mixed(case, **vars(_standardized(case))),
)


def _mixed(case, inv_std, x_hat):
    h = case.gamma * case.dout
    return inv_std * (h - h.mean(axis=0) - x_hat @ x_hat.T @ h / len(h))


batchnorm_backward = Checks(
    normalization.batchnorm_backward,
    draw=_layer_gradient,
    truth=_layer_gradients,
    against="the numerical derivative of eq. 3.19",
    known=Known(
        _LAYER,
        _FORWARD + _PARAMETERS + THREE_TERMS + "  # eq. 3.23",
        _FORWARD + _PARAMETERS + SCALED + "  # eq. 3.23",
        _FORWARD + _PARAMETERS + GATES + "  # eq. 3.23",
        rules=ABOUT_PARAMETERS,
        words=about_dx("eq. 3.23", "eq. 3.22") | about_parameters("eq. 3.19", "eq. 3.25", "eq. 3.24"),
        terms={"dx": paths("eq. 3.23", "the third term of eq. 3.23, which comes from eq. 3.20"), **SUMS},
    ),
    slips=(_FEATURES_MIXED,),
    hints=(
        "Three results, three equations: 3.23 for dx, 3.24 for dbeta, 3.25 for dgamma. Two of them are sums over the batch, and "
        "eq. 3.26 shows that dx contains the same two sums.",
        "What do you need from the forward pass? Change batchnorm_forward so that its cache holds it. In eq. 3.23 each sum over k is "
        "a sum over axis 0; everything with one index broadcasts.",
        "For one feature you have it: normalize_backward. A loop over the features is a right answer too.",
    ),
    idea="Compute dbeta and dgamma first; dx is then dout with a multiple of each of them taken away, times gamma and inv_std.",
    properties=_LAYER_PROPERTIES,
)


# -- part 3: the second route


rms_scale_backward = Checks(
    normalization.rms_scale_backward,
    draw=_off_centre,
    truth=lambda case: vjp_complex(lambda xc: _divided_by_rms(xc, case.eps), case.xc, case.dout),
    against="the numerical derivative of the scaling in eq. 3.27",
    known=Known(
        "dout: N D, xc: N D, eps",
        """
        _ms     = mean(xc**2)                                # eq. 3.27
        inv_rms = 1 / sqrt(_ms + eps)                        # eq. 3.27
        z       = xc * inv_rms                               # eq. 3.27
        dxc     = inv_rms * (dout - z * mean(dout * z))      # eq. 3.29
        """,
        rules="""
            centred-as-well: dout - z * A => dout - mean(dout) - z * A | a mean of dout is subtracted: there is no centring in this function, see eq. 3.28
            dout-lost-in-the-sum: mean(dout * A) => mean(A) | dout is missing inside the last sum: every term of the sum over k contains what arrives at z_k
            centred-z: z => z - mean(z) | z is centred, and eq. 3.27 subtracts nothing at this stage
        """,
        words={
            "only-the-diagonal@dxc": "Only the diagonal of the Jacobian was used. The root mean square contains every example, so each "
            "input reaches all N outputs: sum over k.",
            "xc-for-z@dxc": "inv_rms is missing in the last term of eq. 3.29: does xc stand where z belongs, or does a bracket end before "
            "that term?",
        },
        terms={
            "dxc": (
                "direct path | the first term of eq. 3.29",
                "path through the root mean square | the second term of eq. 3.29",
            )
        },
    ),
    hints=(
        "Two ways lead from xc_i to the loss: through its own z_i, and through the root mean square into all z_k. Eq. 3.28 has "
        "one term for each, and none for a mean: none is subtracted here.",
        "1 / sqrt(mean of the squares of xc, plus eps) first, with axis=0; then z. In eq. 3.29 the only sum is over dout * z.",
        "With N = 1 and eps = 0, z is +1 or -1 whatever xc is; eq. 3.29 gives 0 then, as it must.",
    ),
    idea="Take from dout its projection on z, and divide by the root mean square.",
)


batchnorm_backward_composed = Checks(
    normalization.batchnorm_backward_composed,
    draw=_layer_gradient,
    truth=_layer_gradients,
    against="the numerical derivative of eq. 3.19",
    known=Known(
        _LAYER,
        _FORWARD + _PARAMETERS + THREE_TERMS + "  # eq. 3.30",
        _FORWARD + _PARAMETERS + _COMPOSED,
        _FORWARD + SCALED + "  # eq. 3.30",
        rules=ABOUT_PARAMETERS
        + """
            scaling-skipped: dxc => _g | the gradient passed the scaling as if it were not there
            x-hat-for-xc: inv_std * (A - x_hat * mean(A * x_hat)) => (A - x_hat * mean(A * x_hat) / (mean(x_hat**2) + eps)) / sqrt(mean(x_hat**2) + eps) | the scaling's backward was called with x_hat: it differentiates at what was divided, the xc of eq. 3.27
        """,
        words=about_dx("eq. 3.30", "eq. 3.22") | about_parameters("eq. 3.19", "eq. 3.25", "eq. 3.24"),
        terms={"dx": paths("eq. 3.23", "eq. 3.28"), **SUMS},
    ),
    slips=(_FEATURES_MIXED,),
    hints=(
        "Forward: centre, scale by one over the root mean square, then gamma and beta. Backward: the same three in reverse order.",
        "What arrives at z is gamma * dout. Send it through your rms_scale_backward, which wants xc and eps from the cache. "
        "What comes out belongs to xc; the centring of eq. 2.9 brings it to x.",
        "If the cache lacks xc or eps, go back to batchnorm_forward and add them; your batchnorm_backward must then unpack them too.",
    ),
    idea="One call of rms_scale_backward, one subtraction of a mean; dgamma and dbeta as before.",
    properties=_LAYER_PROPERTIES,
)

recall_slope = Answer(
    normalization.recall_slope,
    right="a",
    why={
        "a": "The value itself moves only if it is the same entry, and the mean moves by 1/N. Both only within one feature, so "
        "delta[l, j] multiplies both.",
        "b": "Here the roles of example and feature are exchanged. Over which of the two is the mean taken?",
        "c": "The mean of feature l does not move when an entry of another feature does: the 1/N needs its delta[l, j] as well.",
        "d": "That is the slope of h itself. The mean that is subtracted moves too.",
    },
)

recall_delta = Answer(
    normalization.recall_delta,
    right="b",
    why={
        "a": "The delta is zero in all terms but one. Which one?",
        "b": "Of all the terms only the one with k = i is left, with delta equal to 1: the delta eats the sum.",
        "c": "N terms are added up, and all but one of them are zero.",
        "d": "The delta eats the sum over k. In what stands beside it, k becomes i, and it stays.",
    },
)

recall_same = Answer(
    normalization.recall_same,
    right="d",
    why={
        "a": "The backward pass of the centring subtracts the mean. What is the mean of equal numbers?",
        "b": "The backward pass of the centring subtracts the mean. What is the mean of equal numbers?",
        "c": "All examples are treated alike, so equal numbers stay equal.",
        "d": "It subtracts the mean over the batch, and equal numbers are their own mean. A common shift of h changes no output, so "
        "no gradient can ask for one.",
    },
)

fixed_mean = Answer(
    normalization.fixed_mean,
    right="b",
    why={
        "a": "There is such a term. Derive it below, write it down by itself, and look how large it is.",
        "b": "Surprising, and true: the variance is least when it is measured from the mean, so at the mean it does not feel a "
        "small shift of mu. Below you find the sum that says so.",
        "c": "The deviation of x[i] itself is still there, squared, and has a slope.",
        "d": "This factor comes of a sum in which one example is missing: section 7 shows how.",
    },
)

which_line = Answer(
    normalization.which_line,
    right="c",
    why={
        "a": "Line 2 only takes the common factor out of the sum. Both lines give the same numbers; you will see them in a moment.",
        "b": "Line 3 multiplies the bracket out, and dout is in all three products. It agrees with line 2.",
        "c": "Line 4 splits one sum into three, and in the last of them dout is gone. What remains there, the sum of all x_hat, is "
        "zero: the path through the variance has vanished, unnoticed.",
        "d": "Line 5 does disagree with line 4, but because line 4 was wrong: in line 5 the lost factor is back. "
        "A derivation can end right and have a wrong line in it.",
        "e": "Line 6 only gives two sums over N their name, mean.",
    },
)

sum_loss = Answer(
    normalization.sum_loss,
    right="a",
    why={
        "a": "The sum of x_hat over the batch is zero whatever x is, so this loss is N times the sum of beta, and x cannot change it. "
        "A wrong backward pass that only lacks the last term gives zero as well: this test would let it through. "
        "Take a random dout.",
        "b": "That is the direct path alone. What do the other two paths make of a dout of ones?",
        "c": "That is dout, the gradient of the loss with respect to out. It still has to go back through the normalization.",
        "d": "Look at the loss first: what is the sum of x_hat over the batch, for any x?",
    },
)

swapped_order = Answer(
    normalization.swapped_order,
    right="d",
    why={
        "a": "It tells apart results that differ by a billionth of their size. The two orders agree to rounding.",
        "b": "It matters in general: backward runs in reverse order, because each step needs the gradient of its own output. "
        "Try it with an xc that is not centred.",
        "c": "It holds for every eps: eps only changes the length of x_hat, not its direction.",
        "d": "The centring takes from the constant direction, the scaling from the direction of x_hat. x_hat has mean zero, so "
        "these two directions are at right angles, and taking from one does not touch the other.",
    },
)

input_gradient = Chain(
    normalization.input_gradient,
    (
        Move(
            "x[i] reaches L by as many ways as there are outputs, for every y[k] contains mu and r.",
            "Write the chain rule over all outputs: a sum over k, with dout[k] and a derivative of y[k] in it.",
            "sum(dout[k] * d(y[k], x[i]) for k in N)",
        ),
        Move(
            "What of y[k] depends on x[i]? Not gamma, and not beta: x_hat[k] alone.",
            "Take gamma out in front, and put in your last line of x_hat_slopes for the slope of x_hat[k]; or what x_hat[k] is, and go the long way.",
            "gamma * sum(dout[k] * d((x[k] - mu) * r, x[i]) for k in N)",
        ),
        Move(
            "A product of two things that both move with x[i].",
            "Use the product rule on (x[k] - mu) * r. The derivative of x[k] is delta[k, i], that of mu is 1/N.",
            "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r + (x[k] - mu) * d(r, x[i])) for k in N)",
        ),
        Move(
            "What is left is the derivative of r = (var + eps)**(-1/2).",
            "Chain rule: -1/2 * r**3 times the derivative of var, which is 2/N * (x[i] - mu).",
            "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 * (x[i] - mu) / N) for k in N)",
        ),
        Move(
            "Two of the factors r belong to the deviations beside them.",
            "Write (x[k] - mu) * r as x_hat[k], the same for i, and take r out in front.",
            "gamma * r * sum(dout[k] * (delta[k, i] - 1/N - x_hat[i] * x_hat[k] / N) for k in N)",
        ),
        Move(
            "One sum of three terms is three sums, and every one of them keeps its dout[k].",
            "The delta picks one term of the first sum, the second sum is a mean, and x_hat[i] comes out of the third.",
            "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))",
        ),
    ),
    idea="Write down all ways from x[i] to L, differentiate each factor that moves, and let the deltas eat the sums.",
)

variance_slope = Chain(
    normalization.variance_slope,
    (
        Move(
            "var is a mean of squares, and a mean is differentiated term by term.",
            "The rule for a square inside the mean: 2 * (x[k] - mu) times the derivative of x[k], minus that of mu.",
            "mean(2 * (x[k] - mu) * (d(x[k], x[i]) - d(mu, x[i])) for k in N)",
        ),
        Move(
            "You know the derivatives that are left.",
            "That of x[k] is delta[k, i], that of mu is 1/N.",
            "mean(2 * (x[k] - mu) * (delta[k, i] - 1/N) for k in N)",
        ),
        Move(
            "Multiply the bracket out. Which of the two sums does the delta eat?",
            "The first leaves one term, 2/N * (x[i] - mu). The second is a multiple of the sum of all deviations: write it down by itself.",
            "2/N * (x[i] - mu) - 2/N**2 * sum(x[k] - mu for k in N)",
        ),
        Move(
            "What is the sum of all deviations from a mean?",
            "It is N * mu - N * mu, zero: the second term is gone.",
            "2/N * (x[i] - mu)",
        ),
    ),
    idea="The rule for a square, then two sums: one is eaten by a delta, the other is zero.",
)

inv_std_slope = Chain(
    normalization.inv_std_slope,
    (
        Move(
            "r is (var + eps) to the power -1/2, and only var moves with x[i].",
            "The rule for a power: the exponent comes down, and one is taken from it; then times the derivative of var.",
            "-1/2 * (var + eps)**(-3/2) * d(var, x[i])",
        ),
        Move(
            "You derived the slope of the variance before (eq. 3.11).",
            "Put in 2/N * (x[i] - mu), and cancel the 2.",
            "-1/N * (var + eps)**(-3/2) * (x[i] - mu)",
        ),
    ),
    idea="The chain rule for a power, and the derivative of the variance.",
)

x_hat_slopes = Chain(
    normalization.x_hat_slopes,
    (
        Move(
            "What is x_hat[k] made of? Both of its factors move with x[i].",
            "The product rule: the derivative of x[k] - mu times r, plus x[k] - mu times the derivative of r.",
            "(d(x[k], x[i]) - d(mu, x[i])) * r + (x[k] - mu) * d(r, x[i])",
        ),
        Move(
            "You know the derivatives that are left.",
            "delta[k, i], 1/N, and that of r (eq. 3.12): -1/N * r**3 * (x[i] - mu).",
            "(delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 * (x[i] - mu) / N",
        ),
        Move(
            "Two of the three factors r belong to the deviations beside them.",
            "Write x_hat[k] and x_hat[i] for the deviations times r, and take the last r out in front.",
            "r * (delta[k, i] - 1/N - x_hat[i] * x_hat[k] / N)",
        ),
    ),
    idea="A product of two things that move: one term for each, then write deviations times r as x_hat.",
)

layer_slopes = Chain(
    normalization.layer_slopes,
    (
        Move(
            "What is y[k, l] made of? gamma[l] and beta[l] do not move.",
            "gamma[l] times the derivative of x_hat[k, l].",
            "gamma[l] * d(x_hat[k, l], x[i, j])",
        ),
        Move(
            "x_hat[k, l] is a product of two things that move with x[i, j], where the feature is the same.",
            "The product rule on (x[k, l] - mu[l]) * r[l].",
            "gamma[l] * ((d(x[k, l], x[i, j]) - d(mu[l], x[i, j])) * r[l] + (x[k, l] - mu[l]) * d(r[l], x[i, j]))",
        ),
        Move(
            "Each derivative that is left is that of one feature, times delta[l, j].",
            "delta[k, i] * delta[l, j] for x, delta[l, j] / N for mu, and -delta[l, j] * r[l]**3 * (x[i, l] - mu[l]) / N for r.",
            "gamma[l] * delta[l, j] * ((delta[k, i] - 1/N) * r[l] - (x[k, l] - mu[l]) * r[l]**3 * (x[i, l] - mu[l]) / N)",
        ),
        Move(
            "Two of the three factors r belong to the deviations beside them.",
            "Write x_hat for the deviations times r, and take the last r out in front.",
            "delta[l, j] * gamma[l] * r[l] * (delta[k, i] - 1/N - x_hat[i, l] * x_hat[k, l] / N)",
        ),
    ),
    idea="As for one feature, with a delta of the features in front: another feature moves nothing.",
)

layer_gradient = Chain(
    normalization.layer_gradient,
    (
        Move(
            "x[i, j] reaches L through every y[k, l]: there are two indices to sum over.",
            "Write the chain rule: a sum over k in N and l in D of dout[k, l] times a derivative of y[k, l].",
            "sum(dout[k, l] * d(y[k, l], x[i, j]) for k in N for l in D)",
        ),
        Move(
            "For one feature you have the slope of y, from section 5. What is it where l is another feature than j?",
            "It is zero there: put delta[l, j] in front of gamma and your last line of x_hat_slopes, and the second index everywhere.",
            "sum(dout[k, l] * delta[l, j] * gamma[l] * r[l] * (delta[k, i] - 1/N - x_hat[i, l] * x_hat[k, l] / N) for k in N for l in D)",
        ),
        Move(
            "Two sums, and a delta for each. Let delta[l, j] eat the first.",
            "Drop the sum over l and write j for every l; what does not depend on k comes out in front.",
            "gamma[j] * r[j] * sum(dout[k, j] * (delta[k, i] - 1/N - x_hat[i, j] * x_hat[k, j] / N) for k in N)",
        ),
        Move(
            "One sum of three terms is three sums, and every one of them keeps its dout[k, j].",
            "The delta picks one term of the first sum, the second is a mean, and x_hat[i, j] comes out of the third; gamma[j] * r[j] stands in front.",
            "gamma[j] * r[j] * (dout[i, j] - mean(dout[k, j] for k in N) - x_hat[i, j] * mean(dout[k, j] * x_hat[k, j] for k in N))",
        ),
    ),
    idea="All ways from x[i, j] to L; delta[l, j] eats the sum over the features, and what is left is the case of one feature.",
)

gamma_gradient = Chain(
    normalization.gamma_gradient,
    (
        Move(
            "gamma[j] reaches L through every y[k, l] at most: sum over both indices.",
            "Write the chain rule: a sum over k in N and l in D of dout[k, l] times a derivative of y[k, l].",
            "sum(dout[k, l] * d(y[k, l], gamma[j]) for k in N for l in D)",
        ),
        Move(
            "y[k, l] contains gamma[l] once, multiplied by x_hat[k, l]. When is that gamma[j]?",
            "The slope is delta[l, j] * x_hat[k, l].",
            "sum(dout[k, l] * delta[l, j] * x_hat[k, l] for k in N for l in D)",
        ),
        Move(
            "Which sum does delta[l, j] eat?",
            "Drop the sum over l, and write j for every l. Nothing eats the sum over k.",
            "sum(dout[k, j] * x_hat[k, j] for k in N)",
        ),
    ),
    idea="gamma[j] scales feature j of every example: a sum over the examples stays.",
)

beta_gradient = Chain(
    normalization.beta_gradient,
    (
        Move(
            "beta[j] reaches L through every y[k, l] at most: sum over both indices.",
            "Write the chain rule: a sum over k in N and l in D of dout[k, l] times a derivative of y[k, l].",
            "sum(dout[k, l] * d(y[k, l], beta[j]) for k in N for l in D)",
        ),
        Move(
            "y[k, l] contains beta[l] once, and nothing multiplies it. When is that beta[j]?",
            "The slope is delta[l, j].",
            "sum(dout[k, l] * delta[l, j] for k in N for l in D)",
        ),
        Move(
            "Which sum does delta[l, j] eat?",
            "Drop the sum over l, and write j for every l. Nothing eats the sum over k.",
            "sum(dout[k, j] for k in N)",
        ),
    ),
    idea="beta[j] is added to feature j of every example: a sum over the examples stays.",
)
