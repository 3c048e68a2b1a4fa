"""The answer that counts is the one of the cell that ran last, also when that cell failed; and code that does not end is stopped."""

import _thread
import csv
import json
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from bnlib import check, checks, derive, fill
from bnlib.checks import report_on
from bnlib.cli import main
from bnlib.exercises import ArgumentError, SignatureError, follow_cells
from bnlib.notebooks import parse
from bnlib.patience import Stopped, TooLong, patience
from bnlib.progress import standing
from bnlib.stubs import NotFilledError, chain_rule, translation

ROOT = Path(__file__).parent.parent
RIGHT = "@fill(translation.center)\ndef center(h):\n    return h - h.mean(axis=0)\n"
IMPORTS = "from bnlib import check, derive, fill\nfrom bnlib.stubs import chain_rule, translation\nimport numpy as np"
ERROR = r"The cell that begins with @fill\(translation\.center\) ended in an error, and what was there before does not count"


@pytest.fixture(autouse=True)
def empty():
    yield
    for stub in (*translation.lesson.stubs.values(), *chain_rule.lesson.stubs.values()):
        stub.answer, stub.begun, stub.named = None, False, None


@pytest.fixture
def cell(monkeypatch):
    """Run cells as Jupyter does."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    follow_cells()
    shell.run_cell(IMPORTS)
    yield shell.run_cell
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    "broken",
    [
        RIGHT.replace("axis=0)", "axis=0"),
        RIGHT.replace("(h):", "(h, gamma):"),
        RIGHT.replace("(h):", "(h=nothing):"),
        RIGHT.replace("def center(h):\n    return", "def center(h):\nreturn"),
        f"1 / 0\n{RIGHT}",
    ],
)
def test_after_a_cell_that_failed_the_earlier_answer_does_not_count(cell, broken):
    assert cell(RIGHT).success
    assert cell("check(translation.center)").success
    assert not cell(broken).success
    assert translation.center.answer is None
    with pytest.raises(NotFilledError, match=ERROR):
        check(translation.center)
    assert cell(RIGHT).success
    assert cell("check(translation.center)").success


def test_an_answer_that_came_before_the_error_counts(cell):
    assert not cell(f"{RIGHT}\n1 / 0").success
    assert report_on(translation.center).ok


def test_other_cells_take_no_answer_away(cell):
    cell(RIGHT)
    cell("# @fill(translation.center)\nfill(translation.center_jacobian)(lambda N: np.eye(N) - 1 / N)\n)")
    assert report_on(translation.center).ok


def test_a_derivation_whose_quotes_do_not_close_counts_no_more(cell):
    right = 'derive(chain_rule.two_pistons, """\nd(L, x)\n= sum(b[p] * a[p] for p in P)\n""")'
    assert cell(right).success
    assert chain_rule.two_pistons.answer
    assert not cell(right.removesuffix('""")')).success
    assert chain_rule.two_pistons.answer is None


def test_without_jupyter_a_refused_answer_leaves_none():
    fill(translation.center)(lambda h: h - h.mean(axis=0))
    with pytest.raises(SignatureError):
        fill(translation.center)(lambda: 0)
    with pytest.raises(NotFilledError, match=ERROR):
        check(translation.center)
    derive(chain_rule.two_pistons, "d(L, x)")
    with pytest.raises(ArgumentError):
        derive(chain_rule.two_pistons, 3)
    assert chain_rule.two_pistons.answer is None


OTHER_NAME = """@fill(chain_rule.scale_shift_forward)
def scale_shift(x_hat, gamma, beta):
    return gamma * x_hat + beta
"""


def test_an_answer_may_be_called_otherwise_and_later_cells_find_it(cell):
    assert cell(OTHER_NAME).success
    assert cell("check(chain_rule.scale_shift_forward)\nassert scale_shift_forward(2, 3, 4) == 10").success
    assert cell(OTHER_NAME.replace("+ beta", "- beta")).success
    assert cell("assert scale_shift_forward(2, 3, 4) == 2").success


def test_a_helper_of_that_name_stays_what_it_is(cell):
    helper = "def scale_shift_forward(x_hat, gamma, beta):\n    return gamma * x_hat + beta\n"
    cell(helper + OTHER_NAME.replace("return gamma * x_hat + beta", "return scale_shift_forward(x_hat, gamma, beta)"))
    assert cell("check(chain_rule.scale_shift_forward)").success


def test_the_grader_accepts_what_the_notebook_accepts(tmp_path):
    document = parse(ROOT / "solutions" / "01_chain_rule.ipynb")
    for one in document["cells"]:
        if one.get("id") == "scale_shift_forward":
            one["source"] = OTHER_NAME
    handed_in = tmp_path / "class" / "anna" / "01_chain_rule.ipynb"
    handed_in.parent.mkdir(parents=True)
    handed_in.write_text(json.dumps(document))
    assert main(["grade", str(tmp_path / "class"), "--out", str(tmp_path / "out")]) == 0
    head, row = csv.reader((tmp_path / "out" / "gradebook.csv").read_text().splitlines())
    anna = dict(zip(head, row, strict=True))
    assert anna["total"] == anna["max"]
    assert anna["flags"] == ""


LOOP = """def center(h):
    while True:
        pass"""


def test_a_loop_without_end_is_stopped_and_named(monkeypatch):
    monkeypatch.setattr(checks, "patience", partial(patience, seconds=0.2))
    names = {}
    exec(compile(LOOP, "cell.py", "exec"), names)
    fill(translation.center)(names["center"])
    with pytest.raises(TooLong) as caught:
        check(translation.center)
    said = str(caught.value)
    assert said.startswith(
        "translation.center was stopped after 0.2 seconds: is there a loop that does not end? It was at in"
    )
    assert caught.value._render_traceback_() == [said]
    assert "\n" not in said
    assert translation.center.answer is names["center"]
    assert "line" in said
    found = standing(translation.lesson)
    assert (found.filled, found.passing, found.next) == (1, 0, "center")
    fill(translation.center)(lambda h: h - h.mean(axis=0))
    assert report_on(translation.center).ok


def test_code_that_catches_everything_is_stopped_too():
    def stubborn():
        tries = 0
        while tries < 2:
            try:
                while True:
                    pass
            except BaseException:
                tries += 1
        while True:
            pass

    with pytest.raises(TooLong), patience("x", 0.1):
        stubborn()


def test_who_presses_stop_reads_one_sentence():
    def center(h):
        _thread.interrupt_main()
        while True:
            pass

    fill(translation.center)(center)
    with pytest.raises(
        Stopped, match="^translation.center was stopped by you. It was at in center, line .* Nothing is lost"
    ) as caught:
        check(translation.center)
    assert not isinstance(caught.value, TooLong)
    assert len(caught.value._render_traceback_()) == 1
    assert translation.center.answer is center


def test_where_no_thread_can_be_started_code_runs_without_a_limit(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with patience("x", 0):
        assert True


def test_what_ends_in_time_is_left_alone():
    before = threading.active_count()
    for _ in range(50):
        with patience("x"):
            pass
    for _ in range(1000):
        if threading.active_count() <= before:
            break
        threading.Event().wait(0.01)
    assert threading.active_count() <= before
