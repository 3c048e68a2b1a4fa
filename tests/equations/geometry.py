"""What the displays of lesson 07 speak of."""

from dataclasses import replace

from displays import Speaks

from bnlib.stubs import Setting, geometry, normalization

ONE_FEATURE = normalization.ONE_FEATURE
APART = replace(  # by what is centred, and not by x_hat
    ONE_FEATURE,
    definitions=ONE_FEATURE.definitions
    + """
    along[i] = (x[i] - mu) * mean(dout[k] * (x[k] - mu) for k in N) / var
    kept[i] = dout[i] - mean(dout[k] for k in N) - along[i]
    """,
    latex={"kept": r"\mathrm{kept}", "along": r"\mathrm{along}"},
)
BY_THREE_TERMS = Setting(  # of an x_hat that is not centred
    {"dout": "N", "x_hat": "N", "gamma": "", "r": ""},
    "dx[i] = gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))",
)
PROJECTION = Setting(  # on an x_hat that is not centred, by its matrix
    {"dout": "N", "x_hat": "N"},
    """
    along[i] = sum(x_hat[i] * x_hat[k] / sum(x_hat[m]**2 for m in N) * dout[k] for k in N)
    kept[i] = dout[i] - mean(dout[k] for k in N) - along[i]
    """,
    latex=APART.latex,
)
ANY_NETWORK = Setting(  # behind the affine layer, so that nothing vanishes
    {"x": "N D", "W": "D H"},
    """
    h[i, j] = sum(x[i, m] * W[m, j] for m in D)
    L = sum(exp(h[k, l]) * h[k, l] for k in N for l in H)**2
    """,
)
A_STEP = Setting(
    {"W": "D H", "dW": "D H", "rate": ""},
    "W2[m, j] = W[m, j] - rate * dW[m, j]",
    positive=("rate",),
    latex={"W2": "W'", "dW": r"\mathrm{dW}", "rate": r"\rho"},
)

SPEAKS = [
    Speaks("7.1-7.4", ONE_FEATURE),
    Speaks("7.5-7.8", APART),
    Speaks("7.9-7.10", geometry.WEIGHTS_FIRST),
    Speaks("7.11", A_STEP),
    Speaks("7.5/1", PROJECTION),
    Speaks("7.2/1", BY_THREE_TERMS),
    Speaks("7.10/1", ANY_NETWORK),
]
