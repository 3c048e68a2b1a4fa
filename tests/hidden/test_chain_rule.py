"""Lesson 01: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case, Source
from bnlib.checks.chain_rule import PARABOLAS, given_function, rippled
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import chain_rule


def float32(case):
    return Case({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in case.items()})


def laid_out(case):
    """The same numbers, in memory the other way round, and with gaps between them."""
    arrays = {k: v for k, v in case.items() if isinstance(v, np.ndarray)}
    gaps = {k: np.repeat(v, 3, axis=-1)[..., ::3] for k, v in arrays.items()}
    backwards = {k: v[::-1].copy()[::-1] for k, v in arrays.items()}
    return [
        Case({**case, **{k: np.asfortranarray(v) for k, v in arrays.items()}}),
        Case({**case, **gaps}),
        Case({**case, **backwards}),
    ]


# eq. 1.3


def paths(judge, shapes, upstream=1.0, slopes=1.0):
    for N, M in shapes:
        dL_dy = upstream * (judge.rng.normal(size=N) + 0.7)
        yield Case(dL_dy=dL_dy, dy_dx=slopes * (judge.rng.normal(size=(N, M)) + 0.2))


@hidden(chain_rule.two_pistons)
def test_two_pistons(judge):
    judge.derivation()


@hidden(chain_rule.total_derivative)
def test_total_derivative_square(judge):
    judge.examine(list(paths(judge, [(4, 4), (5, 5), (7, 7), (12, 12)])))


@hidden(chain_rule.total_derivative)
def test_total_derivative_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(chain_rule.total_derivative)
def test_total_derivative_shapes(judge):
    judge.examine(list(paths(judge, [(3, 8), (8, 3), (1, 5), (5, 1), (1, 1), (100, 40), (40, 100)])))


@hidden(chain_rule.total_derivative)
def test_total_derivative_tiny_and_huge(judge):
    shapes = [(5, 4), (6, 6)]
    judge.examine([*paths(judge, shapes, upstream=1e-8), *paths(judge, shapes, slopes=1e8)])


@hidden(chain_rule.total_derivative)
def test_total_derivative_zeros(judge):
    """Most layers have a Jacobian that is zero nearly everywhere, and a loss may look at one output only."""
    only = Case(dL_dy=np.array([0.0, 0.0, 1.3, 0.0]), dy_dx=judge.rng.normal(size=(4, 6)))
    judge.examine([only, Case(dL_dy=judge.rng.normal(size=6), dy_dx=np.diag(judge.rng.normal(size=6)))])


@hidden(chain_rule.total_derivative)
def test_total_derivative_float32(judge):
    judge.examine([float32(case) for case in judge.draw(4)])


@hidden(chain_rule.total_derivative)
def test_total_derivative_layouts(judge):
    judge.examine([form for case in judge.draw(2) for form in laid_out(case)])


# eq. 1.6


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_square(judge):
    """Batch functions, with as many outputs as inputs; and parabolas, whose nudge is large enough to tell eta from 0."""
    share = Source("def f(x):\n    return np.exp(x) / np.exp(x).sum() * np.arange(1.0, len(x) + 1)")
    standard = Source("def f(x):\n    c = x - x.mean()\n    return c / np.sqrt((c * c).mean() + 0.1)")
    cases = [Case(f=f, x=judge.rng.normal(size=M) + 0.5, eta=1e-4) for f in (share, standard) for M in (4, 6)]
    for M in (3, 5):
        f = given_function(judge.rng, M, M, PARABOLAS)
        cases.append(Case(f=f, x=judge.rng.uniform(0.3, 1.5, size=M), eta=0.25))
    judge.examine(cases)


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_shapes(judge):
    shapes = [(1, 5), (5, 1), (1, 1), (3, 12), (12, 3)]
    judge.examine(
        [Case(f=given_function(judge.rng, K, M), x=judge.rng.uniform(0.2, 1, size=M), eta=1e-4) for K, M in shapes]
    )


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_large_nudges(judge):
    """Of a parabola a nudge to either side is exact, however large: one to one side only is far off."""
    cases = []
    for eta in (0.01, 0.3, 1.0, 2.0):
        f = given_function(judge.rng, 5, 4, PARABOLAS)
        cases.append(Case(f=f, x=judge.rng.uniform(0.3, 1.5, size=4), eta=eta))
    judge.examine(cases)


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_uses_its_nudge(judge):
    """A ripple that this nudge does not see, and others do."""
    cases = []
    for eta in (0.05, 0.3, 1.0):
        x = judge.rng.uniform(0.3, 1.5, size=3)
        cases.append(Case(f=rippled(given_function(judge.rng, 4, 3, PARABOLAS), x, eta), x=x, eta=eta))
    judge.examine(cases)


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_far_from_zero(judge):
    f = Source("def f(x):\n    return np.array([x[0] * x[1], x[1] ** 2, np.sqrt(x[2]) * x[0], x.sum() + x[2] ** 2])")
    judge.examine([Case(f=f, x=1e3 + judge.rng.uniform(0, 50, size=3), eta=eta) for eta in (0.01, 0.1, 1.0)])


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_each_alone(judge):
    """Entries that are zero must come out as zero."""
    f = Source("def f(x):\n    return np.tanh(x) + x ** 2")
    judge.examine([Case(f=f, x=judge.rng.uniform(0.3, 1, size=M), eta=1e-4) for M in (3, 8)])


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_float32(judge):
    """Float32 is precise enough only where the nudge is large."""
    cases = [
        Case(f=given_function(judge.rng, 4, 3, PARABOLAS), x=judge.rng.uniform(0.3, 1, size=3), eta=0.5)
        for _ in range(3)
    ]
    judge.examine([float32(case) for case in cases])


@hidden(chain_rule.numerical_jacobian)
def test_numerical_jacobian_layouts(judge):
    judge.examine([form for case in judge.draw(2) for form in laid_out(case)])


# eq. 1.9


def layers(judge, shapes, scale=1.0, offset=0.0):
    """Cases of the layer with an upstream gradient; features differ in location and size."""
    for N, D in shapes:
        size = scale * judge.rng.uniform(0.5, 3, size=D)
        yield Case(
            dout=judge.rng.normal(size=(N, D)) + 0.8,
            x_hat=offset + size * (judge.rng.normal(size=(N, D)) + 0.5),
            gamma=judge.rng.uniform(1.2, 3, size=D) * judge.rng.choice([-1.0, 1.0], size=D),
            beta=judge.rng.normal(size=D) + 2.0,
        )


SHAPES = [(3, 7), (7, 3), (4, 4), (1, 5), (6, 1), (33, 5), (100, 7)]


def arguments(stub, cases):
    return [Case({name: case[name] for name in stub.parameters}) for case in cases]


@hidden(chain_rule.scale_shift_forward)
def test_scale_shift_forward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(chain_rule.scale_shift_forward)
def test_scale_shift_forward_shapes(judge):
    judge.examine(arguments(judge.stub, layers(judge, SHAPES)))


@hidden(chain_rule.scale_shift_forward)
def test_scale_shift_forward_sizes(judge):
    shapes = [(5, 3), (8, 4)]
    cases = [*layers(judge, shapes, offset=1e3), *layers(judge, shapes, scale=1e-4), *layers(judge, shapes, scale=1e6)]
    judge.examine(arguments(judge.stub, cases))


@hidden(chain_rule.scale_shift_forward)
def test_scale_shift_forward_float32_and_layouts(judge):
    drawn = judge.draw(3)
    judge.examine([float32(case) for case in drawn] + [form for case in drawn for form in laid_out(case)])


# eq. 1.11


@hidden(chain_rule.scale_shift_backward)
def test_scale_shift_backward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(chain_rule.scale_shift_backward)
def test_scale_shift_backward_shapes(judge):
    judge.examine(arguments(judge.stub, layers(judge, SHAPES)))


@hidden(chain_rule.scale_shift_backward)
def test_scale_shift_backward_normalized_input(judge):
    """What the layer meets in a network: every feature of x_hat has mean 0 and spread 1."""
    cases = []
    for case in layers(judge, [(6, 3), (40, 5)]):
        x_hat = (case.x_hat - case.x_hat.mean(axis=0)) / case.x_hat.std(axis=0)
        cases.append(Case(case, x_hat=x_hat))
    judge.examine(arguments(judge.stub, cases))


@hidden(chain_rule.scale_shift_backward)
def test_scale_shift_backward_sizes(judge):
    shapes = [(5, 3), (8, 4)]
    cases = [*layers(judge, shapes, offset=1e3), *layers(judge, shapes, scale=1e-8), *layers(judge, shapes, scale=1e8)]
    judge.examine(arguments(judge.stub, cases))


@hidden(chain_rule.scale_shift_backward)
def test_scale_shift_backward_small_gradient(judge):
    """Late in training gradients are small, and a loss that is a mean makes them smaller."""
    judge.examine([Case(case, dout=1e-9 * case.dout) for case in judge.draw(4)])


@hidden(chain_rule.scale_shift_backward)
def test_scale_shift_backward_float32_and_layouts(judge):
    drawn = judge.draw(3)
    judge.examine([float32(case) for case in drawn] + [form for case in drawn for form in laid_out(case)])
