"""Lesson 05, a layer that trains and serves: running averages, two modes, a block, folding, and the layer itself."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("05_layer", "A layer that trains and serves")

EVALUATION = Setting(
    given={"x": "N D", "dout": "N D", "gamma": "D", "beta": "D", "running_mean": "D", "running_var": "D", "eps": ""},
    definitions="""
        y[i, j] = gamma[j] * (x[i, j] - running_mean[j]) / sqrt(running_var[j] + eps) + beta[j]     # eq. 5.9
        L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
    positive=("running_var", "eps"),
)

AFFINE_FIRST = Setting(
    given={"x": "N D", "W": "D H", "b": "H", "gamma": "H", "beta": "H", "dy": "N H", "eps": ""},
    definitions="""
        h[i, j] = sum(x[i, m] * W[m, j] for m in D) + b[j]      # eq. 5.14
        mu[j] = mean(h[k, j] for k in N)
        var[j] = mean((h[k, j] - mu[j])**2 for k in N)
        r[j] = 1 / sqrt(var[j] + eps)
        x_hat[i, j] = (h[i, j] - mu[j]) * r[j]
        y[i, j] = gamma[j] * x_hat[i, j] + beta[j]
        L = sum(dy[k, l] * y[k, l] for k in N for l in H)
    """,
)


@lesson.exercise(returns=("running",), points=1, minutes=5, difficulty=1, equation="5.2")
def update_running(running, batch, momentum, convention):
    """Take one batch's statistic into a running average (eq. 5.2 or 5.3).

    Args:
        running: (D,) float array, the average so far. It stays as it is.
        batch: (D,) float array, what the new batch says.
        momentum: float between 0 and 1.
        convention: "cs231n" (momentum is the weight of the old average) or "pytorch" (of the new batch).

    Returns:
        running: (D,) array, the new average.
    """


@lesson.exercise(returns=("var",), points=1, minutes=5, difficulty=2, equation="5.6")
def kept_variance(x, convention):
    """Variance of each feature of a batch, of the kind that goes into the running average (eqs. 5.1, 5.6).

    Args:
        x: (N, D) float array.
        convention: "cs231n" (biased: the mean of the squares) or "pytorch" (unbiased; N is at least 2 then).

    Returns:
        var: (D,) array.
    """


@lesson.exercise(
    returns=("out", "running_mean", "running_var", "cache"),
    points=3,
    minutes=12,
    difficulty=2,
    equation="5.1",
    builds_on=("update_running", "kept_variance"),
)
def batchnorm_train_forward(x, gamma, beta, running_mean, running_var, momentum, eps, convention):
    """Training mode, forward: normalize with the batch's own statistics, and update the running ones.

    Args:
        x: (N, D) float array.
        gamma: (D,) float array, the scale.
        beta: (D,) float array, the shift.
        running_mean: (D,) float array. It stays as it is; the new average is returned.
        running_var: (D,) float array, likewise.
        momentum: float between 0 and 1.
        eps: float, added to the variance under the root.
        convention: "cs231n" or "pytorch": what momentum means, and which variance is kept.

    Returns:
        out: (N, D) array, gamma * x_hat + beta (eq. 5.1).
        running_mean: (D,) array, the new running mean.
        running_var: (D,) array, the new running variance.
        cache: anything your batchnorm_train_backward wants.
    """


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=2,
    minutes=10,
    difficulty=2,
    equation="5.8",
    builds_on=("update_running", "kept_variance"),
    cache_of="batchnorm_train_forward",
)
def batchnorm_train_backward(dout, cache):
    """Training mode, backward (eqs. 5.7, 5.8).

    Args:
        dout: (N, D) float array, dL / d out.
        cache: what your batchnorm_train_forward returned last.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
        dbeta: (D,) array.
    """


@lesson.exercise(returns=("out", "cache"), points=2, minutes=5, difficulty=1, equation="5.9")
def batchnorm_eval_forward(x, gamma, beta, running_mean, running_var, eps):
    """Evaluation mode, forward: normalize with the running statistics (eq. 5.9).

    Args:
        x: (N, D) float array; N may be 1.
        gamma: (D,) float array.
        beta: (D,) float array.
        running_mean: (D,) float array.
        running_var: (D,) float array.
        eps: float, added to the variance under the root.

    Returns:
        out: (N, D) array.
        cache: anything your batchnorm_eval_backward wants.
    """


@lesson.derivation(
    setting=EVALUATION,
    start="d(L, x[i, j])",
    form="d delta unequal sum",
    waypoints=(
        Waypoint(
            "the chain rule over all examples and features is written",
            1,
            has="d(y) d(x) d(product) delta",
            lacks="d(L,x)",
        ),
        Waypoint("no derivative is left", 1, lacks="d"),
    ),
    points=3,
    minutes=10,
    difficulty=2,
    equation="5.11",
)
def evaluation_gradient():
    """How the loss changes with one input when the layer serves (eq. 5.11)."""


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=2,
    minutes=10,
    difficulty=3,
    equation="5.11",
    cache_of="batchnorm_eval_forward",
)
def batchnorm_eval_backward(dout, cache):
    """Evaluation mode, backward (eq. 5.11, and what it says about gamma and beta).

    Args:
        dout: (N, D) float array, dL / d out.
        cache: what your batchnorm_eval_forward returned last.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
        dbeta: (D,) array.
    """


@lesson.exercise(returns=("gamma", "beta"), points=1, minutes=5, difficulty=2, equation="5.13")
def undo_normalization(x, eps):
    """The gamma and beta with which training mode hands x back unchanged (eq. 5.13).

    Args:
        x: (N, D) float array.
        eps: float, added to the variance under the root.

    Returns:
        gamma: (D,) array.
        beta: (D,) array.
    """


@lesson.exercise(returns=("dx", "dW", "db"), points=2, minutes=10, difficulty=2, equation="5.15")
def affine_backward(dh, x, W):
    """Send a gradient back through h = x @ W + b (eq. 5.15).

    Args:
        dh: (N, H) float array, dL / dh.
        x: (N, D) float array, the input of the forward pass.
        W: (D, H) float array, its weights.

    Returns:
        dx: (N, D) array.
        dW: (D, H) array.
        db: (H,) array.
    """


@lesson.exercise(returns=("dy",), points=1, minutes=5, difficulty=1, equation="5.16")
def relu_backward(da, y):
    """Send a gradient back through a = max(0, y), entry by entry (eq. 5.16).

    Args:
        da: (N, H) float array, dL / da.
        y: (N, H) float array, the input of the forward pass.

    Returns:
        dy: (N, H) array.
    """


@lesson.exercise(
    returns=("a", "cache"),
    points=2,
    minutes=8,
    difficulty=2,
    equation="5.17",
    builds_on=("update_running", "kept_variance", "batchnorm_train_forward"),
)
def block_forward(x, W, b, gamma, beta, eps):
    """Affine, then batch normalization in training mode, then ReLU (eq. 5.17).

    Args:
        x: (N, D) float array.
        W: (D, H) float array.
        b: (H,) float array.
        gamma: (H,) float array.
        beta: (H,) float array.
        eps: float, added to the variance under the root.

    Returns:
        a: (N, H) array.
        cache: anything your block_backward wants.
    """


@lesson.derivation(
    setting=AFFINE_FIRST,
    start="d(L, b[j])",
    form="d delta unequal sum",
    waypoints=(
        Waypoint(
            "b[j] reaches the loss through every example of h", 1, has="d(L,h) d(h) d(x_hat) d(y)", lacks="d(L,b)"
        ),
        Waypoint("the gradient of the layer is put in, under the sum or term by term", 1, has="dy[]", lacks="d delta"),
    ),
    points=3,
    minutes=15,
    difficulty=2,
    equation="5.18",
)
def bias_before_gradient():
    """What a bias in front of the layer learns (eq. 5.18)."""


@lesson.exercise(
    returns=("dx", "dW", "db", "dgamma", "dbeta"),
    points=3,
    minutes=12,
    difficulty=2,
    equation="5.18",
    builds_on=(
        "update_running",
        "kept_variance",
        "batchnorm_train_forward",
        "batchnorm_train_backward",
        "affine_backward",
        "relu_backward",
    ),
    cache_of="block_forward",
)
def block_backward(da, cache):
    """Send a gradient back through the block: ReLU, batch normalization, affine.

    Args:
        da: (N, H) float array, dL / da.
        cache: what your block_forward returned last.

    Returns:
        dx: (N, D) array.
        dW: (D, H) array.
        db: (H,) array.
        dgamma: (H,) array.
        dbeta: (H,) array.
    """


@lesson.exercise(returns=("W2", "b2"), points=2, minutes=10, difficulty=3, equation="5.19")
def fold_into_affine(W, b, gamma, beta, running_mean, running_var, eps):
    """One affine layer that does the work of two: x @ W + b, then batch normalization in evaluation mode (eq. 5.19).

    Args:
        W: (D, H) float array.
        b: (H,) float array.
        gamma: (H,) float array.
        beta: (H,) float array.
        running_mean: (H,) float array.
        running_var: (H,) float array.
        eps: float, added to the variance under the root.

    Returns:
        W2: (D, H) array.
        b2: (H,) array.
    """


@lesson.exercise(
    returns=(
        "gamma", "beta", "out", "dx", "dgamma", "dbeta", "running_mean", "running_var",
        "out_eval", "dx_eval", "dgamma_eval", "dbeta_eval", "running_mean_after", "running_var_after",
    ),
    points=5, minutes=20, difficulty=2, equation="5.9",
    builds_on=(
        "update_running", "kept_variance", "batchnorm_train_forward", "batchnorm_train_backward",
        "batchnorm_eval_forward", "batchnorm_eval_backward",
    ),
)  # fmt: skip
class BatchNorm:
    """A batch normalization layer: what trains, and what serves.

    Attributes:
        gamma: (D,) array, the scale.
        beta: (D,) array, the shift.
        running_mean: (D,) array; zeros at the start, changed by forward in training mode only.
        running_var: (D,) array; ones at the start, changed by forward in training mode only.
        dgamma: (D,) array, from the last call of backward; zeros before.
        dbeta: (D,) array, likewise.
    """

    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):
        """Keep the settings, and copies of gamma and beta.

        Args:
            gamma: (D,) float array, first value of the scale.
            beta: (D,) float array, first value of the shift.
            momentum: float between 0 and 1.
            eps: float, added to the variance under the root.
            convention: "cs231n" or "pytorch": what momentum means, and which variance is kept.
        """

    def forward(self, x, training):
        """Normalize a batch, and remember what backward needs.

        Args:
            x: (N, D) float array.
            training: True for the batch's own statistics, False for the running ones.

        Returns:
            out: (N, D) array.
        """

    def backward(self, dout):
        """Send a gradient back through the last forward, in the mode it ran in; set dgamma and dbeta.

        Args:
            dout: (N, D) float array, dL / d out.

        Returns:
            dx: (N, D) array.
        """

    def parameters(self):
        """All that the layer holds, for a trainer or a file.

        Returns:
            A tuple of six (D,) arrays, in this order: gamma, beta, dgamma, dbeta, running_mean, running_var.
        """


recall_copied = lesson.quiz(
    "recall_copied",
    "Going forward, one number a feature is broadcast into all N rows. Going back, a gradient arrives in each row. What does the one number receive?",
    a="the gradient of the first row: all rows hold the same number",
    b="the mean of the N gradients",
    c="their sum",
    d="all N of them: its gradient has the shape (N, D)",
)

recall_roads = lesson.quiz(
    "recall_roads",
    "The gradient of the whole layer has three terms. One of them is x_hat * mean(dout * x_hat), up to its sign and a factor. Along which "
    "road does it come?",
    a="through the mean",
    b="straight from the output to the input",
    c="through gamma",
    d="through the variance",
)

recall_needed = lesson.quiz(
    "recall_needed",
    "Folded into one line, the backward pass needs only some of the values that the forward pass has made. Which?",
    a="x_hat, inv_std and gamma",
    b="all of them: each gate needs its own input",
    c="x, mu and var, but not eps",
    d="out and beta",
)

which_momentum = lesson.quiz(
    "which_momentum",
    'A paper says "batch normalization with momentum 0.99" and uses CS231n\'s convention. '
    "You build the layer in PyTorch. Which momentum do you write?",
    a="0.99: momentum is momentum",
    b="0.01",
    c="0.1, the default, which means 0.9 in the paper's convention: close enough",
    d="It cannot be done: PyTorch averages in another way",
)

batch_of_one = lesson.quiz(
    "batch_of_one",
    "Training mode, a batch of one single example, gamma = 2, beta = 0.5. What comes out?",
    a="0.5, whatever the example is",
    b="nan, because the variance is zero",
    c="the example itself: one example needs no normalization",
    d="twice the example, plus 0.5",
)

forgotten_mode = lesson.quiz(
    "forgotten_mode",
    "A trained network answers one request at a time. Somebody left its batch normalization in training mode. "
    "What do the users see?",
    a="nearly the right answers: the running statistics were averaged over the whole training",
    b="an error, because training mode needs labels",
    c="the same answer to every request",
    d="right answers, only slower",
)

bias_gradient = lesson.quiz(
    "bias_gradient",
    "You fine-tune a network, and keep its batch normalization in evaluation mode. "
    "What is the gradient of the bias b of the affine layer in front of it?",
    a="zero, as always before a batch normalization",
    b="the same as beta's",
    c="zero, because evaluation mode has no gradient",
    d="in general not zero: the running mean does not follow b",
)
