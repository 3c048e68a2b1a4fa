"""Figures of lesson 02: what centring does to data, its Jacobian, a gradient before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from bnlib.plots import BLUE, GREY, ORANGE, Picture, colour_bar, matrix, new_figure, patch
from bnlib.plots.live import Live


def before_and_after(h: Any, h_hat: Any) -> Picture:
    """A batch of two features as points, before and after it was centred.

    Args:
        h: (N, 2) array.
        h_hat: (N, 2) array, h centred.
    """
    figure, (ax,) = new_figure(width=6.4, height=3.6)
    for points, colour, marker, label in ((h, BLUE, "o", "h"), (h_hat, ORANGE, "s", "centred h")):
        points = np.asarray(points)
        ax.scatter(points[:, 0], points[:, 1], color=colour, marker=marker, s=36, label=label, zorder=3)
        ax.scatter(points[:, 0].mean(), points[:, 1].mean(), color=colour, marker="+", s=160, linewidths=2.5, zorder=4)
    for start, end in zip(np.asarray(h), np.asarray(h_hat), strict=True):
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "->", "color": GREY, "alpha": 0.5, "shrinkA": 5, "shrinkB": 5}
        )
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel("feature 0")
    ax.set_ylabel("feature 1")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(frameon=False)
    return Picture(
        figure,
        "A cloud of points and the same cloud moved so that its mean, a cross, lies on the origin. "
        "All arrows from old to new points are equal.",
    )


def jacobian(J: Any) -> Picture:
    """The (N, N) Jacobian of centring as coloured cells.

    Args:
        J: (N, N) array, J[k, i] = d h_hat[k] / d h[i].
    """
    J = np.asarray(J)
    figure, (ax,) = new_figure(width=4.6, height=3.6)
    image = matrix(ax, J, "one feature, N = " + str(len(J)), limit=1.0)
    ax.set_xlabel("input i")
    ax.set_ylabel("output k")
    colour_bar(figure, image, ax, label="change of output k per change of input i")
    return Picture(
        figure,
        f"A matrix of {len(J)} by {len(J)} cells: {J[0, 0]:.2f} on the diagonal, {J[0, 1]:.2f} everywhere else.",
    )


def jacobian_blocks(J: Any) -> Picture:
    """The (N, D, N, D) Jacobian as one square matrix, inputs and outputs ordered by feature, then by example.

    Args:
        J: (N, D, N, D) array, J[k, l, i, j] = d h_hat[k, l] / d h[i, j].
    """
    J = np.asarray(J)
    N, D = J.shape[:2]
    flat = J.transpose(1, 0, 3, 2).reshape(D * N, D * N)
    figure, (ax,) = new_figure(width=5.4, height=4.4)
    image = matrix(ax, flat, f"N = {N} examples of D = {D} features", limit=1.0, numbers=False)
    for edge in range(1, D):
        ax.axhline(edge * N - 0.5, color=GREY, linewidth=1.2)
        ax.axvline(edge * N - 0.5, color=GREY, linewidth=1.2)
    middle = [feature * N + (N - 1) / 2 for feature in range(D)]
    ax.set_xticks(middle, [f"j = {feature}" for feature in range(D)])
    ax.set_yticks(middle, [f"l = {feature}" for feature in range(D)])
    ax.set_xlabel("input feature j (and example i within it)")
    ax.set_ylabel("output feature l (and example k within it)")
    colour_bar(figure, image, ax)
    return Picture(
        figure,
        f"A matrix of {D} by {D} blocks. The blocks on the diagonal are all the same small Jacobian; the others are zero.",
    )


def contraction(dout: Any, J: Any) -> Live:
    """The contraction of eq. 2.8 as blocks: the row dL/dh_hat times the Jacobian as one square matrix is the row dL/dh.

    Args:
        dout: (N, D) array, dL/dh_hat.
        J: (N, D, N, D) array, J[k, l, i, j] = d h_hat[k, l] / d h[i, j].
    """
    dout, J = np.asarray(dout, dtype=float), np.asarray(J, dtype=float)
    i, j = 1, 0  # the entry of dL/dh whose column stands out first
    N, D = dout.shape
    dh = np.einsum("kl,klij->ij", dout, J)
    figure, axes = new_figure(columns=3, width=8.4, height=4.6, widths=(1.6, N * D, 1.6))
    rows = ((axes[0], dout, "dL/dh_hat\n[k, l]"), (axes[2], dh, "dL/dh\n[i, j]"))
    entries = [f"{example}, {feature}" for feature in range(D) for example in range(N)]
    limit = max(np.abs(dout).max(), np.abs(dh).max())
    for ax, values, title in rows:
        matrix(ax, values.T.reshape(-1, 1), title, limit=limit)
        ax.set_xticks([])
        ax.set_yticks(range(N * D), entries)
    flat = J.transpose(1, 0, 3, 2).reshape(D * N, D * N)
    matrix(axes[1], flat, "J[k, l, i, j]: the blocks of zeros vanish", limit=1.0)
    axes[1].set_xticks(range(N * D), entries)
    axes[1].set_xlabel("i, j")
    axes[1].set_yticks([])
    for edge in range(1, D):
        axes[1].axhline(edge * N - 0.5, color=GREY, linewidth=1.2)
        axes[1].axvline(edge * N - 0.5, color=GREY, linewidth=1.2)
    chosen = j * N + i
    axes[1].add_patch(patch("Rectangle", (chosen - 0.5, -0.5), 1, N * D, fill=False, edgecolor=ORANGE, linewidth=2.5))
    axes[2].add_patch(patch("Rectangle", (-0.5, chosen - 0.5), 1, 1, fill=False, edgecolor=ORANGE, linewidth=2.5))
    mean = dout[:, j].mean()
    still = Picture(
        figure,
        f"The row of the {N * D} entries of dL/dh_hat, times the Jacobian as {D} by {D} blocks, is the row of the entries of dL/dh. The "
        f"{D * D - D} blocks that lead from one feature to another are empty. In each of the others two bands are left: the diagonal of "
        f"the identity, and -1/{N} in every cell. So dL/dh[{i}, {j}] = dL/dh_hat[{i}, {j}] minus the mean of its feature: "
        f"{dout[i, j]:.2f} - ({mean:.2f}) = {dh[i, j]:.2f}.",
    )
    return Live("contraction", still, dout=dout, J=J, first={"i": i, "j": j})


def gradient_before_and_after(dout: Any, dh: Any) -> Picture:
    """One feature's gradient as bars, as it arrives and as it leaves.

    Args:
        dout: (N,) array, what arrives.
        dh: (N,) array, what is sent on.
    """
    dout, dh = np.asarray(dout), np.asarray(dh)
    figure, (left, right) = new_figure(columns=2, width=7.6, height=3.0)
    low, high = min(dout.min(), dh.min(), 0), max(dout.max(), dh.max(), 0)
    for ax, values, colour, name in ((left, dout, BLUE, "dout, arriving"), (right, dh, ORANGE, "dh, sent on")):
        ax.bar(range(len(values)), values, color=colour)
        ax.axhline(
            values.mean(),
            color="black",
            linestyle="--",
            linewidth=1.2,
            label=f"mean {abs(values.mean()) if abs(values.mean()) < 0.005 else values.mean():.2f}",
        )
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("example")
        ax.set_xticks(range(len(values)))
        ax.set_ylim(low - 0.1 * (high - low), high + 0.25 * (high - low))
        ax.legend(frameon=False, loc="upper right")
    return Picture(
        figure,
        f"Two bar charts. Left, dout: its bars have the mean {dout.mean():.2f}. "
        "Right, dh: the same bars, all lowered by that mean, so that the new mean is zero.",
    )
