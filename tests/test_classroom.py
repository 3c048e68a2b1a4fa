"""The workflow for GitHub Classroom: its steps are run as they stand in the bundle; what the reporter reads is there."""

import base64
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from bnlib.grading.course import Course
from bnlib.release import bundle
from bnlib.stubs import lesson_of, lessons

ROOT = Course().root
LESSON = lesson_of("02")


def unpacked(folder, chosen=()):
    bundle(ROOT, folder / "learners.zip", chosen)
    with zipfile.ZipFile(folder / "learners.zip") as archive:
        archive.extractall(folder)
    root = folder / "batchnorm-gradient"
    return root, yaml.safe_load((root / ".github" / "workflows" / "classroom.yml").read_text("utf-8"))


def test_it_is_what_the_reporter_wants(tmp_path):
    """Its source asks for a check of this name, and for the result of each runner in a variable named after it."""
    _, workflow = unpacked(tmp_path)
    job = workflow["jobs"]["run-autograding-tests"]
    assert job["env"]["LESSONS"].split() == [f"notebooks/{lesson.key}.ipynb" for lesson in lessons()]
    assert workflow["permissions"]["checks"] == "write"
    reporter = job["steps"][-1]
    assert reporter["uses"].startswith("classroom-resources/autograding-grading-reporter@")
    runner = reporter["with"]["runners"]
    assert reporter["env"] == {f"{runner.upper()}_RESULTS": f"${{{{ steps.{runner}.outputs.result }}}}"}
    assert [step["id"] for step in job["steps"] if "id" in step] == [runner]


@pytest.mark.parametrize("kind", ["half-filled", "all-right"])
def test_points_are_reported_of_the_lesson_that_was_handed_out(tmp_path, kind):
    root, workflow = unpacked(tmp_path, [LESSON])
    handed = root / "notebooks" / f"{LESSON.key}.ipynb"
    assert list(root.rglob("*.ipynb")) == [handed]
    handed.write_bytes((ROOT / "examples" / "submissions" / f"{kind}.ipynb").read_bytes())
    files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = {
        **os.environ,
        **workflow["jobs"]["run-autograding-tests"]["env"],
        **{k: str(v) for k, v in files.items()},
    }
    environment |= {"PYTHONPATH": str(root), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = {}
    for step in workflow["jobs"]["run-autograding-tests"]["steps"]:
        if "run" in step and "pip install" not in step["run"]:  # what is installed here does, but bnlib is the bundle's
            done = subprocess.run(
                ["bash", "-e", "-c", step["run"]], cwd=root, env=environment, capture_output=True, text=True
            )
            ran[step["name"]] = done
    points, cells = ran.values()
    assert points.returncode == 0, points.stderr
    assert points.stdout.count("\n") == 2  # a head and one lesson
    assert cells.returncode == (kind != "all-right"), cells.stdout
    assert LESSON.key in files["GITHUB_STEP_SUMMARY"].read_text("utf-8")
    name, _, value = files["GITHUB_OUTPUT"].read_text("utf-8").strip().partition("=")
    told = json.loads(base64.b64decode(value))
    assert (name, told["version"], told["max_score"]) == ("result", 1, LESSON.points)
    assert [test["name"] for test in told["tests"]] == [f"{LESSON.key}: {stub}" for stub in LESSON.stubs]
    passed = [test["name"].split()[1] for test in told["tests"] if test["status"] == "pass"]
    assert passed == (list(LESSON.stubs) if kind == "all-right" else ["center", "center_jacobian"])
    assert told["status"] == ("pass" if kind == "all-right" else "fail")
    assert sum(test["score"] for test in told["tests"]) == (LESSON.points if kind == "all-right" else 3)


def test_a_notebook_that_cannot_be_read_has_no_points(tmp_path):
    (tmp_path / f"{LESSON.key}.ipynb").write_text("{")
    command = [sys.executable, "-m", "bnlib.cli", "progress", "--classroom", f"{LESSON.key}.ipynb"]
    environment = {**os.environ, "GITHUB_OUTPUT": str(tmp_path / "out")}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    told = json.loads(base64.b64decode((tmp_path / "out").read_text("utf-8").strip().partition("=")[2]))
    assert told["max_score"] == LESSON.points
    assert {(test["status"], test["score"]) for test in told["tests"]} == {("fail", 0)}
    assert "breaks off" in told["tests"][0]["message"]
    command[-1] = "other.ipynb"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
