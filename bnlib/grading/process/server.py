"""The warm process for the hidden tests: Python with numpy, the contracts and the engine of the checks, and nothing that is right.

It is started fresh and never holds a reference answer, an expected value or a submission, because its children inherit
its memory. A submission goes from the grader straight to the child, over a socket this process only passes on. The
grader starts it with :data:`BOOT`; nothing here is meant to be called from elsewhere.
"""

from __future__ import annotations

import importlib
import mmap
import os
import pkgutil
import socket
import sys
from pathlib import Path
from typing import Any

from bnlib import hollow
from bnlib.grading.isolation import sandbox
from bnlib.grading.isolation.forkserver import Forker

BOOT = """
import sys
sys.path[:] = [p for p in sys.path if p]
import importlib.util, os
root, extra, scratch, fd = sys.argv[1:]
sys.path += [p for p in extra.split(os.pathsep) if p and p not in sys.path]
spec = importlib.util.spec_from_file_location("bnlib", os.path.join(root, "__init__.py"), submodule_search_locations=[root])
sys.modules["bnlib"] = importlib.util.module_from_spec(spec)
from bnlib.grading.process.server import start
start(spec, scratch, int(fd))
"""
"""What ``python -s -c`` runs: bnlib from the very folder the grader uses, found by no search that could be misled.

Not ``-I``: that would ignore PYTHONHASHSEED, which is fixed so that the same submission gets the same score. The whole
environment is the grader's choice anyway, and the current folder is taken off ``sys.path`` before the first import.
"""

HIDDEN = ("checks", "grading", "language", "network")
"""Folders of bnlib that learner code cannot read: the checks compute what is right, for any input, the language
differentiates, and the network of lesson 06 has the layer of lesson 05 in it."""


def start(spec: Any, scratch: str, fd: int) -> None:
    """Load what children need, then serve requests on the socket ``fd`` until the grader is gone."""
    hollow.install()
    _preload(spec)
    bnlib = Path(__file__).resolve().parents[2]
    forker = Forker(socket.socket(fileno=fd), Path(scratch), [bnlib / name for name in HIDDEN])
    sys.path[:] = sandbox.code_folders()
    forker.serve(_live)


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
    if any(name.startswith("bnlib.language") for name in sys.modules):
        raise RuntimeError(
            "bnlib.language was imported by the learner's side of bnlib; it would differentiate for an answer"
        )
    sys.modules["bnlib.language"] = None  # type: ignore[assignment]
    importlib.import_module("bnlib.grading.process.session").warm_up()


def _live(fds: list[int], trouble: str) -> None:
    """One session: its descriptors are its socket and the page in which it notes where it is."""
    from bnlib.grading.process import session

    sock, page = fds
    where = mmap.mmap(page, session.PAGE)
    os.close(page)
    session.run(socket.socket(fileno=sock), where, trouble)
