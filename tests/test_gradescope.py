"""Gradescope: the zip grades as the command does, and results.json says what students may know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from gradescope_results import faults

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.grading.reports.gradescope import build_zip, results
from bnlib.grading.result import ByHand, Exercise, LessonResult, Result
from bnlib.grading.rules import read_rules, secret_seed
from bnlib.stubs import translation

EXAMPLES = Course().root / "examples" / "submissions"


def test_the_zip_grades_a_submission(tmp_path):
    names = build_zip(tmp_path / "autograder.zip", [translation.lesson])
    assert {"setup.sh", "run_autograder", "solutions/02_translation.ipynb", "tests/hidden/test_translation.py"} <= set(
        names
    )
    assert not [name for name in names if name.startswith(("notebooks", "examples", "tests/test_"))]
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        archive.extractall(tmp_path / "source")
        assert archive.getinfo("run_autograder").external_attr >> 16 == 0o100755
    run = (tmp_path / "source" / "run_autograder").read_text()
    assert "--lesson 02_translation\n" in run
    out = tmp_path / "results.json"
    handed = tmp_path / "submission"
    handed.mkdir()
    (handed / "my homework (3).ipynb").write_bytes((EXAMPLES / "mean-path-missing.ipynb").read_bytes())
    command = [sys.executable, "-m", "bnlib.cli", "gradescope", "results", str(handed), "--out", str(out), "--no-nbval"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "source")}
    command += ["--lesson", "02_translation"]
    subprocess.run(command, check=True, cwd=tmp_path / "source", env=environment)
    said = json.loads(out.read_text())
    assert faults(said) == []
    points = [stub.points for stub in translation.lesson.stubs.values()]
    assert said["score"] == sum(points[:-1])
    assert [test["score"] for test in said["tests"]] == [*points[:-1], 0]
    assert "path through the mean" in said["tests"][-1]["output"]
    assert {test["visibility"] for test in said["tests"]} == {"visible"}
    assert {test["status"] for test in said["tests"]} == {"passed", "failed"}


def test_the_set_up_leaves_answers_and_seed_to_its_own_user(tmp_path):
    """A learner's process there is another user's; where the kernel has no Landlock, nothing else hides these files."""
    build_zip(tmp_path / "autograder.zip", [translation.lesson])
    source = tmp_path / "source"
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        archive.extractall(source)
    for name, does in (
        ("apt-get", ""),
        ("python3", 'mkdir -p "$3/bin"; echo "#!/bin/sh" > "$3/bin/pip"; chmod +x "$3/bin/pip"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    for path in (source, *source.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    environment = {**os.environ, "AUTOGRADER": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", source / "setup.sh"], check=True, env=environment)
    closed = [
        source / "course.toml",
        *(p for each in ("solutions", "tests") for p in (source / each, *(source / each).rglob("*"))),
    ]
    assert len(closed) > 10
    assert [path for path in closed if path.stat().st_mode & 0o077] == []
    assert (source / "bnlib" / "stubs" / "translation.py").stat().st_mode & 0o044 == 0o044


def test_what_cannot_be_read_is_said(tmp_path):
    out = tmp_path / "results.json"
    arguments = ["--out", str(out), "--no-nbval", "--lesson", "02_translation"]
    assert main(["gradescope", "results", str(EXAMPLES / "not-json.ipynb"), *arguments]) == 0
    said = json.loads(out.read_text())
    assert faults(said) == []
    assert said["score"] == 0
    assert "is not a notebook" in said["output"]
    assert main(["gradescope", "results", str(tmp_path / "nothing"), *arguments]) == 1
    said = json.loads(out.read_text())
    assert faults(said) == []
    assert "no fault of yours" in said["output"]


def test_flags_are_for_the_teacher():
    lesson = LessonResult("02_translation", "", (Exercise("center", 1, "not graded", "secret"),), flags=("look",))
    said = results(Result("anna", "anna", {"02_translation": lesson}))
    assert said["extra_data"]["flags"] == ["02_translation look"]
    assert "secret" not in json.dumps(said)


def test_the_zip_has_the_rules_of_the_course_and_no_name(tmp_path):
    """One seed for all containers: each grades one student, and all must be asked the same."""
    root = tmp_path / "course"
    for name in build_zip(tmp_path / "whole.zip"):
        if (Course().root / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((Course().root / name).read_bytes())
    (root / "course.toml").write_text(
        'title = "Deep"\nroster = ["anna"]\ndue = 2026-11-20\n[extensions.anna]\n02 = 2026-11-22\n'
        '[points.translation]\ncenter = 1.5\n[gradescope]\nvisibility = "after_published"\n'
    )
    for _ in range(2):
        build_zip(tmp_path / "autograder.zip", [translation.lesson], Course(root))
        with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
            (tmp_path / "packed.toml").write_bytes(archive.read("course.toml"))
        assert "anna" not in (tmp_path / "packed.toml").read_text()
        rules = read_rules(tmp_path / "packed.toml")
        assert (rules.title, rules.visibility, rules.points) == ("Deep", "after_published", {"translation.center": 1.5})
        assert rules.seed == secret_seed(tmp_path / "autograder.zip")


def test_tests_are_seen_when_the_course_says(tmp_path):
    right = Exercise("center", 1, "right")
    by_hand = Exercise("center", 1, "wrong", "a sum", by_hand=ByHand(0.5, "a good idea"))
    for each, score, words in (
        (right, 1, "Passes"),
        (by_hand, 0.5, "a sum\nYour teacher gave 0.5 of 1 points by hand: a good idea"),
    ):
        lessons = {"02_translation": LessonResult("02_translation", "", (each,))}
        said = results(Result("anna", "anna", lessons, reasons=("x.ipynb: damaged",)), "after_published")
        assert faults(said) == []
        (test,) = said["tests"]
        assert test["visibility"] == "after_published"
        assert test["score"] == score
        assert words in test["output"]
        assert said["visibility"] == "visible"
        assert "damaged" in said["output"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"visibility": "never"}, "$.visibility"),
        ({"tests": [{"score": "1"}]}, "$.tests[0].score"),
        ({"tests": [{"status": "ok"}]}, "$.tests[0].status"),
        ({"points": 1}, "$"),
    ],
)
def test_what_gradescope_would_not_understand_is_found(change, where):
    lessons = {"02_translation": LessonResult("02_translation", "", (Exercise("center", 1, "right"),))}
    (fault,) = faults({**results(Result("anna", "anna", lessons)), **change})
    assert fault.startswith(f"{where}: ")
    assert faults({"tests": [{"name": "center"}]}) != []


def test_an_unknown_lesson_is_one_line(tmp_path, capsys):
    assert main(["gradescope", "zip", "--out", str(tmp_path / "x.zip"), "--lesson", "99"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path(tmp_path, "x.zip").exists()
