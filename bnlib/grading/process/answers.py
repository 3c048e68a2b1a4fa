"""What a learner's function returned, made ready to travel: numbers as arrays, everything else as a handle.

Runs in the learner's process, so an array subclass or an object with ``__array__`` does its work there, and only bytes
cross over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bnlib.grading.process.protocol import (
    KINDS,
    MAX_MESSAGE,
    MAX_NUMBERS,
    Handle,
    TooLargeError,
    Unsupported,
    extent,
    named,
)
from bnlib.numerics import is_exact


class Kept:
    """Objects that stay in this process, by number."""

    def __init__(self) -> None:
        self._objects: list[Any] = []

    def handle(self, value: Any) -> Handle:
        """Keep an object and give it a number."""
        self._objects.append(value)
        return named(Handle, type(value).__name__)(len(self._objects) - 1)

    def __getitem__(self, handle: Handle) -> Any:
        return self._objects[handle.number]


def returned(value: Any, names: Sequence[str], kept: Kept) -> Any:
    """What an exercise returned, ready to be sent.

    Args:
        value: The returned value.
        names: ``Stub.returns``; a name that starts with ``cache`` stands for an object that stays here.
        kept: Where such objects go.
    """
    if len(names) == 1:
        return _position(value, names[0], kept)
    if isinstance(value, (tuple, list)) and len(value) == len(names):
        return tuple(_position(item, name, kept) for item, name in zip(value, names, strict=True))
    return anything(value, kept)


def _position(value: Any, name: str, kept: Kept) -> Any:
    if name.startswith("cache"):
        return kept.handle(value)
    if value is None or type(value) in (bool, float, complex):
        return value
    numbers = _numbers(value)
    if isinstance(numbers, Unsupported) and type(value) in (tuple, list) and len(value) < 100:
        parts = [_numbers(item) for item in value]  # a batch for each device: their lengths differ
        if all(isinstance(part, np.ndarray) and part.ndim == 2 for part in parts):
            return parts
    return numbers


def _numbers(value: Any) -> Any:
    """An array of numbers, or a note on what came in its place."""
    kind = type(value).__name__
    try:
        array = np.asarray(value)
        if is_exact(array):
            array = array.astype(np.float64)
    except Exception:
        return named(Unsupported, kind)("cannot be made an array")
    if array.dtype.kind not in KINDS:
        return named(Unsupported, kind)(f"an array of dtype {array.dtype}")
    if array.nbytes > MAX_MESSAGE or extent(array.shape) > MAX_NUMBERS:
        raise TooLargeError(f"an array of shape {array.shape}")
    return np.array(array, subok=False) if type(array) is not np.ndarray else array


def anything(value: Any, kept: Kept, depth: int = 0) -> Any:
    """What a function without a contract returned: numbers, arrays and short sequences travel, the rest stays here."""
    if value is None or type(value) in (bool, float, complex):
        return value
    if type(value) is str and not depth:
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(type(value), "__array__"):
        return _numbers(value)
    if type(value) in (tuple, list) and depth < 4 and (len(value) < 100 or _flat(value)):
        return type(value)(anything(item, kept, depth + 1) for item in value)
    return kept.handle(value)


def _flat(value: Sequence[Any]) -> bool:
    return len(value) < 10_000 and all(type(item) in (bool, int, float) for item in value)
