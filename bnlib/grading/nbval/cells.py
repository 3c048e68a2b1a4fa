"""A pytest plugin beside nbval: tell the grader, cell by cell, what nbval saw, under the ids of the cells.

It runs in the process that nbval runs in, and writes one JSON line an event to what was standard output; kernels get no
hold of that. It ends the process when a kernel died, which nbval would wait for, and when the grader is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import threading
import time
from typing import Any

import pytest

from bnlib.grading.isolation.libc import PR_SET_CHILD_SUBREAPER, prctl
from bnlib.grading.nbval import PROVISIONER, WARM, provisioner
from bnlib.judging.showing.report import printable

for _format in ("rfc3987_syntax", "isoduration"):  # notebooks hold no such addresses or times; a second to import
    sys.modules[_format] = None  # type: ignore[assignment]

DIED = 70
"""Exit code that says: a kernel died in the notebook of the last event."""

MEMORY = 4_000_000_000
"""Bytes of address space of the process that nbval runs in."""

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NBVAL = "IPyNbCell"


class Watch:
    """Reports events, and watches the kernel and the grader meanwhile."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        self._in = os.dup(0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self._lock = threading.Lock()
        self._item: Any = None
        threading.Thread(target=self._until_grader_ends, daemon=True).start()
        threading.Thread(target=self._until_kernel_dies, daemon=True).start()

    def say(self, **event: Any) -> None:
        """Write one event."""
        with self._lock:
            self._out.write(json.dumps(event) + "\n")
            self._out.flush()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The notebooks are in memory now; no kernel needs to find them on the disk."""
        for path in {item.path for item in session.items}:
            path.unlink()
        _adopt_orphans()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        """Say which notebook is on; after a cell that ran out of time nothing can be learned from the rest."""
        if type(item).__name__ != _NBVAL:
            return
        if getattr(self._item, "parent", None) is not item.parent:
            self.say(event="start", notebook=item.path.parent.name)
        self._item = item
        if item.parent.timed_out:
            pytest.skip("an earlier cell ran out of time")

    @pytest.hookimpl
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo[None]) -> None:
        """Say how a cell ended."""
        if type(item).__name__ != _NBVAL or (call.when != "call" and call.excinfo is None):
            return
        error = call.excinfo.value if call.excinfo else None
        if error is not None and call.when == "setup" and not isinstance(error, pytest.skip.Exception):
            self.say(event="fault", notebook=item.path.parent.name, message=f"no kernel: {_message(error)}")
            return
        outcome, message = "passed", ""
        if isinstance(error, pytest.skip.Exception):
            outcome = "not run"
        elif error is not None:
            outcome, message = "failed", _message(error)
        self.say(
            event="cell", notebook=item.path.parent.name, id=item.cell.get("id", ""), outcome=outcome, message=message
        )

    def pytest_runtest_teardown(self, item: Any, nextitem: Any) -> None:
        """Nothing a notebook started outlives it."""
        if type(item).__name__ != _NBVAL or getattr(nextitem, "parent", None) is item.parent:
            return
        self._item = None
        kernel = getattr(item.parent, "kernel", None)
        if kernel is not None and kernel.is_alive():
            with contextlib.suppress(Exception):
                kernel.stop()
        end_children(all_of_them=False)
        self.say(event="end", notebook=item.path.parent.name, isolation=provisioner.isolation())

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        provisioner.close()

    def _until_grader_ends(self) -> None:
        while os.read(self._in, 1):
            pass
        end_children()
        os._exit(1)

    def _until_kernel_dies(self) -> None:
        while True:
            time.sleep(0.2)
            item = self._item
            process = _process(item)
            if process is None or process.poll() is None:
                continue
            time.sleep(0.3)
            if item is self._item and _process(item) is process:
                end_children()
                os._exit(DIED)


def _process(item: Any) -> Any:
    """The kernel's process of the cell that is on, or None."""
    manager = getattr(getattr(getattr(item, "parent", None), "kernel", None), "km", None)
    return getattr(getattr(manager, "provisioner", None), "process", None)


def _message(error: BaseException) -> str:
    """What nbval says about a cell, in one line: the error's own words, never the outputs that were expected."""
    words = str(error)
    traceback = getattr(error, "inner_traceback", None)
    if traceback and "exception" in words:
        lines = [line for line in _ANSI.sub("", traceback).splitlines() if line.strip()]
        words = lines[-1] if lines else words
    elif "outputs differ" in words:
        words = "prints something else than the solution"
    return printable(" ".join(words.split()))[:300]


def _adopt_orphans() -> None:
    """On Linux, what a kernel leaves behind becomes a child of this process, and is ended with it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_children(all_of_them: bool = True) -> None:
    """Kill every process below this one; the warm kernel server may be wanted again."""
    import psutil  # type: ignore[import-untyped]

    kept = set() if all_of_them else {getattr(provisioner.running(), "pid", None)}
    for _ in range(20):
        below = [
            process
            for process in psutil.Process().children(recursive=True)
            if process.pid not in kept and process.status() != psutil.STATUS_ZOMBIE
        ]
        if not below:
            return
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(below, timeout=0.5)


def limit_memory() -> None:
    """Outputs of a notebook are kept in this process: a flood of them is to end it, and not the machine."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch; the kernel server warms up while the notebooks are read."""
    limit_memory()
    if os.environ.get(WARM) == PROVISIONER:
        provisioner.kernel_server()
    config.pluginmanager.register(Watch(), "bnlib-nbval-cells")
