"""Every display of the lessons is read off the page and evaluated; what it speaks of stands in ``tests/equations/``."""

import re

import pytest
from displays import in_words, lessons_with_displays, problems, reasons, wrong

from bnlib.formulas import Display, lesson_displays
from bnlib.language.names import FormulaError

LESSONS = lessons_with_displays()
DISPLAYS = [(name, display) for name, path in LESSONS for display in lesson_displays(path)]


@pytest.mark.parametrize(("name", "display"), DISPLAYS, ids=lambda each: each if isinstance(each, str) else str(each))
def test_a_display_is_true(name, display):
    """Every ``=`` of a numbered display in each setting that names it; of another in one that knows its letters."""
    if reason := in_words(name, display):
        pytest.skip(reason)
    assert not list(problems(name, display))


@pytest.mark.parametrize(("name", "path"), LESSONS)
def test_numbers_are_unique_and_of_their_lesson(name, path):
    numbers = [display.number for display in lesson_displays(path) if display.number]
    assert numbers, "a lesson has numbered equations"
    assert len(numbers) == len(set(numbers)), "two equations have one number"
    assert {number.split(".")[0] for number in numbers} == {str(int(path.name[:2]))}
    assert {each for each in reasons(name) if each[0].isdigit()} <= set(numbers), "a reason for no equation"


@pytest.mark.parametrize(
    "said", [r"\sum_{j \neq i} (x_j - \mu) = -(x_i - \mu)", r"\sum_k \hat x_k = 0", r"\sum_i \mathrm{dx}_i = 0"]
)
def test_what_lesson_03_says_outside_of_its_displays(said):
    assert not list(wrong("normalization", 0, said, set()))


def test_what_is_in_words_is_the_exception():
    assert sum(len(reasons(name)) for name, _ in LESSONS) <= 2


@pytest.mark.parametrize(
    ("number", "latex", "words"),
    [
        ("2.1", r"\hat h_{kl} = h_{kl} + \mu_l", "the two sides differ"),
        ("2.1", r"\hat h_{kl} = h_{kl} - \nu_l", "cannot be read"),
        ("2.99", r"\hat h_{kl} = h_{kl} - \mu_l", "no setting of tests/equations/translation.py names (2.99)"),
        ("", r"\hat h_{kl} = h_{kl} + \mu_l", "the two sides differ"),
        ("", r"\nu_l = 1", "no setting of tests/equations/translation.py can read"),
    ],
)
def test_what_is_said_of_a_display_that_is_not_true(number, latex, words):
    assert words in next(problems("translation", Display(number, latex, "here")))


def test_a_display_that_cannot_be_read_says_where():
    with pytest.raises(FormulaError, match=re.escape("nu is not one of the names here")):
        list(wrong("translation", 0, r"\hat h_{kl} = h_{kl} - \nu_l", set()))
    with pytest.raises(FormulaError, match="compared with nothing"):
        list(wrong("translation", 0, r"h_{kl} - \mu_l", set()))
    with pytest.raises(FormulaError, match="h has 2 indices and not 1"):
        list(wrong("translation", 0, r"\hat h_{kl} = h_k - \mu_l", set()))
    with pytest.raises(FormulaError, match="l counts D in one place and N in another"):
        list(wrong("translation", 0, r"\hat h_{kl} = h_{lk} - \mu_l", set()))
    assert list(wrong("translation", 0, r"\hat h_{kl} = h_{kl} + \mu_l", set())) == [(1, "the two sides differ")]
