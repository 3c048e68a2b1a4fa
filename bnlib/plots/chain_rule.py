"""Figures of lesson 01: what batch normalization is for, paths from an input to the loss, measured Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bnlib.numerics import jacobian_central
from bnlib.plots import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, Picture, colour_bar, matrix, new_figure, patch
from bnlib.plots.live import Live

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT_AREA, VESSEL_AREA = 3.0, 10.0
"""Areas of the left cylinder and of the vessel in the picture of the pistons, which is drawn to scale."""

_FEATURES = ((BLUE, "-", ""), (ORANGE, "--", "//"), (GREEN, ":", "\\\\"))


def what_it_is_for(x: Any) -> Picture:
    """Three features of a batch as histograms: as a layer made them, and with mean 0 and spread 1.

    Args:
        x: (N, 3) array.
    """
    x = np.asarray(x)
    figure, (left, right) = new_figure(columns=2, width=8.0, height=3.0)
    after = np.stack([(column - np.mean(column)) / np.std(column) for column in x.T], axis=1)
    for ax, values, title in ((left, x, "what a layer sends"), (right, after, "the same, normalized over the batch")):
        bins = np.linspace(values.min(), values.max(), 60 if ax is left else 24).tolist()
        ax.axvspan(-2, 2, color=SKY, alpha=0.25, linewidth=0)
        for feature, (colour, line, hatch) in enumerate(_FEATURES):
            style: dict[str, Any] = {
                "histtype": "stepfilled",
                "alpha": 0.4,
                "hatch": hatch,
                "label": f"feature {feature}",
            }
            ax.hist(values[:, feature], bins, color=colour, edgecolor=colour, **style)
            ax.hist(values[:, feature], bins, histtype="step", color=colour, linestyle=line, linewidth=1.6)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("value")
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    left.legend(frameon=False, fontsize=9)
    for ax in (left, right):
        low, high = ax.get_ylim()
        ax.set_ylim(low, 1.2 * high)
        ax.text(0, 1.08 * high, "tanh has\na slope", ha="center", va="center", fontsize=8)
    return Picture(
        figure,
        "Two panels of histograms. Left: three features of one layer, one narrow and far to the left, one near zero, one wide "
        "and far to the right; only one of them lies in the band where tanh has a slope. Right: the same three after "
        "normalization, on top of each other, nearly all within that band.",
    )


def who_gets_a_gradient(x: Any, dL_dy: Any) -> Picture:
    """The gradient that reaches each example through a function of single examples, and through normalization.

    Args:
        x: (N,) array, one feature of a batch.
        dL_dy: (N,) array, the gradient with respect to the outputs.
    """
    x, dL_dy = np.asarray(x, dtype=float), np.asarray(dL_dy, dtype=float)
    figure, axes = new_figure(columns=2, width=8.0, height=2.9)
    shown = (
        ("y = 2x + 1, each example alone", dL_dy @ jacobian_central(lambda x: 2 * x + 1, x)),
        ("y = batch-normalized x", dL_dy @ jacobian_central(lambda x: (x - np.mean(x)) / np.std(x), x)),
    )
    values = np.concatenate([gradient for _, gradient in shown])
    low, high = min(0.0, values.min()), max(0.0, values.max())
    room = 0.14 * (high - low)
    for ax, (title, gradient) in zip(axes, shown, strict=True):
        ax.bar(range(len(x)), gradient, color=[VERMILION if d else BLUE for d in dL_dy])
        for example, value in enumerate(gradient):
            up = value >= 0
            place = (example, value + (0.02 if up else -0.02) * (high - low))
            ax.text(
                *place,
                f"{value if abs(value) > 0.005 else 0:.2f}",
                ha="center",
                va="bottom" if up else "top",
                fontsize=8,
            )
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("example")
        ax.set_xticks(range(len(x)))
        ax.set_ylim(low - room, high + room)
    axes[0].set_ylabel("gradient of the loss, dL/dx")
    only = int(np.argmax(np.abs(dL_dy)))
    return Picture(
        figure,
        f"Two bar charts on one scale of the gradient that reaches five examples when the loss looks at example {only} only. Left, a "
        f"function of each example alone: one bar, at example {only}. Right, batch normalization: every example has a bar, "
        "some up and some down.",
    )


def pistons() -> Live:
    """Two pistons under one plate: pushed down, both press water into one vessel."""
    first = {"push": 1.5, "area": 2}
    return Live("pistons", _pistons(**first), left=LEFT_AREA, vessel=VESSEL_AREA, first=first)


def _pistons(push: float, area: float) -> Picture:
    figure, (ax, graph) = new_figure(columns=2, width=8.0, height=4.3)
    figure.set_layout_engine("constrained", w_pad=0.02, wspace=0.0)
    for axes in (ax, graph):
        axes.set_axis_off()
    ax.set(xlim=(0.6, 13.4), ylim=(-0.2, 12.1), aspect="equal")
    _machine(ax, push, area)
    _paths(graph, push, area)
    first, second = push * LEFT_AREA / VESSEL_AREA, push * area / VESSEL_AREA
    return Picture(
        figure,
        f"A plate lies on two piston rods. Pushed down by {push:.1f}, it drives a piston of area {LEFT_AREA:g} and one of area "
        f"{area:g} into two cylinders; the water they press out, {push * LEFT_AREA:.1f} and {push * area:.1f}, falls into one "
        f"vessel, whose level rises by {first:.2f} and by {second:.2f}, {first + second:.2f} together. Beside it the same "
        "as a graph: x leads to y1 and to y2, and both lead to L.",
    )


def _machine(ax: Axes, push: float, area: float) -> None:
    """Plate, pistons, cylinders and vessel, to scale: what a piston presses out is what the vessel gains."""
    bottom, rest, plate, floor, left_wall = 3.6, 6.8, 10.1, 0.8, 1.0
    level = floor + push * (LEFT_AREA + area) / VESSEL_AREA
    water: dict[str, Any] = {"alpha": 0.75, "edgecolor": "white", "linewidth": 0}
    ax.add_patch(patch("Rectangle", (left_wall, 0), VESSEL_AREA, floor, facecolor=SKY, alpha=0.35))
    filled = floor
    for left, width, colour, hatch, name in (
        (1.4, LEFT_AREA, BLUE, "", "$y_1$"),
        (7.6, area, ORANGE, "//", "$y_2$"),
    ):
        middle, gain = left + width / 2, push * width / VESSEL_AREA
        water |= {"facecolor": colour, "hatch": hatch}
        ax.add_patch(patch("Rectangle", (left, bottom), width, rest - push - bottom, **water))
        ax.add_patch(patch("Rectangle", (left_wall, filled), VESSEL_AREA, gain, **water))
        filled += gain
        if push > 0:
            ax.add_patch(patch("Rectangle", (middle - 0.06 * width, level), 0.12 * width, bottom - level, **water))
        ax.add_patch(patch("Rectangle", (left, rest - push), width, 0.35, facecolor="#3b3f46"))
        ax.add_patch(patch("Rectangle", (middle - 0.1, rest - push + 0.35), 0.2, plate - rest - 0.35, facecolor=GREY))
        for wall in (left, left + width):
            ax.plot([wall, wall], [bottom, rest + 0.6], color="black", linewidth=1.6)
        for start, end in ((left, middle - 0.2), (middle + 0.2, left + width)):
            ax.plot([start, end], [bottom, bottom], color="black", linewidth=1.6)
        ax.text(middle + 0.4, bottom - 0.5, f"{name} = {push * width:.1f}", fontsize=10, va="center")
    ax.add_patch(patch("Rectangle", (1.0, plate), 10.0, 0.25, fill=False, linestyle=":", edgecolor=GREY))
    ax.add_patch(patch("Rectangle", (1.0, plate - push), 10.0, 0.25, facecolor="#9aa1ab", edgecolor="black"))
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 16, "linewidth": 2.2, "color": VERMILION}
    ax.add_patch(patch("FancyArrowPatch", (6.0, plate + 1.9 - push), (6.0, plate + 0.2 - push), **arrow))
    ax.text(6.35, plate + 1.2 - push, f"$x$ = {push:.1f}", fontsize=10, va="center", color=VERMILION)
    right_wall = left_wall + VESSEL_AREA
    ax.plot([left_wall] * 2 + [right_wall] * 2, [2.7, 0, 0, 2.7], color="black", linewidth=1.6)
    ax.plot([right_wall, right_wall + 0.4], [floor, floor], color=GREY, linewidth=1)
    ax.plot([right_wall, right_wall + 0.4], [level, level], color="black", linewidth=1.4)
    ax.text(right_wall + 0.5, (floor + level) / 2, f"$L$\n+{level - floor:.2f}", fontsize=10, va="center")


def _paths(ax: Axes, push: float, area: float) -> None:
    """The same as a graph: what travels along each path, and the sum."""
    ax.set(xlim=(-0.35, 2.35), ylim=(-1.25, 1.35))
    nodes = {"x": (0.0, 0.45), "y_1": (1.0, 1.0), "y_2": (1.0, -0.1), "L": (2.0, 0.45)}
    edges = (
        ("x", "y_1", BLUE, f"× {LEFT_AREA:g}"),
        ("x", "y_2", ORANGE, f"× {area:g}"),
        ("y_1", "L", BLUE, f"× {1 / VESSEL_AREA:g}"),
        ("y_2", "L", ORANGE, f"× {1 / VESSEL_AREA:g}"),
    )
    for start, end, colour, label in edges:
        (x0, y0), (x1, y1) = nodes[start], nodes[end]
        style: dict[str, Any] = {
            "arrowstyle": "-|>",
            "mutation_scale": 13,
            "linewidth": 2,
            "color": colour,
            "shrinkA": 15,
            "shrinkB": 15,
        }
        ax.add_patch(patch("FancyArrowPatch", (x0, y0), (x1, y1), **style))
        above = 0.2 if "y_1" in (start, end) else -0.2
        ax.text((x0 + x1) / 2, (y0 + y1) / 2 + above, label, ha="center", va="center", fontsize=9)
    for name, place in nodes.items():
        ax.plot(*place, "o", markersize=26, markerfacecolor="none", markeredgecolor="black")
        ax.text(*place, f"${name}$", ha="center", va="center", fontsize=11)
    first, second = push * LEFT_AREA / VESSEL_AREA, push * area / VESSEL_AREA
    lines = (
        (f"through $y_1$:  {push:.1f} × {LEFT_AREA:g} × {1 / VESSEL_AREA:g} = {first:.2f}", -0.55),
        (f"through $y_2$:  {push:.1f} × {area:g} × {1 / VESSEL_AREA:g} = {second:.2f}", -0.8),
        (f"together $L$ rises by {first + second:.2f}", -1.1),
    )
    for text, height in lines:
        ax.text(1.0, height, text, ha="center", va="center", fontsize=9.5)


def nudge(x: Any, **functions: Callable[[Any], Any]) -> Live:
    """A batch of numbers and what functions make of it, before and after one number was nudged.

    Args:
        x: (N,) array.
        functions: From an (N,) array to an (N,) array; their names are shown.
    """
    x = np.asarray(x, dtype=float)
    first, steps = {"example": len(x) // 2, "by": 0.9}, np.linspace(-1.0, 1.0, 21)
    outputs = [
        {
            "name": name.replace("_", " "),
            "before": np.asarray(function(x)),
            "after": [[np.asarray(function(x + by * row)) for by in steps] for row in np.eye(len(x))],
        }
        for name, function in functions.items()
    ]
    still = _nudged(outputs, int(first["example"]), int(np.argmin(np.abs(steps - first["by"]))), first["by"])
    return Live("nudge", still, outputs=outputs, size=len(x), steps={"from": -1.0, "to": 1.0}, first=first)


def _nudged(outputs: list[dict[str, Any]], example: int, step: int, by: float) -> Picture:
    """One place of the sliders."""
    figure, axes = new_figure(columns=len(outputs), width=8.0, height=3.1)
    told = []
    for ax, shown in zip(axes, outputs, strict=True):
        before, after = shown["before"], shown["after"][example][step]
        _before_and_after(ax, before, after, example)
        ax.set_ylim(np.min(shown["after"]) - 0.25, np.max(shown["after"]) + 0.25)
        ax.set_title(shown["name"], fontsize=10)
        told.append(f"{shown['name']}: {np.sum(np.abs(after - before) > 1e-9)} of {len(before)} outputs move")
    axes[0].set_ylabel("output y")
    axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    return Picture(
        figure,
        f"Dots for {len(before)} outputs before and after input {example} is nudged by {by:.2f}. {'; '.join(told)}.",
    )


def _before_and_after(ax: Axes, before: Any, after: Any, nudged: int) -> None:
    for k, (old, new) in enumerate(zip(before, after, strict=True)):
        colour = VERMILION if k == nudged else BLUE
        if abs(new - old) > 0.02:
            arrow: dict[str, Any] = {
                "arrowstyle": "-|>",
                "mutation_scale": 9,
                "color": colour,
                "shrinkA": 0,
                "shrinkB": 0,
            }
            ax.annotate("", (k + 0.22, new), (k + 0.22, old), arrowprops=arrow)
        label: dict[str, Any] = {"label": "before"} if k == 0 else {}
        ax.plot(k, old, "o", markersize=8, markerfacecolor="none", markeredgecolor=GREY, **label)
        marker: dict[str, Any] = {"marker": "s", "label": "after, the nudged one"} if k == nudged else {"marker": "o"}
        if k == (1 if nudged == 0 else 0):
            marker["label"] = "after"
        ax.plot(k, new, linestyle="", markersize=7, color=colour, zorder=3, **marker)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel("example k")
    ax.set_xticks(range(len(before)))
    ax.set_xlim(-0.4, len(before) - 0.5)


def jacobians(**found: Any) -> Picture:
    """Jacobians side by side as coloured cells.

    Args:
        found: (N, N) arrays J[k, i] = dy[k] / dx[i]; their names are shown.
    """
    arrays = {name.replace("_", " "): np.asarray(J) for name, J in found.items()}
    figure, axes = new_figure(columns=len(arrays), width=8.0, height=3.7)
    for ax, (name, J) in zip(axes, arrays.items(), strict=True):
        image = matrix(ax, np.where(np.abs(J) < 5e-7, 0.0, J), name, limit=1.0)
        ax.set_xlabel("input i")
        ax.set_ylabel("output k")
    colour_bar(figure, image, axes, label="change of output k per change of input i", shrink=0.9)
    told = [f"{name}: {int(np.sum(np.abs(J) > 5e-7))} of {J.size} entries are not zero" for name, J in arrays.items()]
    return Picture(figure, f"{len(arrays)} matrices of coloured cells. {'; '.join(told)}.")


def error_of_step(numerical_jacobian: Callable[..., Any]) -> Picture:
    """How wrong a measured derivative is, against the size of the nudge: one-sided, and as the learner measures it.

    Args:
        numerical_jacobian: The learner's function.
    """

    def f(x: Any) -> Any:
        return np.exp(x)

    x, steps = np.array([1.0]), 10.0 ** np.arange(-13, -0.4, 0.5)
    truth = np.exp(x[0])
    sides = {
        "one-sided": [abs((f(x + eta)[0] - f(x)[0]) / eta - truth) for eta in steps],
        "two-sided, yours": [
            abs(float(np.ravel(numerical_jacobian(f, np.array(x), float(eta)))[0]) - truth) for eta in steps
        ],
    }
    figure, (ax,) = new_figure(width=6.6, height=3.4)
    for (name, errors), colour, marker in zip(sides.items(), (ORANGE, BLUE), ("s", "o"), strict=True):
        ax.loglog(steps, np.maximum(errors, 1e-13), color=colour, marker=marker, markersize=5, label=name)
    ax.invert_xaxis()
    ax.set_xlabel("nudge eta (smaller to the right)")
    ax.set_ylabel("error of the derivative")
    ax.text(3e-2, 3e-9, "the formula's error\nshrinks with eta", fontsize=8.5, ha="center")
    ax.text(3e-11, 3e-9, "rounding\ntakes over", fontsize=8.5, ha="center")
    ax.legend(frameon=False, loc="upper center", fontsize=9)
    return Picture(
        figure,
        "Two curves of error against the nudge eta. Both fall as eta shrinks, the two-sided one twice as steeply, down to about "
        "1e-10 near eta = 1e-5; then both rise again, because rounding takes over.",
    )


def learning(seen: Any, wanted: Any) -> Picture:
    """Parameters on their way to the values that are wanted.

    Args:
        seen: (steps, P) array, the parameters after each step.
        wanted: For each parameter, name and wanted value.
    """
    seen = np.asarray(seen)
    figure, (ax,) = new_figure(width=6.6, height=3.0)
    styles = ((BLUE, "-"), (BLUE, "--"), (ORANGE, "-"), (ORANGE, "--"))
    for values, (name, target), (colour, line) in zip(seen.T, wanted.items(), styles, strict=True):
        ax.plot(range(1, len(values) + 1), values, color=colour, linestyle=line, linewidth=2)
        ax.plot([0, len(values)], [target, target], color=GREY, linewidth=0.9, linestyle=":")
        ax.text(len(values) + 0.6, target, name, va="center", fontsize=9)
    ax.set_xlabel("step of gradient descent")
    ax.set_ylabel("value")
    ax.set_xlim(0, 1.16 * len(seen))
    return Picture(
        figure,
        "Four curves, two scales and two shifts, that move within about twenty steps to the dotted lines of the wanted values "
        "and stay there.",
    )
