"""What a learner calls: derive, check, hint, reveal, load, progress; and what is shown."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nbformat import v4

from bnlib import check, derive, fill, hint, ladder, load, reveal
from bnlib.chains.command import DerivationError
from bnlib.chains.course import judged
from bnlib.chains.page import Page
from bnlib.checks import CheckFailed, chain_of
from bnlib.exercises import ArgumentError, SignatureError
from bnlib.progress import standing
from bnlib.running import find
from bnlib.stubs import NotFilledError, layer, lessons, normalization, stub_source, translation

ROOT = Path(__file__).parent.parent.parent
STUB = normalization.input_gradient
DERIVATIONS = [stub for lesson in lessons() for stub in lesson.derivations.values()]
ids = [stub.id for stub in DERIVATIONS]


@pytest.fixture(autouse=True)
def empty():
    yield
    for stub in [*DERIVATIONS, *normalization.lesson.stubs.values()]:
        stub.answer = None


@pytest.fixture
def in_the_lesson(monkeypatch):
    monkeypatch.setitem(normalization.lesson.stubs, STUB.name, STUB)


# -- the course's own derivations


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_course_derives_what_it_asks_for(stub, seed):
    found = judged(stub, chain_of(stub).text, None if seed is None else np.random.default_rng(seed))
    assert found.finished, found.message or found.unfinished
    assert all(found.reached)


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
def test_each_step_of_a_derivation_is_worth_something_and_the_end_too(stub):
    assert stub.end_points >= 1
    assert all(waypoint.points >= 1 for waypoint in stub.waypoints)
    lines = chain_of(stub).lines
    jumped = judged(stub, f"{lines[0]}\n= {lines[-1]}")
    assert jumped.finished
    assert not any(jumped.reached)


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
def test_hints_are_for_where_one_stands_and_the_line_comes_third(stub):
    chain = chain_of(stub)
    for place, move in enumerate(chain.moves):
        found = judged(stub, "\n= ".join(chain.lines[: place + 1]))
        look, do, line = chain.hints(found)
        assert (look, do) == (move.look, move.do)
        assert line == f"The next line may be: {move.line}"
        assert move.line not in look + do
        slipped = judged(stub, "\n= ".join([*chain.lines[: place + 1], "foo"]))
        assert chain.hints(slipped) == (look, do, line)
    assert "nothing is left to do" in chain.hints(judged(stub, chain.text))[0]


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
def test_a_contract_says_what_is_asked(stub):
    assert stub.__doc__
    assert "\n" not in stub.__doc__.strip()
    assert f"eq. {stub.equation}" in stub.__doc__
    assert stub.code == "" or stub.code in stub.lesson.stubs


# -- derive


def test_derive_shows_each_line_with_its_mark(capsys):
    derive(STUB, "d(L, x[i])\n= sum(dout[k] * d(y[k], x[i]) for k in N)\n= sum(d(y[k], x[i]) for k in N)\n= 0")
    said = capsys.readouterr().out
    assert said == (
        "normalization.input_gradient\n"
        "   1                 d(L, x[i])\n"
        "   2  ok           = sum(dout[k] * d(y[k], x[i]) for k in N)\n"
        "   3  wrong        = sum(d(y[k], x[i]) for k in N)\n"
        "      dout[k] is missing inside the sum over k\n"
        "   4  not reached  = 0\n"
        "  done   the chain rule is written, over all outputs or over mu and var\n"
        "  to do  every factor that moves is differentiated: the product rule, or the ways through mu and var one by one\n"
        "  to do  no derivative is left\n"
        "  hint(normalization.input_gradient) helps.\n"
    )


def test_the_page_is_typeset_and_can_be_heard():
    found = judged(STUB, "d(L, x[i])\n= gamma * sum(dout[k] * d(x_hat[k], x[i]) for k in N)\n= <b>&\n= 1")
    html = Page(STUB.id, found)._repr_html_()
    assert r"$\displaystyle \frac{\partial L}{\partial x_i}$" in html
    assert 'aria-label="line 2 equals the line above"' in html
    assert 'aria-label="line 3 does not equal the line above"' in html
    assert 'aria-label="line 4 not compared"' in html
    assert "<code>&lt;b&gt;&amp;</code>" in html
    assert "<b>&" not in html
    assert html.count("color:#d8430f") == 3, "the mark, the line and its message"
    assert "var(" not in html, "what JupyterLab drops from a notebook that it does not trust"
    assert str(found.lines[2].message) in Page(STUB.id, found)._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
def test_every_line_of_the_course_is_typeset(stub):
    html = Page(stub.id, judged(stub, chain_of(stub).text))._repr_html_()
    assert "<code>" not in html
    formulas = re.findall(r"\$(.*?)\$", html)
    assert len(formulas) == len(chain_of(stub).lines)
    for formula in formulas:
        assert formula.count("{") == formula.count("}")
        assert formula.count(r"\left") == formula.count(r"\right")


def test_derive_begins_with_the_start(capsys):
    source = stub_source(STUB)
    assert source == 'derive(normalization.input_gradient, """\nd(L, x[i])\n""")'
    exec(source, {"derive": derive, "normalization": normalization})
    assert "Write the next line below d(L, x[i])" in capsys.readouterr().out
    with pytest.raises(CheckFailed) as caught:
        check(STUB)
    assert caught.value.report.names == ("empty",)
    assert caught.value._render_traceback_() == ["normalization.input_gradient is still empty."]


def test_check_of_a_derivation_nobody_wrote():
    with pytest.raises(NotFilledError, match=r"begins with derive\(normalization.input_gradient, "):
        check(STUB)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: derive(), "derive needs an exercise and a text"),
        (lambda: derive(STUB), "needs your text between triple quotes"),
        (lambda: derive(STUB, 3), "needs your text between triple quotes"),
        (lambda: derive(normalization.batch_statistics, "a"), "derive needs an exercise"),
        (lambda: reveal(normalization.batch_statistics), "reveal needs a derivation"),
        (lambda: ladder(normalization.batch_statistics, "a"), "ladder needs a derivation"),
        (lambda: ladder(STUB, None), "ladder needs a derivation and lines"),
        (lambda: fill(STUB)(lambda: 0), None),
    ],
)
def test_what_derive_is_not_for(call, said):
    with pytest.raises(ArgumentError if said else SignatureError, match=said or "is a derivation, and no function"):
        call()


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
def test_lines_as_functions_are_worth_what_they_are_worth_in_a_derivation(stub):
    lines = ladder(stub, chain_of(stub).text)
    found = judged(stub, chain_of(stub).text)
    for line, function in zip(found.lines, lines, strict=True):
        for values, right in zip(found.ground.draws, found.ground.values(line.tree), strict=True):
            np.testing.assert_allclose(function(*values.arrays.values()), right.value, atol=1e-12 * np.max(right.size))


def test_where_answers_are_taken_out_of_a_notebook_no_line_is_read():
    program = """
import sys
from pathlib import Path
from bnlib.notebooks import read
from bnlib.running import new_namespace, run_cells
run_cells(read(Path("solutions/03_normalization.ipynb")).cells, new_namespace())
print("bnlib.language" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "said"), [("", "no line"), ("mu +", "mu"), ("nothing[i]", "nothing"), ("x[k]", "what k is")]
)
def test_a_ladder_that_cannot_be_read_is_refused_when_it_is_made(text, said):
    with pytest.raises(DerivationError, match=said):
        ladder(STUB, text)


def test_a_derivation_that_skips_a_step_is_told_so_and_not_that_nothing_is_left(capsys):
    lines = chain_of(STUB).lines
    derive(STUB, f"{lines[0]}\n= {lines[-1]}")
    said = capsys.readouterr().out
    assert "nothing is left to do" not in said
    assert "What is to do still wants a line of its own" in said


def test_the_last_line_and_the_function_agree_or_not(capsys):
    def said():
        derive(STUB, chain_of(STUB).text)
        return capsys.readouterr().out.splitlines()[-1]

    assert said().endswith("Next, write this line in numpy: normalization.normalize_backward.")

    @fill(normalization.normalize_backward)
    def right(dout, x, gamma, eps):
        r = 1 / np.sqrt(x.var() + eps)
        x_hat = (x - x.mean()) * r
        return gamma * r * (dout - dout.mean() - x_hat * (dout * x_hat).mean())

    assert said().endswith("Your last line and your normalize_backward agree.")
    fill(normalization.normalize_backward)(lambda dout, x, gamma, eps: 2 * right(dout, x, gamma, eps))
    assert "differ: check(normalization.normalize_backward) says more." in said()
    fill(normalization.normalize_backward)(lambda dout, x, gamma, eps: dout.mean())
    assert "its result has shape ()" in said()
    fill(normalization.normalize_backward)(lambda dout, x, gamma, eps: 1 / 0)
    assert "does not run on the numbers of this derivation yet: ZeroDivisionError" in said()


def test_every_function_that_translates_a_last_line_agrees_with_it(capsys):
    from bnlib.grading.hidden.reference import reference

    for stub in DERIVATIONS:
        if stub.code:
            stub.lesson.stubs[stub.code].answer = getattr(reference(stub.lesson), stub.code)
            derive(stub, chain_of(stub).text)
            stub.lesson.stubs[stub.code].answer = None
            last = capsys.readouterr().out.splitlines()[-1]
            assert last.endswith(f"Your last line and your {stub.code} agree."), (stub.id, last)


# -- hint and reveal


def test_hint_goes_with_the_learner(capsys):
    chain = chain_of(normalization.inv_std_slope)
    hint(normalization.inv_std_slope)
    hint(normalization.inv_std_slope)
    derive(normalization.inv_std_slope, "\n= ".join(chain.lines[:2]))
    hint(normalization.inv_std_slope)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Hint")]
    first, second = chain.moves
    assert said == [f"Hint 1 of 3: {first.look}", f"Hint 2 of 3: {first.do}", f"Hint 1 of 3: {second.look}"]


@pytest.mark.parametrize(
    ("stub", "lines", "place"),
    [
        (normalization.x_hat_slopes, ["(delta[k, i] - 1/N) * r + (x[k] - mu) * d(r, x[i])"], 1),
        (normalization.x_hat_slopes, ["delta[k, i] * r + x[k] * d(r, x[i]) - r/N - mu * d(r, x[i])"], 1),
        (STUB, ["gamma * sum(dout[k] * r * (delta[k, i] - 1/N - x_hat[k] * x_hat[i] / N) for k in N)"], 5),
        (
            STUB,
            ["gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - r**3 * (x[k] - mu) * (x[i] - mu) / N) for k in N)"],
            4,
        ),
        (
            layer.bias_before_gradient,
            [
                "sum(gamma[j] * r[j] * (dy[i, j] - mean(dy[k, j] for k in N) - x_hat[i, j] * mean(dy[k, j] * x_hat[k, j] for k in N)) for i in N)"
            ],
            2,
        ),
    ],
)
def test_a_hint_is_no_move_that_was_made_in_other_words(stub, lines, place):
    found = judged(stub, "\n= ".join([stub.start, *lines]))
    assert not found.message
    assert chain_of(stub).hints(found)[0] == chain_of(stub).moves[place].look


@pytest.mark.parametrize("stub", DERIVATIONS, ids=ids)
def test_where_only_a_step_is_missing_the_hint_names_it(stub):
    chain = chain_of(stub)
    found = judged(stub, f"{chain.lines[0]}\n= {chain.lines[-1]}")
    look, do, line = chain.hints(found)
    assert stub.waypoints[0].words in look
    shown = judged(stub, "\n= ".join([chain.lines[0], line.removeprefix("Such a line is: "), chain.lines[-1]]))
    assert shown.finished
    assert shown.reached[0]
    assert do in [move.do for move in chain.moves]


def test_who_goes_another_way_is_not_sent_back_to_the_start():
    chain = chain_of(STUB)
    found = judged(STUB, f"{STUB.start}\n= d(L, x_hat[i]) * r + d(L, mu) / N + d(L, var) * 2/N * (x[i] - mu)")
    assert not found.message
    look, _, way = chain.hints(found)
    assert "through mu and var" in look
    assert "reveal(normalization.input_gradient)" in way
    same = judged(
        translation.center_gradient,
        "d(L, h[i, j])\n= sum(d(L, h_hat[k, l]) * d(h_hat[k, l], h[i, j]) for k in N for l in D)",
    )
    gradient = chain_of(translation.center_gradient)
    assert gradient.hints(same)[0] == gradient.moves[1].look


def test_reveal_shows_the_course_and_keeps_the_learners_text(capsys):
    derive(STUB, "d(L, x[i])\n= 1")
    reveal(STUB)
    said = capsys.readouterr().out
    assert all(line in said for line in chain_of(STUB).lines)
    assert "costs nothing" in said
    assert STUB.answer == "d(L, x[i])\n= 1"


# -- the scratch pad


def test_a_derivation_of_ones_own(capsys):
    derive(
        given={"x": "N", "eps": ""},
        definitions="s = 1 / sqrt(mean(x[k]**2 for k in N) + eps)\nz[i] = x[i] * s",
        lines="d(z[k], x[i])\n= delta[k, i] * s + x[k] * d(s, x[i])\n= delta[k, i] * s - x[k] * s**3 * x[i] / N",
    )
    assert capsys.readouterr().out.endswith("Every line equals the one above.\n")
    derive(given={"a": ""}, lines="d(log(a), a)\n= 2 / a")
    assert "there is a factor 2 too many" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"lines": "x[i]"}, "x is not one of the names here"),
        ({"lines": ""}, "there is nothing to compare"),
        ({"lines": "s", "definitions": "s 3"}, "write name = formula"),
        ({"lines": "a / (a - a)", "given": {"a": ""}}, "has no value"),
    ],
)
def test_a_scratch_pad_that_does_not_fit_says_so(what, said):
    with pytest.raises(DerivationError, match=said):
        derive(**what)


# -- load and progress


def test_load_and_progress_read_a_saved_derivation(tmp_path, monkeypatch, capsys, in_the_lesson):
    monkeypatch.chdir(tmp_path)
    course = chain_of(STUB).lines
    for lines, filled, passing, points in (
        (course[:1], 0, 0, 0),
        (course[:2], 1, 0, STUB.waypoints[0].points),
        (course, 1, 1, STUB.points),
    ):
        text = "\n= ".join(lines)
        setup = "from bnlib import derive\nfrom bnlib.stubs import normalization"
        cells = [v4.new_code_cell(setup), v4.new_code_cell(f'derive(normalization.input_gradient, """\n{text}\n""")')]
        notebook = v4.new_notebook(cells=cells)
        (tmp_path / "03_normalization.ipynb").write_text(__import__("nbformat").writes(notebook))
        load("03")
        total = len(normalization.lesson.stubs)
        assert capsys.readouterr().out.startswith(f"{filled} of {total} exercises of 03_normalization are filled")
        assert STUB.answer == f"\n{text}\n"
        found = standing(normalization.lesson)
        assert (found.filled, found.passing, found.points[0]) == (filled, passing, points)
    assert find("03_normalization").is_file()
