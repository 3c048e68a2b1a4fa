"""Lesson 06, does it help: the loss and its gradient, the training step, the check of a whole network, the runaway bias."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("06_training", "Does it help?")

SOFTMAX = Setting(
    given={"q": "N C", "votes": "N C"},
    definitions="""
        p[i, j] = exp(q[i, j]) / sum(exp(q[i, l]) for l in C)                     # eq. 6.1
        p_star[i, j] = votes[i, j] / sum(votes[i, l] for l in C)
        L = -mean(sum(p_star[k, l] * log(p[k, l]) for l in C) for k in N)         # eq. 6.2
    """,
    positive=("votes",),
)


@lesson.derivation(
    setting=SOFTMAX,
    start="d(L, q[i, j])",
    form="d delta unequal sum",
    waypoints=(
        Waypoint("the chain rule leads through the logarithm", 1, has="d(p) d(q) d(product)", lacks="d(L,q)"),
        Waypoint("no derivative is left", 1, lacks="d"),
    ),
    points=4,
    minutes=15,
    difficulty=3,
    equation="6.3",
)
def softmax_gradient():
    """How the mean log loss changes with one score (eq. 6.3)."""


@lesson.exercise(returns=("loss", "dscores"), points=4, minutes=12, difficulty=2, equation="6.3")
def softmax_loss(scores, labels):
    """Mean log loss of a batch, and its gradient by the scores (eqs. 6.1 to 6.3).

    Args:
        scores: (N, C) float array, q of eq. 6.1; entries may be as large as 1000, those of one row less than 700 apart.
        labels: (N,) array of whole numbers from 0 to C - 1, the right class of each example.

    Returns:
        loss: float, the mean over the batch.
        dscores: (N, C) array, dL / dq.
    """


@lesson.exercise(
    returns=("loss", "theta"), points=4, minutes=12, difficulty=2, equation="6.4", builds_on=("softmax_loss",)
)
def training_step(forward, backward, theta, x, labels, rate):
    """One step of gradient descent for any network (eq. 6.4).

    Args:
        forward: Function of theta and x that returns scores, an (N, C) array, and a cache.
        backward: Function of dscores, an (N, C) array, and that cache; it returns dtheta, dL / d theta, an (M,) array.
        theta: (M,) float array, all parameters of the network. It stays as it is.
        x: (N, D) float array, a batch.
        labels: (N,) array of whole numbers, the right class of each example.
        rate: float, the learning rate.

    Returns:
        loss: float, the loss of the batch with the parameters that were given.
        theta: (M,) array, the new parameters.
    """


@lesson.exercise(
    returns=("numerical", "error"), points=4, minutes=15, difficulty=2, equation="6.6", builds_on=("softmax_loss",)
)
def gradient_check(forward, backward, theta, x, labels, eta):
    """Compare a network's gradient with the one that is measured by nudging each parameter (eqs. 6.5, 6.6).

    Args:
        forward: Function of theta and x that returns scores, an (N, C) array, and a cache.
        backward: Function of dscores, an (N, C) array, and that cache; it returns dtheta, an (M,) array, perhaps a wrong one.
        theta: (M,) float array, all parameters of the network. It stays as it is.
        x: (N, D) float array, a batch.
        labels: (N,) array of whole numbers, the right class of each example.
        eta: float, the nudge, to either side.

    Returns:
        numerical: (M,) array, the measured gradient.
        error: float between 0 and 1, how far the two are apart.
    """


@lesson.exercise(returns=("loss", "b"), points=4, minutes=12, difficulty=2, equation="6.8")
def runaway_step(h, b, targets, rate):
    """One step for the bias in front of a centring, by a gradient that forgets the path through the mean (eqs. 6.7, 6.8).

    Args:
        h: (N, D) float array, what the bias is added to.
        b: (D,) float array. It stays as it is.
        targets: (N, D) float array, y* of eq. 6.7.
        rate: float, the learning rate.

    Returns:
        loss: float, the loss with the bias that was given (eq. 6.7).
        b: (D,) array, the bias after the wrong step.
    """


lesson.in_words("wrong_and_falling", points=3)
lesson.in_words("when_to_use_it", points=3)

recall_serving = lesson.quiz(
    "recall_serving",
    "A network with batch normalization is trained. Now it is asked about one single example. Whose mean and variance normalize it?",
    a="its own: a batch of one",
    b="the running ones, which training mode kept",
    c="those of the last batch of the training",
    d="none: gamma and beta are enough",
)

recall_bias = lesson.quiz(
    "recall_bias",
    "In training mode: what is the gradient of a bias b that is added right before the normalization?",
    a="zero",
    b="the sum of what arrives at the output, as for beta",
    c="that sum, times gamma over sigma",
    d="it depends on the momentum",
)

recall_alone = lesson.quiz(
    "recall_alone",
    "In training mode one example of a batch of four is replaced by another. Which rows of the layer's output change?",
    a="the row of that example",
    b="none: the running statistics hardly move",
    c="the rows below it",
    d="in general all four",
)

read_start = lesson.quiz(
    "read_start",
    "A network that knows nothing about ten digits gives each the same probability. At which loss does its curve begin, and where does it stay if nothing is learned?",
    a="at 0.1",
    b="at 10",
    c="at log 10, about 2.30",
    d="it depends on the batch size",
)

read_scale = lesson.quiz(
    "read_scale",
    "Weights of scale 0.01, five hidden layers, no normalization: the loss stands at log C for hundreds of steps. Why does it not move?",
    a="the signal shrinks in every layer on the way forward, and the gradient in every layer on the way back: nearly nothing arrives",
    b="the learning rate is so high that the steps jump back and forth over the minimum",
    c="the network has reached a minimum of the loss",
    d="the gradient has a sign error",
)

read_noise = lesson.quiz(
    "read_noise",
    "With batches of 2, the curve of the network with batch normalization stands far above the plain one's. Which cause did the figure show?",
    a="the running averages are wrong, and they normalize during training",
    b="two examples need more memory than two hundred",
    c="with two examples eps is larger than the variance",
    d="the mean and variance of two examples are mostly accident, and they stand in every output",
)

read_runaway = lesson.quiz(
    "read_runaway",
    "A loss curve falls as it should. Which curve beside it shows that the path through the mean is missing from somebody's gradient?",
    a="the accuracy on examples kept apart: it must fall",
    b="the size of the biases in front of the normalization: they move, and a right gradient leaves them alone",
    c="the loss of the next seed: it must be higher",
    d="none: what trains is right",
)
