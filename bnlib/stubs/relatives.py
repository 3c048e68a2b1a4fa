"""Lesson 08, one derivation, five layers: layer, group, instance and RMS normalization, and batch normalization of images."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("08_relatives", "One derivation, five layers")

LAYER_NORM = Setting(
    given={"x": "N D", "gamma": "D", "beta": "D", "dout": "N D", "eps": ""},
    definitions="""
        mu[k] = mean(x[k, m] for m in D)                            # eq. 8.1
        var[k] = mean((x[k, m] - mu[k])**2 for m in D)              # eq. 8.1
        r[k] = (var[k] + eps)**(-1/2)
        x_hat[k, l] = (x[k, l] - mu[k]) * r[k]                      # eq. 8.1
        y[k, l] = gamma[l] * x_hat[k, l] + beta[l]                  # eq. 8.1
        L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)


@lesson.exercise(returns=("out", "cache"), points=2, minutes=5, difficulty=1, equation="8.1")
def layernorm_forward(x, gamma, beta, eps):
    """Layer normalization: each example is normalized with a mean and a variance of its own (eq. 8.1).

    Args:
        x: (N, D) float array.
        gamma: (D,) float array, the scale of each feature.
        beta: (D,) float array, the shift of each feature.
        eps: float, added to the variance under the root.

    Returns:
        out: (N, D) array.
        cache: anything your layernorm_backward wants.
    """


@lesson.derivation(
    setting=LAYER_NORM,
    start="d(L, x[i, j])",
    form="d delta unequal nested sums>2",
    waypoints=(
        Waypoint(
            "the chain rule is written, over all outputs or over mu and var",
            1,
            has="d(L) d(y) d(x_hat) d(product) d(r) d(mu) d(var) delta",
            lacks="d(L,x)",
        ),
        Waypoint("no derivative is left", 1, lacks="d"),
    ),
    points=4,
    minutes=20,
    difficulty=3,
    equation="8.3",
)
def layer_norm_gradient():
    """How the loss changes with one input of layer normalization (eq. 8.3)."""


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=3,
    minutes=12,
    difficulty=2,
    equation="8.3",
    cache_of="layernorm_forward",
)
def layernorm_backward(dout, cache):
    """Gradients of layer normalization (eqs. 8.3, 8.4).

    Args:
        dout: (N, D) float array, dL / d out.
        cache: what your layernorm_forward returned beside out.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
        dbeta: (D,) array.
    """


@lesson.exercise(
    returns=("out", "cache"), points=2, minutes=8, difficulty=2, equation="8.5", builds_on=("layernorm_forward",)
)
def spatial_batchnorm_forward(x, gamma, beta, eps):
    """Batch normalization of images: one mean and one variance a channel, over all examples and positions (eq. 8.5).

    Args:
        x: (N, C, H, W) float array: examples, channels, height, width.
        gamma: (C,) float array, the scale of each channel.
        beta: (C,) float array, the shift of each channel.
        eps: float, added to the variance under the root.

    Returns:
        out: (N, C, H, W) array.
        cache: anything your spatial_batchnorm_backward wants.
    """


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=2,
    minutes=8,
    difficulty=2,
    equation="8.6",
    builds_on=("layernorm_forward", "layernorm_backward"),
    cache_of="spatial_batchnorm_forward",
)
def spatial_batchnorm_backward(dout, cache):
    """Gradients of batch normalization of images (eq. 8.6).

    Args:
        dout: (N, C, H, W) float array, dL / d out.
        cache: what your spatial_batchnorm_forward returned beside out.

    Returns:
        dx: (N, C, H, W) array.
        dgamma: (C,) array.
        dbeta: (C,) array.
    """


@lesson.exercise(
    returns=("out", "cache"), points=2, minutes=8, difficulty=2, equation="8.7", builds_on=("layernorm_forward",)
)
def groupnorm_forward(x, gamma, beta, groups, eps):
    """Group normalization: each group of neighbouring channels of each example has its own mean and variance (eq. 8.7).

    Args:
        x: (N, C, H, W) float array.
        gamma: (C,) float array, the scale of each channel.
        beta: (C,) float array, the shift of each channel.
        groups: int, how many groups; it divides C. Group 0 is the first C // groups channels, and so on.
        eps: float, added to the variance under the root.

    Returns:
        out: (N, C, H, W) array.
        cache: anything your groupnorm_backward wants.
    """


@lesson.exercise(
    returns=("dx", "dgamma", "dbeta"),
    points=3,
    minutes=12,
    difficulty=3,
    equation="8.8",
    builds_on=("layernorm_forward", "layernorm_backward"),
    cache_of="groupnorm_forward",
)
def groupnorm_backward(dout, cache):
    """Gradients of group normalization (eq. 8.8).

    Args:
        dout: (N, C, H, W) float array, dL / d out.
        cache: what your groupnorm_forward returned beside out.

    Returns:
        dx: (N, C, H, W) array.
        dgamma: (C,) array.
        dbeta: (C,) array.
    """


@lesson.exercise(returns=("dx", "dgamma"), points=3, minutes=10, difficulty=3, equation="8.10")
def rmsnorm_backward(dout, x, gamma, eps):
    """Gradients of RMS normalization, out = gamma * x / sqrt(mean(x**2, axis=1) + eps), row by row (eqs. 8.9, 8.10).

    Args:
        dout: (N, D) float array, dL / d out.
        x: (N, D) float array; its rows need not have mean zero.
        gamma: (D,) float array, the scale of each feature.
        eps: float, added to the mean square under the root.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
    """


recall_directions = lesson.quiz(
    "recall_directions",
    "Up to a factor in front, the dx of batch normalization is dout without some of its components. Which are taken away (with eps = 0)?",
    a="those of the features that do not vary",
    b="those along the vector of ones and along x_hat, feature by feature",
    c="that along gamma",
    d="none: dout is only divided by sigma",
)

recall_sum = lesson.quiz(
    "recall_sum",
    "You add up dx over the batch, for one feature. What comes out?",
    a="zero, whatever eps is",
    b="zero only if eps is zero",
    c="the gradient of beta",
    d="N times the mean of dout",
)

recall_scale = lesson.quiz(
    "recall_scale",
    "All weights in front of a batch normalization are doubled (eps is negligible). What becomes of their gradient?",
    a="it doubles too",
    b="it stays as it is, since the output does",
    c="it vanishes",
    d="it is halved",
)

alone = lesson.quiz(
    "alone",
    "Which of these layers gives the same output for an example whether it comes alone or in a batch, in training mode as well?",
    a="none: a normalization needs a batch",
    b="batch normalization, if it has running averages",
    c="layer normalization, and every other whose statistics stay inside of one example",
    d="batch normalization of images: one image has many positions",
)

inside_or_outside = lesson.quiz(
    "inside_or_outside",
    "In batch normalization gamma could leave the two means of dx, and stand in front of everything. In layer normalization it cannot. Why?",
    a="there the mean runs over the very index that gamma has",
    b="gamma is learned there, and here it is a constant",
    c="layer normalization divides by another variance",
    d="it can, if gamma is positive",
)

one_by_one = lesson.quiz(
    "one_by_one",
    "Instance normalization of images that have become 1 by 1 (a single position), eps > 0. What does the layer return?",
    a="nan, since the variance is zero",
    b="the input, unchanged",
    c="gamma times the input, plus beta",
    d="beta, whatever the image is",
)

shape_of_gamma = lesson.quiz(
    "shape_of_gamma",
    "Group normalization with G groups of an (N, C, H, W) batch. Over which axes is dout * x_hat added up for dgamma?",
    a="over the entries that share statistics: channels of the group, height and width",
    b="over examples, height and width: gamma has one number a channel",
    c="over examples alone",
    d="over examples, height, width and the channels of a group: gamma has one number a group",
)
