"""Lesson 05: what is checked about running averages, the two modes, the block, folding and the layer.

The definitions are written out feature by feature; gradients are complex-step derivatives of them. The mistakes follow from
the derivations, which are lines of text; what is no edit of a line is a slip by hand.
"""

from __future__ import annotations

import copy
from functools import partial

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Property, Slip, Term, negligible, remembered, same
from bnlib.checks.shared import (
    ABOUT_PARAMETERS,
    CACHE_ORDER,
    GATES,
    INSIDE,
    SCALED,
    SUMS,
    THREE_TERMS,
    about_dx,
    about_parameters,
    parameters,
    paths,
)
from bnlib.judging.mistakes.known import Known, Together
from bnlib.numerics import vjp_complex
from bnlib.stubs import layer

CONVENTIONS = ("cs231n", "pytorch")


# -- definitions


def _mean(x):
    return np.array([sum(x[:, l]) / len(x) for l in range(x.shape[1])])


def _variance(x, divisor=None):
    mu, divisor = _mean(x), len(x) if divisor is None else divisor
    return np.array([sum((x[:, l] - mu[l]) ** 2) / divisor for l in range(x.shape[1])])


def _normalized(x, mean, var, eps):
    out = np.empty(x.shape, dtype=np.result_type(x, mean, var))
    for k, l in np.ndindex(x.shape):
        out[k, l] = (x[k, l] - mean[l]) / np.sqrt(var[l] + eps)
    return out


def _trained(x, gamma, beta, eps):
    return gamma * _normalized(x, _mean(x), _variance(x), eps) + beta


def _served(x, case):
    return case.gamma * _normalized(x, case.running_mean, case.running_var, case.eps) + case.beta


def _kept(x, convention):
    return _variance(x, len(x) - 1 if convention == "pytorch" else len(x))


def _weights(case):
    """Weights of the old average and of the new batch."""
    return (case.momentum, 1 - case.momentum) if case.convention == "cs231n" else (1 - case.momentum, case.momentum)


def _updated(case, running, batch):
    old, new = _weights(case)
    return np.array([old * r + new * s for r, s in zip(running, batch, strict=True)])


def _clipped(y):
    """ReLU that a complex step can pass through."""
    return np.where(np.real(y) > 0, y, 0)


def _affine(x, W, b):
    """Row by row, input by input."""
    return np.stack([sum(row[d] * W[d] for d in range(len(W))) + b for row in x])


def _no_bias(case):
    return np.zeros(case.W.shape[1])


def _block(x, W, b, case):
    return _clipped(_trained(_affine(x, W, b), case.gamma, case.beta, case.eps))


# -- inputs


def _gamma_beta(rng, D):
    gamma = rng.uniform(0.5, 2.0, size=D) * rng.choice([-1.0, 1.0], size=D)
    return {"gamma": gamma, "beta": rng.normal(size=D) + rng.choice([-1.0, 1.0], size=D)}


def _settings(rng):
    convention = CONVENTIONS[int(rng.integers(2))]
    return {"momentum": float(rng.uniform(0.6, 0.95)), "convention": convention}


def _eps(rng):
    """Large enough to be seen, and never the usual one."""
    return float(10 ** rng.uniform(-2.5, -1))


def _running(rng, D):
    return {"running_mean": rng.uniform(1, 5, size=D), "running_var": rng.uniform(0.3, 3.0, size=D)}


def _batch(rng, N, D, offset=0.0):
    return rng.normal(size=(N, D)) * rng.uniform(0.5, 2.0, size=D) + rng.uniform(2, 5, size=D) + offset


def _sizes(rng):
    return int(rng.integers(5, 9)), int(rng.integers(3, 6))


def _draw_update(rng):
    D = int(rng.integers(4, 7))
    return Case(running=rng.uniform(1, 5, size=D), batch=rng.uniform(1, 5, size=D), **_settings(rng))


def _draw_variance(rng):
    N, D = _sizes(rng)
    return Case(x=_batch(rng, N, D, offset=3e4), convention=CONVENTIONS[int(rng.integers(2))])


def _draw_train(rng):
    N, D = _sizes(rng)
    rest = {**_gamma_beta(rng, D), **_running(rng, D), "eps": _eps(rng), **_settings(rng)}
    return Case(x=_batch(rng, N, D, offset=3e4), **rest)


def _draw_train_backward(rng):
    N, D = _sizes(rng)
    rest = {**_gamma_beta(rng, D), **_running(rng, D), "eps": _eps(rng), **_settings(rng)}
    return Case(x=_batch(rng, N, D), dout=rng.normal(size=(N, D)) + 0.7, **rest)


def _draw_eval(rng):
    N, D = _sizes(rng)
    return Case(x=_batch(rng, N, D), **_gamma_beta(rng, D), **_running(rng, D), eps=_eps(rng))


def _draw_eval_backward(rng):
    case = _draw_eval(rng)
    case["dout"] = rng.normal(size=case.x.shape) + 0.7
    return case


def _draw_undo(rng):
    return Case(x=_batch(rng, *_sizes(rng)), eps=_eps(rng))


def _draw_affine(rng):
    """All three sizes differ, so that a forgotten transpose does not fit."""
    D = int(rng.integers(2, 5))
    H = D + int(rng.integers(1, 3))
    N = H + int(rng.integers(1, 3))
    shapes = {"dh": (N, H), "x": (N, D), "W": (D, H)}
    return Case({name: rng.normal(size=shape) + 0.5 for name, shape in shapes.items()})


def _draw_relu(rng):
    shape = _sizes(rng)
    return Case(da=rng.normal(size=shape) + 0.3, y=rng.normal(size=shape))


def _draw_block(rng):
    N, D, H = int(rng.integers(6, 9)), 4, 3
    return Case(
        x=_batch(rng, N, D),
        W=rng.normal(size=(D, H)),
        b=rng.normal(size=H),
        gamma=rng.uniform(0.5, 2.0, size=H) * rng.choice([-1.0, 1.0], size=H),
        beta=rng.uniform(0.2, 0.8, size=H),
        eps=_eps(rng),
        da=rng.normal(size=(N, H)) + 0.7,
    )


def _draw_fold(rng):
    D, H = 3, int(rng.integers(5, 8))
    return Case(
        W=rng.normal(size=(D, H)), b=rng.normal(size=H) + 1.0, **_gamma_beta(rng, H), **_running(rng, H), eps=_eps(rng)
    )


def _draw_layer(rng):
    """``defaults`` says that the layer is made without settings: then they are those of the contract."""
    N, D = _sizes(rng)
    batches = {f"x{i}": _batch(rng, N, D) for i in (1, 2, 3)}
    gradients = {f"dout{i}": rng.normal(size=(N, D)) + 0.7 for i in (1, 2, 3)}
    settings = {"eps": _eps(rng), **_settings(rng), "defaults": bool(rng.integers(3) == 0)}
    if settings["defaults"]:
        settings |= {"eps": 1e-5, "momentum": 0.9, "convention": "cs231n"}
    return Case(**batches, **gradients, **_gamma_beta(rng, D), **settings)


# -- derivations

# fmt: off
_ABOUT_WEIGHTS = """
momentum-reversed: old_weight => _new_weight | the old average and the new batch have each other's weight: which of them does momentum multiply in this convention, that of eq. 5.2 or of eq. 5.3?
cs231n-for-both: old_weight => momentum | both conventions are treated alike, as if momentum were always the weight of the old average: see eqs. 5.2 and 5.3
pytorch-for-both: old_weight => 1 - momentum | both conventions are treated alike, as if momentum were always the weight of the new batch: see eqs. 5.2 and 5.3
never-updated: _new_weight * mu => _new_weight * running_mean | the average is as it was before
never-updated: old_weight => 1 | the average is as it was before
average-replaced: old_weight => 0 | there is the new batch alone
momentum-fixed: old_weight => 1/2 | this is the plain mean of the two: momentum has to decide their weights
momentum-fixed: old_weight => _usual_weight | momentum is 0.9 whatever was given: use the one that was passed
momentum-fixed: old_weight => 9/10 | the old average has the weight 0.9 whatever was given
new-weight-missing: _new_weight * A => A | the new batch has its full weight: the two weights add up to one
old-weight-missing: _old_weight * A => A | the old average keeps its full weight: the two weights add up to one
lost-parentheses: A + _new_weight * B => A + 1 - _old_weight * B | brackets are missing: 1 minus the weight of the old average is one factor
"""
_WEIGHTS = """
_old_weight = old_weight
_new_weight = 1 - _old_weight
"""
_KEPT = "_kept = sum((x - mean(x))**2) / (N - ddof)  # eqs. 5.1 and 5.6\n"
_ABOUT_KEPT = """
biased-for-unbiased: ddof => 0 | the sum of squares is divided by N in either convention
unbiased-for-biased: ddof => 1 | the sum of squares is divided by N - 1 in either convention
one-pass-variance: sum(A**2) / (N - ddof) => (mean(x**2) - mean(x)**2) * N / (N - ddof) | the digits are gone: the mean of the squares minus the squared mean is right on paper, but with a large mean these are two large, nearly equal numbers
variances-exchanged: ddof => 1 - ddof | biased and unbiased variance are in each other's place: which convention keeps which?
"""
_ABOUT_STORED = """
std-kept: A / (B - ddof) => sqrt(A / (B - ddof)) | a standard deviation is kept: average variances, the root comes later
sigma-kept: _kept => sqrt(var + eps) | a standard deviation is kept, with eps in it: average variances, root and eps come later
sigma-kept: A / (B - ddof) => sqrt(A / (B - ddof) + eps) | a standard deviation is kept, with eps in it: average variances, root and eps come later
eps-kept: A / (B - ddof) => A / (B - ddof) + eps | eps goes into the variance that is kept: it is added when the variance is used
"""


def _normalizing(x, mean, var, where):
    return f"""
_m       = {mean}
_v       = {var}
_xc      = {x} - _m                                           # {where}
_std     = sqrt(_v + eps)                                   # {where}
inv_std  = 1 / _std                                         # {where}
x_hat    = _xc * inv_std                                    # {where}
"""


def _moments(x):
    return f"mu = mean({x})  # eq. 5.1 \n var = variance({x})  # eq. 5.1 \n"


def _staged(x):
    """The normalization as it is written where the distances are squared once more."""
    return f"""
mu       = mean({x})                                          # eq. 5.1
var      = mean(({x} - mu)**2)                                # eq. 5.1
x_hat    = ({x} - mu) / sqrt(var + eps)                       # eq. 5.1
"""


_OUT = "out = gamma * x_hat + beta  # eq. 5.1\n"
_FORWARD = _moments("x") + _normalizing("x", "mu", "var", "eq. 5.1") + _OUT
_AT_ONCE = _moments("x") + "out = gamma * (x - mu) / sqrt(var + eps) + beta  # eq. 5.1"
_UPDATED = "_mean = _old_weight * running_mean + _new_weight * mu  # eq. 5.2 or 5.3\n" + _KEPT + """
_var     = _old_weight * running_var + _new_weight * _kept      # eq. 5.2 or 5.3
"""
_PARAMETERS = parameters("eq. 5.7", "eq. 5.7")
_DX = THREE_TERMS + "  # eq. 5.8\n"
_SERVED_OUT = "out = gamma * x_hat + beta  # eq. 5.9\n"
_SERVED = _normalizing("x", "running_mean", "running_var", "eq. 5.9") + _SERVED_OUT
_SERVED_IN_STEPS = "x_hat = (x - running_mean) / sqrt(running_var + eps)  # eq. 5.9\n" + _SERVED_OUT
_SERVED_AT_ONCE = "out = gamma * (x - running_mean) / sqrt(running_var + eps) + beta  # eq. 5.9"
_SERVED_BACK = """
_batch   = (x - mean(x)) / sqrt(variance(x) + eps)
dx       = gamma * inv_std * dout                           # eq. 5.11
""" + parameters("eq. 5.9", "eq. 5.9")
_LAYER = "x: N D, gamma: D, beta: D, running_mean: D, running_var: D, eps"

_ABOUT_TRAINING = """
mean-of-the-other-mode: mu => running_mean | the running mean is subtracted: training mode normalizes with the batch's own statistics
variance-of-the-other-mode: var => running_var | the running variance divides: training mode normalizes with the batch's own statistics
running-statistics-in-training: mu => running_mean | the running statistics normalize: in training mode the batch is normalized with its own
running-statistics-in-training: var => running_var | the running statistics normalize: in training mode the batch is normalized with its own
updated-running-statistics-in-training: mu => _mean | the running averages, already updated, normalize: in training mode the batch is normalized with its own statistics
updated-running-statistics-in-training: var => _var | the running averages, already updated, normalize: in training mode the batch is normalized with its own statistics
evaluation-gradient-in-training: gamma * inv_std * (dout - A - B) => gamma * dout / sqrt(running_var + eps) | there is the gradient of evaluation mode: in training mode mean and variance depend on the batch, and there are three terms
"""
_ABOUT_EVALUATION = """
mean-of-the-other-mode: running_mean => mean(x) | the batch's own mean is subtracted: in evaluation mode it must not matter
variance-of-the-other-mode: running_var => variance(x) | the batch's own variance divides: in evaluation mode it must not matter
var-for-mu: running_mean => running_var | a variance stands where a mean belongs
mu-for-var: running_var => running_mean | a mean stands where a variance belongs
batch-statistics-in-evaluation: running_mean => mean(x) | the batch's own mean and variance normalize: in evaluation mode they must not matter
batch-statistics-in-evaluation: running_var => variance(x) | the batch's own mean and variance normalize: in evaluation mode they must not matter
training-gradient-in-evaluation: gamma * inv_std * dout => gamma * inv_std * (dout - mean(dout) - x_hat * mean(dout * x_hat)) | there are the three terms of training mode: neither mean nor variance of eq. 5.9 depends on x, so which paths are left?
training-gradient-with-batch-statistics: gamma * inv_std * dout => gamma / sqrt(variance(x) + eps) * (dout - mean(dout) - _batch * mean(dout * _batch)) | there is the gradient of training mode, with the batch's statistics: in evaluation mode, which numbers of eq. 5.9 depend on x?
mean-path-in-evaluation: gamma * inv_std * dout => gamma * inv_std * (dout - mean(dout)) | a mean over the batch is subtracted: the mean of eq. 5.9 does not depend on x
"""
_RELU = """
_value   = da                                               # eq. 5.16
dy       = _value * positive(y)                             # eq. 5.16
"""
_ABOUT_RELU = """
times-input: _value * positive(A) => da * y | da is multiplied by y: the slope of max(0, y) is one or zero
relu-missing: positive(A) => 1 | everything passes, as if there were no ReLU
mask-from-da: positive(A) => positive(da) | the sign of da decides what passes: it is the forward pass that decides
mask-reversed: positive(A) => positive(-A) | the gradient passes where the input of the ReLU is negative: it is the other way round
mask-leaky: positive(A) => 1/100 + 99/100 * positive(A) | a small part of da passes where y is negative: the slope of max(0, y) is zero there
mask-alone: da => 1 + 0 * da | there are the slopes alone: da is missing
times-output: da => da * y | da is multiplied by the output: the slope of max(0, y) is one or zero
forward-of-gradient: da => y | max is applied where a slope was asked
"""
# fmt: on


_FORWARD_TERMS = ("scaled part", "shift")
_AVERAGE_TERMS = ("old average", "new batch")
_LAYER_TERMS = {
    "out": _FORWARD_TERMS,
    "dx": ("direct path",),
    **SUMS,
}


# -- views: what a case gives to the lines


def _given(case):
    """Weights and divisor as the convention says."""
    given = {**case, "ddof": float(case.convention == "pytorch")}
    if "momentum" in case:
        usual = Case(case, momentum=0.9)
        given |= {"old_weight": _weights(case)[0], "_usual_weight": _weights(usual)[0]}
    return given


@remembered
def _history(case):
    """Running statistics of the layer after none, one and both training batches; the last as they came, where that is said."""
    mean, var = np.zeros(case.gamma.shape), np.ones(case.gamma.shape)
    history = [{"running_mean": mean, "running_var": var}]
    for x in (case.x1, case.x2):
        mean, var = _updated(case, mean, _mean(x)), _updated(case, var, _kept(x, case.convention))
        history.append({"running_mean": mean, "running_var": var})
    return [*history[:2], history[2] | case.get("as_they_came", {})]


# -- 1, 2: running averages


update_running = Checks(
    layer.update_running,
    draw=_draw_update,
    truth=lambda case: _updated(case, case.running, case.batch),
    against="eqs. 5.2 and 5.3, feature by feature",
    hints=(
        "The two conventions are one formula with two names for its weight. Which weight belongs to the old average?",
        "The two weights add up to one. Find the weight of the old average first: it depends on the convention only.",
        'With momentum 0.9, "cs231n" keeps nine tenths of the old average; "pytorch" keeps one tenth of it.',
    ),
    idea="Turn the convention into one number, the weight of the old average, then write a weighted mean once.",
    known=Known(
        "running: D, batch: D, momentum, old_weight, _usual_weight",
        _WEIGHTS + "_new = _old_weight * running + _new_weight * batch  # eq. 5.2 or 5.3",
        rules=_ABOUT_WEIGHTS,
        terms={"running": _AVERAGE_TERMS},
        view=_given,
        outputs={"running": "_new"},
    ),
)

kept_variance = Checks(
    layer.kept_variance,
    draw=_draw_variance,
    truth=lambda case: _kept(case.x, case.convention),
    against="eqs. 5.1 and 5.6, summed by hand",
    hints=(
        "Both variances are a sum of squared distances from the batch's mean. They differ in what the sum is divided by.",
        'Numpy\'s var divides by N - ddof. Which ddof is "biased", which "unbiased"?',
        "For the numbers 1, 3 (mean 2, squares 1 and 1): biased (1 + 1)/2 = 1, unbiased (1 + 1)/1 = 2.",
    ),
    idea="One sum of squares a feature, and a divisor that depends on the convention; numpy's ddof does it.",
    known=Known(
        "x: N D, ddof",
        _KEPT,
        rules=_ABOUT_KEPT
        + """
            std-kept: sum(A) / (N - ddof) => sqrt(sum(A) / (N - ddof)) | a root is taken: the variance is asked
            sum-for-mean: sum(A) / (N - ddof) => sum(A) | the squares are added up and not divided
            not-centred: sum(A**2) => sum(x**2) | the squares are those of x itself: take the distances from the batch's mean
            not-squared: sum(A**2) => sum(abs(A)) | the distances are added up without being squared
            lost-parentheses: sum(A) / (N - ddof) => sum(A) / N - ddof | brackets are missing: N - 1 stands below the fraction line as a whole
        """,
        terms={"var": ("variance",)},
        view=_given,
        outputs={"var": "_kept"},
    ),
)

# -- 3: training mode


def _train_truth(case):
    return (
        _trained(case.x, case.gamma, case.beta, case.eps),
        _updated(case, case.running_mean, _mean(case.x)),
        _updated(case, case.running_var, _kept(case.x, case.convention)),
    )


batchnorm_train_forward = Checks(
    layer.batchnorm_train_forward,
    draw=_draw_train,
    truth=_train_truth,
    against="its definition, feature by feature",
    hints=(
        "Two separate jobs share one mean: eq. 5.1 for out, and your update_running for both running statistics.",
        "out needs the biased variance in either convention. What goes into running_var is kept_variance(x, convention).",
        "For the mean it would read update_running(running_mean, mu, momentum, convention). Return the new arrays; the "
        "ones you were given stay as they are.",
    ),
    idea="Compute the batch's statistics once; normalize with them; average them into copies of the running ones.",
    known=Known(
        f"{_LAYER}, momentum, old_weight, _usual_weight, ddof",
        _FORWARD + _WEIGHTS + _UPDATED,
        _staged("x") + _OUT,
        _AT_ONCE,
        rules=_ABOUT_WEIGHTS + _ABOUT_TRAINING + _ABOUT_KEPT + _ABOUT_STORED,
        terms={"out": _FORWARD_TERMS, "running_mean": _AVERAGE_TERMS, "running_var": _AVERAGE_TERMS},
        view=_given,
        outputs={"running_mean": "_mean", "running_var": "_var"},
    ),
)

batchnorm_train_backward = Checks(
    layer.batchnorm_train_backward,
    draw=_draw_train_backward,
    truth=lambda case: (
        vjp_complex(lambda x: _trained(x, case.gamma, case.beta, case.eps), case.x, case.dout),
        vjp_complex(lambda gamma: _trained(case.x, gamma, case.beta, case.eps), case.gamma, case.dout),
        vjp_complex(lambda beta: _trained(case.x, case.gamma, beta, case.eps), case.beta, case.dout),
    ),
    against="the numerical derivative of eq. 5.1",
    hints=(
        "Eqs. 5.7 and 5.8 name all you need: x_hat, gamma and r, which is inv_std in code. Are they in your cache?",
        "Two means over the batch, each one number a feature: of dout, and of dout times x_hat.",
        "The last term of eq. 5.8 is x_hat times a mean: the mean has shape (D,), the product (N, D).",
    ),
    idea="The forward pass leaves x_hat, gamma and inv_std in the cache; eq. 5.8 is then one line, eq. 5.7 two.",
    known=Known(
        f"{_LAYER}, old_weight, ddof, dout: N D",
        _FORWARD + _WEIGHTS + _UPDATED + _PARAMETERS + _DX,
        *(f"{_FORWARD}{way}  # eq. 5.8" for way in (SCALED, INSIDE, GATES)),
        rules=_ABOUT_TRAINING + ABOUT_PARAMETERS,
        words=about_dx("eq. 5.8", "eq. 5.8") | about_parameters("eq. 5.1", "eq. 5.7", "eq. 5.7"),
        terms={"dx": paths("eq. 5.8"), **SUMS},
        view=_given,
    ),
    properties=(
        Property(
            "each feature of dx sums to zero over the batch",
            lambda case, out: negligible(case, out["dx"].sum(axis=0), np.abs(out["dx"]).sum()),
            "Some feature of dx does not sum to zero over the batch.",
        ),
    ),
)

# -- 4: evaluation mode


batchnorm_eval_forward = Checks(
    layer.batchnorm_eval_forward,
    draw=_draw_eval,
    truth=lambda case: (_served(case.x, case),),
    against="eq. 5.9, entry by entry",
    hints=(
        "Nothing is computed from the batch here: which two arrays stand where its mean and variance stood?",
        "running_var is a variance, not a standard deviation: eps is added to it, and the root is taken, as in training.",
        "For one feature it would read (x[:, l] - running_mean[l]) / np.sqrt(running_var[l] + eps), then scale and shift.",
    ),
    idea="Eq. 5.1 with two arrays exchanged. Each example is treated on its own.",
    known=Known(
        _LAYER,
        _SERVED,
        _SERVED_IN_STEPS,
        _SERVED_AT_ONCE,
        rules=_ABOUT_EVALUATION,
        terms={"out": _FORWARD_TERMS},
    ),
)

batchnorm_eval_backward = Checks(
    layer.batchnorm_eval_backward,
    draw=_draw_eval_backward,
    truth=lambda case: (
        vjp_complex(lambda x: _served(x, case), case.x, case.dout),
        vjp_complex(lambda gamma: _served(case.x, Case(case, gamma=gamma)), case.gamma, case.dout),
        vjp_complex(lambda beta: _served(case.x, Case(case, beta=beta)), case.beta, case.dout),
    ),
    against="the numerical derivative of eq. 5.9",
    hints=(
        "Write down eq. 5.9 and circle everything that depends on x. How many circles are there?",
        "Only one path is left, so the three terms of training mode shrink to the first. dgamma and dbeta keep their form, "
        "with the x_hat of evaluation mode.",
        "d out[k, l] / d x[k, l] is a number that depends on the feature only: eq. 5.10.",
    ),
    idea="A constant times dout, feature by feature: no means, no sums, no neighbours.",
    known=Known(
        f"{_LAYER}, dout: N D",
        _SERVED + _SERVED_BACK,
        rules=_ABOUT_EVALUATION + ABOUT_PARAMETERS,
        words=about_parameters("eq. 5.9", "eq. 5.7", "eq. 5.7"),
        terms={"dx": ("direct path",), **SUMS},
    ),
)

# -- 6: undoing


undo_normalization = Checks(
    layer.undo_normalization,
    draw=_draw_undo,
    truth=lambda case: (np.sqrt(_variance(case.x) + case.eps), _mean(case.x)),
    against="what eq. 5.1 took away",
    hints=(
        "Solve eq. 5.1 for x. What is x_hat multiplied by, and what is added?",
        "What the division took away, gamma gives back: the very number that divided, eps included.",
        "For one feature beta would be x[:, l].sum() / N.",
    ),
    idea="gamma is the root that stood in the denominator, beta the mean that was subtracted.",
    known=Known(
        "x: N D, eps",
        "mu = mean(x)  # eq. 5.1 \n var = variance(x)  # eq. 5.1 \n gamma = sqrt(var + eps)  # eq. 5.13 \n beta = mu  # eq. 5.13",
        rules="""
            gamma-inverted: sqrt(A) => 1 / sqrt(A) | gamma divides once more, in place of undoing the division
            gamma-without-std: sqrt(A) => 1 + 0 * A | there is a one for every feature: what does the division take away?
            beta-sign: mu => -mu | the mean was subtracted: what undoes that?
            beta-scaled: mu => mu / sqrt(var + eps) | the mean is divided as well: beta is added behind the scaling
        """,
        terms={"gamma": ("root",), "beta": ("mean",)},
    ),
    properties=(
        Property(
            "normalized with this gamma and beta, x comes back",
            lambda case, out: negligible(
                case, _trained(case.x, out["gamma"], out["beta"], case.eps) - case.x, np.abs(case.x).max(axis=0)
            ),
            "Normalized with this gamma and beta, x does not come back.",
        ),
    ),
)

# -- 7: the block

_LAST_ONLY = "Only the last example is left: each pass of a loop replaces what the ones before it found (= for +=). See eq. 5.15."

affine_backward = Checks(
    layer.affine_backward,
    draw=_draw_affine,
    truth=lambda case: (
        vjp_complex(lambda x: _affine(x, case.W, _no_bias(case)), case.x, case.dh),
        vjp_complex(lambda W: _affine(case.x, W, _no_bias(case)), case.W, case.dh),
        vjp_complex(lambda b: _affine(case.x, case.W, b), _no_bias(case), case.dh),
    ),
    against="the numerical derivative of eq. 5.14",
    hints=(
        "Eq. 5.15 has three sums. Over which index does each of them run: examples, inputs or outputs?",
        "A sum over a shared index is a matrix product; when the index stands first in both factors, one is transposed.",
        "dx[i, d] = sum over j of dh[i, j] * W[d, j]: row i of dh with row d of W.",
    ),
    idea="Two matrix products, one with W transposed and one with x transposed, and a sum over the batch.",
    known=Known(
        "x: N D, W: D H, dh: N H",
        "dx = sum(dh * W, H)  # eq. 5.15 \n dW = sum(x * dh)  # eq. 5.15 \n db = sum(dh)  # eq. 5.15",
        terms={"dx": ("matrix product",), "dW": ("matrix product",), "db": ("sum over the batch",)},
    ),
    slips=(
        Slip("dW-last-example-only", _LAST_ONLY, "dW", lambda case: np.outer(case.x[-1], case.dh[-1])),
        Slip("db-last-example-only", _LAST_ONLY, "db", lambda case: case.dh[-1]),
    ),
)

relu_backward = Checks(
    layer.relu_backward,
    draw=_draw_relu,
    truth=lambda case: np.array(
        [[d if y > 0 else 0.0 for d, y in zip(*rows, strict=True)] for rows in zip(case.da, case.y, strict=True)]
    ),
    against="eq. 5.16, entry by entry",
    hints=(
        "Where max(0, y) is y, its slope is one. Where it is 0, a small change of y changes nothing.",
        "A comparison gives an array of True and False; numpy multiplies it like ones and zeros.",
        "For one entry it would read da[i, j] if y[i, j] > 0 else 0.",
    ),
    idea="Let the gradient pass where the input was positive, and stop it elsewhere.",
    known=Known(
        "da: N H, y: N H",
        _RELU,
        rules=_ABOUT_RELU.replace("relu-missing", "mask-missing"),
        terms={"dy": ("masked gradient",)},
    ),
)


# fmt: off
_H = "h = sum(x * W, D) + b  # eq. 5.14 \n"
_OF_H = _moments("h") + _normalizing("h", "mu", "var", "eq. 5.1")
_TO_A = """
y        = gamma * x_hat + beta                             # eq. 5.17
a        = y * positive(y)                                  # eq. 5.17
"""
_BLOCK_BACK = _RELU + """
dgamma   = sum(dy * x_hat)                                  # eq. 5.7
dbeta    = sum(dy)                                          # eq. 5.7
_direct  = gamma * inv_std * dy                             # eq. 5.8
_by_mean = mean(_direct)                                    # eq. 5.8
_by_var  = x_hat * mean(_direct * x_hat)                    # eq. 5.8
dx       = sum(_direct * W, H) - sum(_by_mean * W, H) - sum(_by_var * W, H)  # eq. 5.15
dW       = sum(x * _direct) - sum(x * _by_mean) - sum(x * _by_var)  # eq. 5.15
db       = sum(_direct - _by_mean - _by_var)                # eq. 5.18
"""
_ABOUT_START = """
running-statistics-in-training: A - _m => A | running averages of zeros and ones normalize, and not the batch's own statistics: this is evaluation mode
running-statistics-in-training: _v + eps => 1 + eps | running averages of zeros and ones normalize, and not the batch's own statistics: this is evaluation mode
"""
# fmt: on

block_forward = Checks(
    layer.block_forward,
    draw=_draw_block,
    truth=lambda case: (_block(case.x, case.W, case.b, case),),
    against="eq. 5.17, layer by layer",
    hints=(
        "Three layers, one after the other: which arrays does each hand to the next?",
        "You have the middle one: batchnorm_train_forward. It asks for running averages; give it any and drop the new ones.",
        "The last line is np.maximum(y, 0). For the way back, ReLU wants y, the affine layer x and W, and the "
        "normalization its own cache.",
    ),
    idea="h, y, a: one line each; the cache is what the three backward functions will ask for.",
    known=Known(
        "x: N D, W: D H, b: H, gamma: H, beta: H, eps",
        _H + _OF_H + _TO_A,
        _H + _staged("h") + _TO_A,
        rules=_ABOUT_START
        + """
            relu-missing: A * positive(A) => A | the ReLU is missing: some of a is negative
            gamma-missing: gamma * x_hat => x_hat | gamma does not take part
            shift-missing: A + beta => A | beta does not take part
            lost-parentheses: _xc * inv_std => h - mu * inv_std | brackets are missing: h is not divided
            gamma-missing: gamma * x_hat + beta => x_hat | neither gamma nor beta takes part
            mu-for-var: _v + eps => abs(mu) + eps | mu stands where var belongs
            normalization-missing: y * positive(y) => h * positive(h) | the normalization is missing: this is the affine layer and the ReLU
            relu-before-normalization: A * positive(A) => A | the ReLU stands before the normalization: it is the last
            relu-before-normalization: sum(A, D) + b => (sum(A, D) + b) * positive(sum(A, D) + b) | the ReLU stands before the normalization: it is the last
        """,
        terms={"a": ("output",)},
    ),
)


@remembered
def _passed(case):
    """What is there after the forward pass."""
    h = _affine(case.x, case.W, case.b)
    return {**case, "h": h, "y": _trained(h, case.gamma, case.beta, case.eps)}


def _db_path(case):
    """What the direct path alone would add up to in db, without signs: db itself is zero."""
    passed = Case(_passed(case))
    arriving = case.da * (passed.y > 0)
    return np.sum(np.abs(case.gamma * arriving) / np.sqrt(_variance(passed.h) + case.eps), axis=0)


block_backward = Checks(
    layer.block_backward,
    draw=_draw_block,
    truth=lambda case: (
        vjp_complex(lambda x: _block(x, case.W, case.b, case), case.x, case.da),
        vjp_complex(lambda W: _block(case.x, W, case.b, case), case.W, case.da),
        vjp_complex(lambda b: _block(case.x, case.W, b, case), case.b, case.da),
        vjp_complex(lambda g: _block(case.x, case.W, case.b, Case(case, gamma=g)), case.gamma, case.da),
        vjp_complex(lambda b: _block(case.x, case.W, case.b, Case(case, beta=b)), case.beta, case.da),
    ),
    against="the numerical derivative of eq. 5.17",
    hints=(
        "Walk eq. 5.17 from its end to its beginning: relu_backward, batchnorm_train_backward, affine_backward.",
        "Each of the three hands on one array: da becomes dy, dy becomes dh, dh becomes dx. Parameters fall off on the way.",
        "The first line is dy = relu_backward(da, y), with the y of the forward pass from the cache.",
    ),
    idea="Three calls in reverse order. Whatever db comes out, compare it with zero.",
    terms={"db": (Term("sum over the batch", "eq. 5.18", _db_path),)},
    known=Known(
        "x: N D, W: D H, gamma: H, eps, da: N H, h: N H, y: N H",
        _OF_H + _BLOCK_BACK,
        rules=_ABOUT_RELU
        + _ABOUT_START
        + CACHE_ORDER
        + """
            gamma-missing: gamma * inv_std * dy => inv_std * dy | gamma does not take part
            mask-from-h: positive(y) => positive(h) | h decides what passes the ReLU: its input was y, behind the normalization
            normalization-skipped: sum(_direct * A) - B - C => sum(dy * A) | the gradient passed the normalization as if it were not there
            gamma-in-dgamma: sum(dy * x_hat) => gamma * sum(dy * x_hat) | gamma itself is a factor: how does y change with gamma?
            gamma-in-dbeta: sum(dy) => gamma * sum(dy) | gamma is a factor: beta is added behind gamma
            db-skips-the-normalization: sum(_direct - A - B) => sum(dy) | there is the sum of what arrives at the normalization: b stands before it, so sum what leaves it
            db-skips-the-block: sum(_direct - A - B) => sum(da) | there is the sum of da: it has to pass the ReLU and the normalization first
            db-direct-path-only: sum(_direct - A - B) => sum(_direct) | there is the direct path only: b moves the mean as well
            dbeta-with-x-hat: sum(dy) => sum(dy * x_hat) | there is x_hat in it: that is the other parameter's gradient
        """,
        view=_passed,
        terms={"dx": paths("eq. 5.8"), "dW": paths("eq. 5.8"), **SUMS},
    ),
)

# -- 8: folding


def _folded(case, x, b):
    """Rows of x through the affine layer with bias ``b``, then through evaluation mode."""
    return _served(_affine(x, case.W, b), case)


fold_into_affine = Checks(
    layer.fold_into_affine,
    draw=_draw_fold,
    truth=lambda case: (
        # What one unit of each input adds, and what no input at all gives.
        _folded(case, np.eye(len(case.W)), _no_bias(case)) - _folded(case, np.zeros((1, len(case.W))), _no_bias(case)),
        _folded(case, np.zeros((1, len(case.W))), case.b)[0],
    ),
    against="eq. 5.9 after eq. 5.14",
    hints=(
        "Write eq. 5.9 with x @ W + b in the place of x, multiply out, and sort: what stands at x, what stands alone?",
        "One number a feature multiplies everything in eq. 5.9 but beta. It scales the columns of W.",
        "For x = 0 the two layers together give b2: what does eq. 5.9 make of b?",
    ),
    idea="Evaluation mode is scale and shift with fixed numbers, feature by feature: put them into W's columns and b.",
    known=Known(
        "W: D H, b: H, gamma: H, beta: H, running_mean: H, running_var: H, eps",
        """
        _std   = sqrt(running_var + eps)                     # eq. 5.9
        _scale = gamma / _std                                # eq. 5.9
        W2     = W * _scale                                  # eq. 5.19
        b2     = b * _scale - running_mean * _scale + beta   # eq. 5.19
        """,
        "_scale = gamma / sqrt(running_var + eps)  # eq. 5.9 \n b2 = (b - running_mean) * _scale + beta  # eq. 5.19",
        rules="""
            var-for-mu: running_mean => running_var | a variance stands where a mean belongs
            mu-for-var: running_var => running_mean | a mean stands where a variance belongs
            gamma-missing: gamma / A => 1 / A | gamma is missing
            scale-missing: gamma / A => 1 | nothing is scaled: the scaling of eq. 5.9 has to go into the weights and into the bias
            b-not-scaled: b * _scale => b | b is not scaled: it is added before the normalization, so the scaling reaches it as well
            mean-not-scaled: running_mean * _scale => running_mean | the running mean is not scaled: it is subtracted before the scaling of eq. 5.9
            beta-scaled: A + beta => A + beta * _scale | beta is scaled as well: it is added after the scaling of eq. 5.9
        """,
        terms={"W2": ("scaled weights",), "b2": ("part of b", "part of the running mean", "shift")},
    ),
)


# -- 9: the layer


def _run_layer(learner, case):
    """Two training batches, then one in evaluation mode; everything is asked for through methods.

    At the end the arrays that the layer was made from change: its own gamma and beta are copies. (Where the layer lives in
    another process, that process changes them.)
    """
    settings = () if case.defaults else (case.momentum, case.eps, case.convention)
    layer_ = learner.BatchNorm(case.gamma, case.beta, *settings)
    _parameters(layer_)
    layer_.forward(case.x1, True)
    layer_.backward(case.dout1)
    out = copy.deepcopy(layer_.forward(case.x2, True))
    dx = copy.deepcopy(layer_.backward(case.dout2))
    *_, dgamma, dbeta, running_mean, running_var = _parameters(layer_)
    out_eval = copy.deepcopy(layer_.forward(case.x3, False))
    dx_eval = copy.deepcopy(layer_.backward(case.dout3))
    *_, dgamma_eval, dbeta_eval, mean_after, var_after = _parameters(layer_)
    gamma, beta = _after_a_change(layer_, case.gamma, case.beta)
    training = gamma, beta, out, dx, dgamma, dbeta, running_mean, running_var
    return *training, out_eval, dx_eval, dgamma_eval, dbeta_eval, mean_after, var_after


def _after_a_change(layer_, *given):
    """The layer's gamma and beta while the arrays it was made from hold something else."""
    before = copy.deepcopy(given)
    for array in given:
        array += 1
    gamma, beta, *_ = _parameters(layer_)
    for array, was in zip(given, before, strict=True):
        array[...] = was
    return gamma, beta


def _parameters(layer_):
    values = layer_.parameters()
    if not isinstance(values, (tuple, list)) or len(values) != 6:
        raise ValueError("parameters() should return gamma, beta, dgamma, dbeta, running_mean, running_var")
    return copy.deepcopy(values)


def _layer_truth(case):
    served = Case(case, **_history(case)[2])
    mean, var = served.running_mean, served.running_var
    x, x3 = case.x2, case.x3
    return (
        case.gamma,
        case.beta,
        _trained(x, case.gamma, case.beta, case.eps),
        vjp_complex(lambda x: _trained(x, case.gamma, case.beta, case.eps), x, case.dout2),
        vjp_complex(lambda gamma: _trained(x, gamma, case.beta, case.eps), case.gamma, case.dout2),
        vjp_complex(lambda beta: _trained(x, case.gamma, beta, case.eps), case.beta, case.dout2),
        mean,
        var,
        _served(x3, served),
        vjp_complex(lambda x: _served(x, served), x3, case.dout3),
        vjp_complex(lambda gamma: _served(x3, Case(served, gamma=gamma)), case.gamma, case.dout3),
        vjp_complex(lambda beta: _served(x3, Case(served, beta=beta)), case.beta, case.dout3),
        mean,
        var,
    )


def _with_averages_as_they_came(case, result):
    """Wrong running averages spoil all that evaluation mode makes of them: what is right then."""
    came, right = {name: result[name] for name in ("running_mean", "running_var")}, _history(case)[2]
    if all(same(came[name], right[name]) for name in came) or np.any(came["running_var"] + case.eps <= 0):
        return case, {}
    case = Case(case, as_they_came=came)
    x_hat = _normalized(case.x3, came["running_mean"], came["running_var"], case.eps)
    return case, {
        "out_eval": case.gamma * x_hat + case.beta,
        "dx_eval": case.gamma * case.dout3 / np.sqrt(came["running_var"] + case.eps),
        "dgamma_eval": np.sum(case.dout3 * x_hat, axis=0),
        **{f"{name}_after": value for name, value in came.items()},
    }


def _of_size(array, x):
    """A batch from before; where it has another size than the batch now, no number of it can be used by mistake."""
    return array if array.shape == x.shape else np.full(x.shape, np.nan)


def _left_behind(name, case):
    return _history(case)[2][name]


def _second_batch(case):
    """What is given to the lines of training mode: the second batch, and what was there before it."""
    earlier = {"_x1": _of_size(case.x1, case.x2), "_dout1": _of_size(case.dout1, case.x2), "_first": case.x1}
    return {**_given(case), **earlier, "x": case.x2, "dout": case.dout2, "_zero": 0.0, "_one": 1.0}


def _third_batch(case):
    """What is given to the lines of evaluation mode: the third batch, and what training left behind."""
    _, before, after = _history(case)
    earlier = {"_x2": _of_size(case.x2, case.x3), "_dout2": _of_size(case.dout2, case.x3)}
    earlier |= {"_mean1": before["running_mean"], "_var1": before["running_var"]}
    then = {"_mean_then": after["running_mean"], "_var_then": after["running_var"], "_never": 0.0}
    return {**_given(case), **after, **earlier, **then, "x": case.x3, "dout": case.dout3}


# fmt: off
_FIRST_BATCH = """
_hat1        = (_x1 - mean(_x1)) / sqrt(variance(_x1) + eps)
_kept1       = sum((_first - mean(_first, M))**2, M) / (M - ddof)       # eqs. 5.1 and 5.6
running_mean = _old_weight * _zero + _new_weight * mean(_first, M)    # eq. 5.2 or 5.3
running_var  = _old_weight * _one + _new_weight * _kept1        # eq. 5.2 or 5.3
"""
_ABOUT_TWO_BATCHES = """
start-statistics-in-training: gamma * x_hat + beta => gamma * x / sqrt(1 + eps) + beta | the running statistics of the very start normalize: in training mode the batch is normalized with its own
stale-cache: gamma * inv_std * (dout - A - B) => gamma / sqrt(variance(_x1) + eps) * (dout - mean(dout) - _hat1 * mean(dout * _hat1)) | the numbers of the first forward are used: each forward has to replace what the one before stored
stale-gradient: sum(dout * x_hat) => sum(_dout1 * _hat1) | there is still the value of the first call of backward
stale-gradient: sum(dout) => sum(_dout1) | there is still the value of the first call of backward
gradients-added-up: sum(dout * x_hat) => sum(_dout1 * _hat1) + sum(dout * x_hat) | there is the sum over both calls of backward: it should be that of the last call only
gradients-added-up: sum(dout) => sum(_dout1) + sum(dout) | there is the sum over both calls of backward: it should be that of the last call only
updated-once: _old_weight * running_mean + A => running_mean | there is only one of the two training batches: the first
updated-once: _old_weight * running_var + A => running_var | there is only one of the two training batches: the first
starts-again: _old_weight * running_mean => _old_weight * _zero | there is only one of the two training batches: it starts again with every call
starts-again: _old_weight * running_var => _old_weight * _one | there is only one of the two training batches: it starts again with every call
wrong-start: _zero => 1 | the running average did not begin where the docstring says
wrong-start: _one => 0 | the running average did not begin where the docstring says
"""
_THIRD_BATCH = """
_hat2       = (_x2 - mean(_x2)) / sqrt(variance(_x2) + eps)
_mean_after = _mean_then + _never * _new_weight * (mean(x) - _mean_then)
_var_after  = _var_then + _never * _new_weight * (_kept - _var_then)
"""
_ABOUT_THIRD_BATCH = """
stale-running-statistics: gamma * x_hat + beta => gamma * (x - _mean1) / sqrt(_var1 + eps) + beta | there are running statistics from before the last training batch
start-statistics-in-evaluation: gamma * x_hat + beta => gamma * x / sqrt(1 + eps) + beta | there are the running statistics of the very start: is the new pair stored?
stale-cache: gamma * inv_std * dout => gamma / sqrt(variance(_x2) + eps) * (dout - mean(dout) - _hat2 * mean(dout * _hat2)) | the numbers of the training batch before are used
stale-cache: sum(dout * x_hat) => sum(dout * _hat2) | the x_hat of the training batch before is used
stale-gradient: sum(dout * x_hat) => sum(_dout2 * _hat2) | there is still the value of the training batch before
stale-gradient: sum(dout) => sum(_dout2) | there is still the value of the training batch before
updated-in-evaluation: _never => 1 | evaluation mode changed a running average
"""
# fmt: on


def _not_copied(name):
    message = (
        f"{name} is the very array that the layer was made from: whoever changes that array changes the layer, and training "
        "the layer in place would change the caller's. The docstring asks for a copy."
    )
    return Slip("not-copied", message, name, lambda case: case[name] + 1)


BatchNorm = Checks(
    layer.lesson.stubs["BatchNorm"],
    draw=_draw_layer,
    truth=_layer_truth,
    call=_run_layer,
    against="the lesson's definitions",
    hints=(
        "The layer holds what you have passed by hand so far. Which function of this lesson does each method call?",
        "forward must store three things: the new running statistics (in training mode only), the cache, and the mode.",
        "In training mode: out, self.running_mean, self.running_var, self.cache = batchnorm_train_forward(...). backward "
        "picks one of the two backward functions by the mode that forward stored.",
    ),
    idea="A drawer for gamma, beta and the running statistics, and two switches: training or not, in forward and in backward.",
    known=Together(
        Known(
            "x: N D, gamma: D, beta: D, eps, dout: N D, momentum, old_weight, _usual_weight, ddof, _x1: N D, _dout1: N D, _first: M D, _zero, _one",
            _WEIGHTS + _FIRST_BATCH + _FORWARD + _UPDATED + _PARAMETERS + _DX,
            _FORWARD + SCALED + "  # eq. 5.8",
            _staged("x") + _OUT,
            rules=_ABOUT_TWO_BATCHES
            + _ABOUT_TRAINING
            + _ABOUT_WEIGHTS
            + _ABOUT_KEPT
            + _ABOUT_STORED
            + ABOUT_PARAMETERS,
            words=about_dx("eq. 5.8", "eq. 5.8") | about_parameters("eq. 5.1", "eq. 5.7", "eq. 5.7"),
            terms=_LAYER_TERMS
            | {"dx": paths("eq. 5.8"), "running_mean": _AVERAGE_TERMS, "running_var": _AVERAGE_TERMS},
            view=_second_batch,
            outputs={"running_mean": "_mean", "running_var": "_var"},
        ),
        Known(
            f"{_LAYER}, dout: N D, momentum, old_weight, _usual_weight, ddof, _x2: N D, _dout2: N D, _mean1: D, _var1: D, "
            "_mean_then: D, _var_then: D, _never",
            _WEIGHTS + _KEPT + _SERVED + _SERVED_BACK + _THIRD_BATCH,
            _SERVED_IN_STEPS,
            rules=_ABOUT_THIRD_BATCH
            + _ABOUT_EVALUATION
            + _ABOUT_WEIGHTS
            + _ABOUT_KEPT
            + _ABOUT_STORED
            + ABOUT_PARAMETERS,
            words=about_parameters("eq. 5.9", "eq. 5.7", "eq. 5.7")
            | {
                "updated-in-evaluation": "Evaluation mode changed the running averages. Serving must not teach: update in training mode only."
            },
            terms={f"{name}_eval": said for name, said in _LAYER_TERMS.items()},
            view=_third_batch,
            outputs={
                **{f"{name}_eval": name for name in _LAYER_TERMS},
                "running_mean_after": "_mean_after",
                "running_var_after": "_var_after",
            },
        ),
    ),
    terms={  # a batch of one has no unbiased variance, and evaluation mode needs none
        f"{name}_after": (Term("average", "eqs. 5.2 and 5.3", partial(_left_behind, name)),)
        for name in ("running_mean", "running_var")
    },
    slips=(_not_copied("gamma"), _not_copied("beta")),
    follows=_with_averages_as_they_came,
)

# -- quizzes

recall_copied = Answer(
    layer.recall_copied,
    right="c",
    why={
        "a": "The rows hold the same number, but each row's gradient tells of another example. None may be left out.",
        "b": "A mean would be right for a mean gate. Here nothing was divided by N going forward.",
        "c": "The one number was used N times, so it reaches the loss along N ways, and their effects add up: eq. 4.16.",
        "d": "A gradient has the shape of its value. The value is one number a feature.",
    },
)

recall_roads = Answer(
    layer.recall_roads,
    right="d",
    why={
        "a": "What comes through the mean is the same for all examples of a feature: mean(dout). Here x_hat stands in front.",
        "b": "The straight road brings dout itself, scaled.",
        "c": "gamma scales all three terms alike; it is no road from the input to the loss.",
        "d": "The square gate's slope brings the factor xc, which becomes x_hat: an example far from the mean moves the "
        "variance most.",
    },
)

recall_needed = Answer(
    layer.recall_needed,
    right="a",
    why={
        "a": "The rest went away when the gates were folded. So this is all that a layer has to keep from forward to backward.",
        "b": "That is the walk, gate by gate. Folded, most of the values have gone.",
        "c": "One can begin there, but only to make inv_std (with eps) and x_hat of them once more.",
        "d": "beta is only added, so no gradient depends on it; and out holds x_hat only where gamma is not zero.",
    },
)

which_momentum = Answer(
    layer.which_momentum,
    right="b",
    why={
        "a": "In PyTorch momentum is the weight of the new batch. With 0.99 there the layer would remember little more than "
        "the last batch, and serve by it.",
        "b": "CS231n's momentum is the weight of the old average, PyTorch's the weight of the new batch. The two add up to one.",
        "c": "0.1 averages over about 10 batches, 0.01 over about 100. That is not close.",
        "d": "It is the same weighted mean; only the name of one weight differs. (The variance that is kept differs too.)",
    },
)

batch_of_one = Answer(
    layer.batch_of_one,
    right="a",
    why={
        "a": "The mean of one example is the example itself. Nothing is left after the subtraction, so gamma multiplies zero, "
        "and beta is all that comes out.",
        "b": "The variance is zero, but eps stands beside it under the root: 0 / sqrt(eps) is 0, not nan.",
        "c": "It is normalized all the same: with its own mean, which is itself.",
        "d": "gamma multiplies the example minus its mean, and the mean of one example is that example.",
    },
)

forgotten_mode = Answer(
    layer.forgotten_mode,
    right="c",
    why={
        "a": "The running statistics are there, but training mode does not look at them to normalize.",
        "b": "Labels are for the loss. The forward pass of training mode runs without them, and raises nothing: that is the "
        "trap (PyTorch does refuse a batch of one).",
        "c": "A request is a batch of one: behind the layer every feature is beta, whatever was asked. All that follows "
        "sees the same numbers every time. (Layers for images also average over the pixels of a feature, so one image is a batch "
        "of many numbers: its answers are not all the same, and still not the right ones.)",
        "d": "The answers are not right. Training mode compares a request with the other requests of its batch, and there are none.",
    },
)

bias_gradient = Answer(
    layer.bias_gradient,
    right="d",
    why={
        "a": "It was zero because the batch's mean moved along with b. In evaluation mode the mean is a stored number.",
        "b": "Nearly: b's contribution passes the scaling, beta's does not. They differ by gamma / sqrt(running_var + eps).",
        "c": "Evaluation mode has a gradient, eq. 5.11. It is only simpler.",
        "d": "b moves h, and nothing takes the move away again: the running mean stays where it is. So the loss depends on b.",
    },
)

evaluation_gradient = Chain(
    layer.evaluation_gradient,
    (
        Move(
            "x[i, j] may reach L through any y[k, l]: sum over both indices.",
            "Write the chain rule: a sum over k in N and l in D of dout[k, l] times a derivative of y[k, l].",
            "sum(dout[k, l] * d(y[k, l], x[i, j]) for k in N for l in D)",
        ),
        Move(
            "Which parts of y[k, l] move with x[i, j]? running_mean and running_var do not.",
            "Only x[k, l] moves, and only where it is x[i, j]: two deltas, times gamma[l] over the root.",
            "sum(dout[k, l] * gamma[l] / sqrt(running_var[l] + eps) * delta[k, i] * delta[l, j] for k in N for l in D)",
        ),
        Move(
            "There are two deltas, and two sums.",
            "Each delta eats one sum: write i for every k, and j for every l.",
            "dout[i, j] * gamma[j] / sqrt(running_var[j] + eps)",
        ),
    ),
    idea="The statistics are numbers from before: an example moves its own output, and nothing else.",
)

bias_before_gradient = Chain(
    layer.bias_before_gradient,
    (
        Move(
            "b[j] is added to feature j of every example of h.",
            "Write the chain rule through h: a sum over i in N of the derivative of L by h[i, j], each with slope 1.",
            "sum(d(L, h[i, j]) for i in N)",
        ),
        Move(
            "What arrives at h[i, j] is the gradient of the layer, eq. 5.8.",
            "Put it in, with h in the place of x and dy in that of dout: three terms under the sum over i.",
            "sum(gamma[j] * r[j] * (dy[i, j] - mean(dy[k, j] for k in N) - x_hat[i, j] * mean(dy[k, j] * x_hat[k, j] for k in N)) for i in N)",
        ),
        Move(
            "There are three terms under the sum over i. Which of their factors have an i?",
            "Add up each term by itself over i in N: what has no i comes out in front, or N times.",
            "gamma[j] * r[j] * (sum(dy[i, j] for i in N) - N * mean(dy[k, j] for k in N) - sum(x_hat[i, j] for i in N) * mean(dy[k, j] * x_hat[k, j] for k in N))",
        ),
        Move(
            "Look at each of the sums over i. What is N times a mean? What is the sum of all x_hat of a feature?",
            "The first two terms are the same number with opposite signs, and the third contains a sum that is zero.",
            "0",
        ),
    ),
    idea="A bias shifts a whole feature, the centring takes every shift out: the terms of the sum cancel.",
)
