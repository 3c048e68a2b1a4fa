"""Texts that want to be run, to hang or to break the judge: read with bounds, never run, refused in one sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import ATTACKS

from bnlib.chains.course import judged
from bnlib.chains.judge import MOST_WORK_IN_ALL
from bnlib.chains.page import Page
from bnlib.chains.report import report
from bnlib.notebooks import derivation
from bnlib.stubs import normalization, translation

STUB = normalization.input_gradient
BEGIN = "d(L, x[i])\n= "


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
