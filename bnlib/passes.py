"""Count how often a piece of numpy walks through whole (N, D) arrays, and measure how long it takes.

On a large batch an operation such as ``a * b`` costs what it costs to bring ``a`` and ``b`` from memory and to put the
result back: two arrays read, one written. The arithmetic is free beside that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Passes:
    """How many whole arrays were read and written."""

    read: float = 0
    written: float = 0

    @property
    def total(self) -> float:
        """Both together."""
        return self.read + self.written

    def __str__(self) -> str:
        return f"{self.read} arrays read, {self.written} written: {self.total} passes"


_WHOLE = ("einsum", "dot", "tensordot", "inner", "vdot", "where", "tile", "repeat", "copyto")
"""Functions of numpy that are no ufuncs, and are made of none."""
_NEW = ("ones_like", "zeros_like", "full_like")
"""Functions that look at the shape of their argument alone."""


class _Traced(np.ndarray):
    """An array that notes each operation on it and hands its notebook on to the results."""

    count: Passes
    full: int

    def __array_finalize__(self, source: Any) -> None:
        self.count = getattr(source, "count", Passes())
        self.full = getattr(source, "full", -1)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if out is not None:
            options["out"] = tuple(_plain(o) for o in out)
        if _is_array(options.get("where")):
            options["where"] = _plain(options["where"])
        result = getattr(ufunc, method)(*(_plain(value) for value in inputs), **options)
        self._note(inputs, result)
        return out[0] if out is not None and len(out) == 1 else self._traced(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ not in _WHOLE + _NEW:
            return super().__array_function__(function, types, args, kwargs)
        result = function(*map(_plain, args), **{name: _plain(value) for name, value in kwargs.items()})
        inputs = [] if function.__name__ in _NEW else [*args, *kwargs.values()]
        if function.__name__ == "copyto":
            result = inputs.pop(0)
        self._note(inputs, result)
        return self._traced(result)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        part = self[key]
        if not (_is_array(value) and value.__array_interface__ == part.__array_interface__):  # as after a[...] += b
            self._note((value,), part)

    def _note(self, inputs: Any, result: Any) -> None:
        self.count.read += sum(_share(value, self.full) for value in inputs)
        results = result if isinstance(result, tuple) else (result,)
        self.count.written += sum(_share(value, self.full) for value in results)

    def _traced(self, result: Any) -> Any:
        if isinstance(result, tuple):
            return tuple(map(self._traced, result))
        return _trace(result, self.count, self.full) if _is_array(result) else result


def count_passes(function: Callable[..., Any], *args: Any) -> Passes:
    """Count the (N, D) arrays that a function reads and writes, operation by operation.

    Counted are arithmetic, sums and products, ``where``, ``tile``, ``repeat``, ``copyto``, ``ones_like`` and its kind, and assignments to
    ``a[...]``. What joins arrays, copies or sorts them, and functions outside of numpy, is not counted.

    Args:
        function: Any function of numpy arrays.
        args: What to call it with: arrays, and dicts, tuples and lists of arrays. The largest array is taken to be
            (N, D); a part of one counts as that part, and arrays of other sizes cost nothing beside it.
    """
    count, full = Passes(), max(array.size for array in _arrays(args))
    function(*(_wrapped(value, count, full) for value in args))
    return Passes(round(count.read), round(count.written))


def seconds(function: Callable[..., Any], *args: Any, repeats: int = 50) -> float:
    """The shortest of several runs, in seconds: the others were disturbed by something.

    Args:
        function: What to run.
        args: What to call it with.
        repeats: How many runs at the most; behind the third, no more begin after a second.
    """
    runs: list[float] = []
    while len(runs) < repeats and (len(runs) < 3 or sum(runs) < 1):
        start = time.perf_counter()
        function(*args)
        runs.append(time.perf_counter() - start)
    return min(runs)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _share(value: Any, full: int) -> float:
    """How much of a whole array an operand is: a part of one lies in its memory, what is small lies in the cache."""
    if not _is_array(value):
        return 0
    owner = value
    while _is_array(owner.base):
        owner = owner.base
    return value.size / full if full in (value.size, owner.size) else 0


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, _Traced) else value


def _trace(array: Any, count: Passes, full: int) -> Any:
    traced = array.view(_Traced)
    traced.count, traced.full = count, full
    return traced


def _wrapped(value: Any, count: Passes, full: int) -> Any:
    if _is_array(value):
        return _trace(value, count, full)
    if isinstance(value, dict):
        return {key: _wrapped(item, count, full) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_wrapped(item, count, full) for item in value)
    return value


def _arrays(value: Any) -> list[Any]:
    if _is_array(value):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    return [array for item in value for array in _arrays(item)] if isinstance(value, (tuple, list)) else []
