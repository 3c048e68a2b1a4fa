"""Lesson 07: what is checked about the two directions that batch norm takes out of a gradient, and about the weights in front.

Truth comes from least squares and from a complex step of the definition, and knows nothing of eigenvalues or of x_hat's length.
"""

from __future__ import annotations

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Property, Slip, negligible
from bnlib.judging.mistakes.known import Known
from bnlib.numerics import jacobian_complex, vjp_complex
from bnlib.stubs import geometry

# -- definitions and inputs


def _normalized(x, eps):
    """One feature: centred by hand, and divided by the root of its mean square and eps."""
    xc = x - sum(x) / len(x)
    return xc / np.sqrt(sum(xc * xc) / len(x) + eps)


def _feature(rng):
    """One feature whose spread is near the root of eps, so that eps shows."""
    N = int(rng.integers(5, 9))
    x = rng.normal(size=N) * rng.uniform(0.5, 1.5) + rng.uniform(2, 6)
    return Case(x=x, gamma=float(rng.uniform(1.2, 3) * rng.choice([-1.0, 1.0])), eps=float(rng.uniform(0.05, 0.4)))


def _upstream(rng, x_hat):
    """A gradient with a mean and a trend along x_hat."""
    return rng.normal(size=x_hat.shape) + rng.uniform(0.5, 1.5) + rng.uniform(1.2, 1.8) * x_hat


def _apart(rng):
    given = _feature(rng)
    x_hat = _normalized(given.x, given.eps)
    return Case(dout=_upstream(rng, x_hat), x_hat=x_hat)


def _arriving(rng):
    given = _feature(rng)
    x_hat = _normalized(given.x, given.eps)
    dout = _upstream(rng, x_hat)
    inv_std = float((given.x.var() + given.eps) ** -0.5)
    return Case(dout=dout, dgamma=float(dout @ x_hat), dbeta=float(dout.sum()), inv_std=inv_std, **given)


def _weights(rng):
    D, H = rng.choice([3, 4, 5, 6], size=2, replace=False)
    W = rng.normal(size=(D, H)) + rng.uniform(0.3, 1, size=H)
    return Case(W=W, dW=rng.normal(size=(D, H)) + 0.5 * W, rate=float(rng.uniform(0.2, 0.7)))


def _parts(case):
    """The best approximation of dout by multiples of 1 and of x_hat, and the rest."""
    both = np.column_stack([np.ones(len(case.x_hat)), case.x_hat])
    found = np.linalg.lstsq(both, case.dout, rcond=None)[0]
    return case.dout - both @ found, found[1] * case.x_hat


def _two_eigenvalues(case):
    """What the measured Jacobian makes of x_hat; and its trace, which is the sum of all eigenvalues."""
    J = case.gamma * jacobian_complex(lambda x: _normalized(x, case.eps), case.x)
    x_hat = _normalized(case.x, case.eps)
    along = x_hat @ J @ x_hat / (x_hat @ x_hat)
    return (np.trace(J) - along) / (len(x_hat) - 2), along


def _squared(case):
    dx = case.gamma * vjp_complex(lambda x: _normalized(x, case.eps), case.x, case.dout)
    return sum(value**2 for value in dx)


def _stepped(case):
    W_new = np.array(
        [[w - case.rate * d for w, d in zip(*rows, strict=True)] for rows in zip(case.W, case.dW, strict=True)]
    )
    before, after = ([sum(w * w for w in column) for column in weights.T] for weights in (case.W, W_new))
    return W_new, np.subtract(after, before), np.array([case.rate / length for length in before])


# -- exercises

take_apart = Checks(
    geometry.take_apart,
    draw=_apart,
    truth=_parts,
    against="least squares with 1 and x_hat",
    known=Known(
        "dout: N, x_hat: N",
        """
        along = x_hat * sum(dout * x_hat) / sum(x_hat**2)   # eq. 7.5
        kept  = dout - mean(dout) - along                   # eq. 7.5
        """,
        """
        along = x_hat * mean(dout * x_hat) / mean(x_hat**2)  # eq. 7.5
        kept  = dout - mean(dout) - along                    # eq. 7.5
        """,
        rules="""
            squared-length-taken-for-N: A / sum(x_hat**2) => A / N | the squared length of x_hat is taken to be N: eps makes it shorter, see eq. 7.3
            length-not-squared: A / sum(x_hat**2) => A / sqrt(sum(x_hat**2)) | the length of x_hat stands where its square belongs: x_hat is there twice above the line
            not-divided: A / sum(x_hat**2) => A | the division by the squared length of x_hat is missing: x_hat is no unit vector
            length-not-squared: A / mean(x_hat**2) => A / sqrt(mean(x_hat**2)) | the standard deviation of x_hat stands where its variance belongs: x_hat is there twice above the line
            projected-on-dout: x_hat * A / sum(x_hat**2) => dout * A / sum(dout**2) | this is the part of x_hat that runs along dout, and asked is the part of dout that runs along x_hat
            mean-in-along: x_hat * A / sum(x_hat**2) => mean(dout) + x_hat * A / sum(x_hat**2) | the component along 1 is in it as well: along is a multiple of x_hat
            rest-for-along: x_hat * A / sum(x_hat**2) => dout - x_hat * A / sum(x_hat**2) | this is dout without its multiple of x_hat, and asked is that multiple
        """,
        terms={
            "kept": ("dout itself", "component along 1", "component along x_hat"),
            "along": ("component along x_hat",),
        },
    ),
    hints=(
        "Two directions, and they are at right angles to each other, for the sum of x_hat is zero: each component can be taken by itself.",
        "The component along a vector v is v times (the sum of dout * v) over (the sum of v * v). For v = 1 that is a mean you know.",
        "With dout = [3, 0, 0] and x_hat = [1, 0, -1]: along = [1.5, 0, -1.5], kept = [0.5, -1, 0.5].",
    ),
    idea="Subtract the mean of dout, and the multiple of x_hat that makes the rest perpendicular to it: divide by the squared length that x_hat really has.",
    properties=(
        Property(
            "kept is at right angles to x_hat",
            lambda case, out: negligible(case, out["kept"] @ case.x_hat, np.abs(case.dout) @ np.abs(case.x_hat)),
            "The sum of kept * x_hat is not zero.",
        ),
    ),
)

eigenvalues = Checks(
    geometry.eigenvalues,
    draw=_feature,
    truth=_two_eigenvalues,
    against="the numerical Jacobian of the layer",
    known=Known(
        "x: N, gamma, eps",
        """
        mu      = mean(x)                       # eq. 3.1
        var     = variance(x)                   # eq. 3.2
        inv_std = 1 / sqrt(var + eps)           # eq. 3.3a
        across  = gamma * inv_std               # eq. 7.7
        along   = gamma * eps * inv_std**3      # eq. 7.7
        """,
        """
        var     = variance(x)                   # eq. 3.2
        inv_std = 1 / sqrt(var + eps)           # eq. 3.3a
        across  = gamma * inv_std               # eq. 7.7
        along   = gamma * inv_std * eps / (var + eps)  # eq. 7.7
        """,
        rules="""
            what-is-taken-out: gamma * eps * inv_std**3 => gamma * inv_std * (1 - eps * inv_std**2) | this is the share that is taken out, and asked is what is left
            nothing-taken-out: gamma * eps * inv_std**3 => gamma * inv_std | this is the number of the directions at right angles to x_hat: along x_hat nearly all is taken out
            squared-length-sign: gamma * eps * inv_std**3 => gamma * inv_std * (1 + eps * inv_std**2) | what is taken away from 1 is the mean of the squares, 1 - eps * inv_std**2 (eq. 7.3)
            front-missing: gamma * eps * inv_std**3 => eps * inv_std**2 | the factor in front of the bracket of eq. 7.1, gamma * inv_std, is missing
            front-missing: gamma * inv_std => 1 | the factor in front of the bracket of eq. 7.1, gamma * inv_std, is missing
            diagonal-entry: gamma * inv_std => gamma * inv_std * (1 - 1 / N) | 1 - 1/N stands in the diagonal of the Jacobian: of a direction whose mean is zero the mean takes nothing
            gamma-without-sign: gamma * A => abs(gamma) * A | the sign of gamma got lost: a gradient that is multiplied by it turns around
            std-multiplied: 1 / sqrt(A) => sqrt(A) | this is the standard deviation (with eps), and r is one over it
            exponent: gamma * eps * inv_std**3 => gamma * eps * inv_std**2 | one power of inv_std is missing
            exponent: gamma * eps * inv_std**3 => gamma * eps * inv_std | two powers of inv_std are missing
            over-var: A / (var + eps) => A / var | eps is divided by the variance alone: r**2 has eps in it as well
        """,
        terms={"across": ("factor of all that is kept",), "along": ("factor of what runs along x_hat",)},
    ),
    hints=(
        "Put a dout into eq. 7.1 that has mean zero and is at right angles to x_hat. What is left of the bracket? Then put in dout = x_hat.",
        "For dout = x_hat the bracket is x_hat times (1 minus the mean of x_hat squared), and that mean stands in eq. 7.3.",
        "With var = 3, eps = 1 and gamma = 2: across = 2 / 2 = 1, along = 1 / 4.",
    ),
    idea="Let (7.1) act on a vector of either kind: it comes back multiplied by a number, and that number is the eigenvalue.",
    slips=(
        Slip(
            "taken-for-zero",
            "along is zero here, as if batch norm were a projection. It is one only for eps = 0: see eq. 7.4.",
            "along",
            lambda case: np.zeros(()),
        ),
    ),
)

squared_norm = Checks(
    geometry.squared_norm,
    draw=_arriving,
    truth=_squared,
    against="the squared entries of the numerical gradient",
    known=Known(
        "dout: N, dgamma, dbeta, gamma, inv_std, eps",
        "square = gamma**2 * inv_std**2 * (sum(dout**2) - dbeta**2 / N - (1 + eps * inv_std**2) * dgamma**2 / N)  # eq. 7.8",
        "square = (gamma * inv_std)**2 * (sum(dout**2) - N * (dbeta / N)**2 - (1 + eps * inv_std**2) * N * (dgamma / N)**2)  # eq. 7.8",
        rules="""
            eps-ignored: 1 + eps * A => 1 | eps does not take part: x_hat is shorter than the root of N
            taken-for-a-projection: 1 + eps * A => 1 / (1 - eps * A) | this is the length of what is at right angles to both directions, and eps leaves a trace along x_hat: see eq. 7.4
            eps-part-sign: 1 + eps * A => 1 - eps * A | the part with eps has the wrong sign: look at the square of the bracket in eq. 7.1 again, and at eq. 7.3
            product-not-doubled: 1 + eps * A => eps * A | in the square of a difference the product of both stands twice
            product-missing: 1 + eps * A => -(1 - eps * A) | in the square of a difference there is a product of both, twice, with a minus
            square-of-a-term-missing: 1 + eps * A => 2 | the last term of the bracket is squared too, and gives about one of the two back: by eq. 7.3
            square-of-the-mean-missing: S - dbeta**2 / N - C => S - 2 * dbeta**2 / N - C | the mean is squared too, N times, and gives one of the two back
            eps-part-doubled: 1 + eps * A => 1 + 2 * eps * A | the part with eps is twice as large as it should be: eq. 7.3 brings it in once
            product-of-both-parts: S - dbeta**2 / N - C => S - dbeta**2 / N - C - 2 * dbeta * dgamma / N | the mean and the last term of the bracket are at right angles: their product adds up to zero
            bessel: S - dbeta**2 / N - A * C**2 / N => S - dbeta**2 / (N - 1) - A * C**2 / (N - 1) | N - 1 stands where N belongs
            std-for-inv-std: gamma**2 * inv_std**2 * (S - B - (1 + eps * inv_std**2) * C / N) => gamma**2 / inv_std**2 * (S - B - (1 + eps / inv_std**2) * C / N) | inv_std is taken for the standard deviation: it is one over it
            exchanged: S - B**2 / N - A * C**2 / N => S - C**2 / N - A * B**2 / N | dgamma and dbeta are exchanged: which of them belongs to x_hat, whose length eps changes?
            gamma-missing: gamma**2 * A => A | gamma is missing: the factor in front of the bracket of eq. 7.1 is squared as a whole
            inv-std-missing: gamma**2 * inv_std**2 * A => gamma**2 * A | inv_std is missing: the factor in front of the bracket of eq. 7.1 is squared as a whole
            component-along-1-missing: S - dbeta**2 / N - C => S - C | what dout loses along 1 is not taken away
            component-along-x_hat-missing: S - B - C * dgamma**2 / N => S - B | what dout loses along x_hat is not taken away
            component-along-1-sign: S - dbeta**2 / N - C => S + dbeta**2 / N - C | what dout loses along 1 is added, and should be taken away
            component-along-x_hat-sign: S - B - C * dgamma**2 / N => S - B + C * dgamma**2 / N | what dout loses along x_hat is added, and should be taken away
            component-along-1-times-N: dbeta**2 / N => dbeta**2 | the part along 1 is N times too large: how long is a mean that stands N times?
            component-along-x_hat-times-N: A * dgamma**2 / N => A * dgamma**2 | the part along x_hat is N times too large: how often does the mean of dout * x_hat stand in it, and how long is x_hat?
            component-along-1-over-N: dbeta**2 / N => dbeta**2 / N**2 | the part along 1 is N times too small: it stands in all N entries
            component-along-x_hat-over-N: A * dgamma**2 / N => A * dgamma**2 / N**2 | the part along x_hat is N times too small: the square of x_hat adds up to about N
            dbeta-not-squared: dbeta**2 => dbeta | dbeta is not squared
            dgamma-not-squared: dgamma**2 => dgamma | dgamma is not squared
            r-not-squared: eps * inv_std**2 => eps * inv_std | one inv_std is missing beside eps: see eq. 7.3
            dout-not-squared: sum(dout**2) => sum(dout) | dout is added up and not squared
            summed-before-squared: sum(dout**2) => sum(dout)**2 | dout is added up before it is squared: square each entry first
            length-and-not-its-square: gamma**2 * inv_std**2 * A => sqrt(gamma**2 * inv_std**2 * A) | this is the length of dx, and asked is its square
            not-the-square: gamma**2 * inv_std**2 * A => gamma * inv_std * A | the factor in front is squared too, when dx is squared
        """,
        terms={"square": ("squared length of dx",)},
    ),
    hints=(
        "Square the bracket of eq. 7.1 and add up over the batch. Which of the products vanish, because a sum of x_hat or of dout minus its mean is in them?",
        "Three squares and one product are left: dout with itself, the mean with itself (times N), and two terms with dgamma. Use eq. 7.3 for the sum of x_hat squared.",
        "With dgamma = 0, gamma = 1 and inv_std = 1 it would be sum(dout**2) - dbeta**2 / N.",
    ),
    idea="Two components are taken out of dout at right angles, so their squares are subtracted; of the one along x_hat eps gives a little back, and what is given back is squared too.",
)

weight_step = Checks(
    geometry.weight_step,
    draw=_weights,
    truth=_stepped,
    against="the step, weight by weight",
    known=Known(
        "W: D H, dW: D H, rate",
        """
        W_new     = W - rate * dW                                       # eq. 7.11
        grown     = rate**2 * sum(dW**2) - 2 * rate * sum(W * dW)       # eq. 7.11
        effective = rate / sum(W**2)
        """,
        """
        W_new     = W - rate * dW                   # eq. 7.11
        grown     = sum(W_new**2) - sum(W**2)       # eq. 7.11
        effective = rate / sum(W**2)
        """,
        rules="""
            length-not-squared: rate / sum(W**2) => rate / sqrt(sum(W**2)) | the length stands where its square belongs: once the step is measured by it, and once dW shrinks with it
            after-the-step: rate / sum(W**2) => rate / sum(W_new**2) | the length is that of W_new: asked is the one before the step
            lengths-not-squared: sum(W_new**2) - sum(W**2) => sqrt(sum(W_new**2)) - sqrt(sum(W**2)) | these are lengths, and not squared lengths
            right-angle-assumed: rate**2 * A - B => rate**2 * A | W and dW are taken to be at right angles: this function is called with any dW
            mean-for-sum: sum(A) => mean(A) | a mean stands where a sum belongs: a squared length is the sum of the squares
            grown-reversed: A - sum(W**2) => sum(W**2) - A | the squared length before the step stands first: it says how much shorter the column is
            ratio-for-difference: sum(W_new**2) - sum(W**2) => sum(W_new**2) / sum(W**2) | this says how many times as large it is, and asked is by how much it has grown: a difference
            relative-growth: sum(W_new**2) - sum(W**2) => (sum(W_new**2) - sum(W**2)) / sum(W**2) | the growth is measured by the old squared length, and asked is the growth itself
            summed-before-squared: sum(W**2) => sum(W)**2 | W is added up before it is squared: square each entry first
            length-of-dW: rate / sum(W**2) => rate * sqrt(sum(dW**2)) / sum(W**2) | the length of dW is in it: the effective rate is what a dW of any length is multiplied by
        """,
        words={
            "sum-over-features": "The squares were added up along the rows. A column of W holds the weights of one output: add up over axis 0.",
            "sum-over-everything": "The squares of the whole array were added up. Each column has a length of its own: name the axis.",
        },
        terms={
            "grown": ("square of the step", "product of W and dW"),
            "W_new": ("W itself", "step"),
            "effective": ("effective rate | section 7",),
        },
    ),
    hints=(
        "A column of W is one output's weights: over which axis do you add up the squares, to get one number a column?",
        "The first is a line you know. The second is the difference of two sums of squares, the third a quotient.",
        "With one column W = [3, 4], dW = [4, -3] and rate = 0.1: W_new = [2.6, 4.3], grown = 0.25, effective = 0.004.",
    ),
    idea="Subtract, square and add up over axis 0, before and after; divide the rate by what it was before.",
)

# -- derivations

_DX = "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))"

sum_of_gradient = Chain(
    geometry.sum_of_gradient,
    (
        Move(
            "You know what d(L, x[i]) is: eq. 7.1.",
            "Put the right side of (7.1) into the sum over i. The sums inside keep their own letter k.",
            f"sum({_DX} for i in N)",
        ),
        Move(
            "The sum of three terms is three sums. What in each of them has no i?",
            "gamma * r and both means come out in front: a mean that is added N times is N times that mean.",
            "gamma * r * (sum(dout[i] for i in N) - N * mean(dout[k] for k in N) - sum(x_hat[i] for i in N) * mean(dout[k] * x_hat[k] for k in N))",
        ),
        Move(
            "Two of the terms are the same number, and one sum is zero by itself.",
            "N times a mean is a sum, so the first two cancel; and the x_hat add up to zero.",
            "0",
        ),
    ),
    idea="Put the gradient in, split the sum into three, and look at each.",
)

along_x_hat = Chain(
    geometry.along_x_hat,
    (
        Move(
            "You know what d(L, x[i]) is: eq. 7.1.",
            "Put the right side of (7.1) into the sum, and keep the factor x_hat[i] behind its bracket.",
            f"sum({_DX} * x_hat[i] for i in N)",
        ),
        Move(
            "Multiply x_hat[i] into the bracket: three sums. What in each of them has no i?",
            "gamma * r and both means come out in front. The third sum is then one over x_hat[i]**2.",
            "gamma * r * (sum(dout[i] * x_hat[i] for i in N) - mean(dout[k] for k in N) * sum(x_hat[i] for i in N) - sum(x_hat[i]**2 for i in N) * mean(dout[k] * x_hat[k] for k in N))",
        ),
        Move(
            "One of the sums is zero. Of the other two, one is N times a mean that stands in the other.",
            "Leave out the sum of x_hat, and put the sum over dout * x_hat in front; what it multiplies is 1 minus a mean.",
            "gamma * r * (1 - mean(x_hat[i]**2 for i in N)) * sum(dout[k] * x_hat[k] for k in N)",
        ),
        Move(
            "How large is the mean of x_hat squared? Not quite 1: eq. 7.3.",
            "Write 1 - eps * r**2 for it. What is left of the bracket?",
            "gamma * eps * r**3 * sum(dout[k] * x_hat[k] for k in N)",
        ),
    ),
    idea="Put the gradient in, split, and say how large the mean of x_hat squared really is.",
)

along_weights = Chain(
    geometry.along_weights,
    (
        Move(
            "W[m, j] reaches the loss through h[i, j], for each example i. What multiplies it there?",
            "Write the chain rule: d(L, W[m, j]) is the sum over i of x[i, m] * d(L, h[i, j]).",
            "sum(W[m, j] * sum(x[i, m] * d(L, h[i, j]) for i in N) for m in D)",
        ),
        Move(
            "Exchange the two sums. What does the sum over m add up?",
            "The sum of x[i, m] * W[m, j] over m is h[i, j]; one sum, over i, is left.",
            "sum(h[i, j] * d(L, h[i, j]) for i in N)",
        ),
        Move(
            "What do the gradients d(L, h[i, j]) add up to over the batch? That is eq. 7.2.",
            "Zero. So mu[j] may be subtracted from h[i, j], and h[i, j] - mu[j] is x_hat[i, j] / r[j].",
            "sum(x_hat[i, j] * d(L, h[i, j]) for i in N) / r[j]",
        ),
        Move(
            "A gradient times x_hat, added up over the batch: you know that sum from section 2.",
            "Put in the result of (7.4), with the index j, over r[j]: one r[j] of the three is divided away.",
            "gamma[j] * eps * r[j]**2 * sum(dout[k, j] * x_hat[k, j] for k in N)",
        ),
    ),
    idea="Trade the sum over the inputs for h, subtract the mean, which costs nothing, and use what you know of the gradient along x_hat.",
)

# -- questions

recall_terms = Answer(
    geometry.recall_terms,
    right="a",
    why={
        "a": "One term for the path through the mean, one for the path through the variance.",
        "b": "What comes back through the variance is measured in x_hat, centred and scaled, and not in the raw x.",
        "c": "These are sums over the batch, and each has a 1/N in front.",
        "d": "The mean of x_hat is zero. What is averaged is the gradient.",
    },
)
recall_parameters = Answer(
    geometry.recall_parameters,
    right="c",
    why={
        "a": "Those you are about to compute: they are (nearly) zero.",
        "b": "These do not contain a gradient. One is zero, the other nearly N.",
        "c": "beta is added to each output, gamma multiplies each x_hat: dbeta and dgamma. Both sums stand in dx too.",
        "d": "dbeta is the first. The gradient of gamma has what gamma multiplies in it.",
    },
)
recall_wrong = Answer(
    geometry.recall_wrong,
    right="d",
    why={
        "a": "Nothing divides by zero. The steps go in a wrong direction, not in an impossible one.",
        "b": "A direction that is wrong in part often still goes down.",
        "c": "It does matter. But a falling loss is no proof of a right gradient.",
        "d": "What the missing path should have taken out stays in the gradient, and pushes where the loss is flat. In this lesson "
        "you see which two directions these are.",
    },
)
stretched = Answer(
    geometry.stretched,
    right="b",
    why={
        "a": "That is a step along 1: every example by the same amount. x_hat has entries of both signs.",
        "b": "Every example moves away from the mean, or towards it, in proportion to its distance. The layer divides by the new "
        "spread, and all is as before. The loss cannot fall in that direction, so a gradient does not point there.",
        "c": "A small step in proportion to the distance from the mean leaves them in order.",
        "d": "gamma has a gradient of its own. It can stretch the outputs; that is why nothing is lost when x cannot.",
    },
)
two_examples = Answer(
    geometry.two_examples,
    right="c",
    why={
        "a": "That difference is what is left when the mean is gone. But it points along x_hat, and that is taken out too.",
        "b": "Of two numbers without their mean, u and -u, the first is minus the second. So is x_hat.",
        "c": "Two directions are taken out, and there are only two. x_hat is (1, -1) or (-1, 1) whatever x is, so nothing can be "
        "learned but which of the two is larger. What is left is the trace that eps leaves.",
        "d": "They disturb each other as much as can be: each alone decides about half of the mean.",
    },
)
scaled_weights = Answer(
    geometry.scaled_weights,
    right="a",
    why={
        "a": "The same outputs, but each weight must now move ten times as far to make the same difference: the slope is a tenth. "
        "Ioffe and Szegedy note this in section 3.3 of their paper.",
        "b": "The outputs are the same. A change of W by the same amount is now a smaller change in proportion: does the loss feel it more, or less?",
        "c": "The outputs are, yes. But the slope says what a change of W by a given amount does, and W is longer now.",
        "d": "One factor of ten is right. The second comes only when the step is compared with the length of W.",
    },
)
weight_decay = Answer(
    geometry.weight_decay,
    right="d",
    why={
        "a": "The outputs do not see it (up to eps). But the size of the next step does.",
        "b": "A column half as long computes the same function: none is ruled out.",
        "c": "The other way round: dW goes with one over the length, so shorter weights have a larger gradient.",
        "d": "What grows by rate**2 * |dW|**2 shrinks by about 2 * rate * decay * |W|**2: where the two balance, the length stays, "
        "and so does the effective rate. Decay acts here as a choice of learning rate.",
    },
)
