"""One structure for what is known of a submission: it survives the way to the disk and back."""

from __future__ import annotations

import json

import pytest

from bnlib.grading.result import ByHand, CellResult, Exercise, FileResult, LessonResult, NbvalResult, Result, tidy

EXERCISES = (
    Exercise("center", 0.5, "right", remarks=("out is float32",), passed=3, tests=3, replayed=True),
    Exercise("center_backward", 3, "wrong", "a path is missing", ("mean-path",), passed=1, tests=7),
)
LESSON = LessonResult(
    "02_translation",
    "Only the translation",
    EXERCISES,
    nbval=NbvalResult(False, "", "", "isolated", 3, (CellResult("c1", "failed", "NameError"),)),
    flags=("look",),
    key="abc",
    file=FileResult("anna.ipynb", "02_translation", "00"),
)
RESULT = Result(
    "anna",
    "anna",
    {"02_translation": LESSON},
    notes=("a note",),
    faults=("a fault",),
)


def test_a_result_is_the_same_after_the_disk():
    assert Result.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT


def test_sums_are_written_for_readers_and_computed_when_read():
    written = RESULT.to_json()
    assert (written["score"], written["max"], written["flags"]) == (0.5, 3.5, ["a fault", "02_translation look"])
    assert written["lessons"]["02_translation"]["exercises"][0]["score"] == 0.5
    written["score"] = written["lessons"]["02_translation"]["score"] = 100
    assert Result.from_json(written).score == 0.5


@pytest.mark.parametrize("data", [[], {}, {"student": "a"}, {"student": "a", "slug": "a", "lessons": {"02": 3}}])
def test_what_is_no_result_is_an_error_that_can_be_caught(data):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Result.from_json(data)


@pytest.mark.parametrize(("decision", "ungraded"), [(None, True), (ByHand(None, "see me"), True), (ByHand(0), False)])
def test_what_could_not_be_graded_is_open_until_a_person_decides(decision, ungraded):
    lesson = LessonResult("02_translation", "", (Exercise("center", 1, "not graded", by_hand=decision),))
    assert Result("anna", "anna", {"02_translation": lesson}).ungraded is ungraded


def test_points_are_whole_or_have_few_decimals():
    assert [tidy(sum([0.1] * count)) for count in (3, 10)] == [0.3, 1]
    assert isinstance(tidy(3.0), int)
