"""What came back from a learner's function, sorted into named arrays, or what is wrong with it before a number is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import Finding
from bnlib.judging.diagnosing.shapes import nonfinite_origin, shape_finding
from bnlib.numerics import Array, is_exact


def by_name(names: tuple[str, ...], value: Any) -> dict[str, Array]:
    """Right outputs by name, as float64 arrays."""
    values = value if isinstance(value, tuple) else (value,)
    return {name: np.asarray(v, dtype=np.float64) for name, v in zip(names, values, strict=True)}


def settle(
    checks: Checks, case: Case, value: Any, right: Mapping[str, Array], remarks: list[str], dtypes: dict[str, str]
) -> tuple[Finding | None, dict[str, Array]]:
    """Sort what came back into named float64 arrays of the right shapes, or say what is wrong with it.

    On a walk, an output that is None is left out, and one of a wrong shape is kept: each is its own row's matter.
    """
    stub, names, walk = checks.stub, checks.outputs, checks.walk
    if value is None:
        return Finding(("returned-none",), f"{stub.name} returned None: is the return line missing?"), {}
    if len(stub.returns) > 1:
        if not isinstance(value, (tuple, list)) or len(value) != len(stub.returns):
            got = f"{len(value)} values" if isinstance(value, (tuple, list)) else f"one {type(value).__name__}"
            names_in_order = ", ".join(stub.returns)
            return Finding(("wrong-count",), f"{stub.name} should return {names_in_order}, and returned {got}."), {}
        value = dict(zip(stub.returns, value, strict=True))
    else:
        value = {stub.returns[0]: value}
    arrays: dict[str, Array] = {}
    misshapen: list[Finding] = []
    for name in names:
        if walk and value[name] is None:
            continue
        try:
            array = np.asarray(value[name])
            if array.dtype.kind == "c" and not np.any(array.imag):
                array = array.real  # a complex step, say: the numbers are right
            if is_exact(array):
                array = array.astype(np.float64)
            if array.dtype.kind not in "fiub":
                raise TypeError
            dtypes[name] = str(array.dtype)
            array = array.astype(np.float64)
        except (ValueError, TypeError):
            kind = "None" if value[name] is None else f"a {type(value[name]).__name__}"
            return Finding(("wrong-type",), f"{name} should be an array of real numbers, and is {kind}."), {}
        wanted = right[name].shape
        if array.shape != wanted and array.shape == (1, *wanted):
            remarks.append(f"{name} has shape {array.shape} where {wanted} was asked; that is accepted.")
            array = array[0]
        if array.shape != wanted and not walk:
            misshapen.append(shape_finding(name, array.shape, wanted))
            if "transposed" in misshapen[-1].names:
                arrays[name] = array.T
            continue
        if not np.all(np.isfinite(array)) and np.all(np.isfinite(right[name])):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            return nonfinite_origin(name, array, where, case), {}
        arrays[name] = array
    if misshapen:
        names_of_all = dict.fromkeys(name for finding in misshapen for name in finding.names)
        return Finding(tuple(names_of_all), " ".join(finding.message for finding in misshapen)), arrays
    return None, arrays


def changed_input(before: Case, after: Case) -> str | None:
    """Name of an input array that is no longer what it was."""
    for name, value in before.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, after[name], equal_nan=True):
            return name
    return None
