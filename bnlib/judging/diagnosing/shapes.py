"""Say what probably happened to a result of a wrong shape, and where a nan or inf came from."""

from __future__ import annotations

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import Finding
from bnlib.numerics import Array

Shape = tuple[int, ...]


def shape_finding(name: str, got: Shape, wanted: Shape) -> Finding:
    """What a wrong shape tells: which direction was summed away, kept, added or exchanged."""
    slug, words = _reason(got, wanted)
    message = f"{name} has shape {got} and should have {wanted}. {words}".rstrip()
    return Finding(("wrong-shape", slug) if slug else ("wrong-shape",), message)


def _reason(got: Shape, wanted: Shape) -> tuple[str, str]:
    """A name and a sentence; both empty when nothing is known."""
    if got == () and wanted:
        return "summed-to-a-number", "One number came out: a sum or mean without axis= runs over everything."
    if len(wanted) == 2 and got != wanted:
        N, D = wanted
        if got == (D, N):
            return "transposed", "The two directions are exchanged: something is transposed."
        if got in ((D,), (1, D)):
            return (
                "batch-summed-away",
                "The direction of the batch has been summed away; every example has its own row here.",
            )
        if got in ((N,), (N, 1)):
            return "features-summed-away", "The direction of the features has been summed away."
        if got in ((N, N), (D, D)):
            return "matrix-product", "That is the shape of a matrix product (@ or dot), or of an outer product."
        if got == (N * D,):
            return "flattened", "The array has been flattened."
    if len(got) == len(wanted) + 1 and got[1:] == wanted:
        return "batch-not-summed", "The first direction is still there: nothing has been summed over it."
    if len(got) == len(wanted) + 1 and tuple(n for n in got if n != 1) == wanted:
        return "keepdims", "One direction of length 1 is left over: look at keepdims, reshape and None."
    if len(wanted) == 1 and len(got) == 1:
        return "wrong-length", "Was something summed over the other direction?"
    if len(wanted) == 1 and got == wanted * 2:
        return "matrix-product", "That is the shape of an outer product, or of a vector that met a column."
    return "", ""


def nonfinite_origin(name: str, array: Array, where: tuple[int, ...], case: Case) -> Finding:
    """Say that an entry is nan or inf, and where it came from as far as the inputs tell."""
    what = "nan" if np.isnan(array[where]) else "inf"
    slug, words = _origin(where, case) or (
        "",
        "Look for 0/0, or the square root of a negative number (a variance that came out below zero)."
        if what == "nan"
        else "Look for a division by zero.",
    )
    place = f"{name}{list(where)}" if where else name
    return Finding((f"returned-{what}", slug) if slug else (f"returned-{what}",), f"{place} is {what}. {words}")


def _origin(where: tuple[int, ...], case: Case) -> tuple[str, str] | None:
    """The feature of an input at which a division or a root must fail when it is written carelessly."""
    for argument, value in case.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or argument.startswith("d") or not value.ndim:
            continue
        if value.ndim == 1 and argument not in ("x", "h", "running_var"):
            continue
        feature = where[-1] if where else 0
        if value.ndim > 1 or argument == "running_var":
            if feature >= value.shape[-1]:
                continue
            column, said = value[..., feature], f"Feature {feature} of {argument}"
        else:
            column, said = value, argument
        if argument == "running_var":
            if column == 0:
                return "zero-variance", f"{said} is zero: what stands beside it under the root?"
            continue
        mean, spread = float(np.mean(column)), float(np.std(column))
        if np.all(column == column[0]):
            return (
                "constant-feature",
                f"{said} is the same in every example, so its variance is zero: what stands beside it under the root, and "
                "does it take part?",
            )
        if mean**2 * 1e-15 > spread**2:
            return (
                "negative-variance",
                f"{said} is large beside its spread: a variance that is the difference of two large numbers can come out "
                "below zero there.",
            )
    return None
