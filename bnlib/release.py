"""From ``solutions/`` to ``notebooks/``: normalise and execute the source, take the answers out, pack the bundle.

``solutions/`` is what people edit. ``build`` gives its cells their ids and metadata and runs it; ``release`` writes the
learners' version, whose answer cells hold the signature and docstring of the contract in ``bnlib/stubs/``.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import inspect
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat

from bnlib import sealed
from bnlib.checks import chain_of
from bnlib.notebooks import INSTALLS, METADATA, NotebookError, fills, parse
from bnlib.stubs import Derivation, Lesson, Stub, derive_source, lesson_of, lessons, stub_source, told

INSTALL = """\
# Does nothing where bnlib is installed. Elsewhere it says what to run; on Colab it installs {what}.
import importlib.util
import subprocess
import sys

if {installs} is None:
    if "google.colab" in sys.modules:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "{colab}"], check=True)
    else:
        print("bnlib is not installed here: run  %pip install {here}  in a new cell, and then this notebook again")
"""
"""The first cell of a released notebook; it needs nothing but Python."""

WRITE_HERE = "*Write here, in place of this line.*"
"""The empty answer to a question that is answered in words."""

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
WIDGET = "application/vnd.jupyter.widget-view+json"
SECONDS_A_CELL = 120

IGNORE = "nbval-ignore-output"
"""nbval's tag of a cell whose output is not the same everywhere."""

PROJECTS = "projects"
"""The folder of the projects, among the notebooks."""

_MARK = re.compile(r"^# (NBVAL_\w+)\n", re.MULTILINE)

_CHECK = re.compile(r"check\(\s*(\w+)\.(\w+)\s*\)")
_BOX = re.compile(r"> \*\*Exercise `(\w+)`\*\*.*")
_WORDS = re.compile(r"\*\*Your answer to `(\w+)`\*\*.*")
"""First line of a cell that is answered in words."""

_BUNDLE = (".gitignore", "LICENSE", "LICENSE-text", "Makefile", "constraints.txt", "environment.yml", "pyproject.toml")
_RENAMED = {"docs/learners.md": "README.md", "examples/classroom.yml": ".github/workflows/classroom.yml"}
_TEACHERS = ("authoring.py", "formulas.py", "nbgrader.py", "otter.py", "release.py", "sheets.py", "grading")
_ALL_LESSONS = b"LESSONS: notebooks\n"
"""The line of the Classroom workflow that says what it checks; a bundle names the notebooks it hands out."""


class ReleaseError(ValueError):
    """The source cannot be built or released; the message is one line for its author."""


def build(path: Path) -> None:
    """Normalise a source notebook, execute it, and write it back with outputs that are the same every time.

    Args:
        path: A notebook of ``solutions/``.

    Raises:
        ReleaseError: It breaks a rule of the source (named in the message), or a cell fails or warns.
    """
    notebook = nbformat.from_dict(parse(path))
    normalise(notebook, path)
    _execute(notebook, path)
    write_notebook(notebook, path)


def normalise(notebook: Any, path: Path) -> None:
    """Give every cell the id and metadata that follow from what it is; facts of an exercise come from its contract.

    Raises:
        ReleaseError: An answer or check cell does not fit the contracts.
    """
    lesson = _lesson(path)
    notebook.metadata = notebook_metadata(lesson=lesson.key)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: set[str] = set()
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
        if cell.cell_type == "markdown":
            cell.source = _BOX.sub(lambda match: _box(lesson, match[1], path), cell.source)
            cell.metadata, name = _text_metadata(cell, lesson, path)
        else:
            tags = _tags(cell)
            cell.metadata, name = _code_metadata(cell, lesson, path)
            if tags:
                cell.metadata["tags"] = tags
        if not name or name == "text":
            name = f"{name or 'code'}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
        if name in seen:
            raise ReleaseError(f"{path.name}: two cells are {name}; every cell must be different from the others")
        seen.add(name)
        cell.id = name
    wanted = [*(name for stub in lesson.stubs for name in (stub, f"check-{stub}")), *lesson.written]
    missing = [name for name in wanted if name not in seen]
    if missing:
        raise ReleaseError(f"{path.name}: no cell for {', '.join(missing)}")


def notebook_metadata(**own: str) -> Any:
    """What every notebook of the course says of itself, and what this one does."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}, METADATA: own})


def by_hand(name: str, points: int) -> Any:
    """The metadata by which nbgrader knows a cell that a person reads and gives points for."""
    return nbformat.from_dict(
        {
            "nbgrader": {
                "schema_version": 3, "task": False, "grade": True, "solution": True, "locked": False,
                "grade_id": name, "points": points,
            }
        }
    )  # fmt: skip


def install_cell(address: str = "", here: str = "..") -> Any:
    """The cell that a released notebook begins with.

    Args:
        address: Where the bundle for learners can be fetched; by default it is the folder above the notebook, and on Colab the
            file ``course.zip`` that learners upload.
        here: Where the bundle is, seen from the notebook, for who has it on disk.
    """
    where = {"what": "the course", "colab": address, "here": address}
    if not address:
        where = {"what": "the course.zip that you upload (Files, on the left)", "colab": "course.zip", "here": here}
    cell = nbformat.v4.new_code_cell(INSTALL.format(installs=INSTALLS, **where).rstrip("\n"), id="install")
    cell.metadata[METADATA] = {"given": True}
    return cell


def released(notebook: Any, path: Path, address: str = "") -> Any:
    """The learners' version of a normalised source notebook: stubs in place of answers, no outputs, and how to install bnlib.

    Raises:
        ReleaseError: An answer cell has no solution region.
    """
    lesson = _lesson(path)
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            if cell.id in lesson.written:
                cell.source = cell.source.partition(BEGIN)[0] + WRITE_HERE
            continue
        cell.outputs, cell.execution_count = [], None
        if cell.id in lesson.stubs:
            cell.source = stub_source(lesson.stubs[cell.id], before_function(cell.source))
        elif BEGIN in cell.source:
            raise ReleaseError(f"{path.name}: cell {cell.id} holds {BEGIN}, but fills no exercise")
    first = next(number for number, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first, install_cell(address))
    notebook.metadata[METADATA]["released"] = digest(notebook)
    return notebook


def digest(notebook: Any) -> str:
    """A short digest of a notebook's sources: tells a released file that nobody edited from one with work in it."""
    sources = json.dumps([cell["source"] for cell in notebook["cells"]])
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def release(
    solutions: Path,
    notebooks: Path,
    force: bool = False,
    address: str = "",
    projects: Mapping[str, Any] = MappingProxyType({}),
) -> list[Path]:
    """Write the learners' version of every notebook of ``solutions`` into ``notebooks``, and those of the projects beside them.

    Args:
        solutions: Folder of built source notebooks.
        notebooks: Where to write; made when it is not there.
        force: Overwrite notebooks that were edited since they were released.
        address: Where the bundle for learners can be fetched, for :func:`install_cell`.
        projects: More notebooks to write, by name.

    Returns:
        The files written.

    Raises:
        ReleaseError: No source there, an address that is none, or a notebook that would be overwritten has somebody's work in it.
    """
    if address and not re.fullmatch(r"https?://[^\s\"'\\{}]+", address):
        raise ReleaseError(f"{address}: is no address; it begins with https:// and holds no blanks or quotes")
    versions = {path.name: released_from(path, address) for path in sources(solutions)}
    versions |= {f"{PROJECTS}/{name}.ipynb": notebook for name, notebook in projects.items()}
    edited = [name for name in versions if (notebooks / name).exists() and has_work(notebooks / name)]
    if edited and not force:
        raise ReleaseError(
            f"{notebooks}: {', '.join(edited)} was edited since its release, and would be lost; "
            "choose another folder with --out, or overwrite with --force"
        )
    for name, notebook in versions.items():
        (notebooks / name).parent.mkdir(parents=True, exist_ok=True)
        write_notebook(notebook, notebooks / name)
    return [notebooks / name for name in versions]


def sources(solutions: Path, chosen: Sequence[Lesson] = ()) -> list[Path]:
    """The source notebooks of a folder, in order; all of them, or those of the lessons that are chosen.

    Raises:
        ReleaseError: There are none.
    """
    paths = sorted(solutions.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise ReleaseError(f"{solutions}: holds no lessons (files like 02_translation.ipynb)")
    return [path for path in paths if not chosen or lesson_of(path.stem) in chosen]


def released_from(path: Path, address: str = "") -> Any:
    """The learners' version of one source notebook, which must have been built.

    Raises:
        ReleaseError: The source was edited after its last build.
    """
    notebook = nbformat.from_dict(parse(path))
    fresh = copy.deepcopy(notebook)
    normalise(fresh, path)
    if fresh != notebook:
        raise ReleaseError(f"{path.name}: was edited since it was built; run bnlib build first")
    return released(notebook, path, address)


def has_work(path: Path) -> bool:
    """True unless the file is a released notebook that nobody edited."""
    try:
        notebook = parse(path)
    except NotebookError:
        return True
    own = notebook["metadata"].get(METADATA)
    return not isinstance(own, dict) or own.get("released") != digest(notebook)


def bundle(root: Path, target: Path, chosen: Sequence[Lesson] = ()) -> list[str]:
    """Pack what learners get: notebooks, the learner's side of bnlib, set-up files. No solution, no hidden test.

    What spells out answers (:data:`bnlib.sealed.FOLDERS`) is packed so that it cannot be read by accident.

    Args:
        root: The project's folder, with ``notebooks/`` freshly released.
        target: The zip file to write.
        chosen: Lessons to hand out; by default all, and the projects.

    Returns:
        Names in the archive. The same input gives the same bytes.
    """
    files = [root / name for name in _BUNDLE if (root / name).is_file()]
    lesson_files = [root / "notebooks" / f"{lesson.key}.ipynb" for lesson in chosen or lessons()]
    notebooks = lesson_files + ([] if chosen else sorted((root / "notebooks" / PROJECTS).glob("*.ipynb")))
    files += notebooks
    ours = {path.relative_to(root / "bnlib").as_posix(): path for path in sorted((root / "bnlib").rglob("*"))}
    ours = {name: path for name, path in ours.items() if path.is_file() and "__pycache__" not in path.parts}
    closed = {name: path.read_text(encoding="utf-8") for name, path in ours.items() if sealed.is_sealed(name)}
    files += [
        path
        for name, path in ours.items()
        if path.suffix in (".py", ".js", ".gz", ".txt") and name.split("/")[0] not in _TEACHERS and name not in closed
    ]
    edited = [path.name for path in notebooks if path.is_file() and has_work(path)]
    if edited:
        raise ReleaseError(
            f"{', '.join(edited)}: edited since the release; the bundle would hand out somebody's answers"
        )
    files += [root / name for name in _RENAMED]
    lacking = [str(path) for path in files if not path.is_file()]
    if lacking:
        raise ReleaseError(f"{lacking[0]}: is not there; pack the bundle from the project's own folder")
    handed = " ".join(f"notebooks/{path.name}" for path in lesson_files).encode()
    contents = {}
    for path in files:
        name = path.relative_to(root).as_posix()
        content = path.read_bytes().replace(_ALL_LESSONS, b"LESSONS: " + handed + b"\n")
        contents[_RENAMED.get(name, name)] = content
    contents[f"bnlib/{sealed.PACK}"] = sealed.pack(closed).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(f"batchnorm-gradient/{name}", date_time=(2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
        return archive.namelist()


def _lesson(path: Path) -> Lesson:
    try:
        return lesson_of(path.stem)
    except KeyError as error:
        raise ReleaseError(f"{path.name}: {error.args[0]}") from None


def _text_metadata(cell: Any, lesson: Lesson, path: Path) -> tuple[Any, str]:
    """Metadata and name of a text cell: of one that is answered in words nbgrader's for grading by hand, of others none."""
    found = _WORDS.match(cell.source)
    if not found:
        if BEGIN in cell.source:
            raise ReleaseError(f"{path.name}: a text holds {BEGIN}, but does not begin with **Your answer to `NAME`**")
        return nbformat.from_dict({}), "text"
    written = lesson.written.get(found[1])
    if written is None or cell.source.count(BEGIN) != 1 or not cell.source.endswith(END):
        raise ReleaseError(
            f"{path.name}: the answer in words to {found[1]} needs an in_words of that name in bnlib/stubs/{lesson.name}.py, "
            f"and one region between {BEGIN} and {END} at its end"
        )
    points = f"{written.points} point{'s' if written.points > 1 else ''}"
    cell.source = _WORDS.sub(f"**Your answer to `{written.name}`** · {points}, given by a person", cell.source, count=1)
    return by_hand(written.name, written.points), written.name


def _code_metadata(cell: Any, lesson: Lesson, path: Path) -> tuple[Any, str]:
    """Metadata and name of a code cell; the name is "" for one that is neither an answer nor a check."""
    filled, checked = fills(cell.source), _CHECK.fullmatch(cell.source.strip())
    nbgrader: dict[str, Any] = {"schema_version": 3, "task": False}
    if filled:
        stub = _stub(lesson, filled, path)
        if isinstance(stub, Derivation):
            cell.source = before_function(cell.source) + _derivation(stub)
        else:
            _agrees_with_contract(stub, cell.source, path)
            cell.source = _documented(stub, cell.source, path)
        nbgrader |= {"grade": False, "solution": True, "locked": False, "grade_id": stub.name}
        return nbformat.from_dict({"nbgrader": nbgrader}), stub.name
    given = {METADATA: {"given": True}}
    if checked:
        stub = _stub(lesson, (checked[1], checked[2]), path)
        name = f"check-{stub.name}"
        nbgrader |= {"grade": True, "solution": False, "locked": True, "grade_id": name, "points": stub.points}
        return nbformat.from_dict({**given, "nbgrader": nbgrader}), name
    return nbformat.from_dict(given), ""


def _tags(cell: Any) -> list[str]:
    """Nbval's marks of a cell, as tags: learners do not see those, and may be written as a comment, ``# NBVAL_CHECK_OUTPUT``."""
    marks = [mark.lower().replace("_", "-") for mark in _MARK.findall(cell.source)]
    cell.source = _MARK.sub("", cell.source)
    return sorted({*marks, *(tag for tag in cell.metadata.get("tags", ()) if tag.startswith("nbval-"))})


def _stub(lesson: Lesson, found: tuple[str, str], path: Path) -> Stub:
    module, name = found
    if module != lesson.name or name not in lesson.stubs:
        raise ReleaseError(f"{path.name}: {module}.{name} is no exercise of bnlib/stubs/{lesson.name}.py")
    return lesson.stubs[name]


def _box(lesson: Lesson, name: str, path: Path) -> str:
    """First line of an exercise box, with the facts of the contract."""
    stub = _stub(lesson, (lesson.name, name), path)
    level = "●" * stub.difficulty + "○" * (3 - stub.difficulty)
    points = f"{stub.points} point{'s' if stub.points > 1 else ''}"
    return f"> **Exercise `{name}`** · difficulty {level} · about {stub.minutes} minutes · {points}"


def _agrees_with_contract(stub: Stub, source: str, path: Path) -> None:
    """An answer cell has the contract's signatures, methods without docstrings, and one solution region."""
    where = f"{path.name}: the answer to {stub.name}"
    answer = _answer(stub, source)
    if answer is None:
        raise ReleaseError(f"{where} defines no {'class' if stub.methods else 'function'} {stub.name}")
    body = answer.body if stub.methods else [answer]
    functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    for name, contract in (stub.methods or {stub.name: stub.contract}).items():
        if name not in functions:
            raise ReleaseError(f"{where} has no method {name}")
        wanted = tuple(inspect.signature(contract).parameters)
        given = tuple(argument.arg for argument in functions[name].args.args)
        if given != wanted:
            raise ReleaseError(f"{where} takes {given}{f' in {name}' if stub.methods else ''}, its contract {wanted}")
    if stub.methods and any(map(ast.get_docstring, functions.values())):
        raise ReleaseError(f"{where} has methods with docstrings; they belong into the contract in bnlib/stubs/")
    if source.count(BEGIN) != 1 or source.count(END) != 1:
        raise ReleaseError(f"{where} needs one region between {BEGIN} and {END}")


def _answer(stub: Stub, source: str) -> ast.ClassDef | ast.FunctionDef | None:
    """The function or class that answers an exercise."""
    kind = ast.ClassDef if stub.methods else ast.FunctionDef
    return next((n for n in ast.parse(source).body if isinstance(n, kind) and n.name == stub.name), None)


def _documented(stub: Stub, source: str, path: Path) -> str:
    """An answer cell with the contract's docstring above its solution region, where ``nbgrader generate_assignment`` keeps it."""
    answer = _answer(stub, source)
    assert answer is not None
    lines = source.split("\n")
    if ast.get_docstring(answer) is not None:
        del lines[answer.body[0].lineno - 1 : answer.body[0].end_lineno]
    begin = next(number for number, line in enumerate(lines) if BEGIN in line)
    documented = "\n".join([*lines[:begin], told(stub), *lines[begin:]])
    answer = _answer(stub, documented)
    if answer is None or ast.get_docstring(answer) is None:
        raise ReleaseError(f"{path.name}: the answer to {stub.name} needs {BEGIN} right below its first line")
    return documented


def before_function(source: str) -> str:
    """What an answer cell holds above ``@fill`` or ``derive``, which learners keep."""
    found = re.search(r"^[ \t]*(?:@|\w+\.)*(?:fill|derive)\(", source, re.MULTILINE)
    assert found is not None
    return source[: found.start()]


def _derivation(stub: Derivation) -> str:
    """The answer cell of a derivation: the course's own chain, written down in the lesson's checks and nowhere else."""
    first, *rest = chain_of(stub).lines
    return derive_source(stub, (first, BEGIN, *(f"= {line}" for line in rest), END))


def _execute(notebook: Any, path: Path) -> None:
    """Run all cells in a fresh kernel, and keep only outputs that are the same every time."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise ReleaseError(f"{path.name}: a cell failed.\n{error}") from None
    lesson = _lesson(path)
    notebook.metadata = notebook_metadata(lesson=lesson.key)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = stored(cell, path)


def stored(cell: Any, path: Path) -> list[Any]:
    """What is kept of a cell's outputs: nothing where the cell says that they differ from machine to machine."""
    outputs = [_stable(output, cell, path) for output in joined(cell.outputs)]
    return [] if IGNORE in cell.metadata.get("tags", ()) else outputs


def joined(outputs: list[Any]) -> list[Any]:
    """Outputs with printed text in one piece: in how many a kernel sends it is a matter of time."""
    found: list[Any] = []
    for output in outputs:
        if found and output.get("name") and output["name"] == found[-1].get("name"):
            found[-1] = nbformat.from_dict({**found[-1], "text": found[-1]["text"] + output["text"]})
        else:
            found.append(output)
    return found


def _stable(output: Any, cell: Any, path: Path) -> Any:
    """An output without the parts that belong to one session.

    Raises:
        ReleaseError: A warning, or text that would differ on another machine.
    """
    if output.get("name") == "stderr":
        raise ReleaseError(f"{path.name}: cell {cell.id} writes to stderr: {output['text'][:200]}")
    data = output.get("data")
    if data is not None:
        data.pop(WIDGET, None)
        if output.output_type == "execute_result":
            output["execution_count"] = cell.execution_count
    text = output.get("text", "") + "".join(v for k, v in (data or {}).items() if k.startswith("text/"))
    if re.search(r"0x[0-9a-f]{6,}|/(?:home|root|tmp|Users)/", text):
        raise ReleaseError(f"{path.name}: cell {cell.id} prints an address or a path of this machine")
    return output


def write_notebook(notebook: Any, path: Path) -> None:
    """Write a notebook in one piece: never half a file."""
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")
    partial.replace(path)
