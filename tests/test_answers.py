"""Right answers in every form pass, wrong ones fail and are named: by the visible check and by the hidden tests.

The forms are in ``tests/answers/``, one module a lesson. They run in this process: what isolation adds is tested in
``test_worker.py`` and ``tests/attacks/``.
"""

from __future__ import annotations

import numpy as np
import pytest
from answering import answers, filling, hidden, hidden_tests, reference_answers, visible

from bnlib.checks import checks_of
from bnlib.judging.examining import examine
from bnlib.stubs import lesson_of, lessons


@pytest.fixture
def fill_with():
    with filling() as fill:
        yield fill


def forms(which):
    return [
        pytest.param(lesson.key, exercise, text, id=f"{lesson.name}.{exercise}-{label}")
        for lesson in lessons()
        for exercise, texts in getattr(answers(lesson), which).items()
        for label, text in texts.items()
    ]


def test_every_exercise_has_right_and_wrong_answers_and_hidden_tests():
    for lesson in lessons():
        forms = answers(lesson)
        assert set(forms.RIGHT) == set(forms.WRONG) == set(lesson.stubs)
        for exercise, tests in hidden_tests(lesson).items():
            assert tests, f"{lesson.key} has no hidden test of {exercise}"
            assert forms.RIGHT[exercise]
            assert forms.WRONG[exercise]


@pytest.mark.parametrize(("key", "exercise", "text"), forms("RIGHT"))
def test_right_answer_passes(fill_with, key, exercise, text):
    lesson = lesson_of(key)
    learner = fill_with(lesson, text)
    report = visible(lesson.stubs[exercise])
    assert report.ok, str(report)
    failed = hidden(lesson, exercise, learner)
    assert not failed, str(failed[0])


@pytest.mark.parametrize(("key", "exercise", "answer"), forms("WRONG"))
def test_wrong_answer_fails_and_is_named(fill_with, key, exercise, answer):
    name, text = answer
    lesson = lesson_of(key)
    fill_with(lesson, text)
    report = visible(lesson.stubs[exercise])
    assert not report.ok, "the visible check accepts a wrong answer"
    assert report.message
    if name is not None:
        assert name in report.names, str(report)
    assert hidden(lesson, exercise, fill_with(lesson, text)), "the hidden tests accept a wrong answer"


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.key)
def test_reference_answers_agree_with_the_numerical_truth(lesson):
    """The visible checks never see a reference answer; on many inputs they must agree with it all the same."""
    answer = reference_answers(lesson)
    for stub in lesson.stubs.values():
        checks = checks_of(stub)
        rng = np.random.default_rng(5)
        report = examine(checks, answer, [checks.draw(rng) for _ in range(12)], checks.truth)
        assert report.ok, str(report)


MEASURED = {
    "normalize_backward": """
def normalize_backward(dout, x, gamma, eps):
    def loss(x):
        return np.sum(dout * gamma * (x - x.mean()) / np.sqrt(x.var() + eps))

    dx = np.zeros_like(x)
    for i in range(len(x)):
        step = np.zeros_like(x)
        step[i] = STEP
        dx[i] = (loss(x + step) - loss(x - step)) / (2 * STEP)
    return dx
""",
    "rms_scale_backward": """
def rms_scale_backward(dout, xc, eps):
    def loss(xc):
        return np.sum(dout * xc / np.sqrt(np.mean(xc**2, axis=0) + eps))

    dxc = np.zeros_like(xc)
    for place in np.ndindex(xc.shape):
        step = np.zeros_like(xc)
        step[place] = STEP
        dxc[place] = (loss(xc + step) - loss(xc - step)) / (2 * STEP)
    return dxc
""",
}


@pytest.mark.parametrize("exercise", MEASURED)
@pytest.mark.parametrize("step", [1e-4, 1e-5, 6e-6, 1e-6])
def test_a_measured_derivative_is_no_answer(fill_with, exercise, step):
    lesson = lesson_of("normalization")
    learner = fill_with(lesson, MEASURED[exercise].replace("STEP", str(step)))
    assert hidden(lesson, exercise, learner)
