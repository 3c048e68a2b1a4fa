"""Figures of lesson 04: the graph of batch normalization with numbers on its edges, and branches that must be added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bnlib.plots import BLUE, GREY, ORANGE, PURPLE, SKY, VERMILION, Picture, new_figure, patch
from bnlib.plots.live import Live

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_WIDTH, _LINE = 1.02, 0.175
_VALUES = {
    # name: (x, y, rows: N or 1)
    "x": (0.55, 3.75, 4),
    "mu": (0.55, 1.75, 1),
    "xc": (2.12, 3.75, 4),
    "sq": (2.12, 2.08, 4),
    "var": (2.12, 0.45, 1),
    "std": (3.80, 0.45, 1),
    "inv_std": (3.80, 1.75, 1),
    "x_hat": (4.70, 3.75, 4),
    "gamma": (5.52, 2.55, 1),
    "scaled": (6.30, 3.75, 4),
    "beta": (7.10, 2.55, 1),
    "out": (7.88, 3.75, 4),
}
"""Boxes, in inches from the lower left corner."""

_GATES = {
    # name: (x, y, symbol, equation)
    "mean of x": (0.55, 2.62, "mean", "4.1"),
    "subtract": (1.335, 3.75, "−", "4.2"),
    "square": (2.12, 2.93, "a²", "4.3"),
    "mean of sq": (2.12, 1.20, "mean", "4.4"),
    "root": (2.96, 0.45, "√+ε", "4.5"),
    "invert": (3.80, 1.10, "1/a", "4.6"),
    "multiply": (3.80, 3.75, "×", "4.7"),
    "scale": (5.52, 3.75, "×", "4.8"),
    "shift": (7.10, 3.75, "+", "4.9"),
}
_RADIUS = 0.2
_UPRIGHT = ("mean of x", "square", "mean of sq", "invert")
"""Gates with a wire through their top: their number stands beside them."""

_WIRES = (
    # from, to, corners between them
    ("x", "subtract"),
    ("x", "mean of x"),
    ("mean of x", "mu"),
    ("mu", "subtract", (1.335, 1.75)),
    ("subtract", "xc"),
    ("xc", "multiply"),
    ("xc", "square"),
    ("square", "sq"),
    ("sq", "mean of sq"),
    ("mean of sq", "var"),
    ("var", "root"),
    ("root", "std"),
    ("std", "invert"),
    ("invert", "inv_std"),
    ("inv_std", "multiply"),
    ("multiply", "x_hat"),
    ("x_hat", "scale"),
    ("gamma", "scale"),
    ("scale", "scaled"),
    ("scaled", "shift"),
    ("beta", "shift"),
    ("shift", "out"),
)


def graph(values: Mapping[str, Any], cache: Any = None, gradients: Mapping[str, Any] | None = None) -> Picture:
    """The graph of batch normalization for one feature of four examples, with the numbers that run through it.

    Args:
        values: x, gamma, beta, out by name; (4, 1) arrays and (1,) arrays.
        cache: What the forward pass kept: a dict or an object with the other names. Names it lacks stay empty.
        gradients: By name with a ``d`` in front; shown beside the values when given.
    """
    known = {**_named(cache), **values}
    back = {name[1:]: value for name, value in (gradients or {}).items()}
    if back:
        back = {"scaled": back.get("out"), **back}
    figure, ax = _empty_graph()
    for name in _VALUES:
        _box(ax, name, _numbers(known.get(name), name), _numbers(back.get(name), name), both=bool(back))
    _legend(ax, bool(back))
    what = "values and, beside each, the gradient of the loss" if back else "values"
    return Picture(
        figure,
        "The graph of the nine gates from x to out. x goes to the mean gate and to the subtract gate; xc goes to the multiply "
        f"gate and to the square gate, mean, root and invert, which lead to the multiply gate too. Each edge carries its {what}.",
    )


def recomputed(name: str) -> Picture:
    """The graph with one value nudged: what is held, and what is recomputed.

    Args:
        name: The nudged value, for example ``"xc"``.
    """
    after = _after(name)
    figure, ax = _empty_graph(after | {name})
    for box in _VALUES:
        x, y, rows = _VALUES[box]
        face: Any = "none"
        colour, words = GREY, "held"
        if box == name:
            colour, face, words = "black", (ORANGE, 0.75), "nudged"
        elif box in after:
            colour, face, words = "black", (ORANGE, 0.25), "recomputed"
        ax.add_patch(_frame(x, y, _WIDTH, _height(rows), face, colour))
        ax.text(x, y + 0.09, box, ha="center", va="center", fontsize=9, color=colour, weight="bold")
        ax.text(x, y - 0.1, words, ha="center", va="center", fontsize=8, color=colour)
    changed = ", ".join(box for box in _VALUES if box in after)
    return Picture(
        figure, f"The graph of the gates. {name} is nudged; {changed} are recomputed; all other values are held."
    )


def walk(x: Any, gamma: Any, beta: Any, eps: float, dout: Any) -> Live:
    """A nudge of one example walks forward through the gates, the gradient walks back; where they meet, the sum is dx.

    Whatever crosses a cut through the graph, the sum of gradient times change is the same.

    Args:
        x: (4, 1) array.
        gamma: (1,) array.
        beta: (1,) array.
        eps: What is added to the variance.
        dout: (4, 1) array.
    """
    x, gamma, beta, dout = (np.asarray(a, dtype=float).ravel() for a in (x, gamma, beta, dout))
    start = {"x": x, "gamma": gamma, "beta": beta}
    values = _onward(start, 0, eps)
    # A complex step carries the change of every value along, to the last digit.
    changes = [
        {name: np.imag(value) / _STEP for name, value in _onward({**start, "x": x + 1j * _STEP * row}, 0, eps).items()}
        for row in np.eye(len(x))
    ]

    def arrived(name: str, cut: int) -> Any:
        """The gradient of a value at a cut: what is nudged there goes through the later gates only."""
        nudged = [values[name] + 1j * _STEP * row for row in np.eye(len(values[name]))]
        return np.array([np.imag(dout @ _onward({**values, name: one}, cut, eps)["out"]) / _STEP for one in nudged])

    crossing = [{name: arrived(name, cut) for name in names} for cut, names in enumerate(_CUTS)]
    gradients = {"gamma": arrived("gamma", 0), "beta": arrived("beta", 0)}
    for met in reversed(crossing):  # at the first cut it crosses, all of a value's gradient is there
        gradients.update(met)
    first = {"example": 2, "cut": 4}
    figure, ax = _empty_graph()
    met = crossing[first["cut"]]
    for name in _VALUES:
        passed = any(name in names for names in _CUTS[: first["cut"] + 1])
        change = changes[first["example"]][name] if passed else None
        _box(
            ax,
            name,
            _numbers(change, name),
            _numbers(met.get(name, None if passed else gradients[name]), name),
            both=True,
        )
    sums = {name: float(value @ changes[first["example"]][name]) for name, value in met.items()}
    lines = [
        ("left: how much the nudge changes the value", BLUE),
        ("right: the gradient that came back", VERMILION),
        (f"gradient times change: {' + '.join(f'{name} {value:.3f}' for name, value in sums.items())}", "black"),
        (f"together {sum(sums.values()):.3f} = dx[{first['example']}]", "black"),
    ]
    for row, (text, colour) in enumerate(lines):
        ax.text(4.75, 1.3 - 0.24 * row, text, fontsize=9, color=colour)
    still = Picture(
        figure,
        f"The graph of the nine gates. Example {first['example']} of x is nudged. Left of a cut after gate 4.4 each box carries the change of "
        f"its value, right of it the gradient that came back; {' and '.join(met)} cross the cut and carry both. Gradient times change, "
        f"added up over what crosses, is {sum(sums.values()):.3f}, which is dx[{first['example']}]; so it is at every cut.",
    )
    return Live(
        "walk", still, boxes=_VALUES, gates=_GATES, wires=_WIRES, order=list(_GATES), cuts=_CUTS,
        changes=changes, gradients=gradients, crossing=crossing, first=first,
    )  # fmt: skip


_CUTS = (
    ("x",),
    ("x", "mu"),
    ("xc",),
    ("xc", "sq"),
    ("xc", "var"),
    ("xc", "std"),
    ("xc", "inv_std"),
    ("x_hat",),
    ("scaled",),
    ("out",),
)
"""What is still needed after none, one, two, ... of the gates."""


_STEPS: tuple[tuple[str, Callable[[dict[str, Any], float], Any]], ...] = (
    ("mu", lambda v, eps: np.atleast_1d(v["x"].mean())),
    ("xc", lambda v, eps: v["x"] - v["mu"]),
    ("sq", lambda v, eps: v["xc"] * v["xc"]),
    ("var", lambda v, eps: np.atleast_1d(v["sq"].mean())),
    ("std", lambda v, eps: np.sqrt(v["var"] + eps)),
    ("inv_std", lambda v, eps: 1 / v["std"]),
    ("x_hat", lambda v, eps: v["xc"] * v["inv_std"]),
    ("scaled", lambda v, eps: v["x_hat"] * v["gamma"]),
    ("out", lambda v, eps: v["scaled"] + v["beta"]),
)
"""The gates, eq. 4.1 to 4.9, in their order, for one feature: what comes out, and how."""

_STEP = 1e-30


def _onward(values: Mapping[str, Any], cut: int, eps: float) -> dict[str, Any]:
    """Values, and what the gates after a cut make of them."""
    found = dict(values)
    for name, step in _STEPS[cut:]:
        found[name] = step(found, eps)
    return found


def branches(product: Any, square: Any, total: Any, numerical: Any) -> Picture:
    """What arrives at xc along each branch, their sum, and the numerical gradient.

    Args:
        product: (N,) array, from the multiply gate.
        square: (N,) array, from the square gate.
        total: (N,) array, dxc.
        numerical: (N,) array, the numerical gradient of xc.
    """
    figure, (ax,) = new_figure(width=7.2, height=3.4)
    place = np.arange(len(np.ravel(total)))
    for shift, values, colour, hatch, label in (
        (-0.27, product, BLUE, "", "from the multiply gate"),
        (0.0, square, ORANGE, "//", "from the square gate"),
        (0.27, total, SKY, "", "your dxc"),
    ):
        ax.bar(place + shift, np.ravel(values), width=0.25, color=colour, hatch=hatch, edgecolor="white", label=label)
    ax.plot(place + 0.27, np.ravel(numerical), "D", color="black", markersize=5, label="numerical gradient of xc")
    _finish(ax, place)
    return Picture(
        figure,
        "For each example three bars: what arrives at xc from the multiply gate, what arrives from the square gate, and dxc. "
        "Black diamonds, the numerical gradient, sit on the tips of the dxc bars where these are the sum of the other two.",
    )


def three_gradients(versions: Mapping[str, Any], numerical: Any) -> Picture:
    """Gradients of x made from different versions of dxc, beside the numerical one.

    Args:
        versions: From a label to an (N,) array; up to three.
        numerical: (N,) array.
    """
    figure, (ax,) = new_figure(width=7.2, height=3.4)
    place = np.arange(len(np.ravel(numerical)))
    looks = ((SKY, ""), (BLUE, "\\\\"), (PURPLE, "//"))
    for index, ((label, values), (colour, hatch)) in enumerate(zip(versions.items(), looks, strict=False)):
        ax.bar(
            place + 0.25 * index - 0.25,
            np.ravel(values),
            0.23,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=label,
        )
    ax.hlines(
        np.ravel(numerical), place - 0.42, place + 0.42, color="black", linewidth=1.6, label="numerical gradient of x"
    )
    _finish(ax, place)
    return Picture(
        figure,
        "For each example bars for dx made from both branches, from the multiply gate alone and from the square gate alone, and a "
        "black line at the numerical gradient of x. Only the bars made from both branches end at the line.",
    )


def _finish(ax: Axes, place: Any) -> None:
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xticks(place)
    ax.set_xlabel("example")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.45 * (high - low))
    ax.legend(frameon=False, ncols=2, loc="upper center", fontsize=9)


def _empty_graph(strong: set[str] | None = None) -> tuple[Any, Axes]:
    """Gates and wires; those behind a value of ``strong`` stand out."""
    figure, (ax,) = new_figure(width=8.45, height=4.25)
    ax.set(xlim=(0, 8.45), ylim=(0.15, 4.4), aspect="equal")
    ax.axis("off")
    for start, end, *corners in _WIRES:
        active = strong is not None and (
            start in strong or (start in _GATES and end in strong and end != _first(strong))
        )
        _wire(ax, start, end, corners, active)
    for name, (x, y, symbol, equation) in _GATES.items():
        ax.add_patch(patch("Circle", (x, y), _RADIUS, facecolor="none", edgecolor="black", linewidth=1.2, zorder=3))
        ax.text(x, y, symbol, ha="center", va="center", fontsize=8 if len(symbol) > 1 else 12, zorder=4)
        right, up = (0.24, 0.07) if name in _UPRIGHT else (-0.1, 0.24)
        ax.text(x + right, y + up, equation, fontsize=7.5, color=GREY, zorder=4)
    return figure, ax


def _first(strong: set[str]) -> str:
    """The value of ``strong`` that all others come after."""
    return next(name for name in strong if strong == _after(name) | {name})


def _wire(ax: Axes, start: str, end: str, corners: list[tuple[float, float]], active: bool) -> None:
    points = [np.array(_centre(start)), *map(np.array, corners), np.array(_centre(end))]
    points[0] = points[0] + _reach(start, points[1] - points[0])
    colour, width = (VERMILION, 2.2) if active else (GREY, 1.2)
    for a, b in zip(points[:-2], points[1:-1], strict=True):
        ax.plot(*zip(a, b, strict=True), color=colour, linewidth=width, zorder=1, solid_capstyle="round")
    tip = points[-1] - _reach(end, points[-1] - points[-2])
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    ax.annotate("", tuple(tip), tuple(points[-2]), arrowprops=arrow, zorder=1)


def _centre(name: str) -> tuple[float, float]:
    return (_VALUES.get(name) or _GATES[name])[:2]


def _reach(name: str, direction: Any) -> Any:
    """From the centre of a gate or box to its edge, along a horizontal or vertical wire."""
    unit = direction / np.linalg.norm(direction)
    if name in _GATES:
        return unit * _RADIUS
    rows = _VALUES[name][2]
    return unit * (_WIDTH / 2 if abs(unit[0]) > abs(unit[1]) else _height(rows) / 2)


def _height(rows: int) -> float:
    return (rows + 1.2) * _LINE


def _frame(x: float, y: float, width: float, height: float, face: Any, edge: str) -> Patch:
    corner = (x - width / 2 + 0.04, y - height / 2 + 0.04)
    style = "round,pad=0.04,rounding_size=0.06"
    return patch(
        "FancyBboxPatch", corner, width - 0.08, height - 0.08, boxstyle=style, facecolor=face, edgecolor=edge, zorder=2
    )


def _box(ax: Axes, name: str, values: list[str], gradients: list[str], both: bool) -> None:
    """A value's name and numbers and, where asked, its gradient's beside them."""
    x, y, rows = _VALUES[name]
    height = _height(rows)
    width = 1.24 if both and name in ("inv_std", "gamma") else _WIDTH
    ax.add_patch(_frame(x, y, width, height, "none", GREY))
    top = y + height / 2 - 0.12
    left, right = (x - 0.06, x + width / 2 - 0.06) if both else (x + 0.2, x)
    if both:
        head: dict[str, Any] = {"va": "center", "fontsize": 7.5, "weight": "bold", "zorder": 4}
        ax.text(x - width / 2 + 0.05, top, name, color=BLUE, **head)
        ax.text(right + 0.01, top, "d" + name, ha="right", color=VERMILION, **head)
    else:
        ax.text(x, top, name, ha="center", va="center", fontsize=9, color=BLUE, weight="bold", zorder=4)
    for column, numbers, colour in ((left, values, "black"), (right, gradients, VERMILION)):
        for row, number in enumerate(numbers):
            ax.text(
                column, top - (row + 1) * _LINE, number, ha="right", va="center", fontsize=8.5, color=colour, zorder=4
            )


def _legend(ax: Axes, both: bool) -> None:
    lines = [("the value, computed from left to right", BLUE)]
    if both:
        lines = [
            ("left: the value, computed from left to right", BLUE),
            ("right: its gradient, computed from right to left", VERMILION),
        ]
    for row, (text, colour) in enumerate([*lines, ("small numbers: the gate's equation", GREY)]):
        ax.text(4.75, 1.2 - 0.24 * row, text, fontsize=9, color=colour)


def _named(cache: Any) -> dict[str, Any]:
    """The names in a dict or an object; nothing for a cache of another form."""
    if isinstance(cache, Mapping):
        return {key: value for key, value in cache.items() if isinstance(key, str)}
    return dict(getattr(cache, "__dict__", {}))


def _numbers(value: Any, name: str) -> list[str]:
    """A small array as short texts; none where it is missing or has another size than the figure has room for."""
    try:
        numbers = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return []
    if value is None or numbers.size != _VALUES[name][2]:
        return []
    return [f"{number + 0.0:.3g}".replace("-", "−") for number in np.round(numbers, 6)]


def _after(name: str) -> set[str]:
    """Values that are recomputed when ``name`` changes."""
    found: set[str] = set()
    edge = {name}
    while edge:
        edge = {end for start, end, *_ in _WIRES if start in edge} - found
        found |= edge
    return {box for box in found if box in _VALUES}
