"""What the displays of lesson 08 speak of."""

from displays import Speaks

from bnlib.stubs import Setting, relatives

IMAGES = Setting(
    {"x": "N C S", "gamma": "C", "beta": "C", "dout": "N C S", "eps": ""},
    """
    mu[l] = mean(x[k, l, q] for k in N for q in S)
    var[l] = mean((x[k, l, q] - mu[l])**2 for k in N for q in S)
    r[l] = (var[l] + eps)**(-1/2)
    x_hat[k, l, q] = (x[k, l, q] - mu[l]) * r[l]
    y[k, l, q] = gamma[l] * x_hat[k, l, q] + beta[l]
    L = sum(dout[k, l, q] * y[k, l, q] for k in N for l in C for q in S)
    """,
)
GROUPS = Setting(
    {"x": "N G E S", "gamma": "G E", "beta": "G E", "dout": "N G E S", "eps": ""},
    """
    mu[k, g] = mean(x[k, g, l, q] for l in E for q in S)
    var[k, g] = mean((x[k, g, l, q] - mu[k, g])**2 for l in E for q in S)
    r[k, g] = (var[k, g] + eps)**(-1/2)
    x_hat[k, g, l, q] = (x[k, g, l, q] - mu[k, g]) * r[k, g]
    y[k, g, l, q] = gamma[g, l] * x_hat[k, g, l, q] + beta[g, l]
    L = sum(dout[k, g, l, q] * y[k, g, l, q] for k in N for g in G for l in E for q in S)
    """,
)
ROOT_MEAN_SQUARE = Setting(
    {"x": "N D", "gamma": "D", "dout": "N D", "eps": ""},
    """
    r[k] = (mean(x[k, m]**2 for m in D) + eps)**(-1/2)
    z[k, l] = x[k, l] * r[k]
    y[k, l] = gamma[l] * z[k, l]
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)

SPEAKS = [
    Speaks("8.1-8.4", relatives.LAYER_NORM),
    Speaks("8.5-8.6", IMAGES),
    Speaks("8.7-8.8", GROUPS),
    Speaks("8.9-8.10", ROOT_MEAN_SQUARE),
]
