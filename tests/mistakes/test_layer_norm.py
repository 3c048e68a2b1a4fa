"""An exercise outside the course: the declaration of layer norm's backward names ordinary mistakes that nobody listed for it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from answers.names import named

from bnlib.checks import Case, Checks
from bnlib.judging.examining import examine, ordinary_cases
from bnlib.judging.mistakes.known import Known
from bnlib.numerics import vjp_complex
from bnlib.stubs import Lesson

lesson = Lesson("99_layer_norm", "Layer norm")


@lesson.exercise(returns=("dx", "dgamma", "dbeta"), points=1, minutes=1, difficulty=1, equation="9.5")
def layernorm_backward(dout, x, gamma, eps):
    """Send a gradient back through layer norm: mean and variance of each example, over its features."""


# -- the declaration

KNOWN = Known(
    "x: N D, gamma: D, eps, dout: N D",
    """
    mu      = mean(x, D)                                                         # eq. 9.1
    var     = variance(x, D)                                                     # eq. 9.2
    inv_std = 1 / sqrt(var + eps)                                                # eq. 9.3
    x_hat   = (x - mu) * inv_std                                                 # eq. 9.3
    _h      = gamma * dout                                                       # eq. 9.4
    dx      = inv_std * (_h - mean(_h, D) - x_hat * mean(_h * x_hat, D))          # eq. 9.5
    dgamma  = sum(dout * x_hat)                                                  # eq. 9.6
    dbeta   = sum(dout)                                                          # eq. 9.7
    """,
    terms={"dx": ("direct path", "path through the mean", "path through the variance")},
)

# -- the exercise


def forward(x, gamma, beta, eps):
    xc = x - x.mean(axis=1, keepdims=True)
    return gamma * xc / np.sqrt((xc * xc).mean(axis=1, keepdims=True) + eps) + beta


def truth(case):
    beta, (x, gamma, eps) = np.zeros_like(case.gamma), (case.x, case.gamma, case.eps)
    return (
        vjp_complex(lambda x: forward(x, gamma, beta, eps), x, case.dout),
        vjp_complex(lambda gamma: forward(x, gamma, beta, eps), gamma, case.dout),
        vjp_complex(lambda beta: forward(x, gamma, beta, eps), beta, case.dout),
    )


def draw(rng):
    N, D = int(rng.integers(5, 8)), int(rng.integers(3, 5))
    x = rng.normal(size=(N, D)) * rng.uniform(0.5, 2, size=(N, 1)) + rng.uniform(1, 4, size=(N, 1))
    gamma = rng.uniform(1.2, 3, size=D) * rng.choice([-1.0, 1.0], size=D)
    return Case(dout=rng.normal(size=(N, D)) + 1, x=x, gamma=gamma, eps=float(rng.uniform(0.05, 0.4)))


CHECKS = Checks(layernorm_backward, draw=draw, truth=truth, against="eq. 9.3", hints=("", "", ""), idea="", known=KNOWN)

RIGHT = """
def layernorm_backward(dout, x, gamma, eps):
    N, D = x.shape
    mu = x.mean(axis=1, keepdims=True)
    xc = x - mu
    var = (xc**2).mean(axis=1, keepdims=True)
    std = np.sqrt(var + eps)
    x_hat = xc / std
    h = gamma * dout
    m1 = h.mean(axis=1, keepdims=True)
    m2 = (h * x_hat).mean(axis=1, keepdims=True)
    dx = (h - m1 - x_hat * m2) / std
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx, dgamma, dbeta
"""

MISTAKES = (
    ("path-through-the-mean-missing", "eq. 9.5", "(h - m1 - x_hat * m2)", "(h - x_hat * m2)"),
    ("path-through-the-variance-missing", "eq. 9.5", "(h - m1 - x_hat * m2)", "(h - m1)"),
    ("path-through-the-mean-sign", "eq. 9.5", "h - m1", "h + m1"),
    ("path-through-the-variance-sign", "eq. 9.5", "- x_hat * m2", "+ x_hat * m2"),
    ("mean-over-examples", "eq. 9.5", "m1 = h.mean(axis=1, keepdims=True)", "m1 = h.mean(axis=0)"),
    ("mean-over-everything", "eq. 9.5", "m1 = h.mean(axis=1, keepdims=True)", "m1 = h.mean()"),
    ("path-through-the-mean-times-D", "eq. 9.5", "m1 = h.mean(", "m1 = h.sum("),
    ("path-through-the-mean-N-for-D", "eq. 9.5", "h.mean(axis=1, keepdims=True)", "h.sum(axis=1, keepdims=True) / N"),
    ("gamma-missing", "eq. 9.5", "h = gamma * dout", "h = dout"),
    ("no-root", "eq. 9.3", "np.sqrt(var + eps)", "(var + eps)"),
    ("eps-missing", "eq. 9.3", "var + eps", "var"),
    ("eps-outside-the-root", "eq. 9.3", "np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),
    ("eps-fixed", "eq. 9.3", "var + eps", "var + 1e-5"),
    ("bessel", "eq. 9.2", "var = (xc**2).mean(axis=1, keepdims=True)", "var = x.var(axis=1, keepdims=True, ddof=1)"),
    ("mean-over-examples", "eq. 9.2", "var = (xc**2).mean(axis=1, keepdims=True)", "var = x.var(axis=0)"),
    ("inv-std-missing", "eq. 9.5", "x_hat * m2) / std", "x_hat * m2)"),
    ("x-for-x-hat", "eq. 9.5", "(h - m1 - x_hat * m2)", "(h - m1 - x * m2)"),
    ("mean-for-sum", "eq. 9.6", "(dout * x_hat).sum(", "(dout * x_hat).mean("),
    ("gamma-in-dgamma", "eq. 9.6", "(dout * x_hat).sum(", "(h * x_hat).sum("),
    ("gamma-in-dbeta", "eq. 9.7", "dbeta = dout.sum(", "dbeta = h.sum("),
)
"""Twenty ordinary mistakes: the name, the equation of the line that is wrong, and what stands in the place of what."""


def judged(text):
    space = {"np": np}
    exec(text, space)
    rng = np.random.default_rng(7)
    learner = SimpleNamespace(layernorm_backward=space["layernorm_backward"])
    return examine(CHECKS, learner, [draw(rng) for _ in range(3)], truth, ordinary_cases)


def test_the_right_answer_passes():
    report = judged(RIGHT)
    assert report.ok, str(report)


@pytest.mark.parametrize(("name", "equation", "old", "new"), MISTAKES)
def test_an_ordinary_mistake_is_named(name, equation, old, new):
    assert RIGHT.count(old) == 1
    report = judged(RIGHT.replace(old, new))
    assert named(name, report.names), f"{report.names}\n{report.message}"
    assert equation in report.message


def test_there_are_twenty_mistakes_and_few_lines():
    text = Path(__file__).read_text("utf-8")
    lines = text[text.index("KNOWN = Known(") : text.index("# -- the exercise")].strip().splitlines()
    assert len(MISTAKES) == 20
    assert len(lines) <= 25
