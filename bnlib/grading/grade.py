"""The runner: from a folder of submissions to results, gradebook and feedback, on any ``concurrent.futures`` executor.

Each student's result is a file of its own, written in one piece as soon as it is known, with a key that changes when
anything it depends on does. A run that was stopped goes on where it was; a regrade does only what changed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import multiprocessing
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bnlib.grading.batch import IsolationError, Settings, Work, exercise, grade_batch, prepare_process
from bnlib.grading.course import Course, CourseError
from bnlib.grading.hidden.plugin import Verdict
from bnlib.grading.reports import report, words
from bnlib.grading.result import SCHEMA, FileResult, LessonResult, Result
from bnlib.grading.submissions import Folder, Submission, UnreadableError, collect, duration, lesson_note
from bnlib.judging.showing.report import printable
from bnlib.notebooks import NotebookError
from bnlib.stubs import Lesson, lesson_of, lessons

GRADEBOOK = "gradebook.csv"
_FATAL = (CourseError, IsolationError)


class GradeError(ValueError):
    """The run cannot begin; the message is one line for the teacher."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        students: How many there are.
        kept: How many of them were taken from an earlier run.
        flagged: How many have a flag for a person.
        ungraded: Those that could not be graded at all, through no fault of theirs.
        ignored: Names in the folder that are no submissions.
        out: Where everything is.
        seconds: Wall time.
    """

    students: int
    kept: int
    flagged: int
    ungraded: tuple[str, ...]
    ignored: tuple[str, ...]
    out: Path
    seconds: float


def grade(
    folder: Path,
    out: Path,
    *,
    wanted: Sequence[str] = (),
    settings: Settings | None = None,
    due: datetime | None = None,
    jobs: int = 1,
    executor: Executor | None = None,
    force: bool = False,
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Grade a folder.

    Args:
        folder: Submissions: ``name.ipynb``, ``name.zip``, ``name/``.
        out: Where results go. An unfinished run in it is continued.
        wanted: Lessons to grade; by default all of which the folder holds a notebook.
        settings: Seed, limits, with or without nbval.
        due: What came later is noted; its points stay. Without a time zone it is local time.
        jobs: Processes at work at the same time.
        executor: Runs the batches, in place of local processes.
        force: Go over a finished run: what changed is graded again, the rest is taken from it.
        fresh: Take nothing from an earlier run.
        progress: Told how many students are done, of how many.

    Raises:
        FolderError, GradeError, CourseError, IsolationError: Nothing was graded; the message is one line.
    """
    began = time.monotonic()
    settings = settings or Settings()
    found = collect(folder, due.timestamp() if due else None)
    chosen = _lessons(wanted, found, settings.course)
    for lesson in chosen:
        settings.course.require(lesson)
    _open(folder, out, force)
    book = _Book(out, chosen, settings, fresh)
    pending, kept = [], 0
    for submission in found.submissions:
        work = book.work(submission)
        if work:
            pending.append((submission, work))
        else:
            book.write(submission, {})
            kept += any(lesson.key in submission.notebooks for lesson in chosen)
    total, done = len(found.submissions), len(found.submissions) - len(pending)
    progress(done, total)
    for submissions, graded in _run(pending, settings, jobs, executor):
        for submission in submissions:
            book.write(submission, graded[submission.slug])
            done += 1
        progress(done, total)
    results = [book.result(submission) for submission in found.submissions]
    _report(out, results, chosen, found.ignored)
    return Summary(
        total,
        kept,
        sum(bool(result.flags) for result in results),
        tuple(result.student for result in results if result.ungraded),
        found.ignored,
        out,
        time.monotonic() - began,
    )


def _lessons(wanted: Sequence[str], found: Folder, course: Course) -> list[Lesson]:
    """The lessons to grade, in order: those asked for, those handed in, or else all that there are."""
    if wanted:
        try:
            return sorted(
                {lesson_of(key).key: lesson_of(key) for key in wanted}.values(), key=lambda lesson: lesson.key
            )
        except KeyError as error:
            raise GradeError(str(error.args[0])) from None
    held = {key for submission in found.submissions for key in submission.notebooks}
    return [lesson for lesson in lessons() if lesson.key in held] or [
        x for x in lessons() if course.solution(x).is_file()
    ]


def _open(folder: Path, out: Path, force: bool) -> None:
    """Make sure that results can be written, and that nothing of anybody's is overwritten."""
    inside = out.resolve()
    if inside == folder.resolve() or folder.resolve() in inside.parents:
        raise GradeError(f"{out}: is inside the folder of submissions; choose a folder outside of {folder}")
    if out.exists() and not out.is_dir():
        raise GradeError(f"{out}: is a file; --out needs a folder")
    try:
        if (out / GRADEBOOK).exists():
            if not force:
                raise GradeError(f"{out}: already holds results; choose another folder, or grade again with --force")
            (out / GRADEBOOK).unlink()
        elif not force and out.exists() and any(out.iterdir()) and not (out / "results").is_dir():
            raise GradeError(f"{out}: is not empty and holds no results of a run; choose an empty folder")
        for name in ("results", "feedback"):
            (out / name).mkdir(parents=True, exist_ok=True)
        write(out / "results" / ".writable", "")
        (out / "results" / ".writable").unlink()
    except OSError as error:
        raise GradeError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from None


class _Book:
    """The results of a run on the disk: what is known, what is still to do."""

    def __init__(self, out: Path, chosen: Sequence[Lesson], settings: Settings, fresh: bool) -> None:
        self._folder = out / "results"
        self._lessons = chosen
        self._fresh = fresh
        told = {name: value for name, value in vars(settings).items() if name not in ("root", "require_isolation")}
        self._state = {
            lesson.key: f"{SCHEMA} {settings.course.digest(lesson)} {sorted(told.items())}" for lesson in chosen
        }

    def key(self, submission: Submission, lesson: Lesson) -> str:
        """Changes with anything that a result depends on."""
        files = [f"{key} {file.digest}" for key, file in sorted(submission.notebooks.items()) if key <= lesson.key]
        return hashlib.sha256(" ".join([self._state[lesson.key], *files]).encode()).hexdigest()

    def work(self, submission: Submission) -> Work | None:
        """What is still to be graded of a submission, files included; None when nothing is."""
        known = self._known(submission)
        todo = [
            lesson.key for lesson in self._lessons if lesson.key in submission.notebooks and lesson.key not in known
        ]
        return Work(submission.slug, {}, tuple(todo)) if todo else None

    def _known(self, submission: Submission) -> dict[str, LessonResult]:
        """Results of an earlier run that still hold, by lesson."""
        if self._fresh:
            return {}
        try:
            known = self.result(submission)
            earlier = known.lessons if known.student == submission.student else {}
            return {
                lesson.key: earlier[lesson.key]
                for lesson in self._lessons
                if lesson.key in earlier and earlier[lesson.key].key == self.key(submission, lesson)
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, submission: Submission, results: Mapping[str, LessonResult]) -> None:
        """Put a student's result onto the disk, in one piece."""
        known = self._known(submission)
        done = {}
        for lesson in self._lessons:
            if lesson.key not in submission.notebooks:
                done[lesson.key] = _nothing(lesson, lesson_note(submission, lesson))
            elif lesson.key in results:
                new = results[lesson.key]
                done[lesson.key] = replace(new, key="" if new.unsure else self.key(submission, lesson))
            else:
                done[lesson.key] = known[lesson.key]
        result = Result(
            submission.student,
            submission.slug,
            done,
            tuple(submission.reasons),
            tuple(submission.notes),
            tuple(submission.faults),
            duration(submission.late),
            tuple(FileResult(file.label, key, file.digest) for key, file in sorted(submission.notebooks.items())),
        )
        text = json.dumps(result.to_json(), indent=1, ensure_ascii=False)
        with suppress(OSError, ValueError):
            if self._path(submission).read_text("utf-8") == text:
                return
        write(self._path(submission), text)

    def result(self, submission: Submission) -> Result:
        """A student's result as written."""
        return Result.from_json(json.loads(self._path(submission).read_text("utf-8")))

    def _path(self, submission: Submission) -> Path:
        return self._folder / f"{submission.slug}.json"


def _nothing(lesson: Lesson, reason: str, error: str = "") -> LessonResult:
    """The result of a lesson of which there is nothing to grade, or nothing that could be graded."""
    exercises = tuple(exercise(stub, Verdict(), None, {}) for stub in lesson.stubs.values())
    flags = (f"could not be graded ({error})",) if error else ()
    return LessonResult(lesson.key, lesson.title, exercises, reason, flags=flags, error=error)


Graded = dict[str, dict[str, LessonResult]]
_Pending = tuple[Submission, Work]
_Done = tuple[list[Submission], Graded]


def _run(pending: Sequence[_Pending], settings: Settings, jobs: int, executor: Executor | None) -> Iterator[_Done]:
    """Run everything in batches; those that fail are run again one by one, so that only who is to blame pays."""
    largest = 20 if settings.nbval else 50  # a run that is stopped loses what it has begun
    # Starting nbval costs as much as two notebooks, so each process gets one large batch rather than two small ones.
    size = max(1, min(largest, math.ceil(len(pending) / (jobs if settings.nbval else 2 * jobs))))
    batches = [pending[start : start + size] for start in range(0, len(pending), size)]
    suspects: list[Sequence[_Pending]] = []
    with _Pool(settings, jobs, executor) as pool:
        for batch, results in pool.map(batches, 2 * jobs):
            if isinstance(results, BaseException):
                suspects += [[each] for each in batch]
            else:
                yield [submission for submission, _ in batch], results
        hopeless = len(suspects) == len(pending) > 2
        for number, (batch, results) in enumerate(pool.map(suspects, 1), 1):
            submission, work = batch[0]
            if isinstance(results, BaseException):
                if hopeless and number > 2:
                    raise GradeError(f"grading does not work here: {_words(results)}")
                results = {submission.slug: _could_not(work, results)}
            else:
                hopeless = False
            yield [submission], results


class _Pool:
    """An executor that is there again when it broke; only our own one can be."""

    def __init__(self, settings: Settings, jobs: int, executor: Executor | None) -> None:
        self._settings, self._jobs, self._given = settings, jobs, executor
        self._others = {process.pid for process in multiprocessing.active_children()}
        self._folder = tempfile.TemporaryDirectory(prefix="bnlib-run-", ignore_cleanup_errors=True)
        os.chmod(self._folder.name, 0o711)  # an isolated process may be another user's
        self._executor = executor or self._new()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        if self._given is None:
            self._executor.shutdown(wait=kind is None, cancel_futures=True)
            ours = [each for each in multiprocessing.active_children() if each.pid not in self._others]
            for process in ours:
                process.terminate()
            for process in ours:
                process.join(5)
        self._folder.cleanup()

    def _new(self) -> Executor:
        """Processes that start afresh: nothing this one holds is inherited."""
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self._jobs, spawn, initializer=prepare_process, initargs=(os.getpid(), self._folder.name)
        )

    def map(
        self, batches: Iterable[Sequence[_Pending]], window: int
    ) -> Iterator[tuple[Sequence[_Pending], Graded | BaseException]]:
        """Run batches, never more than ``window`` at a time, so that memory stays bounded; what a batch raised is a result."""
        waiting = deque(batches)
        running: dict[Future[Graded], Sequence[_Pending]] = {}
        while waiting or running:
            while waiting and len(running) < window:
                batch = waiting.popleft()
                try:
                    running[self._submit(_loaded(batch))] = batch
                except (UnreadableError, NotebookError, OSError, KeyError) as error:
                    yield batch, error
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                batch = running.pop(future)
                trouble = CancelledError() if future.cancelled() else future.exception()
                if isinstance(trouble, _FATAL):
                    raise trouble
                yield batch, future.result() if trouble is None else trouble

    def _submit(self, works: list[Work]) -> Future[Graded]:
        try:
            return self._executor.submit(grade_batch, self._settings, works)
        except BrokenExecutor:
            if self._given is not None:
                raise
            self._executor.shutdown(wait=False)
            self._executor = self._new()
            return self._executor.submit(grade_batch, self._settings, works)


def _loaded(batch: Sequence[_Pending]) -> list[Work]:
    """The batch with the bytes of its notebooks."""
    return [
        replace(work, files={key: (file.label, file.content()) for key, file in submission.notebooks.items()})
        for submission, work in batch
    ]


def _could_not(work: Work, error: BaseException) -> dict[str, LessonResult]:
    """Results that say that grading failed; no score is meant by them."""
    words = _words(error)
    return {key: _nothing(lesson_of(key), f"could not be graded: {words}", words) for key in work.wanted}


def _words(error: BaseException) -> str:
    """An error of our own in one line."""
    if isinstance(error, BrokenExecutor):
        return "the grader's process ended while it was at work on this submission"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _report(out: Path, results: Sequence[Result], chosen: Sequence[Lesson], ignored: Sequence[str]) -> None:
    """Feedback for each student, the class page, and last the gradebook, which says that the run is complete."""
    for result in results:
        write(out / "feedback" / f"{result.slug}.html", report.feedback_page(result))
        write(
            out / "feedback" / f"{result.slug}.json",
            json.dumps(report.feedback_data(result), indent=1, ensure_ascii=False),
        )
    write(out / "class.html", report.class_page(results, chosen, ignored))
    write(out / GRADEBOOK, gradebook(results, chosen))


def gradebook(results: Sequence[Result], chosen: Sequence[Lesson]) -> str:
    """The gradebook as CSV: a line a student, two columns a lesson."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = [f"{lesson.key} {what}" for lesson in chosen for what in ("score", "max")]
    writer.writerow(["student", *columns, "total", "max", "late", "flags", "reason"])
    for result in results:
        done = [result.lessons[lesson.key] for lesson in chosen]
        scores = [points for lesson in done for points in (lesson.score, lesson.max)]
        texts = [_cell("; ".join(result.flags)), _cell(words.reason(result))]
        writer.writerow([_cell(result.student), *scores, result.score, result.max, result.late, *texts])
    return table.getvalue()


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula, on one line."""
    text = printable(" ".join(text.encode("utf-8", "replace").decode().split()))
    return f"'{text}" if text[:1] in "=+-@＝＋－＠" and text else text


def write(path: Path, text: str) -> None:
    """Write a file in one piece: at any moment there is the old one or the new one."""
    partial = path.with_name(f".{path.name[:40]}.{os.getpid()}")
    try:
        partial.write_text(text, "utf-8", errors="replace")
        os.replace(partial, path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
