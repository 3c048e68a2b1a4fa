"""Figures of lesson 03: the variance as one example moves, Jacobians side by side, three terms, a projection."""

from __future__ import annotations

from typing import Any

import numpy as np

from bnlib.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, Picture, matrix, new_figure


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
    figure.colorbar(image, ax=axes, label="entry", shrink=0.8)
    rank = np.linalg.matrix_rank(centring - J, tol=1e-9)
    return Picture(
        figure,
        f"Three matrices of {N} by {N} cells. Left, the centring: {1 - 1 / N:.2f} on the diagonal and {-1 / N:.2f} everywhere else. "
        f"Middle, their difference, of rank {rank}: positive where two examples lie on the same side of the mean, negative where "
        "they lie on opposite sides. Right, the full normalization: symmetric, and no longer the same for all examples.",
    )


def three_terms(dout: Any, x_hat: Any, factor: float, dx: Any) -> Picture:
    """How each dx[i] is the sum of three terms, as stacked bars.

    Args:
        dout: (N,) array.
        x_hat: (N,) array.
        factor: What stands in front of the bracket of eq. 3.18, gamma * inv_std.
        dx: (N,) array, a learner's gradient, drawn over the bars.
    """
    dout, x_hat, dx = (np.asarray(a, dtype=float) for a in (dout, x_hat, dx))
    N = len(dout)
    direct = factor * dout
    terms = (
        ("direct path", BLUE, "", direct),
        ("path through the mean", ORANGE, "//", np.full(N, -direct.sum() / N)),
        ("path through the variance", PURPLE, "..", -(x_hat @ direct) / N * x_hat),
    )
    figure, (ax,) = new_figure(width=8.4, height=3.8)
    above, below = np.zeros(N), np.zeros(N)
    for label, colour, hatch, values in terms:
        bottom = np.where(values >= 0, above, below)
        ax.bar(range(N), values, bottom=bottom, color=colour, hatch=hatch, edgecolor="white", width=0.7, label=label)
        above, below = above + np.maximum(values, 0), below + np.minimum(values, 0)
    ax.plot(range(N), dx, "D", color="black", markersize=7, markeredgecolor="white", label="their sum, dx", zorder=4)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(N), [f"{i}\nx̂ = {value + 0.0:+.1f}" for i, value in enumerate(x_hat)])
    ax.set_xlabel("example i")
    ax.set_ylabel("gradient")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(
        figure,
        f"Stacked bars for {N} examples. The term of the mean is the same bar for every example; the term of the variance is "
        f"proportional to minus x_hat. A diamond marks the sum, dx, which lies between {dx.min():.2f} and {dx.max():.2f}.",
    )


def on_the_circle(xc: Any, z: Any, dout: Any, dxc: Any) -> Picture:
    """Two examples of one feature as a point in the plane: scaling puts it on a circle, the backward pass stays tangent.

    Args:
        xc: (2, 1) array, before the scaling.
        z: (2, 1) array, after it.
        dout: (2, 1) array, the gradient that arrives at z.
        dxc: (2, 1) array, a learner's gradient with respect to xc.
    """
    xc, z, dout, dxc = (np.asarray(a, dtype=float).ravel() for a in (xc, z, dout, dxc))
    figure, (ax,) = new_figure(width=6.6, height=4.4)
    angle = np.linspace(0, 2 * np.pi, 200)
    radius = np.linalg.norm(z)
    ax.plot(radius * np.cos(angle), radius * np.sin(angle), color=GREY, linewidth=1.2)
    ax.plot([0, 1.15 * xc[0]], [0, 1.15 * xc[1]], color=GREY, linewidth=1.0, linestyle=":")
    ax.plot(*xc, "o", color=BLUE, markersize=9, label="c, before the scaling", zorder=4)
    ax.plot(*z, "s", color=ORANGE, markersize=9, label="z, on the circle", zorder=4)
    # Only its direction is compared, so the gradient of c is drawn as long as the part of dout it comes from.
    tangent = dxc / np.linalg.norm(dxc) * abs(dout @ dxc) / np.linalg.norm(dxc)
    for start, arrow, colour, label in (
        (z, dout, ORANGE, "dout, arriving at z"),
        (xc, tangent, BLUE, "direction of the gradient at c"),
    ):
        ax.annotate("", start + arrow, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.2})
        ax.plot([], [], color=colour, linewidth=2.2, label=label)
    ax.set_aspect("equal", adjustable="datalim")
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.set_xlabel("example 0")
    ax.set_ylabel("example 1")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(
        figure,
        "A circle around the origin. The point c is moved along its ray onto the circle, to z. An arrow dout leaves z in some "
        "direction; the arrow of the gradient at c is tangent, at right angles to the ray.",
    )
