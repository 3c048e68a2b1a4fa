"""Lesson 06: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.checks.training import network
from bnlib.grading.hidden.forms import float32, layouts
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import training

# -- inputs


def scored(judge, N, K, far=0.0):
    return Case(scores=far + 2 * judge.rng.normal(size=(N, K)), labels=judge.rng.integers(K, size=N))


def trained(judge, N, D, K, rate=0.3, wrong=False):
    labels = judge.rng.integers(K, size=N)
    return Case(**network(judge.rng, D, K, wrong), x=judge.rng.normal(size=(N, D)), labels=labels, rate=rate)


def nudged(judge, N, D, K, eta=0.1, wrong=True):
    case = Case(trained(judge, N, D, K, wrong=wrong), eta=eta)
    del case["rate"]
    return case


def biased(judge, N, D, scale=1.0, rate=0.4):
    rng = judge.rng
    h, targets = scale * (rng.normal(size=(N, D)) + 1), scale * (rng.normal(size=(N, D)) + 0.8)
    return Case(h=h, b=scale * rng.normal(size=D), targets=targets, rate=rate)


SIZES = {
    training.softmax_loss: (scored, ((1, 3), (5, 2), (4, 4), (64, 10), (2, 30))),
    training.training_step: (trained, ((1, 2, 3), (30, 5, 10), (4, 1, 2))),
    training.gradient_check: (nudged, ((1, 2, 3), (12, 4, 6), (4, 1, 2))),
    training.runaway_step: (biased, ((1, 3), (5, 1), (4, 4), (64, 10), (3, 7))),
}
"""For each exercise how its inputs are made, and of which sizes."""


# -- tests


@hidden(training.softmax_gradient)
def test_derivation(judge):
    judge.derivation()


@hidden(*SIZES)
def test_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(*SIZES)
def test_sizes(judge):
    make, sizes = SIZES[judge.stub]
    judge.examine([make(judge, *each) for each in sizes])


@hidden(training.softmax_loss, training.runaway_step)
def test_float32_and_layouts(judge):
    drawn = judge.draw(3)
    judge.examine([float32(case) for case in drawn] + layouts(*drawn))


# eqs. 6.1 to 6.3


@hidden(training.softmax_loss)
def test_exact(judge):
    judge.examine([scored(judge, 6, 4) for _ in range(6)], 1e-12)


@hidden(training.softmax_loss)
def test_large_scores(judge):
    """Far from zero in either direction, and rows that are sure of a wrong class."""
    sure = Case(scores=np.array([[300.0, 0.0, -300.0], [0.0, 50.0, 0.0]]), labels=np.array([2, 1]))
    judge.examine([scored(judge, 5, 4, far=far) for far in (1000.0, -1000.0)] + [sure])


# eq. 6.4


@hidden(training.training_step)
def test_rates(judge):
    judge.examine([trained(judge, 5, 3, 4, rate) for rate in (0.0, 1e-3, 10.0)])


@hidden(training.training_step)
def test_the_backward_it_is_given_is_followed(judge):
    """Lesson 06 trains wrong gradients on purpose: a step that measures its own is not the one asked for."""
    judge.examine([trained(judge, 5, 3, 4, wrong=True) for _ in range(3)], 1e-12)


# eqs. 6.5, 6.6


@hidden(training.gradient_check)
def test_right_and_wrong_networks(judge):
    judge.examine([nudged(judge, 5, 3, 3, eta, wrong) for eta in (0.02, 0.3) for wrong in (False, True)])


# eqs. 6.7, 6.8


@hidden(training.runaway_step)
def test_scales_and_rate(judge):
    judge.examine([biased(judge, 5, 3, scale) for scale in (1e-4, 1e4)] + [biased(judge, 5, 3, rate=5.0)])
