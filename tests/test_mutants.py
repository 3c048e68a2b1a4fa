"""Small edits of each reference answer: none that changes a result may survive visible check and hidden tests.

A check is only as good as the smallest mistake it notices. Each mutant is the reference answer with one sign, factor, axis,
term, call or constant changed. Those that compute the same numbers all the same are right answers and are left out.
"""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
from answering import ROOT, bench, quiet_examine, reference_answers, running
from answers.mutants import mutants

from bnlib.notebooks import parse
from bnlib.release import BEGIN
from bnlib.stubs import lessons


def sources():
    for lesson in lessons():
        cells = parse(ROOT / "solutions" / f"{lesson.key}.ipynb")["cells"]
        for cell in cells:
            if BEGIN in cell["source"] and cell["id"] in lesson.functions:
                yield pytest.param(lesson.stubs[cell["id"]], cell["source"], id=f"{lesson.name}.{cell['id']}")


@functools.cache
def many_cases(stub):
    """Inputs on which a mutant must differ somewhere to count as one."""
    rng = np.random.default_rng(11)
    return [bench(stub).checks.draw(rng) for _ in range(6)]


def changes_a_result(stub, text):
    checks = bench(stub).checks

    def truth(case):
        value = checks.run(reference_answers(stub.lesson), case)
        values = value if len(stub.returns) > 1 else (value,)
        return tuple(v for name, v in zip(stub.returns, values, strict=True) if name in checks.outputs)

    with running(stub.lesson, text) as learner:
        return not quiet_examine(checks, learner, many_cases(stub), truth).ok


@pytest.mark.parametrize(("stub", "source"), list(sources()))
def test_no_mutant_survives(stub, source):
    judge, tried, survivors = bench(stub), 0, []
    for text in dict.fromkeys(mutants(source)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                report = judge.report(text)
            except Exception:
                continue  # nothing that can be defined
            tried += 1
            if report.ok and changes_a_result(stub, text) and judge.hidden(text) is None:
                survivors.append(text)
    assert tried >= 3, "an answer without anything to change"
    assert not survivors, "\n\n".join(survivors)
