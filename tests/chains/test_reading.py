"""A derivation as typed: where a line ends, what is a comment, how long it may be."""

import pytest

from bnlib.chains.lines import LONGEST_TEXT, MOST_LINES, pieces
from bnlib.language.names import FormulaError

TYPED = {
    "a\nb": ["a", "b"],
    "\n\n a \n# a comment\n b  # eq. 3.1\n": ["a", "b"],
    "a\n= b\n= c": ["a", "b", "c"],
    "a = b = c": ["a", "b", "c"],
    "a == b": ["a", "b"],
    "a\n=\nb": ["a", "b"],
    "f(a,\n  b)\nc": ["f(a, b)", "c"],
    "a *\nb": ["a * b"],
    "a\n* b\n/ c": ["a * b / c"],
    "a +\nb": ["a + b"],
    "a \\\nb": ["a b"],
    "a\r\nb": ["a", "b"],
    "sum(x[k] for k in N if k != i)": ["sum(x[k] for k in N if k != i)"],
    "a ≠ b": ["a ≠ b"],
    "(a\n= b": ["(a", "b"],
    "a)\nb": ["a)", "b"],
    "a\n### BEGIN SOLUTION\n= b\n### END SOLUTION": ["a", "b"],
    "a\n# YOUR CODE HERE\nraise NotImplementedError()": ["a"],
    "": [],
}


@pytest.mark.parametrize("text", TYPED, ids=repr)
def test_lines(text):
    assert [piece.text for piece in pieces(text)] == TYPED[text]


def test_what_begins_with_a_sign_may_go_on_or_not():
    assert [piece.loose for piece in pieces("- a\n- b\n+ c\n= - d\n* e")] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" * (LONGEST_TEXT + 1), f"at most {LONGEST_TEXT} are read"),
        ("a\n" * (MOST_LINES + 1), f"at most {MOST_LINES} are read"),
    ],
)
def test_too_long(text, said):
    with pytest.raises(FormulaError, match=said):
        pieces(text)
