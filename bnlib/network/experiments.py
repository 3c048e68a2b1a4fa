"""The experiments of lesson 06: networks trained by the learner's own step, layer and loss, and what is looked at on the way."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bnlib.data import Labels, digits, spirals
from bnlib.network.nets import Network
from bnlib.network.norms import WRONG, Noisy, Norm
from bnlib.numerics import Array

__all__ = [
    "WRONG",
    "Noisy",
    "Norm",
    "Run",
    "Task",
    "accuracy",
    "checked",
    "compare",
    "digits_task",
    "each",
    "layer_of_lesson_5",
    "layers",
    "spirals_task",
    "sweep",
    "train",
]

Step = Callable[..., tuple[float, Array]]
"""``training_step`` of lesson 06: forward, backward, theta, x, labels and rate to the loss and the new theta."""

Loss = Callable[[Array, Labels], tuple[float, Array]]
"""``softmax_loss`` of lesson 06: scores and labels to the loss and its gradient."""


@dataclass(frozen=True)
class Task:
    """What a network is to learn, and how.

    Attributes:
        sizes: Inputs, units of each hidden layer, classes.
        x: (N, D) array.
        labels: (N,) array of whole numbers.
        test: Examples and labels on which the accuracy is looked at.
        scale: Standard deviation of the first weights.
        rate: Learning rate.
        steps: How many.
        batch: Examples a step, drawn anew each time.
        seed: Of the first weights and of the batches: the same for all networks that are compared.
        activation: "relu" or "tanh".
    """

    sizes: tuple[int, ...]
    x: Array
    labels: Labels
    test: tuple[Array, Labels]
    scale: float = 0.1
    rate: float = 0.1
    steps: int = 300
    batch: int = 64
    seed: int = 0
    activation: str = "relu"


@dataclass
class Run:
    """What became of one training.

    Attributes:
        network: The network.
        theta: The parameters at the end.
        losses: The loss of each step's batch; infinite from the step on where it was no number any more.
        accuracies: Steps, and the share of the test examples that were right then, in evaluation mode.
        biases: How far the biases in front of the first hidden layer's normalization or ReLU have gone by each step, on average.
        weights: Length of all hidden weights together, at the end over at the start.
    """

    network: Network
    theta: Array
    losses: Array
    accuracies: tuple[list[int], list[float]]
    biases: Array
    weights: float

    @property
    def end(self) -> float:
        """Mean loss of the last tenth of the steps."""
        return float(np.mean(self.losses[-max(1, len(self.losses) // 10) :]))

    @property
    def accuracy(self) -> float:
        """Accuracy at the end."""
        return self.accuracies[1][-1]


Norms = Mapping[str, Callable[..., Any] | None]
"""What is compared: for each name what makes a normalization, or None for a plain network."""


def digits_task(only: int | None = None, **settings: Any) -> Task:
    """Handwritten digits for five hidden layers of 50 units; ``only`` says from how many is learned."""
    x, labels, x_test, labels_test = digits()
    return Task((64, 50, 50, 50, 50, 50, 10), x[:only], labels[:only], (x_test, labels_test), **settings)


def spirals_task(**settings: Any) -> Task:
    """Three spirals for five hidden layers of 50 units; other points of them to test."""
    x, labels = spirals(seed=0)
    given = {"batch": 32, "steps": 400, **settings}
    return Task((2, 50, 50, 50, 50, 50, 3), x, labels, spirals(seed=1), **given)


def train(step: Step, norm: Callable[..., Any] | None, task: Task, looks: int = 10) -> Run:
    """Train a network by the learner's step.

    Args:
        step: ``training_step`` of lesson 06.
        norm: What makes a normalization, or None.
        task: What is learned, and how.
        looks: How often the accuracy is looked at.
    """
    network = Network(task.sizes, norm, task.activation)
    theta = start = network.start(task.scale, task.seed)
    rng = np.random.default_rng(task.seed)
    losses, biases = np.full(task.steps, np.inf), np.full(task.steps, np.nan)
    seen: tuple[list[int], list[float]] = ([], [])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what grows without bound is what some experiments show
        for number in range(task.steps):
            chosen = rng.choice(len(task.x), size=task.batch, replace=False)
            loss, new = step(network.forward, network.backward, theta, task.x[chosen], task.labels[chosen], task.rate)
            if not (np.isfinite(loss) and np.all(np.isfinite(new))):
                break
            theta, losses[number] = np.asarray(new), float(loss)
            biases[number] = np.mean(np.abs(network.parts(theta)[1][0]))
            if (number + 1) % max(1, task.steps // looks) == 0:
                seen[0].append(number + 1)
                seen[1].append(accuracy(network, theta, *task.test))
        if not np.isfinite(losses[-1]) or not seen[0]:
            seen[0].append(task.steps)
            seen[1].append(accuracy(network, theta, *task.test))
        grown = _length(network, theta) / _length(network, start)
    return Run(network, theta, losses, seen, biases, grown)


def compare(step: Step, norms: Norms, task: Task) -> dict[str, Run]:
    """Train one network for each normalization, from the same first weights, on the same batches."""
    return {name: train(step, norms[name], task) for name in each(list(norms), "networks trained")}


def sweep(
    step: Step, norms: Norms, task: Task, setting: str, values: Sequence[float], seeds: int = 1
) -> dict[str, list[list[Run]]]:
    """Train each network with several values of one setting, and several seeds.

    Returns:
        For each name, for each value, a run for each seed.
    """
    jobs = [(name, value, seed) for name in norms for value in values for seed in range(seeds)]
    runs = [
        train(step, norms[name], replace(task, seed=task.seed + seed, **{setting: value}), looks=1)
        for name, value, seed in each(jobs, "networks trained")
    ]
    by_value = [runs[first : first + seeds] for first in range(0, len(runs), seeds)]
    return {name: by_value[at * len(values) : (at + 1) * len(values)] for at, name in enumerate(norms)}


def layers(loss: Loss, norm: Callable[..., Any] | None, task: Task) -> tuple[list[Array], list[Array]]:
    """What stands in each hidden layer of a fresh network, and what arrives there on the way back, for the first 200 examples."""
    network = Network(task.sizes, norm, task.activation)
    theta = network.start(task.scale, task.seed)
    scores, cache = network.forward(theta, task.x[:200])
    _, arrived = network.backward_through(loss(scores, task.labels[:200])[1], cache)
    return cache[1][1:], arrived


def checked(check: Callable[..., Any], norm: Callable[..., Any] | None) -> float:
    """The error (6.6) of the whole gradient of a small network with three hidden layers, by the learner's ``gradient_check``."""
    task = digits_task()
    network = Network((64, 5, 5, 5, 10), norm, "tanh")
    theta = network.start(0.5, 0)
    return float(check(network.forward, network.backward, theta, task.x[:20], task.labels[:20], 1e-5)[1])


def accuracy(network: Network, theta: Array, x: Array, labels: Labels) -> float:
    """Share of the examples whose highest score is that of their label, in evaluation mode."""
    few = range(0, len(x), 64)  # a larger product is handed to threads, which take longer to meet than to multiply
    scores = np.concatenate([network.forward(theta, x[at : at + 64], training=False)[0] for at in few])
    return float(np.mean(scores.argmax(axis=1) == labels))


def _length(network: Network, theta: Array) -> float:
    return float(np.sqrt(sum(np.sum(weight**2) for weight in network.parts(theta)[0][:-1])))


def each(things: Sequence[Any], words: str) -> Iterator[Any]:
    """The things one by one, with a bar that says how far it is and vanishes at the end; only where somebody looks."""
    shown = _in_a_notebook()
    for number, thing in enumerate(things):
        if shown:
            filled = 30 * number // len(things)
            print(f"\r{words}: [{'=' * filled}{' ' * (30 - filled)}] {number} of {len(things)}", end="")
            sys.stdout.flush()
        yield thing
    if shown:
        from IPython.display import clear_output

        clear_output()


def _in_a_notebook() -> bool:
    with contextlib.suppress(ImportError):
        from IPython import get_ipython

        return getattr(get_ipython(), "kernel", None) is not None
    return False


def layer_of_lesson_5() -> Callable[..., Any]:
    """The learner's own ``BatchNorm``, from the saved notebook of lesson 05 where it is not filled here, if it passes its check; else the course's."""
    from bnlib.checks import report_on
    from bnlib.running import load
    from bnlib.stubs import layer

    stub: Any = layer.BatchNorm
    passes = False
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        if stub.answer is None:
            load("05_layer")
        passes = report_on(stub).ok
    if passes:
        print("The layer is your own BatchNorm, from lesson 05.")
        return stub.answer
    print("Your BatchNorm of lesson 05 is not there, or does not pass its check: the layer is the course's.")
    return Norm
