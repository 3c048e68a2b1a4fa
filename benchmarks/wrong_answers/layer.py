"""Lesson 05: running averages, both modes as functions, and the layer as a class."""

from wrong_answers import Exercise, Slip, slip
from wrong_answers.normalization import BACKWARD, DX, FORWARD, OUT, PARAMETERS

_KEEP = {
    "staged": """    if convention == "cs231n":
        old, new, kept = momentum, 1 - momentum, x.var(axis=0)
    else:
        old, new, kept = 1 - momentum, momentum, x.var(axis=0, ddof=1)
    new_mean = old * running_mean + new * x.mean(axis=0)
    new_var = old * running_var + new * kept
""",
    "closed": """    keep = momentum if convention == "cs231n" else 1 - momentum
    kept = x.var(axis=0, ddof=int(convention == "pytorch"))
    new_mean = keep * running_mean + (1 - keep) * x.mean(axis=0)
    new_var = keep * running_var + (1 - keep) * kept
""",
    "einsum": """    new = 1 - momentum if convention == "cs231n" else momentum
    deviation = x - np.einsum("nd->d", x) / len(x)
    kept = np.einsum("nd,nd->d", deviation, deviation) / (len(x) - (0 if convention == "cs231n" else 1))
    new_mean = running_mean + new * (np.einsum("nd->d", x) / len(x) - running_mean)
    new_var = running_var + new * (kept - running_var)
""",
    "loops": """    w = (momentum, 1 - momentum) if convention == "cs231n" else (1 - momentum, momentum)
    n = len(x) if convention == "cs231n" else len(x) - 1
    new_mean, new_var = [], []
    for l in range(x.shape[1]):
        m = sum(x[:, l]) / len(x)
        kept = sum((v - m) ** 2 for v in x[:, l]) / n
        new_mean.append(w[0] * running_mean[l] + w[1] * m)
        new_var.append(w[0] * running_var[l] + w[1] * kept)
""",
}
# fmt: off
_RUNNING = (
    slip("momentum reversed", "momentum-reversed", all='if convention == "cs231n" => if convention == "pytorch"', closed="keep = momentum if => keep = 1 - momentum if ;; else 1 - momentum => else momentum", einsum="new = 1 - momentum if => new = momentum if ;; else momentum => else 1 - momentum", loops='w = (momentum, 1 - momentum) if => w = (1 - momentum, momentum) if ;; else (1 - momentum, momentum) => else (momentum, 1 - momentum)', staged="new, kept = momentum, 1 - momentum, x => new, kept = 1 - momentum, momentum, x ;; kept = 1 - momentum, momentum, x.var(axis=0, => kept = momentum, 1 - momentum, x.var(axis=0,"),
    slip("variance never updated", "never-updated", staged="new_var = old * running_var + new * kept => new_var = running_var.copy()", closed="new_var = keep * running_var + (1 - keep) * kept => new_var = running_var.copy()", einsum="new_var = running_var + new * (kept - running_var) => new_var = 1.0 * running_var", loops="new_var.append(w[0] * running_var[l] + w[1] * kept) => new_var.append(running_var[l])"),
    slip("mean never updated", "never-updated", closed="new_mean = keep * running_mean + (1 - keep) * x.mean(axis=0) => new_mean = running_mean.copy()", staged="new_mean = old * running_mean + new * x.mean(axis=0) => new_mean = 1.0 * running_mean"),
    slip("average replaced", "average-replaced", staged="new_mean = old * running_mean + new * x.mean => new_mean = x.mean", closed="new_mean = keep * running_mean + (1 - keep) * x.mean => new_mean = x.mean", einsum="new_mean = running_mean + new * (np.einsum(\"nd->d\", x) / len(x) - running_mean) => new_mean = np.einsum(\"nd->d\", x) / len(x)"),
    slip("unbiased for biased", "unbiased-for-biased | variances-exchanged", staged="x.var(axis=0)\n => x.var(axis=0, ddof=1)\n", closed='ddof=int(convention == "pytorch") => ddof=1', einsum='(0 if convention == "cs231n" else 1) => 1', loops="n = len(x) if => n = len(x) - 1 if"),
    slip("biased for unbiased", "biased-for-unbiased | variances-exchanged", staged="x.var(axis=0, ddof=1) => x.var(axis=0)", closed=', ddof=int(convention == "pytorch") =>', einsum='(0 if convention == "cs231n" else 1) => 0', loops="else len(x) - 1 => else len(x)"),
    slip("std stored", "std-kept | sigma-kept", staged="new * kept => new * np.sqrt(kept)", closed="* kept => * np.sqrt(kept)", einsum="(kept - => (np.sqrt(kept) -", loops="w[1] * kept => w[1] * np.sqrt(kept)"),
    slip("eps stored", "eps-kept* | sigma-kept", staged="new * kept => new * (kept + eps)", closed="* kept => * (kept + eps)", einsum="(kept - => (kept + eps -", loops="w[1] * kept => w[1] * (kept + eps)"),
    slip("old weight missing", "old-weight-missing", staged="old * running_var => running_var", closed="keep * running_var => running_var", loops="w[0] * running_var[l] => running_var[l]"),
    slip("new weight missing", "new-weight-missing", staged="new * kept => kept", closed="(1 - keep) * kept => kept", loops="w[1] * kept => kept"),
)
_STATISTICS = (
    slip("running statistics in training", "running-statistics-in-training", all="x_hat = xc / std => x_hat = (x - running_mean) / np.sqrt(running_var + eps)", einsum='("nd,d->nd", xc, 1 / std) => ("nd,d->nd", x - running_mean, 1 / np.sqrt(running_var + eps))', loops="x_hat = xc / std => x_hat = (column - running_mean[j]) / np.sqrt(running_var[j] + eps)"),
    slip("updated statistics in training", "updated-running-statistics-in-training", all="x_hat = xc / std => x_hat = (x - new_mean) / np.sqrt(new_var + eps)", loops="x_hat = xc / std => x_hat = (column - new_mean[j]) / np.sqrt(new_var[j] + eps)"),
    slip("running mean with the batch's variance", "mean-of-the-other-mode", all="x_hat = xc / std => x_hat = (x - running_mean) / std", loops="x_hat = xc / std => x_hat = (column - running_mean[j]) / std"),
)
# fmt: on


def _train_forward(style: str) -> str:
    text = FORWARD[style].replace(
        "def batchnorm_forward(x, gamma, beta, eps):\n",
        "def batchnorm_train_forward(x, gamma, beta, running_mean, running_var, momentum, eps, convention):\n"
        + _KEEP[style],
    )
    for end in ("beta, (x", "beta, kept\n", "return out, [", "return out, cache"):
        value, cache = end.split(", ")
        text = text.replace(end, f"{value}, new_mean, new_var, {cache}")
    return (
        text.replace("N, kept = x.shape[0], Kept()", "N, bag = x.shape[0], Kept()")
        .replace("kept.all", "bag.all")
        .replace("new_var, kept\n", "new_var, bag\n")
    )


_TRAIN = {style: _train_forward(style) for style in FORWARD}
_PAIR = {s: _TRAIN[s] + BACKWARD[s].replace("batchnorm_backward", "batchnorm_train_backward") for s in FORWARD}

_UPDATE = {
    "closed": """
def update_running(running, batch, momentum, convention):
    keep = momentum if convention == "cs231n" else 1 - momentum
    return keep * running + (1 - keep) * batch
""",
    "branches": """
def update_running(running, batch, momentum, convention):
    if convention == "cs231n":
        new = momentum * running + (1 - momentum) * batch
    else:
        new = (1 - momentum) * running + momentum * batch
    return new
""",
    "loops": """
def update_running(running, batch, momentum, convention):
    a, b = momentum, 1 - momentum
    if convention == "pytorch":
        a, b = b, a
    return [a * r + b * s for r, s in zip(running, batch)]
""",
}
# fmt: off
_UPDATE_SLIPS = (
    slip("reversed", "momentum-reversed", all='"cs231n" => "pytorch"', loops="a, b = momentum, 1 - momentum => b, a = momentum, 1 - momentum"),
    slip("never updated", "never-updated", closed="return keep * running + (1 - keep) * batch => return running + 0 * batch", branches="return new => return running.copy()", loops="a * r + b * s => r"),
    slip("replaced", "average-replaced", closed="keep * running + (1 - keep) * batch => 1.0 * batch", branches="return new => return batch.copy()", loops="a * r + b * s => s"),
    slip("new weight missing", "new-weight-missing", closed="(1 - keep) * batch => batch", loops="b * s => s", branches="(1 - momentum) * batch => batch ;; momentum * batch => batch"),
    slip("old weight missing", "old-weight-missing", closed="keep * running => running", loops="a * r => r"),
    slip("one convention only", "momentum-reversed | *-for-both", closed='keep = momentum if convention == "cs231n" else 1 - momentum => keep = momentum', loops='if convention == "pytorch" => if False'),
    slip("plain mean", "momentum-ignored", closed='momentum if convention == "cs231n" else 1 - momentum => 0.5', loops="momentum, 1 - momentum => 0.5, 0.5", branches="return new => return (running + batch) / 2"),
)
_SERVE = {
    "closed": """
def batchnorm_eval_forward(x, gamma, beta, running_mean, running_var, eps):
    sigma = np.sqrt(running_var + eps)
    x_hat = (x - running_mean) / sigma
    return gamma * x_hat + beta, (x, x_hat, sigma, gamma, running_mean, running_var, eps)

def batchnorm_eval_backward(dout, cache):
    x, x_hat, sigma, gamma, running_mean, running_var, eps = cache
    dx = gamma * dout / sigma
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx, dgamma, dbeta
""",
    "folded": """
def batchnorm_eval_forward(x, gamma, beta, running_mean, running_var, eps):
    sigma = np.sqrt(running_var + eps)
    a = gamma / sigma
    return a * x + (beta - a * running_mean), dict(x=x, g=gamma, m=running_mean, v=running_var, s=sigma, e=eps)

def batchnorm_eval_backward(dout, cache):
    x, sigma, gamma, running_mean, running_var, eps = (cache[key] for key in ("x", "s", "g", "m", "v", "e"))
    x_hat = (x - running_mean) / sigma
    dx = gamma / sigma * dout
    dgamma = np.einsum("nd,nd->d", dout, x_hat)
    dbeta = np.einsum("nd->d", dout)
    return dx, dgamma, dbeta
""",
    "loops": """
def batchnorm_eval_forward(x, gamma, beta, running_mean, running_var, eps):
    out, x_hat = np.zeros(x.shape), np.zeros(x.shape)
    sigma = np.sqrt(running_var + eps)
    for k in range(len(x)):
        x_hat[k] = (x[k] - running_mean) / sigma
        out[k] = gamma * x_hat[k] + beta
    return out, [x, x_hat, sigma, gamma, running_mean, running_var, eps]

def batchnorm_eval_backward(dout, cache):
    x, x_hat, sigma, gamma, running_mean, running_var, eps = cache
    dx, dgamma, dbeta = np.zeros(x.shape), 0.0, 0.0
    for k in range(len(x)):
        dx[k] = dout[k] * gamma / sigma
        dgamma = dgamma + dout[k] * x_hat[k]
        dbeta = dbeta + dout[k]
    return dx, dgamma, dbeta
""",
}
_SERVE_FORWARD = (
    slip("eps forgotten", "eps-missing", all="running_var + eps => running_var"),
    slip("eps hard-coded", "eps-fixed", all="running_var + eps => running_var + 1e-5"),
    slip("eps outside", "eps-outside-the-root", all="np.sqrt(running_var + eps) => (np.sqrt(running_var) + eps)"),
    slip("no root", "no-root | scaled-part-over-sigma", all="np.sqrt(running_var + eps) => (running_var + eps)"),
    slip("no root, no eps", "no-root-no-eps", all="np.sqrt(running_var + eps) => running_var"),
    slip("batch statistics", "batch-statistics-in-evaluation", closed="sigma = => running_mean, running_var = x.mean(axis=0), x.var(axis=0)\n    sigma =", folded="sigma = np => running_mean, running_var = x.mean(axis=0), x.var(axis=0)\n    sigma = np", loops="sigma = => running_mean, running_var = x.mean(axis=0), x.var(axis=0)\n    sigma ="),
    slip("batch mean", "mean-of-the-other-mode", closed="x - running_mean) / sigma => x - x.mean(axis=0)) / sigma", folded="a * running_mean => a * x.mean(axis=0)", loops="(x[k] - running_mean) => (x[k] - x.mean(axis=0))"),
    slip("not centred", "mean-not-subtracted", closed="(x - running_mean) / => x /", folded="- a * running_mean => ", loops="(x[k] - running_mean) => x[k]"),
    slip("gamma forgotten", "gamma-missing | scaled-part-over-gamma", closed="return gamma * => return", folded="a = gamma / sigma => a = 1 / sigma", loops="gamma * x_hat[k] => x_hat[k]"),
    slip("beta forgotten", "beta-missing | shift-missing", closed="+ beta, => ,", folded="(beta - => (0 -", loops="x_hat[k] + beta => x_hat[k]"),
    slip("sign of beta", "beta-sign | shift-sign", closed="+ beta, => - beta,", folded="(beta - => (-beta -", loops="x_hat[k] + beta => x_hat[k] - beta"),
)
_SERVE_BACKWARD = (
    slip("training gradient", "training-gradient-in-evaluation", closed="dx = gamma * dout / sigma => h = gamma * dout\n    dx = (h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma", folded="dx = gamma / sigma * dout => h = gamma * dout\n    dx = (h - h.mean(axis=0) - x_hat * (h * x_hat).mean(axis=0)) / sigma", loops="dx[k] = dout[k] * gamma / sigma => dx[k] = (dout[k] - dout.mean(axis=0) - x_hat[k] * (dout * x_hat).mean(axis=0)) * gamma / sigma"),
    slip("mean path", "mean-path-in-evaluation", closed="dx = gamma * dout / sigma => dx = gamma * (dout - dout.mean(axis=0)) / sigma", folded="sigma * dout\n => sigma * (dout - dout.mean(axis=0))\n", loops="dx[k] = dout[k] => dx[k] = (dout[k] - dout.mean(axis=0))"),
    slip("batch deviation", "batch-variance-in-evaluation", closed="dout / sigma => dout / np.sqrt(x.var(axis=0) + eps)", folded="dx = gamma / sigma => dx = gamma / np.sqrt(x.var(axis=0) + eps)", loops="dout[k] * gamma / sigma => dout[k] * gamma / np.sqrt(x.var(axis=0) + eps)"),
    slip("gamma missing", "direct-path-over-gamma | gamma-missing", closed="dx = gamma * => dx =", folded="dx = gamma / => dx = 1 /", loops="dout[k] * gamma / => dout[k] /"),
    slip("not divided", "*-times-sigma", closed="dout / sigma => dout", folded="dx = gamma / sigma => dx = gamma", loops="gamma / sigma => gamma"),
    slip("eps dropped in backward", "eps-missing", closed="dout / sigma => dout / np.sqrt(running_var)", folded="dx = gamma / sigma => dx = gamma / np.sqrt(running_var)", loops="dout[k] * gamma / sigma => dout[k] * gamma / np.sqrt(running_var)"),
    slip("no root in backward", "no-root | *-over-sigma", closed="dout / sigma => dout / sigma**2", folded="dx = gamma / sigma => dx = gamma / sigma**2"),
    slip("over N", "*-over-N", closed="dx = gamma => dx = 1 / len(x) * gamma", folded="dx = gamma => dx = 1 / len(x) * gamma", loops="return dx, => return dx / len(x),"),
    slip("sign", "direct-path-sign | dx-sign", all="return dx, => return -dx,"),
    slip("dgamma with batch x_hat", "statistics-of-the-other-mode", closed="(dout * x_hat).sum => (dout * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)).sum", folded="dout, x_hat) => dout, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps))"),
    slip("dgamma a mean", "mean-for-sum | *-over-N", closed="x_hat).sum => x_hat).mean", folded="dout, x_hat) => dout, x_hat) / len(x)", loops="return dx, dgamma, => return dx, dgamma / len(x),"),
    slip("dgamma with x", "dgamma-with-x", closed="dout * x_hat => dout * x", folded="dout, x_hat) => dout, x)", loops="dout[k] * x_hat[k] => dout[k] * x[k]"),
    slip("dbeta with gamma", "dbeta-contains-gamma", closed="dbeta = dout => dbeta = gamma * dout", folded='"nd->d", dout) => "nd->d", gamma * dout)', loops="dbeta + dout[k] => dbeta + gamma * dout[k]"),
    slip("swapped", "swapped", all="dgamma, dbeta\n => dbeta, dgamma\n"),
)
# fmt: on

_CLASS = {
    "calls": """
class BatchNorm:
    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):
        self.gamma, self.beta = np.array(gamma), np.array(beta)
        self.settings = momentum, eps, convention
        self.running_mean, self.running_var = np.zeros(len(gamma)), np.ones(len(gamma))
        self.dgamma = self.dbeta = np.zeros(len(gamma))

    def forward(self, x, training):
        self.training = training
        notes = self.running_mean, self.running_var
        if training:
            out, new_mean, new_var, cache = batchnorm_train_forward(x, self.gamma, self.beta, *notes, *self.settings)
            self.running_mean, self.running_var = new_mean, new_var
        else:
            out, cache = batchnorm_eval_forward(x, self.gamma, self.beta, *notes, self.settings[1])
        self.cache = cache
        return out

    def backward(self, dout):
        back = batchnorm_train_backward if self.training else batchnorm_eval_backward
        dx, dgamma, dbeta = back(dout, self.cache)
        self.dgamma, self.dbeta = dgamma, dbeta
        return dx

    def parameters(self):
        return self.gamma, self.beta, self.dgamma, self.dbeta, self.running_mean, self.running_var
""",
    "alone": """
class BatchNorm:
    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):
        self.gamma, self.beta = np.copy(gamma), np.copy(beta)
        self.keep = momentum if convention == "cs231n" else 1 - momentum
        self.eps, self.ddof = eps, 1 if convention == "pytorch" else 0
        self.running_mean, self.running_var = np.zeros(len(gamma)), np.ones(len(gamma))
        self.dgamma, self.dbeta = 0 * self.gamma, 0 * self.gamma

    def forward(self, x, training):
        self.training = training
        mean, var = self.running_mean, self.running_var
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.keep * self.running_mean + (1 - self.keep) * mean
            self.running_var = self.keep * self.running_var + (1 - self.keep) * x.var(axis=0, ddof=self.ddof)
        self.sigma = np.sqrt(var + self.eps)
        self.x_hat = (x - mean) / self.sigma
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout):
        h = dout * self.gamma
        self.dgamma = (dout * self.x_hat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        if self.training:
            h = h - h.mean(axis=0) - self.x_hat * (h * self.x_hat).mean(axis=0)
        return h / self.sigma

    def parameters(self):
        return [self.gamma, self.beta, self.dgamma, self.dbeta, self.running_mean, self.running_var]
""",
}
_CLASS["loops"] = _CLASS["alone"].replace("""        return self.gamma * self.x_hat + self.beta
""", """        out = np.zeros(x.shape)
        for k, row in enumerate(self.x_hat):
            out[k] = self.gamma * row + self.beta
        return out
""")  # fmt: skip
# fmt: off
_CLASS_SLIPS: tuple[Slip, ...] = (
    slip("updated in evaluation", "updated-in-evaluation", all="self.sigma = => if not training: self.running_mean = self.keep * self.running_mean + (1 - self.keep) * x.mean(axis=0)\n        self.sigma =", calls="self.cache = cache => self.cache = cache\n        if not training: self.running_mean = batchnorm_train_forward(x, self.gamma, self.beta, *notes, *self.settings)[1]"),
    slip("running mean not stored", "never-updated", calls="self.running_mean, self.running_var = new_mean, new_var => self.running_var = new_var", all="self.running_mean = self.keep * self.running_mean + (1 - self.keep) * mean => pass"),
    slip("batch statistics when serving", "batch-statistics-in-evaluation", all="mean, var = self.running_mean, self.running_var => mean, var = x.mean(axis=0), x.var(axis=0)"),
    slip("running statistics in training", "running-statistics-in-training | updated-running-statistics-in-training", all="self.sigma = => mean, var = self.running_mean, self.running_var\n        self.sigma ="),
    slip("training gradient when serving", "training-gradient-in-evaluation", all="if self.training: => if True:"),
    slip("serving gradient in training", "path-through-the-mean-missing & path-through-the-variance-missing | evaluation-gradient-in-training", all="if self.training: => if False:"),
    slip("gradients added up", "gradients-added-up", all="self.dgamma = (dout => self.dgamma = self.dgamma + (dout", calls="self.dgamma, self.dbeta = dgamma, dbeta => self.dgamma, self.dbeta = self.dgamma + dgamma, dbeta"),
    slip("dbeta added up", "gradients-added-up", all="self.dbeta = dout => self.dbeta = self.dbeta + dout"),
    slip("momentum reversed", "momentum-reversed", all='self.keep = momentum if convention == "cs231n" else 1 - momentum => self.keep = 1 - momentum if convention == "cs231n" else momentum'),
    slip("biased kept", "biased-for-unbiased | variances-exchanged", all=", ddof=self.ddof =>"),
    slip("starts at one", "wrong-start", all="self.running_mean, self.running_var = np.zeros(len(gamma)), => self.running_mean, self.running_var = np.ones(len(gamma)),"),
    slip("parameters in another order", "swapped", all="self.dgamma, self.dbeta, self.running => self.dbeta, self.dgamma, self.running"),
    slip("cache of the first batch", "stale-cache", calls="self.cache = cache => self.cache = getattr(self, 'cache', cache)"),
    slip("eps fixed", "eps-fixed", all="var + self.eps => var + 1e-5"),
)
# fmt: on

EXERCISES = (
    Exercise("layer.update_running", _UPDATE, _UPDATE_SLIPS),
    Exercise("layer.batchnorm_train_forward", _TRAIN, (*OUT[:-1], *_STATISTICS, *_RUNNING)),
    Exercise("layer.batchnorm_train_backward", _PAIR, (*DX, *PARAMETERS)),
    Exercise("layer.batchnorm_eval_forward", _SERVE, _SERVE_FORWARD),
    Exercise("layer.batchnorm_eval_backward", _SERVE, _SERVE_BACKWARD),
    Exercise("layer.BatchNorm", _CLASS, _CLASS_SLIPS),
)
