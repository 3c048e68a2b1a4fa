"""Where everything stands in the figures of the class page; ``templates/charts.html`` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bnlib.grading.result import Points

Chart = dict[str, Any]


def histogram(scores: Sequence[Points], most: Points) -> Chart:
    """Bars: how many students have how many points."""
    most = math.ceil(most)
    step = max(1, math.ceil((most + 1) / 15))
    bins = [0] * (most // step + 1)
    for score in scores:
        bins[min(int(score // step), len(bins) - 1)] += 1
    highest, width = max(bins), 600 / len(bins)
    labels = [f"{i * step}" if step == 1 else f"{i * step}–{min(most, i * step + step - 1)}" for i in range(len(bins))]
    bars = []
    for index, (count, label) in enumerate(zip(bins, labels, strict=True)):
        height = 130 * count / highest
        x, y = round(index * width + 3, 1), round(150 - height, 1)
        middle = round((index + 0.5) * width, 1)
        bars.append(
            {"x": x, "y": y, "width": round(width - 6, 1), "height": round(height, 1), "middle": middle}
            | {"count": count, "label": label}
        )
    said = ", ".join(f"{label} points: {count}" for label, count in zip(labels, bins, strict=True) if count)
    return {"bars": bars, "said": said}


def scatter(points: Sequence[tuple[float, float, str]]) -> Chart:
    """Exercises by how many solved them and by how telling they are; the five least telling have their names.

    Args:
        points: For each exercise its share of right answers, how telling it is, and its name.
    """
    lowest = min(-0.2, *(telling for _, telling, _ in points))

    def x(share: float) -> float:
        return round(50 + 530 * share, 1)

    def y(telling: float) -> float:
        return round(10 + 200 * (1 - telling) / (1 - lowest), 1)

    levels = [{"y": y(telling), "label": f"{telling:g}"} for telling in (0.0, 0.5, 1.0)]
    shares = [{"x": x(share), "label": f"{100 * share:.0f} %"} for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    marks = []
    free = math.inf  # names are written from the bottom up, each clear of the one before
    for number, (share, telling, name) in enumerate(sorted(points, key=lambda each: each[1])):
        mark: Chart = {"x": x(share), "y": y(telling), "name": name, "label": None}
        if number < 5:
            side, anchor = (7, "start") if share < 0.6 else (-7, "end")
            height = min(y(telling) + 3, free)
            free = height - 11
            mark["label"] = {
                "x": round(x(share) + side, 1),
                "y": round(height, 1),
                "anchor": anchor,
                "text": name.split(".")[1],
            }
        marks.append(mark)
    said = "; ".join(f"{name}: {100 * share:.0f} %, {telling:.2f}" for share, telling, name in points)
    return {"levels": levels, "shares": shares, "points": marks, "said": said}
