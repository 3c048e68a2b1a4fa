"""One thing exchanged for another: a computation written step by step, and what a single wrong symbol makes of it.

A step reads quantities by name (``q.gamma * q.x_hat + q.beta``). Each place where it reads one can hold something else: another
quantity of the same shape, its inverse, its negative, nothing, or for a mean a sum. All that comes after follows from it.
Nobody lists these mistakes; a lesson only writes down its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import NO_VALUE, Evidence, Finding
from bnlib.numerics import Array

OPERATORS: Mapping[str, Callable[..., Any]] = {
    "mean": lambda values: values.sum(axis=0) / len(values),  # half the time of values.mean
    "sum": lambda values: values.sum(axis=0),
    "variance": lambda values: values.var(axis=0),
    "root": np.sqrt,
    "positive": lambda values: values > 0,
    "not positive": lambda values: values <= 0,
    "identity": lambda values: values,
    "square": lambda values: values * values,
    "mean over the features": lambda values: values.mean(axis=1, keepdims=True),
    "sum over the features": lambda values: values.sum(axis=1, keepdims=True),
    "mean over everything": lambda values: values.mean(),
    "sum over everything": lambda values: values.sum(),
    "standard deviation": lambda values: values.std(axis=0),
    "mean square": lambda values: (values * values).mean(axis=0),
    "variance over the features": lambda values: values.var(axis=1, keepdims=True),
    "variance over everything": lambda values: values.var(),
    "nothing": lambda values: 1.0,
    "outer": lambda rows, columns: rows[:, None] * columns,
    "turned outer": lambda rows, columns: columns[:, None] * rows,
    "plain product": lambda rows, columns: rows * columns,
}
"""What a step may do to values, and what people do in its place."""

IN_PLACE_OF: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mean": (
        ("sum", "a sum stands where a mean belongs"),
        ("identity", "a mean over the batch is missing"),
        ("mean over the features", "a mean runs over the features, and not over the batch"),
        ("mean over everything", "a mean runs over the whole array: name the axis"),
        ("nothing", "a mean is missing, and what it is taken of"),
    ),
    "sum": (
        ("mean", "a mean stands where a sum belongs"),
        ("sum over the features", "a sum runs over the features, and not over the batch"),
        ("sum over everything", "a sum runs over the whole array: name the axis"),
    ),
    "variance": (
        ("standard deviation", "a standard deviation stands where a variance belongs"),
        ("mean square", "the distances in the variance are not taken from the mean"),
        ("variance over the features", "the variance runs over the features, and not over the batch"),
        ("variance over everything", "the variance runs over the whole array: name the axis"),
    ),
    "root": (
        ("identity", "the root is missing"),
        ("square", "a square stands where a root belongs"),
    ),
    "positive": (
        ("not positive", "what should pass is stopped, and the other way round"),
        ("nothing", "everything passes"),
    ),
    "outer": (
        ("turned outer", "rows and columns of a product are exchanged"),
        ("plain product", "a plain product stands where an outer one belongs: which factor has the index of the rows?"),
    ),
}
"""For each operator the others that may stand in its place, and words for it."""


def numbers(case: Case) -> dict[str, Any]:
    """The numbers and arrays of a case, and N."""
    found = {name: value for name, value in case.items() if isinstance(value, (float, np.ndarray))}
    N = next((value.shape[0] for value in found.values() if isinstance(value, np.ndarray) and value.ndim), 1)
    return {**found, "N": float(case.get("N", N))}


@dataclass(frozen=True)
class Step:
    """One line of a computation.

    Attributes:
        name: The quantity that it computes.
        where: The equation.
        compute: From the quantities before it, and the operators, read as attributes, to its value.
        output: The exercise's output that it is, where that has the name of something given.
    """

    name: str
    where: str
    compute: Callable[[Any], Any]
    output: str = ""


@dataclass(frozen=True)
class Steps:
    """A computation from given quantities to an exercise's outputs.

    Attributes:
        steps: In order; a step with the name of an output computes it.
        given: From a case to the quantities that are there at the start.
    """

    steps: Sequence[Step]
    given: Callable[[Case], Mapping[str, Any]] = numbers


class _Reading:
    """What a step reads from: values by name, one of which may be exchanged at one place."""

    def __init__(self, values: Mapping[str, Any], place: int = -1, instead: Any = None) -> None:
        self._values, self._place, self._instead = values, place, instead
        self._read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self._read.append(name)
        if len(self._read) == self._place + 1:
            return self._instead
        return self._values[name]


def exchanged(output: str, evidence: Sequence[Evidence], steps: Steps, names: Set[str] | None = None) -> Finding | None:
    """The one exchange in a computation that explains all the evidence, or None.

    Args:
        output: Name of the returned value.
        evidence: Wrong results.
        steps: The computation.
        names: Only exchanges with these names are tried; None for all.
    """
    runs: list[_Run] = [_Run(output, evidence[0], steps)]
    for place, other in runs[0].exchanges(names):
        if names is not None and names.isdisjoint(runs[0].finding(place, other).names):
            continue
        if runs[0].explained(place, other):
            runs += [_Run(output, item, steps) for item in evidence[len(runs) :]]
            if all(run.explained(place, other) for run in runs[1:]):
                return runs[0].finding(place, other)
    return None


def _slug(name: str) -> str:
    return name.replace("_", "-").replace(" ", "-")


def _may_stand_for(other: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """True for the same shape, and for one value a feature where there is one for each example."""
    return other == shape or (len(other) == 1 and len(shape) == 2 and other == shape[1:])


def quantities(steps: Steps, case: Case) -> dict[str, Array]:
    """All that a computation makes of a case, by name."""
    values: dict[str, Any] = {**OPERATORS, **steps.given(case)}
    for step in steps.steps:
        values[step.name] = step.compute(_Reading(values))
    return {name: np.asarray(value) for name, value in values.items() if not callable(value)}


Place = tuple[int, int]
"""Number of a step, and of a place in it."""


class _Run:
    """The computation on one case, with all its values."""

    def __init__(self, output: str, item: Evidence, steps: Steps) -> None:
        self.output, self.item = output, item
        last = next((i for i, step in enumerate(steps.steps) if output == (step.output or step.name)), -1)
        self.steps = steps.steps[: last + 1]
        self.values: dict[str, Any] = {**OPERATORS, **steps.given(item.case)}
        self.reads: list[list[str]] = []
        for step in self.steps:
            reading = _Reading(self.values)
            self.values[step.name] = step.compute(reading)
            self.reads.append(reading._read)
        self.needed = self._needed()

    def _needed(self) -> list[bool]:
        """Which steps the output, the last of them, comes from."""
        wanted, needed = {step.name for step in self.steps[-1:]}, [False] * len(self.steps)
        for index in reversed(range(len(self.steps))):
            if self.steps[index].name in wanted:
                needed[index] = True
                wanted.discard(self.steps[index].name)
                wanted.update(self.reads[index])
        return needed

    def exchanges(self, names: Set[str] | None) -> Iterator[tuple[Place, str]]:
        """Every place, the last step first, and what may stand there; shapes decide which quantities may.

        Steps with which none of ``names`` begins are passed over.
        """
        shapes = {name: np.shape(value) for name, value in self.values.items() if not callable(value)}
        for index in reversed(range(len(self.steps))):
            begins = _slug(self.steps[index].name)
            if names is not None and not any(name.startswith(begins) for name in names):
                continue
            known = {*self.values} - {step.name for step in self.steps[index:]}
            # Of a - b and b - a, the sign is more often wrong at what stands second: the last place first.
            for number, name in reversed([*enumerate(self.reads[index])]) if self.needed[index] else ():
                if name in IN_PLACE_OF:
                    others = [other for other, _ in IN_PLACE_OF[name]]
                elif name in shapes:
                    others = [q for q in shapes if q in known and q != name and _may_stand_for(shapes[q], shapes[name])]
                    others += ["missing", "none", "negative", "inverse", "twice", "rooted"]
                else:
                    continue
                for other in others:
                    yield (index, number), other

    def _instead(self, place: Place, other: str) -> Any:
        name = self.reads[place[0]][place[1]]
        value = self.values[name]
        if other in self.values:
            return self.values[other]
        return {
            "missing": lambda: np.ones_like(value),
            "none": lambda: np.zeros_like(value),
            "negative": lambda: -value,
            "inverse": lambda: 1 / np.asarray(value),
            "twice": lambda: value * value,
            "rooted": lambda: np.sqrt(value),
        }[other]()

    def explained(self, place: Place, other: str) -> bool:
        """True when the exchange makes of this case what came back."""
        try:
            return self.item.explained_by(lambda case: self._compute(place, other))
        except NO_VALUE:
            return False

    def _compute(self, place: Place, other: str) -> Any:
        index, number = place
        values = dict(self.values)
        step = self.steps[index]
        values[step.name] = step.compute(_Reading(self.values, number, self._instead(place, other)))
        changed = {step.name}
        for later in range(index + 1, len(self.steps)):
            if self.needed[later] and not changed.isdisjoint(self.reads[later]):
                values[self.steps[later].name] = self.steps[later].compute(_Reading(values))
                changed.add(self.steps[later].name)
        return values[self.steps[-1].name]

    def finding(self, place: Place, other: str) -> Finding:
        """The exchange in words."""
        step, name = self.steps[place[0]], self.reads[place[0]][place[1]]
        at, slug = _slug(step.name), _slug(name)
        if name in IN_PLACE_OF:
            words = dict(IN_PLACE_OF[name])[other]
            kind = f"{_slug(other)}-for-{slug}" if other != "identity" else f"without-{slug}"
        else:
            kind, words = {
                "missing": (f"without-{slug}", f"{name} is missing in one place"),
                "none": (f"without-{slug}", f"{name} is missing in one place"),
                "negative": (f"sign-of-{slug}", f"{name} has the wrong sign in one place"),
                "inverse": (
                    f"inverse-of-{slug}",
                    f"a product with {name} and a division by it are taken for each other",
                ),
                "twice": (f"{slug}-twice", f"{name} is there once too often"),
                "rooted": (f"root-of-{slug}", f"the root of {name} stands where {name} belongs"),
            }.get(other, (f"{_slug(other)}-for-{slug}", f"{other} stands where {name} belongs"))
        stop = "" if words.endswith("?") else "."
        return Finding(
            (f"{at}-{kind}",), f"In {step.name} ({step.where}), {words}{stop} Nothing else is wrong in {self.output}."
        )
