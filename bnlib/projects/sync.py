"""The check of the project "Synchronised batch norm"; threads play the processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bnlib.numerics import Array
from bnlib.projects.shared import Pass, Row, off, reference, shown


class Unequal(Exception):
    """The processes do not send the same: one more often, or another shape."""


class Group:
    """Processes, played by threads; counts the calls of ``all_reduce``, and the numbers that each of them sends."""

    def __init__(self, size: int) -> None:
        self.size, self.barrier = size, threading.Barrier(size, timeout=10)
        self.sent: list[list[int]] = [[] for _ in range(size)]
        self.given: list[Array] = [np.empty(0)] * size

    def run(self, work: Callable[[int, Callable[[ArrayLike], Array]], Any]) -> list[Any]:
        """``work(rank, all_reduce)`` in each process; its results in order of the ranks."""

        def process(rank: int) -> Any:
            def all_reduce(array: ArrayLike) -> Array:
                self.given[rank] = np.array(array, dtype=np.float64)
                self.sent[rank].append(self.given[rank].size)
                self.barrier.wait()
                if len({each.shape for each in self.given}) > 1:
                    raise Unequal
                total = np.sum(self.given, axis=0)
                self.barrier.wait()
                return total

            try:
                return work(rank, all_reduce)
            except BaseException:
                self.barrier.abort()
                raise

        with ThreadPoolExecutor(self.size) as pool:
            waiting = [pool.submit(process, rank) for rank in range(self.size)]
        errors = [error for each in waiting if (error := each.exception())]
        for error in errors:
            if not isinstance(error, threading.BrokenBarrierError):
                raise error
        if errors:
            raise Unequal
        return [each.result() for each in waiting]


SHARDS = {"even": (4, 4, 4), "uneven": (5, 1, 9), "one is empty": (6, 0, 3), "one process": (7,)}


@shown
def check(forward: Pass, backward: Pass) -> Iterator[Row]:
    """The numbers of one device, from few and short messages, also far from 0."""
    rng = np.random.default_rng(0)
    for words, lengths in SHARDS.items():
        for far in (0.0, 1e6):
            N, D, eps = sum(lengths), 5, 1e-3
            x, dout = rng.normal(size=(N, D)) * 3 + far, rng.normal(size=(N, D))
            gamma, beta = rng.normal(size=(2, D))
            *right, scale = reference(x, gamma, beta, dout, eps)
            try:
                results, messages = passes(forward, backward, (x, gamma, beta, dout), lengths, eps)
            except Unequal:
                yield f"{words}: all processes call all_reduce equally often, with arrays of one shape", False
                continue
            worst = max(
                off(got, expected, scale if at == 1 else None)
                for process in results
                for at, (got, expected) in enumerate(zip(process, right, strict=True))
            )
            digits = 1e-8 if far else 1e-11
            yield f"{words}, mean near {far:.0e}: wrong by {worst:.1e}, at most {digits:.0e}", bool(worst <= digits)
            if far:
                continue  # what is sent was looked at near 0
            (there, back), most = messages, (2 * D + 1, 2 * D)
            yield (
                f"{words}: {len(there)} messages forward and {len(back)} back, at most 2 and 1; "
                f"{sum(there)} and {sum(back)} numbers, at most {most[0]} and {most[1]}",
                len(there) <= 2 and len(back) <= 1 and sum(there) <= most[0] and sum(back) <= most[1],
            )


def passes(
    forward: Pass, backward: Pass, given: tuple[Array, ...], lengths: Sequence[int], eps: float
) -> tuple[list[tuple[Array, ...]], tuple[list[int], list[int]]]:
    """Both passes of a batch in shards: y and dx of all, dgamma and dbeta as each process knows them; the sizes of the messages."""
    x, gamma, beta, dout = given
    there, back, cuts = Group(len(lengths)), Group(len(lengths)), np.cumsum(lengths)[:-1]
    xs, douts = np.split(x, cuts), np.split(dout, cuts)
    ahead = there.run(lambda rank, send: forward(xs[rank], gamma, beta, eps, send))
    behind = back.run(lambda rank, send: backward(douts[rank], ahead[rank][1], send))
    y, dx = (np.concatenate([each[0] for each in found]) for found in (ahead, behind))
    return [(y, dx, dgamma, dbeta) for _, dgamma, dbeta in behind], (there.sent[0], back.sent[0])
