"""Lesson 02: what is checked about centring and its gradient.

Centring is written here the long way round, one feature and one example at a time, so that a complex step can
differentiate it; everything else about the right answers follows from that.
"""

from __future__ import annotations

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Property, negligible
from bnlib.judging.mistakes.known import Known
from bnlib.numerics import jacobian_complex, vjp_complex
from bnlib.stubs import translation


def _centred(h):
    """The definition of centring: for each feature, what remains after subtracting the batch's mean."""
    out = np.empty_like(h)
    for feature in range(h.shape[1]):
        total = sum(h[example, feature] for example in range(h.shape[0]))
        for example in range(h.shape[0]):
            out[example, feature] = h[example, feature] - total / h.shape[0]
    return out


def _batch(rng):
    N, D = int(rng.integers(4, 9)), int(rng.integers(2, 5))
    return Case(h=rng.normal(size=(N, D)) * rng.uniform(0.5, 3, size=D) + rng.uniform(2, 6, size=D))


def _sizes(rng):
    return Case(N=int(rng.integers(3, 8)))


def _two_sizes(rng):
    N, D = rng.choice([2, 3, 4, 5], size=2, replace=False)
    return Case(N=int(N), D=int(D))


def _gradient(rng):
    return Case(dout=rng.normal(size=(int(rng.integers(4, 9)), int(rng.integers(2, 5)))) + rng.uniform(0.5, 1.5))


_TERMS = ("delta term", "term of the mean")

center = Checks(
    translation.center,
    draw=_batch,
    truth=lambda case: _centred(case.h),
    against="eq. 2.1, summed by hand",
    known=Known(
        "h: N D",
        """
        mu    = mean(h)   # eq. 2.2
        h_hat = h - mu    # eq. 2.1
        """,
        "h_hat = h - mean(h)  # eq. 2.1",
        rules="""
            also-scaled: A - B => (A - B) / sqrt(variance(h)) | the result is divided by the standard deviation as well: in this lesson the batch is only moved, not scaled
            nothing-subtracted: A - B => A | nothing is subtracted: h came back as it was
            subtraction-reversed: A - B => B - A | the subtraction is the wrong way round: every entry has the wrong sign
            mean-itself: A - B => B | the means themselves are returned, one for each entry: they should be subtracted from h
        """,
        words={
            "mean-over-features@mu": "The mean was taken over the features of each example. Eq. 2.2 averages over the batch: one mean a feature.",
            "mean-over-everything@mu": "One mean was taken over the whole array. Eq. 2.2 has one mean a feature: name the axis.",
            "sum-for-mean@mu": "The sum over the batch was subtracted where the mean belongs: see the 1/N in eq. 2.2.",
        },
        terms={"h_hat": ("centred batch",)},
    ),
    hints=(
        "Eq. 2.1 has one mean a feature. In which direction of h do the examples lie?",
        "mu has shape (D,): a mean with axis= picks the direction that disappears. Broadcasting then subtracts mu from every row.",
        "For one feature alone it would read h[:, l] - h[:, l].sum() / N.",
    ),
    idea="Average away the direction of the batch, and let broadcasting subtract the (D,) result from each of the N rows.",
    properties=(
        Property(
            "every feature of h_hat has mean zero",
            lambda case, out: negligible(case, out["h_hat"].mean(axis=0), np.abs(case.h).max()),
            "Some feature of h_hat does not have mean zero.",
        ),
    ),
)

center_jacobian = Checks(
    translation.center_jacobian,
    draw=_sizes,
    truth=lambda case: jacobian_complex(lambda x: _centred(x[:, None])[:, 0], np.arange(case.N) + 2.0),
    against="the numerical Jacobian of eq. 2.1",
    known=Known(
        "_h: N",
        "J[k, i] = delta[k, i] - 1/N  # eq. 2.4",
        rules="""
            term-of-the-mean-sign: A - 1/N => A * (1 - 1/N) + (1 - A) / N | all is right on the diagonal, and off it the term of the mean has the wrong sign
            diagonal-not-reduced: A - 1/N => A - (1 - A) / N | all is right off the diagonal, and on it, where k = i, the second term is missing: both terms are there
        """,
        words={
            "only-the-diagonal": "Only the diagonal is there. Every output contains mu, and mu contains every input: which entries does that fill?"
        },
        terms={"J": _TERMS},
    ),
    hints=(
        "Eq. 2.4 has two terms. Which of them depends on whether k and i are equal?",
        "delta_ki as a matrix is np.eye(N). The other term is the same number in every entry.",
        "For N = 2 the matrix is [[1/2, -1/2], [-1/2, 1/2]]: check your two terms against it.",
    ),
    idea="Write the two terms of eq. 2.4 as two (N, N) arrays and subtract; broadcasting makes the second one from a number.",
    properties=(
        Property(
            "each row of J sums to zero",
            lambda case, out: negligible(case, out["J"].sum(axis=1), 1.0),
            "A row of J does not sum to zero, though moving all inputs together changes no output.",
        ),
    ),
)

center_jacobian_full = Checks(
    translation.center_jacobian_full,
    draw=_two_sizes,
    truth=lambda case: jacobian_complex(_centred, np.arange(case.N * case.D).reshape(case.N, case.D) + 2.0),
    against="the numerical Jacobian of eq. 2.1",
    known=Known(
        "_h: N D",
        "J[k: N, l: D, i: N, j: D] = delta[l, j] * (delta[k, i] - 1/N)  # eq. 2.6",
        rules="""
            features-coupled: delta[l, j] * A => A | the outputs of one feature depend on the inputs of another: delta[l, j] forbids that
            delta-on-first-term-only: A * (B - C) => A * B - C | delta[l, j] stands on one term only: mu_l is a mean over feature l, so it depends on inputs of feature l alone
            only-the-diagonal: 1/N => delta[k, i] / N | the term of the mean is there only for k = i: mu_l contains every example, so which entries does it fill?
        """,
        terms={"J": _TERMS},
    ),
    hints=(
        "Eq. 2.6 is a product: one factor knows only the features l and j, the other only the examples k and i.",
        "You have the second factor already: center_jacobian(N). The first is np.eye(D). Put them together in the order k, l, i, j.",
        'np.einsum("ki,lj->klij", A, B) multiplies A[k, i] by B[l, j] into one array of four indices.',
    ),
    idea="An outer product of two small matrices, one for the examples and one for the features, with the indices in the order k, l, i, j.",
)

center_backward = Checks(
    translation.center_backward,
    draw=_gradient,
    truth=lambda case: vjp_complex(_centred, np.ones_like(case.dout), case.dout),
    against="the numerical derivative of eq. 2.1",
    known=Known(
        "dout: N D",
        "dh = dout - mean(dout)  # eq. 2.9",
        """
        _dmu = -sum(dout)
        dh   = dout + _dmu / N  # eq. 2.9
        """,
        rules="only-the-diagonal: sum(A) => A | only the term k = i of a sum is there",
        words={
            "only-the-diagonal": "Only the diagonal of the Jacobian was used: eq. 2.7 has a sum over all k, because every output contains the mean.",
            "mean-over-features": "The mean of dout was taken over the features of each example. In eq. 2.8 the sum runs over the batch.",
            "mean-over-everything": "One mean of dout was taken over the whole array. In eq. 2.8 the sum runs over the examples of one feature.",
        },
        terms={"dh": ("direct path | the first term of eq. 2.9", "path through the mean | the second term of eq. 2.9")},
    ),
    hints=(
        "Start from eq. 2.8. What does the delta leave of the first sum, and what is the second sum divided by N called?",
        "The first term is dout itself. The second is one number a feature: a mean over the batch, the same for each example.",
        "For one feature alone it would read dout[:, j] - dout[:, j].sum() / N.",
    ),
    idea="A gradient that enters the centring leaves it centred: the same two steps as the forward pass, on dout.",
    properties=(
        Property(
            "each feature of dh sums to zero over the batch",
            lambda case, out: negligible(case, out["dh"].sum(axis=0), np.abs(case.dout).sum()),
            "Some feature of dh does not sum to zero over the batch.",
        ),
    ),
)

recall_paths = Answer(
    translation.recall_paths,
    right="d",
    why={
        "a": "That is one path, the one through the output of the same number. There is one through every output.",
        "b": "All paths are open at once: what comes by one does not wait for another. They add up.",
        "c": "That sends the motion of one output through the slope of another. Multiply along each path first, then add.",
        "d": "Along a path slopes multiply, and where paths meet they add: eq. 1.3.",
    },
)

recall_alone = Answer(
    translation.recall_alone,
    right="c",
    why={
        "a": "Then every input would move every output. Here an input moves the output of its own example only.",
        "b": "The loss is not part of it: rows are outputs of the function, columns its inputs.",
        "c": "Output k contains input k and no other, so J[k, i] is zero wherever k and i differ.",
        "d": "The other way round: what an example does to its own output is what is left.",
    },
)

recall_nudge = Answer(
    translation.recall_nudge,
    right="b",
    why={
        "a": "A row belongs to one output and to all inputs. You moved one input and looked at all outputs.",
        "b": "The input stays the same, i = 2, and k runs: that is a column. N nudges give the whole matrix.",
        "c": "That is what output 2 does. You looked at the others too.",
        "d": "Only with a nudge of every input in turn, one column each.",
    },
)

applied_twice = Answer(
    translation.applied_twice,
    right="a",
    why={
        "a": "A centred batch has mean zero, so centring it again changes nothing: J is a projection, and J @ J = J.",
        "b": "The identity would mean that centring changes nothing the first time. It changes nothing the second time.",
        "c": "Zeros would mean that everything is lost. The differences between the examples survive, also the second time.",
        "d": "The second time the mean is already zero, so nothing more is subtracted.",
    },
)

gradient_sum = Answer(
    translation.gradient_sum,
    right="b",
    why={
        "a": "Moving all examples of a feature by the same amount changes no output, so the loss cannot change either: "
        "the sum of dh over the batch is exactly that change.",
        "b": "The sum of dh over the batch says how the loss changes when all examples move together. Centring undoes such "
        "a move, so it is zero.",
        "c": "That is what is subtracted from each of the N entries; subtracted N times, it removes the whole sum.",
        "d": "Centring is linear: its Jacobian, and so dh, does not depend on h at all.",
    },
)

bias_before = Answer(
    translation.bias_before,
    right="c",
    why={
        "a": "That is right for a bias with nothing behind it. Here the centring comes next: follow b into the mean.",
        "b": "Follow b one step further: it moves every example of its feature by the same amount. What does centring do then?",
        "c": "b moves all examples of a feature together, and centring takes exactly that away. Its gradient is the sum of dh "
        "over the batch: zero. This is why layers before a normalization are built without a bias.",
        "d": "The mean's path and the direct path both lead to b, and they cancel exactly.",
    },
)

center_slopes = Chain(
    translation.center_slopes,
    (
        Move(
            "What is h_hat[k, l] made of? Write that in its place.",
            "A difference is differentiated term by term: h[k, l], and mu[l].",
            "d(h[k, l], h[i, j]) - d(mu[l], h[i, j])",
        ),
        Move(
            "When does h[k, l] change with h[i, j]? Only when it is that very number. And mu[l] is a mean of such numbers.",
            "The derivative of h[k, l] is a delta for the examples times one for the features; the mean gets the same inside.",
            "delta[k, i] * delta[l, j] - mean(delta[m, i] * delta[l, j] for m in N)",
        ),
        Move(
            "The delta[m, i] in the mean eats the sum over m.",
            "One term of the sum is left, the one with m = i; the 1/N of the mean stays. Then take delta[l, j] out in front.",
            "delta[l, j] * (delta[k, i] - 1/N)",
        ),
    ),
    idea="An input stands in its own place and in the mean of its feature; differentiate both, and put the common delta in front.",
)

center_gradient = Chain(
    translation.center_gradient,
    (
        Move(
            "h[i, j] reaches L through every h_hat[k, l]: there are two indices to sum over.",
            "Write the chain rule: a sum over k in N and l in D of dout[k, l] times a derivative of h_hat[k, l].",
            "sum(dout[k, l] * d(h_hat[k, l], h[i, j]) for k in N for l in D)",
        ),
        Move(
            "You derived the slope of h_hat[k, l] before (eq. 2.6).",
            "Put in delta[l, j] * (delta[k, i] - 1/N).",
            "sum(dout[k, l] * delta[l, j] * (delta[k, i] - 1/N) for k in N for l in D)",
        ),
        Move(
            "Which sum does delta[l, j] eat?",
            "Of the sum over l the term l = j is left: drop that sum, and write j for every l.",
            "sum(dout[k, j] * (delta[k, i] - 1/N) for k in N)",
        ),
        Move(
            "Multiply the bracket out: two sums. One of them has a delta.",
            "delta[k, i] picks k = i from the first sum; the second is 1/N times a sum, a mean.",
            "dout[i, j] - mean(dout[k, j] for k in N)",
        ),
    ),
    idea="Add up all the ways from h[i, j] to L, put in the slopes, and let each delta eat a sum.",
)
