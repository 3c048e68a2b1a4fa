"""Lesson 02: right answers in many forms, and wrong ones with the name their diagnosis must give."""

RIGHT = {
    "center": {
        "one line": "def center(h):\n    return h - np.mean(h, axis=0)",
        "keepdims": "def center(h):\n    return h - np.sum(h, axis=0, keepdims=True) / h.shape[0]",
        "loops": """
def center(h):
    N, D = h.shape
    out = np.empty((N, D))
    for l in range(D):
        mu = sum(h[:, l]) / N
        for k in range(N):
            out[k, l] = h[k, l] - mu
    return out
""",
        "lists": """
def center(h):
    columns = []
    for column in h.T.tolist():
        mu = sum(column) / len(column)
        columns.append([value - mu for value in column])
    return [list(row) for row in zip(*columns)]
""",
        "matrix product": "def center(h):\n    return center_jacobian(len(h)) @ h",
        "einsum": "def center(h):\n    return h - np.einsum('ml->l', h) / len(h)",
        "other argument name, prints": "def center(batch):\n    print(batch.shape)\n    return batch - batch.mean(0)",
    },
    "center_jacobian": {
        "eye minus": "def center_jacobian(N):\n    return np.eye(N) - np.full((N, N), 1 / N)",
        "outer product": "def center_jacobian(N):\n    one = np.ones(N)\n    return np.identity(N) - np.outer(one, one) / N",
        "loops": """
def center_jacobian(N):
    J = [[0.0] * N for _ in range(N)]
    for k in range(N):
        for i in range(N):
            J[k][i] = (1 if k == i else 0) - 1 / N
    return J
""",
        "centre the identity": "def center_jacobian(N):\n    return center(np.eye(N))",
    },
    "center_jacobian_full": {
        "broadcast": """
def center_jacobian_full(N, D):
    return center_jacobian(N)[:, None, :, None] * np.eye(D)[None, :, None, :]
""",
        "loops": """
def center_jacobian_full(N, D):
    J = np.zeros((N, D, N, D))
    for k in range(N):
        for l in range(D):
            for i in range(N):
                J[k, l, i, l] = (k == i) - 1 / N
    return J
""",
        "kron": """
def center_jacobian_full(N, D):
    return np.kron(np.eye(N) - 1 / N, np.eye(D)).reshape(N, D, N, D)
""",
    },
    "center_backward": {
        "one line": "def center_backward(dout):\n    return dout - np.mean(dout, axis=0)",
        "staged": """
def center_backward(dout):
    N = dout.shape[0]
    dh_direct = dout
    dmu = -np.sum(dout, axis=0)
    dh_mean = np.ones_like(dout) * dmu / N
    return dh_direct + dh_mean
""",
        "einsum with the Jacobian": """
def center_backward(dout):
    return np.einsum("kl,klij->ij", dout, center_jacobian_full(*dout.shape))
""",
        "loops": """
def center_backward(dout):
    dh = np.zeros(dout.shape)
    for i in range(len(dout)):
        for k in range(len(dout)):
            dh[i] += dout[k] * ((k == i) - 1 / len(dout))
    return dh
""",
        "forward again": "def center_backward(dout):\n    return center(dout)",
        "transposed": "def center_backward(dout):\n    return (dout.T - dout.T.mean(axis=1)[:, None]).T",
    },
}

WRONG = {
    "center": {
        "wrong axis": ("mean-over-features", "def center(h):\n    return h - h.mean(axis=1, keepdims=True)"),
        "no axis": ("mean-over-everything", "def center(h):\n    return h - h.mean()"),
        "sum": ("sum-for-mean", "def center(h):\n    return h - h.sum(axis=0)"),
        "scaled too": ("also-scaled", "def center(h):\n    return (h - h.mean(axis=0)) / h.std(axis=0)"),
        "in place": ("input-changed", "def center(h):\n    h -= h.mean(axis=0)\n    return h"),
        "no return": ("returned-none", "def center(h):\n    h - h.mean(axis=0)"),
        "the mean": ("wrong-shape", "def center(h):\n    return h.mean(axis=0)"),
        "reversed": ("subtraction-reversed", "def center(h):\n    return h.mean(axis=0) - h"),
        "identity": ("nothing-subtracted", "def center(h):\n    return h.copy()"),
        "N - 1": (None, "def center(h):\n    return h - h.sum(axis=0) / (len(h) - 1)"),
        "float32": (None, "def center(h):\n    return (h - h.mean(axis=0)).astype(np.float32)"),
    },
    "center_jacobian": {
        "identity": ("term-of-the-mean-missing", "def center_jacobian(N):\n    return np.eye(N)"),
        "sign": ("term-of-the-mean-sign", "def center_jacobian(N):\n    return np.eye(N) + 1 / N"),
        "no 1/N": ("term-of-the-mean-times-N", "def center_jacobian(N):\n    return np.eye(N) - 1"),
        "delta missing": ("delta-term-missing", "def center_jacobian(N):\n    return -np.ones((N, N)) / N"),
        "diagonal": ("only-the-diagonal", "def center_jacobian(N):\n    return np.eye(N) * (1 - 1 / N)"),
        "diagonal of ones": (
            "diagonal-not-reduced",
            "def center_jacobian(N):\n    J = np.full((N, N), -1 / N)\n    np.fill_diagonal(J, 1)\n    return J",
        ),
        "everything times N": ("J-times-N", "def center_jacobian(N):\n    return N * np.eye(N) - 1"),
    },
    "center_jacobian_full": {
        "features coupled": (
            "features-coupled",
            "def center_jacobian_full(N, D):\n    return np.einsum('ki,lj->klij', np.eye(N) - 1 / N, np.ones((D, D)))",
        ),
        "delta on one term": (
            "delta-on-first-term-only",
            "def center_jacobian_full(N, D):\n    return np.einsum('ki,lj->klij', np.eye(N), np.eye(D)) - 1 / N",
        ),
        "identity": (
            "mean-missing",
            "def center_jacobian_full(N, D):\n    return np.eye(N * D).reshape(N, D, N, D)",
        ),
        "index order": (
            "wrong-shape",
            "def center_jacobian_full(N, D):\n    return np.einsum('ki,lj->kilj', np.eye(N) - 1 / N, np.eye(D))",
        ),
        "flat": ("wrong-shape", "def center_jacobian_full(N, D):\n    return np.kron(np.eye(N) - 1 / N, np.eye(D))"),
        "one over D": (
            "one-over-D",
            "def center_jacobian_full(N, D):\n    return np.einsum('ki,lj->klij', np.eye(N) - 1 / D, np.eye(D))",
        ),
    },
    "center_backward": {
        "direct path only": ("path-through-the-mean-missing", "def center_backward(dout):\n    return dout"),
        "sum": ("path-through-the-mean-times-N", "def center_backward(dout):\n    return dout - dout.sum(axis=0)"),
        "sign": ("path-through-the-mean-sign", "def center_backward(dout):\n    return dout + dout.mean(axis=0)"),
        "mean only": (
            "direct-path-missing",
            "def center_backward(dout):\n    return np.zeros_like(dout) - dout.mean(axis=0)",
        ),
        "over N": ("dh-over-N", "def center_backward(dout):\n    return (dout - dout.mean(axis=0)) / len(dout)"),
        "all reversed": ("dh-sign", "def center_backward(dout):\n    return dout.mean(axis=0) - dout"),
        "diagonal": ("only-the-diagonal", "def center_backward(dout):\n    return dout * (1 - 1 / len(dout))"),
        "wrong axis": (
            "mean-over-features",
            "def center_backward(dout):\n    return dout - dout.mean(axis=1, keepdims=True)",
        ),
        "no axis": ("mean-over-everything", "def center_backward(dout):\n    return dout - dout.mean()"),
        "zeros": ("dh-zero", "def center_backward(dout):\n    return 0 * dout"),
        "in place": ("input-changed", "def center_backward(dout):\n    dout -= dout.mean(axis=0)\n    return dout"),
        "raises": ("raises-ValueError", "def center_backward(dout):\n    return dout @ dout"),
        "depends on an earlier call": (
            "not-repeatable",
            "calls = []\ndef center_backward(dout):\n    calls.append(1)\n    return dout - dout.mean(axis=0) * (len(calls) < 4)",
        ),
    },
}
