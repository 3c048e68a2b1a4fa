"""Mistakes of one normalization in training or evaluation mode: forward, backward, and what is remembered.

Lesson 05 needs them for its functions, inside the block and inside the layer. Each function here is given a *view*, which
turns a case into the numbers of one normalization: ``x``, ``gamma``, ``beta``, ``eps``, the ``mean`` and ``var`` that
normalize, and as ``other_mean`` and ``other_var`` those that would in the other mode. ``kept`` is the variance that the
convention remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bnlib.checks import Case, Knob, Slip, Term, remembered, variants
from bnlib.numerics import Array

View = Callable[[Case], Case]
Gradient = Callable[[Case], Array]
Quantity = Callable[[Case], Any]

USUAL_EPS = 1e-5


def sigma(v: Case) -> Array:
    """The root that the view's normalization divides by."""
    return np.sqrt(v.var + v.eps)


def x_hat(v: Case) -> Array:
    """The view's normalized batch."""
    return (v.x - v.mean) / sigma(v)


def factors(view: View) -> Callable[[Case], Mapping[str, Any]]:
    """What a term may be multiplied by in error."""
    return lambda case: {
        "gamma": view(case).gamma,
        "sigma": sigma(view(case)),
        "sigma^2": sigma(view(case)) ** 2,
    }


def bessel(x: Array) -> Array:
    """Variance that divides by N - 1."""
    return np.var(x, axis=0, ddof=1)


def one_pass(x: Array) -> Array:
    """The variance as people write it who want to pass over the data once; inexact for a large mean."""
    return np.mean(x**2, axis=0) - np.mean(x, axis=0) ** 2


def unchanged(case: Case, value: Array) -> Array:
    """What ``after`` does by default: nothing comes behind."""
    return value


def root_knobs(where: str, subject: str = "Something is divided by") -> tuple[Knob, ...]:
    """Mistakes in the root of var + eps; they turn ``divide``, a function of the two. ``subject`` begins a sentence."""

    def knob(name: str, message: str, divide: Callable[..., Any]) -> Knob:
        return Knob(name, message, {"divide": divide})

    return (
        knob("eps-missing", f"eps does not take part: {where} has it under the root.", lambda var, eps: np.sqrt(var)),
        knob(
            "eps-fixed",
            f"eps is {USUAL_EPS} here whatever was given: use the one that was passed.",
            lambda var, eps: np.sqrt(var + USUAL_EPS),
        ),
        knob(
            "eps-outside-the-root",
            f"eps was added after the root was taken. In {where}, what does the root reach over?",
            lambda var, eps: np.sqrt(var) + eps,
        ),
        knob(
            "no-root",
            f"{subject} the variance itself: {where} has a root. (Or a variance was taken for a standard deviation.)",
            lambda var, eps: var + eps,
        ),
        knob(
            "no-root-no-eps",
            f"{subject} the variance itself, without eps: {where} has a root, and eps under it.",
            lambda var, eps: var,
        ),
        knob(
            "squared-for-root",
            f"{subject} the square of the variance: {where} has its root.",
            lambda var, eps: (var + eps) ** 2,
        ),
    )


@remembered
def divided(case: Case, view: View, var: Quantity, divide: Callable[..., Any]) -> Any:
    """What is divided by: a root, or what a mistake makes of it."""
    v = view(case)
    return divide(var(v), v.eps)


@remembered
def normalized(case: Case, view: View, mean: Quantity, var: Quantity, divide: Callable[..., Any]) -> tuple[Any, Any]:
    """What is divided by, and x_hat, each as mistakes leave them."""
    v, root = view(case), divided(case, view=view, var=var, divide=divide)
    return root, (v.x - mean(v)) / root


# -- forward


def forward_slips(
    output: str,
    view: View,
    where: str,
    training: bool,
    after: Callable[[Case, Array], Array] = unchanged,
    more: tuple[Knob, ...] = (),
) -> tuple[Slip, ...]:
    """Mistakes of gamma * x_hat + beta, alone and in pairs.

    Args:
        output: The returned value.
        view: The normalization's numbers.
        where: The equation.
        training: In which mode it should run; that decides which statistics are the wrong ones.
        after: What comes behind the normalization.
        more: Further knobs; they may turn ``after``.
    """

    def model(
        case: Case,
        mean: Quantity = lambda v: v.mean,
        var: Quantity = lambda v: v.var,
        divide: Callable[..., Any] = lambda var, eps: np.sqrt(var + eps),
        scale: Quantity = lambda v: v.gamma,
        shift: Quantity = lambda v: v.beta,
        after: Callable[[Case, Array], Array] = after,
    ) -> Array:
        v, (_, z) = view(case), normalized(case, view=view, mean=mean, var=var, divide=divide)
        return after(case, scale(v) * z + shift(v))

    def parts(case: Case, **turn: Any) -> tuple[Array, Array]:
        beta = (turn.get("shift") or (lambda v: v.beta))(view(case))
        return model(case, **turn) - beta, np.broadcast_to(beta, view(case).x.shape)

    other = {"mean": lambda v: v.other_mean, "var": lambda v: v.other_var}
    mixed = "Mean and variance come from different places: one from the batch, one from the running averages."
    knobs = [
        *root_knobs(where),
        Knob(
            "mean-not-subtracted",
            f"The mean was not subtracted: see the numerator of {where}.",
            {"mean": lambda v: 0.0},
        ),
        Knob("gamma-missing", f"gamma does not take part: see {where}.", {"scale": lambda v: 1.0}),
        Knob("beta-missing", f"beta does not take part: see {where}.", {"shift": lambda v: 0.0}),
        Knob("beta-sign", f"beta has the wrong sign: see {where}.", {"shift": lambda v: -v.beta}),
        Knob(
            "gamma-and-beta-exchanged",
            "gamma is added and beta multiplied: it is the other way round.",
            {"scale": lambda v: v.beta, "shift": lambda v: v.gamma},
        ),
        Knob("mean-of-the-other-mode", mixed, {"mean": other["mean"]}),
        Knob("variance-of-the-other-mode", mixed, {"var": other["var"]}),
    ]
    if training:
        knobs += [
            Knob(
                "running-statistics-in-training",
                "The running statistics were used to normalize. In training mode the batch is normalized with its own.",
                other,
            ),
            Knob(
                "updated-running-statistics-in-training",
                "The running averages, already updated, were used to normalize. In training mode the batch is normalized "
                "with its own statistics.",
                {"mean": lambda v: v.updated_mean, "var": lambda v: v.updated_var},
            ),
            Knob(
                "bessel",
                "The batch is normalized with the variance that divides by N - 1. The unbiased variance is for the running "
                f"average only (and in one convention only); {where} divides by N.",
                {"var": lambda v: bessel(v.x)},
            ),
            Knob(
                "one-pass-variance",
                "The digits are gone: the variance was probably computed as the mean of the squares minus the squared mean. "
                "With a large mean these are two large, nearly equal numbers. Square the distances from the mean.",
                {"var": lambda v: one_pass(v.x)},
            ),
            Knob(
                "wrong-axis",
                f"Mean and variance were taken over the features of each example. {where.capitalize()} has one of each a "
                "feature.",
                {
                    "mean": lambda v: v.x.mean(axis=1, keepdims=True),
                    "var": lambda v: v.x.var(axis=1, keepdims=True),
                },
            ),
            Knob(
                "no-axis",
                f"One mean and one variance were taken over the whole array. {where.capitalize()} has one of each a feature: "
                "name the axis.",
                {"mean": lambda v: v.x.mean(), "var": lambda v: v.x.var()},
            ),
        ]
    else:
        knobs.append(
            Knob(
                "batch-statistics-in-evaluation",
                "The batch's own mean and variance were used to normalize. In evaluation mode they must not matter.",
                other,
            )
        )
    return variants(output, model, (*knobs, *more), parts if after is unchanged else None)


def forward_terms(view: View, where: str) -> tuple[Term, ...]:
    """The two summands of the output."""
    return (
        Term("scaled part", where, lambda case: view(case).gamma * x_hat(view(case))),
        Term("shift", where, lambda case: np.broadcast_to(view(case).beta, view(case).x.shape)),
    )


# -- backward


def _batch_mean(values: Array) -> Array:
    return values.sum(axis=0) / len(values)  # half the time of values.mean


def _over(axis: int | None) -> Callable[[Array], Array]:
    """A mean over the wrong axis, or over everything."""
    return lambda values: values.mean(axis=axis, keepdims=True)


def _itself(v: Case, z: Array, root: Array) -> Array:
    """x_hat where x_hat belongs."""
    return z


def _three_paths(g: Array, z: Array) -> Array:
    return g - z * np.mean(g * z, axis=0) - np.mean(g, axis=0)


def train_dx(v: Case, gradient: Array) -> Array:
    """The gradient of training mode, for what it is compared with where it does not belong."""
    return _three_paths(v.gamma * gradient, x_hat(v)) / sigma(v)


def train_dx_slips(
    output: str,
    view: View,
    gradient: Gradient,
    after: Callable[[Case, Array], Array] = unchanged,
    more: tuple[Knob, ...] = (),
) -> tuple[Slip, ...]:
    """Mistakes of the gradient of training mode that no coefficients of its terms express, and pairs of any.

    Args:
        output: The returned value.
        view: The normalization's numbers.
        gradient: What arrives at the normalization.
        after: Sends the gradient on through what stands before.
        more: Further knobs; they may turn ``gradient``.
    """

    def paths(
        case: Case,
        gradient: Gradient = gradient,
        mean: Quantity = lambda v: v.mean,
        var: Quantity = lambda v: v.var,
        divide: Callable[..., Any] = lambda var, eps: np.sqrt(var + eps),
        front: Callable[..., Any] | None = None,
        left: Callable[[Case, Array, Array], Array] = _itself,
        right: Callable[[Case, Array, Array], Array] = _itself,
        first: Callable[[Array], Array] = _batch_mean,
        last: Callable[[Array], Array] = _batch_mean,
        direct_only: bool = False,
        skipped: bool = False,
        scale: Quantity = lambda v: v.gamma,
    ) -> tuple[Array, Array, Array]:
        v, g = view(case), gradient(case)
        if skipped:
            return g, 0 * g, 0 * g
        root, z = normalized(case, view=view, mean=mean, var=var, divide=divide)
        h = scale(v) * g / (divided(case, view=view, var=var, divide=front) if front else root)
        if direct_only:
            return h, 0 * h, 0 * h
        return h, first(h), left(v, z, root) * last(h * right(v, z, root))

    def model(case: Case, **turn: Any) -> Array:
        direct, through_mean, through_variance = paths(case, **turn)
        return after(case, direct - through_mean - through_variance)

    def parts(case: Case, **turn: Any) -> tuple[Array, ...]:
        direct, *others = paths(case, **turn)
        return tuple(after(case, path) for path in (direct, *(np.broadcast_to(path, direct.shape) for path in others)))

    features = "taken over the features of each example. In eq. 5.8 it runs over the batch."
    everything = "taken over the whole array. In eq. 5.8 it runs over the batch, for each feature."
    x = {name: (lambda v, z, root: v.x) for name in ("left", "right")}
    knobs = [
        *root_knobs("sigma of the forward pass"),
        Knob("eps-missing-in-the-division", "eps does not take part in the division.", {"front": lambda var, eps: np.sqrt(var)}),
        Knob("eps-fixed-in-the-division", f"eps is {USUAL_EPS} in the division whatever was given.", {"front": lambda var, eps: np.sqrt(var + USUAL_EPS)}),
        Knob("eps-outside-the-root-in-the-division", "In the division eps was added after the root was taken.", {"front": lambda var, eps: np.sqrt(var) + eps}),
        Knob(
            "only-the-diagonal",
            "Only the diagonal of the Jacobian was used: the sums of eq. 5.8 over all k are missing.",
            {name: (lambda values: values / len(values)) for name in ("first", "last")},
        ),
        Knob(
            "bessel",
            "The variance in sigma divides by N - 1; the forward pass used the one that divides by N.",
            {"var": lambda v: bessel(v.x)},
        ),
        Knob("x-for-x-hat", "x stands where x_hat belongs, in the last term of eq. 5.8.", x),
        Knob("x-for-first-x-hat", "x stands where x_hat belongs, before the last mean of eq. 5.8.", {"left": x["left"]}),
        Knob("x-for-second-x-hat", "x stands where x_hat belongs, inside the last mean of eq. 5.8.", {"right": x["right"]}),
        Knob("x-for-xc", "x stands where x minus its mean belongs, inside the last mean of eq. 5.8.", {"right": lambda v, z, root: v.x / root}),
        Knob("wrong-axis", f"A mean was {features}", {"first": _over(1), "last": _over(1)}),
        Knob("no-axis", f"A mean was {everything}", {"first": _over(None), "last": _over(None)}),
        Knob("wrong-axis-in-the-second-term", f"The mean in the second term was {features}", {"first": _over(1)}),
        Knob("wrong-axis-in-the-last-term", f"The mean in the last term was {features}", {"last": _over(1)}),
        Knob("no-axis-in-the-second-term", f"The mean in the second term was {everything}", {"first": _over(None)}),
        Knob("no-axis-in-the-last-term", f"The mean in the last term was {everything}", {"last": _over(None)}),
        Knob("gamma-missing", "gamma does not take part: see eq. 5.8.", {"scale": lambda v: 1.0}),
        Knob("gamma-twice", "gamma takes part twice: see eq. 5.8.", {"scale": lambda v: v.gamma**2}),
        *more,
    ]  # fmt: skip
    if after is unchanged:  # fitted coefficients say it
        knobs = [knob for knob in knobs if not knob.name.startswith("gamma-")]
    return variants(output, model, knobs, parts)


def running_in_training() -> tuple[Knob, ...]:
    """Knobs of a normalization that has running statistics at hand."""
    other = {"mean": lambda v: v.other_mean, "var": lambda v: v.other_var}
    return (
        Knob(
            "evaluation-gradient-in-training",
            "This is the gradient of evaluation mode, where mean and variance do not depend on the batch. In training mode "
            "they do: eq. 5.8 has three terms.",
            {**other, "direct_only": True},
        ),
        Knob(
            "running-statistics-in-training",
            "The running statistics were used in the backward pass. Training mode normalized with the batch's own.",
            other,
        ),
    )


def train_dx_terms(
    view: View, gradient: Gradient, after: Callable[[Case, Array], Array] = unchanged
) -> tuple[Term, ...]:
    """The three paths."""

    def scaled(case: Case) -> Array:
        v = view(case)
        return v.gamma * gradient(case) / sigma(v)

    def over_batch(array: Array) -> Array:
        return np.broadcast_to(array.mean(axis=0), array.shape)

    def through_variance(case: Case) -> Array:
        z = x_hat(view(case))
        return z * over_batch(scaled(case) * z)

    return (
        Term("direct path", "first term of eq. 5.8", lambda case: after(case, scaled(case))),
        Term("path through the mean", "second term of eq. 5.8", lambda case: after(case, over_batch(scaled(case)))),
        Term("path through the variance", "third term of eq. 5.8", lambda case: after(case, through_variance(case))),
    )


def eval_dx_slips(output: str, view: View, gradient: Gradient) -> tuple[Slip, ...]:
    """Mistakes of the gradient of evaluation mode, alone and in pairs."""

    def model(
        case: Case,
        mean: Quantity = lambda v: v.mean,
        var: Quantity = lambda v: v.var,
        divide: Callable[..., Any] = lambda var, eps: np.sqrt(var + eps),
        paths: Callable[[Array, Array], Array] = lambda h, z: h,
        scale: Quantity = lambda v: v.gamma,
    ) -> Array:
        v, (root, z) = view(case), normalized(case, view=view, mean=mean, var=var, divide=divide)
        return paths(scale(v) * gradient(case) / root, z)

    knobs = (
        *root_knobs("eq. 5.9"),
        Knob(
            "training-gradient-in-evaluation",
            "This has the three terms of training mode. In evaluation mode neither the mean nor the variance of eq. 5.9 "
            "depends on x: which paths are left?",
            {"paths": _three_paths},
        ),
        Knob(
            "training-gradient-with-batch-statistics",
            "This is the gradient of training mode, with the batch's statistics. In evaluation mode, which numbers of "
            "eq. 5.9 depend on x?",
            {"paths": _three_paths, "mean": lambda v: v.other_mean, "var": lambda v: v.other_var},
        ),
        Knob(
            "mean-path-in-evaluation",
            "A mean over the batch was subtracted. In evaluation mode the mean of eq. 5.9 does not depend on x.",
            {"paths": lambda h, z: h - h.mean(axis=0)},
        ),
        Knob(
            "batch-variance-in-evaluation",
            "This divides by the batch's own standard deviation. What did the forward pass of evaluation mode divide by?",
            {"var": lambda v: v.other_var},
        ),
        Knob("gamma-missing", "gamma does not take part: see eq. 5.9.", {"scale": lambda v: 1.0}),
    )
    return variants(output, model, knobs)


def parameter_slips(
    dgamma: str, dbeta: str, view: View, gradient: Gradient, where: str, more: tuple[Knob, ...] = ()
) -> tuple[Slip, ...]:
    """Mistakes of the gradients of gamma and beta; ``where`` is the forward pass."""
    asked = f"What does gamma multiply in {where}?"

    def model_gamma(
        case: Case,
        gradient: Gradient = gradient,
        partner: Quantity = x_hat,
        scale: Quantity = lambda v: 1.0,
        total: Callable[[Array], Array] = lambda values: values.sum(axis=0),
    ) -> Array:
        v = view(case)
        return total(scale(v) * gradient(case) * partner(v))

    def model_beta(
        case: Case,
        gradient: Gradient = gradient,
        scale: Quantity = lambda v: 1.0,
        total: Callable[[Array], Array] = lambda values: values.sum(axis=0),
        partner: Quantity = lambda v: 1.0,
    ) -> Array:
        v = view(case)
        return total(scale(v) * gradient(case) * partner(v))

    averaged = Knob(
        "mean-for-sum", "A mean stands where a sum over the batch belongs: see eq. 5.7.", {"total": lambda values: values.mean(axis=0)}
    )  # fmt: skip
    gamma_knobs = (
        Knob("dgamma-contains-gamma", "gamma itself is a factor of dgamma. How does y change with gamma?", {"scale": lambda v: v.gamma}),
        Knob("dgamma-with-x", f"dgamma was computed with x. {asked}", {"partner": lambda v: v.x}),
        Knob("dgamma-with-centred-x", f"dgamma was computed with the centred x, before its division. {asked}", {"partner": lambda v: v.x - v.mean}),
        Knob("dgamma-with-output", f"dgamma was computed with the layer's output. {asked}", {"partner": lambda v: v.gamma * x_hat(v) + v.beta}),
        Knob("statistics-of-the-other-mode", f"dgamma was computed with the mean and variance of the other mode. {asked}", {"partner": lambda v: (v.x - v.other_mean) / np.sqrt(v.other_var + v.eps)}),
        averaged,
        *more,
    )  # fmt: skip
    beta_knobs = (
        Knob("dbeta-contains-gamma", "gamma is a factor of dbeta. beta is added behind gamma.", {"scale": lambda v: v.gamma}),
        Knob("dbeta-with-x-hat", "dbeta has x_hat in it: that is the other parameter's gradient. See eq. 5.7.", {"partner": x_hat}),
        averaged,
        *more,
    )  # fmt: skip
    return (*variants(dgamma, model_gamma, gamma_knobs), *variants(dbeta, model_beta, beta_knobs))


def parameter_terms(view: View, gradient: Gradient) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """The one summand of dgamma, and that of dbeta."""
    return (
        (Term("sum over the batch", "eq. 5.7", lambda case: np.sum(gradient(case) * x_hat(view(case)), axis=0)),),
        (Term("sum over the batch", "eq. 5.7", lambda case: np.sum(gradient(case), axis=0)),),
    )


# -- running averages


def weight_knobs() -> tuple[Knob, ...]:
    """Mistakes of the two weights; they turn arguments of :func:`weighted`."""
    return (
        Knob(
            "momentum-reversed",
            "The old average and the new batch have each other's weight. Which of them does momentum multiply in this "
            "convention: eq. 5.2 or eq. 5.3?",
            {"weigh": lambda old, new: (new, old)},
        ),
        Knob(
            "never-updated",
            "This is the average from before: it was never updated (or the old one was returned).",
            {"weigh": lambda old, new: (1.0, 0.0), "old_weight": 1.0, "new_weight": 0.0},
        ),
        Knob(
            "average-replaced",
            "This is the new batch alone: what was known before is lost.",
            {"weigh": lambda old, new: (0.0, 1.0), "old_weight": 0.0, "new_weight": 1.0},
        ),
        Knob(
            "new-weight-missing",
            "The new batch has its full weight. In eqs. 5.2 and 5.3 the two weights add up to one.",
            {"new_weight": 1.0},
        ),
        Knob(
            "old-weight-missing",
            "The old average keeps its full weight. In eqs. 5.2 and 5.3 the two weights add up to one.",
            {"old_weight": 1.0},
        ),
        Knob(
            "momentum-ignored",
            "This is the plain mean of the two: momentum has to decide their weights.",
            {"weigh": lambda old, new: (0.5, 0.5)},
        ),
    )


def weighted(
    old: Array,
    new: Array,
    weights: tuple[float, float],
    weigh: Callable[[float, float], tuple[float, float]] = lambda old, new: (old, new),
    old_weight: float | None = None,
    new_weight: float | None = None,
) -> Array:
    """One step of a running average; the last three arguments are what ``weight_knobs`` turn."""
    a, b = weigh(*weights)
    return (a if old_weight is None else old_weight) * old + (b if new_weight is None else new_weight) * new


def kept_knobs() -> tuple[Knob, ...]:
    """Mistakes of the variance that is remembered.

    They turn ``keep``, from batch, right variance and eps to the wrong one, or ``stored``, from that and eps to what is
    remembered.
    """

    def knob(name: str, message: str, keep: Any = None, after: Any = None) -> Knob:
        return Knob(name, message, {"keep": keep} if keep else {"stored": after})

    def exchanged(x: Array, var: Array, eps: float) -> Array:
        return x.var(axis=0) if np.allclose(var, bessel(x), rtol=1e-6) else bessel(x)

    return (
        knob(
            "biased-for-unbiased",
            "The biased variance (divided by N) was kept. This is the convention that keeps the unbiased one: see eq. 5.6.",
            lambda x, var, eps: x.var(axis=0),
        ),
        knob(
            "unbiased-for-biased",
            "The unbiased variance (divided by N - 1) was kept. This is the convention that keeps the biased one: see eq. 5.1.",
            lambda x, var, eps: bessel(x),
        ),
        knob(
            "variances-exchanged",
            "Biased and unbiased variance are in each other's place: which convention keeps which?",
            exchanged,
        ),
        knob(
            "std-kept",
            "A standard deviation was kept. Average variances; the root comes later, when the variance is used.",
            after=lambda var, eps: np.sqrt(var),
        ),
        knob(
            "sigma-kept",
            "A standard deviation (with eps in it) was kept. Average variances without eps; both come when it is used.",
            after=lambda var, eps: np.sqrt(var + eps),
        ),
        knob(
            "eps-kept",
            "eps went into the running variance. It is added when the variance is used: added here too, it counts twice.",
            after=lambda var, eps: var + eps,
        ),
    )


def running_slips(output: str, view: View, old: Quantity, new: Quantity | None = None) -> tuple[Slip, ...]:
    """Mistakes of one step of a running average, alone and in pairs.

    Args:
        output: The returned value.
        view: ``weights`` of old average and new batch; for a running variance ``x``, ``kept`` and ``eps`` as well.
        old: The average before.
        new: What the batch says; None for its variance.
    """

    def model(
        case: Case,
        keep: Callable[[Array, Array, float], Array] = lambda x, var, eps: var,
        stored: Callable[[Array, float], Array] = lambda var, eps: var,
        weights: Callable[[Case], tuple[float, float]] = lambda v: v.weights,
        **turn: Any,
    ) -> Array:
        v = view(case)
        batch = stored(keep(v.x, v.kept, v.eps), v.eps) if new is None else new(v)
        return weighted(old(v), batch, weights(v), **turn)

    same = "Both conventions are treated alike here. momentum is the weight of another thing in each: see eqs. 5.2 and 5.3."
    alike = (
        Knob("cs231n-for-both", same, {"weights": lambda v: (v.momentum, 1 - v.momentum)}),
        Knob("pytorch-for-both", same, {"weights": lambda v: (1 - v.momentum, v.momentum)}),
    )
    return variants(output, model, (*weight_knobs(), *alike, *(kept_knobs() if new is None else ())))


def running_terms(old: Quantity, new: Quantity, view: View = lambda case: case) -> tuple[Term, ...]:
    """The two summands of a running average."""
    return (
        Term("old average", "eq. 5.2 or 5.3", lambda case: old(view(case))),
        Term("new batch", "eq. 5.2 or 5.3", lambda case: new(view(case))),
    )
