"""Lesson 05: what is checked about running averages, the two modes, the block, folding and the layer.

The definitions are written out feature by feature; gradients are complex-step derivatives of them. The slips of forward
and backward are needed three times (training, evaluation, inside the layer), so they are written once, for a *view* of a
case that says which mean and variance normalize.
"""

from __future__ import annotations

import copy

import numpy as np

from bnlib.checks import Answer, Case, Checks, Property, Slip, Term
from bnlib.numerics import vjp_complex
from bnlib.stubs import layer

CONVENTIONS = ("cs231n", "pytorch")
USUAL_EPS = 1e-5


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
    return Case(x=_batch(rng, *_sizes(rng), offset=3e4), convention=CONVENTIONS[int(rng.integers(2))])


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


def _training(case):
    x = case.x
    return Case(case, mean=x.mean(axis=0), var=x.var(axis=0), other_mean=case.running_mean, other_var=case.running_var)


def _evaluation(case):
    x = case.x
    return Case(case, mean=case.running_mean, var=case.running_var, other_mean=x.mean(axis=0), other_var=x.var(axis=0))


def _block_view(case):
    h = case.x @ case.W + case.b
    return Case(case, x=h, mean=h.mean(axis=0), var=h.var(axis=0))


def _layer_history(case):
    """Running statistics of the layer after none, one and both training batches."""
    mean, var = np.zeros(case.gamma.shape), np.ones(case.gamma.shape)
    history = [(mean, var)]
    for x in (case.x1, case.x2):
        mean, var = _updated(case, mean, _mean(x)), _updated(case, var, _kept(x, case.convention))
        history.append((mean, var))
    return history


def _layer_training(case):
    mean, var = _layer_history(case)[1]
    return _training(Case(case, x=case.x2, dout=case.dout2, running_mean=mean, running_var=var))


def _layer_evaluation(case):
    mean, var = _layer_history(case)[2]
    return _evaluation(Case(case, x=case.x3, dout=case.dout3, running_mean=mean, running_var=var))


def _sigma(v):
    return np.sqrt(v.var + v.eps)


def _x_hat(v):
    return (v.x - v.mean) / _sigma(v)


# -- slips of one normalization, forward


def _forward_slips(output, view, training):
    """Mistakes of gamma * x_hat + beta; ``training`` decides which statistics are the wrong ones."""
    where = "eq. 5.1" if training else "eq. 5.9"

    def slip(name, message, wrong):
        return Slip(name, message, output, lambda case: wrong(view(case)))

    slips = [
        slip(
            "eps-forgotten",
            f"eps is missing: see what stands beside the variance in {where}.",
            lambda v: v.gamma * (v.x - v.mean) / np.sqrt(v.var) + v.beta,
        ),
        slip(
            "eps-hard-coded",
            f"eps is not the one that was passed: {USUAL_EPS} seems to be written into the code.",
            lambda v: v.gamma * (v.x - v.mean) / np.sqrt(v.var + USUAL_EPS) + v.beta,
        ),
        slip(
            "eps-outside-the-root",
            f"eps is added after the root was taken. In {where}, what does the root reach over?",
            lambda v: v.gamma * (v.x - v.mean) / (np.sqrt(v.var) + v.eps) + v.beta,
        ),
        slip(
            "no-root",
            f"Something is divided by the variance itself: {where} has a root. (Or a variance was taken for a "
            "standard deviation.)",
            lambda v: v.gamma * (v.x - v.mean) / (v.var + v.eps) + v.beta,
        ),
        slip(
            "no-root",
            f"Something is divided by the variance itself, without eps: {where} has a root, and eps under it.",
            lambda v: v.gamma * (v.x - v.mean) / v.var + v.beta,
        ),
        slip(
            "mean-not-subtracted",
            f"x is scaled, but its mean was not subtracted: see the numerator of {where}.",
            lambda v: v.gamma * v.x / _sigma(v) + v.beta,
        ),
        slip(
            "gamma-and-beta-exchanged",
            "gamma is added and beta multiplied: it is the other way round.",
            lambda v: v.beta * _x_hat(v) + v.gamma,
        ),
        slip(
            "running-statistics-in-training" if training else "batch-statistics-in-evaluation",
            "The running statistics were used to normalize. In training mode the batch is normalized with its own."
            if training
            else "The batch's own mean and variance were used to normalize. In evaluation mode they must not matter.",
            lambda v: v.gamma * (v.x - v.other_mean) / np.sqrt(v.other_var + v.eps) + v.beta,
        ),
        slip(
            "statistics-mixed",
            "Mean and variance come from different places: one from the batch, one from the running averages.",
            lambda v: v.gamma * (v.x - v.mean) / np.sqrt(v.other_var + v.eps) + v.beta,
        ),
        slip(
            "statistics-mixed",
            "Mean and variance come from different places: one from the batch, one from the running averages.",
            lambda v: v.gamma * (v.x - v.other_mean) / _sigma(v) + v.beta,
        ),
    ]
    if training:
        slips += [
            slip(
                "unbiased-in-forward",
                "The batch is normalized with the variance that divides by N - 1. The unbiased variance is for the running "
                "average only (and in one convention only); eq. 5.1 divides by N.",
                lambda v: v.gamma * (v.x - v.mean) / np.sqrt(v.x.var(axis=0, ddof=1) + v.eps) + v.beta,
            ),
            slip(
                "updated-running-statistics-in-training",
                "The running averages, already updated, were used to normalize. In training mode the batch is normalized "
                "with its own statistics.",
                lambda v: (
                    v.gamma
                    * (v.x - _updated(v, v.running_mean, v.mean))
                    / np.sqrt(_updated(v, v.running_var, _kept(v.x, v.convention)) + v.eps)
                    + v.beta
                ),
            ),
            slip(
                "wrong-axis",
                "Mean and variance were taken over the features of each example. Eq. 5.1 has one of each a feature.",
                lambda v: (
                    v.gamma * (v.x - v.x.mean(axis=1, keepdims=True)) / np.sqrt(v.x.var(axis=1, keepdims=True) + v.eps)
                    + v.beta
                ),
            ),
            slip(
                "no-axis",
                "One mean and one variance were taken over the whole array. Eq. 5.1 has one of each a feature: name the axis.",
                lambda v: v.gamma * (v.x - v.x.mean()) / np.sqrt(v.x.var() + v.eps) + v.beta,
            ),
            slip(
                "variance-by-subtraction",
                "The variance was computed as a difference of two large numbers (mean of the squares, square of the mean): "
                "with a mean far from zero its digits are lost. Square the distances from the mean.",
                lambda v: (
                    v.gamma * (v.x - v.mean) / np.sqrt(np.mean(v.x**2, axis=0) - np.mean(v.x, axis=0) ** 2 + v.eps)
                    + v.beta
                ),
            ),
        ]
    return tuple(slips)


def _forward_terms(view, where):
    return (
        Term("scaled part", where, lambda case: view(case).gamma * _x_hat(view(case))),
        Term("shift", where, lambda case: np.broadcast_to(view(case).beta, view(case).x.shape)),
    )


# -- slips of one normalization, backward


def _train_dx(v, dout, sigma=None, x_hat=None):
    """Three terms of the training gradient with some sigma and x_hat, right or wrong."""
    sigma = _sigma(v) if sigma is None else sigma
    x_hat = _x_hat(v) if x_hat is None else x_hat
    scaled = v.gamma * dout / sigma
    return scaled - scaled.mean(axis=0) - x_hat * (scaled * x_hat).mean(axis=0)


def _train_dx_slips(output, view, gradient, after=lambda case, dx: dx, running=True):
    """Mistakes of the training gradient; ``gradient`` says what arrives, ``after`` sends the wrong dx on."""

    def slip(name, message, wrong):
        return Slip(name, message, output, lambda case: after(case, wrong(view(case), gradient(case))))

    def along_axis_1(v, d):
        scaled, x_hat = v.gamma * d / _sigma(v), _x_hat(v)
        means = scaled.mean(axis=1, keepdims=True), (scaled * x_hat).mean(axis=1, keepdims=True)
        return scaled - means[0] - x_hat * means[1]

    def over_everything(v, d):
        scaled, x_hat = v.gamma * d / _sigma(v), _x_hat(v)
        return scaled - scaled.mean() - x_hat * (scaled * x_hat).mean()

    slips = [
        slip(
            "only-the-diagonal",
            "Only the diagonal of the Jacobian was used: the sums of eq. 5.8 over all k are missing.",
            lambda v, d: v.gamma * d / _sigma(v) * (1 - 1 / len(d) - _x_hat(v) ** 2 / len(d)),
        ),
        slip(
            "eps-forgotten",
            "eps is missing in the backward pass: sigma is the one of the forward pass, eps included.",
            lambda v, d: _train_dx(v, d, np.sqrt(v.var), (v.x - v.mean) / np.sqrt(v.var)),
        ),
        slip(
            "eps-forgotten",
            "eps is missing in the division of the backward pass: sigma is the one of the forward pass, eps included.",
            lambda v, d: _train_dx(v, d, np.sqrt(v.var)),
        ),
        slip(
            "eps-hard-coded",
            f"eps is not the one that was passed: {USUAL_EPS} seems to be written into the backward pass.",
            lambda v, d: _train_dx(v, d, np.sqrt(v.var + USUAL_EPS), (v.x - v.mean) / np.sqrt(v.var + USUAL_EPS)),
        ),
        slip(
            "eps-hard-coded",
            f"eps is not the one that was passed: {USUAL_EPS} seems to be written into the backward pass.",
            lambda v, d: _train_dx(v, d, np.sqrt(v.var + USUAL_EPS)),
        ),
        slip(
            "bessel",
            "The backward pass uses the variance that divides by N - 1, the forward pass the one that divides by N.",
            lambda v, d: _train_dx(
                v,
                d,
                np.sqrt(v.x.var(axis=0, ddof=1) + v.eps),
                (v.x - v.mean) / np.sqrt(v.x.var(axis=0, ddof=1) + v.eps),
            ),
        ),
        slip(
            "x-for-x-hat",
            "x stands where x_hat belongs, in the last term of eq. 5.8.",
            lambda v, d: _train_dx(v, d, None, v.x),
        ),
        slip(
            "wrong-axis",
            "The means were taken over the features of each example. In eq. 5.8 they run over the batch.",
            along_axis_1,
        ),
        slip(
            "no-axis",
            "The means were taken over the whole array. In eq. 5.8 they run over the batch, for each feature.",
            over_everything,
        ),
    ]
    if running:
        slips += [
            slip(
                "evaluation-gradient-in-training",
                "This is the gradient of evaluation mode, where mean and variance do not depend on the batch. In training "
                "mode they do: eq. 5.8 has three terms.",
                lambda v, d: v.gamma * d / np.sqrt(v.other_var + v.eps),
            ),
            slip(
                "running-statistics-in-training",
                "The running statistics were used in the backward pass. Training mode normalized with the batch's own.",
                lambda v, d: _train_dx(
                    v, d, np.sqrt(v.other_var + v.eps), (v.x - v.other_mean) / np.sqrt(v.other_var + v.eps)
                ),
            ),
        ]
    return tuple(slips)


def _train_dx_terms(view, gradient, after=lambda case, dx: dx):
    def scaled(case):
        v = view(case)
        return v.gamma * gradient(case) / _sigma(v)

    def over_batch(array):
        return np.broadcast_to(array.mean(axis=0), array.shape)

    return (
        Term("direct path", "first term of eq. 5.8", lambda case: after(case, scaled(case))),
        Term("path through the mean", "second term of eq. 5.8", lambda case: after(case, over_batch(scaled(case)))),
        Term(
            "path through the variance",
            "third term of eq. 5.8",
            lambda case: after(case, _x_hat(view(case)) * (scaled(case) * _x_hat(view(case))).mean(axis=0)),
        ),
    )


def _parameter_slips(dgamma, dbeta, view, gradient):
    """Mistakes of the gradients of gamma and beta."""
    return (
        Slip(
            "dgamma-contains-gamma",
            "gamma itself is a factor of dgamma. How does y change with gamma? Eq. 5.7.",
            dgamma,
            lambda case: np.sum(view(case).gamma * gradient(case) * _x_hat(view(case)), axis=0),
        ),
        Slip(
            "dgamma-with-x",
            "dgamma was computed with x. What does gamma multiply in eq. 5.1?",
            dgamma,
            lambda case: np.sum(gradient(case) * view(case).x, axis=0),
        ),
        Slip(
            "dgamma-with-centred-x",
            "dgamma was computed with the centred x, before its division. What does gamma multiply in eq. 5.1?",
            dgamma,
            lambda case: np.sum(gradient(case) * (view(case).x - view(case).mean), axis=0),
        ),
        Slip(
            "dgamma-with-output",
            "dgamma was computed with the layer's output. What does gamma multiply in eq. 5.1?",
            dgamma,
            lambda case: np.sum(gradient(case) * (view(case).gamma * _x_hat(view(case)) + view(case).beta), axis=0),
        ),
        Slip(
            "dbeta-contains-gamma",
            "gamma is a factor of dbeta. beta is added behind gamma: see eq. 5.7.",
            dbeta,
            lambda case: np.sum(view(case).gamma * gradient(case), axis=0),
        ),
    )


def _parameter_terms(view, gradient):
    return (
        (Term("sum over the batch", "eq. 5.7", lambda case: np.sum(gradient(case) * _x_hat(view(case)), axis=0)),),
        (Term("sum over the batch", "eq. 5.7", lambda case: np.sum(gradient(case), axis=0)),),
    )


def _eval_dx_slips(output, view, gradient):
    def slip(name, message, wrong):
        return Slip(name, message, output, lambda case: wrong(view(case), gradient(case)))

    def other_sigma(v):
        return np.sqrt(v.other_var + v.eps)

    def batch_view(v):
        return Case(v, mean=v.other_mean, var=v.other_var)

    return (
        slip(
            "training-gradient-in-evaluation",
            "This is the gradient of training mode, with the batch's statistics. In evaluation mode, which numbers of "
            "eq. 5.9 depend on x?",
            lambda v, d: _train_dx(batch_view(v), d),
        ),
        slip(
            "training-gradient-in-evaluation",
            "This has the three terms of training mode. In evaluation mode neither the mean nor the variance of eq. 5.9 "
            "depends on x: which paths are left?",
            lambda v, d: _train_dx(v, d),
        ),
        slip(
            "mean-path-in-evaluation",
            "A mean over the batch was subtracted. In evaluation mode the mean of eq. 5.9 does not depend on x.",
            lambda v, d: v.gamma * (d - d.mean(axis=0)) / _sigma(v),
        ),
        slip(
            "batch-variance-in-evaluation",
            "This divides by the batch's own standard deviation. What did the forward pass of evaluation mode divide by?",
            lambda v, d: v.gamma * d / other_sigma(v),
        ),
        slip(
            "eps-forgotten",
            "eps is missing: see what stands under the root of eq. 5.9.",
            lambda v, d: v.gamma * d / np.sqrt(v.var),
        ),
        slip(
            "eps-hard-coded",
            f"eps is not the one that was passed: {USUAL_EPS} seems to be written into the backward pass.",
            lambda v, d: v.gamma * d / np.sqrt(v.var + USUAL_EPS),
        ),
        slip(
            "eps-outside-the-root",
            "eps is added after the root was taken. In eq. 5.9, what does the root reach over?",
            lambda v, d: v.gamma * d / (np.sqrt(v.var) + v.eps),
        ),
        slip(
            "no-root",
            "This divides by the variance itself: eq. 5.9 has a root.",
            lambda v, d: v.gamma * d / (v.var + v.eps),
        ),
        slip(
            "no-root",
            "This divides by the variance itself, without eps: eq. 5.9 has a root, and eps under it.",
            lambda v, d: v.gamma * d / v.var,
        ),
    )


def _eval_parameter_slips(dgamma, dbeta, view, gradient):
    def batch_x_hat(v):
        return (v.x - v.other_mean) / np.sqrt(v.other_var + v.eps)

    return (
        Slip(
            "dgamma-with-batch-statistics",
            "dgamma was computed with the batch's own mean and variance. What does gamma multiply in eq. 5.9?",
            dgamma,
            lambda case: np.sum(gradient(case) * batch_x_hat(view(case)), axis=0),
        ),
        *_parameter_slips(dgamma, dbeta, view, gradient),
    )


# -- slips of running averages


def _running_slips(output, old, new, view=lambda case: case):
    """Mistakes of one running average; ``old`` and ``new`` are functions of a view."""

    def slip(name, message, wrong):
        return Slip(name, message, output, lambda case: wrong(view(case), *_weights(view(case))))

    return (
        slip(
            "momentum-reversed",
            "The old average and the new batch have each other's weight. Which of them does momentum multiply in this "
            "convention: eq. 5.2 or eq. 5.3?",
            lambda v, a, b: b * old(v) + a * new(v),
        ),
        slip(
            "never-updated",
            "This is the average from before: it was never updated (or the old one was returned).",
            lambda v, a, b: old(v) + 0 * new(v),
        ),
        slip(
            "average-replaced",
            "This is the new batch alone: what was known before is lost.",
            lambda v, a, b: new(v) + 0 * old(v),
        ),
    )


def _running_var_slips(output, old, view, x=lambda v: v.x):
    """Mistakes of the running variance: the wrong weights, and the wrong quantity."""

    def kept(v):
        return x(v).var(axis=0, ddof=1 if v.convention == "pytorch" else 0)

    def slip(name, message, wrong):
        def value(case):
            v = view(case)
            a, b = _weights(v)
            return a * old(v) + b * wrong(v)

        return Slip(name, message, output, value)

    other = {"cs231n": 1, "pytorch": 0}
    return (
        *_running_slips(output, old, kept, view),
        slip(
            "biased-for-unbiased",
            "The biased variance (divided by N) was kept. This is the convention that keeps the unbiased one: see eq. 5.6.",
            lambda v: x(v).var(axis=0),
        ),
        slip(
            "unbiased-for-biased",
            "The unbiased variance (divided by N - 1) was kept. This is the convention that keeps the biased one: see eq. 5.1.",
            lambda v: x(v).var(axis=0, ddof=1),
        ),
        slip(
            "variances-exchanged",
            "Biased and unbiased variance are in each other's place: which convention keeps which?",
            lambda v: x(v).var(axis=0, ddof=other[v.convention]),
        ),
        slip(
            "std-kept",
            "A standard deviation went into the running variance. Average variances, and take the root when you use them.",
            lambda v: np.sqrt(kept(v)),
        ),
        slip(
            "std-kept",
            "A standard deviation (with eps in it) went into the running variance. Average variances without eps, and take "
            "the root when you use them.",
            lambda v: np.sqrt(x(v).var(axis=0) + v.eps),
        ),
        slip(
            "eps-kept",
            "eps went into the running variance. It is added when the variance is used: added here too, it counts twice.",
            lambda v: kept(v) + v.eps,
        ),
        slip(
            "eps-kept",
            "eps went into the running variance, and it is the biased one. eps is added when the variance is used.",
            lambda v: x(v).var(axis=0) + v.eps,
        ),
    )


def _running_terms(old, new, view=lambda case: case):
    return (
        Term("old average", "eq. 5.2 or 5.3", lambda case: old(view(case))),
        Term("new batch", "eq. 5.2 or 5.3", lambda case: new(view(case))),
    )


def _norm_factors(view):
    return lambda case: {"gamma": view(case).gamma, "sigma": _sigma(view(case))}


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
    terms={"running": _running_terms(lambda v: v.running, lambda v: v.batch)},
    slips=_running_slips("running", lambda v: v.running, lambda v: v.batch),
    factors=lambda case: {"momentum": case.momentum, "(1-momentum)": 1 - case.momentum},
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
    slips=(
        Slip(
            "biased-for-unbiased",
            "The biased variance came back where the unbiased one is kept: PyTorch's convention divides as in eq. 5.6.",
            "var",
            lambda case: case.x.var(axis=0),
        ),
        Slip(
            "unbiased-for-biased",
            "The unbiased variance came back where the biased one is kept: CS231n's convention divides as in eq. 5.1.",
            "var",
            lambda case: case.x.var(axis=0, ddof=1),
        ),
        Slip(
            "variances-exchanged",
            "Biased and unbiased are in each other's place: which convention keeps which?",
            "var",
            lambda case: case.x.var(axis=0, ddof=0 if case.convention == "pytorch" else 1),
        ),
        Slip(
            "std-kept",
            "These are standard deviations: the root comes later, when the variance is used.",
            "var",
            lambda case: np.sqrt(_kept(case.x, case.convention)),
        ),
        Slip(
            "sum-for-mean",
            "The squares are added up and not divided.",
            "var",
            lambda case: _variance(case.x, 1),
        ),
        Slip(
            "no-axis",
            "This is one variance of the whole array: name the axis.",
            "var",
            lambda case: np.full(case.x.shape[1], case.x.var(ddof=1 if case.convention == "pytorch" else 0)),
        ),
        Slip(
            "variance-by-subtraction",
            "The mean of the squares minus the square of the mean: right on paper, but with a mean far from zero the digits "
            "are lost in the difference of two large numbers. Square the distances from the mean.",
            "var",
            lambda case: np.mean(case.x**2, axis=0) - np.mean(case.x, axis=0) ** 2,
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


def _run_train_forward(learner, case):
    return learner.batchnorm_train_forward(
        case.x, case.gamma, case.beta, case.running_mean, case.running_var, case.momentum, case.eps, case.convention
    )


def _run_train_backward(learner, case):
    value = _run_train_forward(learner, case)
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        raise ValueError("batchnorm_train_forward should return four values: check it first")
    return learner.batchnorm_train_backward(case.dout, value[3])


def _dout(case):
    return case.dout


batchnorm_train_forward = Checks(
    layer.batchnorm_train_forward,
    draw=_draw_train,
    truth=_train_truth,
    call=_run_train_forward,
    against="its definition, feature by feature",
    hints=(
        "Two separate jobs share one mean: eq. 5.1 for out, and your update_running for both running statistics.",
        "out needs the biased variance in either convention. What goes into running_var is kept_variance(x, convention).",
        "For the mean it would read update_running(running_mean, mu, momentum, convention). Return the new arrays; the "
        "ones you were given stay as they are.",
    ),
    idea="Compute the batch's statistics once; normalize with them; average them into copies of the running ones.",
    terms={
        "out": _forward_terms(_training, "eq. 5.1"),
        "running_mean": _running_terms(lambda v: v.running_mean, lambda v: v.mean, _training),
        "running_var": _running_terms(lambda v: v.running_var, lambda v: _kept(v.x, v.convention), _training),
    },
    slips=(
        *_forward_slips("out", _training, training=True),
        *_running_slips("running_mean", lambda v: v.running_mean, lambda v: v.mean, _training),
        *_running_var_slips("running_var", lambda v: v.running_var, _training),
    ),
    factors=_norm_factors(_training),
)

batchnorm_train_backward = Checks(
    layer.batchnorm_train_backward,
    draw=_draw_train_backward,
    truth=lambda case: (
        vjp_complex(lambda x: _trained(x, case.gamma, case.beta, case.eps), case.x, case.dout),
        vjp_complex(lambda gamma: _trained(case.x, gamma, case.beta, case.eps), case.gamma, case.dout),
        vjp_complex(lambda beta: _trained(case.x, case.gamma, beta, case.eps), case.beta, case.dout),
    ),
    call=_run_train_backward,
    against="the numerical derivative of eq. 5.1",
    hints=(
        "Eqs. 5.7 and 5.8 name all you need: x_hat, gamma and sigma, the root of var + eps. Are they in your cache?",
        "Two means over the batch, each one number a feature: of gamma times dout, and of the same times x_hat.",
        "The last term of eq. 5.8 is x_hat times a mean: the mean has shape (D,), the product (N, D).",
    ),
    idea="The forward pass leaves x_hat, gamma and one over sigma in the cache; eq. 5.8 is then one line, eq. 5.7 two.",
    terms={
        "dx": _train_dx_terms(_training, _dout),
        "dgamma": _parameter_terms(_training, _dout)[0],
        "dbeta": _parameter_terms(_training, _dout)[1],
    },
    slips=(
        *_train_dx_slips("dx", _training, _dout),
        *_parameter_slips("dgamma", "dbeta", _training, _dout),
    ),
    factors=_norm_factors(_training),
    properties=(
        Property(
            "each feature of dx sums to zero over the batch",
            lambda case, out: bool(np.all(np.abs(out["dx"].sum(axis=0)) < 1e-8 * np.abs(out["dx"]).sum())),
            "Some feature of dx does not sum to zero over the batch.",
        ),
    ),
)

# -- 4: evaluation mode


def _run_eval_forward(learner, case):
    return learner.batchnorm_eval_forward(case.x, case.gamma, case.beta, case.running_mean, case.running_var, case.eps)


def _run_eval_backward(learner, case):
    value = _run_eval_forward(learner, case)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError("batchnorm_eval_forward should return two values: check it first")
    return learner.batchnorm_eval_backward(case.dout, value[1])


batchnorm_eval_forward = Checks(
    layer.batchnorm_eval_forward,
    draw=_draw_eval,
    truth=lambda case: (_served(case.x, case),),
    call=_run_eval_forward,
    against="eq. 5.9, entry by entry",
    hints=(
        "Nothing is computed from the batch here: which two arrays stand where its mean and variance stood?",
        "running_var is a variance, not a standard deviation: eps is added to it, and the root is taken, as in training.",
        "For one feature it would read (x[:, l] - running_mean[l]) / np.sqrt(running_var[l] + eps), then scale and shift.",
    ),
    idea="Eq. 5.1 with two arrays exchanged. Each example is treated on its own.",
    terms={"out": _forward_terms(_evaluation, "eq. 5.9")},
    slips=_forward_slips("out", _evaluation, training=False),
    factors=_norm_factors(_evaluation),
)

batchnorm_eval_backward = Checks(
    layer.batchnorm_eval_backward,
    draw=_draw_eval_backward,
    truth=lambda case: (
        vjp_complex(lambda x: _served(x, case), case.x, case.dout),
        vjp_complex(lambda gamma: _served(case.x, Case(case, gamma=gamma)), case.gamma, case.dout),
        vjp_complex(lambda beta: _served(case.x, Case(case, beta=beta)), case.beta, case.dout),
    ),
    call=_run_eval_backward,
    against="the numerical derivative of eq. 5.9",
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
        "dgamma": _parameter_terms(_evaluation, _dout)[0],
        "dbeta": _parameter_terms(_evaluation, _dout)[1],
    },
    slips=(
        *_eval_dx_slips("dx", _evaluation, _dout),
        *_eval_parameter_slips("dgamma", "dbeta", _evaluation, _dout),
    ),
    factors=_norm_factors(_evaluation),
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
    slips=(
        Slip(
            "eps-forgotten",
            "gamma lacks eps: multiply by exactly what eq. 5.1 divided by.",
            "gamma",
            lambda case: case.x.std(axis=0),
        ),
        Slip(
            "eps-outside-the-root",
            "In gamma, eps is added after the root was taken: multiply by exactly what eq. 5.1 divided by.",
            "gamma",
            lambda case: case.x.std(axis=0) + case.eps,
        ),
        Slip(
            "no-root",
            "gamma is a variance: eq. 5.1 divided by a root.",
            "gamma",
            lambda case: case.x.var(axis=0) + case.eps,
        ),
        Slip("no-root", "gamma is a variance: eq. 5.1 divided by a root.", "gamma", lambda case: case.x.var(axis=0)),
        Slip(
            "unbiased-in-forward",
            "gamma was made from the unbiased variance. Eq. 5.1 divides by N.",
            "gamma",
            lambda case: np.sqrt(case.x.var(axis=0, ddof=1) + case.eps),
        ),
        Slip(
            "gamma-inverted",
            "gamma divides once more, in place of undoing the division.",
            "gamma",
            lambda case: 1 / np.sqrt(case.x.var(axis=0) + case.eps),
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
            lambda case, out: bool(
                np.allclose(_trained(case.x, out["gamma"], out["beta"], case.eps), case.x, rtol=1e-9, atol=0)
            ),
            "Normalized with this gamma and beta, x does not come back.",
        ),
    ),
)

# -- 7: the block

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
    slips=(
        Slip("mask-from-da", "The sign of da decides here what passes. In eq. 5.16 y decides.", "dy", lambda c: c.da * (c.da > 0)),
        Slip("mask-reversed", "The gradient passes where y is negative: it is the other way round.", "dy", lambda c: c.da * (c.y < 0)),
        Slip("mask-missing", "Everything passes: where the output was cut off at zero, y does not matter.", "dy", lambda c: c.da),
        Slip("mask-alone", "These are the slopes alone: da is missing (chain rule).", "dy", lambda c: 1.0 * (c.y > 0)),
        Slip("times-output", "da is multiplied by the output. The slope of max(0, y) is one or zero.", "dy", lambda c: c.da * np.maximum(c.y, 0)),
        Slip("times-input", "da is multiplied by y. The slope of max(0, y) is one or zero.", "dy", lambda c: c.da * c.y),
        Slip("forward-of-gradient", "max was applied where a slope was asked: see eq. 5.16.", "dy", lambda c: np.maximum(c.y, 0)),
    ),
)  # fmt: skip


def _run_block_backward(learner, case):
    value = learner.block_forward(case.x, case.W, case.b, case.gamma, case.beta, case.eps)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError("block_forward should return two values: check it first")
    return learner.block_backward(case.da, value[1])


def _y(case):
    v = _block_view(case)
    return v.gamma * _x_hat(v) + v.beta


def _dy(case):
    """What arrives at the normalization of the block."""
    return case.da * (_y(case) > 0)


def _to_x(case, dh):
    return np.einsum("nh,dh->nd", dh, case.W)


def _to_W(case, dh):
    return np.einsum("nd,nh->dh", case.x, dh)


def _full_dh(case, gradient):
    return _train_dx(_block_view(case), gradient)


def _block_forward_slip(name, message, wrong):
    return Slip(name, message, "a", lambda case: wrong(case, _block_view(case)))


block_forward = Checks(
    layer.block_forward,
    draw=_draw_block,
    truth=lambda case: (_block(case.x, case.W, case.b, case),),
    call=lambda learner, case: learner.block_forward(case.x, case.W, case.b, case.gamma, case.beta, case.eps),
    against="eq. 5.17, layer by layer",
    hints=(
        "Three layers, one after the other: which arrays does each hand to the next?",
        "You have the middle one: batchnorm_train_forward. It asks for running averages; give it any and drop the new ones.",
        "The last line is np.maximum(y, 0). For the way back, ReLU wants y, the affine layer x and W, and the "
        "normalization its own cache.",
    ),
    idea="h, y, a: one line each; the cache is what the three backward functions will ask for.",
    slips=(
        *(
            Slip(
                slip.name,
                slip.message,
                "a",
                lambda case, wrong=slip.wrong: np.maximum(wrong(case), 0),
            )
            for slip in _forward_slips(
                "a",
                lambda case: Case(
                    _block_view(case),
                    other_mean=np.zeros_like(case.b),
                    other_var=np.ones_like(case.b),
                    running_mean=np.zeros_like(case.b),
                    running_var=np.ones_like(case.b),
                    momentum=0.9,
                    convention="cs231n",
                ),
                training=True,
            )
        ),
        _block_forward_slip("relu-missing", "The ReLU is missing: some of a is negative.", lambda c, v: _y(c)),
        _block_forward_slip(
            "relu-before-normalization",
            "The ReLU stands before the normalization: in eq. 5.17 it is the last.",
            lambda c, v: _trained(np.maximum(v.x, 0), c.gamma, c.beta, c.eps),
        ),
        _block_forward_slip(
            "normalization-missing",
            "The normalization is missing: this is the affine layer and the ReLU.",
            lambda c, v: np.maximum(v.x, 0),
        ),
        _block_forward_slip(
            "gamma-missing",
            "gamma is missing.",
            lambda c, v: np.maximum(_x_hat(v) + c.beta, 0),
        ),
        _block_forward_slip(
            "beta-missing",
            "beta is missing.",
            lambda c, v: np.maximum(c.gamma * _x_hat(v), 0),
        ),
        _block_forward_slip(
            "gamma-and-beta-missing",
            "gamma and beta are missing.",
            lambda c, v: np.maximum(_x_hat(v), 0),
        ),
    ),
)


def _block_slip(name, message, gradient, full=True):
    """A slip of all the block's gradients at once, by what it sends into the affine layer."""

    def dh(case):
        return _full_dh(case, gradient(case)) if full else gradient(case)

    return (
        Slip(name, message, "dx", lambda case: _to_x(case, dh(case))),
        Slip(name, message, "dW", lambda case: _to_W(case, dh(case))),
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
    call=_run_block_backward,
    against="the numerical derivative of eq. 5.17",
    hints=(
        "Walk eq. 5.17 from its end to its beginning: relu_backward, batchnorm_train_backward, affine_backward.",
        "Each of the three hands on one array: da becomes dy, dy becomes dh, dh becomes dx. Parameters fall off on the way.",
        "The first line is dy = relu_backward(da, y), with the y of the forward pass from the cache.",
    ),
    idea="Three calls in reverse order. Whatever db comes out, compare it with zero.",
    terms={
        "dx": _train_dx_terms(_block_view, _dy, _to_x),
        "dW": _train_dx_terms(_block_view, _dy, _to_W),
        "db": (
            Term(
                "sum over the batch",
                "eq. 5.18",
                lambda case: np.sum(np.abs(case.gamma * _dy(case)) / _sigma(_block_view(case)), axis=0),
            ),
        ),
        "dgamma": _parameter_terms(_block_view, _dy)[0],
        "dbeta": _parameter_terms(_block_view, _dy)[1],
    },
    slips=(
        *_block_slip(
            "relu-missing",
            "The gradient passed the ReLU as if it were not there: see eq. 5.16.",
            lambda case: case.da,
        ),
        *_block_slip(
            "mask-from-da",
            "In the ReLU, the sign of da decides what passes. In eq. 5.16 the forward pass decides.",
            lambda case: case.da * (case.da > 0),
        ),
        *_block_slip(
            "mask-from-h",
            "In the ReLU, h decides what passes: its input was y, after the normalization.",
            lambda case: case.da * (_block_view(case).x > 0),
        ),
        *_block_slip(
            "normalization-skipped",
            "The gradient passed the normalization as if it were not there.",
            _dy,
            full=False,
        ),
        *_train_dx_slips("dx", _block_view, _dy, _to_x, running=False),
        *_train_dx_slips("dW", _block_view, _dy, _to_W, running=False),
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
            lambda case: (case.gamma * _dy(case) / _sigma(_block_view(case))).sum(axis=0),
        ),
        *_parameter_slips("dgamma", "dbeta", _block_view, _dy),
        *_parameter_slips("dgamma", "dbeta", _block_view, lambda case: case.da),
        Slip(
            "relu-missing",
            "dgamma takes the gradient from before the ReLU: see eq. 5.16.",
            "dgamma",
            lambda case: np.sum(case.da * _x_hat(_block_view(case)), axis=0),
        ),
        Slip(
            "relu-missing",
            "dbeta takes the gradient from before the ReLU: see eq. 5.16.",
            "dbeta",
            lambda case: np.sum(case.da, axis=0),
        ),
    ),
)

# -- 8: folding


def _scale(case):
    return case.gamma / np.sqrt(case.running_var + case.eps)


def _folded(case, x, b):
    """Rows of x through the affine layer with bias ``b``, then through evaluation mode."""
    return _served(_affine(x, case.W, b), case)


def _fold_slips():
    wrong_scales = (
        ("eps-forgotten", "eps is missing: see what stands under the root of eq. 5.9.", lambda c: c.gamma / np.sqrt(c.running_var)),
        ("eps-hard-coded", f"eps is not the one that was passed: {USUAL_EPS} seems to be written into the code.", lambda c: c.gamma / np.sqrt(c.running_var + USUAL_EPS)),
        ("eps-outside-the-root", "eps is added after the root was taken.", lambda c: c.gamma / (np.sqrt(c.running_var) + c.eps)),
        ("no-root", "This divides by the variance itself: eq. 5.9 has a root.", lambda c: c.gamma / (c.running_var + c.eps)),
        ("no-root", "This divides by the variance itself: eq. 5.9 has a root, and eps under it.", lambda c: c.gamma / c.running_var),
        ("gamma-missing", "gamma is missing: see eq. 5.9.", lambda c: 1 / np.sqrt(c.running_var + c.eps)),
        ("scale-missing", "W came back as it was: the scaling of eq. 5.9 has to go into it.", lambda c: np.ones_like(c.gamma)),
    )  # fmt: skip
    for name, message, scale in wrong_scales:
        yield Slip(name, message, "W2", lambda c, s=scale: c.W * s(c))
        yield Slip(name, message, "b2", lambda c, s=scale: (c.b - c.running_mean) * s(c) + c.beta)


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
    terms={
        "W2": (Term("scaled weights", "eq. 5.19", lambda case: np.einsum("dh,h->dh", case.W, _scale(case))),),
        "b2": (
            Term("part of b", "eq. 5.19", lambda case: case.b * _scale(case)),
            Term("part of the running mean", "eq. 5.19", lambda case: case.running_mean * _scale(case)),
            Term("shift beta", "eq. 5.19", lambda case: case.beta),
        ),
    },
    slips=(
        *_fold_slips(),
        Slip(
            "b-not-scaled",
            "b is not scaled. It is added before the normalization, so the scaling reaches it as well.",
            "b2",
            lambda c: c.b - c.running_mean * _scale(c) + c.beta,
        ),
        Slip(
            "mean-not-scaled",
            "The running mean is not scaled. It is subtracted before the scaling of eq. 5.9.",
            "b2",
            lambda c: c.b * _scale(c) - c.running_mean + c.beta,
        ),
        Slip(
            "beta-scaled",
            "beta is scaled as well. It is added after the scaling of eq. 5.9.",
            "b2",
            lambda c: (c.b - c.running_mean + c.beta) * _scale(c),
        ),
    ),
    factors=lambda case: {"gamma": case.gamma, "sigma": np.sqrt(case.running_var + case.eps)},
)


# -- 9: the layer


def _run_layer(learner, case):
    """Two training batches, then one in evaluation mode; everything is asked for through methods."""
    settings = () if case.defaults else (case.momentum, case.eps, case.convention)
    layer_ = learner.BatchNorm(case.gamma, case.beta, *settings)
    _parameters(layer_)
    layer_.forward(case.x1, True)
    layer_.backward(case.dout1)
    out = copy.deepcopy(layer_.forward(case.x2, True))
    dx = copy.deepcopy(layer_.backward(case.dout2))
    gamma, beta, dgamma, dbeta, running_mean, running_var = _parameters(layer_)
    out_eval = copy.deepcopy(layer_.forward(case.x3, False))
    dx_eval = copy.deepcopy(layer_.backward(case.dout3))
    *_, dgamma_eval, dbeta_eval, mean_after, var_after = _parameters(layer_)
    training = gamma, beta, out, dx, dgamma, dbeta, running_mean, running_var
    return *training, out_eval, dx_eval, dgamma_eval, dbeta_eval, mean_after, var_after


def _parameters(layer_):
    values = layer_.parameters()
    if not isinstance(values, (tuple, list)) or len(values) != 6:
        raise ValueError("parameters() should return gamma, beta, dgamma, dbeta, running_mean, running_var")
    return copy.deepcopy(values)


def _layer_truth(case):
    mean, var = _layer_history(case)[2]
    served = Case(case, running_mean=mean, running_var=var)
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


def _dout2(case):
    return case.dout2


def _dout3(case):
    return case.dout3


def _first_batch(view):
    """The view of the second training step as it would be were the first one's numbers still there."""
    return lambda case: _training(Case(view(case), x=case.x1))


def _wrong_start(case, start):
    """Running statistics after both batches from another start."""
    mean, var = (np.full(case.gamma.shape, float(s)) for s in start)
    for x in (case.x1, case.x2):
        mean, var = _updated(case, mean, _mean(x)), _updated(case, var, _kept(x, case.convention))
    return mean, var


_START = "The running average did not begin where the docstring says."

BatchNorm = Checks(
    layer.BatchNorm,
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
        "out": _forward_terms(_layer_training, "eq. 5.1"),
        "dx": _train_dx_terms(_layer_training, _dout2),
        "dgamma": _parameter_terms(_layer_training, _dout2)[0],
        "dbeta": _parameter_terms(_layer_training, _dout2)[1],
        "running_mean": _running_terms(lambda v: v.running_mean, lambda v: v.mean, _layer_training),
        "running_var": _running_terms(lambda v: v.running_var, lambda v: _kept(v.x, v.convention), _layer_training),
        "out_eval": _forward_terms(_layer_evaluation, "eq. 5.9"),
        "dx_eval": (
            Term(
                "direct path",
                "eq. 5.11",
                lambda case: case.gamma * case.dout3 / _sigma(_layer_evaluation(case)),
            ),
        ),
        "dgamma_eval": _parameter_terms(_layer_evaluation, _dout3)[0],
        "dbeta_eval": _parameter_terms(_layer_evaluation, _dout3)[1],
    },
    slips=(
        *_forward_slips("out", _layer_training, training=True),
        Slip(
            "gradients-added-up",
            "dgamma is the sum over both calls of backward. It should be that of the last call only.",
            "dgamma",
            lambda case: np.sum(case.dout1 * _x_hat(_first_batch(_layer_training)(case)), axis=0)
            + np.sum(case.dout2 * _x_hat(_layer_training(case)), axis=0),
        ),
        Slip(
            "gradients-added-up",
            "dbeta is the sum over both calls of backward. It should be that of the last call only.",
            "dbeta",
            lambda case: case.dout1.sum(axis=0) + case.dout2.sum(axis=0),
        ),
        Slip(
            "stale-cache",
            "backward uses the numbers of the first forward. Each forward has to replace what the one before stored.",
            "dx",
            lambda case: _train_dx(_first_batch(_layer_training)(case), case.dout2),
        ),
        Slip(
            "stale-gradient",
            "dgamma is still that of the first call of backward.",
            "dgamma",
            lambda case: np.sum(case.dout1 * _x_hat(_first_batch(_layer_training)(case)), axis=0),
        ),
        Slip(
            "stale-gradient",
            "dbeta is still that of the first call of backward.",
            "dbeta",
            lambda case: case.dout1.sum(axis=0),
        ),
        *_train_dx_slips("dx", _layer_training, _dout2),
        *_parameter_slips("dgamma", "dbeta", _layer_training, _dout2),
        Slip(
            "momentum-reversed",
            "The old average and the new batch have each other's weight: is the convention passed on?",
            "running_mean",
            lambda case: _layer_history(Case(case, momentum=1 - case.momentum))[2][0],
        ),
        Slip(
            "never-updated",
            "The running mean is still what it was at the start: forward must store the new one.",
            "running_mean",
            lambda case: np.zeros_like(case.gamma),
        ),
        Slip(
            "updated-once",
            "The running mean knows only one of the two training batches: the first.",
            "running_mean",
            lambda case: _layer_history(case)[1][0],
        ),
        Slip(
            "updated-once",
            "The running mean knows only one of the two training batches: it starts again with every call.",
            "running_mean",
            lambda case: _updated(case, np.zeros_like(case.gamma), _mean(case.x2)),
        ),
        Slip(
            "average-replaced",
            "The running mean is that of the last batch alone: what was known before is lost.",
            "running_mean",
            lambda case: _mean(case.x2),
        ),
        Slip("wrong-start", _START, "running_mean", lambda case: _wrong_start(case, (1, 1))[0]),
        Slip("wrong-start", _START, "running_var", lambda case: _wrong_start(case, (0, 0))[1]),
        Slip(
            "biased-for-unbiased",
            "The biased variance (divided by N) was kept. This is the convention that keeps the unbiased one: see eq. 5.6.",
            "running_var",
            lambda case: _layer_variance(case, lambda x: x.var(axis=0)),
        ),
        Slip(
            "unbiased-for-biased",
            "The unbiased variance (divided by N - 1) was kept. This is the convention that keeps the biased one: see eq. 5.1.",
            "running_var",
            lambda case: _layer_variance(case, lambda x: x.var(axis=0, ddof=1)),
        ),
        Slip(
            "std-kept",
            "A standard deviation went into the running variance. Average variances, and take the root when you use them.",
            "running_var",
            lambda case: _layer_variance(case, lambda x: np.sqrt(_kept(x, case.convention))),
        ),
        Slip(
            "eps-kept",
            "eps went into the running variance. It is added when the variance is used: added here too, it counts twice.",
            "running_var",
            lambda case: _layer_variance(case, lambda x: _kept(x, case.convention) + case.eps),
        ),
        Slip(
            "never-updated",
            "The running variance is still what it was at the start: forward must store the new one.",
            "running_var",
            lambda case: np.ones_like(case.gamma),
        ),
        Slip(
            "momentum-reversed",
            "The old average and the new batch have each other's weight: is the convention passed on?",
            "running_var",
            lambda case: _layer_history(Case(case, momentum=1 - case.momentum))[2][1],
        ),
        *_forward_slips("out_eval", _layer_evaluation, training=False),
        Slip(
            "stale-running-statistics",
            "Evaluation mode uses running statistics from before the last training batch.",
            "out_eval",
            lambda case: _served(case.x3, Case(case, **dict(zip(("running_mean", "running_var"), _layer_history(case)[1], strict=True)))),
        ),
        Slip(
            "stale-running-statistics",
            "Evaluation mode uses the running statistics of the very start: is the new pair stored?",
            "out_eval",
            lambda case: _served(case.x3, Case(case, **dict(zip(("running_mean", "running_var"), _layer_history(case)[0], strict=True)))),
        ),
        Slip(
            "stale-cache",
            "After a forward in evaluation mode, backward still uses the numbers of the training batch before it.",
            "dx_eval",
            lambda case: _train_dx(_layer_training(case), case.dout3),
        ),
        *_eval_dx_slips("dx_eval", _layer_evaluation, _dout3),
        *_eval_parameter_slips("dgamma_eval", "dbeta_eval", _layer_evaluation, _dout3),
        Slip(
            "stale-cache",
            "In evaluation mode dgamma still uses the x_hat of the training batch before it.",
            "dgamma_eval",
            lambda case: np.sum(case.dout3 * _x_hat(_layer_training(case)), axis=0),
        ),
        Slip(
            "stale-gradient",
            "backward in evaluation mode left dgamma as it was after the training batch.",
            "dgamma_eval",
            lambda case: np.sum(case.dout2 * _x_hat(_layer_training(case)), axis=0),
        ),
        Slip(
            "stale-gradient",
            "backward in evaluation mode left dbeta as it was after the training batch.",
            "dbeta_eval",
            lambda case: case.dout2.sum(axis=0),
        ),
        Slip(
            "updated-in-evaluation",
            "Evaluation mode changed the running mean. Serving must not teach: update in training mode only.",
            "running_mean_after",
            lambda case: _updated(case, _layer_history(case)[2][0], _mean(case.x3)),
        ),
        Slip(
            "updated-in-evaluation",
            "Evaluation mode changed the running variance. Serving must not teach: update in training mode only.",
            "running_var_after",
            lambda case: _updated(case, _layer_history(case)[2][1], _kept(case.x3, case.convention)),
        ),
    ),
    factors=_norm_factors(_layer_training),
)  # fmt: skip


def _layer_variance(case, kept):
    """The layer's running variance when ``kept`` is taken from each batch."""
    var = np.ones(case.gamma.shape)
    for x in (case.x1, case.x2):
        var = _updated(case, var, kept(x))
    return var


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
        "sees the same numbers every time.",
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
