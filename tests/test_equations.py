"""Every display of the lessons is read off the page and evaluated; what it speaks of stands in ``tests/equations/``."""

import re

import pytest
from displays import lessons_with_displays, spoken, wrong

from bnlib.formulas import lesson_displays
from bnlib.language.displays import chains
from bnlib.language.names import FormulaError

LESSONS = lessons_with_displays()
DISPLAYS = [(name, display) for name, path in LESSONS for display in lesson_displays(path)]


def in_words(name):
    """Displays that cannot be evaluated: from a number, or from how one without a number begins, to the reason."""
    return getattr(spoken(name), "IN_WORDS", {})


def reason(name, display):
    found = in_words(name).get(display.number)
    return found or next((why for how, why in in_words(name).items() if display.latex.startswith(how)), "")


@pytest.mark.parametrize(("name", "display"), DISPLAYS, ids=lambda each: each if isinstance(each, str) else str(each))
def test_a_display_is_true(name, display):
    """Every ``=`` of a numbered display in each setting that names it; of another in one that knows its letters."""
    if reason(name, display):
        pytest.skip(reason(name, display))
    places = range(len(spoken(name).SPEAKS))
    links = {link: [] for link in range(1, 1 + sum(len(chain.relations) for chain in chains(display.latex)))}
    said = {}
    for place in places:
        meant = spoken(name).SPEAKS[place].says(display.number) if display.number else set()
        if meant is not None:
            try:
                said[place] = dict(wrong(name, place, display.latex, meant))
            except FormulaError as error:
                if display.number:
                    raise FormulaError(f"{display} cannot be read: {error}") from None
                continue
            for link in meant or links:
                links[link].append(said[place].get(link))
    assert said, f"no setting of tests/equations/{name}.py {'names' if display.number else 'can read'} {display}"
    for link, found in links.items():
        assert found, f"no setting of tests/equations/{name}.py is for the = number {link} of {display}"
        good = all(word is None for word in found) if display.number else any(word is None for word in found)
        assert good, f"= number {link} of {display} is not true: {[word for word in found if word][0]}"


@pytest.mark.parametrize(("name", "path"), LESSONS)
def test_numbers_are_unique_and_of_their_lesson(name, path):
    numbers = [display.number for display in lesson_displays(path) if display.number]
    assert numbers, "a lesson has numbered equations"
    assert len(numbers) == len(set(numbers)), "two equations have one number"
    assert {number.split(".")[0] for number in numbers} == {str(int(path.name[:2]))}
    assert {each for each in in_words(name) if each[0].isdigit()} <= set(numbers), "a reason for no equation"


@pytest.mark.parametrize(
    "said", [r"\sum_{j \neq i} (x_j - \mu) = -(x_i - \mu)", r"\sum_k \hat x_k = 0", r"\sum_i \mathrm{dx}_i = 0"]
)
def test_what_lesson_03_says_outside_of_its_displays(said):
    assert not list(wrong("normalization", 0, said, set()))


def test_what_is_in_words_is_the_exception():
    assert sum(len(in_words(name)) for name, _ in LESSONS) <= 2


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
