"""The result of a submission: what is known of each exercise, lesson and student, in memory and as JSON on the disk.

Every other module of the grader makes these, reads these, and adds to these; what is not a field here is nowhere.
Sums (``score``, ``max``, ``flags``) are computed, never stored: they are written into the JSON for its readers and ignored
when it is read back.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

SCHEMA = 2
"""Changes with the form of the JSON; a result of another form is graded again."""

RIGHT = "right"
CARRIED = "carried"
NOT_GRADED = "not graded"

Points = float
"""Points are whole numbers or fractions."""


def tidy(points: float) -> Points:
    """Points without the dust of binary fractions: an int where they are whole, else four decimals."""
    points = round(points, 4)
    return int(points) if points == int(points) else points


@dataclass(frozen=True)
class Record:
    """What can be written as JSON; ``computed`` names the properties that are written beside the fields."""

    computed: ClassVar[tuple[str, ...]] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, for ``json.dumps``."""
        names = [each.name for each in dataclasses.fields(self)]
        return {name: _plain(getattr(self, name)) for name in (*names, *self.computed)}

    @classmethod
    def from_json(cls: type[R], data: Mapping[str, Any]) -> R:
        """The record that ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It was not written by it.
        """
        kinds = _kinds(cls)  # type: ignore[arg-type]
        return cls(**{name: _typed(kinds[name], value) for name, value in data.items() if name in kinds})


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class CellResult(Record):
    """What nbval saw of one cell: ``outcome`` is "passed", "failed" or "not run"."""

    id: str
    outcome: str
    message: str = ""


@dataclass(frozen=True)
class NbvalResult(Record):
    """What nbval saw of one notebook. It never changes a score.

    Attributes:
        passed: Every cell of the course's passed.
        message: Why the notebook was given up, or "".
        fault: What went wrong through no fault of the notebook, or "": it should be run again.
        isolation: What its kernel was confined with, in words.
        ran: How many cells were run.
        cells: Those that did not pass.
        flags: Where it says something else than the hidden tests do.
        key: Changes with anything that decides what nbval sees; "" where it should not be kept.
    """

    passed: bool
    message: str = ""
    fault: str = ""
    isolation: str = ""
    ran: int = 0
    cells: tuple[CellResult, ...] = ()
    flags: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class ByHand(Record):
    """What a person decided about an exercise: points, or None to leave those earned, and a comment for the student."""

    points: Points | None = None
    comment: str = ""


@dataclass(frozen=True)
class Seen(Record):
    """One thing that the hidden test which failed looked at: the row of a check's table.

    Attributes:
        name: What was looked at.
        ok: None when an earlier row already failed.
        message: What to do about it.
        detail: How far it is off, where that is known.
    """

    name: str
    ok: bool | None
    message: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Exercise(Record):
    """One exercise.

    Attributes:
        name: The exercise's name in its lesson.
        points: What a right answer is worth.
        status: "right", "carried" (right by itself: it suffers from another's mistake), "wrong", "empty", "missing" (no answer
            cell, no notebook) or "not graded" (a fault of the grader).
        message: What is wrong, in plain words; "" when nothing is.
        mistakes: Names of the mistakes of its own, for counting.
        causes: Names of the exercises whose mistakes it suffers from.
        rows: What the test that failed looked at; empty where none did.
        remarks: What was accepted and is still worth knowing.
        passed: How many hidden tests passed; after the first that does not, the others are not run.
        tests: How many hidden tests there are.
        replayed: Whether the notebook's own check passes on the answers alone; None where that was not tried.
        by_hand: What a person decided, or None.
        share: Which part of the points the steps earned that are right where the answer as a whole is not (derivations).
    """

    computed: ClassVar[tuple[str, ...]] = ("score",)

    name: str
    points: Points
    status: str = "missing"
    message: str = ""
    mistakes: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    rows: tuple[Seen, ...] = ()
    remarks: tuple[str, ...] = ()
    passed: int = 0
    tests: int = 0
    replayed: bool | None = None
    by_hand: ByHand | None = None
    share: float = 0.0

    @property
    def score(self) -> Points:
        """The points it has: those given by hand, else those it earned."""
        if self.by_hand and self.by_hand.points is not None:
            return self.by_hand.points
        return self.points if self.status in (RIGHT, CARRIED) else tidy(self.points * self.share)

    @property
    def undecided(self) -> bool:
        """True where neither the hidden tests nor a person decided."""
        return self.status == NOT_GRADED and (self.by_hand is None or self.by_hand.points is None)


@dataclass(frozen=True)
class FileResult(Record):
    """One file that counts.

    Attributes:
        file: Its name, for people.
        lesson: The lesson it answers.
        sha256: What it held.
        handed: When it was handed in, in ISO 8601: the later of the dates that are known.
        stated: Its date inside a zip file, where the zip file's own is another; "" elsewhere.
        earlier: When the first other file of the lesson was handed in, or "".
        marked_late: Canvas put LATE into its name.
    """

    file: str
    lesson: str
    sha256: str
    handed: str = ""
    stated: str = ""
    earlier: str = ""
    marked_late: bool = False


@dataclass(frozen=True)
class Marks(Record):
    """What lateness makes of a lesson.

    Attributes:
        late: By how many seconds it came after it was due.
        lost: Percent of its points that this costs.
        notes: The same in words, for the student too.
        flags: What a person should look at.
    """

    late: float = 0.0
    lost: float = 0.0
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class LessonResult(Record):
    """One lesson of one student.

    Attributes:
        lesson: The lesson's key.
        title: What it is called.
        exercises: In the order of the notebook.
        reason: Why there was nothing to grade, or "".
        notes: What the student should know about the notebook as a whole.
        nbval: What nbval saw; None where it did not run.
        isolation: What the answers were confined with, in words.
        flags: What a person should look at; nbval has flags of its own.
        error: Why grading itself failed, or "": no score is meant, and the next run tries again.
        key: Changes with anything that what the hidden tests say depends on; "" where it should not be kept.
        file: The file that counts; None where there is none.
        marks: What lateness makes of it.
    """

    computed: ClassVar[tuple[str, ...]] = ("score", "max")

    lesson: str
    title: str
    exercises: tuple[Exercise, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()
    nbval: NbvalResult | None = None
    isolation: str = ""
    flags: tuple[str, ...] = ()
    error: str = ""
    key: str = ""
    file: FileResult | None = None
    marks: Marks = field(default_factory=Marks)

    @property
    def score(self) -> Points:
        """The points of its exercises, less what lateness costs."""
        return tidy(sum(each.score for each in self.exercises) * (1 - self.marks.lost / 100))

    @property
    def max(self) -> Points:
        """The points it could earn."""
        return tidy(sum(each.points for each in self.exercises))

    @property
    def doubts(self) -> tuple[str, ...]:
        """All flags of the lesson."""
        return self.flags + (self.nbval.flags if self.nbval else ()) + self.marks.flags

    @property
    def unsure(self) -> bool:
        """True when the hidden tests should try again."""
        return bool(self.error) or any(each.undecided for each in self.exercises)


@dataclass(frozen=True)
class Result(Record):
    """All that is known of one student.

    Attributes:
        student: Who.
        slug: The student's name as a file name.
        lessons: By key, in order.
        reasons: What could not be read, and why.
        notes: What a person should know: files passed over, files that came late.
        faults: Those of the reasons that are the grader's.
        late: How late the latest notebook came, in words; "" when none did.
        schema: Form of the JSON.
    """

    computed: ClassVar[tuple[str, ...]] = ("score", "max", "flags", "files")

    student: str
    slug: str
    lessons: Mapping[str, LessonResult] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    late: str = ""
    schema: int = SCHEMA

    @property
    def score(self) -> Points:
        """The points of all lessons."""
        return tidy(sum(lesson.score for lesson in self.lessons.values()))

    @property
    def max(self) -> Points:
        """The points all lessons could earn."""
        return tidy(sum(lesson.max for lesson in self.lessons.values()))

    @property
    def flags(self) -> tuple[str, ...]:
        """What a person should look at, in all lessons."""
        return self.faults + tuple(f"{key} {flag}" for key, lesson in self.lessons.items() for flag in lesson.doubts)

    @property
    def files(self) -> tuple[FileResult, ...]:
        """The files that count."""
        return tuple(lesson.file for lesson in self.lessons.values() if lesson.file)

    @property
    def ungraded(self) -> bool:
        """True when something could not be graded, through no fault of the student."""
        lessons = self.lessons.values()
        return bool(self.faults) or any(each.unsure or (each.nbval and each.nbval.fault) for each in lessons)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


@cache
def _kinds(kind: type[Record]) -> dict[str, Any]:
    """Types of a record's fields, by name."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in dataclasses.fields(kind)}


def _typed(kind: Any, value: Any) -> Any:
    """A value of JSON as what the field's type says."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(inner[0], value)
    if origin is tuple:
        return tuple(_typed(inner[0], each) for each in value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _typed(inner[1], each) for key, each in value.items()}
    return kind.from_json(value) if isinstance(kind, type) and issubclass(kind, Record) else value
