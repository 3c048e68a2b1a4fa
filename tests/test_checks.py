"""The engine behind check: what is accepted, what each kind of wrong result is told."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from answering import running
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bnlib import hint
from bnlib.checks import Case, Source, answer_of, chain_of, checks_of, report_on, visible
from bnlib.checks.translation import center_backward as backward
from bnlib.judging.diagnosing.slips import displaced
from bnlib.judging.examining import examine, ordinary_cases
from bnlib.judging.rounding import MOST_ROUNDING, rounding
from bnlib.stubs import lesson_of, lessons, translation


class Learner:
    def __init__(self, function):
        self.center_backward = function


def right(dout):
    return dout - dout.mean(axis=0)


HABIT = np.random.default_rng(5).normal(size=(5, 3))
"""A variable of the notebook."""


def report(function, cases=None):
    cases = cases or [Case(dout=np.random.default_rng(i).normal(size=(5, 3)) + 1) for i in range(3)]
    return examine(backward, Learner(function), cases, backward.truth)


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (lambda d: None, "returned-none", "return line"),
        (lambda d: (right(d), d), "wrong-shape", r"\(2, 5, 3\)"),
        (lambda d: "text", "wrong-type", "is a str"),
        (lambda d: right(d) + 1j, "returned-complex", "real numbers"),
        (lambda d: right(d)[0], "wrong-shape", r"\(3,\) and should have \(5, 3\)"),
        (lambda d: np.sqrt(d - 100), "returned-nan", "square root of a negative"),
        (lambda d: right(d) / 0, "returned-", "division by zero|0/0"),
        (lambda d: d.foo, "raises-AttributeError", "foo"),
        (lambda d: right(d) ** 2, "unnamed", r"dh\[0, 0\] is .* should be"),
        (lambda d: 0.3 * d - right(d), "direct-path-coefficient", "direct path"),
        (lambda d: right(d).T, "transposed", "transposed"),
        (lambda d: d.mean(axis=0), "rows-summed-away", "over axis 0"),
        (lambda d: d.mean(axis=1), "columns-summed-away", "over axis 1"),
        (lambda d: d.mean(), "summed-to-a-number", "axis="),
        (lambda d: d @ d.T, "matrix-product", "matrix product"),
        (lambda d: right(d).ravel(), "flattened", "flattened"),
        (lambda d: right(d)[:, :, None], "keepdims", "keepdims"),
        (lambda d: right(d).astype(np.float32), "dtype-lost", "float32"),
        (lambda d: right(d.astype(np.float32)).astype(np.float64), "dtype-lost", "float32"),
        (lambda d: right(d).astype(np.float16), "dtype-lost", "float16"),
        (lambda d: (100 * right(d)).astype(int), "returned-integers", "of type int64"),
        (lambda d: HABIT, "same-for-every-input", "variable of the notebook"),
    ],
)
def test_what_is_said(function, name, words):
    found = report(function)
    assert not found.ok
    assert any(n.startswith(name) for n in found.names), found.names
    assert re.search(words, found.message), found.message


def test_whole_numbers_are_a_mistake_of_their_own():
    cases = [Case(dout=np.random.default_rng(i).normal(size=(5, 3)) * 100) for i in range(3)]
    assert report(lambda d: np.round(right(d)), cases).names == ("returned-integers",)
    assert report(lambda d: right(d).astype(int), cases).names == ("returned-integers",)


def test_a_result_that_never_changes_is_noticed_whatever_its_shape():
    cases = [Case(dout=np.random.default_rng(i).normal(size=(4 + i, 3)) + 1) for i in range(3)]
    assert report(lambda d: HABIT, cases).names == ("same-for-every-input",)
    assert report(lambda d: right(HABIT), cases).names == ("same-for-every-input",)
    assert "same-for-every-input" not in report(lambda d: d[0], cases).names


@pytest.mark.parametrize(
    ("x", "careless", "name"),
    [
        (np.array([[2.0, 1.0], [2.0, 3.0], [2.0, 8.0]]), lambda x, eps: x.var(axis=0) ** -0.5, "constant-feature"),
        (
            1e9 + np.array([[2.0, 1.0], [3.0, 3.0], [4.0, 8.0]]),
            lambda x, eps: np.log((x**2).mean(axis=0) - x.mean(axis=0) ** 2 - 1e9),
            "negative-variance",
        ),
        (np.array([[2.0, 1.0], [3.0, 3.0], [4.0, 8.0]]), lambda x, eps: np.zeros(2) / 0 * x[0], None),
    ],
)
def test_nan_is_traced_to_the_input(x, careless, name):
    """A feature that is the same everywhere, or one that is large beside its spread."""
    checks = checks_of(lesson_of("normalization").stubs["batchnorm_forward"])
    case = Case(x=x, gamma=np.ones(2), beta=np.ones(2), eps=0.1)

    class One:
        @staticmethod
        def batchnorm_forward(x, gamma, beta, eps):
            return (x - x.mean(axis=0)) * careless(x, eps) + beta, None

    names = examine(checks, One(), [case], checks.truth).names
    assert names[0] == "returned-nan"
    assert names[1:] == ((name,) if name else ())


def test_outputs_in_any_other_order_are_noticed():
    stub = lesson_of("layer").stubs["batchnorm_train_forward"]
    checks, case = checks_of(stub), visible(stub)[0]
    out, mean, var = checks.truth(case)

    class One:
        @staticmethod
        def batchnorm_train_forward(*args):
            return out, var, mean, None

    found = examine(checks, One(), [case], checks.truth)
    assert found.names == ("swapped",)
    three = {name: np.array([i + 1.0, 2.0 * i]) for i, name in enumerate("abc")}
    turned = dict(zip("abc", [three["c"], three["a"], three["b"]], strict=True))
    assert set(displaced(turned, three)) == set("abc")


@pytest.mark.parametrize(
    ("spoilt", "name"),
    [
        (lambda dout, x_hat, gamma: (gamma * dout, (dout * x_hat).sum(0), (gamma * dout).sum(0)), "gamma-in-dbeta"),
        (lambda dout, x_hat, gamma: (dout, (dout * x_hat).sum(0), dout.sum(0)), "gamma-missing"),
        (lambda dout, x_hat, gamma: (gamma * dout, dout.T @ x_hat, dout.sum(0)), "matrix-product-for-sum"),
    ],
)
def test_what_is_wrong_beside_another_order_is_named_too(spoilt, name):
    stub = lesson_of("chain_rule").stubs["scale_shift_backward"]
    checks, cases = checks_of(stub), visible(stub)

    class One:
        @staticmethod
        def scale_shift_backward(*args):
            dx_hat, dgamma, dbeta = spoilt(*args)
            return dgamma, dbeta, dx_hat

    names = examine(checks, One(), cases, checks.truth, ordinary_cases).names
    assert names[:2] == ("wrong-shape", "swapped")
    assert name in names


def test_a_right_value_in_the_place_of_another_need_not_be_an_exchange():
    stub = lesson_of("chain_rule").stubs["scale_shift_backward"]
    checks, cases = checks_of(stub), visible(stub)

    class One:
        @staticmethod
        def scale_shift_backward(dout, x_hat, gamma):
            return gamma * dout, dout.sum(axis=0), (gamma * dout).sum(axis=0)

    names = examine(checks, One(), cases, checks.truth, ordinary_cases).names
    assert "gamma-in-dbeta" in names
    assert "swapped" not in names


def test_mistakes_in_two_outputs_are_both_told():
    stub = lesson_of("chain_rule").stubs["scale_shift_backward"]
    checks = checks_of(stub)

    class One:
        @staticmethod
        def scale_shift_backward(dout, x_hat, gamma):
            return dout, (dout * x_hat).mean(axis=0), dout.sum(axis=0)

    found = examine(checks, One(), visible(stub), checks.truth)
    assert found.names == ("gamma-missing", "mean-for-sum")
    wrong = [row for row in found.rows if row.ok is False]
    assert [bool(row.message) for row in wrong] == [True, True]
    assert [row.ok for row in found.rows if "dbeta" in row.name][-1] is True


def test_a_wrong_shape_does_not_hide_another_mistake():
    stub = lesson_of("layer").stubs["affine_backward"]
    checks = checks_of(stub)

    class One:
        @staticmethod
        def affine_backward(dh, x, W):
            return -dh @ W.T, (x.T @ dh).T, dh.sum(axis=0)

    assert set(examine(checks, One(), visible(stub), checks.truth).names) == {
        "wrong-shape",
        "transposed",
        "matrix-product-sign",
    }


def normalized(x, eps):
    inv_std = 1 / np.sqrt(x.var(axis=0) + eps)
    return (x - x.mean(axis=0)) * inv_std, inv_std


def layer_backward(dout, x, gamma, eps, mean=1.0, last=1.0, ddof=0, axis=0):
    x_hat, inv_std = normalized(x, eps)
    if ddof:
        inv_std = 1 / np.sqrt(x.var(axis=0, ddof=ddof) + eps)
    h = gamma * dout
    first = h.mean(axis=axis, keepdims=True)
    dx = inv_std * (h - mean * first - last * x_hat * (h * x_hat).mean(axis=0))
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


WRONG = (
    {"mean": 0},
    {"last": 0},
    {"mean": -1},
    {"last": 0.5},
    {"last": 2},
    {"last": 1.001},
    {"ddof": 1},
    {"axis": None},
)
HARD = {
    "N": st.integers(4, 9),
    "D": st.integers(2, 4),
    "offset": st.sampled_from([0.0, 3.0, 1e3, -1e3]),
    "variance": st.sampled_from([1e-8, 1.0, 1e4]),
    "dtype": st.sampled_from([np.float64, np.float32]),
    "eps": st.sampled_from([1e-5, 1e-9]),
    "seed": st.integers(0, 10_000),
}
"""Shapes, offsets, scales and types of a batch. float32 is drawn only where it still has digits to compute with."""


def hard_case(N, D, offset, variance, dtype, eps, seed):
    rng = np.random.default_rng(seed)
    if dtype is np.float32:
        offset, variance, eps = 1.0, 1.0, 1e-2
    x = rng.normal(size=(N, D))
    x = np.sqrt(variance) * (x / x.std(axis=0)) + offset
    trend = (x - x.mean(axis=0)) / np.sqrt(variance)
    arrays = {
        "x": x,
        "gamma": rng.uniform(1.3, 2.5, size=D) * rng.choice([-1.0, 1.0], size=D),
        "beta": rng.normal(size=D),
        "dout": rng.normal(size=(N, D)) + 1 + 0.5 * trend,
        "running_mean": rng.normal(size=D) + offset,
        "running_var": rng.uniform(0.5, 2, size=D),
    }
    return Case(
        {name: array.astype(dtype) for name, array in arrays.items()}, eps=eps, momentum=0.8, convention="cs231n"
    )


@pytest.mark.parametrize(
    ("lesson", "forward", "backward_name"),
    [
        ("normalization", "batchnorm_forward", "batchnorm_backward"),
        ("layer", "batchnorm_train_forward", "batchnorm_train_backward"),
    ],
)
@settings(deadline=None, max_examples=30)
@given(**HARD)
@example(N=5, D=4, offset=1e3, variance=1e-8, dtype=np.float64, eps=1e-9, seed=0)  # seven digits are lost in x - mu
def test_right_gradients_pass_and_wrong_ones_fail_on_hard_batches(lesson, forward, backward_name, **drawn):
    """A mean of 1000, a variance of 1e-8, float32: nothing right is rejected, nothing wrong passes by luck."""
    case = hard_case(**drawn)
    checks = replace(checks_of(lesson_of(lesson).stubs[backward_name]), properties=())

    def answer(**slip):
        def run_forward(*args):
            return (None, (args[0], args[1])) if lesson == "normalization" else (None, None, None, args[:2])

        def run_backward(dout, cache):
            return layer_backward(dout, *cache, case.eps, **slip)

        return SimpleNamespace(**{forward: run_forward, backward_name: run_backward})

    truth = [np.asarray(v) for v in layer_backward(*(case[k].astype(float) for k in ("dout", "x", "gamma")), case.eps)]
    numerical = checks.truth(case)
    for known in (numerical, tuple(truth)):
        found = examine(checks, answer(), [case], lambda _, known=known: known)
        assert found.ok, str(found)
    for slip in WRONG:
        if drawn["dtype"] is np.float64 or slip != {"last": 1.001}:
            assert not examine(checks, answer(**slip), [case], lambda _: numerical).ok, slip


@settings(deadline=None, max_examples=30)
@given(**HARD)
def test_right_evaluation_gradients_pass_and_wrong_ones_fail_on_hard_batches(**drawn):
    case = hard_case(**drawn)
    stub = lesson_of("layer").stubs["batchnorm_eval_backward"]
    checks = checks_of(stub)

    def answer(wrong):
        def run_backward(dout, cache):
            x, gamma, mean, var = cache
            sigma = np.sqrt(var + case.eps)
            x_hat = (x - mean) / sigma
            return wrong(gamma * dout / sigma, x, x_hat), (dout * x_hat).sum(axis=0), dout.sum(axis=0)

        return SimpleNamespace(
            batchnorm_eval_forward=lambda x, gamma, beta, mean, var, eps: (None, (x, gamma, mean, var)),
            batchnorm_eval_backward=run_backward,
        )

    assert examine(checks, answer(lambda dx, x, x_hat: dx), [case], checks.truth).ok
    for wrong in (
        lambda dx, x, x_hat: dx - dx.mean(axis=0),
        lambda dx, x, x_hat: 1.001 * dx,
        lambda dx, x, x_hat: -dx,
        lambda dx, x, x_hat: dx / len(dx),
    ):
        assert not examine(checks, answer(wrong), [case], checks.truth).ok


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


def test_of_a_single_number_no_shape_is_spoken():
    stub = lesson_of("normalization").stubs["first_slip"]

    class One:
        @staticmethod
        def first_slip(lines, args):
            return 0

    first = examine(checks_of(stub), One(), visible(stub), checks_of(stub).truth).rows[0]
    assert (first.name, first.ok) == ("runs, and returns a number", True)


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_the_courses_own_first_slip_measures_on_the_scale_of_the_lines(size):
    slope = size * np.array([1.0, -2.0, 0.0])
    lines = [
        lambda: slope,
        lambda: slope * (1 + 1e-14),
        lambda: slope + size * np.array([0, 0, 1e-15]),
        lambda: slope * 1.001,
    ]
    with running(lesson_of("normalization"), "") as learner:
        assert learner.first_slip(lines, ()) == 4
        assert learner.first_slip(lines[:3], ()) == 0


def test_what_a_choice_should_be_is_never_said():
    stub = lesson_of("normalization").stubs["first_slip"]
    checks, unnamed = checks_of(stub), 0
    for case in visible(stub, 40):
        for guess in {*range(9), -1, 0.5} - {case.slip}:
            learner = SimpleNamespace(first_slip=lambda lines, args, guess=guess: guess)
            found = examine(checks, learner, [case], checks.truth)
            assert "slip =" not in found.message
            if found.names == ("unnamed",):
                unnamed += 1
                sizes = {str(guess), str(len(case.lines)), str(len(case.args))}
                assert set(re.findall(r"-?\d+\.?\d*", found.message)) <= sizes, found.message
    assert unnamed > 50


def test_a_backward_without_a_cache_waits_for_its_forward():
    stub = lesson_of("normalization").stubs["batchnorm_backward"]

    class One:
        @staticmethod
        def batchnorm_forward(x, gamma, beta, eps):
            return x

        @staticmethod
        def batchnorm_backward(dout, cache):
            return 1, 2, 3

    found = examine(checks_of(stub), One(), visible(stub), checks_of(stub).truth)
    assert (found.names, found.undone) == (("empty",), "waits")
    assert "check(normalization.batchnorm_forward) comes first" in found.message


@pytest.mark.parametrize(
    ("key", "name", "text", "words"),
    [
        (
            "gates",
            "gates_backward",
            "def gates_forward(x, gamma, beta, eps):\n    mu, var = x.mean(0), x.var(0, ddof=1)\n    xc, std = x - mu, np.sqrt(var + eps)\n"
            "    x_hat = xc / std\n    return gamma * x_hat + beta, dict(gamma=gamma, xc=xc, std=std, inv_std=1 / std, x_hat=x_hat)",
            "gates_forward is not right yet, and gates_backward works on its cache: check(gates.gates_forward) comes first.",
        ),
        (
            "gates",
            "gates_backward",
            "def gates_forward(x, gamma, beta, eps):\n    xc, std = x - x.mean(0), x.std(0)\n"
            "    x_hat = xc / std\n    return gamma * x_hat + beta, dict(gamma=gamma, xc=xc, var=std**2, std=std, inv_std=1 / std, x_hat=x_hat)",
            "gates_forward is not right yet, and gates_backward works on its cache: check(gates.gates_forward) comes first.",
        ),
        (
            "gates",
            "join_branches",
            "def square_backward(dsq, xc):\n    return xc * dsq",
            "square_backward is not right yet, and join_branches calls it: check(gates.square_backward) comes first.",
        ),
        (
            "layer",
            "batchnorm_train_forward",
            "def update_running(running, batch, momentum, convention):\n    return batch",
            "update_running is not right yet, and batchnorm_train_forward calls it",
        ),
        ("gates", "join_branches", "def mean_backward(dvar, N):\n    return dvar", ""),
    ],
)
def test_what_builds_on_a_wrong_exercise_is_not_blamed(key, name, text, words):
    with running(lesson_of(key), text):
        report = report_on(lesson_of(key).stubs[name])
        assert report.ok == (not words)
        assert words in report.message
        assert len(report.message) < 1000


def test_what_a_forward_does_to_its_input_is_not_its_backwards_fault():
    text = (
        "right = batchnorm_train_forward\ndef batchnorm_train_forward(x, gamma, beta, running_mean, *rest):\n"
        "    result = right(x, gamma, beta, running_mean, *rest)\n    running_mean += 1\n    return result"
    )
    lesson = lesson_of("layer")
    with running(lesson, text):
        assert report_on(lesson.stubs["batchnorm_train_forward"]).names == ("input-changed",)
        assert report_on(lesson.stubs["batchnorm_train_backward"]).ok


@pytest.mark.parametrize("body", ["raise ValueError('no')", "return x", "return 1, 2, 3"])
def test_a_backward_waits_for_a_forward_that_does_not_run(body):
    lesson = lesson_of("gates")
    with running(lesson, f"def gates_forward(x, gamma, beta, eps):\n    {body}"):
        report = report_on(lesson.stubs["gates_backward"])
        assert report.undone == "waits"
        assert "check(gates.gates_forward) comes first" in report.message


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
        for stub in lesson.derivations.values():
            assert chain_of(stub).moves
            assert chain_of(stub).idea
        for stub in lesson.functions.values():
            checks = checks_of(stub)
            assert checks.stub is stub
            assert len(checks.hints) >= 3, stub.id
            assert checks.idea
            told = [(slip.output, slip.name, slip.message) for slip in checks.slips]
            assert len(told) == len(set(told)), stub.id
            assert {slip.output for slip in checks.slips} <= set(checks.outputs), stub.id
            assert set(checks.terms) <= set(checks.outputs), stub.id
        for quiz in lesson.quizzes.values():
            answer = answer_of(quiz)
            assert set(answer.why) == {choice.letter for choice in quiz.choices}
            assert answer.right in answer.why


def test_report_needs_an_exercise():
    with pytest.raises(TypeError, match="needs the exercise"):
        report_on(len)


def test_rounding_is_allowed_for_where_digits_are_lost_and_nowhere_else():
    x = np.random.default_rng(0).normal(size=(6, 3))
    assert rounding(Case(x=x, dout=np.ones((6, 3)), n=3, empty=np.zeros((0, 3)))) < 1e-13
    assert 1e-9 < rounding(Case(x=1e-4 * x + 1e3)) < MOST_ROUNDING
    assert rounding(Case(x=1e-12 * x + 1e3)) == MOST_ROUNDING
    assert rounding(Case(x=1e-170 * x)) <= MOST_ROUNDING


def test_the_same_remark_is_made_once_whatever_the_sizes():
    cases = [Case(x=np.random.default_rng(D).normal(size=(5, D))) for D in (2, 3, 4)]
    checks = checks_of(lesson_of("normalization").stubs["batch_statistics"])
    one = SimpleNamespace(batch_statistics=lambda x: (x.mean(0, keepdims=True), x.var(0)))
    found = examine(checks, one, cases, checks.truth)
    assert found.ok
    assert len(found.remarks) == 1


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ("dgamma, dbeta, dx", "in another order"),
        ("2 * dgamma, dbeta, dx", "shapes are right in another order"),
        ("dx, np.dot(dout.T, x_hat), dbeta", "matrix product .* of dout.T and x_hat"),
        ("dx, dout * x_hat, dbeta", r"the sum of dout \* x_hat is not taken"),
        ("dx.sum(axis=0), dgamma, dbeta", r"should have \(\d, \d\)\.$"),
    ],
)
def test_a_wrong_shape_has_a_reason_that_was_tried_or_none(results, words):
    stub = lesson_of("normalization").stubs["batchnorm_backward"]

    def backward(dout, cache):
        x, gamma, eps = cache
        inv_std = (x.var(axis=0) + eps) ** -0.5
        x_hat = (x - x.mean(axis=0)) * inv_std
        dgamma, dbeta = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
        dx = gamma * inv_std * (dout - dbeta / len(x) - x_hat * dgamma / len(x))
        return eval(results, {"np": np, **locals()})

    one = SimpleNamespace(batchnorm_forward=lambda x, g, b, eps: (x, (x, g, eps)), batchnorm_backward=backward)
    found = examine(checks_of(stub), one, visible(stub), checks_of(stub).truth)
    assert re.search(words, found.message), found.message
