"""What a hidden test is written with: ``@hidden(...)`` and the ``judge`` it is given.

A hidden test names its exercises and hands test inputs to the judge, which runs the learner's function in its isolated
process and the reference answer here, compares, and names the mistake. What several exercises are asked alike is written once,
and is a test of its own for each of them; ``judge.stub`` is the one at hand::

    @hidden(translation.center, translation.center_backward)
    def test_ordinary(judge):
        judge.examine(judge.draw(20))
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from bnlib.chains.course import judged
from bnlib.chains.report import report
from bnlib.checks import Case, Checks, checks_of
from bnlib.grading.process.remote import twice
from bnlib.judging.case import ordinary
from bnlib.judging.examining import examine, ordinary_cases
from bnlib.judging.showing.report import Report
from bnlib.stubs import Derivation, Stub

EXACT = 1e-12
"""Fraction of the natural scale by which a computed derivative may be off on ordinary data."""


class WrongAnswer(pytest.fail.Exception):  # type: ignore[name-defined]
    """The learner's answer is not right; ``report`` says why. pytest shows the message, and takes no time for a traceback."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.message, pytrace=False)
        self.report = report


def hidden(*stubs: Stub) -> pytest.MarkDecorator:
    """Mark a function as a hidden test of an exercise, or as one of each of several."""
    return pytest.mark.exercise.with_args(*stubs)


class Judge:
    """Compares a learner's answer with the reference answer on the inputs of one hidden test.

    Args:
        stub: The exercise.
        learner: Namespace of the learner's functions, in another process.
        reference: Namespace of the reference answers, in this one.
        seed: Seed of the run; together with the exercise and ``test`` it decides all inputs.
        test: Name of the hidden test.
        known: Reference results already computed; every submission of a run gets the same inputs.
        text: What the answer cell of a derivation holds; None where that is no text.

    Attributes:
        rng: Random generator for inputs of the test's own.
        remarks: What was accepted and is still worth knowing.
    """

    def __init__(
        self,
        stub: Stub,
        learner: Any,
        reference: Any,
        seed: int,
        test: str,
        known: dict[Hashable, Any] | None = None,
        text: str | None = None,
    ) -> None:
        self.stub = stub
        self.learner = learner
        self.reference = reference
        self.text = text
        self.rng = np.random.default_rng([seed, *sha256(f"{stub.name} {test}".encode()).digest()])
        self.remarks: tuple[str, ...] = ()
        self._known = {} if known is None else known

    @property
    def checks(self) -> Checks:
        """The exercise's description."""
        return checks_of(self.stub)

    def derivation(self) -> None:
        """Judge the text of a derivation on numbers and sizes of this test's own. It is read here, and never run.

        Raises:
            WrongAnswer: It is not finished, or a line does not hold; the report says what was earned.
        """
        assert isinstance(self.stub, Derivation)
        found = report(self.stub, judged(self.stub, self.text, self.rng))
        if not found.ok:
            raise WrongAnswer(found)

    def draw(self, count: int) -> list[Case]:
        """Inputs of the kind the learner's own check draws, others for every seed and test."""
        return [self.checks.draw(self.rng) for _ in range(count)]

    def exact(self, count: int) -> None:
        """Compare to nearly all digits: a derivative that was computed has them, one that was measured has not.

        The inputs are those of :meth:`draw` with batches neither far from zero nor narrow, on which right code is within
        1e-14 of the natural scale; central differences reach 4e-11.

        Args:
            count: How many test inputs.
        """
        self.examine([ordinary(case, self.rng) for case in self.draw(count)], EXACT)

    def examine(self, cases: Sequence[Case], tolerance: float | None = None) -> None:
        """Compare learner and reference on these inputs.

        Properties are left out: a result that agrees with the reference has them, up to the precision of the input.

        Args:
            cases: Test inputs.
            tolerance: In place of that of the exercise's checks.

        Raises:
            WrongAnswer: They differ, or the learner's function fails.
        """
        checks = replace(self.checks, properties=(), against="the reference answer")
        if tolerance is not None:
            checks = replace(checks, tolerance=tolerance)
        report = twice(lambda: examine(checks, self.learner, cases, self.truth, ordinary_cases))
        if not report.ok:
            raise WrongAnswer(report)
        self.remarks += report.remarks

    def truth(self, case: Case) -> tuple[Any, ...]:
        """What the reference answer returns, caches left out; computed in float64 also where the input is float32."""
        key = _key(self.stub, case)
        if key is None:
            return self._compute(case)
        if key not in self._known:
            self._known[key] = self._compute(case)
        return self._known[key]

    def _compute(self, case: Case) -> tuple[Any, ...]:
        value = self.checks.run(self.reference, Case({name: _float64(v) for name, v in case.items()}))
        values = value if len(self.stub.returns) > 1 else (value,)
        return tuple(v for name, v in zip(self.stub.returns, values, strict=True) if name in self.checks.outputs)


def _float64(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float64)
    return value


def _key(stub: Stub, case: Case) -> Hashable | None:
    """What tells one test input from all others; None where that is not plain data."""
    parts: list[Hashable] = [stub.id]
    for name, value in case.items():
        if isinstance(value, np.ndarray):
            parts.append((name, value.dtype.str, value.shape, value.tobytes()))
        elif value is None or isinstance(value, (bool, int, float, str)):
            parts.append((name, type(value).__name__, value))
        else:
            return None
    return tuple(parts)
