"""The nbval stage's kernel: a real ipykernel, warm, and confined like the worker."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from bnlib.grading.course import Course, CourseError
from bnlib.grading.grade import grade
from bnlib.grading.isolation import sandbox
from bnlib.grading.isolation.forkserver import FAILED, ForkServer
from bnlib.grading.nbval import provisioner
from bnlib.grading.nbval import stage as nbval_stage
from bnlib.grading.nbval.kernels import make_profile
from bnlib.grading.nbval.provisioner import Forked
from bnlib.grading.nbval.stage import Job
from bnlib.grading.nbval.transplant import transplant
from bnlib.notebooks import Cell, Notebook, parse, read
from bnlib.stubs import chain_rule, translation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are confined on Linux only")
ROOT = Course().root
PATIENCE = 120, 300
"""Seconds a cell and a notebook may take: no test waits so long, and none fails on a slow machine."""

FORBIDDEN = {
    "network": "import socket; socket.socket()",
    "unix sockets": "import socket; socket.socket(socket.AF_UNIX)",
    "processes": "import os; os.fork() or os._exit(0)",
    "programs": "import subprocess; subprocess.run(['true'])",
    "signals": "import os; os.kill(os.getppid(), 0)",
    "solutions": f"open({str(ROOT / 'solutions' / '02_translation.ipynb')!r})",
    "hidden tests": f"open({str(ROOT / 'tests' / 'hidden' / 'test_translation.py')!r})",
    "the grader": f"open({str(ROOT / 'bnlib' / 'grading' / 'grade.py')!r})",
    "submissions": f"open({str(ROOT / 'examples' / 'submissions' / 'all-right.ipynb')!r})",
    "home": f"import os; os.listdir({str(Path.home())!r})",
    "the parent's memory": "import os; open(f'/proc/{os.getppid()}/mem', 'rb')",
    "the grader's arguments": "import os; os.listdir('/proc')",
    "the judged notebook": "import os; os.listdir('..'); open('../../judged/0/02_translation.ipynb')",
    "memory without end": "bytearray(10**10)",
    "files without end": "open('big', 'wb').write(bytes(20_000_000))",
    "another folder": "open('../x', 'w')",
}
TRY = "try:\n    {}\nexcept (OSError, MemoryError):\n    pass\nelse:\n    raise AssertionError('possible')"
MAY = {
    "write here": "open('own.txt', 'w').write('x')",
    "draw": "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.savefig('own.png')",
    "not draw the course's own figures": "from bnlib.plots import Picture\nassert 'text/html' not in Picture(None, 'x')._repr_mimebundle_()",
    "threads": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "load": "from bnlib import load\nload('01_chain_rule')\nfrom bnlib.stubs import chain_rule\n"
    "assert any(stub.answer for stub in chain_rule.lesson.stubs.values())",
}


@pytest.fixture(scope="module")
def outcome():
    pristine = parse(Course().solution(translation.lesson))
    reference = read(Course().solution(translation.lesson))
    sources = [TRY.format(text.replace("\n", "\n    ")) for text in FORBIDDEN.values()]
    extra = [Cell(f"x{i}", None, False, text) for i, text in enumerate([*sources, *MAY.values()])]
    book = Notebook(Path("02_translation.ipynb"), translation.lesson, (*extra, *reference.cells))
    other = {"01_chain_rule.ipynb": parse(Course().solution(chain_rule.lesson))}
    jobs = [Job(transplant(pristine, book), "02_translation.ipynb", other)]
    jobs.append(Job(transplant(pristine, reference), "02_translation.ipynb", {}))
    return nbval_stage.run(jobs, *PATIENCE)


@pytest.mark.skipif(not sandbox.isolation().isolated, reason="this machine has less than full isolation")
@pytest.mark.parametrize("number", range(len(FORBIDDEN)), ids=list(FORBIDDEN))
def test_what_a_kernel_cannot_do(outcome, number):
    cell = next(cell for cell in outcome[0].cells if cell.id == f"own-{number + 1}")
    assert (cell.outcome, cell.message) == ("passed", "")


@pytest.mark.parametrize("number", range(len(MAY)), ids=list(MAY))
def test_what_a_kernel_can_do(outcome, number):
    if list(MAY)[number] in ("write here", "draw") and not sandbox.isolation().scratch:
        pytest.skip("no folder of its own to write to")
    cell = next(cell for cell in outcome[0].cells if cell.id == f"own-{len(FORBIDDEN) + number + 1}")
    assert (cell.outcome, cell.message) == ("passed", "")


def test_the_reference_answers_pass_in_it(outcome):
    assert all(one.passed for one in outcome), outcome


def test_it_is_said_what_a_kernel_was_confined_with(outcome):
    assert {one.isolation for one in outcome} == {str(sandbox.isolation())}


def test_a_forked_kernel_is_told_from_outside_like_any_process():
    """As jupyter_client asks it: alive, killed, ended by itself, and gone with its server."""
    pipes = [os.pipe() for _ in range(3)]  # a kernel reads there what it is to be
    with ForkServer([sys.executable, "-m", "bnlib.grading.nbval.kernels"], dict(os.environ)) as server:
        killed, orphan, ended = (Forked(server.fork(provisioner.LIMITS, [read])) for read, _ in pipes)
        assert killed.poll() is None
        killed.kill()
        assert killed.poll() == -signal.SIGKILL
        os.close(pipes[2][1])  # told nothing: an error of ours
        while ended.poll() is None:
            time.sleep(0.01)
        assert ended.poll() == FAILED
        assert orphan.poll() is None
        server.process.kill()
        assert orphan.poll() == FAILED
        psutil.wait_procs([psutil.Process(orphan.pid)] if psutil.pid_exists(orphan.pid) else [])
    for end in (*pipes[0], *pipes[1], pipes[2][0]):
        os.close(end)


def test_a_kernel_that_does_not_start_is_no_fault_of_the_notebook(monkeypatch):
    monkeypatch.setattr(nbval_stage, "PROVISIONER", "not-installed")
    reference = parse(Course().solution(translation.lesson))
    with pytest.raises(CourseError, match=r"nbval's kernels do not start here \(no kernel: "):
        nbval_stage.run([Job(reference, "02_translation.ipynb", {})] * 2, *PATIENCE)


def test_an_install_older_than_the_code_stops_the_run_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(nbval_stage, "PROVISIONER", "not-installed")
    (tmp_path / "in").mkdir()
    shutil.copy(ROOT / "examples" / "submissions" / "all-right.ipynb", tmp_path / "in")
    with ThreadPoolExecutor(1) as threads, pytest.raises(CourseError, match="older than the code.* make grade"):
        grade(tmp_path / "in", tmp_path / "out", executor=threads)
    assert not list((tmp_path / "out" / "results").iterdir())


def test_where_kernels_cannot_be_confined_they_are_limited_and_it_is_said(monkeypatch):
    monkeypatch.setattr(nbval_stage, "CONFINED", False)
    pristine = parse(Course().solution(translation.lesson))
    reference = read(Course().solution(translation.lesson))
    extra = Cell("x", None, False, "import resource\nassert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)")
    book = Notebook(Path("02_translation.ipynb"), translation.lesson, (extra, *reference.cells))
    (one,) = nbval_stage.run([Job(transplant(pristine, book), "02_translation.ipynb", {})], *PATIENCE)
    assert one.passed, one
    assert one.cell("own-1") == "passed"
    assert one.isolation.startswith("NOT fully isolated (missing: hidden files, no network, no other processes)")


def test_the_path_of_the_temporary_folder_may_be_long(monkeypatch, tmp_path):
    """The path of a Unix socket may not: 107 letters."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (one,) = nbval_stage.run([Job(parse(Course().solution(translation.lesson)), "02_translation.ipynb", {})], *PATIENCE)
    assert one.passed, one
    assert not list(long.iterdir())


def test_a_kernel_finds_all_that_ipython_would_make(tmp_path):
    """It cannot make a folder: IPython 9.0 to 9.16 want one more, and all want to be told that theirs is writable."""
    make_profile(tmp_path)
    folders = {path.name for path in (tmp_path / "profile_default").iterdir() if path.is_dir()}
    assert folders >= {"db", "log", "startup", "security", "pid"}
    assert tmp_path.stat().st_mode & 0o1777 == 0o1777
    assert not (tmp_path / "profile_default" / "startup").stat().st_mode & 0o022
