"""Lesson 03: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case, Source
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import normalization

SHAPES = [(3, 1), (3, 7), (4, 4), (7, 3), (16, 1), (33, 5), (100, 7)]
SIZES = [3, 4, 7, 16, 33, 100]
EPSILONS = [1e-8, 1e-5, 1e-3, 0.1, 2.0]


def signs(judge, size):
    return judge.rng.choice([-1.0, 1.0], size=size)


def scattered(judge, shape, scale=1.0, offset=0.0):
    """Numbers whose features differ in location and spread."""
    columns = shape[1:]
    spread, place = judge.rng.uniform(0.5, 3, size=columns), judge.rng.uniform(0.5, 5, size=columns)
    return offset + scale * (judge.rng.normal(size=shape) * spread + place)


def upstream(judge, x, scale=1.0):
    """A gradient with a mean and with a trend along x."""
    trend = (x - x.mean(axis=0)) / x.std(axis=0)
    return scale * (judge.rng.normal(size=x.shape) + judge.rng.uniform(0.3, 1.5, size=x.shape[1:]) + 0.6 * trend)


def layer(judge, shape, eps=0.1, scale=1.0, offset=0.0, strength=1.0):
    """All that the layer takes, and a gradient."""
    x = scattered(judge, shape, scale, offset)
    gamma = strength * judge.rng.uniform(0.3, 3, size=shape[1]) * signs(judge, shape[1])
    beta = strength * judge.rng.uniform(0.3, 3, size=shape[1]) * signs(judge, shape[1])
    return Case(dout=upstream(judge, x), x=x, gamma=gamma, beta=beta, eps=eps)


def feature(judge, size, eps=0.1, scale=1.0, offset=0.0):
    """The same for one feature."""
    x = scattered(judge, (size,), scale, offset)
    gamma = float(judge.rng.uniform(0.3, 3) * signs(judge, None))
    return Case(dout=upstream(judge, x), x=x, gamma=gamma, eps=eps)


def only(case, *names):
    """A case cut down to some of its values."""
    return Case({name: case[name] for name in names})


def float32(case):
    return Case({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in case.items()})


def layouts(case):
    """The same numbers, laid out in memory in other ways."""
    for change in (np.asfortranarray, strided, reversed_twice, transposed):
        yield Case({k: change(v) if isinstance(v, np.ndarray) and v.ndim == 2 else v for k, v in case.items()})


def strided(array):
    wide = np.zeros((2 * array.shape[0], 3 * array.shape[1]))
    wide[::2, ::3] = array
    return wide[::2, ::3]


def reversed_twice(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def transposed(array):
    return np.ascontiguousarray(array.T).T


# eq. 3.1 and 3.2


@hidden(normalization.batch_statistics)
def test_batch_statistics_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.batch_statistics)
def test_batch_statistics_shapes(judge):
    judge.examine([Case(x=scattered(judge, shape)) for shape in SHAPES])


@hidden(normalization.batch_statistics)
def test_batch_statistics_far_and_narrow(judge):
    judge.examine([Case(x=1e4 + 0.05 * judge.rng.normal(size=shape)) for shape in ((6, 3), (20, 2), (50, 4))])


@hidden(normalization.batch_statistics)
def test_batch_statistics_tiny_and_huge(judge):
    judge.examine([Case(x=scattered(judge, (9, 3), scale)) for scale in (1e-6, 1e-3, 1e3, 1e6)])


@hidden(normalization.batch_statistics)
def test_batch_statistics_layouts(judge):
    judge.examine(list(layouts(Case(x=scattered(judge, (6, 4))))))


@hidden(normalization.batch_statistics)
def test_batch_statistics_float32(judge):
    judge.examine([float32(Case(x=scattered(judge, (8, 3)))) for _ in range(3)])


@hidden(normalization.batch_statistics)
def test_batch_statistics_two_examples_and_equal_ones(judge):
    judge.examine([Case(x=scattered(judge, (2, 3))), Case(x=np.full((4, 2), 0.5))])


# eq. 3.11


@hidden(normalization.variance_slope)
def test_variance_slope(judge):
    judge.derivation()


@hidden(normalization.dvar_dx)
def test_dvar_dx_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.dvar_dx)
def test_dvar_dx_sizes(judge):
    judge.examine([Case(x=scattered(judge, (size,))) for size in SIZES])


@hidden(normalization.dvar_dx)
def test_dvar_dx_far_tiny_huge(judge):
    judge.examine([Case(x=scattered(judge, (9,), *place)) for place in ((1, 1e3), (1e-4, 0), (1e4, 0), (1, -1e3))])


@hidden(normalization.dvar_dx)
def test_dvar_dx_float32(judge):
    judge.examine([float32(Case(x=scattered(judge, (8,)))) for _ in range(3)])


# eq. 3.12


@hidden(normalization.inv_std_slope)
def test_inv_std_slope(judge):
    judge.derivation()


@hidden(normalization.dinvstd_dx)
def test_dinvstd_dx_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.dinvstd_dx)
def test_dinvstd_dx_sizes(judge):
    judge.examine([only(feature(judge, size), "x", "eps") for size in SIZES])


@hidden(normalization.dinvstd_dx)
def test_dinvstd_dx_eps(judge):
    judge.examine([only(feature(judge, 7, eps), "x", "eps") for eps in EPSILONS])


@hidden(normalization.dinvstd_dx)
def test_dinvstd_dx_small_variance(judge):
    judge.examine([only(feature(judge, 7, eps, scale=1e-4), "x", "eps") for eps in EPSILONS])


@hidden(normalization.dinvstd_dx)
def test_dinvstd_dx_far(judge):
    judge.examine([only(feature(judge, 9, 0.2, offset=offset), "x", "eps") for offset in (1e3, -1e3)])


# eq. 3.6


@hidden(normalization.xhat_jacobian)
def test_xhat_jacobian_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.xhat_jacobian)
def test_xhat_jacobian_sizes(judge):
    judge.examine([only(feature(judge, size), "x", "eps") for size in SIZES[:-1]])


@hidden(normalization.xhat_jacobian)
def test_xhat_jacobian_eps_and_scale(judge):
    judge.examine([only(feature(judge, 6, eps, scale), "x", "eps") for eps in EPSILONS for scale in (1.0, 1e-3)])


@hidden(normalization.xhat_jacobian)
def test_xhat_jacobian_far(judge):
    judge.examine([only(feature(judge, 6, 0.2, offset=offset), "x", "eps") for offset in (1e3, -1e3)])


# eq. 3.15


@hidden(normalization.x_hat_slopes)
def test_x_hat_slopes(judge):
    judge.derivation()


@hidden(normalization.normalize_jacobian)
def test_normalize_jacobian_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.normalize_jacobian)
def test_normalize_jacobian_sizes(judge):
    judge.examine([only(feature(judge, size), "x", "gamma", "eps") for size in SIZES[:-1]])


@hidden(normalization.normalize_jacobian)
def test_normalize_jacobian_eps_and_scale(judge):
    cases = [feature(judge, 6, eps, scale) for eps in EPSILONS for scale in (1.0, 1e-4)]
    judge.examine([only(case, "x", "gamma", "eps") for case in cases])


@hidden(normalization.normalize_jacobian)
def test_normalize_jacobian_far(judge):
    judge.examine([only(feature(judge, 6, 0.2, offset=offset), "x", "gamma", "eps") for offset in (1e3, -1e3)])


# eq. 3.18


@hidden(normalization.input_gradient)
def test_input_gradient(judge):
    judge.derivation()


@hidden(normalization.normalize_backward)
def test_normalize_backward_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.normalize_backward)
def test_normalize_backward_sizes(judge):
    judge.examine([feature(judge, size) for size in SIZES])


@hidden(normalization.normalize_backward)
def test_normalize_backward_eps(judge):
    judge.examine([feature(judge, 7, eps) for eps in EPSILONS])


@hidden(normalization.normalize_backward)
def test_normalize_backward_small_variance(judge):
    judge.examine([feature(judge, 7, eps, scale=1e-4) for eps in EPSILONS])


@hidden(normalization.normalize_backward)
def test_normalize_backward_far(judge):
    judge.examine([feature(judge, 8, 0.2, offset=1e3), feature(judge, 30, 1e-3, offset=-1e3)])
    x = 1e4 + 0.3 * judge.rng.normal(size=(3, 9))
    judge.examine([Case(dout=upstream(judge, row), x=row, gamma=1.7, eps=0.01) for row in x])


@hidden(normalization.normalize_backward)
def test_normalize_backward_float32(judge):
    judge.examine([float32(feature(judge, 8)) for _ in range(3)])


# ladders


def ladder(judge, arguments, slip, *lines):
    x = scattered(judge, (int(judge.rng.integers(5, 9)),))
    eps = float(judge.rng.uniform(0.05, 0.4))
    inv_std = (x.var() + eps) ** -0.5
    known = {"x": x, "eps": eps, "d": upstream(judge, x), "x_hat": (x - x.mean()) * inv_std, "g": float(2.3 * inv_std)}
    known["c"] = x - x.mean()
    return Case(
        lines=[Source(f"def line({arguments}):\n    return {line}\n") for line in lines],
        args=tuple(known[name] for name in arguments.split(", ")),
        slip=slip,
    )


def sums_of_the_gradient(judge, slip, fourth, *rest):
    """The derivation of eq. 3.18, with a fourth line to choose."""
    return ladder(
        judge,
        "d, x_hat, g",
        slip,
        "[g * sum(d[k] * ((k == i) - (1 + x_hat[i] * x_hat[k]) / len(d)) for k in range(len(d))) for i in range(len(d))]",
        "g * (d - [sum(d[k] * (1 + x_hat[i] * x_hat[k]) for k in range(len(d))) / len(d) for i in range(len(d))])",
        "g * d - g * sum(d) / len(d) - g * x_hat * sum(d * x_hat) / len(d)",
        fourth,
        *rest,
    )


LAST = "g * (d - d.mean() - x_hat * np.mean(d * x_hat))"


@hidden(normalization.first_slip)
def test_first_slip_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(normalization.first_slip)
def test_first_slip_many_slips(judge):
    wrong = (
        "g * (d - d.mean() - x_hat * np.mean(x_hat))",
        "g * (d - d.mean() + x_hat * np.mean(d * x_hat))",
        "g * (d - d.sum() - x_hat * np.mean(d * x_hat))",
        "g * d - d.mean() - x_hat * np.mean(d * x_hat)",
        "g * (d - d.mean() - x_hat * np.mean(d) * np.mean(x_hat))",
        "g * (d - d.mean() - x_hat * x_hat * np.mean(d))",
        "g * (d * (1 - 1 / len(d)) - x_hat * np.mean(d * x_hat))",
    )
    judge.examine([sums_of_the_gradient(judge, 4, line, LAST) for line in wrong])


@hidden(normalization.first_slip)
def test_first_slip_carried_to_the_end(judge):
    wrong = "g * (d - d.mean() - x_hat * np.sum(d * x_hat))"
    judge.examine([sums_of_the_gradient(judge, 5, LAST, wrong, f"1.0 * ({wrong})", f"({wrong}) / 2 + ({wrong}) / 2")])


@hidden(normalization.first_slip)
def test_first_slip_two_of_them(judge):
    judge.examine(
        [
            sums_of_the_gradient(judge, 5, LAST, "g * (d - x_hat * np.mean(d * x_hat))", "g * d"),
            ladder(judge, "c, eps", 2, "np.mean(c**2) + eps", "np.mean(c**2)", "np.mean(c**2) ** 0.5"),
        ]
    )


@hidden(normalization.first_slip)
def test_first_slip_unusual_rewritings_are_right(judge):
    rewritten = (
        "g * (d - d.mean() - np.outer(x_hat, x_hat) @ d / len(d))",
        "g * ((d - d.mean()) - x_hat * np.cov(d, x_hat, bias=True)[0, 1])",
        "np.linalg.solve(np.eye(len(d)) / g, d - d.mean() - x_hat * np.dot(d, x_hat) / len(d))",
        "np.exp(np.log(g)) * (d - np.mean(d + 0 * x_hat) - x_hat * np.mean((d - 7) * x_hat))",
        "(g * (d - d.mean() - x_hat * np.mean(d * x_hat)))[::-1][::-1]",
    )
    judge.examine([sums_of_the_gradient(judge, 0, *rewritten), sums_of_the_gradient(judge, 0, LAST)])


@hidden(normalization.first_slip)
def test_first_slip_numbers_and_short_ladders(judge):
    judge.examine(
        [
            ladder(
                judge,
                "c, eps",
                0,
                "np.mean(c**2)",
                "sum((a - b) ** 2 for a in c for b in c) / len(c) ** 2 / 2",
                "c @ c / len(c)",
            ),
            ladder(judge, "c, eps", 3, "np.mean(c**2)", "c @ c / len(c)", "c @ c / (len(c) - 1)"),
            ladder(judge, "c, eps", 0, "c**2 + eps"),
            ladder(judge, "c, eps", 2, "c**2 + eps", "(c + eps) ** 2"),
        ]
    )


@hidden(normalization.first_slip)
def test_first_slip_in_one_entry(judge):
    spoilt = "np.where(np.arange(len(d)) == {}, 1.01, 1) * ({})"
    judge.examine([sums_of_the_gradient(judge, 5, LAST, spoilt.format(entry, LAST), LAST) for entry in (0, 2, 4)])


@hidden(normalization.first_slip)
def test_first_slip_matrices(judge):
    judge.examine(
        [
            ladder(
                judge,
                "d, x_hat, g",
                3,
                "g * np.eye(len(d)) - g / len(d) - g * np.outer(x_hat, x_hat) / len(d)",
                "g * (np.eye(len(d)) - (1 + x_hat[:, None] * x_hat) / len(d))",
                "g * (np.eye(len(d)) - (1 + x_hat * x_hat) / len(d))",
                "g * (np.eye(len(d)) - (1 + x_hat[:, None] * x_hat) / len(d))",
            )
        ]
    )


# eq. 3.19


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_shapes(judge):
    judge.examine([layer(judge, shape) for shape in SHAPES])


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_eps(judge):
    judge.examine([layer(judge, (7, 3), eps) for eps in EPSILONS])


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_small_variance(judge):
    judge.examine([layer(judge, (7, 3), eps, scale=1e-4) for eps in EPSILONS])


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_far(judge):
    far = layer(judge, (9, 3), 1e-3)
    far["x"] = 1e4 + 0.3 * judge.rng.normal(size=(9, 3))
    judge.examine([layer(judge, (8, 3), 0.2, offset=1e3), layer(judge, (20, 2), 1e-5, offset=-1e3), far])


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_large_parameters_and_zero_ones(judge):
    none = layer(judge, (6, 3))
    none["gamma"], none["beta"] = np.array([0.0, 1.0, -1.0]), np.array([0.0, 0.0, 2.0])
    judge.examine([layer(judge, (6, 3), strength=1e4), layer(judge, (6, 3), strength=1e-4), none])


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_layouts(judge):
    judge.examine(list(layouts(layer(judge, (6, 4)))))


@hidden(normalization.batchnorm_forward)
def test_batchnorm_forward_float32(judge):
    judge.examine([float32(layer(judge, (8, 3))) for _ in range(3)])


# eq. 3.23 to 3.25, and the same again by eq. 3.30


def ordinary(judge):
    judge.examine(judge.draw(6))


def shapes(judge):
    judge.examine([layer(judge, shape) for shape in SHAPES])


def epsilons(judge):
    judge.examine([layer(judge, (7, 3), eps) for eps in EPSILONS])


def small_variance(judge):
    """Data on which a fixed or missing eps shows."""
    judge.examine([layer(judge, (7, 3), eps, scale=1e-4) for eps in EPSILONS])
    judge.examine([layer(judge, (12, 2), 1e-5, scale=scale) for scale in (1e-3, 1e-2)])


def far_away(judge):
    far = layer(judge, (9, 3), 1e-2)
    far["x"] = 1e4 + 0.3 * judge.rng.normal(size=(9, 3))
    judge.examine([layer(judge, (8, 3), 0.2, offset=1e3), layer(judge, (20, 2), 1e-3, offset=-1e3), far])


def tiny_and_huge_gradients(judge):
    cases = [layer(judge, (8, 3)) for _ in range(2)] + [layer(judge, (8, 3), scale=1e4)]
    for case, scale in zip(cases, (1e-8, 1e8, 1.0), strict=True):
        case["dout"] = scale * case.dout
    judge.examine(cases)


def special_gradients(judge):
    """Nearly without a mean (with none, dbeta is nothing but rounding), nearly along x alone, in one entry only."""
    cases = [layer(judge, (8, 3)) for _ in range(3)]
    cases[0]["dout"] = cases[0].dout - cases[0].dout.mean(axis=0) + 1e-3
    cases[1]["dout"] = cases[1].x - cases[1].x.mean(axis=0) + 1e-2
    cases[2]["dout"] = np.zeros((8, 3))
    cases[2]["dout"][3, 1] = 1.0
    judge.examine(cases)


def other_layouts(judge):
    judge.examine(list(layouts(layer(judge, (6, 4)))))


def in_float32(judge):
    judge.examine([float32(layer(judge, (8, 3))) for _ in range(3)])


@hidden(normalization.layer_gradient)
def test_layer_gradient(judge):
    judge.derivation()


@hidden(normalization.beta_gradient)
def test_beta_gradient(judge):
    judge.derivation()


@hidden(normalization.gamma_gradient)
def test_gamma_gradient(judge):
    judge.derivation()


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_ordinary(judge):
    ordinary(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_shapes(judge):
    shapes(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_eps(judge):
    epsilons(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_small_variance(judge):
    small_variance(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_far(judge):
    far_away(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_tiny_and_huge(judge):
    tiny_and_huge_gradients(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_special_gradients(judge):
    special_gradients(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_layouts(judge):
    other_layouts(judge)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_float32(judge):
    in_float32(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_ordinary(judge):
    ordinary(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_shapes(judge):
    shapes(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_eps(judge):
    epsilons(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_small_variance(judge):
    small_variance(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_far(judge):
    far_away(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_tiny_and_huge(judge):
    tiny_and_huge_gradients(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_special_gradients(judge):
    special_gradients(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_layouts(judge):
    other_layouts(judge)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_float32(judge):
    in_float32(judge)


# eq. 3.29


def off_centre(judge, shape, eps=0.1, scale=1.0, offset=0.0):
    xc = scattered(judge, shape, scale, offset)
    return Case(dout=upstream(judge, xc), xc=xc, eps=eps)


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_shapes(judge):
    judge.examine([off_centre(judge, shape) for shape in SHAPES])


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_centred_and_nearly_so(judge):
    cases = [off_centre(judge, (7, 3), eps) for eps in EPSILONS]
    for case, shift in zip(cases, (0.0, 1e-3, -0.01, 0.1, -0.5), strict=True):
        case["xc"] = case.xc - case.xc.mean(axis=0) + shift
    judge.examine(cases)


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_eps_and_scale(judge):
    judge.examine([off_centre(judge, (6, 2), eps, scale) for eps in EPSILONS for scale in (1.0, 1e-4)])


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_offset(judge):
    judge.examine([off_centre(judge, (8, 3), 0.2, offset=offset) for offset in (20.0, -20.0)])


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_layouts(judge):
    judge.examine(list(layouts(off_centre(judge, (6, 4)))))


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_float32(judge):
    judge.examine([float32(off_centre(judge, (8, 3))) for _ in range(3)])


# Measured in place of computed: a numerical derivative does not reach these digits.


@hidden(normalization.dvar_dx)
def test_dvar_dx_exact(judge):
    judge.exact(6)


@hidden(normalization.dinvstd_dx)
def test_dinvstd_dx_exact(judge):
    judge.exact(6)


@hidden(normalization.xhat_jacobian)
def test_xhat_jacobian_exact(judge):
    judge.exact(6)


@hidden(normalization.normalize_jacobian)
def test_normalize_jacobian_exact(judge):
    judge.exact(6)


@hidden(normalization.normalize_backward)
def test_normalize_backward_exact(judge):
    judge.exact(6)


@hidden(normalization.batchnorm_backward)
def test_batchnorm_backward_exact(judge):
    judge.exact(6)


@hidden(normalization.rms_scale_backward)
def test_rms_scale_backward_exact(judge):
    judge.exact(6)


@hidden(normalization.batchnorm_backward_composed)
def test_batchnorm_backward_composed_exact(judge):
    judge.exact(6)
