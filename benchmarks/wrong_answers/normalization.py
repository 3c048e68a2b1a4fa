"""Lesson 03: the layer forward and backward, and its one-feature version."""

from wrong_answers import Exercise, Slip, slip

FORWARD = {
    "staged": """
def batchnorm_forward(x, gamma, beta, eps):
    N = len(x)
    mu = np.sum(x, axis=0) / N
    xc = x - mu
    var = np.sum(xc**2, axis=0) / N
    std = np.sqrt(var + eps)
    x_hat = xc / std
    out = gamma * x_hat + beta
    cache = {"x": x, "xc": xc, "x_hat": x_hat, "inv_std": 1 / std, "gamma": gamma, "eps": eps}
    return out, cache
""",
    "closed": """
def batchnorm_forward(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    xc = x - mu
    var = x.var(axis=0)
    std = np.sqrt(var + eps)
    x_hat = xc / std
    return gamma * x_hat + beta, (x, xc, x_hat, 1 / std, gamma, eps)
""",
    "einsum": """
class Kept:
    pass

def batchnorm_forward(x, gamma, beta, eps):
    N, kept = x.shape[0], Kept()
    mu = np.einsum("nd->d", x) / N
    xc = x - mu
    var = np.einsum("nd,nd->d", xc, xc) / N
    std = np.sqrt(var + eps)
    x_hat = np.einsum("nd,d->nd", xc, 1 / std)
    kept.all = x, xc, x_hat, 1 / std, gamma, eps
    return np.einsum("d,nd->nd", gamma, x_hat) + beta, kept
""",
    "loops": """
def batchnorm_forward(x, gamma, beta, eps):
    N, D = x.shape
    out, xcs, x_hats, roots = np.zeros((N, D)), np.zeros((N, D)), np.zeros((N, D)), np.zeros(D)
    for j in range(D):
        column = x[:, j]
        mu = sum(column) / N
        xc = column - mu
        var = sum(v**2 for v in xc) / N
        std = np.sqrt(var + eps)
        x_hat = xc / std
        out[:, j] = gamma[j] * x_hat + beta[j]
        xcs[:, j], x_hats[:, j], roots[j] = xc, x_hat, std
    return out, [x, xcs, x_hats, 1 / roots, gamma, eps]
""",
}

HEAD = """
def batchnorm_backward(dout, cache):
    x, xc, x_hat, inv_std, gamma, eps = {unpack}
    N, D = dout.shape
"""
BACKWARD = {
    "staged": HEAD.format(unpack='(cache[k] for k in ("x", "xc", "x_hat", "inv_std", "gamma", "eps"))')
    + """    dbeta = dout.sum(axis=0)
    dgamma = (dout * x_hat).sum(axis=0)
    dx_hat = dout * gamma
    dinv_std = (dx_hat * xc).sum(axis=0)
    dxc = dx_hat * inv_std
    dvar = -0.5 * inv_std**3 * dinv_std
    dsq = dvar / N * np.ones_like(dout)
    dxc = dxc + 2 * xc * dsq
    dmu = -dxc.sum(axis=0)
    dx = dxc + dmu / N
    return dx, dgamma, dbeta
""",
    "closed": HEAD.format(unpack="cache")
    + """    h = gamma * dout
    mean_h = h.mean(axis=0)
    mean_hx = (h * x_hat).mean(axis=0)
    dx = inv_std * (h - mean_h - x_hat * mean_hx)
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx, dgamma, dbeta
""",
    "einsum": HEAD.format(unpack="cache.all")
    + """    h = np.einsum("d,nd->nd", gamma, dout)
    mean_h = np.einsum("nd->d", h) / N
    mean_hx = np.einsum("nd,nd->d", h, x_hat) / N
    dx = np.einsum("d,nd->nd", inv_std, h - mean_h - np.einsum("nd,d->nd", x_hat, mean_hx))
    dgamma = np.einsum("nd,nd->d", dout, x_hat)
    dbeta = np.einsum("nd->d", dout)
    return dx, dgamma, dbeta
""",
    "loops": HEAD.format(unpack="cache")
    + """    dx, dgamma, dbeta = np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for j in range(D):
        d, z, r = dout[:, j], x_hat[:, j], inv_std[j]
        h = gamma[j] * d
        mean_h = sum(h) / N
        mean_hx = sum(h * z) / N
        dx[:, j] = r * (h - mean_h - z * mean_hx)
        dgamma[j] = sum(d * z)
        dbeta[j] = sum(d)
    return dx, dgamma, dbeta
""",
}


def root(again: str) -> str:
    """An edit that computes the root anew in the backward pass."""
    return f"N, D = dout.shape => N, D = dout.shape\n    inv_std = {again}"


MEAN, VARIANCE = "path-through-the-mean", "path-through-the-variance"
_EINSUM_HX, _EINSUM_LAST = 'np.einsum("nd,nd->d", h, x_hat)', 'np.einsum("nd,d->nd", x_hat, mean_hx)'
# fmt: off
DX: tuple[Slip, ...] = (
    slip("mean path lost", f"{MEAN}-missing | *-zero", all=" - mean_h - => -", staged="dx = dxc + dmu / N => dx = dxc"),
    slip("variance path lost", f"{VARIANCE}-missing | *-zero", closed="- x_hat * mean_hx => ", einsum=f"- {_EINSUM_LAST} => ", loops="- z * mean_hx =>", staged="2 * xc * dsq => 0 * dsq"),
    slip("statistics constant", f"{MEAN}-missing & {VARIANCE}-missing | *-zero", closed="(h - mean_h - x_hat * mean_hx) => h", einsum=f"h - mean_h - {_EINSUM_LAST} => h", loops="(h - mean_h - z * mean_hx) => h", staged="dx = dxc + dmu / N => dx = dx_hat * inv_std"),
    slip("branch overwritten", f"direct-path-missing & {MEAN}-missing | *-zero", closed="(h - mean_h => (0", einsum="h - mean_h => 0", loops="(h - mean_h => (0", staged="dxc = dxc + 2 => dxc = 2"),
    slip("only the last line kept", f"direct-path-missing & {VARIANCE}-missing | *-zero", closed="(h - mean_h - x_hat * mean_hx) => (-mean_h + 0 * h)", loops="(h - mean_h - z * mean_hx) => -mean_h", staged="dx = dxc + dmu / N => dx = dmu / N + 0 * dxc"),
    slip("diagonal only", "only-the-diagonal", closed="mean_h = h.mean(axis=0) => mean_h = h / N ;; (h * x_hat).mean(axis=0) => h * x_hat / N", einsum=f'mean_h = np.einsum("nd->d", h) => mean_h = h ;; {_EINSUM_HX} => h * x_hat ;; {_EINSUM_LAST} => x_hat * mean_hx', loops="sum(h) / N => h / N ;; sum(h * z) / N => h * z / N"),
    slip("gamma missing", "dx-over-gamma | direct-path-over-gamma | direct-path-missing & *-over-gamma | gamma-missing", closed="h = gamma * dout => h = dout", einsum='h = np.einsum("d,nd->nd", gamma, dout) => h = dout', loops="h = gamma[j] * d => h = d", staged="dx_hat = dout * gamma => dx_hat = dout"),
    slip("gamma twice", "dx-times-gamma | *-times-gamma", closed="dx = inv_std => dx = gamma * inv_std", einsum="nd\", inv_std, => nd\", gamma * inv_std,", loops="= r * => = gamma[j] * r *", staged="dx_hat = dout * gamma => dx_hat = dout * gamma**2"),
    slip("gamma in the first term only", f"{MEAN}-over-gamma & {VARIANCE}-over-gamma | {MEAN}-over-gamma & {VARIANCE}-missing | {MEAN}-missing & {VARIANCE}-over-gamma", closed="= h.mean => = dout.mean ;; (h * x_hat).mean => (dout * x_hat).mean", einsum='"nd->d", h) => "nd->d", dout) ;; "nd,nd->d", h, => "nd,nd->d", dout,', loops="sum(h) => sum(d) ;; sum(h * z) => sum(d * z)"),
    slip("gamma not in the last term", f"{VARIANCE}-over-gamma", closed="(h * x_hat).mean => (dout * x_hat).mean", einsum='"nd,nd->d", h, => "nd,nd->d", dout,', loops="sum(h * z) / => sum(d * z) /", staged="dinv_std = (dx_hat => dinv_std = (dout"),
    slip("sum for the first mean", f"{MEAN}-times-N", closed="= h.mean => = h.sum", einsum='"nd->d", h) / N => "nd->d", h)', loops="sum(h) / N => sum(h)", staged="dmu / N => dmu"),
    slip("sum for the last mean", f"{VARIANCE}-times-N", closed="x_hat).mean => x_hat).sum", einsum="h, x_hat) / N => h, x_hat)", loops="sum(h * z) / N => sum(h * z)", staged="dvar / N => dvar"),
    slip("sums for means", f"{MEAN}-times-N & {VARIANCE}-times-N | {MEAN}-times-N & {VARIANCE}-missing | {MEAN}-missing & {VARIANCE}-times-N", closed="= h.mean => = h.sum ;; x_hat).mean => x_hat).sum", loops="sum(h) / N => sum(h) ;; sum(h * z) / N => sum(h * z)", staged="dmu / N => dmu ;; dvar / N => dvar"),
    slip("one 1/N too many", "dx-over-N | *-over-N", closed="dx = inv_std => dx = 1 / N * inv_std", einsum="return dx, => return dx / N,", loops="= r * => = r / N *", staged="dx = dxc + dmu / N => dx = (dxc + dmu / N) / N"),
    slip("sign of the first term", "direct-path-sign", closed="(h - mean_h => (-h - mean_h", einsum="inv_std, h - => inv_std, -h -", loops="(h - mean_h => (-h - mean_h"),
    slip("first term over N", "direct-path-over-N", closed="(h - mean_h => (h / N - mean_h", einsum="inv_std, h - => inv_std, h / N -", loops="(h - mean_h => (h / N - mean_h"),
    slip("sign of the mean", f"{MEAN}-sign", all="h - mean_h => h + mean_h", staged="dxc + dmu / N => dxc - dmu / N"),
    slip("sign of the last", f"{VARIANCE}-sign", closed="- x_hat * mean_hx => + x_hat * mean_hx", einsum=f"- {_EINSUM_LAST} => + {_EINSUM_LAST}", loops="- z * mean_hx => + z * mean_hx", staged="-0.5 * inv_std => 0.5 * inv_std"),
    slip("lost 2", f"{VARIANCE}-halved", closed="x_hat * mean_hx => 0.5 * x_hat * mean_hx", einsum=f"{_EINSUM_LAST} => 0.5 * {_EINSUM_LAST}", loops="z * mean_hx => 0.5 * z * mean_hx", staged="2 * xc => xc"),
    slip("lost half", f"{VARIANCE}-doubled", closed="x_hat * mean_hx => 2 * x_hat * mean_hx", einsum=f"{_EINSUM_LAST} => 2 * {_EINSUM_LAST}", loops="z * mean_hx => 2 * z * mean_hx", staged="-0.5 * inv_std => -inv_std"),
    slip("exponent of the slope", f"{VARIANCE}-over-inv_std* | {VARIANCE}-times-sigma* | xc-for-x-hat", staged="inv_std**3 => inv_std"),
    slip("no root in front", "dx-times-inv_std | dx-over-sigma | direct-path-times-inv_std | direct-path-over-sigma | direct-path-missing & *-times-inv_std | direct-path-missing & *-over-sigma", closed="dx = inv_std => dx = inv_std**2", einsum='"d,nd->nd", inv_std, => "d,nd->nd", inv_std**2,', loops="= r * => = r**2 *"),
    slip("xc for x_hat", f"xc-for-x-hat | {VARIANCE}-over-inv_std^2 | {VARIANCE}-times-sigma^2", closed="(h * x_hat).mean => (h * xc).mean ;; x_hat * mean_hx => xc * mean_hx", einsum="h, x_hat) => h, xc) ;; nd\", x_hat, mean_hx) => nd\", xc, mean_hx)", loops="z, r = dout[:, j], x_hat[:, j], => z, r = dout[:, j], x_hat[:, j], ;; sum(h * z) => sum(h * xc[:, j]) ;; z * mean_hx => xc[:, j] * mean_hx"),
    slip("xc for one x_hat", f"xc-for-one-x-hat | {VARIANCE}-over-inv_std | {VARIANCE}-times-sigma", closed="x_hat * mean_hx => xc * mean_hx", einsum="nd\", x_hat, mean_hx) => nd\", xc, mean_hx)", loops="z * mean_hx => xc[:, j] * mean_hx", staged="inv_std**3 => inv_std**2"),
    slip("x for x_hat", "x-for-x-hat", closed="(h * x_hat).mean => (h * x).mean ;; x_hat * mean_hx => x * mean_hx", einsum="h, x_hat) => h, x) ;; nd\", x_hat, mean_hx) => nd\", x, mean_hx)", loops="sum(h * z) => sum(h * x[:, j]) ;; z * mean_hx => x[:, j] * mean_hx"),
    slip("x for the first x_hat", "x-for-first-x-hat | x-for-x-hat", closed="x_hat * mean_hx => x * mean_hx", einsum="nd\", x_hat, mean_hx) => nd\", x, mean_hx)", loops="z * mean_hx => x[:, j] * mean_hx"),
    slip("x for xc in the square", "x-for-xc*", staged="2 * xc * dsq => 2 * x * dsq"),
    slip("x for xc in the sum", "x-for-xc* | x-for-second-x-hat", staged="(dx_hat * xc) => (dx_hat * x)"),
    slip("Bessel in the forward pass", "bessel | *-bessel", staged="(xc**2, axis=0) / N => (xc**2, axis=0) / (N - 1)", closed="x.var(axis=0) => x.var(axis=0, ddof=1)", einsum="xc, xc) / N => xc, xc) / (N - 1)", loops="for v in xc) / N => for v in xc) / (N - 1)"),
    slip("Bessel in the last term", f"{VARIANCE}-bessel | bessel-in-the-last-term", closed="(h * x_hat).mean(axis=0) => (h * x_hat).sum(axis=0) / (N - 1)", einsum="h, x_hat) / N => h, x_hat) / (N - 1)", loops="sum(h * z) / N => sum(h * z) / (N - 1)", staged="dvar / N => dvar / (N - 1)"),
    slip("Bessel in the first mean", f"{MEAN}-bessel", closed="h.mean(axis=0) => h.sum(axis=0) / (N - 1)", einsum='"nd->d", h) / N => "nd->d", h) / (N - 1)', loops="sum(h) / N => sum(h) / (N - 1)", staged="dmu / N => dmu / (N - 1)"),
    slip("eps dropped", "eps-missing*", all=root("1 / np.sqrt(x.var(axis=0))")),
    slip("eps hard-coded", "eps-fixed*", all=root("1 / np.sqrt(x.var(axis=0) + 1e-5)")),
    slip("eps outside the root", "eps-outside-the-root*", all=root("1 / (np.sqrt(x.var(axis=0)) + eps)")),
    slip("eps dropped in the forward pass", "eps-missing* | dgamma-eps-missing", all="var + eps => var"),
    slip("eps outside in the forward pass", "eps-outside-the-root*", all="np.sqrt(var + eps) => (np.sqrt(var) + eps)"),
    slip("root forgotten", "no-root* | dx-times-inv_std | dx-over-sigma | direct-path-times-inv_std | direct-path-over-sigma | direct-path-missing & *-times-inv_std | direct-path-missing & *-over-sigma", all=root("1 / (x.var(axis=0) + eps)")),
)
AXES: tuple[Slip, ...] = (
    slip("means over the features", "mean*-over-features* | wrong-axis*", closed="(axis=0)\n    mean_hx => (axis=1, keepdims=True)\n    mean_hx ;; x_hat).mean(axis=0) => x_hat).mean(axis=1, keepdims=True)", einsum='"nd->d", h) / N => "nd->n", h)[:, None] / D ;; "nd,nd->d", h, x_hat) / N => "nd,nd->n", h, x_hat)[:, None] / D ;; "nd,d->nd", x_hat, mean_hx => "nd,nk->nd", x_hat, mean_hx'),
    slip("means over everything", "mean*-over-everything* | no-axis*", closed="= h.mean(axis=0) => = h.mean() ;; x_hat).mean(axis=0) => x_hat).mean()"),
    slip("first mean over the features", "mean*-over-features* | wrong-axis*", closed="= h.mean(axis=0) => = h.mean(axis=1, keepdims=True)", einsum='"nd->d", h) / N => "nd->n", h)[:, None] / D'),
    slip("last mean over the features", "mean*-over-features* | wrong-axis*", closed="x_hat).mean(axis=0) => x_hat).mean(axis=1, keepdims=True)"),
    slip("first mean over everything", "mean*-over-everything* | no-axis*", closed="= h.mean(axis=0) => = h.mean()", einsum='"nd->d", h) / N => "nd->", h) / h.size'),
    slip("last mean over everything", "mean*-over-everything* | no-axis*", closed="x_hat).mean(axis=0) => x_hat).mean()"),
    slip("D for N", f"{MEAN}-D-for-N & {VARIANCE}-D-for-N | {MEAN}-D-for-N & {VARIANCE}-missing | {MEAN}-missing & {VARIANCE}-D-for-N", staged="dmu / N => dmu / D ;; dvar / N => dvar / D", einsum="/ N\n    mean_hx => / D\n    mean_hx ;; h, x_hat) / N => h, x_hat) / D", loops="sum(h) / N => sum(h) / D ;; sum(h * z) / N => sum(h * z) / D"),
    slip("N * D for N", f"{MEAN}-over-D & {VARIANCE}-over-D | {MEAN}-over-D & {VARIANCE}-missing | {MEAN}-missing & {VARIANCE}-over-D", staged="dmu / N => dmu / dout.size ;; dvar / N => dvar / dout.size", loops="sum(h) / N => sum(h) / dout.size ;; sum(h * z) / N => sum(h * z) / dout.size"),
)
PARAMETERS: tuple[Slip, ...] = (
    slip("dbeta a mean", "dbeta-mean | dbeta*-over-N | mean-for-sum | sum-over-the-batch-over-N", staged="dbeta = dout.sum => dbeta = dout.mean", closed="dbeta = dout.sum => dbeta = dout.mean", einsum='dbeta = np.einsum("nd->d", dout) => dbeta = np.einsum("nd->d", dout) / N', loops="dbeta[j] = sum(d) => dbeta[j] = sum(d) / N"),
    slip("dgamma a mean", "dgamma-mean | dgamma*-over-N | mean-for-sum | sum-over-the-batch-over-N", staged="(dout * x_hat).sum => (dout * x_hat).mean", closed="(dout * x_hat).sum => (dout * x_hat).mean", einsum="dout, x_hat)\n => dout, x_hat) / N\n", loops="= sum(d * z)\n => = sum(d * z) / N\n"),
    slip("dgamma with x", "dgamma-with-x", staged="(dout * x_hat).sum => (dout * x).sum", closed="(dout * x_hat).sum => (dout * x).sum", einsum="dout, x_hat)\n => dout, x)\n", loops="= sum(d * z)\n => = sum(d * x[:, j])\n"),
    slip("dgamma with xc", "dgamma-with-xc | dgamma-with-centred-x", staged="(dout * x_hat).sum => (dout * xc).sum", closed="(dout * x_hat).sum => (dout * xc).sum", einsum="dout, x_hat)\n => dout, xc)\n", loops="= sum(d * z)\n => = sum(d * xc[:, j])\n"),
    slip("dgamma with gamma", "dgamma-times-gamma | dgamma-contains-gamma", staged="(dout * x_hat).sum => (dout * gamma * x_hat).sum", closed="(dout * x_hat).sum => (h * x_hat).sum", einsum="dout, x_hat)\n => h, x_hat)\n", loops="= sum(d * z)\n => = sum(h * z)\n"),
    slip("dbeta with gamma", "dbeta-times-gamma | dbeta-contains-gamma", staged="dbeta = dout.sum => dbeta = gamma * dout.sum", closed="dbeta = dout.sum => dbeta = h.sum", einsum='dbeta = np.einsum("nd->d", dout) => dbeta = np.einsum("nd->d", h)', loops="dbeta[j] = sum(d) => dbeta[j] = sum(h)"),
    slip("dbeta with x_hat", "dbeta-with-x-hat", staged="dbeta = dout.sum => dbeta = (dout * x_hat).sum", closed="dbeta = dout.sum => dbeta = (dout * x_hat).sum"),
    slip("swapped", "swapped", all="return dx, dgamma, dbeta => return dx, dbeta, dgamma"),
    slip("sign of dgamma", "dgamma*-sign | sum-over-the-batch-sign", all="return dx, dgamma, => return dx, -dgamma,"),
)
OUT: tuple[Slip, ...] = (
    slip("Bessel", "bessel", staged="(xc**2, axis=0) / N => (xc**2, axis=0) / (N - 1)", closed="x.var(axis=0) => x.var(axis=0, ddof=1)", einsum="xc, xc) / N => xc, xc) / (N - 1)", loops="for v in xc) / N => for v in xc) / (N - 1)"),
    slip("eps outside", "eps-outside-the-root", all="np.sqrt(var + eps) => (np.sqrt(var) + eps)"),
    slip("eps dropped", "eps-missing | *no-eps", all="var + eps => var"),
    slip("eps hard-coded", "eps-fixed", all="var + eps => var + 1e-5"),
    slip("no root", "no-root* | scaled-part-times-inv_std | scaled-part-over-sigma", all="np.sqrt(var + eps) => (var + eps)"),
    slip("squared", "squared* | scaled-part-times-inv_std & scaled-part-times-inv_std^2 | scaled-part-over-sigma & scaled-part-over-sigma^2", all="np.sqrt(var + eps) => (var + eps) ** 2"),
    slip("not centred", "not-centred | mean-not-subtracted", closed="x_hat = xc / std => x_hat = x / std", staged="x_hat = xc / std => x_hat = x / std", einsum='("nd,d->nd", xc, => ("nd,d->nd", x,', loops="x_hat = xc / std => x_hat = column / std"),
    slip("one-pass variance", "one-pass-variance", closed="x.var(axis=0) => np.mean(x**2, axis=0) - mu**2", staged="np.sum(xc**2, axis=0) / N => np.sum(x**2, axis=0) / N - mu**2", loops="sum(v**2 for v in xc) / N => sum(v**2 for v in column) / N - mu**2"),
    slip("over the features", "mean-over-features | wrong-axis", closed="x.mean(axis=0) => x.mean(axis=1, keepdims=True) ;; x.var(axis=0) => x.var(axis=1, keepdims=True)", staged="np.sum(x, axis=0) / N => np.mean(x, axis=1, keepdims=True) ;; np.sum(xc**2, axis=0) / N => np.mean(xc**2, axis=1, keepdims=True)"),
    slip("over everything", "mean-over-everything | no-axis", closed="x.mean(axis=0) => x.mean() ;; x.var(axis=0) => x.var()", staged="np.sum(x, axis=0) / N => np.mean(x) ;; np.sum(xc**2, axis=0) / N => np.mean(xc**2)"),
    slip("gamma forgotten", "scaled-part-over-gamma | gamma-missing", staged="gamma * x_hat => x_hat", closed="gamma * x_hat => x_hat", einsum='np.einsum("d,nd->nd", gamma, x_hat) => x_hat', loops="gamma[j] * x_hat => x_hat"),
    slip("beta forgotten", "shift-missing | beta-missing", staged="x_hat + beta => x_hat", closed="x_hat + beta => x_hat", einsum=") + beta => )", loops="x_hat + beta[j] => x_hat"),
    slip("sign of beta", "shift-sign | beta-sign", all="x_hat + beta => x_hat - beta", einsum=") + beta => ) - beta"),
    slip("exchanged", "gamma-and-beta-exchanged", closed="gamma * x_hat + beta => beta * x_hat + gamma", staged="gamma * x_hat + beta => beta * x_hat + gamma", einsum="gamma, x_hat) + beta => beta, x_hat) + gamma", loops="gamma[j] * x_hat + beta[j] => beta[j] * x_hat + gamma[j]"),
    slip("shift inside", "shift-before-scale", closed="gamma * x_hat + beta => gamma * (x_hat + beta)", staged="gamma * x_hat + beta => gamma * (x_hat + beta)", einsum="gamma, x_hat) + beta => gamma, x_hat + beta)", loops="gamma[j] * x_hat + beta[j] => gamma[j] * (x_hat + beta[j])"),
)
# fmt: on


def both(name: str) -> dict[str, str]:
    """Forward and backward in each style, the backward pass under this name."""
    return {style: FORWARD[style] + BACKWARD[style].replace("batchnorm_backward", name) for style in FORWARD}


def _one(text: str) -> str:
    """The same text, or edit of it, for one feature."""
    for old, new in (
        ("(axis=0)", "()"), (", axis=0", ""), ("axis=0, ", ""), ('"nd->d"', '"n->"'), ('"nd,nd->d"', '"n,n->"'),
        ('"d,nd->nd"', '",n->n"'), ('"nd,d->nd"', '"n,->n"'), ("N, D = dout.shape", "N = len(x)"),
    ):  # fmt: skip
        text = text.replace(old, new)
    return text


def _one_feature() -> Exercise:
    styles = {}
    for style in ("staged", "closed", "einsum"):
        lines = _one(BACKWARD[style]).splitlines()
        body = [line for line in lines[3:] if "dgamma" not in line and "dbeta" not in line]
        head = [
            "def normalize_backward(dout, x, gamma, eps):",
            "    var = x.var()",
            "    inv_std = 1 / np.sqrt(var + eps)",
        ]
        head += ["    xc = x - x.mean()", "    x_hat = xc * inv_std"]
        styles[style] = "\n".join([*head, *body, "    return dx,\n"]).replace("return dx,", "return dx")
    slips = tuple(
        Slip(
            s.label, s.names, {style: _one(edit).replace("return dx,", "return dx") for style, edit in s.edits.items()}
        )
        for s in DX
        if "forward" not in s.label
    )
    return Exercise("normalization.normalize_backward", styles, slips)


EXERCISES = (
    _one_feature(),
    Exercise("normalization.batchnorm_forward", FORWARD, OUT),
    Exercise("normalization.batchnorm_backward", both("batchnorm_backward"), (*DX, *AXES, *PARAMETERS)),
)
