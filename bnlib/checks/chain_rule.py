"""Lesson 01: what is checked about the chain rule over a batch, measured Jacobians, and scale and shift.

The functions to be differentiated are given as text (:class:`~bnlib.checks.Source`), so that the grader can hand them to
a learner's process. They are made of analytic operations: the truth about them is a complex step.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Slip, Source, Step, Steps, Term
from bnlib.numerics import jacobian_central, jacobian_complex, vjp_complex
from bnlib.stubs import chain_rule

CENTRAL_TOLERANCE = 1e-6
"""Central differences of the drawn functions are right to about 1e-8; one-sided ones are wrong by 1e-5 or more."""

CURVES = (
    "np.sin(A @ x) + 0.5 * (B @ x)",
    "np.exp(0.5 * (A @ x)) + B @ x**2",
    "(A @ x) / (4 + (B @ x) ** 2) + np.cos(x).sum() * np.exp(0.3 * (B @ x))",
)
PARABOLAS = ("(A @ x) * (B @ x) + B @ x", "A @ x**2 + B @ x", "(B @ x + 1) ** 2 - A @ x")


def given_function(rng, K, M, formulas=CURVES):
    """A random function of M inputs with K outputs, as text."""
    A, B = (rng.choice([-1.0, 1.0], size=(K, M)) * rng.uniform(0.4, 1.2, size=(K, M)) for _ in range(2))
    return Source(
        f"def f(x):\n    A = np.array({A.round(3).tolist()})\n    B = np.array({B.round(3).tolist()})\n"
        f"    return {rng.choice(formulas)}\n"
    )


def rippled(f, x, h):
    """The same function with a ripple that nudges of h, 2h or h/2 never see: a nudge of another size sees little else."""
    lines = f.text.replace("return ", "y = ")
    return Source(f"{lines}    return y + 0.3 * np.sin(4 * np.pi * (x - np.array({x.tolist()})) / {h}).sum()\n")


def _measured_with(nudge, case):
    return jacobian_central(case.f, case.x, nudge)


def _size(rng, like):
    """A number of inputs or outputs, as often as not the same as the other one.

    Where they are the same a transposed or diagonal result has numbers to be known by; where not, its shape is wrong.
    """
    return like if rng.random() < 0.5 else int(rng.choice([n for n in range(3, 8) if n != like]))


def _paths(rng):
    N = int(rng.integers(4, 8))
    M = _size(rng, N)
    dy_dx = rng.choice([-1.0, 1.0], size=(N, M)) * rng.uniform(0.3, 2, size=(N, M))
    return Case(dL_dy=rng.normal(size=N) + rng.uniform(0.5, 1.5), dy_dx=dy_dx)


def _function(rng):
    """A curve with a small nudge, or a rippled parabola with a large one: there eq. 1.6 is exact, and one side is far off."""
    curved = rng.random() < 0.5
    M = int(rng.integers(3, 7))
    K = _size(rng, M)
    x = rng.uniform(0.4, 1.4, size=M) * rng.choice([-1.0, 1.0], size=M)
    if curved:
        return Case(f=given_function(rng, K, M), x=x, h=float(rng.choice([5e-5, 1e-4, 2e-4])))
    f, h = given_function(rng, K, M, PARABOLAS), float(rng.choice([0.1, 0.25, 0.5]))
    return Case(f=rippled(f, x, h), x=x, h=h)


def _two_sizes(rng):
    N, D = rng.choice([3, 4, 5, 6, 7], size=2, replace=False)
    return int(N), int(D)


def _scale(rng, D):
    """Scales of either sign, none near 0 or 1: both hide mistakes."""
    return rng.uniform(1.2, 3, size=D) * rng.choice([-1.0, 1.0], size=D)


def _layer(rng):
    N, D = _two_sizes(rng)
    x_hat = rng.normal(size=(N, D)) + rng.uniform(0.5, 2)
    return Case(x_hat=x_hat, gamma=_scale(rng, D), beta=rng.uniform(0.5, 3, size=D) * rng.choice([-1.0, 1.0], size=D))


def _layer_gradient(rng):
    N, D = _two_sizes(rng)
    dout = rng.normal(size=(N, D)) + rng.uniform(0.5, 1.5)
    return Case(dout=dout, x_hat=rng.normal(size=(N, D)) + rng.uniform(0.5, 2), gamma=_scale(rng, D))


def _summed_by_hand(case):
    """Eq. 1.3, one path at a time."""
    N, M = case.dy_dx.shape
    return np.array([sum(case.dL_dy[k] * case.dy_dx[k, i] for k in range(N)) for i in range(M)])


def _own(case):
    """For each input, the one path through the output of the same number."""
    own = np.zeros(case.dy_dx.shape[1])
    for k in range(min(case.dy_dx.shape)):
        own[k] = case.dL_dy[k] * case.dy_dx[k, k]
    return own


def _scaled_and_shifted(x_hat, gamma, beta):
    """Eq. 1.9, entry by entry."""
    y = np.empty(x_hat.shape, dtype=np.result_type(x_hat, gamma, beta))
    for example, feature in np.ndindex(x_hat.shape):
        y[example, feature] = gamma[feature] * x_hat[example, feature] + beta[feature]
    return y


def _layer_gradients(case):
    """The three gradients of sum(dout * y), each by a complex step of eq. 1.9."""
    beta = np.zeros_like(case.gamma)
    return (
        vjp_complex(lambda x_hat: _scaled_and_shifted(x_hat, case.gamma, beta), case.x_hat, case.dout),
        vjp_complex(lambda gamma: _scaled_and_shifted(case.x_hat, gamma, beta), case.gamma, case.dout),
        vjp_complex(lambda shift: _scaled_and_shifted(case.x_hat, case.gamma, shift), beta, case.dout),
    )


def _nudged(case, up, down, together=lambda i, M: [i]):
    """A difference of f for each input, undivided: (K, M). ``together`` says which entries a nudge moves."""
    M = len(case.x)
    columns = []
    for i in range(M):
        step = np.zeros(M)
        step[together(i, M)] = case.h
        columns.append(case.f(case.x + up * step) - case.f(case.x - down * step))
    return np.stack(columns, axis=1)


def _values_at(case, sign):
    """The values of f with each entry of x nudged in turn: (K, M)."""
    return np.stack([case.f(case.x + sign * case.h * unit) for unit in np.eye(len(case.x))], axis=1)


def _of_batch(array):
    """A sum over the batch, by the matrix product with a row of ones."""
    return np.ones(len(array)) @ array


total_derivative = Checks(
    chain_rule.total_derivative,
    draw=_paths,
    truth=_summed_by_hand,
    against="eq. 1.3, summed by hand",
    hints=(
        "Eq. 1.3 has one letter that is summed over and one that stays. Which of them names the rows of dy_dx?",
        "For one input i, multiply dL_dy with column i of dy_dx, entry by entry, and add up. Two loops do it.",
        "For input 0 alone it would read sum(dL_dy[k] * dy_dx[k, 0] for k in range(len(dL_dy))).",
    ),
    idea="Eq. 1.3 multiplies a row vector by a matrix: the index k stands side by side in both factors, and is summed away.",
    terms={
        "dL_dx": (
            Term("path through the output of the same number", "k = i in eq. 1.3", _own),
            Term(
                "sum of the paths through the other outputs",
                "k ≠ i in eq. 1.3",
                lambda case: _summed_by_hand(case) - _own(case),
            ),
        )
    },
    slips=(
        Slip(
            "only-the-diagonal",
            "Of each input only one path was counted, the one through the output of the same number. "
            "In eq. 1.3 a path leads through every output, and the sum runs over all of them.",
            "dL_dx",
            lambda case: np.array([case.dL_dy[i] * case.dy_dx[i, i] for i in range(case.dy_dx.shape[1])]),
        ),
        Slip(
            "transposed",
            "dy_dx was used with its indices the other way round: in dy_dx[k, i] of eq. 1.3, k is the output and i the input, "
            "and it is k that is summed over.",
            "dL_dx",
            lambda case: np.einsum("ik,k->i", case.dy_dx, case.dL_dy),
        ),
        Slip(
            "gradient-on-the-wrong-index",
            "dL_dy was multiplied along the inputs of dy_dx. It belongs to the outputs: dL_dy[k] meets row k of dy_dx.",
            "dL_dx",
            lambda case: case.dL_dy * _of_batch(case.dy_dx),
        ),
        Slip(
            "summed-over-the-inputs",
            "The sum runs over the inputs. In eq. 1.3 the input i stays, and the outputs k are summed over.",
            "dL_dx",
            lambda case: case.dL_dy * _of_batch(case.dy_dx.T),
        ),
        Slip(
            "mean-for-sum",
            "The paths were averaged. Eq. 1.3 adds them up: there is no division in it.",
            "dL_dx",
            lambda case: _summed_by_hand(case) / len(case.dL_dy),
        ),
        Slip(
            "upstream-missing",
            "dL_dy is not in the result: the columns of dy_dx were added up as they are. Each path is a product of two slopes.",
            "dL_dx",
            lambda case: _of_batch(case.dy_dx),
        ),
        Slip(
            "summed-before-multiplied",
            "The two slopes were added up separately and multiplied afterwards. Eq. 1.3 multiplies first, path by path, then adds.",
            "dL_dx",
            lambda case: case.dL_dy.sum() * _of_batch(case.dy_dx),
        ),
        Slip(
            "last-path-left-out",
            "The path through the last output is missing: does the loop end one step early?",
            "dL_dx",
            lambda case: np.einsum("k,ki->i", case.dL_dy[:-1], case.dy_dx[:-1]),
        ),
        Slip(
            "first-path-left-out",
            "The path through the first output is missing: does the loop begin at 1?",
            "dL_dx",
            lambda case: np.einsum("k,ki->i", case.dL_dy[1:], case.dy_dx[1:]),
        ),
        Slip(
            "only-one-path",
            "Only one path is left, the one through the last output: is there an = where += belongs?",
            "dL_dx",
            lambda case: case.dL_dy[-1] * case.dy_dx[-1],
        ),
    ),
)

numerical_jacobian = Checks(
    chain_rule.numerical_jacobian,
    draw=_function,
    truth=lambda case: jacobian_central(case.f, case.x, case.h),
    against="the true Jacobian, as closely as eq. 1.6 can",
    steps=Steps(
        (Step("J", "eq. 1.6", lambda q: (q.f_above - q.f_below) / (q.two * q.h)),),
        lambda case: {
            "f_above": _values_at(case, 1),
            "f_below": _values_at(case, -1),
            "two": 2.0,
            "h": case.h,
        },
    ),
    tolerance=CENTRAL_TOLERANCE,
    hints=(
        "Eq. 1.6 for one fixed i gives a whole column of J at once: all outputs k answer the same nudge. So one loop, over i.",
        "In the loop: a copy of x with h added to entry i, a copy with h taken away, f of both. Their difference over 2h is "
        "column i. The number of rows is the length of what f returns.",
        "Column 0 alone: step = np.zeros(len(x)); step[0] = h; column = (f(x + step) - f(x - step)) / (2 * h).",
    ),
    idea="One pass over the inputs; each pass nudges one entry of a fresh copy up and down and yields one column; "
    "stack the columns side by side.",
    terms={"J": (Term("difference quotient", "eq. 1.6", lambda case: jacobian_central(case.f, case.x, case.h)),)},
    slips=(
        Slip(
            "nudge-not-used",
            "J is the slope that a tiny nudge gives, whatever h is. Nudge by the h that was given: eq. 1.6.",
            "J",
            lambda case: jacobian_complex(case.f, case.x),
        ),
        *(
            Slip(
                f"nudge-of-{nudge:g}",
                f"J was measured with a nudge of {nudge:g}, whatever h is. Nudge by the h that was given: eq. 1.6.",
                "J",
                partial(_measured_with, nudge),
            )
            for nudge in (1e-2, 1e-3, 1e-4, 1e-5)
        ),
        Slip(
            "one-sided",
            "This is the one-sided difference, f(x + nudge) against f(x). Eq. 1.6 nudges down as well; see eq. 1.7 for the "
            "error that remains otherwise.",
            "J",
            lambda case: _nudged(case, 1, 0) / case.h,
        ),
        Slip(
            "one-sided-below",
            "This is a one-sided difference, f(x) against f(x - nudge). Eq. 1.6 nudges up as well; see eq. 1.7 for the "
            "error that remains otherwise.",
            "J",
            lambda case: _nudged(case, 0, 1) / case.h,
        ),
        Slip(
            "factor-2-missing",
            "J is twice too large. From x - h to x + h, how far is that? See what eq. 1.6 divides by.",
            "J",
            lambda case: _nudged(case, 1, 1) / case.h,
        ),
        Slip(
            "lost-parentheses",
            "/ 2 * h divides by 2 and then multiplies by h. Eq. 1.6 divides by all of 2h: parentheses.",
            "J",
            lambda case: _nudged(case, 1, 1) / 2 * case.h,
        ),
        Slip(
            "not-divided",
            "These are the differences of f alone. A slope is a difference divided by the distance it was made over: eq. 1.6.",
            "J",
            lambda case: _nudged(case, 1, 1),
        ),
        Slip(
            "transposed",
            "J is transposed: outputs belong into rows and inputs into columns, J[k, i]. One nudge of input i gives column i.",
            "J",
            lambda case: jacobian_central(case.f, case.x, case.h).T,
        ),
        Slip(
            "nudges-pile-up",
            "The nudges pile up: when entry i is nudged, the entries before it still are. Begin each time with a fresh copy of x.",
            "J",
            lambda case: _nudged(case, 1, 1, lambda i, M: list(range(i + 1))) / (2 * case.h),
        ),
        Slip(
            "all-nudged-together",
            "All entries of x are nudged together, so every column is the same. Eq. 1.6 nudges entry i alone.",
            "J",
            lambda case: _nudged(case, 1, 1, lambda i, M: list(range(M))) / (2 * case.h),
        ),
        Slip(
            "only-the-diagonal",
            "Only the diagonal is filled: for each nudge one output was looked at. Eq. 1.6 holds for every k.",
            "J",
            lambda case: np.eye(len(case.f(case.x)), len(case.x)) * jacobian_central(case.f, case.x, case.h),
        ),
        Slip(
            "nothing-nudged",
            "J is zero everywhere: both calls of f got the same numbers. Do two names stand for one array? "
            "a = x makes no copy, x.copy() does.",
            "J",
            lambda case: 0 * jacobian_central(case.f, case.x, case.h),
        ),
    ),
)

scale_shift_forward = Checks(
    chain_rule.scale_shift_forward,
    draw=_layer,
    truth=lambda case: _scaled_and_shifted(case.x_hat, case.gamma, case.beta),
    against="eq. 1.9, entry by entry",
    steps=Steps((Step("y", "eq. 1.9", lambda q: q.gamma * q.x_hat + q.beta),)),
    hints=(
        "Eq. 1.9 multiplies and adds. Which index do gamma and beta have, and along which axis of x_hat does it run?",
        "A (D,) array meets an (N, D) array row by row: numpy repeats it for every example. No loop is needed.",
        "For feature 0 alone it would read gamma[0] * x_hat[:, 0] + beta[0].",
    ),
    idea="One product and one sum; broadcasting gives every example the same gamma and beta.",
    terms={
        "y": (
            Term(
                "scale term",
                "the first term of eq. 1.9",
                lambda case: _scaled_and_shifted(case.x_hat, case.gamma, 0 * case.beta),
            ),
            Term("shift", "the second term of eq. 1.9", lambda case: np.broadcast_to(case.beta, case.x_hat.shape)),
        )
    },
    factors=lambda case: {"gamma": case.gamma, "beta": case.beta},
    slips=(
        Slip(
            "gamma-and-beta-exchanged",
            "gamma and beta have changed places. In eq. 1.9 gamma is the scale and beta the shift.",
            "y",
            lambda case: _scaled_and_shifted(case.x_hat, case.beta, case.gamma),
        ),
        Slip(
            "shift-before-scale",
            "The shift was added first and then scaled too. In eq. 1.9 beta stands outside the product.",
            "y",
            lambda case: _scaled_and_shifted(case.x_hat, case.gamma, case.gamma * case.beta),
        ),
        Slip(
            "divided-by-gamma",
            "x_hat was divided by gamma. Eq. 1.9 multiplies.",
            "y",
            lambda case: _scaled_and_shifted(case.x_hat, 1 / case.gamma, case.beta),
        ),
        Slip(
            "gamma-added",
            "gamma was added to x_hat. Eq. 1.9 multiplies with it.",
            "y",
            lambda case: case.x_hat + (case.gamma + case.beta),
        ),
    ),
)

_LAST_ONLY = "Only the last example is left: each pass of a loop replaces what the ones before it found (= for +=). See eq. 1.11."
_EXAMPLES_DO_NOT_MIX = "One example's gradient reaches another one's x_hat here. By eq. 1.10, x_hat[i, j] moves the output of its own example only."

scale_shift_backward = Checks(
    chain_rule.scale_shift_backward,
    draw=_layer_gradient,
    truth=_layer_gradients,
    against="the numerical derivative of eq. 1.9",
    steps=Steps(
        (
            Step("dx_hat", "eq. 1.10", lambda q: q.dout * q.gamma),
            Step("dgamma", "eq. 1.11", lambda q: q.sum(q.dout * q.x_hat)),
            Step("dbeta", "eq. 1.11", lambda q: q.sum(q.dout)),
        )
    ),
    hints=(
        "Take the three one after the other, and ask eq. 1.10: which outputs does this one number move? Those are its paths.",
        "x_hat[i, j] has one path: one product, no sum. gamma[j] and beta[j] have N paths, one for each example: put their "
        "slopes from eq. 1.10 into eq. 1.11 and sum over the examples, which lie along axis 0.",
        "For feature 0 alone: dgamma[0] = sum(dout[k, 0] * x_hat[k, 0] for k in range(N)).",
    ),
    idea="Three products of dout with a slope of eq. 1.10, in the shape (N, D); for the two parameters the batch axis is summed away.",
    terms={
        "dx_hat": (
            Term("product with the slope", "eq. 1.10", lambda case: np.einsum("nd,d->nd", case.dout, case.gamma)),
        ),
        "dgamma": (Term("sum over the batch", "eq. 1.11", lambda case: np.einsum("nd,nd->d", case.dout, case.x_hat)),),
        "dbeta": (Term("sum over the batch", "eq. 1.11", lambda case: np.einsum("nd->d", case.dout)),),
    },
    factors=lambda case: {"gamma": case.gamma},
    slips=(
        Slip(
            "gamma-missing",
            "dx_hat lacks its factor gamma: how fast does y[i, j] move with x_hat[i, j]? See eq. 1.10.",
            "dx_hat",
            lambda case: case.dout,
        ),
        Slip(
            "divided-by-gamma",
            "dout was divided by gamma. A gradient is multiplied by the slope on its way back, as along every path of eq. 1.3.",
            "dx_hat",
            lambda case: case.dout / case.gamma,
        ),
        Slip(
            "x-hat-for-gamma",
            "dx_hat has the factor x_hat where the slope of y with x_hat belongs: see eq. 1.10 for which slope is whose.",
            "dx_hat",
            lambda case: case.dout * case.x_hat,
        ),
        Slip(
            "slope-alone",
            "dx_hat lacks dout: it is the slope alone.",
            "dx_hat",
            lambda case: case.gamma + 0 * case.dout,
        ),
        Slip(
            "dx-hat-averaged",
            _EXAMPLES_DO_NOT_MIX,
            "dx_hat",
            lambda case: case.gamma * (case.dout - _of_batch(case.dout) / len(case.dout)),
        ),
        Slip(
            "dx-hat-summed",
            _EXAMPLES_DO_NOT_MIX,
            "dx_hat",
            lambda case: np.broadcast_to(case.gamma * _of_batch(case.dout), case.dout.shape),
        ),
        Slip(
            "dgamma-mean",
            "dgamma is a mean over the batch. Every example is a path of its own, and paths are added: eq. 1.11.",
            "dgamma",
            lambda case: _of_batch(case.dout * case.x_hat) / len(case.dout),
        ),
        Slip(
            "dgamma-times-gamma",
            "dgamma carries a factor gamma. How fast does y move with gamma? Eq. 1.10 says so, and gamma is not in it.",
            "dgamma",
            lambda case: case.gamma * _of_batch(case.dout * case.x_hat),
        ),
        Slip("dgamma-last-example-only", _LAST_ONLY, "dgamma", lambda case: case.dout[-1] * case.x_hat[-1]),
        Slip("dbeta-last-example-only", _LAST_ONLY, "dbeta", lambda case: case.dout[-1]),
        Slip(
            "dgamma-summed-before-multiplied",
            "For dgamma, dout and x_hat were added up separately and multiplied afterwards. Multiply example by example, then add.",
            "dgamma",
            lambda case: _of_batch(case.dout) * _of_batch(case.x_hat),
        ),
        Slip(
            "dbeta-mean",
            "dbeta is a mean over the batch. Every example is a path of its own, and paths are added: eq. 1.11.",
            "dbeta",
            lambda case: _of_batch(case.dout) / len(case.dout),
        ),
        Slip(
            "dbeta-times-gamma",
            "dbeta carries a factor gamma. How fast does y move with beta? Eq. 1.10 says so, and gamma is not in it.",
            "dbeta",
            lambda case: case.gamma * _of_batch(case.dout),
        ),
        Slip(
            "dbeta-times-x-hat",
            "dbeta carries a factor x_hat: that is the slope of y with another of the three. See eq. 1.10.",
            "dbeta",
            lambda case: _of_batch(case.dout * case.x_hat),
        ),
        Slip(
            "dbeta-counts-examples",
            "dbeta lacks dout: it counts the examples. Every path is a product of dout and a slope.",
            "dbeta",
            lambda case: 0 * case.gamma + len(case.dout),
        ),
    ),
)

two_paths = Answer(
    chain_rule.two_paths,
    right="c",
    why={
        "a": "Both paths are open at the same time: what comes through y2 does not wait for the larger one. They add up.",
        "b": "An average would mean that the paths share one step of x. Each gets the whole step, so they add up.",
        "c": "Each path is a product of its two slopes, 3 times 0.25 and 1 times 0.5. Both happen at once, so they add up.",
        "d": "This sends the motion of y1 through the slope of y2 too. A path leads through one output: multiply along each path "
        "first, then add.",
    },
)

one_output = Answer(
    chain_rule.one_output,
    right="c",
    why={
        "a": "That would be enough if y[2] depended on x[2] alone. In a batch function it depends on all inputs.",
        "b": "Column 2 says what input 2 does to all outputs. The loss asks the other question: what do all inputs do to output 2?",
        "c": "dL_dy is zero but for k = 2, so of the sum over k one term is left: dL_dy[2] times J[2, i], for every i. "
        "A loss that looks at one example sends a gradient to all of them.",
        "d": "In the sum over k, each row k is weighted with dL_dy[k]. All of those are zero but one.",
    },
)

smaller_step = Answer(
    chain_rule.smaller_step,
    right="b",
    why={
        "a": "That is the error of the formula alone. The computer also rounds f to about 16 digits, and the division by a "
        "tiny 2h makes those roundings large.",
        "b": "Each value of f is rounded at about its 16th digit. Dividing by 2h blows that up to about 1e-16 / 1e-13, "
        "an error of one in a thousand. Smaller is better only down to about 1e-5.",
        "c": "float64 holds about 16 digits. The ten are the best that a difference of two values can do, and a worse h loses them.",
        "d": "That comes a little later: near h = 1e-17, x + h and x are the same number. At 1e-13 a few digits are left.",
    },
)

where_the_sum = Answer(
    chain_rule.where_the_sum,
    right="a",
    why={
        "a": "Count the paths: N from gamma[j] to the loss, one through each example; one from x_hat[i, j]. "
        "A sum in a gradient always has such a reason.",
        "b": "Shapes tell that something has to be summed, not that it is right: a mean has that shape too, and so have many "
        "wrong formulas. Count the paths instead.",
        "c": "A sum does grow with the batch. If the loss is a mean over the batch, its 1/N is in dout already. Count the paths instead.",
        "d": "Broadcasting repeats gamma for each example; it adds nothing up. y[i, j] is the only output that holds x_hat[i, j].",
    },
)

two_pistons = Chain(
    chain_rule.two_pistons,
    (
        Move(
            "From x to L there are as many paths as pistons. Look at one of them: which two slopes does it have?",
            "Multiply the slope of L by y[p] with the slope of y[p] by x, and add up over all p in P.",
            "sum(d(L, y[p]) * d(y[p], x) for p in P)",
        ),
        Move(
            "Two derivatives are left, and both are plain numbers. How much does L rise when y[p] alone rises by 1?",
            "L is a sum of b[p] * y[p], so its slope by y[p] is b[p]; the slope of y[p] = a[p] * x by x is a[p].",
            "sum(b[p] * a[p] for p in P)",
        ),
    ),
    idea="Along a path slopes multiply, and where paths meet they are added up.",
)
