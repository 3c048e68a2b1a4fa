"""``course.toml``: what a teacher decides about a course, read where grades are made and never asked for in source code.

Each mistake in it is one line that says where it is and what may stand there; with any mistake nothing is begun.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from bnlib.grading.result import Points, tidy
from bnlib.stubs import Lesson, Stub, lesson_of, lessons

NAME = "course.toml"
SEED = "course-seed.txt"
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")


class RulesError(ValueError):
    """Something in ``course.toml``, a roster or ``overrides.csv`` is wrong; the message has one line for each mistake."""


@dataclass(frozen=True)
class Late:
    """What lateness costs: a share of a lesson's points for every begun day, up to a share; nothing within the grace."""

    percent_per_day: float = 0
    at_most: float = 100
    grace_minutes: float = 0

    def lost(self, seconds: float) -> float:
        """Percent of the points that are lost."""
        if seconds <= 60 * self.grace_minutes:
            return 0
        return tidy(min(self.at_most, self.percent_per_day * -(-seconds // 86_400)))


@dataclass(frozen=True)
class Rules:
    """What a teacher decided.

    Attributes:
        title: What the course is called on its pages.
        lessons: Keys of the lessons that count; empty: those that the students handed in.
        due: When each lesson is due, by its key.
        extensions: Other due dates of single students, by name and lesson.
        late: What lateness costs.
        roster: Names of all students; who handed in nothing gets a row. Empty: whoever handed something in.
        points: Points of exercises by their ids, where they are not those of the contracts; 0 for one that does not count.
        seed: Decides the hidden inputs; None: a secret one, made once and kept beside OUT.
        visibility: When Gradescope shows the tests to students.
    """

    title: str = ""
    lessons: tuple[str, ...] = ()
    due: Mapping[str, datetime] = field(default_factory=dict)
    extensions: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    late: Late = field(default_factory=Late)
    roster: tuple[str, ...] = ()
    points: Mapping[str, Points] = field(default_factory=dict)
    seed: int | None = None
    visibility: str = "visible"

    def points_of(self, stub: Stub) -> Points:
        """What an exercise is worth in this course."""
        return self.points.get(stub.id, stub.points)

    def due_of(self, student: str, key: str) -> datetime | None:
        """When a lesson is due for a student."""
        return self.extensions.get(student, {}).get(key, self.due.get(key))

    def public(self) -> str:
        """The part of ``course.toml`` that may leave the teacher's machine: nothing about any student."""
        lines = [
            f"{name} = {json.dumps(value)}"
            for name, value in (("title", self.title), ("seed", self.seed))
            if value not in ("", None)
        ]
        lines += [f"[gradescope]\nvisibility = {json.dumps(self.visibility)}"]
        lines += ["[points]", *(f"{name} = {points}" for name, points in self.points.items())]
        return "\n".join(lines) + "\n"


def read_rules(path: Path) -> Rules:
    """The rules of a course; the defaults where there is no file.

    Raises:
        RulesError: The file is wrong; a line for each mistake.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # of the extra grade, and the command line is there without it

    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except FileNotFoundError:
        return Rules()
    except OSError as error:
        raise RulesError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: is no TOML: {error}") from None
    reader = _Reader(path)
    rules = reader.rules(data)
    if reader.mistakes:
        raise RulesError("\n".join(f"{path.name}: {mistake}" for mistake in reader.mistakes))
    return rules


def secret_seed(out: Path) -> int:
    """The seed of a course that names none: random, made once, kept beside the folder of results where no student looks.

    Raises:
        RulesError: What is kept there is none.
        OSError: None can be kept there.
    """
    path = out.absolute().parent / SEED
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{secrets.randbits(63)}\n")
    try:
        return int(path.read_text("utf-8"))
    except ValueError:
        raise RulesError(f"{path}: holds no number; write one, or remove the file for a new one") from None


def date_of(value: Any) -> datetime:
    """A moment from what people write: ``2026-11-20`` lasts until it ends; without a time zone it is local time.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip()) if len(value.strip()) > 10 else date.fromisoformat(value.strip())
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(23, 59, 59))
    raise ValueError("no date")


class _Reader:
    """Reads the tables of ``course.toml``, and takes down every mistake."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mistakes: list[str] = []

    def rules(self, data: Mapping[str, Any]) -> Rules:
        """The rules, as far as they are right."""
        known: dict[str, Callable[[str, Any], Any]] = {
            "title": self._text,
            "lessons": self._lessons,
            "due": self._due,
            "extensions": self._extensions,
            "late": self._late,
            "roster": self._roster,
            "points": self._points,
            "seed": self._seed,
            "gradescope": self._gradescope,
        }
        found = {}
        for name, value in data.items():
            if name not in known:
                self._wrong(name, f"is not known; there are: {', '.join(known)}")
                continue
            read = known[name](name, value)
            if read is not None:
                found["visibility" if name == "gradescope" else name] = read
        rules = Rules(**found)
        for student in rules.extensions:
            if rules.roster and student not in rules.roster:
                self._wrong(f"extensions.{student}", "is not on the roster")
        return rules

    def _wrong(self, where: str, what: str) -> Any:
        self.mistakes.append(f"{where}: {what}")

    def _text(self, where: str, value: Any) -> str | None:
        if isinstance(value, str):
            return value
        return self._wrong(where, f"{value!r} is no text; put it in quotes")

    def _number(self, where: str, value: Any, most: float = 1e6) -> Points | None:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most:
            return tidy(value)
        return self._wrong(where, f"{value!r} is no number from 0 to {most:g}")

    def _table(self, where: str, value: Any) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self._wrong(where, f"{value!r} is no table; write [{where}] and its lines below")
        return {}

    def _lesson(self, where: str, key: Any) -> Lesson | None:
        try:
            return lesson_of(key)
        except (KeyError, AttributeError):
            return self._wrong(where, f"no lesson is called {key!r}; there are: {', '.join(x.key for x in lessons())}")

    def _moment(self, where: str, value: Any) -> datetime | None:
        try:
            return date_of(value)
        except ValueError:
            return self._wrong(where, f"{value!r} is no date; write it like 2026-11-20 or 2026-11-20T18:00:00")

    def _lessons(self, where: str, value: Any) -> tuple[str, ...] | None:
        if not isinstance(value, list):
            return self._wrong(where, f'{value!r} is no list; write it like ["01", "02"]')
        found = [self._lesson(where, key) for key in value]
        return tuple(sorted({lesson.key for lesson in found if lesson}))

    def _due(self, where: str, value: Any) -> dict[str, datetime]:
        """One date for all lessons, or a table of lessons."""
        if not isinstance(value, Mapping):
            moment = self._moment(where, value)
            return {lesson.key: moment for lesson in lessons()} if moment else {}
        found = {}
        for key, each in value.items():
            lesson, moment = self._lesson(f"{where}.{key}", key), self._moment(f"{where}.{key}", each)
            if lesson and moment:
                found[lesson.key] = moment
        return found

    def _extensions(self, where: str, value: Any) -> dict[str, dict[str, datetime]]:
        return {name: self._due(f"{where}.{name}", each) for name, each in self._table(where, value).items()}

    def _late(self, where: str, value: Any) -> Late:
        known = {"percent_per_day": 100.0, "at_most": 100.0, "grace_minutes": 1e6}
        found = {}
        for name, each in self._table(where, value).items():
            if name not in known:
                self._wrong(f"{where}.{name}", f"is not known; there are: {', '.join(known)}")
            elif (number := self._number(f"{where}.{name}", each, known[name])) is not None:
                found[name] = number
        return Late(**found)

    def _roster(self, where: str, value: Any) -> tuple[str, ...] | None:
        """A list of names, or the name of a CSV file with a column ``student``."""
        if isinstance(value, str):
            try:
                with self.path.with_name(value).open(encoding="utf-8-sig", newline="") as file:
                    rows = list(csv.DictReader(file))
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                return self._wrong(where, f"{value} cannot be read ({getattr(error, 'strerror', None) or error})")
            if not rows or "student" not in rows[0]:
                return self._wrong(where, f"{value} has no column called student, or no rows")
            value = [row["student"] for row in rows if row["student"]]
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            return self._wrong(where, "is no list of names; write them in quotes, or name a CSV file")
        for name in sorted({name for name in value if value.count(name) > 1}):
            self._wrong(where, f"{name!r} stands there twice")
        return tuple(value)

    def _points(self, where: str, value: Any) -> dict[str, Points]:
        found = {}
        for key, table in self._table(where, value).items():
            lesson = self._lesson(f"{where}.{key}", key)
            for name, each in self._table(f"{where}.{key}", table).items() if lesson else ():
                place = f"{where}.{key}.{name}"
                if lesson and name not in lesson.stubs:
                    self._wrong(place, f"no such exercise; there are: {', '.join(lesson.stubs)}")
                elif lesson and (number := self._number(place, each, 1000)) is not None:
                    found[lesson.stubs[name].id] = number
        return found

    def _seed(self, where: str, value: Any) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        return self._wrong(where, f"{value!r} is no whole number from 0 on")

    def _gradescope(self, where: str, value: Any) -> str | None:
        found = None
        for name, each in self._table(where, value).items():
            if name != "visibility":
                self._wrong(f"{where}.{name}", "is not known; there is: visibility")
            elif each not in VISIBILITIES:
                self._wrong(f"{where}.{name}", f"{each!r} is none of {', '.join(VISIBILITIES)}")
            else:
                found = each
        return found
