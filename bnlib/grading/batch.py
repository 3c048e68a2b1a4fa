"""Grade a few submissions: hidden tests first, nbval next. One call of this is what an executor runs, wherever it is.

What goes in and comes out is plain data, so that it can travel to another process or machine.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnlib.grading.course import Course
from bnlib.grading.hidden import plugin
from bnlib.grading.hidden.plugin import Batch, Subject, Verdict
from bnlib.grading.isolation.sandbox import Limits
from bnlib.grading.nbval import stage as nbval_stage
from bnlib.grading.nbval.transplant import OWN, transplant
from bnlib.grading.process import hollow
from bnlib.grading.process.worker import Server
from bnlib.grading.submissions import notebook_of
from bnlib.judging.showing.table import WAITS
from bnlib.notebooks import Notebook, parse
from bnlib.stubs import Lesson, Stub, lesson_of

Result = dict[str, Any]


class IsolationError(RuntimeError):
    """The isolation asked for is not to be had here."""


@dataclass(frozen=True)
class Settings:
    """What a run was told.

    Attributes:
        root: The course's folder.
        seed: Decides the hidden inputs.
        nbval: Whether notebooks are run with nbval.
        call_seconds: How long one call of a learner's function may take; all cells of a notebook, three times as long.
        cell_seconds: How long one cell may take under nbval.
        notebook_seconds: How long one notebook may take under nbval.
        require_isolation: Refuse to run learners' code with less than full isolation.
    """

    root: str = str(Course().root)
    seed: int = 0
    nbval: bool = True
    call_seconds: float = 5.0
    cell_seconds: float = 30.0
    notebook_seconds: float = 120.0
    require_isolation: bool = False

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
        wanted: The lessons to grade; the others may be needed by them.
    """

    name: str
    files: Mapping[str, tuple[str, bytes]]
    wanted: tuple[str, ...]


def grade_batch(settings: Settings, works: Sequence[Work]) -> dict[str, dict[str, Result]]:
    """Results by student and lesson.

    Raises:
        CourseError, RuntimeError, OSError: Grading itself does not work here.
    """
    if settings.nbval:
        nbval_stage.require()
    subjects = {}
    for work in works:
        notebooks = [notebook_of(label, content) for label, content in work.files.values()]
        subjects[work.name] = Subject(work.name, tuple(sorted(notebooks, key=lambda n: n.lesson.key)))
    wanted = {work.name: set(work.wanted) for work in works}
    lessons = [lesson_of(key) for key in sorted(set().union(*wanted.values()))]
    batch, level = _hidden_stage(settings, subjects, wanted, lessons)
    results: dict[str, dict[str, Result]] = {work.name: {} for work in works}
    for lesson in lessons:
        for name in batch.names(lesson):
            results[name][lesson.key] = _result(batch, name, lesson, level)
    if settings.nbval:
        _nbval_stage(settings, batch, lessons, results)
    return results


def _hidden_stage(
    settings: Settings, subjects: Mapping[str, Subject], wanted: Mapping[str, set[str]], lessons: Sequence[Lesson]
) -> tuple[Batch, str]:
    """Judge everything with the hidden tests; also says which isolation was in force."""
    with _server(settings) as server:
        if settings.require_isolation and not server.level.isolated:
            raise IsolationError(f"isolation is required, and this machine has less: {server.level}")
        batch = Batch(settings.course, server, subjects, wanted, settings.seed, replay=settings.nbval)
        plugin.run(batch, lessons)
        return batch, str(server.level)


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


def _result(batch: Batch, name: str, lesson: Lesson, level: str) -> Result:
    """One lesson of one student, as it is written down."""
    notebook = batch.subjects[name].notebook(lesson)
    assert notebook is not None
    errors = batch.errors.get((name, lesson.key), {})
    exercises = [exercise(stub, batch.verdict(name, stub), notebook, errors) for stub in lesson.stubs.values()]
    flags = _grouped(
        (e["name"], f"could not be graded ({e['message']})") for e in exercises if e["status"] == "not graded"
    )
    return {
        "lesson": lesson.key,
        "title": lesson.title,
        "score": sum(e["score"] for e in exercises),
        "max": lesson.points,
        "reason": "",
        "exercises": exercises,
        "nbval": None,
        "isolation": level,
        "flags": flags,
    }


def exercise(stub: Stub, verdict: Verdict, notebook: Notebook | None, errors: Mapping[str, str]) -> Result:
    """One exercise, as it is written down: points are earned when all hidden tests pass, and only then."""
    status, message, mistakes = "wrong", verdict.message, verdict.mistakes
    if verdict.fault:
        status, message, mistakes = "not graded", verdict.fault, ()
    elif verdict.right:
        status = "right"
    elif notebook is None:
        status = "missing"
    else:
        cells = [cell for cell in notebook.cells if cell.exercise == stub.name]
        failed = next((errors[cell.id] for cell in cells if cell.id in errors), "")
        empty = mistakes == ("empty",)
        if empty and not cells:
            status, mistakes = "missing", ("answer-cell-missing",)
            message = f"there is no answer cell: the one that begins with @fill({stub.id}) was deleted or changed"
        elif failed and (empty or failed in message):
            message, mistakes = f"the answer cell could not be run: {failed}", ("cell-failed",)
        elif empty and message.startswith(WAITS):
            mistakes = ("waits",)
        elif empty:
            status, message = "empty", "still empty"
    return {
        "name": stub.name,
        "points": stub.points,
        "score": stub.points if status == "right" else 0,
        "status": status,
        "message": _begun(message, stub),
        "mistakes": list(mistakes),
        "remarks": _one_each(verdict.remarks),
        "passed": verdict.passed,
        "tests": verdict.total,
    }


def _one_each(remarks: Iterable[str]) -> list[str]:
    """The first remark on each output: for every shape of an input there is one."""
    first: dict[str, str] = {}
    for remark in remarks:
        first.setdefault(remark.split(maxsplit=1)[0], remark)
    return list(first.values())


def _begun(message: str, stub: Stub) -> str:
    """A message with a capital in front, unless it begins with a name of the code."""
    first = message.split(maxsplit=1)[0] if message else ""
    names = {stub.name, *stub.returns, *stub.parameters, *stub.lesson.stubs}
    return message if first.strip(".,:[]0123456789 ") in names or "_" in first else message[:1].upper() + message[1:]


def _nbval_stage(
    settings: Settings, batch: Batch, lessons: Sequence[Lesson], results: dict[str, dict[str, Result]]
) -> None:
    """Run the transplanted notebooks, and add what nbval saw to the results. Scores stay as they are."""
    pristine = {lesson.key: parse(settings.course.solution(lesson)) for lesson in lessons}
    jobs, places = [], []
    for lesson in lessons:
        for name in batch.names(lesson):
            subject = batch.subjects[name]
            notebook = subject.notebook(lesson)
            assert notebook is not None
            others = {
                f"{other.lesson.key}.ipynb": _source_only(other)
                for other in subject.notebooks
                if other.lesson is not lesson
            }
            jobs.append(nbval_stage.Job(transplant(pristine[lesson.key], notebook), f"{lesson.key}.ipynb", others))
            places.append((name, lesson))
    outcomes = nbval_stage.run(jobs, settings.cell_seconds, settings.notebook_seconds)
    for (name, lesson), outcome in zip(places, outcomes, strict=True):
        result = results[name][lesson.key]
        result["nbval"] = {
            "passed": outcome.passed,
            "message": outcome.message,
            "fault": outcome.fault,
            "isolation": outcome.isolation,
            "ran": sum(cell.outcome != "not run" for cell in outcome.cells),
            "cells": [vars(cell) for cell in outcome.cells if cell.outcome != "passed"],
        }
        replay = batch.replays.get((name, lesson.key), {})
        result["flags"] += disagreements({**result, "replay": replay}, outcome)


def disagreements(result: Result, outcome: nbval_stage.Outcome) -> list[str]:
    """Where hidden tests, nbval and the replay of the same checks say different things: the score stays, a person looks."""
    if outcome.fault:
        return [f"nbval did not run, through no fault of the student ({outcome.fault})"]
    found = []
    for each in result["exercises"]:
        seen = outcome.cell(f"check-{each['name']}")
        why = next((f" ({c.message})" for c in outcome.cells if c.id == f"check-{each['name']}" and c.message), "")
        replayed = result.get("replay", {}).get(each["name"])
        if seen == "passed" and replayed is False:
            words = "its check passes in the notebook and not when replayed: hidden state or tampering"
        elif seen == "failed" and replayed is True:
            words = f"its check passes when replayed and not in the notebook: another cell gets in the way{why}"
        elif seen == "passed" and each["status"] not in ("right", "not graded"):
            words = "passes the notebook's own check, but not the hidden tests"
        elif seen == "failed" and each["status"] == "right":
            words = f"passes the hidden tests, but not the notebook's own check{why}"
        else:
            continue
        found.append((each["name"], words))
    flags = _grouped(found)
    if result["score"] == result["max"] and not outcome.passed and not flags:
        failed = [c for c in outcome.cells if c.outcome == "failed" and not c.id.startswith(OWN)]
        why = outcome.message or next((f"cell {c.id}: {c.message}" for c in failed), "some cells were not run")
        flags.append(f"all answers are right, but nbval is not content ({why})")
    return flags


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = os.environ["TMPDIR"] = folder

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
