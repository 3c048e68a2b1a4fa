"""Where a course keeps what a grader needs, and a digest that changes when any of it does."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

import bnlib
from bnlib.grading.rules import NAME, Rules, read_rules
from bnlib.notebooks import NotebookError, read
from bnlib.stubs import Lesson, lessons


class CourseError(ValueError):
    """The course itself cannot grade; the message is one line for its teacher."""


def _root() -> Path:
    """The current folder where it is a course, else the one that an editable install of bnlib stands in."""
    here = Path.cwd()
    return here if (here / "solutions").is_dir() and (here / "tests" / "hidden").is_dir() else INSTALLED


INSTALLED = Path(bnlib.__file__).resolve().parent.parent


@dataclass(frozen=True)
class Course:
    """The folder that holds ``solutions/`` and ``tests/hidden/``.

    Attributes:
        root: The project's folder; by default the current one, or that of an editable install.
    """

    root: Path = field(default_factory=_root)

    def solution(self, lesson: Lesson) -> Path:
        """The source notebook of a lesson: text, reference answers, stored outputs."""
        return self.root / "solutions" / f"{lesson.key}.ipynb"

    def hidden(self, lesson: Lesson) -> Path:
        """The module of a lesson's hidden tests."""
        return self.root / "tests" / "hidden" / f"test_{lesson.name}.py"

    def rules(self) -> Rules:
        """What the teacher decided: ``course.toml`` of the folder in which the command runs, else that beside ``solutions/``.

        Raises:
            RulesError: It is wrong.
        """
        return read_rules(Path(NAME) if Path(NAME).is_file() else self.root / NAME)

    def require(self, lesson: Lesson) -> None:
        """Make sure that a lesson can be graded.

        Raises:
            CourseError: Its hidden tests, its solution or that of an earlier lesson are not there, or damaged.
        """
        for path in (self.solution(lesson), self.hidden(lesson)):
            if not path.is_file():
                raise CourseError(
                    f"{path}: is not there, so {lesson.key} cannot be graded; run in the folder of a full copy of the course, or name it with --course"
                )
        for other in lessons():
            if other.key <= lesson.key and self.solution(other).is_file():
                try:
                    read(self.solution(other))
                except NotebookError as error:
                    raise CourseError(f"solutions/{error}") from None

    def digest(self, lesson: Lesson) -> str:
        """Changes with anything but the submission that a result of this lesson depends on."""
        state = hashlib.sha256(f"{_code_digest()} {sys.version_info[:2]} {np.__version__}".encode())
        earlier = [self.solution(other) for other in lessons() if other.key <= lesson.key]
        for path in (*earlier, self.hidden(lesson), self.hidden(lesson).with_name("conftest.py")):
            state.update(path.read_bytes() if path.is_file() else b"-")
        return state.hexdigest()


@cache
def _code_digest() -> str:
    """Digest of bnlib's own code."""
    state = hashlib.sha256()
    folder = Path(bnlib.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()
