"""Answers to lesson 01 as people write them: right ones in many styles, and wrong ones with the mistake's name."""

RIGHT = {
    "total_derivative": {
        "row vector times matrix": """
def total_derivative(dL_dy, dy_dx):
    return dL_dy @ dy_dx
""",
        "transposed matrix times vector": """
def total_derivative(dL_dy, dy_dx):
    return dy_dx.T @ dL_dy
""",
        "two loops": """
def total_derivative(dL_dy, dy_dx):
    N, M = dy_dx.shape
    dL_dx = np.zeros(M)
    for i in range(M):
        for k in range(N):
            dL_dx[i] += dL_dy[k] * dy_dx[k, i]
    return dL_dx
""",
        "a list of sums": """
def total_derivative(dL_dy, dy_dx):
    return [sum(d * slope for d, slope in zip(dL_dy, column)) for column in dy_dx.T]
""",
        "einsum": """
def total_derivative(dL_dy, dy_dx):
    return np.einsum("k,ki->i", dL_dy, dy_dx)
""",
        "broadcast and sum": """
def total_derivative(dL_dy, dy_dx):
    ways = dL_dy[:, None] * dy_dx
    return ways.sum(axis=0)
""",
        "row of shape (1, M)": """
def total_derivative(dL_dy, dy_dx):
    return np.matmul(dL_dy.reshape(1, -1), dy_dx)
""",
        "tensordot, other argument names": """
def total_derivative(upstream, jacobian):
    return np.tensordot(upstream, jacobian, axes=1)
""",
        "helper in the same text": """
def one_input(dL_dy, column):
    print("an input")
    return np.dot(dL_dy, column)

def total_derivative(dL_dy, dy_dx):
    assert len(dL_dy) == len(dy_dx)
    return np.array([one_input(dL_dy, dy_dx[:, i]) for i in range(dy_dx.shape[1])])
""",
        "row by row, keeps float32": """
def total_derivative(dL_dy, dy_dx):
    total = np.zeros_like(dy_dx[0])
    for d, row in zip(dL_dy, dy_dx):
        total = total + d * row
    return total
""",
    },
    "numerical_jacobian": {
        "fresh steps, columns stacked": """
def numerical_jacobian(f, x, h):
    columns = []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = h
        columns.append((f(x + step) - f(x - step)) / (2 * h))
    return np.stack(columns, axis=1)
""",
        "two copies, array made in advance": """
def numerical_jacobian(f, x, h):
    K, M = f(x).shape[0], x.shape[0]
    J = np.zeros((K, M))
    for i in range(M):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        J[:, i] = (f(up) - f(down)) / (2 * h)
    return J
""",
        "rows of the identity, transposed at the end": """
def numerical_jacobian(f, x, h):
    return np.array([f(x + h * e) - f(x - h * e) for e in np.eye(x.size)]).T / (2.0 * h)
""",
        "entry by entry": """
def numerical_jacobian(f, x, h):
    rows = []
    for k in range(len(f(x))):
        row = []
        for i in range(len(x)):
            up = np.array(x); up[i] = x[i] + h
            down = np.array(x); down[i] = x[i] - h
            row.append((f(up)[k] - f(down)[k]) / 2 / h)
        rows.append(row)
    return rows
""",
        "x itself, put back exactly": """
def numerical_jacobian(f, x, h):
    columns = []
    for i in range(x.size):
        old = x[i]
        x[i] = old + h
        above = f(x)
        x[i] = old - h
        below = f(x)
        x[i] = old
        columns.append((above - below) / (2 * h))
    return np.column_stack(columns)
""",
        "mean of the two one-sided differences": """
def numerical_jacobian(f, x, h):
    here = f(x)
    J = np.empty((here.size, x.size))
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = h
        ahead = (f(x + e) - here) / h
        behind = (here - f(x - e)) / h
        J[:, i] = 0.5 * (ahead + behind)
    return J
""",
        "half a step to either side": """
def numerical_jacobian(f, x, h):
    E = np.eye(len(x)) * h / 2
    return np.stack([(f(x + e) - f(x - e)) / h for e in E], axis=-1)
""",
        "five points": """
def numerical_jacobian(f, x, h):
    columns = []
    for e in np.eye(len(x)):
        near = f(x + h * e) - f(x - h * e)
        far = f(x + 2 * h * e) - f(x - 2 * h * e)
        columns.append((8 * near - far) / (12 * h))
    return np.array(columns).T
""",
        "helper in the same text": """
def column(f, x, h, i):
    nudge = np.where(np.arange(len(x)) == i, h, 0.0)
    return (f(x + nudge) - f(x - nudge)) / (2 * h)

def numerical_jacobian(f, x, h):
    return np.vstack([column(f, x, h, i) for i in range(len(x))]).T
""",
    },
    "scale_shift_forward": {
        "one line": """
def scale_shift_forward(x_hat, gamma, beta):
    return gamma * x_hat + beta
""",
        "staged, explicit broadcasting": """
def scale_shift_forward(x_hat, gamma, beta):
    scaled = x_hat * gamma[None, :]
    y = scaled + beta[np.newaxis]
    return y
""",
        "two loops": """
def scale_shift_forward(x_hat, gamma, beta):
    y = np.zeros_like(x_hat)
    N, D = x_hat.shape
    for k in range(N):
        for j in range(D):
            y[k, j] = gamma[j] * x_hat[k, j] + beta[j]
    return y
""",
        "a matrix": """
def scale_shift_forward(x_hat, gamma, beta):
    return x_hat @ np.diag(gamma) + np.ones((len(x_hat), 1)) @ beta[None]
""",
        "feature by feature": """
def scale_shift_forward(x_hat, gamma, beta):
    return np.stack([g * column + b for column, g, b in zip(x_hat.T, gamma, beta)], axis=1)
""",
        "in place on a copy": """
def scale_shift_forward(x_hat, gamma, beta):
    y = x_hat.copy()
    y *= gamma
    y += beta
    return y
""",
        "list of rows": """
def scale_shift_forward(x_hat, gamma, beta):
    return [list(row * gamma + beta) for row in x_hat]
""",
        "einsum": """
def scale_shift_forward(x_hat, gamma, beta):
    return np.einsum("kj,j->kj", x_hat, gamma) + beta
""",
    },
    "scale_shift_backward": {
        "three lines": """
def scale_shift_backward(dout, x_hat, gamma):
    dx_hat = dout * gamma
    dgamma = np.sum(dout * x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    return dx_hat, dgamma, dbeta
""",
        "loops over features and examples": """
def scale_shift_backward(dout, x_hat, gamma):
    N, D = dout.shape
    dx_hat, dgamma, dbeta = np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for j in range(D):
        for k in range(N):
            dx_hat[k, j] = dout[k, j] * gamma[j]
            dgamma[j] += dout[k, j] * x_hat[k, j]
            dbeta[j] += dout[k, j]
    return dx_hat, dgamma, dbeta
""",
        "einsum, a list": """
def scale_shift_backward(dout, x_hat, gamma):
    return [np.einsum("kj,j->kj", dout, gamma), np.einsum("kj,kj->j", dout, x_hat), np.einsum("kj->j", dout)]
""",
        "shape (1, D)": """
def scale_shift_backward(dout, x_hat, gamma):
    gamma = gamma.reshape(1, -1)
    return dout * gamma, (x_hat * dout).sum(axis=0, keepdims=True), dout.sum(axis=0, keepdims=True)
""",
        "by the total derivative of this lesson": """
def scale_shift_backward(dout, x_hat, gamma):
    D = len(gamma)
    dx_hat = np.stack([total_derivative(dout[:, j], gamma[j] * np.eye(len(dout))) for j in range(D)], axis=1)
    dgamma = [total_derivative(dout[:, j], x_hat[:, j : j + 1])[0] for j in range(D)]
    dbeta = [total_derivative(dout[:, j], np.ones((len(dout), 1)))[0] for j in range(D)]
    return dx_hat, dgamma, dbeta
""",
        "matrix products": """
def scale_shift_backward(dout, x_hat, gamma):
    ones = np.ones(len(dout))
    return dout @ np.diag(gamma), np.diag(dout.T @ x_hat), ones @ dout
""",
        "means times N": """
def scale_shift_backward(dout, x_hat, gamma):
    N = dout.shape[0]
    dbeta = N * dout.mean(0)
    dgamma = N * (dout * x_hat).mean(0)
    return gamma * dout, dgamma, dbeta
""",
        "example by example, keeps float32": """
def scale_shift_backward(dout, x_hat, gamma):
    dgamma, dbeta = np.zeros_like(gamma), np.zeros_like(gamma)
    for d, row in zip(dout, x_hat):
        dgamma = dgamma + d * row
        dbeta = dbeta + d
    dx_hat = np.array([d * gamma for d in dout])
    return dx_hat, dgamma, dbeta
""",
    },
}

WRONG = {
    "total_derivative": {
        "diagonal": (
            "only-the-diagonal",
            """
def total_derivative(dL_dy, dy_dx):
    return dL_dy * np.diag(dy_dx)
""",
        ),
        "diagonal, in a loop": (
            "only-the-diagonal",
            """
def total_derivative(dL_dy, dy_dx):
    return np.array([dL_dy[i] * dy_dx[i, i] for i in range(dy_dx.shape[1])])
""",
        ),
        "transposed": (
            "transposed",
            """
def total_derivative(dL_dy, dy_dx):
    return dy_dx @ dL_dy
""",
        ),
        "upstream along the inputs": (
            "gradient-on-the-wrong-index",
            """
def total_derivative(dL_dy, dy_dx):
    return (dL_dy * dy_dx).sum(axis=0)
""",
        ),
        "sum over the inputs": (
            "summed-over-the-inputs",
            """
def total_derivative(dL_dy, dy_dx):
    return (dL_dy[:, None] * dy_dx).sum(axis=1)
""",
        ),
        "mean": (
            "mean-for-sum",
            """
def total_derivative(dL_dy, dy_dx):
    return (dL_dy[:, None] * dy_dx).mean(axis=0)
""",
        ),
        "upstream forgotten": (
            "upstream-missing",
            """
def total_derivative(dL_dy, dy_dx):
    return dy_dx.sum(axis=0)
""",
        ),
        "sums multiplied": (
            "summed-before-multiplied",
            """
def total_derivative(dL_dy, dy_dx):
    return dL_dy.sum() * dy_dx.sum(axis=0)
""",
        ),
        "mean of the upstream times sum": (
            "summed-before-multiplied",
            """
def total_derivative(dL_dy, dy_dx):
    return dL_dy.mean() * dy_dx.sum(axis=0)
""",
        ),
        "loop ends early": (
            "last-path-left-out",
            """
def total_derivative(dL_dy, dy_dx):
    N, M = dy_dx.shape
    return np.array([sum(dL_dy[k] * dy_dx[k, i] for k in range(N - 1)) for i in range(M)])
""",
        ),
        "loop begins at 1": (
            "first-path-left-out",
            """
def total_derivative(dL_dy, dy_dx):
    N, M = dy_dx.shape
    return np.array([sum(dL_dy[k] * dy_dx[k, i] for k in range(1, N)) for i in range(M)])
""",
        ),
        "= for +=": (
            "only-one-path",
            """
def total_derivative(dL_dy, dy_dx):
    N, M = dy_dx.shape
    dL_dx = np.zeros(M)
    for i in range(M):
        for k in range(N):
            dL_dx[i] = dL_dy[k] * dy_dx[k, i]
    return dL_dx
""",
        ),
        "own way left out": (
            "path-through-the-output-of-the-same-number-missing",
            """
def total_derivative(dL_dy, dy_dx):
    N, M = dy_dx.shape
    return np.array([sum(dL_dy[k] * dy_dx[k, i] for k in range(N) if k != i) for i in range(M)])
""",
        ),
        "own way counted twice": (
            "path-through-the-output-of-the-same-number-doubled",
            """
def total_derivative(dL_dy, dy_dx):
    N, M = dy_dx.shape
    dL_dx = dL_dy @ dy_dx
    for i in range(min(N, M)):
        dL_dx[i] += dL_dy[i] * dy_dx[i, i]
    return dL_dx
""",
        ),
        "sign": (
            "dL-dx-sign",
            """
def total_derivative(dL_dy, dy_dx):
    return -dL_dy @ dy_dx
""",
        ),
        "not added up": (
            "wrong-shape",
            """
def total_derivative(dL_dy, dy_dx):
    return dL_dy[:, None] * dy_dx
""",
        ),
        "added up too far": (
            "wrong-shape",
            """
def total_derivative(dL_dy, dy_dx):
    return np.sum(dL_dy[:, None] * dy_dx)
""",
        ),
        "loop over the wrong size": (
            "wrong-shape",
            """
def total_derivative(dL_dy, dy_dx):
    N = len(dL_dy)
    dL_dx = np.zeros(N)
    for i in range(min(dy_dx.shape)):
        dL_dx[i] = np.sum(dL_dy * dy_dx[:, i])
    return dL_dx
""",
        ),
        "in place": (
            "input-changed",
            """
def total_derivative(dL_dy, dy_dx):
    dy_dx *= dL_dy[:, None]
    return dy_dx.sum(axis=0)
""",
        ),
        "no return": (
            "returned-none",
            """
def total_derivative(dL_dy, dy_dx):
    dL_dx = dL_dy @ dy_dx
""",
        ),
    },
    "numerical_jacobian": {
        "a nudge of one's own": (
            "nudge-of-1e-05",
            """
def numerical_jacobian(f, x, h):
    h = 1e-5
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=1)
""",
        ),
        "forward difference": (
            "one-sided",
            """
def numerical_jacobian(f, x, h):
    columns = []
    for e in np.eye(len(x)):
        columns.append((f(x + h * e) - f(x)) / h)
    return np.stack(columns, axis=1)
""",
        ),
        "backward difference": (
            "one-sided-below",
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x) - f(x - h * e)) / h for e in np.eye(len(x))], axis=1)
""",
        ),
        "forward difference over 2h": (
            "one-sided",
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x + h * e) - f(x)) / (2 * h) for e in np.eye(len(x))], axis=1)
""",
        ),
        "over h": (
            "factor-2-missing",
            """
def numerical_jacobian(f, x, h):
    J = np.zeros((len(f(x)), len(x)))
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        J[:, i] = (f(up) - f(down)) / h
    return J
""",
        ),
        "over 2 * h without parentheses": (
            "lost-parentheses",
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x + h * e) - f(x - h * e)) / 2 * h for e in np.eye(len(x))], axis=1)
""",
        ),
        "not divided": (
            "not-divided",
            """
def numerical_jacobian(f, x, h):
    return np.stack([f(x + h * e) - f(x - h * e) for e in np.eye(len(x))], axis=1)
""",
        ),
        "over 4h": (
            "difference-quotient-halved",
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x + h * e) - f(x - h * e)) / (4 * h) for e in np.eye(len(x))], axis=1)
""",
        ),
        "sign": (
            "difference-quotient-sign",
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x - h * e) - f(x + h * e)) / (2 * h) for e in np.eye(len(x))], axis=1)
""",
        ),
        "transposed": (
            "transposed",
            """
def numerical_jacobian(f, x, h):
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])
""",
        ),
        "transposed, one-sided": (
            None,
            """
def numerical_jacobian(f, x, h):
    return np.array([(f(x + h * e) - f(x)) / h for e in np.eye(len(x))])
""",
        ),
        "nudges pile up": (
            "nudges-pile-up",
            """
def numerical_jacobian(f, x, h):
    up, down, columns = x.copy(), x.copy(), []
    for i in range(len(x)):
        up[i] += h
        down[i] -= h
        columns.append((f(up) - f(down)) / (2 * h))
    return np.stack(columns, axis=1)
""",
        ),
        "every input at once": (
            "all-nudged-together",
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x + h) - f(x - h)) / (2 * h) for _ in range(len(x))], axis=1)
""",
        ),
        "one column only": (
            "wrong-shape",
            """
def numerical_jacobian(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)
""",
        ),
        "diagonal": (
            "only-the-diagonal",
            """
def numerical_jacobian(f, x, h):
    J = np.zeros((len(f(x)), len(x)))
    for i in range(min(J.shape)):
        e = np.zeros(len(x))
        e[i] = h
        J[i, i] = (f(x + e)[i] - f(x - e)[i]) / (2 * h)
    return J
""",
        ),
        "outputs added up": (
            "wrong-shape",
            """
def numerical_jacobian(f, x, h):
    return np.array([(f(x + h * e).sum() - f(x - h * e).sum()) / (2 * h) for e in np.eye(len(x))])
""",
        ),
        "always square": (
            "raises-ValueError",
            """
def numerical_jacobian(f, x, h):
    J = np.zeros((len(x), len(x)))
    for i, e in enumerate(np.eye(len(x))):
        J[:, i] = (f(x + h * e) - f(x - h * e)) / (2 * h)
    return J
""",
        ),
        "x changed, put back almost": (
            "input-changed",
            """
def numerical_jacobian(f, x, h):
    columns = []
    for i in range(len(x)):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        down = f(x)
        x[i] += h
        columns.append((up - down) / (2 * h))
    return np.stack(columns, axis=1)
""",
        ),
        "x changed, not put back": (
            "input-changed",
            """
def numerical_jacobian(f, x, h):
    columns = []
    for i in range(len(x)):
        up = x
        up[i] += h
        columns.append((f(up) - f(x - h)) / (2 * h))
    return np.stack(columns, axis=1)
""",
        ),
        "two names for one array": (
            "nothing-nudged",
            """
def numerical_jacobian(f, x, h):
    columns = []
    for i in range(len(x)):
        up = down = x.copy()
        up[i] += h
        down[i] -= h
        columns.append((f(up) - f(down)) / (2 * h))
    return np.stack(columns, axis=1)
""",
        ),
        "a step of its own, far too large": (
            None,
            """
def numerical_jacobian(f, x, h):
    h = 0.05
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=1)
""",
        ),
        "a step of its own, far too small": (
            None,
            """
def numerical_jacobian(f, x, h):
    h = 1e-12
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=1)
""",
        ),
        "h of another size in the division": (
            None,
            """
def numerical_jacobian(f, x, h):
    return np.stack([(f(x + h * e) - f(x - h * e)) / 2e-4 for e in np.eye(len(x))], axis=1)
""",
        ),
    },
    "scale_shift_forward": {
        "exchanged": (
            "gamma-and-beta-exchanged",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return beta * x_hat + gamma
""",
        ),
        "shift first": (
            "shift-before-scale",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return gamma * (x_hat + beta)
""",
        ),
        "no shift": (
            "shift-missing",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return gamma * x_hat
""",
        ),
        "no scale": (
            "scale-term-over-gamma",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return x_hat + beta
""",
        ),
        "minus": (
            "shift-sign",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return gamma * x_hat - beta
""",
        ),
        "divided": (
            "divided-by-gamma",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return x_hat / gamma + beta
""",
        ),
        "gamma squared": (
            "scale-term-times-gamma",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return gamma**2 * x_hat + beta
""",
        ),
        "gamma added": (
            "gamma-added",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return x_hat + gamma + beta
""",
        ),
        "along the batch": (
            "raises-ValueError",
            """
def scale_shift_forward(x_hat, gamma, beta):
    return gamma[:, None] * x_hat + beta[:, None]
""",
        ),
        "in place": (
            "input-changed",
            """
def scale_shift_forward(x_hat, gamma, beta):
    x_hat *= gamma
    x_hat += beta
    return x_hat
""",
        ),
        "last example as it was": (
            "unnamed",
            """
def scale_shift_forward(x_hat, gamma, beta):
    y = x_hat.copy()
    for k in range(len(x_hat) - 1):
        y[k] = gamma * x_hat[k] + beta
    return y
""",
        ),
    },
    "scale_shift_backward": {
        "gamma missing": (
            "gamma-missing",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return dout.copy(), (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "gamma twice": (
            "product-with-the-slope-times-gamma",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * gamma * dout, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "divided by gamma": (
            "divided-by-gamma",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return dout / gamma, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "x_hat for gamma": (
            "x-hat-for-gamma",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return dout * x_hat, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "x_hat and gamma": (
            "unnamed",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return dout * (x_hat + gamma), (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "slope alone": (
            "slope-alone",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return np.tile(gamma, (len(dout), 1)), (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dx_hat over N": (
            "product-with-the-slope-over-N",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout / len(dout), (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dx_hat centred": (
            "dx-hat-averaged",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * (dout - dout.mean(axis=0)), (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dx_hat summed": (
            "dx-hat-summed",
            """
def scale_shift_backward(dout, x_hat, gamma):
    dbeta = dout.sum(axis=0)
    return np.ones_like(dout) * gamma * dbeta, (dout * x_hat).sum(axis=0), dbeta
""",
        ),
        "dx_hat of the wrong sign": (
            "product-with-the-slope-sign",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return -gamma * dout, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dgamma a mean": (
            "dgamma-mean",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).mean(axis=0), dout.sum(axis=0)
""",
        ),
        "dbeta a mean": (
            "dbeta-mean",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).sum(axis=0), dout.mean(axis=0)
""",
        ),
        "both means": (
            "dgamma-mean",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).mean(axis=0), dout.mean(axis=0)
""",
        ),
        "dgamma with gamma": (
            "dgamma-times-gamma",
            """
def scale_shift_backward(dout, x_hat, gamma):
    h = gamma * dout
    return h, (h * x_hat).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dgamma with gamma, a mean": (
            "dgamma-times-gamma",
            """
def scale_shift_backward(dout, x_hat, gamma):
    h = gamma * dout
    return h, (h * x_hat).mean(axis=0), dout.sum(axis=0)
""",
        ),
        "dbeta with gamma": (
            "dbeta-times-gamma",
            """
def scale_shift_backward(dout, x_hat, gamma):
    h = gamma * dout
    return h, (dout * x_hat).sum(axis=0), h.sum(axis=0)
""",
        ),
        "dgamma of the forward output": (
            None,
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat * gamma + dout).sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dgamma without x_hat": (
            "dgamma-without-x-hat",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, dout.sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dgamma without dout": (
            "dgamma-without-dout",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, x_hat.sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dgamma summed before multiplied": (
            "dgamma-summed-before-multiplied",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, dout.sum(axis=0) * x_hat.sum(axis=0), dout.sum(axis=0)
""",
        ),
        "dgamma = for +=": (
            None,
            """
def scale_shift_backward(dout, x_hat, gamma):
    for d, row in zip(dout, x_hat):
        dgamma = d * row
    return gamma * dout, dgamma, dout.sum(axis=0)
""",
        ),
        "dbeta counts examples": (
            "dbeta-counts-examples",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).sum(axis=0), np.full(len(gamma), len(dout))
""",
        ),
        "dbeta with x_hat": (
            "dbeta-times-x-hat",
            """
def scale_shift_backward(dout, x_hat, gamma):
    dgamma = (dout * x_hat).sum(axis=0)
    return gamma * dout, dgamma, dgamma
""",
        ),
        "exchanged": (
            "swapped",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, dout.sum(axis=0), (dout * x_hat).sum(axis=0)
""",
        ),
        "sums over the features": (
            "wrong-shape",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).sum(axis=1), dout.sum(axis=1)
""",
        ),
        "sums over everything": (
            "wrong-shape",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).sum(), dout.sum()
""",
        ),
        "no sums": (
            "wrong-shape",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, dout * x_hat, dout
""",
        ),
        "two values": (
            "wrong-count",
            """
def scale_shift_backward(dout, x_hat, gamma):
    return gamma * dout, (dout * x_hat).sum(axis=0)
""",
        ),
        "dout changed in place": (
            "input-changed",
            """
def scale_shift_backward(dout, x_hat, gamma):
    dgamma, dbeta = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
    dout *= gamma
    return dout, dgamma, dbeta
""",
        ),
    },
}
