"""Lesson 08: what the grade of record looks at."""

from __future__ import annotations

from bnlib.checks import Case
from bnlib.grading.hidden.forms import float32, layouts
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import relatives

FUNCTIONS = relatives.lesson.functions.values()

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


def inputs(judge, **settings):
    """One of each shape that the exercise may meet."""
    if judge.stub.name.startswith("group"):
        return [layer(judge, shape, groups=groups, **settings) for shape, groups in GROUPED]
    return [layer(judge, shape, **settings) for shape in (IMAGES if judge.stub.name.startswith("spatial") else ROWS)]


@hidden(relatives.layer_norm_gradient)
def test_derivation(judge):
    judge.derivation()


@hidden(*FUNCTIONS)
def test_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(*FUNCTIONS)
def test_shapes(judge):
    judge.examine(inputs(judge))


@hidden(*FUNCTIONS)
def test_eps_and_scales(judge):
    for settings in ({"scale": 1e-3, "eps": 1e-6}, {"eps": 2.0}, {"scale": 1e4}):
        judge.examine(inputs(judge, **settings))


@hidden(*FUNCTIONS)
def test_float32_and_layouts(judge):
    judge.examine([float32(case) for case in judge.draw(3)] + layouts(*judge.draw(2)))


@hidden(*(stub for stub in FUNCTIONS if stub.name.endswith("_backward")))
def test_exact(judge):
    judge.exact(6)
