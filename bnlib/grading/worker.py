"""The grader's end: call a learner's functions in another process as if they were here, and survive whatever they do.

``Server`` keeps the fork server; ``Learner`` is one submission. Every wait has a deadline, and the process at the other
end is killed when it passes: nothing depends on the good will of the learner's code.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import IPython
import numpy as np

import bnlib
from bnlib.grading import protocol
from bnlib.grading.sandbox import Level, Limits, scratch_folder
from bnlib.grading.server import BOOT, FAILED
from bnlib.grading.session import PAGE, POSITION
from bnlib.notebooks import Notebook
from bnlib.stubs import Lesson, NotFilledError

START_SECONDS = 60
"""How long the fork server may take to start; it takes half a second on an idle machine."""

MAX_RUNS = 6
"""How often a notebook's cells are run again without the statement that did not come to an end."""


class LearnerError(Exception):
    """What went wrong in the learner's code, in one line.

    Attributes:
        kind: Name of the learner's exception, or Timeout, Memory, Crash, Output, Protocol or Handle.
        described: True: ``str`` already is what a person should read.
    """

    described = True

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Unfilled(LearnerError, NotImplementedError):
    """The exercise is still empty."""


class NeedsAnother(Unfilled, NotFilledError):
    """The exercise calls another one that is still empty."""


class ServerError(RuntimeError):
    """The fork server cannot be started or a session cannot be isolated; one line says why."""


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

    def _fork(self, limits: Limits) -> tuple[int, int, socket.socket, int]:
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

    def _end(self, serial: int, pid: int, grace: float) -> int | None:
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
        self._skip: list[tuple[int, ...]] = []
        self._session: _Session | None = None
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
        """Call one function of the learner.

        Raises:
            LearnerError: It raised, or did not return.
        """
        if name in self._lost:
            raise self._lost[name]
        if self._session is None:
            self._open()
        if self._hopeless is not None:
            raise self._hopeless
        assert self._session is not None
        try:
            return self._session.call(name, args, kwargs)
        except _Ended as end:
            self.close()
            self._lost[name] = end.error
            raise end.error from None
        except (LearnerError, TypeError, protocol.TooLargeError):
            raise
        except BaseException:
            self.close()  # stopped between a request and its answer
            raise

    def _open(self) -> None:
        """Run the cells in a new session; leave out a statement that does not come to an end, and try again."""
        if self._hopeless is not None:
            return
        for _ in range(MAX_RUNS):
            self._sessions += 1
            session = _Session(self._server, self._sessions)
            try:
                errors = session.run(self._lesson, self._notebooks, self._skip, self.errors)
            except _Ended as end:
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


class _Ended(Exception):  # noqa: N818 - not an error of ours: the session is over, and ``error`` says why
    def __init__(self, error: LearnerError) -> None:
        self.error = error


class _Session:
    """One process with a learner's code in it, seen from the grader."""

    def __init__(self, server: Server, number: int) -> None:
        self._server = server
        self._number = number
        self._limits = server.limits
        self._serial, self._pid, self._sock, self._page = server._fork(server.limits)
        self._calls = 0
        self._over = False

    def run(
        self, lesson: Lesson, notebooks: Sequence[Notebook], skip: Sequence[tuple[int, ...]], errors: dict[str, str]
    ) -> dict[str, str]:
        """Run the cells; returns the errors by cell id.

        Raises:
            _Ended: The process did not finish them.
        """
        cells = [
            (book.lesson.key, [(cell.id, cell.exercise, cell.given, cell.source) for cell in book.cells])
            for book in notebooks
        ]
        request = {"lesson": lesson.name, "notebooks": cells, "skip": list(skip), "errors": errors}
        reply = self._exchange(request, self._limits.cells, "running the cells")[0]
        if isinstance(reply.get("trouble"), str):
            raise ServerError(reply["trouble"])
        found = reply.get("errors")
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            raise self._broken("no list of errors")
        known = {cell.id for book in notebooks for cell in book.cells}
        return {key: protocol.one_line(text) for key, text in found.items() if key in known}

    def call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Make one call; arrays that the learner's function changed are changed in the caller's hands as well.

        Raises:
            LearnerError: The function raised.
            _Ended: It did not return, and the session is over.
        """
        self._calls += 1
        args = [self._outgoing(value) for value in args]
        kwargs = {key: self._outgoing(value) for key, value in kwargs.items()}
        request = {"call": name, "number": self._calls, "args": args, "kwargs": kwargs}
        reply, sent = self._exchange(request, self._limits.wall, name)
        if reply.get("number") != self._calls:
            raise self._broken("an answer to another call")
        _copy_back(reply.get("changed"), sent)
        if "error" in reply:
            raise self._raised(name, reply["error"])
        if "value" not in reply:
            raise self._broken("neither a value nor an error")
        return self._incoming(reply["value"])

    def position(self) -> tuple[int, int, int]:
        """Which notebook, cell and statement was being run. Learner code can write anything there; it is only read."""
        if self._over:
            return self._last_position
        data = os.pread(self._page, POSITION.size, 0)
        return POSITION.unpack(data) if len(data) == POSITION.size else (-1, -1, -1)

    def end(self, grace: float = 0) -> int | None:
        """Kill the process, once; returns its wait status if it ended by itself, or does within ``grace`` seconds."""
        if self._over:
            return None
        self._last_position = self.position()
        self._over = True
        self._sock.close()
        os.close(self._page)
        return self._server._end(self._serial, self._pid, grace)

    def _exchange(self, request: dict[str, Any], seconds: float, doing: str) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Send a request and wait for its answer."""
        deadline = time.monotonic() + seconds
        try:
            sent = protocol.send(self._sock, request, deadline)
            reply = protocol.receive(self._sock, deadline)
        except TimeoutError:
            raise _Ended(LearnerError("Timeout", f"Timeout: {doing} took longer than {seconds:g} s")) from None
        except protocol.Closed:
            raise _Ended(self._ended_by_itself(doing)) from None
        except protocol.ProtocolError as error:
            raise self._broken(str(error)) from None
        if not isinstance(reply, dict):
            raise self._broken("no answer")
        return reply, sent

    def _ended_by_itself(self, doing: str) -> LearnerError:
        """Why a process is gone, from how it ended."""
        status = self.end(grace=0.2)
        if status is None:
            return LearnerError("Crash", f"Crash: {doing} broke the connection to the grader")
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return LearnerError("Timeout", f"Timeout: {doing} used all its processor time")
            if number == signal.SIGKILL:
                return LearnerError("Memory", f"Memory: {doing} was stopped by the system, most likely out of memory")
            name = signal.Signals(number).name
            return LearnerError("Crash", f"Crash: {doing} ended Python ({name})")
        code = os.waitstatus_to_exitcode(status)
        if code == FAILED:
            return LearnerError("Crash", f"Crash: {doing} broke the way to the grader")
        return LearnerError("Crash", f"Crash: {doing} ended Python (exit code {code})")

    def _broken(self, what: str) -> _Ended:
        return _Ended(LearnerError("Protocol", f"Protocol: the learner's process sent {what}"))

    def _raised(self, name: str, error: Any) -> Exception:
        if not isinstance(error, list) or len(error) != 2 or not all(isinstance(part, str) for part in error):
            return self._broken("an error of unknown form")
        kind, text = protocol.plain(error[0]), protocol.one_line(error[1])
        if kind in ("NotFilledError", "NotImplementedError"):
            error_class = NeedsAnother if kind == "NotFilledError" else Unfilled
            return error_class("NotImplementedError", text.removeprefix(f"{kind}: "))
        if kind in ("MemoryError", "_ArrayMemoryError"):
            return _Ended(LearnerError("Memory", f"Memory: {name} needs more than it may have ({text})"))
        return LearnerError(kind, text or kind)

    def _outgoing(self, value: Any) -> Any:
        def check(handle: protocol.Handle) -> protocol.Handle:
            if handle.session != self._number:
                raise LearnerError("Handle", "Handle: the cache belongs to a process that has ended; make it again")
            return handle

        return protocol.resolved(value, check)

    def _incoming(self, value: Any) -> Any:
        return protocol.resolved(value, lambda handle: replace(handle, session=self._number))


def _copy_back(changed: Any, sent: Sequence[np.ndarray]) -> None:
    """Do to the caller's arrays what the function did to its copies, as a call in one process would have."""
    if not isinstance(changed, dict):
        return
    for key, new in changed.items():
        index = int(key) if key.isdecimal() and len(key) < 9 else len(sent)
        if index >= len(sent) or not isinstance(new, np.ndarray):
            continue
        old = sent[index]
        if old.shape == new.shape and old.dtype == new.dtype and old.flags.writeable:
            np.copyto(old, new)


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
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
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
