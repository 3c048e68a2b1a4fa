"""The engine behind check: what is accepted, what each kind of wrong result is told."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib import hint
from bnlib.checks import Case, Source, answer_of, checks_of, examine, report_on
from bnlib.checks.translation import center_backward as backward
from bnlib.stubs import lessons, translation


class Learner:
    def __init__(self, function):
        self.center_backward = function


def right(dout):
    return dout - dout.mean(axis=0)


def report(function, cases=None):
    cases = cases or [Case(dout=np.random.default_rng(i).normal(size=(5, 3)) + 1) for i in range(3)]
    return examine(backward, Learner(function), cases, backward.truth)


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (lambda d: None, "returned-none", "return line"),
        (lambda d: (right(d), d), "wrong-shape", r"\(2, 5, 3\)"),
        (lambda d: "text", "wrong-type", "is a str"),
        (lambda d: right(d) + 0j, "wrong-type", "real numbers"),
        (lambda d: right(d)[0], "wrong-shape", r"\(3,\) and should have \(5, 3\)"),
        (lambda d: np.sqrt(d - 100), "returned-nan", "square root of a negative"),
        (lambda d: right(d) / 0, "returned-", "division by zero|0/0"),
        (lambda d: d.foo, "raises-AttributeError", "foo"),
        (lambda d: right(d) ** 2, "unnamed", r"dh\[0, 0\] is .* should be"),
        (lambda d: 0.3 * d - right(d), "direct-path-coefficient", "direct path"),
    ],
)
def test_what_is_said(function, name, words):
    found = report(function)
    assert not found.ok
    assert any(n.startswith(name) for n in found.names), found.names
    assert re.search(words, found.message), found.message


def test_a_right_answer_prints_the_same_whatever_its_form():
    texts = {str(report(f)) for f in (right, lambda d: right(d).tolist(), lambda d: right(d.astype(np.longdouble)))}
    assert len(texts) == 1
    assert "1e-" not in texts.pop()


def test_one_row_where_a_vector_was_asked_is_accepted_with_a_remark():
    checks = checks_of(translation.center_jacobian)

    class One:
        @staticmethod
        def center_jacobian(N):
            return (np.eye(N) - 1 / N)[None]

    found = examine(checks, One(), [Case(N=4)], checks.truth)
    assert found.ok
    assert "accepted" in found.remarks[0]


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(3, 30),
    st.integers(1, 5),
    st.sampled_from([1e-8, 1.0, 1e8]),
    st.sampled_from([0, 1e3]),
)
def test_right_passes_and_wrong_fails_at_every_size_and_scale(seed, N, D, scale, offset):
    rng = np.random.default_rng(seed)
    cases = [Case(dout=scale * (rng.normal(size=(N, D)) + offset + 0.5)) for _ in range(2)]
    assert report(right, cases).ok
    for wrong in (lambda d: d, lambda d: d - d.sum(0), lambda d: d * (1 - 1 / N), lambda d: right(d) * 1.001):
        assert not report(wrong, cases).ok


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_float32_answers_to_float32_inputs_pass(seed):
    dout = np.random.default_rng(seed).normal(size=(6, 3)).astype(np.float32)
    assert report(right, [Case(dout=dout)]).ok
    assert report(lambda d: right(d.astype(np.float64)), [Case(dout=dout)]).ok
    assert not report(lambda d: d, [Case(dout=dout)]).ok


@given(a=st.sampled_from([-1.0, 0.0, 0.5, 2.0, 3.7]), b=st.sampled_from([-1.0, 0.0, 0.5, 2.0, 3.7]))
def test_every_wrong_pair_of_coefficients_is_named(a, b):
    found = report(lambda d: a * d - b * d.mean(axis=0))
    if a == b == 1:
        assert found.ok
    else:
        assert found.names != ("unnamed",)
        assert not found.ok


def test_the_last_row_notices_a_result_that_changes():
    state = []

    def moody(dout):
        state.append(1)
        return right(dout) if len(state) <= 3 else dout

    assert report(moody).names == ("not-repeatable",)


def test_a_source_is_a_function_and_its_text():
    f = Source("def f(x):\n    return np.sin(x) ** 2")
    assert f(np.pi / 2) == 1
    assert "sin" in f.text


def test_hints_climb_a_ladder(capsys):
    ladder = checks_of(translation.center_jacobian).hints
    for text in ladder:
        hint(translation.center_jacobian)
        assert text in capsys.readouterr().out
    hint(translation.center_jacobian)
    assert "idea=True" in capsys.readouterr().out
    hint(translation.center_jacobian, idea=True)
    assert checks_of(translation.center_jacobian).idea in capsys.readouterr().out


def test_every_exercise_and_quiz_is_complete():
    for lesson in lessons():
        for stub in lesson.stubs.values():
            checks = checks_of(stub)
            assert checks.stub is stub
            assert len(checks.hints) >= 3, stub.id
            assert checks.idea
            names = [(slip.output, slip.name) for slip in checks.slips]
            assert len(names) == len(set(names)), stub.id
            assert {slip.output for slip in checks.slips} <= set(checks.outputs), stub.id
            assert set(checks.terms) <= set(checks.outputs), stub.id
        for quiz in lesson.quizzes.values():
            answer = answer_of(quiz)
            assert set(answer.why) == {choice.letter for choice in quiz.choices}
            assert answer.right in answer.why


def test_report_needs_an_exercise():
    with pytest.raises(TypeError, match="needs an exercise"):
        report_on(len)
