"""docs/debugging.md: each symptom is seen in a wrong program of the collection, and each line tells its cause from the others."""

import contextlib
import copy
import functools
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from answering import running
from answers import collection

from bnlib.stubs import lesson_of

PAGE = (Path(__file__).parent.parent / "docs" / "debugging.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """A cause: the line that tells it, and the names it has in the collection."""

    cause: str
    line: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Symptom:
    """What is seen: a line, and the causes. ``code`` is what has to run before."""

    heading: str
    exercise: str
    code: str
    seen: str
    rows: tuple[Row, ...]


def symptoms():
    start = ""
    for part in re.split(r"(?m)^## ", PAGE)[1:]:
        code = "".join(re.findall(r"(?s)```python\n(.*?)```", part))
        if part.startswith("Set up"):
            start = code
        for text in re.split(r"(?m)^### ", part)[1:]:
            words, _, table = text.partition("\n| ")
            head, _, *lines = table.splitlines()
            cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("|")]
            yield Symptom(
                text.splitlines()[0],
                re.search(r"`([\w.]+)`", head)[1],
                start + code,
                max(re.findall(r"`([^`]+)`", words), key=len),
                tuple(Row(cause, line.strip("`"), tuple(re.findall(r"`([^`]+)`", names))) for cause, line, names in cells),
            )  # fmt: skip


SYMPTOMS = {symptom.heading: symptom for symptom in symptoms()}
@contextlib.contextmanager
def page(exercise, code, text):
    """The page's code run on one program; gives what asks a line of it."""
    lesson = lesson_of(exercise.split(".")[0])
    with (
        running(lesson, text) as learner,
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        if lesson.name == "layer":
            space = {"BatchNorm": learner.BatchNorm, "forward": lambda x, g, b, eps: (learner.BatchNorm(g, b, 0.9, eps).forward(x, True), None)}
        else:
            space = {"forward": learner.batchnorm_forward, "backward": learner.batchnorm_backward}
        exec(code, space)

        def says(line):
            if "settled" in space:  # a line may change it
                space["settled"] = copy.deepcopy(settled)
            return bool(eval(line, space))

        settled = copy.deepcopy(space.get("settled"))
        yield says


def judged(exercise, code, text):
    """What a program shows: from each symptom that is seen to the rows whose line is true. None where it cannot be run."""
    found = {}
    group = [symptom for symptom in SYMPTOMS.values() if (symptom.exercise, symptom.code) == (exercise, code)]
    with page(exercise, code, text) as says:
        for symptom in group:
            if says(symptom.seen):
                found[symptom.heading] = [row for row in symptom.rows if says(row.line)]
    return found


@functools.cache
def wrong_programs(exercise, code):
    """Every wrong program of an exercise with what it shows; without those that raise or have a wrong shape, which show themselves."""
    found = []
    module, name = exercise.split(".")
    for program in collection(lesson_of(module))[name].wrong():
        with contextlib.suppress(Exception):
            found.append((program, judged(exercise, code, program.text)))
    return found


def shown(symptom):
    """The wrong programs in which a symptom is seen, and the rows whose line is true of each."""
    every = wrong_programs(symptom.exercise, symptom.code)
    return [(program, found[symptom.heading]) for program, found in every if symptom.heading in found]
