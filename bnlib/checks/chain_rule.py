"""Lesson 01: what is checked about the chain rule over a batch, measured Jacobians, and scale and shift.

The functions to be differentiated are given as text (:class:`~bnlib.checks.Source`), so that the grader can hand them to
a learner's process. They are made of analytic operations: the truth about them is a complex step.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Slip, Source
from bnlib.judging.mistakes.known import Known
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


def rippled(f, x, eta):
    """The same function with a ripple that nudges of eta, 2 eta or eta/2 never see: a nudge of another size sees little else."""
    lines = f.text.replace("return ", "y = ")
    return Source(f"{lines}    return y + 0.3 * np.sin(4 * np.pi * (x - np.array({x.tolist()})) / {eta}).sum()\n")


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
        return Case(f=given_function(rng, K, M), x=x, eta=float(rng.choice([5e-5, 1e-4, 2e-4])))
    f, eta = given_function(rng, K, M, PARABOLAS), float(rng.choice([0.1, 0.25, 0.5]))
    return Case(f=rippled(f, x, eta), x=x, eta=eta)


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
        step[together(i, M)] = case.eta
        columns.append(case.f(case.x + up * step) - case.f(case.x - down * step))
    return np.stack(columns, axis=1)


def _values_at(case, sign):
    """The values of f with each entry of x nudged in turn: (K, M)."""
    return np.stack([case.f(case.x + sign * case.eta * unit) for unit in np.eye(len(case.x))], axis=1)


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
    known=Known(
        "dL_dy: N, dy_dx: N M",
        "dL_dx[i] = sum(dL_dy[k] * dy_dx[k, i] for k in N)  # eq. 1.3",
        rules="""
            only-the-diagonal: sum(A for k in N) => sum(A for k in N) - sum(A for k in N if k != i) | of each input only one path is counted, the one through the output of the same number: a path leads through every output, and the sum runs over all of them
            path-through-the-output-of-the-same-number-missing: sum(A for k in N) => sum(A for k in N if k != i) | the path with k = i is missing: it is one of the N paths
            path-through-the-output-of-the-same-number-doubled: sum(A for k in N) => 2 * sum(A for k in N) - sum(A for k in N if k != i) | the path with k = i is there twice
            transposed: dy_dx[k, i] => dy_dx[i, k] | dy_dx has its indices the other way round: in dy_dx[k, i], k is the output and i the input, and it is k that is summed over
            gradient-on-the-wrong-index: sum(dL_dy[k] * A for k in N) => dL_dy[i] * sum(A for k in N) | dL_dy is multiplied along the inputs of dy_dx, and belongs to the outputs: dL_dy[k] meets row k of dy_dx
            summed-over-the-inputs: sum(dL_dy[k] * A for k in N) => dL_dy[k] * sum(A for i in M) | the sum runs over the inputs: the input i stays, and the outputs k are summed over
            mean-for-sum: sum(A) => mean(A) | the paths are averaged: eq. 1.3 adds them up, and there is no division in it
            upstream-missing: dL_dy[k] * A => A | dL_dy is missing, and the columns of dy_dx are added up as they are: each path is a product of two slopes
            summed-before-multiplied: sum(A * B) => sum(A) * sum(B) | the two slopes are added up separately and multiplied afterwards: multiply first, path by path, then add
            summed-before-multiplied: sum(A * B) => mean(A) * sum(B) | the two slopes are taken together separately and multiplied afterwards: multiply first, path by path, then add
        """,
        words={
            "dL-dx-sign": "dL_dx has the wrong sign everywhere: there is no minus in eq. 1.3.",
            "last-example-left-out": "The path through the last output is missing: does the loop end one step early?",
            "first-example-left-out": "The path through the first output is missing: does the loop begin at 1?",
            "last-example-only": "Only one path is left, the one through the last output: is there an = where += belongs?",
        },
        terms={"dL_dx": ("sum of the paths",)},
    ),
)

numerical_jacobian = Checks(
    chain_rule.numerical_jacobian,
    draw=_function,
    truth=lambda case: jacobian_central(case.f, case.x, case.eta),
    against="the true Jacobian, as closely as eq. 1.6 can",
    known=Known(
        "f_above: K M, f_below: K M, f_here: K, eta",
        "J = (f_above - f_below) / (2 * eta)  # eq. 1.6",
        rules="""
            one-sided: (A - f_below) / (2 * eta) => (A - f_here) / eta | this is the one-sided difference, f(x + nudge) against f(x): eq. 1.6 nudges down as well, and eq. 1.7 shows the error that remains otherwise
            one-sided: f_below => f_here | f(x) stands where f(x - nudge) belongs: eq. 1.6 nudges down as well, and eq. 1.7 shows the error that remains otherwise
            one-sided-below: (f_above - A) / (2 * eta) => (f_here - A) / eta | this is the one-sided difference, f(x) against f(x - nudge): eq. 1.6 nudges up as well, and eq. 1.7 shows the error that remains otherwise
            one-sided-below: f_above => f_here | f(x) stands where f(x + nudge) belongs: eq. 1.6 nudges up as well, and eq. 1.7 shows the error that remains otherwise
            factor-2-missing: 2 * eta => eta | everything is twice too large: from x - eta to x + eta, how far is that?
            lost-parentheses: A / (2 * eta) => A / 2 * eta | / 2 * eta divides by 2 and then multiplies by eta, and the division is by all of 2 eta: parentheses
            not-divided: A / (2 * eta) => A | these are the differences of f alone: a slope is a difference divided by the distance it was made over
            eta-not-used: 2 * eta => 2e-4 | the differences are divided by 2e-4 whatever eta is: divide by the distance they were made over
            eta-not-used: 2 * eta => 2e-5 | the differences are divided by 2e-5 whatever eta is: divide by the distance they were made over
        """,
        terms={"J": ("difference quotient",)},
        view=lambda case: {
            "f_above": _values_at(case, 1),
            "f_below": _values_at(case, -1),
            "f_here": case.f(case.x),
            "eta": case.eta,
        },
    ),
    tolerance=CENTRAL_TOLERANCE,
    hints=(
        "Eq. 1.6 for one fixed i gives a whole column of J at once: all outputs k answer the same nudge. So one loop, over i.",
        "In the loop: a copy of x with eta added to entry i, a copy with eta taken away, f of both. Their difference over 2 eta is "
        "column i. The number of rows is the length of what f returns.",
        "Column 0 alone: step = np.zeros(len(x)); step[0] = eta; column = (f(x + step) - f(x - step)) / (2 * eta).",
    ),
    idea="One pass over the inputs; each pass nudges one entry of a fresh copy up and down and yields one column; "
    "stack the columns side by side.",
    slips=(
        Slip(
            "eta-not-used",
            "J is the slope that a tiny nudge gives, whatever eta is. Nudge by the eta that was given: eq. 1.6.",
            "J",
            lambda case: jacobian_complex(case.f, case.x),
        ),
        *(
            Slip(
                "eta-not-used",
                f"J was measured with a nudge of {nudge:g}, whatever eta is. Nudge by the eta that was given: eq. 1.6.",
                "J",
                partial(_measured_with, nudge),
            )
            for nudge in (0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
        ),
        Slip(
            "transposed",
            "J is transposed: outputs belong into rows and inputs into columns, J[k, i]. One nudge of input i gives column i.",
            "J",
            lambda case: jacobian_central(case.f, case.x, case.eta).T,
        ),
        Slip(
            "nudges-pile-up",
            "The nudges pile up: when entry i is nudged, the entries before it still are. Begin each time with a fresh copy of x.",
            "J",
            lambda case: _nudged(case, 1, 1, lambda i, M: list(range(i + 1))) / (2 * case.eta),
        ),
        Slip(
            "all-nudged-together",
            "All entries of x are nudged together, so every column is the same. Eq. 1.6 nudges entry i alone.",
            "J",
            lambda case: _nudged(case, 1, 1, lambda i, M: list(range(M))) / (2 * case.eta),
        ),
        Slip(
            "all-nudged-together",
            "There is one nudge, of all entries of x together. Eq. 1.6 nudges entry i alone, and that gives column i.",
            "J",
            lambda case: _nudged(case, 1, 1, lambda i, M: list(range(M)))[:, 0] / (2 * case.eta),
        ),
        Slip(
            "only-the-diagonal",
            "Only the diagonal is filled: for each nudge one output was looked at. Eq. 1.6 holds for every k.",
            "J",
            lambda case: np.eye(len(case.f(case.x)), len(case.x)) * jacobian_central(case.f, case.x, case.eta),
        ),
        Slip(
            "nothing-nudged",
            "J is zero everywhere: both calls of f got the same numbers. Do two names stand for one array? "
            "a = x makes no copy, x.copy() does.",
            "J",
            lambda case: 0 * jacobian_central(case.f, case.x, case.eta),
        ),
    ),
)

scale_shift_forward = Checks(
    chain_rule.scale_shift_forward,
    draw=_layer,
    truth=lambda case: _scaled_and_shifted(case.x_hat, case.gamma, case.beta),
    against="eq. 1.9, entry by entry",
    known=Known(
        "x_hat: N D, gamma: D, beta: D",
        "y = gamma * x_hat + beta  # eq. 1.9",
        rules="""
            divided-by-gamma: gamma * A => A / gamma | x_hat is divided by gamma, and should be multiplied
            gamma-added: gamma * A => gamma + A | gamma is added to x_hat, and should be multiplied with it
        """,
        words={
            "gamma-and-beta-exchanged": "gamma and beta have changed places. In eq. 1.9 gamma is the scale and beta the shift.",
            "shift-before-scale": "The shift was added first and then scaled too. In eq. 1.9 beta stands outside the product.",
        },
        terms={"y": ("scale term | the first term of eq. 1.9", "shift | the second term of eq. 1.9")},
    ),
    hints=(
        "Eq. 1.9 multiplies and adds. Which index do gamma and beta have, and along which axis of x_hat does it run?",
        "A (D,) array meets an (N, D) array row by row: numpy repeats it for every example. No loop is needed.",
        "For feature 0 alone it would read gamma[0] * x_hat[:, 0] + beta[0].",
    ),
    idea="One product and one sum; broadcasting gives every example the same gamma and beta.",
)

scale_shift_backward = Checks(
    chain_rule.scale_shift_backward,
    draw=_layer_gradient,
    truth=_layer_gradients,
    against="the numerical derivative of eq. 1.9",
    known=Known(
        "dout: N D, x_hat: N D, gamma: D",
        """
        dx_hat = dout * gamma      # eq. 1.10
        dgamma = sum(dout * x_hat) # eq. 1.11
        dbeta  = sum(dout)         # eq. 1.11
        """,
        rules="""
            divided-by-gamma: A * gamma => A / gamma | dout is divided by gamma: on its way back a gradient is multiplied by the slope, as along every path of eq. 1.3
            x-hat-for-gamma: gamma => x_hat | x_hat stands where the slope of y with x_hat belongs: which slope is whose?
            upstream-missing: dout * A => A | dout is missing: every path is a product of dout and a slope
            dx-hat-averaged: dout * gamma => gamma * (dout - mean(dout)) | one example's gradient reaches another one's x_hat: x_hat[i, j] moves the output of its own example only
            dx-hat-summed: dout * gamma => gamma * sum(dout) | one example's gradient reaches another one's x_hat: x_hat[i, j] moves the output of its own example only
            mean-for-sum: sum(A) => mean(A) | a mean over the batch is taken: every example is a path of its own, and paths are added
            x-hat-missing: sum(dout * x_hat) => sum(dout) | x_hat is missing: how fast does y move with gamma?
            dbeta-with-x-hat: sum(dout) => sum(dout * x_hat) | there is a factor x_hat: that is the slope of y with another of the three
            dbeta-counts-examples: sum(dout) => sum(dout / dout) | dout is missing, and the examples are counted: every path is a product of dout and a slope
        """,
        words={
            "gamma-missing": "dx_hat lacks its factor gamma: how fast does y[i, j] move with x_hat[i, j]? See eq. 1.10.",
            "gamma-in-dgamma": "dgamma carries a factor gamma. How fast does y move with gamma? Eq. 1.10 says so, and gamma is not in it.",
            "gamma-in-dbeta": "dbeta carries a factor gamma. How fast does y move with beta? Eq. 1.10 says so, and gamma is not in it.",
        },
        terms={
            "dx_hat": ("product with the slope",),
            "dgamma": ("sum over the batch",),
            "dbeta": ("sum over the batch",),
        },
    ),
    hints=(
        "Take the three one after the other, and ask eq. 1.10: which outputs does this one number move? Those are its paths.",
        "x_hat[i, j] has one path: one product, no sum. gamma[j] and beta[j] have N paths, one for each example: put their "
        "slopes from eq. 1.10 into eq. 1.11 and sum over the examples, which lie along axis 0.",
        "For feature 0 alone: dgamma[0] = sum(dout[k, 0] * x_hat[k, 0] for k in range(N)).",
    ),
    idea="Three products of dout with a slope of eq. 1.10, in the shape (N, D); for the two parameters the batch axis is summed away.",
)

recall_slope = Answer(
    chain_rule.recall_slope,
    right="d",
    why={
        "a": "That is the derivative of v**2 turned over. The exponent is -2: it comes down in front, and one is taken away from it.",
        "b": "An exponent of -1 gives that: the derivative of 1 / v. Here the exponent is -2.",
        "c": "The exponent is -2, and it comes down with its sign: as v grows, y falls.",
        "d": "y = v**(-2): the exponent comes down, and one is taken away from it. You will do the same with a square root in lesson 03.",
    },
)

recall_axis = Answer(
    chain_rule.recall_axis,
    right="a",
    why={
        "a": "axis= names the direction that disappears. Axis 0 runs down the rows, over the examples; the features stay.",
        "b": "axis=1 would give these. The axis that is named is the one that disappears.",
        "c": "x.mean() without an axis gives this one number.",
        "d": "Only with keepdims does a mean keep its axis, and then with the length 1.",
    },
)

recall_partial = Answer(
    chain_rule.recall_partial,
    right="b",
    why={
        "a": "y2 is held still: nothing is differentiated with respect to it, so there is no second term.",
        "b": "y2 is held still, a factor like any number: the slope of y1**2, times y2.",
        "c": "The factor y2 stays: the larger it is, the more L moves with y1.",
        "d": "That is how L moves with y2, while y1 is held still.",
    },
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
    right="b",
    why={
        "a": "That would be enough if y[2] depended on x[2] alone. In a batch function it depends on all inputs.",
        "b": "dL_dy is zero but for k = 2, so of the sum over k one term is left: dL_dy[2] times J[2, i], for every i. "
        "A loss that looks at one example sends a gradient to all of them.",
        "c": "Column 2 says what input 2 does to all outputs. The loss asks the other question: what do all inputs do to output 2?",
        "d": "In the sum over k, each row k is weighted with dL_dy[k]. All of those are zero but one.",
    },
)

smaller_step = Answer(
    chain_rule.smaller_step,
    right="d",
    why={
        "a": "That is the error of the formula alone. The computer also rounds f to about 16 digits, and the division by a "
        "tiny 2 eta makes those roundings large.",
        "b": "float64 holds about 16 digits. The ten are the best that a difference of two values can do, and a worse eta loses them.",
        "c": "That comes a little later: near eta = 1e-17, x + eta and x are the same number. At 1e-13 a few digits are left.",
        "d": "Each value of f is rounded at about its 16th digit. Dividing by 2 eta blows that up to about 1e-16 / 1e-13, "
        "an error of one in a thousand. Smaller is better only down to about 1e-5.",
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
            "What is left to differentiate has plain numbers for slopes. How much does L rise when y[p] alone rises by 1?",
            "L is a sum of b[p] * y[p], so its slope by y[p] is b[p]; the slope of y[p] = a[p] * x by x is a[p].",
            "sum(b[p] * a[p] for p in P)",
        ),
    ),
    idea="Along a path slopes multiply, and where paths meet they are added up.",
)
