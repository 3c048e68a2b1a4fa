"""Figures of lesson 08: which entries of a batch of images share statistics, and which share a parameter."""

from __future__ import annotations

import numpy as np

from bnlib.numerics import Array
from bnlib.plots import GREY, ORANGE, Picture, new_figure, patch
from bnlib.plots.live import Live

LAYERS = {
    "batch": "batch normalization",
    "layer": "layer normalization",
    "instance": "instance normalization",
    "group": "group normalization",
}


def sharing(layer: str, shape: tuple[int, int, int], groups: int, entry: tuple[int, int, int]) -> tuple[Array, Array]:
    """Which entries share statistics with one, and which share its gamma.

    Args:
        layer: One of ``LAYERS``.
        shape: N examples, C channels, S positions.
        groups: How many groups of channels group normalization makes.
        entry: Example, channel and position of the one.

    Returns:
        Two arrays of truth values of that shape.
    """
    example, channel, _ = np.indices(shape)
    own = {"batch": shape[1], "layer": 1, "instance": shape[1], "group": groups}[layer]
    group = channel * own // shape[1]
    statistics = group == entry[1] * own // shape[1]
    if layer != "batch":
        statistics &= example == entry[0]
    return statistics, channel == entry[1]


def who_shares(shape: tuple[int, int, int] = (3, 4, 5), groups: int = 2) -> Live:
    """A batch of images as slices, one an example; choose a layer and an entry, and see who shares its mean and variance.

    Args:
        shape: N examples, C channels, S positions (height times width).
        groups: How many groups group normalization makes.
    """
    N, C, S = shape
    first = (0, 1, 2)
    figure, axes = new_figure(columns=len(LAYERS), width=9.2, height=4.2)
    told = []
    for ax, (key, name) in zip(axes, LAYERS.items(), strict=True):
        statistics, parameter = sharing(key, shape, groups, first)
        for n, c, s in np.ndindex(shape):
            y = n * (C + 1) + c
            inside = {"facecolor": ORANGE, "alpha": 0.6} if statistics[n, c, s] else {"facecolor": "none"}
            ax.add_patch(patch("Rectangle", (s, y), 1, 1, edgecolor="none", **inside))
            ax.add_patch(patch("Rectangle", (s, y), 1, 1, edgecolor=GREY, facecolor="none", linewidth=0.6))
            if parameter[n, c, s]:
                ax.plot(s + 0.5, y + 0.5, ".", color="black", markersize=5)
        n, c, s = first
        ax.add_patch(patch("Rectangle", (s, n * (C + 1) + c), 1, 1, edgecolor="black", facecolor="none", linewidth=2.2))
        ax.set_xlim(-0.2, S + 0.2)
        ax.set_ylim(N * (C + 1) - 0.8, -0.2)
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks(
            [n * (C + 1) + C / 2 for n in range(N)], [f"example {n}" for n in range(N)] if key == "batch" else [""] * N
        )
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        ax.set_title(name.replace(" ", "\n"), fontsize=10)
        ax.set_xlabel(f"{S} positions", fontsize=9)
        told.append(f"{name} {statistics.sum()}")
    axes[0].set_ylabel(f"each: {C} channels, downwards", fontsize=9)
    still = Picture(
        figure,
        f"Four panels, each with {N} examples as blocks of {C} channels by {S} positions. Around one framed entry, those are filled that share "
        f"mean and variance with it: {', '.join(told)} of {N * C * S} entries. In batch normalization they are its channel in all examples; in the "
        "others they lie in its own example. Dots mark those that share its gamma: in every panel its channel, in all examples.",
    )
    return Live(
        "who_shares", still, layers=LAYERS, shape=shape, groups=groups, first={"layer": "batch", "entry": first}
    )
