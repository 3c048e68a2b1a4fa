"""docs/architecture.md: the rooms that are drawn are those that are there, and imports go the way it says."""

import ast
import re
from pathlib import Path

import pytest

from bnlib.stubs import lessons

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LESSONS = {lesson.name for lesson in lessons()}


def drawn():
    """Each path in the drawings of bnlib/, in order: its words, those of what it holds among them."""
    found, above = {}, []
    for block in re.findall(r"^```\nbnlib/\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            entry = re.match(r"( +)([\w.]+(?:\.py|/))(?:\s|$)", line)
            if entry:
                depth = len(entry[1])
                above = [(each, name) for each, name in above if each < depth] + [(depth, entry[2])]
            for place in range(1, len(above) + 1):
                found.setdefault("".join(name for _, name in above[:place]), []).append(line)
    return {path: " ".join(lines) for path, lines in found.items()}


DRAWN = drawn()
MODULES = sorted(
    path.relative_to(ROOT / "bnlib")
    for path in (ROOT / "bnlib").rglob("*.py")
    if path.name != "__init__.py" and path.stem not in LESSONS
)


def test_every_room_that_is_drawn_is_there():
    assert len(DRAWN) > 50
    for path in DRAWN:
        assert (ROOT / "bnlib" / path).exists(), path


@pytest.mark.parametrize(
    "path", re.findall(r"^((?:bnlib|docs|examples|notebooks|solutions|tests)/[\w./-]+)", TEXT, re.MULTILINE)
)
def test_a_file_that_begins_a_line_is_there(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_is_in_the_drawing(module):
    if module.parts[0] == "language":
        assert f"`{module.stem}`" in (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    elif module.as_posix() not in DRAWN:
        room = f"{module.parent.as_posix()}/"
        assert room in DRAWN, f"{room} is not drawn"
        assert re.search(rf"\b{module.stem}\b", DRAWN[room]), f"{module.name} is not named in {room}"


def imported(module):
    """What a module of bnlib imports when it is imported: paths in bnlib."""
    tree = ast.parse((ROOT / "bnlib" / module).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "bnlib":
            package = "/".join(node.module.split(".")[1:])
            for name in node.names:
                path = f"{package}/{name.name}".strip("/")
                yield path if (ROOT / "bnlib" / f"{path}.py").exists() or (ROOT / "bnlib" / path).is_dir() else package


def room(path):
    """The line of the drawing that a path belongs to, the most exact one: its place and its name."""
    names = [
        name for name in DRAWN if f"{path.removesuffix('.py')}/".startswith(name.removesuffix(".py").rstrip("/") + "/")
    ]
    return max(((list(DRAWN).index(name), name) for name in names), key=lambda each: len(each[1]), default=None)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_go_from_lower_lines_to_upper_ones(module):
    here = room(module.as_posix())
    for path in imported(module):
        there = room(path)
        if there and here and there != here:
            inside = here[1].startswith(there[1]) or there[1].startswith(here[1])
            assert there[0] < here[0] or inside, f"{here[1]} imports {there[1]}"
