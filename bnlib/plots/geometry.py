"""Figures of lesson 07: a gradient that loses two of its three components, and weights that grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnlib.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, Picture, new_figure
from bnlib.plots.live import Live

_AXES = {
    3: np.array(
        [
            [np.sqrt(2 / 3), -np.sqrt(1 / 6), -np.sqrt(1 / 6)],
            [0, np.sqrt(1 / 2), -np.sqrt(1 / 2)],
            [np.sqrt(1 / 3), np.sqrt(1 / 3), np.sqrt(1 / 3)],
        ]
    ),
    2: np.array([[np.sqrt(1 / 2), -np.sqrt(1 / 2)], [0, 0], [np.sqrt(1 / 2), np.sqrt(1 / 2)]]),
}
"""For three and for two examples: two directions in which they add up to zero (for two there is one), and that of 1."""

_VIEW = np.array([[1.0, -0.35, 0.0], [-0.12, -0.45, 0.95]])
"""From those three directions to the page: the plane lies, seen from above at a slant, and 1 points up."""


def losing_two(x: Any, dout: Any, eps: float) -> Live:
    """Three examples of one feature as a point, and what the backward pass takes out of a gradient there.

    Args:
        x: (3,) array.
        dout: (3,) array.
        eps: What is added to the variance.
    """
    x, dout = np.asarray(x, dtype=float), np.asarray(dout, dtype=float)
    x_hat, flat, sent = _stages(x, dout, eps)
    figure, (ax,) = new_figure(width=8.6, height=3.9)

    def seen(point: Any) -> Any:
        return _VIEW @ _AXES[3] @ point

    angle = np.linspace(0, 2 * np.pi, 200)
    ring = _VIEW[:, :2] @ np.array([np.cos(angle), np.sin(angle)])
    ax.fill(*(2.3 * ring), color=GREY, alpha=0.1, linewidth=0)
    ax.plot(*(np.sqrt(3) * ring), color=GREY, linewidth=1.4)
    up = seen(np.full(3, 1.1))
    ax.plot([0, up[0]], [0, up[1]], color=GREY, linewidth=0.8, linestyle="--")
    ax.text(1.08 * up[0], 1.08 * up[1], "1", color=GREY, ha="center", va="center")
    place = seen(x_hat)
    ax.plot([0, place[0]], [0, place[1]], color=GREY, linewidth=1.0, linestyle=":")
    for above, below in ((dout, flat), (flat, sent)):
        ax.plot(*np.transpose([place + seen(above), place + seen(below)]), color=GREY, linewidth=0.8, linestyle=":")
    for vector, colour, width, label in (
        (dout, ORANGE, 2.2, "dout"),
        (flat, PURPLE, 2.2, "dout without its mean"),
        (sent, BLUE, 3.0, "dx / (gamma r)"),
    ):
        ax.annotate(
            "", place + seen(vector), place, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": width}
        )
        ax.plot([], [], color=colour, linewidth=width, label=label)
    ax.plot(*place, "o", color=GREEN, markersize=9, label="x_hat", zorder=4)
    ax.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-1.5, 2.15))
    ax.axis("off")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    still = Picture(
        figure,
        "Three examples as a point in space. The plane in which they add up to zero lies flat, with a circle of radius root 3 in it; the direction of 1 "
        f"stands upright. x_hat sits {'on' if x_hat @ x_hat > 2.99 else 'inside'} the circle. From there three arrows: dout sticks out of the plane; "
        "without its component along 1 it lies in the plane; without most of its component along x_hat it points along the circle. That is dx, but for "
        f"its factor: ({', '.join(f'{value + 0.0:.2f}' for value in np.round(sent, 2))}).",
    )
    return Live("losing_two", still, axes=_AXES, view=_VIEW, x=x, dout=dout, eps=eps)


def _stages(x: Any, dout: Any, eps: float) -> tuple[Any, Any, Any]:
    """x_hat; dout without its mean; and what is sent on, without its factor: the bracket of eq. 7.1."""
    x_hat = (x - x.mean()) / np.sqrt(x.var() + eps)
    flat = dout - dout.mean()
    return x_hat, flat, flat - x_hat * np.mean(dout * x_hat)


def lengths(runs: Mapping[str, tuple[Any, Any]]) -> Picture:
    """How the squared length of weights and the effective rate change in training.

    Args:
        runs: From a name to two (T,) arrays, the squared length before each step and the effective rate.
    """
    figure, axes = new_figure(columns=2, width=8.6, height=3.2)
    styles = ((BLUE, "-"), (ORANGE, "--"), (GREEN, ":"))
    for which, (ax, words) in enumerate(zip(axes, ("squared length of the weights", "effective rate"), strict=True)):
        for (name, run), (colour, style) in zip(runs.items(), styles, strict=False):
            ax.plot(run[which], color=colour, linestyle=style, linewidth=1.8, label=name)
        ax.set_title(words, fontsize=10)
        ax.set_xlabel("step")
        ax.set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    told = "; ".join(
        f"{name}: squared length from {squares[0]:.2f} to {squares[-1]:.2f}, effective rate from {rates[0]:.2f} to {rates[-1]:.2f}"
        for name, (squares, rates) in runs.items()
    )
    return Picture(figure, f"Two line charts over the steps of a training. {told}.")
