"""What the displays of lesson 01 speak of."""

from dataclasses import replace

from displays import Speaks

from bnlib.stubs import Setting

ONE_PATH = Setting({"x": ""}, "y = x**2 + exp(x)\nL = exp(y) - y**3")
TWO_PATHS = Setting({"x": ""}, "y_1 = x**3\ny_2 = exp(x)\nL = y_1 * exp(y_2) + y_2**2")

A_BATCH = Setting(
    {"x": "M", "A": "N M", "w": "N"},
    """
    y[k] = sum(A[k, m] * x[m] for m in M)**2 + exp(sum(x[m] for m in M))
    L = sum(w[k] * y[k] for k in N)**2
    """,
)
EACH_ALONE = Setting({"x": "N", "u": ""}, "v = exp(2*u) + u**3\ny[k] = exp(2*x[k]) + x[k]**3")
STANDARDIZED = Setting(
    {"x": "N"},
    """
    mu = mean(x[k] for k in N)
    var = mean((x[k] - mu)**2 for k in N)
    sigma = sqrt(var)
    y[k] = (x[k] - mu) / sigma
    """,
)
MEASURED = replace(
    A_BATCH,
    definitions=A_BATCH.definitions
    + """
    eta = 0.0001
    e[i: M, m: M] = delta[i, m]
    """,
)
ONE_NUMBER = Setting({"x": ""}, "eta = 0.001\ny = exp(2*x) + x**3")

GIVEN = {"x_hat": "N D", "gamma": "D", "beta": "D", "dout": "N D"}
SCALE_AND_SHIFT = Setting(
    GIVEN,
    """
    y[k, j] = gamma[j] * x_hat[k, j] + beta[j]
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)
ANY_PARAMETER = Setting(
    {"theta": "", "A": "N D", "dout": "N D"},
    """
    y[k, l] = exp(A[k, l] * theta)
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)

SPEAKS = [
    Speaks("1.1", ONE_PATH),
    Speaks("1.2", TWO_PATHS),
    Speaks("1.3", A_BATCH),
    Speaks("1.4", EACH_ALONE, functions={"f": ("v", "u")}),
    Speaks("1.5", STANDARDIZED),
    Speaks("1.6", MEASURED, functions={"f": ("y", "x")}),
    Speaks("1.7-1.8", ONE_NUMBER, functions={"f": ("y", "x")}),
    Speaks("1.9-1.10 1.12", SCALE_AND_SHIFT),
    Speaks("1.11", ANY_PARAMETER),
]
