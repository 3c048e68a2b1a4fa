"""The kernel server: a warm Python with ipykernel, numpy and matplotlib that forks one confined kernel a notebook.

Started fresh by :mod:`bnlib.grading.nbval.provisioner` in the process that nbval runs in, and told nothing: a fork inherits its
memory, so a notebook's expected outputs, reference answers and other submissions never come here. What a kernel needs
(its connection, the learner's notebooks of other lessons) is handed to the fork in a file of its own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bnlib.grading.isolation import landlock, sandbox
from bnlib.grading.isolation.libc import call

LIMITS = sandbox.Limits(
    memory=2_000_000_000, processes=128, file_size=8_000_000, disk=32_000_000, open_files=256
)  # wall time is the grader's to watch
HIDDEN = ("grading",)
"""Folder of bnlib that kernels cannot read. The lessons' checks are the learner's own, and run there."""

NEEDED = ("accept", "accept4", "sched_setscheduler")
"""System calls a kernel makes that a worker does not: it is reached through five sockets that were made before it was
confined, and ZeroMQ gives each of its threads the priority it has already."""

_SUBREAPER = 36


def main() -> None:
    """Serve requests on the socket whose number is the first argument until the other end is closed."""
    scratch = Path(sys.argv[2])
    control = socket.socket(fileno=int(sys.argv[1]))
    _warm_up()
    server = _Server(control, scratch)
    gc.collect()
    gc.freeze()
    try:
        server.serve()
    finally:
        os._exit(0)


def _warm_up() -> None:
    """Import and do once what every notebook does."""
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # kernels without a debugger start in a tenth of the time
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for name in (
        "bnlib.grading.nbval.kernel", "bnlib.running", "bnlib.exercises", "bnlib.quizzes", "bnlib.progress", "bnlib.plots",
        "numpy.testing", "numpy.random", "numpy.linalg", "IPython.core.completer", "ipykernel.ipkernel", "ipykernel.zmqshell",
        "ipykernel.displayhook", "ipykernel.iostream", "ipykernel.control", "ipykernel.subshell_manager", "ipywidgets",
        "matplotlib.pyplot", "matplotlib.backends.backend_agg", "matplotlib_inline.backend_inline", "matplotlib_inline.config",
        "PIL.PngImagePlugin", "IPython.core.pylabtools", "IPython.core.magics", "IPython.extensions", "sqlite3", "psutil", "pdb", "tornado.platform.asyncio", "tornado.queues",
        "tornado.gen", "tornado.locks", "encodings.ascii", "encodings.latin_1", "encodings.idna", "faulthandler",
    ):  # fmt: skip
        with suppress(ImportError):
            importlib.import_module(name)
    for lesson in importlib.import_module("bnlib.stubs").lessons():
        for part in ("checks", "plots"):
            with suppress(ImportError):
                importlib.import_module(f"bnlib.{part}.{lesson.name}")
    from IPython.core.profiledir import ProfileDir

    ProfileDir.create_profile_dir_by_name(os.environ["IPYTHONDIR"])  # kernels cannot make one
    _draw()


def _draw() -> None:
    """Draw one figure, so that fonts are found and read."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(title="$\\hat{x}$", xlabel="x")
    axes.plot([0.1, 10], [1, 1000], label="a")
    axes.set_yscale("log")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")


class _Server:
    """Forks kernels on request, says whether they live, and ends them. Each request, a line of JSON, has its answer."""

    def __init__(self, control: socket.socket, scratch: Path) -> None:
        self.control = control
        self.scratch = scratch
        self.user = sandbox.unprivileged_user(scratch)
        self.level = sandbox.isolation()
        own = Path(__file__).resolve().parents[2]
        self.paths = sandbox.readable([own / name for name in HIDDEN])
        self.paths[0].append(Path(os.environ["IPYTHONDIR"]))
        sys.path[:] = ["", *sandbox.code_folders()]
        self.status: dict[int, int] = {}
        call("prctl", _SUBREAPER, 1, 0, 0, 0)
        call("prctl", 4, 0, 0, 0, 0)
        self._say({"level": asdict(self.level)})

    def serve(self) -> None:
        """Answer requests until the other end is closed."""
        while True:
            text, fds, _, _ = socket.recv_fds(self.control, 65536, 16)
            if not text:
                return
            request = json.loads(text)
            if "fork" in request:
                pid = os.fork()
                if not pid:
                    try:
                        self._child(request["fork"], fds)
                    finally:
                        os._exit(70)
                for fd in fds:
                    os.close(fd)
                self._say({"pid": pid})
            elif "signal" in request:
                self._say({"status": self._signal(request["pid"], request["signal"])})
            else:
                self._say({"status": self._poll(request["pid"])})

    def _poll(self, pid: int) -> int | None:
        """The exit code of a kernel that ended, or None."""
        if pid not in self.status:
            with suppress(ChildProcessError):
                found, status = os.waitpid(pid, os.WNOHANG)
                if not found:
                    return None
                self.status[pid] = os.waitstatus_to_exitcode(status)
            self.status.setdefault(pid, 1)
        return self.status[pid]

    def _signal(self, pid: int, number: int) -> int | None:
        if self._poll(pid) is not None:
            return self.status[pid]
        for send in (os.killpg, os.kill):
            with suppress(OSError):
                send(pid, number)
        if number == signal.SIGKILL:
            with suppress(ChildProcessError):
                self.status[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return self._poll(pid)

    def _say(self, answer: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(answer).encode() + b"\n")

    def _child(self, seconds: int, fds: list[int]) -> None:
        """The life of one kernel: read what is its own, close the rest, be confined, become a kernel."""
        self.control.close()
        os.setsid()
        given, *sockets = fds
        with os.fdopen(given, "rb") as file:
            told = json.load(file)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        previous = 2
        for number in [*sorted(sockets), 65_536]:
            os.closerange(previous + 1, number)
            previous = number
        folder = self.scratch
        ruleset = None
        if landlock.abi():
            read, names = self.paths
            if not self.level.scratch:
                folder = Path(told["folder"])
                read = [*read, folder]
            ruleset = landlock.ruleset(read, names, [self.scratch.parent] if self.level.scratch else [])
        reached = sandbox.confine(replace(LIMITS, cpu=seconds), ruleset, folder, self.user, NEEDED)
        if not reached.covers(self.level):
            os._exit(70)
        if ruleset is not None:
            os.close(ruleset)
        if reached.scratch:
            for name, text in told["others"].items():
                Path(Path(name).name).write_text(text, "utf-8")
        from bnlib.grading.nbval import kernel

        kernel.run(told["connection"], dict(zip(told["ports"], sockets, strict=True)))
        os._exit(0)


if __name__ == "__main__":
    main()
