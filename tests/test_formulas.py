"""The two pages that are made from the lessons' displays and from the table of letters."""

from collections import Counter
from pathlib import Path

import pytest

from bnlib.formulas import lesson_displays, pages
from bnlib.language.latex import read_latex
from bnlib.language.names import Names
from bnlib.language.notation import LETTERS
from bnlib.language.tree import ref
from bnlib.release import sources

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["formulas.md", "notation.md"])
def test_the_page_is_up_to_date(name):
    assert (ROOT / "docs" / name).read_text() == pages(ROOT / "solutions")[name], "run bnlib formulas"


def test_every_numbered_equation_is_on_the_page():
    page = pages(ROOT / "solutions")["formulas.md"]
    numbers = [each.number for path in sources(ROOT / "solutions") for each in lesson_displays(path) if each.number]
    assert page.count("\\tag{") == len(numbers) > 90
    assert all(f"\\tag{{{number}}}" in page for number in numbers)


def test_a_letter_has_one_meaning_and_a_meaning_one_letter():
    for field in ("name", "latex", "meaning"):
        found = Counter(getattr(letter, field) for letter in LETTERS if getattr(letter, field))
        assert max(found.values()) == 1, found.most_common(3)


@pytest.mark.parametrize(
    "letter", [each for each in LETTERS if each.name and each.name not in "NDH"], ids=lambda each: each.name
)
def test_a_letter_is_read_as_it_is_typeset(letter):
    known = Names({each.name: "" for each in LETTERS if each.name})
    assert read_latex(letter.latex, known) is ref(letter.name)
    one = Names({each.name: "N" if each.name == letter.name else "" for each in LETTERS if each.name})
    assert read_latex(f"{letter.latex}_k", one) is ref(letter.name, ("k",))
