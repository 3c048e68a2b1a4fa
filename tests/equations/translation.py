"""What the displays of lesson 02 speak of."""

from dataclasses import replace

from displays import Speaks

from bnlib.stubs import Setting, translation

ONE_FEATURE = Setting({"h": "N"}, "mu = mean(h[k] for k in N)\nh_hat[i] = h[i] - mu")

ANY_LAYER = Setting(  # a Jacobian with no symmetry, to show which index is summed
    {"h": "N D", "A": "N N", "B": "D D", "dout": "N D"},
    """
    h_hat[k, l] = sum(A[k, m] * B[l, j] * h[m, j]**2 for m in N for j in D)
    L = sum(dout[k, l] * h_hat[k, l] for k in N for l in D)
    """,
)
WITH_A_BIAS = Setting(
    {"x": "N M", "W": "M D", "b": "D", "dout": "N D"},
    "h[i, j] = sum(x[i, m] * W[m, j] for m in M) + b[j]" + translation.TRANSLATION.definitions,
)
BIAS_THEN_ANY_LAYER = replace(
    ANY_LAYER, given={**ANY_LAYER.given, "x": "N D", "b": "D"},
    definitions="h[i, j] = x[i, j] + b[j]" + ANY_LAYER.definitions,
)  # fmt: skip
BIAS_THEN_ANY_LAYER.given.pop("h")
ANY_CENTRE = Setting({"h": "N", "w": "N"}, "mu = sum(w[k] * h[k]**2 for k in N)\nh_hat[i] = h[i] - mu")
JACOBIAN = Setting({"x": "N"}, "J[k: N, i: N] = delta[k, i] - 1/N")
PROJECTION = Setting(  # one that is not symmetric
    {"u": "N", "w": "N"}, "J[k: N, i: N] = delta[k, i] - u[k] * w[i] / sum(u[m] * w[m] for m in N)"
)

SPEAKS = [
    Speaks("2.1-2.2 2.5-2.9", translation.TRANSLATION),
    Speaks("2.3-2.4", ONE_FEATURE),
    Speaks("2.7", ANY_LAYER),
    Speaks("2.10", WITH_A_BIAS),
    Speaks("2.10/1", BIAS_THEN_ANY_LAYER),
    Speaks("2.4/1", ANY_CENTRE),
    Speaks("2.11", JACOBIAN),
    Speaks("2.11/1", PROJECTION),
]
