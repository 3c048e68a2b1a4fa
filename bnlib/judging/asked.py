"""What is asked of an answer: what a lesson knows about an exercise without knowing its answer, and about a quiz question."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.slips import Slip
from bnlib.judging.diagnosing.terms import Factors, Term
from bnlib.numerics import Array
from bnlib.stubs import NotFilledError, Quiz, Stub

if TYPE_CHECKING:  # a learner's process has the engine, and no language that differentiates
    from bnlib.judging.mistakes.known import Known, Together
    from bnlib.judging.mistakes.twists import Twist

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
        call: How to run the learner's functions on a case; the default calls the exercise with its arguments, a cache being
            that of the learner's own forward pass. It gets a namespace with the lesson's exercises (``learner.center``), which
            may run in another process.
        terms: For each output, the terms a right result is the sum of.
        known: The derivation of the outputs: terms and mistakes follow from it.
        slips: Named mistakes that are no edit of a line.
        twists: Mistakes under which an answer is right for other inputs, or by other lines.
        properties: Rows of their own.
        tolerance: Allowed difference as a fraction of the natural scale.
        follows: From a case and what came back to the same case with wrong outputs taken as they came, and to what is right
            then about those that follow from them; each is judged by itself.
        choice: The one output is a number that says which: of its shape nothing is said, nor ever what it should be.
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
    twists: tuple[Twist, ...] = ()
    properties: tuple[Property, ...] = ()
    tolerance: float = TOLERANCE
    follows: Callable[[Case, Mapping[str, Array]], tuple[Case, dict[str, Array]]] | None = None
    choice: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the returned values that are compared: all but caches."""
        return tuple(name for name in self.stub.returns if not name.startswith("cache"))

    @property
    def walk(self) -> bool:
        """Whether the outputs are stations of one walk, each a line of its own.

        The table then goes on behind the first wrong one, says how large each difference is, and outputs may still be None.
        """
        return self.known is not None and self.known.walk

    def terms_of(self, output: str) -> tuple[Term, ...]:
        """The terms of an output: those listed, else those of its derivation. They are its natural scale too."""
        return self.terms.get(output) or (self.known.terms(output) if self.known else ())

    def factors_of(self) -> Factors | None:
        """What a term may be multiplied by in error: what is listed, else what the derivation multiplies by."""
        return self.known.factors if self.known else None

    def ahead(self, learner: Any, cases: Sequence[Case]) -> None:
        """Where the learner's functions live in another process, let it begin with what :meth:`run` will call next."""
        known = self.call is None and not self.stub.cache_of
        if known and hasattr(learner, "ahead"):
            learner.ahead(self.stub.name, [[case[name] for name in self.stub.parameters] for case in cases])

    def run(self, learner: Any, case: Case) -> Any:
        """Call the learner's functions on a case."""
        if self.call is not None:
            return self.call(learner, case)
        given = dict(case)
        if self.stub.cache_of:
            given["cache"] = cache_of(learner, self.stub.lesson.stubs[self.stub.cache_of], case)
        return getattr(learner, self.stub.name)(*(given[name] for name in self.stub.parameters))


def cache_of(learner: Any, forward: Stub, case: Case) -> Any:
    """What the learner's forward pass leaves for the way back. It runs on copies: what it does to them is its own matter.

    Raises:
        NotFilledError: The forward pass does not run, or returns no cache.
    """
    copies = copy.deepcopy(case)
    try:
        value = getattr(learner, forward.name)(*(copies[name] for name in forward.parameters))
    except NotImplementedError:
        raise
    except Exception:
        raise NotFilledError(f"{forward.name} does not run yet: check({forward.id}) comes first.") from None
    if not isinstance(value, (tuple, list)) or len(value) != len(forward.returns):
        *others, last = forward.returns
        raise NotFilledError(
            f"{forward.name} does not return {', '.join(others)} and {last} yet: check({forward.id}) comes first."
        )
    return value[forward.returns.index("cache")]


@dataclass(frozen=True)
class Answer:
    """What is right about a quiz question, and what to say to each choice."""

    quiz: Quiz
    right: str
    why: Mapping[str, str]
