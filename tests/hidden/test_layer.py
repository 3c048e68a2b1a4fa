"""Lesson 05: what the grade of record looks at."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import layer

SHAPES = [(3, 1), (3, 7), (4, 4), (16, 1), (33, 5), (100, 7)]
CONVENTIONS = ("cs231n", "pytorch")


def float32(case):
    return Case({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in case.items()})


def laid_out(case):
    """The same numbers, in memory the other way round, and with gaps between them."""
    arrays = {k: v for k, v in case.items() if isinstance(v, np.ndarray)}
    gaps = {k: np.repeat(v, 3, axis=-1)[..., ::3] for k, v in arrays.items()}
    backwards = {k: v[::-1].copy()[::-1] for k, v in arrays.items()}
    return [
        Case({**case, **{k: np.asfortranarray(v) for k, v in arrays.items()}}),
        Case({**case, **gaps}),
        Case({**case, **backwards}),
    ]


def settings(convention, momentum=0.8, eps=1e-3):
    return {"momentum": momentum, "eps": eps, "convention": convention}


def normalization(judge, N, D, scale=1.0, offset=0.0, **given):
    """All that a normalization takes: features differ in location and spread; ``scale`` stretches x alone."""
    rng = judge.rng
    sign = rng.choice([-1.0, 1.0], size=D)
    x = offset + scale * (rng.uniform(1, 4, size=D) + rng.uniform(0.5, 2, size=D) * rng.normal(size=(N, D)))
    return Case(
        x=x,
        gamma=rng.uniform(0.4, 2.5, size=D) * sign,
        beta=rng.normal(size=D) + sign,
        running_mean=offset + scale * rng.uniform(0.5, 5, size=D),
        running_var=scale**2 * rng.uniform(0.3, 3, size=D),
        dout=rng.normal(size=(N, D)) + 0.6,
        **given,
    )


def with_settings(judge, shapes, scale=1.0, offset=0.0, **given):
    return [
        normalization(judge, N, D, scale, offset, **settings(convention, **given))
        for N, D in shapes
        for convention in CONVENTIONS
    ]


# eqs. 5.2, 5.3


def averages(judge, D, momentum, scale=1.0):
    for convention in CONVENTIONS:
        running, batch = scale * judge.rng.uniform(1, 5, size=(2, D))
        yield Case(running=running, batch=batch, momentum=momentum, convention=convention)


@hidden(layer.update_running)
def test_update_running_ordinary(judge):
    judge.examine(judge.draw(20))


@hidden(layer.update_running)
def test_update_running_momenta(judge):
    judge.examine(
        [case for momentum in (0.0, 0.01, 0.1, 0.5, 0.9, 0.999, 1.0) for case in averages(judge, 6, momentum)]
    )


@hidden(layer.update_running)
def test_update_running_sizes_and_scales(judge):
    judge.examine([case for D in (1, 2, 50) for case in averages(judge, D, 0.7)])
    judge.examine([*averages(judge, 5, 0.7, scale=1e-8), *averages(judge, 5, 0.7, scale=1e8)])


@hidden(layer.update_running)
def test_update_running_float32(judge):
    judge.examine([float32(case) for case in judge.draw(4)])


# eqs. 5.1, 5.6


def batches(judge, shapes, scale=1.0, offset=0.0):
    return [
        Case(x=normalization(judge, N, D, scale, offset).x, convention=convention)
        for N, D in shapes
        for convention in CONVENTIONS
    ]


@hidden(layer.kept_variance)
def test_kept_variance_ordinary(judge):
    judge.examine(judge.draw(20))


@hidden(layer.kept_variance)
def test_kept_variance_shapes(judge):
    judge.examine(batches(judge, [*SHAPES, (2, 3)]))


@hidden(layer.kept_variance)
def test_kept_variance_tiny_and_huge(judge):
    judge.examine([*batches(judge, SHAPES, scale=1e-4), *batches(judge, SHAPES, scale=1e6)])


@hidden(layer.kept_variance)
def test_kept_variance_large_offset(judge):
    judge.examine(batches(judge, SHAPES, offset=1e5))


@hidden(layer.kept_variance)
def test_kept_variance_one_example(judge):
    judge.examine([Case(x=judge.rng.normal(size=(1, 4)), convention="cs231n")])


@hidden(layer.kept_variance)
def test_kept_variance_float32_and_layouts(judge):
    judge.examine([float32(case) for case in batches(judge, SHAPES)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.1 and the running statistics


@hidden(layer.batchnorm_train_forward)
def test_train_forward_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.batchnorm_train_forward)
def test_train_forward_shapes(judge):
    judge.examine(with_settings(judge, [*SHAPES, (2, 3)]))


@hidden(layer.batchnorm_train_forward)
def test_train_forward_eps_and_momentum(judge):
    for eps in (1e-8, 1e-5, 0.3):
        judge.examine(with_settings(judge, [(6, 4), (20, 3)], eps=eps, momentum=0.35))


@hidden(layer.batchnorm_train_forward)
def test_train_forward_eps_matters(judge):
    """Variance about 1e-6, and about 1e-8."""
    judge.examine(with_settings(judge, [(6, 4), (9, 3)], scale=1e-3, eps=1e-5))
    judge.examine(with_settings(judge, [(6, 4), (9, 3)], scale=1e-4, eps=1e-8))


@hidden(layer.batchnorm_train_forward)
def test_train_forward_large_offset_and_scale(judge):
    judge.examine(with_settings(judge, [(7, 4)], offset=1e3))
    judge.examine(with_settings(judge, [(7, 4)], offset=-4e4))
    judge.examine(with_settings(judge, [(7, 4)], scale=1e5))


@hidden(layer.batchnorm_train_forward)
def test_train_forward_one_example(judge):
    judge.examine([normalization(judge, 1, D, **settings("cs231n")) for D in (1, 4)])


@hidden(layer.batchnorm_train_forward)
def test_train_forward_float32_and_layouts(judge):
    judge.examine([float32(case) for case in with_settings(judge, [(8, 4), (30, 3)])])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eqs. 5.7, 5.8


@hidden(layer.batchnorm_train_backward)
def test_train_backward_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.batchnorm_train_backward)
def test_train_backward_shapes(judge):
    judge.examine(with_settings(judge, SHAPES))


@hidden(layer.batchnorm_train_backward)
def test_train_backward_eps_matters(judge):
    judge.examine(with_settings(judge, [(6, 4), (9, 3)], scale=1e-3, eps=1e-6))
    judge.examine(with_settings(judge, [(6, 4), (9, 3)], scale=1e-4, eps=1e-8))
    judge.examine(with_settings(judge, [(6, 4), (9, 3)], eps=0.4))


@hidden(layer.batchnorm_train_backward)
def test_train_backward_large_offset_and_scale(judge):
    judge.examine(with_settings(judge, [(7, 4)], offset=1e3))
    judge.examine(with_settings(judge, [(7, 4)], scale=1e4))


@hidden(layer.batchnorm_train_backward)
def test_train_backward_float32_and_layouts(judge):
    judge.examine([float32(case) for case in with_settings(judge, [(8, 4), (30, 3)])])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.9


@hidden(layer.batchnorm_eval_forward)
def test_eval_forward_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.batchnorm_eval_forward)
def test_eval_forward_shapes(judge):
    judge.examine([normalization(judge, N, D, eps=1e-3) for N, D in [*SHAPES, (1, 1), (1, 6), (2, 3)]])


@hidden(layer.batchnorm_eval_forward)
def test_eval_forward_eps_matters(judge):
    judge.examine([normalization(judge, 6, 4, scale=1e-3, eps=1e-5), normalization(judge, 6, 4, scale=1e-4, eps=1e-8)])
    judge.examine([normalization(judge, 6, 4, eps=0.5), normalization(judge, 1, 4, eps=0.5)])


@hidden(layer.batchnorm_eval_forward)
def test_eval_forward_offset_float32_and_layouts(judge):
    judge.examine([normalization(judge, 6, 4, offset=1e3, eps=1e-3), normalization(judge, 6, 4, scale=1e5, eps=1e-3)])
    judge.examine([float32(case) for case in judge.draw(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.11


@hidden(layer.evaluation_gradient)
def test_evaluation_gradient(judge):
    judge.derivation()


@hidden(layer.batchnorm_eval_backward)
def test_eval_backward_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.batchnorm_eval_backward)
def test_eval_backward_shapes(judge):
    judge.examine([normalization(judge, N, D, eps=1e-3) for N, D in [*SHAPES, (1, 1), (1, 6)]])


@hidden(layer.batchnorm_eval_backward)
def test_eval_backward_eps_matters(judge):
    judge.examine([normalization(judge, 6, 4, scale=1e-3, eps=1e-5), normalization(judge, 6, 4, scale=1e-4, eps=1e-8)])
    judge.examine([normalization(judge, 6, 4, eps=0.5)])


@hidden(layer.batchnorm_eval_backward)
def test_eval_backward_float32_and_layouts(judge):
    judge.examine([float32(case) for case in judge.draw(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.13


@hidden(layer.undo_normalization)
def test_undo_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.undo_normalization)
def test_undo_shapes_and_eps(judge):
    judge.examine([Case(x=normalization(judge, N, D).x, eps=eps) for N, D in [*SHAPES, (1, 3)] for eps in (1e-5, 0.4)])
    judge.examine([Case(x=normalization(judge, 6, 4, scale=1e-3).x, eps=1e-6)])


@hidden(layer.undo_normalization)
def test_undo_offset_float32_and_layouts(judge):
    judge.examine([Case(x=normalization(judge, 6, 4, offset=1e3).x, eps=1e-3)])
    judge.examine([float32(case) for case in judge.draw(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.15


def affine(judge, N, D, H, scale=1.0):
    shapes = {"dh": (N, H), "x": (N, D), "W": (D, H)}
    return Case({name: scale * (judge.rng.normal(size=shape) + 0.4) for name, shape in shapes.items()})


@hidden(layer.affine_backward)
def test_affine_backward_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.affine_backward)
def test_affine_backward_square_and_thin(judge):
    judge.examine(
        [affine(judge, *sizes) for sizes in ((4, 4, 4), (6, 6, 6), (1, 3, 2), (5, 1, 3), (5, 3, 1), (40, 20, 30))]
    )


@hidden(layer.affine_backward)
def test_affine_backward_scales_float32_and_layouts(judge):
    judge.examine([affine(judge, 7, 3, 5, scale=1e-6), affine(judge, 7, 3, 5, scale=1e6)])
    judge.examine([float32(case) for case in judge.draw(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.16


@hidden(layer.relu_backward)
def test_relu_backward_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.relu_backward)
def test_relu_backward_shapes_scales_and_layouts(judge):
    for scale in (1e-9, 1.0, 1e9):
        judge.examine(
            [Case(da=judge.rng.normal(size=s) + 0.3, y=scale * judge.rng.normal(size=s)) for s in [*SHAPES, (1, 8)]]
        )
    judge.examine([float32(case) for case in judge.draw(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.17


def block(judge, N, D, H, scale=1.0, eps=1e-3, offset=0.0):
    """Outputs far from ReLU's corner, so that rounding decides nothing there."""
    rng = judge.rng
    while True:
        case = Case(
            x=offset + scale * (rng.normal(size=(N, D)) + 1.0),
            W=rng.normal(size=(D, H)),
            b=rng.normal(size=H) + 1.0,
            gamma=rng.uniform(0.4, 2.0, size=H) * rng.choice([-1.0, 1.0], size=H),
            beta=rng.uniform(0.2, 0.8, size=H),
            eps=eps,
            da=rng.normal(size=(N, H)) + 0.6,
        )
        h = case.x @ case.W
        y = case.gamma * (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + eps) + case.beta
        if np.min(np.abs(y)) > 1e-4:
            return case


BLOCKS = [(5, 3, 4), (8, 4, 3), (6, 1, 2), (7, 5, 1), (16, 4, 4), (30, 6, 5)]


@hidden(layer.block_forward)
def test_block_forward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(layer.block_forward)
def test_block_forward_sizes_and_eps(judge):
    judge.examine([block(judge, *sizes) for sizes in BLOCKS])
    judge.examine([block(judge, 8, 4, 3, scale=1e-3, eps=1e-6), block(judge, 8, 4, 3, eps=0.5)])


@hidden(layer.block_forward)
def test_block_forward_offset_float32_and_layouts(judge):
    judge.examine([block(judge, 8, 4, 3, offset=1e3), block(judge, 8, 4, 3, scale=1e4)])
    judge.examine([float32(block(judge, 8, 4, 3)) for _ in range(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.18


@hidden(layer.bias_before_gradient)
def test_bias_before_gradient(judge):
    judge.derivation()


@hidden(layer.block_backward)
def test_block_backward_ordinary(judge):
    judge.examine(judge.draw(10))


@hidden(layer.block_backward)
def test_block_backward_sizes_and_eps(judge):
    judge.examine([block(judge, *sizes) for sizes in BLOCKS])
    judge.examine([block(judge, 8, 4, 3, scale=1e-3, eps=1e-6), block(judge, 8, 4, 3, eps=0.5)])


@hidden(layer.block_backward)
def test_block_backward_float32_and_layouts(judge):
    judge.examine([float32(block(judge, 8, 4, 3)) for _ in range(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# eq. 5.19


def fold(judge, D, H, scale=1.0, eps=1e-3):
    given = normalization(judge, 3, H, scale=scale, eps=eps)
    del given["x"], given["dout"]
    return Case(W=judge.rng.normal(size=(D, H)), b=scale * (judge.rng.normal(size=H) + 1.0), **given)


@hidden(layer.fold_into_affine)
def test_fold_ordinary(judge):
    judge.examine(judge.draw(12))


@hidden(layer.fold_into_affine)
def test_fold_sizes(judge):
    judge.examine([fold(judge, *sizes) for sizes in ((4, 4), (6, 6), (1, 5), (5, 1), (30, 12))])


@hidden(layer.fold_into_affine)
def test_fold_eps_matters(judge):
    judge.examine(
        [fold(judge, 3, 5, scale=1e-3, eps=1e-6), fold(judge, 3, 5, scale=1e-4, eps=1e-8), fold(judge, 3, 5, eps=0.5)]
    )


@hidden(layer.fold_into_affine)
def test_fold_float32_and_layouts(judge):
    judge.examine([float32(case) for case in judge.draw(3)])
    judge.examine([other for case in judge.draw(2) for other in laid_out(case)])


# the layer


def lives(judge, sizes, D, convention, scale=1.0, offset=0.0, defaults=False, **given):
    """A life of the layer: two training batches and one to serve, each of a size of its own."""
    given = settings(convention, **given)
    cases = [normalization(judge, N, D, scale, offset, **given) for N in sizes]
    batches = {f"x{i}": case.x for i, case in enumerate(cases, 1)}
    gradients = {f"dout{i}": case.dout for i, case in enumerate(cases, 1)}
    return Case(**batches, **gradients, gamma=cases[0].gamma, beta=cases[0].beta, **given, defaults=defaults)


@hidden(layer.BatchNorm)
def test_layer_ordinary(judge):
    judge.examine(judge.draw(8))


@hidden(layer.BatchNorm)
def test_layer_batches_of_different_size(judge):
    judge.examine([lives(judge, sizes, 3, c) for sizes in ((8, 5, 3), (4, 9, 1), (30, 6, 12)) for c in CONVENTIONS])


@hidden(layer.BatchNorm)
def test_layer_defaults(judge):
    usual = {"momentum": 0.9, "eps": 1e-5, "defaults": True}
    judge.examine([lives(judge, (6, 6, 6), 4, "cs231n", **usual), lives(judge, (5, 8, 1), 3, "cs231n", **usual)])


@hidden(layer.BatchNorm)
def test_layer_momentum_and_eps(judge):
    judge.examine(
        [lives(judge, (6, 6, 6), 4, c, momentum=m, eps=e) for c in CONVENTIONS for m, e in ((0.1, 1e-8), (0.99, 0.3))]
    )
    judge.examine([lives(judge, (6, 7, 6), 4, c, scale=1e-3, eps=1e-6) for c in CONVENTIONS])


@hidden(layer.BatchNorm)
def test_layer_offset_float32_and_layouts(judge):
    judge.examine([lives(judge, (6, 7, 6), 3, c, offset=1e3) for c in CONVENTIONS])
    judge.examine([float32(lives(judge, (6, 7, 6), 3, c)) for c in CONVENTIONS])
    judge.examine([other for case in judge.draw(1) for other in laid_out(case)])


# Measured in place of computed: a numerical derivative does not reach these digits.


@hidden(layer.batchnorm_train_backward)
def test_batchnorm_train_backward_exact(judge):
    judge.exact(6)


@hidden(layer.block_backward)
def test_block_backward_exact(judge):
    judge.exact(6)


@hidden(layer.BatchNorm)
def test_layer_exact(judge):
    judge.exact(6)
