"""Small edits of each reference answer: none that changes a result may survive visible check and hidden tests.

A check is only as good as the smallest mistake it notices. Each mutant is the reference answer with one sign, factor, axis,
term, call or constant changed. Those that compute the same numbers all the same are right answers and are left out.
"""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import warnings

import numpy as np
import pytest
from answering import ROOT, filling, hidden, reference_answers, visible

from bnlib.checks import checks_of
from bnlib.judging.examining import examine
from bnlib.notebooks import parse
from bnlib.release import BEGIN
from bnlib.stubs import lessons

sys.path.insert(0, str(ROOT / "benchmarks"))

from wrong_answers.mutants import mutants


@pytest.fixture
def fill_with():
    with filling() as fill:
        yield fill


def sources():
    for lesson in lessons():
        cells = parse(ROOT / "solutions" / f"{lesson.key}.ipynb")["cells"]
        for cell in cells:
            if BEGIN in cell["source"]:
                yield pytest.param(lesson, cell["id"], cell["source"], id=f"{lesson.name}.{cell['id']}")


@functools.cache
def many_cases(lesson, exercise):
    """Inputs on which a mutant must differ somewhere to count as one."""
    rng = np.random.default_rng(11)
    return [checks_of(lesson.stubs[exercise]).draw(rng) for _ in range(6)]


def changes_a_result(stub, learner, reference):
    checks, cases = checks_of(stub), many_cases(stub.lesson, stub.name)
    with contextlib.redirect_stdout(io.StringIO()):
        report = examine(checks, learner, cases, functools.partial(truth, stub, checks, reference))
    return not report.ok


def truth(stub, checks, reference, case):
    value = checks.run(reference, case)
    values = value if len(stub.returns) > 1 else (value,)
    return tuple(v for name, v in zip(stub.returns, values, strict=True) if name in checks.outputs)


@pytest.mark.parametrize(("lesson", "exercise", "source"), list(sources()))
def test_no_mutant_survives(fill_with, lesson, exercise, source):
    stub = lesson.stubs[exercise]
    tried, survivors = 0, []
    for text in dict.fromkeys(mutants(source)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                learner = fill_with(lesson, text)
            except Exception:
                continue
            tried += 1
            survives = visible(stub).ok and changes_a_result(stub, learner, reference_answers(lesson))
            if survives and not hidden(lesson, exercise, fill_with(lesson, text)):
                survivors.append(text)
    assert tried >= 3, "an answer without anything to change"
    assert not survivors, "\n\n".join(survivors)
