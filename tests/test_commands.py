"""Every command that README and docs tell to type, as it stands there: run in a copy of the course, or listed with the reason why not."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from bnlib.grading.course import Course
from bnlib.notebooks import parse
from bnlib.stubs import translation

ROOT = Course().root
DOCUMENTS = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
PROGRAMS = [
    "bnlib",
    "make",
    "python",
    "python3",
    "py",
    "pip",
    "pytest",
    "jupyter",
    "jupytext",
    "conda",
    "nbgrader",
    "otter",
    "uv",
    ".",
]
"""What a command begins with; a dot is the shell's."""

INSTALLS = "installs packages: .ci/run begins so, and tests/test_install.py asks the same of wheel and make"
WINDOWS = "for Windows: docs/platforms.md says that nobody tests there"
MEASURES = "measures for minutes; benchmarks are no tests"
BROWSER = "needs a browser: make test-browser runs it"
NOT_RUN = {
    ". .venv/bin/activate": "steers the shell that it is typed in",
    ".venv/bin/jupyter lab notebooks/": "opens a browser; what `make lab` opens is what tests/browser works in",
    '.venv/bin/pip install -c constraints.txt -e ".[lab,grade]"': INSTALLS,
    ".venv\\Scripts\\python -m jupyterlab notebooks": WINDOWS,
    '.venv\\Scripts\\python -m pip install -c constraints.txt -e ".[lab,grade]"': WINDOWS,
    "conda activate bnlib": "needs conda",
    "conda env create -f environment.yml": "needs conda; tests/test_project.py compares the file with pyproject.toml",
    "jupyter lab notebooks/": "needs conda",
    "make docs": "tests/test_site.py runs what it runs",
    "make lab": BROWSER,
    "make lint": "a job of CI",
    "make notebooks": "executes all lessons for minutes; its three commands are run here, on fewer",
    "make pdf": BROWSER,
    "make test": "is what runs this",
    "make test-browser": BROWSER,
    "make test-lowest": INSTALLS,
    "make test-peers": INSTALLS,
    "nbgrader generate_assignment 02_translation": "needs nbgrader: make test-peers runs it",
    "otter assign 02_translation.ipynb 02_translation": "needs otter-grader: make test-peers runs it",
    "pip install 'bnlib[dask]'": INSTALLS,
    "py -m venv .venv": WINDOWS,
    "python benchmarks/backward.py": MEASURES,
    "python benchmarks/diagnosis.py": MEASURES,
    "python benchmarks/grading.py": MEASURES,
    "python benchmarks/knowledge.py": MEASURES,
    "python benchmarks/messages.py": MEASURES,
    "python benchmarks/messages.py --not-yet": MEASURES,
    "python benchmarks/misprinted.py": MEASURES,
    "python3 -m venv .venv": INSTALLS,
    "uv run jupyter lab notebooks/": "needs uv, and opens a browser",
    "uv sync --extra lab --extra grade": INSTALLS + "; of uv.lock, tests/test_project.py",
}


def commands(path):
    """The commands of a document, block by block and then those in the text; what has no argument there is a name."""
    text = path.read_text(encoding="utf-8")
    fence = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
    blocks = [line.strip() for found in fence.finditer(text) if not found[2] for line in found[3].splitlines()]
    inline = [" ".join(found[2].split()) for found in re.finditer(r"(`+)(.+?)\1", fence.sub("", text), re.DOTALL)]
    for written in blocks + [
        each for each in inline if len(each.split()) > 2 or each.startswith(("make ", "python ", ". "))
    ]:
        for command in re.sub(r"\s+#.*", "", written).split(" && "):
            program = next((word for word in command.split() if "=" not in word), "")
            drawn = "   " in command
            if re.sub(r"^\.venv[/\\](bin|Scripts)[/\\]", "", program) in PROGRAMS and not drawn:
                yield command


TOLD = {path.stem: list(commands(path)) for path in DOCUMENTS}
STORY = "teaching"
"""The document whose commands are run in its own order, with the files that it tells to write."""


MOST = translation.lesson.points - 1.5
"""The points of lesson 02 in that course, in which one exercise is worth half."""
CANVAS = f"""\
Student,ID,SIS User ID,SIS Login ID,Section,Lesson 2 (200)
    Points Possible,,,,,{MOST}
"Doe, John",4711,s1,jdoe,A,
"Muster, Clara",4712,s2,cmuster,B,
"""
MOODLE = f"""\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade)
Participant 4711,John Doe,j@example.org,Submitted for grading,,{MOST:.2f},-
Participant 4712,Clara Muster,c@example.org,Submitted for grading,,{MOST:.2f},-
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course in which commands are typed: two submissions, and a .venv that make takes for its own."""
    folder = tmp_path_factory.mktemp("typed") / "course"
    for name in ("bnlib", "docs", "notebooks", "solutions", "examples", "tests", ".github"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "site", "browser"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    for path in (folder / "examples" / "submissions").iterdir():
        if path.name not in ("sum-for-mean.ipynb", "half-filled.ipynb"):
            path.unlink()
    (folder / "FOLDER").mkdir()
    shutil.copy(
        ROOT / "examples" / "submissions" / "half-filled.ipynb",
        folder / "FOLDER" / "doejohn_4711_900001_02_translation.ipynb",
    )
    (folder / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    key = subprocess.run("cat pyproject.toml constraints.txt | cksum", shell=True, cwd=folder, capture_output=True)
    for stamp in (".made-by-make", ".bnlib-run"):
        (folder / ".venv" / stamp).write_text(f"{key.stdout.decode().strip()} {folder}\n")
    return folder


def typed(command, folder):
    """What a shell makes of a command in a folder whose ``.venv/bin`` is on the path."""
    environment = {**os.environ, "PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_list_of_what_is_not_run_is_exact():
    told = {command for commands in TOLD.values() for command in commands}
    assert set(NOT_RUN) <= told
    assert len(told - set(NOT_RUN)) > 20


@pytest.mark.parametrize("target", sorted({c for cs in TOLD.values() for c in cs if c.startswith("make ")}))
def test_make_knows_what_it_is_told_to_make(course, target):
    assert typed(f"{target} --dry-run", ROOT)


def test_the_week_of_a_teacher(course):
    collect(course / "submissions.zip", "02_translation", right={"center", "center_jacobian"})
    collect(course / "week-3.zip", "03_normalization", right={"batch_statistics"})
    (course / "canvas.csv").write_text(CANVAS)
    (course / "worksheet.csv").write_text(MOODLE)
    text = (ROOT / "docs" / f"{STORY}.md").read_text(encoding="utf-8")
    files = re.findall(r"^```(toml|csv)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in files] == ["toml", "csv"]
    (course / "course.toml").write_text(files[0][1])
    first, again = (
        number for number, command in enumerate(TOLD[STORY]) if command.startswith("bnlib grade submissions.zip")
    )
    for number, command in enumerate(TOLD[STORY]):
        if number == again:
            (course / "grades" / "overrides.csv").write_text(files[1][1])
        if command not in NOT_RUN:
            typed(command + (" --no-nbval --jobs 2" if command.startswith("bnlib grade ") else ""), course)
        if "--gradebook" in command:
            filled = rows(course / "grades/canvas/grades.csv")
    # John: center and center_jacobian (1 + 2), and 1 by hand; two begun days late cost a fifth. Clara: everything.
    assert [row[5] for row in filled] == ["Lesson 2 (200)", str(MOST), "3.2", str(MOST)]
    assert [row[4] for row in rows(course / "grades/moodle/grades.csv")] == ["Grade", "3.2", str(MOST)]
    assert "by hand" in (course / "grades/feedback/doejohn_4711.html").read_text("utf-8")
    assert [row[:2] for row in rows(course / "grades/canvas/grades.csv")][2:] == [
        ["doejohn", "4711"],
        ["musterclara", "4712"],
    ]
    head, john, clara = rows(course / "grades/gradebook.csv")
    assert {"02_translation score", "03_normalization score"} <= set(head)
    assert john[head.index("02_translation score")] == "3.2"
    assert clara[head.index("03_normalization score")] == clara[head.index("03_normalization max")]
    (course / "course.toml").unlink()
    with zipfile.ZipFile(course / "course.zip") as bundle:
        assert b"github.com/OWNER/REPOSITORY" in bundle.read("batchnorm-gradient/notebooks/01_chain_rule.ipynb")


def test_all_other_commands(course):
    """In the order of :data:`DOCUMENTS`; those of learners in the bundle of a lesson, which is filled, those of authors with one lesson."""
    learner = course.parent / "batchnorm-gradient"
    done = {"bnlib release --lesson 02 --zip week-2.zip"}
    typed(*done, course)
    shutil.unpack_archive(course / "week-2.zip", course.parent)
    shutil.copy(ROOT / "solutions" / "02_translation.ipynb", learner / "notebooks")
    (learner / ".venv").symlink_to(course / ".venv")
    for name, told in TOLD.items():
        if name == "CONTRIBUTING":
            for path in (course / "solutions").glob("*.ipynb"):
                if path.stem != "02_translation":
                    path.unlink()
        for command in told:
            same = re.sub(r"^\.venv/bin/(python -m (?=pytest))?", "", command)
            if name != STORY and command not in NOT_RUN and same not in done:
                typed(command, learner if re.search("nbval-lax|bnlib progress", command) else course)
                done.add(same)


def collect(path, lesson, right):
    """What Canvas hands out: John has some right and is late, Clara has everything."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, kept, day in (("doejohn_LATE_4711_900001", right, 22), ("musterclara_4712_900002", None, 19)):
            document = parse(ROOT / "solutions" / f"{lesson}.ipynb")
            for cell in document["cells"]:
                if "### BEGIN" in cell["source"] and kept is not None and cell["id"] not in kept:
                    cell["source"] = re.sub(
                        r"### BEGIN.*### END SOLUTION", "return None", cell["source"], flags=re.DOTALL
                    )
            info = zipfile.ZipInfo(f"{name}_{lesson}.ipynb", datetime(2026, 11, day, 12).timetuple()[:6])
            archive.writestr(info, json.dumps(document))


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
