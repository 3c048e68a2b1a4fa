"""Grade a few submissions: hidden tests first, nbval next. One call of this is what an executor runs, wherever it is.

What goes in and comes out is plain data, so that it can travel to another process or machine.
"""

from __future__ import annotations

import gc
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bnlib import hollow
from bnlib.grading.course import Course
from bnlib.grading.files import put
from bnlib.grading.hidden import plugin
from bnlib.grading.hidden.plugin import Batch, Subject, Verdict
from bnlib.grading.isolation.sandbox import Limits
from bnlib.grading.nbval import stage as nbval_stage
from bnlib.grading.nbval.transplant import OWN, transplant
from bnlib.grading.process.worker import Server
from bnlib.grading.result import CARRIED, NOT_GRADED, RIGHT, Exercise, LessonResult, NbvalResult, Seen
from bnlib.grading.submissions import notebook_of
from bnlib.judging.showing.table import WAITS
from bnlib.notebooks import Notebook, parse
from bnlib.stubs import Lesson, Stub, lesson_of


class IsolationError(RuntimeError):
    """The isolation asked for is not to be had here."""


@dataclass(frozen=True)
class Settings:
    """What a run was told.

    Attributes:
        root: The course's folder.
        seed: Decides the hidden inputs; None: that of the rules, or else a secret one of the course.
        nbval: Whether notebooks are run with nbval.
        call_seconds: How long one call of a learner's function may take; all cells of a notebook, three times as long.
        cell_seconds: How long one cell may take under nbval.
        notebook_seconds: How long one notebook may take under nbval.
        require_isolation: Refuse to run learners' code with less than full isolation.
        spool: Folder in which a batch leaves what it knows of each student as soon as it knows it; "" for none.
        strict: An exercise that is right by itself and suffers from another's mistake earns nothing.
    """

    root: str = field(default_factory=lambda: str(Course().root))
    seed: int | None = 0
    nbval: bool = True
    call_seconds: float = 5.0
    cell_seconds: float = 30.0
    notebook_seconds: float = 120.0
    require_isolation: bool = False
    spool: str = ""
    strict: bool = False

    @property
    def course(self) -> Course:
        """The course."""
        return Course(Path(self.root))


@dataclass(frozen=True)
class Work:
    """One student's part of a batch.

    Attributes:
        name: Unique in the run.
        files: For each lesson handed in, what to call the file and its bytes.
        wanted: The lessons that the hidden tests are to judge; the others may be needed by them.
        judged: Lessons that they judged in an earlier run, and nbval has still to see.
    """

    name: str
    files: Mapping[str, tuple[str, bytes]]
    wanted: tuple[str, ...]
    judged: Mapping[str, LessonResult] = field(default_factory=dict)


@dataclass
class _State:
    """What is known of a batch while it goes through the stages.

    Attributes:
        settings: What the run was told.
        works: What was handed in.
        subjects: Who is judged, by name.
        results: By student and lesson.
    """

    settings: Settings
    works: Sequence[Work]
    subjects: dict[str, Subject] = field(default_factory=dict)
    results: dict[str, dict[str, LessonResult]] = field(default_factory=dict)

    def tell(self, name: str, done: bool) -> None:
        """Let the runner keep what is known of a student."""
        put(self.settings.spool, name, self.results[name], done)


def grade_batch(settings: Settings, works: Sequence[Work]) -> dict[str, dict[str, LessonResult]]:
    """Results by student and lesson.

    Raises:
        CourseError, RuntimeError, OSError: Grading itself does not work here.
    """
    if settings.nbval:
        nbval_stage.require()
    state = _State(settings, works)
    for stage in STAGES:
        stage(state)
    return state.results


def _read(state: _State) -> None:
    """Bytes become notebooks."""
    for work in state.works:
        notebooks = [notebook_of(label, content) for label, content in work.files.values()]
        state.subjects[work.name] = Subject(work.name, tuple(sorted(notebooks, key=lambda n: n.lesson.key)))
        state.results[work.name] = dict(work.judged)


def _judge(state: _State) -> None:
    """The hidden tests decide the score of record."""
    settings = state.settings
    wanted = {work.name: set(work.wanted) for work in state.works}
    if not any(wanted.values()):
        return
    with _server(settings) as server:
        if settings.require_isolation and not server.level.isolated:
            raise IsolationError(f"isolation is required, and this machine has less: {server.level}")
        batch = Batch(
            settings.course, server, state.subjects, wanted, settings.seed or 0, replay=settings.nbval, carry=True
        )

        def judged(name: str) -> None:
            for key in sorted(wanted[name]):
                state.results[name][key] = _result(batch, name, lesson_of(key), str(server.level), settings.strict)
            state.tell(name, done=not settings.nbval)

        batch.judged = judged
        plugin.run(batch, [lesson_of(key) for key in sorted(set().union(*wanted.values()))])
        for name in wanted:  # of whom there was no hidden test
            if wanted[name] - state.results[name].keys():
                judged(name)


_in_pool = False
_kept: dict[tuple[int, float], Server] = {}


def _server(settings: Settings) -> AbstractContextManager[Server]:
    """A fork server; in a process of the grader's own pool, one for all its batches. It ends with its process."""
    limits = Limits(wall=settings.call_seconds, cells=3 * settings.call_seconds)
    if not _in_pool:
        return Server(limits)
    key = (os.getpid(), settings.call_seconds)
    if key not in _kept:
        _kept[key] = Server(limits)
    return nullcontext(_kept[key])


def _result(batch: Batch, name: str, lesson: Lesson, level: str, strict: bool) -> LessonResult:
    """What the hidden tests say about one lesson of one student."""
    notebook = batch.subjects[name].notebook(lesson)
    errors = batch.errors.get((name, lesson.key), {})
    replayed = batch.replays.get((name, lesson.key), {})
    exercises = tuple(
        replace(exercise(stub, batch.verdict(name, stub), notebook, errors, strict), replayed=replayed.get(stub.name))
        for stub in lesson.stubs.values()
    )
    flags = _grouped((e.name, f"could not be graded ({e.message})") for e in exercises if e.status == NOT_GRADED)
    notes = tuple(f"cell {cell}: {why}" for cell, why in batch.left_out.get((name, lesson.key), {}).items())
    return LessonResult(lesson.key, lesson.title, exercises, notes=notes, isolation=level, flags=tuple(flags))


def exercise(
    stub: Stub, verdict: Verdict, notebook: Notebook | None, errors: Mapping[str, str], strict: bool = False
) -> Exercise:
    """One exercise, as it is written down: points are earned when all hidden tests pass; a derivation earns its steps."""
    status, message, mistakes = "wrong", verdict.message, verdict.mistakes
    if verdict.fault:
        status, message, mistakes = NOT_GRADED, verdict.fault, ()
    elif verdict.right:
        status = RIGHT
    elif verdict.carried:
        status = "wrong" if strict else CARRIED
    elif notebook is None:
        status = "missing"
    else:
        cells = [cell for cell in notebook.cells if cell.exercise == stub.name]
        failed = next((errors[cell.id] for cell in cells if cell.id in errors), "")
        empty = mistakes == ("empty",)
        if empty and not cells:
            status, mistakes = "missing", ("answer-cell-missing",)
            message = f"there is no answer cell: the one that begins with {stub.opening} was deleted or changed"
        elif failed and (empty or failed in message):
            message, mistakes = f"the answer cell could not be run: {failed}", ("cell-failed",)
        elif empty and message.startswith(WAITS):
            mistakes = ("waits",)
        elif empty:
            status, message = "empty", "still empty"
    return Exercise(
        stub.name,
        stub.points,
        status,
        _begun(message, stub),
        mistakes,
        verdict.causes,
        tuple(Seen(row.name, row.ok, row.message, row.detail) for row in verdict.rows),
        verdict.remarks,
        verdict.passed,
        verdict.total,
        share=verdict.earned / stub.points if status == "wrong" else 0.0,
    )


def _begun(message: str, stub: Stub) -> str:
    """A message with a capital in front, unless it begins with a name of the code."""
    first = message.split(maxsplit=1)[0] if message else ""
    names = {stub.name, *stub.returns, *stub.parameters, *stub.lesson.stubs}
    return message if first.strip(".,:[]0123456789 ") in names or "_" in first else message[:1].upper() + message[1:]


def _second_opinion(state: _State) -> None:
    """Transplanted notebooks run under nbval; where it says something else, a person looks. Scores stay as they are."""
    if not state.settings.nbval:
        return
    places = [(name, key) for name, lessons in state.results.items() for key in sorted(lessons)]
    keys = {key for _, key in places}
    pristine = {key: parse(state.settings.course.solution(lesson_of(key))) for key in keys}
    jobs = [_job(state.subjects[name], lesson_of(key), pristine[key]) for name, key in places]
    left = Counter(name for name, _ in places)

    def seen(index: int, outcome: nbval_stage.Outcome) -> None:
        name, key = places[index]
        state.results[name][key] = _with_nbval(state.results[name][key], outcome)
        left[name] -= 1
        if not left[name]:
            state.tell(name, done=True)

    nbval_stage.run(jobs, state.settings.cell_seconds, state.settings.notebook_seconds, seen)


def _job(subject: Subject, lesson: Lesson, pristine: Mapping[str, Any]) -> nbval_stage.Job:
    """What nbval is to run, and what that may load."""
    notebook = subject.notebook(lesson)
    assert notebook is not None
    others = {f"{n.lesson.key}.ipynb": _source_only(n) for n in subject.notebooks if n.lesson is not lesson}
    return nbval_stage.Job(transplant(pristine, notebook), f"{lesson.key}.ipynb", others)


def _with_nbval(result: LessonResult, outcome: nbval_stage.Outcome) -> LessonResult:
    """A result with what nbval saw, and flags where that does not fit."""
    nbval = NbvalResult(
        outcome.passed,
        outcome.message,
        outcome.fault,
        outcome.isolation,
        sum(cell.outcome != "not run" for cell in outcome.cells),
        tuple(cell for cell in outcome.cells if cell.outcome != "passed"),
        tuple(disagreements(result, outcome)),
    )
    return replace(result, nbval=nbval)


def disagreements(result: LessonResult, outcome: nbval_stage.Outcome) -> list[str]:
    """Where hidden tests, nbval and the replay of the same checks say different things: the score stays, a person looks."""
    if outcome.fault:
        return [f"nbval did not run, through no fault of the student ({outcome.fault})"]
    found = []
    for each in result.exercises:
        seen = outcome.cell(f"check-{each.name}")
        why = next((f" ({c.message})" for c in outcome.cells if c.id == f"check-{each.name}" and c.message), "")
        if seen == "passed" and each.replayed is False:
            words = "its check passes in the notebook and not when replayed: hidden state or tampering"
        elif seen == "failed" and each.replayed is True:
            words = f"its check passes when replayed and not in the notebook: another cell gets in the way{why}"
        elif seen == "passed" and each.status not in (RIGHT, CARRIED, NOT_GRADED):
            words = "passes the notebook's own check, but not the hidden tests"
        elif seen == "failed" and each.status == RIGHT:
            words = f"passes the hidden tests, but not the notebook's own check{why}"
        else:
            continue
        found.append((each.name, words))
    flags = _grouped(found)
    if all(each.status == RIGHT for each in result.exercises) and not outcome.passed and not flags:
        failed = [c for c in outcome.cells if c.outcome == "failed" and not c.id.startswith(OWN)]
        why = outcome.message or next((f"cell {c.id}: {c.message}" for c in failed), "some cells were not run")
        flags.append(f"all answers are right, but nbval is not content ({why})")
    return flags


STAGES: tuple[Callable[[_State], None], ...] = (_read, _judge, _second_opinion)
"""What happens to submissions, in this order."""


def _grouped(found: Iterable[tuple[str, str]]) -> list[str]:
    """One flag for all exercises of which the same is to be said."""
    names: dict[str, list[str]] = {}
    for name, words in found:
        names.setdefault(words, []).append(name)
    return [f"{', '.join(each)}: {words}" for words, each in names.items()]


def _source_only(notebook: Notebook) -> dict[str, Any]:
    """A learner's other notebook, for ``load``: code alone, in the order in which it was handed in."""
    cells: list[dict[str, Any]] = []
    for number, cell in enumerate(notebook.cells):
        metadata: dict[str, Any] = {"bnlib": {"given": True}} if cell.given else {}
        if cell.exercise:
            metadata = {"nbgrader": {"solution": True, "grade_id": cell.exercise}}
        cells.append(
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": metadata,
                "source": cell.source,
                "outputs": [],
                "execution_count": None,
            }
        )
    own = {"bnlib": {"lesson": notebook.lesson.key}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": own, "cells": cells}


def prepare_process(parent: int, folder: str) -> None:
    """Make a pool's process one that leaves Ctrl-C to its parent, does not outlive it, and keeps its files in ``folder``."""
    global _in_pool
    _in_pool = True
    hollow.install()  # the reference answers import matplotlib, and nobody looks at their figures here
    gc.freeze()
    gc.set_threshold(50_000)  # what a batch makes by the thousand lives as long as the batch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = os.environ["TMPDIR"] = folder

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
