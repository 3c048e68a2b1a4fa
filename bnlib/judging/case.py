"""One test input, and what was computed from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Case(dict):
    """One test input: the arguments by name, also readable as attributes (``case.dout``).

    ``memory`` holds what was computed from it (:func:`remembered`); copies begin without.
    """

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.memory: dict[Any, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Case, (dict(self),)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def ordinary(case: Case, rng: np.random.Generator) -> Case:
    """The same case with batches neither far from zero nor narrow; one whose other inputs were computed from them stays."""
    if not {"x_hat", "inv_std"} & case.keys():
        for name in [name for name in ("x", "xc") if isinstance(case.get(name), np.ndarray)]:
            case[name] = rng.uniform(1, 3) * (rng.normal(size=case[name].shape) + rng.uniform(0.5, 1.5))
    return case


def remembered(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: keep with a case what was computed from it, as hundreds of slips ask for the same.

    Args:
        compute: Function of a case and keyword arguments that can be hashed; nobody changes what it returns, or the case.
    """

    def seen(case: Case, **turn: Any) -> Any:
        key = (compute, *turn.items())
        if key not in case.memory:
            case.memory[key] = compute(case, **turn)
        return case.memory[key]

    return seen
