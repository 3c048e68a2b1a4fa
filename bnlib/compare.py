"""Hold a learner's results against PyTorch's, where it is installed: a line a quantity, and one line where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bnlib.numerics import relative_error


def compare_with_torch(name: str, mine: Mapping[str, Any], theirs: Callable[[Any], Mapping[str, Any]]) -> None:
    """Print how far each quantity is from PyTorch's, as a fraction of its largest entry.

    Args:
        name: What is compared, for example ``"layer_norm"``.
        mine: From a quantity to the learner's array.
        theirs: From the module ``torch`` to the same quantities, arrays or tensors; called only where it is installed.
    """
    try:
        import torch
    except ImportError:
        print(f"{name}: nothing to compare with, PyTorch is not installed here (pip install torch)")
        return
    for quantity, right in theirs(torch).items():
        wanted, got = (
            np.asarray(getattr(value, "detach", lambda value=value: value)()) for value in (right, mine[quantity])
        )
        told = (
            f"shape {got.shape} for {wanted.shape}"
            if got.shape != wanted.shape
            else f"{relative_error(got, wanted):.0e}"
        )
        print(f"{name}, {quantity}: largest difference {told}")
