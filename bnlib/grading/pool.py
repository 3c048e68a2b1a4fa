"""Run batches on an executor, and learn what they know of each student before they end."""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import replace
from pathlib import Path

from bnlib.grading.batch import IsolationError, Settings, Work, grade_batch, prepare_process
from bnlib.grading.book import GradeError, nothing
from bnlib.grading.course import CourseError
from bnlib.grading.files import FULL, take
from bnlib.grading.result import LessonResult, NbvalResult
from bnlib.grading.submissions import Submission, UnreadableError
from bnlib.notebooks import NotebookError
from bnlib.stubs import lesson_of

Graded = dict[str, dict[str, LessonResult]]
News = tuple[Submission, dict[str, LessonResult], bool]
"""Whose results are new, what they are, and whether that is all of this run."""

_FATAL = (CourseError, IsolationError)
_Batch = Sequence[Submission]
_PREFIX = "bnlib-run-"

LARGEST = 50
"""Submissions of a batch: its memory does not grow with the class."""


def graded(
    pending: Sequence[Submission],
    work: Callable[[Submission], Work | None],
    settings: Settings,
    jobs: int,
    executor: Executor | None,
) -> Iterator[News]:
    """Grade everything in batches; those that fail are run again one by one, so that only who is to blame pays.

    Args:
        pending: Whose submissions are to be graded.
        work: What is still to be done of a submission.
        settings: What the run was told.
        jobs: Processes at work at the same time.
        executor: Runs the batches, in place of local processes.

    Raises:
        CourseError, IsolationError, GradeError: Grading does not work here.
    """
    # Starting nbval costs as much as six notebooks, so each process gets one large batch rather than two small ones.
    size = max(1, min(LARGEST, math.ceil(len(pending) / (jobs if settings.nbval else 2 * jobs))))
    left = {submission.slug: submission for submission in pending}
    batches = [pending[start : start + size] for start in range(0, len(pending), size)]
    suspects: list[_Batch] = []
    with _Pool(settings, jobs, executor) as pool:
        for news in pool.run(batches, work, 2 * jobs, left):
            if isinstance(news[1], BaseException):
                suspects += [[each] for each in news[0] if each.slug in left]
            else:
                yield news
        hopeless = len(suspects) == len(pending) > 2
        tried = 0
        for news in pool.run(suspects, work, 1, left):
            if isinstance(news[1], BaseException):
                tried += 1
                if hopeless and tried > 2:
                    raise GradeError(f"grading does not work here: {_words(news[1])}")
                left.pop(news[0][0].slug)
                yield news[0][0], _could_not(work(news[0][0]), news[1]), True
            else:
                hopeless = False
                yield news


_Failed = tuple[_Batch, BaseException]


class _Pool:
    """An executor that is there again when it broke; only our own one can be."""

    def __init__(self, settings: Settings, jobs: int, executor: Executor | None) -> None:
        self._jobs, self._given = jobs, executor
        if executor is None:
            _require_python()
        self._others = {process.pid for process in multiprocessing.active_children()}
        _remove_what_was_left()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)
        os.chmod(self._folder.name, 0o711)  # an isolated process may be another user's
        self._spool = Path(self._folder.name, "spool")
        self._spool.mkdir(mode=0o700)
        self._settings = replace(settings, spool=str(self._spool))
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

    def run(
        self,
        batches: Sequence[_Batch],
        work: Callable[[Submission], Work | None],
        window: int,
        left: dict[str, Submission],
    ) -> Iterator[News | _Failed]:
        """Run batches, never more than ``window`` at a time, so that memory stays bounded; who is done leaves ``left``."""
        try:
            yield from self._run(batches, work, window, left)
        except KeyboardInterrupt:
            yield from self._news(left)
            raise

    def _run(
        self,
        batches: Sequence[_Batch],
        work: Callable[[Submission], Work | None],
        window: int,
        left: dict[str, Submission],
    ) -> Iterator[News | _Failed]:
        waiting = deque(batches)
        running: dict[Future[Graded], _Batch] = {}
        while waiting or running:
            while waiting and len(running) < window:
                batch = waiting.popleft()
                try:
                    if works := _loaded(batch, work):
                        running[self._submit(works)] = batch
                except (UnreadableError, NotebookError, OSError, KeyError) as error:
                    yield batch, error
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            yield from self._news(left)
            for future in done:
                batch = running.pop(future)
                trouble = CancelledError() if future.cancelled() else future.exception()
                if isinstance(trouble, _FATAL):
                    raise trouble
                if isinstance(trouble, OSError) and trouble.errno in FULL:
                    raise GradeError(
                        f"{trouble.filename or tempfile.gettempdir()}: {trouble.strerror}; make room there"
                    )
                if trouble is not None:
                    yield batch, trouble
                    continue
                results = future.result()
                for submission in batch:
                    if left.pop(submission.slug, None):
                        yield submission, results[submission.slug], True

    def _news(self, left: dict[str, Submission]) -> Iterator[News]:
        """What the batches that are still at work know already."""
        for slug, results, done in take(self._spool):
            if slug in left:
                yield (left.pop(slug) if done else left[slug]), results, done

    def _submit(self, works: list[Work]) -> Future[Graded]:
        try:
            return self._executor.submit(grade_batch, self._settings, works)
        except BrokenExecutor:
            if self._given is not None:
                raise
            self._executor.shutdown(wait=False)
            self._executor = self._new()
            return self._executor.submit(grade_batch, self._settings, works)


def _require_python() -> None:
    """Make sure that processes can be started at all.

    Raises:
        GradeError: They cannot.
    """
    try:
        done = subprocess.run([sys.executable, "-c", ""], capture_output=True, timeout=60)
        why = f"it ends with {done.returncode}" if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or str(error)
    if why:
        raise GradeError(f"{sys.executable}: this Python cannot be started any more ({why}); install bnlib anew")


def _remove_what_was_left() -> None:
    """Runs that were killed leave a folder; those whose process is gone are removed."""
    import psutil  # type: ignore[import-untyped]

    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        number = path.name.removeprefix(_PREFIX).split("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _loaded(batch: _Batch, work: Callable[[Submission], Work | None]) -> list[Work]:
    """What is to be done for a batch, with the bytes of its notebooks."""
    return [
        replace(todo, files={key: (file.label, file.content()) for key, file in submission.notebooks.items()})
        for submission in batch
        if (todo := work(submission))
    ]


def _could_not(work: Work | None, error: BaseException) -> dict[str, LessonResult]:
    """Results that say that grading failed; no score is meant by them."""
    words = _words(error)
    unseen = NbvalResult(False, fault=words, flags=(f"nbval did not run, through no fault of the student ({words})",))
    found = {key: replace(result, nbval=unseen) for key, result in work.judged.items()} if work else {}
    keys = work.wanted if work else ()
    return found | {key: nothing(lesson_of(key), f"could not be graded: {words}", words) for key in keys}


def _words(error: BaseException) -> str:
    """An error of our own in one line."""
    if isinstance(error, BrokenExecutor):
        return f"the grader's process ({sys.executable}) ended while it was at work on this submission"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
