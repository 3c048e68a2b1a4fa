"""The grader's end: call a learner's functions in another process as if they were here, and survive whatever they do.

``Server`` keeps the fork server; ``Learner`` is one submission. Every wait has a deadline, and the process at the other
end is killed when it passes: nothing depends on the good will of the learner's code.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import IPython
import numpy as np

import bnlib
from bnlib.grading.isolation.sandbox import Level, Limits, scratch_folder
from bnlib.grading.process import protocol
from bnlib.grading.process.remote import Ended, LearnerError, NeedsAnother, ServerError, Session, Unfilled
from bnlib.grading.process.server import BOOT
from bnlib.grading.process.session import PAGE
from bnlib.notebooks import Notebook
from bnlib.stubs import Lesson

__all__ = ["Learner", "LearnerError", "NeedsAnother", "Server", "ServerError", "Unfilled"]

START_SECONDS = 60
"""How long the fork server may take to start; it takes half a second on an idle machine."""

CALLS = 4
"""All calls of an exercise together may take this many times as long as one."""

MAX_RUNS = 6
"""How often a notebook's cells are run again without the statement that did not come to an end."""


class Server:
    """Starts sessions for learners' code; a context manager. May be shared by threads, not by processes.

    Args:
        limits: What one session may use.
        require_isolation: Refuse to start where a promise of docs/security.md cannot be kept.

    Raises:
        ServerError: It did not start, or isolation is required and not to be had.
    """

    def __init__(self, limits: Limits | None = None, require_isolation: bool = False) -> None:
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._serial = 0
        with self._lock:
            self._start()
        if require_isolation and not self.level.isolated:
            self.close()
            raise ServerError(f"isolation is required, and this platform lacks: {', '.join(self.level.missing)}")

    level: Level
    """What is in force for every session."""

    def learner(self, notebooks: Sequence[Notebook], lesson: Lesson) -> Learner:
        """Run the cells of a student's notebook of ``lesson``; its exercises can then be called.

        Args:
            notebooks: All notebooks of the student, for ``load``; one of them is of ``lesson``.
            lesson: The lesson whose exercises will be called.
        """
        return Learner(self, notebooks, lesson)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and every session."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._control = ours
        self._folder = tempfile.TemporaryDirectory(prefix="bnlib-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # when we are root, learners' code runs as another user
        scratch = scratch_folder(folder)
        root = Path(bnlib.__file__).resolve().parent
        packages = dict.fromkeys(str(Path(m.__file__).parents[1]) for m in (np, IPython) if m.__file__)
        with theirs, tempfile.TemporaryFile() as said:
            arguments = [str(root), os.pathsep.join(packages), str(scratch), str(theirs.fileno())]
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-c", BOOT, *arguments],
                pass_fds=[theirs.fileno()],
                cwd=scratch,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            theirs.close()
            ours.settimeout(START_SECONDS)
            try:
                ready = self._hear()
            except (OSError, EOFError, ValueError):
                self._stop()
                said.seek(0)
                lines = said.read().decode("utf-8", "replace").split("\n")
                last = next((line for line in reversed(lines) if line.strip()), "no message")
                raise ServerError(f"the process for learners' code did not start: {last}") from None
        self._owner = os.getpid()
        self.level = Level(**{**ready["level"], "layers": tuple(ready["level"]["layers"])})

    def _stop(self) -> None:
        if self._process is None:
            return
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        with suppress(OSError):  # the server removed it, unless it was killed
            Path(self._folder.name, "own").chmod(0o755)
        with suppress(OSError):
            self._folder.cleanup()

    def _hear(self) -> dict[str, Any]:
        text = b""
        while not text.endswith(b"\n"):
            part = self._control.recv(4096)
            if not part:
                raise EOFError
            text += part
        return json.loads(text)

    def _ask(self, request: dict[str, Any], fds: Sequence[int] = ()) -> dict[str, Any]:
        text = json.dumps(request).encode()
        socket.send_fds(self._control, [text], list(fds))
        return self._hear()

    def fork(self, limits: Limits) -> tuple[int, int, socket.socket, int]:
        """A new session: which server run it belongs to, its pid, its socket, its page. Restarts a server that died."""
        ours, theirs = socket.socketpair()
        page = _page()
        with theirs, self._lock:
            if self._process is None or self._owner != os.getpid():
                raise ServerError("the server was closed, or belongs to another process")
            for last in (False, True):
                try:
                    answer = self._ask({"fork": asdict(limits)}, [theirs.fileno(), page])
                    break
                except (OSError, EOFError, ValueError):
                    if last:
                        raise ServerError("the process for learners' code died twice") from None
                    self._stop()
                    self._serial += 1
                    self._start()
            serial = self._serial
        if not answer["pid"]:
            raise ServerError(answer["trouble"])
        return serial, answer["pid"], ours, page

    def end(self, serial: int, pid: int, grace: float) -> int | None:
        """Kill a session's process; returns its wait status if it ended by itself, or does within ``grace`` seconds."""
        with self._lock:
            if self._process is None or self._owner != os.getpid() or serial != self._serial:
                return None
            try:
                return self._ask({"end": pid, "grace": grace})["status"]
            except (OSError, EOFError, ValueError):
                return None


class Learner:
    """One student's functions, called in their own process: ``learner.center(h)``. A context manager.

    A call that does not return in time, crashes or runs out of memory raises LearnerError, as do all later calls to the
    same exercise; the others go on in a fresh process.

    Attributes:
        errors: For each cell in which something failed, its id and the first error in words.
    """

    def __init__(self, server: Server, notebooks: Sequence[Notebook], lesson: Lesson) -> None:
        self._server = server
        self._lesson = lesson
        self._notebooks = list(notebooks)
        self._lost: dict[str, LearnerError] = {}
        self._spent: dict[str, float] = {}
        self._skip: list[tuple[int, ...]] = []
        self._session: Session | None = None
        self._sessions = 0
        self._hopeless: LearnerError | None = None
        self.errors: dict[str, str] = {}
        self._open()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._call, name)

    def __enter__(self) -> Learner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.end()
            self._session = None

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call one function of the learner, or ``Class.method`` with the object as first argument.

        Raises:
            LearnerError: It raised, or did not return.
        """
        exercise = name.split(".")[0]
        if exercise in self._lost:
            raise self._lost[exercise]
        if self._session is None:
            self._open()
        if self._hopeless is not None:
            raise self._hopeless
        assert self._session is not None
        began = time.monotonic()
        try:
            value = self._session.call(name, args, kwargs)
        except Ended as end:
            self.close()
            self._lost[exercise] = end.error
            raise end.error from None
        except (LearnerError, TypeError, protocol.TooLargeError):
            raise
        except BaseException:
            self.close()  # stopped between a request and its answer
            raise
        finally:
            self._spend(exercise, time.monotonic() - began)
        stub = self._lesson.stubs.get(name)
        return RemoteObject(self, name, value) if stub and stub.methods else value

    def _spend(self, exercise: str, seconds: float) -> None:
        """Give an exercise up when its calls take too long together: each of many may be just within its limit."""
        self._spent[exercise] = self._spent.get(exercise, 0.0) + seconds
        most = CALLS * self._server.limits.wall
        if self._spent[exercise] > most and exercise not in self._lost:
            text = f"Timeout: all calls of {exercise} together took longer than {most:g} s"
            self._lost[exercise] = LearnerError("Timeout", text)

    def _open(self) -> None:
        """Run the cells in a new session; leave out a statement that does not come to an end, and try again."""
        if self._hopeless is not None:
            return
        for _ in range(MAX_RUNS):
            self._sessions += 1
            session = Session(self._server, self._sessions)
            try:
                errors = session.run(self._lesson, self._notebooks, self._skip, self.errors)
            except Ended as end:
                position = session.position()
                session.end()
                if not self._note(position, end.error):
                    self._hopeless = end.error
                    return
                continue
            except BaseException:
                session.end()
                raise
            self.errors = errors
            self._session = session
            return
        self._hopeless = LearnerError("Timeout", "Timeout: the notebook's cells did not come to an end")

    def _note(self, position: tuple[int, int, int], error: LearnerError) -> bool:
        """Note which statement did not come to an end; False when that is unknown."""
        number, index, _ = position
        if position in self._skip or not 0 <= number < len(self._notebooks):
            return False
        cells = self._notebooks[number].cells
        if not 0 <= index < len(cells):
            return False
        self._skip.append(position)
        if self._notebooks[number].lesson.key == self._lesson.key:
            self.errors.setdefault(cells[index].id, str(error))
        return True


class RemoteObject:
    """An object of a learner's class, in the learner's process: its methods are called there."""

    def __init__(self, learner: Learner, exercise: str, handle: Any) -> None:
        self._learner = learner
        self._exercise = exercise
        self._handle = handle

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._learner._call, f"{self._exercise}.{method}", self._handle)


def _page() -> int:
    """A file of one page in memory, of a size that cannot be changed."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.truncate(PAGE)
            return os.dup(file.fileno())
    page = os.memfd_create("bnlib", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(page, PAGE)
    with suppress(OSError, AttributeError):
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(page, fcntl.F_ADD_SEALS, seals)
    return page


def _environment() -> dict[str, str]:
    """The whole environment of the server and its children: nothing of the grader's."""
    single = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
    )
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **single,
    }
