"""Hidden tests × submissions in one pytest session: the cost of pytest is shared by a batch.

``tests/hidden/conftest.py`` takes its fixtures from here. In a plain ``pytest tests/hidden`` they judge the reference
answers, run in a learner's process like everybody's; the grader registers a :class:`Batch` of submissions instead.
Verdicts are collected through pytest's hooks; what it prints is not looked at.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bnlib.chains.course import judged
from bnlib.chains.report import report
from bnlib.checks import Case, checks_of, visible
from bnlib.grading.course import Course
from bnlib.grading.hidden.judge import Judge, WrongAnswer
from bnlib.grading.hidden.lending import Lender
from bnlib.grading.hidden.reference import Reference, reference
from bnlib.grading.process.remote import Interrupted
from bnlib.judging.examining import examine
from bnlib.judging.showing.report import Report, Row
from bnlib.judging.showing.table import WAITS, behind
from bnlib.notebooks import Notebook, read
from bnlib.running import as_handed_out
from bnlib.stubs import Derivation, Lesson, Stub, lesson_of

_QUIET = (
    "terminal", "cacheprovider", "faulthandler", "logging", "warnings", "unraisableexception", "threadexception",
    "junitxml", "doctest", "unittest", "nose", "setuponly", "setupplan", "stepwise", "pastebin", "debugging", "legacypath",
)  # fmt: skip
_FREE = ("raises-", "wrong-", "unnamed", "not-repeatable", "empty")
"""Beginnings of names of mistakes whose messages repeat what the learner's code says: texts, types, shapes, numbers."""
_FIGURE = re.compile(r"\d[\d.e+-]{5,}")
_one_session = threading.Lock()


@dataclass(frozen=True)
class Subject:
    """Whose answers are judged.

    Attributes:
        name: Unique in its batch.
        notebooks: What was handed in, one notebook a lesson, in the order of the lessons.
    """

    name: str
    notebooks: tuple[Notebook, ...]

    def notebook(self, lesson: Lesson) -> Notebook | None:
        """The notebook of a lesson, or None."""
        return next((notebook for notebook in self.notebooks if notebook.lesson is lesson), None)


@dataclass
class Verdict:
    """What the hidden tests say about one exercise of one subject.

    Attributes:
        passed: How many hidden tests passed; after the first that does not, the others are not run.
        total: How many there are.
        message: What is wrong, in plain words; "" when nothing is.
        mistakes: Names of the mistakes, for counting.
        remarks: What was accepted and is still worth knowing.
        rows: What the test that failed looked at, row by row.
        carried: It is not right, and is with what it builds on put right.
        causes: Exercises whose mistakes it suffers from.
        fault: What went wrong on the grader's own side, or "".
        earned: Points for what is right of an answer that is not right as a whole.
    """

    passed: int = 0
    total: int = 0
    message: str = ""
    mistakes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    carried: bool = False
    causes: tuple[str, ...] = ()
    fault: str = ""
    earned: int = 0

    @property
    def right(self) -> bool:
        """True when all hidden tests passed."""
        return 0 < self.total == self.passed

    def put_right(self, second: Verdict, causes: tuple[str, ...]) -> None:
        """Add what came of a second judgement, in which the mistakes of ``causes`` were put right.

        Of what the learner's code says there, no text and no number of its choice may be told: it may be a lent value.
        """
        if second.fault:
            self.fault = second.fault
        elif second.right:
            self.carried, self.causes, self.mistakes, self.rows = True, causes, (), ()
            self.message, self.remarks = f"right by itself; mend {' and '.join(causes)} first", second.remarks
        elif causes:
            others = " and ".join(causes)
            free = not second.mistakes or any(mistake.startswith(_FREE) for mistake in second.mistakes)
            if not free and not _FIGURE.search(" ".join(row.message for row in second.rows)):
                self.message, self.mistakes, self.rows = second.message, second.mistakes, second.rows
                self.message += f" (This was seen with {others} put right, which comes first.)"
            else:
                self.message += f" (With {others} put right it is not right either.)"

    def says(self, report: Report) -> None:
        """Take down the first report that is not right."""
        if not self.message:
            self.message, self.mistakes, self.rows = report.message, report.names, report.rows


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Batch:
    """A pytest plugin that judges subjects one after the other.

    Attributes:
        course: Where the reference answers are.
        server: What starts the isolated processes of learners (:class:`bnlib.grading.process.worker.Server`).
        subjects: By name.
        wanted: Which lessons of which subject are judged; by default all that it has.
        seed: Decides the hidden inputs.
        replay: Run the notebook's own checks too, on the inputs the learner sees, with the learner's code in its process.
        carry: Judge what fails a second time, with what it builds on put right.
        stop_early: Leave out an exercise's remaining tests once one has failed.
        verdicts: By subject and id of the exercise.
        replays: By subject and lesson: for each exercise, whether its own check passes.
        errors: By subject and lesson: for each cell in which something failed, its id and the first error.
        judged: Told the name of a subject as soon as all is known of it.
        left_out: By subject and lesson: for each cell that was not run at all, its id and why.
    """

    course: Course
    server: Any
    subjects: Mapping[str, Subject]
    wanted: Mapping[str, set[str]] | None = None
    seed: int = 0
    replay: bool = False
    carry: bool = False
    stop_early: bool = True
    replays: dict[tuple[str, str], dict[str, bool]] = field(default_factory=dict)
    verdicts: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    errors: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    judged: Callable[[str], None] = lambda name: None
    left_out: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _references: dict[str, Reference] = field(default_factory=dict)
    _known: dict[Hashable, Any] = field(default_factory=dict)
    _visible: dict[str, Any] = field(default_factory=dict)
    _tests: dict[str, dict[tuple[str, str], Callable[[Judge], None]]] = field(default_factory=dict)
    _current: tuple[str, str] | None = None
    _learner: Any = None

    def names(self, lesson: Lesson) -> list[str]:
        """The subjects judged in a lesson."""
        return [
            name
            for name, subject in self.subjects.items()
            if subject.notebook(lesson) and (self.wanted is None or lesson.key in self.wanted[name])
        ]

    def verdict(self, name: str, stub: Stub) -> Verdict:
        """The verdict on one exercise of one subject, as far as it is known."""
        return self.verdicts.setdefault(name, {}).setdefault(stub.id, Verdict())

    def judge(self, name: str, stub: Stub, test: str) -> Judge:
        """A judge for one hidden test of one subject."""
        if isinstance(stub, Derivation):
            text = self._text(name, stub)
            return Judge(stub, None, self._reference(stub.lesson), self.seed, test, text=text)
        return self._judge(stub, self._learner_of(name, stub.lesson), test)

    def _judge(self, stub: Stub, learner: Any, test: str) -> Judge:
        return Judge(stub, learner, self._reference(stub.lesson), self.seed, test, self._known)

    def _reference(self, lesson: Lesson) -> Reference:
        if lesson.key not in self._references:
            self._references[lesson.key] = reference(lesson, self.course)
        return self._references[lesson.key]

    def _text(self, name: str, stub: Derivation) -> str | None:
        """What a subject wrote for a derivation: its first line where nothing is, None where it is no text."""
        notebook = self.subjects[name].notebook(stub.lesson)
        if notebook is None or all(cell.exercise != stub.name for cell in notebook.cells):
            return stub.start
        return notebook.derivation(stub.name)

    def _learner_of(self, name: str, lesson: Lesson) -> Any:
        """The subject's functions in a process of their own; one subject's is alive at a time."""
        if self._current != (name, lesson.key):
            self.close()
            self._learner = self.server.learner(self._notebooks(name, lesson), lesson)
            self._current = (name, lesson.key)
            self.errors[self._current] = dict(self._learner.errors)
            self.left_out[self._current] = dict(self._learner.left_out)
        return self._learner

    def _notebooks(self, name: str, lesson: Lesson) -> list[Notebook]:
        """What a subject's notebook of a lesson may load, and that notebook."""
        return [notebook for notebook in self.subjects[name].notebooks if notebook.lesson.key <= lesson.key]

    def close(self) -> None:
        """End the learner's process that is still there, and judge again what needs it."""
        learner, current = self._learner, self._current
        self._learner = self._current = None
        if learner is not None:
            if self.replay and current:
                self.replays[current] = self._replay(current[0], learner, lesson_of(current[1]))
            with contextlib.suppress(Exception):
                learner.close()
            if learner.doubt and current:
                self._doubt(current[0], lesson_of(current[1]), learner.doubt)
            if self.carry and current:
                self._carry(current[0], lesson_of(current[1]))

    def _doubt(self, name: str, lesson: Lesson, why: str) -> None:
        """Nothing is held against a subject whose process may have been ended by others."""
        for exercise, stub in lesson.stubs.items():
            verdict = self.verdict(name, stub)
            if not (verdict.right or self._untouched(name, lesson, exercise)):
                verdict.fault = verdict.fault or why

    def _untouched(self, name: str, lesson: Lesson, exercise: str) -> bool:
        """True when there is no answer, or the one that was handed out."""
        notebook = self.subjects[name].notebook(lesson)
        return all(as_handed_out(cell) for cell in (notebook.cells if notebook else ()) if cell.exercise == exercise)

    def _carry(self, name: str, lesson: Lesson) -> None:
        """Find out which exercises of a subject are wrong by themselves, and which suffer from others' mistakes."""
        verdicts = {exercise: self.verdict(name, stub) for exercise, stub in lesson.stubs.items()}
        wrong = {exercise for exercise, verdict in verdicts.items() if not verdict.right}
        notebooks = self._notebooks(name, lesson)

        def causes(exercises: Iterable[str]) -> tuple[str, ...]:
            """The mistakes behind these: where one suffers from others, those."""
            found = (verdicts[each].causes or (each,) for each in lesson.stubs if each in exercises)
            return tuple(dict.fromkeys(cause for each in found for cause in each))

        for exercise, stub in lesson.stubs.items():
            verdict = verdicts[exercise]
            if verdict.right or verdict.fault or self._untouched(name, lesson, exercise):
                continue
            if wrong & set(stub.builds_on):
                lender = Lender(stub, wrong, self._reference(lesson))
                verdict.put_right(self._again(stub, notebooks, lender), causes(lender.asked & wrong))
            forward = stub.cache_of if stub.cache_of not in stub.builds_on else ""
            if forward in wrong and not verdict.carried and not verdicts[forward].carried:
                verdict.causes, verdict.mistakes = causes({forward}), ("waits",)
                if not verdict.message.startswith(WAITS):
                    verdict.message = behind(stub, lesson.stubs[forward], verdict.message)

    def _again(self, stub: Stub, notebooks: list[Notebook], lender: Lender) -> Verdict:
        """Judge one exercise in a process of its own, in which others' values are lent."""
        verdict = Verdict(total=len(self._tests[stub.id]))
        try:
            with self.server.learner(notebooks, stub.lesson, lender) as learner:
                for (test, _), function in self._tests[stub.id].items():
                    judge = self._judge(stub, learner, test)
                    function(judge)
                    verdict.passed += 1
                    verdict.remarks = tuple(dict.fromkeys(verdict.remarks + judge.remarks))
        except WrongAnswer as wrong:
            verdict.says(wrong.report)
            verdict.fault = learner.doubt
        except (Exception, Interrupted) as error:
            verdict.fault = f"{stub.name}, judged again: {type(error).__name__}: {error}"
        return verdict

    def _replay(self, subject: str, learner: Any, lesson: Lesson) -> dict[str, bool]:
        """What ``check`` says of each exercise when nothing of the notebook but its answers is there."""
        said = {}
        for name, stub in lesson.stubs.items():
            if isinstance(stub, Derivation):
                said[name] = report(stub, judged(stub, self._text(subject, stub))).ok
                continue
            checks = checks_of(stub)
            if stub.id not in self._visible:
                cases = visible(stub)
                self._visible[stub.id] = (cases, [checks.truth(copy.deepcopy(case)) for case in cases])
            cases, truths = self._visible[stub.id]
            answers = iter(truths)

            def truth(case: Case, answers: Iterator[Any] = answers) -> Any:
                return next(answers)

            with contextlib.suppress(Exception, Interrupted):
                said[name] = examine(checks, learner, cases, truth).ok
        return said

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Count the tests; a subject's come together, so that its process is started once."""
        order = {name: index for index, name in enumerate(self.subjects)}
        found = {id(item): _what(item) for item in items}
        for item in items:
            if (what := found[id(item)]) and isinstance(item, pytest.Function):
                self.verdict(*what).total += 1
                chosen = _chosen(item)
                test = functools.partial(item.obj, **chosen)
                self._tests.setdefault(what[1].id, {})[item.originalname, str(chosen)] = test
        if self.stop_early:

            def turn(item: pytest.Item) -> int:
                what = found[id(item)]
                return order[what[0]] if what else -1

            items.sort(key=turn)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function, nextitem: pytest.Item | None) -> bool | None:
        """Run a hidden test that takes nothing but its judge: all that pytest does around a test takes longer than that."""
        what = _what(item)
        if not self.stop_early or what is None or set(item.fixturenames) - {"judge", "request", *item.callspec.params}:
            return None
        verdict, judge = self.verdict(*what), None
        if not (verdict.message or verdict.fault):
            error: BaseException | None = None
            try:
                judge = self.judge(*what, item.originalname)
                item.obj(judge, **_chosen(item))
            except (Exception, pytest.fail.Exception, pytest.skip.Exception, Interrupted) as raised:
                error = raised
            self._note(verdict, item, error, judge)
        self.pytest_runtest_teardown(item, nextitem)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test that can change nothing any more."""
        what = _what(item)
        if self.stop_early and what:
            verdict = self.verdict(*what)
            if verdict.message or verdict.fault:
                pytest.skip("decided by an earlier test")

    @pytest.hookimpl
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Take down how a test ended."""
        what = _what(item)
        if what is None:
            return
        error = call.excinfo.value if call.excinfo else None
        if call.when == "call" or error is not None:
            self._note(self.verdict(*what), item, error, getattr(item, "funcargs", {}).get("judge"))

    def _note(self, verdict: Verdict, item: pytest.Item, error: BaseException | None, judge: Judge | None) -> None:
        if isinstance(error, pytest.skip.Exception):
            return
        if isinstance(error, WrongAnswer):
            verdict.says(error.report)
            verdict.earned = error.report.earned
        elif error is not None:
            verdict.fault = verdict.fault or f"{item.nodeid.split('::')[-1]}: {type(error).__name__}: {error}"
        else:
            verdict.passed += 1
            verdict.remarks = tuple(dict.fromkeys(verdict.remarks + (judge.remarks if judge else ())))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Tell that a subject is judged: its tests come together."""
        what, after = _what(item), _what(nextitem) if nextitem else None
        if self.stop_early and what and (after is None or after[0] != what[0]):
            self.close()
            self.judged(what[0])

    def pytest_sessionfinish(self) -> None:
        """Leave no process behind."""
        self.close()


_BATCH = pytest.StashKey[Batch]()


def run(batch: Batch, lessons: Iterable[Lesson]) -> None:
    """Judge a batch with the hidden tests of some lessons; verdicts are in ``batch`` afterwards.

    Raises:
        RuntimeError: A module of hidden tests cannot be run.
    """
    modules = [batch.course.hidden(lesson) for lesson in lessons]
    with tempfile.TemporaryDirectory(prefix="bnlib-") as folder, _one_session, _no_other_plugins():
        settings = Path(folder, "pytest.ini")
        settings.write_text("[pytest]\nmarkers = exercise(*stubs): the exercises a hidden test grades\n", "utf-8")
        off = [word for plugin in _QUIET for word in ("-p", f"no:{plugin}")]
        options = ["-c", str(settings), "--rootdir", str(batch.course.root), "--confcutdir", str(modules[0].parent)]
        status = pytest.main(
            [*off, *options, "--import-mode=importlib", "--assert=plain", "--capture=no", *map(str, modules)],
            plugins=[batch, _Install(batch)],
        )
    batch.close()
    _forget(modules[0].parent)
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(
            f"the hidden tests did not run (pytest ended with {status!r}); try pytest {modules[0].parent}"
        )


def _forget(folder: Path) -> None:
    """Drop the test modules: pytest would take those of another course, or of another version, for the next ones."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
            del sys.modules[name]


class _Install:
    """Makes a batch known to the fixtures of a session."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[_BATCH] = self._batch


@contextlib.contextmanager
def _no_other_plugins() -> Iterator[None]:
    """Installed plugins stay out: each would be asked about every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        patch.delenv("PYTEST_PLUGINS", raising=False)
        yield


def _what(item: pytest.Item) -> tuple[str, Stub] | None:
    """Subject and exercise of a hidden test; None for any other test."""
    mark, call = item.get_closest_marker("exercise"), getattr(item, "callspec", None)
    return call.params.get("subject") if mark and call else None


def _chosen(item: pytest.Function) -> dict[str, Any]:
    """The parameters of a hidden test that are its own."""
    return {name: value for name, value in item.callspec.params.items() if name != "subject"}


def _batch(config: pytest.Config) -> Batch:
    """The batch of this session; without a grader, the reference answers are the only subject."""
    if _BATCH not in config.stash:
        from bnlib.grading.process.worker import Server

        course = Course()
        notebooks = tuple(read(path) for path in sorted(course.root.glob("solutions/[0-9][0-9]_*.ipynb")))
        server = Server()
        config.add_cleanup(lambda: server.__exit__(None, None, None))
        subjects = {"reference": Subject("reference", notebooks)}
        batch = Batch(course, server.__enter__(), subjects, stop_early=False)
        config.stash[_BATCH] = batch
        config.pluginmanager.register(batch, "bnlib-reference")
    return config.stash[_BATCH]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each exercise that it is about, and each subject that has the lesson."""
    mark = metafunc.definition.get_closest_marker("exercise")
    if mark is not None and "subject" in metafunc.fixturenames:
        batch = _batch(metafunc.config)
        whats = [(name, stub) for stub in mark.args for name in batch.names(stub.lesson)]
        metafunc.parametrize("subject", whats, ids=[f"{stub.name}-{name}" for name, stub in whats], indirect=True)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> tuple[str, Stub]:
    """Name of whose answer is judged, and to which exercise."""
    return request.param


@pytest.fixture
def judge(request: pytest.FixtureRequest, subject: tuple[str, Stub]) -> Judge:
    """What a hidden test asks for a verdict."""
    return _batch(request.config).judge(*subject, request.node.originalname)
