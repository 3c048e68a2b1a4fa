"""The fork server: a warm Python with numpy loaded that forks one confined child for each session of a learner's code.

It is started fresh and never holds a reference answer, an expected value or a submission, because its children inherit
its memory. A submission goes from the grader straight to the child, over a socket this process only passes on. The
grader starts it with :data:`BOOT`; nothing here is meant to be called from elsewhere.
"""

from __future__ import annotations

import gc
import importlib
import json
import mmap
import os
import pkgutil
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bnlib.grading.isolation import landlock, sandbox
from bnlib.grading.isolation.libc import call
from bnlib.grading.process import hollow

BOOT = """
import sys
sys.path[:] = [p for p in sys.path if p]
import importlib.util, os
root, extra, scratch, fd = sys.argv[1], sys.argv[2].split(os.pathsep), sys.argv[3], int(sys.argv[4])
sys.path += [p for p in extra if p and p not in sys.path]
spec = importlib.util.spec_from_file_location("bnlib", os.path.join(root, "__init__.py"), submodule_search_locations=[root])
sys.modules["bnlib"] = importlib.util.module_from_spec(spec)
from bnlib.grading.process.server import start
start(spec, scratch, fd)
"""
"""What ``python -s -c`` runs: bnlib from the very folder the grader uses, found by no search that could be misled.

Not ``-I``: that would ignore PYTHONHASHSEED, which is fixed so that the same submission gets the same score. The whole
environment is the grader's choice anyway, and the current folder is taken off ``sys.path`` before the first import.
"""

HIDDEN = ("checks", "grading")
"""Folders of bnlib that learner code cannot read: the checks compute what is right, for any input."""

FAILED = 70
"""Exit code of a child in which this side's own code failed."""

MAX_FILES = 65_536
"""No descriptor of the server is larger; the system's own limit can be astronomical."""

_SUBREAPER = 36


def start(spec: Any, scratch: str, fd: int) -> None:
    """Load what children need, then serve requests on the socket ``fd`` until the grader is gone."""
    folder = Path(scratch).parents[1]
    try:
        hollow.install()
        _preload(spec)
        server = _Server(socket.socket(fileno=fd), Path(scratch))
        gc.collect()
        gc.freeze()  # a collection in a child would touch, and so copy, every page
        try:
            server.serve()
        finally:
            server.close()
    except BrokenPipeError:
        pass  # the grader was killed before this process was ready
    finally:
        _remove(folder)
    os._exit(0)


def _remove(folder: Path) -> None:
    """Remove the sessions' folder; the grader does so too, but it may have been killed."""
    os.chdir("/")
    with suppress(OSError):
        (folder / "own").chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _preload(spec: Any) -> None:
    """Import in advance what a learner's code is likely to use, and take away what would answer for it."""
    for name in ("numpy", "numpy.testing", "numpy.random", "numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks"):
        importlib.import_module(name)
    importlib.import_module("IPython.core.inputtransformer2")
    importlib.import_module("unicodedata")  # Python's own parser wants it for a name like μ
    bnlib = sys.modules["bnlib"]
    spec.loader.exec_module(bnlib)
    for name in ("bnlib.running", "bnlib.exercises", "bnlib.numerics", "bnlib.checks"):
        importlib.import_module(name)
    importlib.import_module("bnlib.stubs").lessons()
    checks = importlib.import_module("bnlib.checks")
    for module in pkgutil.iter_modules(checks.__path__):
        # A lesson's checks know how to compute what is right. They are not loaded here, and cannot be.
        name = f"{checks.__name__}.{module.name}"
        if name in sys.modules:
            raise RuntimeError(
                f"{name} was imported by the learner's side of bnlib; a fork would inherit what is right"
            )
        sys.modules[name] = None  # type: ignore[assignment]
    importlib.import_module("bnlib.grading.process.session").warm_up()


class _Server:
    """Forks children on request and ends them.

    A request is one line of JSON: ``{"fork": limits}`` with the child's two descriptors (its socket and the page in which
    it notes where it is), or ``{"end": pid}``. The answer is one line of JSON. Each request waits for its answer.
    """

    def __init__(self, control: socket.socket, scratch: Path) -> None:
        self.control = control
        self.scratch = scratch
        self.sessions: set[int] = set()
        own = Path(__file__).resolve().parents[2]
        self.user = sandbox.unprivileged_user(scratch)
        self.level = sandbox.isolation()
        self.ruleset = None
        if landlock.abi():
            paths = sandbox.readable([own / name for name in HIDDEN])
            # Children share the folder's name; where each has a file system of its own there, it may write.
            self.ruleset = landlock.ruleset(*paths, [scratch.parent] if self.level.scratch else [])
        sys.path[:] = sandbox.code_folders()
        if sandbox.LINUX:
            call("prctl", _SUBREAPER, 1, 0, 0, 0)
            call("prctl", 4, 0, 0, 0, 0)  # not dumpable: no process of the same user may look in here
        self._say({"level": asdict(self.level), "pid": os.getpid()})

    def serve(self) -> None:
        """Answer requests until the grader closes its end."""
        while True:
            text, fds, _, _ = socket.recv_fds(self.control, 4096, 2)
            if not text:
                return
            request = json.loads(text)
            if "fork" in request:
                try:
                    self._say({"pid": self._fork(sandbox.Limits(**request["fork"]), *fds)})
                except OSError as error:
                    self._say({"pid": 0, "trouble": f"no process could be started: {error.strerror}"})
                for fd in fds:
                    os.close(fd)
            else:
                self._say({"status": self._end(request["end"], request["grace"])})

    def close(self) -> None:
        """End every child."""
        for pid in list(self.sessions):
            self._end(pid)

    def _say(self, answer: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(answer).encode() + b"\n")

    def _fork(self, limits: sandbox.Limits, fd: int, page: int) -> int:
        pid = os.fork()
        if pid:
            self.sessions.add(pid)
            return pid
        try:
            _child(limits, self.ruleset, self.scratch, self.user, self.level, fd, page)
        finally:
            os._exit(FAILED)

    def _end(self, pid: int, grace: float = 0) -> int | None:
        """Kill a child and what it may have started.

        Args:
            pid: The child.
            grace: Seconds to wait for a child that seems to be ending by itself, to learn how.

        Returns:
            Its wait status, or None when it had to be killed.
        """
        if pid not in self.sessions:
            return None
        by_itself = _has_ended(pid, grace)
        self.sessions.discard(pid)
        for kill in (os.killpg, os.kill):
            with suppress(OSError):
                kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._end_orphans()
        ours = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and not by_itself
        return None if ours else status

    def _end_orphans(self) -> None:
        """Kill processes whose parents died: they became children of this one. None exist where seccomp is in force."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            try:
                text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            except OSError:
                return
            orphans = {int(pid) for pid in text.split()} - self.sessions
            if not orphans:
                return
            for pid in orphans:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(OSError):
                    os.waitpid(pid, 0)


def _has_ended(pid: int, seconds: float) -> bool:
    """True when a child has ended or does so in time. It stays a zombie, so its number is not given to another."""
    deadline = time.monotonic() + seconds
    if not hasattr(os, "waitid"):  # macOS before Python 3.13: an end by SIGKILL then counts as ours
        time.sleep(seconds)
        return False
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def _child(
    limits: sandbox.Limits,
    ruleset: int | None,
    folder: Path,
    user: int | None,
    level: sandbox.Level,
    fd: int,
    page: int,
) -> None:
    """The life of one session: close what is not its own, be confined, run the learner's code."""
    from bnlib.grading.process import session

    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    keep = sorted({fd, page} | ({ruleset} if ruleset is not None else set()))
    previous = 2
    for number in [*keep, MAX_FILES]:
        os.closerange(previous + 1, number)
        previous = number
    sock = socket.socket(fileno=fd)
    where = mmap.mmap(page, session.PAGE)
    os.close(page)
    try:
        reached = sandbox.confine(limits, ruleset, folder, user)
        trouble = "" if reached.covers(level) else "a layer of isolation could not be put in force"
    except OSError as error:
        trouble = f"isolation failed: {error}"
    if ruleset is not None:
        os.close(ruleset)
    session.run(sock, where, trouble)
    os._exit(0)
