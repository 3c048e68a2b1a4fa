"""Lesson 05: the affine layer, ReLU, and the block of affine, normalization and ReLU."""

from wrong_answers import Exercise, slip

_AFFINE = {
    "closed": "def affine_backward(dh, x, W):\n    dx = dh @ W.T\n    dW = x.T @ dh\n    db = dh.sum(axis=0)\n    return dx, dW, db\n",
    "einsum": """
def affine_backward(dh, x, W):
    dx = np.einsum("nh,dh->nd", dh, W)
    dW = np.einsum("nd,nh->dh", x, dh)
    db = np.einsum("nh->h", dh)
    return dx, dW, db
""",
    "loops": """
def affine_backward(dh, x, W):
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(W.shape[1])
    for k in range(len(x)):
        dx[k] = W @ dh[k]
        dW += np.outer(x[k], dh[k])
        db += dh[k]
    return dx, dW, db
""",
}
# fmt: off
_AFFINE_SLIPS = (
    slip("db a mean", "*-over-N", closed="db = dh.sum => db = dh.mean", einsum='"nh->h", dh) => "nh->h", dh) / len(x)', loops="dx, dW, db\n => dx, dW, db / len(x)\n"),
    slip("dW a mean", "matrix-product-over-N | dW-over-N", closed="x.T @ dh => x.T @ dh / len(x)", einsum="x, dh) => x, dh) / len(x)", loops="return dx, dW, => return dx, dW / len(x),"),
    slip("sign of dW", "matrix-product-sign | dW-sign", all="return dx, dW, => return dx, -dW,"),
    slip("dx twice", "matrix-product-doubled", all="return dx, => return 2 * dx,"),
    slip("dW transposed", "wrong-shape & transposed", all="return dx, dW, => return dx, dW.T,"),
    slip("W not transposed", "raises-* | wrong-shape", closed="W.T => W"),
    slip("db over the features", "wrong-shape & wrong-length", closed="axis=0 => axis=1", einsum='"nh->h" => "nh->n"'),
    slip("dW overwritten", "dW-last-example*", loops="dW += => dW ="),
    slip("db overwritten", "db-last-example*", loops="db += => db ="),
)
_RELU = {
    "mask": "def relu_backward(da, y):\n    return da * (y > 0)\n",
    "where": "def relu_backward(da, y):\n    return np.where(y > 0, da, 0)\n",
    "loops": """
def relu_backward(da, y):
    dy = np.zeros(y.shape)
    for k, l in np.ndindex(y.shape):
        if y[k, l] > 0:
            dy[k, l] = da[k, l]
    return dy
""",
}
_RELU_SLIPS = (
    slip("mask from da", "mask-from-da", mask="y > 0 => da > 0", where="y > 0 => da > 0", loops="if y[k, l] > => if da[k, l] >"),
    slip("mask reversed", "mask-reversed", mask="y > 0 => y < 0", where="y > 0 => y < 0", loops="if y[k, l] > => if y[k, l] <"),
    slip("mask missing", "mask-missing", mask="* (y > 0) => * 1.0", where="np.where(y > 0, da, 0) => da + 0 * y", loops="if y[k, l] > 0: => if True:"),
    slip("mask alone", "mask-alone", mask="da * (y > 0) => 1.0 * (y > 0)", where=", da, 0 => , 1.0, 0", loops="= da[k, l] => = 1.0"),
    slip("times output", "times-output | times-input", mask="(y > 0) => np.maximum(y, 0)", where=", da, 0 => , da * y, 0", loops="= da[k, l] => = da[k, l] * y[k, l]"),
    slip("max", "forward-of-gradient", mask="da * (y > 0) => np.maximum(y, 0)", where=", da, 0 => , y, 0", loops="= da[k, l] => = y[k, l]"),
)
_BLOCK_FORWARD = """
def block_forward(x, W, b, gamma, beta, eps):
    h = x @ W + b
    mu, var = h.mean(axis=0), h.var(axis=0)
    sigma = np.sqrt(var + eps)
    x_hat = (h - mu) / sigma
    y = gamma * x_hat + beta
    a = np.maximum(y, 0)
    return a, (x, W, h, x_hat, sigma, gamma, y, eps)
"""
_CALLS_FORWARD = """
def block_forward(x, W, b, gamma, beta, eps):
    h = np.dot(x, W) + b
    y, _, _, cache = batchnorm_train_forward(h, gamma, beta, 0 * b, 0 * b + 1, 0.9, eps, "cs231n")
    a = np.where(y > 0, y, 0)
    return a, {"x": x, "W": W, "h": h, "y": y, "cache": cache}
"""
_LOOPS_FORWARD = _BLOCK_FORWARD.replace("h = x @ W + b", "h = np.array([row @ W + b for row in x])").replace(
    "mu, var = h.mean(axis=0), h.var(axis=0)", "mu = sum(h) / len(h)\n    var = sum((h - mu) ** 2) / len(h)"
)
_BLOCK_FORWARD_SLIPS = (
    slip("Bessel", "bessel", closed="h.var(axis=0) => h.var(axis=0, ddof=1)", loops="** 2) / len(h) => ** 2) / (len(h) - 1)"),
    slip("eps forgotten", "eps-missing", all="var + eps => var", calls="0.9, eps => 0.9, 0.0"),
    slip("eps fixed", "eps-fixed", all="var + eps => var + 1e-5", calls="0.9, eps => 0.9, 1e-5"),
    slip("eps outside", "eps-outside-the-root", all="np.sqrt(var + eps) => (np.sqrt(var) + eps)"),
    slip("no root", "no-root", all="np.sqrt(var + eps) => (var + eps)"),
    slip("no ReLU", "relu-missing", all="np.maximum(y, 0) => y", calls="np.where(y > 0, y, 0) => y"),
    slip("gamma forgotten", "gamma-missing", all="gamma * x_hat => x_hat", calls="(h, gamma, => (h, 0 * gamma + 1,"),
    slip("beta forgotten", "beta-missing", all="x_hat + beta => x_hat", calls="gamma, beta, 0 => gamma, 0 * beta, 0"),
    slip("no axis", "no-axis", closed="h.mean(axis=0), h.var(axis=0) => h.mean(), h.var()"),
    slip("normalization forgotten", "normalization-missing", all="y = gamma * x_hat + beta => y = h", calls="np.where(y > 0, y, 0) => np.where(h > 0, h, 0)"),
)
_BACK = """
def block_backward(da, cache):
    x, W, h, x_hat, sigma, gamma, y, eps = cache
    dy = da * (y > 0)
    g = gamma * dy
    mean_g = g.mean(axis=0)
    mean_gx = (g * x_hat).mean(axis=0)
    dh = (g - mean_g - x_hat * mean_gx) / sigma
    dgamma = (dy * x_hat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    dx = dh @ W.T
    dW = x.T @ dh
    db = dh.sum(axis=0)
    return dx, dW, db, dgamma, dbeta
"""
_CALLS_BACK = """
def block_backward(da, cache):
    x, W, h, y = cache["x"], cache["W"], cache["h"], cache["y"]
    dy = relu_backward(da, y)
    dh, dgamma, dbeta = batchnorm_train_backward(dy, cache["cache"])
    dx, dW, db = affine_backward(dh, x, W)
    return dx, dW, db, dgamma, dbeta
"""
_LOOPS_BACK = _BACK.replace("mean_g = g.mean(axis=0)", "mean_g = sum(g) / len(g)").replace(
    "mean_gx = (g * x_hat).mean(axis=0)", "mean_gx = sum(g * x_hat) / len(g)"
).replace("dx = dh @ W.T", "dx = [W @ row for row in dh]").replace("db = dh.sum(axis=0)", "db = sum(dh)")
_M, _V = "path-through-the-mean", "path-through-the-variance"
_BLOCK_SLIPS = (
    slip("ReLU forgotten", "relu-missing", all="dy = da * (y > 0) => dy = da", calls="dy = relu_backward(da, y) => dy = da"),
    slip("mask from da", "mask-from-da", all="(y > 0) => (da > 0)", calls="(da, y) => (da, da)"),
    slip("mask from h", "mask-from-h", all="(y > 0) => (h > 0)", calls="(da, y) => (da, h)"),
    slip("normalization skipped", "normalization-skipped", all="dx = dh @ W.T => dh = dy\n    dx = dh @ W.T", loops="dx = [ => dh = dy\n    dx = [", calls="affine_backward(dh, => affine_backward(dy,"),
    slip("mean path lost", f"{_M}-missing | *-zero", all="(g - mean_g - => (g -"),
    slip("variance path lost", f"{_V}-missing | *-zero", all="- x_hat * mean_gx => "),
    slip("statistics constant", f"{_M}-missing & {_V}-missing", all="(g - mean_g - x_hat * mean_gx) => g"),
    slip("sign of the last", f"{_V}-sign", all="- x_hat * mean_gx => + x_hat * mean_gx"),
    slip("lost 2", f"{_V}-halved", all="x_hat * mean_gx => 0.5 * x_hat * mean_gx"),
    slip("sum for the last mean", f"{_V}-times-N", closed="x_hat).mean => x_hat).sum", loops="sum(g * x_hat) / len(g) => sum(g * x_hat)"),
    slip("gamma missing", "gamma-missing | *-over-gamma", all="g = gamma * dy => g = dy"),
    slip("dgamma a mean", "mean-for-sum | *-over-N", all="(dy * x_hat).sum => (dy * x_hat).mean"),
    slip("dgamma with gamma", "dgamma-contains-gamma", all="(dy * x_hat) => (g * x_hat)"),
    slip("dbeta with gamma", "dbeta-contains-gamma", all="dbeta = dy => dbeta = g"),
    slip("db of what arrives", "db-skips-the-normalization", closed="db = dh.sum => db = dy.sum", loops="db = sum(dh) => db = sum(dy)", calls="db, dgamma, dbeta\n => dy.sum(axis=0), dgamma, dbeta\n"),
    slip("dW transposed", "wrong-shape & transposed", all="return dx, dW, => return dx, dW.T,"),
    slip("swapped", "swapped", all="return dx, dW, db, dgamma, dbeta => return dx, dW, db, dbeta, dgamma"),
)
# fmt: on

_FORWARD = {"closed": _BLOCK_FORWARD, "calls": _CALLS_FORWARD, "loops": _LOOPS_FORWARD}
_BACKWARD = {"closed": _BACK, "calls": _CALLS_BACK, "loops": _LOOPS_BACK}

EXERCISES = (
    Exercise("layer.affine_backward", _AFFINE, _AFFINE_SLIPS),
    Exercise("layer.relu_backward", _RELU, _RELU_SLIPS),
    Exercise("layer.block_forward", _FORWARD, _BLOCK_FORWARD_SLIPS),
    Exercise("layer.block_backward", {s: _FORWARD[s] + _BACKWARD[s] for s in _FORWARD}, _BLOCK_SLIPS),
)
