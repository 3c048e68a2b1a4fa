"""What a learner's own check looks at, and how it says what it saw.

Each lesson has a module here. It describes, for every exercise, which inputs to try, how to know what is right *without a
reference answer* (a definition, or a numerical derivative of one), the terms the right answer is made of, named slips, and
hints. This file is the engine that reads those descriptions; the hidden tests use the same engine with the reference
answers in the place of the numerical truth.
"""

from __future__ import annotations

import copy
import importlib
import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from bnlib import feedback
from bnlib.diagnosis import Case, Evidence, Factors, Finding, Slip, Step, Steps, Term, diagnose, displaced
from bnlib.exercises import need_exercise
from bnlib.feedback import Report, Row
from bnlib.numerics import Array, relative_error
from bnlib.running import describe_error
from bnlib.shapes import nonfinite_origin, shape_finding
from bnlib.stubs import NotFilledError, Quiz, Stub

__all__ = [
    "Answer",
    "Case",
    "Checks",
    "Property",
    "Slip",
    "Source",
    "Step",
    "Steps",
    "Term",
    "check",
    "examine",
    "hint",
]

TOLERANCE = 1e-9
"""Right float64 code is within 5e-15 of the natural scale, the nearest wrong answer 2e-7 away."""

FLOAT32_TOLERANCE = 2e-4
"""Used where the inputs themselves are float32; never where the data are ill-conditioned."""

MOST_ROUNDING = 5e-8
"""Rounding is allowed for up to here where a batch is narrow and far from zero."""


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
        slips: Named mistakes.
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


class Source:
    """A function given as text, so that the same test input can be used here and in the learner's isolated process.

    Args:
        text: Python source that defines one function; ``np`` is available.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        namespace: dict[str, Any] = {"np": np}
        exec(compile(text, "<given function>", "exec"), namespace)  # noqa: S102 - the text is ours
        self._function = next(v for k, v in reversed(namespace.items()) if callable(v) and not k.startswith("__"))

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)


class Filled:
    """The lesson's exercises as filled in this process: ``learner.center(h)``."""

    def __init__(self, stub: Stub) -> None:
        self._stubs = stub.lesson.stubs

    def __getattr__(self, name: str) -> Stub:
        try:
            return self._stubs[name]
        except KeyError:
            raise AttributeError(name) from None


class CheckFailed(AssertionError):  # noqa: N818 - a learner reads this name
    """The learner's answer is not right yet. ``report`` says why."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a traceback: the table above it says everything."""
        said = {"empty": " is still empty.", "waits": " waits for another exercise."}
        return [self.report.title + said.get(self.report.undone, f": {self.report.message}")]


def checks_of(stub: Stub) -> Checks:
    """The checks of an exercise: the object of its name in the lesson's module of this package."""
    return getattr(importlib.import_module(f"{__name__}.{stub.lesson.name}"), stub.name)


def answer_of(quiz: Quiz) -> Answer:
    """The answer of a quiz question: the object of its name in the lesson's module of this package."""
    return getattr(importlib.import_module(f"{__name__}.{quiz.lesson.name}"), quiz.name)


def check(stub: Stub) -> None:
    """Check the learner's answer to an exercise, show what was looked at, and name the mistake if there is one.

    Args:
        stub: The exercise, for example ``translation.center``.

    Raises:
        ArgumentError: ``stub`` is no exercise.
        NotFilledError: The exercise is still empty.
        CheckFailed: The answer is not right yet.
    """
    report = report_on(stub)
    feedback.show(report)
    if not report.ok:
        raise CheckFailed(report)


def report_on(stub: Stub, cases: int = 3) -> Report:
    """The report behind :func:`check`, on the visible inputs.

    Raises:
        ArgumentError: ``stub`` is no exercise.
        NotFilledError: The exercise is still empty.
    """
    need_exercise(stub, "check")
    if stub.answer is None:
        raise NotFilledError(
            f"{stub.name}. Write it in the cell that begins with @fill({stub.id}), run that cell, then this one again."
        )
    checks = checks_of(stub)
    return examine(checks, Filled(stub), visible(stub, cases), checks.truth)


def visible(stub: Stub, cases: int = 3) -> list[Case]:
    """The inputs that :func:`check` looks at: the same every time."""
    checks = checks_of(stub)
    rng = np.random.default_rng(list(stub.id.encode()))
    return [checks.draw(rng) for _ in range(cases)]


def examine(checks: Checks, learner: Any, cases: Sequence[Case], truth: Callable[[Case], Any]) -> Report:
    """Run the learner's functions on cases, compare with ``truth``, and report row by row.

    Args:
        checks: The exercise's description.
        learner: Namespace of the lesson's exercises, in this process or a proxy of another.
        cases: Test inputs.
        truth: From a case to the right outputs.
    """
    stub, names = checks.stub, checks.outputs
    rows = _Rows(checks)
    results: list[dict[str, Array]] = []
    expected: list[dict[str, Array]] = []
    remarks: list[str] = []
    dtypes: dict[str, str] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in cases:
            right = _by_name(names, truth(copy.deepcopy(case)))
            given = copy.deepcopy(case)
            try:
                value = checks.run(learner, given)
            except NotImplementedError as error:
                return rows.undone(error)
            except Exception as error:
                earlier = _named(checks, rows, cases, results, expected)
                return earlier or rows.fail(0, f"raised {describe_error(error)}", f"raises-{_kind(error)}")
            problem, result = _settle(checks, case, value, right, remarks, dtypes)
            if problem:
                if "wrong-shape" in problem.names:
                    always = _same_for_every_input(checks, learner, cases, truth)
                    problem = always or _besides(checks, case, result, right, problem)
                earlier = _named(checks, rows, cases, results, expected)
                return earlier or rows.fail(0, problem.message, *problem.names)
            if (changed := _changed(case, given)) is not None:
                return rows.fail(
                    1,
                    f"{stub.name} changed {changed}, its caller's array: something assigns into it or uses -=, *= "
                    "and the like on it. Work on a new array.",
                    "input-changed",
                )
            results.append(result)
            expected.append(right)
        if checks.walk:
            rows.stations = _stations(checks, cases, results, expected)
        wrong = _compare(checks, cases, results, expected, dtypes)
        if wrong and all(finding.names == ("unnamed",) for finding in wrong.values()):
            always = _same_for_every_input(checks, learner, cases, truth)
            return rows.wrong({next(iter(wrong)): always} if always else wrong)
        if wrong:
            return rows.wrong(wrong)
        for index, prop in enumerate(checks.properties):
            # Stated to float64 precision, so only judged there; the values were compared above in any case.
            precise = [pair for pair in zip(cases, results, strict=True) if not _float32(pair[0])]
            if not all(prop.holds(case, result) for case, result in precise):
                return rows.fail(2 + len(names) + index, prop.message, prop.name.replace(" ", "-"))
        if (message := _not_repeatable(checks, learner, cases[0], results[0])) is not None:
            return rows.fail(-1, message, "not-repeatable")
    return rows.passed(tuple(dict.fromkeys(remarks)))


def _named(
    checks: Checks,
    rows: _Rows,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
) -> Report | None:
    """The report on the cases before one that failed outright, where they have a name for the mistake.

    Only the diagonal of a Jacobian, say, is a wrong number where it is square, and a wrong shape where it is not.
    """
    wrong = {} if checks.walk else _compare(checks, cases[: len(results)], results, expected)
    named = any(finding.names != ("unnamed",) for finding in wrong.values())
    return rows.wrong(wrong) if named else None


class _Rows:
    """The table of one examination: names of the rows are fixed, so that right answers all print the same."""

    def __init__(self, checks: Checks) -> None:
        self.stub, self.outputs = checks.stub, checks.outputs
        shown = " and ".join(checks.stub.returns)
        self.names = [
            f"runs, and returns its {len(checks.stub.returns)} values"
            if checks.walk
            else "all methods run, and return what they should in the right shape"
            if checks.stub.methods
            else f"runs, and returns a {shown}"
            if checks.scalar
            else f"runs, and returns {shown} in the right shape",
            "leaves its input unchanged",
            *(f"{name} agrees with {checks.against}" for name in checks.outputs),
            *(prop.name for prop in checks.properties),
            "gives the same result when called again",
        ]
        self.stations: dict[int, tuple[bool | None, str]] = {}

    def fail(self, index: int, message: str, *mistakes: str) -> Report:
        """The report when row ``index`` is the first to fail."""
        index %= len(self.names)
        rows = [Row(name, True) for name in self.names[:index]]
        rows.append(Row(self.names[index], False, message))
        rows += [Row(name, None) for name in self.names[index + 1 :]]
        for place, (ok, detail) in self.stations.items():
            seen = False if place == index else ok
            rows[place] = replace(rows[place], ok=seen, detail=detail)
        return Report(self.stub.id, tuple(rows), f"hint({self.stub.id}) gives a hint.", mistakes)

    def undone(self, error: Exception) -> Report:
        """The report when the exercise, or one that it needs, is still empty."""
        report = self.fail(0, _empty(self.stub, error), "empty")
        word = "waits" if report.message.startswith(WAITS) else "empty"
        return replace(report, rows=(replace(report.rows[0], undone=word), *report.rows[1:]))

    def wrong(self, findings: Mapping[str, Finding]) -> Report:
        """The report when these outputs are wrong; the first says why, the others where it is another mistake."""
        first, *others = findings
        report = self.fail(2 + self.outputs.index(first), findings[first].message, *findings[first].names)
        rows, names = list(report.rows), list(findings[first].names)
        for index, output in enumerate(self.outputs, 2):
            if output in others:
                new = [name for name in findings[output].names if name not in (*names, "unnamed")]
                rows[index] = replace(rows[index], ok=False, message=findings[output].message if new else "")
                names += new
            elif rows[index].ok is None and not self.stations:
                rows[index] = replace(rows[index], ok=True)
        known = [name for name in names if name != "unnamed"]
        return replace(report, rows=tuple(rows), names=tuple(known or names))

    def passed(self, remarks: tuple[str, ...]) -> Report:
        """The report when every row is right."""
        rows = tuple(Row(name, True, detail=self.stations.get(i, (True, ""))[1]) for i, name in enumerate(self.names))
        return Report(self.stub.id, rows, "Visible checks passed; hidden tests grade more.", (), remarks)


WAITS = "it needs another exercise first"
"""How the message of an exercise begins that calls one that is still empty."""


def _empty(stub: Stub, error: Exception) -> str:
    if isinstance(error, NotFilledError):
        return f"{WAITS}. {error}"
    said = str(error).removesuffix(" is still empty")
    if said != stub.name and said in stub.lesson.stubs:
        return f"{WAITS}: {error}."
    method = f"{error}: " if said in [f"{stub.name}.{name}" for name in stub.methods] else ""
    return f"{method}write it in the cell above, run that cell, then this one again."


def _kind(error: Exception) -> str:
    """Name of the learner's error for the counts; errors that come from another process carry it."""
    return getattr(error, "kind", type(error).__name__)


def _by_name(names: tuple[str, ...], value: Any) -> dict[str, Array]:
    """Right outputs by name, as float64 arrays."""
    values = value if isinstance(value, tuple) else (value,)
    return {name: np.asarray(v, dtype=np.float64) for name, v in zip(names, values, strict=True)}


def _settle(
    checks: Checks, case: Case, value: Any, right: Mapping[str, Array], remarks: list[str], dtypes: dict[str, str]
) -> tuple[Finding | None, dict[str, Array]]:
    """Sort what came back into named float64 arrays of the right shapes, or say what is wrong with it.

    On a walk, an output that is None is left out, and one of a wrong shape is kept: each is its own row's matter.
    """
    stub, names, walk = checks.stub, checks.outputs, checks.walk
    if value is None:
        return Finding(("returned-none",), f"{stub.name} returned None: is the return line missing?"), {}
    if len(stub.returns) > 1:
        if not isinstance(value, (tuple, list)) or len(value) != len(stub.returns):
            got = f"{len(value)} values" if isinstance(value, (tuple, list)) else f"one {type(value).__name__}"
            names_in_order = ", ".join(stub.returns)
            return Finding(("wrong-count",), f"{stub.name} should return {names_in_order}, and returned {got}."), {}
        value = dict(zip(stub.returns, value, strict=True))
    else:
        value = {stub.returns[0]: value}
    arrays: dict[str, Array] = {}
    misshapen: list[Finding] = []
    for name in names:
        if walk and value[name] is None:
            continue
        try:
            array = np.asarray(value[name])
            if array.dtype.kind == "c" and not np.any(array.imag):
                array = array.real  # a complex step, say: the numbers are right
            if is_exact(array):
                array = array.astype(np.float64)
            if array.dtype.kind not in "fiub":
                raise TypeError
            dtypes[name] = str(array.dtype)
            array = array.astype(np.float64)
        except (ValueError, TypeError):
            kind = "None" if value[name] is None else f"a {type(value[name]).__name__}"
            return Finding(("wrong-type",), f"{name} should be an array of real numbers, and is {kind}."), {}
        wanted = right[name].shape
        if array.shape != wanted and array.shape == (1, *wanted):
            remarks.append(f"{name} has shape {array.shape} where {wanted} was asked; that is accepted.")
            array = array[0]
        if array.shape != wanted and not walk:
            misshapen.append(shape_finding(name, array.shape, wanted))
            if "transposed" in misshapen[-1].names:
                arrays[name] = array.T
            continue
        if not np.all(np.isfinite(array)) and np.all(np.isfinite(right[name])):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            return nonfinite_origin(name, array, where, case), {}
        arrays[name] = array
    if misshapen:
        names_of_all = dict.fromkeys(name for finding in misshapen for name in finding.names)
        return Finding(tuple(names_of_all), " ".join(finding.message for finding in misshapen)), arrays
    return None, arrays


def _changed(before: Case, after: Case) -> str | None:
    """Name of an input array that is no longer what it was."""
    for name, value in before.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, after[name], equal_nan=True):
            return name
    return None


def _compare(
    checks: Checks,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
    dtypes: Mapping[str, str] | None = None,
) -> dict[str, Finding]:
    """The outputs that are not right, with what is known about why; on a walk the first of them only."""
    found: dict[str, Finding] = {}
    moved = _moved(results, expected)
    if checks.follows:
        after = [checks.follows(case, result) for case, result in zip(cases, results, strict=True)]
        cases = [case for case, _ in after]
        expected = [{**right, **then} for right, (_, then) in zip(expected, after, strict=True)]
    for name in checks.outputs:
        if found and checks.walk:
            break
        if any(name not in result for result in results):
            found[name] = Finding(("unfinished",), f"The walk stops here: {name} is still None.")
            continue
        dtype = (dtypes or {}).get(name, "float64")
        wrong = [
            Evidence(case, result[name], right[name], dtype)
            for case, result, right in zip(cases, results, expected, strict=True)
            if not _agrees(checks, name, case, result[name], right[name])
        ]
        if not wrong:
            continue
        if any(item.got.shape != item.expected.shape for item in wrong):
            shape = shape_finding(name, wrong[0].got.shape, wrong[0].expected.shape)
            shaped = [Evidence(item.case, item.got, np.zeros_like(item.got)) for item in wrong]
            why = diagnose(name, shaped, (), checks.slips) or Finding((), "")
            found[name] = Finding((*shape.names, *why.names), f"{shape.message} {why.message}".rstrip())
        elif name in moved:
            found[name] = _in_each_others_place(moved)
        else:
            finding = None
            if name in moved.values():  # the value that belongs here stands elsewhere: what stands here belongs there
                there = next(here for here in moved if here not in moved.values())
                exchanged = [
                    Evidence(case, result[name], right[there], dtype)
                    for case, result, right in zip(cases, results, expected, strict=True)
                    if result[name].shape == right[there].shape
                ]
                finding = _diagnose(checks, there, exchanged)
            unnamed = [other for other, said in found.items() if said.names == ("unnamed",)]
            thorough = not unnamed  # what is wrong in many places has one reason further up
            known = {known for said in found.values() for known in said.names}
            finding = finding or _diagnose(checks, name, wrong, thorough, known)
            found[name] = finding or Finding(("unnamed",), _first_difference(name, wrong[0]))
    return found | _exchanged(checks, cases, results, expected, found)


def _diagnose(
    checks: Checks, name: str, evidence: Sequence[Evidence], thorough: bool = True, known: Set[str] = frozenset()
) -> Finding | None:
    terms = checks.terms.get(name, ())
    return diagnose(name, evidence, terms, checks.slips, checks.factors, thorough, checks.steps, known)


def _exchanged(
    checks: Checks,
    cases: Sequence[Case],
    results: Sequence[dict[str, Array]],
    expected: Sequence[dict[str, Array]],
    found: Mapping[str, Finding],
) -> dict[str, Finding]:
    """Findings for two outputs that have no name where they stand, and have one in each other's place."""
    unnamed = [name for name, finding in found.items() if finding.names == ("unnamed",)]
    for pair in itertools.combinations(unnamed, 2):
        if any(right[pair[0]].shape != right[pair[1]].shape for right in expected):
            continue
        why = []
        for here, there in (pair, pair[::-1]):
            evidence = [
                Evidence(case, result[here], right[there])
                for case, result, right in zip(cases, results, expected, strict=True)
            ]
            finding = _diagnose(checks, there, evidence, False)
            if finding is None:
                break
            why.append(finding)
        else:
            names = dict.fromkeys((*why[0].names, *why[1].names))
            message = f"{pair[0]} and {pair[1]} are in each other's place: see the order in the docstring. Besides: {why[0].message}"
            return {pair[0]: Finding(("swapped", *names), message)}
    return {}


def _besides(
    checks: Checks, case: Case, result: Mapping[str, Array], right: Mapping[str, Array], problem: Finding
) -> Finding:
    """A wrong shape, and what is known about the outputs whose shape is right."""
    names, message = list(problem.names), problem.message
    for name, got in result.items():
        if not _agrees(checks, name, case, got, right[name]):
            evidence = [Evidence(case, got, right[name])]
            why = _diagnose(checks, name, evidence)
            names += why.names if why else ()
            message += f" Besides: {why.message}" if why else ""
    return Finding(tuple(names), message)


def _moved(results: Sequence[dict[str, Array]], expected: Sequence[dict[str, Array]]) -> dict[str, str]:
    """Which outputs hold the right value of which other, in every call."""
    calls = [
        displaced(result, {key: right[key] for key in right if key in result}).items()
        for result, right in zip(results, expected, strict=True)
    ]
    return {here: there for here, there in calls[0] if all((here, there) in call for call in calls)} if calls else {}


def _in_each_others_place(moved: Mapping[str, str]) -> Finding:
    if len(moved) <= 2:
        a, b = list(dict.fromkeys([*moved, *moved.values()]))[:2]
        said = f"{a} and {b} are in each other's place"
    else:
        said = "The values are right and in another order: " + ", ".join(f"{v} stands at {k}" for k, v in moved.items())
    return Finding(("swapped",), f"{said}: see the order in the docstring.")


def _same_for_every_input(
    checks: Checks, learner: Any, cases: Sequence[Case], truth: Callable[[Case], Any]
) -> Finding | None:
    """The finding when two calls with different inputs return the very same numbers where they should not."""
    returned = []
    for case in cases[:3]:
        try:
            value = checks.run(learner, copy.deepcopy(case))
            values = value if len(checks.stub.returns) > 1 else (value,)
            arrays = dict(zip(checks.stub.returns, values, strict=True))
            returned.append({name: np.asarray(arrays[name], dtype=np.float64) for name in checks.outputs})
        except Exception:
            return None
    right = [_by_name(checks.outputs, truth(copy.deepcopy(case))) for case in cases[:3]]
    for name in checks.outputs:
        got, wanted = ([values[name] for values in each] for each in (returned, right))
        if (
            any(not np.array_equal(wanted[0], other) for other in wanted[1:])
            and all(np.array_equal(got[0], other) for other in got[1:])
            and len(got) > 1
            and np.any(got[0])
        ):
            return Finding(
                ("same-for-every-input",),
                f"{name} is the same whatever comes in: it was called with different inputs and gave the same numbers. Is a variable "
                "of the notebook used where an argument belongs?",
            )
    return None


def _stations(
    checks: Checks, cases: Sequence[Case], results: Sequence[dict[str, Array]], expected: Sequence[dict[str, Array]]
) -> dict[int, tuple[bool | None, str]]:
    """For each row that stands for an output of a walk: whether it agrees, and its largest difference in words."""
    found: dict[int, tuple[bool | None, str]] = {}
    for row, name in enumerate(checks.outputs, 2):
        triples = [(c, r[name], e[name]) for c, r, e in zip(cases, results, expected, strict=True) if name in r]
        if len(triples) < len(cases):
            found[row] = None, "not written yet"
        elif any(got.shape != right.shape for _, got, right in triples):
            found[row] = False, "wrong shape"
        elif all(_agrees(checks, name, *triple) for triple in triples):
            found[row] = True, f"difference below {checks.tolerance:.0e}".replace("e-0", "e-")
        else:
            largest = max(relative_error(got, right) for _, got, right in triples)
            found[row] = False, f"largest difference {largest:.2g}"
    return found


def is_exact(array: Array) -> bool:
    """True for an array of numbers that numpy has no type for, such as fractions: as right as any."""
    return array.dtype.kind == "O" and 0 < array.size < 1_000_000 and all(isinstance(v, Fraction) for v in array.flat)


def _agrees(checks: Checks, name: str, case: Case, got: Array, right: Array) -> bool:
    """True when one output is right, feature by feature, measured against the natural scale of its terms."""
    if got.shape != right.shape:
        return False
    size = np.abs(right)
    for term in checks.terms.get(name, ()):
        size = np.maximum(size, np.abs(np.broadcast_to(term.value(case), right.shape)))
    whole = np.max(size, initial=0.0)
    axes = tuple(range(right.ndim - 1)) if right.ndim > 1 else None
    scale = np.maximum(np.max(size, axis=axes, initial=0.0), 1e-9 * whole)
    tolerance = max(checks.tolerance, FLOAT32_TOLERANCE if _float32(case) else _rounding(case))
    return bool(np.all(np.abs(got - right) <= tolerance * scale))


def _rounding(case: Case) -> float:
    """What two right answers may differ by because a batch lies far from zero and is narrow: subtracting its mean loses digits."""
    lost = 0.0
    for batch in case.values():
        if isinstance(batch, np.ndarray) and batch.ndim == 2 and batch.dtype.kind == "f" and batch.size:
            varies = batch[:, np.ptp(batch, axis=0) > 0]
            with np.errstate(all="ignore"):
                lost = max(lost, float(np.max(np.abs(varies).max(axis=0) / varies.std(axis=0), initial=0.0)))
    return min(8 * np.finfo(float).eps * lost, MOST_ROUNDING)


def _float32(case: Case) -> bool:
    return any(isinstance(v, np.ndarray) and v.dtype == np.float32 for v in case.values())


def _first_difference(name: str, item: Evidence) -> str:
    """Words for a result nobody has a name for: where it differs first."""
    difference = np.abs(item.got - item.expected)
    where = tuple(int(i) for i in np.argwhere(difference > 1e-6 * np.max(difference))[0]) if item.got.ndim else ()
    place = f"{name}[{', '.join(map(str, where))}]" if where else name
    inputs = ", ".join(f"{k} {_describe(v)}" for k, v in item.case.items())
    got, expected = float(item.got[where]), float(item.expected[where])
    digits = next(n for n in (6, 10, 17) if f"{got:.{n}g}" != f"{expected:.{n}g}" or n == 17)
    return f"{place} is {got:.{digits}g} and should be {expected:.{digits}g} (for {inputs})."


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        return f"of length {len(value)}"
    return "= the given function" if callable(value) else f"= {value!r}"


def _not_repeatable(checks: Checks, learner: Any, case: Case, before: Mapping[str, Array]) -> str | None:
    """A message when the first case no longer gives what it gave."""
    try:
        value = checks.run(learner, copy.deepcopy(case))
    except Exception as error:
        return f"raised {describe_error(error)} when called a second time"
    problem, again = _settle(checks, case, value, before, [], {})
    if problem or any(relative_error(again[k], before[k]) > 1e-12 for k in before):
        return "The second call with the same input gives another result: it depends on something kept between calls."
    return None


_hints_given: dict[str, int] = {}


def hint(stub: Stub, idea: bool = False) -> None:
    """Show the next hint of the exercise's ladder: where to look, what to write, a worked line.

    Args:
        stub: The exercise.
        idea: After the last hint, True tells the idea of the worked answer (not its code).

    Raises:
        ArgumentError: ``stub`` is no exercise.
    """
    need_exercise(stub, "hint")
    ladder = checks_of(stub).hints
    given = _hints_given.get(stub.id, 0)
    if given < len(ladder):
        _hints_given[stub.id] = given + 1
        print(f"Hint {given + 1} of {len(ladder)}: {ladder[given]}")
    elif idea:
        print(f"The idea: {checks_of(stub).idea}")
    else:
        print(f"That was the last hint. hint({stub.id}, idea=True) tells the idea of the worked answer.")
        for number, text in enumerate(ladder, 1):
            print(f"Hint {number} of {len(ladder)}: {text}")
