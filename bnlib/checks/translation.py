"""Lesson 02: what is checked about centring and its gradient.

Centring is written here the long way round, one feature and one example at a time, so that a complex step can
differentiate it; everything else about the right answers follows from that.
"""

from __future__ import annotations

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Knob, Property, Slip, Step, Steps, Term, negligible, variants
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


def _eye(case):
    return np.eye(case.N)


def _along_features(array):
    return np.mean(array, axis=1, keepdims=True)


def _paths(case, mean=lambda dout: dout.mean(axis=0)):
    """The two paths of a gradient through the centring; ``mean`` may be a wrong one."""
    return case.dout, mean(case.dout)


center = Checks(
    translation.center,
    draw=_batch,
    truth=lambda case: _centred(case.h),
    against="eq. 2.1, summed by hand",
    steps=Steps((Step("h_hat", "eq. 2.1", lambda q: q.h - q.mean(q.h)),)),
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
    slips=(
        Slip(
            "mean-over-features",
            "The mean was taken over the features of each example. Eq. 2.1 averages over the batch: one mean a feature.",
            "h_hat",
            lambda case: case.h - _along_features(case.h),
        ),
        Slip(
            "mean-over-everything",
            "One mean was taken over the whole array. Eq. 2.1 has one mean a feature: name the axis.",
            "h_hat",
            lambda case: case.h - case.h.mean(),
        ),
        Slip(
            "sum-for-mean",
            "The sum over the batch was subtracted where the mean belongs: see the 1/N in eq. 2.1.",
            "h_hat",
            lambda case: case.h - case.h.sum(axis=0),
        ),
        Slip(
            "also-scaled",
            "h_hat is divided by the standard deviation as well. In this lesson the batch is only moved, not scaled.",
            "h_hat",
            lambda case: (case.h - case.h.mean(axis=0)) / case.h.std(axis=0),
        ),
        Slip("nothing-subtracted", "h came back as it was: nothing was subtracted.", "h_hat", lambda case: case.h),
        Slip(
            "mean-itself",
            "These are the means themselves, one for each entry. Eq. 2.1 subtracts them from h.",
            "h_hat",
            lambda case: np.broadcast_to(case.h.mean(axis=0), case.h.shape),
        ),
        Slip(
            "subtraction-reversed",
            "The subtraction is the wrong way round: every entry has the wrong sign.",
            "h_hat",
            lambda case: case.h.mean(axis=0) - case.h,
        ),
    ),
)

center_jacobian = Checks(
    translation.center_jacobian,
    draw=_sizes,
    truth=lambda case: jacobian_complex(lambda x: _centred(x[:, None])[:, 0], np.arange(case.N) + 2.0),
    against="the numerical Jacobian of eq. 2.1",
    hints=(
        "Eq. 2.4 has two terms. Which of them depends on whether k and i are equal?",
        "delta_ki as a matrix is np.eye(N). The other term is the same number in every entry.",
        "For N = 2 the matrix is [[1/2, -1/2], [-1/2, 1/2]]: check your two terms against it.",
    ),
    idea="Write the two terms of eq. 2.4 as two (N, N) arrays and subtract; broadcasting makes the second one from a number.",
    terms={
        "J": (
            Term("delta term", "the first term of eq. 2.4", lambda case: _eye(case)),
            Term("term of the mean", "the second term of eq. 2.4", lambda case: np.ones((case.N, case.N))),
        )
    },
    slips=(
        Slip(
            "only-the-diagonal",
            "Only the diagonal is there. Every output contains mu, and mu contains every input: which entries does that fill?",
            "J",
            lambda case: np.eye(case.N) * (1 - 1 / case.N),
        ),
        Slip(
            "diagonal-not-reduced",
            "Off the diagonal all is right. On it, k = i: then both terms of eq. 2.4 are there, not the first alone.",
            "J",
            lambda case: np.eye(case.N) - (1 - np.eye(case.N)) / case.N,
        ),
    ),
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
    hints=(
        "Eq. 2.6 is a product: one factor knows only the features l and j, the other only the examples k and i.",
        "You have the second factor already: center_jacobian(N). The first is np.eye(D). Put them together in the order k, l, i, j.",
        'np.einsum("ki,lj->klij", A, B) multiplies A[k, i] by B[l, j] into one array of four indices.',
    ),
    idea="An outer product of two small matrices, one for the examples and one for the features, with the indices in the order k, l, i, j.",
    slips=(
        Slip(
            "features-coupled",
            "The outputs of one feature depend on the inputs of another. In eq. 2.6 delta_lj forbids that.",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N) - 1 / case.N, np.ones((case.D, case.D))),
        ),
        Slip(
            "delta-on-first-term-only",
            "delta_lj stands on one term only. mu_l is a mean over feature l, so it depends on inputs of feature l alone.",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N), np.eye(case.D)) - 1 / case.N,
        ),
        Slip(
            "only-the-diagonal",
            "The term of the mean is there only for k = i. mu_l contains every example: which entries does that fill?",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N) * (1 - 1 / case.N), np.eye(case.D)),
        ),
        Slip(
            "mean-missing",
            "This is the Jacobian of doing nothing: the term that comes from mu_l is missing.",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N), np.eye(case.D)),
        ),
        Slip(
            "sum-for-mean",
            "The term of the mean lacks its 1/N.",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N) - 1, np.eye(case.D)),
        ),
        Slip(
            "one-over-D",
            "The term of the mean has 1/D where 1/N belongs: the mean runs over the N examples.",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N) - 1 / case.D, np.eye(case.D)),
        ),
        Slip(
            "sign-of-the-mean",
            "The term of the mean has the wrong sign.",
            "J",
            lambda case: np.einsum("ki,lj->klij", np.eye(case.N) + 1 / case.N, np.eye(case.D)),
        ),
    ),
)

center_backward = Checks(
    translation.center_backward,
    draw=_gradient,
    truth=lambda case: vjp_complex(_centred, np.ones_like(case.dout), case.dout),
    against="the numerical derivative of eq. 2.1",
    hints=(
        "Start from eq. 2.8. What does the delta leave of the first sum, and what is the second sum divided by N called?",
        "The first term is dout itself. The second is one number a feature: a mean over the batch, the same for each example.",
        "For one feature alone it would read dout[:, j] - dout[:, j].sum() / N.",
    ),
    idea="A gradient that enters the centring leaves it centred: the same two steps as the forward pass, on dout.",
    terms={
        "dh": (
            Term("direct path", "the first term of eq. 2.9", lambda case: case.dout),
            Term("path through the mean", "the second term of eq. 2.9", lambda case: case.dout.mean(axis=0)),
        )
    },
    slips=variants(
        "dh",
        lambda case, **turn: np.subtract(*_paths(case, **turn)),
        (
            Knob(
                "only-the-diagonal",
                "Only the diagonal of the Jacobian was used: eq. 2.7 has a sum over all k, because every output contains the mean.",
                {"mean": lambda dout: dout / len(dout)},
            ),
            Knob(
                "mean-over-features",
                "The mean of dout was taken over the features of each example. In eq. 2.8 the sum runs over the batch.",
                {"mean": _along_features},
            ),
            Knob(
                "mean-over-everything",
                "One mean of dout was taken over the whole array. In eq. 2.8 the sum runs over the examples of one feature.",
                {"mean": np.mean},
            ),
        ),
        _paths,
    ),
    properties=(
        Property(
            "each feature of dh sums to zero over the batch",
            lambda case, out: negligible(case, out["dh"].sum(axis=0), np.abs(case.dout).sum()),
            "Some feature of dh does not sum to zero over the batch.",
        ),
    ),
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
