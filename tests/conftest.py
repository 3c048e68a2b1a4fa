"""Fixtures shared by the tests of the grader: notebooks made of text, and a fork server."""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script; in a kernel it is not
    signal.signal(signal.SIGINT, signal.default_int_handler)

GIVEN = """import numpy as np
from bnlib import check, fill, hint, load
from bnlib.stubs import translation
"""

RIGHT = {
    "center": "@fill(translation.center)\ndef center(h):\n    return h - h.mean(axis=0)\n",
    "center_jacobian": "@fill(translation.center_jacobian)\ndef center_jacobian(N):\n    return np.eye(N) - 1 / N\n",
    "center_backward": "@fill(translation.center_backward)\ndef center_backward(dout):\n    return dout - dout.mean(axis=0)\n",
}


@pytest.fixture(scope="session", autouse=True)
def no_rules():
    """What a teacher wrote into the project's own course.toml decides nothing here."""
    from bnlib.grading import course
    from bnlib.grading.rules import NAME, Rules, read_rules

    own = course.Course().root / NAME
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "read_rules", lambda path: Rules() if path.resolve() == own else read_rules(path))
        yield


@pytest.fixture(scope="session")
def book():
    """A notebook of lesson 02 with right answers, some replaced by other text; other names are helper cells in front."""
    from bnlib.notebooks import Cell, Notebook
    from bnlib.stubs import translation

    def make(**cells):
        helpers = [Cell(name, None, False, text) for name, text in cells.items() if name not in RIGHT]
        answers = [Cell(name, name, False, cells.get(name, text)) for name, text in RIGHT.items()]
        given = Cell("imports", None, True, GIVEN)
        return Notebook(Path("02_translation.ipynb"), translation.lesson, (given, *helpers, *answers))

    return make


@pytest.fixture(scope="session")
def server():
    """A fork server with short limits."""
    from bnlib.grading.isolation.sandbox import Limits
    from bnlib.grading.process.worker import Server

    with Server(Limits(wall=1.0, cells=1.5, cpu=5, memory=400_000_000)) as running:
        yield running


@pytest.fixture(scope="session")
def patient():
    """A fork server with limits that no machine is too slow for."""
    from bnlib.grading.isolation.sandbox import Limits
    from bnlib.grading.process.worker import Server

    with Server(Limits(wall=60, cells=60)) as running:
        yield running


@pytest.fixture
def learner(server, book):
    """The functions of a notebook, in their own process; closed after the test."""
    from bnlib.stubs import translation

    opened = []

    def make(*notebooks, **cells):
        opened.append(server.learner([book(**cells), *notebooks], translation.lesson))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
