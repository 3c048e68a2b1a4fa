"""One name for one mistake: what the collection calls it is what the checks say, in every exercise.

Where two mistakes compute the same, the collection lists both names (``a | b``), and the message has to be true of either.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

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
    "inv-std-twice": _BACKWARD,
    "no-root": (*_ROOTS, *_BACKWARD[:2], "layer.batchnorm_train_backward"),
    "only-the-diagonal": ("translation.center_backward", *_LAYERS, "normalization.normalize_backward"),
    "parameter-updated": (*_PARAMETERS, "layer.affine_backward", "layer.block_backward"),
    "path-through-the-mean-missing": ("translation.center_backward", *_LAYERS, "layer.block_backward"),
    "path-through-the-mean-sign": ("translation.center_backward", *_LAYERS, "normalization.normalize_backward"),
    "path-through-the-variance-missing": (*_LAYERS, "layer.block_backward", "normalization.normalize_backward"),
    "path-through-the-variance-sign": (*_LAYERS, "layer.block_backward", "normalization.normalize_backward"),
    "shift-missing": (
        *_FORWARD,
        "layer.batchnorm_eval_forward",
        "layer.block_forward",
        "layer.fold_into_affine",
        "chain_rule.scale_shift_forward",
    ),
    "swapped": (*_PARAMETERS, "layer.affine_backward", "layer.block_backward"),
    "var-for-mu": (*_FORWARD, "layer.batchnorm_eval_forward", "layer.fold_into_affine"),
}
"""From a mistake to exercises that contain the step it is made in: each of them has wrong answers with it."""

BESIDE: dict[str, tuple[str, ...]] = {
    "old-weight-missing": ("old-average-over-old_weight", "old-average-doubled"),
    "uphill": ("step-sign",),
    "rate-missing": ("step-over-rate",),
    "rate-twice": ("step-times-rate",),
    "half-a-step": ("step-halved",),
    "averaged-twice": ("step-over-N",),
    "summed-loss": ("step-times-N",),
    "step-alone": ("parameters-missing", "bias-missing"),
    "factor-2-missing": ("difference-quotient-doubled", "one-sided"),
    "sum-for-mean": ("step-times-N",),
    "gradient-alone": ("bias-missing", "parameters-missing", "step-alone"),
    "loss-sign": ("sign",),
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
    "direct-path-missing": ("*-zero", "dout-missing"),
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
    "inv-std-twice": ("*-times-inv_std", "inv-std-for-gamma"),
    "no-root": ("*-over-sigma", "*-times-inv_std", "inv-std-for-gamma"),
    "normalization-missing": ("h-for-y",),
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
    "inv-rms-missing": ("*-over-inv_rms",),
    "inv-std-missing": ("*-times-sigma", "*-over-inv_std"),
    "sum-over-the-batch-sign": ("dgamma-sign",),
    "times-output": ("times-input",),
    "wrong-start": ("running-var-zero",),
    "unbiased-for-biased": ("variances-exchanged",),
    "x-for-xc": ("x-for-x-hat",),
    "xc-for-x-hat": ("path-through-the-variance-over-inv_std", "path-through-the-variance-over-inv_std^2"),
    "xc-for-z": (
        "path-through-the-root-mean-square-over-inv_rms",
        "path-through-the-root-mean-square-over-inv_rms^2",
        "lost-parentheses",
    ),
}
"""What is as good where another mistake stands beside it: on what that leaves, the two compute the same."""


def said(wanted: str, found: Iterable[str], beside: bool = False) -> bool:
    """Whether a name is among those found; ``*`` in it stands for anything; ``beside`` another mistake."""
    meant = (wanted, *(BESIDE.get(wanted, ()) if beside else ()))
    return any(fnmatchcase(name, one) for name in found for one in meant)


def named(names: str, found: Iterable[str], beside: bool = False) -> bool:
    """True when the names found say what ``names`` (``a & b | c``) asks for; ``beside`` another mistake."""
    found = tuple(found)
    return any(
        all(said(one.strip(), found, beside or "&" in choice) for one in choice.split("&"))
        for choice in names.split("|")
    )
