"""Lesson 03: right answers in many forms, and wrong ones with the name their diagnosis must give."""


def backward(name, dx, dgamma="np.sum(dout * x_hat, axis=0)", dbeta="np.sum(dout, axis=0)", before=""):
    """A backward pass over the reference answer's cache, with these three expressions."""
    lines = [
        f"def {name}(dout, cache):",
        "    xc, x_hat, inv_std, gamma, eps = cache",
        "    N, D = dout.shape",
        "    h = gamma * dout",
        *(f"    {line}" for line in before.splitlines()),
        f"    dx = {dx}",
        f"    return dx, {dgamma}, {dbeta}",
    ]
    return "\n".join(lines)


def one_feature(dx, before=""):
    """The same for one feature, from scratch."""
    lines = [
        "def normalize_backward(dout, x, gamma, eps):",
        "    N, mu, var = len(x), x.mean(), x.var()",
        "    inv_std = 1 / np.sqrt(var + eps)",
        "    xc = x - mu",
        "    x_hat = xc * inv_std",
        "    h = gamma * dout",
        *(f"    {line}" for line in before.splitlines()),
        f"    return {dx}",
    ]
    return "\n".join(lines)


def jacobian(J):
    return "\n".join(
        (
            "def normalize_jacobian(x, gamma, eps):",
            "    N, xc, var = len(x), x - x.mean(), x.var()",
            "    inv_std = 1 / np.sqrt(var + eps)",
            "    x_hat, I = xc * inv_std, np.eye(len(x))",
            f"    return {J}",
        )
    )


def product_rule(J):
    return "\n".join(
        (
            "def xhat_jacobian(x, eps):",
            "    N, mu, I = len(x), x.mean(), np.eye(len(x))",
            "    r, dr = (x.var() + eps) ** -0.5, dinvstd_dx(x, eps)",
            f"    return {J}",
        )
    )


def rms(dxc):
    return "\n".join(
        (
            "def rms_scale_backward(dout, xc, eps):",
            "    ms = np.mean(xc * xc, axis=0)",
            "    inv = (ms + eps) ** -0.5",
            "    z, N = xc * inv, len(xc)",
            f"    return {dxc}",
        )
    )


def forward(out, before=""):
    lines = [
        "def batchnorm_forward(x, gamma, beta, eps):",
        "    mu, var = x.mean(axis=0), x.var(axis=0)",
        *(f"    {line}" for line in before.splitlines()),
        f"    return {out}, None",
    ]
    return "\n".join(lines)


STAGED = """
xc, x_hat, inv_std, gamma, eps = cache
N = dout.shape[0]
dx_hat = dout * gamma
dvar = np.sum(dx_hat * xc, axis=0) * -0.5 * inv_std**3
dmu = np.sum(-dx_hat * inv_std, axis=0){zero}
dx = dx_hat * inv_std + dvar * 2 * xc / N + dmu / N
return dx, np.sum(dout * x_hat, axis=0), np.sum(dout, axis=0)
"""


def staged(name, zero):
    body = STAGED.format(zero=zero).strip().replace("\n", "\n    ")
    return f"def {name}(dout, cache):\n    {body}"


PAIR = """
def batchnorm_forward(x, gamma, beta, eps):
    mu, var = np.mean(x, 0), np.var(x, 0)
    x_hat = (x - mu) / np.sqrt(var + eps)
    return x_hat * gamma + beta, {cache}

def {name}(dout, cache):
    {unpack}
    N = len(dout)
    d = dout * gamma
    dx = (d - d.sum(0) / N - x_hat * (d * x_hat).sum(0) / N) / np.sqrt(var + eps)
    return {result}
"""


def pair(name, cache, unpack, result="dx, (dout * x_hat).sum(0), dout.sum(0)"):
    """Forward and backward that share a cache of some kind."""
    return PAIR.format(name=name, cache=cache, unpack=unpack, result=result)


def caches(name):
    return {
        "cache is a dict": pair(
            name,
            "{'x_hat': x_hat, 'gamma': gamma, 'var': var, 'eps': eps}",
            "x_hat, gamma, var, eps = (cache[k] for k in ('x_hat', 'gamma', 'var', 'eps'))",
        ),
        "cache is a list": pair(name, "[x_hat, gamma, var, eps]", "x_hat, gamma, var, eps = cache"),
        "cache is an object": pair(
            name, "Kept(x_hat, gamma, var, eps)", "x_hat, gamma, var, eps = cache.a, cache.b, cache.c, cache.d"
        )
        + "\nclass Kept:\n    def __init__(self, a, b, c, d):\n        self.a, self.b, self.c, self.d = a, b, c, d\n",
        "cache is one array": pair(
            name,
            "np.vstack([x_hat, gamma, var, np.full(len(var), eps)])",
            "x_hat, gamma, var, eps = cache[:-3], cache[-3], cache[-2], cache[-1]",
        ),
        "cache is a function": pair(name, "lambda: (x_hat, gamma, var, eps)", "x_hat, gamma, var, eps = cache()"),
        "result is a list": pair(
            name,
            "(x_hat, gamma, var, eps)",
            "x_hat, gamma, var, eps = cache",
            "[dx, (dout * x_hat).sum(0), dout.sum(0)]",
        ),
        "result has nested lists": pair(
            name,
            "(x_hat, gamma, var, eps)",
            "x_hat, gamma, var, eps = cache",
            "dx.tolist(), (dout * x_hat).sum(0).tolist(), list(dout.sum(0))",
        ),
        "(1, D) gradients": pair(
            name,
            "(x_hat, gamma, var, eps)",
            "x_hat, gamma, var, eps = cache",
            "dx, (dout * x_hat).sum(0, keepdims=True), dout.sum(0, keepdims=True)",
        ),
        "float64 made of ones": pair(
            name,
            "(x_hat, gamma, var, eps)",
            "x_hat, gamma, var, eps = cache",
            "np.ones(dout.shape) * dx, np.ones(len(gamma)) * (dout * x_hat).sum(0), np.ones(len(dout)) @ dout",
        ),
        "helper functions and prints": pair(
            name,
            "keep(x_hat, gamma, var, eps)",
            "x_hat, gamma, var, eps = fetch(cache); print(dout.shape); assert dout.ndim == 2",
        )
        + "\ndef keep(*args):\n    return tuple(args)\n\ndef fetch(kept):\n    return kept\n",
        "staged": staged(name, " - dvar * 2 * xc.sum(axis=0) / N"),
        "staged, without the zero term": staged(name, ""),
        "staged, the zero term with a wrong factor": staged(name, " + dvar * np.sum(-2 * xc, axis=0)"),
        "staged, the zero term over the wrong axis": staged(name, " + dvar * np.mean(-2 * xc.sum(axis=0))"),
        "einsum": backward(
            name,
            "inv_std * (h - np.einsum('nd->d', h) / N - np.einsum('nd,md,md->nd', x_hat, h, x_hat) / N)",
            "np.einsum('nd,nd->d', dout, x_hat)",
            "np.einsum('nd->d', dout)",
        ),
        "loop over the features": f"""
def {name}(dout, cache):
    xc, x_hat, inv_std, gamma, eps = cache
    dx = np.zeros(dout.shape)
    dgamma, dbeta = [], []
    for j in range(dout.shape[1]):
        d, v = dout[:, j], x_hat[:, j]
        J = np.eye(len(d)) - (1 + np.outer(v, v)) / len(d)
        dx[:, j] = gamma[j] * inv_std[j] * (d @ J)
        dgamma.append(d @ v)
        dbeta.append(sum(d))
    return dx, dgamma, np.array(dbeta)
""",
        "loops": f"""
def {name}(dout, cache):
    xc, x_hat, inv_std, gamma, eps = cache
    N, D = dout.shape
    dx, dgamma, dbeta = np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for j in range(D):
        for k in range(N):
            dbeta[j] += dout[k, j]
            dgamma[j] += dout[k, j] * x_hat[k, j]
            for i in range(N):
                dx[i, j] += dout[k, j] * gamma[j] * inv_std[j] * ((k == i) - 1 / N - x_hat[i, j] * x_hat[k, j] / N)
    return dx, dgamma, dbeta
""",
        "N in front": backward(name, "inv_std / N * (N * h - h.sum(axis=0) - x_hat * np.sum(h * x_hat, axis=0))"),
        "as PyTorch writes it": backward(
            name,
            "(dout - dout.mean(axis=0) - xc * inv_std**2 * dotp / N) * inv_std * gamma",
            before="dotp = np.sum(dout * xc, axis=0)",
        ),
    }


RIGHT = {
    "batch_statistics": {
        "one line": "def batch_statistics(x):\n    return np.mean(x, axis=0), np.var(x, axis=0)",
        "list": "def batch_statistics(x):\n    return [x.mean(0), x.var(0)]",
        "keepdims": "def batch_statistics(x):\n    return x.mean(0, keepdims=True), x.var(0, keepdims=True)",
        "loops": """
def batch_statistics(x):
    N, D = x.shape
    mu, var = [], []
    for l in range(D):
        mu.append(sum(x[:, l]) / N)
        var.append(sum((v - mu[l]) ** 2 for v in x[:, l]) / N)
    return mu, var
""",
        "einsum": """
def batch_statistics(x):
    mu = np.einsum("nd->d", x) / x.shape[0]
    xc = x - mu[None, :]
    return mu, np.einsum("nd,nd->d", xc, xc) / x.shape[0]
""",
        "shifted one-pass": """
def batch_statistics(x):
    y = x - x[0]
    return x[0] + y.mean(0), (y**2).mean(0) - y.mean(0) ** 2
""",
        "ddof undone": "def batch_statistics(x):\n    return x.mean(0), x.var(0, ddof=1) * (len(x) - 1) / len(x)",
    },
    "dvar_dx": {
        "one line": "def dvar_dx(x):\n    return 2 * (x - x.mean()) / x.size",
        "with the zero": "def dvar_dx(x):\n    c = x - x.mean()\n    return 2 / len(x) * c - 2 / len(x) ** 2 * c.sum()",
        "zero with a wrong factor": "def dvar_dx(x):\n    c = x - x.mean()\n    return 2 / len(x) * c - 2 * c.sum()",
        "loops": """
def dvar_dx(x):
    N = len(x)
    mu = sum(x) / N
    return [sum(2 * (x[j] - mu) * ((j == i) - 1 / N) for j in range(N)) / N for i in range(N)]
""",
        "split at j = i": """
def dvar_dx(x):
    N, c = len(x), x - x.mean()
    out = np.zeros(N)
    for i in range(N):
        others = c.sum() - c[i]
        out[i] = (2 * c[i] * (1 - 1 / N) - 2 / N * others) / N
    return out
""",
        "matrix": "def dvar_dx(x):\n    N = len(x)\n    c = x - x.mean()\n    return 2 / N * c @ (np.eye(N) - 1 / N)",
    },
    "dinvstd_dx": {
        "written out": "def dinvstd_dx(x, eps):\n    return -(x - x.mean()) / len(x) / (x.var() + eps) ** 1.5",
        "by x_hat": """
def dinvstd_dx(x, eps):
    s = np.sqrt(x.var() + eps)
    return -((x - x.mean()) / s) / s**2 / len(x)
""",
        "by dvar": "def dinvstd_dx(x, eps):\n    mu, var = batch_statistics(x[:, None])\n    return -dvar_dx(x) / 2 / np.sqrt(var + eps) ** 3",
        "list": """
def dinvstd_dx(x, eps):
    mu = sum(x) / len(x)
    v = sum((a - mu) ** 2 for a in x) / len(x) + eps
    return [-(a - mu) / (len(x) * v * v**0.5) for a in x]
""",
    },
    "xhat_jacobian": {
        "four terms": product_rule("r * I + x[:, None] * dr[None, :] - r / N - mu * dr[None, :]"),
        "collected": product_rule("r * (I - 1 / N) + np.outer(x - mu, dr)"),
        "closed form": """
def xhat_jacobian(x, eps):
    N, r = len(x), (x.var() + eps) ** -0.5
    v = (x - x.mean()) * r
    return r * (np.eye(N) - 1 / N - np.outer(v, v) / N)
""",
        "loops": """
def xhat_jacobian(x, eps):
    N, mu, r = len(x), x.mean(), (x.var() + eps) ** -0.5
    dr = dinvstd_dx(x, eps)
    J = [[0.0] * N for _ in range(N)]
    for k in range(N):
        for i in range(N):
            J[k][i] = r * (k == i) + x[k] * dr[i] - r / N - mu * dr[i]
    return J
""",
        "from the other exercise": "def xhat_jacobian(x, eps):\n    return normalize_jacobian(x, 1.0, eps)",
    },
    "normalize_jacobian": {
        "product rule": "def normalize_jacobian(x, gamma, eps):\n    return gamma * xhat_jacobian(x, eps)",
        "einsum": jacobian("gamma * inv_std * (I - 1 / N - np.einsum('k,i->ki', x_hat, x_hat) / N)"),
        "broadcast": jacobian("gamma * inv_std / N * (N * I - 1 - x_hat[:, None] * x_hat)"),
        "deviations": jacobian("gamma * (I * inv_std - inv_std / N - np.outer(xc, xc) * inv_std**3 / N)"),
        "loops": """
def normalize_jacobian(x, gamma, eps):
    N = len(x)
    s = (x.var() + eps) ** 0.5
    x_hat = (x - x.mean()) / s
    J = np.zeros((N, N))
    for k in range(N):
        for i in range(N):
            J[k, i] = gamma / s * ((1 if k == i else 0) - (1 + x_hat[i] * x_hat[k]) / N)
    return J
""",
        "from the backward pass": """
def normalize_jacobian(x, gamma, eps):
    return np.array([normalize_backward(row, x, gamma, eps) for row in np.eye(len(x))])
""",
    },
    "normalize_backward": {
        "one line": one_feature(
            "gamma / np.sqrt(var + eps) * (dout - np.sum(dout) / N - x_hat * np.sum(dout * x_hat) / N)"
        ),
        "Jacobian": "def normalize_backward(dout, x, gamma, eps):\n    return dout @ normalize_jacobian(x, gamma, eps)",
        "Jacobian, the other side": "def normalize_backward(dout, x, gamma, eps):\n    return normalize_jacobian(x, gamma, eps) @ dout",
        "staged": one_feature(
            "h * inv_std + dvar * 2 * xc / N + dmu / N",
            "dvar = np.sum(h * xc) * -0.5 * inv_std**3\ndmu = -np.sum(h) * inv_std + dvar * np.mean(-2 * xc)",
        ),
        "staged, without the zero term": one_feature(
            "h * inv_std + dvar * 2 * xc / N + dmu / N",
            "dvar = np.sum(h * xc) * -0.5 * inv_std**3\ndmu = -np.sum(h) * inv_std",
        ),
        "dot product": one_feature("inv_std * (h - h.mean() - x_hat * (h @ x_hat) / N)"),
        "list": """
def normalize_backward(dout, x, gamma, eps):
    N = len(x)
    mu = sum(x) / N
    s = (sum((a - mu) ** 2 for a in x) / N + eps) ** 0.5
    x_hat = [(a - mu) / s for a in x]
    m, p = sum(dout) / N, sum(d * v for d, v in zip(dout, x_hat)) / N
    return [gamma / s * (d - m - v * p) for d, v in zip(dout, x_hat)]
""",
        "the layer's": """
def normalize_backward(dout, x, gamma, eps):
    g = np.array([gamma])
    return batchnorm_backward(dout[:, None], batchnorm_forward(x[:, None], g, 0 * g, eps)[1])[0][:, 0]
""",
        "centred gradient first": one_feature(
            "gamma * inv_std * (d - x_hat * (d * x_hat).mean())", "d = dout - dout.mean()"
        ),
    },
    "first_slip": {
        "allclose": """
def first_slip(lines, args):
    before = lines[0](*args)
    for number, line in enumerate(lines[1:], 2):
        now = line(*args)
        if not np.allclose(now, before):
            return number
        before = now
    return 0
""",
        "tight": """
def first_slip(lines, args):
    values = [np.array(line(*args), dtype=float) for line in lines]
    for n in range(1, len(values)):
        if np.abs(values[n] - values[n - 1]).max() > 1e-10 * np.abs(values[n - 1]).max():
            return n + 1
    return 0
""",
        "against the first line": """
def first_slip(lines, args):
    first = np.asarray(lines[0](*args))
    wrong = [n for n, line in enumerate(lines, 1) if np.max(abs(np.asarray(line(*args)) - first)) > 1e-6]
    return min(wrong, default=0)
""",
        "numpy integer": """
def first_slip(lines, args):
    values = np.array([line(*args) for line in lines])
    bad = [not np.allclose(a, b) for a, b in zip(values, values[1:])]
    return np.argmax(bad) + 2 if any(bad) else np.int64(0)
""",
        "recursive": """
def first_slip(lines, args, number=2):
    if len(lines) < 2:
        return 0
    if not np.allclose(lines[0](*args), lines[1](*args)):
        return number
    return first_slip(lines[1:], args, number + 1)
""",
        "rounded": """
def first_slip(lines, args):
    texts = [np.round(line(*args), 6) + 0.0 for line in lines]
    for n in range(len(texts) - 1):
        if np.any(abs(texts[n] - texts[n + 1]) > 2e-6):
            return n + 2
    return 0
""",
    },
    "batchnorm_forward": {
        "one line": "def batchnorm_forward(x, gamma, beta, eps):\n    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta, None",
        "cache is x": forward("gamma * ((x - mu) * (var + eps) ** -0.5) + beta").replace("None", "x"),
        "dict": forward("gamma * v + beta", "v = (x - mu) / np.sqrt(var + eps)").replace(
            "None", "{'v': v, 'self': locals()}"
        ),
        "own statistics": """
def batchnorm_forward(x, gamma, beta, eps):
    N = x.shape[0]
    mu = np.ones((1, N)) @ x / N
    var = np.ones((1, N)) @ (x - mu) ** 2 / N
    return [(x - mu) / np.sqrt(var + eps) * gamma + beta, [mu, var]]
""",
        "loops": """
def batchnorm_forward(x, gamma, beta, eps):
    out = np.zeros(x.shape)
    for j in range(x.shape[1]):
        c = x[:, j] - np.mean(x[:, j])
        out[:, j] = gamma[j] * c / np.sqrt(np.mean(c**2) + eps) + beta[j]
    return out, ()
""",
        "folded": forward("x * a + (beta - mu * a)", "a = gamma / np.sqrt(var + eps)"),
        "transposed": """
def batchnorm_forward(x, gamma, beta, eps):
    x = x.T
    x_hat = (x - x.mean(axis=1)[:, None]) / np.sqrt(x.var(axis=1) + eps)[:, None]
    return (gamma[:, None] * x_hat + beta[:, None]).T, object()
""",
    },
    "batchnorm_backward": caches("batchnorm_backward")
    | {
        "one feature at a time": """
def batchnorm_forward(x, gamma, beta, eps):
    mu, var = batch_statistics(x)
    return gamma * (x - mu) / np.sqrt(var + eps) + beta, (x, gamma, eps)

def batchnorm_backward(dout, cache):
    x, gamma, eps = cache
    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    columns = [normalize_backward(dout[:, j], x[:, j], gamma[j], eps) for j in range(x.shape[1])]
    return np.stack(columns, axis=1), (dout * x_hat).sum(0), dout.sum(0)
""",
        "by the second route": "def batchnorm_backward(dout, cache):\n    return batchnorm_backward_composed(dout, cache)",
        "the forward pass is another exercise's matter": """
def batchnorm_forward(x, gamma, beta, eps):
    return None, (x, gamma, eps)

def batchnorm_backward(dout, cache):
    x, gamma, eps = cache
    r = (x.var(0) + eps) ** -0.5
    x_hat = (x - x.mean(0)) * r
    dgamma, dbeta = (dout * x_hat).sum(0), dout.sum(0)
    return gamma * r * (dout - dbeta / len(x) - x_hat * dgamma / len(x)), dgamma, dbeta
""",
    },
    "rms_scale_backward": {
        "one line": rms("inv * (dout - z * np.mean(dout * z, axis=0))"),
        "deviations": rms("dout * inv - xc * inv**3 * np.sum(dout * xc, axis=0) / N"),
        "einsum": rms("inv * (dout - np.einsum('nd,md,md->nd', z, dout, z) / N)"),
        "staged": """
def rms_scale_backward(dout, xc, eps):
    ms = (xc**2).mean(axis=0) + eps
    dinv = (dout * xc).sum(axis=0)
    dms = -0.5 * ms**-1.5 * dinv
    return dout / np.sqrt(ms) + 2 * xc / len(xc) * dms
""",
        "loops": """
def rms_scale_backward(dout, xc, eps):
    N, D = xc.shape
    out = [[0.0] * D for _ in range(N)]
    for j in range(D):
        s = (sum(xc[:, j] ** 2) / N + eps) ** -0.5
        z = xc[:, j] * s
        for i in range(N):
            out[i][j] = s * sum(dout[k, j] * ((k == i) - z[k] * z[i] / N) for k in range(N))
    return out
""",
    },
    "batchnorm_backward_composed": caches("batchnorm_backward_composed")
    | {
        "two lines": backward(
            "batchnorm_backward_composed", "dc - dc.mean(axis=0)", before="dc = rms_scale_backward(h, xc, eps)"
        ),
        "the other order": backward("batchnorm_backward_composed", "rms_scale_backward(h - h.mean(axis=0), xc, eps)"),
        "closed form": "def batchnorm_backward_composed(dout, cache):\n    return batchnorm_backward(dout, cache)",
        "xc made again": """
def batchnorm_backward_composed(dout, cache):
    _, x_hat, inv_std, gamma, eps = cache
    dc = rms_scale_backward(gamma * dout, x_hat / inv_std, eps)
    return dc - dc.mean(0), (dout * x_hat).sum(0), dout.sum(0)
""",
        "eps folded in": """
def batchnorm_backward_composed(dout, cache):
    xc, x_hat, inv_std, gamma, eps = cache
    g = gamma * dout
    dc = (g - x_hat * np.mean(g * x_hat, axis=0)) * inv_std
    return dc - dc.mean(0), (dout * x_hat).sum(0), dout.sum(0)
""",
    },
}


def wrong_backwards(name):
    """Every wrong formula for the layer's gradients, with the name it must get."""
    mean, var = "path-through-the-mean", "path-through-the-variance"
    M, T = "np.mean(h, axis=0)", "x_hat * np.mean(h * x_hat, axis=0)"
    dx = {
        "statistics as constants": (f"{mean}-missing", "h * inv_std"),
        "statistics as constants, third": (f"{var}-missing", "h * inv_std"),
        "mean path only": (f"{var}-missing", f"(h - {M}) * inv_std"),
        "variance path only": (f"{mean}-missing", f"(h - {T}) * inv_std"),
        "branch overwritten": ("direct-path-missing", f"-{T} * inv_std"),
        "branch overwritten, mean": ("direct-path-missing", f"(0 * h - {M}) * inv_std"),
        "only the diagonal": ("only-the-diagonal", "h * (1 - 1 / N - x_hat**2 / N) * inv_std"),
        "gamma missing": ("dx-over-gamma", f"(h - {M} - {T}) * inv_std / gamma"),
        "gamma twice": ("dx-times-gamma", f"(h - {M} - {T}) * inv_std * gamma"),
        "gamma in the first term only": (
            f"{mean}-over-gamma",
            "(h - dout.mean(axis=0) - x_hat * np.mean(dout * x_hat, axis=0)) * inv_std",
        ),
        "gamma missing in the third": (
            f"{var}-over-gamma",
            f"(h - {M} - x_hat * np.mean(dout * x_hat, axis=0)) * inv_std",
        ),
        "sums for means": (f"{mean}-times-N", f"(h - N * {M} - N * {T}) * inv_std"),
        "sum for the first mean": (f"{mean}-times-N", f"(h - N * {M} - {T}) * inv_std"),
        "sum for the second mean": (f"{var}-times-N", f"(h - {M} - N * {T}) * inv_std"),
        "one 1/N too many": ("dx-over-N", f"(h - {M} - {T}) * inv_std / N"),
        "N in front, no 1/N": ("dx-times-N", f"(N * h - N * {M} - N * {T}) * inv_std"),
        "sign of the mean": (f"{mean}-sign", f"(h + {M} - {T}) * inv_std"),
        "sign of the variance": (f"{var}-sign", f"(h - {M} + {T}) * inv_std"),
        "all signs": ("dx-sign", f"-(h - {M} - {T}) * inv_std"),
        "lost 2": (f"{var}-halved", f"(h - {M} - 0.5 * {T}) * inv_std"),
        "lost 1/2": (f"{var}-doubled", f"(h - {M} - 2 * {T}) * inv_std"),
        "exponent of the variance path": (
            None,
            "h * inv_std - M * inv_std - xc * np.mean(h * xc, axis=0) * inv_std",
            "M = np.mean(h, axis=0)",
        ),
        "exponent in front": ("dx-times-inv_std", f"(h - {M} - {T}) * inv_std**2"),
        "no factor in front": ("dx-over-inv_std", f"h - {M} - {T}"),
        "xc for x_hat": ("xc-for-x-hat", f"(h - {M} - xc * np.mean(h * xc, axis=0)) * inv_std"),
        "xc for the first x_hat": ("xc-for-one-x-hat", f"(h - {M} - xc * np.mean(h * x_hat, axis=0)) * inv_std"),
        "xc for the second x_hat": ("xc-for-one-x-hat", f"(h - {M} - x_hat * np.mean(h * xc, axis=0)) * inv_std"),
        "bessel on the variance term": ("path-through-the-variance-bessel", f"(h - {M} - {T} * N / (N - 1)) * inv_std"),
        "the published slip": (f"{var}-missing", f"(h - {M} - x_hat * np.mean(x_hat, axis=0)) * inv_std"),
        "wrong axis": (
            "mean-over-features",
            "(h - h.mean(1, keepdims=True) - x_hat * (h * x_hat).mean(1, keepdims=True)) * inv_std",
        ),
        "no axis": ("mean-over-everything", "(h - h.mean() - x_hat * (h * x_hat).mean()) * inv_std"),
        "a scalar": ("wrong-shape", "np.sum(h)"),
        "eps missing": (
            "eps-missing",
            "(h - h.mean(0) - v * (h * v).mean(0)) * s",
            "s = 1 / np.sqrt((xc**2).mean(0)); v = xc * s",
        ),
        "eps hard-coded": (
            "eps-fixed",
            "(h - h.mean(0) - v * (h * v).mean(0)) * s",
            "s = 1 / np.sqrt((xc**2).mean(0) + 1e-5); v = xc * s",
        ),
        "eps hard-coded at 1e-8": (
            None,
            "(h - h.mean(0) - v * (h * v).mean(0)) * s",
            "s = 1 / np.sqrt((xc**2).mean(0) + 1e-8); v = xc * s",
        ),
        "eps outside the root": (
            "eps-outside-the-root",
            "(h - h.mean(0) - v * (h * v).mean(0)) * s",
            "s = 1 / (np.sqrt((xc**2).mean(0)) + eps); v = xc * s",
        ),
        "eps missing in front": ("eps-missing-in-the-factor", f"(h - {M} - {T}) / np.sqrt((xc**2).mean(0))"),
        "ddof in the backward pass": (
            "bessel",
            "(h - h.mean(0) - v * (h * v).mean(0)) * s",
            "s = 1 / np.sqrt((xc**2).sum(0) / (N - 1) + eps); v = xc * s",
        ),
        "zeros": ("dx-zero", "0 * h"),
        "D for N": (f"{var}-D-for-N", "(h - h.sum(0) / D - x_hat * (h * x_hat).sum(0) / D) * inv_std"),
        "N times D for N": (
            f"{mean}-over-D",
            "(h - h.sum(0) / h.size - x_hat * (h * x_hat).sum(0) / h.size) * inv_std",
        ),
        "one mean over the features": (
            "mean-over-features-in-the-second-term",
            f"(h - h.mean(1, keepdims=True) - {T}) * inv_std",
        ),
        "sign of all": ("dx-sign", f"(-h + {M} + {T}) * inv_std"),
        "two slips: eps outside, twice the last": (
            "eps-outside-the-root",
            "(h - h.mean(0) - 2 * v * (h * v).mean(0)) * s",
            "s = 1 / (np.sqrt((xc**2).mean(0)) + eps); v = xc * s",
        ),
        "whole numbers": ("returned-integers", f"((h - {M} - {T}) * inv_std).astype(int)"),
        "centring twice wrong": (f"{mean}-doubled", f"(h - 2 * {M} - {T}) * inv_std"),
        "two slips: sign and eps": (
            "eps-missing",
            "(h + h.mean(0) - v * (h * v).mean(0)) * s",
            "s = 1 / np.sqrt((xc**2).mean(0)); v = xc * s",
        ),
        "two slips: gamma and the diagonal": ("only-the-diagonal", "dout * (1 - 1 / N - x_hat**2 / N) * inv_std"),
        "two slips: no mean, half the rest": (f"{var}-halved", f"(h - 0.5 * {T}) * inv_std"),
        "in place": ("input-changed", "(h - h.mean(0)) * inv_std", "dout -= 1"),
        "nothing comes back": ("wrong-type", "None"),
    }
    good = f"(h - {M} - {T}) * inv_std"
    rest = {
        "dbeta is a mean": ("dbeta-mean", {"dbeta": "dout.mean(axis=0)"}),
        "dgamma is a mean": ("dgamma-mean", {"dgamma": "(dout * x_hat).mean(axis=0)"}),
        "dgamma with gamma": ("dgamma-times-gamma", {"dgamma": "(h * x_hat).sum(axis=0)"}),
        "dbeta with gamma": ("dbeta-times-gamma", {"dbeta": "h.sum(axis=0)"}),
        "dgamma with xc": ("dgamma-with-xc", {"dgamma": "(dout * xc).sum(axis=0)"}),
        "dgamma swapped with dbeta": ("swapped", {"dgamma": "dout.sum(axis=0)", "dbeta": "(dout * x_hat).sum(axis=0)"}),
        "dgamma is dbeta": ("dgamma-without-x-hat", {"dgamma": "dout.sum(axis=0)"}),
        "dbeta is dgamma": ("dbeta-with-x-hat", {"dbeta": "(dout * x_hat).sum(axis=0)"}),
        "dgamma over the wrong axis": ("wrong-shape", {"dgamma": "(dout * x_hat).sum(axis=1)"}),
        "dbeta without an axis": ("wrong-shape", {"dbeta": "dout.sum()"}),
        "dgamma not summed": ("wrong-shape", {"dgamma": "dout * x_hat"}),
        "sign of dbeta": (None, {"dbeta": "-dout.sum(axis=0)"}),
        "dgamma without eps": ("dgamma-eps-missing", {"dgamma": "(dout * xc).sum(axis=0) / np.sqrt((xc**2).mean(0))"}),
    }
    texts = {label: (item[0], backward(name, item[1], before="".join(item[2:]))) for label, item in dx.items()}
    texts |= {label: (slip, backward(name, good, **changes)) for label, (slip, changes) in rest.items()}
    raw = {
        "x for x_hat": ("x-for-x-hat", "x, x"),
        "x for the first x_hat": ("x-for-first-x-hat", "x, x_hat"),
        "x for the second x_hat": ("x-for-second-x-hat", "x_hat, x"),
    }
    for label, (slip, values) in raw.items():
        texts[label] = (
            slip,
            f"""
def batchnorm_forward(x, gamma, beta, eps):
    s = np.sqrt(x.var(0) + eps)
    return gamma * (x - x.mean(0)) / s + beta, (x, (x - x.mean(0)) / s, s, gamma)

def {name}(dout, cache):
    x, x_hat, s, gamma = cache
    h = gamma * dout
    a, b = {values}
    return (h - h.mean(0) - a * (h * b).mean(0)) / s, (dout * x_hat).sum(0), dout.sum(0)
""",
        )
    texts["dgamma with x"] = (
        "dgamma-with-x",
        f"""
def batchnorm_forward(x, gamma, beta, eps):
    s = np.sqrt(x.var(0) + eps)
    return gamma * (x - x.mean(0)) / s + beta, (x, (x - x.mean(0)) / s, s, gamma)

def {name}(dout, cache):
    x, x_hat, s, gamma = cache
    h = gamma * dout
    return (h - h.mean(0) - x_hat * (h * x_hat).mean(0)) / s, (dout * x).sum(0), dout.sum(0)
""",
    )
    for label, slip, variance in (
        ("ddof = 1 in the forward pass", "bessel", "x.var(0, ddof=1)"),
        ("one-pass variance in the forward pass", "one-pass-variance", "np.mean(x**2, 0) - np.mean(x, 0) ** 2"),
    ):
        texts[label] = (
            slip,
            f"""
def batchnorm_forward(x, gamma, beta, eps):
    s = np.sqrt({variance} + eps)
    return gamma * (x - x.mean(0)) / s + beta, ((x - x.mean(0)) / s, s, gamma)

def {name}(dout, cache):
    x_hat, s, gamma = cache
    h = gamma * dout
    return (h - h.mean(0) - x_hat * (h * x_hat).mean(0)) / s, (dout * x_hat).sum(0), dout.sum(0)
""",
        )
    texts["one value"] = ("wrong-count", f"def {name}(dout, cache):\n    return 0 * dout")
    texts["two values"] = ("wrong-count", f"def {name}(dout, cache):\n    return 0 * dout, dout.sum(0)")
    texts["no return"] = ("returned-none", f"def {name}(dout, cache):\n    dout.sum(0)")
    texts["no cache"] = (
        "empty",
        f"def batchnorm_forward(x, gamma, beta, eps):\n    return x\n\ndef {name}(dout, cache):\n    return 1, 2, 3",
    )
    texts["float32 inside"] = (
        "dtype-lost",
        backward(name, "((h - h.mean(0) - x_hat * (h * x_hat).mean(0)) * inv_std).astype(np.float32)"),
    )
    return texts


def wrong_lines(body):
    return (
        "def first_slip(lines, args):\n    values = [np.asarray(line(*args), dtype=float) for line in lines]\n" + body
    )


WRONG = {
    "batch_statistics": {
        "ddof": ("bessel", "def batch_statistics(x):\n    return x.mean(0), x.var(0, ddof=1)"),
        "std": ("std-for-variance", "def batch_statistics(x):\n    return x.mean(0), x.std(0)"),
        "one pass": (
            "one-pass-variance",
            "def batch_statistics(x):\n    return x.mean(0), (x**2).mean(0) - x.mean(0) ** 2",
        ),
        "sum": ("sum-for-mean", "def batch_statistics(x):\n    return x.sum(0), x.var(0)"),
        "sum of squares": (
            "variance-summed",
            "def batch_statistics(x):\n    return x.mean(0), ((x - x.mean(0)) ** 2).sum(0)",
        ),
        "not centred": ("not-centred", "def batch_statistics(x):\n    return x.mean(0), (x**2).mean(0)"),
        "absolute": ("not-squared", "def batch_statistics(x):\n    return x.mean(0), abs(x - x.mean(0)).mean(0)"),
        "wrong axis": ("wrong-shape", "def batch_statistics(x):\n    return x.mean(1), x.var(1)"),
        "no axis": ("wrong-shape", "def batch_statistics(x):\n    return x.mean(), x.var()"),
        "swapped": ("swapped", "def batch_statistics(x):\n    return x.var(0), x.mean(0)"),
        "centred by one mean": (
            "centred-by-one-mean",
            "def batch_statistics(x):\n    return x.mean(0), ((x - x.mean()) ** 2).mean(0)",
        ),
        "median": ("median", "def batch_statistics(x):\n    return np.median(x, axis=0), x.var(0)"),
        "in place": (
            "input-changed",
            "def batch_statistics(x):\n    mu = x.mean(0)\n    x -= mu\n    return mu, (x**2).mean(0)",
        ),
        "only mu": ("wrong-count", "def batch_statistics(x):\n    return x.mean(0)"),
        "variance minus mean": ("unnamed", "def batch_statistics(x):\n    return x.mean(0), x.var(0) + 1"),
    },
    "dvar_dx": {
        "raw x": ("x-for-deviation", "def dvar_dx(x):\n    return 2 * x / len(x)"),
        "no 1/N": ("slope-times-N", "def dvar_dx(x):\n    return 2 * (x - x.mean())"),
        "no 2": ("slope-halved", "def dvar_dx(x):\n    return (x - x.mean()) / len(x)"),
        "sign": ("slope-sign", "def dvar_dx(x):\n    return 2 * (x.mean() - x) / len(x)"),
        "others dropped": (
            "sum-left-out",
            "def dvar_dx(x):\n    N = len(x)\n    return 2 / N * (x - x.mean()) * (1 - 1 / N)",
        ),
        "N - 1": ("slope-bessel", "def dvar_dx(x):\n    return 2 * (x - x.mean()) / (len(x) - 1)"),
        "not differentiated": ("not-differentiated", "def dvar_dx(x):\n    return (x - x.mean()) ** 2 / len(x)"),
        "one over N squared": ("slope-over-N", "def dvar_dx(x):\n    return 2 * (x - x.mean()) / len(x) ** 2"),
        "scalar": ("wrong-shape", "def dvar_dx(x):\n    return x.var()"),
        "zeros": ("dvar-zero", "def dvar_dx(x):\n    return 0 * x"),
        "the variance": ("variance-itself", "def dvar_dx(x):\n    return 0 * x + x.var()"),
    },
    "dinvstd_dx": {
        "eps missing": ("eps-missing", "def dinvstd_dx(x, eps):\n    return -0.5 * x.var() ** -1.5 * dvar_dx(x)"),
        "eps fixed": (
            "eps-fixed",
            "def dinvstd_dx(x, eps=1e-5):\n    return -0.5 * (x.var() + 1e-5) ** -1.5 * dvar_dx(x)",
        ),
        "eps outside": (
            "eps-outside-the-root",
            "def dinvstd_dx(x, eps):\n    return -0.5 * (x.std() + eps) ** -3 * dvar_dx(x)",
        ),
        "ddof": ("bessel", "def dinvstd_dx(x, eps):\n    return -0.5 * (x.var(ddof=1) + eps) ** -1.5 * dvar_dx(x)"),
        "exponent -1/2": (
            "exponent",
            "def dinvstd_dx(x, eps):\n    return -0.5 * (x.var() + eps) ** -0.5 * dvar_dx(x)",
        ),
        "exponent -1": ("exponent-two", "def dinvstd_dx(x, eps):\n    return -0.5 / (x.var() + eps) * dvar_dx(x)"),
        "sign": (
            "product-of-slopes-sign",
            "def dinvstd_dx(x, eps):\n    return 0.5 * (x.var() + eps) ** -1.5 * dvar_dx(x)",
        ),
        "no half": (
            "product-of-slopes-doubled",
            "def dinvstd_dx(x, eps):\n    return -((x.var() + eps) ** -1.5) * dvar_dx(x)",
        ),
        "no two": (
            "product-of-slopes-halved",
            "def dinvstd_dx(x, eps):\n    return -0.5 * (x.var() + eps) ** -1.5 * (x - x.mean()) / len(x)",
        ),
        "no 1/N": (
            "product-of-slopes-times-N",
            "def dinvstd_dx(x, eps):\n    return -((x.var() + eps) ** -1.5) * (x - x.mean())",
        ),
        "the root": (
            "derivative-of-the-root",
            "def dinvstd_dx(x, eps):\n    return 0.5 * (x.var() + eps) ** -0.5 * dvar_dx(x)",
        ),
        "inner derivative forgotten": (
            "wrong-shape",
            "def dinvstd_dx(x, eps):\n    return -0.5 * (x.var() + eps) ** -1.5",
        ),
        "raw x": ("x-for-deviation", "def dinvstd_dx(x, eps):\n    return -((x.var() + eps) ** -1.5) * x / len(x)"),
        "others dropped": (
            "sum-left-out",
            "def dinvstd_dx(x, eps):\n    return -0.5 * (x.var() + eps) ** -1.5 * dvar_dx(x) * (1 - 1 / len(x))",
        ),
        "sign and no half": (
            "product-of-slopes-sign",
            "def dinvstd_dx(x, eps):\n    return (x.var() + eps) ** -1.5 * dvar_dx(x)",
        ),
    },
    "xhat_jacobian": {
        "plain product": ("J-plain-product-for-outer", product_rule("r * I - r / N + x * dr - mu * dr")),
        "r constant": ("term-of-the-variance-missing", product_rule("r * I - r / N + 0 * dr")),
        "mean term missing": ("term-of-the-mean-missing", product_rule("r * I + np.outer(x - mu, dr)")),
        "last term missing": ("mu-term-missing", product_rule("r * I + np.outer(x, dr) - r / N")),
        "second term missing": ("x-term-missing", product_rule("r * I - r / N - mu * dr")),
        "last sign": ("mu-term-sign", product_rule("r * I + np.outer(x, dr) - r / N + mu * dr")),
        "second sign": ("x-term-sign", product_rule("r * I - np.outer(x, dr) - r / N - mu * dr")),
        "outer the other way": ("indices-exchanged", product_rule("r * I + np.outer(dr, x) - r / N - mu * dr")),
        "last along the rows": (
            "last-term-along-the-rows",
            product_rule("r * I + np.outer(x, dr) - r / N - mu * dr[:, None]"),
        ),
        "diagonal": ("only-the-diagonal", product_rule("np.diag(r + x * dr - r / N - mu * dr)")),
        "mean term sign": ("term-of-the-mean-sign", product_rule("r * I + np.outer(x, dr) + r / N - mu * dr")),
        "mean term no 1/N": ("term-of-the-mean-times-N", product_rule("r * I + np.outer(x, dr) - r - mu * dr")),
        "x * dr": ("wrong-shape", product_rule("r + x * dr - r / N - mu * dr")),
        "eps missing": (
            "eps-missing",
            "def xhat_jacobian(x, eps):\n    N, r = len(x), x.var() ** -0.5\n    v = (x - x.mean()) * r\n    return r * (np.eye(N) - (1 + np.outer(v, v)) / N)",
        ),
        "delta of ones": ("delta-term-missing", product_rule("np.outer(x, dr) - r / N - mu * dr")),
    },
    "normalize_jacobian": {
        "constants": ("term-of-the-mean-missing", jacobian("gamma * inv_std * I")),
        "mean only": ("term-of-the-variance-missing", jacobian("gamma * inv_std * (I - 1 / N)")),
        "variance only": ("term-of-the-mean-missing", jacobian("gamma * inv_std * (I - np.outer(x_hat, x_hat) / N)")),
        "gamma missing": ("J-over-gamma", jacobian("inv_std * (I - 1 / N - np.outer(x_hat, x_hat) / N)")),
        "gamma twice": ("J-times-gamma", jacobian("gamma**2 * inv_std * (I - 1 / N - np.outer(x_hat, x_hat) / N)")),
        "gamma inside": ("gamma-left-inside", jacobian("inv_std * (gamma * I - 1 / N - np.outer(x_hat, x_hat) / N)")),
        "third not over N": (
            "term-of-the-variance-times-N",
            jacobian("gamma * inv_std * (I - 1 / N - np.outer(x_hat, x_hat))"),
        ),
        "third sign": (
            "term-of-the-variance-sign",
            jacobian("gamma * inv_std * (I - 1 / N + np.outer(x_hat, x_hat) / N)"),
        ),
        "mean sign": ("term-of-the-mean-sign", jacobian("gamma * inv_std * (I + 1 / N - np.outer(x_hat, x_hat) / N)")),
        "no 1/N anywhere": ("term-of-the-mean-times-N", jacobian("gamma * inv_std * (I - 1 - np.outer(x_hat, x_hat))")),
        "xc": ("xc-for-x-hat", jacobian("gamma * inv_std * (I - 1 / N - np.outer(xc, xc) / N)")),
        "xc once": ("xc-for-one-x-hat", jacobian("gamma * inv_std * (I - 1 / N - np.outer(x_hat, xc) / N)")),
        "x": ("x-for-x-hat", jacobian("gamma * inv_std * (I - 1 / N - np.outer(x, x) / N)")),
        "elementwise square": ("column-index-twice", jacobian("gamma * inv_std * (I - 1 / N - x_hat * x_hat / N)")),
        "elementwise square, rows": (
            "row-index-twice",
            jacobian("gamma * inv_std * (I - 1 / N - (x_hat * x_hat)[:, None] / N)"),
        ),
        "diagonal": ("only-the-diagonal", jacobian("np.diag(gamma * inv_std * (1 - 1 / N - x_hat**2 / N))")),
        "diagonal as a vector": ("wrong-shape", jacobian("gamma * inv_std * (1 - 1 / N - x_hat**2 / N)")),
        "lost 2": (
            "term-of-the-variance-halved",
            jacobian("gamma * inv_std * (I - 1 / N - np.outer(x_hat, x_hat) / N / 2)"),
        ),
        "bessel": (
            "term-of-the-variance-bessel",
            jacobian("gamma * inv_std * (I - 1 / N - np.outer(x_hat, x_hat) / (N - 1))"),
        ),
        "no root": ("J-times-inv_std", jacobian("gamma * inv_std**2 * (I - 1 / N - np.outer(x_hat, x_hat) / N)")),
        "eps missing in front": (
            "eps-missing-in-the-factor",
            jacobian("gamma / np.sqrt(var) * (I - 1 / N - np.outer(x_hat, x_hat) / N)"),
        ),
        "eps missing": (
            "eps-missing",
            jacobian("gamma / np.sqrt(var) * (I - 1 / N - np.outer(xc, xc) / var / N)"),
        ),
        "ddof": (
            "bessel",
            jacobian(
                "gamma / np.sqrt(x.var(ddof=1) + eps) * (I - 1 / N - np.outer(xc, xc) / (x.var(ddof=1) + eps) / N)"
            ),
        ),
        "two slips: no mean, wrong sign": (
            "term-of-the-mean-missing",
            jacobian("gamma * inv_std * (I + np.outer(x_hat, x_hat) / N)"),
        ),
    },
    "normalize_backward": {
        "dout not in the last mean": (
            "path-through-the-variance-missing",
            one_feature("gamma * inv_std * (dout - dout.mean() - x_hat * x_hat.mean())"),
        ),
        "x_hat with the other sign of mu": (
            "xc-sign-of-mu",
            one_feature("gamma * inv_std * (dout - dout.mean() - z * (dout * z).mean())", "z = (x + mu) * inv_std"),
        ),
        "constants": ("path-through-the-mean-missing", one_feature("h * inv_std")),
        "mean path only": ("path-through-the-variance-missing", one_feature("(h - h.mean()) * inv_std")),
        "variance path only": (
            "path-through-the-mean-missing",
            one_feature("(h - x_hat * (h * x_hat).mean()) * inv_std"),
        ),
        "overwritten": ("direct-path-missing", one_feature("-x_hat * (h * x_hat).mean() * inv_std")),
        "diagonal": ("only-the-diagonal", one_feature("h * (1 - 1 / N - x_hat**2 / N) * inv_std")),
        "gamma missing": (
            "dx-over-gamma",
            one_feature("(dout - dout.mean() - x_hat * (dout * x_hat).mean()) * inv_std"),
        ),
        "gamma twice": ("dx-times-gamma", one_feature("gamma * (h - h.mean() - x_hat * (h * x_hat).mean()) * inv_std")),
        "gamma once": (
            "path-through-the-mean-over-gamma",
            one_feature("(h - dout.mean() - x_hat * (dout * x_hat).mean()) * inv_std"),
        ),
        "sums": ("path-through-the-mean-times-N", one_feature("(h - h.sum() - x_hat * (h * x_hat).sum()) * inv_std")),
        "one sum": (
            "path-through-the-variance-times-N",
            one_feature("(h - h.mean() - x_hat * (h * x_hat).sum()) * inv_std"),
        ),
        "over N": ("dx-over-N", one_feature("(h - h.mean() - x_hat * (h * x_hat).mean()) * inv_std / N")),
        "sign of the mean": (
            "path-through-the-mean-sign",
            one_feature("(h + h.mean() - x_hat * (h * x_hat).mean()) * inv_std"),
        ),
        "sign of the last": (
            "path-through-the-variance-sign",
            one_feature("(h - h.mean() + x_hat * (h * x_hat).mean()) * inv_std"),
        ),
        "lost 2": (
            "path-through-the-variance-halved",
            one_feature("(h - h.mean() - x_hat * (h * x_hat).mean() / 2) * inv_std"),
        ),
        "lost half": (
            "path-through-the-variance-doubled",
            one_feature("(h - h.mean() - 2 * x_hat * (h * x_hat).mean()) * inv_std"),
        ),
        "xc": ("xc-for-x-hat", one_feature("(h - h.mean() - xc * (h * xc).mean()) * inv_std")),
        "x": ("x-for-x-hat", one_feature("(h - h.mean() - x * (h * x).mean()) * inv_std")),
        "x first": ("x-for-first-x-hat", one_feature("(h - h.mean() - x * (h * x_hat).mean()) * inv_std")),
        "no root": ("dx-times-inv_std", one_feature("(h - h.mean() - x_hat * (h * x_hat).mean()) / (var + eps)")),
        "the published slip": (
            "path-through-the-variance-missing",
            one_feature("(h - h.mean() - x_hat * x_hat.mean()) * inv_std"),
        ),
        "eps missing": (
            "eps-missing",
            one_feature("(h - h.mean() - v * (h * v).mean()) * s", "s = var**-0.5; v = xc * s"),
        ),
        "eps fixed": (
            "eps-fixed",
            one_feature("(h - h.mean() - v * (h * v).mean()) * s", "s = (var + 1e-5) ** -0.5; v = xc * s"),
        ),
        "eps outside": (
            "eps-outside-the-root",
            one_feature("(h - h.mean() - v * (h * v).mean()) * s", "s = 1 / (var**0.5 + eps); v = xc * s"),
        ),
        "ddof": (
            "bessel",
            one_feature("(h - h.mean() - v * (h * v).mean()) * s", "s = (x.var(ddof=1) + eps) ** -0.5; v = xc * s"),
        ),
        "staged, ddof in one place": (
            "path-through-the-variance-bessel",
            one_feature(
                "h * inv_std + dvar * 2 * xc / (N - 1) - h.mean() * inv_std",
                "dvar = np.sum(h * xc) * -0.5 * inv_std**3",
            ),
        ),
        "one pass": (
            "one-pass-variance",
            one_feature(
                "(h - h.mean() - v * (h * v).mean()) * s",
                "s = (np.mean(x**2) - np.mean(x) ** 2 + eps) ** -0.5; v = xc * s",
            ),
        ),
        "scalar": ("wrong-shape", one_feature("np.sum(h)")),
        "exponent -1/2 in dvar": (
            None,
            one_feature(
                "h * inv_std + dvar * 2 * xc / N - h.mean() * inv_std", "dvar = np.sum(h * xc) * -0.5 * inv_std"
            ),
        ),
    },
    "first_slip": {
        "from zero": (
            "counted-from-zero",
            wrong_lines(
                "    for n in range(1, len(values)):\n        if not np.allclose(values[n], values[n - 1]):\n            return n\n    return 0"
            ),
        ),
        "last": (
            "last-for-first",
            wrong_lines(
                "    bad = [n + 1 for n in range(1, len(values)) if not np.allclose(values[n], values[n - 1])]\n    return max(bad, default=0)"
            ),
        ),
        "exact": (
            "rounding-taken-for-a-slip",
            wrong_lines(
                "    for n in range(1, len(values)):\n        if np.any(values[n] != values[n - 1]):\n            return n + 1\n    return 0"
            ),
        ),
        "sums": (
            "only-sums-compared",
            wrong_lines(
                "    for n in range(1, len(values)):\n        if abs(values[n].sum() - values[n - 1].sum()) > 1e-9:\n            return n + 1\n    return 0"
            ),
        ),
        "first entry": (
            "only-first-entry-compared",
            wrong_lines(
                "    for n in range(1, len(values)):\n        if not np.isclose(values[n].flat[0], values[n - 1].flat[0]):\n            return n + 1\n    return 0"
            ),
        ),
        "last entry": (
            None,
            wrong_lines(
                "    for n in range(1, len(values)):\n        if not np.isclose(values[n].flat[-1], values[n - 1].flat[-1]):\n            return n + 1\n    return 0"
            ),
        ),
        "against the end": (
            "compared-with-the-last-line",
            wrong_lines(
                "    for n in range(len(values)):\n        if not np.allclose(values[n], values[-1]):\n            return n + 1\n    return 0"
            ),
        ),
        "nothing": ("nothing-found", "def first_slip(lines, args):\n    return 0"),
        "always four": (None, "def first_slip(lines, args):\n    return 4"),
        "None when there is none": (
            "returned-none",
            wrong_lines(
                "    for n in range(1, len(values)):\n        if not np.allclose(values[n], values[n - 1]):\n            return n + 1"
            ),
        ),
        "too loose": (
            None,
            wrong_lines(
                "    for n in range(1, len(values)):\n        if np.max(abs(values[n] - values[n - 1])) > 3:\n            return n + 1\n    return 0"
            ),
        ),
        "not called": ("raises-TypeError", "def first_slip(lines, args):\n    return lines[0](args)"),
    },
    "batchnorm_forward": {
        "root of a standard deviation": (
            "std-root-of-var",
            forward("gamma * (x - mu) / np.sqrt(np.sqrt(var) + eps) + beta"),
        ),
        "ddof": ("bessel", forward("gamma * (x - mu) / np.sqrt(x.var(0, ddof=1) + eps) + beta")),
        "eps outside": ("eps-outside-the-root", forward("gamma * (x - mu) / (np.sqrt(var) + eps) + beta")),
        "no root": ("no-root", forward("gamma * (x - mu) / (var + eps) + beta")),
        "variance": ("no-root-no-eps", forward("gamma * (x - mu) / var + beta")),
        "squared": ("squared", forward("gamma * (x - mu) / (var + eps) ** 2 + beta")),
        "eps missing": ("eps-missing", forward("gamma * (x - mu) / np.sqrt(var) + beta")),
        "eps hard-coded": ("eps-fixed", forward("gamma * (x - mu) / np.sqrt(var + 1e-5) + beta")),
        "eps hard-coded at 1e-8": (None, forward("gamma * (x - mu) / np.sqrt(var + 1e-8) + beta")),
        "not centred": ("not-centred", forward("gamma * x / np.sqrt(var + eps) + beta")),
        "one pass": (
            "one-pass-variance",
            forward("gamma * (x - mu) / np.sqrt(np.mean(x**2, axis=0) - mu**2 + eps) + beta"),
        ),
        "wrong axis": (
            "mean-over-features",
            forward(
                "gamma * (x - m) / np.sqrt(v + eps) + beta", "m, v = x.mean(1, keepdims=True), x.var(1, keepdims=True)"
            ),
        ),
        "no axis": ("mean-over-everything", forward("gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta")),
        "gamma forgotten": ("scaled-part-over-gamma", forward("(x - mu) / np.sqrt(var + eps) + beta")),
        "beta forgotten": ("shift-missing", forward("gamma * (x - mu) / np.sqrt(var + eps)")),
        "both forgotten": (None, forward("(x - mu) / np.sqrt(var + eps)")),
        "exchanged": ("gamma-and-beta-exchanged", forward("beta * (x - mu) / np.sqrt(var + eps) + gamma")),
        "shift inside": ("shift-before-scale", forward("gamma * ((x - mu) / np.sqrt(var + eps) + beta)")),
        "sign of beta": ("shift-sign", forward("gamma * (x - mu) / np.sqrt(var + eps) - beta")),
        "multiplied": (None, forward("gamma * (x - mu) * np.sqrt(var + eps) + beta")),
        "only centred": (None, forward("gamma * (x - mu) + beta")),
        "in place": ("input-changed", forward("gamma * x + beta", "x -= mu\nx /= np.sqrt(var + eps)")),
        "no cache": ("wrong-count", "def batchnorm_forward(x, gamma, beta, eps):\n    return 0 * x"),
        "cache first": (
            None,
            forward("gamma * (x - mu) / np.sqrt(var + eps) + beta")
            .replace("return ", "return None, ")
            .replace(", None", "", 2)
            .replace("return", "return None,"),
        ),
        "float32": ("dtype-lost", forward("(gamma * (x - mu) / np.sqrt(var + eps) + beta).astype(np.float32)")),
        "two slips: ddof, no beta": ("bessel", forward("gamma * (x - mu) / np.sqrt(x.var(0, ddof=1) + eps)")),
    },
    "batchnorm_backward": wrong_backwards("batchnorm_backward"),
    "rms_scale_backward": {
        "outer z missing": ("dxc-without-z", rms("inv * (dout - np.mean(dout * z, axis=0))")),
        "constant": ("path-through-the-root-mean-square-missing", rms("dout * inv")),
        "sign": ("path-through-the-root-mean-square-sign", rms("inv * (dout + z * np.mean(dout * z, axis=0))")),
        "sum": ("path-through-the-root-mean-square-times-N", rms("inv * (dout - z * np.sum(dout * z, axis=0))")),
        "half": ("path-through-the-root-mean-square-halved", rms("inv * (dout - z * np.mean(dout * z, axis=0) / 2)")),
        "double": (
            "path-through-the-root-mean-square-doubled",
            rms("inv * (dout - 2 * z * np.mean(dout * z, axis=0))"),
        ),
        "direct path lost": ("direct-path-missing", rms("-inv * z * np.mean(dout * z, axis=0)")),
        "no factor": ("dxc-over-inv_rms", rms("dout - z * np.mean(dout * z, axis=0)")),
        "over N": ("dxc-over-N", rms("inv * (dout - z * np.mean(dout * z, axis=0)) / N")),
        "diagonal": ("only-the-diagonal", rms("inv * dout * (1 - z**2 / N)")),
        "centred as well": ("centred-as-well", rms("inv * (dout - dout.mean(0) - z * np.mean(dout * z, axis=0))")),
        "variance": (
            "variance-for-mean-square",
            "def rms_scale_backward(dout, xc, eps):\n    r = (xc.var(0) + eps) ** -0.5\n    z = xc * r\n    return r * (dout - z * (dout * z).mean(0))",
        ),
        "xc for z": ("xc-for-z", rms("inv * (dout - xc * np.mean(dout * xc, axis=0))")),
        "xc for one z": ("xc-for-one-z", rms("inv * (dout - xc * np.mean(dout * z, axis=0))")),
        "eps missing": (
            "eps-missing",
            rms("inv * (dout - z * np.mean(dout * z, axis=0))").replace("(ms + eps)", "ms"),
        ),
        "eps fixed": (
            "eps-fixed",
            rms("inv * (dout - z * np.mean(dout * z, axis=0))").replace("(ms + eps)", "(ms + 1e-5)"),
        ),
        "eps missing in front": ("eps-missing-in-the-factor", rms("ms**-0.5 * (dout - z * np.mean(dout * z, axis=0))")),
        "eps outside": (
            "eps-outside-the-root",
            rms("inv * (dout - z * np.mean(dout * z, axis=0))").replace("(ms + eps) ** -0.5", "1 / (ms**0.5 + eps)"),
        ),
        "wrong axis": ("mean-over-features", rms("inv * (dout - z * np.mean(dout * z, axis=1, keepdims=True))")),
        "no axis": ("mean-over-everything", rms("inv * (dout - z * np.mean(dout * z))")),
        "dout lost in the sum": ("dout-lost-in-the-sum", rms("inv * (dout - z * np.mean(z, axis=0))")),
        "normalization with the deviation": (
            None,
            "def rms_scale_backward(dout, xc, eps):\n    c = xc - xc.mean(0)\n    r = (c.var(0) + eps) ** -0.5\n    z = c * r\n    return r * (dout - z * (dout * z).mean(0))",
        ),
        "in place": (
            "input-changed",
            rms("inv * (dout - z * np.mean(dout * z, axis=0))").replace("    return", "    dout *= 2\n    return"),
        ),
        "scalar": ("wrong-shape", rms("np.mean(dout * z)")),
    },
    "batchnorm_backward_composed": wrong_backwards("batchnorm_backward_composed")
    | {
        "centring forgotten": (
            "path-through-the-mean-missing",
            backward("batchnorm_backward_composed", "rms_scale_backward(h, xc, eps)"),
        ),
        "gamma forgotten": (
            "dx-over-gamma",
            backward("batchnorm_backward_composed", "dc - dc.mean(0)", before="dc = rms_scale_backward(dout, xc, eps)"),
        ),
        "centring with a sum": (
            "path-through-the-mean-times-N",
            backward("batchnorm_backward_composed", "dc - dc.sum(0)", before="dc = rms_scale_backward(h, xc, eps)"),
        ),
        "only centred": (None, backward("batchnorm_backward_composed", "h - h.mean(0)")),
        "x_hat for xc": (
            "x-hat-for-xc",
            backward("batchnorm_backward_composed", "dc - dc.mean(0)", before="dc = rms_scale_backward(h, x_hat, eps)"),
        ),
        "eps forgotten": (
            "eps-missing",
            backward("batchnorm_backward_composed", "dc - dc.mean(0)", before="dc = rms_scale_backward(h, xc, 0.0)"),
        ),
    },
}
