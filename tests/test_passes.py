"""Counting passes over memory: by hand and by the machine."""

from types import SimpleNamespace

import numpy as np
import pytest

from bnlib.passes import Passes, count_passes, seconds

A, B, V = np.ones((6, 4)), np.full((6, 4), 2.0), np.arange(4.0)


def add_in_place(a, b):
    new = np.empty_like(a)
    new[...] += b


@pytest.mark.parametrize(
    ("function", "args", "passes"),
    [
        (lambda a, b: a * b, (A, B), (2, 1)),
        (lambda a, b: (a * b).sum(axis=0), (A, B), (3, 1)),
        (lambda a, v: a * v + v, (A, V), (2, 2)),
        (lambda a: a.mean(axis=0), (A,), (1, 0)),
        (lambda a: np.mean(a, axis=0), (A,), (1, 0)),
        (lambda a, b: np.einsum("kl,kl->l", a, b), (A, B), (2, 0)),
        (lambda a, v: 3 * v - a.sum(axis=0) / 2, (A, V), (1, 0)),
        (lambda cache: cache["a"] - cache["rest"][0], ({"a": A, "rest": (B, None)},), (2, 1)),
        (lambda a: np.add(a, a, out=np.empty_like(a)), (A,), (2, 1)),
        (lambda a: np.sum(a, axis=0, where=a > 0), (A,), (2, 1)),
        (lambda a: np.divmod(a, 2), (A,), (1, 2)),
        (lambda a, v: np.ones_like(a) * v, (A, V), (1, 2)),
        (lambda a: np.full_like(a, 3.0), (A,), (0, 1)),
        (np.empty_like, (A,), (0, 0)),
        (lambda a, b: np.where(a > 0, b, 0), (A, B), (3, 2)),
        (lambda v, a: np.tile(v, (len(a), 1)), (V, A), (0, 1)),
        (lambda v, a: np.repeat(v[None], len(a), axis=0), (V, A), (0, 1)),
        (lambda a, b: np.copyto(a.copy(), b), (A, B), (1, 1)),
        (lambda a, b: np.copyto(np.empty_like(a), b, where=a > 0), (A, B), (3, 2)),
        (lambda a, v: np.empty_like(a).__setitem__(slice(None), v), (A, V), (0, 1)),
        (lambda a, b: np.empty_like(a).__setitem__(..., b), (A, B), (1, 1)),
        (lambda a: np.empty_like(a).__setitem__(0, 1.0), (A,), (0, 0)),
        (add_in_place, (A, B), (2, 1)),
        (lambda a, other: a + other.b, (A, SimpleNamespace(b=B)), (2, 1)),
        (lambda a, b: [a[i : i + 2] * b[i : i + 2] for i in (0, 2, 4)], (A, B), (2, 0)),
        (lambda a, v: [np.add(row, v, out=row) for row in np.empty_like(a)], (A, V), (1, 1)),
    ],
)
def test_counts_are_those_by_hand(function, args, passes):
    assert count_passes(function, *args) == Passes(*passes)


def test_inputs_stay_plain_arrays():
    count_passes(lambda a: a + 1, A)
    assert type(A) is np.ndarray
    assert str(Passes(2, 1)) == "2 arrays read, 1 written: 3 passes"


def test_seconds_is_the_shortest_run():
    runs = []
    assert 0 <= seconds(runs.append, 1, repeats=3) < 1
    assert len(runs) == 3
