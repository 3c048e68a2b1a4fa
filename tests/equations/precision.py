"""What the displays of lesson 09 speak of."""

from displays import Speaks

from bnlib.stubs import Setting, precision

ONE_MORE = Setting(
    {"x": "N D", "row": "D"},
    """
    mu[l] = mean(x[k, l] for k in N)
    m2[l] = sum((x[k, l] - mu[l])**2 for k in N)
    mu_new[l] = (sum(x[k, l] for k in N) + row[l]) / (N + 1)
    m2_new[l] = sum((x[k, l] - mu_new[l])**2 for k in N) + (row[l] - mu_new[l])**2
    """,
    latex={"mu_new": r"\mu'", "m2": r"\mathrm{m2}", "m2_new": r"\mathrm{m2}'"},
)
BATCH = Setting(
    {"x": "N D", "gamma": "D", "beta": "D", "eps": "", "dout": "N D"},
    """
    mu[l] = mean(x[k, l] for k in N)
    var[l] = mean(x[k, l]**2 for k in N) - mu[l]**2
    r[l] = 1 / sqrt(var[l] + eps)
    x_hat[k, l] = (x[k, l] - mu[l]) * r[l]
    y[k, l] = gamma[l] * x_hat[k, l] + beta[l]
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)
TOGETHER = Setting(  # mean and variance by definition, over the examples of both
    precision.TWO_SHARDS.given,
    precision.TWO_SHARDS.definitions.split("mu = ")[0]
    + """
    mu = (sum(x_a[k] for k in A) + sum(x_b[l] for l in B)) / (A + B)
    var = (sum((x_a[k] - mu)**2 for k in A) + sum((x_b[l] - mu)**2 for l in B)) / (A + B)
    """,
    latex=precision.TWO_SHARDS.latex,
)

SPEAKS = [
    Speaks("9.1 9.6-9.8", BATCH),
    Speaks("9.2-9.3", ONE_MORE),
    Speaks("9.4-9.5", TOGETHER),
]
