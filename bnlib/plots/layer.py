"""Figures of lesson 05: running averages that settle, two modes side by side, a layer before and after training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bnlib.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, Picture, colour_bar, matrix, new_figure
from bnlib.plots.live import Live

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE)
_STYLES = ("-", "--", "-.", ":")


def averages(batches: Any, lines: Mapping[str, Any], truth: float) -> Picture:
    """What single batches say, and what running averages of different momentum make of it.

    Args:
        batches: (T,) array, the mean of each batch.
        lines: For each label, a (T,) array: the running average after each batch.
        truth: What the average should come to.
    """
    figure, (ax,) = new_figure(width=7.6, height=3.6)
    steps = np.arange(1, len(batches) + 1)
    ax.plot(steps, batches, ".", color=GREY, alpha=0.45, markersize=5, label="mean of one batch")
    _draw_lines(ax, steps, lines)
    _draw_truth(ax, truth, "true mean")
    ax.set_xlabel("batches seen")
    ax.set_ylabel("running mean")
    ax.legend(frameon=False, fontsize=9, loc="lower right", ncols=2)
    ends = ", ".join(f"{label}: {np.asarray(line)[-1]:.2f}" for label, line in lines.items())
    return Picture(
        figure,
        f"Scattered dots, the means of single batches, around a dashed line at {truth:g}. Running averages climb from zero "
        f"towards that line: the more weight the old average has, the slower and the smoother. After the last batch, {ends}.",
    )


def convergence(histories: Mapping[str, Any], true_mean: float, true_var: float) -> Picture:
    """Running mean and running variance over the batches, one line a convention.

    Args:
        histories: For each label, a (T, 2) array: running mean and running variance after each batch.
        true_mean: Mean of the distribution the batches come from.
        true_var: Its variance.
    """
    figure, (left, right) = new_figure(columns=2, width=8.0, height=3.4)
    for column, (ax, truth, name) in enumerate(((left, true_mean, "mean"), (right, true_var, "variance"))):
        lines = {label: np.asarray(history)[:, column] for label, history in histories.items()}
        _draw_lines(ax, np.arange(len(next(iter(lines.values())))), lines)
        _draw_truth(ax, truth, f"true {name}")
        ax.set_title(f"running {name}", fontsize=10)
        ax.set_xlabel("batches seen")
        ax.set_ylim(0, 1.5 * truth)
    right.legend(frameon=False, fontsize=9, loc="lower right")
    tails = {label: np.asarray(history)[-100:, 1].mean() for label, history in histories.items()}
    settled = ", ".join(f"{label}: {tail:.1f}" for label, tail in tails.items())
    return Picture(
        figure,
        f"Two panels. Left, the running means of both conventions lie on one another and settle at {true_mean:g}. Right, the "
        f"running variances part and settle at different heights ({settled}); the true variance is {true_var:g}.",
    )


def company(training: Any, evaluation: Any) -> Picture:
    """One example's output in several batches, in both modes.

    Args:
        training: (B,) array, the example's output in each of B batches, training mode.
        evaluation: (B,) array, the same in evaluation mode.
    """
    training, evaluation = np.asarray(training), np.asarray(evaluation)
    figure, (ax,) = new_figure(width=7.0, height=3.2)
    place = np.arange(len(training))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.bar(place - 0.2, training, width=0.4, color=BLUE, label="training mode")
    ax.bar(place + 0.2, evaluation, width=0.4, color=ORANGE, hatch="//", edgecolor="white", label="evaluation mode")
    ax.set_xticks(place, [f"batch {number + 1}" for number in place])
    ax.set_ylabel("output of the same example")
    low, high = min(0.0, training.min(), evaluation.min()), max(0.0, training.max(), evaluation.max())
    ax.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    ax.legend(frameon=False, fontsize=9, loc="upper right", ncols=2)
    return Picture(
        figure,
        f"Pairs of bars, one pair a batch, for one and the same example. In training mode its output lies between "
        f"{training.min():.2f} and {training.max():.2f}, depending on the batch; in evaluation mode all bars are equal.",
    )


def jacobians(training: Any, evaluation: Any) -> Picture:
    """Jacobians of one feature of the layer in both modes, side by side.

    Args:
        training: (N, N) array, training mode.
        evaluation: (N, N) array, evaluation mode.
    """
    training, evaluation = np.asarray(training), np.asarray(evaluation)
    figure, axes = new_figure(columns=2, width=8.0, height=3.6)
    limit = max(np.max(np.abs(training)), np.max(np.abs(evaluation)))
    for ax, values, title in zip(axes, (training, evaluation), ("training mode", "evaluation mode"), strict=True):
        image = matrix(ax, values, title, limit=float(limit))
        ax.set_xlabel("input i")
        ax.set_ylabel("output k")
    colour_bar(figure, image, axes, label="change of output k per change of input i", shrink=0.9)
    return Picture(
        figure,
        f"Two matrices of {len(training)} by {len(training)} cells. Training mode: no cell is zero. Evaluation mode: "
        f"{evaluation[0, 0]:.2f} all along the diagonal, zero everywhere else.",
    )


def served(pairs: Mapping[str, tuple[Any, Any]]) -> Picture:
    """Outputs of one batch in both modes, one against the other.

    Args:
        pairs: For each panel's title, outputs of training mode and of evaluation mode, arrays of the same shape.
    """
    figure, axes = new_figure(columns=len(pairs), width=8.0, height=3.4)
    values = np.concatenate([np.ravel(part) for pair in pairs.values() for part in pair])
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low)
    gaps = []
    for ax, (title, (training, evaluation)) in zip(axes, pairs.items(), strict=True):
        ax.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=1, label="the same in both modes")
        ax.scatter(
            np.ravel(training), np.ravel(evaluation), color=BLUE, s=14, alpha=0.7, label="one output of the batch"
        )
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("output in training mode")
        ax.set_xlim(low - room, high + room)
        ax.set_ylim(low - room, high + room)
        gaps.append(f"{title}: largest distance {np.max(np.abs(np.asarray(training) - np.asarray(evaluation))):.1f}")
    axes[0].set_ylabel("output in evaluation mode")
    _legend_below(figure, axes[0])
    return Picture(
        figure,
        "Points of one batch, the output of evaluation mode over that of training mode, with a dashed diagonal where both "
        f"agree. {'; '.join(gaps)}.",
    )


def settling(samples: Any, truth: tuple[float, float]) -> Live:
    """The statistics that each mode uses, batch after batch: training mode its own batch's, evaluation mode the running ones.

    Args:
        samples: (T, B) array: T batches of one feature; of each, as many examples are used as the reader chooses.
        truth: Mean and variance of what the batches come from.
    """
    samples = np.round(np.asarray(samples, dtype=float), 3)
    momentum, size = 0.9, 4
    figure, axes = new_figure(columns=2, width=8.0, height=3.4)
    told = []
    batches = samples[:, :size]
    for ax, name, true, own in zip(
        axes, ("mean", "variance"), truth, (batches.mean(axis=1), batches.var(axis=1)), strict=True
    ):
        line = [0.0 if name == "mean" else 1.0]
        for value in own:
            line.append(momentum * line[-1] + (1 - momentum) * value)
        ax.plot(range(1, len(own) + 1), own, ".", color=ORANGE, markersize=5, label="of each batch: training mode")
        ax.plot(range(len(line)), line, color=BLUE, linewidth=2, label="running: evaluation mode")
        _draw_truth(ax, true, f"true {name}")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("batches seen")
        told.append(
            f"running {name} {line[-1]:.2f} after the last batch, batches between {own.min():.2f} and {own.max():.2f}"
        )
    _legend_below(figure, axes[0])
    still = Picture(
        figure,
        f"Two panels for {len(samples)} batches of {size}, momentum {momentum:g}: dots, the statistics of single batches, scattered around "
        f"the true value, and a line, the running statistic, that starts elsewhere, climbs and wavers less. {'; '.join(told)}.",
    )
    first = {"momentum": momentum, "size": size, "convention": "cs231n"}
    return Live("settling", still, samples=samples, truth=truth, first=first)


def _legend_below(figure: Figure, ax: Axes) -> None:
    """One legend for all panels, where no point can lie."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def _draw_lines(ax: Axes, steps: Any, lines: Mapping[str, Any]) -> None:
    for (label, line), colour, style in zip(lines.items(), _COLOURS, _STYLES, strict=False):
        ax.plot(steps, line, color=colour, linestyle=style, linewidth=2, label=label)


def _draw_truth(ax: Axes, truth: float, label: str) -> None:
    ax.axhline(truth, color="black", linestyle=(0, (2, 2)), linewidth=1)
    ax.annotate(
        label.replace(" ", "\n"),
        (1.0, truth),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        annotation_clip=False,
    )
