"""Run transplanted notebooks with nbval, many in one pytest run, and survive what a kernel can do.

nbval says whether a notebook runs from top to bottom and prints what the solution prints. It runs in a process of its own
with a limit on the time between two events; a notebook that kills its kernel or exceeds the limit is given up, and the run
begins again with the next one. Nothing here decides a score.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bnlib
from bnlib.grading.course import CourseError
from bnlib.grading.nbval import DRAWS, LEARNERS, PROVISIONER, SECONDS, WARM
from bnlib.grading.nbval.transplant import OWN
from bnlib.grading.result import CellResult
from bnlib.plots import TEXT as FIGURES
from bnlib.quizzes import TEXT as QUIZZES

CELLS = "bnlib.grading.nbval.cells"
"""The pytest plugin that tells what nbval sees. It is made for a process of its own, and not imported here."""

CONFINED = sys.platform == "linux"
"""Whether kernels are forked and confined; elsewhere they are started fresh, with limits alone."""

_PYTEST = """
import importlib.util, sys
sys.modules["bnlib"] = importlib.util.module_from_spec(importlib.util.find_spec("bnlib"))
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
"""pytest in a process that has bnlib's rooms, and not what ``import bnlib`` brings learners: that is numpy and the checks."""

_IDLE = ("unraisableexception", "threadexception", "logging", "junitxml", "doctest", "unittest", "pastebin", "stepwise")
"""Parts of pytest that would be asked about each cell, and have nothing to say."""

STARTUP = 60.0
"""Seconds until the first notebook has begun, or a kernel has started."""


@dataclass(frozen=True)
class Outcome:
    """What nbval saw of one notebook.

    Attributes:
        ended: True when it was run to its end; cells may have failed.
        cells: In the order in which they ran.
        message: Why it was given up, or "".
        fault: What went wrong through no fault of the notebook, or "": it should be run again.
        isolation: What its kernel was confined with, in words.
    """

    ended: bool
    cells: tuple[CellResult, ...] = ()
    message: str = ""
    fault: str = ""
    isolation: str = ""

    @property
    def passed(self) -> bool:
        """True when every cell of the course's passed; the learner's own cells are theirs."""
        return (
            self.ended
            and not self.fault
            and all(cell.outcome == "passed" for cell in self.cells if not cell.id.startswith(OWN))
        )

    def cell(self, cell_id: str) -> str:
        """Outcome of a cell; "not run" when nothing is known of it."""
        return next((cell.outcome for cell in self.cells if cell.id == cell_id), "not run")


@dataclass(frozen=True)
class Job:
    """One notebook to run.

    Attributes:
        notebook: The transplanted notebook.
        name: Its file name.
        others: The learner's notebooks of other lessons, which this one may load.
    """

    notebook: Mapping[str, Any]
    name: str
    others: Mapping[str, Mapping[str, Any]]


def require() -> None:
    """Make sure that kernels can be started here as they have to be.

    Raises:
        CourseError: nbval is not installed, or this bnlib was before it had its kernel provisioner.
    """
    if find_spec("nbval") is None:
        raise CourseError("nbval is not installed: pip install -c constraints.txt -e . (or grade with --no-nbval)")
    if CONFINED and not entry_points(group="jupyter_client.kernel_provisioners", name=PROVISIONER):
        raise CourseError(
            "this install is older than the code, and nbval's kernels cannot be started: run make grade, "
            "or pip install -c constraints.txt -e ."
        )


def run(
    jobs: Sequence[Job],
    cell_seconds: float = 30.0,
    notebook_seconds: float = 120.0,
    seen: Callable[[int, Outcome], None] = lambda index, outcome: None,
) -> list[Outcome]:
    """Run notebooks with nbval.

    Args:
        jobs: The notebooks.
        cell_seconds: How long a cell may take.
        notebook_seconds: How long a notebook may take.
        seen: Told each outcome as soon as it is known, with the job's place.

    Returns:
        An outcome for each job, in order.

    Raises:
        CourseError: Kernels do not start here, whatever the notebook.
    """
    outcomes: dict[int, Outcome] = {}

    def tell(index: int, outcome: Outcome) -> None:
        if index not in outcomes:
            outcomes[index] = outcome
            seen(index, outcome)

    proven = False
    while len(outcomes) < len(jobs):
        left = {index: job for index, job in enumerate(jobs) if index not in outcomes}
        known = _one_run(left, cell_seconds, notebook_seconds, proven, tell)
        known = known or {min(left): Outcome(False, fault="nbval could not be started")}
        if not proven and any(each.fault or not (each.ended or each.cells) for each in known.values()):
            _require_kernels()
        proven = True
        for index, outcome in known.items():
            tell(index, outcome)
    return [outcomes[index] for index in range(len(jobs))]


def _require_kernels() -> None:
    """Make sure that an empty notebook gets a kernel: what fails with that is nobody's notebook.

    Raises:
        CourseError: It does not.
    """
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [dict(_EMPTY)]}
    job = Job(notebook, "empty.ipynb", {})
    outcomes = _one_run({0: job}, STARTUP, 2 * STARTUP, False, lambda index, outcome: None)
    outcome = outcomes.get(0, Outcome(False, fault="nbval could not be started"))
    if not outcome.passed:
        why = outcome.fault or outcome.message
        raise CourseError(f"nbval's kernels do not start here ({why}); mend that, or grade with --no-nbval")


_EMPTY: Mapping[str, Any] = {
    "cell_type": "code",
    "id": "c",
    "metadata": {},
    "source": "1",
    "outputs": [],
    "execution_count": None,
}


def _one_run(
    jobs: Mapping[int, Job],
    cell_seconds: float,
    notebook_seconds: float,
    proven: bool,
    tell: Callable[[int, Outcome], None],
) -> dict[int, Outcome]:
    """Run notebooks until all are done or one has to be given up; outcomes of all that were begun.

    Until it is proven that kernels start here, the first that does not is the last.
    """
    with tempfile.TemporaryDirectory(prefix="bnlib-nbval-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # a kernel may be another user's, and find what is its own
        (folder / "judged").mkdir(mode=0o700)
        paths = [_lay_out(folder, index, job) for index, job in jobs.items()]
        draws = any("matplotlib" in cell["source"] for job in jobs.values() for cell in job.notebook["cells"])
        process = _start(folder, paths, draws, cell_seconds, notebook_seconds)
        try:
            return _follow(process, notebook_seconds, proven, tell)
        finally:
            _end(process)


def _lay_out(folder: Path, index: int, job: Job) -> Path:
    """Write a notebook, and beside it, in another folder, what its kernel may see."""
    judged = folder / "judged" / str(index) / job.name
    judged.parent.mkdir(parents=True)
    judged.write_text(json.dumps(job.notebook), "utf-8")
    learner = folder / LEARNERS / str(index)
    learner.mkdir(parents=True)
    for name, notebook in job.others.items():
        learner.joinpath(name).write_text(json.dumps(notebook), "utf-8")
    return judged


def _start(
    folder: Path, paths: Sequence[Path], draws: bool, cell_seconds: float, notebook_seconds: float
) -> subprocess.Popen[bytes]:
    spec = folder / "jupyter" / "kernels" / "bnlib" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "bnlib.grading.nbval.kernel", "-f", "{connection_file}"]
    about: dict[str, Any] = {"argv": argv, "display_name": "bnlib", "language": "python"}
    if CONFINED:
        about["metadata"] = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
    spec.write_text(json.dumps(about), "utf-8")
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\n", "utf-8")
    home = folder / "home"
    home.mkdir()
    keep = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "TZ")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    library = str(Path(bnlib.__file__).resolve().parent.parent)
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home),
        "JUPYTER_CONFIG_DIR": str(home),
        "IPYTHONDIR": str(home),
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(_fonts())),
        "HOME": str(home),
        FIGURES: "text",  # nbval compares no images: the course's figures are not drawn
        QUIZZES: "text",  # and nobody presses buttons
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        SECONDS: str(int(notebook_seconds) + 10),
        WARM: PROVISIONER if CONFINED else "",
        DRAWS: "yes" if draws else "",
    }
    command = [sys.executable, "-c", _PYTEST, "-c", str(settings), "--rootdir", str(folder), "-p", "no:cacheprovider"]
    command += ["-p", CELLS, "-p", "nbval.plugin", "-p", "no:faulthandler", "--capture=no", "-q"]
    command += ["--assert=plain", *(word for plugin in _IDLE for word in ("-p", f"no:{plugin}"))]
    command += ["--nbval-lax", f"--nbval-cell-timeout={cell_seconds}", f"--nbval-kernel-startup-timeout={STARTUP}"]
    command += ["--nbval-kernel-name=bnlib", *map(str, paths)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _fonts() -> Path:
    """Where matplotlib keeps its list of fonts, which takes seconds to make; it may be hollow here, and is not asked."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "matplotlib")
    return cache if CONFINED else Path.home() / ".matplotlib"


def _follow(
    process: subprocess.Popen[bytes], notebook_seconds: float, proven: bool, tell: Callable[[int, Outcome], None]
) -> dict[int, Outcome]:
    """Listen to a run until it ends, or a notebook has taken too long."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
    cells: dict[int, list[CellResult]] = {}
    ended: dict[int, str] = {}
    faults: dict[int, str] = {}
    current: int | None = None
    deadline = time.monotonic() + STARTUP
    late = False
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            late = True
            break
        event = _event(line) if line else None
        if event is None:
            break
        index = int(event["notebook"])
        if event["event"] == "start":
            current, cells[index] = index, []
            deadline = time.monotonic() + notebook_seconds
        elif event["event"] == "cell":
            cells.setdefault(index, []).append(CellResult(event["id"], event["outcome"], event["message"]))
        elif event["event"] == "fault":
            faults[index] = event["message"]
            if not proven:
                break
        else:
            ended[index] = event["isolation"]
            current, deadline = None, time.monotonic() + STARTUP
            if index not in faults:
                proven = True
                tell(index, Outcome(True, tuple(cells.get(index, ())), isolation=ended[index]))
    if late and current is not None:
        why = f"the notebook did not end within {notebook_seconds:g} s"
    else:
        why = "the kernel died"
    return {
        index: Outcome(
            index in ended,
            tuple(found),
            "" if index in ended else why,
            faults.get(index, ""),
            ended.get(index, ""),
        )
        for index, found in cells.items()
    }


def _pump(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a run with everything below it: its kernels have sessions of their own."""
    import psutil  # type: ignore[import-untyped]

    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        for child in (*parent.children(recursive=True), parent):
            with contextlib.suppress(psutil.Error):
                child.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    if process.stdout is not None:
        process.stdout.close()
