"""The lessons as source notebooks for nbgrader: what its release makes of them are the cells that ``bnlib release`` makes.

nbgrader replaces what stands between its marks by a stub of its own, and knows neither ``@fill`` nor a class with empty methods. So each
function, and each method of a class, gets marks of its own here, with the contract's docstring above them and the learner's
``raise NotImplementedError`` below, which no solution reaches.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from bnlib.notebooks import parse
from bnlib.release import BEGIN, END, WRITE_HERE, ReleaseError, before_function, released_from, sources, write_notebook
from bnlib.stubs import Derivation, Lesson, Stub, lesson_of, stub_source

TODO = "# your code here"
"""The line of an empty answer that the solution takes the place of; nbgrader puts it back."""

CONFIG = f"""\
c = get_config()
c.CourseDirectory.course_id = "batchnorm-gradient"
c.ClearSolutions.code_stub = {{"python": "{TODO}"}}
c.ClearSolutions.text_stub = "{WRITE_HERE}"
c.ExecutePreprocessor.timeout = 120  # a check stops an endless answer by itself, after 30 seconds
"""


def lesson_sources(solutions: Path, chosen: Sequence[Lesson] = ()) -> dict[str, Any]:
    """The lessons as nbgrader's sources, by name.

    Args:
        solutions: Folder of built source notebooks.
        chosen: Lessons; by default all.

    Raises:
        ReleaseError: A source cannot be released.
    """
    return {path.stem: source(path) for path in sources(solutions, chosen)}


def export(notebooks: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``source/NAME/NAME.ipynb`` for nbgrader, and an ``nbgrader_config.py`` where there is none.

    Args:
        notebooks: Source notebooks, by name.
        folder: The nbgrader course's folder.

    Returns:
        The files written.

    Raises:
        ReleaseError: The folder has one of them already.
    """
    written = write_new({folder / "source" / name / f"{name}.ipynb": notebook for name, notebook in notebooks.items()})
    config = folder / "nbgrader_config.py"
    if config.exists():
        return written
    config.write_text(CONFIG, encoding="utf-8")
    return [config, *written]


def write_new(notebooks: Mapping[Path, Any]) -> list[Path]:
    """Write notebooks where none are yet, all or none of them.

    Raises:
        ReleaseError: One is there already.
    """
    for target in notebooks:
        if target.exists():
            raise ReleaseError(f"{target}: is there already, and may hold somebody's work; choose another folder")
    for target, notebook in notebooks.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_notebook(notebook, target)
    return list(notebooks)


def source(path: Path) -> Any:
    """One lesson as nbgrader's source: answers between its marks, everything that was given locked.

    Raises:
        ReleaseError: The lesson cannot be released, or a class has more than the methods of its contract.
    """
    released_from(path)  # or says why not
    notebook = nbformat.from_dict(parse(path))
    lesson = lesson_of(path.stem)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        if cell.id in lesson.stubs:
            cell.source = answer(lesson.stubs[cell.id], cell.source)
        elif "nbgrader" not in cell.metadata:
            cell.metadata["nbgrader"] = {
                "schema_version": 3, "task": False, "grade": False, "solution": False, "locked": True, "grade_id": cell.id,
            }  # fmt: skip
    return notebook


def answer(stub: Stub, text: str, opening: Sequence[str] = (BEGIN,), closing: str = END) -> str:
    """A solution's cell as nbgrader's source, or with the marks of another tool.

    Args:
        stub: The exercise.
        text: The cell of ``solutions/``.
        opening: Lines above each solution; the last is the mark where it begins.
        closing: The mark where it ends.

    Raises:
        ReleaseError: A class has more than the methods of its contract: what else it holds would be handed out.
    """
    if isinstance(stub, Derivation):
        return text.replace(BEGIN, opening[-1]).replace(END, closing)
    head, *parts = stub_source(stub, before_function(text)).split(TODO)
    if not stub.methods:
        bodies = [textwrap.indent(textwrap.dedent(text.partition(BEGIN + "\n")[2].rpartition(END)[0].rstrip()), "    ")]
    else:
        bodies = _methods(stub, text)
    for body, part in zip(bodies, parts, strict=True):
        indent = head[head.rindex("\n") + 1 :]
        head += f"\n{indent}".join(opening) + f"\n{body}\n{indent}{closing}{part}"
    return head


def _methods(stub: Stub, text: str) -> list[str]:
    """The body of each method of the contract, in its order, each left by ``return``."""
    (cls,) = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == stub.name)
    methods = {node.name: node for node in cls.body if isinstance(node, ast.FunctionDef)}
    others = [node for node in cls.body[1:] if not isinstance(node, ast.FunctionDef)]  # the first is the docstring
    if others or set(methods) != set(stub.methods):
        raise ReleaseError(
            f"{stub.id}: for nbgrader its solution may hold the methods of the contract, and nothing else"
        )
    lines, bodies = text.split("\n"), []
    for name in stub.methods:
        body = methods[name].body
        bodies.append("\n".join(lines[body[0].lineno - 1 : body[-1].end_lineno]))
        if not isinstance(body[-1], ast.Return):
            bodies[-1] += f"\n{' ' * body[-1].col_offset}return"
    return bodies
