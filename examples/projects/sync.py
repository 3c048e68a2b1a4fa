"""Project: synchronised batch norm. Each process knows its own shard of the batch; docs/projects.md says how it is judged.

python examples/projects/sync.py
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from project import main, off, reference


def forward(x, gamma, beta, eps, all_reduce):
    """Normalize this process's shard by the statistics of the whole batch.

    Args:
        x: (n, D) float64 array; n differs from process to process, and may be 0.
        gamma: (D,) array, the same everywhere.
        beta: (D,) array, likewise.
        eps: float.
        all_reduce: Takes an array, and returns the sum of the arrays of all processes, which all call it as often.

    Returns:
        y: (n, D) array.
        cache: anything.
    """
    raise NotImplementedError


def backward(dout, cache, all_reduce):
    """Send this shard's gradient back: dout (n, D). Returns dx (n, D), and dgamma and dbeta (D,) of the whole batch."""
    raise NotImplementedError


class Unequal(Exception):
    """The processes do not send the same: one more often, or another shape."""


class Group:
    """Processes, played by threads; counts the calls of ``all_reduce``, and the numbers that each of them sends."""

    def __init__(self, size):
        self.size, self.barrier = size, threading.Barrier(size, timeout=10)
        self.sent = [[] for _ in range(size)]
        self.given = [None] * size

    def run(self, work):
        """``work(rank, all_reduce)`` in each process; its results in order of the ranks."""

        def process(rank):
            def all_reduce(array):
                self.given[rank] = np.array(array, dtype=np.float64)
                self.sent[rank].append(self.given[rank].size)
                self.barrier.wait()
                if len({each.shape for each in self.given}) > 1:
                    raise Unequal
                total = sum(self.given)
                self.barrier.wait()
                return total

            try:
                return work(rank, all_reduce)
            except BaseException:
                self.barrier.abort()
                raise

        with ThreadPoolExecutor(self.size) as pool:
            waiting = [pool.submit(process, rank) for rank in range(self.size)]
        errors = [each.exception() for each in waiting if each.exception()]
        for error in errors:
            if not isinstance(error, threading.BrokenBarrierError):
                raise error
        if errors:
            raise Unequal
        return [each.result() for each in waiting]


SHARDS = {"even": (4, 4, 4), "uneven": (5, 1, 9), "one is empty": (6, 0, 3), "one process": (7,)}


def check():
    """The numbers of one device, from few and short messages, also far from 0."""
    rng = np.random.default_rng(0)
    for words, lengths in SHARDS.items():
        for far in (0.0, 1e6):
            N, D, eps = sum(lengths), 5, 1e-3
            x, dout = rng.normal(size=(N, D)) * 3 + far, rng.normal(size=(N, D))
            gamma, beta = rng.normal(size=(2, D))
            cuts = np.cumsum(lengths)[:-1]
            xs, douts, there, back = np.split(x, cuts), np.split(dout, cuts), Group(len(lengths)), Group(len(lengths))
            try:
                ahead = there.run(
                    lambda rank, send, xs=xs, g=gamma, b=beta, eps=eps: forward(xs[rank], g, b, eps, send)
                )
                behind = back.run(lambda rank, send, douts=douts, a=ahead: backward(douts[rank], a[rank][1], send))
            except Unequal:
                yield f"{words}: all processes call all_reduce equally often, with arrays of one shape", False
                continue
            *right, scale = reference(x, gamma, beta, dout, eps)
            results = [np.concatenate([y for y, _ in ahead]), np.concatenate([dx for dx, _, _ in behind])]
            worst = max(off(results[0], right[0]), off(results[1], right[1], scale))
            worst = max(worst, *(off(each[at], right[at + 1]) for each in behind for at in (1, 2)))
            digits = 1e-8 if far else 1e-11
            yield f"{words}, mean near {far:.0e}: wrong by {worst:.1e}, at most {digits:.0e}", bool(worst <= digits)
            messages = [group.sent[0] for group in (there, back)]
            yield (
                f"{words}: {len(messages[0])} messages forward and {len(messages[1])} back, at most 2 and 1; "
                f"{sum(messages[0])} and {sum(messages[1])} numbers, at most {2 * D + 1} and {2 * D}",
                len(messages[0]) <= 2
                and len(messages[1]) <= 1
                and sum(messages[0]) <= 2 * D + 1
                and sum(messages[1]) <= 2 * D,
            )


if __name__ == "__main__":
    main(check)
