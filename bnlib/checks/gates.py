"""Lesson 04: what is checked about the gates of batch normalization and the walk back through them.

The graph is written here as a chain of steps in which any intermediate value can be held at a value of one's own: all
that comes after it is recomputed, nothing before it. The complex step through that chain is the gradient with respect
to the intermediate, over all its branches, and the judge of every row of the table.
"""

from __future__ import annotations

import numpy as np

from bnlib.checks import Answer, Case, Checks, Property, Slip, Step, Steps, Term, negligible, numbers
from bnlib.numerics import vjp_complex
from bnlib.stubs import gates

GRADIENTS = tuple(name[1:] for name in gates.gates_backward.returns)
"""What the walk back passes, in order: beta, gamma, x_hat, and so on down to x."""


def _row_mean(rows):
    """Mean over the batch, example by example."""
    total = 0
    for row in rows:
        total = total + row
    return total / len(rows)


_STEPS = {
    "mu": lambda v: _row_mean(v["x"]),
    "xc": lambda v: np.stack([row - v["mu"] for row in v["x"]]),
    "sq": lambda v: np.multiply(v["xc"], v["xc"]),
    "var": lambda v: _row_mean(v["sq"]),
    "std": lambda v: np.power(v["var"] + v["eps"], 0.5),
    "inv_std": lambda v: np.reciprocal(v["std"]),
    "x_hat": lambda v: np.stack([row * v["inv_std"] for row in v["xc"]]),
    "scaled": lambda v: np.stack([row * v["gamma"] for row in v["x_hat"]]),
    "out": lambda v: np.stack([row + v["beta"] for row in v["scaled"]]),
}


def _chain(case, **held):
    """Every value of the graph; those in ``held`` are not computed but taken as given, and all after them follow."""
    values = {name: case[name] for name in ("x", "gamma", "beta", "eps")} | held
    for name, step in _STEPS.items():
        if name not in held:
            values[name] = step(values)
    return values


def _gradient(case, name):
    """dL/d(name) for L = sum(dout * out): nudge that value, recompute everything after it."""
    value = _chain(case)[name]
    return vjp_complex(lambda nudged: _chain(case, **{name: nudged})["out"], value, case.dout)


def _batch(rng, backward=True):
    N, D = int(rng.integers(4, 9)), int(rng.integers(2, 5))
    case = Case(
        x=rng.normal(size=(N, D)) * rng.uniform(0.5, 3, size=D) + rng.uniform(2, 6, size=D),
        gamma=rng.uniform(0.4, 2.5, size=D) * rng.choice([-1, 1], size=D),
        beta=rng.normal(size=D),
        eps=float(rng.choice([1e-3, 0.05, 0.5])),
    )
    if backward:
        case["dout"] = rng.normal(size=(N, D)) + rng.uniform(0.5, 1.5)
    return case


# One gate alone: its inputs need not come from a batch.


def _matrix(rng, away=0.0):
    return rng.normal(size=(int(rng.integers(4, 9)), int(rng.integers(2, 5)))) + away


def _mean_gate(rng):
    return Case(dvar=rng.normal(size=int(rng.integers(2, 5))) + 1.5, N=int(rng.integers(4, 9)))


def _square_gate(rng):
    dsq = _matrix(rng, 0.5)
    return Case(dsq=dsq, xc=rng.normal(size=dsq.shape) + 0.3)


def _vector_gate(gradient, value):
    def draw(rng):
        size = int(rng.integers(3, 6))
        return Case({gradient: rng.normal(size=size) + 1.0, value: rng.uniform(0.3, 3, size=size)})

    return draw


def _product_gate(rng):
    dx_hat = _matrix(rng, 0.7)
    return Case(
        dx_hat=dx_hat, xc=rng.normal(size=dx_hat.shape) + 0.4, inv_std=rng.uniform(0.3, 3, size=dx_hat.shape[1])
    )


def _junction(rng):
    case = _product_gate(rng)
    return Case(
        dx_hat=case.dx_hat, dsq=_matrix(rng)[:1, :1] + rng.normal(size=case.xc.shape), xc=case.xc, inv_std=case.inv_std
    )


def _normalized(case):
    """Add to a batch what the folded form is given."""
    values = _chain(case)
    return Case(case, x_hat=values["x_hat"], inv_std=values["inv_std"])


def _like(vector, matrix):
    """A (D,) array, once for every row."""
    return np.broadcast_to(vector, matrix.shape)


# Steps, one symbol of which may be another (the hidden values of a walk back follow from the right ones).

_GATES = (
    Step("mu", "eq. 4.1", lambda q: q.mean(q.x)),
    Step("xc", "eq. 4.2", lambda q: q.x - q.mu),
    Step("sq", "eq. 4.3", lambda q: q.xc * q.xc),
    Step("var", "eq. 4.4", lambda q: q.mean(q.sq)),
    Step("std", "eq. 4.5", lambda q: q.root(q.var + q.eps)),
    Step("inv_std", "eq. 4.6", lambda q: 1 / q.std),
    Step("x_hat", "eq. 4.7", lambda q: q.xc * q.inv_std),
    Step("scaled", "eq. 4.8", lambda q: q.gamma * q.x_hat),
    Step("out", "eq. 4.9", lambda q: q.scaled + q.beta),
)
_BACK = (
    Step("dbeta", "the shift gate", lambda q: q.sum(q.dout)),
    Step("dgamma", "the scale gate", lambda q: q.sum(q.dout * q.x_hat)),
    Step("dx_hat", "the scale gate", lambda q: q.dout * q.gamma),
    Step("dinv_std", "eq. 4.16", lambda q: q.sum(q.dx_hat * q.xc)),
    Step("dstd", "eq. 4.14", lambda q: -q.dinv_std * q.inv_std * q.inv_std),
    Step("dvar", "eq. 4.13", lambda q: q.dstd / (q.two * q.std)),
    Step("dsq", "eq. 4.11", lambda q: np.ones_like(q.dout) * (q.dvar / q.N)),
    Step("dxc", "eq. 4.15 to 4.17", lambda q: q.dx_hat * q.inv_std + q.two * q.xc * q.dsq),
    Step("dmu", "eq. 4.19", lambda q: -q.sum(q.dxc)),
    Step("dx", "eq. 4.20", lambda q: q.dxc + q.dmu / q.N),
)


def _with_two(case):
    return {**numbers(case), "two": 2.0}


def _rows(case):
    return {**numbers(case), "rows": range(case.N)}


def _with_values(case):
    """The values of the forward pass are given."""
    return {**_with_two(case), **_chain(case)}


# Forward


def _with(case, **held):
    return _chain(case, **held)["out"]


gates_forward = Checks(
    gates.gates_forward,
    draw=lambda rng: _batch(rng, backward=False),
    truth=lambda case: _chain(case)["out"],
    against="eq. 4.1 to 4.9, gate by gate",
    steps=Steps(_GATES),
    hints=(
        "One line for each of the nine equations, in their order, with the names of the equations.",
        "mu and var are means over the batch, so they have shape (D,); eps is added before the root is taken. "
        'The cache is a dict: {"xc": xc, "std": std, ...}.',
        "The first two lines read mu = x.mean(axis=0) and xc = x - mu; the lines of sq and var look at xc, not at x.",
    ),
    idea="Nine lines, each using names from above it, then a dict of all the names: nothing is computed twice.",
    properties=(
        Property(
            "with gamma and beta taken off, every feature has mean zero",
            lambda case, out: negligible(
                case, (out["out"] - case.beta).mean(axis=0), np.abs(case.gamma) + np.abs(case.beta)
            ),
            "A feature of out, gamma and beta taken off, does not have mean zero.",
        ),
    ),
    slips=(
        Slip(
            "ddof",
            "The variance was divided by N - 1. Eq. 4.4 divides by N.",
            "out",
            lambda case: _with(case, var=case.x.var(axis=0, ddof=1)),
        ),
        Slip(
            "eps-outside-root",
            "eps was added after the root. Look at where eq. 4.5 has it.",
            "out",
            lambda case: _with(case, std=case.x.std(axis=0) + case.eps),
        ),
        Slip(
            "no-eps", "eps is not used. It enters in eq. 4.5.", "out", lambda case: _with(case, std=case.x.std(axis=0))
        ),
        Slip(
            "fixed-eps",
            "A fixed eps was used in place of the argument.",
            "out",
            lambda case: _with(case, std=np.sqrt(case.x.var(axis=0) + 1e-5)),
        ),
        Slip(
            "no-root",
            "The root of eq. 4.5 is missing: xc was divided by the variance.",
            "out",
            lambda case: _with(case, std=case.x.var(axis=0) + case.eps),
        ),
        Slip(
            "no-inversion",
            "xc was multiplied by std where eq. 4.7 multiplies by inv_std.",
            "out",
            lambda case: _with(case, inv_std=np.sqrt(case.x.var(axis=0) + case.eps)),
        ),
        Slip(
            "no-mean-of-squares",
            "The squares were added up but not averaged: eq. 4.4 has a 1/N.",
            "out",
            lambda case: _with(case, var=case.x.var(axis=0) * len(case.x)),
        ),
        Slip(
            "squares-of-x",
            "The variance was made of x squared. The square gate stands behind the subtraction: eq. 4.3 squares xc.",
            "out",
            lambda case: _with(case, var=np.mean(case.x**2, axis=0)),
        ),
        Slip(
            "not-centred",
            "x itself was multiplied by inv_std. In eq. 4.7 xc is.",
            "out",
            lambda case: case.beta + case.gamma * case.x / np.sqrt(case.x.var(axis=0) + case.eps),
        ),
        Slip(
            "statistics-over-features",
            "Mean and variance were taken over the features of each example. Eq. 4.1 and 4.4 average over the batch.",
            "out",
            lambda case: (
                case.beta
                + case.gamma
                * (case.x - case.x.mean(axis=1, keepdims=True))
                / np.sqrt(case.x.var(axis=1, keepdims=True) + case.eps)
            ),
        ),
        Slip(
            "statistics-over-everything",
            "One mean and one variance were taken over the whole array: name the axis.",
            "out",
            lambda case: case.beta + case.gamma * (case.x - case.x.mean()) / np.sqrt(case.x.var() + case.eps),
        ),
        Slip("no-scale", "gamma is missing: eq. 4.8.", "out", lambda case: _chain(case)["x_hat"] + case.beta),
        Slip("no-shift", "beta is missing: eq. 4.9.", "out", lambda case: _chain(case)["scaled"]),
        Slip(
            "no-scale-no-shift",
            "This is x_hat: eq. 4.8 and 4.9 come after it.",
            "out",
            lambda case: _chain(case)["x_hat"],
        ),
        Slip(
            "scale-and-shift-exchanged",
            "gamma was added and beta multiplied: eq. 4.8 and 4.9 have them the other way round.",
            "out",
            lambda case: _chain(case)["x_hat"] * case.beta + case.gamma,
        ),
    ),
)

# One gate back

mean_backward = Checks(
    gates.mean_backward,
    draw=_mean_gate,
    truth=lambda case: vjp_complex(_row_mean, np.ones((case.N, len(case.dvar))), case.dvar),
    against="the numerical derivative of eq. 4.4",
    steps=Steps((Step("dsq", "eq. 4.11", lambda q: np.ones((len(q.rows), 1)) * (q.dvar / q.N)),), _rows),
    hints=(
        "Eq. 4.11 has an index k on the left and none on the right. What does that say about the rows of dsq?",
        "All N rows are the same. Each is dvar with one factor.",
        "np.ones((N, 1)) * something of shape (D,) makes an (N, D) array of N equal rows.",
    ),
    idea="Make the (D,) gradient smaller by the mean's factor, and copy it into each of the N rows.",
    terms={"dsq": (Term("share of each example", "eq. 4.11", lambda case: np.ones((case.N, 1)) * case.dvar),)},
    slips=(
        Slip(
            "one-over-D",
            "The share is 1/D. The mean of eq. 4.4 runs over the N examples.",
            "dsq",
            lambda case: np.ones((case.N, 1)) * case.dvar / len(case.dvar),
        ),
        Slip(
            "one-row-only",
            "Only one row received something. Every one of the N entries is inside the mean: eq. 4.11 has no k on its right.",
            "dsq",
            lambda case: np.eye(case.N)[:, :1] * case.dvar / case.N,
        ),
    ),
)

square_backward = Checks(
    gates.square_backward,
    draw=_square_gate,
    truth=lambda case: vjp_complex(lambda xc: np.multiply(xc, xc), case.xc, case.dsq),
    against="the numerical derivative of eq. 4.3",
    steps=Steps((Step("dxc", "eq. 4.12", lambda q: q.two * q.xc * q.dsq),), _with_two),
    hints=(
        "Eq. 4.10: what arrives, times the derivative of what the gate does. Which of the two arguments is which?",
        "The derivative of a square, taken at the value that went in.",
        "At xc = 3 and dsq = 10 the answer is 60.",
    ),
    idea="Entry by entry: what arrives, times the slope of the parabola at xc.",
    terms={"dxc": (Term("local slope", "eq. 4.12", lambda case: np.einsum("kl,kl->kl", case.xc, case.dsq)),)},
    slips=(
        Slip(
            "gradient-not-used",
            "This is the slope of the gate alone. Eq. 4.10 multiplies it by what arrives.",
            "dxc",
            lambda case: case.xc + case.xc,
        ),
        Slip(
            "value-for-slope",
            "What arrives was multiplied by the gate's output. Eq. 4.10 multiplies by its derivative.",
            "dxc",
            lambda case: case.dsq * case.xc**2,
        ),
        Slip(
            "slope-without-value",
            "The slope of a square depends on where one stands: xc is missing.",
            "dxc",
            lambda case: case.dsq * 2,
        ),
    ),
)

root_backward = Checks(
    gates.root_backward,
    draw=_vector_gate("dstd", "std"),
    truth=lambda case: vjp_complex(lambda v: np.power(v, 0.5), case.std * case.std, case.dstd),
    against="the numerical derivative of eq. 4.5",
    steps=Steps((Step("dvar", "eq. 4.13", lambda q: q.dstd / (q.two * q.std)),), _with_two),
    hints=(
        "Eq. 4.13. The slope of a root can be written with the root itself, and that is what you are given.",
        "var and eps are not needed: the gate's output holds all there is to know.",
        "At std = 5 and dstd = 10 the answer is 1.",
    ),
    idea="Divide what arrives by twice the gate's own output.",
    terms={"dvar": (Term("local slope", "eq. 4.13", lambda case: case.dstd * np.power(case.std, -1.0)),)},
    slips=(
        Slip(
            "root-taken-twice",
            "A second root was taken. std is already the output of the gate.",
            "dvar",
            lambda case: case.dstd * np.power(case.std, -0.5) / 2,
        ),
        Slip(
            "input-for-output",
            "std was squared: eq. 4.13 has its first power.",
            "dvar",
            lambda case: case.dstd * np.power(case.std, -2.0) / 2,
        ),
        Slip(
            "exponent",
            "The exponent of std is wrong: see eq. 4.13.",
            "dvar",
            lambda case: case.dstd * np.power(case.std, -3.0) / 2,
        ),
        Slip("inverted", "Multiplied where eq. 4.13 divides.", "dvar", lambda case: case.dstd * case.std * 2),
        Slip(
            "gradient-not-used",
            "Eq. 4.10 multiplies the slope by what arrives: dstd is missing.",
            "dvar",
            lambda case: 0.5 / case.std,
        ),
    ),
)

invert_backward = Checks(
    gates.invert_backward,
    draw=_vector_gate("dinv_std", "inv_std"),
    truth=lambda case: vjp_complex(np.reciprocal, 1 / case.inv_std, case.dinv_std),
    against="the numerical derivative of eq. 4.6",
    steps=Steps((Step("dstd", "eq. 4.14", lambda q: -q.dinv_std * q.inv_std * q.inv_std),)),
    hints=(
        "Eq. 4.14. Does inv_std go up or down when std goes up?",
        "The slope of 1/s is minus 1/s squared. You are not given s, you are given 1/s.",
        "At inv_std = 2 and dinv_std = 10 the answer is -40.",
    ),
    idea="What arrives, times the gate's own output squared, with the sign of a falling function.",
    terms={"dstd": (Term("local slope", "eq. 4.14", lambda case: case.dinv_std * np.power(case.inv_std, 2.0)),)},
    slips=(
        Slip(
            "exponent",
            "The exponent of inv_std is wrong: see eq. 4.14.",
            "dstd",
            lambda case: -np.multiply(case.dinv_std, case.inv_std),
        ),
        Slip(
            "std-for-inv-std",
            "inv_std was taken for std: the slope belongs to the gate's input, and the argument is its output.",
            "dstd",
            lambda case: -case.dinv_std * np.power(case.inv_std, -2.0),
        ),
        Slip(
            "gradient-not-used",
            "Eq. 4.10 multiplies the slope by what arrives: dinv_std is missing.",
            "dstd",
            lambda case: -case.inv_std / (1 / case.inv_std),
        ),
    ),
)


def _batch_sum(a, b):
    return np.einsum("kl,kl->l", a, b)


multiply_backward = Checks(
    gates.multiply_backward,
    draw=_product_gate,
    truth=lambda case: (
        vjp_complex(lambda xc: np.stack([row * case.inv_std for row in xc]), case.xc, case.dx_hat),
        vjp_complex(lambda inv_std: np.stack([row * inv_std for row in case.xc]), case.inv_std, case.dx_hat),
    ),
    against="the numerical derivative of eq. 4.7",
    steps=Steps(
        (
            Step("dxc", "eq. 4.15", lambda q: q.dx_hat * q.inv_std),
            Step("dinv_std", "eq. 4.16", lambda q: q.sum(q.dx_hat * q.xc)),
        )
    ),
    hints=(
        "In a product, the gradient of each factor is what arrives times the other factor. Then compare shapes.",
        "dinv_std has shape (D,), the product has shape (N, D). Eq. 4.16 says which index is summed.",
        "For one feature alone the second would read (dx_hat[:, l] * xc[:, l]).sum().",
    ),
    idea="Each factor receives what arrives times the other factor; the one that was copied into N rows collects from N rows.",
    terms={
        "dxc": (
            Term(
                "product with the other factor",
                "eq. 4.15",
                lambda case: np.einsum("kl,l->kl", case.dx_hat, case.inv_std),
            ),
        ),
        "dinv_std": (Term("sum over the batch", "eq. 4.16", lambda case: _batch_sum(case.dx_hat, case.xc)),),
    },
    slips=(
        Slip(
            "own-factor",
            "xc received the product with itself: the gradient of a factor has the other factor in it (eq. 4.15).",
            "dxc",
            lambda case: case.xc * case.dx_hat,
        ),
        Slip("divided", "Divided where eq. 4.15 multiplies.", "dxc", lambda case: case.dx_hat / case.inv_std),
        Slip(
            "not-multiplied",
            "dx_hat came back unchanged: the other factor of eq. 4.15 is missing.",
            "dxc",
            lambda case: case.dx_hat,
        ),
        Slip(
            "own-factor-too",
            "inv_std received the product with itself: the gradient of a factor has the other factor in it (eq. 4.16).",
            "dinv_std",
            lambda case: case.inv_std * case.dx_hat.sum(axis=0),
        ),
        Slip(
            "x-hat-for-xc",
            "x_hat was taken for xc: eq. 4.16 has the factor that went into the gate.",
            "dinv_std",
            lambda case: case.inv_std * _batch_sum(case.dx_hat, case.xc),
        ),
        Slip(
            "other-factor-missing",
            "dx_hat was added up alone: the other factor of eq. 4.16 is missing.",
            "dinv_std",
            lambda case: case.dx_hat.sum(axis=0),
        ),
        Slip(
            "sums-multiplied",
            "Two sums were multiplied. Eq. 4.16 multiplies entry by entry first, and adds up then.",
            "dinv_std",
            lambda case: case.dx_hat.sum(axis=0) * case.xc.sum(axis=0),
        ),
    ),
)

_BRANCHES = (
    Term("branch of the multiply gate", "eq. 4.15", lambda case: np.einsum("kl,l->kl", case.dx_hat, case.inv_std)),
    Term("branch of the square gate", "eq. 4.12", lambda case: np.einsum("kl,kl->kl", case.xc, case.dsq)),
)

join_branches = Checks(
    gates.join_branches,
    draw=_junction,
    truth=lambda case: (
        vjp_complex(lambda xc: xc * case.inv_std, case.xc, case.dx_hat),
        vjp_complex(np.square, case.xc, case.dsq),
        vjp_complex(lambda xc: np.stack([xc * case.inv_std, xc * xc]), case.xc, np.stack([case.dx_hat, case.dsq])),
    ),
    against="the numerical derivative of what it feeds",
    steps=Steps(
        (
            Step("dxc_product", "eq. 4.15", lambda q: q.dx_hat * q.inv_std),
            Step("dxc_square", "eq. 4.12", lambda q: q.two * q.xc * q.dsq),
            Step("dxc", "eq. 4.17", lambda q: q.dxc_product + q.dxc_square),
        ),
        _with_two,
    ),
    hints=(
        "The first two you have written already, as exercises of their own. Eq. 4.17 says what becomes of them.",
        "You may call square_backward and multiply_backward. The latter returns two values; here you need the first.",
        "If the two branches at some entry are 0.5 and -2, then dxc is -1.5 there.",
    ),
    idea="Compute each branch as if the other did not exist, give each its own name, and add.",
    terms={"dxc_product": _BRANCHES[:1], "dxc_square": _BRANCHES[1:], "dxc": _BRANCHES},
    slips=(
        Slip(
            "own-factor",
            "xc received the product with itself: see eq. 4.15.",
            "dxc_product",
            lambda case: case.xc * case.dx_hat,
        ),
        Slip(
            "branches-multiplied",
            "The two branches were multiplied. They are two ways to the same loss, and effects of two ways add up.",
            "dxc",
            lambda case: _BRANCHES[0].value(case) * _BRANCHES[1].value(case) * 2,
        ),
    ),
)

# The whole walk


def _exact(case):
    """Values of the graph, and gradients down to dsq, for the terms and slips of the walk."""
    v = Case(_chain(case), dout=case.dout, N=len(case.x))
    v["dx_hat"] = np.einsum("kl,l->kl", case.dout, case.gamma)
    v["dinv_std"] = _batch_sum(v.dx_hat, v.xc)
    v["dstd"] = np.einsum("l,l,l->l", v.dinv_std, v.inv_std, -v.inv_std)
    v["dvar"] = np.einsum("l,l->l", v.dstd, v.inv_std / 2)
    v["product"] = np.einsum("kl,l->kl", v.dx_hat, v.inv_std)
    v["square"] = np.einsum("kl,l->kl", v.xc, v.dvar * (2 / v.N))
    return v


_NOT_SUMMED = "{} was copied into all N rows going forward, so it collects from all N rows going back: see eq. 4.16."


def _term(name, where, compute):
    return Term(name, where, lambda case: compute(_exact(case)))


def _slip(name, message, output, compute):
    return Slip(name, message, output, lambda case: compute(_exact(case)))


gates_backward = Checks(
    gates.gates_backward,
    draw=_batch,
    truth=lambda case: tuple(_gradient(case, name) for name in GRADIENTS),
    against="its numerical gradient",
    steps=Steps(_BACK, _with_values),
    walk=True,
    hints=(
        "The table's rows are in the order of your lines. Work on the first row that is not ok, and on no other: the rows "
        "after it are made from it.",
        "Nearly every line is a gate of section 2 with the names of the graph. A gate that copied a (D,) value into N rows "
        "sends back a sum over the batch: that is so for beta, gamma, inv_std and mu.",
        "The end of the walk, in words: dxc is the branch of eq. 4.15 plus the branch of eq. 4.12; then dmu, eq. 4.19; "
        "then dx, eq. 4.20, as a new array and not as dx = dxc followed by dx += ...",
    ),
    idea="Read the forward pass from its last line to its first. For each line write what it sends back to each of its "
    "inputs, and where a name has received something already, add.",
    terms={
        "dbeta": (_term("sum over the batch", "the shift gate", lambda v: v.dout.sum(axis=0)),),
        "dgamma": (_term("sum over the batch", "the scale gate", lambda v: _batch_sum(v.dout, v.x_hat)),),
        "dx_hat": (_term("product with gamma", "the scale gate", lambda v: v.dx_hat),),
        "dinv_std": (_term("sum over the batch", "eq. 4.16", lambda v: v.dinv_std),),
        "dstd": (_term("slope of the inversion", "eq. 4.14", lambda v: v.dstd),),
        "dvar": (_term("slope of the root", "eq. 4.13", lambda v: v.dvar),),
        "dsq": (_term("share of each example", "eq. 4.11", lambda v: _like(v.dvar, v.xc)),),
        "dxc": (
            _term("branch of the multiply gate", "eq. 4.15", lambda v: v.product),
            _term("branch of the square gate", "eq. 4.12", lambda v: v.square),
        ),
        "dmu": (_term("sum over the batch", "eq. 4.19", lambda v: v.product.sum(axis=0)),),
        "dx": (
            _term("direct path", "eq. 4.20, its first term, through the multiply gate", lambda v: v.product),
            _term("path through the mean", "eq. 4.20, its second term", lambda v: _like(v.product.mean(axis=0), v.xc)),
            _term("path through the variance", "eq. 4.20, its first term, through the square gate", lambda v: v.square),
        ),
    },
    factors=lambda case: {"gamma": case.gamma, "inv_std": _chain(case)["inv_std"]},
    slips=(
        _slip("not-summed-dbeta", _NOT_SUMMED.format("beta"), "dbeta", lambda v: v.dout),
        _slip("not-summed-dgamma", _NOT_SUMMED.format("gamma"), "dgamma", lambda v: v.dout * v.x_hat),
        _slip("not-summed-dinv-std", _NOT_SUMMED.format("inv_std"), "dinv_std", lambda v: v.dx_hat * v.xc),
        _slip("not-summed-dmu", _NOT_SUMMED.format("mu"), "dmu", lambda v: -(v.product + v.square)),
        _slip(
            "not-shared-out",
            "Each of the N entries of sq receives its share: a mean hands its gradient to all rows, eq. 4.11.",
            "dsq",
            lambda v: v.dvar / v.N,
        ),
        _slip(
            "gamma-in-dgamma",
            "gamma was multiplied into dgamma. The scale gate is a product: each factor receives the other factor.",
            "dgamma",
            lambda v: v.gamma * _batch_sum(v.dout, v.x_hat),
        ),
        _slip(
            "x-for-x-hat",
            "dgamma was made from x. What went into the scale gate is x_hat: eq. 4.8.",
            "dgamma",
            lambda v: _batch_sum(v.dout, v.x),
        ),
        _slip(
            "xc-for-x-hat",
            "dgamma was made from xc. What went into the scale gate is x_hat: eq. 4.8.",
            "dgamma",
            lambda v: _batch_sum(v.dout, v.xc),
        ),
        _slip(
            "out-for-x-hat",
            "dgamma was made from out or scaled. What went into the scale gate is x_hat: eq. 4.8.",
            "dgamma",
            lambda v: _batch_sum(v.dout, v.scaled),
        ),
        _slip(
            "dgamma-is-dbeta",
            "This is dbeta again: in dgamma, x_hat is missing.",
            "dgamma",
            lambda v: v.dout.sum(axis=0),
        ),
        _slip(
            "gamma-in-dbeta",
            "gamma was multiplied into dbeta, but the shift gate comes after the scale gate.",
            "dbeta",
            lambda v: v.gamma * v.dout.sum(axis=0),
        ),
        _slip(
            "gamma-missing",
            "gamma is missing: dx_hat is dout unchanged. The scale gate, eq. 4.8, is a product.",
            "dx_hat",
            lambda v: v.dout,
        ),
        _slip(
            "gamma-missing-in-dinv-std",
            "dout was used where dx_hat belongs: gamma is missing from dinv_std.",
            "dinv_std",
            lambda v: _batch_sum(v.dout, v.xc),
        ),
        _slip(
            "x-hat-for-xc",
            "dinv_std was made from x_hat. What went into the multiply gate is xc: eq. 4.7.",
            "dinv_std",
            lambda v: _batch_sum(v.dx_hat, v.x_hat),
        ),
        _slip(
            "x-for-xc",
            "dinv_std was made from x. What went into the multiply gate is xc: eq. 4.7.",
            "dinv_std",
            lambda v: _batch_sum(v.dx_hat, v.x),
        ),
        _slip(
            "own-factor",
            "inv_std received the product with itself: eq. 4.16 has the other factor.",
            "dinv_std",
            lambda v: v.inv_std * v.dx_hat.sum(axis=0),
        ),
        _slip(
            "inversion-exponent",
            "The slope of the inversion has inv_std to the wrong power: see eq. 4.14.",
            "dstd",
            lambda v: -v.dinv_std * v.inv_std,
        ),
        _slip(
            "inversion-exponent-4",
            "The slope of the inversion has inv_std to the wrong power: see eq. 4.14.",
            "dstd",
            lambda v: -v.dinv_std * v.inv_std**4,
        ),
        _slip(
            "std-for-inv-std",
            "The slope of the inversion was made from std squared, and not divided by it: see eq. 4.14.",
            "dstd",
            lambda v: -v.dinv_std * v.std**2,
        ),
        _slip(
            "eps-missing-in-dstd",
            "eps is missing: dstd was made from the variance alone. The cache holds inv_std, which has eps in it.",
            "dstd",
            lambda v: -v.dinv_std / v.var,
        ),
        _slip(
            "slope-of-inverse-root",
            "The inversion and the root were taken in one step, and the result put into dstd: that is dvar. Eq. 4.14 comes first.",
            "dstd",
            lambda v: v.dvar,
        ),
        _slip(
            "root-exponent",
            "The slope of the root has std to the wrong power: see eq. 4.13.",
            "dvar",
            lambda v: v.dstd / v.std**2 / 2,
        ),
        _slip(
            "root-exponent-1",
            "The slope of the root has std where eq. 4.13 divides by it.",
            "dvar",
            lambda v: v.dstd * v.std * 2,
        ),
        _slip(
            "root-exponent-half",
            "The slope of the root was made from the root of std. std is already the gate's output: eq. 4.13.",
            "dvar",
            lambda v: v.dstd / np.sqrt(v.std) / 2,
        ),
        _slip(
            "root-exponent-3",
            "The slope of the root has std to the wrong power. The step through the inversion is already in dstd.",
            "dvar",
            lambda v: v.dstd / v.std**3 / 2,
        ),
        _slip(
            "eps-missing",
            "eps is missing: the slope of the root was made from the root of the variance alone. Eq. 4.13 divides by std.",
            "dvar",
            lambda v: v.dstd / np.sqrt(v.var) / 2,
        ),
        _slip(
            "eps-fixed",
            "A fixed eps was used. std, in the cache, has the right one in it: eq. 4.13.",
            "dvar",
            lambda v: v.dstd / np.sqrt(v.var + 1e-5) / 2,
        ),
        _slip(
            "var-for-std",
            "The slope of the root was made from the variance. Eq. 4.13 divides by std.",
            "dvar",
            lambda v: v.dstd / v.var / 2,
        ),
        _slip(
            "values-for-gradient",
            "dsq carries the values xc as well. The mean gate, eq. 4.11, shares out what arrives and looks at no value.",
            "dsq",
            lambda v: v.xc * v.dvar / v.N,
        ),
        _slip(
            "one-over-D",
            "dsq was divided by D. The mean of eq. 4.4 runs over the N examples.",
            "dsq",
            lambda v: _like(v.dvar / v.xc.shape[1], v.xc),
        ),
        _slip(
            "aliased",
            "dxc holds what dx should be. Does a line say dx = dxc, and a later one dx += ...? Then both names are one array, and += changes it under either name.",
            "dxc",
            lambda v: v.product + v.square - v.product.mean(axis=0),
        ),
        _slip(
            "xc-missing-in-square",
            "The branch of the square gate has no xc in it: the slope of a square depends on where one stands, eq. 4.12.",
            "dxc",
            lambda v: v.product + v.dvar * (2 / v.N),
        ),
        _slip(
            "x-hat-in-square",
            "The branch of the square gate was made from x_hat. What went into that gate is xc: eq. 4.3.",
            "dxc",
            lambda v: v.product + v.square * v.inv_std,
        ),
        _slip(
            "x-in-square",
            "The branch of the square gate was made from x. What went into that gate is xc: eq. 4.3.",
            "dxc",
            lambda v: v.product + v.x * v.dvar * (2 / v.N),
        ),
        _slip(
            "branches-multiplied",
            "The two branches were multiplied. Effects along two ways add up: eq. 4.17.",
            "dxc",
            lambda v: v.product * v.square,
        ),
        _slip(
            "own-factor-in-product",
            "The branch of the multiply gate has xc in it: eq. 4.15 has the other factor.",
            "dxc",
            lambda v: v.dx_hat * v.xc + v.square,
        ),
        _slip(
            "only-the-square-in-dmu",
            "dmu holds the branch of the square gate alone. mu reaches the loss through all of xc: eq. 4.19.",
            "dmu",
            lambda v: v.square.sum(axis=0),
        ),
        _slip(
            "gamma-missing-in-dmu",
            "gamma is missing from dmu: eq. 4.19 adds up dxc.",
            "dmu",
            lambda v: -(v.dout * v.inv_std).sum(axis=0),
        ),
        _slip(
            "over-features-in-dx",
            "In dx, the mean's share was taken over the features. mu is a mean over the batch: eq. 4.1.",
            "dx",
            lambda v: v.product + v.square - (v.product + v.square).mean(axis=1, keepdims=True),
        ),
        _slip(
            "only-the-diagonal",
            "Only the diagonal of the Jacobian is there: mu and var contain every example, so the sums over the batch may not be dropped.",
            "dx",
            lambda v: v.product * (1 - 1 / v.N - v.x_hat**2 / v.N),
        ),
    ),
)


# The folded form


def _folded_batch(rng):
    return _normalized(_batch(rng))


def _h(case):
    """dx_hat over std: the direct path."""
    return np.einsum("kl,l,l->kl", case.dout, case.gamma, case.inv_std)


def _mean_rows(array):
    return np.einsum("kl->l", array) / len(array)


def _folded(case, mean):
    """Eq. 4.24 with another mean."""
    return _h(case) - case.inv_std * (
        mean(case.dout * case.gamma) + case.x_hat * mean(case.dout * case.gamma * case.x_hat)
    )


def _folded_slip(name, message, compute):
    return Slip(name, message, "dx", compute)


folded_backward = Checks(
    gates.folded_backward,
    draw=_folded_batch,
    truth=lambda case: tuple(_gradient(case, name) for name in ("x", "gamma", "beta")),
    against="its numerical gradient",
    steps=Steps(
        (
            *_BACK[:3],
            Step(
                "dx",
                "eq. 4.24",
                lambda q: q.inv_std * (q.dx_hat - q.mean(q.dx_hat) - q.x_hat * q.mean(q.dx_hat * q.x_hat)),
            ),
        )
    ),
    hints=(
        "Eq. 4.24 has one factor in front and three terms in the bracket. dx_hat is the only thing in it you are not given.",
        "Both means run over the batch, and each is a (D,) array that broadcasts. The third term has x_hat twice: once inside "
        "the mean, once outside.",
        "For one feature the last term in the bracket would read x_hat[:, l] * (dx_hat[:, l] * x_hat[:, l]).mean().",
    ),
    idea="Take from dx_hat what all examples have in common, then what is in step with x_hat, and divide by std.",
    terms={
        "dx": (
            Term("direct path", "eq. 4.24, its first term", _h),
            Term(
                "path through the mean",
                "eq. 4.24, its second term",
                lambda case: _like(_mean_rows(_h(case)), case.dout),
            ),
            Term(
                "path through the variance",
                "eq. 4.24, its third term",
                lambda case: case.x_hat * _mean_rows(_h(case) * case.x_hat),
            ),
        ),
        "dgamma": (Term("sum over the batch", "the scale gate", lambda case: _batch_sum(case.dout, case.x_hat)),),
        "dbeta": (Term("sum over the batch", "the shift gate", lambda case: case.dout.sum(axis=0)),),
    },
    factors=lambda case: {
        "gamma": case.gamma,
        "inv_std": case.inv_std,
        "inv_std**2": case.inv_std**2,
        "inv_std**3": case.inv_std**3,
    },
    slips=(
        _folded_slip(
            "only-the-diagonal",
            "Only the diagonal of the Jacobian is there. Both means of eq. 4.24 run over the whole batch.",
            lambda case: _h(case) * (1 - 1 / len(case.dout) - case.x_hat**2 / len(case.dout)),
        ),
        _folded_slip(
            "mean-over-features",
            "The means were taken over the features of each example. In eq. 4.24 they run over the batch.",
            lambda case: _folded(case, lambda values: values.mean(axis=1, keepdims=True)),
        ),
        _folded_slip(
            "mean-over-everything",
            "The means were taken over the whole array: name the axis.",
            lambda case: _folded(case, np.mean),
        ),
        _folded_slip(
            "x-hat-missing-outside",
            "In the third term, x_hat is inside the mean but not in front of it.",
            lambda case: _h(case) - _mean_rows(_h(case)) - _mean_rows(_h(case) * case.x_hat),
        ),
        _folded_slip(
            "x-hat-missing-inside",
            "In the third term, x_hat is in front of the mean but not inside it.",
            lambda case: _h(case) - _mean_rows(_h(case)) - case.x_hat * _mean_rows(_h(case)),
        ),
        Slip(
            "gamma-in-dgamma",
            "gamma was multiplied into dgamma: each factor of a product receives the other factor.",
            "dgamma",
            lambda case: case.gamma * _batch_sum(case.dout, case.x_hat),
        ),
        Slip(
            "xc-for-x-hat",
            "dgamma was made from xc, not from x_hat.",
            "dgamma",
            lambda case: _batch_sum(case.dout, case.x_hat / case.inv_std),
        ),
        Slip(
            "x-for-x-hat",
            "dgamma was made from x, not from x_hat.",
            "dgamma",
            lambda case: _batch_sum(case.dout, case.x),
        ),
        Slip(
            "gamma-in-dbeta",
            "gamma was multiplied into dbeta, but the shift gate comes after the scale gate.",
            "dbeta",
            lambda case: case.gamma * case.dout.sum(axis=0),
        ),
    ),
    properties=(
        Property(
            "each feature of dx sums to zero over the batch",
            lambda case, out: negligible(case, out["dx"].sum(axis=0), np.abs(_h(case)).sum()),
            "Some feature of dx does not sum to zero over the batch.",
        ),
    ),
)

broadcast_back = Answer(
    gates.broadcast_back,
    right="c",
    why={
        "a": "It does grow with the batch, and it should: the loss adds up over the examples, and so does what one shared number "
        "does to it. Averaging, if wanted, is the business of the loss.",
        "b": "The multiply gate knows nothing of where inv_std came from. The mean's 1/N appears in the mean gate's own backward.",
        "c": "Nudge the one number, and all N rows of x_hat move. Each carries its own effect to the loss; the chain rule "
        "adds effects. Copying going forward is adding going back.",
        "d": "Shapes are a useful alarm, but they do not decide. Many wrong formulas have the right shape; the chain rule says sum.",
    },
)

overwritten = Answer(
    gates.overwritten,
    right="b",
    why={
        "a": "It is the other way round: the line that came later won, and it holds the branch that leads through the variance.",
        "b": "The direct path lives in the line that was overwritten, and what it would have given to the mean went with it. "
        "What is left is one number a feature times x_hat, however dout looks.",
        "c": "Only += adds. A second = makes the name forget its first value.",
        "d": "Not zero, which is the trouble: numbers of a reasonable size come out, and training goes on with them.",
    },
)

square_branch_in_dmu = Answer(
    gates.square_branch_in_dmu,
    right="a",
    why={
        "a": "Each entry of that branch is the same number times xc, and xc sums to zero over the batch. Moving mu does not change "
        "the variance to first order: the mean is where the mean of squares is smallest.",
        "b": "A branch that is left out takes away its own part. How large is that part? Add up xc over the batch.",
        "c": "It would if there were an effect. Compute the part that is missing: a common factor times the sum of xc.",
        "d": "The sign comes from the subtraction in eq. 4.2, which both branches pass alike.",
    },
)

why_faster = Answer(
    gates.why_faster,
    right="c",
    why={
        "a": "It has more of them, but a processor does several multiplications in the time in which one number comes from memory.",
        "b": "Roots and divisions stand in (D,) arrays only: a few hundred of them against a million entries of the batch.",
        "c": "One operation an entry is far too little work for a pass over memory. Fewer passes, not fewer operations, is what "
        "makes it fast; compiled layers go further, and fuse all into five passes.",
        "d": "A few dozen calls cost microseconds. The passes over a large batch cost milliseconds each.",
    },
)
