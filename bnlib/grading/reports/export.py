"""Grades and feedback in the form that Canvas and Moodle take in, with the identifiers that they gave out.

Canvas reads a gradebook CSV (guide "How do I import grades in the Gradebook?", lib/gradebook_importer.rb of canvas-lms) and a
zip of files named like those that it handed out (generate_comments_from_files). Moodle reads a grading worksheet
(mod/assign/feedback/offline/importgradeslib.php) and a zip of feedback files in folders named like those that it handed out
(mod/assign/feedback/file/importziplib.php).
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnlib.grading.files import write
from bnlib.grading.reports.words import cell
from bnlib.grading.result import Points, Result, tidy
from bnlib.stubs import lesson_of

_NUMBERED = re.compile(r"(.+)_(\d{3,})")
"""A student by the name that Canvas or Moodle gave to what was handed in, and the number there."""

_CANVAS_FILE = re.compile(r"([^/]+?_\d+_\d+)_[^/]+$")
_PARTICIPANT = "Participant "
_ABOUT_STUDENTS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_NOT_ASSIGNMENTS = re.compile(r"(Current|Final|Override) (Score|Points|Grade|Status)|^(Integration ID|Root Account)$")


class ExportError(ValueError):
    """Nothing was exported; the message is one line for the teacher."""


@dataclass(frozen=True)
class Table:
    """A CSV file of the platform: its lines and the character between its columns."""

    rows: list[list[str]]
    separator: str = ","


@dataclass
class Export:
    """What is handed over, and who could not be.

    Attributes:
        grades: The table of grades.
        feedback: For each file of the zip, its name there and the slug whose feedback it is.
        graded: How many students got a grade in the table.
        unknown: Names of students of whom the platform's identifier is not known.
    """

    grades: Table
    feedback: list[tuple[str, str]] = field(default_factory=list)
    graded: int = 0
    unknown: list[str] = field(default_factory=list)


def canvas(results: Sequence[Result], keys: Sequence[str], given: Table | None, title: str, scale: bool) -> Export:
    """What Canvas takes in.

    Args:
        results: Of all students.
        keys: The lessons whose points are meant.
        given: The gradebook as Canvas exports it: its rows are kept, one column is filled. None: rows are made from the
            numbers in the names of what was handed in.
        title: The assignment as it stands in the first line of ``given``, with or without the number behind it.
        scale: Whether points are scaled to those of the assignment.

    Raises:
        ExportError: ``given`` is no gradebook, or has no such assignment, or one with other points.
    """
    most = _most(results, keys)
    if given is None:
        head = [[*_ABOUT_STUDENTS, title], ["    Points Possible", "", "", "", "", _number(most)]]
        export = Export(Table(head))
        for result in results:
            name, number = _numbered(result.student)
            if number:
                head.append([cell(name), number, "", "", "", _number(_score(result, keys))])
            else:
                export.unknown.append(result.student)
        export.graded = len(head) - 2
    else:
        export = _canvas_filled(results, keys, given, title, scale, most)
    for result in results:
        named = next(
            (m[1] for file in result.files if file.lesson in keys and (m := _CANVAS_FILE.search(file.file))), ""
        )
        if named:
            export.feedback.append((f"{named}_feedback.html", result.slug))
    return export


def _canvas_filled(
    results: Sequence[Result], keys: Sequence[str], given: Table, title: str, scale: bool, most: Points
) -> Export:
    head = given.rows[0] if given.rows else []
    if not {"Student", "ID", "Section"} <= set(head):
        raise ExportError("the gradebook has no columns Student, ID and Section; give the CSV file that Canvas exports")
    about = head.index("Section") + 1
    assignments = [name for name in head[about:] if not _NOT_ASSIGNMENTS.search(name)]
    wanted = [name for name in assignments if title in (name, re.sub(r" \(\d+\)$", "", name))]
    if len(wanted) != 1:
        raise ExportError(
            f"the gradebook has {len(wanted)} assignments called {title!r}; there are: {', '.join(assignments)}"
        )
    column = head.index(wanted[0])
    possible = next((row for row in given.rows[1:] if "Points Possible" in row[0]), None)
    factor = _factor(most, possible[column] if possible else "", "Canvas", scale)
    students = [row for row in given.rows[1:] if row is not possible and row[head.index("ID")].strip()]
    identifiers = [head.index(name) for name in _ABOUT_STUDENTS[:4] if name in head]
    find = _finder(students, lambda row: [row[index] for index in identifiers])
    export = Export(Table([], given.separator))
    for result in results:
        row = find(result.student)
        if row is None:
            export.unknown.append(result.student)
        else:
            row[column] = _number(tidy(_score(result, keys) * factor))
            export.graded += 1
    export.grades.rows.extend([*row[:about], row[column]] for row in given.rows)
    return export


def moodle(results: Sequence[Result], keys: Sequence[str], given: Table | None, scale: bool) -> Export:
    """What Moodle takes in.

    Args:
        results: Of all students.
        keys: The lessons whose points are meant.
        given: The assignment's grading worksheet: its rows and columns are kept, Grade is filled. None: rows are made from
            the numbers in the names of what was handed in.
        scale: Whether points are scaled to the maximum of the assignment.

    Raises:
        ExportError: ``given`` is no grading worksheet, or one with other points.
    """
    most = _most(results, keys)
    made = given is None
    if given is None:
        given = Table([["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]])
        for result in results:
            name, number = _numbered(result.student)
            if number:
                given.rows.append([f"{_PARTICIPANT}{number}", cell(name), "", _number(most), ""])
    head = given.rows[0] if given.rows else []
    lacking = [name for name in ("Identifier", "Grade", "Last modified (grade)") if name not in head]
    if lacking:
        raise ExportError(
            f"the worksheet has no column {lacking[0]!r}; give the grading worksheet that Moodle in English hands out"
        )
    grade, identifier = head.index("Grade"), head.index("Identifier")
    names = [head.index(name) for name in ("Full name", "Email address", "ID number", "Username") if name in head]
    find = _finder(
        given.rows[1:], lambda row: [row[identifier].removeprefix(_PARTICIPANT), *(row[index] for index in names)]
    )
    export = Export(given)
    for result in results:
        row = find(result.student)
        if row is None:
            export.unknown.append(result.student)
            continue
        most_there = row[head.index("Maximum Grade")] if "Maximum Grade" in head and not made else ""
        row[grade] = _number(tidy(_score(result, keys) * _factor(most, most_there, "Moodle", scale)))
        export.graded += 1
        name = row[names[0]] if names else _numbered(result.student)[0]
        number = row[identifier].removeprefix(_PARTICIPANT)
        folder = f"{re.sub(r'[_/]', ' ', name)}_{number}_assignsubmission_file"
        export.feedback.append((f"{folder}/feedback.html", result.slug))
    return export


def _score(result: Result, keys: Sequence[str]) -> Points:
    return tidy(sum(result.lessons[key].score for key in keys if key in result.lessons))


def _most(results: Sequence[Result], keys: Sequence[str]) -> Points:
    return max(tidy(sum(result.lessons[key].max for key in keys if key in result.lessons)) for result in results)


def _factor(most: Points, there: str, platform: str, scale: bool) -> float:
    """By what points are multiplied to be those of the platform."""
    try:
        possible = float(there)
    except ValueError:
        return 1.0
    if possible == most or not possible:
        return 1.0
    if not scale:
        raise ExportError(
            f"the assignment in {platform} has {_number(possible)} points, and here it has {_number(most)}; "
            "change it there, or scale the points with --scale"
        )
    return possible / most


def _numbered(student: str) -> tuple[str, str]:
    """A student's name, and the platform's number of the student, or ""."""
    found = _NUMBERED.fullmatch(student)
    return (found[1], found[2]) if found else (student, "")


def _number(points: float) -> str:
    return f"{tidy(points)}"


def _finder(
    rows: Iterable[list[str]], identifiers: Callable[[list[str]], Iterable[str]]
) -> Callable[[str], list[str] | None]:
    """Finds the row of a student: by the number in the name, else by an identifier or a name that only one row has.

    A row is found once: of two students who might be the same one, the second is nobody.
    """
    found: dict[str, list[list[str]]] = {}
    for row in rows:
        for key in {key for text in identifiers(row) for key in _plain(text)} - {""}:
            found.setdefault(key, []).append(row)

    taken: set[int] = set()

    def find(student: str) -> list[str] | None:
        name, number = _numbered(student)
        for key in (number, *_plain(student), *_plain(name)):
            if key and len(found.get(key, ())) == 1:
                (row,) = found[key]
                if id(row) in taken:
                    return None
                taken.add(id(row))
                return row
        return None

    return find


def _plain(name: str) -> tuple[str, ...]:
    """A name as platforms write it in file names, with the family name in front or behind."""
    family, comma, first = name.partition(",")
    both = (name, f"{first}{family}") if comma else (name,)
    return tuple(re.sub(r"[\W_]", "", each).casefold() for each in both)


def read_table(path: Path) -> Table:
    """A CSV file, with commas or semicolons.

    Raises:
        ExportError: It cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    first = text.split("\n", 1)[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]
    width = len(rows[0]) if rows else 0
    return Table([row + [""] * (width - len(row)) for row in rows], separator)


def finished(out: Path) -> list[Result]:
    """All results of a finished run.

    Raises:
        ExportError: There is none.
    """
    from bnlib.grading.book import GRADEBOOK, UNFINISHED, read_results

    if (out / UNFINISHED).exists():
        raise ExportError(f"{out}: the run was stopped; let the same bnlib grade command end first")
    results = sorted(read_results(out).values(), key=lambda result: not _numbered(result.student)[1])
    if not results or not (out / GRADEBOOK).is_file():
        raise ExportError(f"{out}: holds no finished run of this version; give the folder that bnlib grade wrote")
    return results


def hand_over(export: Export, out: Path, folder: Path, students: Mapping[str, str]) -> None:
    """Write ``grades.csv``, ``feedback.zip`` and ``files.csv``, which says whose file is which.

    Args:
        export: What is handed over.
        out: Results of the run, with ``feedback/``.
        folder: Where to write.
        students: Names by slug.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "grades.csv", _csv(export.grades.rows, export.grades.separator))
    with zipfile.ZipFile(folder / "feedback.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, slug in export.feedback:
            archive.write(out / "feedback" / f"{slug}.html", name)
    rows = [[cell(students[slug]), f"feedback/{slug}.html", cell(name)] for name, slug in export.feedback]
    write(folder / "files.csv", _csv([["student", "file", "in feedback.zip"], *rows]))


def _csv(rows: Iterable[Sequence[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()


def add_arguments(parser: argparse.ArgumentParser) -> Any:
    """Declare what can be said on the command line; returned is where other platforms are declared."""
    platforms = parser.add_subparsers(dest="platform", required=True, metavar="PLATFORM")
    for platform, table, what in (
        ("canvas", "--gradebook", "the gradebook as Canvas exports it: one column of it is filled"),
        ("moodle", "--worksheet", "the assignment's grading worksheet: its column Grade is filled"),
    ):
        one = platforms.add_parser(platform, help=f"grades and feedback for {platform.title()}")
        one.add_argument("out", type=Path, metavar="OUT", help="the folder that bnlib grade wrote")
        one.add_argument(table, dest="table", type=Path, metavar="FILE", help=what)
        one.add_argument("--to", type=Path, metavar="FOLDER", help=f"where to write (default OUT/{platform})")
        one.add_argument("--lesson", action="append", default=[], metavar="KEY", help="points of this lesson alone")
        one.add_argument("--scale", action="store_true", help="scale points to those of the assignment")
        if platform == "canvas":
            one.add_argument("--assignment", metavar="TITLE", help="what Canvas calls it (default: the lesson's title)")
        one.set_defaults(run=run)
    return platforms


def run(arguments: argparse.Namespace) -> int:
    """Export; 0 when everybody is in it, 1 when somebody's identifier is not known, 2 when nothing was written."""
    try:
        results = finished(arguments.out)
        keys = _keys(arguments.lesson, results)
        given = read_table(arguments.table) if arguments.table else None
        if arguments.platform == "canvas":
            title = arguments.assignment or ", ".join(lesson_of(key).title for key in keys)
            export = canvas(results, keys, given, title, arguments.scale)
        else:
            export = moodle(results, keys, given, arguments.scale)
        folder = arguments.to or arguments.out / arguments.platform
        hand_over(export, arguments.out, folder, {result.slug: result.student for result in results})
    except ExportError as error:
        print(f"bnlib export: {error}", file=sys.stderr)
        return 2
    print(f"{export.graded} grades and {len(export.feedback)} feedback files: {folder}")
    if export.unknown:
        names = cell(", ".join(export.unknown))
        print(f"not in it, as {arguments.platform.title()}'s identifier is not known: {names}", file=sys.stderr)
    return 1 if export.unknown else 0


def _keys(wanted: Sequence[str], results: Sequence[Result]) -> list[str]:
    """Keys of the lessons that are exported."""
    graded = sorted({key for result in results for key in result.lessons})
    try:
        keys = sorted({lesson_of(key).key for key in wanted}) or graded
    except KeyError as error:
        raise ExportError(str(error.args[0])) from None
    if not set(keys) <= set(graded):
        raise ExportError(f"no results of {', '.join(sorted(set(keys) - set(graded)))}; there are: {', '.join(graded)}")
    if not keys:
        raise ExportError("there are no results")
    return keys
