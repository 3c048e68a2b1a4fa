"""What is asked of an answer: what a lesson knows about an exercise without knowing its answer, and about a quiz question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.slips import Slip
from bnlib.judging.diagnosing.steps import Steps
from bnlib.judging.diagnosing.terms import Factors, Term
from bnlib.judging.mistakes.known import Known, Together
from bnlib.numerics import Array
from bnlib.stubs import Quiz, Stub

TOLERANCE = 1e-9
"""Right float64 code is within 5e-15 of the natural scale, the nearest wrong answer 2e-7 away."""


@dataclass(frozen=True)
class Property:
    """Something every right answer satisfies, shown as a row of its own.

    Attributes:
        name: Words for the table, for example ``"each feature of dh sums to zero over the batch"``.
        holds: From a case and the outputs by name to True or False.
        message: What to say when it does not hold.
    """

    name: str
    holds: Callable[[Case, Mapping[str, Array]], bool]
    message: str


@dataclass(frozen=True)
class Checks:
    """All that is known about one exercise without knowing its answer.

    Attributes:
        stub: The exercise.
        draw: From a random generator to one test input; keys are the names of the arguments (more are allowed).
        truth: From a case to what is right: one value, or a tuple in the order of ``stub.returns`` without caches.
        against: Words that complete "agrees with ...".
        hints: The ladder: where to look, what to write, a worked line.
        idea: The idea of the worked answer, in words.
        call: How to run the learner's functions on a case; the default calls the exercise with its arguments. It gets a
            namespace with the lesson's exercises (``learner.center``), which may run in another process.
        terms: For each output, the terms a right result is the sum of.
        known: The derivation of the outputs: terms and mistakes follow from it.
        slips: Named mistakes that are no edit of a line.
        factors: Quantities a term may be multiplied by in error.
        steps: The computation, step by step, one thing of which may be exchanged for another.
        properties: Rows of their own.
        tolerance: Allowed difference as a fraction of the natural scale.
        follows: From a case and what came back to the same case with wrong outputs taken as they came, and to what is right
            then about those that follow from them; each is judged by itself.
        walk: The outputs are stations of one walk, each computed from those before: the table goes on behind the first
            wrong one, says how large each difference is, and outputs may still be None.
        scalar: The one output is a single number: of its shape nothing is said.
    """

    stub: Stub
    draw: Callable[[np.random.Generator], Case]
    truth: Callable[[Case], Any]
    against: str
    hints: tuple[str, ...]
    idea: str
    call: Callable[[Any, Case], Any] | None = None
    terms: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    known: Known | Together | None = None
    slips: tuple[Slip, ...] = ()
    factors: Factors | None = None
    steps: Steps | None = None
    properties: tuple[Property, ...] = ()
    tolerance: float = TOLERANCE
    follows: Callable[[Case, Mapping[str, Array]], tuple[Case, dict[str, Array]]] | None = None
    walk: bool = False
    scalar: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the returned values that are compared: all but caches."""
        return tuple(name for name in self.stub.returns if not name.startswith("cache"))

    def terms_of(self, output: str) -> tuple[Term, ...]:
        """The terms of an output: those listed, else those of its derivation. They are its natural scale too."""
        return self.terms.get(output) or (self.known.terms(output) if self.known else ())

    def factors_of(self) -> Factors | None:
        """What a term may be multiplied by in error: what is listed, else what the derivation multiplies by."""
        return self.factors or (self.known.factors if self.known else None)

    def run(self, learner: Any, case: Case) -> Any:
        """Call the learner's functions on a case."""
        if self.call is not None:
            return self.call(learner, case)
        return getattr(learner, self.stub.name)(*(case[name] for name in self.stub.parameters))


@dataclass(frozen=True)
class Answer:
    """What is right about a quiz question, and what to say to each choice."""

    quiz: Quiz
    right: str
    why: Mapping[str, str]
