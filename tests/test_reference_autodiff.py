"""The reference answers agree with automatic differentiation that others wrote: HIPS autograd, and torch where it is.

A lesson is put here by a function that yields, for one set of data, pairs of a reference answer's result and an
independent one; the data and the comparison are shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from bnlib.grading.hidden.reference import reference
from bnlib.stubs import lesson_of

autograd = pytest.importorskip("autograd")
anp = pytest.importorskip("autograd.numpy")

TOLERANCE = 1e-10


@dataclass(frozen=True)
class Data:
    """A batch with parameters and an upstream gradient.

    Attributes:
        x: (N, D) array.
        dout: (N, D) array.
        gamma: (D,) array.
        beta: (D,) array.
        eps: Added to the variance.
    """

    x: np.ndarray
    dout: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    eps: float


def data(shape=(7, 4), scale=1.0, offset=0.0, eps=1e-5, seed=0):
    rng = np.random.default_rng([seed, *shape])
    return Data(
        x=offset
        + scale * (rng.normal(size=shape) * rng.uniform(0.5, 2, size=shape[1]) + rng.uniform(1, 4, size=shape[1])),
        dout=rng.normal(size=shape) + 0.7,
        gamma=rng.uniform(0.5, 2, size=shape[1]) * rng.choice([-1.0, 1.0], size=shape[1]),
        beta=rng.normal(size=shape[1]),
        eps=eps,
    )


KINDS = {
    "ordinary": data(),
    "one feature": data(shape=(5, 1)),
    "more features than examples": data(shape=(4, 9)),
    "large batch": data(shape=(128, 6)),
    "offset 1e3": data(offset=1e3),
    "offset -1e3, eps 1e-3": data(offset=-1e3, eps=1e-3),
    "variance 1e-8": data(scale=1e-4),
    "variance 1e-8, eps 1e-8": data(scale=1e-4, eps=1e-8),
    "variance 1e-8, offset 0.1": data(scale=1e-4, offset=0.1),
    "huge": data(scale=1e6),
    "eps 0.1": data(eps=0.1),
    "eps 2": data(eps=2.0),
    "eps 1e-12": data(eps=1e-12),
}


@cache
def answers(key):
    """The reference answers of a lesson, which may have been written by calling one another."""
    return reference(lesson_of(key))


def agree(pairs, digits=TOLERANCE):
    """Compare each result with its independent counterpart, relative to the counterpart's largest entry."""
    for name, ours, other in pairs:
        ours, other = np.asarray(ours, dtype=np.float64), np.asarray(other, dtype=np.float64)
        assert ours.shape == other.shape, name
        assert np.max(np.abs(ours - other)) <= digits * np.max(np.abs(other)), name


# -- lesson 02


def centred(h):
    return h - anp.mean(h, axis=0)


def translation(d):
    lesson = answers("02_translation")
    N, D = d.x.shape
    yield "center", lesson.center(d.x), centred(d.x)
    yield "center_jacobian", lesson.center_jacobian(N), autograd.jacobian(centred)(d.x[:, 0])
    if N * D < 50:
        yield "center_jacobian_full", lesson.center_jacobian_full(N, D), autograd.jacobian(centred)(d.x)
    yield "center_backward", lesson.center_backward(d.dout), autograd.grad(lambda h: anp.sum(d.dout * centred(h)))(d.x)


# -- lesson 03


def standardized(x, eps):
    xc = x - anp.mean(x, axis=0)
    return xc / anp.sqrt(anp.mean(xc**2, axis=0) + eps)


def normalization(d):
    lesson = answers("03_normalization")
    first, upstream, gamma = d.x[:, 0], d.dout[:, 0], float(d.gamma[0])
    mu, var = lesson.batch_statistics(d.x)
    yield "mu", mu, np.array([np.mean(column) for column in d.x.T])
    yield "var", var, np.var(d.x, axis=0)
    yield "dvar_dx", lesson.dvar_dx(first), autograd.grad(variance)(first)
    slope = autograd.grad(lambda x: 1 / anp.sqrt(variance(x) + d.eps))(first)
    yield "dinvstd_dx", lesson.dinvstd_dx(first, d.eps), slope
    J = autograd.jacobian(lambda x: standardized(x, d.eps))(first)
    yield "xhat_jacobian", lesson.xhat_jacobian(first, d.eps), J
    yield "normalize_jacobian", lesson.normalize_jacobian(first, gamma, d.eps), gamma * J
    dx = autograd.grad(lambda x: anp.sum(upstream * gamma * standardized(x, d.eps)))(first)
    yield "normalize_backward", lesson.normalize_backward(upstream, first, gamma, d.eps), dx
    yield from normalized_batch(lesson, d)
    scaled = autograd.grad(lambda c: anp.sum(d.dout * c / anp.sqrt(anp.mean(c**2, axis=0) + d.eps)))(d.x)
    yield "rms_scale_backward", lesson.rms_scale_backward(d.dout, d.x, d.eps), scaled


def variance(x):
    return anp.mean((x - anp.mean(x)) ** 2)


def normalized_batch(lesson, d):
    def layer(x, gamma, beta):
        return gamma * standardized(x, d.eps) + beta

    def loss(x, gamma, beta):
        return anp.sum(d.dout * layer(x, gamma, beta))

    out, cache = lesson.batchnorm_forward(d.x, d.gamma, d.beta, d.eps)
    yield "out", out, layer(d.x, d.gamma, d.beta)
    others = autograd.grad(loss, (0, 1, 2))(d.x, d.gamma, d.beta)
    for exercise in ("batchnorm_backward", "batchnorm_backward_composed"):
        ours = getattr(lesson, exercise)(d.dout, cache)
        for name, value, other in zip(("dx", "dgamma", "dbeta"), ours, others, strict=True):
            yield f"{exercise}: {name}", value, other


# -- lesson 08


def images(d):
    """The batch as images of two by three positions, more channels than features, two groups."""
    rng, N = np.random.default_rng(len(d.x)), len(d.x)
    each = rng.uniform(1, 2, size=(4, 2, 3))
    return Data(
        x=d.x[:, :1, None, None] * each,
        dout=rng.normal(size=(N, 4, 2, 3)) + 0.5,
        gamma=rng.normal(size=4),
        beta=rng.normal(size=4),
        eps=d.eps,
    )


def over(axes, shape=None):
    """A layer that takes its statistics over these axes, of x in this shape."""

    def layer(d, x, gamma, beta):
        rows = x if shape is None else anp.reshape(x, shape(x))
        xc = rows - anp.mean(rows, axis=axes, keepdims=True)
        x_hat = anp.reshape(xc / anp.sqrt(anp.mean(xc**2, axis=axes, keepdims=True) + d.eps), x.shape)
        place = (1, -1) + (1,) * (x.ndim - 2)
        return anp.reshape(gamma, place) * x_hat + anp.reshape(beta, place)

    return layer


def rms(d, x, gamma, beta):
    return gamma * x / anp.sqrt(anp.mean(x**2, axis=1, keepdims=True) + d.eps) + 0 * beta


def relatives(d):
    lesson, photos = answers("08_relatives"), images(d)
    layers = {
        "layernorm": (d, over(1), ()),
        "spatial_batchnorm": (photos, over((0, 2, 3)), ()),
        "groupnorm": (photos, over((2, 3, 4), lambda x: (len(x), 2, 2, *x.shape[2:])), (2,)),
    }
    for name, (of, layer, more) in layers.items():
        out, cache = getattr(lesson, f"{name}_forward")(of.x, of.gamma, of.beta, *more, of.eps)
        yield f"{name}: out", out, layer(of, of.x, of.gamma, of.beta)
        yield from gradients(name, of, layer, getattr(lesson, f"{name}_backward")(of.dout, cache))
    yield from gradients("rmsnorm", d, rms, lesson.rmsnorm_backward(d.dout, d.x, d.gamma, d.eps))


def gradients(name, d, layer, ours):
    others = autograd.grad(lambda *given: anp.sum(d.dout * layer(d, *given)), (0, 1, 2))(d.x, d.gamma, d.beta)
    for each, value, other in zip(("dx", "dgamma", "dbeta"), ours, others, strict=False):
        yield f"{name}: {each}", value, other


# -- lesson 07


def geometry(d):
    lesson = answers("07_geometry")
    x, dout, gamma = d.x[:, 0], d.dout[:, 0], float(d.gamma[0])
    dx = autograd.grad(lambda x: anp.sum(dout * gamma * standardized(x, d.eps)))(x)
    x_hat, inv_std = standardized(x, d.eps), 1 / np.sqrt(np.var(x) + d.eps)
    across, slow = lesson.eigenvalues(x, gamma, d.eps)
    kept, along = lesson.take_apart(dout, x_hat)
    yield "take_apart and eigenvalues", across * kept + slow * along, dx
    square = lesson.squared_norm(dout, dout @ x_hat, dout.sum(), gamma, inv_std, d.eps)
    yield "squared_norm", square, np.sum(dx**2)
    W, inputs = np.array([[0.6], [-1.1], [0.8]]), np.random.default_rng(7).normal(size=(len(x), 3))
    dW = autograd.grad(lambda W: anp.sum(dout * gamma * standardized(anp.dot(inputs, W)[:, 0], d.eps)))(W)
    h, whole = (inputs @ W)[:, 0], np.sum(np.abs(W * dW))
    left = gamma * d.eps / (np.var(h) + d.eps) * np.sum(dout * standardized(h, d.eps))
    yield "along_weights", [left, whole], [np.sum(W * dW), whole]


# -- lesson 09


def precision(d):
    lesson = answers("09_precision")
    cuts = [1, len(d.x) - 2]
    parts, arriving = np.split(d.x, cuts), np.split(d.dout, cuts)
    merged = lesson.merge_statistics(1, d.x[0], 0 * d.x[0], len(d.x) - 1, d.x[1:].mean(axis=0), d.x[1:].var(axis=0))
    yield from zip(("merged mu", "merged var"), merged, (np.mean(d.x, axis=0), np.var(d.x, axis=0)), strict=True)

    def layer(x, gamma, beta):
        return gamma * standardized(x, d.eps) + beta

    outs, cache = lesson.sync_batchnorm_forward(parts, d.gamma, d.beta, d.eps)
    yield "outs", np.vstack(outs), layer(d.x, d.gamma, d.beta)
    others = autograd.grad(lambda *given: anp.sum(d.dout * layer(*given)), (0, 1, 2))(d.x, d.gamma, d.beta)
    dxs, *parameters = lesson.sync_batchnorm_backward(arriving, cache)
    inv_std = 1 / np.sqrt(d.x.var(axis=0) + d.eps)
    x_hat = (d.x - d.x.mean(axis=0)) * inv_std
    for name, ours in (
        ("sync", (np.vstack(dxs), *parameters)),
        ("fast", lesson.batchnorm_backward_fast(d.dout, x_hat, inv_std, d.gamma)),
    ):
        yield from zip((f"{name} dx", f"{name} dgamma", f"{name} dbeta"), ours, others, strict=True)


LESSONS = {"02": translation, "03": normalization, "07": geometry, "08": relatives, "09": precision}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lesson", LESSONS)
def test_reference_agrees_with_autograd(lesson, kind):
    agree(LESSONS[lesson](KINDS[kind]))


# -- torch


@pytest.mark.parametrize("kind", KINDS)
def test_reference_agrees_with_torch(kind):
    torch = pytest.importorskip("torch")
    d, lesson = KINDS[kind], answers("03_normalization")
    x, gamma, beta = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (d.x, d.gamma, d.beta))
    out = torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True, eps=d.eps)
    out.backward(torch.tensor(d.dout, dtype=torch.float64))
    theirs = [out.detach().numpy(), x.grad.numpy(), gamma.grad.numpy(), beta.grad.numpy()]
    ours, cache = lesson.batchnorm_forward(d.x, d.gamma, d.beta, d.eps)
    spread, cut = answers("09_precision"), len(d.x) // 3
    outs, sync_cache = spread.sync_batchnorm_forward(np.split(d.x, [cut]), d.gamma, d.beta, d.eps)
    dxs, *parameters = spread.sync_batchnorm_backward(np.split(d.dout, [cut]), sync_cache)
    for results in (
        *(
            (ours, *lesson_backward(d.dout, cache))
            for lesson_backward in (lesson.batchnorm_backward, lesson.batchnorm_backward_composed)
        ),
        (np.vstack(outs), np.vstack(dxs), *parameters),
    ):
        agree(zip(("out", "dx", "dgamma", "dbeta"), results, theirs, strict=True))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one feature"])
def test_relatives_agree_with_torch(kind):
    """Where an example has one feature its dx is zero, and PyTorch's is rounding."""
    torch = pytest.importorskip("torch")
    functional, lesson, d = torch.nn.functional, answers("08_relatives"), KINDS[kind]
    photos = images(d)
    layers = [
        ("layernorm", d, (), lambda x, g, b: functional.layer_norm(x, x.shape[1:], g, b, d.eps)),
        ("spatial_batchnorm", photos, (), lambda x, g, b: functional.batch_norm(x, None, None, g, b, True, eps=d.eps)),
        ("groupnorm", photos, (2,), lambda x, g, b: functional.group_norm(x, 2, g, b, d.eps)),
        ("groupnorm", photos, (4,), lambda x, g, b: functional.instance_norm(x, None, None, g, b, eps=d.eps)),
    ]
    for name, of, more, layer in layers:
        given = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (of.x, of.gamma, of.beta)]
        out = layer(*given)
        out.backward(torch.tensor(of.dout))
        ours, cache = getattr(lesson, f"{name}_forward")(of.x, of.gamma, of.beta, *more, of.eps)
        found = (ours, *getattr(lesson, f"{name}_backward")(of.dout, cache))
        theirs = [value.detach().numpy() for value in (out, *(value.grad for value in given))]
        agree(
            (f"{name} {more}: {each}", a, b)
            for each, a, b in zip(("out", "dx", "dgamma", "dbeta"), found, theirs, strict=True)
        )
    x, gamma = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (d.x, d.gamma))
    functional.rms_norm(x, x.shape[1:], gamma, d.eps).backward(torch.tensor(d.dout))
    ours = lesson.rmsnorm_backward(d.dout, d.x, d.gamma, d.eps)
    agree(zip(("rms dx", "rms dgamma"), ours, (x.grad.numpy(), gamma.grad.numpy()), strict=True))
