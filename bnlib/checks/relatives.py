"""Lesson 08: what is checked about layers that normalize over other axes.

There is one definition for all of them, the long way round: every entry has a label, and entries of one label share statistics.
A complex step differentiates it. The lines of the layers differ in the axes of their means, and so do their mistakes.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np

from bnlib.chains.course import Chain, Move
from bnlib.checks import Answer, Case, Checks, Property, Slip, negligible, remembered
from bnlib.judging.mistakes.known import Known
from bnlib.judging.mistakes.twists import Twist
from bnlib.numerics import vjp_complex
from bnlib.stubs import relatives

# -- definitions


def _normalized(x, labels, eps, centred=True):
    """Entries of one label are normalized together; RMS normalization subtracts nothing."""
    out = np.empty_like(x)
    for label in np.unique(labels):
        entries = x[labels == label]
        mu = sum(entries) / len(entries) if centred else 0.0
        out[labels == label] = (entries - mu) / np.sqrt(sum((entries - mu) ** 2) / len(entries) + eps)
    return out


@remembered
def _labels(case):
    """Which statistics each entry of x takes part in, counted from 0."""
    labels = np.empty(case.x.shape, dtype=int)
    for place in np.ndindex(case.x.shape):
        if case.x.ndim == 2:
            labels[place] = place[0]
        elif "groups" in case:
            labels[place] = place[0] * case.groups + place[1] * case.groups // case.x.shape[1]
        else:
            labels[place] = place[1]
    return labels


def _by_channel(parameter, x):
    """A parameter with its axis where x has channels or features, the second axis."""
    return parameter.reshape((1, -1) + (1,) * (x.ndim - 2))


def _layer(case, x=None, gamma=None, beta=None, centred=True):
    """Any of the layers; what is not given is the case's own."""
    x, gamma = case.x if x is None else x, case.gamma if gamma is None else gamma
    beta = case.get("beta", np.zeros(gamma.shape)) if beta is None else beta
    return _by_channel(gamma, x) * _normalized(x, _labels(case), case.eps, centred) + _by_channel(beta, x)


def _layer_of(case, name, centred, value):
    """The layer as a function of one of its arguments."""
    return _layer(case, **{name: value}, centred=centred)


def _gradients(case, names=("x", "gamma", "beta"), centred=True):
    """Of sum(dout * out), each by a complex step."""
    return tuple(vjp_complex(partial(_layer_of, case, name, centred), case[name], case.dout) for name in names)


# -- inputs


def _scale(rng, size):
    """Scales of either sign, none near 0 or 1: both hide mistakes."""
    return rng.uniform(1.2, 3, size=size) * rng.choice([-1.0, 1.0], size=size)


def _case(rng, shape):
    """Entries that differ by example, by channel and by place, and a gradient with a mean and a trend along x."""
    each = [
        rng.uniform(0.6, 2, size=[n if axis == own else 1 for axis in range(len(shape))]) for own, n in enumerate(shape)
    ]
    x = rng.normal(size=shape) * each[0] * each[1] + 2 * sum(each) + rng.uniform(1, 3)
    trend = (x - x.mean()) / x.std()
    dout = rng.normal(size=shape) + rng.uniform(0.5, 1.5) * each[1] + rng.uniform(0.4, 0.9) * trend
    beta = rng.uniform(0.5, 3, size=shape[1]) * rng.choice([-1.0, 1.0], size=shape[1])
    return Case(x=x, gamma=_scale(rng, shape[1]), beta=beta, eps=float(rng.uniform(0.05, 0.4)), dout=dout)


def _rows(rng):
    N, D = rng.choice([4, 5, 6, 7], size=2, replace=False)
    return _case(rng, (int(N), int(D)))


def _rows_alone(rng):
    """Without a shift."""
    case = _rows(rng)
    del case["beta"]
    return case


def _images(rng):
    """No two sizes alike, so that axes taken for each other do not fit."""
    return _case(rng, tuple(int(n) for n in rng.permutation([2, 3, 4, 5])))


def _grouped(rng):
    """Groups of more than one channel, as many groups as no other size."""
    groups, channels = rng.permutation([2, 3])
    case = _case(rng, (5, int(groups * channels), *(int(n) for n in rng.permutation([1, 4]))))
    return Case(case, groups=int(groups))


# -- derivations


def _lines(over, summed, count, result):
    """Forward pass and parameters with means over these sizes, and three ways to dx."""
    moments = f"""
        mu       = mean(x, {over})                              # eq. {result[0]}
        var      = variance(x, {over})                          # eq. {result[0]}
        """
    forward = f"""
        _xc      = x - mu                                       # eq. {result[0]}
        _std     = sqrt(var + eps)                              # eq. {result[0]}
        inv_std  = 1 / _std                                     # eq. {result[0]}
        x_hat    = _xc * inv_std                                # eq. {result[0]}
        out      = gamma * x_hat + beta                         # eq. {result[0]}
        """
    staged = f"""
        mu       = mean(x, {over})                              # eq. {result[0]}
        _xc      = x - mu                                       # eq. {result[0]}
        var      = mean(_xc**2, {over})                         # eq. {result[0]}
        x_hat    = (x - mu) / sqrt(var + eps)                   # eq. {result[0]}
        out      = gamma * x_hat + beta                         # eq. {result[0]}
        """
    parameters = f"""
        dgamma   = sum(dout * x_hat, {summed})                  # eq. {result[2]}
        dbeta    = sum(dout, {summed})                          # eq. {result[2]}
        _h       = gamma * dout
        """
    short = f"dx = inv_std * (_h - mean(_h, {over}) - x_hat * mean(_h * x_hat, {over}))  # eq. {result[1]}\n"
    gates = f"""
        _dvar    = -1/2 * sum(_h * _xc, {over}) * inv_std**3
        _dxc     = _h * inv_std + 2 * _xc * _dvar / ({count})
        dx       = _dxc - mean(_dxc, {over})                    # eq. {result[1]}
        """
    ways = (moments + forward + parameters + short, moments + forward + parameters + gates)
    return (moments + forward, staged), ways


_PATHS = ("direct path", "path through the mean", "path through the variance")
_OUT = ("scaled part", "shift")

_GAMMA_OUTSIDE = """
x-hat-missing: x_hat * mean(_h * x_hat, {over}) => mean(_h * x_hat, {over}) | x_hat is missing in front of the last mean
x-hat-missing: mean(_h * x_hat, {over}) => mean(_h, {over}) | x_hat is missing inside the last mean
gamma-lost: mean(_h, {over}) => mean(dout, {over}) | gamma is missing inside a mean: what arrives at x_hat is gamma * dout
gamma-lost: mean(_h * x_hat, {over}) => mean(dout * x_hat, {over}) | gamma is missing inside a mean: what arrives at x_hat is gamma * dout
gamma-outside: x_hat * mean(_h * x_hat, {over}) => gamma * x_hat * mean(dout * x_hat, {over}) | gamma has left a mean that runs over entries with different gammas
gamma-outside: mean(_h, {over}) => gamma * mean(dout, {over}) | gamma has left a mean that runs over entries with different gammas
"""
_EPS = """
eps-outside-the-root: 1 / _std => 1 / sqrt(_std**2 - eps) + eps | eps is added behind the root and the division: what does the root reach over?
"""
_DBETA = """
dbeta-with-x-hat: sum(dout) => sum(dout * x_hat) | there is x_hat in it: that is the other parameter's gradient
"""


def _outside(given, lines, **known):
    """The lines with gamma in front of dx, and not inside."""
    lines = lines.replace("_h       = gamma * dout", "_h       = dout").replace("dx = inv_std", "dx = gamma * inv_std")
    words = (
        "gamma stands in front of everything, as in batch normalization: here the means run over entries with different gammas, so it cannot "
        "leave them."
    )
    return Twist("gamma-outside", f"In dx, {words}", known=Known(given, lines, terms={"dx": _PATHS}, **known))


def _sums_to_zero(axes):
    """Whether dx adds up to zero over entries that share statistics."""

    def holds(case, out):
        total, size = (
            np.bincount(_labels(case).ravel(), weights=value.ravel()) for value in (out["dx"], np.abs(out["dx"]))
        )
        return negligible(case, total, size + np.abs(case.dout).sum())

    words = f"dx sums to zero over {axes}"
    return Property(
        words, holds, f"dx does not sum to zero over {axes}: adding one number to all of them changes no output."
    )


# -- layer normalization


_LAYER_FORWARD, _LAYER_BACKWARD = _lines("D", "N", "D", ("8.1", "8.3", "8.4"))
_ROWS = "x: N D, gamma: D, beta: D, eps, dout: N D"
_ABOUT_ROWS = {
    "mean-over-examples": "A mean runs over the batch. In layer normalization every example has a mean and a variance of its own: over which axis?",
    "mean-over-everything": "There is one mean for the whole array. In layer normalization every example has its own: name the axis, and keep it.",
}

layernorm_forward = Checks(
    relatives.layernorm_forward,
    draw=_rows,
    truth=_layer,
    against="eq. 8.1, row by row",
    known=Known(_ROWS, *_LAYER_FORWARD, rules=_EPS, words=_ABOUT_ROWS, terms={"out": _OUT}),
    hints=(
        "Which entries of x does example k need for its own mean? Which axis do they lie along?",
        "Means over axis=1. They have one number a row: keepdims=True, or [:, None], lets them broadcast against x.",
        "For example 0 alone: (x[0] - x[0].mean()) / np.sqrt(x[0].var() + eps), then gamma and beta, which are as long as x[0].",
    ),
    idea="The forward pass of batch normalization with axis=1 and keepdims; gamma and beta still belong to the features.",
)

layernorm_backward = Checks(
    relatives.layernorm_backward,
    draw=_rows,
    truth=_gradients,
    against="the numerical derivative of eq. 8.1",
    known=Known(
        _ROWS,
        *_LAYER_BACKWARD,
        rules=_GAMMA_OUTSIDE.format(over="D") + _DBETA,
        words=_ABOUT_ROWS
        | {
            "only-the-diagonal@dx": "Where a mean belongs, only the feature's own term is there: mean and variance contain every feature of the example."
        },
        terms={"dx": _PATHS},
    ),
    twists=(_outside(_ROWS, _LAYER_BACKWARD[0], words=_ABOUT_ROWS),),
    hints=(
        "Your last line of layer_norm_gradient, in numpy. Where does gamma stand in it: in front, or inside the means?",
        "Begin with dx_hat = gamma * dout. From there on it is batch normalization with axis=1; dgamma and dbeta are sums over axis 0, as before.",
        "For example 0 alone, with d = gamma * dout[0]: dx[0] = inv_std[0] * (d - d.mean() - x_hat[0] * (d * x_hat[0]).mean()).",
    ),
    idea="gamma first, then the three terms with means over the features; the parameters' gradients still add up over the examples.",
    properties=(_sums_to_zero("the features of each example"),),
)

# -- batch normalization of images

_SPATIAL_FORWARD, _SPATIAL_BACKWARD = _lines("N, S", "N, S", "N * S", ("8.5", "8.6", "8.6"))
_IMAGES = "x: N C S, gamma: C, beta: C, eps, dout: N C S, _n, _s"
_ABOUT_DIVISORS = """
N-alone-for-N-and-positions: mean(A) => sum(A) / _n | a sum over examples and positions is divided by the number of examples alone: how many terms does it have?
N-alone-for-N-and-positions: variance(A) => variance(A) * _s | a sum over examples and positions is divided by the number of examples alone: how many terms does it have?
positions-alone-for-N-and-positions: mean(A) => sum(A) / _s | a sum over examples and positions is divided by the number of positions alone: how many terms does it have?
positions-alone-for-N-and-positions: variance(A) => variance(A) * _n | a sum over examples and positions is divided by the number of positions alone: how many terms does it have?
mean-for-sum: sum(A) => sum(A) / _n | the sum over the batch is divided by the number of examples: here the contributions add up
mean-for-sum: sum(A) => sum(A) / _s | the sum over the positions is divided by their number: here the contributions add up
layer-for-batch: mean(A) => mean(A, C, S) | a mean runs over all of one example, its channels included: that is layer normalization
layer-for-batch: variance(A) => variance(A, C, S) | a variance runs over all of one example, its channels included: that is layer normalization
gamma-twice: inv_std * (_h - A - B) => gamma * inv_std * (_h - A - B) | gamma is there once too often
"""
_ABOUT_IMAGES = {
    "mean-over-positions": "A mean runs over the positions of one image alone. In batch normalization a channel has one mean for all examples as well (that would be instance normalization).",
    "mean-over-examples": "A mean runs over the examples alone, so that each position has its own. A channel has one mean for all examples and all positions.",
    "mean-over-channels": "A mean runs over the channels. A channel has its own mean, over all examples and all positions.",
    "mean-over-everything": "There is one mean for the whole array. Every channel has its own.",
}


def _flat(case):
    """Height and width as one axis of positions; the line of an exercise of groups gets these as an axis, too."""
    N, C, *positions = case.x.shape
    S = int(np.prod(positions))
    split = (case.groups, C // case.groups) if "groups" in case else (C,)
    given = {name: case[name].reshape(N, *split, S) for name in ("x", "dout")}
    given |= {name: case[name].reshape(split) for name in ("gamma", "beta")}
    return {**case, **given, "_n": float(N), "_s": float(S), "_c": float(split[-1]), "_g": float(split[0])}


_LIKE = {"out": "x", "dx": "x", "dgamma": "gamma", "dbeta": "gamma"}


def _shared(name, message, which):
    """A slip in the forward pass: other entries share statistics, those for which ``which`` makes the same of their indices."""

    def wrong(case):
        labels = np.unravel_index(np.arange(case.x.size), case.x.shape)
        key = np.unique(np.array(which(case, *labels)).reshape(-1, case.x.size), axis=1, return_inverse=True)[1]
        x_hat = _normalized(case.x, key.reshape(case.x.shape), case.eps)
        return _by_channel(case.gamma, x_hat) * x_hat + _by_channel(case.beta, x_hat)

    return Slip(name, message, "out", wrong)


def _apart(v, axis):
    """Images in which what lies along one axis of the positions is a channel of its own."""
    return np.moveaxis(v, axis, 2).reshape(len(v), -1, v.size // len(v) // v.shape[1] // v.shape[axis], 1)


def _one_direction(case, axis):
    """The case in which a mean runs over the other axis of the positions alone."""
    turned = {name: _apart(case[name], axis) for name in ("x", "dout")}
    return Case(case, **turned, **{name: np.repeat(case[name], case.x.shape[axis]) for name in ("gamma", "beta")})


def _seen_apart(case, output, got, axis):
    return _apart(got, axis) if output in ("out", "dx") else got


_ONE_DIRECTION = tuple(
    Twist(
        "mean-over-one-direction",
        f"A mean runs over the {along} of the images alone. Which other axis do the positions lie along?",
        partial(_one_direction, axis=axis),
        partial(_seen_apart, axis=axis),
    )
    for along, axis in (("height", 3), ("width", 2))
)


def _tables(case):
    """Two ways to cut images that are not those of their channels: into rows of C numbers, and into C rows."""
    N, C, H, W = case.x.shape
    return (
        lambda v: np.moveaxis(v.reshape(N, H, W, C), 3, 1),
        lambda v: v.reshape(C, N, H, W).swapaxes(0, 1),
    )


def _cut(case, which, names):
    """The images that a table holds which was cut without moving the axis of the channels."""
    return Case(case, **{name: _tables(case)[which](case[name]) for name in names})


def _put_back(case, output, got, which):
    """What stands in that table, where its rows were put back the same way."""
    return _tables(case)[which](got) if output in ("out", "dx") else got


_CUT = (
    "Images were reshaped to a table, and the axis of the channels was not moved first: what stands side by side there are neighbours in memory, "
    "and not the numbers of one channel."
)
_PUT_BACK = "The numbers are right and stand in wrong places: a table was reshaped to images, and the axis of the channels was not moved back."


def _cut_wrongly(*turned):
    """Twists of both tables: cut wrongly and put back the same way, cut wrongly alone, put back wrongly alone."""
    for names, which in product(turned, (0, 1)):
        cut, back = partial(_cut, which=which, names=names), partial(_put_back, which=which)
        first = names is turned[0] and which == 0
        yield Twist("reshaped-without-transposing", _CUT, cut, back, beside=first)
        yield Twist("reshaped-without-transposing", _CUT, cut, beside=first)
        if names is turned[0]:
            yield Twist("reshaped-back-without-transposing", _PUT_BACK, None, back, beside=first)


spatial_batchnorm_forward = Checks(
    relatives.spatial_batchnorm_forward,
    draw=_images,
    truth=_layer,
    against="eq. 8.5, channel by channel",
    known=Known(
        _IMAGES,
        *_SPATIAL_FORWARD,
        rules=_ABOUT_DIVISORS + _EPS,
        words=_ABOUT_IMAGES,
        terms={"out": _OUT},
        view=_flat,
        like=_LIKE,
    ),
    slips=(
        _shared(
            "axes-of-channels-last",
            "A mean runs over axes 0, 1 and 2. The channels are axis 1 here.",
            lambda case, n, c, h, w: w,
        ),
    ),
    twists=(*_cut_wrongly(("x", "dout")), *_ONE_DIRECTION),
    hints=(
        "A position of an image is one more example of its channel. Which entries share a mean? In which table would they be one column, or one row?",
        "Channels to the end first: x.transpose(0, 2, 3, 1).reshape(-1, C) has a row for each example and position. Afterwards the same "
        "way back. Or means over axis=(0, 2, 3), with gamma[:, None, None].",
        "For channel 0 alone: c = x[:, 0]; out[:, 0] = gamma[0] * (c - c.mean()) / np.sqrt(c.var() + eps) + beta[0].",
    ),
    idea="Bring what shares statistics into one row (or column) of a table, normalize it there, and go back the same way.",
)

spatial_batchnorm_backward = Checks(
    relatives.spatial_batchnorm_backward,
    draw=_images,
    truth=_gradients,
    against="the numerical derivative of eq. 8.5",
    known=Known(
        _IMAGES,
        *_SPATIAL_BACKWARD,
        rules=_ABOUT_DIVISORS + _DBETA,
        words=_ABOUT_IMAGES,
        terms={"dx": _PATHS},
        view=_flat,
        like=_LIKE,
    ),
    twists=(*_cut_wrongly(("x", "dout"), ("dout",)), *_ONE_DIRECTION),
    hints=(
        "The same reshape as in the forward pass, now for dout. What comes back as dx must travel the other way.",
        "Bring dout into the table of the forward pass: dout.transpose(0, 2, 3, 1).reshape(-1, C), or dout.swapaxes(0, 1).reshape(C, -1). There the three "
        "terms; then back. dgamma and dbeta have one number a channel: which axes are summed?",
        "For channel 0 alone, dbeta[0] = dout[:, 0].sum(): all examples, all positions.",
    ),
    idea="A reshape computes nothing: it sends the gradient back by the reverse reshape. Between the two stands what you have.",
    properties=(_sums_to_zero("all examples and positions of each channel"),),
)

# -- group normalization

_GROUP_FORWARD, _GROUP_BACKWARD = _lines("E, S", "N, S", "E * S", ("8.7", "8.8", "8.8"))
_GROUPED = "x: N G E S, gamma: G E, beta: G E, eps, dout: N G E S, _n, _s, _c, _g"
_ABOUT_AXES = """
all-channels-together: mean(A, E, S) => mean(A, G, E, S) | a mean runs over all channels of an example, as if there were one group only
all-channels-together: variance(A, E, S) => variance(A, G, E, S) | a variance runs over all channels of an example, as if there were one group only
over-the-batch-too: mean(A, E, S) => mean(A, N, E, S) | a mean runs over the batch as well: every example has statistics of its own
over-the-batch-too: variance(A, E, S) => variance(A, N, E, S) | a variance runs over the batch as well: every example has statistics of its own
channels-alone: mean(A, E, S) => sum(A, E, S) / _c | a sum over the channels of a group and their positions is divided by the number of its channels alone
groups-for-channels: mean(A, E, S) => sum(A, E, S) / _g / _s | a sum over the channels of a group and their positions is divided by the number of groups, times that of positions
all-channels-counted: mean(A, E, S) => mean(A, E, S) / _g | a sum over the channels of one group is divided by the number of all channels, times that of positions
batch-for-group: mean(A, E, S) => mean(A, N, S) | a mean runs over the examples and positions of each channel: that is batch normalization
batch-for-group: variance(A, E, S) => variance(A, N, S) | a variance runs over the examples and positions of each channel: that is batch normalization
positions-alone: mean(A, E, S) => sum(A, E, S) / _s | a sum over the channels of a group and their positions is divided by the number of positions alone
positions-alone: variance(A, E, S) => variance(A, E, S) * _c | a sum over the channels of a group and their positions is divided by the number of positions alone
mean-for-sum: sum(A, N, S) => sum(A, N, S) / _n | the sum over the batch is divided by the number of examples: here the contributions add up
mean-for-sum: sum(A, N, S) => sum(A, N, S) / _s | the sum over the positions is divided by their number: here the contributions add up
gamma-in-dgamma: sum(dout * A, N, S) => sum(gamma * dout * A, N, S) | gamma itself is a factor: how does y change with gamma?
gamma-in-dbeta: sum(dout, N, S) => sum(gamma * dout, N, S) | gamma is a factor: beta is added behind it
"""
_ABOUT_GROUPS = {
    "mean-over-positions": "A mean runs over the positions of each channel by itself (that is instance normalization). The channels of a group have one in common.",
    "mean-over-channels": "A mean runs over the channels of a group at each position by itself. A group has one for all its positions.",
    "mean-over-everything": "There is one mean for the whole array. Every group of every example has its own.",
    "mean-over-examples": "A mean runs over the batch. Every example has statistics of its own.",
}


def _interleaved(case):
    """The order of the channels in which those that are ``groups`` apart are neighbours."""
    return np.arange(len(case.gamma)).reshape(-1, case.groups).T.ravel()


def _together(case):
    order = _interleaved(case)
    turned = {name: case[name][:, order] for name in ("x", "dout")}
    return Case(case, **turned, **{name: case[name][order] for name in ("gamma", "beta")})


def _in_that_order(case, output, got):
    order = _interleaved(case)
    return got[:, order] if output in ("out", "dx") else got[order]


def _taken_otherwise(case, take, names):
    """Parameters of which too few numbers are used."""
    return Case(case, **{name: take(case[name], case.groups, len(case[name]) // case.groups) for name in names})


_OTHER_GROUPS = (
    Twist(
        "groups-interleaved",
        "Channels that are no neighbours were put into one group: group 0 is the first C // groups channels. Into which shape was x brought, "
        "and which axis counts the groups?",
        _together,
        _in_that_order,
    ),
    Twist(
        "group-size-for-groups",
        "There are as many groups as a group should have channels: groups is how many groups there are.",
        lambda case: Case(case, groups=len(case.gamma) // case.groups),
    ),
)
_OTHER_PARAMETERS = tuple(
    Twist(name, words, partial(_taken_otherwise, take=take, names=names))
    for name, words, take in (
        (
            "gamma-of-the-group",
            "A parameter is taken by the group: all channels of a group have one number of it. It has one for each channel.",
            lambda p, groups, each: np.repeat(p[:groups], each),
        ),
        (
            "gamma-within-the-group",
            "A parameter is taken by the place in the group: every group has the same numbers. It has one for each of all channels.",
            lambda p, groups, each: np.tile(p[:each], groups),
        ),
        (
            "gamma-interleaved",
            "A parameter's numbers stand at the wrong channels: gamma.reshape(groups, -1) has one row for each group.",
            lambda p, groups, each: p.reshape(each, groups).T.ravel(),
        ),
    )
    for names in (("gamma", "beta"), ("gamma",))
)


def _added(case, output, added):
    """A parameter's gradient, with what each entry adds to it added up in another way."""
    each = case.dout * (_normalized(case.x, _labels(case), case.eps) if output == "dgamma" else 1.0)
    return added(each, case.groups)


_OTHER_SHAPES = tuple(
    Slip(name, words, output, partial(_added, output=output, added=added))
    for output in ("dgamma", "dbeta")
    for name, words, added in (
        (
            "parameter-of-each-example",
            "There is one number for each channel of each example: all examples use the same gamma and beta, so what they add is added up.",
            lambda each, groups: each.sum(axis=(2, 3)),
        ),
        (
            "parameter-of-each-position",
            "There is one number for each position: all positions of a channel use the same gamma and beta, so what they add is added up.",
            lambda each, groups: each.sum(axis=0),
        ),
        (
            "parameter-of-the-group",
            "The channels of a group were added up: they share statistics, and no parameter.",
            lambda each, groups: each.sum(axis=(0, 2, 3)).reshape(groups, -1).sum(axis=1),
        ),
        (
            "parameter-within-the-group",
            "The groups were added up: every channel of every group has a parameter of its own.",
            lambda each, groups: each.sum(axis=(0, 2, 3)).reshape(groups, -1).sum(axis=0),
        ),
    )
)


groupnorm_forward = Checks(
    relatives.groupnorm_forward,
    draw=_grouped,
    truth=_layer,
    against="eq. 8.7, group by group",
    known=Known(
        _GROUPED,
        *_GROUP_FORWARD,
        rules=_ABOUT_AXES + _EPS,
        words=_ABOUT_GROUPS,
        terms={"out": _OUT},
        view=_flat,
        like=_LIKE,
    ),
    slips=(
        _shared(
            "rows-of-several-examples",
            "The table has as many rows as an example has groups. Every example has its own: N * groups rows.",
            lambda case, n, c, h, w: np.arange(case.x.size) * case.groups // case.x.size,
        ),
    ),
    twists=_OTHER_GROUPS + _OTHER_PARAMETERS,
    hints=(
        "Which entries of x share one mean? In which shape would they be one row?",
        "x.reshape(N * groups, -1) has one row for each group of each example. Normalize the rows; bring the result back to x.shape before "
        "gamma and beta are applied, which belong to channels: gamma[:, None, None].",
        "For example 0 and group 0: g = x[0, : C // groups]; its x_hat is (g - g.mean()) / np.sqrt(g.var() + eps).",
    ),
    idea="Rows of what shares statistics, normalized as in layer normalization without parameters; then the parameters, channel by channel.",
)

groupnorm_backward = Checks(
    relatives.groupnorm_backward,
    draw=_grouped,
    truth=_gradients,
    against="the numerical derivative of eq. 8.7",
    known=Known(
        _GROUPED,
        *_GROUP_BACKWARD,
        rules=_GAMMA_OUTSIDE.format(over="E, S") + _ABOUT_AXES + _DBETA,
        words=_ABOUT_GROUPS,
        terms={"dx": _PATHS},
        view=_flat,
        like=_LIKE,
    ),
    slips=_OTHER_SHAPES,
    twists=(
        *_OTHER_GROUPS,
        _outside(_GROUPED, _GROUP_BACKWARD[0], rules=_ABOUT_AXES, words=_ABOUT_GROUPS, view=_flat, like=_LIKE),
    ),
    hints=(
        "Backward in the reverse order: first the parameters, channel by channel; then the rows.",
        "dx_hat = gamma[:, None, None] * dout, reshaped to (N * groups, -1); the three terms with means over axis=1; reshaped back. dgamma and "
        "dbeta are sums over all axes but that of the channels.",
        "With groups = C and one channel: d = gamma[0] * dout[0, 0]; dx[0, 0] = inv_std * (d - d.mean() - x_hat[0, 0] * (d * x_hat[0, 0]).mean()).",
    ),
    idea="gamma belongs to channels and the statistics to groups: apply the one in the shape of x, the other in rows.",
    properties=(_sums_to_zero("each group of each example"),),
)

# -- RMS normalization

_RMS = "dout: N D, x: N D, gamma: D, eps"
_RMS_LINES = """
    _ms     = mean(x**2, D)                              # eq. 8.9
    _rms    = sqrt(_ms + eps)                            # eq. 8.9
    inv_rms = 1 / _rms                                   # eq. 8.9
    z       = x * inv_rms                                # eq. 8.9
    dgamma  = sum(dout * z)                              # eq. 8.10
    _h      = gamma * dout
    dx      = inv_rms * (_h - z * mean(_h * z, D))       # eq. 8.10
    """
_ABOUT_RMS = {
    "mean-over-examples": "A mean runs over the batch. In eq. 8.9 every example has a root mean square of its own: over which axis?",
    "mean-over-everything": "There is one mean for the whole array. In eq. 8.9 every example has its own: name the axis, and keep it.",
    "only-the-diagonal@dx": "Where a mean belongs, only the feature's own term is there: the root mean square contains every feature "
    "of the example.",
}


def _otherwise(*changes):
    """The lines with some of their text exchanged."""
    lines = _RMS_LINES
    for old, new in changes:
        lines = lines.replace(old, new)
    return Known(_RMS, lines, words=_ABOUT_RMS)


def _centred(case):
    return Case(case, x=case.x - case.x.mean(axis=1, keepdims=True))


_MEAN_SUBTRACTED = _otherwise(("(_h - z", "(_h - mean(_h, D) - z"))

rmsnorm_backward = Checks(
    relatives.rmsnorm_backward,
    draw=_rows_alone,
    truth=lambda case: _gradients(case, ("x", "gamma"), centred=False),
    against="the numerical derivative of eq. 8.9",
    known=Known(
        _RMS,
        _RMS_LINES,
        rules="""
            gamma-outside: z * mean(_h * z, D) => gamma * z * mean(dout * z, D) | gamma has left a mean that runs over features with different gammas
            x-for-z: inv_rms * (_h - z * A) => inv_rms * (_h - x * A) | inv_rms is missing in the last term: does x stand where z belongs, or does a bracket end before that term?
            gamma-lost: mean(_h * z, D) => mean(dout * z, D) | gamma is missing inside the mean: what arrives at z is gamma * dout
            variance-for-mean-square: mean(x**2, D) => variance(x, D) | the variance stands where the mean of the squares belongs: eq. 8.9 subtracts no mean
        """,
        words=_ABOUT_RMS,
        terms={"dx": ("direct path", "path through the root mean square")},
    ),
    twists=(
        Twist("x-centred", "The mean of x is subtracted: nothing is centred in eq. 8.9.", _centred),
        Twist(
            "layer-norm-gradient",
            "In dx (eq. 8.10), this is the gradient of layer normalization: which of its terms belongs to the mean that eq. 8.9 does not subtract?",
            _centred,
            known=_MEAN_SUBTRACTED,
        ),
        Twist(
            "mean-subtracted",
            "In dx (eq. 8.10), a mean of the gradient is subtracted: nothing is centred in eq. 8.9, so no path leads through a mean.",
            known=_MEAN_SUBTRACTED,
        ),
        Twist(
            "gamma-outside",
            "In dx (eq. 8.10), gamma stands in front of everything: the mean runs over features with different gammas, so it cannot leave it.",
            known=_otherwise(("gamma * dout", "dout"), ("= inv_rms * (", "= gamma * inv_rms * (")),
        ),
    ),
    hints=(
        "Layer normalization without its centring. Which of the three terms came through the mean?",
        "z = x * inv_rms with inv_rms = (mean of x**2 over axis 1, plus eps) ** -0.5. Two of the three terms are left, with z in the place of x_hat.",
        "For one example with D = 1 and eps = 0, z is +1 or -1 whatever x is: dx must come out as zero.",
    ),
    idea="rms_scale_backward of lesson 03 along the other axis, with gamma in front: dx_hat minus its component along z.",
)

# -- questions

recall_directions = Answer(
    relatives.recall_directions,
    right="b",
    why={
        "a": "Features do not meet in batch normalization. What is taken away lies along directions over the batch.",
        "b": "Adding a number to all examples, or stretching their deviations, changes no output: no gradient can point there.",
        "c": "gamma is a factor in front, one number a feature. It has no direction over the batch.",
        "d": "That is the direct path alone. What do the paths through the mean and through the variance do?",
    },
)
recall_sum = Answer(
    relatives.recall_sum,
    right="a",
    why={
        "a": "Adding one number to all examples changes no output, whatever eps is. Only the sum of dx * x_hat has a trace of eps in it.",
        "b": "That holds for the sum of dx * x_hat. Does eps know of a number that is added to all examples?",
        "c": "The gradient of beta is the sum of dout.",
        "d": "That is what the direct path alone would give, up to a factor.",
    },
)
recall_scale = Answer(
    relatives.recall_scale,
    right="d",
    why={
        "a": "The output stays as it is. A step of the same size now changes the weights by a smaller part of themselves: what does that do to the slope?",
        "b": "The output does stay as it is, but one unit is now a smaller part of the weights.",
        "c": "The gradient is at a right angle to the weights, not zero.",
        "d": "The same relative change has the same effect, and one unit is half the relative change it was.",
    },
)
alone = Answer(
    relatives.alone,
    right="c",
    why={
        "a": "It needs entries to average over. Must they be of different examples?",
        "b": "Running averages serve in evaluation mode. In training mode the batch decides.",
        "c": "Mean and variance are of the example's own features, so its output does not know who else is in the batch. Such layers need no running averages.",
        "d": "There are many positions to average over, but those of the other images are averaged with them.",
    },
)
inside_or_outside = Answer(
    relatives.inside_or_outside,
    right="a",
    why={
        "a": "gamma[l] is constant over the examples and changes over the features. What is constant in a mean may leave it, and nothing else may.",
        "b": "It is learned in both. Look at the index over which each mean runs.",
        "c": "It does, and that changes r. It says nothing about gamma.",
        "d": "Its sign does not matter. Look at the index over which each mean runs.",
    },
)
one_by_one = Answer(
    relatives.one_by_one,
    right="d",
    why={
        "a": "The variance is zero, and eps stands beside it under the root.",
        "b": "Each entry is its own mean. What is left when it is subtracted?",
        "c": "Each entry is its own mean. What is left when it is subtracted?",
        "d": "Each entry is its own mean, so x_hat is zero everywhere: what the network knew is gone, and no gradient comes back to x.",
    },
)
shape_of_gamma = Answer(
    relatives.shape_of_gamma,
    right="b",
    why={
        "a": "These are the axes of mean and variance. A parameter's gradient adds up over the entries that share the parameter.",
        "b": "Two different questions: who shares statistics decides the means of dx, who shares a parameter decides the sums of its gradient.",
        "c": "gamma[c] is used at every position, too.",
        "d": "Read the shape of gamma once more: it has C numbers, in every one of these layers for images.",
    },
)

layer_norm_gradient = Chain(
    relatives.layer_norm_gradient,
    (
        Move(
            "x[i, j] reaches L through every output that contains mu[i] or r[i]. Sum over all outputs first; the deltas will say which.",
            "Write the chain rule: a sum over k in N and l in D of dout[k, l] times a derivative of y[k, l].",
            "sum(dout[k, l] * d(y[k, l], x[i, j]) for k in N for l in D)",
        ),
        Move(
            "What of y[k, l] moves with x[i, j]? x_hat[k, l] alone, and gamma[l] has the index of the sum.",
            "Put gamma[l] times the slope of x_hat[k, l]: lesson 03's with the roles of k and l exchanged. An example k other than i does not move: delta[k, i] in front.",
            "sum(dout[k, l] * gamma[l] * delta[k, i] * r[k] * (delta[l, j] - 1/D - x_hat[k, j] * x_hat[k, l] / D) for k in N for l in D)",
        ),
        Move(
            "Two sums, and a delta that eats one of them.",
            "Drop the sum over k and write i for every k; r[i] comes out in front. gamma[l] does not.",
            "r[i] * sum(gamma[l] * dout[i, l] * (delta[l, j] - 1/D - x_hat[i, j] * x_hat[i, l] / D) for l in D)",
        ),
        Move(
            "One sum of three terms is three sums, and every one of them keeps its gamma[l] * dout[i, l].",
            "The delta picks gamma[j] * dout[i, j]; the second is a mean over D, and x_hat[i, j] comes out of the third.",
            "r[i] * (gamma[j] * dout[i, j] - mean(gamma[l] * dout[i, l] for l in D) - x_hat[i, j] * mean(gamma[l] * dout[i, l] * x_hat[i, l] for l in D))",
        ),
    ),
    idea="Lesson 03's derivation with the other index under the mean: the delta of the examples eats one sum, and gamma stays inside of what is left.",
)
