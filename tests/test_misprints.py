"""A misprint in a numbered display is noticed, whatever it is. All of them: ``python benchmarks/misprints.py``."""

from itertools import islice

import pytest
from displays import lessons_with_displays
from misprints import edits, misprints, noticed, says_something_else

from bnlib.formulas import Display

SOME = 20
"""How many misprints of each display are tried; where it has fewer, all of them."""


@pytest.mark.parametrize(("name", "path"), lessons_with_displays())
def test_every_misprint_is_noticed(name, path):
    for display, made in misprints(name, path):
        some = list(islice(made, SOME))
        assert len(some) >= 3, f"{display} has too few misprints to say anything"
        for kind, edited in some:
            assert noticed(name, display.number, edited), f"{kind} in {display} is not noticed: {edited}"


def test_misprints_are_of_every_kind():
    kinds = {kind for kind, _ in edits(r"\hat x_{ij} - 2\,\frac{\gamma_j}{N} \sum_{k=1}^{N} x_{kj}^2", {1: {r"\beta"}})}
    assert kinds == {
        "a lost factor", "another letter", "another index", "exchanged indices", "a lost sum", "another size", "a sign",
        "a lost exponent", "another exponent", "a fraction turned round", "another number",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        (r"\hat h_{kl} = - \mu_l + h_{kl}", False),
        (r"\hat h_{ij} = h_{ij} - \mu_j", False),
        (r"\hat h_{kl} = 1\, h_{kl} - \mu_l", False),
        (r"\hat h_{kl} = h_{kl} + \mu_l", True),
        (r"h_{kl} = h_{kl} - \mu_l", True),
        (r"\hat h_{kl} = h_{kl} -", None),
    ],
)
def test_what_a_misprint_is(edited, changes):
    display = Display("2.1", r"\hat h_{kl} = h_{kl} - \mu_l", "")
    assert says_something_else("translation", display, edited) is changes
