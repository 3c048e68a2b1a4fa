"""From a folder to submissions: who handed in which notebook of which lesson, and what could not be read.

``name.ipynb`` is a student with one notebook; ``name/`` and ``name.zip`` a student with any number of them. Nothing is
unpacked onto the disk and nothing is executed; whatever cannot be read becomes a reason, never an exception.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from bnlib.notebooks import Notebook, NotebookError, ProjectError, read
from bnlib.stubs import Lesson

MAX_NOTEBOOK = 20_000_000
"""Bytes of one notebook; a lesson with all its figures has less than two megabytes."""

MAX_ZIP = 50_000_000
"""Bytes of a zip file, and of all notebooks in it together."""

MAX_FILES = 200
"""Notebooks of one student that are looked at."""

MAX_DEPTH = 6
"""Folders inside each other."""

_CANVAS = re.compile(r"([^\W_]+)(_LATE)?_(\d{3,})_\d{3,}_.+")
"""How Canvas calls what it packs: ``name_LATE_user_file_as handed in``; it takes all but letters and digits out of the name."""

_MOODLE = re.compile(r"(.+_\d{3,})_assignsubmission_.+")
"""How Moodle calls what it packs: ``name_number_assignsubmission_file``, with the file's own name behind that or in a folder."""

_NBGRADER = re.compile(r"(.+)\+[^+]+\+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^+]*)(?:\+[\w-]{12})?")
"""How nbgrader calls the folders of an exchange's ``inbound``: ``student+assignment+time+random letters``."""

TIMESTAMP = "timestamp.txt"
"""Where nbgrader writes when a folder was handed in."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)? ?(?:([+-]\d\d):?(\d\d)|(\w+))?")
"""nbgrader's times, in names and in ``timestamp.txt``; without a zone they are UTC."""

_HASHED = re.compile(r"-[0-9a-f]{16}$")
_ORDINARY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class FolderError(ValueError):
    """There is nothing to grade; the message is one line for the teacher."""


class UnreadableError(ValueError):
    """One file cannot be read; the message is one line that names it."""


class ForbiddenError(UnreadableError):
    """The system refuses a file to the grader, which is no fault of the student's."""


@dataclass(frozen=True)
class Handed:
    """One notebook as it was handed in.

    Attributes:
        label: Where it was, below the folder, for people.
        path: The file, or the zip file that holds it.
        member: Its name in the zip file, or None.
        modified: When it was last changed, in seconds since 1970; of a file's date, that inside a zip and that of
            nbgrader, some of which are the student's to write, the latest.
        lesson: The lesson it answers.
        digest: sha256 of its content.
        stated: Its date inside the zip file, else when nbgrader says that it was handed in, or None.
        earlier: When the first other file of this lesson was handed in, or None; known of files that count.
        marked_late: Canvas put LATE into its name.
    """

    label: str
    path: Path
    member: str | None
    modified: float
    lesson: str
    digest: str
    stated: float | None = None
    earlier: float | None = None
    marked_late: bool = False

    def read(self) -> Notebook:
        """The notebook.

        Raises:
            UnreadableError, NotebookError: It changed since the folder was looked at.
        """
        return notebook_of(self.label, self.content())

    def content(self) -> bytes:
        """The bytes that were handed in."""
        if self.member is None:
            return _file_content(self.path, self.label)
        with zipfile.ZipFile(self.path) as archive:
            return _member_content(archive, archive.getinfo(self.member), self.label)


@dataclass
class Submission:
    """All that one student handed in.

    Attributes:
        student: Name of the file or folder, without its ending.
        slug: The student's name as a file name; no two are the same.
        notebooks: The notebook of each lesson that counts, by the lesson's key.
        reasons: What could not be read, and why.
        notes: What a person should know: files passed over because a newer one counts.
        faults: Those of the reasons that are the grader's: files that the system does not let it read.
    """

    student: str
    slug: str
    notebooks: dict[str, Handed] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Folder:
    """A folder of submissions, and the names in it that are none."""

    submissions: tuple[Submission, ...]
    ignored: tuple[str, ...]


def collect(folder: Path, roster: Sequence[str] = ()) -> Folder:
    """Look through a folder; its order is the order of the students' names.

    Args:
        folder: What was handed in.
        roster: Names of all students; who of them handed in nothing is there with that as the reason.

    Raises:
        FolderError: No such folder, not a folder, not readable, or no submission in it.
    """
    if not folder.exists():
        raise FolderError(f"{folder}: is not there; give the folder that holds the submissions")
    if not folder.is_dir():
        raise FolderError(f"{folder}: is not a folder; give the folder that holds the submissions")
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise FolderError(f"{folder}: cannot be read ({error.strerror})") from None
    found: dict[str, Submission] = {}
    handed: dict[str, list[Handed]] = {}
    ignored = []
    for entry in entries:
        student, marked_late = _student(entry)
        if student is None:
            if not _is_hidden(entry.name):
                ignored.append(entry.name)
            continue
        submission = found.setdefault(student, Submission(student, ""))
        submission.notes.extend(_claims(entry, student))
        handed.setdefault(student, []).extend(
            replace(file, marked_late=marked_late) for file in _handed(entry, submission)
        )
    if not found:
        raise FolderError(f"{folder}: holds no submission (name.ipynb, name.zip, or a folder for each student)")
    for student, submission in found.items():
        _choose(submission, handed[student])
        if roster and student not in roster:
            submission.notes.append("is not on the roster")
    for student in roster:
        found.setdefault(student, Submission(student, "", reasons=["handed in nothing"]))
    _name_files(list(found.values()))
    return Folder(tuple(found[student] for student in sorted(found)), tuple(ignored))


def notebook_of(label: str, content: bytes) -> Notebook:
    """Read a notebook from bytes, with the one reader of the course.

    Raises:
        NotebookError: They are none.
    """
    name = PurePosixPath(label).name
    file = SimpleNamespace(
        name=name,
        stem=PurePosixPath(name).stem,
        stat=lambda: SimpleNamespace(st_size=len(content)),
        read_bytes=lambda: content,
    )
    try:
        return read(cast(Path, file))
    except MemoryError:
        raise NotebookError(f"{name}: needs more memory than there is; clear its outputs and save it again") from None


def _student(entry: Path) -> tuple[str | None, bool]:
    """Whose submission an entry of the folder is, or None; and whether Canvas marked it late.

    A name is taken apart only where it can be in one way: what a student can write into it never makes it another's.
    """
    if _is_hidden(entry.name):
        return None, False
    name = entry.stem if entry.suffix.lower() in (".ipynb", ".zip") else entry.name if entry.is_dir() else None
    if name is None or name.count("_assignsubmission_") > 1:
        return name, False
    if moodle := _MOODLE.fullmatch(name):
        return moodle[1], False
    if entry.is_dir() and (nbgrader := _NBGRADER.fullmatch(name)):
        return nbgrader[1], False
    canvas = _CANVAS.fullmatch(name) if not entry.is_dir() and "_assignsubmission_" not in name else None
    return (f"{canvas[1]}_{canvas[3]}", bool(canvas[2])) if canvas else (name, False)


def _claims(entry: Path, student: str) -> Iterator[str]:
    """What a person should know of a folder of nbgrader's exchange, into which every account can write under every name."""
    if entry.is_dir() and _NBGRADER.fullmatch(entry.name):
        with suppress(KeyError, NotImplementedError, OSError):  # an account that is not known here; Windows
            owner = entry.owner()
            if owner != student and entry.stat().st_uid != os.geteuid():
                yield f"{entry.name}: says that it is {student}'s, and belongs to the account {owner}"


def _handed(entry: Path, submission: Submission) -> list[Handed]:
    """The readable notebooks of one entry; what is not readable is noted in the submission."""
    found: list[Handed] = []
    nothing = f"{entry.name}: holds no notebook (a file that ends in .ipynb)"
    try:
        for label, path, info, archive in _files(entry, submission):
            if len(found) + len(submission.reasons) >= MAX_FILES:
                submission.reasons.append(f"{entry.name}: more than {MAX_FILES} notebooks; the rest was not looked at")
                break
            try:
                found.append(_look(label, path, info, archive))
            except ProjectError as error:
                nothing = str(error)
            except (UnreadableError, NotebookError) as error:
                _note_reason(submission, error)
    except UnreadableError as error:
        _note_reason(submission, error)
    if not found and not submission.reasons:
        submission.reasons.append(nothing)
    return found


_Found = tuple[str, Path, "zipfile.ZipInfo | None", "zipfile.ZipFile | None"]


def _files(entry: Path, submission: Submission) -> Iterator[_Found]:
    """Every notebook file of an entry: its label, where it is, and its place in a zip file."""
    if entry.is_symlink():
        raise UnreadableError(f"{entry.name}: is a link, and links are not followed; put the file itself there")
    if entry.suffix.lower() == ".zip" and not entry.is_dir():
        yield from _zipped(entry)
    elif entry.is_dir():
        yield from _in_folder(entry, entry.name, submission, 0)
    else:
        yield entry.name, entry, None, None


def _in_folder(folder: Path, label: str, submission: Submission, depth: int) -> Iterator[_Found]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ForbiddenError(f"{label}: cannot be read ({error.strerror})") from None
    for entry in entries:
        below = f"{label}/{entry.name}"
        suffix = PurePosixPath(entry.name).suffix.lower()
        if _is_hidden(entry.name):
            continue
        if entry.is_symlink():
            submission.reasons.append(f"{below}: is a link, and links are not followed; put the file itself there")
        elif entry.is_dir(follow_symlinks=False):
            if depth < MAX_DEPTH:
                yield from _in_folder(Path(entry.path), below, submission, depth + 1)
        elif suffix == ".ipynb":
            yield below, Path(entry.path), None, None
        elif suffix == ".zip":
            yield from _zipped(Path(entry.path), below)


def _zipped(path: Path, label: str = "") -> Iterator[_Found]:
    label = label or path.name
    if not stat.S_ISREG(path.lstat().st_mode):
        raise UnreadableError(f"{label}: is not an ordinary file")
    if path.stat().st_size > MAX_ZIP:
        raise UnreadableError(f"{label}: larger than {MAX_ZIP // 1_000_000} MB; hand in the notebooks alone")
    try:
        archive = zipfile.ZipFile(path)
    except PermissionError as error:
        raise ForbiddenError(f"{label}: cannot be read ({error.strerror})") from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError):
        raise UnreadableError(f"{label}: is not a zip file, or a damaged one; pack the notebooks again") from None
    with archive:
        yield from _members(archive, path, label)


def _members(archive: zipfile.ZipFile, path: Path, label: str) -> Iterator[_Found]:
    members = archive.infolist()
    if sum(info.file_size for info in members if info.filename.lower().endswith(".ipynb")) > MAX_ZIP:
        raise UnreadableError(f"{label}: unpacks to more than {MAX_ZIP // 1_000_000} MB; hand in the notebooks alone")
    seen = set()
    for info in members:
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        if info.is_dir() or not info.filename.lower().endswith(".ipynb") or any(_is_hidden(part) for part in parts):
            continue
        if info.filename in seen or stat.S_ISLNK(info.external_attr >> 16):
            continue
        seen.add(info.filename)
        yield f"{label}/{'/'.join(part for part in parts if part not in ('/', '..'))}", path, info, archive


def _look(label: str, path: Path, info: zipfile.ZipInfo | None, archive: zipfile.ZipFile | None) -> Handed:
    """Read a notebook once, to learn its lesson and its digest."""
    if info is None or archive is None:
        content, stated = _file_content(path, label), None
    else:
        content, stated = _member_content(archive, info, label), _zip_time(info)
    collected = _nbgrader_time(path, label)
    stated = collected if stated is None else stated
    modified = max(path.stat().st_mtime, stated or 0.0, collected or 0.0)
    lesson = notebook_of(label, content).lesson.key
    member = info.filename if info else None
    return Handed(label, path, member, modified, lesson, hashlib.sha256(content).hexdigest(), stated)


def _zip_time(info: zipfile.ZipInfo) -> float:
    """When a file in a zip was last changed; zip files keep local time, and some keep nonsense."""
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _nbgrader_time(path: Path, label: str) -> float | None:
    """When nbgrader says that a file was handed in: the latest of what the folders around it are called and hold."""
    said = []
    for folder in path.parents[: label.split(".zip/")[0].count("/")]:
        if named := _NBGRADER.fullmatch(folder.name):
            said.append(named[2])
        with suppress(UnreadableError, UnicodeDecodeError):
            said.append(_file_content(folder / TIMESTAMP, label).decode())
    return max(filter(None, map(_moment, said)), default=None)


def _moment(text: str) -> float | None:
    """A time of nbgrader's in seconds since 1970, or None where it is none that is understood."""
    if found := _TIME.fullmatch(text.strip()):
        day, clock, hours, minutes, name = found.groups()
        with suppress(ValueError, OverflowError, KeyError):  # KeyError: a zone that nobody knows
            if hours:
                return datetime.fromisoformat(f"{day}T{clock}{hours}:{minutes}").timestamp()
            zone = timezone.utc if name in (None, "UTC", "Z") else ZoneInfo(name)
            return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).timestamp()
    return None


def _file_content(path: Path, label: str) -> bytes:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UnreadableError(f"{label}: is not an ordinary file")
        with path.open("rb") as file:
            content = file.read(MAX_NOTEBOOK + 1)
    except OSError as error:
        raise ForbiddenError(f"{label}: cannot be read ({error.strerror})") from None
    return _not_too_large(content, label)


def _member_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> bytes:
    """A file of a zip archive, never more of it than a notebook may have."""
    if info.flag_bits & 1:
        raise UnreadableError(f"{label}: is locked with a password; hand it in without one")
    if info.compress_type not in _ORDINARY:
        raise UnreadableError(f"{label}: is packed in a way that is not supported; use an ordinary zip file")
    try:
        with archive.open(info) as file:
            content = file.read(MAX_NOTEBOOK + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, NotImplementedError):
        raise UnreadableError(f"{label}: is damaged in the zip file; pack it again") from None
    return _not_too_large(content, label)


def _not_too_large(content: bytes, label: str) -> bytes:
    if len(content) > MAX_NOTEBOOK:
        raise UnreadableError(
            f"{label}: larger than {MAX_NOTEBOOK // 1_000_000} MB; clear its outputs and save it again"
        )
    return content


def _choose(submission: Submission, handed: list[Handed]) -> None:
    """Of several files of one lesson the newest counts; of equally new ones the last by its own date, then by name."""

    def age(file: Handed) -> tuple[Any, ...]:
        stated = file.modified if file.stated is None else file.stated
        return file.lesson, file.modified, stated, _natural(file.label.removesuffix(".ipynb"))

    for file in sorted(handed, key=age):
        older = submission.notebooks.get(file.lesson)
        first = None if older is None else older.modified if older.earlier is None else older.earlier
        submission.notebooks[file.lesson] = replace(file, earlier=first)
        if older and older.digest != file.digest:
            submission.notes.append(f"{older.label}: passed over, {file.label} is newer ({file.lesson})")


def _note_reason(submission: Submission, error: Exception) -> None:
    """Keep why a file could not be read, and whose fault that is."""
    submission.reasons.append(str(error))
    if isinstance(error, ForbiddenError):
        submission.faults.append(str(error))


def lesson_note(submission: Submission, lesson: Lesson) -> str:
    """Why a lesson has no notebook to grade, in plain words."""
    if submission.reasons:
        return "; ".join(submission.reasons)
    return f"no notebook of {lesson.key} was handed in"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key in which 10 comes after 9."""
    return [(int(part[:15]) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in ("__MACOSX", "__pycache__")


def _name_files(submissions: list[Submission]) -> None:
    """Give each student a file name that every file system can hold and that nobody else has."""
    taken: dict[str, int] = {}
    for submission in submissions:
        plain = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", submission.student)).strip("._")
        submission.slug = plain.encode("utf-8", "replace")[:100].decode("utf-8", "ignore")
        taken[submission.slug.casefold()] = taken.get(submission.slug.casefold(), 0) + 1
    for submission in submissions:
        slug = submission.slug
        if slug != submission.student or taken[slug.casefold()] > 1 or _HASHED.search(slug.casefold()):
            # No name has this form by itself: one that looks like it is given a hash of its own.
            submission.slug = f"{slug or 'student'}-{hashlib.sha256(os.fsencode(submission.student)).hexdigest()[:16]}"
