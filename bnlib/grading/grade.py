"""The runner: from a folder of submissions to results, gradebook and feedback, on any ``concurrent.futures`` executor.

What happens to a submission, in order: ``batch.STAGES`` (its code is run), then ``marks.MARKS`` (what the teacher decided).
Each student's result is a file of its own, written in one piece as soon as it is known, with keys that change when
anything it depends on does. A run that was stopped goes on where it was; a regrade does only what changed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bnlib import __version__
from bnlib.grading.batch import Settings
from bnlib.grading.book import GRADEBOOK, UNFINISHED, Book, GradeError, gradebook, opened
from bnlib.grading.course import Course
from bnlib.grading.files import write
from bnlib.grading.marks import OVERRIDES, Teacher, read_overrides
from bnlib.grading.pool import graded
from bnlib.grading.reports import report, similarity
from bnlib.grading.result import Result
from bnlib.grading.rules import Rules, secret_seed
from bnlib.grading.submissions import Folder, collect
from bnlib.stubs import Lesson, lesson_of, lessons

FEW = 0.2
"""A lesson that nobody named counts when at least this share of those who handed something in handed it in."""


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
        said: What the teacher should know of the run itself, in lines.
    """

    students: int
    kept: int
    flagged: int
    ungraded: tuple[str, ...]
    ignored: tuple[str, ...]
    out: Path
    seconds: float
    said: tuple[str, ...] = ()


def grade(
    folder: Path,
    out: Path,
    *,
    wanted: Sequence[str] = (),
    settings: Settings | None = None,
    rules: Rules | None = None,
    due: datetime | None = None,
    jobs: int = 1,
    executor: Executor | None = None,
    force: bool = False,
    fresh: bool = False,
    progress: Callable[[int, int, int], None] = lambda done, total, judged: None,
) -> Summary:
    """Grade a folder.

    Args:
        folder: Submissions: ``name.ipynb``, ``name.zip``, ``name/``.
        out: Where results go. An unfinished run in it is continued; lessons of earlier runs stay.
        wanted: Lessons to grade; by default those of the rules, else those that more than a few handed in.
        settings: Seed, limits, with or without nbval.
        rules: What the teacher decided; by default what ``course.toml`` says.
        due: When everything was due, in place of what the rules say; their extensions hold.
        jobs: Processes at work at the same time.
        executor: Runs the batches, in place of local processes.
        force: Go over a finished run: what changed is graded again, the rest is taken from it.
        fresh: Take nothing from an earlier run.
        progress: Told how many students are done, of how many, and how many have their score.

    Raises:
        FolderError, RulesError, GradeError, CourseError, IsolationError: Nothing was begun, or the run cannot go on; what
            is known by then is kept. The message is for the teacher.
    """
    began = time.monotonic()
    settings = settings or Settings()
    rules = rules or settings.course.rules()
    if due:
        rules = replace(rules, due={lesson.key: due for lesson in lessons()})
    found = collect(folder, rules.roster)
    chosen, said = _lessons(wanted or rules.lessons, found, settings.course)
    for lesson in chosen:
        settings.course.require(lesson)
    teacher = Teacher(rules, read_overrides(out / OVERRIDES, rules))
    with opened(folder, out, chosen, force):
        secret = settings.seed is None and rules.seed is None
        if settings.seed is None:
            settings = replace(settings, seed=secret_seed(out) if rules.seed is None else rules.seed)
        book = Book(out, chosen, settings, teacher, fresh)
        pending, kept = [], 0
        for submission in found.submissions:
            if book.work(submission):
                pending.append(submission)
            else:
                book.keep(submission)
                kept += any(lesson.key in submission.notebooks for lesson in chosen)
        book.keep_others([submission.student for submission in found.submissions])
        total, done, judged = len(found.submissions), len(found.submissions) - len(pending), set()
        progress(done, total, done)
        for submission, news, complete in graded(pending, book.work, settings, jobs, executor):
            book.keep(submission, news)
            done += complete
            judged.add(submission.slug)
            progress(done, total, total - len(pending) + len(judged))
        results = book.results()
        said += _unknown(teacher, results)
        for lesson in chosen:
            pairs = similarity.alike(lesson, found.submissions, settings.course)
            write(out / similarity.name(lesson), similarity.page(lesson, pairs, len(found.submissions)))
        seed = "secret" if secret else settings.seed
        facts = (f"{datetime.now():%Y-%m-%d}", f"seed: {seed}", f"bnlib {__version__}", *said)
        _report(out, results, book.lessons, found.ignored, rules.title or "The class", facts)
    return Summary(
        total,
        kept,
        sum(bool(result.flags) for result in results),
        tuple(result.student for result in results if result.ungraded),
        found.ignored,
        out,
        time.monotonic() - began,
        tuple(said),
    )


def _lessons(wanted: Sequence[str], found: Folder, course: Course) -> tuple[list[Lesson], list[str]]:
    """The lessons to grade, in order, and what is to be said of those left out: one notebook too many is nobody's lesson."""
    if wanted:
        try:
            named = {lesson_of(key).key: lesson_of(key) for key in wanted}
        except KeyError as error:
            raise GradeError(str(error.args[0])) from None
        return [named[key] for key in sorted(named)], []
    held = Counter(key for submission in found.submissions for key in submission.notebooks)
    students = sum(bool(submission.notebooks) for submission in found.submissions)
    chosen = [lesson for lesson in lessons() if held[lesson.key] >= max(1, FEW * students)]
    said = [
        f"{key} was handed in by {count} of {students} only, and not graded: name it with --lesson {key[:2]} to grade it"
        for key, count in sorted(held.items())
        if count < FEW * students
    ]
    return chosen or [lesson for lesson in lessons() if course.solution(lesson).is_file()], said


def _unknown(teacher: Teacher, results: Sequence[Result]) -> list[str]:
    """Names in what the teacher decided that are no student's here: a slip of the pen would cost somebody points."""
    students = {result.student for result in results}
    given = {name for name, _ in teacher.by_hand} - students
    extended = set(teacher.rules.extensions) - students
    return [f"{OVERRIDES}: {name} is no student here" for name in sorted(given)] + [
        f"course.toml: extensions: {name} is no student here" for name in sorted(extended)
    ]


def _report(
    out: Path,
    results: Sequence[Result],
    shown: Sequence[Lesson],
    ignored: Sequence[str],
    title: str,
    facts: Sequence[str],
) -> None:
    """Feedback for each student, the class page, and last the gradebook, after which the run is complete."""
    for result in results:
        write(out / "feedback" / f"{result.slug}.html", report.feedback_page(result))
        write(
            out / "feedback" / f"{result.slug}.json",
            json.dumps(report.feedback_data(result), indent=1, ensure_ascii=False),
        )
    similar = [lesson for lesson in shown if (out / similarity.name(lesson)).is_file()]
    write(out / "class.html", report.class_page(results, shown, ignored, title=title, facts=facts, similar=similar))
    write(out / GRADEBOOK, gradebook(results, shown))
    (out / UNFINISHED).unlink()
