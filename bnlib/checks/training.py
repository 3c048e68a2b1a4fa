"""Lesson 06: what is checked about the loss, the training step, the gradient check and the runaway bias.

Networks are given as text (:class:`~bnlib.checks.Source`), so that the grader can hand them to a learner's process; what they compute is
no exercise of the course. The truth is loops and complex steps.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Source, remembered
from bnlib.judging.mistakes.known import Known
from bnlib.judging.mistakes.twists import Twist
from bnlib.numerics import vjp_complex
from bnlib.stubs import training

# -- definitions


def _loss(scores, labels):
    """Eqs. 6.1 and 6.2, with the logarithm of a quotient as a difference."""
    shifted = scores - scores.real.max(axis=1, keepdims=True)
    of_the_right = shifted[np.arange(len(labels)), labels]
    return (np.log(np.exp(shifted).sum(axis=1)) - of_the_right).sum() / len(labels)


def _truths(scores, labels):
    return _loss(scores, labels), _slope(lambda q: _loss(q, labels), np.asarray(scores, dtype=np.float64))


def _loss_of(theta, case):
    return _loss(case.forward(theta, case.x)[0], case.labels)


def _slope(f, at):
    """The gradient of a number, by a complex step."""
    return vjp_complex(lambda value: np.atleast_1d(f(value)), at, np.ones(1))


@remembered
def _gradient(case, given=""):
    """What the network's own ``backward`` says, given the right dscores or something in their place."""
    scores, cache = case.forward(case.theta, case.x)
    if given:
        return case.backward(scores if given == "scores" else np.ones_like(scores), cache)
    return case.backward(_slope(lambda q: _loss(q, case.labels), scores), cache)


def _all_scores(theta, case):
    return case.forward(theta, case.x)[0].sum()


def _nudged(case, directions, moved=0.0, of=_loss_of):
    """The loss, or another number, a nudge up and a nudge down each of some directions; from theta, or from where it was moved to."""
    starts = case.theta + case.eta * moved * np.ones_like(directions)
    return [
        np.array([of(start + sign * case.eta * way, case) for start, way in zip(starts, directions, strict=True)])
        for sign in (1, -1)
    ]


@remembered
def _checked(case):
    above, below = _nudged(case, np.eye(len(case.theta)))
    numerical = (above - below) / (2 * case.eta)
    return numerical, _apart(case, numerical)


def _apart(case, numerical):
    """Eq. 6.6, for whatever was measured."""
    dtheta = _gradient(case)
    return np.linalg.norm(dtheta - numerical) / (np.linalg.norm(dtheta) + np.linalg.norm(numerical))


def _of_what_was_measured(case, result):
    """The error is judged by the measured gradient that came back, unless it is that of the right one, or another came back."""
    if np.isclose(result["error"], _checked(case)[1], rtol=1e-9) or np.allclose(result["numerical"], _gradient(case)):
        return case, {}
    numerical = result["numerical"]
    return Case(case, numerical=numerical), {"error": np.asarray(_apart(case, numerical))}


def _ran_away(case):
    N, D = case.h.shape
    loss, b = 0.0, np.array(case.b, dtype=np.float64)
    for l in range(D):
        shifted = [case.h[k, l] + case.b[l] for k in range(N)]
        for k in range(N):
            miss = shifted[k] - sum(shifted) / N - case.targets[k, l]
            loss += miss**2 / (2 * N)
            b[l] -= case.rate * miss / N
    return loss, b


# -- inputs


def _draw_scores(rng):
    """As often as not some rows are so large that their exponentials are infinite, beside rows that are not."""
    N, C = (int(size) for size in rng.choice([3, 4, 5, 6, 7], size=2, replace=False))
    far = 1000.0 * int(rng.integers(2)) * rng.integers(2, size=(N, 1))
    return Case(scores=far + 1.5 * rng.normal(size=(N, C)), labels=rng.integers(C, size=N))


def network(rng, D, C, wrong=False):
    """A network of one layer of waves, as text, its parameters, and its gradient, which may be wrong."""
    fixed = rng.normal(size=C).round(3).tolist()
    forward = Source(
        "def forward(theta, x):\n    waves = x[:, :, None] * theta.reshape(x.shape[1], -1)\n"
        f"    return np.sin(waves).sum(axis=1) + np.array({fixed}), (x, waves)\n"
    )
    spoilt = rng.uniform(0.5, 1.5, size=D * C).round(3).tolist() if wrong else [1.0] * (D * C)
    backward = Source(
        "def backward(dscores, cache):\n    x, waves = cache\n"
        f"    return np.einsum('kc,kdc->dc', dscores, np.cos(waves) * x[:, :, None]).ravel() * np.array({spoilt})\n"
    )
    return {"forward": forward, "backward": backward, "theta": rng.normal(size=D * C)}


def _draw_network(rng, wrong=False):
    N, D, C = int(rng.integers(4, 8)), int(rng.integers(2, 4)), int(rng.integers(3, 5))
    x, labels = rng.normal(size=(N, D)) + 0.5, rng.integers(C, size=N)
    return Case(**network(rng, D, C, wrong), x=x, labels=labels)


def _draw_bias(rng):
    N, D = (int(size) for size in rng.choice([3, 4, 5, 6, 7], size=2, replace=False))
    return Case(
        h=rng.normal(size=(N, D)) + 2.0,
        b=rng.normal(size=D) + 3.0,
        targets=rng.normal(size=(N, D)) + rng.uniform(0.5, 1.5, size=D),
        rate=float(rng.uniform(0.2, 0.8)),
    )


# -- what the lines are given


def _one_hot(case):
    scores, labels = np.asarray(case.scores, dtype=np.float64), np.asarray(case.labels)
    classes = np.eye(scores.shape[1])
    return {
        "q": scores - scores.max(axis=1, keepdims=True),
        "p_star": classes[labels],
        "_scores": scores,
        "_classes": float(scores.shape[1]),
        "_down": scores - scores.max(axis=0),
        "_anybody": np.tile(np.isin(np.arange(len(classes)), labels) * 1.0, (len(scores), 1)),
    }


def _stepped(case):
    return Case(case, theta=case.theta - case.rate * _gradient(case))


def _where_it_stepped(case, result):
    """A loss that was taken after the step is that of the parameters that came back."""
    return Case(case, stepped=result["theta"]), {"loss": np.asarray(_loss_of(case.theta, case))}


def _step_parts(case):
    dtheta = case.get("dtheta", _gradient(case))
    return {
        "theta": case.theta,
        "dtheta": dtheta,
        "_loss_given": _loss_of(case.theta, case),
        "_loss_later": _loss_of(case.get("stepped", _stepped(case).theta), case),
        "_loss_next": _loss_of(_stepped(case).theta, case),
        "rate": case.rate,
        "_examples": len(case.labels),
    }


def _check_parts(case):
    dtheta = case["dtheta"] if "dtheta" in case else _gradient(case)
    nudged = case.get("nudged", {})
    if "numerical" in case:  # it is no longer asked about
        measured = case.numerical
        above, below = 2 * case.eta * measured, 0 * measured
    else:
        measured = _checked(case)[0]
        above, below = _nudged(case, **{"directions": np.eye(len(dtheta)), **nudged})
    entries = np.abs(dtheta - measured)
    return {
        "_above": above,
        "_below": below,
        "_here": nudged.get("of", _loss_of)(case.theta, case),
        "dtheta": dtheta,
        "numerical": measured,
        "eta": case.eta,
        "_examples": float(len(case.labels)),
        "_reached": (np.arange(len(dtheta)) < len(case.x)) * 1.0,
        "_largest": entries.max() / (np.abs(dtheta).max() + np.abs(measured).max()),
        "_by_entries": (entries / np.maximum(np.abs(dtheta) + np.abs(measured), 1e-300)).max(),
    }


# -- exercises

softmax_gradient = Chain(
    training.softmax_gradient,
    (
        Move(
            "q[i, j] reaches the loss through every probability of its row. What is the derivative of a logarithm?",
            "Write the chain rule: minus the mean over k, and the sum over l, of p_star[k, l] / p[k, l] times a derivative of p[k, l].",
            "-mean(sum(p_star[k, l] / p[k, l] * d(p[k, l], q[i, j]) for l in C) for k in N)",
        ),
        Move(
            "Derive eq. 6.1. The score stands above the line, where k = i and l = j, and below it, in the whole row of i.",
            "The derivative of p[k, l] by q[i, j] is delta[k, i] * p[k, l] * (delta[l, j] - p[k, j]).",
            "-mean(sum(p_star[k, l] * delta[k, i] * (delta[l, j] - p[k, j]) for l in C) for k in N)",
        ),
        Move(
            "One delta eats the sum over k, and leaves the 1/N of the mean behind. Another eats a sum over l.",
            "Split the bracket into two sums over l.",
            "-(p_star[i, j] - p[i, j] * sum(p_star[i, l] for l in C)) / N",
        ),
        Move(
            "What do the probabilities of a row of p_star add up to?",
            "The sum that is left is 1.",
            "(p[i, j] - p_star[i, j]) / N",
        ),
    ),
    idea="The logarithm undoes the exponential: what is left of the derivative is the difference between what was said and what is true.",
)


def _but(**made):
    """Makes a case in which something else stands, a value or what a function makes of the case."""
    return lambda case: Case(case, **{name: make(case) if callable(make) else make for name, make in made.items()})


_MISGIVEN = (
    Twist(
        "ones-for-dscores",
        "Backward was given ones: it wants the gradient of the loss by the scores.",
        _but(dtheta=partial(_gradient, given="ones")),
    ),
    Twist(
        "scores-for-dscores",
        "Backward was given the scores: it wants the gradient of the loss by them.",
        _but(dtheta=partial(_gradient, given="scores")),
    ),
)

softmax_loss = Checks(
    training.softmax_loss,
    draw=_draw_scores,
    truth=lambda case: _truths(case.scores, case.labels),
    against="eqs. 6.1 and 6.2, and their complex-step derivative",
    known=Known(
        "q: N K, p_star: N K, _scores: N K, _classes, _down: N K, _anybody: N K",
        """
        _e      = exp(q)
        p       = _e / sum(_e, K)                    # eq. 6.1
        loss    = -mean(sum(p_star * log(p), K))     # eq. 6.2
        dscores = (p - p_star) / N                   # eq. 6.3
        """,
        """
        _log_p  = q - log(sum(exp(q), K))            # eq. 6.1
        loss    = -sum(sum(p_star * _log_p, K)) / N  # eq. 6.2
        dscores = exp(_log_p) / N - p_star / N       # eq. 6.3
        """,
        rules="""
            labels-not-divided: p - p_star => p - N * p_star | the 1 of the label is not divided by N: eq. 6.3 divides the whole difference
            sum-for-mean: A / N => A | the gradients of the examples are not divided by N: the loss of eq. 6.2 is a mean over the batch
            divided-by-classes: A / N => A / _classes | there is a division by the number of classes: the mean of eq. 6.2 is over the examples
            divided-by-classes: mean(A) => N * mean(A) / _classes | there is a division by the number of classes: the mean of eq. 6.2 is over the examples
            divided-by-classes-too: A / N => A / (N * _classes) | there is a division by the number of classes as well: the mean of eq. 6.2 is over the examples alone
            divided-by-classes-too: mean(A) => mean(A) / _classes | there is a division by the number of classes as well: the mean of eq. 6.2 is over the examples alone
            divided-by-N-twice: A / N => A / N**2 | there is one division by N too many
            log-missing: log(A) => A | the logarithm is missing: eq. 6.2
            log-of-another-base: log(A) => log(A) / log(2) | the logarithm has the base 2: eq. 6.2 has the natural one, np.log
            log-of-another-base: log(A) => log(A) / log(10) | the logarithm has the base 10: eq. 6.2 has the natural one, np.log
            not-normalized: _e / sum(_e, K) => _e | these are the exponentials: eq. 6.1 divides them by the sum of their row
            gradient-by-the-probabilities: p - p_star => -p_star / p | this is the gradient by the probabilities: one step of the chain rule is missing, from p to the scores
            scores-for-probabilities: p - p_star => _scores - p_star | the scores themselves stand where eq. 6.3 has the probabilities
            only-the-right-class: p - p_star => -p_star * (1 - p) | only the score of the right class has a gradient: the others stand below the line of eq. 6.1
            slope-twice: p - p_star => (p - p_star) * p * (1 - p) | there is a factor p (1 - p) too many: the logarithm has undone it
            all-classes: sum(p_star * A, K) => sum(A, K) | the logarithms of all classes are added up: eq. 6.2 takes that of the right one
            log-of-the-mean: mean(sum(p_star * log(p), K), N) => log(mean(sum(p_star * p, K), N)) | the probabilities are averaged first: eq. 6.2 averages their logarithms
            taken-away-once: q - log(sum(exp(q), K)) => _scores - log(sum(exp(q), K)) | what was taken away from the scores is missing in one of two places: above the line of eq. 6.1 or below it
            whole-columns: p - p_star => p - _anybody | dscores[:, labels] means whole columns: a class that is right for anybody loses its 1 in all examples, and it should in one place a row
            softmax-over-the-batch: _e / sum(_e, K) => exp(_down) / sum(exp(_down), N) | the probabilities add up to 1 over the examples, and should over the classes of each: which axis is that?
            softmax-over-the-batch: q - log(sum(exp(q), K)) => _down - log(sum(exp(_down), N)) | the probabilities add up to 1 over the examples, and should over the classes of each: which axis is that?
            labels-missing: p - p_star => p | these are the probabilities alone: what the label asks for is not taken away
            probabilities-missing: p - p_star => -p_star | the probabilities are missing: eq. 6.3 has two terms
        """,
        terms={"loss": ("mean log loss",), "dscores": ("probabilities | eq. 6.3", "labels | eq. 6.3")},
        view=_one_hot,
    ),
    twists=(
        Twist(
            "largest-for-label",
            "The class with the highest score stands in the place of the label: labels[k] says which class is right.",
            _but(labels=lambda case: np.argmax(case.scores, axis=1)),
        ),
        Twist(
            "label-off-by-one",
            "The class in front of the right one is taken: classes are counted from 0, as numpy counts.",
            _but(labels=lambda case: (case.labels - 1) % case.scores.shape[1]),
        ),
        Twist(
            "divided-by-the-largest",
            "The scores are divided by their largest, and that changes the probabilities: what may be done to all scores of a row alike?",
            _but(scores=lambda case: case.scores / np.abs(case.scores).max(axis=1, keepdims=True)),
        ),
        Twist(
            "largest-of-the-column",
            "The largest of each column is taken away, and that changes the probabilities: it takes one number a row.",
            _but(scores=lambda case: case.scores - case.scores.max(axis=0)),
        ),
    ),
    hints=(
        "Three lines: the probabilities (6.1), the loss (6.2), the gradient (6.3). Of a row of p*, only the entry of the label is not zero.",
        "np.exp(1000) is infinite. Which number can you take away from all scores of a row without changing its probabilities? "
        "The entries of the labels are p[np.arange(N), labels].",
        "For one row: q = scores[0] - scores[0].max(); p = np.exp(q) / np.exp(q).sum(); its loss is -np.log(p[labels[0]]).",
    ),
    idea="Take each row's maximum away, exponentiate, divide by the row's sum; the gradient is that with 1 taken away at the labels, over N.",
)

training_step = Checks(
    training.training_step,
    draw=lambda rng: Case(_draw_network(rng), rate=float(rng.uniform(0.2, 0.8))),
    truth=lambda case: (
        _loss_of(case.theta, case),
        case.theta - case.rate * _slope(lambda theta: _loss_of(theta, case), case.theta),
    ),
    against="eq. 6.4, with the gradient by a complex step",
    known=Known(
        "theta: M, dtheta: M, _loss_given, _loss_later, _loss_next, rate, _examples",
        """
        _loss  = _loss_given                         # eq. 6.2
        _theta = theta - rate * dtheta               # eq. 6.4
        """,
        rules="""
            uphill: A - B => A + B | the step goes up the slope: eq. 6.4 goes against the gradient
            rate-missing: rate * A => A | the learning rate is missing
            never-updated: A - rate * B => A | the parameters are as they were
            step-alone: A - rate * B => rate * B | this is the step: it is taken from the parameters
            step-alone: A - rate * B => -rate * B | this is the step: it is added to the parameters
            loss-after-the-step: _loss_given => _loss_later | this is the loss after the step: the docstring asks for that of the parameters given
            loss-after-the-step: _loss_given => _loss_next | this is the loss after the step: the docstring asks for that of the parameters given
            summed-loss: rate * A => _examples * rate * A | the step is N times too large: is dscores the gradient of the mean?
            summed-loss: _loss_given => _examples * _loss_given | the loss is N times too large: it is a mean over the batch
            averaged-twice: rate * A => rate * A / _examples | the step is N times too small: the mean is in dscores already
            times-theta: rate * A => rate * A * theta | the step is multiplied by the parameters
            weight-decay: A - rate * B => A - rate * (B + A) | the parameters are made smaller besides: eq. 6.4 takes the gradient's step alone
            signs-alone: rate * A => rate * sign(A) | there are the signs of the gradient alone: eq. 6.4 goes further where the slope is steeper
            gradient-of-length-one: rate * A => rate * A / sqrt(sum(A**2, M)) | the gradient was divided by its length: eq. 6.4 does not
            half-a-step: rate * A => rate * A / 2 | half a step is taken
            gradient-alone: A - rate * B => B | this is the gradient: the new parameters are wanted
            rate-fixed: rate => 1/10 | the learning rate is 0.1 whatever was given
            rate-fixed: rate => 1/100 | the learning rate is 0.01 whatever was given
        """,
        terms={"loss": ("loss",), "theta": ("parameters | eq. 6.4", "step | eq. 6.4")},
        view=_step_parts,
        outputs={"loss": "_loss", "theta": "_theta"},
    ),
    follows=_where_it_stepped,
    twists=(
        *_MISGIVEN,
        Twist(
            "loss-for-dscores",
            "Backward was given the loss: it wants the gradient of the loss by the scores.",
            _but(dtheta=lambda case: _loss_of(case.theta, case) * _gradient(case, given="ones")),
        ),
        Twist(
            "two-steps",
            "There are two steps: one call is one step.",
            _but(dtheta=lambda case: _gradient(case) + _gradient(_stepped(case))),
        ),
    ),
    hints=(
        "Four calls in a row: from theta to scores, from scores to loss and dscores, from dscores to dtheta, from dtheta to the new theta.",
        "forward returns two things, scores and a cache. The cache goes to backward, together with dscores.",
        "It begins: scores, cache = forward(theta, x); loss, dscores = softmax_loss(scores, labels).",
    ),
    idea="Forward, loss, backward, and a step against the gradient, into a new array.",
)

gradient_check = Checks(
    training.gradient_check,
    draw=lambda rng: Case(_draw_network(rng, wrong=True), eta=float(rng.choice([0.05, 0.1, 0.2]))),
    truth=_checked,
    against="eqs. 6.5 and 6.6, parameter by parameter",
    known=Known(
        "_above: M, _below: M, _here, dtheta: M, numerical: M, eta, _examples, _reached: M, _largest, _by_entries",
        """
        _numerical = (_above - _below) / (2 * eta)    # eq. 6.5
        _apart     = sqrt(sum((dtheta - numerical)**2, M))
        _lengths   = sqrt(sum(dtheta**2, M)) + sqrt(sum(numerical**2, M))
        error      = _apart / _lengths                # eq. 6.6
        """,
        rules="""
            one-sided: (A - _below) / (2 * eta) => (A - _here) / eta | this is the one-sided difference: eq. 6.5 nudges down as well
            one-sided: _below => _here | the loss without a nudge stands where the one below belongs: eq. 6.5 nudges down as well
            one-sided-below: (_above - A) / (2 * eta) => (_here - A) / eta | this is the one-sided difference: eq. 6.5 nudges up as well
            factor-2-missing: 2 * eta => eta | everything is twice too large: from theta - eta to theta + eta, how far is that?
            lost-parentheses: A / (2 * eta) => A / 2 * eta | / 2 * eta divides by 2 and then multiplies by eta: parentheses
            not-divided: A / (2 * eta) => A | these are the differences of the loss alone: divide by the distance they were made over
            not-relative: _apart / _lengths => _apart | the distance is not divided: what is a large distance depends on how long the gradients are
            one-length: _lengths => sqrt(sum(dtheta**2, M)) | the distance is divided by one of the two lengths: eq. 6.6 has both
            one-length: _lengths => sqrt(sum(numerical**2, M)) | the distance is divided by one of the two lengths: eq. 6.6 has both
            lost-parentheses: _apart / _lengths => _apart / sqrt(sum(dtheta**2, M)) + sqrt(sum(numerical**2, M)) | the division is by both lengths: parentheses
            lost-parentheses: _apart / _lengths => _apart / sqrt(sum(numerical**2, M)) + sqrt(sum(dtheta**2, M)) | the division is by both lengths: parentheses
            computed-for-measured: A / (2 * eta) => dtheta | this is what backward computed: the measured gradient is wanted
            added: dtheta - numerical => dtheta + numerical | the two gradients are added up: their distance is the length of the difference
            squares-averaged: sum((dtheta - numerical)**2, M) => mean((dtheta - numerical)**2, M) | the squares of the differences are averaged, and eq. 6.6 adds them up
            one-root: _lengths => sqrt(sum(dtheta**2, M) + sum(numerical**2, M)) | one root is taken of both sums together: eq. 6.6 adds two lengths, each with its own
            mean-of-lengths: _apart / _lengths => 2 * _apart / _lengths | the error is twice too large: eq. 6.6 has the sum of the two lengths, and not their mean
            difference-of-lengths: _apart => abs(sqrt(sum(dtheta**2, M)) - sqrt(sum(numerical**2, M))) | the lengths are subtracted: eq. 6.6 has the length of the difference. Two gradients of one length may point anywhere
            length-of-the-sum: _lengths => sqrt(sum((dtheta + numerical)**2, M)) | the gradients are added up before their length is taken: eq. 6.6 adds two lengths
            absolute-for-squares: sqrt(sum(A**2, M)) => sum(abs(A), M) | absolute values are added up: a length is the root of a sum of squares
            summed-loss: A / (2 * eta) => _examples * A / (2 * eta) | everything is N times too large: the loss is a mean over the batch
            one-array: A - B => 0 * A | every difference is zero: are the parameters that were nudged up and those that were nudged down the same array?
            not-all-nudged: A / (2 * eta) => _reached * A / (2 * eta) | only so many parameters are nudged as there are examples: there is a number for each entry of theta
            largest-for-length: _apart / _lengths => _largest | this compares the largest entries: eq. 6.6 compares lengths, to which all entries add
            largest-for-length: _apart / _lengths => _by_entries | this is the entry that is furthest off by its own measure: eq. 6.6 compares lengths, to which all entries add
            always-zero: _apart / _lengths => 0 * _apart | the error is 0 for every network, right or wrong (False counts as 0): what is compared with what?
            no-root: sqrt(sum(A**2, M)) => sum(A**2, M) | a root is missing: a length is the root of a sum of squares
        """,
        terms={"numerical": ("difference quotient",), "error": ("distance over lengths",)},
        view=_check_parts,
        outputs={"numerical": "_numerical"},
    ),
    follows=_of_what_was_measured,
    twists=(
        *_MISGIVEN,
        *(
            Twist(
                "eta-not-used",
                f"This is what a nudge of {eta} gives, whatever eta is: nudge by the eta that was given.",
                _but(eta=eta, dtheta=_gradient),
                beside=False,
            )
            for eta in (1e-2, 1e-3, 1e-4, 1e-5)
        ),
        Twist(
            "nudges-left-behind",
            "Each nudge comes on top of those before it: begin with theta as it was given for every parameter.",
            _but(dtheta=_gradient, nudged=lambda case: {"directions": np.tri(len(case.theta))}),
        ),
        Twist(
            "nudges-left-behind",
            "A parameter that was nudged down is still there when the next is nudged: begin with theta as it was given for every parameter.",
            _but(dtheta=_gradient, nudged=lambda case: {"moved": -np.tri(len(case.theta), k=-1)}),
        ),
        Twist(
            "nudged-together",
            "All parameters are nudged at once: one after the other, each alone.",
            _but(dtheta=_gradient, nudged=lambda case: {"directions": np.ones((len(case.theta), len(case.theta)))}),
        ),
        Twist(
            "nudged-by-a-share",
            "Each parameter is nudged by a share of itself: eq. 6.5 nudges all by eta.",
            _but(dtheta=_gradient, nudged=lambda case: {"directions": np.diag(case.theta)}),
        ),
        Twist(
            "scores-for-loss",
            "This is how the sum of the scores changes: eq. 6.5 has the loss.",
            _but(dtheta=_gradient, nudged={"of": _all_scores}),
        ),
    ),
    hints=(
        "Measured gradient first: lesson 01's central difference, of a function with one output, the loss. One loop over the parameters.",
        "In the loop: theta plus eta in entry m, theta minus eta there; forward and softmax_loss of both. np.linalg.norm gives a length.",
        "For parameter 0: nudge = np.zeros(len(theta)); nudge[0] = eta; above, _ = softmax_loss(forward(theta + nudge, x)[0], labels).",
    ),
    idea="Nudge each parameter up and down, divide the differences of the loss by 2 eta, and put the distance of the two gradients in relation to their lengths.",
)

runaway_step = Checks(
    training.runaway_step,
    draw=_draw_bias,
    truth=_ran_away,
    against="eqs. 6.7 and 6.8, entry by entry",
    known=Known(
        "h: N D, b: D, targets: N D, rate, _features",
        """
        _shifted = h + b
        _y       = _shifted - mean(_shifted)          # eq. 6.7
        _dy      = (_y - targets) / N
        _loss    = sum(sum((_y - targets)**2, D)) / (2 * N)      # eq. 6.7
        _db      = sum(_dy)                           # eq. 6.8
        _b       = b - rate * _db                     # eq. 6.8
        """,
        rules="""
            right-gradient: b - A => b | the bias stays where it was, as it does with the right gradient (or without the targets): here the wrong one is wanted, which leaves the path through the mean out
            uphill: A - rate * B => A + rate * B | the step goes up the slope
            rate-missing: rate * A => A | the learning rate is missing
            not-centred: _shifted - mean(_shifted) => _shifted | the forward pass does not subtract the mean: only the gradient forgets it
            bias-missing: h + b => h | the bias is not added
            half-missing: A / (2 * N) => A / N | the loss is twice too large: eq. 6.7 has a half
            sum-for-mean: A / (2 * N) => A / 2 | the loss is N times too large: eq. 6.7 has a mean over the batch
            averaged-over-features: A / (2 * N) => A / (2 * N * _features) | the loss is divided by the number of features too: eq. 6.7 adds the features up
            sum-for-mean: (_y - targets) / N => _y - targets | the gradient is N times too large: eq. 6.7 has a mean over the batch
            averaged-twice: sum(_dy) => mean(_dy) | the step is N times too small: the gradient by b is a sum over the batch
            targets-missing: _y - targets => _y | the targets are missing
            targets-sign: _y - targets => _y + targets | the targets are added: the miss is y - y*
            not-squared: A**2 => abs(A) | the misses are not squared: eq. 6.7
            features-summed: sum(_dy) => sum(sum(_dy, D)) | the gradients of all features are added up: each bias belongs to one feature
            features-averaged: sum(_dy) => sum(mean(_dy, D)) | the gradients of all features are averaged: each bias belongs to one feature
            step-alone: b - A => -A | the old bias is missing: this is the step alone
            averaged-over-features: sum(_dy) => sum(_dy) / _features | the gradient is divided by the number of features too: eq. 6.7 adds the features up
            squared-after-summing: sum(sum(A**2, D), N) => sum(sum(A, D), N)**2 | the misses are added up and squared afterwards: square first
            divided-by-the-spread: _shifted - mean(_shifted) => (_shifted - mean(_shifted)) / sqrt(variance(_shifted)) | there is a division by the spread: eq. 6.7 only centres
            gradient-alone: b - rate * A => A | this is the gradient: the new bias is wanted
            loss-after-the-step: sum(sum((_y - targets)**2, D), N) => sum(sum((_y - targets - rate * sum(_dy, N))**2, D), N) | this is the loss after the step, without the mean of the new bias: the docstring asks for that of the bias given
        """,
        terms={"loss": ("loss",), "b": ("bias | eq. 6.8", "step | eq. 6.8")},
        view=lambda case: {
            "h": case.h,
            "b": case.b,
            "targets": case.targets,
            "rate": case.rate,
            "_features": float(case.h.shape[1]),
        },
        outputs={"loss": "_loss", "b": "_b"},
    ),
    hints=(
        "The forward pass is right, mean and all; only the gradient takes the mean for a number that does not move with b.",
        "First y and the loss of (6.7), then dy = dL/dy. If the mean were fixed, y would move with b one to one, in every example.",
        "dy is (y - targets) / len(h). The wrong gradient of b adds it up over the examples.",
    ),
    idea="Forward with the mean, then back as if there were none: the sum of dy over the batch, times the rate, is taken from b.",
)

# -- quizzes

recall_serving = Answer(
    training.recall_serving,
    right="b",
    why={
        "a": "A batch of one minus its own mean is zero: every example would give the same answer, beta.",
        "b": "That is what the notes were taken for: fixed numbers, which do not depend on who else is asked about.",
        "c": "The last batch was one accidental handful. The running averages take in many.",
        "d": "They come after the normalization, and expect what it gives.",
    },
)

recall_bias = Answer(
    training.recall_bias,
    right="a",
    why={
        "a": "The mean moves along with b and takes it out again, so the loss does not depend on b at all: eq. 5.18.",
        "b": "beta is added behind the normalization, where nothing takes it out.",
        "c": "That is right for evaluation mode, where the mean is a stored number.",
        "d": "Momentum is about the running averages. The output of training mode does not see them.",
    },
)

recall_alone = Answer(
    training.recall_alone,
    right="d",
    why={
        "a": "Its own row changes, but mean and variance change too, and they stand in all rows.",
        "b": "The running statistics have no part in the output of training mode.",
        "c": "The order of the examples means nothing to a mean.",
        "d": "The example moves the mean and the variance of the batch, and these normalize every row.",
    },
)

read_start = Answer(
    training.read_start,
    right="c",
    why={
        "a": "0.1 is the probability of the right digit. The loss is minus its logarithm.",
        "b": "Ten is the number of classes. The loss is the logarithm of it.",
        "c": "Minus the logarithm of one tenth. A curve that begins far above says something too: the network is sure, and wrong.",
        "d": "The loss is a mean over the batch: the size drops out.",
    },
)

read_scale = Answer(
    training.read_scale,
    right="a",
    why={
        "a": "A layer of 50 inputs multiplies the size of the signal by about 0.01 times the root of 25, which is a twentieth. "
        "Five layers: a factor of about three millions, and the same again on the way back.",
        "b": "Such a curve jumps. This one lies still.",
        "c": "The gradient of a minimum is zero as well, but in a minimum the loss is low. Here it is that of guessing.",
        "d": "With the wrong sign the loss would climb.",
    },
)

read_noise = Answer(
    training.read_noise,
    right="d",
    why={
        "a": "In training mode the running averages have no part in any output.",
        "b": "Memory has nothing to do with a loss.",
        "c": "It may happen by accident that two examples nearly agree, and mostly they do not.",
        "d": "The same example is told something else about itself in every batch. In batches of two, each unit even knows of its two "
        "examples only which has more.",
    },
)

read_runaway = Answer(
    training.read_runaway,
    right="b",
    why={
        "a": "It need not fall: the network computes the same function, whatever that bias is.",
        "b": "The right gradient of these biases is zero but for rounding. A path that was forgotten lets them go.",
        "c": "Seeds differ more than that.",
        "d": "What trains can be wrong. The figures of this lesson show three such gradients.",
    },
)
