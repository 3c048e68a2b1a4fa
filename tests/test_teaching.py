"""docs/teaching.md as it stands: every command of bnlib in it is run, in order, with the files it tells to write."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import zipfile
from datetime import datetime

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.notebooks import parse
from bnlib.stubs import translation

ROOT = Course().root
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


def blocks():
    """The document's code blocks: what kind each is, and its text."""
    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield found[2], re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE)


def test_the_week_of_a_teacher(tmp_path, monkeypatch, capfd):
    for name in ("bnlib", "solutions", "notebooks", "examples", "docs", "tests/hidden", ".github"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    collect(tmp_path / "submissions.zip", "02_translation", right={"center", "center_jacobian"})
    collect(tmp_path / "week-3.zip", "03_normalization", right={"batch_statistics"})
    (tmp_path / "canvas.csv").write_text(CANVAS)
    (tmp_path / "worksheet.csv").write_text(MOODLE)
    monkeypatch.chdir(tmp_path)
    ran = []
    for kind, text in blocks():
        if kind:
            (tmp_path / {"toml": "course.toml", "csv": "grades/overrides.csv"}[kind]).write_text(text)
            continue
        for line in text.splitlines():
            if line.startswith("bnlib "):
                fast = " --no-nbval --jobs 2" if line.startswith("bnlib grade ") else ""
                assert main(shlex.split(line + fast)[1:]) == 0, line + capfd.readouterr().err
                ran.append(line)
                if line.startswith("bnlib export canvas") and "--gradebook" in line:
                    filled = rows(tmp_path / "grades/canvas/grades.csv")
    assert len(ran) >= 7
    # John: center and center_jacobian (1 + 2), and 1 by hand; two begun days late cost a fifth. Clara: everything.
    assert [row[5] for row in filled] == ["Lesson 2 (200)", str(MOST), "3.2", str(MOST)]
    assert [row[4] for row in rows(tmp_path / "grades/moodle/grades.csv")] == ["Grade", "3.2", str(MOST)]
    assert "by hand" in (tmp_path / "grades/feedback/doejohn_4711.html").read_text("utf-8")
    assert [row[:2] for row in rows(tmp_path / "grades/canvas/grades.csv")][2:] == [
        ["doejohn", "4711"],
        ["musterclara", "4712"],
    ]
    head, john, clara = rows(tmp_path / "grades/gradebook.csv")
    assert {"02_translation score", "03_normalization score"} <= set(head)
    assert john[head.index("02_translation score")] == "3.2"
    assert clara[head.index("03_normalization score")] == clara[head.index("03_normalization max")]


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
