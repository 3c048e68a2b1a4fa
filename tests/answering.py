"""Put one answer in the place of the reference answer, and see what the visible check and the hidden tests say.

Shared by the tests of the collection in ``tests/answers/``, of the mutants, and by ``benchmarks/``. Reference notebooks run once,
and what is right about an input is computed once.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from answers import Program, collection, named

from bnlib.checks import Case, Checks, checks_of, visible
from bnlib.grading.hidden.judge import Judge, WrongAnswer
from bnlib.grading.hidden.reference import reference
from bnlib.judging.examining import examine, ordinary_cases
from bnlib.judging.showing.report import Report
from bnlib.notebooks import read
from bnlib.running import new_namespace, run_cells
from bnlib.stubs import Lesson, Stub, lessons

ROOT = Path(__file__).parent.parent

quiet = contextlib.redirect_stdout


@functools.cache
def hidden_tests(lesson: Lesson) -> dict[str, list]:
    """The lesson's hidden tests by exercise."""
    path = ROOT / "tests" / "hidden" / f"test_{lesson.name}.py"
    spec = importlib.util.spec_from_file_location(f"hidden_{lesson.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, list] = {name: [] for name in lesson.stubs}
    for function in vars(module).values():
        for mark in getattr(function, "pytestmark", ()):
            if mark.name == "exercise":
                for stub in mark.args:
                    found[stub.name].append(function)
    return found


@functools.cache
def reference_answers(lesson: Lesson) -> Any:
    return reference(lesson)


def _fill(answers: dict[Stub, Any]) -> None:
    for lesson in lessons():
        for stub in lesson.stubs.values():
            stub.answer = answers.get(stub)


@functools.cache
def _notebook(lesson: Lesson) -> tuple[dict[str, Any], dict[Stub, Any]]:
    """What the reference notebook leaves: its names, and all that is filled (it loads earlier lessons)."""
    namespace = new_namespace()
    with quiet(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_cells(read(ROOT / "solutions" / f"{lesson.key}.ipynb").cells, namespace)
    filled = {s: s.answer for other in lessons() for s in other.stubs.values() if s.answer is not None}
    _fill({})
    return namespace, filled


@contextlib.contextmanager
def running(lesson: Lesson, text: str) -> Iterator[SimpleNamespace]:
    """The lesson's functions with one text in the place of the reference answer; afterwards all stubs are empty."""
    namespace, filled = _notebook(lesson)
    before = dict(namespace)
    try:
        with quiet(io.StringIO()):
            exec(compile(text, "<answer>", "exec"), namespace)
        mine = {stub: namespace[name] for name, stub in lesson.functions.items()}
        _fill({**filled, **mine})
        yield SimpleNamespace(**{stub.name: answer for stub, answer in mine.items()})
    finally:
        _fill({})
        namespace.clear()
        namespace.update(before)


def quiet_examine(checks: Checks, learner: Any, cases: Sequence[Case], truth: Callable[[Case], Any]) -> Report:
    """``examine``, without what the learner prints."""
    with quiet(io.StringIO()):
        return examine(checks, learner, cases, truth, ordinary_cases)


class Bench:
    """One exercise on the inputs of its visible check and its hidden tests, whose truth is computed once."""

    def __init__(self, stub: Stub) -> None:
        self.stub, self.checks = stub, checks_of(stub)
        self.cases = visible(stub)
        self.gentle = [_float32(case) for case in self.cases if not case.get("far")]
        self._truth: dict[tuple, Any] = {}
        self._known: dict[Any, Any] = {}
        self._numbers: dict[str, tuple] = {}

    def truth(self, case: Case) -> Any:
        """What is right, remembered."""
        key = tuple(v.tobytes() if isinstance(v, np.ndarray) else str(v) for v in case.values())
        if key not in self._truth:
            self._truth[key] = self.checks.truth(case)
        return self._truth[key]

    def report(self, text: str, cases: Sequence[Case] | None = None) -> Report:
        """What the visible check says about an answer."""
        with running(self.stub.lesson, text) as learner:
            return quiet_examine(self.checks, learner, cases or self.cases, self.truth)

    def hidden(self, text: str) -> Report | None:
        """What the first hidden test says that fails; None where all pass."""
        with running(self.stub.lesson, text) as learner, quiet(io.StringIO()):
            for test in hidden_tests(self.stub.lesson)[self.stub.name]:
                known = reference_answers(self.stub.lesson)
                judge = Judge(self.stub, learner, known, 0, test.__name__, self._known)
                try:
                    test(judge)
                except WrongAnswer as wrong:
                    return wrong.report
        return None

    def numbers(self, text: str) -> tuple:
        """What an answer computes on the visible inputs, rounded; where it raises or returns no numbers, which error."""
        if text not in self._numbers:
            self._numbers[text] = self._compute(text)
        return self._numbers[text]

    def _compute(self, text: str) -> tuple:
        found = []
        with warnings.catch_warnings(), np.errstate(all="ignore"), quiet(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                with running(self.stub.lesson, text) as learner:
                    for case in self.cases:
                        value = self.checks.run(learner, copy.deepcopy(case))
                        values = value if len(self.stub.returns) > 1 else (value,)
                        for name, array in zip(self.stub.returns, values, strict=True):
                            if name in self.checks.outputs:
                                array = np.asarray(array, dtype=np.float64)
                                scale = np.max(np.abs(array), initial=1e-300)
                                found.append((array.shape, *(np.round(array.ravel() / scale, 6) + 0.0), f"{scale:.6e}"))
            except Exception as error:
                return (type(error).__name__,)
        return tuple(found)


@functools.cache
def bench(stub: Stub) -> Bench:
    return Bench(stub)


@dataclass(frozen=True)
class Verdict:
    """One wrong answer, what the visible check says about it, and whether the hidden tests reject it."""

    program: Program
    report: Report
    rejected: bool

    @property
    def problem(self) -> str:
        """What falls short, in words; empty when nothing does."""
        if self.report.ok or not self.rejected:
            return f"accepted by the {'check' if self.report.ok else 'hidden tests'}"
        if words := [words for words in (*self.program.never, "?.") if words in self.report.message]:
            return f"says {words[0]!r}"
        return "" if named(self.program.names[0], self.report.names) else f"named {', '.join(self.report.names)}"


@functools.cache
def verdicts(stub: Stub) -> tuple[Verdict, ...]:
    """Every wrong answer of an exercise, judged once."""
    judge = bench(stub)
    wrong = collection(stub.lesson)[stub.name].wrong()
    return tuple(Verdict(p, judge.report(p.text), judge.hidden(p.text) is not None) for p in wrong)


def _float32(case: Case) -> Case:
    """The same input in float32, moved to where float32 still has digits to compute with."""
    moved = {}
    for name, value in case.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            if value.ndim and np.max(np.abs(value)) > 100:
                value = value - value.mean(axis=0) + 2
            value = value.astype(np.float32)
        moved[name] = value
    return Case(moved)
