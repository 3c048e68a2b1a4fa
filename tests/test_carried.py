"""Error carried forward: a mistake is charged once, its cause is named, and right code is not blamed."""

from __future__ import annotations

import json

import pytest
from answering import ROOT

from bnlib.grading.batch import Settings, Work, grade_batch
from bnlib.grading.grade import grade
from bnlib.notebooks import parse
from bnlib.stubs import lesson_of

FAST = Settings(nbval=False, call_seconds=60)


def handed_in(lesson, **answers):
    """The solution's notebook, some answer cells of which hold other text; None deletes the cell."""
    document = parse(ROOT / "solutions" / f"{lesson.key}.ipynb")
    kept = []
    for cell in document["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id") if cell["cell_type"] == "code" else None
        if name in answers and f"@fill({lesson.name}.{name})" in cell["source"]:
            if answers[name] is None:
                continue
            cell["source"] = f"@fill({lesson.name}.{name})\n{answers[name]}"
        kept.append(cell)
    extra = answers.get("helper")
    if extra:
        own = {
            "cell_type": "code",
            "id": "own",
            "metadata": {},
            "source": extra,
            "outputs": [],
            "execution_count": None,
        }
        kept.insert(2, own)
    return json.dumps({**document, "cells": kept}).encode()


def graded(key, settings=FAST, **answers):
    lesson = lesson_of(key)
    work = Work("one", {lesson.key: (f"{lesson.key}.ipynb", handed_in(lesson, **answers))}, (lesson.key,))
    result = grade_batch(settings, [work])["one"][lesson.key]
    return {each.name: each for each in result.exercises}, result


def worth(*names):
    """What exercises of lesson 03 are worth together."""
    return sum(lesson_of("normalization").stubs[name].points for name in names)


def statuses(exercises):
    return {name: each.status for name, each in exercises.items() if each.status != "right"}


DVAR = "def dvar_dx(x):\n    return 2 * (x - x.mean())"
UPDATE = "def update_running(running, batch, momentum, convention):\n    return batch"
CHAIN = {
    "dvar_dx": DVAR,
    "normalize_jacobian": "def normalize_jacobian(x, gamma, eps):\n    return gamma * xhat_jacobian(x, eps)",
    "normalize_backward": "def normalize_backward(dout, x, gamma, eps):\n    return dout @ normalize_jacobian(x, gamma, eps)",
}


def test_one_mistake_is_charged_once_and_named():
    exercises, result = graded("normalization", **CHAIN)
    others = ["dinvstd_dx", "xhat_jacobian", "normalize_jacobian", "normalize_backward"]
    assert statuses(exercises) == {"dvar_dx": "wrong", **dict.fromkeys(others, "carried")}
    assert result.score == result.max - worth("dvar_dx")
    for name in others:
        assert exercises[name].message == "Right by itself; mend dvar_dx first"
        assert exercises[name].causes == ("dvar_dx",)
        assert exercises[name].mistakes == ()
    assert exercises["dvar_dx"].causes == ()
    assert exercises["dvar_dx"].mistakes
    assert exercises["dvar_dx"].score == 0


def test_strict_charges_for_consequences_and_names_the_cause():
    exercises, result = graded("normalization", Settings(nbval=False, call_seconds=60, strict=True), **CHAIN)
    assert result.score == result.max - worth(*CHAIN, "dinvstd_dx", "xhat_jacobian")
    assert exercises["xhat_jacobian"].status == "wrong"
    assert exercises["xhat_jacobian"].causes == ("dvar_dx",)
    assert exercises["xhat_jacobian"].mistakes == ()


def test_a_change_of_strictness_is_graded_again(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.ipynb").write_bytes(
        handed_in(lesson_of("translation"), center_jacobian="def center_jacobian(N):\n    return np.eye(N)")
    )
    scores = []
    for strict in (False, True):
        settings = Settings(nbval=False, call_seconds=60, strict=strict)
        grade(tmp_path / "in", tmp_path / "out", settings=settings, force=True)
        (path,) = (tmp_path / "out" / "results").glob("*.json")
        scores.append(json.loads(path.read_text("utf-8"))["score"])
    points = lesson_of("translation").points
    assert scores == [points - 2, points - 5]


def test_running_averages_cost_their_own_point():
    exercises, result = graded("layer", update_running=UPDATE)
    assert statuses(exercises) == {
        "update_running": "wrong", "batchnorm_train_forward": "carried", "BatchNorm": "carried"
    }  # fmt: skip
    assert result.score == result.max - 1


def test_a_mistake_of_its_own_is_charged_and_named_beside_the_others():
    wrong = "def dinvstd_dx(x, eps):\n    return 0.5 * (x.var() + eps) ** -1.5 * dvar_dx(x)"
    exercises, result = graded("normalization", dvar_dx=DVAR, dinvstd_dx=wrong)
    assert statuses(exercises) == {"dvar_dx": "wrong", "dinvstd_dx": "wrong", "xhat_jacobian": "carried"}
    assert "sign" in exercises["dinvstd_dx"].message
    assert "with dvar_dx put right" in exercises["dinvstd_dx"].message
    assert exercises["dinvstd_dx"].causes == ()
    assert exercises["xhat_jacobian"].causes == ("dinvstd_dx",)
    assert result.score == result.max - worth("dvar_dx", "dinvstd_dx")


@pytest.mark.parametrize(
    ("answer", "status"),
    [(None, "missing"), ("def dvar_dx(x):\n    raise NotImplementedError", "empty"), ("def dvar_dx(", "wrong")],
)
def test_what_is_not_there_is_put_right_too(answer, status):
    exercises, result = graded("normalization", dvar_dx=answer)
    assert statuses(exercises) == {"dvar_dx": status, "dinvstd_dx": "carried", "xhat_jacobian": "carried"}
    assert result.score == result.max - worth("dvar_dx")


def test_an_empty_exercise_earns_nothing_whatever_it_builds_on():
    exercises, _ = graded(
        "normalization", dvar_dx=DVAR, dinvstd_dx="def dinvstd_dx(x, eps):\n    raise NotImplementedError"
    )
    assert exercises["dinvstd_dx"].status == "empty"
    assert exercises["dinvstd_dx"].score == 0


def test_forward_and_backward_are_lent_together():
    forward = (
        "def batchnorm_train_forward(x, gamma, beta, running_mean, running_var, momentum, eps, convention):\n"
        "    return x, running_mean, running_var, {'nothing': x}"
    )
    exercises, _ = graded("layer", batchnorm_train_forward=forward)
    found = statuses(exercises)
    assert found.pop("batchnorm_train_backward") == "wrong"
    assert found == {
        "batchnorm_train_forward": "wrong", "block_forward": "carried", "block_backward": "carried", "BatchNorm": "carried"
    }  # fmt: skip


def test_a_backward_on_a_wrong_forwards_cache_waits_for_it():
    forward = (
        "def batchnorm_forward(x, gamma, beta, eps):\n    mu, var = x.mean(axis=0), x.var(axis=0, ddof=1)\n"
        "    xc, inv_std = x - mu, 1 / np.sqrt(var + eps)\n"
        "    return gamma * xc * inv_std + beta, (xc, xc * inv_std, inv_std, gamma, eps)"
    )
    exercises, _ = graded("normalization", batchnorm_forward=forward)
    backward = exercises["batchnorm_backward"]
    assert backward.status == "wrong"
    assert backward.message.startswith("batchnorm_forward is not right yet, and batchnorm_backward works on its cache")
    assert backward.causes == ("batchnorm_forward",)
    assert backward.mistakes == ("waits",)
    assert exercises["batchnorm_backward_composed"].causes == ("batchnorm_forward",) or (
        exercises["batchnorm_backward_composed"].status == "right"
    )


def test_a_cache_that_the_contract_describes_can_be_put_right():
    forward = "def gates_forward(x, gamma, beta, eps):\n    return x, {'x': x}"
    exercises, result = graded("gates", gates_forward=forward)
    assert statuses(exercises) == {"gates_forward": "wrong", "gates_backward": "carried"}
    assert exercises["gates_backward"].causes == ("gates_forward",)
    exercises, _ = graded("gates", gates_forward=None)
    assert statuses(exercises) == {"gates_forward": "missing", "gates_backward": "carried"}


def test_a_right_backward_is_not_told_what_its_forward_did():
    source = handed_in(lesson_of("layer")).decode()
    changed = source.replace(
        "mu, var = x.mean(axis=0), x.var(axis=0)", "mu, var = x.mean(axis=0), x.var(axis=0); running_mean *= 1"
    )
    assert changed != source
    text = (
        "def batchnorm_train_forward(x, gamma, beta, running_mean, running_var, momentum, eps, convention):\n"
        "    mu, var = x.mean(axis=0), x.var(axis=0)\n    inv_std = 1 / np.sqrt(var + eps)\n    x_hat = (x - mu) * inv_std\n"
        "    new_var = update_running(running_var, kept_variance(x, convention), momentum, convention)\n"
        "    running_mean[:] = update_running(running_mean, mu, momentum, convention)\n"
        "    return gamma * x_hat + beta, running_mean, new_var, (x_hat, gamma, inv_std)"
    )
    exercises, _ = graded("layer", batchnorm_train_forward=text)
    assert exercises["batchnorm_train_forward"].mistakes == ("input-changed",)
    assert exercises["batchnorm_train_backward"].status == "right"


def test_an_error_in_another_cell_names_its_function():
    exercises, _ = graded("gates", square_backward="def square_backward(dsq, xc):\n    return dsq @ xc")
    assert exercises["join_branches"].status == "carried"
    assert "in square_backward, line 3" in exercises["square_backward"].message


def test_what_is_called_otherwise_or_while_cells_run_is_put_right_all_the_same():
    dvar = "def slope(values, factor=1):\n    return 2 * factor * values\n"
    dinv = "def dinvstd_dx(x, eps, nothing=0 * slope(np.ones(3))[0]):\n    return -0.5 * (x.var() + eps) ** -1.5 * (slope(values=x) + nothing)"
    exercises, _ = graded("normalization", dvar_dx=dvar, dinvstd_dx=dinv)
    assert statuses(exercises) == {"dvar_dx": "wrong", "dinvstd_dx": "carried", "xhat_jacobian": "carried"}
    exercises, _ = graded("normalization", dvar_dx=dvar, dinvstd_dx=dinv.replace("values=x", "x, factor=2"))
    assert exercises["dinvstd_dx"].status == "wrong"  # what it asks for is not in the contract
