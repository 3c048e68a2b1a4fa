"""Lesson 09, precision, speed and a thousand devices: statistics that keep their digits, travel well, and walk through memory seldom."""

from bnlib.stubs import Lesson, Setting, Waypoint

lesson = Lesson("09_precision", "Precision, speed and a thousand devices")

TWO_SHARDS = Setting(
    given={"x_a": "A", "x_b": "B"},
    definitions="""
        mu_a = mean(x_a[k] for k in A)
        mu_b = mean(x_b[l] for l in B)
        var_a = mean((x_a[k] - mu_a)**2 for k in A)
        var_b = mean((x_b[l] - mu_b)**2 for l in B)
        mu = (A * mu_a + B * mu_b) / (A + B)            # eq. 9.4
    """,
    latex={
        "x_a": r"x^{\mathrm{a}}",
        "x_b": r"x^{\mathrm{b}}",
        "mu_a": r"\mu^{\mathrm{a}}",
        "mu_b": r"\mu^{\mathrm{b}}",
        "var_a": r"v^{\mathrm{a}}",
        "var_b": r"v^{\mathrm{b}}",
    },
)


@lesson.exercise(returns=("mu", "m2"), points=2, minutes=10, difficulty=2, equation="9.3")
def update_statistics(count, mu, m2, row):
    """Take one more example into the mean and the sum of squared distances from it (eqs. 9.2, 9.3).

    Args:
        count: int, how many examples there were so far, at least 1.
        mu: (D,) float array, their mean.
        m2: (D,) float array, the sum of their squared distances from mu.
        row: (D,) float array, the new example.

    Returns:
        mu: (D,) array, the mean of all count + 1 examples.
        m2: (D,) array, the sum of their squared distances from the new mean.
    """


@lesson.derivation(
    setting=TWO_SHARDS,
    start="sum((x_a[k] - mu)**2 for k in A) + sum((x_b[l] - mu)**2 for l in B)",
    form="sum mu[]",
    waypoints=(
        Waypoint(
            "each shard is measured from its own mean",
            2,
            has="mu_a[] mu_b[] | mu[]",
            lacks="var_a[] var_b[] | sum",
        ),
    ),
    points=4,
    minutes=15,
    difficulty=3,
    equation="9.5",
)
def merged_squares():
    """The squared distances of two shards from their common mean, from what each shard knows of itself (eq. 9.5)."""


@lesson.exercise(returns=("mu", "var"), points=3, minutes=10, difficulty=2, equation="9.5")
def merge_statistics(count_a, mu_a, var_a, count_b, mu_b, var_b):
    """Mean and variance of two shards together (eqs. 9.4, 9.5).

    Args:
        count_a: int, how many examples shard a has, at least 1.
        mu_a: (D,) float array, their mean.
        var_a: (D,) float array, their variance (biased: divided by count_a).
        count_b: int, likewise of shard b.
        mu_b: (D,) float array.
        var_b: (D,) float array.

    Returns:
        mu: (D,) array, the mean of all count_a + count_b examples.
        var: (D,) array, their variance (biased).
    """


@lesson.exercise(returns=("xc",), points=2, minutes=8, difficulty=2, equation="9.6")
def center_accurately(x):
    """Centre a batch so that no digit is lost, however far from zero it lies (eq. 9.6).

    Args:
        x: (N, D) float array.

    Returns:
        xc: (N, D) array, each feature minus its mean over the batch, right to nearly all digits of xc itself.
    """


@lesson.exercise(
    returns=("outs", "cache"),
    points=4,
    minutes=15,
    difficulty=2,
    equation="9.7",
    builds_on=("merge_statistics", "center_accurately"),
)
def sync_batchnorm_forward(shards, gamma, beta, eps):
    """Batch normalization of a batch that is spread over devices, with the statistics of all of it (eq. 9.7).

    Args:
        shards: list with one (N_d, D) float array a device; the N_d differ.
        gamma: (D,) float array, the scale, the same on every device.
        beta: (D,) float array, the shift.
        eps: float, added to the variance under the root.

    Returns:
        outs: list with one (N_d, D) array a device.
        cache: anything your sync_batchnorm_backward wants.
    """


@lesson.exercise(
    returns=("dxs", "dgamma", "dbeta"),
    points=4,
    minutes=15,
    difficulty=3,
    equation="9.8",
    cache_of="sync_batchnorm_forward",
)
def sync_batchnorm_backward(douts, cache):
    """The way back through a batch that is spread over devices (eq. 9.8).

    Args:
        douts: list with one (N_d, D) float array a device, dL / d outs.
        cache: what your sync_batchnorm_forward returned last.

    Returns:
        dxs: list with one (N_d, D) array a device.
        dgamma: (D,) array, of the whole batch.
        dbeta: (D,) array, of the whole batch.
    """


@lesson.exercise(returns=("dx", "dgamma", "dbeta"), points=3, minutes=15, difficulty=2, equation="9.8")
def batchnorm_backward_fast(dout, x_hat, inv_std, gamma):
    """The backward pass of lesson 03, written to walk through memory as seldom as you can (eq. 9.8).

    Args:
        dout: (N, D) float array, dL / d out. It stays as it is.
        x_hat: (N, D) float array, the normalized batch. It stays as it is.
        inv_std: (D,) float array, one over the root of variance and eps.
        gamma: (D,) float array, the scale.

    Returns:
        dx: (N, D) array.
        dgamma: (D,) array.
        dbeta: (D,) array.
    """


recall_rows = lesson.quiz(
    "recall_rows",
    "Batch normalization and layer normalization of an (N, D) array: over which numbers does layer normalization take a mean?",
    a="over the N examples of one feature",
    b="over the D features of one example",
    c="over all N D numbers",
    d="over the examples of all batches so far",
)

recall_pixels = lesson.quiz(
    "recall_pixels",
    "Spatial batch normalization of images, N of them, with C channels of H by W pixels: what stands in the place of N in its gradient?",
    a="N: the number of images",
    b="C: the number of channels",
    c="H W: the pixels of an image",
    d="N H W: all the numbers that share a mean",
)

recall_rms = lesson.quiz(
    "recall_rms",
    "RMS normalization divides and does not centre. Which property of the gradient goes with the centring?",
    a="that dx adds up to zero over what shares the statistics",
    b="that dx is (nearly) at right angles to the output of the division",
    c="that dx goes with one over the scale of x",
    d="that dx has the shape of x",
)

below_zero = lesson.quiz(
    "below_zero",
    "The mean of the squares minus the square of the mean came out negative. What happened?",
    a="The batch is too small: with more examples the variance comes out right",
    b="The variance of this feature really is negative",
    c="Two numbers near 1e18 were rounded to multiples of 128, and their difference is of the size of that rounding",
    d="A square overflowed, and lost its sign",
)

constant_feature = lesson.quiz(
    "constant_feature",
    "In float32, a feature is the same number for all examples, and its x_hat comes out near 1 or -1, not 0. Why?",
    a="The mean is rounded: all examples have one and the same tiny distance from it, and the variance is its square",
    b="eps is zero in float32",
    c="A variance of zero makes 0 / 0, and numpy puts 1 in its place",
    d="x_hat of a constant feature is 1 by definition",
)

what_travels = lesson.quiz(
    "what_travels",
    "A device holds 1000 examples of 64 features. Besides the count, what must it send so that all know the mean and the variance of the whole batch?",
    a="its 64000 numbers: statistics of a whole need the whole",
    b="its largest and smallest example",
    c="64 numbers: its means",
    d="128 numbers: its means and its variances",
)
