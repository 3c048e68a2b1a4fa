"""The backward pass of batch normalization in five forms, against PyTorch's own on one thread.

    python benchmarks/backward.py [--rounds 30] [--plot docs/images]

All forms make dx, dgamma and dbeta from the same arrays, and are compared with each other before they are timed. They take
turns in one process, and of each the least time counts, divided by PyTorch's: noise only ever adds. PyTorch and numba are
left out, with a line, where they are not installed (`make test-torch`, `pip install -c constraints.txt -e '.[speed]'`).

glibc maps an array of 32 MiB and more anew for every call, and page faults then cost more than arithmetic, on both sides. So
the process starts itself again with malloc told to keep what was freed. Without that, the largest size says nothing of either.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**32)}  # glibc reads them when a process starts

if __name__ == "__main__" and (ONE_THREAD | KEEP_MEMORY).items() - os.environ.items():
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ONE_THREAD | KEEP_MEMORY)

import numpy as np  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
try:
    import numba
except ImportError:
    numba = None

SIZES = (64, 100), (200, 500), (4096, 512), (32768, 256)
DTYPES = np.float64, np.float32
TARGETS = {"blocked": 1.5, "one loop": 1.0}
"""Times PyTorch's, at every size."""

IN_CACHE = 2**18
"""Bytes of one block of rows: dout, x_hat and dx of it stay in a core's second-level cache."""

EPS = 1e-5
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


class Cache(NamedTuple):
    """What the forward pass keeps, and what PyTorch takes in its place."""

    x: np.ndarray
    mu: np.ndarray
    gamma: np.ndarray
    inv_std: np.ndarray
    x_hat: np.ndarray


def forward(rng: np.random.Generator, N: int, D: int, dtype: type) -> tuple[np.ndarray, Cache]:
    x, dout, gamma = (rng.normal(size=size).astype(dtype) for size in ((N, D), (N, D), D))
    mu = x.mean(axis=0)
    inv_std = 1 / np.sqrt(x.var(axis=0) + dtype(EPS))
    return dout, Cache(x, mu, gamma, inv_std, (x - mu) * inv_std)


# -- the forms


def staged(dout: np.ndarray, cache: Cache) -> Gradients:
    """Gate by gate through the graph, a new array for each (lesson 04)."""
    N = len(dout)
    dgamma = np.sum(dout * cache.x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx_hat = dout * cache.gamma
    xc = cache.x - cache.mu
    dinv_std = np.sum(dx_hat * xc, axis=0)
    dvar = -0.5 * cache.inv_std**3 * dinv_std
    dsquares = np.ones_like(dout) * dvar / N
    dxc = dx_hat * cache.inv_std + 2 * xc * dsquares
    dmu = -np.sum(dxc, axis=0)
    return dxc + np.ones_like(dout) * dmu / N, dgamma, dbeta


def closed(dout: np.ndarray, cache: Cache) -> Gradients:
    """The one line of lesson 03, a new array for each operation."""
    N = len(dout)
    dgamma = np.sum(dout * cache.x_hat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dx = cache.gamma * cache.inv_std / N * (N * dout - dbeta - cache.x_hat * dgamma)
    return dx, dgamma, dbeta


def _sums(dout: np.ndarray, x_hat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sums without an array between: a matrix product with ones, and a product that is added up at once."""
    return np.einsum("ij,ij->j", dout, x_hat), np.ones(len(dout), dout.dtype) @ dout


def _project(dout: np.ndarray, x_hat: np.ndarray, a: np.ndarray, b: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
    """g * (dout - b - x_hat * a), each of the four operations in the place of the result."""
    np.multiply(x_hat, a, out=out)
    out += b
    np.subtract(dout, out, out=out)
    out *= g


def short(dout: np.ndarray, cache: Cache) -> Gradients:
    """Two sums, and four operations in one array."""
    N, dx = len(dout), np.empty_like(dout)
    dgamma, dbeta = _sums(dout, cache.x_hat)
    _project(dout, cache.x_hat, dgamma / N, dbeta / N, cache.gamma * cache.inv_std, dx)
    return dx, dgamma, dbeta


def blocked(dout: np.ndarray, cache: Cache) -> Gradients:
    """The short form on a few rows at a time, so that what was just read is still near."""
    N, x_hat, dx = len(dout), cache.x_hat, np.empty_like(dout)
    rows = max(1, IN_CACHE // dout[0].nbytes)
    dgamma, dbeta = _sums(dout[:rows], x_hat[:rows])
    for i in range(rows, N, rows):
        more_gamma, more_beta = _sums(dout[i : i + rows], x_hat[i : i + rows])
        dgamma += more_gamma
        dbeta += more_beta
    a, b, g = dgamma / N, dbeta / N, cache.gamma * cache.inv_std
    for i in range(0, N, rows):
        _project(dout[i : i + rows], x_hat[i : i + rows], a, b, g, dx[i : i + rows])
    return dx, dgamma, dbeta


def _loop(dout: np.ndarray, x_hat: np.ndarray, g: np.ndarray, dx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice over all entries; numba makes machine code of it. Two rows are added up before a sum is written."""
    N, D = dout.shape
    dgamma, dbeta = np.zeros_like(g), np.zeros_like(g)
    for i in range(0, N - 1, 2):
        for j in range(D):
            dbeta[j] += dout[i, j] + dout[i + 1, j]
            dgamma[j] += dout[i, j] * x_hat[i, j] + dout[i + 1, j] * x_hat[i + 1, j]
    if N % 2:
        for j in range(D):
            dbeta[j] += dout[N - 1, j]
            dgamma[j] += dout[N - 1, j] * x_hat[N - 1, j]
    a, b = dgamma / N, dbeta / N
    for i in range(N):
        for j in range(D):
            dx[i, j] = g[j] * (dout[i, j] - b[j] - x_hat[i, j] * a[j])
    return dgamma, dbeta


def forms() -> dict[str, Callable[[np.ndarray, Cache], Gradients]]:
    every: dict[str, Callable[[np.ndarray, Cache], Gradients]] = {
        "staged": staged,
        "closed": closed,
        "short": short,
        "blocked": blocked,
    }
    if numba is not None:
        loop = numba.njit(fastmath=True)(_loop)

        def compiled(dout: np.ndarray, cache: Cache) -> Gradients:
            dx = np.empty_like(dout)
            return dx, *loop(dout, cache.x_hat, cache.gamma * cache.inv_std, dx)

        every["one loop"] = compiled
    return every


def native(dout: np.ndarray, cache: Cache) -> Callable[[], object]:
    """PyTorch's own backward, on the memory of these arrays."""
    d, x, mu, gamma, inv_std = map(torch.from_numpy, (dout, cache.x, cache.mu, cache.gamma, cache.inv_std))
    wanted = [True, True, True]
    return lambda: torch.ops.aten.native_batch_norm_backward(d, x, gamma, None, None, mu, inv_std, True, EPS, wanted)


# -- the measurement


def same(every: dict[str, Callable[[], object]], dtype: type) -> None:
    """Raises AssertionError where two forms differ by more than rounding."""
    first = [np.asarray(each) for each in every["staged"]()]  # type: ignore[attr-defined]
    for name, form in every.items():
        for one, other in zip(first, map(np.asarray, form()), strict=True):  # type: ignore[call-overload]
            error = np.max(np.abs(one - other)) / np.max(np.abs(one))
            assert error < 1000 * np.finfo(dtype).eps, f"{name} differs by {error:.1e}"


def measure(N: int, D: int, dtype: type, rounds: int) -> dict[str, float]:
    """The least seconds of each form."""
    dout, cache = forward(np.random.default_rng(0), N, D, dtype)
    every: dict[str, Callable[[], object]] = {
        name: (lambda form=form: form(dout, cache))  # type: ignore[misc]
        for name, form in forms().items()
    }
    if torch is not None:
        every["torch"] = native(dout, cache)
    same(every, dtype)
    least = dict.fromkeys(every, np.inf)
    for _ in range(max(rounds, rounds * 2**17 // (N * D))):
        for name, form in every.items():
            begin = time.perf_counter()
            form()
            least[name] = min(least[name], time.perf_counter() - begin)
    return least


def plot(results: dict[tuple[str, int, int], dict[str, float]], folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "backward"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(DTYPES), figsize=(9, 3.4), sharey=True, layout="constrained")
    for ax, dtype in zip(axes, DTYPES, strict=True):
        rows = {key: least for key, least in results.items() if key[0] == dtype.__name__}
        for name in next(iter(rows.values())):
            if name != "torch":
                ratios = [least[name] / least["torch"] for least in rows.values()]
                ax.plot(range(len(rows)), ratios, marker="o", label=name)
        ax.axhline(1, color="gray", linewidth=1)
        ax.set(title=dtype.__name__, yscale="log", xticks=range(len(rows)))
        ax.set_yticks((0.25, 0.5, 1, 2, 4, 8), ("1/4", "1/2", "1", "2", "4", "8"))
        ax.minorticks_off()
        ax.set_xticklabels([f"{N} × {D}" for _, N, D in rows], fontsize="small")
    axes[0].set_ylabel("time, PyTorch = 1")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.savefig(folder / "backward.svg", metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="how often each form runs; small arrays more often")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw the ratios into FOLDER/backward.svg")
    arguments = parser.parse_args()
    for module, name in ((torch, "torch"), (numba, "numba")):
        if module is None:
            print(f"{name} is not installed: left out")
    if torch is not None:
        torch.set_num_threads(1)
    results, missed = {}, []
    for dtype in DTYPES:
        for N, D in SIZES:
            least = measure(N, D, dtype, arguments.rounds)
            results[dtype.__name__, N, D] = least
            unit, of = ("torch", least["torch"]) if torch is not None else ("short", least["short"])
            told = "  ".join(f"{name} {seconds / of:5.2f}" for name, seconds in least.items() if name != unit)
            print(f"{dtype.__name__} {N:>6} x {D:<4} {unit} {of * 1e6:7.0f} us = 1   {told}", flush=True)
            if torch is not None:
                missed += [
                    f"{dtype.__name__} {N} x {D}: {name}"
                    for name, most in TARGETS.items()
                    if least.get(name, 0) > most * of
                ]
    if arguments.plot and torch is not None:
        plot(results, arguments.plot)
    print("missed: " + ", ".join(missed) if missed else "all targets met")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
