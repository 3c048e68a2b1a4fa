"""The one reader of answers out of a notebook file: used by ``load``, ``progress`` and the grader alike.

It only reads: JSON in, cells out. Nothing of the notebook is parsed as Python or executed here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnlib.stubs import Lesson, OneLine, lessons

MAX_BYTES = 50_000_000
"""A notebook larger than this is not read; a lesson with all its figures has less than two megabytes."""

INSTALLS = 'importlib.util.find_spec("bnlib")'
"""What stands in the first cell of a released notebook, and in no other: it looks for bnlib before anything is imported from it."""

METADATA = "bnlib"
"""Key of this project's own metadata, in notebooks and in cells."""

_FILL = re.compile(
    r"^[ \t]*(?:@(?:\w+\.)*fill\(\s*(?:\w+\.)*?(\w+)\.(\w+)\s*\)|(?:\w+\.)*derive\(\s*(?:\w+\.)*?(\w+)\.(\w+)\s*[,)])",
    re.MULTILINE,
)
_TEXT = re.compile(r"\s*(?:(?:text|lines)\s*=\s*)?([rR]?)(\"\"\"|'''|\"|')")


class NotebookError(OneLine, ValueError):
    """A file that cannot be read as one of this course's notebooks; the message is one line for a person."""


class ProjectError(NotebookError):
    """A notebook of ``notebooks/projects/``: part of the course, and no lesson of it."""


@dataclass(frozen=True)
class Cell:
    """One code cell.

    Attributes:
        id: The cell's id, or its position where it has none.
        exercise: Name of the exercise it answers, or None.
        given: True when the cell came with the notebook (it may have been edited since).
        source: The code as typed, magics included.
    """

    id: str
    exercise: str | None
    given: bool
    source: str


@dataclass(frozen=True)
class Notebook:
    """The code of one notebook, and which lesson it is."""

    path: Path
    lesson: Lesson
    cells: tuple[Cell, ...]

    def derivation(self, name: str) -> str | None:
        """The text of a derivation, as it stands in the last cell that answers it; None where no text stands there."""
        texts = [derivation(cell.source) for cell in self.cells if cell.exercise == name]
        return texts[-1] if texts else None


def read(path: Path) -> Notebook:
    """Read the code cells of a notebook and find out which of them answer which exercise.

    An answer cell is known by its ``@fill(lesson.name)`` line or, where that line is gone, by its nbgrader metadata.

    Args:
        path: A notebook file.

    Raises:
        NotebookError: No such file, not a notebook, a version other than 4, or none of this course's lessons.
        ProjectError: A project of this course.
    """
    document = parse(path)
    cells = document["cells"]
    lesson = _lesson(path, document, cells)
    found = []
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        metadata = cell["metadata"]
        exercise = _exercise(lesson, cell["source"], metadata)
        given = (
            exercise is None and isinstance(metadata.get(METADATA), dict) and metadata[METADATA].get("given") is True
        )
        cell_id = cell.get("id")
        found.append(Cell(cell_id if isinstance(cell_id, str) else f"cell-{index}", exercise, given, cell["source"]))
    return Notebook(path, lesson, tuple(found))


def parse(path: Path) -> dict[str, Any]:
    """The notebook's JSON with the fields this course relies on checked and made uniform (sources are strings).

    Raises:
        NotebookError: One line that says what is wrong with the file, and what to do.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise NotebookError(
                f"{path.name}: larger than {MAX_BYTES // 1_000_000} MB; clear its outputs and save it again"
            )
        text = path.read_bytes().decode("utf-8-sig")
        document = json.loads(text)
    except FileNotFoundError:
        raise NotebookError(f"{path.name}: there is no such file") from None
    except OSError as error:
        raise NotebookError(f"{path.name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise NotebookError(
            f"{path.name}: is not UTF-8 text, so it is not a notebook; save it again in JupyterLab"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise NotebookError(
            f"{path.name}: is not a notebook: its JSON breaks off or is damaged ({reason}); save it again in JupyterLab"
        ) from None
    if not isinstance(document, dict) or "nbformat" not in document:
        raise NotebookError(f"{path.name}: is JSON, but not a notebook; hand in the .ipynb file that JupyterLab saves")
    if document["nbformat"] != 4:
        raise NotebookError(
            f"{path.name}: is notebook format {str(document['nbformat'])[:10]}, and 4 is needed; open and save it in JupyterLab"
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise NotebookError(f"{path.name}: has no list of cells; save it again in JupyterLab")
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise NotebookError(f"{path.name}: cell {number} is damaged; save the notebook again in JupyterLab")
        source = cell.get("source", "")
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if not isinstance(source, str):
            raise NotebookError(
                f"{path.name}: the source of cell {number} is not text; save the notebook again in JupyterLab"
            )
        cell["source"] = source
        if not isinstance(cell.get("metadata"), dict):
            cell["metadata"] = {}
    if not isinstance(document.get("metadata"), dict):
        document["metadata"] = {}
    return document


def fills(source: str) -> tuple[str, str] | None:
    """The lesson's and the exercise's name in the last ``@fill(lesson.name)`` or ``derive(lesson.name, ...)`` of a cell, or None."""
    found = list(_FILL.finditer(source))
    return (found[-1][1] or found[-1][3], found[-1][2] or found[-1][4]) if found else None


def answered(source: str) -> set[tuple[str, str]]:
    """Lesson and name of every exercise that a cell answers."""
    return {(found[1] or found[3], found[2] or found[4]) for found in _FILL.finditer(source)}


def derivation(source: str) -> str | None:
    """The text in the last ``derive(lesson.name, \"\"\"...\"\"\")`` of a cell, read and not run; None where no text stands there."""
    calls = [match for match in _FILL.finditer(source) if match[4]]
    opened = _TEXT.match(source, calls[-1].end()) if calls else None
    if not opened:
        return None
    text, closed, _ = source[opened.end() :].partition(opened[2])
    if not closed:
        return None
    return text if opened[1] else text.replace("\\\n", " ").replace("\\n", "\n")


def _exercise(lesson: Lesson, source: str, metadata: dict[str, Any]) -> str | None:
    """Name of the lesson's exercise a cell answers, or None."""
    filled = fills(source)
    if filled:
        return filled[1] if filled[0] == lesson.name and filled[1] in lesson.stubs else None
    nbgrader = metadata.get("nbgrader")
    if isinstance(nbgrader, dict) and nbgrader.get("solution") is True:
        name = nbgrader.get("grade_id")
        return name if isinstance(name, str) and name in lesson.stubs else None
    return None


def _lesson(path: Path, document: dict[str, Any], cells: list[dict[str, Any]]) -> Lesson:
    """Which lesson a notebook is: by what its cells fill, by its metadata, by its name."""
    known = {lesson.name: lesson for lesson in lessons()}
    filled = [fills(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    votes = Counter(f[0] for f in filled if f and f[0] in known)
    if votes:
        return known[votes.most_common(1)[0][0]]
    own = document["metadata"].get(METADATA)
    claimed = own.get("lesson") if isinstance(own, dict) else None
    for lesson in known.values():
        if claimed == lesson.key or path.stem == lesson.key:
            return lesson
    if isinstance(own, dict) and "project" in own:
        raise ProjectError(
            f"{path.name}: is a project's notebook, which a person reads; there is nothing to grade in it"
        )
    raise NotebookError(
        f"{path.name}: is a notebook, but none of this course's lessons ({', '.join(x.key for x in known.values())})"
    )
