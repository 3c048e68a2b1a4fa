"""One name for one mistake: what the collection calls it, and what the checks call it today where that is something else.

``TODAY[name]`` lists the other names that mean the same. They are deviations: a teacher who counts mistakes over exercises counts
them apart. A test holds this table against what the checks say: a name that nobody says any more has to go.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

TODAY: dict[str, tuple[str, ...]] = {
    "batch-not-copied": ("one-row",),
    "beta-missing": (
        "shift-missing",
        "shift-beta-missing",
    ),
    "beta-sign": ("shift-sign",),
    "centred-by-one-mean": ("mean-over-everything",),
    "column-index-twice": ("wrong-index",),
    "dgamma-with-x": (
        "x-for-x-hat",
        "h-for-x-hat",
    ),
    "dgamma-with-xc": ("xc-for-x-hat",),
    "dgamma-without-x-hat": ("x-hat-missing",),
    "dmu-not-summed": ("only-the-diagonal",),
    "dxc-without-z": ("z-missing",),
    "exponent-two": ("exponent",),
    "gamma-left-inside": ("lost-parentheses",),
    "gamma-missing": ("scaled-part-over-gamma",),
    "last-term-along-the-rows": ("wrong-index",),
    "lost-parentheses": ("eps-outside-the-fraction",),
    "mu-term-missing": ("term-missing",),
    "mu-term-sign": ("sign",),
    "no-root": ("inv-std-twice",),
    "no-root-no-eps": (
        "var-for-std",
        "running-var-for-std",
    ),
    "not-centred": ("x-for-xc",),
    "one-over-D": ("share-of-each-example-D-for-N",),
    "path-through-the-mean-D-for-N": ("D-for-N",),
    "path-through-the-mean-over-gamma": ("lost-parentheses",),
    "path-through-the-mean-times-N": ("sum-for-mean",),
    "path-through-the-variance-D-for-N": ("D-for-N",),
    "path-through-the-variance-over-gamma": (
        "gamma-missing",
        "lost-parentheses",
    ),
    "path-through-the-variance-times-N": ("sum-for-mean",),
    "row-index-twice": ("wrong-index",),
    "std-missing": (
        "xc-for-x-hat",
        "inv-std-missing",
        "inv-rms-missing",
    ),
    "std-multiplied": ("std-for-inv-std",),
    "std-root-of-var": ("std-for-variance",),
    "sum-for-mean": ("variance-summed",),
    "sum-over-the-batch-sign": (
        "dgamma-sign",
        "dbeta-sign",
    ),
    "term-of-the-mean-times-N": ("not-divided",),
    "x-for-deviation": ("mu-missing",),
    "x-for-first-x-hat": ("x-for-x-hat",),
    "x-for-second-x-hat": ("x-for-x-hat",),
    "x-hat-inside-the-mean": ("mean-of-a-product",),
    "x-term-missing": ("term-missing",),
    "x-term-sign": ("sign",),
    "xc-for-one-x-hat": ("xc-for-x-hat",),
    "xc-for-one-z": ("lost-parentheses",),
}
"""From the one name to those that the checks give in its place today; ``*`` stands for anything."""

NOT_YET: dict[str, dict[str, int]] = {}
"""From a mistake to exercises, and how many wrong answers are not called so there today, or told something false, or accepted;
``python benchmarks/messages.py --not-yet`` prints the file this is read from."""

for _line in Path(__file__).with_name("not_yet.txt").read_text().splitlines():
    _names, _, _counts = _line.partition(": ")
    NOT_YET[_names] = {exercise: int(count) for exercise, count in (one.split() for one in _counts.split(", "))}

_FORWARD = ("normalization.batchnorm_forward", "gates.gates_forward", "layer.batchnorm_train_forward")
_BACKWARD = ("normalization.batchnorm_backward", "normalization.batchnorm_backward_composed", "gates.folded_backward")
_LAYERS = (*_BACKWARD, "layer.batchnorm_train_backward")
_ROOTS = (
    *_FORWARD,
    "layer.batchnorm_eval_forward",
    "layer.block_forward",
    "layer.fold_into_affine",
    "layer.undo_normalization",
)
_PARAMETERS = (*_LAYERS, "gates.gates_backward", "layer.batchnorm_eval_backward", "chain_rule.scale_shift_backward")
_MEANS = ("translation.center", "translation.center_backward", *_FORWARD, *_LAYERS, "normalization.rms_scale_backward")

SAME_STEP: dict[str, tuple[str, ...]] = {
    "bessel": (*_FORWARD, "normalization.batch_statistics", "layer.block_forward", "layer.undo_normalization"),
    "beta-missing": (
        *_FORWARD,
        "layer.batchnorm_eval_forward",
        "layer.block_forward",
        "chain_rule.scale_shift_forward",
    ),
    "cache-order": ("normalization.batchnorm_backward", "gates.gates_backward", "layer.block_backward"),
    "eps-fixed": _ROOTS,
    "eps-missing": _ROOTS,
    "eps-outside-the-root": _ROOTS,
    "first-example-left-out": (
        "translation.center",
        "normalization.batch_statistics",
        *_FORWARD,
        "layer.block_forward",
    ),
    "gamma-in-dbeta": _PARAMETERS,
    "gamma-in-dgamma": _PARAMETERS,
    "gamma-missing": (*_FORWARD, *_LAYERS, "layer.block_backward", "chain_rule.scale_shift_backward"),
    "lost-parentheses": (*_FORWARD, "layer.batchnorm_eval_forward", "layer.block_forward", "layer.BatchNorm"),
    "mean-for-sum": (*_PARAMETERS, "layer.affine_backward", "layer.block_backward"),
    "mean-over-everything": _MEANS,
    "mean-over-features": _MEANS,
    "mu-for-var": (*_FORWARD, "layer.batchnorm_eval_forward", "layer.block_forward"),
    "no-root": (*_ROOTS, *_LAYERS),
    "only-the-diagonal": ("translation.center_backward", *_LAYERS, "normalization.normalize_backward"),
    "parameter-updated": (*_PARAMETERS, "layer.affine_backward", "layer.block_backward"),
    "path-through-the-mean-missing": ("translation.center_backward", *_LAYERS, "layer.block_backward"),
    "path-through-the-mean-sign": ("translation.center_backward", *_LAYERS, "normalization.normalize_backward"),
    "path-through-the-variance-missing": (*_LAYERS, "layer.block_backward", "normalization.normalize_backward"),
    "path-through-the-variance-sign": (*_LAYERS, "layer.block_backward", "normalization.normalize_backward"),
    "swapped": (*_PARAMETERS, "layer.affine_backward", "layer.block_backward"),
    "var-for-mu": (*_FORWARD, "layer.batchnorm_eval_forward", "layer.fold_into_affine"),
}
"""From a mistake to exercises that contain the step it is made in: each of them has wrong answers with it."""

BESIDE: dict[str, tuple[str, ...]] = {
    "old-weight-missing": ("old-average-over-old_weight", "old-average-doubled"),
    "never-updated": ("running-var-zero",),
    "new-weight-missing": ("new-batch-over-new_weight", "new-batch-doubled"),
    "batch-statistics-in-evaluation": ("variance-of-the-other-mode",),
    "bessel": ("*-bessel", "unbiased-for-biased"),
    "dW-last-example-only": ("last-example-only",),
    "cache-order": ("x-for-x-hat",),
    "db-skips-the-normalization": ("db-skips-the-block",),
    "db-last-example-only": ("last-example-only",),
    "biased-for-unbiased": ("variances-exchanged",),
    "dh-over-N": ("*-over-D", "*-over-N"),
    "dh-sign": ("*-sign",),
    "direct-path-missing": ("*-zero",),
    "direct-path-over-N": ("*-over-N",),
    "direct-path-sign": ("dx-sign", "path-through-the-mean-sign", "sign"),
    "dx-over-N": ("*-over-N",),
    "eps-fixed": ("eps-missing",),
    "eps-kept": ("sigma-kept",),
    "gamma-missing": ("*-over-gamma", "inv-std-for-gamma"),
    "gamma-twice": ("*-times-gamma",),
    "matrix-product-over-N": ("dW-over-N", "mean-for-sum"),
    "matrix-product-sign": ("dW-sign",),
    "mean-for-sum": ("*-over-N",),
    "momentum-reversed": ("*-for-both",),
    "no-root-no-eps": ("v-for-std",),
    "normalization-missing": ("h-for-y",),
    "no-root": ("*-over-sigma", "*-times-inv_std", "inv-std-for-gamma"),
    "path-through-the-mean-missing": ("*-zero",),
    "path-through-the-mean-sign": ("sign",),
    "path-through-the-mean-times-N": ("direct-path-over-N",),
    "path-through-the-root-mean-square-missing": ("*-zero",),
    "path-through-the-root-mean-square-times-N": ("sum-for-mean", "direct-path-over-N"),
    "path-through-the-mean-bessel": ("bessel",),
    "path-through-the-variance-bessel": ("bessel-in-the-last-term", "bessel"),
    "path-through-the-variance-missing": ("*-zero",),
    "path-through-the-variance-times-N": ("direct-path-over-N",),
    "product-with-the-slope-over-N": ("*-over-N",),
    "product-with-the-slope-sign": ("dx-hat-sign",),
    "running-statistics-in-training": ("updated-running-statistics-in-training",),
    "start-statistics-in-training": ("never-updated",),
    "std-kept": ("sigma-kept",),
    "std-missing": ("*-over-inv_rms", "*-times-sigma", "*-over-inv_std"),
    "sum-over-the-batch-sign": ("dgamma-sign",),
    "times-output": ("times-input",),
    "wrong-start": ("running-var-zero",),
    "unbiased-for-biased": ("variances-exchanged",),
    "x-for-first-x-hat": ("x-for-x-hat",),
    "x-for-xc": ("x-for-second-x-hat",),
    "xc-for-one-x-hat": ("path-through-the-variance-over-inv_std",),
    "xc-for-one-z": ("path-through-the-root-mean-square-over-inv_rms", "lost-parentheses"),
    "xc-for-z": ("path-through-the-root-mean-square-over-inv_rms^2",),
    "xc-for-x-hat": ("path-through-the-variance-over-inv_std^2",),
}
"""What is as good where another mistake stands beside it: on what that leaves, the two compute the same."""


def said(wanted: str, found: Iterable[str], beside: bool = False) -> list[str]:
    """Those of the names found that mean the wanted one; ``*`` in ``wanted`` stands for anything."""
    meant = (wanted, *TODAY.get(wanted, ()), *(BESIDE.get(wanted, ()) if beside else ()))
    return [name for name in found if any(fnmatchcase(name, one) for one in meant)]


def named(names: str, found: Iterable[str], beside: bool = False) -> bool:
    """True when the names found say what ``names`` (``a & b | c``) asks for; ``beside`` another mistake."""
    found = tuple(found)
    return any(all(said(one.strip(), found, beside) for one in choice.split("&")) for choice in names.split("|"))
