"""A lesson is added to a copy of the project with ``bnlib new``, filled, and run; no other file is touched."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bnlib.authoring import FIRST, AuthoringError, new_exercise, new_lesson

ROOT = Path(__file__).parent.parent
NEXT = f"{1 + max(int(path.name[:2]) for path in (ROOT / 'solutions').glob('[0-9][0-9]_*.ipynb')):02d}_triples"

FILLED = {
    "bnlib/stubs/triples.py": {"Double": "Triple", "2 * x": "3 * x"},
    "bnlib/checks/triples.py": {"value + value": "3 * value", '"double"': '"triple"', "x = 3, out = 6": "x = 3, out = 9"},
    "tests/equations/triples.py": {"x[k, l] + x[k, l]": "3 * x[k, l]"},
    "tests/answers/triples.txt": {"x + x": "x + x + x", "2 *": "3 *", "*= 2": "*= 3", "double-": "triple-"},
    f"solutions/{NEXT}.ipynb": {"return 2 * x": "return 3 * x", "2\\\\, x": "3\\\\, x"},
}  # fmt: skip
"""The second exercise is to triple what the example doubles."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name in ("bnlib", "solutions", "tests", "notebooks", "benchmarks", "pyproject.toml"):
        ignore = shutil.ignore_patterns("__pycache__", ".hypothesis", ".ipynb_checkpoints")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(folder, code):
    """Run a program in a fresh Python that knows the copy and no other bnlib."""
    program = f"import sys; sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in str(f)]\n{code}"
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def bnlib(folder, *arguments):
    return run(folder, f"from bnlib.cli import main\nsys.exit(main({list(arguments)!r}))")


def suite(folder, *arguments):
    return run(
        folder,
        f"import pytest\nsys.exit(pytest.main({['-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', *arguments]!r}))",
    )


def fingerprints(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_new_lesson_is_green_and_touches_no_other_file(copy):
    before = fingerprints(copy)
    assert "wrote bnlib/stubs/triples.py" in bnlib(copy, "new", "lesson", "triples")
    assert "added to tests/hidden/test_triples.py" in bnlib(copy, "new", "exercise", "triples.third")
    for name, changes in FILLED.items():
        path = copy / name
        head, mark, example = path.read_text().partition("Third" if path.suffix == ".ipynb" else "third")
        for old, new in changes.items():
            assert old in example, (name, old)
            example = example.replace(old, new)
        path.write_text(head + mark + example)
    # The kernel that `bnlib build` starts is a process of its own, and has to find the copy too.
    site = copy / "sitecustomize.py"
    site.write_text(
        "import sys\nsys.path.insert(0, '" + str(copy) + "')\n"
        "import importlib.machinery\n"
        "class First:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'bnlib':\n"
        "            return importlib.machinery.PathFinder.find_spec(name, ['" + str(copy) + "'])\n"
        "sys.meta_path.insert(0, First)\n"
    )
    bnlib(copy, "build", f"solutions/{NEXT}.ipynb")
    bnlib(copy, "release")
    site.unlink()
    after = fingerprints(copy)
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == set()
    added = {name for name in after if name not in before}
    assert added == {
        "bnlib/stubs/triples.py", "bnlib/checks/triples.py", f"solutions/{NEXT}.ipynb", f"notebooks/{NEXT}.ipynb",
        "tests/hidden/test_triples.py", "tests/equations/triples.py", "tests/answers/triples.txt",
    }  # fmt: skip
    modules = [f"tests/{name}.py" for name in ("test_equations", "hidden/test_triples", "test_answers", "test_course")]
    said = suite(copy, *modules, "-k", "triples")
    assert " passed" in said
    assert "failed" not in said


def test_what_is_written_keeps_the_projects_style(copy):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    new_lesson(copy, "styled")
    files = [str(path) for path in copy.rglob("*styled.py")]
    assert len(files) == 4
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *command, "--no-cache", *files], cwd=copy, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_what_cannot_be_written_is_said_in_one_line_and_nothing_is_touched(copy, tmp_path):
    before = fingerprints(copy)
    for write, name, words in (
        (new_lesson, "translation", "is there already"),
        (new_lesson, "Layer Norm", "small letters"),
        (new_lesson, "class", "small letters"),
        (new_exercise, "translation.center", "is there already"),
        (new_exercise, "translation", "small letters"),
        (new_exercise, f"nothing.{FIRST}", "bnlib new lesson nothing"),
    ):
        with pytest.raises(AuthoringError, match=words) as caught:
            write(copy, name)
        assert "\n" not in str(caught.value)
    with pytest.raises(AuthoringError, match="project's own folder"):
        new_lesson(tmp_path, "one")
    assert fingerprints(copy) == before
