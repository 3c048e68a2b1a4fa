"""Stubs, fill, and what an unfilled exercise says."""

import functools
import inspect

import numpy as np
import pytest

from bnlib import check, fill, hint, quiz
from bnlib.checks import CheckFailed
from bnlib.exercises import SignatureError
from bnlib.stubs import Lesson, NotFilledError, OneLine, lesson_of, lessons, translation


@pytest.fixture(autouse=True)
def empty():
    yield
    for stub in translation.lesson.stubs.values():
        stub.answer = None


def test_an_unfilled_stub_says_where_to_write_it():
    with pytest.raises(NotImplementedError, match=r"notebooks/02_translation\.ipynb.*@fill\(translation\.center\)"):
        translation.center(np.ones((2, 2)))
    with pytest.raises(NotFilledError, match=r"@fill\(translation\.center\)"):
        check(translation.center)


def test_fill_hands_the_function_back_and_puts_it_behind_the_stub():
    def center(h):
        return h + 1

    assert fill(translation.center)(center) is center
    assert translation.center(1) == 2


@pytest.mark.parametrize(
    "function",
    [lambda batch: 0, lambda h, eps=1: 0, lambda *args: 0, functools.partial(lambda a, h: 0, 1), np.sin],
)
def test_fill_accepts_anything_callable_as_the_contract(function):
    fill(translation.center)(function)


@pytest.mark.parametrize("function", [lambda: 0, lambda h, x: 0, lambda *, h: 0, 3])
def test_fill_refuses_other_signatures_in_one_line(function):
    with pytest.raises(SignatureError, match=r"center\(h\)") as caught:
        fill(translation.center)(function)
    assert "\n" not in str(caught.value)
    assert translation.center.answer is None


def test_fill_without_an_exercise():
    with pytest.raises(SignatureError, match="in brackets"):
        fill(lambda h: h)


def test_help_and_signature_come_from_the_contract():
    assert "eq. 2.1" in translation.center.__doc__
    assert str(inspect.signature(translation.center)) == "(h)"


def test_a_failed_check_shows_no_traceback_of_bnlib(capsys):
    fill(translation.center)(lambda h: h)
    with pytest.raises(CheckFailed) as caught:
        check(translation.center)
    shown = caught.value._render_traceback_()
    assert len(shown) == 1
    assert "nothing is subtracted" in shown[0]
    assert "nothing is subtracted" in capsys.readouterr().out


def test_an_empty_exercise_is_called_empty_not_wrong(capsys):
    @fill(translation.center)
    def center(h):
        raise NotImplementedError("center is still empty")

    with pytest.raises(CheckFailed) as caught:
        check(translation.center)
    shown = capsys.readouterr().out
    first, said = shown.splitlines()[1:3]
    assert first.split()[-1] == "empty"
    assert said.strip() == "write it in the cell above, run that cell, then this one again."
    assert "wrong" not in shown
    html = caught.value.report._repr_html_()
    assert "✗" not in html
    assert "error-color" not in html
    assert caught.value._render_traceback_() == ["translation.center is still empty."]


@pytest.mark.parametrize("call", ["center_jacobian(N)", "translation.center_jacobian(N)"])
def test_an_exercise_that_calls_an_empty_one_waits_for_it(capsys, call):
    @fill(translation.center_jacobian)
    def center_jacobian(N):
        raise NotImplementedError("center_jacobian is still empty")

    names = {"center_jacobian": center_jacobian, "translation": translation}
    fill(translation.center_jacobian_full)(eval(f"lambda N, D: {call}", names))
    for _ in range(2):
        with pytest.raises(CheckFailed) as caught:
            check(translation.center_jacobian_full)
        assert caught.value._render_traceback_() == ["translation.center_jacobian_full waits for another exercise."]
        first, said = capsys.readouterr().out.splitlines()[1:3]
        assert first.split()[-1] == "waits"
        assert said.strip().startswith("it needs another exercise first")
        assert "center_jacobian is still empty" in said
        assert "center_jacobian_full is" not in said
        if call.startswith("translation"):
            translation.center_jacobian.answer = None


def test_lessons_are_the_modules_of_the_folder():
    keys = [lesson.key for lesson in lessons()]
    assert keys == sorted(keys)
    assert "02_translation" in keys
    assert lesson_of("translation") is lesson_of("02_translation") is translation.lesson
    with pytest.raises(KeyError, match="02_translation"):
        lesson_of("99_nothing")


@pytest.mark.parametrize(
    "key",
    [
        "02",
        "2",
        2,
        "02_",
        "02_trans",
        "trans",
        " 02_Translation ",
        "02_translation",
        "02_translation.ipynb",
        "notebooks/02_translation.ipynb",
    ],
)
def test_a_lesson_is_known_by_the_beginning_of_its_name(key):
    assert lesson_of(key) is translation.lesson


@pytest.mark.parametrize(
    "key", ["0", "", "00", "02_translations", "ranslation", 0, 22, None, 2.0, translation, ".ipynb"]
)
def test_what_begins_no_lesson_or_several_is_refused(key):
    with pytest.raises(KeyError) as caught:
        lesson_of(key)
    assert str(caught.value).startswith("no lesson called")


def center(h):
    return h - h.mean(axis=0)


@pytest.mark.parametrize("command", [check, hint])
@pytest.mark.parametrize(
    "wrong", [center, "center", "translation.center", 3, None, translation, translation.gradient_sum]
)
def test_what_is_no_exercise_gets_one_line(command, wrong):
    with pytest.raises(TypeError) as caught:
        command(wrong)
    said = f"{command.__name__} needs the exercise in brackets, as in the line @fill(...) of its answer cell"
    if wrong is center:
        said = f"{command.__name__} needs the exercise, not the function: {command.__name__}(translation.center)"
    assert str(caught.value) == said
    assert caught.value._render_traceback_() == [said]


@pytest.mark.parametrize("command", [check, hint])
def test_who_hands_over_their_own_function_is_told_which_exercise_it_is(command):
    mine = fill(translation.center_jacobian)(lambda N: np.eye(N))
    with pytest.raises(TypeError, match=rf"needs the exercise: {command.__name__}\(translation\.center_jacobian\)$"):
        command(mine)


@pytest.mark.parametrize("wrong", [translation.center, "applied_twice", None, center])
def test_what_is_no_question_gets_one_line(wrong):
    said = "quiz needs the question, for example quiz(translation.applied_twice)"
    for answer in ((), ("a",)):
        with pytest.raises(TypeError) as caught:
            quiz(wrong, *answer)
        assert caught.value._render_traceback_() == [said]


def test_errors_that_are_the_learners_to_mend_show_no_traceback():
    for bad in (lambda: quiz(translation.applied_twice, "z"), lambda: lesson_of("0"), lambda: fill(center)):
        with pytest.raises(OneLine) as caught:
            bad()
        (line,) = caught.value._render_traceback_()
        assert "\n" not in line
        assert not line.startswith("'")


def test_lesson_keys_are_checked():
    with pytest.raises(ValueError, match="two digits"):
        Lesson("translation", "")


def test_every_exercise_states_what_a_learner_needs():
    for lesson in lessons():
        assert lesson.stubs, lesson
        for stub in lesson.stubs.values():
            assert stub.points > 0
            assert stub.minutes > 0
            assert stub.difficulty in (1, 2, 3)
            assert stub.equation, stub.id
            derived = stub.name in lesson.derivations
            assert "Returns:" in stub.__doc__ or inspect.isclass(stub.contract) or derived, stub.id
