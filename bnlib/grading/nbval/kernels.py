"""The kernel server: a warm Python with ipykernel and numpy that forks one confined kernel a notebook.

Started fresh by :mod:`bnlib.grading.nbval.provisioner` in the process that nbval runs in, and told nothing: a fork inherits its
memory, so a notebook's expected outputs, reference answers and other submissions never come here. What a kernel needs
(its connection, the learner's notebooks of other lessons) is handed to the fork in a file of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from bnlib.grading.isolation import sandbox
from bnlib.grading.isolation.forkserver import FAILED, Forker
from bnlib.grading.nbval import DRAWS

HIDDEN = ("grading",)
"""Folder of bnlib that kernels cannot read. The lessons' checks are the learner's own, and run there."""

NEEDED = ("accept", "accept4", "sched_setscheduler")
"""System calls a kernel makes that a worker does not: it is reached through five sockets that were made before it was
confined, and ZeroMQ gives each of its threads the priority it has already."""


def main() -> None:
    """Serve requests until the other end is closed; the arguments are the folder for kernels and the socket's number."""
    scratch, fd = Path(sys.argv[1]), int(sys.argv[2])
    home = scratch.parents[1] / "home"
    home.mkdir()
    os.environ |= {"IPYTHONDIR": str(home), "HOME": str(home)}
    make_profile(home)
    _warm_up()
    bnlib = Path(__file__).resolve().parents[2]
    forker = Forker(socket.socket(fileno=fd), scratch, [bnlib / name for name in HIDDEN], [home], NEEDED)
    sys.path[:] = ["", *sandbox.code_folders()]
    forker.serve(_live)


def make_profile(home: Path) -> None:
    """Make all that IPython makes in its folder when a shell starts: a kernel cannot write there."""
    from IPython.core.profiledir import ProfileDir

    profile = ProfileDir.create_profile_dir_by_name(str(home))
    Path(profile.location, "db").mkdir(exist_ok=True)  # of IPython 9.0 to 9.16
    # IPython asks whether its folder is writable, and ends where it is not; root's kernels are another user's.
    home.chmod(0o1777)


def _warm_up() -> None:
    """Import and do once what every notebook does.

    Of drawing that is nothing, unless somebody's own code does: see :data:`bnlib.grading.nbval.DRAWS`.
    """
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # kernels without a debugger start in a tenth of the time
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for name in (
        "bnlib.grading.nbval.kernel", "bnlib.running", "bnlib.exercises", "bnlib.quizzes", "bnlib.progress", "bnlib.plots",
        "numpy.testing", "numpy.random", "numpy.linalg", "IPython.core.completer", "ipykernel.ipkernel", "ipykernel.zmqshell",
        "ipykernel.displayhook", "ipykernel.iostream", "ipykernel.control", "ipykernel.subshell_manager", "ipykernel.debugger",
        "IPython.core.completerlib", "IPython.core.logger", "IPython.core.oinspect", "IPython.extensions.storemagic",
        "IPython.core.pylabtools", "IPython.core.magics", "IPython.extensions", "sqlite3", "psutil", "pdb", "tornado.platform.asyncio", "tornado.queues",
        "tornado.gen", "tornado.locks", "encodings.ascii", "encodings.latin_1", "encodings.idna", "faulthandler",
    ):  # fmt: skip
        with suppress(ImportError):
            importlib.import_module(name)
    for lesson in importlib.import_module("bnlib.stubs").lessons():
        for part in ("checks", "plots"):
            with suppress(ImportError):
                importlib.import_module(f"bnlib.{part}.{lesson.name}")
    if os.environ.pop(DRAWS, ""):
        # And all of matplotlib, with its list of fonts; pyplot looks for styles in a folder that root's kernels cannot enter.
        for name in ("matplotlib_inline.backend_inline", "matplotlib.pyplot"):
            importlib.import_module(name)


def _live(fds: list[int], trouble: str) -> None:
    """One kernel: its descriptors are a file that says what it needs to know, and its listening sockets."""
    if trouble:
        os._exit(FAILED)
    given, *sockets = fds
    with os.fdopen(given, "rb") as file:
        told = json.load(file)
    with suppress(OSError):  # where nothing can be written, they lie in the current folder already
        for name, text in told["others"].items():
            Path(Path(name).name).write_text(text, "utf-8")
    from bnlib.grading.nbval import kernel

    kernel.run(told["connection"], dict(zip(told["ports"], sockets, strict=True)))


if __name__ == "__main__":
    main()
