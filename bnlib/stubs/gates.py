"""Lesson 04, gate by gate: batch normalization as a graph of simple gates, and the walk back through it."""

from bnlib.stubs import Lesson

lesson = Lesson("04_gates", "Gate by gate")


@lesson.exercise(returns=("out", "cache"), points=2, minutes=10, difficulty=1, equation="4.9")
def gates_forward(x, gamma, beta, eps):
    """Batch normalization, one gate a line, and every intermediate value kept (eq. 4.1 to 4.9).

    Args:
        x: (N, D) float array, N examples of D features.
        gamma: (D,) array, the scale.
        beta: (D,) array, the shift.
        eps: float, added to the variance under the root.

    Returns:
        out: (N, D) array.
        cache: dict with gamma and the intermediates, each under its own name: mu, var, std, inv_std of shape (D,),
            xc, sq, x_hat, scaled of shape (N, D). Another object is accepted as well, as long as your gates_backward
            finds in it what it needs.
    """


@lesson.exercise(returns=("dsq",), points=1, minutes=4, difficulty=1, equation="4.11")
def mean_backward(dvar, N):
    """Backward of the gate var = mean of sq over the batch (eq. 4.11).

    Args:
        dvar: (D,) array, dL / dvar.
        N: int, the number of examples that were averaged.

    Returns:
        dsq: (N, D) array, dL / dsq.
    """


@lesson.exercise(returns=("dxc",), points=1, minutes=3, difficulty=1, equation="4.12")
def square_backward(dsq, xc):
    """Backward of the gate sq = xc squared (eq. 4.12).

    Args:
        dsq: (N, D) array, dL / dsq.
        xc: (N, D) array, what went into the gate.

    Returns:
        dxc: (N, D) array, what this gate sends back to xc.
    """


@lesson.exercise(returns=("dvar",), points=1, minutes=4, difficulty=1, equation="4.13")
def root_backward(dstd, std):
    """Backward of the gate std = square root of (var + eps) (eq. 4.13).

    Args:
        dstd: (D,) array, dL / dstd.
        std: (D,) array, what came out of the gate.

    Returns:
        dvar: (D,) array, dL / dvar.
    """


@lesson.exercise(returns=("dstd",), points=1, minutes=3, difficulty=1, equation="4.14")
def invert_backward(dinv_std, inv_std):
    """Backward of the gate inv_std = 1 / std (eq. 4.14).

    Args:
        dinv_std: (D,) array, dL / dinv_std.
        inv_std: (D,) array, what came out of the gate.

    Returns:
        dstd: (D,) array, dL / dstd.
    """


@lesson.exercise(returns=("dxc", "dinv_std"), points=2, minutes=8, difficulty=2, equation="4.16")
def multiply_backward(dx_hat, xc, inv_std):
    """Backward of the gate x_hat = xc times inv_std, whose second factor was broadcast (eq. 4.15 and 4.16).

    Args:
        dx_hat: (N, D) array, dL / dx_hat.
        xc: (N, D) array, the first factor.
        inv_std: (D,) array, the second factor.

    Returns:
        dxc: (N, D) array, what this gate sends back to xc.
        dinv_std: (D,) array, dL / dinv_std.
    """


@lesson.exercise(
    returns=("dxc_product", "dxc_square", "dxc"),
    points=2,
    minutes=8,
    difficulty=2,
    equation="4.17",
    builds_on=("square_backward", "multiply_backward"),
)
def join_branches(dx_hat, dsq, xc, inv_std):
    """The gradient of xc, which feeds two gates: x_hat = xc times inv_std, and sq = xc squared (eq. 4.17).

    Args:
        dx_hat: (N, D) array, dL / dx_hat.
        dsq: (N, D) array, dL / dsq.
        xc: (N, D) array.
        inv_std: (D,) array.

    Returns:
        dxc_product: (N, D) array, what arrives at xc from the multiply gate.
        dxc_square: (N, D) array, what arrives at xc from the square gate.
        dxc: (N, D) array, dL / dxc.
    """


@lesson.exercise(
    returns=("dbeta", "dgamma", "dx_hat", "dinv_std", "dstd", "dvar", "dsq", "dxc", "dmu", "dx"),
    points=5,
    minutes=25,
    difficulty=3,
    equation="4.20",
    builds_on=(
        "gates_forward",
        "mean_backward",
        "square_backward",
        "root_backward",
        "invert_backward",
        "multiply_backward",
        "join_branches",
    ),
    cache_of="gates_forward",
)
def gates_backward(dout, cache):
    """Walk the gates in reverse; one operation a line, d + name for each gradient.

    While you are still on the way, put None for those that are not written yet: the check shows how far you are.

    Args:
        dout: (N, D) array, dL / dout.
        cache: What your gates_forward returned as its second value.

    Returns:
        dbeta: (D,) array.
        dgamma: (D,) array.
        dx_hat: (N, D) array.
        dinv_std: (D,) array.
        dstd: (D,) array.
        dvar: (D,) array.
        dsq: (N, D) array.
        dxc: (N, D) array, the sum of what arrives along both branches.
        dmu: (D,) array.
        dx: (N, D) array, the sum of what arrives along both branches.
    """


@lesson.exercise(returns=("dx", "dgamma", "dbeta"), points=3, minutes=15, difficulty=2, equation="4.24")
def folded_backward(dout, x_hat, inv_std, gamma):
    """The whole walk folded into the closed form (eq. 4.24); no other intermediate is needed.

    Args:
        dout: (N, D) array, dL / dout.
        x_hat: (N, D) array, the normalized batch.
        inv_std: (D,) array, 1 / std.
        gamma: (D,) array.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
        dbeta: (D,) array.
    """


recall_centred = lesson.quiz(
    "recall_centred",
    "Centring takes the mean of the batch away from h. What does its backward pass make of dout?",
    a="dout as it is: subtracting has the slope 1",
    b="dout divided by N",
    c="dout minus the mean of h",
    d="dout minus the mean of dout over the batch",
)

recall_delta = lesson.quiz(
    "recall_delta",
    "dout[k] * delta[k, i] is summed over all k. What is left?",
    a="dout[i]",
    b="the sum of all dout[k]",
    c="dout[k]",
    d="N times dout[i]",
)

recall_shifted = lesson.quiz(
    "recall_shifted",
    "Add the same number to all examples of a feature: the normalization takes it away again. What follows for dx, the gradient that it "
    "sends back?",
    a="nothing: a gradient depends on the loss alone",
    b="over the batch, it adds up to zero",
    c="it is the same for all examples",
    d="it adds up to what dout adds up to",
)

broadcast_back = lesson.quiz(
    "broadcast_back",
    "inv_std has one number a feature, and multiplies all N rows of xc. Each row brings back a product, dx_hat * xc. "
    "What does the one number receive of the N products?",
    a="their mean: otherwise its gradient would grow with the batch size",
    b="their mean, because inv_std was computed from a mean",
    c="their sum",
    d="any of these: its shape is (D,), and each makes (D,) of (N, D)",
)

overwritten = lesson.quiz(
    "overwritten",
    "In a backward pass somebody assigns to dxc what comes from the multiply gate, and further down assigns to dxc again, with = "
    "in place of +=, what comes from the square gate. No error appears, and all shapes are right. What is dx made of?",
    a="The direct path and the path through the mean; only the path through the variance is lost",
    b="The path through the variance alone: a multiple of x_hat for each feature",
    c="All paths: Python adds the two, because both lines assign to the same name",
    d="Nothing: dx is zero",
)

square_branch_in_dmu = lesson.quiz(
    "square_branch_in_dmu",
    "dmu is minus the sum of dxc over the batch. Somebody sums only what came from the multiply gate and leaves out what "
    "came from the square gate. What happens to dmu?",
    a="Nothing: what came from the square gate sums to zero over the batch",
    b="It is too small by the factor 2",
    c="It lacks the way from mu through the variance, so its numbers are wrong",
    d="It has the wrong sign",
)

why_faster = lesson.quiz(
    "why_faster",
    "gates_backward and folded_backward give the same numbers. On a large batch, one takes longer than the other. What does "
    "the processor spend most of that time on?",
    a="Multiplications: the gates have more of them",
    b="Square roots and divisions, which are slow",
    c="Calling Python functions, one for each gate",
    d="Waiting for memory: each operation moves whole arrays in and out, and does something cheap to each entry",
)
