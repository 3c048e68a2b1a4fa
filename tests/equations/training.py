"""What the displays of lesson 06 speak of."""

from dataclasses import replace

from displays import Speaks

from bnlib.stubs import Setting, training

ONE_STEP = Setting({"theta": "M", "dtheta": "M", "rate": ""}, "theta_new[i: M] = theta[i] - rate * dtheta[i]")

CENTRED = Setting(
    {"h": "N D", "b": "D", "y_star": "N D", "rate": ""},
    """
    y[i, j] = h[i, j] + b[j] - mean(h[k, j] + b[j] for k in N)
    L = sum(mean((y[k, l] - y_star[k, l])**2 for k in N) for l in D) / 2
    """,
)

SPEAKS = [
    Speaks("6.1-6.3", training.SOFTMAX),
    Speaks("6.7", CENTRED),
]

IN_WORDS: dict[str, str] = {}
