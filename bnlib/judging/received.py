"""What came back from a learner's function, sorted into named arrays, or what is wrong with it before a number is compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case
from bnlib.judging.comparing import agrees
from bnlib.judging.diagnosing.evidence import Evidence, Finding
from bnlib.judging.diagnosing.shapes import nonfinite_origin, shape_finding
from bnlib.judging.diagnosing.slips import diagnose
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
    misshapen: dict[str, Array] = {}
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
            kind = _kind(value[name])
            given = "returned-complex" if kind.startswith("complex") else "wrong-type"
            return Finding((given,), f"{name} should be an array of real numbers, and is {kind}"), {}
        wanted = right[name].shape
        if array.shape != wanted and array.shape == (1, *wanted):
            remarks.append(f"{name} has a direction of length 1 in front that was not asked for; that is accepted.")
            array = array[0]
        if array.shape != wanted and not walk:
            misshapen[name] = array
            continue
        if not np.all(np.isfinite(array)) and np.all(np.isfinite(right[name])):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            return nonfinite_origin(name, array, where, case), {}
        arrays[name] = array
    if not misshapen:
        return None, arrays
    if order := another_order(checks, case, {**arrays, **misshapen}, right):
        return order, {}
    findings = [misshapen_output(checks, case, name, array, right) for name, array in misshapen.items()]
    arrays |= {name: array.T for name, array in misshapen.items() if array.shape == right[name].shape[::-1]}
    return together(*findings), arrays


def _kind(value: Any) -> str:
    """Words for what came back in the place of real numbers."""
    if value is None:
        return "None."
    try:
        kind = np.asarray(value).dtype.kind
    except (ValueError, TypeError):
        return f"a {type(value).__name__} that numpy makes no array of: do its rows differ in length?"
    if kind == "c":
        return "complex: a derivative by a complex step stands in the imaginary part alone."
    return f"a {type(value).__name__}{' of objects' if kind == 'O' and isinstance(value, np.ndarray) else ''}."


@dataclass(frozen=True)
class Ordered(Finding):
    """Outputs that stand in another order: from each place to what stands there."""

    order: Mapping[str, str]

    def sorted(self, returns: Sequence[str], value: Any) -> Any:
        """The values in the order that was asked for."""
        stands = dict(zip(returns, value, strict=True))
        where = {there: here for here, there in self.order.items()}
        return tuple(stands[where.get(name, name)] for name in returns)


def another_order(checks: Checks, case: Case, got: Mapping[str, Array], right: Mapping[str, Array]) -> Ordered | None:
    """The order in which all shapes are right, or two values that are displaced, and of several that in which most values are."""

    @cache
    def exact(here: str, there: str) -> bool:
        return agrees(checks, there, case, got[here], right[there])

    def fits(order: Mapping[str, str]) -> tuple[int, int]:
        shapes = sum(got[here].shape == right[there].shape for here, there in order.items())
        return shapes, sum(exact(*pair) for pair in order.items())

    if checks.stub.methods:  # its outputs are not returned in any order
        return None
    best = max((dict(zip(got, there, strict=True)) for there in itertools.permutations(got)), key=fits)
    displaced = {here: there for here, there in best.items() if here != there}
    known = sum(exact(*pair) for pair in displaced.items())
    if not displaced or (fits(best)[0] < len(got) and known < 2):
        return None
    said = in_each_others_place(displaced).message
    if known < len(displaced):
        misplaced = [name for name in got if got[name].shape != right[name].shape]
        shapes = ", ".join(f"{name} has {got[name].shape} for {right[name].shape}" for name in misplaced)
        said = f"The shapes are right in another order ({shapes}): see the order in the docstring."
    return Ordered(("wrong-shape", "swapped"), said, displaced)


def in_each_others_place(moved: Mapping[str, str]) -> Finding:
    """Words for right values that stand in the places of others."""
    if len(moved) <= 2:
        a, b = list(dict.fromkeys([*moved, *moved.values()]))[:2]
        said = f"{a} and {b} are in each other's place"
    else:
        said = "The values are right and in another order: " + ", ".join(f"{v} stands at {k}" for k, v in moved.items())
    return Finding(("swapped",), f"{said}: see the order in the docstring.")


def misshapen_output(checks: Checks, case: Case, name: str, got: Array, right: Mapping[str, Array]) -> Finding:
    """What is known about an output of a wrong shape: the reason, and a named slip that has that shape."""
    known = {key: value for key, value in case.items() if isinstance(value, np.ndarray)}
    known |= {**(checks.known.quantities(case) if checks.known else {}), **right}
    ways = checks.known.of(name) if checks.known else ()
    why = diagnose(name, [Evidence(case, got, np.zeros_like(got))], (), checks.slips, thorough=False, ways=ways)
    shape = shape_finding(name, got, right[name], known)
    return together(shape, why) if why else shape


def together(*findings: Finding) -> Finding:
    """Several findings as one."""
    names = dict.fromkeys(name for finding in findings for name in finding.names)
    return Finding(tuple(names), " ".join(finding.message for finding in findings).strip())


def changed_input(before: Case, after: Case) -> str | None:
    """Name of an input array that is no longer what it was."""
    for name, value in before.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, after[name], equal_nan=True):
            return name
    return None
