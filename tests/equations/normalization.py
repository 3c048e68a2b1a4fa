"""What the displays of lesson 03 speak of."""

from dataclasses import replace

from displays import Speaks

from bnlib.stubs import Setting, normalization

ONE_FEATURE, ALL_FEATURES = normalization.ONE_FEATURE, normalization.ALL_FEATURES


def off_centre(setting):
    """The same with something else in the place of the mean, so that deviations from it do not add up to zero."""
    lines = [
        line if line.strip()[:2] != "mu" else f"{line.partition('#')[0]} + 2"
        for line in setting.definitions.splitlines()
    ]
    return replace(setting, definitions="\n".join(lines))


ANY_CENTRE = replace(  # nothing is known of mu but that it depends on all of x, each in its own way
    ONE_FEATURE,
    given={**ONE_FEATURE.given, "w": "N"},
    definitions=ONE_FEATURE.definitions.replace("mu = mean(x[k] for k in N)", "mu = sum(w[k] * x[k]**2 for k in N)"),
)
ANY_FUNCTION = Setting(  # Jacobians with no symmetry, to show which index is summed
    {"x": "N", "A": "N N", "dout": "N"},
    """
    y[k] = sum(A[k, m] * x[m]**2 for m in N)
    L = sum(dout[k] * y[k] for k in N)
    """,
)
ANY_LAYER = Setting(
    {"x": "N D", "A": "N N", "B": "D D", "dout": "N D"},
    """
    y[k, l] = sum(A[k, m] * B[l, j] * x[m, j]**2 for m in N for j in D)
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)

SCALING = """
    r[l: D] = (mean(xc[m, l]**2 for m in N) + eps)**(-1/2)
    z[k, l] = xc[k, l] * r[l]
    """
CENTRE_THEN_SCALE = Setting(
    ALL_FEATURES.given,
    """
    mu[l] = mean(x[m, l] for m in N)
    xc[k, l] = x[k, l] - mu[l]
    """
    + SCALING
    + """
    y[k, l] = gamma[l] * z[k, l] + beta[l]
    L = sum(dout[k, l] * y[k, l] for k in N for l in D)
    """,
)
SCALING_ALONE = Setting(  # of something that is not centred
    {"xc": "N D", "dz": "N D", "eps": ""}, SCALING + "L = sum(dz[k, l] * z[k, l] for k in N for l in D)"
)
SCALING_OF_ONE = Setting({"xc": "N", "eps": ""}, "r = (mean(xc[m]**2 for m in N) + eps)**(-1/2)\nz[k] = xc[k] * r")

SPEAKS = [
    Speaks("3.1-3.18", ONE_FEATURE),
    Speaks("3.5-3.9 3.10/1", off_centre(ONE_FEATURE)),
    Speaks("3.5-3.6 3.8/1 3.12/1", ANY_CENTRE),
    Speaks("3.16", ANY_FUNCTION),
    Speaks("3.19-3.26", ALL_FEATURES),
    Speaks("3.20/1", off_centre(ALL_FEATURES)),
    Speaks("3.22", ANY_LAYER),
    Speaks("3.27 3.29-3.32", CENTRE_THEN_SCALE),
    Speaks("3.28", SCALING_OF_ONE),
    Speaks("3.29 3.31/1", SCALING_ALONE),
]

IN_WORDS = {r"\mathrm{dx} = \begin{pmatrix}": "a picture of the shape: each of its entries is (3.23)"}
