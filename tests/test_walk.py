"""The table of a walk: it goes on behind the first wrong gate, and says how far a half-written walk has come."""

import numpy as np

from bnlib.checks.gates import _chain, _gradient, gates_backward
from bnlib.judging.examining import examine
from bnlib.stubs import gates

NAMES = gates.gates_backward.returns
CASES = [gates_backward.draw(np.random.default_rng(seed)) for seed in range(2)]


class Learner:
    """Returns what is right for the current case, changed by ``change``: from a dict of gradients to a dict."""

    def __init__(self, change=lambda right: right):
        self.change = change

    def gates_forward(self, x, gamma, beta, eps):
        self.case = next(case for case in CASES if np.array_equal(case.x, x))
        return _chain(self.case)["out"], None

    def gates_backward(self, dout, cache):
        right = {name: _gradient(self.case, name[1:]) for name in NAMES}
        return tuple({**right, **self.change(right)}[name] for name in NAMES)


def report(change=lambda right: right):
    return examine(gates_backward, Learner(change), CASES, gates_backward.truth)


def rows(found):
    return {row.name.split()[0]: (row.ok, row.detail) for row in found.rows if "agrees" in row.name}


def test_right_gates_show_no_digits_of_their_own():
    found = report()
    assert found.ok
    assert set(rows(found).values()) == {(True, "difference below 1e-9")}
    assert str(found) == str(report(lambda right: {name: value * (1 + 1e-15) for name, value in right.items()}))


def test_every_gate_behind_the_first_wrong_one_has_its_verdict():
    found = report(lambda right: {"dvar": 2 * right["dvar"], "dx": right["dx"] + 1})
    assert {name for name, (ok, _) in rows(found).items() if ok is False} == {"dvar", "dx"}
    assert rows(found)["dvar"][1] == "largest difference 1"
    assert "dvar" in found.message
    assert "twice" in found.message
    assert found.names == ("slope-of-the-root-doubled",)


def test_a_half_written_walk_shows_how_far_it_is():
    found = report(lambda right: dict.fromkeys(NAMES[4:]))
    assert found.names == ("unfinished",)
    assert [ok for ok, _ in rows(found).values()] == [True] * 4 + [False] + [None] * 5
    assert rows(found)["dx"][1] == "not written yet"


def test_a_wrong_gate_counts_before_an_unfinished_one():
    found = report(lambda right: {"dgamma": -right["dgamma"], "dx": None})
    assert found.names == ("sum-over-the-batch-sign",)


def test_a_wrong_shape_is_its_own_rows_matter():
    found = report(lambda right: {"dmu": -right["dxc"]})
    assert found.names == ("wrong-shape", "not-summed")
    assert rows(found)["dmu"] == (False, "wrong shape")
    assert rows(found)["dx"][0] is True


def test_what_stands_above_a_wrong_gate_is_right_and_not_blamed():
    """dx_hat is right, so what lost gamma is the line of dmu; the one before it would come to the same."""
    without = {id(each): -(each.dout / _chain(each)["std"]).sum(axis=0) for each in CASES}
    learner = Learner(lambda right: {"dmu": without[id(learner.case)], "dx": right["dx"]})
    found = examine(gates_backward, learner, CASES, gates_backward.truth)
    assert found.names == ("gamma-missing",)
    assert "In dmu (eq. 4.19)" in found.message
    assert "dx_hat" not in found.message
