"""Put a learner's results beside PyTorch's, where it is installed: a second opinion that the course did not write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bnlib.numerics import relative_error


def compare_with_torch(
    forward: Callable[..., Any], given: Mapping[str, ArrayLike], dout: ArrayLike | None = None, **mine: ArrayLike
) -> None:
    """Print, a line a quantity, how far results lie from PyTorch's; one line where PyTorch is not installed.

    Differences are the largest entry's, on the natural scale: divided by the largest entry of PyTorch's result.

    Args:
        forward: The same layer in PyTorch: called with the module ``torch`` and the arrays of ``given``, by name, as tensors of
            float64; returns the output, or a dict of results that begins with the output.
        given: What goes in, by name.
        dout: What arrives at the output; None where no gradient is compared.
        **mine: The results to compare: ``out``, names of that dict, and ``dx`` for the gradient by the given ``x``.
    """
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed here, so there is nothing to compare with. The lesson does not need it.")
        return
    tensors = {
        name: torch.tensor(np.asarray(value), dtype=torch.float64, requires_grad=f"d{name}" in mine)
        for name, value in given.items()
    }
    results = forward(torch, **tensors)
    results = dict(results) if isinstance(results, dict) else {"out": results}
    if dout is not None:
        next(iter(results.values())).backward(torch.tensor(np.asarray(dout), dtype=torch.float64))
        results |= {f"d{name}": tensor.grad for name, tensor in tensors.items() if tensor.requires_grad}
    width = max(map(len, mine))
    for name, value in mine.items():
        theirs = results[name].detach().numpy()
        if np.shape(value) == theirs.shape:
            off = relative_error(value, theirs)
            said = (
                f"differs from PyTorch's by {off:.0e} of its largest entry" if off else "is PyTorch's to the last digit"
            )
            print(f"{name:{width}}  {said}")
        else:
            print(f"{name:{width}}  has shape {np.shape(value)}, and PyTorch's {theirs.shape}")
