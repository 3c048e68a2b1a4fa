"""Put a learner's answers into the pristine notebook, so that nothing else of theirs decides what nbval looks at.

Text, given cells, check cells, metadata and stored outputs are those of ``solutions/``. The learner contributes the source
of answer cells, and cells of their own (given cells that they changed among them), which come before the first answer
cell that follows them.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping
from typing import Any

from bnlib.notebooks import INSTALLS, Cell, Notebook, fills
from bnlib.running import python_of
from bnlib.stubs import Lesson, stub_source

OWN = "own-"
"""Ids of cells that the learner added begin so."""

_MARKER = re.compile(r"\s*#[#\s]*(?=NBVAL|PYTEST_VALIDATE)")
_LARGEST, _MOST_MAGICS = 20_000, 50
"""Only so much is looked at for lines of magic: to find them takes time and memory of the grader's."""


def transplant(pristine: Mapping[str, Any], submission: Notebook) -> dict[str, Any]:
    """The notebook that nbval runs.

    Args:
        pristine: The source notebook of the lesson, as :func:`bnlib.notebooks.parse` returns it.
        submission: What was handed in.

    Returns:
        The pristine notebook with the learner's answers in place of the reference answers. An exercise without an answer
        cell gets the empty stub: no reference answer remains.
    """
    lesson = submission.lesson
    answers, before, rest = _sort(submission.cells, _given_sources(pristine))
    notebook = copy.deepcopy(dict(pristine))
    cells: list[dict[str, Any]] = []
    numbers = iter(range(1, 1 + len(submission.cells)))
    last = 0
    for cell in notebook["cells"]:
        name = _answered(cell, lesson)
        if name is None:
            cells.append(cell)
            continue
        cells += [_own_cell(source, next(numbers)) for source in before.get(name, ())]
        source = answers[name] if name in answers else stub_source(lesson.stubs[name])
        cells.append({**cell, "source": runnable(source), "outputs": [], "execution_count": None})
        last = len(cells)
    cells[last:last] = [_own_cell(source, next(numbers)) for source in rest]
    notebook["cells"] = cells
    return notebook


def runnable(source: str) -> str:
    """A learner's cell without what would steer nbval or only cost time: its marker comments, and lines of magic."""
    source = "".join(_without_marker(line) for line in source.splitlines(keepends=True))
    if len(source) > _LARGEST:
        return source
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _without_line_magics(source)
    return source


def _without_marker(line: str) -> str:
    """A line that nbval does not take for one of its markers."""
    found = _MARKER.match(line)
    if not found:
        return line
    words = line[found.end() :].rstrip()
    return f"{line[: found.end()]}({words}){line[found.end() + len(words) :]}"


def _without_line_magics(source: str) -> str:
    """``%timeit f(x)`` and ``!ls`` become ``pass``; cell magics and what is no Python either way stay as they are."""
    if source.lstrip().startswith("%%") or sum(source.count(sign) for sign in "%!?") > _MOST_MAGICS:
        return source
    try:
        python = python_of(source)
        tree = ast.parse(python)
    except Exception:  # IPython raises errors of its own on what it cannot turn into Python
        return source
    lines = python.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_magic(node.value) and node.end_lineno is not None:
            first = lines[node.lineno - 1]
            lines[node.lineno - 1] = first.encode()[: node.col_offset].decode() + "pass"
            for number in range(node.lineno, node.end_lineno):
                lines[number] = ""
    return "\n".join(lines)


def _is_magic(node: ast.expr) -> bool:
    """True for ``get_ipython().something(...)``, which is what IPython makes of a line of magic."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    shell = node.func.value
    return isinstance(shell, ast.Call) and isinstance(shell.func, ast.Name) and shell.func.id == "get_ipython"


def _sort(cells: tuple[Cell, ...], given: set[str]) -> tuple[dict[str, str], dict[str, list[str]], list[str]]:
    """The last answer to each exercise, the learner's own cells before each, and those after the last."""
    final = {cell.exercise: index for index, cell in enumerate(cells) if cell.exercise}
    answers: dict[str, str] = {}
    before: dict[str, list[str]] = {}
    waiting: list[str] = []
    for index, cell in enumerate(cells):
        if cell.exercise and final[cell.exercise] == index:
            answers[cell.exercise], before[cell.exercise] = cell.source, waiting
            waiting = []
        elif cell.source.strip() and cell.source.strip() not in given and INSTALLS not in cell.source:
            waiting.append(cell.source)
    return answers, before, waiting


def _given_sources(pristine: Mapping[str, Any]) -> set[str]:
    """Sources of the pristine code cells: a tool that drops metadata makes them look like the learner's own."""
    return {cell["source"].strip() for cell in pristine["cells"] if cell["cell_type"] == "code"}


def _answered(cell: Mapping[str, Any], lesson: Lesson) -> str | None:
    """Name of the exercise that a pristine cell answers, or None."""
    filled = fills(cell["source"]) if cell["cell_type"] == "code" else None
    return filled[1] if filled and filled[0] == lesson.name and filled[1] in lesson.stubs else None


def _own_cell(source: str, number: int) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"{OWN}{number}",
        "metadata": {},
        "outputs": [],
        "source": runnable(source),
    }
