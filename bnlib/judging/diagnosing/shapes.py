"""Say what probably happened to a result of a wrong shape, and where a nan or inf came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import Finding, same
from bnlib.numerics import Array

Reason = tuple[str, str]
"""A name and a sentence."""


def shape_finding(
    name: str, got: Array, right: Array, known: Mapping[str, Array], mistake: Finding | None = None
) -> Finding:
    """Say that a shape is wrong; and why, where one reason makes of known quantities the very numbers that came back.

    Args:
        name: The output.
        got: What came back.
        right: What should have.
        known: Quantities of the computation, by name.
        mistake: One that has a name and computes these numbers: then that is the reason.
    """
    if mistake:
        names, words = mistake.names, mistake.message
    else:
        slug, words = _of_the_shape(got, right) or _of_the_values(got, right, known) or ("", "")
        names = (slug,) if slug else ()
    message = f"{name} has shape {got.shape} and should have {right.shape}. {words}".rstrip()
    return Finding(("wrong-shape", *names), message)


def _of_the_shape(got: Array, right: Array) -> Reason | None:
    """What the two shapes tell for certain."""
    if right.ndim == 2 and got.shape == right.shape[::-1]:
        return "transposed", "The two directions are exchanged: something is transposed."
    orders = itertools.permutations(range(right.ndim)) if got.ndim == right.ndim > 2 else ()
    if any(same(got.transpose(order), right) for order in orders):
        return "index-order", "The numbers are right, and their indices stand in another order: which comes first?"
    if got.ndim > right.ndim and tuple(n for n in got.shape if n != 1) == right.shape:
        return "keepdims", "One direction of length 1 is left over: look at keepdims, reshape and None."
    if right.ndim == 2 and got.ndim == 1 and same(got, right.ravel()):
        return "flattened", "The array has been flattened."
    if right.ndim == 2 and got.shape == right.shape[1:] and same(np.zeros(right.shape) + got, right):
        return "one-row", "Its numbers are right, and they are one row: every example has a row of its own."
    return None


def _of_the_values(got: Array, right: Array, known: Mapping[str, Array]) -> Reason | None:
    """Each way of losing or keeping a direction, tried on the known quantities, their products, and what is right."""
    if not np.any(got):
        return None
    arrays = {name: value for name, value in known.items() if 0 < value.ndim <= 2 and value.size}
    names = list(arrays)
    pairs = [(one, other) for index, one in enumerate(names) for other in names[index:]]
    summands = [right, *arrays.values(), *_products(arrays, pairs)]
    for values in summands:
        if values.ndim == 2 and right.ndim == 1 and _is_any(got, [values]) and _is_any(right, _sums(values, 0)):
            return "not-summed", "The first direction is still there: nothing has been summed over it."
    for axis, slug, words in (
        (None, "summed-to-a-number", "One number came out: a sum or mean without axis= runs over everything."),
        (
            0,
            "rows-summed-away",
            "A sum or mean over axis 0 has taken the direction of the rows away.",
        ),
        (1, "columns-summed-away", "A sum or mean over axis 1 has taken the direction of the columns away."),
    ):
        for values in summands if axis != 0 or right.ndim == 2 else ():
            if values.ndim == 2 and _is_any(got, _sums(values, axis)):
                return slug, words
    for one, other in pairs:
        for product, said in _matrix_products(arrays[one], arrays[other], one, other):
            if _is_any(got, [product]):
                slug = "matrix-product-for-sum" if right.ndim == 1 else "matrix-product"
                return slug, f"It is {said}."
    if got.ndim == 2 and len(set(got.shape)) == 1 and len(got) > 1 and not np.any(got - np.diag(np.diag(got))):
        return (
            "only-the-diagonal",
            "Off its diagonal everything is zero, as np.diag makes it; there should be a number for each pair.",
        )
    if got.ndim == 1 and right.ndim == 2 and same(got, np.diag(right)):
        return "only-the-diagonal", "It is the diagonal alone."
    return None


def _sums(values: Array, axis: int | None) -> tuple[Array, Array]:
    return np.asarray(values.sum(axis=axis)), np.asarray(values.mean(axis=axis))


def _is_any(got: Array, values: Iterable[Array]) -> bool:
    """True when one of the values is what came back, whatever its sign."""
    return any(same(got, value) or same(got, -value) for value in values)


def _products(arrays: Mapping[str, Array], pairs: Iterable[tuple[str, str]]) -> Iterator[Array]:
    """Products entry by entry, of quantities that have one value a place, a feature or a row."""
    for one, other in pairs:
        a, b = sorted((arrays[one], arrays[other]), key=np.ndim)
        if a.shape == b.shape or (a.ndim == 1 and a.shape == b.shape[1:]):
            yield a * b
        if a.ndim < b.ndim and len(a) == len(b):
            yield a[:, None] * b


def _matrix_products(a: Array, b: Array, one: str, other: str) -> Iterator[tuple[Array, str]]:
    """Products of the two over an index, in either order, and words for them."""
    if a.ndim == b.ndim == 1:
        yield np.outer(a, b), f"the outer product of {one} and {other}"
        yield np.outer(b, a), f"the outer product of {other} and {one}"
    if a.ndim != 2 or b.ndim != 2:
        return
    for (x, y), (first, second) in (((a, b), (one, other)), ((b, a), (other, one))):
        for left, right, said in (
            (x, y, f"{first} and {second}"),
            (x.T, y, f"{first}.T and {second}"),
            (x, y.T, f"{first} and {second}.T"),
        ):
            if left.shape[1] == right.shape[0]:
                yield left @ right, f"the matrix product (@ or dot) of {said}"


def nonfinite_origin(name: str, array: Array, where: tuple[int, ...], case: Case) -> Finding:
    """Say that an entry is nan or inf, and where it came from as far as the inputs tell."""
    what = "nan" if np.isnan(array[where]) else "inf"
    slug, words = _origin(where, case) or (
        "",
        "Look for 0/0, inf/inf (np.exp of a number above 709 is inf), or the square root of a negative number (a variance that "
        "came out below zero)."
        if what == "nan"
        else "Look for a division by zero, the logarithm of zero, or np.exp of a number above 709.",
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
