"""A small version of ``benchmarks/diagnosis.py``: nothing wrong is accepted, nothing right rejected, most mistakes named."""

from __future__ import annotations

import functools
import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import diagnosis as benchmark
from wrong_answers import exercises

from bnlib.grading.batch import Settings
from bnlib.grading.course import Course
from bnlib.grading.grade import grade
from bnlib.notebooks import parse
from bnlib.stubs import lesson_of, lessons

EXERCISES = {exercise.id: exercise for exercise in exercises()}
SINGLES, PAIRS = 20, 12
"""So many of each exercise, drawn with a fixed seed."""


@pytest.fixture(autouse=True, scope="module")
def empty():
    """The bench runs reference notebooks, which fill the stubs: other modules find them empty again."""
    yield
    for lesson in lessons():
        for stub in lesson.stubs.values():
            stub.answer = None


@functools.cache
def bench(name):
    lesson, exercise = name.split(".")
    return benchmark.Bench(lesson_of(lesson).stubs[exercise])


@functools.cache
def tallies(count, most):
    """What the check says about wrong answers with so many slips, exercise by exercise."""
    drawn = random.Random(3)
    return {
        name: benchmark.judge(bench(name), benchmark.programs(bench(name), exercise, count, drawn, most))
        for name, exercise in EXERCISES.items()
    }


def total(tallied):
    return sum((tally.counts for tally in tallied.values()), Counter())


@pytest.mark.parametrize(("count", "most", "target"), [(1, SINGLES, benchmark.SINGLES), (2, PAIRS, benchmark.PAIRS)])
def test_wrong_answers_fail_and_are_named(count, most, target):
    found = total(tallies(count, most))
    misses = "\n".join(miss for tally in tallies(count, most).values() for miss in tally.misses)
    assert found.total() > 100
    assert not found["accepted"], misses
    assert found["right"] >= target * found.total(), misses


@pytest.mark.parametrize("name", EXERCISES)
def test_right_answers_in_every_style_pass(name):
    tried, failed = benchmark.rejected(bench(name), EXERCISES[name])
    assert tried >= 6
    assert not failed, "\n".join(failed)


def test_every_style_can_be_made_wrong_and_every_slip_can_be_written():
    for exercise in EXERCISES.values():
        assert len(exercise.styles) >= 3
        written = list(exercise.wrong(1))
        assert {program.style for program in written} == set(exercise.styles), exercise.id
        possible = {slip.label for program in written for slip in program.slips}
        assert possible == {slip.label for slip in exercise.slips}, exercise.id


def test_a_slip_is_recorded_by_name_in_the_grader_s_result(tmp_path):
    """The words of the learner's own check are those of the teacher's counts."""
    document = parse(Course().root / "notebooks" / "02_translation.ipynb")
    for cell in document["cells"]:
        if cell.get("id") == "center_backward":
            head = cell["source"][: cell["source"].index("    # your code here")]
            cell["source"] = f"{head}    return dout * (1 - 1 / len(dout))"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "anna.ipynb").write_text(json.dumps(document))
    grade(tmp_path / "in", tmp_path / "out", settings=Settings(nbval=False))
    result = json.loads((tmp_path / "out" / "results" / "anna.json").read_text())
    found = result["lessons"]["02_translation"]["exercises"]
    assert next(entry for entry in found if "center_backward" in json.dumps(entry))["mistakes"] == ["only-the-diagonal"]
