"""The proxy of a learner's functions behaves like the functions, and survives what they do."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnlib.checks import Source, checks_of
from bnlib.grading.isolation import seccomp
from bnlib.grading.isolation.sandbox import Limits
from bnlib.grading.process import remote, worker
from bnlib.grading.process.protocol import Handle, Unsupported
from bnlib.grading.process.worker import Interrupted, LearnerError, NeedsAnother, Server, Unfilled, twice
from bnlib.judging.examining import examine
from bnlib.notebooks import Cell, Notebook
from bnlib.running import describe_error
from bnlib.stubs import gates, translation

ROOT = Path(__file__).resolve().parents[1]
X = np.arange(6.0).reshape(3, 2)


def judged(exercise, learner):
    checks = checks_of(exercise)
    rng = np.random.default_rng(7)
    cases = [checks.draw(rng) for _ in range(3)]
    return twice(lambda: examine(checks, learner, cases, checks.truth))


def failing(learner, name, *args):
    with pytest.raises(LearnerError) as caught:
        twice(lambda: getattr(learner, name)(*args))
    assert "\n" not in str(caught.value)
    assert describe_error(caught.value) == str(caught.value)
    return caught.value


def test_right_answers_are_right(learner):
    graded = learner()
    assert graded.errors == {}
    for exercise in (translation.center, translation.center_jacobian, translation.center_backward):
        assert judged(exercise, graded).ok


def test_objects_of_a_learners_class_are_used_through_their_methods(server):
    from bnlib.notebooks import read
    from bnlib.stubs import layer

    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(2, 6, 3)) + 1
    with server.learner([read(ROOT / "solutions" / "05_layer.ipynb")], layer.lesson) as graded:
        one, other = (graded.BatchNorm(np.full(3, scale), np.zeros(3)) for scale in (1.0, 2.0))
        np.testing.assert_allclose(2 * one.forward(x, True), other.forward(x, True))
        assert one.backward(dout).shape == (6, 3)
        assert len(one.parameters()) == 6
        assert failing(graded, "BatchNorm").kind == "TypeError"
        with pytest.raises(LearnerError, match="no_such_method"):
            one.no_such_method()
        assert not hasattr(one, "_private")


def test_an_object_that_keeps_its_callers_arrays_is_found_out(server):
    from bnlib.notebooks import read
    from bnlib.stubs import layer

    solution = read(ROOT / "solutions" / "05_layer.ipynb")
    cells = [replace(cell, source=cell.source.replace("np.array(gamma)", "gamma")) for cell in solution.cells]
    assert cells != list(solution.cells)
    for notebook, found in ((solution, True), (replace(solution, cells=tuple(cells)), False)):
        with server.learner([notebook], layer.lesson) as graded:
            checks = replace(checks_of(layer.BatchNorm), properties=())
            report = examine(checks, graded, [checks.draw(np.random.default_rng(0))], checks.truth)
            assert report.ok == found, report
            assert report.names == (() if found else ("not-copied",))


@pytest.mark.parametrize("name", ["\u03bc", "\u00b5", "gr\u00f6\u00dfe"])
def test_names_in_any_alphabet(learner, name):
    """Python's parser imports a module for these, in a venv from the folder of the Python below it."""
    body = f"    {name} = dout.mean(axis=0)\n    return dout - {name}\n"
    graded = learner(center_backward=f"@fill(translation.center_backward)\ndef center_backward(dout):\n{body}")
    assert graded.errors == {}
    assert judged(translation.center_backward, graded).ok
    assert judged(translation.center, graded).ok


@pytest.mark.parametrize(
    "cell", ["x = %time 1\n" * 600, "if 0:\n" + "    x = %time 1\n" * 300 + "    a = 1\n" * 6000], ids=["error", "time"]
)
def test_a_cell_that_cannot_be_made_into_python_costs_itself_alone(learner, cell):
    graded = learner(mine=cell)
    assert list(graded.errors) == ["mine"]
    for exercise in (translation.center, translation.center_jacobian, translation.center_backward):
        assert judged(exercise, graded).ok


HELD = {
    "text": "(['x' * 900_000] + ['a'] * 60, *range(9))",
    "no numbers": "(np.zeros((0, 150_000_000)),) * 10",
    "no numbers between two dimensions": "(np.zeros((8_000_000, 0, 8_000_000)),) * 10",
}


@pytest.mark.parametrize("forged", HELD.values(), ids=HELD)
def test_the_grader_holds_little_whatever_comes_back(server, forged):
    """What a message costs its reader is bounded by what it says, also when the other side keeps to no rule."""
    source = (
        "import sys\nimport numpy as np\nfrom bnlib import fill\nfrom bnlib.stubs import gates\n"
        "sys.modules['bnlib.grading.process.protocol'].extent = lambda shape: 0\n"
        "answers = sys.modules['bnlib.grading.process.answers']\nhonest = answers.returned\n"
        f"answers.returned = lambda value, names, kept: honest(value, names, kept) if len(names) == 2 else {forged}\n"
        "@fill(gates.gates_forward)\ndef gates_forward(x, gamma, beta, eps):\n    return x, None\n"
        "@fill(gates.gates_backward)\ndef gates_backward(dout, cache):\n    return ()\n"
    )
    notebook = Notebook(Path("04_gates.ipynb"), gates.lesson, (Cell("all", None, False, source),))
    with server.learner([notebook], gates.lesson) as graded:
        tracemalloc.start()
        report = judged(gates.gates_backward, graded)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert not report.ok
    assert peak < 30_000_000


def test_calls_ahead_are_the_same_calls(learner):
    counts = "def center(h):\n    global n\n    n = globals().get('n', 0) + 1\n    h[0] = n\n    return h * n\n"
    graded = learner(center=f"@fill(translation.center)\n{counts}")
    inputs = [np.ones((2, 1)) for _ in range(3)]
    graded.ahead("center", [[h] for h in inputs])
    for number, h in enumerate(inputs, 1):
        assert np.array_equal(graded.center(h), [[number**2], [number]])
        assert h[0] == number


def test_calls_ahead_that_nobody_makes_are_nobodys_fault(learner):
    ends = "import os\ndef center(h):\n    if len(h) > 3:\n        os._exit(1)\n    return h - h.mean(axis=0)\n"
    graded = learner(center=f"{ends}\nfill(translation.center)(center)")
    small, large = np.ones((3, 1)), np.ones((4, 1))
    graded.ahead("center", [[small], [large], [small]])
    assert np.array_equal(graded.center(small), np.zeros((3, 1)))
    assert judged(translation.center_backward, graded).ok
    assert np.array_equal(graded.center(small), np.zeros((3, 1)))
    graded.ahead("center", [[small], [large]])
    graded.center(small)
    assert failing(graded, "center", large).kind == "Crash"


def test_more_calls_ahead_than_the_connection_holds(learner):
    graded = learner()
    inputs = [np.ones((1000, 8)) for _ in range(20)]
    graded.ahead("center", [[h] for h in inputs])
    assert all(np.array_equal(graded.center(h), np.zeros((1000, 8))) for h in inputs)


def test_calls_that_are_just_in_time_are_not_many(learner, monkeypatch):
    """All calls of an exercise have a limit together: none here, so that the first call is past it."""
    monkeypatch.setattr(worker, "CALLS", 0)
    graded = learner()
    assert np.allclose(graded.center(X), X - X.mean(0))
    assert "all calls of center together took longer than 0 s" in str(failing(graded, "center", X))
    monkeypatch.undo()
    assert judged(translation.center_backward, graded).ok


def test_trouble_is_the_servers_to_report(learner):
    forged = (
        "import sys\nprotocol = sys.modules['bnlib.grading.process.protocol']\nsend = protocol.send\n"
        "protocol.send = lambda sock, value, deadline=None: send(sock, {'trouble': chr(27) + 'x' * 3000}, deadline)\n"
    )
    error = failing(learner(mine=forged), "center", X)
    assert error.kind == "Protocol"


def test_the_learners_process_has_no_numerical_derivatives(learner):
    text = (
        "from bnlib.numerics import jacobian_central, relative_error\n@fill(translation.center_backward)\n"
        "def center_backward(dout):\n    relative_error(dout, dout)\n    return jacobian_central(center, dout)\n"
    )
    assert "measuring them" in str(failing(learner(center_backward=text), "center_backward", X))


def test_the_reference_notebook_is_right(server):
    from bnlib.notebooks import read

    path = ROOT / "solutions" / "02_translation.ipynb"
    notebook = read(path)
    with server.learner([notebook], translation.lesson) as graded:
        assert not {cell.id for cell in notebook.cells if cell.exercise} & graded.errors.keys()
        for exercise in translation.lesson.functions.values():
            assert judged(exercise, graded).ok


# --- values


def test_arguments_and_results_keep_dtype_shape_and_order(learner):
    graded = learner(
        helper="def same(x):\n    return x\ndef dtype(x):\n    return str(x.dtype)\n"
        "def about(x):\n    return x.shape, x.flags.writeable"
    )
    for array in (X, np.asfortranarray(X), X[::2], X.astype(np.float32), np.array(3), np.zeros((0, 2)), X > 2, X + 1j):
        got = graded.same(array)
        assert (got.dtype, got.shape) == (array.dtype, array.shape)
        assert np.array_equal(got, array)
        assert graded.dtype(array) == str(array.dtype)
        assert graded.about(array) == (array.shape, True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text("aé\n", max_size=5)
    | st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple)),
        max_leaves=5,
    ),
    array=hnp.arrays(np.float64, hnp.array_shapes(max_side=3)),
)
def test_what_goes_there_comes_back(same, value, array):
    assert same(value) == value
    assert np.array_equal(same((array,))[0], array, equal_nan=True)


def test_text_in_a_list_stays_there(learner):
    graded = learner(helper="def texts():\n    return ['a', 1.0]")
    text, number = graded.texts()
    assert isinstance(text, Handle)
    assert type(text).__name__ == "str"
    assert number == 1.0


@pytest.fixture(scope="module")
def same(server, book):
    with server.learner([book(helper="def same(x):\n    return x")], translation.lesson) as graded:
        yield graded.same


def test_a_cache_is_the_very_same_object(learner):
    graded = learner(
        helper="""
class Cache: pass
def forward(x):
    cache = Cache()
    cache.x = x
    cache.me = cache
    return x + 1, cache
def backward(dout, cache):
    return dout * cache.x, cache.me is cache
""",
    )
    out, cache = graded.forward(X)
    assert isinstance(cache, Handle)
    assert type(cache).__name__ == "Cache"
    dx, identical = graded.backward(X, cache)
    assert np.array_equal(dx, X * X)
    assert identical is True


@pytest.mark.parametrize("cache", ["(x, 3)", "{'x': x}", "x", "None", "[x, x]", "lambda: x", "'text'"])
def test_what_a_contract_calls_a_cache_is_never_sent(cache):
    from bnlib.grading.process.answers import Kept, returned

    kept = Kept()
    out, handle = returned((X, eval(cache, {"x": X})), ("y", "cache"), kept)  # noqa: S307
    assert out is X
    assert isinstance(handle, Handle)
    assert repr(kept[handle])[:5] == repr(eval(cache, {"x": X}))[:5]  # noqa: S307


def test_parts_of_different_lengths_are_sent_as_a_list_of_arrays():
    from bnlib.grading.process.answers import Kept, returned

    parts = [X, X[:1]]
    sent, _ = returned((parts, None), ("outs", "cache"), Kept())
    assert all(one is other for one, other in zip(sent, parts, strict=True))
    refused, _ = returned(([X, object()], None), ("outs", "cache"), Kept())
    assert type(refused).__name__ == "list"
    assert not isinstance(refused, list)


def test_a_cache_of_an_ended_process_is_refused(learner):
    graded = learner(
        helper="def forward(x):\n    return {'x': x}\ndef use(c):\n    return c['x']\ndef die():\n    import os; os._exit(3)"
    )
    cache = graded.forward(X)
    assert np.array_equal(graded.use(cache), X)
    assert failing(graded, "die").kind == "Crash"
    assert failing(graded, "use", cache).kind == "Handle"
    assert np.array_equal(graded.use(graded.forward(X)), X)


def test_functions_are_given_as_text(learner):
    graded = learner(helper="def twice(f, x):\n    return f(f(x))")
    assert graded.twice(Source("def f(x):\n    return x * 3"), 2) == 18


def test_keyword_arguments(learner):
    assert np.allclose(learner().center(h=X), X - X.mean(0))


def test_changes_to_an_argument_are_seen_by_the_caller(learner):
    graded = learner(helper="def spoil(x, n, more):\n    x[0] = n\n    more['a'] += 1")
    mine, other = X.copy(), np.zeros(2)
    assert graded.spoil(mine, 9, {"a": other}) is None
    assert np.array_equal(mine[0], [9, 9])
    assert np.array_equal(other, [1, 1])
    view = np.zeros((4, 4))
    graded.spoil(view[::2, ::2], 5, {"a": other})
    assert view[0, 2] == 5
    assert view[0, 1] == 0


@pytest.mark.parametrize(
    ("result", "name"),
    [
        ("{'a': 1}", "dict"),
        ("'text'", "str"),
        ("np.array([None])", "ndarray"),
        ("[[1.0], [2.0, 3.0]]", "list"),
        ("2**70", "int"),
    ],
)
def test_what_is_no_array_is_named(learner, result, name):
    got = learner(center=f"@fill(translation.center)\ndef center(h):\n    return {result}").center(X)
    assert isinstance(got, Unsupported)
    assert type(got).__name__ == name


def test_array_likes_become_arrays_there(learner):
    graded = learner(center="@fill(translation.center)\ndef center(h):\n    return (h - h.mean(0)).tolist()")
    assert judged(translation.center, graded).ok
    graded = learner(center="@fill(translation.center)\ndef center(h):\n    return np.matrix(h - h.mean(0))")
    assert type(graded.center(X)) is np.ndarray


# --- errors


def test_an_error_has_a_kind_and_names_the_line(learner):
    error = failing(learner(center="@fill(translation.center)\ndef center(h):\n    return h.nosuch"), "center", X)
    assert error.kind == "AttributeError"
    assert "line 3" in str(error)
    assert "h.nosuch" in str(error)


def test_empty_exercises_are_empty(learner):
    graded = learner(center="@fill(translation.center)\ndef center(h):\n    raise NotImplementedError")
    for name, args in (("center", (X,)), ("center_jacobian_full", (2, 3))):
        error = failing(graded, name, *args)
        assert isinstance(error, Unfilled)
        assert isinstance(error, NotImplementedError)
        assert error.kind == "NotImplementedError"
    assert not judged(translation.center, graded).ok


def test_an_exercise_that_needs_an_empty_one_says_which(learner):
    graded = learner(
        center="@fill(translation.center)\ndef center(h):\n    return translation.center_jacobian_full(2, 2)"
    )
    error = failing(graded, "center", X)
    assert isinstance(error, NeedsAnother)
    assert "center_jacobian_full is still empty" in str(error)


def test_a_cell_that_failed_says_why(learner):
    graded = learner(
        center="@fill(translation.center)\ndef center(h)\n    return h",
        center_backward="@fill(translation.center_backward)\ndef center_backward(dout, cache):\n    return dout",
    )
    assert failing(graded, "center", X).kind == "SyntaxError"
    error = failing(graded, "center_backward", X)
    assert error.kind == "SignatureError"
    assert "center_backward(dout)" in str(error)
    assert set(graded.errors) == {"center", "center_backward"}


def test_a_function_is_found_by_its_name_without_fill(learner):
    assert np.allclose(learner(center="def center(h):\n    return h - h.mean(0)").center(X), X - X.mean(0))


def test_unknown_functions(learner):
    assert failing(learner(), "nosuch").kind == "AttributeError"


# --- endings


def test_an_endless_loop_costs_one_exercise_and_one_time_limit(learner):
    graded = learner(center="@fill(translation.center)\ndef center(h):\n    while True: pass")
    began = time.monotonic()
    first = failing(graded, "center", X)
    assert time.monotonic() - began > 0.9
    sessions = graded._sessions
    assert failing(graded, "center", X) is first
    assert graded._sessions == sessions, "it is not tried again"
    assert first.kind == "Timeout"
    assert judged(translation.center_backward, graded).ok


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("import os; os._exit(0)", "Crash"),
        ("return bytearray(10**12)", "Memory"),
        ("import sys; sys.exit()", "SystemExit"),
        ("return np.zeros((4000, 4000))", "Output"),
        ("import os; os.closerange(3, 99)", "Crash"),
    ],
)
def test_every_end_has_a_name_and_costs_only_itself(learner, body, kind):
    graded = learner(center=f"@fill(translation.center)\ndef center(h):\n    {body}")
    assert failing(graded, "center", X).kind == kind
    assert judged(translation.center_backward, graded).ok


def test_processor_time_runs_out_with_a_name(book):
    with Server(Limits(wall=300, cpu=1)) as server:
        cell = "@fill(translation.center)\ndef center(h):\n    while True: pass"
        with server.learner([book(center=cell)], translation.lesson) as graded:
            assert failing(graded, "center", X).kind == "Timeout"


def test_who_goes_on_when_processor_time_is_used_up_has_used_it_up(book):
    with Server(Limits(wall=300, cpu=1)) as server:
        cell = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n@fill(translation.center)\ndef center(h):\n    while True: pass"
        with server.learner([book(center=cell)], translation.lesson) as graded:
            assert failing(graded, "center", X).kind == "Timeout"


KILL = "import signal\nsignal.raise_signal(signal.SIGKILL)\n"
KILLED = f"@fill(translation.center)\ndef center(h):\n{textwrap.indent(KILL, '    ')}"


def kill(session):
    os.kill(session._child.pid, signal.SIGKILL)


def test_a_session_that_is_killed_from_outside_is_tried_again(learner):
    graded = learner()
    for exercise in (translation.center, translation.center_backward):
        kill(graded._session)
        assert judged(exercise, graded).ok


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_a_session_that_is_killed_twice_is_no_answer_at_all(learner, name):
    graded = learner(center=KILLED.replace("SIGKILL", name))
    for _ in range(2):
        with pytest.raises(Interrupted, match="center"):
            judged(translation.center, graded)
    with pytest.raises(Interrupted, match=f"ended twice by {name}, which none of its limits sends"):
        graded.center(X)
    assert judged(translation.center_backward, graded).ok


def test_a_statement_that_ends_its_process_by_a_signal_is_left_out_with_a_doubt(learner):
    graded = learner(mine=f"value = 1\n{KILL}", helper="assert value == 1")
    assert list(graded.errors) == ["mine"]
    assert "the cells was ended twice by SIGKILL" in graded.doubt
    assert judged(translation.center, graded).ok
    assert not learner().doubt


@pytest.mark.parametrize("times", [1, 2])
def test_cells_that_are_killed_from_outside_are_run_again(learner, monkeypatch, times):
    run, kills = remote.Session.run, iter(range(times))

    def killed(session, *args):
        for _ in kills:
            kill(session)
            break
        return run(session, *args)

    monkeypatch.setattr(remote.Session, "run", killed)
    graded = learner()
    if times == 1:
        assert graded.errors == {}
        assert not graded.doubt
        assert judged(translation.center, graded).ok
    else:
        assert "the cells was ended twice by SIGKILL" in graded.doubt


NO_THREAD = '@fill(translation.center)\ndef center(h):\n    raise RuntimeError("can\'t start new thread")'
BOMB = "@fill(translation.center)\ndef center(h):\n    import threading, time\n    while True: threading.Thread(target=time.sleep, args=(99,)).start()"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts threads")
@pytest.mark.parametrize(
    ("alone", "cell", "own"), [(True, NO_THREAD, True), (False, NO_THREAD, False), (False, BOMB, True)]
)
def test_threads_that_others_took_are_no_mistake_of_the_learner(book, monkeypatch, alone, cell, own):
    """Where threads are counted for a user and not for a process, only who has many himself is to blame."""
    with Server(Limits(wall=5, processes=8)) as server:
        monkeypatch.setattr(server, "_level", replace(server.level, threads=alone))
        with server.learner([book(center=cell)], translation.lesson) as graded:
            if own:
                assert "can't start new thread" in str(failing(graded, "center", X))
            else:
                with pytest.raises(Interrupted, match="others of this user have them"):
                    judged(translation.center, graded)
            assert judged(translation.center_backward, graded).ok
        if not alone:
            with pytest.raises(Interrupted, match="no thread"):
                server.learner([book(mine='raise RuntimeError("can\'t start new thread")')], translation.lesson)


def test_no_process_to_be_had_is_no_mistake_of_the_learner(learner, monkeypatch, server):
    graded = learner(helper="def die():\n    import os; os._exit(1)")
    assert failing(graded, "die").kind == "Crash"

    def refuse(*args):
        raise worker.ServerError("no process could be started: Resource temporarily unavailable")

    monkeypatch.setattr(type(server), "fork", refuse)
    with pytest.raises(Interrupted, match="no process could be started"):
        judged(translation.center, graded)


def test_cells_that_hang_crash_or_fail_cost_only_their_statement(learner):
    graded = learner(
        slow="a = 1\nwhile True: pass\nb = 2",
        crash="import os\nos._exit(1)\nc = 3",
        wrong="d = 1 / 0\ne = 5\ndef names():\n    return a, b, c, e",
    )
    assert graded.errors["slow"].startswith("Timeout")
    assert graded.errors["crash"].startswith("Crash")
    assert graded.errors["wrong"].startswith("ZeroDivisionError")
    assert graded.names() == (1, 2, 3, 5)
    assert judged(translation.center, graded).ok


def test_a_notebook_that_hangs_everywhere_is_given_up(learner, monkeypatch):
    monkeypatch.setattr(worker, "MAX_RUNS", 2)
    graded = learner(**{f"slow{i}": "while True: pass" for i in range(worker.MAX_RUNS + 1)})
    assert failing(graded, "center", X).kind == "Timeout"
    assert graded._sessions == 2


def test_sessions_know_nothing_of_each_other(learner):
    first = learner(helper="import numpy, builtins\nnumpy.leak = builtins.leak = 1")
    assert judged(translation.center, first).ok
    second = learner(
        helper="import builtins\ndef leaked():\n    return hasattr(np, 'leak') or hasattr(builtins, 'leak')"
    )
    assert second.leaked() is False
    assert failing(learner(center=""), "center", X).kind == "NotImplementedError"


def test_the_same_submission_gives_the_same_numbers(learner, book, server):
    helper = "import random\ndef draw():\n    return np.random.normal(), random.random(), hash('x')"
    with Server() as other, other.learner([book(helper=helper)], translation.lesson) as again:
        assert learner(helper=helper).draw() == again.draw()


def test_load_runs_the_students_other_notebook(learner, server, book):
    lesson = translation.lesson
    helper = Notebook(Path("x"), lesson, (Cell("a", None, False, "from bnlib import load\nload('02_translation')"),))
    graded = server.learner([book(), helper], lesson)
    with graded:
        assert judged(translation.center, graded).ok
    missing = learner(helper="load('01_nosuch')")
    assert "no lesson called '01_nosuch'" in missing.errors["helper"]


def test_figures_checks_and_magics_are_left_out(learner):
    graded = learner(
        helper="%matplotlib inline\n!ls\nimport matplotlib.pyplot as plt\nfrom bnlib import plots, progress, quiz\n"
        "fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.rcParams['x'] = 1\ncheck(translation.center)\n"
        "hint(translation.center)\nprogress()\nquiz(translation.applied_twice)\ndisplay(fig)"
    )
    assert graded.errors == {}


def test_pickle_dataclasses_and_main_work(learner):
    graded = learner(
        helper="import dataclasses, pickle\n@dataclasses.dataclass\nclass Cache:\n    x: 'float'\n"
        "def both():\n    return pickle.loads(pickle.dumps(Cache(2.0))).x"
    )
    assert graded.both() == 2.0


# --- the processes


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid, seconds=60):
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_the_server_holds_nothing_that_is_right(learner):
    graded = learner(helper="import sys\ndef modules():\n    return '\\n'.join(n for n, m in sys.modules.items() if m)")
    modules = graded.modules().split("\n")
    ours = {name for name in modules if name.startswith("bnlib")}
    allowed = {
        f"bnlib.grading.{room}"
        for room in (
            "isolation", "isolation.forkserver", "isolation.landlock", "isolation.libc", "isolation.sandbox", "isolation.seccomp",
            "process", "process.answers", "process.protocol", "process.server", "process.session",
        )
    }  # fmt: skip
    assert {name for name in ours if name.startswith("bnlib.grading.")} == allowed
    assert not {name for name in ours if name.startswith("bnlib.checks.")}
    assert not [name for name in modules if name.startswith(("tests", "pytest", "hypothesis", "nbformat"))]


def test_the_server_takes_nothing_from_the_environment(tmp_path, monkeypatch, book):
    (tmp_path / "numpy.py").write_text("raise SystemExit('planted')")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('planted')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.chdir(tmp_path)
    with Server() as server, server.learner([book(helper="import os, sys\ndef seen():\n    return str(os.environ) + str(sys.path)")], translation.lesson) as graded:  # fmt: skip
        assert "SECRET" not in graded.seen()
        assert str(tmp_path) not in graded.seen()


def test_a_server_that_died_is_started_again(book):
    with Server() as server:
        with server.learner([book()], translation.lesson) as graded:
            server.process.kill()
            server.process.wait()
            assert np.allclose(twice(lambda: graded.center(X)), X - X.mean(0))
            assert np.allclose(graded.center_backward(X), X - X.mean(0))
        with server.learner([book()], translation.lesson) as graded:
            assert judged(translation.center, graded).ok


WEAK = """
import errno, os, sys
from bnlib.grading.isolation import seccomp
from bnlib.grading.isolation.libc import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, prctl
from bnlib.grading.isolation.seccomp import NUMBER, argument, equal, load
from bnlib.grading.process.worker import Server

# A machine that lacks layers, made with the very tool that is lacking: these calls fail from here on.
refused = {"unshare": (272, 97), "landlock": (444, 444), "seccomp": (157, 167)}
column, architecture = seccomp._ARCHITECTURES[os.uname().machine]
lines = [load(NUMBER)]
for name in sys.argv[1:]:
    number = refused[name][column]
    if name == "seccomp":
        lines += [equal(number, "next", "other"), load(argument(0)), equal(PR_SET_SECCOMP, "missing", "allow"), "other"]
    else:
        lines += [equal(number, "missing")]
program = seccomp.assemble(lines)
seccomp.program = lambda allow=(): program
prctl(PR_SET_NO_NEW_PRIVS, 1)
seccomp.apply()

import numpy as np
from pathlib import Path
from bnlib.notebooks import Cell, Notebook
from bnlib.stubs import translation
cell = Cell("a", None, False, "def f(x):\\n    return x * 2\\ndef w():\\n    open('f', 'w').write('x')\\ndef loop():\\n    while True: pass")
with Server() as server, server.learner([Notebook(Path("x"), translation.lesson, (cell,))], translation.lesson) as graded:
    assert graded.f(np.ones(2)).tolist() == [2, 2]
    try:
        graded.w()
        print("wrote", end=" ")
    except Exception as error:
        assert error.kind in ("PermissionError", "OSError"), error
    print(*[name for name in ("files", "network", "processes", "limits", "scratch") if getattr(server.level, name)])
    print(server.level)
"""


@pytest.mark.skipif(not seccomp.available(), reason="made with seccomp")
@pytest.mark.parametrize(
    ("lacking", "kept"),
    [
        ((), "wrote files network processes limits scratch"),
        (("unshare",), "files network processes limits"),
        (("landlock",), "wrote network processes limits scratch"),
        (("seccomp",), "wrote files limits scratch"),
        (("unshare", "landlock", "seccomp"), "limits"),
    ],
)
def test_a_machine_that_lacks_layers_uses_the_others_and_says_so(server, lacking, kept):
    if not (server.level.isolated and server.level.scratch):
        pytest.skip(f"this machine lacks some itself: {server.level}")
    done = subprocess.run([sys.executable, "-c", WEAK, *lacking], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    first, level = done.stdout.strip().split("\n")
    assert first == kept
    assert level.startswith(
        "isolated" if {"files", "network", "processes"} <= set(first.split()) else "NOT fully isolated"
    )


def test_close_leaves_no_process_and_no_folder(book):
    server = Server()
    graded = server.learner([book()], translation.lesson)
    pids = [server.process.pid, graded._session._child.pid]
    folder = server._folder
    assert folder.exists()
    server.close()
    assert all(gone(pid) for pid in pids)
    assert not folder.exists()
    with pytest.raises(worker.ServerError):
        server.learner([book()], translation.lesson)
    graded.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_is_left_when_the_grader_is_killed():
    program = textwrap.dedent("""
        import sys, threading, time
        from pathlib import Path
        from bnlib.grading.process.worker import Server
        from bnlib.notebooks import Cell, Notebook
        from bnlib.stubs import translation
        server = Server()
        cell = Cell("a", None, False, "def loop():\\n    while True: pass")
        graded = server.learner([Notebook(Path("x"), translation.lesson, (cell,))], translation.lesson)
        threading.Thread(target=graded.loop, daemon=True).start()
        time.sleep(0.3)
        print(server.process.pid, graded._session._child.pid, server._folder, flush=True)
        time.sleep(60)
    """)
    grader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    server, child, folder = grader.stdout.readline().split()
    assert alive(server)
    assert alive(child)
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    grader.stdout.close()
    assert gone(child)
    assert gone(server)
    assert not Path(folder).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_child_dies_with_the_server(book):
    with Server() as server, server.learner([book()], translation.lesson) as graded:
        child = graded._session._child.pid
        os.kill(server.process.pid, signal.SIGKILL)
        assert gone(child)


def test_a_server_serves_threads(server, book):
    results = []

    def one():
        with server.learner([book()], translation.lesson) as graded:
            results.append(judged(translation.center, graded).ok)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_interrupted_calls_do_not_confuse_the_next(learner, monkeypatch):
    graded = learner(center="@fill(translation.center)\ndef center(h):\n    import time; time.sleep(0.3); return h")

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remote.protocol, "receive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            graded.center(X)
    assert judged(translation.center_backward, graded).ok
