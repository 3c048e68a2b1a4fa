"""Lesson 03: division by the root mean square, and the layer's gradients by the second route."""

from wrong_answers import Exercise, slip
from wrong_answers.normalization import DX, FORWARD, HEAD, MEAN, PARAMETERS, both


def _composed() -> Exercise:
    """The second route is a fourth style of the same gradients."""
    styles = both("batchnorm_backward_composed")
    route = """    dc = rms_scale_backward(gamma * dout, xc, eps)
    dx = dc - dc.mean(axis=0)
    dgamma = (dout * x_hat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    return dx, dgamma, dbeta
"""
    styles["two steps"] = FORWARD["closed"] + HEAD.format(unpack="cache").replace("d(dout", "d_composed(dout") + route
    # fmt: off
    more = (
        slip("centring forgotten", f"{MEAN}-missing", **{"two steps": "dx = dc - dc.mean(axis=0) => dx = dc"}),
        slip("centring with a sum", f"{MEAN}-times-N", **{"two steps": "dx = dc - dc.mean(axis=0) => dx = dc - dc.sum(axis=0)"}),
        slip("centring over the features", "mean*-over-features*", **{"two steps": "dc.mean(axis=0) => dc.mean(axis=1, keepdims=True)"}),
        slip("gamma forgotten on the way", "dx-over-gamma", **{"two steps": "(gamma * dout, => (dout,"}),
        slip("x_hat for xc on the way", "x-hat-for-xc", **{"two steps": "dout, xc, eps) => dout, x_hat, eps)"}),
        slip("eps forgotten on the way", "eps-missing", **{"two steps": "xc, eps)\n => xc, 0.0)\n"}),
        slip("dgamma a mean on the way", "dgamma-mean", **{"two steps": "(dout * x_hat).sum => (dout * x_hat).mean"}),
        slip("dbeta with gamma on the way", "dbeta-times-gamma", **{"two steps": "dbeta = dout.sum => dbeta = gamma * dout.sum"}),
    )
    # fmt: on
    return Exercise("normalization.batchnorm_backward_composed", styles, (*DX[::2], *PARAMETERS[::3], *more))


_RMS = {
    "closed": """
def rms_scale_backward(dout, xc, eps):
    N = len(xc)
    ms = np.mean(xc**2, axis=0)
    inv = (ms + eps) ** -0.5
    z = xc * inv
    mean_dz = (dout * z).mean(axis=0)
    return inv * (dout - z * mean_dz)
""",
    "staged": """
def rms_scale_backward(dout, xc, eps):
    N = len(xc)
    ms = np.mean(xc**2, axis=0)
    inv = (ms + eps) ** -0.5
    dinv = (dout * xc).sum(axis=0)
    dms = -0.5 * inv**3 * dinv
    dxc = dout * inv
    dxc += 2 * xc * dms / N
    return dxc
""",
    "einsum": """
def rms_scale_backward(dout, xc, eps):
    N = len(xc)
    ms = np.einsum("nd,nd->d", xc, xc) / N
    inv = (ms + eps) ** -0.5
    z = xc * inv
    mean_dz = np.einsum("nd,nd->d", dout, z) / N
    return np.einsum("d,nd->nd", inv, dout - z * mean_dz)
""",
    "loops": """
def rms_scale_backward(dout, xc, eps):
    N, D = xc.shape
    dxc = np.zeros((N, D))
    for j in range(D):
        ms = sum(xc[:, j] ** 2) / N
        inv = (ms + eps) ** -0.5
        z = xc[:, j] * inv
        mean_dz = sum(dout[:, j] * z) / N
        dxc[:, j] = inv * (dout[:, j] - z * mean_dz)
    return dxc
""",
}
_PATH = "path-through-the-root-mean-square"
# fmt: off
_RMS_SLIPS = (
    slip("path lost", f"{_PATH}-missing | *-zero", all="- z * mean_dz => - 0 * mean_dz", staged="dxc += 2 => dxc += 0"),
    slip("sign", f"{_PATH}-sign", all="- z * mean_dz => + z * mean_dz", staged="-0.5 * => 0.5 *"),
    slip("sum for mean", f"{_PATH}-times-N", closed="z).mean => z).sum", einsum="dout, z) / N => dout, z)", loops="* z) / N => * z)", staged="dms / N => dms"),
    slip("lost 2", f"{_PATH}-halved", all="z * mean_dz => z * mean_dz / 2", staged="2 * xc => xc"),
    slip("lost half", f"{_PATH}-doubled", all="z * mean_dz => z * mean_dz * 2", staged="-0.5 * => -1.0 *"),
    slip("branch overwritten", "direct-path-missing | *-zero", closed="(dout - z => (0 - z", loops="(dout[:, j] - z => (0 - z", staged="dxc += => dxc ="),
    slip("factor lost", "dxc-over-inv_rms | *-over-inv_rms", closed="return inv * => return", loops="= inv * ( => = ("),
    slip("diagonal only", "only-the-diagonal", closed="(dout * z).mean(axis=0) => dout * z / N", loops="sum(dout[:, j] * z) / N => dout[:, j] * z / N", einsum='np.einsum("nd,nd->d", dout, z) / N => dout * z / N'),
    slip("variance for mean square", "variance-for-mean-square", closed="np.mean(xc**2, axis=0) => xc.var(axis=0)", staged="np.mean(xc**2, axis=0) => xc.var(axis=0)", loops="sum(xc[:, j] ** 2) / N => xc[:, j].var()"),
    slip("eps dropped", "eps-missing*", all="(ms + eps) => ms"),
    slip("eps hard-coded", "eps-fixed*", all="(ms + eps) => (ms + 1e-5)"),
    slip("eps outside", "eps-outside-the-root*", all="(ms + eps) ** -0.5 => 1 / (ms**0.5 + eps)"),
    slip("xc for one z", f"xc-for-one-z | {_PATH}-over-inv_rms", closed="- z * mean_dz => - xc * mean_dz", loops="- z * mean_dz => - xc[:, j] * mean_dz", staged="inv**3 => inv**2"),
    slip("over the features", "mean-over-features", closed="z).mean(axis=0) => z).mean(axis=1, keepdims=True)"),
    slip("over everything", "mean-over-everything", closed="z).mean(axis=0) => z).mean()"),
    slip("centred as well", "centred-as-well", closed="(dout - z => (dout - dout.mean(axis=0) - z", einsum="dout - z => dout - dout.mean(axis=0) - z", loops="(dout[:, j] - z => (dout[:, j] - dout[:, j].mean() - z"),
)
# fmt: on

EXERCISES = (Exercise("normalization.rms_scale_backward", _RMS, _RMS_SLIPS), _composed())
