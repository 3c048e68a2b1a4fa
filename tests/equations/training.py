"""What the displays of lesson 06 speak of."""

from displays import Speaks

from bnlib.stubs import Setting, training

ONE_STEP = Setting({"theta": "M", "dtheta": "M", "rate": ""}, "theta_new[i] = theta[i] - rate * dtheta[i]")
MEASURED = Setting(  # a loss of any kind; its gradient is measured as (6.5) says, written with a delta
    {"theta": "M", "a": "M", "eta": ""},
    """
    L = sum(a[m] * theta[m] for m in M)**3
    e[i, m: M] = delta[i, m]
    numerical[i: M] = (sum(a[m] * (theta[m] + eta * delta[i, m]) for m in M)**3 - sum(a[m] * (theta[m] - eta * delta[i, m]) for m in M)**3) / (2 * eta)
    """,
)
APART = Setting(
    {"numerical": "M", "dtheta": "M"},
    "E = sqrt(sum((numerical[i] - dtheta[i])**2 for i in M)) / (sum(dtheta[i]**2 for i in M)**(1/2) + sum(numerical[i]**2 for i in M)**(1/2))",
)
CENTRED = Setting(
    {"h": "N D", "b": "D", "y_star": "N D"},
    """
    mu[j] = mean(h[k, j] + b[j] for k in N)
    y[i, j] = h[i, j] + b[j] - mu[j]
    L = sum(mean((y[k, l] - y_star[k, l])**2 for k in N) for l in D) / 2
    """,
)

NOT_CENTRED = Setting(  # whose sum does not vanish, so that every term shows
    {"y": "N D", "y_star": "N D"},
    "L = sum(mean((y[k, l] - y_star[k, l])**2 for k in N) for l in D) / 2",
)

SPEAKS = [
    Speaks("6.1-6.3", training.SOFTMAX),
    Speaks("6.4", ONE_STEP),
    Speaks("6.5", MEASURED, functions={"L": ("L", "theta")}),
    Speaks("6.6", APART),
    Speaks("6.7-6.8", CENTRED),
    Speaks("6.8/1", NOT_CENTRED),
]
