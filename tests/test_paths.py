"""docs/paths.md, and the hours that README and lessons tell: what they say of exercises and minutes is what the contracts say."""

import json
import os
import re
import subprocess
import sys

import pytest

from bnlib.grading.course import Course
from bnlib.notebooks import parse
from bnlib.stubs import lesson_of, lessons

ROOT = Course().root
README = (ROOT / "README.md").read_text(encoding="utf-8")
WAYS = (ROOT / "docs" / "paths.md").read_text(encoding="utf-8").split("\n## ")[1:]
WORDS = {"an hour and a half": 90, "two hours": 120, "three hours": 180, "four hours": 240}
READING = 4 / 3
"""What the text between the exercises adds to their minutes."""

WALK = """
import contextlib, io, json, sys
from IPython.core.interactiveshell import InteractiveShell

for cells in json.load(sys.stdin):
    shell = InteractiveShell()
    for name, source in cells:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            ran = shell.run_cell(source)
        error = ran.error_in_exec or ran.error_before_exec
        print(json.dumps([name, error and f"{type(error).__name__}: {error}"]))
"""
"""Runs the cells of some lessons as a learner does who goes on behind an error; prints how each cell ended."""


def minutes(lesson):
    return sum(stub.minutes for stub in lesson.stubs.values())


def told(lesson):
    """The minutes that the first cell of a lesson says."""
    first = parse(ROOT / "notebooks" / f"{lesson.key}.ipynb")["cells"][0]["source"]
    words = re.search(r"\*\*Time\*\*: about ([\w ]+)", first)[1]
    return WORDS[words] if words in WORDS else int(words.removesuffix(" minutes"))


def taken(way):
    """The exercises of a way, each once, as the rows name them."""
    found = []
    for lesson, names, total in re.findall(r"^\|.*?\[(\d\d)\].*?\|(.*)\| (\d+) \|$", way, re.MULTILINE):
        stubs = lesson_of(lesson).stubs
        row = list(stubs) if names.strip() == "all" else re.findall(r"`(\w+)`", names)
        assert sum(stubs[name].minutes for name in row) == int(total), names
        found += [stubs[name] for name in row]
    assert len(found) == len({stub.id for stub in found})
    return found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.splitlines()[0])
def test_a_way_takes_as_long_as_it_says_and_leaves_out_nothing_it_needs(way):
    exercises = taken(way)
    hours, total = map(int, re.search(r"^\| about (\d+) hours \| \| (\d+) \|$", way, re.MULTILINE).groups())
    assert sum(stub.minutes for stub in exercises) == total
    assert 60 * hours == pytest.approx(total * READING, rel=0.1)


@pytest.mark.parametrize("way", WAYS[:2], ids=lambda way: way.splitlines()[0])
def test_what_is_left_out_is_not_missed(way, tmp_path):
    """With the answers of a way and no others, its checks pass; a cell before the last of them that fails says what is empty."""
    chosen, walked = taken(way), []
    for lesson in dict.fromkeys(stub.lesson.key for stub in chosen):
        filled = {stub.name for stub in chosen if stub.lesson.key == lesson}
        answers = {cell["id"]: cell for cell in parse(ROOT / "solutions" / f"{lesson}.ipynb")["cells"]}
        cells = [cell for cell in parse(ROOT / "notebooks" / f"{lesson}.ipynb")["cells"] if cell["cell_type"] == "code"]
        last = max(place for place, cell in enumerate(cells) if cell["id"].removeprefix("check-") in filled)
        cells = [(answers if cell["id"] in filled else {cell["id"]: cell})[cell["id"]] for cell in cells[: last + 1]]
        walked.append([(cell["id"], cell["source"]) for cell in cells])
    environment = {**os.environ, "MPLBACKEND": "agg", "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WALK],
        input=json.dumps(walked),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    ended = dict(map(json.loads, done.stdout.splitlines()))
    assert {f"check-{stub.name}" for stub in chosen} <= set(ended)
    for name, error in ended.items():
        left_out = name.startswith("check-") and name.removeprefix("check-") not in {stub.name for stub in chosen}
        assert not error or left_out or "is still empty" in error, f"{name}: {error}"


def test_the_ways_are_three_and_the_last_is_everything():
    assert [way.split(":")[0].split("\n")[0] for way in WAYS] == ["Three hours", "A weekend", "Everything"]
    assert [stub.id for stub in taken(WAYS[2])] == [stub.id for lesson in lessons() for stub in lesson.stubs.values()]


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.key)
def test_a_lesson_takes_its_exercises_and_the_time_to_read(lesson):
    assert told(lesson) == pytest.approx(minutes(lesson) * READING, rel=0.15)


def test_the_readme_says_the_same():
    table = re.findall(r"^\| (\d\d) \|.*\| (\d+) min \|$", README, re.MULTILINE)
    assert [(number, int(time)) for number, time in table] == [(lesson.key[:2], told(lesson)) for lesson in lessons()]
    hours = [int(re.search(r"^\| about (\d+) hours", way, re.MULTILINE)[1]) for way in WAYS]
    assert "{} hours for the heart of it, {} for a layer of your own, {} for everything".format(*hours) in README
