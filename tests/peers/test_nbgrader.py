"""nbgrader itself releases what ``bnlib export nbgrader`` wrote, and gives the points of the visible checks. ``make test-peers``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from environments import ROOT, ready

from bnlib.notebooks import parse
from bnlib.release import sources
from bnlib.stubs import lesson_of

BIN = ready("nbgrader")
pytestmark = pytest.mark.skipif(BIN is None, reason="nbgrader is not installed into build/peers: make test-peers")
KINDS = ("all-right", "half-filled", "raises", "sum-for-mean", "tampers-with-the-check")
READ = """
import json
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    found = [(s.student.id, a.name, s.score) for a in book.assignments for s in a.submissions]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course as nbgrader sees it, after its release and a run of autograde."""
    folder = tmp_path_factory.mktemp("nbgrader")
    subprocess.run([sys.executable, "-m", "bnlib.cli", "export", "nbgrader", str(folder)], check=True, cwd=ROOT)
    for path in sources(ROOT / "solutions"):
        nbgrader(folder, "generate_assignment", path.stem)
    for kind in KINDS:
        hand_in(folder, kind, "02_translation", ROOT / "examples" / "submissions" / f"{kind}.ipynb")
    hand_in(folder, "teacher", "05_layer", folder / "source" / "05_layer" / "05_layer.ipynb")
    for key in ("02_translation", "05_layer"):
        nbgrader(folder, "autograde", key)
    return folder


def nbgrader(folder, *arguments):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([BIN / "nbgrader", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def hand_in(folder, student, key, path):
    target = folder / "submitted" / student / key / f"{key}.ipynb"
    target.parent.mkdir(parents=True)
    shutil.copyfile(path, target)


def cells(path):
    return {cell["id"]: cell for cell in parse(path)["cells"]}


def test_its_release_is_ours_with_a_remark_in_derivations(course):
    for path in sources(ROOT / "solutions"):
        lesson = lesson_of(path.stem)
        theirs, ours = cells(course / "release" / path.stem / path.name), cells(ROOT / "notebooks" / path.name)
        for name, cell in theirs.items():
            text = cell["source"]
            if name in lesson.stubs and name not in lesson.functions:
                text = text.replace("# your code here\n", "", 1)
            assert text == ours[name]["source"]


def test_checks_are_locked_and_have_checksums(course):
    for path in sources(ROOT / "solutions"):
        found = cells(course / "release" / path.stem / path.name)
        for name, stub in lesson_of(path.stem).stubs.items():
            check, answer = found[f"check-{name}"]["metadata"], found[name]["metadata"]
            assert check["editable"] is False
            assert check["nbgrader"]["locked"] is True
            assert check["nbgrader"]["points"] == stub.points
            assert check["nbgrader"]["checksum"]
            assert answer["nbgrader"]["checksum"]


def test_it_gives_the_points_of_the_visible_checks(course):
    """Also to who replaced a check's machinery: a grader in the learner's own process cannot know better."""
    read = subprocess.run([BIN / "python", "-c", READ], cwd=course, capture_output=True, text=True, check=True)
    given = {(student, key): score for student, key, score in json.loads(read.stdout)}
    wanted = {(kind, "02_translation"): visible(kind) for kind in KINDS}
    assert given == {**wanted, ("teacher", "05_layer"): lesson_of("05").points}
    assert len(set(given.values())) > 3


def visible(kind):
    """The points of the checks that passed when an example was run."""
    found = cells(ROOT / "examples" / "submissions" / f"{kind}.ipynb")
    stubs = lesson_of("02").stubs
    return sum(
        stub.points
        for name, stub in stubs.items()
        if not any(output["output_type"] == "error" for output in found[f"check-{name}"]["outputs"])
    )
