"""Lesson 04: what is checked about the gates of batch normalization and the walk back through them.

The graph is written here as a chain of steps in which any intermediate value can be held at a value of one's own: all
that comes after it is recomputed, nothing before it. The complex step through that chain is the gradient with respect
to the intermediate, over all its branches, and the judge of every row of the table.
"""

from __future__ import annotations

import numpy as np

from bnlib.checks import Answer, Case, Checks, Property, Slip, negligible
from bnlib.checks.shared import SUMS, SUMS_TO_ZERO, paths
from bnlib.judging.mistakes.known import Known
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


# The lines of the lesson; in its walk back each works on the right values of those above it.

_FORWARD = """
mu       = mean(x)                                # eq. 4.1
xc       = x - mu                                 # eq. 4.2
sq       = xc**2                                  # eq. 4.3
var      = mean(sq)                               # eq. 4.4
std      = sqrt(var + eps)                        # eq. 4.5
inv_std  = 1 / std                                # eq. 4.6
x_hat    = xc * inv_std                           # eq. 4.7
scaled   = gamma * x_hat                          # eq. 4.8
out      = scaled + beta                          # eq. 4.9
"""
_IN_FEWER_LINES = """
mu       = mean(x)                                # eq. 4.1
var      = variance(x)                            # eq. 4.4
std      = sqrt(var + eps)                        # eq. 4.5
x_hat    = (x - mu) / std                         # eq. 4.7
out      = gamma * x_hat + beta                   # eq. 4.9
"""
_PARAMETERS = """
dbeta    = sum(dout)                              # the shift gate
dgamma   = sum(dout * x_hat)                      # the scale gate
dx_hat   = dout * gamma                           # the scale gate
"""
_BACK = (
    _PARAMETERS
    + """
dinv_std = sum(dx_hat * xc)                       # eq. 4.16
dstd     = -dinv_std * inv_std**2                 # eq. 4.14
dvar     = dstd / (2 * std)                       # eq. 4.13
dsq[N, D] = dvar / N                              # eq. 4.11
dxc      = dx_hat * inv_std + 2 * xc * dsq        # eq. 4.17
dmu      = -sum(dxc)                              # eq. 4.19
"""
)

# What is written in the place of what, gate by gate: in the gate's own exercise, and in the walk.

_SQUARE = """
upstream-missing: 2 * xc * dsq => 2 * xc | the slope of the square stands alone: eq. 4.10 multiplies it by what arrives
value-for-slope: 2 * xc * dsq => xc**2 * dsq | what arrives is multiplied by the gate's output: eq. 4.10 multiplies by its derivative
"""
_ROOT = """
exponent: 2 * std => 2 * std**2 | std is squared, and eq. 4.13 has its first power
exponent: 2 * std => 2 * std**3 | std has the wrong power: the step through the inversion is another gate
root-taken-twice: 2 * std => 2 * sqrt(std) | a second root was taken, and std is already the output of the gate
inverted: dstd / (2 * std) => dstd * 2 * std | std is multiplied where eq. 4.13 divides by it
upstream-missing: dstd / (2 * std) => 1 / (2 * std) | dstd is missing: eq. 4.10 multiplies the slope by what arrives
"""
_INVERSION = """
exponent: inv_std**2 => inv_std | inv_std has the wrong power
exponent: inv_std**2 => inv_std**4 | inv_std has the wrong power
upstream-missing: dinv_std * inv_std**2 => inv_std**2 | dinv_std is missing: eq. 4.10 multiplies the slope by what arrives
"""
_PRODUCT = """
own-factor: dx_hat * inv_std => dx_hat * xc | xc received the product with itself: the gradient of a factor has the other factor in it
"""
_COPIED = """
own-factor: sum(dx_hat * xc) => sum(dx_hat * inv_std) | inv_std received the product with itself: the gradient of a factor has the other factor in it
x-hat-for-xc: dx_hat * xc => dx_hat * xc * inv_std | x_hat was taken for xc: eq. 4.16 has the factor that went into the gate
sums-multiplied: sum(dx_hat * xc) => sum(dx_hat) * sum(xc) | two sums are multiplied: eq. 4.16 multiplies entry by entry first, and adds up then
"""

# Forward


gates_forward = Checks(
    gates.gates_forward,
    draw=lambda rng: _batch(rng, backward=False),
    truth=lambda case: _chain(case)["out"],
    against="eq. 4.1 to 4.9, gate by gate",
    known=Known(
        "x: N D, gamma: D, beta: D, eps",
        _FORWARD,
        _IN_FEWER_LINES,
        rules="""
            gamma-missing: scaled + beta => x_hat + beta |
            not-squared: sq => xc |
            no-scale-no-shift: scaled + beta => x_hat |
        """,
        words={
            "gamma-missing@out": "gamma is missing: eq. 4.8.",
            "not-squared@var": "xc is not squared: eq. 4.3.",
            "no-scale-no-shift@out": "This is x_hat: eq. 4.8 and 4.9 come after it.",
            "bessel@var": "The variance was divided by N - 1. Eq. 4.4 divides by N.",
            "eps-outside-the-root@std": "eps was added after the root. Look at where eq. 4.5 has it.",
            "eps-missing@std": "eps is not used. It enters in eq. 4.5.",
            "no-root@std": "The root of eq. 4.5 is missing: xc was divided by the variance.",
            "sum-for-mean@var": "The squares were added up but not averaged: eq. 4.4 has a 1/N.",
            "x-for-xc@sq": "The variance was made of x squared. The square gate stands behind the subtraction: eq. 4.3 squares xc.",
            "x-for-xc@x_hat": "x itself was multiplied by inv_std. In eq. 4.7 xc is.",
            "std-for-inv-std@x_hat": "xc was multiplied by std where eq. 4.7 multiplies by inv_std.",
            "gamma-and-beta-exchanged@out": "gamma was added and beta multiplied: eq. 4.8 and 4.9 have them the other way round.",
        },
        terms={"out": ("scaled part", "shift")},
    ),
    hints=(
        "One line for each row of the table, in its order, with its names.",
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
)

# One gate back

mean_backward = Checks(
    gates.mean_backward,
    draw=_mean_gate,
    truth=lambda case: vjp_complex(_row_mean, np.ones((case.N, len(case.dvar))), case.dvar),
    against="the numerical derivative of eq. 4.4",
    known=Known(
        "_sq: N D, dvar: D",
        "dsq[N, D] = dvar / N  # eq. 4.11",
        terms={"dsq": ("share of each example",)},
    ),
    hints=(
        "The mean moves by the same amount, whichever entry of sq is nudged. What does that say about the rows of dsq?",
        "All N rows are the same. Each is dvar with one factor.",
        "np.ones((N, 1)) * something of shape (D,) makes an (N, D) array of N equal rows.",
    ),
    idea="Make the (D,) gradient smaller by the mean's factor, and copy it into each of the N rows.",
    slips=(
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
    known=Known(
        "dsq: N D, xc: N D",
        "dxc = 2 * xc * dsq  # eq. 4.12",
        rules=_SQUARE,
        words={"xc-missing@dxc": "xc is missing: the slope of a square depends on where one stands."},
        terms={"dxc": ("local slope",)},
    ),
    hints=(
        "Eq. 4.10: what arrives, times the derivative of what the gate does. Which of the two arguments is which?",
        "The derivative of a square, taken at the value that went in.",
        "At xc = 3 and dsq = 10 the answer is 60.",
    ),
    idea="Entry by entry: what arrives, times the slope of the parabola at xc.",
)

root_backward = Checks(
    gates.root_backward,
    draw=_vector_gate("dstd", "std"),
    truth=lambda case: vjp_complex(lambda v: np.power(v, 0.5), case.std * case.std, case.dstd),
    against="the numerical derivative of eq. 4.5",
    known=Known(
        "dstd: D, std: D",
        "dvar = dstd / (2 * std)  # eq. 4.13",
        rules=_ROOT,
        terms={"dvar": ("local slope",)},
    ),
    hints=(
        "The slope of a root can be written with the root itself, and that is what you are given.",
        "var and eps are not needed: the gate's output holds all there is to know.",
        "At std = 5 and dstd = 10 the answer is 1.",
    ),
    idea="Divide what arrives by twice the gate's own output.",
)

invert_backward = Checks(
    gates.invert_backward,
    draw=_vector_gate("dinv_std", "inv_std"),
    truth=lambda case: vjp_complex(np.reciprocal, 1 / case.inv_std, case.dinv_std),
    against="the numerical derivative of eq. 4.6",
    known=Known(
        "dinv_std: D, inv_std: D",
        "dstd = -dinv_std * inv_std**2  # eq. 4.14",
        rules=_INVERSION
        + """
            std-for-inv-std: inv_std**2 => 1 / inv_std**2 | inv_std was taken for std: the slope belongs to the gate's input, and the argument is its output
            gradient-inverted: -dinv_std * inv_std**2 => 1 / dinv_std | this is one over dinv_std: eq. 4.10 multiplies what arrives by the slope of the gate
        """,
        terms={"dstd": ("local slope",)},
    ),
    hints=(
        "Does inv_std go up or down when std goes up?",
        "The slope of 1/s is minus 1/s squared. You are not given s, you are given 1/s.",
        "At inv_std = 2 and dinv_std = 10 the answer is -40.",
    ),
    idea="What arrives, times the gate's own output squared, with the sign of a falling function.",
)


multiply_backward = Checks(
    gates.multiply_backward,
    draw=_product_gate,
    truth=lambda case: (
        vjp_complex(lambda xc: np.stack([row * case.inv_std for row in xc]), case.xc, case.dx_hat),
        vjp_complex(lambda inv_std: np.stack([row * inv_std for row in case.xc]), case.inv_std, case.dx_hat),
    ),
    against="the numerical derivative of eq. 4.7",
    known=Known(
        "dx_hat: N D, xc: N D, inv_std: D",
        """
        dxc      = dx_hat * inv_std    # eq. 4.15
        dinv_std = sum(dx_hat * xc)    # eq. 4.16
        """,
        rules=_PRODUCT + _COPIED,
        terms={"dxc": ("product with the other factor",), "dinv_std": ("sum over the batch",)},
    ),
    hints=(
        "In a product, the gradient of each factor is what arrives times the other factor. Then compare shapes.",
        "dinv_std has shape (D,), the product has shape (N, D). Which index has to go, and how do the effects of N ways combine?",
        "For one feature alone the second would read (dx_hat[:, l] * xc[:, l]).sum().",
    ),
    idea="Each factor receives what arrives times the other factor; the one that was copied into N rows collects from N rows.",
)

_JOINED = Known(
    "dx_hat: N D, dsq: N D, xc: N D, inv_std: D",
    """
    dxc_product = dx_hat * inv_std            # eq. 4.15
    dxc_square  = 2 * xc * dsq                # eq. 4.12
    dxc         = dxc_product + dxc_square    # eq. 4.17
    """,
    rules=_PRODUCT
    + _SQUARE
    + """
        branches-multiplied: dxc_product + dxc_square => dxc_product * dxc_square | the two branches were multiplied: they are two ways to the same loss, and effects of two ways add up
    """,
    terms={
        "dxc_product": ("branch of the multiply gate",),
        "dxc_square": ("branch of the square gate",),
        "dxc": ("branch of the multiply gate | eq. 4.15", "branch of the square gate | eq. 4.12"),
    },
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
    known=_JOINED,
    hints=(
        "The first two you have written already, as exercises of their own. Two ways to the loss: what becomes of their effects?",
        "You may call square_backward and multiply_backward. The latter returns two values; here you need the first.",
        "If the two branches at some entry are 0.5 and -2, then dxc is -1.5 there.",
    ),
    idea="Compute each branch as if the other did not exist, give each its own name, and add.",
    slips=(
        Slip(
            "aliased",
            "dxc_product holds what dxc should be. Does a line say dxc = dxc_product, and a later one dxc += ...? Then both names are one "
            "array, and += changes it under either name.",
            "dxc_product",
            lambda case: _JOINED.truth(case, "dxc"),
        ),
    ),
)

# The whole walk

_DX = """
dx       = dx_hat * inv_std + dmu / N + 2 * xc * dsq  # eq. 4.20
"""
_DX_OF_DXC = """
dx       = dxc - mean(dxc)                        # eq. 4.20
"""
_DX_FOLDED = """
dx       = inv_std * (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat))  # eq. 4.20
"""
_WALK = Known(
    "x: N D, gamma: D, beta: D, eps, dout: N D",
    *(_FORWARD + _BACK + dx for dx in (_DX, _DX_OF_DXC, _DX_FOLDED)),
    walk=True,
    rules=_SQUARE
    + _ROOT
    + _INVERSION
    + _PRODUCT
    + _COPIED
    + """
        slope-of-inverse-root: dinv_std * inv_std**2 => 1/2 * dinv_std * inv_std**3 | the inversion and the root were taken in one step: that is dvar, and eq. 4.14 comes first
        eps-missing: inv_std**2 => 1 / var | eps is missing: inv_std, as the cache holds it, has eps in it
        eps-missing: 2 * std => 2 * sqrt(var) | eps is missing: std, as the cache holds it, has eps in it
        eps-fixed: 2 * std => 2 * sqrt(var + 1e-5) | eps is fixed: std, as the cache holds it, has the right one in it
        values-for-gradient: dvar / N => xc * dvar / N | the values xc are there as well: the mean gate shares out what arrives and looks at no value
        x-hat-for-xc: dx_hat * inv_std + 2 * xc * dsq => dx_hat * inv_std + 2 * x_hat * dsq |
        gamma-missing: dx_hat => dout | gamma is missing: dout stands where dx_hat belongs
        branches-multiplied: dx_hat * inv_std + 2 * xc * dsq => dx_hat * inv_std * 2 * xc * dsq | the two branches were multiplied, and effects along two ways add up
    """,
    words={
        "x-hat-missing@dgamma": "This is dbeta again: in dgamma, x_hat is missing.",
        "gamma-in-dgamma@dgamma": "gamma was multiplied into dgamma. The scale gate is a product: each factor receives the other factor.",
        "gamma-in-dbeta@dbeta": "gamma was multiplied into dbeta, but the shift gate comes after the scale gate.",
        "gamma-missing@dx_hat": "gamma is missing: dx_hat is dout unchanged. The scale gate, eq. 4.8, is a product.",
        "xc-missing@dxc": "The branch of the square gate has no xc in it: the slope of a square depends on where one stands, eq. 4.12.",
        "mean-over-features@dx": "In dx, a mean was taken over the features. mu and var are means over the batch: eq. 4.1 and 4.4.",
        "only-the-diagonal@dx": "Where a mean over the batch belongs, only the example's own term is there: mu and var contain every "
        "example, so the sums may not be dropped.",
    }
    | {
        f"not-summed@d{name}": f"{name} was copied into all N rows going forward, so it collects from all N rows going back: see eq. 4.16."
        for name in ("beta", "gamma", "inv_std", "mu")
    }
    | {
        f"{name}-for-{right}@{line}": f"{line} was made from {name.replace('-', '_')}. What went into the {gate} gate is "
        f"{right.replace('-', '_')}: {where}."
        for line, right, gate, where, others in (
            ("dgamma", "x-hat", "scale", "eq. 4.8", ("x", "xc", "out", "scaled")),
            ("dinv_std", "xc", "multiply", "eq. 4.7", ("x", "x-hat")),
            ("dxc", "xc", "square", "eq. 4.3", ("x", "x-hat")),
        )
        for name in others
    },
    terms={
        "dbeta": ("sum over the batch",),
        "dgamma": ("sum over the batch",),
        "dx_hat": ("product with gamma",),
        "dinv_std": ("sum over the batch",),
        "dstd": ("slope of the inversion",),
        "dvar": ("slope of the root",),
        "dsq": ("share of each example",),
        "dxc": ("branch of the multiply gate | eq. 4.15", "branch of the square gate | eq. 4.12"),
        "dmu": ("sum over the batch",),
        "dx": (
            "direct path | eq. 4.20, its first term, through the multiply gate",
            "path through the mean | eq. 4.20, its second term",
            "path through the variance | eq. 4.20, its first term, through the square gate",
        ),
    },
)

gates_backward = Checks(
    gates.gates_backward,
    draw=_batch,
    truth=lambda case: tuple(_gradient(case, name) for name in GRADIENTS),
    against="its numerical gradient",
    known=_WALK,
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
    slips=(
        Slip(
            "aliased",
            "dxc holds what dx should be. Does a line say dx = dxc, and a later one dx += ...? Then both names are one array, and += changes it under either name.",
            "dxc",
            lambda case: _WALK.truth(case, "dx"),
        ),
    ),
)


# The folded form


def _folded_batch(rng):
    case = _batch(rng)
    values = _chain(case)
    return Case(case, x_hat=values["x_hat"], inv_std=values["inv_std"])


folded_backward = Checks(
    gates.folded_backward,
    draw=_folded_batch,
    truth=lambda case: tuple(_gradient(case, name) for name in ("x", "gamma", "beta")),
    against="its numerical gradient",
    known=Known(
        "dout: N D, x_hat: N D, inv_std: D, gamma: D",
        _PARAMETERS + "dx = inv_std * (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat))  # eq. 4.24",
        _PARAMETERS + "dx = gamma * inv_std * (dout - dbeta / N - x_hat * (dgamma / N))  # eq. 4.24",
        _PARAMETERS
        + """
        _dxc = inv_std * (dx_hat - x_hat * mean(dx_hat * x_hat))  # eq. 4.22
        dx   = _dxc - mean(_dxc)                                  # eq. 4.24
        """,
        rules="""
            xc-for-x-hat: x_hat => x_hat / inv_std | xc stands where x_hat belongs
            gamma-missing: dx_hat => dout | gamma is missing: dout stands where dx_hat belongs
            x-hat-missing-outside: A - mean(A) - x_hat * mean(A * x_hat) => A - mean(A) - mean(A * x_hat) | the third term has x_hat inside the mean, and not in front of it
            x-hat-missing-inside: A - mean(A) - x_hat * mean(A * x_hat) => A - mean(A) - x_hat * mean(A) | the third term has x_hat in front of the mean, and not inside it
        """,
        words={
            "gamma-in-dgamma@dgamma": "gamma was multiplied into dgamma: each factor of a product receives the other factor.",
            "gamma-in-dbeta@dbeta": "gamma was multiplied into dbeta, but the shift gate comes after the scale gate.",
            "only-the-diagonal@dx": "Where a mean belongs, only the example's own term is there. Both means of eq. 4.24 run over the whole batch.",
        },
        terms={
            "dx": paths("eq. 4.24"),
            **SUMS,
        },
    ),
    hints=(
        "On paper first, in the four steps of section 6. At the end there is one factor in front and three terms in the bracket; dx_hat is the "
        "only thing in it that you are not given.",
        "Both means run over the batch, and each is a (D,) array that broadcasts. The third term has x_hat twice: once inside "
        "the mean, once outside.",
        "For one feature the last term in the bracket would read x_hat[:, l] * (dx_hat[:, l] * x_hat[:, l]).mean().",
    ),
    idea="Take from dx_hat what all examples have in common, then what is in step with x_hat, and divide by std.",
    properties=(SUMS_TO_ZERO,),
)

recall_centred = Answer(
    gates.recall_centred,
    right="d",
    why={
        "a": "That is the direct path alone. The mean that was subtracted contains every example.",
        "b": "1/N belongs to the path through the mean. The direct path is there as well.",
        "c": "What the forward pass did to h, the backward pass does to the gradient: h itself is not needed.",
        "d": "Directly, and minus what comes through the mean: eq. 2.9.",
    },
)

recall_delta = Answer(
    gates.recall_delta,
    right="a",
    why={
        "a": "The delta is zero for all k but i. It picks that one term, and the sum is gone.",
        "b": "That would be the sum without the delta.",
        "c": "k is summed away: nothing that is left can depend on it.",
        "d": "The delta is 1 for one k only, not for all N.",
    },
)

recall_shifted = Answer(
    gates.recall_shifted,
    right="b",
    why={
        "a": "It depends on the layer as well: on what a change of x does to the outputs.",
        "b": "The outputs do not change, so the loss does not. A step of all examples together changes the loss by the sum of dx: that is zero.",
        "c": "Each example has a gradient of its own. Only their sum is fixed.",
        "d": "That would hold if the shift went through to the outputs. The mean takes it away.",
    },
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
    right="d",
    why={
        "a": "It has more of them, but a processor does several multiplications in the time in which one number comes from memory.",
        "b": "Roots and divisions stand in (D,) arrays only: a few hundred of them against a million entries of the batch.",
        "c": "A few dozen calls cost microseconds. Bringing a large batch from memory costs milliseconds each time.",
        "d": "One operation an entry is far too little work for a way to memory and back. Fewer passes over the arrays, not fewer "
        "operations, is what makes it fast.",
    },
)
