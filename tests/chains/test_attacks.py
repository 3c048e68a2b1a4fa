"""Texts that want to be run, to hang or to break the judge: read with bounds, never run, refused in one sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib.chains.course import judged
from bnlib.chains.judge import MOST_WORK_IN_ALL
from bnlib.chains.page import Page
from bnlib.chains.report import report
from bnlib.notebooks import derivation
from bnlib.stubs import normalization, translation

STUB = normalization.input_gradient
BEGIN = "d(L, x[i])\n= "
LETTERS = "abcdefgh"

ATTACKS = {
    "python": "__import__('os').system('touch pwned')",
    "class": "x.__class__.__mro__",
    "dunder": "__class__",
    "lambda": "(lambda: 0)()",
    "walrus": "(L := 3)",
    "f-string": "f'{x}'",
    "comprehension": "[x for x in ().__class__.__bases__]",
    "deep brackets": "(" * 900 + "x[i]" + ")" * 900,
    "deep signs": "-" * 1900 + "x[i]",
    "deep powers": "**".join(["2"] * 600),
    "tower": "9**9**9**9",
    "tower of brackets": "((((2**8)**8)**8)**8)**8",
    "huge number": "9" * 1900,
    "huge exponent": "2**1e9",
    "tiny": "1e-400",
    "nan": "nan",
    "inf": "1e999",
    "many letters": " * ".join(f"x[{letter}]" for letter in LETTERS) + " * x[i]",
    "many sums": f"sum({' * '.join(f'x[{letter}]' for letter in LETTERS)} {' '.join(f'for {letter} in N' for letter in LETTERS)})",
    "nested sums": "sum(" * 12 + "x[i]" + " for k in N)" * 12,
    "derivatives inside": "d(" * 10 + "L" + ", x[i])" * 10,
    "derivative of a long product": f"d({' * '.join(['x[i]'] * 300)}, x[i])",
    "second derivative of a long product": f"d(d({' * '.join(['x[i]'] * 100)}, x[i]), x[i])",
    "control characters": "x[i]\x00\x1b[31m\x08",
    "right to left": "x[i]\u202e + 1",
    "form feed": "x[i]\x0c+ 1",
    "line separator": "x[i]\u2028= 1",
    "surrogate": "x[i]\udc80",
    "emoji": "🙂",
    "one megabyte": "x[i] + " * 150_000,
    "one megabyte of lines": "x[i]\n" * 200_000,
    "one megabyte of brackets": "(" * 1_000_000,
    "many equals": "=" * 15_000,
    "many lines": "\n= ".join(["d(L, x[i])"] * 500),
    "divides by zero": "1 / (1 - 1)",
    "zero to the zero": "(x[i] - x[i])**(-1)",
    "null byte": "\x00",
    "backslashes": "\\" * 3000,
    "quotes": "'" * 3000,
    "comment only": "# " * 3000,
    "tabs": "\t" * 3000,
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_in_one_sentence(text):
    found = judged(STUB, BEGIN + text)
    said = report(STUB, found)
    assert not said.ok
    assert said.earned == 0
    assert found.ground.work <= 2 * MOST_WORK_IN_ALL
    shown = str(said) + str(Page("attack", found)) + Page("attack", found)._repr_html_()
    assert "\x1b" not in shown
    assert "\x00" not in shown
    assert "\u202e" not in shown
    assert "\n" not in found.message
    assert len(found.message) < 600


def test_many_lines_share_one_bound_on_work():
    line = f"sum({' * '.join(f'h[{a}, {b}]' for a, b in ('mn', 'pq'))} for m in N for n in D for p in N for q in D) * delta[k, i] * delta[l, j]"
    text = "d(h_hat[k, l], h[i, j])" + f"\n= {line}" * 59
    found = judged(translation.center_slopes, text)
    assert found.wrong == 1
    assert found.ground.work <= 2 * MOST_WORK_IN_ALL


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet="xyLkid[](){}=*+-/^,.:0123 12forsumeandNlt_'\"\\\x00é∂Σ\n#", max_size=120))
def test_any_text_is_judged(text):
    for typed in (text, BEGIN + text):
        found = judged(STUB, typed)
        str(report(STUB, found)), Page("any", found)._repr_mimebundle_()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet="derive(normalization.input_gradient, \"\"\"'''rf\\\n)x=#", max_size=200))
def test_any_cell_is_read(source):
    derivation(source)
    derivation(f'derive(normalization.input_gradient, """{source}')


def test_an_answer_is_judged_as_it_was_whatever_was_judged_before():
    line = " * ".join(f"x[{letter}]" for letter in "klm")
    text = f"{BEGIN}sum({line} for k in N for l in N for m in N)"
    first = judged(STUB, text, np.random.default_rng(0))
    judged(STUB, BEGIN + ATTACKS["many sums"])
    assert judged(STUB, text, np.random.default_rng(0)).message == first.message


CELLS = {
    'derive(normalization.input_gradient, """\nd(L, x[i])\n= 1\n""")': "\nd(L, x[i])\n= 1\n",
    "derive(normalization.input_gradient, r'''a''')": "a",
    'derive(stubs.normalization.input_gradient, text="""a""")': "a",
    'bnlib.derive(\n    normalization.input_gradient,\n    """a"""\n)': "a",
    'derive(normalization.input_gradient, "a\\n= b")': "a\n= b",
    'derive(normalization.input_gradient, """a \\\n b""")': "a   b",
    'derive(normalization.input_gradient, """a""")\nderive(normalization.input_gradient, """b""")': "b",
    "derive(normalization.input_gradient, text)": None,
    'derive(normalization.input_gradient, f"""a""")': None,
    'derive(normalization.input_gradient, """a': None,
    "derive(normalization.input_gradient)": None,
    "x = 1": None,
}


@pytest.mark.parametrize("source", CELLS, ids=repr)
def test_the_text_of_an_answer_cell(source):
    assert derivation(source) == CELLS[source]
