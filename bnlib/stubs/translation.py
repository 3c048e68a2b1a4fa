"""Lesson 02, only the translation: centre a batch, and send a gradient back through the centring."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("02_translation", "Only the translation")

TRANSLATION = Setting(
    given={"h": "N D", "dout": "N D"},
    definitions="""
        mu[j] = mean(h[k, j] for k in N)             # eq. 2.2
        h_hat[i, j] = h[i, j] - mu[j]                # eq. 2.1
        L = sum(dout[k, l] * h_hat[k, l] for k in N for l in D)
    """,
)


@lesson.exercise(returns=("h_hat",), points=1, minutes=5, difficulty=1, equation="2.1")
def center(h):
    """Subtract from every feature its mean over the batch (eq. 2.1).

    Args:
        h: (N, D) float array, N examples of D features.

    Returns:
        h_hat: (N, D) array, h_hat[k, l] = h[k, l] - mu[l].
    """


@lesson.exercise(returns=("J",), points=2, minutes=10, difficulty=2, equation="2.4")
def center_jacobian(N):
    """Jacobian of the centring of one feature over a batch of N examples (eq. 2.4).

    Args:
        N: int, the number of examples.

    Returns:
        J: (N, N) float array, J[k, i] = d h_hat[k] / d h[i].
    """


@lesson.derivation(
    setting=TRANSLATION,
    start="d(h_hat[k, l], h[i, j])",
    form="d unequal sum",
    waypoints=(
        Waypoint(
            "the input and the mean are differentiated one by one", 1, has="d(h) d(mu) sum", lacks="d(h_hat) d(product)"
        ),
    ),
    points=3,
    minutes=15,
    difficulty=2,
    equation="2.6",
    code="center_jacobian_full",
)
def center_slopes():
    """How one centred value changes with one input, of any example and feature (eq. 2.6)."""


@lesson.exercise(returns=("J",), points=3, minutes=15, difficulty=3, equation="2.6", builds_on=("center_jacobian",))
def center_jacobian_full(N, D):
    """Jacobian of the centring of a whole batch, every output with respect to every input (eq. 2.6).

    Args:
        N: int, the number of examples.
        D: int, the number of features.

    Returns:
        J: (N, D, N, D) float array, J[k, l, i, j] = d h_hat[k, l] / d h[i, j].
    """


@lesson.derivation(
    setting=TRANSLATION,
    start="d(L, h[i, j])",
    form="d delta unequal nested sums>1",
    waypoints=(
        Waypoint(
            "the chain rule over all examples and features is written",
            1,
            has="d(h_hat) d(mu) d(h) d(product) delta",
            lacks="d(L,h)",
        ),
        Waypoint(
            "nothing but the input and the mean is differentiated",
            1,
            has="d(h) d(mu) delta unequal | d(L,mu)",
            lacks="d(L) d(h_hat) d(product) | d(L,h) d(product)",
        ),
    ),
    points=3,
    minutes=15,
    difficulty=2,
    equation="2.9",
    code="center_backward",
)
def center_gradient():
    """How the loss changes with one input of a centred batch: two sums, and the deltas that eat them (eq. 2.9)."""


@lesson.exercise(returns=("dh",), points=3, minutes=10, difficulty=2, equation="2.9")
def center_backward(dout):
    """Send a gradient back through the centring, without ever building a Jacobian (eq. 2.9).

    Args:
        dout: (N, D) float array, dout[k, l] = dL / d h_hat[k, l].

    Returns:
        dh: (N, D) array, dh[i, j] = dL / d h[i, j].
    """


recall_paths = lesson.quiz(
    "recall_paths",
    "x[i] moves all of the outputs y[0], y[1], ..., and the loss L looks at the outputs only. What is dL / dx[i]?",
    a="dL/dy[i] times dy[i]/dx[i]",
    b="the largest of the products dL/dy[k] times dy[k]/dx[i]",
    c="the sum of dL/dy[k] over all k, times the sum of dy[k]/dx[i] over all k",
    d="the sum over all k of dL/dy[k] times dy[k]/dx[i]",
)

recall_alone = lesson.quiz(
    "recall_alone",
    "A function treats each example alone, such as y = tanh(x). What does its Jacobian over a batch look like?",
    a="the same number everywhere",
    b="a row for the loss, zeros below",
    c="zero everywhere but on the diagonal",
    d="zero on the diagonal, and only there",
)

recall_nudge = lesson.quiz(
    "recall_nudge",
    "You nudge x[2] alone, and look at all the outputs. Which part of the Jacobian J[k, i] = dy[k] / dx[i] do you see?",
    a="row 2",
    b="column 2",
    c="the entry J[2, 2]",
    d="all of it",
)

applied_twice = lesson.quiz(
    "applied_twice",
    "J is the (N, N) Jacobian of centring one feature. What is J @ J?",
    a="J again",
    b="the identity matrix",
    c="a matrix of zeros",
    d="2 J, because the mean is subtracted twice",
)

gradient_sum = lesson.quiz(
    "gradient_sum",
    "dh = center_backward(dout). You add up one feature of dh over the batch: dh[:, j].sum(). What do you get?",
    a="the sum of dout[:, j]: centring only moves the data, so the gradient passes unchanged",
    b="zero, whatever dout is",
    c="the mean of dout[:, j]",
    d="it depends on h",
)

bias_before = lesson.quiz(
    "bias_before",
    "A layer computes h = x @ W + b, and centring follows: h_hat = center(h). What gradient does the bias b receive?",
    a="the sum of dout over the batch, as for every bias",
    b="the mean of dout over the batch",
    c="zero: the bias learns nothing",
    d="minus the mean of dout",
)
