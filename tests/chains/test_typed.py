"""Derivations as people write them: every right one earns all points, every wrong one is refused at its line, and most are called what they are."""

from collections import Counter

import deriving
import pytest

from bnlib.chains.course import judged
from bnlib.chains.report import report

EXERCISES = {chains.stub.name: chains for chains in deriving.exercises()}
RIGHT = [(name, typed) for name, chains in EXERCISES.items() for typed in chains.right]


@pytest.mark.parametrize(("name", "typed"), RIGHT)
def test_a_right_derivation_earns_every_point(name, typed):
    chains = EXERCISES[name]
    found = judged(chains.stub, chains.right[typed])
    assert not found.message
    assert report(chains.stub, found).earned == chains.stub.points


@pytest.mark.parametrize("name", EXERCISES)
def test_a_wrong_derivation_is_refused_at_its_line(name):
    chains = EXERCISES[name]
    not_yet = []
    for wrong in chains.wrong:
        found = judged(chains.stub, wrong.text)
        assert found.wrong == wrong.line - 1, wrong.text
        if not wrong.truly(found.message, found.mistakes):
            not_yet.append(f"{wrong.typed}\n    {found.mistakes} {found.message}")
    assert len(not_yet) == deriving.not_yet()[name], "\n".join(not_yet)


def test_there_are_many_ways_and_most_slips_are_named():
    for chains in EXERCISES.values():
        assert len(set(chains.right.values())) >= 15
        assert Counter((wrong.line, wrong.typed) for wrong in chains.wrong).most_common(1)[0][1] == 1
        assert len(chains.wrong) >= 40
    assert set(deriving.not_yet()) == set(EXERCISES)
    assert sum(deriving.not_yet().values()) <= 0.15 * sum(len(chains.wrong) for chains in EXERCISES.values())
