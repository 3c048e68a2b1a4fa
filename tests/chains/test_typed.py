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


@pytest.mark.parametrize(
    ("name", "line", "typed", "mistakes", "words"),
    [
        ("inv_std_slope", 3, "1/N * (var + eps)**(-3/2) * x[i]", ("not-centred", "sign"), "mu is not subtracted"),
        ("variance_slope", 5, "1/N * x[i]", ("not-centred", "factor-lost"), "and a factor 2 is missing in the line"),
        (
            "input_gradient",
            7,
            "gamma * r * (dout[i] - sum(dout[k] for k in N) + x_hat[i] * mean(dout[k] * x_hat[k] for k in N))",
            ("one-over-n", "sign"),
            "1/N is missing in sum(dout[k] for k in N) and the sign of x_hat[i]",
        ),
    ],
)
def test_two_slips_at_once_are_both_named(name, line, typed, mistakes, words):
    chains = EXERCISES[name]
    before = chains.right["course"].splitlines()[: line - 1]
    found = judged(chains.stub, "\n".join([*before, f"= {typed}"]))
    assert found.wrong == line - 1
    assert found.mistakes == mistakes
    assert words in found.message
