"""Lesson 03, the full normalization: centre and scale a batch, and send a gradient back through both."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("03_normalization", "The full normalization")

ONE_FEATURE = Setting(
    given={"x": "N", "dout": "N", "gamma": "", "beta": "", "eps": ""},
    definitions="""
        mu = mean(x[k] for k in N)                   # eq. 3.1
        var = mean((x[k] - mu)**2 for k in N)        # eq. 3.2
        r = 1 / sqrt(var + eps)                      # eq. 3.3a
        x_hat[i] = (x[i] - mu) * r                   # eq. 3.3
        y[i] = gamma * x_hat[i] + beta               # eq. 3.4
        L = sum(dout[k] * y[k] for k in N)
    """,
)

ALL_FEATURES = Setting(
    given={"x": "N D", "dout": "N D", "gamma": "D", "beta": "D", "eps": ""},
    definitions="""
        mu[j] = mean(x[k, j] for k in N)
        var[j] = mean((x[k, j] - mu[j])**2 for k in N)
        r[j] = 1 / sqrt(var[j] + eps)
        x_hat[i, j] = (x[i, j] - mu[j]) * r[j]       # eq. 3.19
        y[i, j] = gamma[j] * x_hat[i, j] + beta[j]   # eq. 3.19
        L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)


FROM_THE_LOSS = (
    Waypoint(
        "the chain rule is written, over all outputs or over mu and var",
        1,
        has="d(L) d(y) d(x_hat) d(product) d(r) d(mu) d(var) delta",
        lacks="d(L,x)",
    ),
    Waypoint(
        "every factor that moves is differentiated: the product rule, or the ways through mu and var one by one",
        1,
        has="d(mu) d(r) d(var) delta | d(L,mu) d(L,var) d(L,r)",
        lacks="d(L) d(y) d(x_hat) d(factors) | d(L,x) d(y) d(product)",
    ),
    Waypoint("no derivative is left", 1, lacks="d"),
)


@lesson.exercise(returns=("mu", "var"), points=1, minutes=5, difficulty=1, equation="3.2")
def batch_statistics(x):
    """Mean and variance of every feature over the batch (eq. 3.1 and 3.2).

    Args:
        x: (N, D) float array, N examples of D features.

    Returns:
        mu: (D,) array, the mean of each feature.
        var: (D,) array, the variance of each feature, with division by N.
    """


@lesson.derivation(
    setting=ONE_FEATURE,
    start="d(var, x[i])",
    form="d delta unequal sum",
    waypoints=(
        Waypoint(
            "the derivative went inside the mean: the rule for a square is done",
            1,
            has="sum",
            lacks="d(var) d(factors)",
        ),
        Waypoint("the sum of all deviations stands by itself", 1, has="sum", lacks="d delta"),
    ),
    points=3,
    minutes=15,
    difficulty=2,
    equation="3.11",
    code="dvar_dx",
)
def variance_slope():
    """How the variance of one feature changes with one of its inputs, with the sum that vanishes (eq. 3.11)."""


@lesson.exercise(returns=("dvar",), points=1, minutes=5, difficulty=2, equation="3.11")
def dvar_dx(x):
    """How the variance of one feature changes with each of its N examples (eq. 3.11).

    Args:
        x: (N,) float array, one feature.

    Returns:
        dvar: (N,) array, dvar[i] = d var / d x[i].
    """


@lesson.derivation(
    setting=ONE_FEATURE,
    start="d(r, x[i])",
    form="d delta unequal sum",
    waypoints=(
        Waypoint(
            "the chain rule is done: a power, and the derivative of the variance",
            1,
            has="d(var) sum delta | d(r,var)",
            lacks="d(r) d(product) | d(r,x)",
        ),
    ),
    points=2,
    minutes=10,
    difficulty=2,
    equation="3.12",
    code="dinvstd_dx",
)
def inv_std_slope():
    """How r = 1 / sqrt(var + eps) changes with one input (eq. 3.12)."""


@lesson.exercise(returns=("dinv_std",), points=1, minutes=5, difficulty=2, equation="3.12", builds_on=("dvar_dx",))
def dinvstd_dx(x, eps):
    """How inv_std = 1 / sqrt(var + eps) of one feature changes with each of its N examples (eq. 3.12).

    Args:
        x: (N,) float array, one feature.
        eps: float, added to the variance under the root.

    Returns:
        dinv_std: (N,) array, dinv_std[i] = d inv_std / d x[i].
    """


@lesson.exercise(
    returns=("J",), points=2, minutes=15, difficulty=3, equation="3.6", builds_on=("dvar_dx", "dinvstd_dx")
)
def xhat_jacobian(x, eps):
    """Jacobian of x_hat for one feature, straight from the product rule (eq. 3.6).

    Args:
        x: (N,) float array, one feature.
        eps: float.

    Returns:
        J: (N, N) array, J[k, i] = d x_hat[k] / d x[i].
    """


@lesson.derivation(
    setting=ONE_FEATURE,
    start="d(x_hat[k], x[i])",
    form="d unequal sum",
    waypoints=(Waypoint("the product rule is done", 1, has="d", lacks="d(x_hat) d(y) d(factors)"),),
    points=3,
    minutes=15,
    difficulty=3,
    equation="3.15",
    code="xhat_jacobian",
)
def x_hat_slopes():
    """How one normalized value changes with one input, in the form with three terms (eq. 3.15, without gamma)."""


@lesson.exercise(
    returns=("J",), points=1, minutes=5, difficulty=2, equation="3.15", builds_on=("dvar_dx", "dinvstd_dx")
)
def normalize_jacobian(x, gamma, eps):
    """Jacobian of y = gamma * x_hat + beta for one feature, in its short form (eq. 3.15).

    Args:
        x: (N,) float array, one feature.
        gamma: float, the scale.
        eps: float.

    Returns:
        J: (N, N) array, J[k, i] = d y[k] / d x[i].
    """


@lesson.derivation(
    setting=ONE_FEATURE,
    start="d(L, x[i])",
    form="d delta unequal nested sums>2",
    waypoints=FROM_THE_LOSS,
    points=4,
    minutes=20,
    difficulty=3,
    equation="3.18",
    code="normalize_backward",
)
def input_gradient():
    """How the loss changes with one input of one feature: from dL/dx[i] to three terms (eq. 3.18)."""


@lesson.exercise(
    returns=("dx",),
    points=2,
    minutes=10,
    difficulty=3,
    equation="3.18",
    builds_on=("dvar_dx", "dinvstd_dx", "normalize_jacobian"),
)
def normalize_backward(dout, x, gamma, eps):
    """Send a gradient back through the normalization of one feature, without building a Jacobian (eq. 3.18).

    Args:
        dout: (N,) float array, dout[k] = dL / d y[k].
        x: (N,) float array, one feature.
        gamma: float, the scale.
        eps: float.

    Returns:
        dx: (N,) array, dx[i] = dL / d x[i].
    """


@lesson.exercise(returns=("number",), points=2, minutes=15, difficulty=2, equation="3.18")
def first_slip(lines, args):
    """Find the first line of a derivation that does not agree with the line before it.

    Args:
        lines: list of functions, the derivation line by line; each takes *args and returns an array or a number.
        args: tuple, what every line is called with: line(*args).

    Returns:
        number: int, the number of that line, counted from 1 (so 2 at least, as line 1 has none before it); 0 when
            all lines agree. Two lines agree when they differ by rounding only: by less than a billionth of the largest
            number in any of the lines.
    """


@lesson.exercise(
    returns=("out", "cache"), points=2, minutes=10, difficulty=1, equation="3.19", builds_on=("batch_statistics",)
)
def batchnorm_forward(x, gamma, beta, eps):
    """Batch normalization of a whole batch, in training mode (eq. 3.19).

    Args:
        x: (N, D) float array.
        gamma: (D,) float array, the scale of each feature.
        beta: (D,) float array, the shift of each feature.
        eps: float.

    Returns:
        out: (N, D) array.
        cache: any object; what you want to have at hand in the backward pass.
    """


@lesson.derivation(
    setting=ALL_FEATURES,
    start="d(y[k, l], x[i, j])",
    form="d unequal sum",
    waypoints=(Waypoint("the product rule is done", 1, has="d", lacks="d(x_hat) d(y) d(factors)"),),
    points=3,
    minutes=20,
    difficulty=3,
    equation="3.21",
    in_notebook=False,
)
def layer_slopes():
    """How one output of the layer changes with one input, of any feature (eq. 3.21)."""


@lesson.derivation(
    setting=ALL_FEATURES,
    start="d(L, x[i, j])",
    form="d delta unequal nested sums>2",
    waypoints=FROM_THE_LOSS,
    points=4,
    minutes=20,
    difficulty=3,
    equation="3.23",
)
def layer_gradient():
    """How the loss changes with one input of the whole layer: both sums, and the deltas that eat one (eq. 3.23)."""


@lesson.derivation(
    setting=ALL_FEATURES,
    start="d(L, beta[j])",
    form="d delta unequal nested sums>1",
    waypoints=(
        Waypoint(
            "the chain rule over all examples and features is written",
            1,
            has="d(y) d(product) d(x_hat) delta",
            lacks="d(L,beta)",
        ),
    ),
    points=2,
    minutes=5,
    difficulty=1,
    equation="3.24",
)
def beta_gradient():
    """How the loss changes with the shift of one feature (eq. 3.24)."""


@lesson.derivation(
    setting=ALL_FEATURES,
    start="d(L, gamma[j])",
    form="d delta unequal nested sums>1",
    waypoints=(
        Waypoint(
            "the chain rule over all examples and features is written",
            1,
            has="d(y) d(product) d(x_hat) delta",
            lacks="d(L,gamma)",
        ),
    ),
    points=2,
    minutes=5,
    difficulty=2,
    equation="3.25",
)
def gamma_gradient():
    """How the loss changes with the scale of one feature (eq. 3.25)."""


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=3,
    minutes=15,
    difficulty=3,
    equation="3.23",
    builds_on=("batch_statistics",),
    cache_of="batchnorm_forward",
)
def batchnorm_backward(dout, cache):
    """Gradients of batch normalization with respect to all its inputs (eq. 3.23, 3.24 and 3.25).

    Args:
        dout: (N, D) float array, dout[k, l] = dL / d out[k, l].
        cache: what your batchnorm_forward returned beside out.

    Returns:
        dx: (N, D) array, dx[i, j] = dL / d x[i, j].
        dgamma: (D,) array, dL / d gamma[j].
        dbeta: (D,) array, dL / d beta[j].
    """


@lesson.exercise(returns=("dxc",), points=3, minutes=15, difficulty=3, equation="3.29")
def rms_scale_backward(dout, xc, eps):
    """Send a gradient back through z = xc / sqrt(mean(xc**2, axis=0) + eps), whatever the mean of xc is (eq. 3.29).

    Args:
        dout: (N, D) float array, dout[k, l] = dL / d z[k, l].
        xc: (N, D) float array. It need not have mean zero.
        eps: float.

    Returns:
        dxc: (N, D) array, dxc[i, j] = dL / d xc[i, j].
    """


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=2,
    minutes=10,
    difficulty=2,
    equation="3.30",
    builds_on=("batch_statistics", "rms_scale_backward"),
    cache_of="batchnorm_forward",
)
def batchnorm_backward_composed(dout, cache):
    """The same gradients by the second route: backward of the scaling, then backward of the centring (eq. 3.30).

    Args:
        dout: (N, D) float array, dout[k, l] = dL / d out[k, l].
        cache: what your batchnorm_forward returned beside out.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
        dbeta: (D,) array.
    """


recall_slope = lesson.quiz(
    "recall_slope",
    "Centring takes from every feature its mean over the batch. How does h_hat[k, l] change with h[i, j]?",
    a="(delta[k, i] - 1/N) * delta[l, j]",
    b="(delta[l, j] - 1/N) * delta[k, i]",
    c="delta[k, i] * delta[l, j] - 1/N",
    d="delta[k, i] * delta[l, j]",
)

recall_delta = lesson.quiz(
    "recall_delta",
    "What is the sum of dout[k] * delta[k, i] over all k?",
    a="the sum of all dout[k]",
    b="dout[i]",
    c="N * dout[i]",
    d="delta[i, i], for the sum eats dout",
)

recall_same = lesson.quiz(
    "recall_same",
    "The gradient that arrives at a centring is the same number for every example of a feature. What does the backward pass make of it?",
    a="the same number",
    b="that number divided by N",
    c="that number in one example, and zero in the others",
    d="zero",
)

fixed_mean = lesson.quiz(
    "fixed_mean",
    "Somebody takes the derivative of the variance and forgets that mu depends on x[i]: "
    "mu is treated as a fixed number. What comes out for d var / d x[i]?",
    a="something too large: the term of the mean is not subtracted",
    b="the right result",
    c="zero",
    d="the right result times (1 - 1/N)",
)

which_line = lesson.quiz(
    "which_line",
    "Which of the six lines is the first that does not agree with the line before it?",
    a="line 2",
    b="line 3",
    c="line 4",
    d="line 5",
    e="line 6",
)

sum_loss = lesson.quiz(
    "sum_loss",
    "You want to test your backward pass, and take the loss L = out.sum(). What is dx?",
    a="zero everywhere",
    b="gamma * inv_std in every entry",
    c="an array of ones",
    d="it depends on x",
)

swapped_order = lesson.quiz(
    "swapped_order",
    "Swap the two lines of batchnorm_backward_composed: first centre the gradient, then send it back through the "
    "scaling. The check still passes. Why?",
    a="the check is too loose to see the difference",
    b="the order of two backward steps never matters",
    c="eps is small",
    d="xc has mean zero, so the two steps take away different things and do not get in each other's way",
)
