"""Lesson 02: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import translation

SHAPES = [(3, 7), (4, 4), (16, 1), (33, 5), (100, 7)]


def arrays(judge, name, scale=1.0, offset=0.0, shapes=((5, 3), (40, 2))):
    """Cases of several shapes; features differ in location and spread."""
    for N, D in shapes:
        location = offset + scale * judge.rng.uniform(0.5, 5, size=D)
        yield Case({name: location + scale * judge.rng.uniform(0.5, 3, size=D) * judge.rng.normal(size=(N, D))})


def layouts(judge, name):
    """The same kind of numbers, laid out in memory in other ways."""
    wide = judge.rng.normal(size=(10, 12)) + 2.0
    return [
        Case({name: np.asfortranarray(judge.rng.normal(size=(6, 4)) + 1.0)}),
        Case({name: wide[::-2, ::3]}),
        Case({name: wide.T}),
    ]


# eq. 2.1


@hidden(translation.center)
def test_center_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(translation.center)
def test_center_shapes(judge):
    judge.examine(list(arrays(judge, "h", shapes=SHAPES)))


@hidden(translation.center)
def test_center_large_offset(judge):
    judge.examine(list(arrays(judge, "h", offset=1e3)))


@hidden(translation.center)
def test_center_tiny_and_huge(judge):
    judge.examine([*arrays(judge, "h", scale=1e-8), *arrays(judge, "h", scale=1e8)])


@hidden(translation.center)
def test_center_float32(judge):
    judge.examine([Case(h=case.h.astype(np.float32)) for case in judge.draw(2)])


@hidden(translation.center)
def test_center_layouts(judge):
    judge.examine(layouts(judge, "h"))


@hidden(translation.center)
def test_center_one_example(judge):
    judge.examine([Case(h=judge.rng.normal(size=(1, 3)))])


# eq. 2.4


@hidden(translation.center_jacobian)
def test_center_jacobian_ordinary(judge):
    judge.examine([Case(N=N) for N in (3, 4, 5, 8)])


@hidden(translation.center_jacobian)
def test_center_jacobian_one_and_many(judge):
    judge.examine([Case(N=N) for N in (1, 2, 100)])


# eq. 2.6


@hidden(translation.center_slopes)
def test_center_slopes(judge):
    judge.derivation()


@hidden(translation.center_jacobian_full)
def test_center_jacobian_full_ordinary(judge):
    judge.examine([Case(N=N, D=D) for N, D in ((2, 3), (3, 2), (5, 4), (3, 7))])


@hidden(translation.center_jacobian_full)
def test_center_jacobian_full_one_feature(judge):
    judge.examine([Case(N=N, D=1) for N in (3, 16)])


@hidden(translation.center_jacobian_full)
def test_center_jacobian_full_square_and_large(judge):
    judge.examine([Case(N=4, D=4), Case(N=20, D=6)])


# eq. 2.9


@hidden(translation.center_gradient)
def test_center_gradient(judge):
    judge.derivation()


@hidden(translation.center_backward)
def test_center_backward_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(translation.center_backward)
def test_center_backward_shapes(judge):
    judge.examine(list(arrays(judge, "dout", shapes=SHAPES)))


@hidden(translation.center_backward)
def test_center_backward_zero_mean(judge):
    judge.examine([Case(dout=judge.rng.normal(size=shape)) for shape in SHAPES])


@hidden(translation.center_backward)
def test_center_backward_large_offset(judge):
    judge.examine([*arrays(judge, "dout", offset=1e3), *arrays(judge, "dout", offset=-1e3)])


@hidden(translation.center_backward)
def test_center_backward_tiny_and_huge(judge):
    judge.examine([*arrays(judge, "dout", scale=1e-8), *arrays(judge, "dout", scale=1e8)])


@hidden(translation.center_backward)
def test_center_backward_float32(judge):
    judge.examine([Case(dout=case.dout.astype(np.float32)) for case in judge.draw(2)])


@hidden(translation.center_backward)
def test_center_backward_layouts(judge):
    judge.examine(layouts(judge, "dout"))
