"""The lessons as source notebooks for otter: ``otter assign`` makes of them notebooks without answers, and an autograder.

Its marks are raw cells around a question, and lines inside the answer; none of them is a mark of ``solutions/``. An exercise's test is
the notebook's own visible check, so that its points are those of :mod:`bnlib.nbgrader`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from bnlib.nbgrader import TODO, answer, write_new
from bnlib.notebooks import parse
from bnlib.release import BEGIN, WRITE_HERE, released_from, sources
from bnlib.stubs import Lesson, Stub, Written, lesson_of

CONFIG = """\
# ASSIGNMENT CONFIG
init_cell: false
export_cell: false
tests:
    ok_format: false
"""
"""No cell that needs otter: learners hand in the notebook itself, and its checks are the course's."""

TEST = """\
def test_{stub.name}():
    from bnlib import check
    from bnlib.stubs import {lesson}
    check({lesson}.{stub.name})
"""


def lesson_sources(solutions: Path, chosen: Sequence[Lesson] = ()) -> dict[str, Any]:
    """The lessons as otter's sources, by name; as :func:`bnlib.nbgrader.lesson_sources`."""
    return {path.stem: source(path) for path in sources(solutions, chosen)}


def export(notebooks: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``NAME.ipynb`` for ``otter assign``.

    Args:
        notebooks: Source notebooks, by name.
        folder: Where to write.

    Returns:
        The files written.

    Raises:
        ReleaseError: The folder has one of them already.
    """
    return write_new({folder / f"{name}.ipynb": notebook for name, notebook in notebooks.items()})


def source(path: Path) -> Any:
    """One lesson as otter's source.

    Raises:
        ReleaseError: The lesson cannot be released, or a class has more than the methods of its contract.
    """
    released_from(path)  # or says why not
    notebook = nbformat.from_dict(parse(path))
    lesson = lesson_of(path.stem)
    notebook.cells = [_raw("config", CONFIG), *(part for cell in notebook.cells for part in _parts(cell, lesson))]
    return notebook


def _parts(cell: Any, lesson: Lesson) -> Iterator[Any]:
    """The cells that stand for one of ``solutions/``."""
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    asked: Stub | Written | None = lesson.stubs.get(cell.id) or lesson.written.get(cell.id)
    if asked is None:
        yield cell
        return
    by_hand = isinstance(asked, Written)
    told = f"# BEGIN QUESTION\nname: {asked.name}\npoints: {asked.points}\n"
    yield _raw(f"{cell.id}-begin", told + ("manual: true\n" if by_hand else "check_cell: false\n"))
    if isinstance(asked, Written):
        empty = copy.deepcopy(cell)
        empty.source = cell.source.partition(BEGIN)[0] + WRITE_HERE
        yield from _block("PROMPT", empty)
        cell.id += "-solution"
        yield from _block("SOLUTION", cell)
    else:
        cell.source = answer(asked, cell.source, (TODO, "# BEGIN SOLUTION NO PROMPT"), "# END SOLUTION")
        yield from _block("SOLUTION", cell)
        test = TEST.format(stub=asked, lesson=lesson.name)
        yield from _block("TESTS", nbformat.v4.new_code_cell(test.rstrip(), id=f"{cell.id}-test"))
    yield _raw(f"{cell.id}-end", "# END QUESTION")


def _block(kind: str, cell: Any) -> Iterator[Any]:
    yield _raw(f"{cell.id}-begin-{kind.lower()}", f"# BEGIN {kind}")
    yield cell
    yield _raw(f"{cell.id}-end-{kind.lower()}", f"# END {kind}")


def _raw(name: str, text: str) -> Any:
    return nbformat.v4.new_raw_cell(text.rstrip(), id=name)
