"""Figures of lesson 06: digits, curves of training, what the layers see, a bias that runs away."""

from __future__ import annotations

from typing import Any

import numpy as np

from bnlib.plots import Picture, new_figure


def some_digits(x: Any, labels: Any) -> Picture:
    """A few digits with their labels.

    Args:
        x: (K, 64) array, 8 by 8 pixels each.
        labels: (K,) array.
    """
    rows = 2
    figure, axes = new_figure(columns=len(x) // rows, rows=rows, width=8.0, height=2.0)
    for ax, image, label in zip(axes, np.asarray(x), labels, strict=False):
        ax.imshow(np.dstack([np.full((8, 8, 3), 0.5), image.reshape(8, 8)]), interpolation="nearest")
        ax.set_title(str(label), fontsize=9)
        ax.set_axis_off()
    return Picture(figure, f"Small grey pictures of handwritten digits, their labels above them: {', '.join(map(str, labels))}.")
