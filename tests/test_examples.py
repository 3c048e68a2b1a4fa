"""The example submissions end with the right score and a reason in plain words, and none stops the run."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bnlib.grading.batch import Settings
from bnlib.grading.grade import grade
from bnlib.stubs import translation

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "submissions"

POINTS = {stub.name: stub.points for stub in translation.lesson.stubs.values()}
ALL = sum(POINTS.values())


def without(*names):
    """The points when these exercises earn none."""
    return ALL - sum(POINTS[name] for name in names)


EXPECTED = {
    "all-right": (ALL, "", ""),
    "answer-cell-deleted": (without("center_jacobian_full"), "center_jacobian_full: There is no answer cell", ""),
    "endless-loop": (
        without("center_backward"),
        "center_backward: Raised Timeout: center_backward took longer than 1 s",
        "",
    ),
    "half-filled": (
        without("center_slopes", "center_jacobian_full", "center_gradient", "center_backward"),
        "center_jacobian_full: Still empty; center_gradient: Still empty; center_backward: Still empty",
        "",
    ),
    "helper-in-extra-cell": (ALL, "", ""),
    "magics-in-answer": (ALL, "", ""),
    "mean-path-missing": (
        without("center_backward"),
        "the path through the mean (the second term of eq. 2.9) is missing",
        "",
    ),
    "not-json": (0, "not-json.ipynb: is not a notebook: its JSON breaks off or is damaged", ""),
    "prints-and-warns": (ALL, "", "prints something else than the solution"),
    "raises": (
        without("center_jacobian"),
        "center_jacobian: Raised IndexError: index 3 is out of bounds",
        "",
    ),
    "right-written-differently": (ALL, "", ""),
    "several-files": (ALL, "", ""),
    "tampers-with-the-check": (
        without("center_backward"),
        "the path through the mean (the second term of eq. 2.9) is missing",
        "tampering",
    ),
    "sum-for-mean": (
        without("center", "center_backward"),
        "center: The sum over the batch was subtracted where the mean belongs",
        "",
    ),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Where the folder was graded, once for all tests, nbval included."""
    target = tmp_path_factory.mktemp("grades") / "out"
    settings = Settings(call_seconds=1, cell_seconds=5, notebook_seconds=60)
    summary = grade(EXAMPLES, target, wanted=["02_translation"], settings=settings, jobs=2)
    assert summary.ungraded == ()
    return target


@pytest.fixture(scope="module")
def rows(out):
    with (out / "gradebook.csv").open(encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_every_example_is_graded(rows):
    assert set(rows) == set(EXPECTED) == {path.stem for path in EXAMPLES.iterdir()}


@pytest.mark.parametrize("name", EXPECTED)
def test_score_and_reason(rows, out, name):
    score, words, flag = EXPECTED[name]
    row = rows[name]
    assert (int(row["total"]), int(row["max"])) == (score, ALL)
    assert words in row["reason"]
    assert bool(row["reason"]) == (score < ALL)
    assert flag in row["flags"]
    assert bool(row["flags"]) == bool(flag)
    page = (out / "feedback" / f"{name}.html").read_text("utf-8")
    assert f"{score} of {ALL} points" in page


def test_nbval_saw_every_notebook(out):
    for path in (out / "results").glob("*.json"):
        lesson = json.loads(path.read_text("utf-8"))["lessons"]["02_translation"]
        assert (lesson["nbval"] is None) == (path.stem == "not-json")
        if lesson["nbval"]:
            quiet = lesson["score"] == ALL and path.stem != "prints-and-warns"
            assert lesson["nbval"]["passed"] == quiet, path.stem


def test_of_several_files_the_newest_counts_and_it_is_said(out):
    page = (out / "feedback" / "several-files.html").read_text("utf-8")
    assert "several-files.zip/lesson/02_translation.ipynb: passed over" in page
    assert "several-files.zip/lesson/second try.ipynb is newer" in page


def test_a_check_that_was_replaced_is_found_by_the_replay(rows):
    flags = rows["tampers-with-the-check"]["flags"]
    assert flags == (
        "02_translation center_backward: its check passes in the notebook and not when replayed: "
        "hidden state or tampering"
    )


def test_the_examples_are_what_their_script_makes():
    script = [sys.executable, str(ROOT / "examples" / "make_submissions.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
