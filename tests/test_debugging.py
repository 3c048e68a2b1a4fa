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
    general: bool
    """Whether the line is true of others as well, and the page says so."""


@dataclass(frozen=True)
class Symptom:
    """What is seen: a line, and the causes. ``code`` is what has to run before."""

    heading: str
    exercise: str
    code: str
    seen: str
    rows: tuple[Row, ...]


def symptoms():
    every, start = "", ""
    for part in re.split(r"(?m)^## ", PAGE)[1:]:
        code = "\n\n".join(re.findall(r"(?s)```python\n(.*?)```", part))
        if part.startswith("Set up\n"):
            every = code
        elif part.startswith("Set up for"):
            start, code = every + code, ""
        for text in re.split(r"(?m)^### ", part)[1:]:
            words, _, table = text.partition("\n| ")
            head, _, *lines = table.splitlines()
            cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("|")]
            yield Symptom(
                text.splitlines()[0],
                re.search(r"`([\w.]+)`", head)[1],
                start + code,
                max(re.findall(r"`([^`]+)`", words), key=len),
                tuple(
                    Row(cause, line.strip("`"), tuple(re.findall(r"`([^`]+)`", names)), "and others" in names)
                    for cause, line, names in cells
                ),
            )


LISTED = list(symptoms())
SYMPTOMS = {symptom.heading: symptom for symptom in LISTED}


def fine():
    """What right programs do as well: what is seen, and the line; with the code that runs before, and the exercise."""
    start, rest = PAGE.split("## Not a mistake\n")
    blocks = re.findall(r"(?s)```python\n(.*?)```", start)[:2] + re.findall(r"(?s)```python\n(.*?)```", rest)[:1]
    table = rest[: rest.index("\n## ")].partition("\n| ")[2]
    head, _, *lines = table.strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return re.search(r"`([\w.]+)`", head)[1], "\n\n".join(blocks), [(seen, line.strip("`")) for seen, _, line in rows]


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
        space = {**vars(learner)}
        if lesson.name == "layer":
            space["forward"] = lambda x, g, b, eps: (learner.BatchNorm(g, b, 0.9, eps).forward(x, True), None)
        layer = exercise.partition(".")[2].rpartition("_")[0]
        space |= {way: space[f"{layer}_{way}"] for way in ("forward", "backward") if f"{layer}_{way}" in space}
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


BESIDES = {
    "beta is missing": {"bessel"},
    "the path through the variance is missing": {"input-changed"},
    "the running statistics are never updated (a copy is)": {"shift-missing"},
}
"""Programs that the collection lists under another name, and that have this mistake as well."""
ROWS = [(heading, row) for heading, symptom in SYMPTOMS.items() for row in symptom.rows]


def called(program, names):
    return bool(set(program.names[0].split(" | ")) & set(names))


@pytest.mark.parametrize(("heading", "row"), ROWS, ids=lambda each: getattr(each, "cause", each))
def test_the_line_tells_its_cause_from_the_others_of_the_symptom(heading, row):
    """Of each name of a row there is a program that shows the symptom and of which the line is true; of those of other rows it is not."""
    told = [program for program, rows in shown(SYMPTOMS[heading]) if row in rows]
    assert row.names
    for name in row.names:
        assert any(called(program, [name]) for program in told), name
    if not row.general:
        listed = {name for other in SYMPTOMS[heading].rows for name in other.names}
        assert not [program.id for program in told if called(program, listed) and not called(program, meant(row))]


def meant(row):
    return {*row.names, *BESIDES.get(row.cause, ())}


@pytest.mark.parametrize("exercise", dict.fromkeys(symptom.exercise for symptom in LISTED))
def test_few_mistakes_that_are_not_listed_look_like_one_that_is(exercise):
    """The collection grows; nine of ten programs that a line is true of have the mistake that it tells."""
    right = [
        called(program, meant(row))
        for symptom in LISTED
        if symptom.exercise == exercise
        for program, rows in shown(symptom)
        for row in rows
        if not row.general
    ]
    assert np.mean(right) >= 0.9


@pytest.mark.parametrize(("exercise", "code"), dict.fromkeys((s.exercise, s.code) for s in SYMPTOMS.values()))
def test_a_right_program_shows_no_symptom(exercise, code):
    module, name = exercise.split(".")
    here = collection(lesson_of(module))[name]
    for program in here.right():
        try:
            found = judged(exercise, code, program.text)
        except (AttributeError, TypeError):
            assert program.style not in here.styles, "lists, and forward passes that belong to another exercise"
        else:
            assert not found, program.id


def test_what_is_no_mistake_is_true_of_every_right_program():
    exercise, code, rows = fine()
    module, name = exercise.split(".")
    tried = 0
    for program in collection(lesson_of(module))[name].right():
        with contextlib.suppress(AttributeError, TypeError), page(exercise, code, program.text) as says:
            tried += 1
            assert [seen for seen, line in rows if not says(line)] == [], program.id
    assert tried >= 10
    assert len(rows) >= 8


def test_headings_are_unique():
    assert len(SYMPTOMS) == len(LISTED)


TOLD = {
    "normalization.batchnorm_backward": 0.8,
    "normalization.batchnorm_forward": 0.8,
    "layer.BatchNorm": 0.4,
    "training.softmax_loss": 0.8,
    "training.training_step": 0.8,
    "training.gradient_check": 2 / 3,
}
"""What the page says of its reach: this part of the wrong programs, or more, is told by a line."""


@pytest.mark.parametrize("exercise", TOLD)
def test_the_page_reaches_as_far_as_it_says(exercise):
    told = {}
    for code in dict.fromkeys(symptom.code for symptom in SYMPTOMS.values() if symptom.exercise == exercise):
        for program, shows in wrong_programs(exercise, code):
            told[program.id] = told.get(program.id, False) or any(shows.values())
    assert np.mean(list(told.values())) >= TOLD[exercise]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("gamma = np.ones(D)", "gamma-missing"),
        ("dout = np.ones((N, D))", "path-through-the-variance-missing"),
        ("x = x - x.mean(axis=0)", "x-for-xc"),
    ],
)
def test_inputs_that_hide_mistakes(change, name):
    (key,) = {(s.exercise, s.code) for s in SYMPTOMS.values() if "dx is a multiple" in s.heading}
    programs = [program for program, _ in wrong_programs(*key) if program.names == (name,)]
    hidden = re.sub(r"(?m)^\n\ndef out", f"{change}\n\ndef out", key[1], count=1)
    assert programs
    assert hidden != key[1]
    for program in programs:
        for code, same in ((key[1], False), (hidden, True)):
            with page(key[0], code, program.text) as says:
                assert says("close(dx, dx_true)") == same
