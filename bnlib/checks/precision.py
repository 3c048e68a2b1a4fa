"""Lesson 09: what is checked about statistics that keep their digits, a batch on several devices, and a fast way back.

Statistics are computed in exact arithmetic, with fractions; gradients are complex-step derivatives of the layer, written feature by feature.
Some of the inputs of the first exercises lie far from zero (``Case.far``): there no digit may be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Property, Slip, negligible, remembered
from bnlib.checks.shared import SCALED, SUMS_TO_ZERO
from bnlib.judging.asked import cache_of
from bnlib.judging.mistakes.known import Known
from bnlib.numerics import vjp_complex
from bnlib.stubs import precision

FAR = 1e-7
"""Allowed where the inputs are far from zero: Welford's update keeps nine digits there, the mean of the squares three."""


# -- definitions


def _exact(x):
    """Mean, and sum of the squared distances from it, of each feature: as fractions."""
    columns = [[Fraction(value) for value in column] for column in x.T.tolist()]
    means = [sum(column) / len(column) for column in columns]
    return means, [sum((value - mu) ** 2 for value in column) for column, mu in zip(columns, means, strict=True)]


def _statistics(x):
    mu, m2 = _exact(x)
    return np.array([float(value) for value in mu]), np.array([float(value / len(x)) for value in m2])


def _centred(x):
    mu, _ = _exact(x)
    return np.array([[float(Fraction(v) - mu[l]) for l, v in enumerate(row)] for row in x.tolist()])


def _layer(x, gamma, beta, eps):
    out = np.empty(x.shape, dtype=np.result_type(x, gamma, beta))
    for l in range(x.shape[1]):
        xc = x[:, l] - sum(x[:, l]) / len(x)
        out[:, l] = gamma[l] * xc / np.sqrt(sum(xc**2) / len(x) + eps) + beta[l]
    return out


def _gradients(case):
    def along(name):
        given = {key: case[key] for key in ("x", "gamma", "beta", "eps") if key != name}
        return vjp_complex(lambda value: _layer(**given, **{name: value}), case[name], case.dout)

    return along("x"), along("gamma"), along("beta")


# -- inputs


def _batch(rng, N, D, offset=0.0):
    return rng.normal(size=(N, D)) * rng.uniform(0.5, 2.0, size=D) + rng.uniform(1, 4, size=D) + offset


def _parameters(rng, D):
    gamma = rng.uniform(0.5, 2.0, size=D) * rng.choice([-1.0, 1.0], size=D)
    return {"gamma": gamma, "beta": rng.normal(size=D) + 1.0, "eps": float(10 ** rng.uniform(-2.5, -1))}


def _placed(rng, least, most):
    """Whether the input lies far from zero, and how far."""
    far = bool(rng.random() < 0.65)
    return far, float(rng.uniform(least, most) * rng.choice([-1, 1])) * far


def _draw_update(rng):
    far, offset = _placed(rng, 1e6, 3e6)
    x = _batch(rng, int(rng.integers(3, 9)), int(rng.integers(3, 6)), offset)
    mu, var = _statistics(x[:-1])
    return Case(count=len(x) - 1, mu=mu, m2=var * (len(x) - 1), row=x[-1], examples=x, far=far)


def _draw_merge(rng):
    far, offset = _placed(rng, 1e6, 3e6)
    (A, B), D = rng.choice([3, 4, 5, 7, 9], size=2, replace=False), int(rng.integers(4, 7))
    x = np.vstack([_batch(rng, A, D, offset), _batch(rng, B, D, offset)])
    (mu_a, var_a), (mu_b, var_b) = _statistics(x[:A]), _statistics(x[A:])
    return Case(
        count_a=int(A), mu_a=mu_a, var_a=var_a, count_b=int(B), mu_b=mu_b, var_b=var_b, examples=x, far=far
    )  # fmt: skip


def _draw_center(rng):
    N, D = int(rng.integers(6, 9)), int(rng.integers(3, 6))
    far, offset = _placed(rng, 1e6, 3e6)
    return Case(x=_batch(rng, N, D, offset), far=far)


def _draw_sync(rng, far=None):
    drawn, offset = _placed(rng, 1e6, 3e6)
    sizes, D = [int(n) for n in rng.choice([1, 2, 3, 4, 5], size=4, replace=False)], int(rng.integers(3, 5))
    x = np.vstack([_batch(rng, n, D, 0.0 if far is False else offset) for n in sizes])
    return Case(x=x, sizes=sizes, **_parameters(rng, D), **({} if far is False else {"far": drawn}))


def _draw_sync_backward(rng):
    case = _draw_sync(rng, far=False)
    case["dout"] = rng.normal(size=case.x.shape) + 0.7
    return case


def _draw_fast(rng):
    N, D = int(rng.integers(5, 9)), int(rng.integers(3, 5))
    case = Case(x=_batch(rng, N, D), dout=rng.normal(size=(N, D)) + 0.7, **_parameters(rng, D))
    inv_std = 1 / np.sqrt(_statistics(case.x)[1] + case.eps)
    return Case(case, x_hat=_centred(case.x) * inv_std, inv_std=inv_std)


# -- devices


def shards(case: Case, name: str) -> list[Any]:
    """A batch of a case as it is spread over the devices."""
    return np.split(case[name], np.cumsum(case.sizes)[:-1])


def _joined(name: str, parts: Any, case: Case) -> Any:
    """What came back from the devices as one batch.

    Raises:
        ValueError: It is no list of arrays of their shapes; the words are for the learner.
    """
    wanted = [(n, case.x.shape[1]) for n in case.sizes]
    if isinstance(parts, np.ndarray) and parts.ndim == 3:  # parts of one shape may come back so
        parts = list(parts)
    if not isinstance(parts, (list, tuple)):
        raise ValueError(f"{name} should be a list with an array for each device, and is a {type(parts).__name__}")
    if (shapes := [np.shape(part) for part in parts]) != wanted:
        raise ValueError(f"{name} should hold arrays of the shapes {wanted}, and holds {shapes}")
    return np.concatenate(parts)


def _run_forward(learner, case):
    value = learner.sync_batchnorm_forward(shards(case, "x"), case.gamma, case.beta, case.eps)
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return value
    return _joined("outs", value[0], case), value[1]


def _run_backward(learner, case):
    cache = cache_of(learner, precision.sync_batchnorm_forward, Case(case, shards=shards(case, "x")))
    value = learner.sync_batchnorm_backward(shards(case, "dout"), cache)
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return value
    return _joined("dxs", value[0], case), *value[1:]


@remembered
def _of_the_devices(case: Case) -> dict[str, Any]:
    """What may be taken for the mean and the variance of the whole batch, made of those of the devices; and each example's own device's."""
    parts = shards(case, "x")
    n = np.array(case.sizes)[:, None]
    means, variances = (np.stack(values) for values in zip(*map(_statistics, parts), strict=True))

    def whole(mu, variances=variances, weights=n, total=None):
        return (weights * (variances + (means - mu) ** 2)).sum(axis=0) / (total or n.sum())

    mu, plain, alike = (n * means).sum(axis=0) / n.sum(), means.mean(axis=0), len(parts) * len(parts[0])
    few, equal, left = (
        (n[:k] * means[:k]).sum(axis=0) / total for k, total in ((None, len(n)), (None, alike), (-1, n.sum()))
    )
    stuck, late = _merged(case.sizes, means, variances, grows=False), _merged(case.sizes, means, variances, late=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        unbiased = whole(mu, variances * n / (n - 1))
    return {
        "_plain_mean": plain, "_plain_variance": variances.mean(axis=0), "_plain_squares": whole(mu, weights=1, total=len(n)),
        "_about_plain": whole(plain), "_within": (n * variances).sum(axis=0) / n.sum(), "_unbiased": unbiased,
        "_first_mean": means[0], "_first_variance": variances[0], "_last_mean": means[-1], "_last_variance": variances[-1],
        "_stuck_mean": stuck[0], "_stuck_variance": stuck[1], "_late_variance": late[1],
        "_few_mean": few, "_few_variance": whole(few, total=len(n)), "_equal_mean": equal, "_equal_variance": whole(equal, total=alike),
        "_left_mean": left, "_left_variance": whole(left),
        "_own_mean": np.repeat(means, case.sizes, axis=0), "_own_variance": np.repeat(variances, case.sizes, axis=0),
    }  # fmt: skip


def _merged(sizes, means, variances, grows=True, late=False):
    """Mean and variance merged device after device; the count need not grow, or the variance may come late and find the new mean."""
    count, mu, var = sizes[0], means[0], variances[0]
    for k, m, v in zip(sizes[1:], means[1:], variances[1:], strict=True):
        both = count + k
        new = (count * mu + k * m) / both
        var = (count * var + k * v) / both + count * k / both**2 * (m - (new if late else mu)) ** 2
        mu, count = new, both if grows else count
    return mu, var


_DEVICES = (
    "_plain_mean _plain_variance _plain_squares _about_plain _within _unbiased _first_mean _first_variance _last_mean _last_variance "
    "_stuck_mean _stuck_variance _late_variance _few_mean _few_variance _equal_mean _equal_variance _left_mean _left_variance"
)

# -- derivations

_FORWARD = """
mu      = mean(x)                       # eq. 9.7
var     = variance(x)                   # eq. 9.7
inv_std = 1 / sqrt(var + eps)           # eq. 9.7
x_hat   = (x - mu) * inv_std            # eq. 9.7
"""
_OUT = "out = gamma * x_hat + beta  # eq. 9.7\n"
_PARAMETERS = """
dgamma  = sum(dout * x_hat)             # eq. 9.8
dbeta   = sum(dout)                     # eq. 9.8
"""
_WAYS = tuple(
    _PARAMETERS + lines
    for lines in (
        f"{SCALED}  # eq. 9.8",
        "dx = gamma * inv_std * (dout - dbeta / N - x_hat * (dgamma / N))  # eq. 9.8",
    )
)
_BACK_RULES = """
    mean-over-everything: dbeta / N => mean(dout, N, D) | the mean of dout is taken over the whole array: name the axis
    xc-for-x-hat: x_hat => x_hat / inv_std | xc stands where x_hat belongs
    gamma-missing: _h => dout | gamma is missing: dout stands where dout times gamma belongs
    x-hat-missing-outside: x_hat * mean(A * x_hat) => mean(A * x_hat) | the third term has x_hat inside the mean, and not in front of it
    x-hat-missing-inside: x_hat * mean(A * x_hat) => x_hat * mean(A) | the third term has x_hat in front of the mean, and not inside it
"""
_BACK_WORDS = {
    "gamma-in-dgamma@dgamma": "gamma was multiplied into dgamma: each factor of a product receives the other factor.",
    "gamma-in-dbeta@dbeta": "gamma was multiplied into dbeta, but beta is added behind gamma.",
    "only-the-diagonal@dx": "Where a mean belongs, only the example's own term is there. Both sums of eq. 9.8 run over the whole batch.",
    "mean-over-features@dx": "A mean was taken over the features of each example. In eq. 9.8 it runs over the batch.",
    "mean-over-everything@dx": "A mean was taken over the whole array: name the axis.",
}
_BACK_TERMS = {
    "dx": ("direct path", "path through the mean", "path through the variance"),
    "dgamma": ("sum over the batch",),
    "dbeta": ("sum over the batch",),
}

update_statistics = Checks(
    precision.update_statistics,
    draw=_draw_update,
    truth=lambda case: tuple(np.array([float(value) for value in found]) for found in _exact(case.examples)),
    against="mean and squared distances of all examples, in exact arithmetic",
    tolerance=FAR,
    known=Known(
        "count, mu: D, m2: D, row: D",
        """
        _total = count + 1
        _step  = row - mu
        _mu    = mu + _step / _total              # eq. 9.2
        _left  = row - _mu
        _m2    = m2 + _step * _left               # eq. 9.3
        """,
        """
        _mu    = (count * mu + row) / (count + 1)                   # eq. 9.2
        _m2    = m2 + (row - mu)**2 * count / (count + 1)           # eq. 9.3
        """,
        """
        _mu    = (count * mu + row) / (count + 1)                   # eq. 9.2
        _m2    = m2 + count * (mu - _mu)**2 + (row - _mu)**2        # eq. 9.3
        """,
        rules="""
            old-mean-twice: _step * _left => _step * _step | both distances are those from the old mean: in the product of eq. 9.3 one of them is from the new
            old-mean-twice: (row - mu)**2 * count / (count + 1) => (row - mu)**2 | the squared distance from the old mean is added whole: some of it goes into moving the mean
            new-mean-twice: _step * _left => _left * _left | both distances are those from the new mean: in the product of eq. 9.3 one of them is from the old
            count-too-small: _step / _total => _step / count | the step is divided by the number of examples before: the new one counts as well
            count-too-small: (count * mu + row) / (count + 1) => (count * mu + row) / count | the sum is divided by the number of examples before: the new one counts as well
            variance-for-sum: m2 + B => (m2 + B) / (count + 1) | this is a variance: m2 is the sum of the squared distances, not yet divided
            variance-for-sum: m2 + B => (m2 + B) / count | this is a variance: m2 is the sum of the squared distances, not yet divided
            squares-so-far-missing: m2 + A => A | the squares so far are missing: m2 grows
            mean-moved-alone: _step * _left => (_mu - mu)**2 | this adds the square of how far the mean has moved, and no distance of the new example
            mean-moved-alone: (row - mu)**2 * count / (count + 1) => (row - mu)**2 / (count + 1) / (count + 1) | this adds the square of how far the mean has moved, and no distance of the new example
            example-left-out: _step * _left => count * (_mu - mu)**2 | the examples so far are measured from the new mean, and the distance of the new example itself is not added
            example-left-out: m2 + A + (row - _mu)**2 => m2 + A | the examples so far are measured from the new mean, and the distance of the new example itself is not added
            example-not-counted: m2 + _step * _left => m2 | m2 stays as it was: the new example has a distance too, and has moved the mean
            example-not-counted: m2 + (row - mu)**2 * count / (count + 1) => m2 | m2 stays as it was: the new example has a distance too, and has moved the mean
            upside-down: (row - mu)**2 * count / (count + 1) => (row - mu)**2 * (count + 1) / count | the share of the square is upside down: it has to be less than one
            not-squared: _step * _left => abs(_step) | a distance is added that is not squared
            not-squared: (row - mu)**2 => abs(row - mu) | a distance is added that is not squared
            features-mixed: _step * _left => sum(_step * _left, D) | the features are added up: each has an m2 of its own
            features-mixed: row - mu => mean(row, D) - mu | a mean is taken over the features of the new example: each feature has a mean of its own
            lost-parentheses: _step / _total => _step / count + 1 | brackets are missing: one is added to the step, and not to count
            half-way: mu + _step / _total => (mu + row) / 2 | this is the middle between the mean and the new example: the mean stands for count examples
        """,
        terms={"mu": ("mean so far", "step"), "m2": ("squares so far", "part of the new example")},
        outputs={"mu": "_mu", "m2": "_m2"},
    ),
    hints=(
        "By how much does a new example pull the mean of count others? Write the mean of count + 1 numbers with the mean of the first count in it.",
        "The mean takes a step towards row: the distance row - mu, divided by how many there are now. m2 grows by a product of two distances of row.",
        "For 1, 3 (mean 2, m2 2) and then 8: the mean goes to 2 + 6/3 = 4, and m2 to 2 + 6 * 4 = 26.",
    ),
    idea="Move the mean by a share of the distance; the squares grow by the distance before times the distance after. No large square is ever made.",
)

merged_squares = Chain(
    precision.merged_squares,
    (
        Move(
            "The variance of a shard is about its own mean. How do you bring mu_a into x_a[k] - mu?",
            "Write x_a[k] - mu as (x_a[k] - mu_a) + (mu_a - mu), and likewise for b.",
            "sum(((x_a[k] - mu_a) + (mu_a - mu))**2 for k in A) + sum(((x_b[l] - mu_b) + (mu_b - mu))**2 for l in B)",
        ),
        Move(
            "Square the brackets, and sum each term by itself.",
            "The middle term of each has a sum of distances from its own mean: the sum you met in lesson 03, and it is zero. The other two are A * var_a and A * (mu_a - mu)**2.",
            "A * var_a + A * (mu_a - mu)**2 + B * var_b + B * (mu_b - mu)**2",
        ),
        Move(
            "mu lies between mu_a and mu_b. How far from each?",
            "Put in mu = (A * mu_a + B * mu_b) / (A + B): mu_a - mu is B / (A + B) of the distance between the two.",
            "A * var_a + B * var_b + A * (B / (A + B) * (mu_a - mu_b))**2 + B * (A / (A + B) * (mu_b - mu_a))**2",
        ),
        Move(
            "The last two terms have the same square.",
            "Take A * B / (A + B)**2 * (mu_b - mu_a)**2 out in front; what is left is B + A.",
            "A * var_a + B * var_b + A * B / (A + B) * (mu_b - mu_a)**2",
        ),
    ),
    idea="Measure each shard from its own mean; the cross terms vanish, and what is left is how far the two means are apart.",
)

merge_statistics = Checks(
    precision.merge_statistics,
    draw=_draw_merge,
    truth=lambda case: _statistics(case.examples),
    against="mean and variance of both shards' examples, in exact arithmetic",
    tolerance=FAR,
    known=Known(
        "count_a, mu_a: D, var_a: D, count_b, mu_b: D, var_b: D",
        """
        _total = count_a + count_b
        _apart = mu_b - mu_a
        mu     = (count_a * mu_a + count_b * mu_b) / _total                                              # eq. 9.4
        var    = (count_a * var_a + count_b * var_b) / _total + count_a * count_b / _total**2 * _apart**2  # eq. 9.5
        """,
        """
        mu     = (count_a * mu_a + count_b * mu_b) / (count_a + count_b)                                 # eq. 9.4
        var    = (count_a * (var_a + (mu_a - mu)**2) + count_b * (var_b + (mu_b - mu)**2)) / (count_a + count_b)  # eq. 9.5
        """,
        rules="""
            mean-of-means: count_a * count_b / _total**2 * _apart**2 => _apart**2 / 4 | the part of the means is that of two shards of one size
            not-weighted: (count_a * var_a + count_b * var_b) / C => var_a + var_b | the variances are added: a mean of the two is asked, in which the larger shard weighs more
            std-for-variance: (count_a * var_a + count_b * var_b) / C => ((count_a * sqrt(var_a) + count_b * sqrt(var_b)) / C)**2 | standard deviations are averaged: only variances may be
            bessel: count_a * var_a + count_b * var_b => (count_a - 1) * var_a + (count_b - 1) * var_b | the variances count as divided by the number of examples minus one: in this lesson they are divided by all of them
            distance-of-the-means-not-squared: _apart**2 => abs(_apart) | the distance between the means is not squared
            distance-of-the-means-not-squared: _apart**2 => -_apart | the distance between the means is not squared
            mean-of-means: (count_a * A + count_b * B) / C => (A + B) / 2 | the two count alike, whatever their size: the larger shard weighs more
            counts-exchanged: (count_a * A + count_b * B) / C => (count_b * A + count_a * B) / C | each shard is weighted with the other's count
            distance-of-the-means-missing: A + B * _apart**2 => A | two shards of variance zero have a variance together, if their means differ: that part is missing
            distance-of-the-means-missing: A + (mu_a - mu)**2 => A | a shard's distance from the common mean is missing: two shards of variance zero can have a variance together
            distance-of-the-means-missing: A + (mu_b - mu)**2 => A | a shard's distance from the common mean is missing: two shards of variance zero can have a variance together
            distance-of-the-means-sign: A + B * _apart**2 => A - B * _apart**2 | what the distance of the means adds is subtracted: two shards apart spread more, not less
            distance-of-the-means-not-squared: _apart**2 => _apart | the distance between the means is not squared
            std-for-variance: A / _total + B => sqrt(A / _total + B) | a root is taken: the variance is asked
            sum-of-squares-for-variance: A / _total + count_a * count_b / _total**2 * B => A + count_a * count_b / _total * B | this is the sum of the squared distances: divide by the number of examples
            sum-of-squares-for-variance: (count_a * (var_a + A) + count_b * B) / (count_a + count_b) => count_a * (var_a + A) + count_b * B | this is the sum of the squared distances: divide by the number of examples
            bessel: (count_a * (var_a + A) + count_b * B) / (count_a + count_b) => (count_a * (var_a + A) + count_b * B) / (count_a + count_b - 1) | there is a division by the number of examples minus one: the variance of this lesson divides by all of them
            not-divided: (count_a * A + count_b * B) / C => count_a * A + count_b * B | the division by the number of examples is missing
            count-a-for-count-b: count_a * count_b / _total**2 => count_a * count_a / _total**2 | count_a stands where count_b belongs
            factor-missing: count_a * count_b / _total**2 * _apart**2 => _apart**2 | the squared distance of the means stands alone: what share of it does each shard have?
            one-total-too-few: count_a * count_b / _total**2 => count_a * count_b / _total | the part of the means is divided by the number of examples once too seldom
            bessel: A / _total + count_a * count_b / _total**2 * B => (A + count_a * count_b / _total * B) / (_total - 1) | there is a division by the number of examples minus one: the variance of this lesson divides by all of them
        """,
        terms={
            "mu": ("shard a's mean", "shard b's mean"),
            "var": ("shard a's variance", "shard b's variance", "distance of the means"),
        },
    ),
    hints=(
        "Your last line of merged_squares, divided by the number of all examples.",
        "mu is a mean with weights: each shard counts as often as it has examples. var has three parts: the two variances, weighted alike, and what the distance of the means adds.",
        "For 0, 0 (mean 0, variance 0) and 3 (mean 3, variance 0): mu = (2 * 0 + 1 * 3) / 3 = 1, var = 2 * 1 / 9 * 9 = 2.",
    ),
    idea="Weighted means of means and variances, and the product of the two shares times the squared distance of the means.",
)

center_accurately = Checks(
    precision.center_accurately,
    draw=_draw_center,
    truth=lambda case: _centred(case.x),
    against="x minus its mean, in exact arithmetic",
    tolerance=1e-12,
    known=Known(
        "x: N D",
        "_mu = mean(x)  # eq. 9.6\nxc = x - _mu  # eq. 9.6",
        rules="""
            also-scaled: x - _mu => (x - _mu) / sqrt(variance(x)) | the result is divided by the standard deviation as well: only the mean is to go
            mean-over-features: x - _mu => x - mean(x, D) - mean(x) + mean(mean(x), D) | one of the two means runs over the features, and should run over the examples: which axis is that?
            bessel: x - _mu => x - mean(x) * N / (N - 1) * (2 - N / (N - 1)) | the means divide by N - 1, and should divide by N
            absolute: x - _mu => abs(x - _mu) | the distances have lost their signs: examples below the mean come out negative
            nothing-subtracted: x - _mu => x | nothing is subtracted
            subtraction-reversed: x - _mu => _mu - x | the subtraction is the wrong way round
        """,
        terms={"xc": ("centred batch",)},
    ),
    slips=(
        Slip("first-example-for-mean", "An example is subtracted, and not yet the mean: what is left still has a mean.", "xc", lambda case: case.x - case.x[0]),
        Slip("mean-taken-twice", "The mean was subtracted twice from x itself: the second mean is that of what the first subtraction left.", "xc", lambda case: case.x - 2 * case.x.mean(axis=0)),
        Slip("median-for-mean", "The median is subtracted: half of the examples lie above it, and their mean is another number.", "xc", lambda case: case.x - np.median(case.x, axis=0)),
    ),
    hints=(
        "The mean of numbers near 1e6 is rounded to multiples of 1e-10. The subtraction of it is exact. So what is wrong with the result, and is it the same for all examples?",
        "The error is one number a feature, which all examples share: on paper the result has mean zero, and here it has not. You know how to take out a mean.",
        "If x - mu comes out as -1.9, 0.1, 2.1, then 0.1 was lost with the mean, and it can be seen: their mean is 0.1.",
    ),
    idea="Centre, and centre what comes out once more: near zero a mean is right to all digits.",
)  # fmt: skip

sync_batchnorm_forward = Checks(
    precision.sync_batchnorm_forward,
    draw=_draw_sync,
    truth=lambda case: (_layer(case.x, case.gamma, case.beta, case.eps),),
    call=_run_forward,
    against="batch normalization of the whole batch, feature by feature",
    tolerance=FAR,
    known=Known(
        "x: N D, gamma: D, beta: D, eps, " + ", ".join(f"{name}: D" for name in _DEVICES.split()) + ", _own_mean: N D, _own_variance: N D",
        _FORWARD + _OUT,
        view=lambda case: {**case, **_of_the_devices(case)},
        rules="""
            devices-count-alike: mean(x) => _plain_mean | the means of the devices count alike, whatever they hold: one with more examples weighs more
            devices-count-alike: variance(x) => _plain_variance | the variances of the devices count alike, whatever they hold, and that their means differ is missing
            mean-of-means: mean(x) => _plain_mean | the means of the devices count alike, whatever they hold: one with more examples weighs more
            mean-of-means: variance(x) => _about_plain | the variance is about the plain mean of the devices' means: one with more examples weighs more
            variances-count-alike: variance(x) => _plain_squares | the devices count alike, whatever they hold: one with more examples weighs more
            distance-of-the-means-missing: variance(x) => _within | the variance is the mean of the devices' variances: that their means differ is missing from it
            first-device-for-all: mean(x) => _first_mean | all devices use the statistics of the first
            first-device-for-all: variance(x) => _first_variance | all devices use the statistics of the first
            last-device-for-all: mean(x) => _last_mean | all devices use the statistics of the last: those of the others were overwritten, not merged
            last-device-for-all: variance(x) => _last_variance | all devices use the statistics of the last: those of the others were overwritten, not merged
            count-not-updated: mean(x) => _stuck_mean | while one device after the other is merged, the count of what is merged already has to grow
            count-not-updated: variance(x) => _stuck_variance | while one device after the other is merged, the count of what is merged already has to grow
            mean-moved-first: variance(x) => _late_variance | while one device after the other is merged, the mean is moved before the variance has used the old one
            bessel: variance(x) => _unbiased | the variance of each device is divided by its count minus one, and goes in as if it were divided by its count
            devices-for-examples: mean(x) => _few_mean | the sum over the examples is divided by the number of devices
            devices-for-examples: variance(x) => _few_variance | the sum over the examples is divided by the number of devices
            sizes-taken-as-equal: mean(x) => _equal_mean | the number of examples is taken as if each device held as many as the first
            sizes-taken-as-equal: variance(x) => _equal_variance | the number of examples is taken as if each device held as many as the first
            last-device-left-out: mean(x) => _left_mean | the last device is left out of the sum
            last-device-left-out: variance(x) => _left_variance | the variance is about a mean from which the last device is left out
            each-device-alone: (x - mu) * inv_std => (x - _own_mean) / sqrt(_own_variance + eps) | each device normalizes with its own statistics: those of the whole batch are asked, so something must travel
            own-mean: (x - mu) * inv_std => (x - _own_mean) * inv_std | each device subtracts its own mean, and divides by the root of the common variance
            own-variance: (x - mu) * inv_std => (x - mu) / sqrt(_own_variance + eps) | the common mean is subtracted, and each device divides by the root of its own variance
            not-centred: (x - mu) * inv_std => x * inv_std | the mean is not subtracted
            no-root: 1 / sqrt(A) => 1 / A | the root is missing
        """,
        terms={"outs": ("scaled part", "shift")},
        outputs={"outs": "out"},
    ),
    hints=(
        "Each device can make its own mean and variance. You have a function that makes those of two shards together; how do you get to three?",
        "Begin with the first device's count, mean and variance, and merge one device after the other into it. The count grows on the way.",
        "After the merging every device has the same mu and var, and normalizes its own rows: (shard - mu) * inv_std.",
    ),
    idea="Statistics of each shard, merged one after the other; then each shard is normalized with the result.",
)  # fmt: skip


def _sums_of_the_devices(case: Case) -> dict[str, Any]:
    """The sums that the devices make of their own rows: for each example its own device's, the first's, the last's, without the last."""
    mu, var = _statistics(case.x)
    products = {"dbeta": case.dout, "dgamma": case.dout * (case.x - mu) / np.sqrt(var + case.eps)}
    found = {"_own_count": np.repeat(case.sizes, case.sizes), "_devices": len(case.sizes)}
    for name, rows in products.items():
        sums = np.stack([part.sum(axis=0) for part in shards(Case(case, rows=rows), "rows")])
        found |= {
            f"_own_{name}": np.repeat(sums, case.sizes, axis=0),
            f"_first_{name}": sums[0],
            f"_last_{name}": sums[-1],
        }
    return found


sync_batchnorm_backward = Checks(
    precision.sync_batchnorm_backward,
    draw=_draw_sync_backward,
    truth=_gradients,
    call=_run_backward,
    against="the numerical derivative for the whole batch",
    known=Known(
        "x: N D, gamma: D, beta: D, eps, dout: N D, _own_count: N, _devices, _own_dbeta: N D, _own_dgamma: N D, "
        "_first_dbeta: D, _first_dgamma: D, _last_dbeta: D, _last_dgamma: D",
        *(_FORWARD + way for way in _WAYS),
        view=lambda case: {**case, **_sums_of_the_devices(case)},
        rules="""
            each-device-alone: A - dbeta / N - B * (dgamma / N) => A - _own_dbeta / _own_count - B * (_own_dgamma / _own_count) | each device goes back with the means of its own rows: an example moves the statistics of the whole batch, and so the outputs on all devices
            sums-of-own-rows: A - dbeta / N - B * (dgamma / N) => A - _own_dbeta / N - B * (_own_dgamma / N) | the two sums are those of each device's own rows, divided by the whole count: they have to travel before dx is made
            own-count: A - dbeta / N - B * (dgamma / N) => A - dbeta / _own_count - B * (dgamma / _own_count) | the sums are those of the whole batch, and are divided by the device's own count: how many examples share the statistics?
            devices-for-examples: A - dbeta / N - B * (dgamma / N) => A - dbeta / _devices - B * (dgamma / _devices) | the sums are divided by the number of devices: how many examples share the statistics?
            mean-of-own-rows: dbeta / N => _own_dbeta / _own_count | the mean of dout is that of each device's own rows: the statistics are those of all
            mean-of-own-rows: dgamma / N => _own_dgamma / _own_count | the mean of dout * x_hat is that of each device's own rows: the statistics are those of all
            first-device-only: sum(dout * x_hat) => _first_dgamma | this is the sum of the first device alone: each device adds its own rows
            first-device-only: sum(dout) => _first_dbeta | this is the sum of the first device alone: each device adds its own rows
            last-device-only: sum(dout * x_hat) => _last_dgamma | this is the sum of the last device alone: was it overwritten, and not added up?
            last-device-only: sum(dout) => _last_dbeta | this is the sum of the last device alone: was it overwritten, and not added up?
            mean-over-devices: sum(dout * x_hat) => sum(dout * x_hat) / _devices | the sums of the devices are averaged: the rows of all devices add up
            mean-over-devices: sum(dout) => sum(dout) / _devices | the sums of the devices are averaged: the rows of all devices add up
        """
        + _BACK_RULES,
        words=_BACK_WORDS,
        terms={("dxs" if name == "dx" else name): said for name, said in _BACK_TERMS.items()},
        outputs={"dxs": "dx"},
    ),
    hints=(
        "Eq. 9.8 is that of lesson 03. Which two numbers of each feature does it take from all the examples?",
        "Make on each device the sum of its dout and of its dout * x_hat; add these up over the devices. Then each makes its own dx.",
        "The totals are dbeta and dgamma themselves. What they are divided by is the number of all examples.",
    ),
    idea="Two sums a device, added up; then (9.8) on each device's rows, with the number of all examples.",
    properties=(
        Property(
            "each feature sums to zero over all devices",
            lambda case, out: negligible(case, out["dxs"].sum(axis=0), np.abs(out["dxs"]).sum()),
            "Some feature of dxs does not sum to zero over all devices.",
        ),
    ),
)  # fmt: skip


_FAST = Known(
    "dout: N D, x_hat: N D, inv_std: D, gamma: D",
    *_WAYS,
    rules=_BACK_RULES,
    words=_BACK_WORDS,
    terms=_BACK_TERMS,
)


def _of_rows(case: Case, output: str, begin: int, end: int | None = None) -> Any:
    """What comes out when some rows are taken for the batch."""
    rows = slice(begin, end)
    part = Case(case, dout=case.dout[rows], x_hat=case.x_hat[rows])
    return _FAST.truth(part, output)


def _of_blocks(rows: int) -> Iterator[Slip]:
    """What goes wrong where a batch is taken in blocks of so many rows."""

    def alone(case: Case) -> Any:
        return np.concatenate([_of_rows(case, "dx", i, i + rows) for i in range(0, len(case.dout), rows)])

    def cut(case: Case) -> Any:
        dx = _of_rows(case, "dx", 0)
        return dx * (np.arange(len(dx)) < len(dx) // rows * rows)[:, None]

    yield Slip(
        "block-alone",
        f"Each block of {rows} rows goes back with its own two sums: they run over the whole batch.",
        "dx",
        alone,
    )
    yield Slip(
        "last-block-left-out",
        f"The last rows of dx are never written, as if the number of rows were a multiple of {rows}.",
        "dx",
        cut,
    )
    for name in ("dgamma", "dbeta"):
        words = f"{name} is the sum of the last block alone, with blocks of {rows} rows: was it overwritten, and not added up?"

        def last(case: Case, name: str = name) -> Any:
            return _of_rows(case, name, (len(case.dout) - 1) // rows * rows)

        yield Slip("last-block-only", words, name, last)


batchnorm_backward_fast = Checks(
    precision.batchnorm_backward_fast,
    draw=_draw_fast,
    truth=_gradients,
    against="its numerical gradient",
    known=_FAST,
    slips=tuple(slip for rows in (2, 3, 4) for slip in _of_blocks(rows)),
    hints=(
        "Write it right first, in as many lines as you like. Then count the arrays of shape (N, D) that your lines read and write.",
        "A sum over the batch of a product needs no array for the product: einsum can multiply and add at once. And a (D,) array costs nothing: multiply those first.",
        "np.multiply(x_hat, a, out=dx) puts the product where dx will be; dx += b then needs no new array.",
    ),
    idea="The two sums without an array between, then every operation in the one array that is returned.",
    properties=(SUMS_TO_ZERO,),
)

recall_rows = Answer(
    precision.recall_rows,
    right="b",
    why={
        "a": "That is batch normalization: examples of one feature share a mean.",
        "b": "Layer normalization is the transpose: the features of one example share a mean, and no other example matters.",
        "c": "Then examples and features would all be mixed; neither layer does that.",
        "d": "Layer normalization needs no other batch, and not even other examples.",
    },
)

recall_pixels = Answer(
    precision.recall_pixels,
    right="d",
    why={
        "a": "Each image has many pixels, and all of them go into the mean of their channel.",
        "b": "The channels are kept apart: each has statistics of its own.",
        "c": "The pixels of one image share them, and so do those of the others.",
        "d": "A channel's mean runs over examples and pixels, so every sum in the gradient does, and the 1/N is one over their number.",
    },
)

recall_rms = Answer(
    precision.recall_rms,
    right="a",
    why={
        "a": "A shift of x passes a layer that does not centre, so nothing makes the sum of dx vanish. The term of the mean is missing.",
        "b": "That belongs to the division, and stays.",
        "c": "That belongs to the division too: twice the x, half the gradient.",
        "d": "A gradient always has the shape of its value.",
    },
)

below_zero = Answer(
    precision.below_zero,
    right="c",
    why={
        "a": "More examples do not help: the two means are as large as before, and are rounded as before.",
        "b": "A mean of squares is never negative. On paper the two forms are equal; in floating point one of them has lost its digits.",
        "c": "A float64 has 16 digits. The square of 1e9 needs 18 and more, and the variance, a number near 1, would have to stand behind the last.",
        "d": "1e16 is far below what overflows, 1e308; and an overflow gives inf.",
    },
)

constant_feature = Answer(
    precision.constant_feature,
    right="a",
    why={
        "a": "The distance is tiny, and the root of the variance is just as tiny: their ratio is 1 where the square is above eps.",
        "b": "eps is far from the smallest float32, which is near 1e-38.",
        "c": "eps stands beside the variance under the root, so there is no 0 / 0; and numpy would say nan.",
        "d": "By definition it is 0: the distance from the mean is zero on paper.",
    },
)

what_travels = Answer(
    precision.what_travels,
    right="d",
    why={
        "a": "The merged statistics need only what each shard knows of itself: eqs. 9.4 and 9.5.",
        "b": "Neither a mean nor a variance can be made of those.",
        "c": "Then the mean would be right. The variance needs the variances too.",
        "d": "Two vectors of 64, whether the device holds ten examples or a million. That is why the layer can be synchronised at all.",
    },
)
