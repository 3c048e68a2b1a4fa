"""Lesson 05: what is checked about running averages, the two modes, the block, folding and the layer.

The definitions are written out feature by feature; gradients are complex-step derivatives of them. The mistakes of one
normalization are needed several times (training, evaluation, block, layer): they are in ``_modes.py``.
"""

from __future__ import annotations

import copy

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import (
    Answer,
    Case,
    Checks,
    Knob,
    Property,
    Slip,
    Step,
    Steps,
    Term,
    _modes,
    _steps,
    negligible,
    numbers,
    remembered,
    same,
    variants,
)
from bnlib.checks._modes import USUAL_EPS
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
        settings |= {"eps": USUAL_EPS, "momentum": 0.9, "convention": "cs231n"}
    return Case(**batches, **gradients, **_gamma_beta(rng, D), **settings)


# -- views: the numbers that one normalization works with


def _both(case):
    """What training and evaluation mode share."""
    return {
        "weights": _weights(case) if "momentum" in case else None,
        "kept": _kept(case.x, case.convention) if "convention" in case else None,
    }


@remembered
def _training(case):
    x = case.x
    v = Case(case, mean=x.mean(axis=0), var=x.var(axis=0), **_both(case))
    if "running_mean" in case:
        v |= {"other_mean": case.running_mean, "other_var": case.running_var}
        if v.weights:
            v["updated_mean"] = _updated(case, case.running_mean, v.mean)
            v["updated_var"] = _updated(case, case.running_var, v.kept)
    return v


@remembered
def _evaluation(case):
    x = case.x
    return Case(case, mean=case.running_mean, var=case.running_var, other_mean=x.mean(axis=0), other_var=x.var(axis=0))


@remembered
def _block_view(case):
    return _training(Case(case, x=case.x @ case.W + case.b))


@remembered
def _history(case):
    """Running statistics of the layer after none, one and both training batches; the last as they came, where that is said."""
    mean, var = np.zeros(case.gamma.shape), np.ones(case.gamma.shape)
    history = [{"running_mean": mean, "running_var": var}]
    for x in (case.x1, case.x2):
        mean, var = _updated(case, mean, _mean(x)), _updated(case, var, _kept(x, case.convention))
        history.append({"running_mean": mean, "running_var": var})
    return [*history[:2], history[2] | case.get("as_they_came", {})]


@remembered
def _layer_training(case):
    v = _training(Case(case, x=case.x2, dout=case.dout2, **_history(case)[1]))
    return Case(v, updated_mean=_history(case)[2]["running_mean"], updated_var=_history(case)[2]["running_var"])


@remembered
def _layer_evaluation(case):
    return _evaluation(Case(case, x=case.x3, dout=case.dout3, **_history(case)[2]))


# -- the computations, step by step


def _average(old, new):
    where = "eqs. 5.2 and 5.3"
    return Step(f"new {old}", where, lambda q: q.old_weight * getattr(q, old) + q.new_weight * getattr(q, new), old)


_TRAINING = (*_steps.moments("eq. 5.1", "eq. 5.1", "eq. 5.1"), *_steps.division("eq. 5.1"))


def _evaluation_steps(x):
    return (
        Step("xc", "eq. 5.9", lambda q: getattr(q, x) - q.running_mean),
        Step("std", "eq. 5.9", lambda q: q.root(q.running_var + q.eps)),
        *_steps.division("eq. 5.9")[1:],
    )


_PARAMETERS = _steps.parameters("eq. 5.7", "eq. 5.7")


def _with_weights(case):
    old, new = _weights(case)
    kept = {"kept": _kept(case.x, case.convention)} if "x" in case else {}
    return {**numbers(case), "old_weight": old, "new_weight": new, **kept}


# -- 1, 2: running averages


def _one_pass_kept(x, var, eps):
    """The one-pass variance, made unbiased in the way people do where the right one is."""
    unbiased = np.allclose(var, _modes.bessel(x), rtol=1e-6)
    return _modes.one_pass(x) * (len(x) / (len(x) - 1) if unbiased else 1)


update_running = Checks(
    layer.update_running,
    draw=_draw_update,
    truth=lambda case: _updated(case, case.running, case.batch),
    against="eqs. 5.2 and 5.3, feature by feature",
    steps=Steps((_average("running", "batch"),), _with_weights),
    hints=(
        "The two conventions are one formula with two names for its weight. Which weight belongs to the old average?",
        "The two weights add up to one. Find the weight of the old average first: it depends on the convention only.",
        'With momentum 0.9, "cs231n" keeps nine tenths of the old average; "pytorch" keeps one tenth of it.',
    ),
    idea="Turn the convention into one number, the weight of the old average, then write a weighted mean once.",
    terms={"running": _modes.running_terms(lambda v: v.running, lambda v: v.batch)},
    slips=_modes.running_slips(
        "running", lambda case: Case(case, weights=_weights(case)), lambda v: v.running, lambda v: v.batch
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
    slips=variants(
        "var",
        lambda case, keep=lambda x, var, eps: var, stored=lambda var, eps: var: stored(
            keep(case.x, _kept(case.x, case.convention), 0.0), 0.0
        ),
        (
            *(knob for knob in _modes.kept_knobs() if not knob.name.startswith(("eps", "sigma"))),
            Knob(
                "mean-not-subtracted",
                "The squares are those of x itself: take the distances from the batch's mean.",
                {"keep": lambda x, var, eps: np.mean(x**2, axis=0) * var / x.var(axis=0)},
            ),
            Knob(
                "sum-for-mean",
                "The squares are added up and not divided.",
                {"keep": lambda x, var, eps: len(x) * x.var(axis=0)},
            ),
            Knob(
                "no-axis",
                "This is one variance of the whole array: name the axis.",
                {"keep": lambda x, var, eps: np.full(x.shape[1], x.var())},
            ),
            Knob(
                "one-pass-biased-variance",
                "The digits are gone: the mean of the squares minus the squared mean is right on paper, but with a large mean "
                "these are two large, nearly equal numbers. Square the distances from the mean.",
                {"keep": lambda x, var, eps: _modes.one_pass(x)},
            ),
            Knob(
                "one-pass-variance",
                "The digits are gone: the mean of the squares minus the squared mean is right on paper, but with a large mean "
                "these are two large, nearly equal numbers. Square the distances from the mean.",
                {"keep": _one_pass_kept},
            ),
        ),
    ),
)

# -- 3: training mode


def _train_truth(case):
    return (
        _trained(case.x, case.gamma, case.beta, case.eps),
        _updated(case, case.running_mean, _mean(case.x)),
        _updated(case, case.running_var, _kept(case.x, case.convention)),
    )


def _dout(case):
    return case.dout


batchnorm_train_forward = Checks(
    layer.batchnorm_train_forward,
    draw=_draw_train,
    truth=_train_truth,
    against="its definition, feature by feature",
    steps=Steps(
        (
            *_TRAINING,
            _steps.scaled("out", "eq. 5.1"),
            _average("running_mean", "mu"),
            _average("running_var", "kept"),
        ),
        _with_weights,
    ),
    hints=(
        "Two separate jobs share one mean: eq. 5.1 for out, and your update_running for both running statistics.",
        "out needs the biased variance in either convention. What goes into running_var is kept_variance(x, convention).",
        "For the mean it would read update_running(running_mean, mu, momentum, convention). Return the new arrays; the "
        "ones you were given stay as they are.",
    ),
    idea="Compute the batch's statistics once; normalize with them; average them into copies of the running ones.",
    terms={
        "out": _modes.forward_terms(_training, "eq. 5.1"),
        "running_mean": _modes.running_terms(lambda v: v.running_mean, lambda v: v.mean, _training),
        "running_var": _modes.running_terms(lambda v: v.running_var, lambda v: v.kept, _training),
    },
    slips=(
        *_modes.forward_slips("out", _training, "eq. 5.1", training=True),
        *_modes.running_slips("running_mean", _training, lambda v: v.running_mean, lambda v: v.mean),
        *_modes.running_slips("running_var", _training, lambda v: v.running_var),
    ),
    factors=_modes.factors(_training),
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
    steps=Steps((*_TRAINING, *_PARAMETERS, _steps.three_terms("eq. 5.8"))),
    hints=(
        "Eqs. 5.7 and 5.8 name all you need: x_hat, gamma and r, which is inv_std in code. Are they in your cache?",
        "Two means over the batch, each one number a feature: of dout, and of dout times x_hat.",
        "The last term of eq. 5.8 is x_hat times a mean: the mean has shape (D,), the product (N, D).",
    ),
    idea="The forward pass leaves x_hat, gamma and inv_std in the cache; eq. 5.8 is then one line, eq. 5.7 two.",
    terms={
        "dx": _modes.train_dx_terms(_training, _dout),
        "dgamma": _modes.parameter_terms(_training, _dout)[0],
        "dbeta": _modes.parameter_terms(_training, _dout)[1],
    },
    slips=(
        *_modes.train_dx_slips("dx", _training, _dout, more=_modes.running_in_training()),
        *_modes.parameter_slips("dgamma", "dbeta", _training, _dout, "eq. 5.1"),
    ),
    factors=_modes.factors(_training),
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
    steps=Steps((*_evaluation_steps("x"), _steps.scaled("out", "eq. 5.9"))),
    hints=(
        "Nothing is computed from the batch here: which two arrays stand where its mean and variance stood?",
        "running_var is a variance, not a standard deviation: eps is added to it, and the root is taken, as in training.",
        "For one feature it would read (x[:, l] - running_mean[l]) / np.sqrt(running_var[l] + eps), then scale and shift.",
    ),
    idea="Eq. 5.1 with two arrays exchanged. Each example is treated on its own.",
    terms={"out": _modes.forward_terms(_evaluation, "eq. 5.9")},
    slips=_modes.forward_slips("out", _evaluation, "eq. 5.9", training=False),
    factors=_modes.factors(_evaluation),
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
    steps=Steps(
        (*_evaluation_steps("x"), *_PARAMETERS, Step("dx", "eq. 5.11", lambda q: q.gamma * q.inv_std * q.dout))
    ),
    hints=(
        "Write down eq. 5.9 and circle everything that depends on x. How many circles are there?",
        "Only one path is left, so the three terms of training mode shrink to the first. dgamma and dbeta keep their form, "
        "with the x_hat of evaluation mode.",
        "d out[k, l] / d x[k, l] is a number that depends on the feature only: eq. 5.10.",
    ),
    idea="A constant times dout, feature by feature: no means, no sums, no neighbours.",
    terms={
        "dx": (
            Term(
                "direct path",
                "eq. 5.11",
                lambda case: case.gamma * case.dout / np.sqrt(case.running_var + case.eps),
            ),
        ),
        "dgamma": _modes.parameter_terms(_evaluation, _dout)[0],
        "dbeta": _modes.parameter_terms(_evaluation, _dout)[1],
    },
    slips=(
        *_modes.eval_dx_slips("dx", _evaluation, _dout),
        *_modes.parameter_slips("dgamma", "dbeta", _evaluation, _dout, "eq. 5.9"),
    ),
    factors=_modes.factors(_evaluation),
)

# -- 6: undoing


def _root(case, var=lambda x: x.var(axis=0), divide=lambda var, eps: np.sqrt(var + eps), after=lambda root: root):
    return after(divide(var(case.x), case.eps))


undo_normalization = Checks(
    layer.undo_normalization,
    draw=_draw_undo,
    truth=lambda case: (np.sqrt(_variance(case.x) + case.eps), _mean(case.x)),
    against="what eq. 5.1 took away",
    steps=Steps(
        (
            *_TRAINING[:4],
            Step("gamma", "eq. 5.13", lambda q: q.std),
            Step("beta", "eq. 5.13", lambda q: q.mu),
        )
    ),
    hints=(
        "Solve eq. 5.1 for x. What is x_hat multiplied by, and what is added?",
        "What the division took away, gamma gives back: the very number that divided, eps included.",
        "For one feature beta would be x[:, l].sum() / N.",
    ),
    idea="gamma is the root that stood in the denominator, beta the mean that was subtracted.",
    slips=(
        *variants(
            "gamma",
            _root,
            (
                *_modes.root_knobs("eq. 5.1", "gamma is"),
                Knob(
                    "bessel",
                    "gamma was made from the unbiased variance. Eq. 5.1 divides by N.",
                    {"var": lambda x: _modes.bessel(x)},
                ),
                Knob(
                    "gamma-inverted",
                    "gamma divides once more, in place of undoing the division.",
                    {"after": lambda root: 1 / root},
                ),
            ),
        ),
        Slip(
            "beta-sign",
            "beta has the wrong sign: the mean was subtracted, what undoes that?",
            "beta",
            lambda case: -case.x.mean(axis=0),
        ),
        Slip(
            "beta-scaled",
            "beta is divided by sigma. It is added behind the scaling: nothing scales it any more.",
            "beta",
            lambda case: case.x.mean(axis=0) / np.sqrt(case.x.var(axis=0) + case.eps),
        ),
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
    terms={
        "dx": (Term("matrix product", "eq. 5.15", lambda case: np.einsum("nh,dh->nd", case.dh, case.W)),),
        "dW": (Term("matrix product", "eq. 5.15", lambda case: np.einsum("nd,nh->dh", case.x, case.dh)),),
        "db": (Term("sum over the batch", "eq. 5.15", lambda case: np.einsum("nh->h", case.dh)),),
    },
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
    slips=variants(
        "dy",
        lambda case, mask=lambda c: c.y > 0, value=lambda c: c.da: value(case) * mask(case),
        (
            Knob("mask-from-da", "The sign of da decides here what passes. In eq. 5.16 y decides.", {"mask": lambda c: c.da > 0}),
            Knob("mask-reversed", "The gradient passes where y is negative: it is the other way round.", {"mask": lambda c: c.y < 0}),
            Knob("mask-missing", "Everything passes: where the output was cut off at zero, y does not matter.", {"mask": lambda c: 1.0}),
            Knob("mask-alone", "These are the slopes alone: da is missing (chain rule).", {"value": lambda c: 0 * c.y + 1.0}),
            Knob("times-output", "da is multiplied by the output. The slope of max(0, y) is one or zero.", {"value": lambda c: c.da * np.maximum(c.y, 0)}),
            Knob("times-input", "da is multiplied by y. The slope of max(0, y) is one or zero.", {"value": lambda c: c.da * c.y}),
            Knob("forward-of-gradient", "max was applied where a slope was asked: see eq. 5.16.", {"value": lambda c: c.y}),
        ),
    ),
)  # fmt: skip


@remembered
def _y(case):
    v = _block_view(case)
    return v.gamma * _modes.x_hat(v) + v.beta


@remembered
def _dy(case):
    """What arrives at the normalization of the block."""
    return case.da * (_y(case) > 0)


def _to_x(case, dh):
    return np.einsum("nh,dh->nd", dh, case.W)


def _to_W(case, dh):
    return np.einsum("nd,nh->dh", case.x, dh)


def _relu(case, y):
    return np.maximum(y, 0)


@remembered
def _with_start_statistics(case):
    """The block's view, with the running statistics that a fresh layer has."""
    H = len(case.b)
    start = {"running_mean": np.zeros(H), "running_var": np.ones(H), "momentum": 0.9, "convention": "cs231n"}
    return _training(Case(case, x=case.x @ case.W + case.b, **start))


_BLOCK = (*_steps.moments("eq. 5.1", "eq. 5.1", "eq. 5.1", "h"), *_steps.division("eq. 5.1"))


def _with_h(case):
    return {**numbers(case), "h": case.x @ case.W + case.b}


def _after_the_forward_pass(case):
    v = _block_view(case)
    sigma = _modes.sigma(v)
    return {**numbers(case), "h": v.x, "sigma": sigma, "inv_std": 1 / sigma, "x_hat": _modes.x_hat(v), "y": _y(case)}


block_forward = Checks(
    layer.block_forward,
    draw=_draw_block,
    truth=lambda case: (_block(case.x, case.W, case.b, case),),
    against="eq. 5.17, layer by layer",
    steps=Steps((*_BLOCK, Step("a", "eq. 5.17", lambda q: np.maximum(q.gamma * q.x_hat + q.beta, 0))), _with_h),
    hints=(
        "Three layers, one after the other: which arrays does each hand to the next?",
        "You have the middle one: batchnorm_train_forward. It asks for running averages; give it any and drop the new ones.",
        "The last line is np.maximum(y, 0). For the way back, ReLU wants y, the affine layer x and W, and the "
        "normalization its own cache.",
    ),
    idea="h, y, a: one line each; the cache is what the three backward functions will ask for.",
    slips=(
        *_modes.forward_slips(
            "a",
            _with_start_statistics,
            "eq. 5.1",
            training=True,
            after=_relu,
            more=(Knob("relu-missing", "The ReLU is missing: some of a is negative.", {"after": _modes.unchanged}),),
        ),
        Slip(
            "relu-before-normalization",
            "The ReLU stands before the normalization: in eq. 5.17 it is the last.",
            "a",
            lambda c: _trained(np.maximum(_block_view(c).x, 0), c.gamma, c.beta, c.eps),
        ),
        Slip(
            "normalization-missing",
            "The normalization is missing: this is the affine layer and the ReLU.",
            "a",
            lambda c: np.maximum(_block_view(c).x, 0),
        ),
    ),
)


def _relu_knobs():
    """Mistakes of the block's first backward step; they turn ``gradient``."""
    return (
        Knob(
            "relu-missing",
            "The gradient passed the ReLU as if it were not there: see eq. 5.16.",
            {"gradient": lambda case: case.da},
        ),
        Knob(
            "mask-from-da",
            "In the ReLU, the sign of da decides what passes. In eq. 5.16 the forward pass decides.",
            {"gradient": lambda case: case.da * (case.da > 0)},
        ),
        Knob(
            "mask-from-h",
            "In the ReLU, h decides what passes: its input was y, after the normalization.",
            {"gradient": lambda case: case.da * (_block_view(case).x > 0)},
        ),
    )


_SKIPPED = Knob(
    "normalization-skipped", "The gradient passed the normalization as if it were not there.", {"skipped": True}
)


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
    steps=Steps(
        (
            Step("dy", "eq. 5.16", lambda q: q.da * q.positive(q.y)),
            Step("dbeta", "eq. 5.7", lambda q: q.sum(q.dy)),
            Step("dgamma", "eq. 5.7", lambda q: q.sum(q.dy * q.x_hat)),
            Step(
                "dh",
                "eq. 5.8",
                lambda q: q.gamma * q.inv_std * (q.dy - q.mean(q.dy) - q.x_hat * q.mean(q.dy * q.x_hat)),
            ),
            Step("dx", "eq. 5.15", lambda q: q.dh @ q.W.T),
            Step("dW", "eq. 5.15", lambda q: q.x.T @ q.dh),
            Step("db", "eq. 5.15", lambda q: q.sum(q.dh)),
        ),
        _after_the_forward_pass,
    ),
    against="the numerical derivative of eq. 5.17",
    hints=(
        "Walk eq. 5.17 from its end to its beginning: relu_backward, batchnorm_train_backward, affine_backward.",
        "Each of the three hands on one array: da becomes dy, dy becomes dh, dh becomes dx. Parameters fall off on the way.",
        "The first line is dy = relu_backward(da, y), with the y of the forward pass from the cache.",
    ),
    idea="Three calls in reverse order. Whatever db comes out, compare it with zero.",
    terms={
        "dx": _modes.train_dx_terms(_block_view, _dy, _to_x),
        "dW": _modes.train_dx_terms(_block_view, _dy, _to_W),
        "db": (
            Term(
                "sum over the batch",
                "eq. 5.18",
                lambda case: np.sum(np.abs(case.gamma * _dy(case)) / _modes.sigma(_block_view(case)), axis=0),
            ),
        ),
        "dgamma": _modes.parameter_terms(_block_view, _dy)[0],
        "dbeta": _modes.parameter_terms(_block_view, _dy)[1],
    },
    slips=(
        *_modes.train_dx_slips("dx", _block_view, _dy, _to_x, more=(*_relu_knobs(), _SKIPPED)),
        *_modes.train_dx_slips("dW", _block_view, _dy, _to_W, more=(*_relu_knobs(), _SKIPPED)),
        Slip(
            "db-skips-the-normalization",
            "db is the sum of what arrives at the normalization. b stands before it: sum what leaves it (eq. 5.18).",
            "db",
            lambda case: _dy(case).sum(axis=0),
        ),
        Slip(
            "db-skips-the-block",
            "db is the sum of da: it has to pass the ReLU and the normalization first (eq. 5.18).",
            "db",
            lambda case: case.da.sum(axis=0),
        ),
        Slip(
            "db-direct-path-only",
            "db knows the direct path only. b moves the mean as well (eq. 5.18).",
            "db",
            lambda case: (case.gamma * _dy(case) / _modes.sigma(_block_view(case))).sum(axis=0),
        ),
        *_modes.parameter_slips("dgamma", "dbeta", _with_start_statistics, _dy, "eq. 5.1", more=_relu_knobs()),
    ),
)

# -- 8: folding


def _scale(case):
    return case.gamma / np.sqrt(case.running_var + case.eps)


def _folded(case, x, b):
    """Rows of x through the affine layer with bias ``b``, then through evaluation mode."""
    return _served(_affine(x, case.W, b), case)


def _scale_knobs():
    """Mistakes of the one number a feature that multiplies; they turn ``scale``."""
    for knob in _modes.root_knobs("eq. 5.9"):
        divide = knob.turn["divide"]
        yield Knob(knob.name, knob.message, {"scale": lambda c, divide=divide: c.gamma / divide(c.running_var, c.eps)})
    yield Knob("gamma-missing", "gamma is missing: see eq. 5.9.", {"scale": lambda c: _scale(c) / c.gamma})
    yield Knob(
        "scale-missing",
        "Nothing is scaled here: the scaling of eq. 5.9 has to go into the weights and into the bias.",
        {"scale": lambda c: np.ones_like(c.gamma)},
    )


def _new_bias(case, scale=_scale, b=None, mean=None, beta=lambda c: c.beta):
    s = scale(case)
    return (b(case) if b else case.b * s) - (mean(case) if mean else case.running_mean * s) + beta(case)


fold_into_affine = Checks(
    layer.fold_into_affine,
    draw=_draw_fold,
    truth=lambda case: (
        # What one unit of each input adds, and what no input at all gives.
        _folded(case, np.eye(len(case.W)), _no_bias(case)) - _folded(case, np.zeros((1, len(case.W))), _no_bias(case)),
        _folded(case, np.zeros((1, len(case.W))), case.b)[0],
    ),
    against="eq. 5.9 after eq. 5.14",
    steps=Steps(
        (
            _evaluation_steps("x")[1],
            Step("scale", "eq. 5.9", lambda q: q.gamma / q.std),
            Step("W2", "eq. 5.19", lambda q: q.W * q.scale),
            Step("b2", "eq. 5.19", lambda q: (q.b - q.running_mean) * q.scale + q.beta),
        )
    ),
    hints=(
        "Write eq. 5.9 with x @ W + b in the place of x, multiply out, and sort: what stands at x, what stands alone?",
        "One number a feature multiplies everything in eq. 5.9 but beta. It scales the columns of W.",
        "For x = 0 the two layers together give b2: what does eq. 5.9 make of b?",
    ),
    idea="Evaluation mode is scale and shift with fixed numbers, feature by feature: put them into W's columns and b.",
    terms={
        "W2": (Term("scaled weights", "eq. 5.19", lambda case: np.einsum("dh,h->dh", case.W, _scale(case))),),
        "b2": (
            Term("part of b", "eq. 5.19", lambda case: case.b * _scale(case)),
            Term("part of the running mean", "eq. 5.19", lambda case: case.running_mean * _scale(case)),
            Term("shift beta", "eq. 5.19", lambda case: case.beta),
        ),
    },
    slips=(
        *variants("W2", lambda case, scale=_scale: case.W * scale(case), tuple(_scale_knobs())),
        *variants(
            "b2",
            _new_bias,
            (
                *_scale_knobs(),
                Knob(
                    "b-not-scaled",
                    "b is not scaled. It is added before the normalization, so the scaling reaches it as well.",
                    {"b": lambda c: c.b},
                ),
                Knob(
                    "mean-not-scaled",
                    "The running mean is not scaled. It is subtracted before the scaling of eq. 5.9.",
                    {"mean": lambda c: c.running_mean},
                ),
                Knob(
                    "beta-scaled",
                    "beta is scaled as well. It is added after the scaling of eq. 5.9.",
                    {"beta": lambda c: c.beta * _scale(c)},
                ),
            ),
        ),
    ),
    factors=lambda case: {"gamma": case.gamma, "sigma": np.sqrt(case.running_var + case.eps)},
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
    v = _layer_evaluation(case)
    return case, {
        "out_eval": case.gamma * _modes.x_hat(v) + case.beta,
        "dx_eval": case.gamma * case.dout3 / _modes.sigma(v),
        "dgamma_eval": np.einsum("nd,nd->d", case.dout3, _modes.x_hat(v)),
        **{f"{name}_after": value for name, value in came.items()},
    }


def _of_second_and_third_batch(case):
    """What the layer's steps begin with: those of training at the second batch, those of evaluation at the third."""
    held = {name: case[name] for name in ("gamma", "beta", "momentum", "eps")}
    return {**held, **_history(case)[2], "N": float(len(case.x2)), "x": case.x2, "dout": case.dout2, "x3": case.x3}


def _dout2(case):
    return case.dout2


def _dout3(case):
    return case.dout3


@remembered
def _first_batch(case):
    """The view of the second training step as it would be were the first batch's numbers still there."""
    return _training(Case(_layer_training(case), x=case.x1))


def _not_copied(name):
    message = (
        f"{name} is the very array that the layer was made from: whoever changes that array changes the layer, and training "
        "the layer in place would change the caller's. The docstring asks for a copy."
    )
    return Slip("not-copied", message, name, lambda case: case[name] + 1)


def _stale(output, message, wrong, name="stale-cache"):
    return Slip(name, message, output, wrong)


def _layer_running_slips(output, which, batch):
    """Mistakes of a running average over the layer's two training batches.

    Args:
        output: The returned value.
        which: ``"running_mean"`` or ``"running_var"``.
        batch: From a case, one batch and turns of ``keep`` and ``stored`` to what the batch says.
    """

    def model(
        case,
        keep=lambda x, var, eps: var,
        stored=lambda var, eps: var,
        momentum=None,
        start=None,
        batches=slice(2),
        **turn,
    ):
        value = np.full(case.gamma.shape, {"running_mean": 0.0, "running_var": 1.0}[which] if start is None else start)
        weights = _weights(Case(case, momentum=case.momentum if momentum is None else momentum))
        for x in (case.x1, case.x2)[batches]:
            value = _modes.weighted(value, batch(case, x, keep, stored), weights, **turn)
        return value

    return variants(
        output,
        model,
        (
            *_modes.weight_knobs(),
            *(_modes.kept_knobs() if which == "running_var" else ()),
            Knob(
                "momentum-fixed",
                "It was updated with another momentum than the one that was passed: 0.9, the default.",
                {"momentum": 0.9},
            ),
            Knob(
                "updated-once",
                "It knows only one of the two training batches: the first.",
                {"batches": slice(1)},
            ),
            Knob(
                "starts-again",
                "It knows only one of the two training batches: it starts again with every call.",
                {"batches": slice(1, 2)},
            ),
            Knob(
                "wrong-start",
                "The running average did not begin where the docstring says.",
                {"start": 1.0 if which == "running_mean" else 0.0},
            ),
        ),
    )


def _mean_of(case, x, keep, stored):
    return x.mean(axis=0)


def _variance_of(case, x, keep, stored):
    return stored(keep(x, x.var(axis=0, ddof=int(case.convention == "pytorch")), case.eps), case.eps)


def _updated_in_evaluation(which, batch):
    """Slips of a running average that evaluation mode changed, in the right way or with a second mistake."""

    def model(case, again=False, keep=lambda x, var, eps: var, stored=lambda var, eps: var, **turn):
        value = _history(case)[2][which]
        return _modes.weighted(value, batch(case, case.x3, keep, stored), _weights(case), **turn) if again else value

    message = (
        f"Evaluation mode changed the {which.replace('_', ' ')}. Serving must not teach: update in training mode only."
    )
    knobs = (*_modes.weight_knobs(), *(_modes.kept_knobs() if which == "running_var" else ()))
    slips = variants(f"{which}_after", model, (Knob("updated-in-evaluation", message, {"again": True}), *knobs))
    return [slip for slip in slips if "updated-in-evaluation" in slip.name]


def _served_too_early(batches):
    """Evaluation mode with the running statistics of an earlier time."""
    return lambda case: _served(case.x3, Case(case, **_history(case)[batches]))


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
    terms={
        "out": _modes.forward_terms(_layer_training, "eq. 5.1"),
        "dx": _modes.train_dx_terms(_layer_training, _dout2),
        "dgamma": _modes.parameter_terms(_layer_training, _dout2)[0],
        "dbeta": _modes.parameter_terms(_layer_training, _dout2)[1],
        "running_mean": _modes.running_terms(lambda v: v.running_mean, lambda v: v.mean, _layer_training),
        "running_var": _modes.running_terms(lambda v: v.running_var, lambda v: v.kept, _layer_training),
        "out_eval": _modes.forward_terms(_layer_evaluation, "eq. 5.9"),
        "dx_eval": (
            Term(
                "direct path",
                "eq. 5.11",
                lambda case: case.gamma * case.dout3 / _modes.sigma(_layer_evaluation(case)),
            ),
        ),
        "dgamma_eval": _modes.parameter_terms(_layer_evaluation, _dout3)[0],
        "dbeta_eval": _modes.parameter_terms(_layer_evaluation, _dout3)[1],
    },
    slips=(
        _not_copied("gamma"),
        _not_copied("beta"),
        Slip(
            "start-statistics-in-training",
            "The running statistics of the very start were used to normalize. In training mode the batch is normalized with "
            "its own.",
            "out",
            lambda case: case.gamma * case.x2 / np.sqrt(1 + case.eps) + case.beta,
        ),
        *_modes.forward_slips("out", _layer_training, "eq. 5.1", training=True),
        Slip(
            "gradients-added-up",
            "dgamma is the sum over both calls of backward. It should be that of the last call only.",
            "dgamma",
            lambda case: (
                np.sum(case.dout1 * _modes.x_hat(_first_batch(case)), axis=0)
                + np.sum(case.dout2 * _modes.x_hat(_layer_training(case)), axis=0)
            ),
        ),
        Slip(
            "gradients-added-up",
            "dbeta is the sum over both calls of backward. It should be that of the last call only.",
            "dbeta",
            lambda case: case.dout1.sum(axis=0) + case.dout2.sum(axis=0),
        ),
        _stale(
            "dx",
            "backward uses the numbers of the first forward. Each forward has to replace what the one before stored.",
            lambda case: _modes.train_dx(_first_batch(case), case.dout2),
        ),
        _stale(
            "dgamma",
            "dgamma is still that of the first call of backward.",
            lambda case: np.sum(case.dout1 * _modes.x_hat(_first_batch(case)), axis=0),
            "stale-gradient",
        ),
        _stale(
            "dbeta",
            "dbeta is still that of the first call of backward.",
            lambda case: case.dout1.sum(axis=0),
            "stale-gradient",
        ),
        *_modes.train_dx_slips("dx", _layer_training, _dout2, more=_modes.running_in_training()),
        *_modes.parameter_slips("dgamma", "dbeta", _layer_training, _dout2, "eq. 5.1"),
        *_layer_running_slips("running_mean", "running_mean", _mean_of),
        *_layer_running_slips("running_var", "running_var", _variance_of),
        *_modes.forward_slips("out_eval", _layer_evaluation, "eq. 5.9", training=False),
        _stale(
            "out_eval",
            "Evaluation mode uses running statistics from before the last training batch.",
            _served_too_early(1),
            "stale-running-statistics",
        ),
        _stale(
            "out_eval",
            "Evaluation mode uses the running statistics of the very start: is the new pair stored?",
            _served_too_early(0),
            "start-statistics-in-evaluation",
        ),
        _stale(
            "dx_eval",
            "After a forward in evaluation mode, backward still uses the numbers of the training batch before it.",
            lambda case: _modes.train_dx(_layer_training(case), case.dout3),
        ),
        *_modes.eval_dx_slips("dx_eval", _layer_evaluation, _dout3),
        _stale(
            "dgamma_eval",
            "In evaluation mode dgamma still uses the x_hat of the training batch before it.",
            lambda case: np.sum(case.dout3 * _modes.x_hat(_layer_training(case)), axis=0),
        ),
        _stale(
            "dgamma_eval",
            "backward in evaluation mode left dgamma as it was after the training batch.",
            lambda case: np.sum(case.dout2 * _modes.x_hat(_layer_training(case)), axis=0),
            "stale-gradient",
        ),
        _stale(
            "dbeta_eval",
            "backward in evaluation mode left dbeta as it was after the training batch.",
            lambda case: case.dout2.sum(axis=0),
            "stale-gradient",
        ),
        *_modes.parameter_slips("dgamma_eval", "dbeta_eval", _layer_evaluation, _dout3, "eq. 5.9"),
        *_updated_in_evaluation("running_mean", _mean_of),
        *_updated_in_evaluation("running_var", _variance_of),
    ),
    factors=_modes.factors(_layer_training),
    steps=Steps(
        (
            *_TRAINING,
            _steps.scaled("out", "eq. 5.1"),
            *_PARAMETERS,
            _steps.three_terms("eq. 5.8"),
            *_evaluation_steps("x3"),
            _steps.scaled("out_eval", "eq. 5.9"),
        ),
        _of_second_and_third_batch,
    ),
    follows=_with_averages_as_they_came,
)

# -- quizzes

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
    right="b",
    why={
        "a": "The variance is zero, but eps stands beside it under the root: 0 / sqrt(eps) is 0, not nan.",
        "b": "The mean of one example is the example itself. Nothing is left after the subtraction, so gamma multiplies zero, "
        "and beta is all that comes out.",
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
    right="b",
    why={
        "a": "It was zero because the batch's mean moved along with b. In evaluation mode the mean is a stored number.",
        "b": "b moves h, and nothing takes the move away again: the running mean stays where it is. So the loss depends on b.",
        "c": "Evaluation mode has a gradient, eq. 5.11. It is only simpler.",
        "d": "Nearly: b's contribution passes the scaling, beta's does not. They differ by gamma / sqrt(running_var + eps).",
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
            "Put in its three terms, and add up each by itself over i in N.",
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
