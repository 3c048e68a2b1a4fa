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
A_STEP = Setting(
    {"W": "D H", "dW": "D H", "rate": ""},
    "W2[m, j] = W[m, j] - rate * dW[m, j]",
    positive=("rate",),
    latex={"W2": "W'", "dW": r"\mathrm{dW}", "rate": r"\mathrm{rate}"},
)

SPEAKS = [
    Speaks("7.1-7.4", ONE_FEATURE),
    Speaks("7.5-7.8", APART),
    Speaks("7.9-7.10", geometry.WEIGHTS_FIRST),
    Speaks("7.11", A_STEP),
]
