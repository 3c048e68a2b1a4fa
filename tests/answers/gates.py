"""Lesson 04: right answers in many forms, and wrong ones with the name their diagnosis must give."""

FORWARD = """
def gates_forward(x, gamma, beta, eps):
    mu = {mu}
    xc = {xc}
    sq = {sq}
    var = {var}
    std = {std}
    inv_std = {inv_std}
    x_hat = {x_hat}
    scaled = {scaled}
    out = {out}
    return out, dict(x=x, gamma=gamma, mu=mu, xc=xc, var=var, std=std, inv_std=inv_std, x_hat=x_hat, scaled=scaled, eps=eps)
"""

FORWARD_LINES = {
    "mu": "x.mean(axis=0)",
    "xc": "x - mu",
    "sq": "xc**2",
    "var": "sq.mean(axis=0)",
    "std": "np.sqrt(var + eps)",
    "inv_std": "1.0 / std",
    "x_hat": "xc * inv_std",
    "scaled": "gamma * x_hat",
    "out": "scaled + beta",
}

BACKWARD = """
def gates_backward(dout, cache):
    gamma, xc, var, std, inv_std, x_hat = (cache[k] for k in ("gamma", "xc", "var", "std", "inv_std", "x_hat"))
    N, D = dout.shape
    dbeta = {dbeta}
    dgamma = {dgamma}
    dx_hat = {dx_hat}
    dinv_std = {dinv_std}
    dstd = {dstd}
    dvar = {dvar}
    dsq = {dsq}
    dxc = {dxc}
    dmu = {dmu}
    dx = {dx}
    return {returned}
"""

BACKWARD_LINES = {
    "dbeta": "np.sum(dout, axis=0)",
    "dgamma": "np.sum(dout * x_hat, axis=0)",
    "dx_hat": "gamma * dout",
    "dinv_std": "np.sum(dx_hat * xc, axis=0)",
    "dstd": "dinv_std * -(inv_std**2)",
    "dvar": "0.5 * dstd / std",
    "dsq": "np.ones((N, D)) * dvar / N",
    "dxc": "dx_hat * inv_std + 2.0 * xc * dsq",
    "dmu": "-np.sum(dxc, axis=0)",
    "dx": "dxc + dmu / N",
    "returned": "dbeta, dgamma, dx_hat, dinv_std, dstd, dvar, dsq, dxc, dmu, dx",
}


def forward(**lines):
    return FORWARD.format(**{**FORWARD_LINES, **lines})


def backward(**lines):
    return BACKWARD.format(**{**BACKWARD_LINES, **lines})


FOLDED = """
def folded_backward(dout, x_hat, inv_std, gamma):
    N, D = dout.shape
    dx_hat = {dx_hat}
    dx = {dx}
    dgamma = {dgamma}
    dbeta = {dbeta}
    return {returned}
"""

FOLDED_LINES = {
    "dx_hat": "dout * gamma",
    "dx": "inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))",
    "dgamma": "(dout * x_hat).sum(axis=0)",
    "dbeta": "dout.sum(axis=0)",
    "returned": "dx, dgamma, dbeta",
}


def folded(**lines):
    return FOLDED.format(**{**FOLDED_LINES, **lines})


def mean(body):
    return f"def mean_backward(dvar, N):\n    return {body}"


def square(body):
    return f"def square_backward(dsq, xc):\n    return {body}"


def root(body):
    return f"def root_backward(dstd, std):\n    return {body}"


def invert(body):
    return f"def invert_backward(dinv_std, inv_std):\n    return {body}"


def multiply(dxc="dx_hat * inv_std", dinv_std="np.sum(dx_hat * xc, axis=0)", returned="dxc, dinv_std"):
    return (
        "def multiply_backward(dx_hat, xc, inv_std):\n"
        f"    dxc = {dxc}\n    dinv_std = {dinv_std}\n    return {returned}"
    )


def join(product="dx_hat * inv_std", square="2 * xc * dsq", total="a + b", returned="a, b, c"):
    return (
        f"def join_branches(dx_hat, dsq, xc, inv_std):\n    a = {product}\n    b = {square}\n    c = {total}\n"
        f"    return {returned}"
    )


RIGHT = {
    "gates_forward": {
        "staged": forward(),
        "numpy statistics": """
def gates_forward(x, gamma, beta, eps):
    mu, var = np.mean(x, axis=0), np.var(x, axis=0)
    inv_std = (var + eps) ** -0.5
    x_hat = (x - mu) * inv_std
    return gamma * x_hat + beta, (x_hat, inv_std, gamma)
""",
        "loops over features, list returned": """
def gates_forward(x, gamma, beta, eps):
    out = np.empty(x.shape)
    for l in range(x.shape[1]):
        column = x[:, l]
        mu = sum(column) / len(column)
        var = sum((v - mu) ** 2 for v in column) / len(column)
        out[:, l] = gamma[l] * (column - mu) / np.sqrt(var + eps) + beta[l]
    return [out, None]
""",
        "einsum": """
def gates_forward(x, gamma, beta, eps):
    N = len(x)
    xc = x - np.einsum("kl->l", x) / N
    std = np.sqrt(np.einsum("kl,kl->l", xc, xc) / N + eps)
    return np.einsum("kl,l->kl", xc, gamma / std) + beta, {"xc": xc, "std": std}
""",
        "keepdims": """
def gates_forward(x, gamma, beta, eps):
    xc = x - x.mean(0, keepdims=True)
    std = np.sqrt((xc * xc).mean(0, keepdims=True) + eps)
    return (xc / std * gamma + beta).tolist(), xc
""",
        "prints and asserts": forward(out="(print('gate 9'), scaled + beta)[1]; assert out.shape == x.shape"),
    },
    "mean_backward": {
        "ones": mean("np.ones((N, 1)) * dvar / N"),
        "broadcast": mean("np.broadcast_to(dvar / N, (N, len(dvar)))"),
        "full": mean("np.full((N, dvar.size), dvar) / N"),
        "outer product": mean("np.outer(np.full(N, 1 / N), dvar)"),
        "lists": mean("[[d / N for d in dvar] for _ in range(N)]"),
    },
    "square_backward": {
        "sum": square("xc * dsq + xc * dsq"),
        "power": square("dsq * 2 * xc**1"),
        "einsum": square("2 * np.einsum('kl,kl->kl', dsq, xc)"),
        "lists": square("[[2 * a * b for a, b in zip(r, s)] for r, s in zip(dsq, xc)]"),
    },
    "root_backward": {
        "half": root("0.5 * dstd / std"),
        "from the variance": root("0.5 * (std**2) ** -0.5 * dstd"),
        "one row": root("(dstd / std / 2)[None]"),
        "list": root("[d / (2 * s) for d, s in zip(dstd, std)]"),
    },
    "invert_backward": {
        "square": invert("-(inv_std**2) * dinv_std"),
        "through std": "def invert_backward(dinv_std, inv_std):\n    std = 1 / inv_std\n    return -dinv_std / std**2",
        "einsum": invert("-np.einsum('l,l,l->l', dinv_std, inv_std, inv_std)"),
        "one row": invert("np.array([-dinv_std * inv_std * inv_std])"),
    },
    "multiply_backward": {
        "staged": multiply(),
        "einsum": multiply("np.einsum('kl,l->kl', dx_hat, inv_std)", "np.einsum('kl,kl->l', dx_hat, xc)"),
        "keepdims": multiply(dinv_std="(xc * dx_hat).sum(axis=0, keepdims=True)"),
        "loops": multiply(dinv_std="[dx_hat[:, l] @ xc[:, l] for l in range(xc.shape[1])]"),
        "list returned": multiply(returned="[dxc, dinv_std]"),
    },
    "join_branches": {
        "staged": join(),
        "other exercises": join("multiply_backward(dx_hat, xc, inv_std)[0]", "square_backward(dsq, xc)"),
        "plus equals on a copy": """
def join_branches(dx_hat, dsq, xc, inv_std):
    dxc = np.zeros_like(xc)
    first = dx_hat * inv_std
    dxc += first
    second = 2 * xc * dsq
    dxc += second
    return first, second, dxc
""",
    },
    "gates_backward": {
        "staged": backward(),
        "gates of section 2": backward(
            dinv_std="multiply_backward(dx_hat, xc, inv_std)[1]",
            dstd="invert_backward(dinv_std, inv_std)",
            dvar="root_backward(dstd, std)",
            dsq="mean_backward(dvar, N)",
            dxc="join_branches(dx_hat, dsq, xc, inv_std)[2]",
        ),
        "plus equals": backward(dxc="dx_hat * inv_std; dxc += 2 * xc * dsq", dx="dxc.copy(); dx += dmu / N"),
        "without the zero term": backward(dmu="-np.sum(dx_hat * inv_std, axis=0)"),
        "one step through root and inversion": backward(dvar="-0.5 * dinv_std * (std**2) ** -1.5"),
        "einsum": backward(
            dgamma="np.einsum('kl,kl->l', dout, x_hat)", dinv_std="np.einsum('kl,l,kl->l', dout, gamma, xc)"
        ),
        "one row each": backward(
            dbeta="dout.sum(0, keepdims=True)",
            dgamma="(dout * x_hat).sum(0, keepdims=True)",
            dinv_std="(dx_hat * xc).sum(0, keepdims=True)",
            dmu="-dxc.sum(0, keepdims=True)",
        ),
        "list returned": backward(returned="[dbeta, dgamma, dx_hat, dinv_std, dstd, dvar, dsq, dxc, dmu, dx]"),
        "closed form for dx": backward(
            dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))"
        ),
        "sums in loops": backward(
            dbeta="sum(dout)", dmu="-sum(dxc)", dgamma="sum(dout[k] * x_hat[k] for k in range(N))"
        ),
        "own cache, a tuple": """
def gates_forward(x, gamma, beta, eps):
    xc = x - x.mean(axis=0)
    std = np.sqrt((xc**2).mean(axis=0) + eps)
    return gamma * xc / std + beta, (xc, std, gamma)

def gates_backward(dout, cache):
    xc, std, gamma = cache
    N = len(xc)
    dx_hat = dout * gamma
    dinv = (dx_hat * xc).sum(0)
    dstd = -dinv / std**2
    dvar = dstd / std / 2
    dsq = np.zeros(xc.shape) + dvar / N
    dxc = dx_hat / std + 2 * xc * dsq
    dmu = -dxc.sum(0)
    return dout.sum(0), (dout * xc / std).sum(0), dx_hat, dinv, dstd, dvar, dsq, dxc, dmu, dxc + dmu / N
""",
        "own cache, an object": """
class Kept:
    pass

def gates_forward(x, gamma, beta, eps):
    c = Kept()
    c.x, c.gamma, c.eps = x.copy(), gamma, eps
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta, c

def gates_backward(dout, cache):
    xc = cache.x - cache.x.mean(0)
    std = np.sqrt(cache.x.var(0) + cache.eps)
    N = len(xc)
    dx_hat = dout * cache.gamma
    dinv = (dx_hat * xc).sum(0)
    dstd = -dinv / std**2
    dvar = dstd / std / 2
    dsq = np.zeros(xc.shape) + dvar / N
    dxc = dx_hat / std + 2 * xc * dsq
    dmu = -dxc.sum(0)
    return dout.sum(0), (dout * xc / std).sum(0), dx_hat, dinv, dstd, dvar, dsq, dxc, dmu, dxc + dmu / N
""",
        "right although the forward is wrong": forward(std="np.sqrt(var)") + backward(),
        "right although there is no forward": "def gates_forward(x, gamma, beta, eps):\n    raise NotImplementedError\n"
        + backward(),
    },
    "folded_backward": {
        "closed form": folded(),
        "one line": folded(dx="gamma * inv_std / N * (N * dout - dout.sum(0) - x_hat * (dout * x_hat).sum(0))"),
        "einsum": folded(
            dx="np.einsum('l,ki,il->kl', inv_std, np.eye(N) - 1 / N, dx_hat)"
            " - inv_std * x_hat * np.einsum('kl,kl->l', dx_hat, x_hat) / N"
        ),
        "Jacobian": """
def folded_backward(dout, x_hat, inv_std, gamma):
    N, D = dout.shape
    dx = np.zeros((N, D))
    for l in range(D):
        J = gamma[l] * inv_std[l] * (np.eye(N) - 1 / N - np.outer(x_hat[:, l], x_hat[:, l]) / N)
        dx[:, l] = dout[:, l] @ J
    return dx, np.diag(dout.T @ x_hat), np.ones(N) @ dout
""",
        "staged": """
def folded_backward(dout, x_hat, inv_std, gamma):
    dx_hat = dout * gamma
    dxc = inv_std * (dx_hat - x_hat * np.mean(dx_hat * x_hat, axis=0))
    return dxc - dxc.mean(axis=0), np.sum(dout * x_hat, axis=0, keepdims=True), np.sum(dout, axis=0, keepdims=True)
""",
    },
}

WRONG = {
    "gates_forward": {
        "ddof": ("ddof", forward(var="sq.sum(axis=0) / (len(x) - 1)")),
        "eps outside": ("eps-outside-root", forward(std="np.sqrt(var) + eps")),
        "no eps": ("no-eps", forward(std="np.sqrt(var)")),
        "eps fixed": ("fixed-eps", forward(std="np.sqrt(var + 1e-5)")),
        "no root": ("no-root", forward(std="var + eps")),
        "no inversion": ("no-inversion", forward(inv_std="std")),
        "no mean of squares": ("no-mean-of-squares", forward(var="sq.sum(axis=0)")),
        "squares of x": ("squares-of-x", forward(sq="x**2")),
        "not centred": ("not-centred", forward(x_hat="x * inv_std")),
        "over features": (
            "statistics-over-features",
            forward(mu="x.mean(axis=1, keepdims=True)", var="sq.mean(axis=1, keepdims=True)"),
        ),
        "over everything": ("statistics-over-everything", forward(mu="x.mean()", var="sq.mean()")),
        "no scale": ("no-scale", forward(scaled="x_hat")),
        "no shift": ("no-shift", forward(out="scaled")),
        "x_hat": ("no-scale-no-shift", forward(out="x_hat")),
        "exchanged": ("scale-and-shift-exchanged", forward(scaled="beta * x_hat", out="scaled + gamma")),
        "in place": ("input-changed", forward(mu="x.mean(axis=0); x -= mu", xc="x")),
        "only out": ("wrong-count", forward().replace("return out,", "return out #")),
        "no return": ("returned-none", forward().replace("return out,", "out,")),
        "variance squared": (None, forward(std="(var + eps) ** 2")),
        "float32": ("dtype-lost", forward(out="(scaled + beta).astype(np.float32)")),
        "negative variance": ("returned-nan", forward(var="mu - 100")),
    },
    "mean_backward": {
        "no 1/N": ("share-of-each-example-times-N", mean("np.tile(dvar, (N, 1))")),
        "not copied": ("wrong-shape", mean("dvar / N")),
        "1/N twice": ("share-of-each-example-over-N", mean("np.tile(dvar / N**2, (N, 1))")),
        "sign": ("share-of-each-example-sign", mean("np.tile(-dvar / N, (N, 1))")),
        "one row only": ("one-row-only", mean("np.vstack([dvar / N, np.zeros((N - 1, len(dvar)))])")),
        "over D": ("one-over-D", mean("np.tile(dvar / len(dvar), (N, 1))")),
        "N - 1": ("share-of-each-example-bessel", mean("np.tile(dvar / (N - 1), (N, 1))")),
    },
    "square_backward": {
        "no 2": ("local-slope-halved", square("xc * dsq")),
        "twice 2": ("local-slope-doubled", square("4 * xc * dsq")),
        "slope alone": ("gradient-not-used", square("2 * xc")),
        "value": ("value-for-slope", square("xc**2 * dsq")),
        "no xc": ("slope-without-value", square("2 * dsq")),
        "sign": ("local-slope-sign", square("-2 * xc * dsq")),
        "in place": (
            "input-changed",
            "def square_backward(dsq, xc):\n    dsq *= 2 * xc\n    return dsq",
        ),
    },
    "root_backward": {
        "no half": ("local-slope-doubled", root("dstd / std")),
        "quarter": ("local-slope-halved", root("dstd / (4 * std)")),
        "root again": ("root-taken-twice", root("dstd / (2 * np.sqrt(std))")),
        "squared": ("input-for-output", root("dstd / (2 * std**2)")),
        "cubed": ("exponent", root("0.5 * dstd * std**-3")),
        "times": ("inverted", root("dstd * 2 * std")),
        "sign": ("local-slope-sign", root("-0.5 * dstd / std")),
        "slope alone": ("gradient-not-used", root("1 / (2 * std)")),
    },
    "invert_backward": {
        "sign": ("local-slope-sign", invert("dinv_std * inv_std**2")),
        "power one": ("exponent", invert("-dinv_std * inv_std")),
        "std": ("std-for-inv-std", invert("-dinv_std / inv_std**2")),
        "slope alone": ("gradient-not-used", invert("-(inv_std**2)")),
        "half": ("local-slope-halved", invert("-0.5 * dinv_std * inv_std**2")),
        "inverse": (None, invert("1 / dinv_std")),
    },
    "multiply_backward": {
        "no sum": ("wrong-shape", multiply(dinv_std="dx_hat * xc")),
        "mean": ("sum-over-the-batch-over-N", multiply(dinv_std="(dx_hat * xc).mean(axis=0)")),
        "wrong axis": ("wrong-shape", multiply(dinv_std="(dx_hat * xc).sum(axis=1)")),
        "everything": ("wrong-shape", multiply(dinv_std="(dx_hat * xc).sum()")),
        "own factor": ("own-factor", multiply(dxc="dx_hat * xc")),
        "own factor in dinv_std": ("own-factor-too", multiply(dinv_std="(dx_hat * inv_std).sum(axis=0)")),
        "divided": ("divided", multiply(dxc="dx_hat / inv_std")),
        "not multiplied": ("not-multiplied", multiply(dxc="1 * dx_hat")),
        "x_hat": ("x-hat-for-xc", multiply(dinv_std="(dx_hat * xc * inv_std).sum(axis=0)")),
        "dx_hat alone": ("other-factor-missing", multiply(dinv_std="dx_hat.sum(axis=0)")),
        "product of sums": ("sums-multiplied", multiply(dinv_std="dx_hat.sum(axis=0) * xc.sum(axis=0)")),
        "sign": ("product-with-the-other-factor-sign", multiply(dxc="-dx_hat * inv_std")),
        "order": (None, multiply(returned="dinv_std, dxc")),
        "one value": ("wrong-count", multiply(returned="dxc")),
    },
    "join_branches": {
        "overwritten": ("branch-of-the-multiply-gate-missing", join(total="b")),
        "first branch alone": ("branch-of-the-square-gate-missing", join(total="a")),
        "average": ("dxc-halved", join(total="(a + b) / 2")),
        "difference": ("branch-of-the-square-gate-sign", join(total="a - b")),
        "product": ("branches-multiplied", join(total="a * b")),
        "no 2": ("branch-of-the-square-gate-halved", join(square="xc * dsq")),
        "own factor": ("own-factor", join(product="dx_hat * xc")),
        "exchanged": ("swapped", join(returned="b, a, c")),
        "plus equals on the first": (None, join(total="a; c += b")),
    },
    "gates_backward": {
        "dbeta mean": ("sum-over-the-batch-over-N", backward(dbeta="dout.mean(axis=0)")),
        "dbeta with gamma": ("gamma-in-dbeta", backward(dbeta="gamma * dout.sum(axis=0)")),
        "dbeta not summed": ("not-summed-dbeta", backward(dbeta="dout")),
        "dbeta over everything": ("wrong-shape", backward(dbeta="dout.sum()")),
        "dbeta over features": ("wrong-shape", backward(dbeta="dout.sum(axis=1)")),
        "dgamma mean": ("sum-over-the-batch-over-N", backward(dgamma="(dout * x_hat).mean(axis=0)")),
        "dgamma with x": ("x-for-x-hat", backward(dgamma="(dout * cache['x']).sum(axis=0)") + forward()),
        "dgamma with xc": ("xc-for-x-hat", backward(dgamma="(dout * xc).sum(axis=0)")),
        "dgamma with gamma": ("gamma-in-dgamma", backward(dgamma="(dout * gamma * x_hat).sum(axis=0)")),
        "dgamma is dbeta": ("dgamma-is-dbeta", backward(dgamma="dout.sum(axis=0)")),
        "dgamma not summed": ("not-summed-dgamma", backward(dgamma="dout * x_hat")),
        "dgamma and dbeta exchanged": (
            "swapped",
            backward(returned="dgamma, dbeta, dx_hat, dinv_std, dstd, dvar, dsq, dxc, dmu, dx"),
        ),
        "gamma missing": ("gamma-missing", backward(dx_hat="dout")),
        "gamma twice": ("product-with-gamma-times-gamma", backward(dx_hat="dout * gamma**2")),
        "dinv_std mean": ("sum-over-the-batch-over-N", backward(dinv_std="(dx_hat * xc).mean(axis=0)")),
        "dinv_std not summed": ("not-summed-dinv-std", backward(dinv_std="dx_hat * xc")),
        "dinv_std with x_hat": ("x-hat-for-xc", backward(dinv_std="(dx_hat * x_hat).sum(axis=0)")),
        "dinv_std with x": ("x-for-xc", backward(dinv_std="(dx_hat * cache['x']).sum(axis=0)") + forward()),
        "dinv_std with dout": ("gamma-missing-in-dinv-std", backward(dinv_std="(dout * xc).sum(axis=0)")),
        "dinv_std own factor": ("own-factor", backward(dinv_std="(dx_hat * inv_std).sum(axis=0)")),
        "dstd sign": ("slope-of-the-inversion-sign", backward(dstd="dinv_std * inv_std**2")),
        "dstd exponent": ("inversion-exponent", backward(dstd="-dinv_std * inv_std")),
        "dstd times std": ("std-for-inv-std", backward(dstd="-dinv_std * std**2")),
        "dstd without eps": ("eps-missing-in-dstd", backward(dstd="-dinv_std / var")),
        "dstd is dvar": ("slope-of-inverse-root", backward(dstd="-0.5 * dinv_std * inv_std**3", dvar="dstd")),
        "dvar no half": ("slope-of-the-root-doubled", backward(dvar="dstd / std")),
        "dvar exponent": ("root-exponent", backward(dvar="0.5 * dstd / std**2")),
        "dvar exponent -3": ("root-exponent-3", backward(dvar="-0.5 * dstd * std**-3.0")),
        "dvar root again": ("root-exponent-half", backward(dvar="0.5 * dstd / np.sqrt(std)")),
        "dvar without eps": ("eps-missing", backward(dvar="0.5 * dstd / np.sqrt(var)")),
        "dvar fixed eps": ("eps-fixed", backward(dvar="0.5 * dstd / np.sqrt(var + 1e-5)")),
        "dvar from var": ("var-for-std", backward(dvar="0.5 * dstd / var")),
        "dsq sum": ("share-of-each-example-times-N", backward(dsq="np.ones((N, D)) * dvar")),
        "dsq bessel": ("share-of-each-example-bessel", backward(dsq="np.ones((N, D)) * dvar / (N - 1)")),
        "dsq over D": ("one-over-D", backward(dsq="np.ones((N, D)) * dvar / D")),
        "dsq not shared out": ("not-shared-out", backward(dsq="dvar / N")),
        "dsq with xc": ("values-for-gradient", backward(dsq="xc * dvar / N")),
        "overwritten by the square gate": (
            "branch-of-the-multiply-gate-missing",
            backward(dxc="dx_hat * inv_std; dxc = 2 * xc * dsq"),
        ),
        "overwritten by the multiply gate": (
            "branch-of-the-square-gate-missing",
            backward(dxc="2 * xc * dsq; dxc = dx_hat * inv_std"),
        ),
        "lost 2": ("branch-of-the-square-gate-halved", backward(dxc="dx_hat * inv_std + xc * dsq")),
        "sign of a branch": ("branch-of-the-square-gate-sign", backward(dxc="dx_hat * inv_std - 2 * xc * dsq")),
        "xc missing": ("xc-missing-in-square", backward(dxc="dx_hat * inv_std + 2 * dsq")),
        "x_hat in the square": ("x-hat-in-square", backward(dxc="dx_hat * inv_std + 2 * x_hat * dsq")),
        "branches multiplied": ("branches-multiplied", backward(dxc="dx_hat * inv_std * 2 * xc * dsq")),
        "aliased": ("aliased", backward(dx="dxc; dx += dmu / N")),
        "dmu mean": ("sum-over-the-batch-over-N", backward(dmu="-dxc.mean(axis=0)")),
        "dmu sign": ("sum-over-the-batch-sign", backward(dmu="dxc.sum(axis=0)")),
        "dmu not summed": ("not-summed-dmu", backward(dmu="-dxc")),
        "dmu without gamma": ("gamma-missing-in-dmu", backward(dmu="-(dout * inv_std).sum(axis=0)")),
        "dx direct alone": ("path-through-the-mean-missing", backward(dx="dxc + 0")),
        "dx mean alone": ("direct-path-missing", backward(dx="np.ones((N, D)) * dmu / N")),
        "dx sum": ("path-through-the-mean-times-N", backward(dx="dxc + dmu")),
        "dx sign": ("path-through-the-mean-sign", backward(dx="dxc - dmu / N")),
        "dx 1/N": ("dx-over-N", backward(dx="(dxc + dmu / N) / N")),
        "dx statistics constant": (None, backward(dx="dx_hat * inv_std")),
        "dx diagonal": ("only-the-diagonal", backward(dx="dx_hat * inv_std * (1 - 1 / N - x_hat**2 / N)")),
        "dx wrong axis": ("over-features-in-dx", backward(dx="dxc - dxc.mean(axis=1, keepdims=True)")),
        "unfinished": (
            "unfinished",
            backward(returned="dbeta, dgamma, dx_hat, dinv_std, None, None, None, None, None, None"),
        ),
        "only three": ("wrong-count", backward(returned="dx, dgamma, dbeta")),
        "in place": ("input-changed", backward(dx_hat="dout; dx_hat *= gamma")),
        "nan": ("returned-nan", backward(dvar="0.5 * dstd / np.sqrt(-std)")),
        "tuple cache and a wrong forward": (
            "empty",
            "def gates_forward(x, gamma, beta, eps):\n    return x, (x, gamma)\n"
            "def gates_backward(dout, cache):\n    x, gamma = cache\n    return None",
        ),
    },
    "folded_backward": {
        "constants": (None, folded(dx="dx_hat * inv_std")),
        "mean path only": (
            "path-through-the-variance-missing",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0))"),
        ),
        "variance path only": (
            "path-through-the-mean-missing",
            folded(dx="inv_std * (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "overwritten": ("direct-path-missing", folded(dx="-inv_std * x_hat * (dx_hat * x_hat).mean(axis=0)")),
        "diagonal": ("only-the-diagonal", folded(dx="inv_std * dx_hat * (1 - 1 / N - x_hat**2 / N)")),
        "gamma missing": ("dx-over-gamma", folded(dx_hat="dout")),
        "gamma twice": ("dx-times-gamma", folded(dx_hat="dout * gamma**2")),
        "gamma in some terms": (
            "path-through-the-mean-over-gamma",
            folded(dx="inv_std * (dx_hat - dout.mean(axis=0) - x_hat * (dout * x_hat).mean(axis=0))"),
        ),
        "sums": (
            "path-through-the-mean-times-N",
            folded(dx="inv_std * (dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0))"),
        ),
        "one sum": (
            "path-through-the-variance-times-N",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0))"),
        ),
        "one over N too many": (
            "dx-over-N",
            folded(dx="inv_std / N * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "sign of the mean": (
            "path-through-the-mean-sign",
            folded(dx="inv_std * (dx_hat + dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "sign of the variance": (
            "path-through-the-variance-sign",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) + x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "half": (
            "path-through-the-variance-halved",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - 0.5 * x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "doubled": (
            "path-through-the-variance-doubled",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - 2 * x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "variance in front": (
            "dx-times-inv_std",
            folded(dx="inv_std**2 * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))"),
        ),
        "no std": (
            "dx-over-inv_std",
            folded(dx="dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)"),
        ),
        "xc for x_hat": (
            "path-through-the-variance-over-inv_std**2",
            folded(
                dx="inv_std * (dx_hat - dx_hat.mean(axis=0)"
                " - x_hat / inv_std * (dx_hat * x_hat / inv_std).mean(axis=0))"
            ),
        ),
        "bessel": (
            "path-through-the-variance-bessel",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0) / (N - 1))"),
        ),
        "wrong axis": (
            "mean-over-features",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(1)[:, None] - x_hat * (dx_hat * x_hat).mean(1)[:, None])"),
        ),
        "no axis": (
            "mean-over-everything",
            folded(dx="inv_std * (dx_hat - dx_hat.mean() - x_hat * (dx_hat * x_hat).mean())"),
        ),
        "x_hat not outside": (
            "x-hat-missing-outside",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - (dx_hat * x_hat).mean(axis=0))"),
        ),
        "x_hat not inside": (
            "x-hat-missing-inside",
            folded(dx="inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * dx_hat.mean(axis=0))"),
        ),
        "dgamma mean": ("sum-over-the-batch-over-N", folded(dgamma="(dout * x_hat).mean(axis=0)")),
        "dbeta mean": ("sum-over-the-batch-over-N", folded(dbeta="dout.mean(axis=0)")),
        "dgamma with gamma": ("gamma-in-dgamma", folded(dgamma="(dx_hat * x_hat).sum(axis=0)")),
        "dbeta with gamma": ("gamma-in-dbeta", folded(dbeta="dx_hat.sum(axis=0)")),
        "dgamma with xc": ("xc-for-x-hat", folded(dgamma="(dout * x_hat / inv_std).sum(axis=0)")),
        "dgamma and dbeta exchanged": ("swapped", folded(returned="dx, dbeta, dgamma")),
        "zero": ("dx-zero", folded(dx="0 * dout")),
        "in place": ("input-changed", folded(dx_hat="dout; dx_hat *= gamma")),
        "order": (None, folded(returned="dgamma, dbeta, dx")),
    },
}
