"""Lesson 06: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.checks.training import network
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import training


def float32(case):
    floats = {k: v.astype(np.float32) for k, v in case.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"}
    return Case({**case, **floats})


def laid_out(case):
    """The same numbers, in memory the other way round, and with gaps between them."""
    arrays = {k: v for k, v in case.items() if isinstance(v, np.ndarray)}
    gaps = {k: np.repeat(v, 3, axis=-1)[..., ::3] for k, v in arrays.items()}
    return [Case({**case, **{k: np.asfortranarray(v) for k, v in arrays.items()}}), Case({**case, **gaps})]


@hidden(training.softmax_gradient)
def test_softmax_gradient(judge):
    judge.derivation()


# eqs. 6.1 to 6.3


def scored(judge, N, C, scale=2.0, far=0.0):
    return Case(scores=far + scale * judge.rng.normal(size=(N, C)), labels=judge.rng.integers(C, size=N))


@hidden(training.softmax_loss)
def test_softmax_loss_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(training.softmax_loss)
def test_softmax_loss_exact(judge):
    judge.examine([scored(judge, 6, 4) for _ in range(6)], 1e-12)


@hidden(training.softmax_loss)
def test_softmax_loss_shapes(judge):
    judge.examine([scored(judge, N, C) for N, C in ((1, 3), (5, 2), (4, 4), (64, 10), (2, 30))])


@hidden(training.softmax_loss)
def test_softmax_loss_large_scores(judge):
    """Far from zero in either direction, and rows that are sure of a wrong class."""
    sure = Case(scores=np.array([[300.0, 0.0, -300.0], [0.0, 50.0, 0.0]]), labels=np.array([2, 1]))
    judge.examine([scored(judge, 5, 4, far=far) for far in (1000.0, -1000.0)] + [sure])


@hidden(training.softmax_loss)
def test_softmax_loss_float32_and_layouts(judge):
    drawn = [scored(judge, 5, 4) for _ in range(2)]
    judge.examine([float32(case) for case in drawn] + [form for case in drawn for form in laid_out(case)])


# eq. 6.4


def trained(judge, N, D, C, rate=0.3, wrong=False):
    labels = judge.rng.integers(C, size=N)
    return Case(**network(judge.rng, D, C, wrong), x=judge.rng.normal(size=(N, D)), labels=labels, rate=rate)


@hidden(training.training_step)
def test_training_step_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(training.training_step)
def test_training_step_sizes(judge):
    judge.examine([trained(judge, N, D, C) for N, D, C in ((1, 2, 3), (30, 5, 10), (4, 1, 2))])


@hidden(training.training_step)
def test_training_step_rates(judge):
    judge.examine([trained(judge, 5, 3, 4, rate) for rate in (0.0, 1e-3, 10.0)])


@hidden(training.training_step)
def test_training_step_follows_the_backward_it_is_given(judge):
    """Lesson 06 trains wrong gradients on purpose: a step that measures its own is not the one asked for."""
    judge.examine([trained(judge, 5, 3, 4, wrong=True) for _ in range(3)], 1e-12)


# eqs. 6.5, 6.6


def nudged(judge, N, D, C, eta=0.1, wrong=True):
    return Case(
        {name: value for name, value in trained(judge, N, D, C, wrong=wrong).items() if name != "rate"}, eta=eta
    )


@hidden(training.gradient_check)
def test_gradient_check_ordinary(judge):
    judge.examine(judge.draw(5))


@hidden(training.gradient_check)
def test_gradient_check_sizes(judge):
    judge.examine([nudged(judge, N, D, C) for N, D, C in ((1, 2, 3), (12, 4, 6), (4, 1, 2))])


@hidden(training.gradient_check)
def test_gradient_check_right_and_wrong_networks(judge):
    judge.examine([nudged(judge, 5, 3, 3, eta, wrong) for eta in (0.02, 0.3) for wrong in (False, True)])


# eqs. 6.7, 6.8


def biased(judge, N, D, scale=1.0, rate=0.4):
    rng = judge.rng
    h, targets = scale * (rng.normal(size=(N, D)) + 1), scale * (rng.normal(size=(N, D)) + 0.8)
    return Case(h=h, b=scale * rng.normal(size=D), targets=targets, rate=rate)


@hidden(training.runaway_step)
def test_runaway_step_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(training.runaway_step)
def test_runaway_step_shapes(judge):
    judge.examine([biased(judge, N, D) for N, D in ((1, 3), (5, 1), (4, 4), (64, 10), (3, 7))])


@hidden(training.runaway_step)
def test_runaway_step_sizes_and_layouts(judge):
    drawn = biased(judge, 5, 3)
    judge.examine(
        [biased(judge, 5, 3, scale) for scale in (1e-4, 1e4)] + [biased(judge, 5, 3, rate=5.0), *laid_out(drawn)]
    )


@hidden(training.runaway_step)
def test_runaway_step_float32(judge):
    judge.examine([float32(biased(judge, 6, 4)) for _ in range(3)])
