"""Attacks on what is lent: values of an earlier, wrong exercise, while one that builds on it is judged a second time.

The grader answers for exercises that the contract declares and that are wrong, in the one process in which the exercise is judged
that builds on them. Nothing of it may earn another exercise, be larger than what exercises are given, or get out.
"""

from __future__ import annotations

import re
import textwrap

import numpy as np
import pytest

from bnlib.grading.course import Course
from bnlib.grading.hidden import plugin
from bnlib.grading.hidden.lending import MOST_NUMBERS, MOST_QUESTIONS, Lender
from bnlib.grading.hidden.plugin import Batch, Subject
from bnlib.grading.hidden.reference import reference
from bnlib.grading.process.protocol import Handle
from bnlib.grading.process.remote import Refused
from bnlib.notebooks import Cell, Notebook, read
from bnlib.stubs import gates, layer, normalization

ASK = """
import sys
class Asking:
    def __call__(self, name, **given):
        session = sys.modules["bnlib.grading.process.session"]
        protocol = sys.modules["bnlib.grading.process.protocol"]
        import gc, socket
        sock = next(each for each in gc.get_objects() if isinstance(each, socket.socket) and each.fileno() >= 0)
        protocol.send(sock, {"ask": name, "given": given})
        return protocol.receive(sock, trusted=True)
ask = Asking()
"""
WRONG_DVAR = "@fill(normalization.dvar_dx)\ndef dvar_dx(x):\n    return 3 * x\n"
RIGHT_DINV = "    return -0.5 * (x.var() + eps) ** -1.5 * dvar_dx(x)\n"


def judged(patient, helper="", **answers):
    """Verdicts on lesson 03 by exercise, and what nobody of the learner's side may be told."""
    solution = read(Course().solution(normalization.lesson))
    cells = [
        Cell(each.id, each.exercise, each.given, answers.get(each.exercise, each.source)) for each in solution.cells
    ]
    book = Notebook(
        solution.path, solution.lesson, (cells[0], Cell("own", None, False, textwrap.dedent(helper)), *cells[1:])
    )
    batch = Batch(Course(), patient, {"one": Subject("one", (book,))}, carry=True)
    plugin.run(batch, [normalization.lesson])
    return {key.split(".")[1]: verdict for key, verdict in batch.verdicts["one"].items()}


def dinv(body, indent="    "):
    return "@fill(normalization.dinvstd_dx)\ndef dinvstd_dx(x, eps):\n" + textwrap.indent(textwrap.dedent(body), indent)


def test_what_is_lent_earns_what_builds_on_it_alone(patient):
    verdicts = judged(patient, dvar_dx=WRONG_DVAR)
    assert not verdicts["dvar_dx"].right
    assert not verdicts["dvar_dx"].carried
    assert verdicts["dinvstd_dx"].carried


STORE = """
import builtins, os
kept = getattr(builtins, "kept", {})
builtins.kept = kept
"""
KEEP = """
value = dvar_dx(x)
kept[x.tobytes()] = value
for place in ("note", "../note", "/tmp/bnlib-note", "/dev/shm/bnlib-note"):
    try:
        np.save(place, value)
    except OSError:
        pass
return -0.5 * (x.var() + eps) ** -1.5 * value
"""
TAKE = """@fill(normalization.dvar_dx)
def dvar_dx(x):
    if x.tobytes() in kept:
        return kept[x.tobytes()]
    for place in ("note.npy", "../note.npy", "/tmp/bnlib-note.npy", "/dev/shm/bnlib-note.npy"):
        try:
            value = np.load(place)
        except OSError:
            continue
        if value.shape == x.shape:
            return value
    return 3 * x
"""


def test_what_is_stored_is_gone(patient):
    """Twice, as the next submission would: what the second judgement knew is in nobody's memory and on no disk."""
    for _ in range(2):
        verdicts = judged(patient, STORE, dvar_dx=TAKE, dinvstd_dx=dinv(KEEP))
        assert not verdicts["dvar_dx"].right
        assert not verdicts["dvar_dx"].carried
        assert verdicts["dinvstd_dx"].carried


BORROWERS = {
    "in the first judgement": {"dvar_dx": "@fill(normalization.dvar_dx)\ndef dvar_dx(x):\n    return ask('dvar_dx', x=x)['value']\n"},
    "in an exercise that does not declare it": {
        "dvar_dx": WRONG_DVAR,
        "rms_scale_backward": "@fill(normalization.rms_scale_backward)\ndef rms_scale_backward(dout, xc, eps):\n"
        "    ask('dvar_dx', x=xc[0])\n    return dout\n",
    },
    "of the very exercise": {
        "dvar_dx": WRONG_DVAR, "dinvstd_dx": dinv("return ask('dinvstd_dx', x=x, eps=eps)['value']")
    },
    "of a later one": {
        "dvar_dx": WRONG_DVAR,
        "normalize_backward": "@fill(normalization.normalize_backward)\ndef normalize_backward(dout, x, gamma, eps):\n    return dout\n",
        "dinvstd_dx": dinv("return ask('normalize_backward', dout=x, x=x, gamma=1.0, eps=eps)['value']"),
    },
    "of one that is not of the lesson": {"dvar_dx": WRONG_DVAR, "dinvstd_dx": dinv("return ask('center', h=x)['value']")},
    "of the truth itself": {"dvar_dx": WRONG_DVAR, "dinvstd_dx": dinv("return ask('_answers')['value']")},
}  # fmt: skip


@pytest.mark.parametrize("answers", BORROWERS.values(), ids=BORROWERS)
def test_nothing_else_is_lent(patient, answers):
    verdicts = judged(patient, ASK, **answers)
    for name in answers:
        assert not verdicts[name].right
        assert not verdicts[name].carried
        assert not verdicts[name].fault


def test_the_same_question_is_answered_where_it_may_be_asked(patient):
    """The attacks above ask rightly: it is the grader that says no."""
    body = "return -0.5 * (x.var() + eps) ** -1.5 * ask('dvar_dx', x=x)['value']"
    assert judged(patient, ASK, dvar_dx=WRONG_DVAR, dinvstd_dx=dinv(body))["dinvstd_dx"].carried


LOUD = {
    "as an error": "raise ValueError('lent ' + ' '.join(map(repr, dvar_dx(x))))",
    "as the name of an error": "raise type('E' + repr(dvar_dx(x)[0]).replace('.', '_'), (Exception,), {})()",
    "as the name of a type": "return type('T' + str(dvar_dx(x)[0]).replace('.', '_').replace('-', 'm'), (), {})()",
    "as a number": "return dvar_dx(x)",
    "as a shape": "return np.zeros(int(abs(dvar_dx(x)[0]) * 1e5))",
    "at the second call": "n.append(0)\nif len(n) % 7 == 0:\n    raise ValueError(repr(dvar_dx(x)))\n"
    + RIGHT_DINV.strip(),
    "as a factor": "return dvar_dx(x)[0] * -0.5 * (x.var() + eps) ** -1.5 * dvar_dx(x)",
}


@pytest.mark.parametrize("body", LOUD.values(), ids=LOUD)
def test_nothing_that_is_lent_is_told(patient, body):
    """Feedback repeats no text, type, shape or figure of what the code says while it knows lent values."""
    lent = []
    said = Lender.__call__

    def listening(lender, name, given):
        value = said(lender, name, given)
        lent.extend(np.ravel(value))
        return value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lender, "__call__", listening)
        verdict = judged(patient, "n = []", dvar_dx=WRONG_DVAR, dinvstd_dx=dinv(body))["dinvstd_dx"]
    assert lent
    assert not verdict.carried
    told = " ".join([verdict.message, *verdict.mistakes, *(f"{row.message} {row.detail}" for row in verdict.rows)])
    figures = [float(text) for text in re.findall(r"-?\d+\.\d{4,}(?:e-?\d+)?", told.replace("_", "."))]
    for figure in figures:
        assert not np.any(np.isclose(lent, figure, rtol=1e-4)), (figure, told)
    assert not re.search(r"lent -?\d", told) or not figures


def lender(stub, *wrong):
    return Lender(stub, wrong, reference(stub.lesson))


X = np.arange(6.0)


@pytest.mark.parametrize(
    "given",
    [
        {"x": X + 1j},
        {"x": np.zeros(MOST_NUMBERS + 1)},
        {"x": np.zeros((2, 2, 2))},
        {"x": "text" * 10},
        {"x": [1.0, 2.0]},
        {"x": {"x": X}},
        {"x": Handle(0)},
        {"x": None},
        {"x": X, "more": X},
        {"y": X},
        {},
        [X],
        None,
        {"x": 10**9},
        {"x": 1.0},
    ],
    ids=str,
)
def test_what_no_exercise_is_given_is_refused(given):
    with pytest.raises(Refused):
        lender(normalization.dinvstd_dx, "dvar_dx")("dvar_dx", given)


def test_large_counts_are_refused():
    lent = lender(gates.gates_backward, "mean_backward")
    assert lent("mean_backward", {"dvar": X, "N": 100}).shape == (100, 6)
    with pytest.raises(Refused):
        lent("mean_backward", {"dvar": X, "N": 10**9})


def test_questions_are_counted():
    lent = lender(normalization.dinvstd_dx, "dvar_dx")
    for _ in range(MOST_QUESTIONS):
        lent("dvar_dx", {"x": X})
    with pytest.raises(Refused, match="more than"):
        lent("dvar_dx", {"x": X})


def test_only_what_is_declared_and_wrong_is_lent():
    assert lender(normalization.dinvstd_dx, "dvar_dx", "batch_statistics").names == ("dvar_dx",)
    assert lender(layer.BatchNorm, "update_running").names == ("update_running",)
    assert lender(layer.BatchNorm, "batchnorm_eval_backward").names == (
        "batchnorm_eval_forward",
        "batchnorm_eval_backward",
    )
    for name in (None, 3, "center", "dinvstd_dx", "__class__", ["dvar_dx"]):
        with pytest.raises(Refused):
            lender(normalization.dinvstd_dx, "dvar_dx")(name, {"x": X})


def test_a_cache_that_no_contract_describes_stays_with_the_grader():
    lent = lender(layer.block_backward, "batchnorm_train_forward")
    batch = np.random.default_rng(0).normal(size=(5, 3))
    one, zero = np.ones(3), np.zeros(3)
    given = dict(
        zip(layer.batchnorm_train_forward.parameters, (batch, one, zero, zero, one, 0.9, 1e-5, "cs231n"), strict=True)
    )
    *_, token = lent("batchnorm_train_forward", given)
    assert isinstance(token, Handle)
    assert len(lent("batchnorm_train_backward", {"dout": batch, "cache": token})) == 3
    for forged in (Handle(1), Handle(10**9)):
        with pytest.raises(Refused):
            lent("batchnorm_train_backward", {"dout": batch, "cache": forged})
