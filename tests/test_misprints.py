"""A misprint in a numbered display is noticed, whatever it is. All of them: ``python benchmarks/misprinted.py``."""

from itertools import islice

import pytest
from displays import lessons_with_displays
from misprints import edits, misprints, noticed, says_something_else

from bnlib.formulas import Display, lesson_displays

SOME = 20
"""How many misprints of each display are tried; where it has fewer, all of them."""


@pytest.mark.parametrize(("name", "path"), lessons_with_displays())
def test_every_misprint_is_noticed(name, path):
    for display, made in misprints(name, path):
        some = list(islice(made, SOME))
        assert len(some) >= 3, f"{display} has too few misprints to say anything"
        for kind, edited in some:
            assert noticed(name, display.number, edited), f"{kind} in {display} is not noticed: {edited}"


@pytest.mark.parametrize(
    ("name", "number", "printed", "misprint"),
    [
        ("translation", "2.7", r"\partial \hat h_{kl}}{\partial h_{ij}}", r"\partial \hat h_{ij}}{\partial h_{kl}}"),
        ("normalization", "3.8", r"- \frac{\partial \mu}{\partial x_i}", ""),
        ("normalization", "3.9", r"\frac{2}{N^2}", r"\frac{2}{N}"),
        ("normalization", "3.16", r"\partial y_k}{\partial x_i}", r"\partial y_i}{\partial x_k}"),
        ("normalization", "3.22", r"\partial y_{kl}}{\partial x_{ij}}", r"\partial y_{ij}}{\partial x_{kl}}"),
        ("normalization", "3.31", r"\frac{1}{N} \sum_{i=1}^{N} z_{ij}", r"\sum_{i=1}^{N} z_{ij}"),
        ("layer", "5.18", r"\sum_{i=1}^N \hat x_{ij}", r"N \sum_{i=1}^N \hat x_{ij}"),
    ],
)
def test_a_misprint_in_a_term_that_vanishes_or_in_a_symmetric_jacobian(name, number, printed, misprint):
    """Numbers that batch norm itself does not tell apart: a function with no symmetry, or a centre off the mean, does."""
    path = dict(lessons_with_displays())[name]
    display = next(each for each in lesson_displays(path) if each.number == number)
    assert printed in display.latex
    assert not noticed(name, number, display.latex)
    assert noticed(name, number, display.latex.replace(printed, misprint))


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
