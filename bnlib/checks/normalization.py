"""Lesson 03: what is checked about the full normalization, its gradients, and derivations with a slip.

Normalization is written here the long way round, one feature and one example at a time, so that a complex step can
differentiate it. Truth comes from there; the short expressions below only say what mistakes compute.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from bnlib.checks import (
    Answer,
    Case,
    Checks,
    Knob,
    Property,
    Slip,
    Source,
    Step,
    Steps,
    Term,
    _steps,
    negligible,
    numbers,
    remembered,
    variants,
)
from bnlib.judging.mistakes.known import Known
from bnlib.numerics import jacobian_complex, vjp_complex
from bnlib.stubs import NotFilledError, normalization

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


# -- what mistakes compute


@remembered
def _standardized(case, eps=None, ddof=0, kind="root", axis=0, centre=True, one_pass=False):
    """mu, xc, inv_std, x_hat of a batch, each possibly wrong in one of the usual ways."""
    x, keep = case.x, axis != 0
    eps = case.eps if eps is None else eps
    mu = x.mean(axis=axis, keepdims=keep)
    var = (
        x.var(axis=axis, ddof=ddof, keepdims=keep) if not one_pass else np.mean(x**2, axis=0) - np.mean(x, axis=0) ** 2
    )
    inverse = {
        "root": lambda: (var + eps) ** -0.5,
        "outside": lambda: 1 / (np.sqrt(var) + eps),
        "no-root": lambda: 1 / (var + eps),
        "squared": lambda: (var + eps) ** -2.0,
    }
    xc, inv_std = x - mu if centre else x, inverse[kind]()
    return SimpleNamespace(mu=mu, xc=xc, inv_std=inv_std, x_hat=xc * inv_std)


def _spread(case):
    return {"gamma": case.gamma, **_powers(case)} if "gamma" in case else _powers(case)


def _powers(case):
    inv_std = _standardized(case).inv_std
    return {"inv_std": inv_std, "inv_std^2": inv_std**2}


def _h(case, right):
    """What arrives at x_hat, already scaled by the factor in front of the bracket."""
    return case.gamma * right.inv_std * case.dout


def _direct(case):
    return _h(case, _standardized(case))


def _through_mean(case):
    return np.broadcast_to(np.mean(_direct(case), axis=0), case.x.shape)


def _through_variance(case):
    right = _standardized(case)
    return right.x_hat * np.mean(_h(case, right) * right.x_hat, axis=0)


def _averages(axis, N, diagonal):
    """Means over the batch as they should be, or over something else, or of the one term k = i."""
    if diagonal:
        return lambda values: values / N
    if axis == 1:
        return lambda values: np.mean(values, axis=1, keepdims=True)
    return lambda values: values.sum(axis=axis) / (values.size if axis is None else N)


def _dx_parts(
    case,
    spread=None,
    factor=None,
    left="x_hat",
    right="x_hat",
    axis=(0, 0),
    late=False,
    diagonal=False,
    gamma=True,
):
    """The three terms of dx, possibly wrong; ``late`` multiplies by gamma after the means were taken."""
    s, N = _standardized(case, **(spread or {})), len(case.x)
    front = _standardized(case, **{**(spread or {}), **(factor or {})}).inv_std
    scale = case.gamma if gamma else 1.0
    h, front = (case.dout, front * scale) if late else (case.dout * scale, front)
    first, last = (_averages(one, N, diagonal) for one in axis)
    values = {"x_hat": s.x_hat, "xc": s.xc, "x": case.x, "x/s": case.x * s.inv_std}
    return front * h, front * first(h), front * (values[left] * last(h * values[right]))


def _dx(case, **turn):
    direct, mean, variance = _dx_parts(case, **turn)
    return direct - mean - variance


def _dx_centred_along_features(case):
    direct, _, variance = _dx_parts(case)
    dxc = direct - variance
    return dxc - dxc.mean(axis=1, keepdims=True)


def _spread_knobs(where):
    """Mistakes in sqrt(var + eps) itself, which every lesson's backward pass inherits."""
    return (
        Knob(
            "eps-missing",
            f"eps does not take part: {where} has it under the root.",
            {"spread": {"eps": 0.0}},
        ),
        Knob(
            "eps-fixed",
            f"eps is 1e-5 here whatever was given: use the argument, as {where} does.",
            {"spread": {"eps": 1e-5}},
        ),
        Knob(
            "eps-tiny",
            f"eps is 1e-8 here whatever was given: use the argument, as {where} does.",
            {"spread": {"eps": 1e-8}},
        ),
        Knob(
            "eps-outside-the-root",
            f"eps was added after the root was taken. In {where} it is added to the variance.",
            {"spread": {"kind": "outside"}},
        ),
        Knob(
            "bessel",
            "The variance was divided by N - 1. In eq. 3.2 it is divided by N: look at ddof, here and wherever "
            "the variance is computed.",
            {"spread": {"ddof": 1}},
        ),
        Knob(
            "one-pass-variance",
            "The digits are gone: the variance was probably computed as the mean of the squares minus the squared mean. "
            "With a large mean these are two large, nearly equal numbers. Eq. 3.2 subtracts mu first.",
            {"spread": {"one_pass": True}},
        ),
    )


def _dx_slips(result, third, chain, first):
    """Mistakes in dx; the arguments are the equations of the result, its third term, the sum over k, and x_hat."""
    pointing = f"Look at {result} again: which quantity stands in front of the last sum, and which inside it?"
    return variants(
        "dx",
        _dx,
        (
            Knob(
                "only-the-diagonal",
                f"Only the diagonal of the Jacobian was used, as if example i reached the loss through y_i alone. "
                f"{chain} has a sum over all k.",
                {"diagonal": True},
            ),
            *_spread_knobs(first),
            Knob(
                "eps-missing-in-the-factor",
                f"x_hat is right, but the 1/sqrt in front of the bracket of {result} lacks eps.",
                {"factor": {"eps": 0.0}},
            ),
            Knob(
                "eps-fixed-in-the-factor",
                f"x_hat is right, but in the 1/sqrt in front of the bracket of {result} eps is 1e-5 whatever was given.",
                {"factor": {"eps": 1e-5}},
            ),
            Knob(
                "eps-outside-the-root-in-the-factor",
                f"x_hat is right, but in front of the bracket of {result} eps was added after the root was taken.",
                {"factor": {"kind": "outside"}},
            ),
            Knob("x-for-x-hat", f"The raw x stands where x_hat belongs. {pointing}", {"left": "x", "right": "x"}),
            Knob("x-for-first-x-hat", f"The raw x stands where x_hat belongs. {pointing}", {"left": "x"}),
            Knob("x-for-second-x-hat", f"The raw x stands where x_hat belongs. {pointing}", {"right": "x"}),
            Knob(
                "xc-for-x-hat",
                f"In the last term x - mu stands where x_hat belongs, or a power of sqrt(var + eps) got lost on the way. {pointing}",
                {"left": "xc", "right": "xc"},
            ),
            Knob(
                "xc-for-one-x-hat",
                f"In the last term one of the two factors is x - mu where x_hat belongs. {pointing}",
                {"left": "xc"},
            ),
            Knob(
                "x-for-xc",
                f"Inside the last sum, x stands where x - mu belongs. {pointing}",
                {"right": "x/s"},
            ),
            *_axis_knobs(result),
            Knob("dx-over-gamma", f"dx lacks the factor gamma: {result}.", {"gamma": False}),
        ),
        _dx_parts,
    )


def _axis_knobs(result):
    """Means over something else than the batch: both of them, or one."""
    features = f"taken over the features of each example. In {result} it runs over the batch."
    everything = f"taken over the whole array. In {result} there is one for each feature: name the axis."
    for one, said in ((1, features), (None, everything)):
        where = "features" if one == 1 else "everything"
        yield Knob(f"mean-over-{where}", f"A mean was {said}", {"axis": (one, one)})
        yield Knob(f"mean-of-dout-over-{where}", f"A mean was {said}", {"axis": (one, one), "late": True})
        yield Knob(
            f"mean-over-{where}-in-the-second-term", f"The mean in the second term was {said}", {"axis": (one, 0)}
        )
        yield Knob(f"mean-over-{where}-in-the-last-term", f"The mean in the last term was {said}", {"axis": (0, one)})


def _dx_terms(result, third):
    return (
        Term("direct path", f"the first term of {result}", _direct),
        Term("path through the mean", f"the second term of {result}", _through_mean),
        Term(
            "path through the variance",
            third,
            _through_variance,
            "Is it not in the code at all, or is dout not inside its mean? The mean of x_hat alone is zero.",
        ),
    )


def _sums_to_zero(name):
    def holds(case, out):
        g = case.gamma * case.dout if "gamma" in case else case.dout
        scale = np.max(np.abs(g * _standardized(case).inv_std))
        return negligible(case, out[name].sum(axis=0), scale * len(case.x))

    return holds


# -- the computations, step by step

_ONE = (*_steps.moments("eq. 3.1", "eq. 3.2", "eq. 3.3"), *_steps.division("eq. 3.3"))
_WHOLE = (*_steps.moments("eq. 3.1", "eq. 3.2", "eq. 3.19"), *_steps.division("eq. 3.19"))
_SLOPES = (
    Step("dvar", "eq. 3.11", lambda q: q.two * q.xc / q.N),
    Step("dinv_std", "eq. 3.12", lambda q: -q.half * q.inv_std * q.inv_std * q.inv_std * q.dvar),
)


def _with_numbers(case):
    return {**numbers(case), "two": 2.0, "half": 0.5, "one": 1.0, "eye": np.eye(len(case.x))}


# -- part 1: one feature

batch_statistics = Checks(
    normalization.batch_statistics,
    draw=_batch,
    truth=lambda case: tuple(np.array(v) for v in zip(*(_moments(c) for c in case.x.T), strict=True)),
    against="eq. 3.1 and 3.2, summed by hand",
    steps=Steps((*_ONE[:2], Step("var", "eq. 3.2", lambda q: q.mean(q.xc * q.xc)))),
    hints=(
        "Both are means over the batch: of x in eq. 3.1, of the squared deviations in eq. 3.2. Which axis is the batch?",
        "mu first, with axis=0. Subtract it from x, square, and take the mean over the same axis.",
        "For feature 0 alone: mu[0] = x[:, 0].sum() / N, and var[0] = sum((x[k, 0] - mu[0]) ** 2 for k in range(N)) / N.",
    ),
    idea="Two means over axis 0; the second one is the mean of what was squared after the first was subtracted.",
    slips=(
        Slip("sum-for-mean", "mu is a sum: see the 1/N in eq. 3.1.", "mu", lambda case: case.x.sum(axis=0)),
        Slip(
            "mean-over-everything",
            "mu is one number for the whole array. Eq. 3.1 has one for each feature: name the axis.",
            "mu",
            lambda case: np.full(case.x.shape[1], case.x.mean()),
        ),
        Slip("median", "This is the median. Eq. 3.1 is the mean.", "mu", lambda case: np.median(case.x, axis=0)),
        Slip(
            "bessel",
            "The variance was divided by N - 1. Eq. 3.2 divides by N: look at ddof.",
            "var",
            lambda case: case.x.var(axis=0, ddof=1),
        ),
        Slip(
            "std-for-variance",
            "This is the standard deviation. The variance of eq. 3.2 has no root.",
            "var",
            lambda case: case.x.std(axis=0),
        ),
        Slip(
            "variance-summed",
            "The squared deviations were added up, and not averaged: see the 1/N in eq. 3.2.",
            "var",
            lambda case: case.x.var(axis=0) * len(case.x),
        ),
        Slip(
            "not-centred",
            "The squares of x were averaged. Eq. 3.2 subtracts mu before it squares.",
            "var",
            lambda case: np.mean(case.x**2, axis=0),
        ),
        Slip(
            "not-squared",
            "The absolute deviations were averaged. Eq. 3.2 squares them.",
            "var",
            lambda case: np.mean(np.abs(case.x - case.x.mean(axis=0)), axis=0),
        ),
        Slip(
            "centred-by-one-mean",
            "The deviations were taken from one mean for the whole array. Eq. 3.2 uses each feature's own.",
            "var",
            lambda case: np.mean((case.x - case.x.mean()) ** 2, axis=0),
        ),
        Slip(
            "one-pass-variance",
            _spread_knobs("eq. 3.3")[-1].message,
            "var",
            lambda case: np.mean(case.x**2, axis=0) - np.mean(case.x, axis=0) ** 2,
        ),
    ),
)

_SUM_LEFT_OUT = (
    "The result is too small by the factor (1 - 1/N). Follow the terms with j different from i in eq. 3.8: "
    "their deviations alone do not add up to zero."
)

dvar_dx = Checks(
    normalization.dvar_dx,
    draw=_feature,
    truth=lambda case: jacobian_complex(lambda x: _moments(x)[1], case.x),
    against="the numerical derivative of eq. 3.2",
    steps=Steps((*_ONE[:2], *_SLOPES[:1]), _with_numbers),
    hints=(
        "Start from eq. 3.9. Which of its two terms does eq. 3.10 remove?",
        "What is left has one index, i: a number times the deviation of x[i] from the mean, for all i at once.",
        "For example 0 alone, with N = 2: 2 * (x[0] - mu) / 2.",
    ),
    idea="A factor of eq. 3.11 times the whole array of deviations; no loop, no sum.",
    terms={"dvar": (Term("slope", "eq. 3.11", lambda case: (case.x - case.x.mean()) / len(case.x) * 2),)},
    slips=(
        Slip(
            "x-for-deviation",
            "The raw x stands where the deviation from the mean belongs: eq. 3.2 squares x - mu.",
            "dvar",
            lambda case: case.x / len(case.x) * 2,
        ),
        Slip(
            "sum-left-out",
            _SUM_LEFT_OUT,
            "dvar",
            lambda case: (case.x - case.x.mean()) / len(case.x) * 2 * (1 - 1 / len(case.x)),
        ),
        Slip(
            "not-differentiated",
            "These are the squared deviations over N: the terms of eq. 3.2 itself. Each square still has to be differentiated.",
            "dvar",
            lambda case: (case.x - case.x.mean()) ** 2 / len(case.x),
        ),
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


def _dinv(case, spread=None, raw=False, exponent=3, less=False):
    s, N = _standardized(case, **(spread or {})), len(case.x)
    return -(s.inv_std**exponent) * (case.x if raw else s.xc) / N * (1 - 1 / N if less else 1)


dinvstd_dx = Checks(
    normalization.dinvstd_dx,
    draw=_feature_eps,
    truth=lambda case: jacobian_complex(lambda x: (_moments(x)[1] + case.eps) ** -0.5, case.x),
    against="the numerical derivative of 1/sqrt(var + eps)",
    steps=Steps((*_ONE, *_SLOPES), _with_numbers),
    hints=(
        "Eq. 3.12 is a chain of two slopes. You have written one of them already.",
        "The outer slope is that of u ** (-1/2) at u = var + eps; the inner one is dvar_dx(x).",
        "For var + eps = 4, the outer slope is -0.5 * 4 ** -1.5 = -0.0625.",
    ),
    idea="The power rule at var + eps gives one number; it multiplies the array that dvar_dx returns.",
    terms={"dinv_std": (Term("product of slopes", "eq. 3.12", lambda case: -_dinv(case)),)},
    factors=_powers,
    slips=(
        *variants(
            "dinv_std",
            _dinv,
            (
                *_spread_knobs("eq. 3.12"),
                Knob(
                    "x-for-deviation",
                    "The raw x stands where the deviation from the mean belongs: see eq. 3.11.",
                    {"raw": True},
                ),
                Knob("sum-left-out", _SUM_LEFT_OUT, {"less": True}),
                Knob(
                    "exponent",
                    "The exponent of var + eps is wrong. Differentiating a power lowers it by one: from -1/2 to what? See eq. 3.12.",
                    {"exponent": 1},
                ),
                Knob(
                    "exponent-two",
                    "The exponent of var + eps is wrong. Differentiating a power lowers it by one: from -1/2 to what? See eq. 3.12.",
                    {"exponent": 2},
                ),
            ),
        ),
        Slip(
            "derivative-of-the-root",
            "This is the derivative of sqrt(var + eps). Eq. 3.12 is about one over it.",
            "dinv_std",
            lambda case: -_dinv(case, exponent=1),
        ),
    ),
)


def _product_rule(case, spread=None, factor=None, x_term=1.0, mu_term=1.0, flipped=False, turned=False):
    s, N, x = _standardized(case, **(spread or {})), len(case.x), case.x
    dinv = -(s.inv_std**3) * s.xc / N
    outer = np.outer(dinv, x) if flipped else np.outer(x, dinv)
    last = s.mu * (dinv[:, None] if turned else dinv)
    return s.inv_std * np.eye(N) + x_term * outer - s.inv_std / N - mu_term * last


def _diagonal(compute):
    return lambda case: np.eye(len(case.x)) * compute(case)


def _jacobian_terms(where, gamma):
    scale = (lambda case: case.gamma) if gamma else (lambda case: 1.0)

    def front(case):
        return scale(case) * _standardized(case).inv_std

    def last(case):
        x_hat = _standardized(case).x_hat
        return front(case) * x_hat * x_hat[:, None] / len(x_hat)

    return {
        "J": (
            Term("delta term", f"the first term of {where}", lambda case: front(case) * np.eye(len(case.x))),
            Term(
                "term of the mean",
                f"the second term of {where}",
                lambda case: np.full((len(case.x),) * 2, front(case) / len(case.x)),
            ),
            Term("term of the variance", f"the third term of {where}", last),
        )
    }


xhat_jacobian = Checks(
    normalization.xhat_jacobian,
    draw=_feature_eps,
    truth=lambda case: jacobian_complex(lambda x: _one_feature(x, 1.0, case.eps), case.x),
    against="the numerical Jacobian of eq. 3.3",
    steps=Steps(
        (
            *_ONE,
            *_SLOPES,
            Step(
                "J",
                "eq. 3.6",
                lambda q: q.inv_std * q.eye - q.inv_std / q.N + q.outer(q.x, q.dinv_std) - q.mu * q.dinv_std,
            ),
        ),
        _with_numbers,
    ),
    hints=(
        "Eq. 3.6 has four terms. For each, ask which of the indices k and i it really contains: that says whether it is a "
        "matrix, a row, or one number.",
        "dx_k/dx_i is np.eye(N), dmu/dx_i is 1/N, and dinv_std/dx_i is your dinvstd_dx(x, eps). The product x_k * dinv[i] is "
        "an outer product: np.outer(x, dinv) has x along the rows.",
        "Entry [0, 1] alone: 0 + x[0] * dinv[1] - inv_std / N - mu * dinv[1].",
    ),
    idea="Four arrays, one for each term of eq. 3.6; broadcasting fits the row and the number to the two matrices.",
    terms=_jacobian_terms("eq. 3.14", gamma=False),
    factors=_powers,
    slips=(
        *variants(
            "J",
            _product_rule,
            (
                *_spread_knobs("eq. 3.3"),
                Knob(
                    "mu-term-missing",
                    "The last term of eq. 3.6 is missing: mu is multiplied by inv_std too, and inv_std depends on x[i].",
                    {"mu_term": 0.0},
                ),
                Knob(
                    "x-term-missing",
                    "The second term of eq. 3.6 is missing: x_k is multiplied by inv_std, and inv_std depends on x[i].",
                    {"x_term": 0.0},
                ),
                Knob("mu-term-sign", "The last term of eq. 3.6 has the wrong sign.", {"mu_term": -1.0}),
                Knob("x-term-sign", "The second term of eq. 3.6 has the wrong sign.", {"x_term": -1.0}),
                Knob(
                    "indices-exchanged",
                    "In the second term of eq. 3.6 the indices are exchanged: x has the index k of the rows, the derivative "
                    "of inv_std the index i of the columns.",
                    {"flipped": True},
                ),
                Knob(
                    "last-term-along-the-rows",
                    "In the last term of eq. 3.6 the derivative of inv_std lies along the rows. Its index is i, the column.",
                    {"turned": True},
                ),
            ),
        ),
        Slip(
            "only-the-diagonal",
            "Only the diagonal is there. mu and inv_std contain every example: which entries does that fill?",
            "J",
            _diagonal(_product_rule),
        ),
    ),
    properties=(
        Property(
            "each row of J sums to zero",
            lambda case, out: negligible(case, out["J"].sum(axis=1), np.max(np.abs(out["J"]))),
            "A row of J does not sum to zero, though moving all inputs together changes no output.",
        ),
    ),
)


def _short_jacobian(
    case, spread=None, factor=None, rows="x_hat", columns="x_hat", both=None, gamma=True, mean=1.0, third=1.0
):
    s, N = _standardized(case, **(spread or {})), len(case.x)
    front = _standardized(case, **(factor or spread or {})).inv_std * (case.gamma if gamma else 1.0)
    values = {"x_hat": s.x_hat, "xc": s.xc, "x": case.x}
    product = np.multiply.outer(values[rows], values[columns])
    if both == "row":
        product = np.repeat(s.x_hat[:, None] ** 2, N, axis=1)
    if both == "column":
        product = np.repeat(s.x_hat[None] ** 2, N, axis=0)
    return front * (np.eye(N) - (mean + third * product) / N)


normalize_jacobian = Checks(
    normalization.normalize_jacobian,
    draw=_feature_gamma,
    truth=lambda case: jacobian_complex(lambda x: _one_feature(x, case.gamma, case.eps), case.x),
    against="the numerical Jacobian of eq. 3.4",
    steps=Steps(
        (
            *_ONE,
            Step(
                "J",
                "eq. 3.15",
                lambda q: q.gamma * q.inv_std * (q.eye - q.one / q.N - q.outer(q.x_hat, q.x_hat) / q.N),
            ),
        ),
        _with_numbers,
    ),
    hints=(
        "Eq. 3.15 is one number in front of a bracket. Of the three terms in the bracket, one you know from lesson 02, and "
        "one is a product of something with index i and something with index k.",
        "x_hat first. The product x_hat_i * x_hat_k for all i and k is an outer product, (N, N).",
        "Entry [0, 1] alone: gamma * inv_std * (0 - 1 / N - x_hat[1] * x_hat[0] / N).",
    ),
    idea="The centring's matrix minus an outer product of x_hat with itself over N, all times one number.",
    terms=_jacobian_terms("eq. 3.15", gamma=True),
    factors=_spread,
    slips=(
        *variants(
            "J",
            _short_jacobian,
            (
                *_spread_knobs("eq. 3.3"),
                Knob(
                    "eps-missing-in-the-factor",
                    "x_hat is right, but the 1/sqrt in front of the bracket of eq. 3.15 lacks eps.",
                    {"factor": {"eps": 0.0}},
                ),
                Knob("x-for-x-hat", "The raw x stands where x_hat belongs in eq. 3.15.", {"rows": "x", "columns": "x"}),
                Knob(
                    "xc-for-x-hat",
                    "x - mu stands where x_hat belongs in eq. 3.15, or a power of sqrt(var + eps) got lost.",
                    {"rows": "xc", "columns": "xc"},
                ),
                Knob(
                    "xc-for-one-x-hat",
                    "One of the two factors in the third term of eq. 3.15 is not x_hat.",
                    {"rows": "xc"},
                ),
                Knob(
                    "row-index-twice",
                    "The third term has the index k twice: x_hat is squared. In eq. 3.15 one factor has k and the other i.",
                    {"both": "row"},
                ),
                Knob(
                    "column-index-twice",
                    "The third term has the index i twice: x_hat is squared. In eq. 3.15 one factor has k and the other i.",
                    {"both": "column"},
                ),
                Knob("term-of-the-mean-missing", "The term of the mean is missing: eq. 3.15.", {"mean": 0.0}),
                Knob("term-of-the-variance-missing", "The term of the variance is missing: eq. 3.15.", {"third": 0.0}),
                Knob("J-over-gamma", "J lacks the factor gamma: eq. 3.5.", {"gamma": False}),
            ),
        ),
        Slip(
            "only-the-diagonal",
            "Only the diagonal is there. mu and the variance contain every example: which entries does that fill?",
            "J",
            _diagonal(_short_jacobian),
        ),
        Slip(
            "gamma-left-inside",
            "gamma multiplies the first term only. In eq. 3.5 it stands in front of the whole derivative.",
            "J",
            lambda case: (
                _short_jacobian(case, gamma=False)
                + (case.gamma - 1) * _standardized(case).inv_std * np.eye(len(case.x))
            ),
        ),
    ),
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
    steps=Steps((*_ONE, _steps.three_terms("eq. 3.18"))),
    hints=(
        "Eq. 3.18 has one factor in front and three terms in the bracket. Each of the two sums in it is a mean of something.",
        "Compute x_hat and inv_std first, as in eq. 3.3. One mean is of dout, the other of dout * x_hat; the second is "
        "multiplied by x_hat again, entry by entry.",
        "If dout were all ones, the bracket would read 1 - 1 - x_hat * 0: test your line on that, it must give zero.",
    ),
    idea="Take from dout its mean and its projection on x_hat; what is left, times gamma and inv_std, is dx.",
    terms={"dx": _dx_terms("eq. 3.18", "the third term of eq. 3.18, which comes from eq. 3.11")},
    factors=_spread,
    slips=_dx_slips("eq. 3.18", "eq. 3.12", "Eq. 3.16", "eq. 3.3"),
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
    scalar=True,
    hints=(
        "You need no algebra. Call two neighbouring lines with the same arguments: do they give the same numbers?",
        "Go through the lines in order, keep the value of the line before, and return the number of the first line whose "
        "value is another one. np.allclose forgives rounding; == does not.",
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


def _out_parts(case, spread=None, gamma=1.0, beta=1.0, exchanged=False, inside=False):
    """The two terms of the output, possibly wrong."""
    s = _standardized(case, **(spread or {}))
    scale, shift = (case.beta, case.gamma) if exchanged else (case.gamma, case.beta)
    scale, shift = (scale if gamma else 1.0), beta * shift
    return scale * s.x_hat, scale * shift if inside else shift


def _out(case, **turn):
    scaled, shift = _out_parts(case, **turn)
    return scaled + shift


_OUT_KNOBS = (
    *_spread_knobs("eq. 3.19"),
    Knob("no-root", "It was divided by the variance: eq. 3.19 divides by a root.", {"spread": {"kind": "no-root"}}),
    Knob(
        "no-root-no-eps",
        "It was divided by the bare variance: eq. 3.19 divides by a root, with eps in it.",
        {"spread": {"kind": "no-root", "eps": 0.0}},
    ),
    Knob("squared", "It was divided by a square. Eq. 3.19 divides by a root.", {"spread": {"kind": "squared"}}),
    Knob("not-centred", "x was scaled but not centred: eq. 3.19 subtracts mu first.", {"spread": {"centre": False}}),
    Knob(
        "mean-over-features",
        "Mean and variance were taken over the features of each example. In eq. 3.19 they have the index of the feature: "
        "they run over the batch.",
        {"spread": {"axis": 1}},
    ),
    Knob(
        "mean-over-everything",
        "One mean and one variance were taken over the whole array. In eq. 3.19 each feature has its own.",
        {"spread": {"axis": (0, 1)}},
    ),
    Knob("scaled-part-over-gamma", "gamma is not in the result: see eq. 3.19.", {"gamma": 0.0}),
    Knob("shift-missing", "beta is not in the result: see eq. 3.19.", {"beta": 0.0}),
    Knob("gamma-and-beta-exchanged", "gamma and beta have changed places.", {"exchanged": True}),
    Knob(
        "shift-before-scale",
        "beta was added first and scaled too. In eq. 3.19 it stands outside the product.",
        {"inside": True},
    ),
)

# One derivation for the layer's three exercises: each looks at its own lines of it.
_GIVEN = "x: N D, gamma: D, beta: D, eps, dout: N D"
_FORWARD = """
mu      = mean(x)                     # eq. 3.1
var     = variance(x)                 # eq. 3.2
_xc     = x - mu                      # eq. 3.19
_std    = sqrt(var + eps)             # eq. 3.19
inv_std = 1 / _std                    # eq. 3.19
x_hat   = _xc * inv_std               # eq. 3.19
out     = gamma * x_hat + beta        # eq. 3.19
dgamma  = sum(dout * x_hat)           # eq. 3.25
dbeta   = sum(dout)                   # eq. 3.24
"""
_DX = "dx = gamma * inv_std * (dout - mean(dout) - x_hat * mean(dout * x_hat))    # eq. 3.23"
_COMPOSED = """
_g      = gamma * dout                                     # eq. 3.30
dxc     = inv_std * (_g - x_hat * mean(_g * x_hat))        # eq. 3.30
dx      = dxc - mean(dxc)                                  # eq. 3.30
"""

batchnorm_forward = Checks(
    normalization.batchnorm_forward,
    draw=_layer,
    truth=lambda case: _normalized(case.x, case.gamma, case.beta, case.eps),
    against="eq. 3.19, entry by entry",
    known=Known(_GIVEN, _FORWARD, terms={"out": ("scaled part", "shift")}),
    hints=(
        "You have mu and var from batch_statistics. What remains of eq. 3.19 is arithmetic on arrays of shape (N, D) and (D,).",
        "x - mu; divided by the root of var + eps, that is x_hat; then gamma and beta, row by row. Return out and a tuple of what "
        "you would not like to compute again.",
        "For feature 0 alone: out[:, 0] = gamma[0] * (x[:, 0] - mu[0]) / np.sqrt(var[0] + eps) + beta[0].",
    ),
    idea="Four lines, one for each named quantity: mu and var, inv_std, x_hat, out. The names are also what the cache should hold.",
)


def _cache(learner, case):
    """The cache of the learner's own forward pass.

    Raises:
        NotFilledError: The forward pass returns no cache, so there is nothing to go back with.
    """
    given = learner.batchnorm_forward(case.x, case.gamma, case.beta, case.eps)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise NotFilledError(
            "batchnorm_forward does not return out and a cache yet: check(normalization.batchnorm_forward) comes first."
        )
    return given[1]


def _dgamma(case, spread=None, values="x_hat", gamma=False, mean=False):
    s = _standardized(case, **(spread or {}))
    out = _out(case)
    partner = {"x_hat": s.x_hat, "xc": s.xc, "x": case.x, "out": out}[values]
    total = np.einsum("nd,nd->d", case.dout, np.broadcast_to(partner, case.dout.shape)) * (case.gamma if gamma else 1.0)
    return total / len(case.x) if mean else total


def _dbeta(case, gamma=False, mean=False):
    total = np.ones(len(case.x)) @ case.dout * (case.gamma if gamma else 1.0)
    return total / len(case.x) if mean else total


_PARAMETER_SLIPS = (
    *variants(
        "dgamma",
        _dgamma,
        (
            Knob("dgamma-mean", "dgamma was averaged over the batch. The N ways of eq. 3.25 add up.", {"mean": True}),
            Knob(
                "dgamma-with-x",
                "dgamma was made with the raw x. What does gamma multiply in eq. 3.19? That is what stands in eq. 3.25.",
                {"values": "x"},
            ),
            Knob(
                "dgamma-with-xc",
                "dgamma was made with x - mu. What does gamma multiply in eq. 3.19? That is what stands in eq. 3.25.",
                {"values": "xc"},
            ),
            Knob(
                "dgamma-with-out",
                "dgamma was made with out. What does gamma multiply in eq. 3.19? That is what stands in eq. 3.25.",
                {"values": "out"},
            ),
            Knob(
                "dgamma-times-gamma",
                "dgamma carries a factor gamma. The slope of gamma * x_hat with respect to gamma has none: eq. 3.25.",
                {"gamma": True},
            ),
            Knob(
                "dgamma-eps-missing",
                "The x_hat in dgamma was made without eps: take the one of the forward pass.",
                {"spread": {"eps": 0.0}},
            ),
            Knob(
                "dgamma-eps-fixed",
                "The x_hat in dgamma was made with eps = 1e-5 whatever was given: take the one of the forward pass.",
                {"spread": {"eps": 1e-5}},
            ),
            Knob(
                "dgamma-eps-outside-the-root",
                "The x_hat in dgamma was made with eps outside the root: take the one of the forward pass.",
                {"spread": {"kind": "outside"}},
            ),
            Knob(
                "dgamma-bessel",
                "The x_hat in dgamma was made with a variance over N - 1: take the one of the forward pass.",
                {"spread": {"ddof": 1}},
            ),
        ),
    ),
    *variants(
        "dbeta",
        _dbeta,
        (
            Knob("dbeta-mean", "dbeta was averaged over the batch. The N ways of eq. 3.24 add up.", {"mean": True}),
            Knob(
                "dbeta-times-gamma",
                "dbeta carries a factor gamma, which does not touch beta in eq. 3.19.",
                {"gamma": True},
            ),
        ),
    ),
    Slip(
        "dbeta-with-x-hat",
        "dbeta has x_hat in it: that is the other parameter's gradient. See eq. 3.24.",
        "dbeta",
        _dgamma,
    ),
)


def _parameter_terms():
    """Summands as large as the sums could get: the natural scale, and what a sign or a factor is told from."""
    return {
        "dgamma": (Term("sum over the batch", "eq. 3.25", lambda case: _dgamma(case)),),
        "dbeta": (Term("sum over the batch", "eq. 3.24", lambda case: _dbeta(case)),),
    }


_LAYER_PROPERTIES = (
    Property(
        "each feature of dx sums to zero over the batch",
        _sums_to_zero("dx"),
        "Some feature of dx does not sum to zero over the batch.",
    ),
)

_PATHS = (
    "direct path",
    "path through the mean",
    "path through the variance | the third term of eq. 3.23, which comes from eq. 3.20",
)

batchnorm_backward = Checks(
    normalization.batchnorm_backward,
    draw=_layer_gradient,
    truth=_layer_gradients,
    against="the numerical derivative of eq. 3.19",
    call=lambda learner, case: learner.batchnorm_backward(case.dout, _cache(learner, case)),
    known=Known(_GIVEN, _FORWARD + _DX, _FORWARD + _COMPOSED, terms={"dx": _PATHS}),
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


@remembered
def _rms(case, eps=None, deviation=False, kind="root"):
    """inv_rms and z, each possibly wrong."""
    eps = case.eps if eps is None else eps
    square = case.xc.var(axis=0) if deviation else np.mean(case.xc**2, axis=0)
    inv_rms = {"root": lambda: (square + eps) ** -0.5, "outside": lambda: 1 / (np.sqrt(square) + eps)}[kind]()
    return inv_rms, case.xc * inv_rms


def _dxc_parts(
    case,
    spread=None,
    factor=None,
    left="z",
    right="z",
    axis=0,
    diagonal=False,
    centred=False,
    centred_z=False,
):
    """The two terms of dxc, possibly wrong."""
    inv_rms, z = _rms(case, **(spread or {}))
    front, _ = _rms(case, **{**(spread or {}), **(factor or {})})
    if centred_z:
        z = z - z.mean(axis=0)
    average = _averages(axis, len(case.xc), diagonal)
    values = {"z": z, "xc": case.xc}
    bracket = case.dout - average(case.dout) if centred else case.dout
    return front * bracket, front * (values[left] * average(case.dout * values[right]))


def _dxc(case, **turn):
    direct, radial = _dxc_parts(case, **turn)
    return direct - radial


def _lost_in_the_sum(case):
    inv_rms, z = _rms(case)
    return inv_rms * (case.dout - z * z.mean(axis=0))


rms_scale_backward = Checks(
    normalization.rms_scale_backward,
    draw=_off_centre,
    truth=lambda case: vjp_complex(lambda xc: _divided_by_rms(xc, case.eps), case.xc, case.dout),
    against="the numerical derivative of the scaling in eq. 3.27",
    steps=Steps(
        (
            Step("ms", "eq. 3.27", lambda q: q.mean(q.xc * q.xc)),
            Step("rms", "eq. 3.27", lambda q: q.root(q.ms + q.eps)),
            Step("inv_rms", "eq. 3.27", lambda q: 1 / q.rms),
            Step("z", "eq. 3.27", lambda q: q.xc * q.inv_rms),
            Step("dxc", "eq. 3.29", lambda q: q.inv_rms * (q.dout - q.z * q.mean(q.dout * q.z))),
        )
    ),
    hints=(
        "Two ways lead from c_i to the loss: through its own z_i, and through the root mean square into all z_k. Eq. 3.28 has "
        "one term for each, and none for a mean: none is subtracted here.",
        "1 / sqrt(mean of the squares of xc, plus eps) first, with axis=0; then z. In eq. 3.29 the only sum is over dout * z.",
        "With N = 1 and eps = 0, z is +1 or -1 whatever xc is; eq. 3.29 gives 0 then, as it must.",
    ),
    idea="Take from dout its projection on z, and divide by the root mean square.",
    terms={
        "dxc": (
            Term("direct path", "the first term of eq. 3.29", lambda case: _rms(case)[0] * case.dout),
            Term(
                "path through the root mean square",
                "the second term of eq. 3.29",
                lambda case: _rms(case)[0] * case.dout - _dxc(case),
            ),
        )
    },
    factors=lambda case: {"inv_rms": _rms(case)[0], "inv_rms^2": _rms(case)[0] ** 2},
    slips=(
        Slip(
            "dout-lost-in-the-sum",
            "dout is missing inside the last sum. In eq. 3.29 every term of the sum over k contains what arrives at z_k.",
            "dxc",
            _lost_in_the_sum,
        ),
        *variants(
            "dxc",
            _dxc,
            (
                Knob(
                    "only-the-diagonal",
                    "Only the diagonal of the Jacobian was used. The root mean square contains every example, so each input "
                    "reaches all N outputs: sum over k.",
                    {"diagonal": True},
                ),
                Knob(
                    "centred-as-well",
                    "A mean of dout was subtracted. There is no centring in this function: see eq. 3.28.",
                    {"centred": True},
                ),
                Knob(
                    "variance-for-mean-square",
                    "The variance of xc was used. It is the mean of the squares only where xc has mean zero, and here it need not.",
                    {"spread": {"deviation": True}},
                ),
                Knob(
                    "centred-z",
                    "z was centred. Eq. 3.27 divides, and subtracts nothing at this stage.",
                    {"centred_z": True},
                ),
                Knob("eps-missing", "eps does not take part: see eq. 3.27.", {"spread": {"eps": 0.0}}),
                Knob("eps-fixed", "eps is 1e-5 here whatever was given: use the argument.", {"spread": {"eps": 1e-5}}),
                Knob(
                    "eps-outside-the-root", "eps was added after the root was taken.", {"spread": {"kind": "outside"}}
                ),
                Knob(
                    "eps-missing-in-the-factor",
                    "z is right, but the 1/sqrt in front of the bracket of eq. 3.29 lacks eps.",
                    {"factor": {"eps": 0.0}},
                ),
                Knob(
                    "eps-outside-the-root-in-the-factor",
                    "z is right, but in front of the bracket of eq. 3.29 eps was added after the root was taken.",
                    {"factor": {"kind": "outside"}},
                ),
                Knob(
                    "xc-for-z",
                    "xc stands where z belongs, or a power of the root mean square got lost: see eq. 3.29.",
                    {"left": "xc", "right": "xc"},
                ),
                Knob("xc-for-one-z", "One of the two factors z of eq. 3.29 is xc.", {"left": "xc"}),
                Knob(
                    "mean-over-features",
                    "The mean was taken over the features of each example. In eq. 3.29 it runs over the batch.",
                    {"axis": 1},
                ),
                Knob(
                    "mean-over-everything",
                    "The mean was taken over the whole array. In eq. 3.29 there is one for each feature.",
                    {"axis": None},
                ),
            ),
            _dxc_parts,
        ),
    ),
)


def _scaled_by_itself(case):
    """x_hat where xc belongs: the scaling's backward at the wrong place."""
    right = _standardized(case)
    dxc = _dxc(Case(dout=case.gamma * case.dout, xc=right.x_hat, eps=case.eps))
    return dxc - dxc.mean(axis=0)


batchnorm_backward_composed = Checks(
    normalization.batchnorm_backward_composed,
    draw=_layer_gradient,
    truth=_layer_gradients,
    against="the numerical derivative of eq. 3.19",
    call=lambda learner, case: learner.batchnorm_backward_composed(case.dout, _cache(learner, case)),
    steps=Steps(
        (
            *_WHOLE,
            *_steps.parameters("eq. 3.25", "eq. 3.24"),
            Step("g", "eq. 3.29", lambda q: q.gamma * q.dout),
            Step("dxc", "eq. 3.29", lambda q: q.inv_std * (q.g - q.x_hat * q.mean(q.g * q.x_hat))),
            Step("dx", "eq. 3.30", lambda q: q.dxc - q.mean(q.dxc)),
        )
    ),
    hints=(
        "Forward: centre, scale by one over the root mean square, then gamma and beta. Backward: the same three in reverse order.",
        "What arrives at z is gamma * dout. Send it through your rms_scale_backward, which wants xc and eps from the cache. "
        "What comes out belongs to xc; the centring of eq. 2.9 brings it to x.",
        "If the cache lacks xc or eps, go back to batchnorm_forward and add them; your batchnorm_backward must then unpack them too.",
    ),
    idea="One call of rms_scale_backward, one subtraction of a mean; dgamma and dbeta as before.",
    terms={"dx": _dx_terms("eq. 3.23", "eq. 3.28"), **_parameter_terms()},
    factors=_spread,
    slips=(
        *_dx_slips("eq. 3.30", "eq. 3.28", "Eq. 3.22", "eq. 3.19"),
        *_PARAMETER_SLIPS,
        Slip(
            "mean-over-features-in-the-centring",
            "The last step centres along the features of each example. The centring of the forward pass runs over the batch.",
            "dx",
            _dx_centred_along_features,
        ),
        Slip(
            "x-hat-for-xc",
            "The scaling's backward was called with x_hat. It differentiates at what was divided: the c of eq. 3.27.",
            "dx",
            _scaled_by_itself,
        ),
    ),
    properties=_LAYER_PROPERTIES,
)

fixed_mean = Answer(
    normalization.fixed_mean,
    right="b",
    why={
        "a": "The term of the mean in eq. 3.9 is a multiple of the sum of all deviations. What is that sum?",
        "b": "What was forgotten is a multiple of the sum of all deviations, and that is zero. The "
        "variance is least when measured from the mean, so at the mean it does not feel a small shift of mu.",
        "c": "The deviation of x[i] itself is still there, squared, and has a slope.",
        "d": "That is what comes out when the sum over j different from i is taken to be zero. Only the sum over all j is.",
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
    right="c",
    why={
        "a": "That is dout, the gradient of the loss with respect to out. It still has to go back through the normalization.",
        "b": "That is the first term of eq. 3.23 alone. What do the other two make of a dout of ones?",
        "c": "The sum of x_hat over the batch is zero whatever x is, so this loss is N times the sum of beta, and x cannot change it. "
        "A wrong backward pass that only lacks the last term gives zero as well: this test would let it through. "
        "Take a random dout.",
        "d": "Look at the loss first: what is the sum of x_hat over the batch, for any x?",
    },
)

swapped_order = Answer(
    normalization.swapped_order,
    right="c",
    why={
        "a": "It tells apart results that differ by a billionth of their size. The two orders agree to rounding.",
        "b": "It matters in general: backward runs in reverse order, because each step needs the gradient of its own output. "
        "Try it with an xc that is not centred.",
        "c": "The centring takes away the constant direction, the scaling takes away the direction of x_hat. x_hat has mean zero, so "
        "these two directions are at right angles, and removing one does not touch the other.",
        "d": "It holds for every eps: eps only changes the length of x_hat, not its direction.",
    },
)
