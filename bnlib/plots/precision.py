"""Figures of lesson 09: digits that are lost far from zero, and what a machine allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bnlib.passes import Passes, seconds
from bnlib.plots import BLUE, GREEN, GREY, ORANGE, VERMILION, Picture, new_figure
from bnlib.plots.live import Live

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


FARTHEST = {"float32": 21, "float64": 50}
"""The powers of two up to which quarters can be moved without being rounded."""


def far_from_zero(z: Any, power: int) -> Live:
    """Examples far from zero in float32 or float64: their rounded mean, what it does to them, and what centring again gives back.

    Args:
        z: (N,) array of quarters: where the examples lie, but for the distance from zero.
        power: That distance at the start, in float32: a power of two.
    """
    z = np.asarray(z, dtype=float)
    figure, (rows, chart) = new_figure(columns=2, width=8.6, height=3.6)
    made = moved(z, power, "float32")
    right = z - z.mean()
    shown = (
        (2, z, made["x"], GREY, "the examples"),
        (1, right, made["once"], BLUE, "centred once"),
        (0, right, made["again"], GREEN, "centred again"),
    )
    for height, places, values, colour, words in shown:
        rows.plot(places, np.full(len(z), height), "o", color=GREY, fillstyle="none", markersize=10)
        rows.plot(values, np.full(len(z), height), "o", color=colour, markersize=6)
        rows.text(-3, height + 0.25, words)
    rows.plot([z.mean()] * 2, [1.75, 2.2], ":", color=GREY, linewidth=2)
    rows.plot([made["mu"]] * 2, [1.75, 2.2], color=BLUE, linewidth=2)
    rows.set(xlim=(-3.1, 3.1), ylim=(-0.4, 2.6), yticks=[], title=f"float32, 2^{power} from zero; hollow: right")
    powers = range(FARTHEST["float32"] + 1)
    errors = [moved(z, each, "float32")["errors"] for each in powers]
    for (name, words), (colour, _, style) in zip(_MADE.items(), (_LOOKS[0], _LOOKS[1], _LOOKS[2]), strict=True):
        chart.semilogy(powers, np.maximum([each[name] for each in errors], 1e-8), style, color=colour, label=words)
    chart.axvline(power, color=GREY, linewidth=0.8, linestyle=":")
    chart.set(ylim=(1e-8, 1e4), xlabel="distance from zero, as a power of two", title="error")
    chart.legend(frameon=False)
    still = Picture(
        figure,
        f"{len(z)} examples of spread {z.std():.2f}, 2^{power} from zero in float32. Their mean is off by {abs(made['mu'] - z.mean()):.1g}, and so is each of them centred "
        f"once, all to one side; centred again they are where they belong. One pass gives the variance {made['variances']['pass']:.4g}, which should be {z.var():.4g}. "
        "Beside it the errors by the distance: one pass climbs by two digits for each that the distance gains, centred once by one, centred again by none.",
    )
    return Live("far_from_zero", still, z=z, first={"power": power, "type": "float32"}, farthest=FARTHEST)


_MADE = {"pass": "one pass: its variance", "once": "centred once", "again": "centred again"}


def moved(z: Any, power: int, dtype: str) -> dict[str, Any]:
    """What a machine makes of examples moved by a power of two: every operation rounded, sums taken in order."""
    exact = np.dtype(dtype).type

    def average(values: Any) -> Any:
        return np.cumsum(values, dtype=dtype)[-1] / exact(len(values))

    x = exact(2.0**power) + z.astype(dtype)
    mu = average(x)
    once = x - mu
    again = once - average(once)
    variances = {"pass": average(x * x) - mu * mu, "once": average(once * once), "again": average(again * again)}
    errors = {"pass": abs(float(variances["pass"]) / z.var() - 1)}
    errors |= {n: float(np.max(np.abs(v - (z - z.mean())))) / z.std() for n, v in (("once", once), ("again", again))}
    return {
        "x": x.astype(float) - 2.0**power,
        "mu": float(mu) - 2.0**power,
        "once": once,
        "again": again,
        "variances": {name: float(value) for name, value in variances.items()},
        "errors": errors,
    }


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
        intensity = 7 / (8 * max(5, walks[label].total))  # a loop over single numbers is not counted
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
