"""nbgrader itself releases what ``bnlib export nbgrader`` wrote, and gives the points of the visible checks. ``make test-peers``."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from environments import ROOT, ready
from handed import EXAMPLES, cells, visible

from bnlib.release import WRITE_HERE, sources
from bnlib.stubs import lesson_of

BIN = ready("nbgrader")
pytestmark = pytest.mark.skipif(BIN is None, reason="nbgrader is not installed into build/peers: make test-peers")
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
    with (folder / "nbgrader_config.py").open("a") as config:  # one example holds an endless loop
        config.write("c.ExecutePreprocessor.timeout = 40\n")
    for kind, path in EXAMPLES.items():
        hand_in(folder, kind, "02_translation", path)
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
    wanted = {(kind, "02_translation"): sum(visible(kind).values()) for kind in EXAMPLES}
    assert given == {**wanted, ("teacher", "05_layer"): lesson_of("05").points}
    assert len(set(given.values())) > 3


def test_what_is_handed_in_through_its_exchange_is_graded(course, tmp_path):
    """Release, fetch, submit, collect; then ``bnlib grade`` of what lies in the exchange, and of what nbgrader collected."""
    exchange, learner = tmp_path / "exchange", tmp_path / "learner"
    learner.mkdir()
    exchange.mkdir()
    exchange.chmod(0o777)
    for folder in (course, learner):
        with (folder / "nbgrader_config.py").open("a") as config:
            config.write("c = get_config()\nc.CourseDirectory.course_id = 'batchnorm-gradient'\n")
            config.write(f"c.Exchange.root = {str(exchange)!r}\nc.Exchange.cache = {str(tmp_path / 'cache')!r}\n")
    nbgrader(course, "release_assignment", "02_translation")
    nbgrader(learner, "fetch_assignment", "02_translation")
    for student, kind in (("anna", "half-filled"), ("ben", "all-right"), ("anna", "sum-for-mean")):
        shutil.copyfile(EXAMPLES[kind], learner / "02_translation" / "02_translation.ipynb")
        nbgrader(learner, "submit", "02_translation", f"--student={student}")
    nbgrader(course, "collect", "02_translation")
    inbound, key = exchange / "batchnorm-gradient" / "inbound", "02_translation"
    assert len(list(inbound.iterdir())) == 3
    points = []
    for folder in (inbound, course / "submitted"):
        out = tmp_path / "out" / folder.name
        told = ["--out", str(out), "--no-nbval", "--jobs", "1", "--lesson", key, "--due", "2001-01-01"]
        subprocess.run([sys.executable, "-m", "bnlib.cli", "grade", str(folder), *told], check=True, cwd=ROOT)
        anna, ben = (json.loads((out / "results" / f"{name}.json").read_text("utf-8")) for name in ("anna", "ben"))
        points.append([each["lessons"][key]["score"] for each in (anna, ben)])
        for each, student in ((anna, "anna"), (ben, "ben")):
            handed = max(path.read_text() for path in folder.glob(f"{student}*/**/timestamp.txt"))
            said = each["lessons"][key]["file"]["handed"]
            assert said[:19].replace("T", " ") == handed[:19]
            assert handed.endswith("UTC")
            assert "late" in json.dumps(each["notes"])
    assert points[0] == points[1]
    assert 0 < points[0][0] < points[0][1] == lesson_of(key).points


def test_the_exam_is_handed_out_without_its_marking_scheme_and_marked_by_hand(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "bnlib.cli", "export", "nbgrader", str(tmp_path), "--exam", "2", "14"],
        check=True,
        cwd=ROOT,
    )
    nbgrader(tmp_path, "generate_assignment", "exam")
    released = cells(tmp_path / "release" / "exam" / "exam.ipynb")
    assert released["answer-2"]["source"] == f"**Your answer to 2** · 12 points, given by a person\n\n{WRITE_HERE}"
    hand_in(tmp_path, "ann", "exam", tmp_path / "release" / "exam" / "exam.ipynb")
    nbgrader(tmp_path, "autograde", "exam")
    read = "from nbgrader.api import Gradebook as G\nb = G('sqlite:///gradebook.db')\n"
    read += "print([(g.name, g.max_score, g.needs_manual_grade) for s in b.assignment_submissions('exam') for n in s.notebooks for g in n.grades])"
    done = subprocess.run([BIN / "python", "-c", read], cwd=tmp_path, capture_output=True, text=True)
    assert sorted(ast.literal_eval(done.stdout)) == [("answer-14", 10.0, False), ("answer-2", 12.0, False)], (
        "empty answers have 0"
    )
