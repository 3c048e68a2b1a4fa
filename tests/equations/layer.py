"""What the displays of lesson 05 speak of."""

from dataclasses import replace
from itertools import product

import numpy as np
from displays import Speaks

from bnlib.stubs import Setting, layer, normalization

TRAINING, EVALUATION = normalization.ALL_FEATURES, layer.EVALUATION

ONE_STEP = Setting({"s_bar": "", "s": "", "alpha": ""})
CS231N = replace(ONE_STEP, definitions="s_bar_new = alpha * s_bar + (1 - alpha) * s")
PYTORCH = replace(ONE_STEP, definitions="s_bar_new = (1 - alpha) * s_bar + alpha * s")
MANY_STEPS = Setting({"s_bar_0": "", "s_bar_T": "", "s": "T", "t": "T", "alpha": ""}, positive=("alpha",))


def step_by_step(given):
    """The running average by (5.2), batch after batch."""
    average = given["s_bar_0"]
    for value in given["s"]:
        average = given["alpha"] * average + (1 - given["alpha"]) * value
    return {"s_bar_T": average, "t": np.arange(1, len(given["s"]) + 1)}


DEVIATIONS = Setting(
    {"x": "N D", "mu_star": "D"},
    """
    mu[l] = mean(x[k, l] for k in N)
    var[l] = mean((x[k, l] - mu[l])**2 for k in N)
    unbiased[l] = var[l] * N / (N - 1)
    """,
)
EVERY_BATCH = Setting(
    {"x": "B N D", "true": "P D"},
    """
    mu[b: B, l: D] = mean(x[b, k, l] for k in N)
    var[b: B, l: D] = mean((x[b, k, l] - mu[b, l])**2 for k in N)
    true_var[l: D] = mean((true[p, l] - mean(true[q, l] for q in P))**2 for p in P)
    """,
)


def every_draw(given):
    """All batches of N examples that can be drawn from P, each as likely as the others."""
    population, count = given["true"], given["x"].shape[1]
    return {
        "x": np.array([population[list(draw)] for draw in product(range(len(population)), repeat=count)]),
    }


ANY_LAYER = Setting(  # a Jacobian with no symmetry, to show which index is summed
    {"x": "N D", "A": "N N", "B": "D D", "dout": "N D"},
    """
    y[k, l] = sum(A[k, m] * B[l, j] * x[m, j]**2 for m in N for j in D)
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)
ONE_EXAMPLE = replace(
    TRAINING,
    definitions=TRAINING.definitions
    + """
    y_1[l: D] = sum(y[k, l] for k in N)
    dx_1[l: D] = sum(d(L, x[k, l]) for k in N)
    """,
)
UNDONE = replace(
    TRAINING,
    given={"x": "N D", "eps": ""},
    definitions=TRAINING.definitions.replace("y[i, j]", "gamma[j] = 1 / r[j]\nbeta[j] = mu[j]\ny[i, j]").partition(
        "L ="
    )[0],
)
BLOCK = Setting(
    {"x": "N D", "W": "D H", "b": "H", "gamma": "H", "beta": "H", "da": "N H", "eps": ""},
    layer.AFFINE_FIRST.definitions.partition("L =")[0]
    + """
    a[i, j] = positive(y[i, j]) * y[i, j]
    L = sum(da[k, l] * a[k, l] for k in N for l in H)
    """,
)
ANY_NETWORK = Setting(  # behind the affine layer, so that nothing vanishes
    {"x": "N D", "W": "D H", "b": "H"},
    """
    h[i, j] = sum(x[i, m] * W[m, j] for m in D) + b[j]
    L = sum(exp(h[k, l]) * h[k, l] for k in N for l in H)**2
    """,
)
BY_THREE_TERMS = Setting(  # dh by (5.8), of an x_hat that is not centred
    {"dy": "N H", "x_hat": "N H", "gamma": "H", "r": "H"},
    """
    dh[i, j] = gamma[j] * r[j] * (dy[i, j] - mean(dy[k, j] for k in N) - x_hat[i, j] * mean(dy[k, j] * x_hat[k, j] for k in N))
    """,
)
FOLDED = Setting(
    {"x": "N D", "W": "D H", "b": "H", "gamma": "H", "beta": "H", "running_mean": "H", "running_var": "H", "eps": ""},
    """
    W2[m, j] = gamma[j] * W[m, j] / sqrt(running_var[j] + eps)
    b2[j] = gamma[j] * (b[j] - running_mean[j]) / sqrt(running_var[j] + eps) + beta[j]
    """,
    positive=EVALUATION.positive,
    latex={"W2": "W'", "b2": "b'"},
)

SPEAKS = [
    Speaks("5.1 5.7-5.8", TRAINING),
    Speaks("5.2", CS231N),
    Speaks("5.3", PYTORCH),
    Speaks("5.4", MANY_STEPS, made=step_by_step),
    Speaks("5.5", EVERY_BATCH, lengths={"N": 3, "P": 4, "B": 64}, made=every_draw),
    Speaks("5.6", DEVIATIONS),
    Speaks("5.9-5.11", EVALUATION),
    Speaks("5.11/1", ANY_LAYER),
    Speaks("5.12", ONE_EXAMPLE, lengths={"N": 1}),
    Speaks("5.13", UNDONE),
    Speaks("5.14-5.16", BLOCK),
    Speaks("5.15", ANY_NETWORK),
    Speaks("5.18", layer.AFFINE_FIRST),
    Speaks("5.18/1", ANY_NETWORK),
    Speaks("5.18/2", BY_THREE_TERMS),
    Speaks("5.19", FOLDED),
]

IN_WORDS = {"5.17": "the block in words: BN(xW + b) has no indices; its parts are (5.14), (5.1) and (5.16)"}
