"""Run the code of a notebook without a kernel: statement by statement, so that one bad line costs only itself.

``load`` uses it in the learner's session, the grader's isolated worker uses it on a submission.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import linecache
import os
import sys
import traceback
import types
import warnings
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from bnlib.notebooks import Cell, NotebookError, derivation, read
from bnlib.stubs import lesson_of, lessons

_OWN_FOLDER = str(Path(__file__).parent)
_DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_replaying: ContextVar[bool] = ContextVar("replaying", default=False)
_MAGICS_WITH_A_BODY = {"time", "timeit", "capture", "prun"}


class Shell:
    """Stands where IPython's shell would: magics and shell commands do nothing, timed code still runs."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """Run the body of ``%%time`` and its like; other cell magics hold no Python of the course."""
        if name in _MAGICS_WITH_A_BODY:
            exec(compile(python_of(cell), "<cell magic>", "exec", dont_inherit=True), self.namespace)  # noqa: S102

    def getoutput(self, *args: Any, **kwargs: Any) -> list[str]:
        """``files = !ls`` gives an empty list."""
        return []

    def __getattr__(self, name: str) -> Any:
        """Every other service of a shell (line magics, system commands) does nothing."""
        return lambda *args, **kwargs: None


def new_namespace() -> dict[str, Any]:
    """An empty module for a notebook's code to live in, with a stand-in for IPython's shell."""
    module = types.ModuleType("__main__")
    namespace = module.__dict__
    shell = Shell(namespace)
    namespace["get_ipython"] = lambda: shell
    namespace["display"] = lambda *args, **kwargs: None
    return namespace


def python_of(source: str) -> str:
    """A cell's source as plain Python: IPython turns ``%magic``, ``!command`` and ``name?`` into calls.

    What is Python already is left as it is: most cells are, and asking IPython takes ten times as long as running them.
    """
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        ast.parse(source)
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def run_cells(cells: Iterable[Cell], namespace: dict[str, Any]) -> dict[str, str]:
    """Run cells in order, each statement on its own.

    Of a given cell only imports, definitions, ``load`` and such assignments are run as use no exercise: figures, checks and
    trials of the learner's answers are not needed.

    Args:
        cells: What :func:`bnlib.notebooks.read` found.
        namespace: Where names go; from :func:`new_namespace`.

    Returns:
        For each cell in which something failed, its id and the first error in words.
    """
    errors: dict[str, str] = {}
    token = _replaying.set(True)
    for cell in cells:
        for statement in statements(cell, errors):
            try:
                exec(statement, namespace)  # noqa: S102 - running the learner's code is what this is for
            except Exception as error:
                errors.setdefault(cell.id, describe_error(error))
    _replaying.reset(token)
    return errors


def replaying() -> bool:
    """True while a saved notebook's code is being run: ``progress`` must not start runs of its own then."""
    return _replaying.get()


def statements(cell: Cell, errors: dict[str, str]) -> Iterator[types.CodeType]:
    """Compile a cell's statements one by one; what is no Python is noted in ``errors`` and yields nothing."""
    name = f"<{cell.exercise or cell.id}>"
    try:
        try:
            source, tree = cell.source, ast.parse(cell.source, name)
        except SyntaxError:
            source = python_of(cell.source)
            tree = ast.parse(source, name)
    except Exception as error:  # IPython raises errors of its own on what it cannot turn into Python
        errors.setdefault(cell.id, describe_error(error))
        return
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    for node in tree.body:
        if cell.given and not _needed(node):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield compile(ast.Module([node], []), name, "exec", dont_inherit=True)
        except Exception as error:
            errors.setdefault(cell.id, describe_error(error))


def _needed(node: ast.stmt) -> bool:
    """Whether a statement of a given cell is run: what the answers may build on, and nothing that tries them out."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return isinstance(node.value.func, ast.Name) and node.value.func.id == "load"
    if isinstance(node, _ASSIGNMENTS):
        return not any(isinstance(part, ast.Name) and part.id in _exercises() for part in ast.walk(node))
    return isinstance(node, _DEFINITIONS)


@functools.cache
def _exercises() -> frozenset[str]:
    return frozenset(name for lesson in lessons() for name in lesson.stubs)


def describe_error(error: BaseException) -> str:
    """An exception in one line: its kind, its message, and the learner's own line it came from.

    An error that crossed over from the learner's process was put into words there, and says so (``described``).
    """
    if getattr(error, "described", False) is True:
        return str(error)
    text = " ".join(str(error).split())[:300]
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"SyntaxError in line {error.lineno}: {error.msg}"
    said = f"{kind}: {text}" if text else kind
    where = own_line(error)
    return f"{said} ({where})" if where else said


def own_line(error: BaseException) -> str:
    """Where in the learner's own code an error came up, ``in center, line 3 of the cell, `while True:` ``; "" where it did not."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not _is_library(frame.filename):
            line = f", `{frame.line}`" if frame.line else ""
            where = "" if frame.name.startswith("<") else f"in {frame.name}, "  # it may be another exercise's cell
            return f"{where}line {frame.lineno} of the cell{line}"
    return ""


def _is_library(filename: str) -> bool:
    """True for files of bnlib, of Python and of installed packages, and functions that a check gave: not the learner's own code."""
    roots = (_OWN_FOLDER, sys.prefix, sys.base_prefix, os.path.dirname(os.__file__))
    return filename.startswith(roots) or filename in ("<frozen importlib._bootstrap>", "<given function>")


def load(key: str | int) -> None:
    """Fill the exercises of an earlier lesson from its saved notebook.

    The notebook is looked for beside the current one, then in ``notebooks/``. Its code runs out of sight, and what it
    prints is dropped. Save the earlier notebook first: unsaved work is not in the file.

    Args:
        key: The lesson, for example ``2``, ``"02"``, ``"02_translation"`` or ``"02_translation.ipynb"``.

    Raises:
        UnknownLessonError: No such lesson.
        NotebookError: The notebook is not there, or cannot be read.
    """
    lesson = lesson_of(key)
    notebook = read(find(lesson.key))
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        errors = run_cells(notebook.cells, new_namespace())
    written = {cell.exercise: not as_handed_out(cell) for cell in notebook.cells if cell.exercise}
    filled = [name for name, stub in lesson.stubs.items() if stub.answer is not None and written.get(name)]
    more = "" if len(filled) == len(lesson.stubs) else " (more in an open one? Save it, then load again)"
    print(f"{len(filled)} of {len(lesson.stubs)} exercises of {lesson.key} are filled in the saved notebook{more}")
    if filled:
        print(f"  Call them so: from bnlib.stubs import {lesson.name}, then {lesson.name}.NAME(...)")
    for cell in notebook.cells:
        if cell.exercise and cell.id in errors:
            print(f"  {cell.exercise}: {errors[cell.id]}")


def as_handed_out(cell: Cell) -> bool:
    """Whether an answer is as it was handed out: a derivation of one line, or a function, or a method, that says so before it returns anything."""
    text = derivation(cell.source)
    if text is not None:
        return sum(bool(line.partition("#")[0].strip()) for line in text.split("\n")) <= 1
    try:
        tree = ast.parse(python_of(cell.source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for answer in tree.body:
        if isinstance(answer, (ast.FunctionDef, ast.ClassDef)) and answer.decorator_list:
            functions = answer.body if isinstance(answer, ast.ClassDef) else [answer]
            if any(isinstance(function, ast.FunctionDef) and _gives_up(function) for function in functions):
                return True
    return False


def _gives_up(function: ast.FunctionDef) -> bool:
    ends = next((node for node in function.body if isinstance(node, (ast.Raise, ast.Return))), None)
    if not isinstance(ends, ast.Raise) or ends.exc is None:
        return False
    raised = ends.exc.func if isinstance(ends.exc, ast.Call) else ends.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def find(key: str) -> Path:
    """The learner's notebook of a lesson: in the current folder, or in ``notebooks/`` here or one folder up.

    Raises:
        NotebookError: It is in none of these places.
    """
    for folder in (Path(), Path("notebooks"), Path("..", "notebooks")):
        path = folder / f"{key}.ipynb"
        if path.is_file():
            return path
    raise NotebookError(f"{key}.ipynb: not found in this folder or in notebooks/; start Jupyter in the course's folder")
