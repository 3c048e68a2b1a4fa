"""otter itself assigns what ``bnlib export otter`` wrote, and gives the points of the visible checks. ``make test-peers``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from environments import ROOT, ready
from handed import EXAMPLES, cells, visible

from bnlib.release import sources
from bnlib.stubs import lesson_of

BIN = ready("otter")
pytestmark = pytest.mark.skipif(BIN is None, reason="otter is not installed into build/peers: make test-peers")
TESTED = ("02", "05")
"""Lessons whose tests ``otter assign`` runs on the answers; one has a class."""


def otter(*arguments, cwd):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([BIN / "otter", *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def assigned(tmp_path_factory):
    """The folder in which otter wrote, for each lesson, what students get and its autograder."""
    folder = tmp_path_factory.mktemp("otter")
    subprocess.run([sys.executable, "-m", "bnlib.cli", "export", "otter", str(folder)], check=True, cwd=ROOT)
    for path in sources(ROOT / "solutions"):
        run = [] if path.stem[:2] in TESTED else ["--no-run-tests"]
        otter("assign", path.name, path.stem, "--no-pdfs", *run, cwd=folder)
    return folder


def points(assigned, path, out):
    """What ``otter run`` gives a notebook, by exercise."""
    (autograder,) = (assigned / "02_translation" / "autograder").glob("*.zip")
    otter("run", path, "-a", autograder, "-o", out, "--no-logo", cwd=out)
    tests = json.loads((out / "results.json").read_text("utf-8"))["tests"]
    return {test["name"]: test["score"] for test in tests if "score" in test}


def test_what_it_hands_out_is_our_release(assigned):
    for path in sources(ROOT / "solutions"):
        handed = assigned / path.stem / "student" / path.name
        theirs = [cell["source"] for cell in json.loads(handed.read_text("utf-8"))["cells"]]
        ours = [cell["source"] for name, cell in cells(ROOT / "notebooks" / path.name).items() if name != "install"]
        assert ["".join(text) for text in theirs] == ours


@pytest.mark.parametrize("kind", sorted(EXAMPLES.keys() - {"endless-loop"}))  # which `otter run` never ends
def test_it_gives_the_points_of_the_visible_checks(assigned, kind, tmp_path):
    wanted = visible(kind)
    if kind == "tampers-with-the-check":  # its `check` is not the one that otter's test calls
        wanted["center_backward"] = 0
    assert points(assigned, EXAMPLES[kind], tmp_path) == wanted


def test_it_cannot_tell_who_changes_the_checks_themselves(assigned, tmp_path):
    """docs/teaching.md says so: tests run in the learner's own process."""
    notebook = nbformat.read(EXAMPLES["half-filled"], as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import bnlib\nbnlib.check = lambda stub: None"))
    nbformat.write(notebook, tmp_path / "cheats.ipynb")
    given = points(assigned, tmp_path / "cheats.ipynb", tmp_path)
    assert sum(given.values()) == lesson_of("02").points > sum(visible("half-filled").values())
    graded = [sys.executable, "-m", "bnlib.cli", "grade", str(tmp_path), "--lesson", "02", "--no-nbval", "--jobs", "1"]
    subprocess.run([*graded, "--out", str(tmp_path / "out")], check=True, cwd=ROOT)
    said = json.loads((tmp_path / "out" / "results" / "cheats.json").read_text("utf-8"))
    assert said["lessons"]["02_translation"]["score"] < lesson_of("02").points
