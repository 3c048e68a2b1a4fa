"""Lessons 01 and 02: scale and shift backward, centring backward."""

from wrong_answers import Exercise, slip

_CENTER = {
    "closed": "def center_backward(dout):\n    N, D = dout.shape\n    mean = dout.mean(axis=0)\n    return dout - mean\n",
    "staged": """
def center_backward(dout):
    N, D = dout.shape
    dmu = -dout.sum(axis=0)
    dh = dout.copy()
    dh += dmu / N
    return dh
""",
    "einsum": 'def center_backward(dout):\n    N, D = dout.shape\n    mean = np.einsum("nd->d", dout) / N\n    return dout - mean\n',
    "loops": """
def center_backward(dout):
    N, D = dout.shape
    dh = np.zeros((N, D))
    for j in range(D):
        mean = sum(dout[:, j]) / N
        for i in range(N):
            dh[i, j] = dout[i, j] - mean
    return dh
""",
    "matrix": "def center_backward(dout):\n    N, D = dout.shape\n    J = np.eye(N) - 1 / N\n    return J.T @ dout\n",
}
_MEAN = "path-through-the-mean"
# fmt: off
_CENTER_SLIPS = (
    slip("mean path lost", f"{_MEAN}-missing | *-zero", all="- mean => - 0 * mean", staged="dh += dmu / N => dh += 0 * dmu", matrix="np.eye(N) - 1 / N => np.eye(N)"),
    slip("sum for mean", f"{_MEAN}-times-N", closed="dout.mean => dout.sum", einsum=") / N => )", loops=") / N => )", staged="dmu / N => dmu", matrix="- 1 / N => - 1"),
    slip("sign", f"{_MEAN}-sign", all="- mean => + mean", staged="dmu = - => dmu =", matrix="- 1 / N => + 1 / N"),
    slip("direct path lost", "direct-path-missing | *-zero", closed="dout - mean => 0 * dout - mean", einsum="dout - mean => 0 * dout - mean", staged="dh = dout.copy() => dh = np.zeros((N, D))", matrix="np.eye(N) => 0 * np.eye(N)"),
    slip("diagonal only", "only-the-diagonal", closed="dout.mean(axis=0) => dout / N", einsum='np.einsum("nd->d", dout) => dout', loops="- mean => - dout[i, j] / N", staged="-dout.sum(axis=0) => -dout", matrix="np.eye(N) - 1 / N => np.eye(N) * (1 - 1 / N)"),
    slip("over the features", "mean-over-features", closed="axis=0 => axis=1, keepdims=True", einsum='"nd->d", dout) / N => "nd->n", dout)[:, None] / D', staged="dout.sum(axis=0) => dout.sum(axis=1, keepdims=True) ;; dmu / N => dmu / D"),
    slip("over everything", "mean-over-everything", closed="axis=0 => ", staged="dout.sum(axis=0) => dout.sum() ;; dmu / N => dmu / dout.size", loops="sum(dout[:, j]) / N => dout.mean()"),
    slip("D for N", f"{_MEAN}-D-for-N | direct-path-over-N & {_MEAN}-over-D", einsum=") / N => ) / D", loops=") / N => ) / D", staged="dmu / N => dmu / D"),
    slip("Bessel", f"{_MEAN}-bessel", einsum=") / N => ) / (N - 1)", loops=") / N => ) / (N - 1)", staged="dmu / N => dmu / (N - 1)", matrix="1 / N => 1 / (N - 1)"),
    slip("over N once more", "dh-over-N | *-over-N | *-over-D", closed="return dout - mean => return (dout - mean) / N", staged="return dh => return dh / N", matrix="return J.T => return J.T / N", loops="return dh => return dh / N"),
    slip("sign of the first term", "direct-path-sign", closed="return dout - => return -dout -", einsum="return dout - => return -dout -", staged="dh = dout.copy() => dh = -dout", loops="= dout[i, j] - => = -dout[i, j] -"),
    slip("first term over N", "direct-path-over-N", closed="return dout - => return dout / N -", einsum="return dout - => return dout / N -", staged="dh = dout.copy() => dh = dout / N", loops="= dout[i, j] - => = dout[i, j] / N -"),
    slip("sign of all", "dh-sign | *-sign", closed="return dout - mean => return mean - dout", staged="return dh => return -dh", loops="return dh => return -dh"),
)
_SCALE = {
    "closed": """
def scale_shift_backward(dout, x_hat, gamma):
    N, D = dout.shape
    dx_hat = dout * gamma
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx_hat, dgamma, dbeta
""",
    "einsum": """
def scale_shift_backward(dout, x_hat, gamma):
    N, D = dout.shape
    dx_hat = np.einsum("nd,d->nd", dout, gamma)
    dgamma = np.einsum("nd,nd->d", dout, x_hat)
    dbeta = np.einsum("nd->d", dout)
    return dx_hat, dgamma, dbeta
""",
    "loops": """
def scale_shift_backward(dout, x_hat, gamma):
    N, D = dout.shape
    dx_hat, dgamma, dbeta = np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for k in range(N):
        for j in range(D):
            dx_hat[k, j] = dout[k, j] * gamma[j]
            dgamma[j] += dout[k, j] * x_hat[k, j]
            dbeta[j] += dout[k, j]
    return dx_hat, dgamma, dbeta
""",
}
_SCALE_SLIPS = (
    slip("gamma missing", "gamma-missing | *-over-gamma", closed="dout * gamma => dout + 0 * gamma", einsum="dout, gamma) => dout, 1 + 0 * gamma)", loops="dout[k, j] * gamma[j] => dout[k, j]"),
    slip("gamma twice", "*-times-gamma", closed="dout * gamma => dout * gamma * gamma", einsum="dout, gamma) => dout, gamma**2)", loops="* gamma[j] => * gamma[j] ** 2"),
    slip("divided", "divided-by-gamma", closed="dout * gamma => dout / gamma", einsum="dout, gamma) => dout, 1 / gamma)", loops="* gamma[j] => / gamma[j]"),
    slip("x_hat for gamma", "x-hat-for-gamma", closed="dout * gamma => dout * x_hat", einsum='"nd,d->nd", dout, gamma => "nd,nd->nd", dout, x_hat', loops="* gamma[j] => * x_hat[k, j]"),
    slip("dx_hat over N", "*over-N", closed="dout * gamma => dout * gamma / N", einsum="return dx_hat, => return dx_hat / N,", loops="* gamma[j] => * gamma[j] / N"),
    slip("sign of dx_hat", "product-with-the-slope-sign | dx-hat-sign", all="return dx_hat, => return -dx_hat,"),
    slip("dgamma a mean", "dgamma-mean | dgamma-over-N | swapped & dbeta-mean", closed="x_hat).sum => x_hat).mean", einsum="dout, x_hat)\n => dout, x_hat) / N\n", loops="* x_hat[k, j]\n => * x_hat[k, j] / N\n"),
    slip("dgamma with gamma", "dgamma-times-gamma | swapped & dgamma-times-gamma", closed="(dout * x_hat) => (dx_hat * x_hat)", einsum="dout, x_hat)\n => dx_hat, x_hat)\n", loops="+= dout[k, j] * x_hat[k, j]\n => += gamma[j] * dout[k, j] * x_hat[k, j]\n"),
    slip("dgamma without x_hat", "dgamma-without-x-hat", closed="(dout * x_hat).sum => dout.sum", einsum='"nd,nd->d", dout, x_hat) => "nd->d", dout)'),
    slip("dbeta a mean", "dbeta-mean | dbeta-over-N | dbeta-times-x-hat & dbeta-over-N | swapped & dgamma-over-N", closed="dbeta = dout.sum => dbeta = dout.mean", einsum='"nd->d", dout) => "nd->d", dout) / N', loops="dbeta[j] += dout[k, j] => dbeta[j] += dout[k, j] / N"),
    slip("dbeta with gamma", "dbeta-times-gamma", closed="dbeta = dout.sum => dbeta = dx_hat.sum", einsum='dbeta = np.einsum("nd->d", dout) => dbeta = np.einsum("nd->d", dx_hat)', loops="dbeta[j] += dout[k, j] => dbeta[j] += dx_hat[k, j]"),
    slip("dbeta overwritten", "dbeta-last-example*", loops="dbeta[j] += => dbeta[j] ="),
    slip("dgamma overwritten", "dgamma-last-example*", loops="dgamma[j] += => dgamma[j] ="),
    slip("swapped", "swapped", all="dgamma, dbeta\n => dbeta, dgamma\n"),
    slip("not summed", "wrong-shape & batch-not-summed", closed="(dout * x_hat).sum(axis=0) => dout * x_hat"),
    slip("summed over the features", "wrong-shape & wrong-length", closed="dbeta = dout.sum(axis=0) => dbeta = dout.sum(axis=1)", einsum='"nd->d" => "nd->n"'),
)
# fmt: on

EXERCISES = (
    Exercise("translation.center_backward", _CENTER, _CENTER_SLIPS),
    Exercise("chain_rule.scale_shift_backward", _SCALE, _SCALE_SLIPS),
)
