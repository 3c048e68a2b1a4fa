"""Figures of lesson 03: the variance as one example moves, Jacobians side by side, three terms, a projection."""

from __future__ import annotations

from typing import Any

import numpy as np

from bnlib.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, Picture, colour_bar, matrix, new_figure
from bnlib.plots.live import Live


def variance_slopes(x: Any, dvar: Any) -> Picture:
    """The variance of a feature as one example at a time is moved, with the slopes a learner derived as tangents.

    Args:
        x: (N,) array.
        dvar: (N,) array, dvar[i] = d var / d x[i].
    """
    x, dvar = np.asarray(x, dtype=float), np.asarray(dvar, dtype=float)
    figure, (ax,) = new_figure(width=7.0, height=3.6)
    order = np.argsort(x)
    chosen = [(order[0], BLUE, "o"), (order[len(x) // 2], GREEN, "s"), (order[-1], VERMILION, "^")]
    reach = 0.45 * np.ptp(x)
    for i, colour, marker in chosen:
        moved = x[i] + np.linspace(-reach, reach, 81)
        variances = [np.var(np.where(np.arange(len(x)) == i, value, x)) for value in moved]
        ax.plot(moved, variances, color=colour, linewidth=1.4, alpha=0.65)
        ends = x[i] + np.array([-0.55, 0.55]) * reach
        ax.plot(ends, np.var(x) + dvar[i] * (ends - x[i]), color=colour, linewidth=2.6, linestyle="--")
        slope = round(dvar[i], 2) + 0.0  # never -0.00
        ax.plot(x[i], np.var(x), marker, color=colour, markersize=9, zorder=4, label=f"x[{i}]: slope {slope:+.2f}")
    ax.axvline(x.mean(), color=GREY, linewidth=1.0)
    ax.annotate(" mu", (x.mean(), 0.93), xycoords=("data", "axes fraction"), color=GREY)
    ax.set_xlabel("where one example is moved to, the others staying")
    ax.set_ylabel("variance of the batch")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(
        figure,
        "Three curves, the variance of a batch as its smallest, a middle and its largest example is moved, each with a dashed tangent. "
        f"The tangent falls for the smallest ({dvar[chosen[0][0]]:+.2f}), is nearly level for the middle one and rises for the "
        f"largest ({dvar[chosen[2][0]]:+.2f}).",
    )


def jacobians(J: Any) -> Picture:
    """The Jacobian of x_hat, scaled, beside that of the centring, and what is the difference.

    Args:
        J: (N, N) array, the Jacobian divided by its common factor gamma * inv_std.
    """
    J = np.asarray(J, dtype=float)
    N = len(J)
    centring = np.identity(N) - np.full((N, N), 1 / N)
    figure, axes = new_figure(columns=3, width=9.6, height=3.5)
    titles = ("centring alone (lesson 02)", "minus a rank-one matrix", "= the full normalization")
    for ax, values, title in zip(axes, (centring, centring - J, J), titles, strict=True):
        image = matrix(ax, values, title, limit=1.0)
        ax.set_xlabel("input i")
    axes[0].set_ylabel("output k")
    colour_bar(figure, image, axes, label="entry", shrink=0.8)
    rank = np.linalg.matrix_rank(centring - J, tol=1e-9)
    return Picture(
        figure,
        f"Three matrices of {N} by {N} cells. Left, the centring: {1 - 1 / N:.2f} on the diagonal and {-1 / N:.2f} everywhere else. "
        f"Middle, their difference, of rank {rank}: positive where two examples lie on the same side of the mean, negative where "
        "they lie on opposite sides. Right, the full normalization: symmetric, and no longer the same for all examples.",
    )


def three_terms(dout: Any, x: Any, gamma: float, eps: float, dx: Any) -> Live:
    """How each dx[i] comes about, as a waterfall of the three terms of eq. 3.18.

    Args:
        dout: (N,) array.
        x: (N,) array.
        gamma: The scale.
        eps: What is added to the variance.
        dx: (N,) array, a learner's gradient, drawn over the bars.
    """
    dout, x, dx = (np.asarray(a, dtype=float).ravel() for a in (dout, x, dx))
    N, ends = len(x), np.zeros(len(x))
    x_hat, terms = _terms(dout, x, gamma, eps)
    figure, (ax,) = new_figure(width=8.4, height=3.8)
    for place, ((label, colour, hatch), values) in enumerate(zip(_PATHS, terms, strict=True)):
        left = np.arange(N) - 0.27 + 0.27 * place
        ax.bar(left, values, bottom=ends, color=colour, hatch=hatch, edgecolor="white", width=0.25, label=label)
        ends = ends + values
        ax.hlines(ends, left - 0.125, left + 0.395, color=GREY, linewidth=1)
    ax.plot(np.arange(N) + 0.4, dx, "D", color="black", markersize=6, label="your dx", zorder=4)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(N), [f"{i}\nx̂ = {value + 0.0:+.1f}" for i, value in enumerate(x_hat)])
    ax.set_xlabel("example i")
    ax.set_ylabel("gradient")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    still = Picture(
        figure,
        f"A waterfall of three bars for each of {N} examples: the direct path, from zero; from its end the path through the mean, the same "
        "for every example; from there the path through the variance, proportional to x_hat. It ends at dx, "
        f"between {ends.min():.2f} and {ends.max():.2f}; a diamond marks what your function returned.",
    )
    return Live("three_terms", still, x=x, dout=dout, gamma=gamma, eps=eps, dx=dx)


_PATHS = (
    ("direct path", BLUE, ""),
    ("path through the mean", ORANGE, "//"),
    ("path through the variance", PURPLE, "\\\\"),
)


def _terms(dout: Any, x: Any, gamma: float, eps: float) -> tuple[Any, tuple[Any, Any, Any]]:
    """x_hat, and the three terms of eq. 3.18."""
    xc = x - x.mean()
    scale = 1 / np.sqrt(np.mean(xc * xc) + eps)
    x_hat, direct = xc * scale, gamma * scale * dout
    return x_hat, (direct, np.full(len(x), -direct.mean()), -x_hat * (direct * x_hat).mean())


def five_bars(x: Any, dout: Any, dx: Any) -> Picture:
    """The bars of lesson 01, taken apart into the three paths.

    Args:
        x: (N,) array, the batch of lesson 01.
        dout: (N,) array, the gradient of a loss that looks at one output.
        dx: (N,) array, a learner's gradient with gamma = 1 and eps = 0.
    """
    x, dout, dx = (np.asarray(a, dtype=float).ravel() for a in (x, dout, dx))
    _, terms = _terms(dout, x, 1.0, 0.0)
    figure, axes = new_figure(columns=4, width=9.6, height=3.0)
    panels = [("your dx: lesson 01", VERMILION, "", dx)]
    panels += [(label, colour, hatch, values) for (label, colour, hatch), values in zip(_PATHS, terms, strict=True)]
    values = np.concatenate([*terms, dx])
    low, high = min(0.0, values.min()), max(0.0, values.max())
    room = 0.16 * (high - low)
    for ax, sign, (title, colour, hatch, bars) in zip(axes, ("", "= ", "+ ", "+ "), panels, strict=True):
        ax.bar(range(len(x)), bars, color=colour, hatch=hatch, edgecolor="white")
        for example, value in enumerate(bars):
            up = value >= 0
            place = (example, value + (0.02 if up else -0.02) * (high - low))
            ax.text(*place, f"{round(value, 2) + 0.0:.2f}", ha="center", va="bottom" if up else "top", fontsize=7.5)
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_ylim(low - room, high + room)
        ax.set_title(sign + title, fontsize=9.5)
        ax.set_xlabel("example")
        ax.set_xticks(range(len(x)))
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    told = "; ".join(
        f"{label}: {', '.join(f'{v + 0.0:.2f}' for v in np.round(bars, 2))}" for label, _, _, bars in panels
    )
    return Picture(
        figure, f"Four bar charts on one scale; the first is the sum of the other three, bar by bar. {told}."
    )


def on_the_circle(xc: Any, z: Any, dout: Any, dxc: Any) -> Live:
    """Three centred examples of one feature as a point: they lie in a plane, the scaling puts them on a circle in it.

    Only what lies in the plane is drawn of a gradient: the centring takes the rest, its mean, away.

    Args:
        xc: (3, 1) array whose sum is zero, before the scaling.
        z: (3, 1) array, after it.
        dout: (3, 1) array, the gradient that arrives at z.
        dxc: (3, 1) array, a learner's gradient with respect to xc.
    """
    xc, z, dout, dxc = (_PLANE @ np.asarray(a, dtype=float).ravel() for a in (xc, z, dout, dxc))
    figure, (ax,) = new_figure(width=8.0, height=4.0)
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.sqrt(3) * np.cos(angle), np.sqrt(3) * np.sin(angle), color=GREY, linewidth=1.2)
    for example, direction in enumerate(_PLANE.T):
        tip = 2.6 * direction / np.linalg.norm(direction)
        ax.plot([0, tip[0]], [0, tip[1]], color=GREY, linewidth=0.6)
        ax.text(1.09 * tip[0], 1.09 * tip[1], f"example {example}", fontsize=8.5, ha="center", va="center", color=GREY)
    ray = 3 * xc / np.linalg.norm(xc)
    ax.plot([0, ray[0]], [0, ray[1]], color=GREY, linewidth=1.0, linestyle=":")
    ax.plot(*xc, "o", color=BLUE, markersize=9, label="xc, before the scaling", zorder=4)
    ax.plot(*z, "s", color=ORANGE, markersize=9, label="z, on the circle", zorder=4)
    for start, arrow, colour, label in (
        (z, dout, ORANGE, "dout at z, without its mean"),
        (xc, dxc, BLUE, "your gradient at xc"),
    ):
        ax.annotate("", start + arrow, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.2})
        ax.plot([], [], color=colour, linewidth=2.2, label=label)
    ax.set(aspect="equal", xlim=(-3.2, 3.2), ylim=(-2.4, 3.1))
    ax.axis("off")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    cosine = dxc @ xc / max(np.linalg.norm(dxc) * np.linalg.norm(xc), 1e-300)
    still = Picture(
        figure,
        "The plane in which three examples add up to zero, seen from the front, with three axes and a circle around the origin. "
        "The point xc is moved along its ray onto the circle, to z. An arrow dout leaves z in some direction; the arrow of the gradient "
        f"at xc stands at {np.degrees(np.arccos(np.clip(cosine, -1, 1))):.1f} degrees to the ray.",
    )
    return Live("on_the_circle", still, plane=_PLANE, xc=xc, dout=dout, dxc=dxc, eps=1e-8)


_PLANE = np.array([[0, -np.sqrt(0.5), np.sqrt(0.5)], [np.sqrt(2 / 3), -np.sqrt(1 / 6), -np.sqrt(1 / 6)]])
"""Two unit vectors at right angles, which span the plane where three numbers add up to zero: example 0 points up."""
