"""Figures of lesson 06: digits, curves of training, what the layers see, wrong gradients, a bias that runs away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bnlib.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, Picture, new_figure
from bnlib.plots.live import Live

_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def some_digits(x: Any, labels: Any) -> Picture:
    """A few digits with their labels.

    Args:
        x: (K, 64) array, 8 by 8 pixels each.
        labels: (K,) array.
    """
    figure, (ax,) = new_figure(width=8.0, height=2.2)
    columns = (len(x) + 1) // 2
    ink = np.zeros((24, 10 * columns))
    for number, (image, label) in enumerate(zip(np.asarray(x), labels, strict=True)):
        top, left = 12 * (number // columns) + 4, 10 * (number % columns) + 1
        ink[top : top + 8, left : left + 8] = np.reshape(image, (8, 8))
        ax.text(left + 3.5, top - 1, str(label), ha="center", va="bottom", fontsize=9)
    ax.imshow(np.dstack([np.full((*ink.shape, 3), 0.5), ink]), interpolation="nearest")
    ax.set_axis_off()
    return Picture(
        figure, f"Small grey pictures of handwritten digits, a label above each: {', '.join(map(str, labels))}."
    )


def curves(runs: Mapping[str, Any]) -> Picture:
    """Loss and accuracy over the steps, one line a network.

    Args:
        runs: For each label, what :func:`bnlib.network.experiments.train` returned.
    """
    figure, (left, right) = new_figure(columns=2, width=8.0, height=3.4)
    for (label, run), colour, style in zip(runs.items(), _COLOURS, _STYLES, strict=False):
        left.plot(_smooth(run.losses), color=colour, linestyle=style, linewidth=1.8, label=label)
        right.plot(*run.accuracies, color=colour, linestyle=style, linewidth=1.8, marker="o", markersize=3)
    left.set(xlabel="step", ylabel="loss of a batch, mean of 10", ylim=(0, None))
    right.set(xlabel="step", ylabel="accuracy on digits kept apart", ylim=(0, 1.02))
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    said = "; ".join(f"{label}: loss {run.end:.2f}, accuracy {run.accuracy:.2f}" for label, run in runs.items())
    return Picture(figure, f"Left the loss over the steps, right the accuracy, one line a network. At the end, {said}.")


def by_setting(
    runs: Mapping[str, Sequence[Sequence[Any]]], values: Sequence[float], name: str, guess: float
) -> Picture:
    """Loss at the end and accuracy over a setting, a line a network, a dot a seed.

    Args:
        runs: What :func:`bnlib.network.experiments.sweep` returned.
        values: Of the setting.
        name: What the setting is called.
        guess: The loss of a network that knows nothing.
    """
    figure, axes = new_figure(columns=2, width=8.0, height=3.4)
    top, said = 1.5 * guess, []
    for (label, row), colour, style in zip(runs.items(), _COLOURS, _STYLES, strict=False):
        ends = np.minimum([[run.end for run in each] for each in row], top)
        right = np.array([[run.accuracy for run in each] for each in row])
        for ax, array in zip(axes, (ends, right), strict=True):
            ax.plot(values, np.median(array, axis=1), color=colour, linestyle=style, linewidth=1.8, label=label)
            for seed in array.T:
                ax.plot(values, seed, ".", color=colour, markersize=5)
        said.append(
            f"{label}: "
            + ", ".join(f"{v:g} gives {_told(e, top)}" for v, e in zip(values, np.median(ends, axis=1), strict=True))
        )
    axes[0].axhline(guess, color=GREY, linestyle=":", linewidth=1)
    axes[0].annotate(
        "guessing",
        (0.0, guess),
        xycoords=("axes fraction", "data"),
        xytext=(3, 3),
        textcoords="offset points",
        fontsize=8,
    )
    axes[0].set(ylim=(0, 1.04 * top), ylabel="loss at the end")
    axes[1].set(ylim=(0, 1.02), ylabel="accuracy on examples kept apart")
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()
        ax.set_xlabel(name)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return Picture(
        figure,
        f"Two panels over {name}: the loss at the end, and the accuracy. Loss at the end, {'; '.join(said)}. A loss over {top:.1f}, or none, is drawn at the top.",
    )


def in_the_layers(seen: Mapping[str, tuple[Any, Any]]) -> Picture:
    """Histograms of what stands in each hidden layer, and of the gradient that arrives there; a row a network.

    Args:
        seen: For each label, what :func:`bnlib.network.experiments.layers` returned.
    """
    depth = len(next(iter(seen.values()))[0])
    figure, axes = new_figure(rows=2 * len(seen), width=8.0, height=1.25 * 2 * len(seen))
    said = []
    for number, (label, (outputs, gradients)) in enumerate(seen.items()):
        for what, arrays, row, colour in (
            ("output", outputs, 2 * number, BLUE),
            ("gradient", gradients, 2 * number + 1, VERMILION),
        ):
            limit = 1.0 if what == "output" else 4 * float(np.std(gradients[-1]))
            ax, middles = axes[row], 2.5 * limit * np.arange(depth)
            for middle, array in zip(middles, arrays, strict=True):
                counts, edges = np.histogram(np.clip(array, -limit, limit), bins=25, range=(-limit, limit))
                ax.stairs(counts / counts.max(), middle + edges, fill=True, color=colour)
            ends = np.add.outer(middles, [-limit, 0, limit]).ravel()
            ax.set_xticks(ends, ["", "0", f"{limit:.2g}"] * depth, fontsize=7)
            ax.set(yticks=[], xlim=(ends[0], ends[-1]), ylim=(0, 1.05))
            ax.spines["left"].set_visible(False)
            ax.set_ylabel(f"{label}\n{what}", fontsize=8)
            for layer, middle in enumerate(middles if row == 0 else ()):
                ax.text(middle, 1.1, f"layer {layer + 1}", ha="center", va="bottom", fontsize=9)
        full = 100 * np.mean([np.mean(np.abs(array) > 0.97) for array in outputs])
        ratio = np.std(gradients[0]) / np.std(gradients[-1])
        said.append(
            f"{label}: {full:.0f} % of the outputs beyond 0.97, gradient in layer 1 about {ratio:.1g} times that in layer {depth}"
        )
    return Picture(
        figure,
        f"Histograms for each of {depth} hidden layers, of outputs between -1 and 1 and of gradients. {'; '.join(said)}.",
    )


def given_away(runs: Mapping[str, Any]) -> Picture:
    """What tells wrong gradients apart: the loss, how far the biases go, how long the weights are at the end.

    Args:
        runs: For each label, what :func:`bnlib.network.experiments.train` returned.
    """
    figure, (left, middle, right) = new_figure(columns=3, width=8.4, height=3.4)
    for (label, run), colour, style in zip(runs.items(), _COLOURS, _STYLES, strict=False):
        left.plot(_smooth(run.losses), color=colour, linestyle=style, linewidth=1.8, label=label)
        middle.plot(run.biases, color=colour, linestyle=style, linewidth=1.8)
    names, grown = list(runs), [run.weights for run in runs.values()]
    for place, (value, colour) in enumerate(zip(grown, _COLOURS, strict=False)):
        right.bar(place, value, color=colour)
        right.text(place, value, f"{value:.1f}", ha="center", va="bottom", fontsize=9)
    right.axhline(1, color=GREY, linewidth=1, linestyle=":")
    left.set(xlabel="step", ylabel="loss of a batch, mean of 10", ylim=(0, None))
    middle.set(xlabel="step", ylabel="biases of layer 1, mean size")
    right.set(ylabel="length of weights, end / start", xticks=[])
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    said = "; ".join(
        f"{name}: loss {run.end:.2f}, biases {run.biases[-1]:.1f}, weights {run.weights:.1f} times as long"
        for name, run in zip(names, runs.values(), strict=True)
    )
    return Picture(
        figure,
        f"Three panels: the loss over the steps, the mean size of the biases, and the length of the weights. At the end, {said}.",
    )


def runaway(losses: Any, biases: Any, h: Any, targets: Any, rate: float) -> Live:
    """A bias that runs away while the loss stands still; the rate and the gradient can be chosen.

    Args:
        losses: (T,) array, of the learner's steps.
        biases: (T,) array, the bias after each.
        h: (N,) array, what the bias is added to.
        targets: (N,) array.
        rate: The learning rate.
    """
    figure, (left, right) = new_figure(columns=2, width=8.0, height=3.0)
    left.plot(losses, color=BLUE, linewidth=2)
    right.plot(biases, color=VERMILION, linewidth=2)
    left.set(xlabel="step", ylabel="loss", ylim=(0, 1.5 * max(losses)))
    right.set(xlabel="step", ylabel="bias")
    still = Picture(
        figure,
        f"Two panels over {len(losses)} steps. Left the loss, a level line at {losses[-1]:.1f}. Right the bias, a straight line from {biases[0]:.1f} to {biases[-1]:.1f}.",
    )
    first = {"rate": rate, "gradient": "wrong"}
    return Live("runaway", still, h=np.ravel(h), targets=np.ravel(targets), steps=len(losses), first=first)


def _smooth(losses: Any, width: int = 10) -> Any:
    """Each loss as the mean of those before it; where it is infinite the line ends."""
    losses = np.asarray(losses)
    losses = losses[np.isfinite(losses)]
    sums = np.cumsum(np.insert(losses, 0, 0.0))
    ends = np.arange(1, len(losses) + 1)
    begins = np.maximum(ends - width, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def _told(loss: float, top: float) -> str:
    return f"{loss:.2f}" if loss < top else "none"
