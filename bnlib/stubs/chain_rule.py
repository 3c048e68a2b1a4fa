"""Lesson 01, one input moves every output: the chain rule over a batch, measured Jacobians, scale and shift."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("01_chain_rule", "One input moves every output")

PISTONS = Setting(
    given={"x": "", "a": "P", "b": "P"},
    definitions="""
        y[p] = a[p] * x                              # what piston p presses out
        L = sum(b[p] * y[p] for p in P)              # the level
    """,
)


@lesson.derivation(
    setting=PISTONS,
    start="d(L, x)",
    form="d delta unequal nested sums>1",
    waypoints=(
        Waypoint(
            "every path is there: along it slopes multiply, and the paths are added up",
            1,
            has="d(y) d(product)",
            lacks="d(L,x)",
        ),
    ),
    points=2,
    minutes=10,
    difficulty=1,
    equation="1.3",
)
def two_pistons():
    """How the level changes with the plate, whatever the number of pistons: a sum over the paths (eq. 1.3)."""


@lesson.exercise(returns=("dL_dx",), points=2, minutes=10, difficulty=1, equation="1.3")
def total_derivative(dL_dy, dy_dx):
    """Add up, for every input, all the paths by which it reaches the loss (eq. 1.3).

    Args:
        dL_dy: (N,) float array, dL_dy[k] = dL / dy[k].
        dy_dx: (N, M) float array, dy_dx[k, i] = dy[k] / dx[i]. M is often N, but need not be.

    Returns:
        dL_dx: (M,) array, dL_dx[i] = dL / dx[i].
    """


@lesson.exercise(returns=("J",), points=3, minutes=20, difficulty=2, equation="1.6")
def numerical_jacobian(f, x, eta):
    """Measure the Jacobian of f at x: nudge one input at a time, up and down (eq. 1.6).

    Args:
        f: function that takes an (M,) array and returns a (K,) array. You can only call it.
        x: (M,) float array, where to measure. It must be unchanged afterwards.
        eta: float, the size of the nudge.

    Returns:
        J: (K, M) float array, J[k, i] = d f(x)[k] / d x[i].
    """


@lesson.exercise(returns=("y",), points=1, minutes=5, difficulty=1, equation="1.9")
def scale_shift_forward(x_hat, gamma, beta):
    """Give every feature a scale and a shift of its own (eq. 1.9).

    Args:
        x_hat: (N, D) float array, N examples of D features.
        gamma: (D,) float array, the scale of each feature.
        beta: (D,) float array, the shift of each feature.

    Returns:
        y: (N, D) array.
    """


@lesson.exercise(returns=("dx_hat", "dgamma", "dbeta"), points=3, minutes=15, difficulty=2, equation="1.11")
def scale_shift_backward(dout, x_hat, gamma):
    """Send a gradient back through scale and shift, to everything that went in (eq. 1.10 put into eq. 1.11).

    Args:
        dout: (N, D) float array, dout[k, j] = dL / dy[k, j].
        x_hat: (N, D) float array, what the forward pass was given.
        gamma: (D,) float array, the scale of each feature.

    Returns:
        dx_hat: (N, D) array, dL / dx_hat.
        dgamma: (D,) array, dL / dgamma.
        dbeta: (D,) array, dL / dbeta.
    """


recall_slope = lesson.quiz(
    "recall_slope",
    "y = 1 / v**2. How does y change with v, that is, what is dy/dv?",
    a="1 / (2 v)",
    b="-1 / v**2",
    c="2 / v**3",
    d="-2 / v**3",
)

recall_axis = lesson.quiz(
    "recall_axis",
    "x is an array of the shape (300, 3): 300 examples (rows) of 3 features. What is x.mean(axis=0)?",
    a="three numbers: for each feature its mean over the examples",
    b="300 numbers: for each example its mean over the features",
    c="one number: the mean of all 900",
    d="an array of the shape (300, 3), in which every entry is a mean",
)

recall_partial = lesson.quiz(
    "recall_partial",
    "L = y1**2 * y2. What is the partial derivative of L with respect to y1?",
    a="2 * y1 * y2 + y1**2",
    b="2 * y1 * y2",
    c="2 * y1",
    d="y1**2",
)

two_paths = lesson.quiz(
    "two_paths",
    "One step of x moves y1 by 3 and y2 by 1. One step of y1 moves L by 0.25, one step of y2 moves L by 0.5. "
    "How far does one step of x move L?",
    a="0.75: the path through y1 is the larger of the two, and the larger one counts",
    b="0.625: the average of 0.75 and 0.5",
    c="1.25: 0.75 by one path and 0.5 by the other",
    d="3: x moves the outputs by 3 + 1, and the outputs move L by 0.25 + 0.5",
)

one_output = lesson.quiz(
    "one_output",
    "J is the (N, N) Jacobian of a batch function, J[k, i] = dy[k] / dx[i]. A loss looks at y[2] and at nothing else. "
    "Which part of J decides the gradient it sends to the inputs?",
    a="the entry J[2, 2]: the loss looks at example 2 only",
    b="row 2",
    c="column 2",
    d="all of J",
)

smaller_step = lesson.quiz(
    "smaller_step",
    "Your two-sided difference with eta = 1e-5 is right to ten digits. You would like more digits and take eta = 1e-13. "
    "What happens?",
    a="the error shrinks with the square of eta: it is now about 1e-26",
    b="nothing changes: ten digits are what float64 can hold",
    c="the result is exactly zero, whatever f is",
    d="the error grows: the two values of f agree in nearly all their digits, and the difference keeps only the last few",
)

where_the_sum = lesson.quiz(
    "where_the_sum",
    "In scale_shift_backward, dgamma is a sum over the batch and dx_hat is not. Why?",
    a="gamma has one number for a feature and all its examples, so it reaches the loss through N outputs; "
    "x_hat[i, j] reaches it through one",
    b="gamma has the shape (D,), and a sum is the way to get from (N, D) to (D,)",
    c="gamma is a parameter, and gradients of parameters are added up so that they do not depend on the batch's size",
    d="dx_hat is a sum over the batch as well: numpy does it when gamma is broadcast",
)
