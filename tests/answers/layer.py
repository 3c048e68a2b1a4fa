"""Lesson 05: right answers in many forms, and wrong ones with the name their diagnosis must give."""

from textwrap import indent

TRAIN = "def batchnorm_train_forward(x, gamma, beta, running_mean, running_var, momentum, eps, convention):\n"
EVAL = "def batchnorm_eval_forward(x, gamma, beta, running_mean, running_var, eps):\n"
BLOCK = "def block_forward(x, W, b, gamma, beta, eps):\n"
FOLD = "def fold_into_affine(W, b, gamma, beta, running_mean, running_var, eps):\n"


def body(text):
    return indent(text.strip("\n"), "    ") + "\n"


def train(
    mu="x.mean(axis=0)",
    var="x.var(axis=0)",
    sigma="np.sqrt(var + eps)",
    x_hat="(x - mu) / sigma",
    out="gamma * x_hat + beta",
    keep='momentum if convention == "cs231n" else 1 - momentum',
    kept='x.var(axis=0, ddof=1) if convention == "pytorch" else x.var(axis=0)',
    new_mean="keep * running_mean + (1 - keep) * mu",
    new_var="keep * running_var + (1 - keep) * kept",
    cache="x, x_hat, sigma, gamma",
    returns="out, new_mean, new_var, cache",
):
    """Training forward, with one of its lines exchanged."""
    return TRAIN + body(
        f"""
mu = {mu}
var = {var}
sigma = {sigma}
x_hat = {x_hat}
keep = {keep}
kept = {kept}
new_mean = {new_mean}
new_var = {new_var}
out = {out}
cache = ({cache})
return {returns}
"""
    )


def train_back(
    dx="(h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma",
    dgamma="(dout * x_hat).sum(axis=0)",
    dbeta="dout.sum(axis=0)",
    before="",
    returns="dx, dgamma, dbeta",
    name="batchnorm_train_backward",
    h="gamma * dout",
):
    """Training backward, with one of its lines exchanged."""
    return f"def {name}(dout, cache):\n" + body(
        f"""
x, x_hat, sigma, gamma = cache
h = {h}
N = len(dout)
{before}
dx = {dx}
dgamma = {dgamma}
dbeta = {dbeta}
return {returns}
"""
    )


def train_pair(cache="x, x_hat, sigma, gamma, eps, running_mean, running_var", **lines):
    """Both passes of training mode, for mistakes that need more in the cache."""
    return train(cache=cache) + train_back(**lines).replace(
        "x, x_hat, sigma, gamma = cache",
        "x, x_hat, sigma, gamma, eps, running_mean, running_var = cache\n"
        "    mu, var = x.mean(axis=0), x.var(axis=0)\n    xc = x - mu",
    )


def eval_pair(
    sigma="np.sqrt(running_var + eps)",
    x_hat="(x - running_mean) / sigma",
    out="gamma * x_hat + beta",
    dx="gamma * dout / sigma",
    dgamma="(dout * x_hat).sum(axis=0)",
    dbeta="dout.sum(axis=0)",
    forward=True,
):
    """Both passes of evaluation mode; ``forward=False`` puts the exchanged line into the backward pass only."""
    right = (sigma, x_hat) if forward else ("np.sqrt(running_var + eps)", "(x - running_mean) / sigma")
    again = "" if forward else f"sigma = {sigma}\nx_hat = {x_hat}"
    return (
        EVAL
        + body(
            f"""
sigma = {right[0]}
x_hat = {right[1]}
return {out}, dict(x=x, x_hat=x_hat, sigma=sigma, gamma=gamma, m=running_mean, v=running_var, eps=eps)
"""
        )
        + "def batchnorm_eval_backward(dout, cache):\n"
        + body(
            f"""
x, x_hat, sigma, gamma = (cache[key] for key in ("x", "x_hat", "sigma", "gamma"))
running_mean, running_var, eps = cache["m"], cache["v"], cache["eps"]
h = gamma * dout
{again}
return {dx}, {dgamma}, {dbeta}
"""
        )
    )


def block(
    h="x @ W + b",
    mu="h.mean(axis=0)",
    sigma="np.sqrt(h.var(axis=0) + eps)",
    y="gamma * x_hat + beta",
    a="np.maximum(y, 0)",
    dy="da * (y > 0)",
    dh="(g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / sigma",
    dgamma="(dy * x_hat).sum(axis=0)",
    dbeta="dy.sum(axis=0)",
    dx="dh @ W.T",
    dW="x.T @ dh",
    db="dh.sum(axis=0)",
):
    """Both passes of the block, with one of their lines exchanged."""
    return (
        BLOCK
        + body(
            f"""
h = {h}
mu = {mu}
sigma = {sigma}
x_hat = (h - mu) / sigma
y = {y}
a = {a}
return a, [x, W, h, x_hat, sigma, gamma, y, eps]
"""
        )
        + "def block_backward(da, cache):\n"
        + body(
            f"""
x, W, h, x_hat, sigma, gamma, y, eps = cache
dy = {dy}
g = gamma * dy
dh = {dh}
return {dx}, {dW}, {db}, {dgamma}, {dbeta}
"""
        )
    )


def layer(
    settings="momentum, eps, convention",
    start="np.zeros(len(gamma)), np.ones(len(gamma))",
    trains="if training:",
    store="self.running_mean, self.running_var = new_mean, new_var",
    serve="out, self.cache = batchnorm_eval_forward(x, self.gamma, self.beta, *notes, self.eps)",
    mode="self.trained = training",
    pick="back = batchnorm_train_backward if self.trained else batchnorm_eval_backward",
    gradients="self.dgamma, self.dbeta = dgamma, dbeta",
    parameters="self.gamma, self.beta, self.dgamma, self.dbeta, self.running_mean, self.running_var",
    returns="return dx",
    train_forward="batchnorm_train_forward",
    cache="self.cache = cache",
    head='def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):',
):
    """The class, with one of its lines exchanged."""
    return f"""
class BatchNorm:
    {head}
        self.gamma, self.beta = np.array(gamma), np.array(beta)
        self.momentum, self.eps, self.convention = {settings}
        self.running_mean, self.running_var = {start}
        self.dgamma = self.dbeta = np.zeros(len(gamma))
        self.cache = None

    def forward(self, x, training):
        {mode}
        notes = self.running_mean, self.running_var
        {trains}
            out, new_mean, new_var, cache = {train_forward}(
                x, self.gamma, self.beta, *notes, self.momentum, self.eps, self.convention
            )
            {cache}
            {store}
        else:
            {serve}
        return out

    def backward(self, dout):
        {pick}
        dx, dgamma, dbeta = back(dout, self.cache)
        {gradients}
        {returns}

    def parameters(self):
        return {parameters}
"""


def function(signature, *lines):
    return f"def {signature}:\n" + body("\n".join(lines))


def update(*lines):
    return function("update_running(running, batch, momentum, convention)", *lines)


def variance(*lines):
    return function("kept_variance(x, convention)", *lines)


def undo(*lines):
    return function("undo_normalization(x, eps)", *lines)


def affine(*lines):
    return function("affine_backward(dh, x, W)", *lines)


def relu(*lines):
    return function("relu_backward(da, y)", *lines)


def fold(scale="gamma / np.sqrt(running_var + eps)", W2="W * s", b2="(b - running_mean) * s + beta", last="W2, b2"):
    return FOLD + body(f"s = {scale}\nW2 = {W2}\nb2 = {b2}\nreturn {last}")


# The whole of training mode written gate by gate: another style of the same numbers.
STAGED_FORWARD = TRAIN + body(
    """
N, D = x.shape
mu = 1.0 / N * np.sum(x, axis=0)
xmu = x - mu
sq = xmu ** 2
var = 1.0 / N * np.sum(sq, axis=0)
sqrtvar = np.sqrt(var + eps)
ivar = 1.0 / sqrtvar
xhat = xmu * ivar
out = xhat * gamma + beta
if convention == "pytorch":
    rm = (1 - momentum) * running_mean + momentum * mu
    rv = (1 - momentum) * running_var + momentum * var * N / (N - 1)
else:
    rm = momentum * running_mean + (1 - momentum) * mu
    rv = momentum * running_var + (1 - momentum) * var
return out, rm, rv, {"xhat": xhat, "xmu": xmu, "ivar": ivar, "sqrtvar": sqrtvar, "gamma": gamma}
"""
)
STAGED_BACKWARD = "def batchnorm_train_backward(dout, cache):\n" + body(
    """
N, D = dout.shape
dbeta = np.sum(dout, axis=0)
dgamma = np.sum(dout * cache["xhat"], axis=0)
dxhat = dout * cache["gamma"]
divar = np.sum(dxhat * cache["xmu"], axis=0)
dxmu1 = dxhat * cache["ivar"]
dsqrtvar = -1.0 / cache["sqrtvar"] ** 2 * divar
dvar = 0.5 / cache["sqrtvar"] * dsqrtvar
dsq = 1.0 / N * np.ones((N, D)) * dvar
dxmu2 = 2 * cache["xmu"] * dsq
dx1 = dxmu1 + dxmu2
dmu = -1 * np.sum(dxmu1, axis=0)
dx2 = 1.0 / N * np.ones((N, D)) * dmu
return dx1 + dx2, dgamma, dbeta
"""
)
LOOPS_FORWARD = TRAIN + body(
    """
N, D = x.shape
out, new_mean, new_var, x_hats, sigmas = np.empty((N, D)), [], [], [], []
for l in range(D):
    column = x[:, l]
    mu = sum(column) / N
    squares = sum((value - mu) ** 2 for value in column)
    sigma = (squares / N + eps) ** 0.5
    for k in range(N):
        out[k, l] = gamma[l] * (column[k] - mu) / sigma + beta[l]
    if convention == "cs231n":
        old, kept = momentum, squares / N
    else:
        old, kept = 1 - momentum, squares / (N - 1)
    new_mean.append(old * running_mean[l] + (1 - old) * mu)
    new_var.append(old * running_var[l] + (1 - old) * kept)
    x_hats.append((column - mu) / sigma)
    sigmas.append(sigma)
return out, new_mean, new_var, (np.array(x_hats).T, np.array(sigmas), gamma)
"""
).replace("squares / (N - 1)", "squares / (N - 1) if N > 1 else float('nan')")
LOOPS_BACKWARD = "def batchnorm_train_backward(dout, cache):\n" + body(
    """
x_hat, sigma, gamma = cache
N, D = dout.shape
dx = np.zeros((N, D))
for l in range(D):
    for i in range(N):
        for k in range(N):
            dx[i, l] += dout[k, l] * gamma[l] / sigma[l] * ((k == i) - (1 + x_hat[i, l] * x_hat[k, l]) / N)
return dx, [float(sum(dout[:, l] * x_hat[:, l])) for l in range(D)], [float(sum(dout[:, l])) for l in range(D)]
"""
)
OBJECT_CACHE = (
    "class Kept:\n    pass\n"
    + TRAIN
    + body(
        """
kept = Kept()
kept.x_hat = (x - x.mean(0)) / np.sqrt(np.var(x, 0) + eps)
kept.gamma, kept.sigma = gamma, np.sqrt(np.var(x, 0) + eps)
new_mean = update_running(running_mean, x.mean(0), momentum, convention)
new_var = update_running(running_var, kept_variance(x, convention), momentum, convention)
return kept.x_hat * gamma + beta, new_mean, new_var, kept
"""
    )
)
OBJECT_BACKWARD = "def batchnorm_train_backward(dout, cache):\n" + body(
    """
x_hat, N = cache.x_hat, dout.shape[0]
dgamma, dbeta = np.einsum("kl,kl->l", dout, x_hat), np.einsum("kl->l", dout)
return cache.gamma / (N * cache.sigma) * (N * dout - dbeta - x_hat * dgamma), dgamma, dbeta
"""
)
ALONE = '''
def normalize(x, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps)

class BatchNorm:
    """Everything inside, nothing of the lesson called."""

    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):
        self.gamma = np.asarray(gamma).copy()
        self.beta = np.asarray(beta).copy()
        self.keep = momentum if convention == "cs231n" else 1 - momentum
        self.unbiased = convention != "cs231n"
        self.eps = eps
        self.running_mean = 0 * self.gamma
        self.running_var = self.running_mean + 1
        self.dgamma = self.dbeta = 0 * self.gamma

    def forward(self, x, training=True):
        mean, var = self.running_mean, self.running_var
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            kept = var * len(x) / (len(x) - 1) if self.unbiased else var
            self.running_mean = self.running_mean + (1 - self.keep) * (mean - self.running_mean)
            self.running_var = self.running_var + (1 - self.keep) * (kept - self.running_var)
        self.x_hat, self.sigma, self.coupled = normalize(x, mean, var, self.eps), np.sqrt(var + self.eps), training
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.x_hat).sum(axis=0), dout.sum(axis=0)
        if self.coupled:
            dout = dout - dout.mean(axis=0) - self.x_hat * (dout * self.x_hat).mean(axis=0)
        return self.gamma / self.sigma * dout

    def parameters(self):
        return [self.gamma, self.beta, self.dgamma, self.dbeta, self.running_mean, self.running_var]
'''
IN_PLACE = """
class Base:
    def parameters(self):
        names = "gamma beta dgamma dbeta running_mean running_var".split()
        return tuple(getattr(self, name) for name in names)

class BatchNorm(Base):
    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):
        self.__dict__.update(momentum=momentum, eps=eps, convention=convention)
        self.gamma, self.beta = gamma.copy(), beta.copy()
        self.running_mean, self.running_var = np.zeros_like(gamma), np.ones_like(gamma)
        self.dgamma, self.dbeta = np.zeros((1, len(gamma))), np.zeros((1, len(gamma)))

    def forward(self, x, training):
        if not training:
            out, cache = batchnorm_eval_forward(x, self.gamma, self.beta, self.running_mean, self.running_var, self.eps)
            self._back = lambda dout: batchnorm_eval_backward(dout, cache)
            return out
        out, mean, var, cache = batchnorm_train_forward(
            x, self.gamma, self.beta, self.running_mean, self.running_var, self.momentum, self.eps, self.convention
        )
        self.running_mean[:] = mean
        self.running_var[:] = var
        self._back = lambda dout: batchnorm_train_backward(dout, cache)
        return out

    def backward(self, dout):
        dx, self.dgamma[0], self.dbeta[0] = self._back(dout)
        return dx
"""

RIGHT = {
    "update_running": {
        "two branches": update(
            'if convention == "cs231n":',
            "    return momentum * running + (1 - momentum) * batch",
            "return (1 - momentum) * running + momentum * batch",
        ),
        "a step towards the batch": update(
            'step = momentum if convention == "pytorch" else 1 - momentum', "return running + step * (batch - running)"
        ),
        "loops and lists": update(
            'weights = (momentum, 1 - momentum) if convention == "cs231n" else (1 - momentum, momentum)',
            "return [weights[0] * r + weights[1] * s for r, s in zip(running, batch)]",
        ),
        "average": update(
            'a = {"cs231n": momentum, "pytorch": 1 - momentum}[convention]',
            "return np.average(np.stack([running, batch]), axis=0, weights=[a, 1 - a])",
        ),
        "a row": update(
            'a = {"cs231n": momentum, "pytorch": 1 - momentum}[convention]',
            "return (a * running + (1 - a) * batch)[None]",
        ),
        "other names": function(
            "update_running(r, s, m, kind)",
            'm = m if kind == "cs231n" else 1 - m',
            "print('weights', m, 1 - m)",
            "return r * m + s * (1 - m)",
        ),
    },
    "kept_variance": {
        "numpy": variance('return np.var(x, 0, ddof={"cs231n": 0, "pytorch": 1}[convention])'),
        "corrected": variance("N = len(x)", 'return x.var(axis=0) * (N / (N - 1) if convention == "pytorch" else 1)'),
        "sum of squares": variance(
            "xc = x - np.mean(x, axis=0)",
            'return np.sum(xc * xc, axis=0) / (x.shape[0] - (convention == "pytorch"))',
        ),
        "einsum, keepdims": variance(
            "xc = x - x.mean(axis=0, keepdims=True)",
            'return np.einsum("kl,kl->l", xc, xc) / (len(x) - 1 if convention == "pytorch" else len(x))',
        ),
        "loops": variance(
            "result = []",
            "for column in x.T:",
            "    m = sum(column) / len(column)",
            '    n = len(column) - 1 if convention == "pytorch" else len(column)',
            "    result.append(sum((c - m) ** 2 for c in column) / n)",
            "return np.array(result)",
        ),
        "statistics of differences": variance(
            "x = x - x[0]",
            'n = len(x) - (convention == "pytorch")',
            "return ((x ** 2).sum(axis=0) - x.sum(axis=0) ** 2 / len(x)) / n",
        ),
    },
    "batchnorm_train_forward": {
        "plain": train(),
        "staged": STAGED_FORWARD,
        "loops": LOOPS_FORWARD,
        "object cache, calls the others": OBJECT_CACHE,
        "no cache": train(cache="None"),
        "rows": train(mu="x.mean(axis=0, keepdims=True)", var="x.var(axis=0, keepdims=True)"),
        "one scale and one shift": train(out="x * (gamma / sigma) + (beta - mu * gamma / sigma)"),
        "an array as cache": train(cache="x_hat"),
    },
    "batchnorm_train_backward": {
        "plain": train() + train_back(),
        "staged": STAGED_FORWARD + STAGED_BACKWARD,
        "loops": LOOPS_FORWARD + LOOPS_BACKWARD,
        "object": OBJECT_CACHE + OBJECT_BACKWARD,
        "zero term spelled out": train_pair(
            dx="h / sigma + dvar * 2 * xc / N + dmu / N",
            before="dvar = (h * xc).sum(axis=0) * -0.5 * (var + eps) ** -1.5\n"
            "dmu = -h.sum(axis=0) / sigma + dvar * np.sum(-2 * xc, axis=0) / N",
        ),
        "zero term with the wrong factor": train_pair(
            dx="h / sigma + dvar * 2 * xc / N + dmu / N",
            before="dvar = (h * xc).sum(axis=0) * -0.5 * (var + eps) ** -1.5\n"
            "dmu = -h.sum(axis=0) / sigma + dvar * np.sum(-2 * xc, axis=0)",
        ),
        "rows": train() + train_back(dgamma="(dout * x_hat).sum(axis=0, keepdims=True)", dbeta="dout.sum(0)[None]"),
        "in the learner's own copy": train()
        + train_back(
            dx="dx", before="dx = h.copy()\ndx -= h.mean(axis=0)\ndx -= x_hat * (h * x_hat).mean(axis=0)\ndx /= sigma"
        ),
        "Jacobian by einsum": train()
        + train_back(
            dx='np.einsum("kl,kil->il", h / sigma, np.eye(N)[:, :, None] - (1 + x_hat[:, None] * x_hat[None]) / N)'
        ),
    },
    "batchnorm_eval_forward": {
        "plain": eval_pair(),
        "one scale and one shift": EVAL
        + body("a = gamma / np.sqrt(running_var + eps)\nreturn a * x + (beta - a * running_mean), (x, a)"),
        "loops": EVAL
        + body(
            """
out = np.zeros(x.shape)
for k in range(x.shape[0]):
    for l in range(x.shape[1]):
        out[k, l] = gamma[l] * (x[k, l] - running_mean[l]) * (running_var[l] + eps) ** -0.5 + beta[l]
return out, None
"""
        ),
        "row by row": EVAL
        + body("rows = [gamma * (r - running_mean) / np.sqrt(running_var + eps) + beta for r in x]\nreturn rows, x"),
    },
    "batchnorm_eval_backward": {
        "plain": eval_pair(),
        "loops": eval_pair(dx="[[g * d / s for g, d, s in zip(gamma, row, sigma)] for row in dout]"),
        "einsum": eval_pair(
            dx='np.einsum("l,kl->kl", gamma / sigma, dout)', dgamma='np.einsum("kl,kl->l", dout, x_hat)'
        ),
        "rows": eval_pair(dgamma="np.sum(dout * x_hat, axis=0, keepdims=True)", dbeta="np.sum(dout, 0)[None]"),
        "everything again": EVAL
        + body(
            "return gamma * (x - running_mean) / (running_var + eps) ** 0.5 + beta, (x, gamma, running_mean, running_var, eps)"
        )
        + function(
            "batchnorm_eval_backward(dout, cache)",
            "x, gamma, m, v, eps = cache",
            "return dout * gamma * (v + eps) ** -0.5, sum(dout * (x - m) / (v + eps) ** 0.5), sum(dout)",
        ),
    },
    "undo_normalization": {
        "plain": undo("return (x.var(axis=0) + eps) ** 0.5, x.mean(axis=0)"),
        "lists": undo(
            "gamma, beta = [], []",
            "for column in x.T:",
            "    m = sum(column) / len(x)",
            "    beta.append(m)",
            "    gamma.append((sum((column - m) ** 2) / len(x) + eps) ** 0.5)",
            "return gamma, beta",
        ),
        "rows": undo(
            "mu = x.mean(axis=0, keepdims=True)",
            "return np.sqrt(((x - mu) ** 2).mean(axis=0, keepdims=True) + eps), mu",
        ),
    },
    "affine_backward": {
        "products": affine(
            "dx = np.dot(dh, W.T)", "dW = np.dot(x.T, dh)", "db = np.sum(dh, axis=0)", "return dx, dW, db"
        ),
        "einsum": affine('return np.einsum("ij,dj->id", dh, W), np.einsum("id,ij->dj", x, dh), np.einsum("ij->j", dh)'),
        "loops": affine(
            "dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros((1, W.shape[1]))",
            "for i in range(len(x)):",
            "    dx[i] = W @ dh[i]",
            "    dW += np.outer(x[i], dh[i])",
            "    db += dh[i]",
            "return dx, dW, db",
        ),
        "transposed twice": affine("return (W @ dh.T).T, (dh.T @ x).T, np.ones(len(dh)) @ dh"),
    },
    "relu_backward": {
        "where": relu("return np.where(y > 0, da, 0)"),
        "copy and clear": relu("dy = da.copy()", "dy[y <= 0] = 0", "return dy"),
        "slope": relu("return da * (np.sign(y) + 1) / 2"),
        "heaviside": relu("return da * np.heaviside(y, 0)"),
        "lists": relu("return [[d if v > 0 else 0 for d, v in zip(*rows)] for rows in zip(da, y)]"),
        "through the output": relu("a = np.maximum(y, 0)", "return da * (a > 0)"),
    },
    "block_forward": {
        "plain": block(),
        "without b": block(h="x @ W"),
        "calls the others": BLOCK
        + body(
            """
D = len(gamma)
y, _, _, cache = batchnorm_train_forward(x @ W + b, gamma, beta, np.zeros(D), np.ones(D), 0.5, eps, "pytorch")
return y * (y > 0), None
"""
        ),
        "einsum": block(h='np.einsum("id,dj->ij", x, W) + b', a="np.where(y < 0, 0, y)"),
    },
    "block_backward": {
        "plain": block(),
        "b left out, db zero": block(db="np.zeros(W.shape[1])"),
        "calls the others": BLOCK
        + body(
            """
h = x @ W + b
y, _, _, cache = batchnorm_train_forward(h, gamma, beta, 0 * b, 0 * b + 1, 0.5, eps, "cs231n")
return np.maximum(0, y), {"x": x, "W": W, "y": y, "norm": cache}
"""
        )
        + function(
            "block_backward(da, cache)",
            'dy = relu_backward(da, cache["y"])',
            'dh, dgamma, dbeta = batchnorm_train_backward(dy, cache["norm"])',
            'dx, dW, db = affine_backward(dh, cache["x"], cache["W"])',
            "return [dx, dW, db, dgamma, dbeta]",
        ),
        "einsum": block(
            dx='np.einsum("nh,dh->nd", dh, W)', dW='np.einsum("nd,nh->dh", x, dh)', db="np.ones(len(x)) @ dh"
        ),
        "rows": block(db="dh.sum(axis=0, keepdims=True)", dgamma="(dy * x_hat).sum(axis=0)[None]"),
    },
    "fold_into_affine": {
        "plain": fold(),
        "diagonal matrix": fold(W2="W @ np.diag(s)", b2="b @ np.diag(s) - running_mean * s + beta"),
        "einsum": fold(W2='np.einsum("dj,j->dj", W, s)'),
        "by asking evaluation mode": FOLD
        + body(
            """
zero, _ = batchnorm_eval_forward(b[None], gamma, beta, running_mean, running_var, eps)
unit, _ = batchnorm_eval_forward(W + b, gamma, beta, running_mean, running_var, eps)
return unit - zero, zero
"""
        ),
        "loops": FOLD
        + body(
            """
W2, b2 = np.zeros(W.shape), np.zeros(b.shape)
for j in range(len(b)):
    s = gamma[j] * (running_var[j] + eps) ** -0.5
    W2[:, j] = s * W[:, j]
    b2[j] = s * (b[j] - running_mean[j]) + beta[j]
return W2, b2
"""
        ),
    },
    "BatchNorm": {
        "calls the functions": layer(),
        "alone, with a helper": ALONE,
        "in place, base class, closures": IN_PLACE,
        "keeps both caches": layer(
            cache="self.train_cache = cache",
            serve="out, self.eval_cache = batchnorm_eval_forward(x, self.gamma, self.beta, *notes, self.eps)",
            pick="back = batchnorm_train_backward if self.trained else batchnorm_eval_backward\n"
            "        self.cache = self.train_cache if self.trained else self.eval_cache",
        ),
    },
}

AXIS1 = "x.mean(axis=1, keepdims=True)"
WRONG_TRAIN_OUT = {
    "ddof": ("bessel", train(var="x.var(axis=0, ddof=1)", kept="x.var(axis=0, ddof=int(convention != 'cs231n'))")),
    "eps outside": ("eps-outside-the-root", train(sigma="np.sqrt(var) + eps")),
    "eps forgotten": ("eps-missing", train(sigma="np.sqrt(var)")),
    "eps hard-coded": ("eps-fixed", train(sigma="np.sqrt(var + 1e-5)")),
    "no root": ("no-root", train(sigma="var + eps")),
    "no root, no eps": ("no-root-no-eps", train(sigma="var")),
    "squared": ("squared-for-root", train(sigma="(var + eps) ** 2")),
    "running statistics": (
        "running-statistics-in-training",
        train(x_hat="(x - running_mean) / np.sqrt(running_var + eps)"),
    ),
    "updated running statistics": (
        "updated-running-statistics-in-training",
        train(out="gamma * (x - new_mean) / np.sqrt(new_var + eps) + beta"),
    ),
    "mixed": ("variance-of-the-other-mode", train(x_hat="(x - mu) / np.sqrt(running_var + eps)")),
    "wrong axis": ("wrong-axis", train(x_hat=f"(x - {AXIS1}) / np.sqrt(x.var(axis=1, keepdims=True) + eps)")),
    "no axis": ("no-axis", train(x_hat="(x - x.mean()) / np.sqrt(x.var() + eps)")),
    "E[x^2] - E[x]^2": (
        "one-pass-variance",
        train(var="np.mean(x ** 2, axis=0) - np.mean(x, axis=0) ** 2"),
    ),
    "gamma missing": ("gamma-missing", train(out="x_hat + beta")),
    "beta missing": ("beta-missing", train(out="gamma * x_hat")),
    "gamma and beta exchanged": ("gamma-and-beta-exchanged", train(out="beta * x_hat + gamma")),
    "mean not subtracted": ("mean-not-subtracted", train(x_hat="x / sigma")),
    "sign of beta": ("beta-sign", train(out="gamma * x_hat - beta")),
}
WRONG_RUNNING = {
    "two: reversed and std": (
        "momentum-reversed",
        train(
            kept="x.std(axis=0, ddof=int(convention == 'pytorch'))", new_var="keep * kept + (1 - keep) * running_var"
        ),
    ),
    "two: eps and gamma": ("eps-missing", train(sigma="np.sqrt(var)", out="x_hat + beta")),
    "momentum reversed": ("momentum-reversed", train(keep='momentum if convention == "pytorch" else 1 - momentum')),
    "one convention only": ("momentum-reversed", train(keep="momentum")),
    "never updated": ("never-updated", train(new_mean="running_mean.copy()", new_var="running_var.copy()")),
    "only the mean updated": ("never-updated", train(new_var="running_var.copy()")),
    "replaced": ("average-replaced", train(new_mean="mu")),
    "variance replaced": ("average-replaced", train(new_var="kept")),
    "biased always": ("biased-for-unbiased", train(kept="x.var(axis=0)")),
    "unbiased always": ("unbiased-for-biased", train(kept="x.var(axis=0, ddof=1)")),
    "exchanged": ("variances-exchanged", train(kept='x.var(axis=0, ddof=int(convention == "cs231n"))')),
    "std": ("std-kept", train(kept="x.std(axis=0, ddof=int(convention == 'pytorch'))")),
    "sigma": ("sigma-kept", train(kept="sigma")),
    "eps folded in": ("eps-kept", train(kept="x.var(axis=0, ddof=int(convention == 'pytorch')) + eps")),
    "old average missing": ("old-average-missing", train(new_mean="(1 - keep) * mu")),
    "no weight of the new": ("new-weight-missing", train(new_mean="keep * running_mean + mu")),
    "old ones returned": ("never-updated", train(returns="out, running_mean, running_var, cache")),
    "order": ("swapped", train(returns="out, new_var, new_mean, cache")),
    "cache forgotten": ("wrong-count", train(returns="out, new_mean, new_var")),
    "in place": (
        "input-changed",
        train(returns="out, running_mean, running_var, cache").replace(
            "    return",
            "    running_mean *= keep\n    running_mean += (1 - keep) * mu\n    running_var[:] = new_var\n    return",
        ),
    ),
    "batch changed in place": ("input-changed", train(x_hat="np.divide(np.subtract(x, mu, out=x), sigma)", kept="var")),
}
DX_SUMS = "(h - h.sum(axis=0) - x_hat * (h * x_hat).sum(axis=0)) / sigma"

WRONG = {
    "update_running": {
        "reversed": (
            "momentum-reversed",
            update('a = momentum if convention == "pytorch" else 1 - momentum', "return a * running + (1 - a) * batch"),
        ),
        "CS231n only": ("momentum-reversed", update("return momentum * running + (1 - momentum) * batch")),
        "PyTorch only": ("momentum-reversed", update("return (1 - momentum) * running + momentum * batch")),
        "never updated": ("never-updated", update("return running")),
        "replaced": ("average-replaced", update("return batch")),
        "in place": (
            "input-changed",
            update(
                'a = momentum if convention == "cs231n" else 1 - momentum',
                "running *= a",
                "running += (1 - a) * batch",
                "return running",
            ),
        ),
        "new batch without its weight": (
            "new-weight-missing",
            update('a = momentum if convention == "cs231n" else 1 - momentum', "return a * running + batch"),
        ),
        "old average without its weight": (
            "old-weight-missing",
            update('a = momentum if convention == "cs231n" else 1 - momentum', "return running + (1 - a) * batch"),
        ),
        "sign": (
            "new-batch-sign",
            update('a = momentum if convention == "cs231n" else 1 - momentum', "return a * running - (1 - a) * batch"),
        ),
        "CS231n only, and no weight": ("cs231n-for-both", update("return momentum * running + batch")),
        "plain mean": ("momentum-ignored", update("return (running + batch) / 2")),
        "no return": ("returned-none", update("momentum * running + (1 - momentum) * batch")),
    },
    "kept_variance": {
        "biased": ("biased-for-unbiased", variance("return x.var(axis=0)")),
        "unbiased": ("unbiased-for-biased", variance("return x.var(axis=0, ddof=1)")),
        "exchanged": ("variances-exchanged", variance('return x.var(axis=0, ddof=int(convention == "cs231n"))')),
        "std": ("std-kept", variance('return x.std(axis=0, ddof=int(convention == "pytorch"))')),
        "sum": ("sum-for-mean", variance("return ((x - x.mean(axis=0)) ** 2).sum(axis=0)")),
        "no axis": ("wrong-shape", variance("return x.var()")),
        "wrong axis": ("wrong-shape", variance('return x.var(axis=1, ddof=int(convention == "pytorch"))')),
        "E[x^2] - E[x]^2": (
            "one-pass-variance",
            variance(
                "var = np.mean(x ** 2, axis=0) - np.mean(x, axis=0) ** 2",
                'return var * len(x) / (len(x) - 1) if convention == "pytorch" else var',
            ),
        ),
        "in place": (
            "input-changed",
            variance("x -= x.mean(axis=0)", 'return (x ** 2).sum(axis=0) / (len(x) - (convention == "pytorch"))'),
        ),
        "around zero": ("mean-not-subtracted", variance('return (x ** 2).sum(axis=0) / (len(x) - (convention == "pytorch"))')),
    },
    "batchnorm_train_forward": WRONG_TRAIN_OUT | WRONG_RUNNING,
    "batchnorm_train_backward": {
        "statistics as constants": ("path-through-the-mean-missing", train() + train_back(dx="h / sigma")),
        "mean path only": ("path-through-the-variance-missing", train() + train_back(dx="(h - h.mean(axis=0)) / sigma")),
        "variance path only": (
            "path-through-the-mean-missing",
            train() + train_back(dx="(h - x_hat * (h * x_hat).mean(axis=0)) / sigma"),
        ),
        "a branch overwritten": (
            "direct-path-missing",
            train() + train_back(dx="-x_hat * (h * x_hat).mean(axis=0) / sigma"),
        ),
        "diagonal": ("only-the-diagonal", train() + train_back(dx="h * (1 - 1 / N - x_hat ** 2 / N) / sigma")),
        "gamma missing": ("dx-over-gamma", train() + train_back(h="dout")),
        "gamma twice": ("dx-times-gamma", train() + train_back(h="gamma * gamma * dout")),
        "gamma in one term": (
            "path-through-the-mean-over-gamma",
            train() + train_back(dx="(h - dout.mean(axis=0) - x_hat * (dout * x_hat).mean(axis=0)) / sigma"),
        ),
        "sums": ("path-through-the-mean-times-N", train() + train_back(dx=DX_SUMS)),
        "one sum": (
            "path-through-the-variance-times-N",
            train() + train_back(dx="(h - h.mean(axis=0) - x_hat * (h * x_hat).sum(axis=0)) / sigma"),
        ),
        "over N": (
            "dx-over-N",
            train() + train_back(dx="(h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma / N"),
        ),
        "sign of the mean": (
            "path-through-the-mean-sign",
            train() + train_back(dx="(h + h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma"),
        ),
        "sign of the variance": (
            "path-through-the-variance-sign",
            train() + train_back(dx="(h - h.mean(axis=0) + x_hat * (h * x_hat).mean(axis=0)) / sigma"),
        ),
        "lost two": (
            "path-through-the-variance-halved",
            train() + train_back(dx="(h - h.mean(axis=0) - 0.5 * x_hat * (h * x_hat).mean(axis=0)) / sigma"),
        ),
        "sigma missing": (
            "dx-times-sigma",
            train() + train_back(dx="h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)"),
        ),
        "sigma squared": (
            "dx-over-sigma",
            train() + train_back(dx="(h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma ** 2"),
        ),
        "xc for x_hat": (
            "path-through-the-variance-times-sigma^2",
            train_pair(dx="(h - h.mean(axis=0) - xc * (h * xc).mean(axis=0)) / sigma"),
        ),
        "x for x_hat": (
            "x-for-x-hat",
            train_pair(dx="(h - h.mean(axis=0) - x * (h * x).mean(axis=0)) / sigma"),
        ),
        "exponent": (
            "path-through-the-variance-times-sigma^2",
            train_pair(
                dx="h / sigma + dvar * 2 * xc / N - h.sum(axis=0) / sigma / N",
                before="dvar = (h * xc).sum(axis=0) * -0.5 / sigma",
            ),
        ),
        "bessel": (
            "bessel",
            train_pair(
                before="sigma = np.sqrt(x.var(axis=0, ddof=1) + eps)\nx_hat = xc / sigma",
            ),
        ),
        "wrong axis": (
            "wrong-axis",
            train()
            + train_back(
                dx="(h / sigma - (h / sigma).mean(axis=1, keepdims=True)"
                " - x_hat * (h * x_hat / sigma).mean(axis=1, keepdims=True))"
            ),
        ),
        "no axis": (
            "no-axis",
            train() + train_back(dx="h / sigma - (h / sigma).mean() - x_hat * (h * x_hat / sigma).mean()"),
        ),
        "eps dropped": (
            "eps-missing",
            train_pair(before="sigma = np.sqrt(var)\nx_hat = xc / sigma"),
        ),
        "eps dropped in one division": ("eps-missing-in-the-division", train_pair(before="sigma = np.sqrt(var)")),
        "eps hard-coded": (
            "eps-fixed",
            train_pair(before="sigma = np.sqrt(var + 1e-5)\nx_hat = xc / sigma"),
        ),
        "running statistics": (
            "running-statistics-in-training",
            train_pair(before="sigma = np.sqrt(running_var + eps)\nx_hat = (x - running_mean) / sigma"),
        ),
        "evaluation gradient": (
            "evaluation-gradient-in-training",
            train_pair(dx="h / np.sqrt(running_var + eps)"),
        ),
        "two: eps and a path": (
            "path-through-the-mean-missing",
            train_pair(
                before="sigma = np.sqrt(var)\nx_hat = xc / sigma", dx="(h - x_hat * (h * x_hat).mean(axis=0)) / sigma"
            ),
        ),
        "two: mean and gamma": ("mean-for-sum", train() + train_back(dgamma="(h * x_hat).mean(axis=0)")),
        "dbeta mean": ("mean-for-sum", train() + train_back(dbeta="dout.mean(axis=0)")),
        "dgamma mean": ("mean-for-sum", train() + train_back(dgamma="(dout * x_hat).mean(axis=0)")),
        "dgamma with x": ("dgamma-with-x", train() + train_back(dgamma="(dout * x).sum(axis=0)")),
        "dgamma with xc": ("dgamma-with-centred-x", train_pair(dgamma="(dout * xc).sum(axis=0)")),
        "dgamma with gamma": ("dgamma-contains-gamma", train() + train_back(dgamma="(h * x_hat).sum(axis=0)")),
        "dbeta with gamma": ("dbeta-contains-gamma", train() + train_back(dbeta="h.sum(axis=0)")),
        "swapped": ("swapped", train() + train_back(returns="dx, dbeta, dgamma")),
        "dgamma per example": ("wrong-shape", train() + train_back(dgamma="dout * x_hat")),
        "dout in place": (
            "input-changed",
            train() + train_back(h="np.multiply(dout, gamma, out=dout)", dgamma="(dout * x_hat).sum(axis=0) / gamma"),
        ),
        "dx is zero": ("dx-zero", train() + train_back(dx="0 * h")),
    },
    "batchnorm_eval_forward": {
        "batch statistics": (
            "batch-statistics-in-evaluation",
            eval_pair(sigma="np.sqrt(x.var(axis=0) + eps)", x_hat="(x - x.mean(axis=0)) / sigma"),
        ),
        "batch mean": ("mean-of-the-other-mode", eval_pair(x_hat="(x - x.mean(axis=0)) / sigma")),
        "batch variance": ("variance-of-the-other-mode", eval_pair(sigma="np.sqrt(x.var(axis=0) + eps)")),
        "eps forgotten": ("eps-missing", eval_pair(sigma="np.sqrt(running_var)")),
        "eps outside": ("eps-outside-the-root", eval_pair(sigma="np.sqrt(running_var) + eps")),
        "eps hard-coded": ("eps-fixed", eval_pair(sigma="np.sqrt(running_var + 1e-5)")),
        "variance taken for std": ("no-root", eval_pair(sigma="running_var + eps")),
        "variance taken for std, no eps": ("no-root-no-eps", eval_pair(sigma="running_var")),
        "gamma missing": ("gamma-missing", eval_pair(out="x_hat + beta")),
        "beta missing": ("beta-missing", eval_pair(out="gamma * x_hat")),
        "mean not subtracted": ("mean-not-subtracted", eval_pair(x_hat="x / sigma")),
        "exchanged": ("gamma-and-beta-exchanged", eval_pair(out="beta * x_hat + gamma")),
        "one value": (
            "wrong-count",
            EVAL + body("return gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta"),
        ),
        "in place": ("input-changed", EVAL + body(
            "x -= running_mean\nreturn gamma * x / np.sqrt(running_var + eps) + beta, None")),
    },
    "batchnorm_eval_backward": {
        "training gradient, running statistics": (
            "training-gradient-in-evaluation",
            eval_pair(dx="(h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma"),
        ),
        "training gradient, batch statistics": (
            "training-gradient-with-batch-statistics",
            eval_pair(
                forward=False,
                sigma="np.sqrt(x.var(axis=0) + eps)",
                x_hat="(x - x.mean(axis=0)) / sigma",
                dx="(h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma",
            ),
        ),
        "mean path": ("mean-path-in-evaluation", eval_pair(dx="(h - h.mean(axis=0)) / sigma")),
        "batch variance": (
            "batch-variance-in-evaluation",
            eval_pair(forward=False, sigma="np.sqrt(x.var(axis=0) + eps)", x_hat="x_hat"),
        ),
        "eps forgotten": ("eps-missing", eval_pair(forward=False, sigma="np.sqrt(running_var)", x_hat="x_hat")),
        "eps hard-coded": (
            "eps-fixed",
            eval_pair(forward=False, sigma="np.sqrt(running_var + 1e-5)", x_hat="x_hat"),
        ),
        "eps outside": (
            "eps-outside-the-root",
            eval_pair(forward=False, sigma="np.sqrt(running_var) + eps", x_hat="x_hat"),
        ),
        "no root": ("no-root", eval_pair(forward=False, sigma="running_var + eps", x_hat="x_hat")),
        "gamma missing": ("gamma-missing", eval_pair(dx="dout / sigma")),
        "sigma missing": ("direct-path-times-sigma", eval_pair(dx="gamma * dout")),
        "over N": ("direct-path-over-N", eval_pair(dx="gamma * dout / sigma / len(dout)")),
        "dgamma with batch statistics": (
            "statistics-of-the-other-mode",
            eval_pair(dgamma="(dout * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)).sum(axis=0)"),
        ),
        "dgamma with x": ("dgamma-with-x", eval_pair(dgamma="(dout * x).sum(axis=0)")),
        "dgamma mean": ("mean-for-sum", eval_pair(dgamma="(dout * x_hat).mean(axis=0)")),
        "dgamma with gamma": ("dgamma-contains-gamma", eval_pair(dgamma="(h * x_hat).sum(axis=0)")),
        "dbeta mean": ("mean-for-sum", eval_pair(dbeta="dout.mean(axis=0)")),
        "dbeta with gamma": ("dbeta-contains-gamma", eval_pair(dbeta="h.sum(axis=0)")),
        "no parameters learn": ("dgamma-zero", eval_pair(dgamma="0 * gamma", dbeta="0 * gamma")),
    },
    "undo_normalization": {
        "ddof and no eps": ("bessel", undo("return x.std(axis=0, ddof=1), x.mean(axis=0)")),
        "std": ("eps-missing", undo("return x.std(axis=0), x.mean(axis=0)")),
        "eps outside": ("eps-outside-the-root", undo("return x.std(axis=0) + eps, x.mean(axis=0)")),
        "variance": ("no-root", undo("return x.var(axis=0) + eps, x.mean(axis=0)")),
        "plain variance": ("no-root-no-eps", undo("return x.var(axis=0), x.mean(axis=0)")),
        "ddof": ("bessel", undo("return np.sqrt(x.var(axis=0, ddof=1) + eps), x.mean(axis=0)")),
        "inverse": ("gamma-inverted", undo("return 1 / np.sqrt(x.var(axis=0) + eps), x.mean(axis=0)")),
        "swapped": ("swapped", undo("return x.mean(axis=0), np.sqrt(x.var(axis=0) + eps)")),
        "minus the mean": ("beta-sign", undo("return np.sqrt(x.var(axis=0) + eps), -x.mean(axis=0)")),
        "mean over sigma": (
            "beta-scaled",
            undo("s = np.sqrt(x.var(axis=0) + eps)", "return s, x.mean(axis=0) / s"),
        ),
        "wrong axis": ("wrong-shape", undo("return np.sqrt(x.var(axis=1) + eps), x.mean(axis=1)")),
        "one and zero": (None, undo("return np.ones(x.shape[1]), np.zeros(x.shape[1])")),
    },
    "affine_backward": {
        "W not transposed": ("raises-ValueError", affine("return dh @ W, x.T @ dh, dh.sum(axis=0)")),
        "dW transposed": ("wrong-shape", affine("return dh @ W.T, dh.T @ x, dh.sum(axis=0)")),
        "dW over N": ("matrix-product-over-N", affine("return dh @ W.T, x.T @ dh / len(x), dh.sum(axis=0)")),
        "db mean": ("sum-over-the-batch-over-N", affine("return dh @ W.T, x.T @ dh, dh.mean(axis=0)")),
        "db axis": ("wrong-shape", affine("return dh @ W.T, x.T @ dh, dh.sum(axis=1)")),
        "db sum of all": ("wrong-shape", affine("return dh @ W.T, x.T @ dh, dh.sum()")),
        "order": ("wrong-shape", affine("return x.T @ dh, dh @ W.T, dh.sum(axis=0)")),
        "db forgotten": ("wrong-count", affine("return dh @ W.T, x.T @ dh")),
        "dx negative": ("matrix-product-sign", affine("return -dh @ W.T, x.T @ dh, dh.sum(axis=0)")),
    },
    "relu_backward": {
        "everything": ("mask-missing", relu("return da")),
        "mask from da": ("mask-from-da", relu("return np.maximum(da, 0)")),
        "reversed": ("mask-reversed", relu("return da * (y < 0)")),
        "slopes": ("mask-alone", relu("return (y > 0).astype(float)")),
        "times output": ("times-output", relu("return da * np.maximum(y, 0)")),
        "times input": ("times-input", relu("return da * y")),
        "forward": ("forward-of-gradient", relu("return np.maximum(y, 0)")),
        "in place": ("input-changed", relu("da[y <= 0] = 0", "return da")),
        "leaky": (None, relu("return np.where(y > 0, da, 0.01 * da)")),
    },
    "block_forward": {
        "no ReLU": ("relu-missing", block(a="y")),
        "ReLU first": ("relu-before-normalization", block(h="np.maximum(x @ W + b, 0)", a="y")),
        "no normalization": ("normalization-missing", block(a="np.maximum(h, 0)")),
        "eps forgotten": ("eps-missing", block(sigma="h.std(axis=0)")),
        "eps outside": ("eps-outside-the-root", block(sigma="h.std(axis=0) + eps")),
        "ddof": ("bessel", block(sigma="np.sqrt(h.var(axis=0, ddof=1) + eps)")),
        "no root": ("no-root", block(sigma="h.var(axis=0) + eps")),
        "gamma missing": ("gamma-missing", block(y="x_hat + beta")),
        "beta missing": ("beta-missing", block(y="gamma * x_hat")),
        "both missing": ("gamma-missing", block(y="x_hat")),
        "wrong axis": (
            "wrong-axis",
            block(mu="h.mean(axis=1, keepdims=True)", sigma="np.sqrt(h.var(axis=1, keepdims=True) + eps)"),
        ),
        "in place": ("input-changed", BLOCK + body("W *= 1.0\nx -= x.mean(axis=0)\nreturn np.maximum(x @ W, 0), None")),
    },
    "block_backward": {
        "ReLU skipped": ("relu-missing", block(dy="da")),
        "mask from da": ("mask-from-da", block(dy="np.maximum(da, 0)")),
        "mask from h": ("mask-from-h", block(dy="da * (h > 0)")),
        "normalization skipped": ("normalization-skipped", block(dh="dy")),
        "statistics as constants": ("path-through-the-mean-missing", block(dh="g / sigma")),
        "mean path only": ("path-through-the-variance-missing", block(dh="(g - g.mean(axis=0)) / sigma")),
        "sums": ("path-through-the-mean-times-N", block(dh=DX_SUMS.replace("h.", "g.").replace("(h", "(g"))),
        "diagonal": ("only-the-diagonal", block(dh="g * (1 - 1 / len(x) - x_hat ** 2 / len(x)) / sigma")),
        "eps forgotten": (
            "eps-missing-in-the-division",
            block(dh="(g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / h.std(axis=0)"),
        ),
        "db of dy": ("db-skips-the-normalization", block(db="dy.sum(axis=0)")),
        "db of da": ("db-skips-the-block", block(db="da.sum(axis=0)")),
        "db direct path": ("db-direct-path-only", block(db="(g / sigma).sum(axis=0)")),
        "dbeta of da": ("relu-missing", block(dbeta="da.sum(axis=0)")),
        "dgamma of da": ("relu-missing", block(dgamma="(da * x_hat).sum(axis=0)")),
        "dgamma with gamma": ("dgamma-contains-gamma", block(dgamma="(g * x_hat).sum(axis=0)")),
        "dgamma with h": ("dgamma-with-x", block(dgamma="(dy * h).sum(axis=0)")),
        "dW over N": ("dW-over-N", block(dW="x.T @ dh / len(x)")),
        "dW of dy": ("normalization-skipped", block(dW="x.T @ dy")),
        "swapped": ("swapped", block(dgamma="dy.sum(axis=0)", dbeta="(dy * x_hat).sum(axis=0)")),
    },
    "fold_into_affine": {
        "eps forgotten": ("eps-missing", fold("gamma / np.sqrt(running_var)")),
        "eps hard-coded": ("eps-fixed", fold("gamma / np.sqrt(running_var + 1e-5)")),
        "eps outside": ("eps-outside-the-root", fold("gamma / (np.sqrt(running_var) + eps)")),
        "no root": ("no-root", fold("gamma / (running_var + eps)")),
        "variance as std": ("no-root-no-eps", fold("gamma / running_var")),
        "gamma missing": ("gamma-missing", fold("1 / np.sqrt(running_var + eps)")),
        "W untouched": ("scale-missing", fold(W2="W.copy()")),
        "rows scaled": ("raises-ValueError", fold(W2="s[:, None] * W")),
        "b not scaled": ("b-not-scaled", fold(b2="b - running_mean * s + beta")),
        "b lost": ("part-of-b-missing", fold(b2="beta - running_mean * s")),
        "mean lost": ("part-of-the-running-mean-missing", fold(b2="b * s + beta")),
        "mean not scaled": ("mean-not-scaled", fold(b2="b * s - running_mean + beta")),
        "mean added": ("part-of-the-running-mean-sign", fold(b2="(b + running_mean) * s + beta")),
        "beta lost": ("shift-beta-missing", fold(b2="(b - running_mean) * s")),
        "beta scaled": ("beta-scaled", fold(b2="(b - running_mean + beta) * s")),
        "in place": ("input-changed", FOLD + body(
            "W *= gamma / np.sqrt(running_var + eps)\nreturn W, (b - running_mean) * gamma / np.sqrt(running_var + eps) + beta")),
    },
    "BatchNorm": {
        "updated in evaluation": (
            "updated-in-evaluation",
            layer(
                serve="out, self.cache = batchnorm_eval_forward(x, self.gamma, self.beta, *notes, self.eps)\n"
                "            _, self.running_mean, self.running_var, _ = batchnorm_train_forward(\n"
                "                x, self.gamma, self.beta, *notes, self.momentum, self.eps, self.convention)"
            ),
        ),
        "always training": ("batch-statistics-in-evaluation", layer(mode="training = self.trained = True")),
        "always evaluation": ("start-statistics-in-training", layer(mode="training = self.trained = False")),
        "modes exchanged": ("start-statistics-in-training", layer(mode="training = self.trained = not training")),
        "training gradient always": ("training-gradient-in-evaluation", layer(pick="back = batchnorm_train_backward", mode="self.trained = True")),
        "evaluation gradient always": (
            "path-through-the-mean-missing",
            layer(pick="back = batchnorm_eval_backward"),
        ),
        "statistics not stored": ("never-updated", layer(store="pass")),
        "only the mean stored": ("never-updated", layer(store="self.running_mean = new_mean")),
        "starts again": ("starts-again", layer(trains="notes0 = np.zeros(len(self.gamma)), np.ones(len(self.gamma))\n        if training:").replace(
            "x, self.gamma, self.beta, *notes, self.momentum", "x, self.gamma, self.beta, *notes0, self.momentum")),
        "starts at ones": ("wrong-start", layer(start="np.ones(len(gamma)), np.ones(len(gamma))")),
        "variance starts at zeros": ("wrong-start", layer(start="np.zeros(len(gamma)), np.zeros(len(gamma))")),
        "convention ignored": ("momentum-reversed", layer(settings='momentum, eps, "cs231n"')),
        "momentum ignored": ("momentum-fixed", layer(settings="0.9, eps, convention")),
        "eps ignored": ("eps-fixed", layer(settings="momentum, 1e-5, convention")),
        "another default": ("momentum-reversed", layer(head='def __init__(self, gamma, beta, momentum=0.1, eps=1e-5, convention="cs231n"):')),
        "gradients added up": (
            "gradients-added-up",
            layer(gradients="self.dgamma, self.dbeta = self.dgamma + dgamma, self.dbeta + dbeta"),
        ),
        "gradients not stored": ("dgamma-zero", layer(gradients="pass")),
        "first cache kept": (
            "stale-cache",
            layer(cache="self.cache = cache if self.cache is None else self.cache"),
        ),
        "no cache in evaluation": (
            "stale-cache",
            layer(
                mode="self.trained = True",
                serve="out, _ = batchnorm_eval_forward(x, self.gamma, self.beta, *notes, self.eps)",
            ),
        ),
        "std stored": (
            "std-kept",
            layer(train_forward="self.step").replace(
                "    def backward",
                "    def step(self, x, gamma, beta, m, v, momentum, eps, convention):\n"
                "        out, mean, _, cache = batchnorm_train_forward(x, gamma, beta, m, v, momentum, eps, convention)\n"
                "        kept = np.sqrt(kept_variance(x, convention))\n"
                "        return out, mean, update_running(v, kept, momentum, convention), cache\n\n"
                "    def backward",
            ),
        ),
        "biased always": (
            "biased-for-unbiased",
            layer(train_forward="self.step").replace(
                "    def backward",
                "    def step(self, x, gamma, beta, m, v, momentum, eps, convention):\n"
                "        out, mean, _, cache = batchnorm_train_forward(x, gamma, beta, m, v, momentum, eps, convention)\n"
                "        return out, mean, update_running(v, x.var(axis=0), momentum, convention), cache\n\n"
                "    def backward",
            ),
        ),
        "variance not kept, and beta forgotten when serving": (  # a wrong average hides no second mistake
            "beta-missing",
            layer(
                store="self.running_mean = new_mean",
                serve="out, self.cache = batchnorm_eval_forward(x, self.gamma, 0 * self.beta, *notes, self.eps)",
            ),
        ),
        "not copied": ("not-copied", layer().replace("np.array(gamma)", "gamma")),
        "settings in another order": ("std-momentum-for-eps", layer().replace("momentum, eps,", "eps, momentum,")),
        "parameters in another order": (
            "swapped",
            layer(parameters="self.gamma, self.dgamma, self.beta, self.dbeta, self.running_mean, self.running_var"),
        ),
        "parameters too few": ("raises-ValueError", layer(parameters="self.gamma, self.beta")),
        "backward returns nothing": ("wrong-type", layer(returns="pass")),
        "backward returns three": ("wrong-type", layer(returns="return dx, dgamma, dbeta")),
        "all layers share": (
            None,
            layer(
                start="SHARED.setdefault(len(gamma), [np.zeros(len(gamma)), np.ones(len(gamma))])",
                store="self.running_mean[:], self.running_var[:] = new_mean, new_var",
            )
            + "\nSHARED = {}\n",
        ),
    },
}  # fmt: skip
