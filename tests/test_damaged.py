"""A thousand damaged notebooks: each ends with a reason in one line, or is graded; none with a traceback."""

from __future__ import annotations

import json
import random

import pytest

from bnlib.grading.batch import Settings
from bnlib.grading.course import Course
from bnlib.grading.grade import grade
from bnlib.grading.submissions import collect, notebook_of
from bnlib.notebooks import NotebookError

WHOLE = (Course().root / "examples" / "submissions" / "half-filled.ipynb").read_bytes()
ODD = [None, True, 3, -1.5, "x", "", [], {}, [[]], {"a": 1}, ["x", 3], "\ud800", "\0", 10**400, float("nan")]


def places(value, path=()):
    """Every place in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def truncated(rng):
    return WHOLE[: rng.randrange(len(WHOLE))]


def noise(rng):
    data = bytearray(WHOLE)
    for _ in range(rng.randint(1, 30)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def wrong_type(rng):
    document = json.loads(WHOLE)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(PLACES)
        try:
            parent = at(document, path[:-1])
            parent[path[-1]] = rng.choice(ODD)
        except (LookupError, TypeError):
            continue
    return json.dumps(document).encode("utf-8", "replace")


def missing_field(rng):
    document = json.loads(WHOLE)
    for _ in range(rng.randint(1, 4)):
        path = rng.choice(PLACES)
        try:
            del at(document, path[:-1])[path[-1]]
        except (LookupError, TypeError):
            continue
    return json.dumps(document).encode()


def huge(rng):
    document = json.loads(WHOLE)
    cell = rng.choice(document["cells"])
    cell["source"] = rng.choice(
        ["x" * 300_000, "((" * 50_000, "1+" * 50_000 + "1", "a\n" * 100_000, "-" * 90_000 + "1"]
    )
    return json.dumps(document).encode()


def encoding(rng):
    text = WHOLE.decode()
    name = rng.choice(["utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037", "utf-7"])
    return text.encode(name, "replace")


def nested(rng):
    depth = rng.choice([50, 990, 5000, 100_000])
    inside = rng.choice([b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth])
    return rng.choice([inside, b'{"cells": ' + inside + b"}", WHOLE[:-2] + b', "x": ' + inside + b"}"])


def other(rng):
    return rng.choice(
        [b"", b"null", b"[]", b"3", b"\0" * 100, b"PK\3\4", b"%PDF-1.7", b"<html>", b'"' * 99, b"NaN", b"{}"]
    )


KINDS = [truncated, noise, wrong_type, missing_field, huge, encoding, nested, other]
PLACES = [path for path in places(json.loads(WHOLE)) if path]


def damaged(number):
    rng = random.Random(number)
    return KINDS[number % len(KINDS)](rng)


@pytest.mark.parametrize("start", range(0, 1000, 250))
def test_each_is_read_or_has_a_reason(start):
    for number in range(start, start + 250):
        try:
            notebook_of(f"s{number}.ipynb", damaged(number))
        except NotebookError as error:
            words = str(error)
            assert words.startswith(f"s{number}.ipynb: "), words
            assert len(words) > len(f"s{number}.ipynb: ") + 10
            assert "\n" not in words, words
            assert "Traceback" not in words
            assert len(words) < 400


def test_a_sample_through_the_whole_grader(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(48):
        (folder / f"s{number:03}.ipynb").write_bytes(damaged(number))
    (folder / "whole.ipynb").write_bytes(WHOLE)
    settings = Settings(nbval=False, call_seconds=1)
    summary = grade(folder, tmp_path / "out", wanted=["02_translation"], settings=settings, jobs=2)
    assert summary.ungraded == ()
    for submission in collect(folder).submissions:
        result = json.loads((tmp_path / "out" / "results" / f"{submission.slug}.json").read_text("utf-8"))
        said = json.dumps(result)
        assert "Traceback" not in said
        if result["score"] < result["max"]:
            assert result["reasons"] or any(
                each["message"] for each in result["lessons"]["02_translation"]["exercises"]
            )
    whole = json.loads((tmp_path / "out" / "results" / "whole.json").read_text("utf-8"))
    exercises = whole["lessons"]["02_translation"]["exercises"]
    right = {"center", "center_jacobian"}
    assert [each["status"] for each in exercises] == [
        "right" if each["name"] in right else "empty" for each in exercises
    ]
