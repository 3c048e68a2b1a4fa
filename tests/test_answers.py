"""Right answers in every form pass, wrong ones fail and are named: by the visible check and by the hidden tests.

The collection is ``tests/answers/``, and each of its programs is judged once. They run in this process: what isolation adds is
tested in ``test_worker.py`` and ``tests/attacks/``.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter

import numpy as np
import pytest
from answering import bench, hidden_tests, reference_answers, verdicts
from answers import collection, exercises, named
from answers.names import NOT_YET, SAME_STEP

from bnlib.checks import checks_of
from bnlib.grading.batch import Settings
from bnlib.grading.course import Course
from bnlib.grading.grade import grade
from bnlib.judging.examining import examine
from bnlib.notebooks import parse
from bnlib.stubs import lesson_of, lessons

EXERCISES = {exercise.stub.id: exercise for exercise in exercises()}
PAIRS, PAIRS_NAMED = 12, {True: 0.9, False: 0.85}
"""So many pairs of mistakes of each exercise, drawn with a fixed seed, and how many of them must be named: in lessons 01 to 05, and in later ones."""

every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)


def test_every_exercise_has_right_and_wrong_answers_and_hidden_tests():
    for lesson in lessons():
        assert set(collection(lesson)) == set(lesson.functions)
        for name, exercise in collection(lesson).items():
            assert len(exercise.texts) >= 3, name
            assert len(list(exercise.wrong())) >= 5, name
            assert hidden_tests(lesson)[name], f"{lesson.key} has no hidden test of {name}"


@every_exercise
def test_every_style_can_be_made_wrong_and_every_edit_made(exercise):
    wrong = list(exercise.wrong())
    assert {program.style for program in wrong} >= set(exercise.styles)
    made = {(program.names[0], program.label.split(": ", 1)[-1]) for program in wrong}
    for slip in exercise.own:
        for edit in slip.edits:
            assert (slip.names, str(edit)) in made, f"{slip.names}: {edit} fits nowhere, or stands twice"


@every_exercise
def test_right_answers_pass(exercise):
    judge = bench(exercise.stub)
    for program in exercise.right():
        for cases in (judge.cases, judge.gentle):
            report = judge.report(program.text, cases)
            assert report.ok, f"{program.id} ({'float32' if cases is judge.gentle else 'float64'})\n{report}"
        failed = judge.hidden(program.text)
        assert failed is None, f"{program.id}\n{failed}"


@every_exercise
def test_wrong_answers_fail_and_are_named(exercise):
    """Those that are not are counted in ``tests/answers/not_yet.txt``: where there are fewer now, the list has to say so."""
    id = exercise.stub.id
    short = [verdict for verdict in verdicts(exercise.stub) if verdict.problem]
    told = [f"{v.program.names[0]}: {v.program.label}\n    {v.problem}" for v in short]
    counted = {names: counts[id] for names, counts in NOT_YET.items() if id in counts}
    assert Counter(v.program.names[0] for v in short) == counted, "\n".join(["", *told])


UNKNOWN_THERE = {
    **dict.fromkeys(
        ("dvar_dx", "dinvstd_dx", "xhat_jacobian", "normalize_jacobian", "normalize_backward"), r"xc|std|_\w+"
    ),
    **dict.fromkeys(lesson_of("layer").functions, r"sigma|_\w+"),
}
"""Names that an exercise's lesson does not know at that place."""


@pytest.mark.parametrize("name", UNKNOWN_THERE)
def test_messages_call_quantities_what_the_lesson_calls_them(name):
    for verdict in verdicts(lesson_with(name).stubs[name]):
        told = re.search(rf"(?<![\w.])({UNKNOWN_THERE[name]})(?!\w)", verdict.report.message)
        assert not told, f"{verdict.program.label}: {verdict.report.message}"


@pytest.mark.parametrize("mistake", SAME_STEP)
def test_a_mistake_is_tried_in_every_exercise_with_the_same_step(mistake):
    for id in SAME_STEP[mistake]:
        names = {name.strip() for slip in EXERCISES[id].slips for name in slip.names.replace("|", "&").split("&")}
        assert mistake in names, f"{id} has no wrong answer called {mistake}"


def test_two_mistakes_at_once_fail_and_most_are_named():
    """Of mistakes that are named alone, in exercises with several styles."""
    found, misses, drawn = Counter(), [], random.Random(3)
    for id, exercise in EXERCISES.items():
        if len(exercise.styles) < 3:
            continue
        judge = bench(exercise.stub)
        known = {verdict.program.text for verdict in verdicts(exercise.stub) if not verdict.problem}
        pairs = [trio for trio in exercise.pairs() if {one.text for one in trio[1:]} <= known]
        for program, *alone in drawn.sample(pairs, min(PAIRS, len(pairs))):
            numbers = judge.numbers(program.text)
            if len(numbers) == 1 or any(judge.numbers(one.text) == numbers for one in alone):
                continue  # an error hides all else; two that compute what one of them does are one
            if any(judge.numbers(text) == numbers for text in exercise.texts.values()):
                continue
            report = judge.report(program.text)
            verdict = "accepted" if report.ok else all(named(one, report.names, beside=True) for one in program.names)
            found[verdict, exercise.stub.lesson.key < "06"] += 1
            misses += [] if verdict is True else [f"{id} {program.label}: {', '.join(report.names)}"]
    assert found.total() > 150
    for early, bound in PAIRS_NAMED.items():
        tried = sum(count for (_, when), count in found.items() if when is early)
        assert not found["accepted", early], "\n".join(misses)
        assert found[True, early] >= bound * tried, "\n".join([str(found), *misses])


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.key)
def test_reference_answers_agree_with_the_numerical_truth(lesson):
    """The visible checks never see a reference answer; on many inputs they must agree with it all the same."""
    answer = reference_answers(lesson)
    for stub in lesson.functions.values():
        checks = checks_of(stub)
        rng = np.random.default_rng(5)
        report = examine(checks, answer, [checks.draw(rng) for _ in range(12)], checks.truth)
        assert report.ok, str(report)


def test_a_slip_is_recorded_by_name_in_the_grader_s_result(tmp_path):
    """The words of the learner's own check are those of the teacher's counts."""
    document = parse(Course().root / "notebooks" / "02_translation.ipynb")
    for cell in document["cells"]:
        if cell.get("id") == "center_backward":
            head = cell["source"][: cell["source"].index("    # your code here")]
            cell["source"] = f"{head}    return dout * (1 - 1 / len(dout))"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "anna.ipynb").write_text(json.dumps(document))
    grade(tmp_path / "in", tmp_path / "out", settings=Settings(nbval=False))
    result = json.loads((tmp_path / "out" / "results" / "anna.json").read_text())
    found = result["lessons"]["02_translation"]["exercises"]
    assert next(entry for entry in found if "center_backward" in json.dumps(entry))["mistakes"] == ["only-the-diagonal"]


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
    "root_backward": """
def root_backward(dstd, std):
    root = lambda var: np.sqrt(var)
    return dstd * (root(std**2 + STEP) - root(std**2 - STEP)) / (2 * STEP)
""",
    "invert_backward": """
def invert_backward(dinv_std, inv_std):
    invert = lambda std: 1 / std
    return dinv_std * (invert(1 / inv_std + STEP) - invert(1 / inv_std - STEP)) / (2 * STEP)
""",
    "BatchNorm": """
class Measured(BatchNorm):
    def forward(self, x, training):
        self.x, self.notes = x, (self.running_mean, self.running_var)
        return super().forward(x, training)

    def backward(self, dout):
        super().backward(dout)

        def loss(x):
            return np.sum(dout * batchnorm_train_forward(x, self.gamma, self.beta, *self.notes, 0.9, self.eps, "cs231n")[0])

        dx = np.zeros_like(self.x)
        for place in np.ndindex(dx.shape):
            step = np.zeros_like(dx)
            step[place] = STEP
            dx[place] = (loss(self.x + step) - loss(self.x - step)) / (2 * STEP)
        return dx if self.trained else super().backward(dout)

BatchNorm = fill(layer.BatchNorm)(Measured)
""",
}

ORDER_TEN = """
def normalize_backward(dout, x, gamma, eps):
    def loss(x):
        return np.sum(dout * gamma * (x - x.mean()) / np.sqrt(x.var() + eps))

    weights = {1: 5 / 6, 2: -5 / 21, 3: 5 / 84, 4: -5 / 504, 5: 1 / 1260}
    dx, h = np.zeros(x.shape), 0.07 * np.sqrt(x.var() + eps)
    for i in range(len(x)):
        step = np.zeros(x.shape)
        step[i] = h
        dx[i] = sum(w * (loss(x + k * step) - loss(x - k * step)) for k, w in weights.items()) / h
    return dx
"""


def lesson_with(exercise):
    return next(lesson for lesson in lessons() if exercise in lesson.stubs)


@pytest.mark.parametrize("exercise", MEASURED)
@pytest.mark.parametrize("step", [1e-4, 1e-5, 6e-6, 1e-6])
def test_a_derivative_by_central_differences_is_no_answer(exercise, step):
    stub = lesson_with(exercise).stubs[exercise]
    assert bench(stub).hidden(MEASURED[exercise].replace("STEP", str(step)))


def test_a_derivative_measured_to_the_last_digits_passes():
    """What docs/security.md says about differences of high order: no comparison of results tells them from a formula."""
    stub = lesson_with("normalize_backward").stubs["normalize_backward"]
    assert not bench(stub).hidden(ORDER_TEN)


def test_every_exercise_whose_derivative_is_not_linear_has_an_exact_test():
    exact = {
        name
        for lesson in lessons()
        for name, tests in hidden_tests(lesson).items()
        if any(test.__name__.endswith("_exact") for test in tests)
    }
    assert exact == {
        "layernorm_backward", "spatial_batchnorm_backward", "groupnorm_backward", "rmsnorm_backward",
        "dvar_dx", "dinvstd_dx", "xhat_jacobian", "normalize_jacobian", "normalize_backward", "batchnorm_backward",
        "rms_scale_backward", "batchnorm_backward_composed", "root_backward", "invert_backward", "gates_backward",
        "folded_backward", "batchnorm_train_backward", "block_backward", "BatchNorm", "eigenvalues", "softmax_loss",
        "sync_batchnorm_backward", "batchnorm_backward_fast",
    }  # fmt: skip
