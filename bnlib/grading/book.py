"""OUT: the results of a course on the disk. What is known, what is still to do; nothing that was known is dropped."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from bnlib.grading.batch import Settings, Work, exercise
from bnlib.grading.files import FULL, locked, write
from bnlib.grading.hidden.plugin import Verdict
from bnlib.grading.marks import OVERRIDES, Teacher, marked
from bnlib.grading.reports import words
from bnlib.grading.result import SCHEMA, FileResult, LessonResult, Result
from bnlib.grading.submissions import Handed, Submission, lesson_note
from bnlib.stubs import Lesson, lesson_of, lessons

GRADEBOOK = "gradebook.csv"
UNFINISHED = "unfinished.txt"
_UNFINISHED = "A run is at work here, or was stopped: gradebook.csv and the pages are older than results/. The same command goes on.\n"


class GradeError(ValueError):
    """The run cannot begin or go on; the message is one line for the teacher."""


@contextmanager
def opened(folder: Path, out: Path, chosen: Sequence[Lesson], force: bool) -> Iterator[None]:
    """Hold OUT for one run, sure that results can be written there and that nothing of anybody's is overwritten.

    Raises:
        GradeError: They cannot, or would be, or another run is at work there.
    """
    inside = out.resolve()
    if inside == folder.resolve() or folder.resolve() in inside.parents:
        raise GradeError(f"{out}: is inside the folder of submissions; choose a folder outside of {folder}")
    if out.exists() and not out.is_dir():
        raise GradeError(f"{out}: is a file; --out needs a folder")
    with ExitStack() as stack:
        _prepare(out, chosen, force, stack)
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise GradeError(
                f"{error.filename or out}: {error.strerror}; make room, and the same command goes on"
            ) from None


def _prepare(out: Path, chosen: Sequence[Lesson], force: bool, stack: ExitStack) -> None:
    """Make and lock the folders, and say in a file that a run is at work."""
    try:
        others = {path.name for path in out.iterdir()} - {OVERRIDES} if out.exists() else set()
        if others and "results" not in others:
            raise GradeError(f"{out}: is not empty and holds no results of a run; choose an empty folder")
        for name in ("results", "feedback"):
            (out / name).mkdir(parents=True, exist_ok=True)
        if not stack.enter_context(locked(out / "results")):
            raise GradeError(f"{out}: another run is at work there; wait for its end, or choose another folder")
        if (out / GRADEBOOK).exists() and not (out / UNFINISHED).exists() and not force:
            _only_adds(out, chosen)
        write(out / UNFINISHED, _UNFINISHED)
    except OSError as error:
        raise GradeError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from None


def _only_adds(out: Path, chosen: Sequence[Lesson]) -> None:
    held = {key for result in read_results(out).values() for key in result.lessons}
    if not held or held & {lesson.key for lesson in chosen}:
        raise GradeError(
            f"{out}: already holds results; add a new lesson with --lesson, grade again with --force "
            "(what did not change is kept), or choose another folder"
        )


def read_results(out: Path) -> dict[str, Result]:
    """The results of earlier runs, by student; damaged ones and those of another form are left out."""
    found = {}
    for path in sorted((out / "results").glob("[!.]*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            result = Result.from_json(json.loads(path.read_text("utf-8")))
            if result.schema == SCHEMA and result.slug == path.stem:
                kept = {key: _fitting(key, each) for key, each in result.lessons.items() if key in _lessons()}
                found[result.student] = replace(result, lessons=kept)
    return found


def _lessons() -> dict[str, Lesson]:
    return {lesson.key: lesson for lesson in lessons()}


def _fitting(key: str, known: LessonResult) -> LessonResult:
    """What is known of a lesson, or that it has other exercises now."""
    lesson = _lessons()[key]
    if [each.name for each in known.exercises] == [*lesson.stubs]:
        return known
    return nothing(
        lesson, f"{key} has other exercises now than when it was graded: grade it again with --lesson {key[:2]}"
    )


@dataclass(frozen=True)
class _Keys:
    """What decides a result, in a form that can be compared."""

    judged: str
    seen: str


class Book:
    """The results of a run.

    Args:
        out: Where they are.
        chosen: The lessons that this run grades; those of earlier runs stay.
        settings: What the run was told.
        teacher: What the teacher decided.
        fresh: Grade the chosen lessons again, whatever is known of them.
    """

    def __init__(
        self, out: Path, chosen: Sequence[Lesson], settings: Settings, teacher: Teacher, fresh: bool = False
    ) -> None:
        self._folder, self._chosen, self._settings, self._teacher = out / "results", chosen, settings, teacher
        self._known = read_results(out)
        self._fresh = set(self._known) if fresh else set()
        held = {key for result in self._known.values() for key in result.lessons}
        self.lessons = [lesson_of(key) for key in sorted(held | {lesson.key for lesson in chosen})]
        self._state = {lesson.key: settings.course.digest(lesson) for lesson in chosen}

    def _keys(self, submission: Submission, lesson: Lesson) -> _Keys:
        """Change with anything that the hidden tests, and nbval, depend on."""
        told = self._settings
        files = [f"{key} {file.digest}" for key, file in sorted(submission.notebooks.items()) if key <= lesson.key]
        judged = _digest(SCHEMA, self._state[lesson.key], told.seed, told.call_seconds, told.strict, *files)
        others = [file.digest for _, file in sorted(submission.notebooks.items())]
        return _Keys(judged, _digest(judged, told.cell_seconds, told.notebook_seconds, *others))

    def work(self, submission: Submission) -> Work | None:
        """What is still to be done for a submission, files left out; None when nothing is."""
        wanted, judged = [], {}
        for lesson in self._chosen:
            if lesson.key not in submission.notebooks:
                continue
            known, keys = self._lesson(submission, lesson), self._keys(submission, lesson)
            if known is None or known.key != keys.judged:
                wanted.append(lesson.key)
            elif self._settings.nbval and (known.nbval is None or known.nbval.key != keys.seen):
                if any(each.replayed is not None for each in known.exercises):
                    judged[lesson.key] = replace(known, nbval=None)
                else:
                    wanted.append(lesson.key)
        return Work(submission.slug, {}, tuple(wanted), judged) if wanted or judged else None

    def _lesson(self, submission: Submission, lesson: Lesson) -> LessonResult | None:
        """What is known of a lesson, whether it still holds or not."""
        if submission.student in self._fresh or submission.student not in self._known:
            return None
        return self._known[submission.student].lessons.get(lesson.key)

    def keep(self, submission: Submission, results: Mapping[str, LessonResult] | None = None) -> None:
        """Put what is new of a student onto the disk, in one piece, beside what is known."""
        results = results or {}
        before = self._known.get(submission.student)
        done = dict(before.lessons) if before else {}
        for lesson in self.lessons:
            handed = submission.notebooks.get(lesson.key)
            if lesson.key in results and handed:
                done[lesson.key] = self._signed(submission, lesson, results[lesson.key])
            elif self._is_empty(lesson, handed, done.get(lesson.key)):
                done[lesson.key] = nothing(lesson, lesson_note(submission, lesson))
            if handed and lesson in self._chosen and lesson.key in done:
                done[lesson.key] = replace(done[lesson.key], file=_file(handed))
        if results:
            self._fresh.discard(submission.student)
        self._write(
            Result(
                submission.student,
                submission.slug,
                dict(sorted(done.items())),
                tuple(submission.reasons),
                tuple(submission.notes),
                tuple(submission.faults),
            )
        )

    def _is_empty(self, lesson: Lesson, handed: Handed | None, known: LessonResult | None) -> bool:
        """True where there is nothing to grade, now or in an earlier run."""
        if lesson not in self._chosen:
            return known is None
        return not handed and (known is None or bool(known.reason))

    def _signed(self, submission: Submission, lesson: Lesson, result: LessonResult) -> LessonResult:
        """A result with the keys that tell whether it still holds; none where it should be tried again."""
        keys = self._keys(submission, lesson)
        nbval = result.nbval and replace(result.nbval, key="" if result.nbval.fault else keys.seen)
        return replace(result, key="" if result.unsure else keys.judged, nbval=nbval)

    def keep_others(self, students: Sequence[str]) -> None:
        """Add to the results of those who are not in the folder now what this run adds to everybody's."""
        for name in self._known.keys() - set(students):
            result = self._known[name]
            missing = {
                lesson.key: nothing(lesson, f"no notebook of {lesson.key} was handed in")
                for lesson in self.lessons
                if lesson.key not in result.lessons
            }
            self._write(replace(result, lessons=dict(sorted({**result.lessons, **missing}.items()))))

    def _write(self, result: Result) -> None:
        result = marked(result, self._teacher)
        before = self._known.get(result.student)
        self._known[result.student] = result
        path = self._folder / f"{result.slug}.json"
        if before != result or not path.exists():
            write(path, json.dumps(result.to_json(), indent=1, ensure_ascii=False))
        if before and before.slug != result.slug:
            with suppress(FileNotFoundError):
                (self._folder / f"{before.slug}.json").unlink()

    def results(self) -> list[Result]:
        """All results, in the order of the students' names."""
        return [self._known[name] for name in sorted(self._known)]


def nothing(lesson: Lesson, reason: str, error: str = "") -> LessonResult:
    """The result of a lesson of which there is nothing to grade, or nothing that could be graded."""
    exercises = tuple(exercise(stub, Verdict(), None, {}) for stub in lesson.stubs.values())
    flags = (f"could not be graded ({error})",) if error else ()
    return LessonResult(lesson.key, lesson.title, exercises, reason, flags=flags, error=error)


def _file(handed: Handed) -> FileResult:
    stated = "" if handed.stated in (None, handed.modified) else _iso(handed.stated)
    earlier = "" if handed.earlier is None else _iso(handed.earlier)
    return FileResult(
        handed.label, handed.lesson, handed.digest, _iso(handed.modified), stated, earlier, handed.marked_late
    )


def _iso(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0, timezone.utc).isoformat(timespec="microseconds")


def _digest(*parts: object) -> str:
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()


def gradebook(results: Sequence[Result], lessons: Sequence[Lesson]) -> str:
    """The gradebook as CSV: a line a student; score, maximum and every exercise of each lesson."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = [
        name for lesson in lessons for name in (f"{lesson.key} score", f"{lesson.key} max", *_exercise_ids(lesson))
    ]
    writer.writerow(["student", *columns, "total", "max", "late", "flags", "reason"])
    for result in results:
        scores: list[float] = []
        for lesson in lessons:
            done = result.lessons[lesson.key]
            scores += [done.score, done.max, *(each.score for each in done.exercises)]
        texts = [words.cell("; ".join(result.flags)), words.cell(words.reason(result))]
        writer.writerow([words.cell(result.student), *scores, result.score, result.max, result.late, *texts])
    return table.getvalue()


def _exercise_ids(lesson: Lesson) -> list[str]:
    return [stub.id for stub in lesson.stubs.values()]
