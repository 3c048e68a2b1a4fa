"""Lesson 08: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import relatives

ROWS = [(1, 5), (4, 4), (3, 7), (9, 2), (33, 5)]
IMAGES = [(2, 3, 4, 5), (4, 4, 4, 4), (1, 2, 3, 3), (7, 1, 2, 4), (5, 6, 3, 1), (3, 2, 1, 7)]
GROUPED = [
    ((2, 6, 3, 4), 2),
    ((2, 6, 3, 4), 3),
    ((3, 4, 2, 5), 4),
    ((3, 4, 2, 5), 1),
    ((1, 8, 3, 3), 2),
    ((4, 6, 1, 1), 2),
]


def layer(judge, shape, eps=0.1, scale=1.0, offset=0.0, **more):
    """All that a layer takes, and a gradient; entries differ by example and by channel."""
    rng = judge.rng
    rows, columns = ((n, *[1] * (len(shape) - 1 - axis)) for axis, n in enumerate(shape[:2]))
    x = offset + scale * (
        rng.normal(size=shape) * rng.uniform(0.5, 2, size=columns)
        + rng.uniform(1, 4, size=rows)
        + rng.uniform(1, 4, size=columns)
    )
    parameters = {
        name: rng.uniform(0.3, 3, size=shape[1]) * rng.choice([-1.0, 1.0], size=shape[1]) for name in ("gamma", "beta")
    }
    dout = rng.normal(size=shape) + rng.uniform(0.4, 1.5, size=columns) + 0.6 * (x - x.mean()) / x.std()
    return Case(x=x, **parameters, eps=eps, dout=dout, **more)


def inputs(judge, stub, **settings):
    """One of each shape that the exercise may meet."""
    if stub.name.startswith("group"):
        return [layer(judge, shape, groups=groups, **settings) for shape, groups in GROUPED]
    return [layer(judge, shape, **settings) for shape in (IMAGES if stub.name.startswith("spatial") else ROWS)]


def float32(case):
    return Case({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in case.items()})


def layouts(case):
    """The same numbers, laid out in memory in other ways."""
    for change in (
        np.asfortranarray,
        lambda v: np.ascontiguousarray(v[::-1])[::-1],
        lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
    ):
        yield Case({k: change(v) if isinstance(v, np.ndarray) and v.ndim > 1 else v for k, v in case.items()})


def kinds(judge, stub):
    """Inputs of every kind but those of the visible check."""
    yield inputs(judge, stub)
    yield inputs(judge, stub, scale=1e-3, eps=1e-6)
    yield inputs(judge, stub, eps=2.0)
    yield inputs(judge, stub, scale=1e4)
    yield [float32(case) for case in judge.draw(3)]
    yield [other for case in judge.draw(2) for other in layouts(case)]


@hidden(relatives.layer_norm_gradient)
def test_layer_norm_gradient(judge):
    judge.derivation()


@hidden(relatives.layernorm_forward)
def test_layernorm_forward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.layernorm_forward)
def test_layernorm_forward_of_every_kind(judge):
    for cases in kinds(judge, relatives.layernorm_forward):
        judge.examine(cases)


@hidden(relatives.layernorm_backward)
def test_layernorm_backward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.layernorm_backward)
def test_layernorm_backward_of_every_kind(judge):
    for cases in kinds(judge, relatives.layernorm_backward):
        judge.examine(cases)


@hidden(relatives.layernorm_backward)
def test_layernorm_backward_exact(judge):
    judge.exact(6)


@hidden(relatives.spatial_batchnorm_forward)
def test_spatial_batchnorm_forward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.spatial_batchnorm_forward)
def test_spatial_batchnorm_forward_of_every_kind(judge):
    for cases in kinds(judge, relatives.spatial_batchnorm_forward):
        judge.examine(cases)


@hidden(relatives.spatial_batchnorm_backward)
def test_spatial_batchnorm_backward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.spatial_batchnorm_backward)
def test_spatial_batchnorm_backward_of_every_kind(judge):
    for cases in kinds(judge, relatives.spatial_batchnorm_backward):
        judge.examine(cases)


@hidden(relatives.spatial_batchnorm_backward)
def test_spatial_batchnorm_backward_exact(judge):
    judge.exact(6)


@hidden(relatives.groupnorm_forward)
def test_groupnorm_forward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.groupnorm_forward)
def test_groupnorm_forward_of_every_kind(judge):
    for cases in kinds(judge, relatives.groupnorm_forward):
        judge.examine(cases)


@hidden(relatives.groupnorm_backward)
def test_groupnorm_backward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.groupnorm_backward)
def test_groupnorm_backward_of_every_kind(judge):
    for cases in kinds(judge, relatives.groupnorm_backward):
        judge.examine(cases)


@hidden(relatives.groupnorm_backward)
def test_groupnorm_backward_exact(judge):
    judge.exact(6)


@hidden(relatives.rmsnorm_backward)
def test_rmsnorm_backward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(relatives.rmsnorm_backward)
def test_rmsnorm_backward_of_every_kind(judge):
    for cases in kinds(judge, relatives.rmsnorm_backward):
        judge.examine(cases)


@hidden(relatives.rmsnorm_backward)
def test_rmsnorm_backward_exact(judge):
    judge.exact(6)
