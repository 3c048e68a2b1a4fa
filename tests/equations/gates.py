"""What the displays of lesson 04 speak of."""

from dataclasses import replace

from displays import Speaks

from bnlib.stubs import Setting

NINE_GATES = Setting(  # xc and the mean have a wire of their own to each gate that they feed
    {"x": "N D", "gamma": "D", "beta": "D", "dout": "N D", "eps": ""},
    """
    mu[l] = mean(x[m, l] for m in N)
    xc[k, l] = x[k, l] - mu[l]
    xc_square[k, l] = xc[k, l]
    xc_product[k, l] = xc[k, l]
    sq[k, l] = xc_square[k, l]**2
    var[l] = mean(sq[m, l] for m in N)
    std[l] = sqrt(var[l] + eps)
    r[l] = 1 / std[l]
    x_hat[k, l] = xc_product[k, l] * r[l]
    scaled[k, l] = gamma[l] * x_hat[k, l]
    out[k, l] = scaled[k, l] + beta[l]
    L = sum(dout[k, l] * out[k, l] for k in N for l in D)
    """,
)
OFF_CENTRE = replace(  # deviations that do not add up to zero
    NINE_GATES, definitions=NINE_GATES.definitions.replace("mean(x[m, l] for m in N)", "mean(x[m, l] for m in N) + 2")
)
ANY_GATE = Setting({"u": ""}, "v = exp(u) + u**3\nL = v**3")
MEASURED = replace(
    NINE_GATES,
    definitions=NINE_GATES.definitions
    + """
    eta = 0.0001
    e[k: N, l: D, m: N, n: D] = delta[k, m] * delta[l, n]
    """,
)

SPEAKS = [
    Speaks("4.1-4.9 4.11-4.17 4.19-4.24", NINE_GATES),
    Speaks("4.11-4.17 4.19-4.21", OFF_CENTRE),
    Speaks("4.10", ANY_GATE, functions={"f": ("v", "u")}),
    Speaks("4.18", MEASURED, functions={"L": ("L", "xc")}),
]
