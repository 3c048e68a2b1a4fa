"""Figures of lesson 09: digits that are lost far from zero, and what a machine allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bnlib.passes import Passes, seconds
from bnlib.plots import BLUE, GREEN, GREY, ORANGE, VERMILION, Picture, new_figure

_LOOKS = ((VERMILION, "o", "-"), (BLUE, "s", "--"), (GREEN, "^", "-."), (ORANGE, "D", ":"))
_LEAST = 1e-17


def digits(forms: Mapping[str, Callable[[Any], Any]]) -> Picture:
    """Relative error of the variance of 200 examples with spread 1, by how far they lie from zero.

    Args:
        forms: From a label to a function of an (N, D) array that returns (D,) variances.
    """
    z = np.round(np.random.default_rng(0).normal(size=(200, 8)) * 2**20) / 2**20  # stays what it is when it is moved
    right, places = z.var(axis=0), 2.0 ** np.arange(0, 31, 2)
    figure, (ax,) = new_figure(width=7.2, height=3.8)
    for (label, form), (colour, marker, style) in zip(forms.items(), _LOOKS, strict=False):
        errors = [float(np.max(np.abs(np.asarray(form(z + far)) / right - 1))) for far in places]
        ax.loglog(places, np.maximum(errors, _LEAST), style, color=colour, marker=marker, markersize=5, label=label)
    ax.axhline(1, color=GREY, linewidth=0.8)
    ax.set(xlabel="distance from zero, in standard deviations", ylabel="relative error of the variance")
    ax.legend(frameon=False)
    return Picture(
        figure,
        "The error of the variance against the distance from zero, both in powers of ten. One pass over the data climbs by two digits for "
        "each digit of distance, and is all wrong from 1e8 on. The other forms stay many digits below it.",
    )


def roofline(walks: Mapping[str, Passes], times: Mapping[str, float], entries: int) -> Picture:
    """What this machine allows, and where forms of the backward pass stand: operations a second by operations a byte.

    Args:
        walks: From a form to how many arrays it reads and writes.
        times: From a form to its seconds.
        entries: How many float64 numbers an array has.
    """
    operations = 7 * entries  # three for the two sums, four for dx
    array, squares = np.ones(entries), np.ones((200, 48, 48))  # products so small that one thread makes them
    speed = 16 * entries / seconds(np.copyto, np.empty_like(array), array)  # bytes a second
    top = 2 * 200 * 48**3 / seconds(np.matmul, squares, squares)
    figure, (ax,) = new_figure(width=7.2, height=3.8)
    at = np.geomspace(0.02, max(20.0, 10 * top / speed), 200)
    ax.loglog(at, np.minimum(speed * at, top) / 1e9, color=GREY, linewidth=2, label="the roof: memory, then arithmetic")
    ax.axvline(7 / 40, color=GREY, linestyle=":", label="the least: five walks")
    for (label, time), (colour, marker, _) in zip(times.items(), _LOOKS[1:], strict=False):
        intensity = 7 / (8 * walks[label].total)
        ax.plot(intensity, operations / time / 1e9, marker, color=colour, markersize=9, label=label)
    ax.set(xlabel="operations for each byte moved", ylabel="billions of operations a second")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    ax.legend(frameon=False, loc="lower right")
    said = "; ".join(
        f"{label}: {operations / times[label] / 1e9:.2f} billion operations a second, {walks[label]}" for label in times
    )
    return Picture(
        figure,
        f"A roof that rises with the operations for each byte until it is flat: this machine copies {speed / 1e9:.0f} GB and makes "
        f"{top / 1e9:.0f} billion operations a second. {said}.",
    )
