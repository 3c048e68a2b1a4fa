"""Lesson 07, what the gradient looks like: two directions are taken out of it, and what that does to the weights in front."""

from bnlib.stubs import Lesson, Setting, Waypoint
from bnlib.stubs.normalization import ONE_FEATURE

lesson = Lesson("07_geometry", "What does the gradient look like?")

WEIGHTS_FIRST = Setting(
    given={"x": "N D", "W": "D H", "gamma": "H", "beta": "H", "dout": "N H", "eps": ""},
    definitions="""
        h[i, j] = sum(x[i, m] * W[m, j] for m in D)             # eq. 7.9
        mu[j] = mean(h[k, j] for k in N)
        var[j] = mean((h[k, j] - mu[j])**2 for k in N)
        r[j] = 1 / sqrt(var[j] + eps)
        x_hat[i, j] = (h[i, j] - mu[j]) * r[j]
        y[i, j] = gamma[j] * x_hat[i, j] + beta[j]
        L = sum(dout[k, l] * y[k, l] for k in N for l in H)
    """,
)

PUT_IN = Waypoint("the gradient is put in: no derivative is left", 1, has="nested", lacks="d")


@lesson.derivation(
    setting=ONE_FEATURE,
    start="sum(d(L, x[i]) for i in N)",
    form="d delta unequal sum",
    waypoints=(PUT_IN, Waypoint("every sum stands by itself, none inside another", 1, has="dout[]", lacks="d nested")),
    points=3,
    minutes=10,
    difficulty=1,
    equation="7.2",
)
def sum_of_gradient():
    """What the gradient of one feature adds up to over the batch (eq. 7.2)."""


@lesson.derivation(
    setting=ONE_FEATURE,
    start="sum(d(L, x[i]) * x_hat[i] for i in N)",
    form="d delta unequal nested sums>1",
    waypoints=(
        PUT_IN,
        Waypoint("every sum stands by itself, none inside another", 1, has="sums>1 minus", lacks="d nested"),
    ),
    points=4,
    minutes=15,
    difficulty=2,
    equation="7.4",
)
def along_x_hat():
    """How much of the gradient of one feature runs along x_hat: a trace, and eps says how large (eq. 7.4)."""


@lesson.exercise(returns=("kept", "along"), points=3, minutes=10, difficulty=2, equation="7.5")
def take_apart(dout, x_hat):
    """Of a gradient, what is at right angles to 1 and to x_hat, and what runs along x_hat (eq. 7.5).

    Args:
        dout: (N,) float array, one feature of a gradient.
        x_hat: (N,) float array with mean zero, not all zero. Its length is any.

    Returns:
        kept: (N,) array, what is left of dout; its sum is 0, and so is the sum of kept * x_hat.
        along: (N,) array, the multiple of x_hat in dout; dout - kept - along is the same number N times.
    """


@lesson.exercise(returns=("across", "along"), points=2, minutes=10, difficulty=2, equation="7.7")
def eigenvalues(x, gamma, eps):
    """The two eigenvalues of the Jacobian of batch norm that are not zero (eq. 7.7). N is 3 or more.

    Args:
        x: (N,) float array, one feature.
        gamma: float, the scale.
        eps: float.

    Returns:
        across: float, by what the backward pass multiplies a gradient at right angles to 1 and to x_hat.
        along: float, by what it multiplies a gradient that is a multiple of x_hat.
    """


@lesson.exercise(returns=("square",), points=3, minutes=10, difficulty=2, equation="7.8")
def squared_norm(dout, dgamma, dbeta, gamma, inv_std, eps):
    """The sum of dx[i]**2 over the batch, without dx, and without x (eq. 7.8).

    Args:
        dout: (N,) float array, one feature of the gradient that arrives.
        dgamma: float, sum of dout * x_hat.
        dbeta: float, sum of dout.
        gamma: float, the scale.
        inv_std: float, r = 1 / sqrt(var + eps).
        eps: float.

    Returns:
        square: float, the squared length of dx.
    """


@lesson.derivation(
    setting=WEIGHTS_FIRST,
    start="sum(W[m, j] * d(L, W[m, j]) for m in D)",
    form="d delta unequal nested sums>1",
    waypoints=(
        Waypoint(
            "the weights reach the loss through h, at every example",
            1,
            has="d(L,h) d(h) d(x_hat) d(y) d(product) delta x[]",
            lacks="d(L,W)",
        ),
        Waypoint(
            "the sum over the inputs is done: neither x nor W is left", 1, has="d(L,h) h[] minus", lacks="x[] W[]"
        ),
    ),
    points=4,
    minutes=20,
    difficulty=3,
    equation="7.10",
)
def along_weights():
    """How much of the gradient of a column of weights runs along that column (eq. 7.10)."""


@lesson.exercise(returns=("W_new", "grown", "effective"), points=3, minutes=10, difficulty=1, equation="7.11")
def weight_step(W, dW, rate):
    """One step of gradient descent, how it changes the length of each column, and how far it can turn it (eq. 7.11).

    Args:
        W: (D, H) float array, the weights in front of a batch norm; it stays as it is.
        dW: (D, H) float array, what is subtracted, rate times; any array of that shape.
        rate: float.

    Returns:
        W_new: (D, H) array, the weights after the step.
        grown: (H,) array, by how much the squared length of each column of W has grown, for any dW.
        effective: (H,) array, the rate over the squared length of each column, before the step.
    """


recall_terms = lesson.quiz(
    "recall_terms",
    "Lesson 03: dx is gamma * inv_std times a bracket. What stands in the bracket beside dout?",
    a="minus the mean of dout, and minus x_hat times the mean of dout * x_hat",
    b="minus the mean of dout, and minus x times the mean of dout * x",
    c="minus the sum of dout, and minus x_hat times the sum of dout * x_hat",
    d="minus the mean of x_hat, and minus dout times the mean of dout * x_hat",
)

recall_parameters = lesson.quiz(
    "recall_parameters",
    "Lesson 03: which two sums over the batch does the backward pass return besides, as gradients of beta and gamma?",
    a="the sums of dx and of dx * x_hat",
    b="the sums of x_hat and of x_hat squared",
    c="the sums of dout and of dout * x_hat",
    d="the sums of dout and of dout squared",
)

recall_wrong = lesson.quiz(
    "recall_wrong",
    "Lesson 06: a network is trained with a backward pass of batch norm in which one path is missing. What happens?",
    a="the loss is nan after a few steps",
    b="the loss does not fall at all",
    c="nothing falls short: the path did not matter",
    d="it may train all the same, and something else gives it away, such as a bias that runs away",
)

stretched = lesson.quiz(
    "stretched",
    "Say that dx had a component along x_hat, and eps = 0. A step of gradient descent on x would then, with that part of it, ...",
    a="move the whole batch up or down, which lowers the loss",
    b="stretch or shrink the batch around its mean, and the outputs would not notice",
    c="change the order of the examples",
    d="raise or lower gamma",
)

two_examples = lesson.quiz(
    "two_examples",
    "A batch of N = 2 examples, x[0] and x[1] far apart, and any dout. What is dx?",
    a="the difference of the two entries of dout, times gamma / sigma",
    b="dout without its mean",
    c="very nearly zero, whatever dout is",
    d="very nearly dout, for two examples disturb each other little",
)

scaled_weights = lesson.quiz(
    "scaled_weights",
    "A column of weights in front of a batch norm is made 10 times as long; eps = 0. What becomes of its gradient dW?",
    a="a tenth of it, in the same direction",
    b="ten times of it, in the same direction",
    c="the same as before: the outputs are the same as before",
    d="a hundredth of it, in the same direction",
)

weight_decay = lesson.quiz(
    "weight_decay",
    "Weight decay subtracts rate * decay * W as well, at each step. What does it do to weights in front of a batch norm?",
    a="nothing at all: the layer does not see how long they are",
    b="it allows only functions with small weights, as it does elsewhere",
    c="it makes dW small, so that training ends sooner",
    d="it keeps them from growing for ever, and with that the effective rate from going to zero",
)
