"""The check of the project "A fused kernel"."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from bnlib.numerics import Array
from bnlib.projects.shared import Pass, Row, off, reference, shown

SHAPES = (1, 1), (2, 3), (7, 5), (64, 100), (1000, 33)
LAYOUTS: dict[str, Callable[[Array], Array]] = {"rows together": np.ascontiguousarray, "columns together": np.asfortranarray, "every second": lambda a: np.repeat(a, 2, 0)[::2]}  # fmt: skip
DIGITS = {np.float64: 1e-11, np.float32: 2e-4}


@shown
def check(forward: Pass, backward: Pass) -> Iterator[Row]:
    """Right in every shape, layout and type; its inputs stay as they are. What it costs is printed, and not judged."""
    rng = np.random.default_rng(0)
    for dtype, digits in DIGITS.items():
        for layout, arrange in LAYOUTS.items():
            worst, changed = 0.0, False
            for shape in SHAPES:
                x, dout = (arrange((rng.normal(size=shape) + 2).astype(dtype)) for _ in range(2))
                gamma, beta = (rng.normal(size=shape[1]).astype(dtype) for _ in range(2))
                *right, scale = reference(x, gamma, beta, dout, 1e-3)
                before = [each.copy() for each in (x, gamma, beta, dout)]
                y, cache = forward(x, gamma, beta, 1e-3)
                results = y, *backward(dout, cache)
                scales = None, scale, None, None
                worst = max(worst, *(off(*each) for each in zip(results, right, scales, strict=True)))
                changed |= any((a != b).any() for a, b in zip(before, (x, gamma, beta, dout), strict=True))
            yield f"{np.dtype(dtype)}, {layout}: wrong by {worst:.1e}, at most {digits:.0e}", bool(worst <= digits)
            yield f"{np.dtype(dtype)}, {layout}: its inputs stay as they are", not changed
    x, dout, ones = rng.normal(size=(4096, 512)), rng.normal(size=(4096, 512)), np.ones(512)
    cache = forward(x, ones, ones, 1e-5)[1]
    copy = fastest(lambda: np.copyto(dout, x))
    there, back = fastest(lambda: forward(x, ones, ones, 1e-5)), fastest(lambda: backward(dout, cache))
    print(f"       4096 x 512, in copies of x: forward {there / copy:.1f}, backward {back / copy:.1f}")


def fastest(run: Callable[[], object], times: int = 7) -> float:
    """The shortest of several runs, in seconds."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)
