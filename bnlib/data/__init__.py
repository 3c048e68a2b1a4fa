"""What the networks of lesson 06 learn from: handwritten digits, kept beside this file, and spirals made of numbers."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from bnlib.numerics import Array

Labels = NDArray[np.integer]


@cache
def _table() -> Labels:
    packed = (files(__package__) / "digits.csv.gz").read_bytes()
    return np.array([line.split(",") for line in gzip.decompress(packed).decode("ascii").split()], dtype=np.int64)


def digits(test: int = 500, seed: int = 0) -> tuple[Array, Labels, Array, Labels]:
    """1,797 handwritten digits, shuffled and parted; ``digits.txt`` says whose they are.

    Args:
        test: How many are kept apart.
        seed: Of the shuffling.

    Returns:
        Images to learn from, (1797 - test, 64) floats between 0 and 1, and their labels, whole numbers from 0 to 9; the same of those
        kept apart.
    """
    table = _table()[np.random.default_rng(seed).permutation(1797)]
    x, labels = table[:, :-1] / 16, table[:, -1]
    return x[test:], labels[test:], x[:test], labels[:test]


def spirals(each: int = 60, arms: int = 3, seed: int = 0) -> tuple[Array, Labels]:
    """Points on spirals that wind around one another: classes that no straight line parts.

    Args:
        each: Points on each arm.
        arms: How many.
        seed: Of the noise across the arms.

    Returns:
        x: (each * arms, 2) array of points within the unit circle, about.
        labels: The arm of each, a whole number.
    """
    rng = np.random.default_rng(seed)
    radius, labels = np.tile(np.linspace(0.02, 1, each), arms), np.repeat(np.arange(arms), each)
    angle = 6 * radius + 2 * np.pi * labels / arms + rng.normal(scale=0.4, size=each * arms)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), labels
