"""One session as the grader sees it: requests with deadlines, and words for every way a process can end."""

from __future__ import annotations

import fcntl
import operator
import os
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np

from bnlib.grading.isolation.forkserver import FAILED, LOST, ForkServer, ServerError
from bnlib.grading.isolation.sandbox import Limits
from bnlib.grading.process import protocol
from bnlib.grading.process.session import PAGE, POSITION
from bnlib.notebooks import Notebook
from bnlib.stubs import Lesson, NotFilledError


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


class Refused(ValueError):  # noqa: N818 - it is said to the learner's code, which may do without
    """A value that is not lent; one line says why."""


class Lender(Protocol):
    """Answers in the place of exercises that are not right, for one session."""

    names: tuple[str, ...]

    def __call__(self, name: object, given: object) -> Any:
        """The value of a lent exercise; raises Refused."""


class Ended(Exception):  # noqa: N818 - a state, not a mistake of ours
    """The session is over.

    Attributes:
        error: Why, in words for the learner.
        doubt: What ended it, where that may not have been the learner's code; else "".
    """

    def __init__(self, error: LearnerError, doubt: str = "") -> None:
        self.error = error
        self.doubt = doubt


class Interrupted(BaseException):  # noqa: N818 - like KeyboardInterrupt
    """A process with a learner's code was ended, and perhaps not by that code: nothing can be said of it.

    No ``except Exception`` may take it for the learner's mistake. :func:`twice` tries again.
    """


AHEAD = 50_000
"""Bytes of requests that may be on their way at once; a socket holds four times as much."""

GRACE = 2.0
"""Seconds to wait for the end of a process that closed its connection, to learn how it ended."""

T = TypeVar("T")


def twice(ask: Callable[[], T]) -> T:
    """Ask a learner's process something from the beginning, and once more where it was ended meanwhile.

    Raises:
        Interrupted: It was ended both times.
    """
    try:
        return ask()
    except Interrupted:
        return ask()


class Session:
    """One process with a learner's code in it, seen from the grader."""

    def __init__(self, server: ForkServer, limits: Limits, number: int, lender: Lender | None = None) -> None:
        self._lender = lender
        self._number = number
        self._limits = limits
        self._sock, theirs = socket.socketpair()
        self._page = _page()
        with theirs:
            self._child = server.fork(limits, [theirs.fileno(), self._page])
        self._alone = server.level.threads
        self._calls = 0
        self._ahead: deque[tuple[str, Sequence[Any], int, list[np.ndarray]]] = deque()
        self._over = False

    def run(
        self, lesson: Lesson, notebooks: Sequence[Notebook], skip: Sequence[tuple[int, ...]], errors: dict[str, str]
    ) -> dict[str, str]:
        """Run the cells; returns the errors by cell id.

        Raises:
            Ended: The process did not finish them.
        """
        cells = [
            (book.lesson.key, [(cell.id, cell.exercise, cell.given, cell.source) for cell in book.cells])
            for book in notebooks
        ]
        lent = list(self._lender.names) if self._lender else []
        request = {"lesson": lesson.name, "notebooks": cells, "skip": list(skip), "errors": errors, "lent": lent}
        if trouble := self._answer(time.monotonic() + self._limits.cells, "starting", self._limits.cells).get(
            "trouble"
        ):
            raise ServerError(protocol.one_line(str(trouble)))
        reply = self._exchange(request, self._limits.cells, "running the cells")[0]
        found = reply.get("errors")
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            raise self._broken("no list of errors")
        for text in found.values():
            self._others_took_threads(text)
        known = {cell.id for book in notebooks for cell in book.cells}
        return {key: protocol.one_line(text) for key, text in found.items() if key in known}

    def call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Make one call; arrays that the learner's function changed are changed in the caller's hands as well.

        Raises:
            LearnerError: The function raised.
            Ended: It did not return, and the session is over.
        """
        if self._ahead:
            _, _, number, sent = self._ahead.popleft()
            reply = self._answer(time.monotonic() + self._limits.wall, name, self._limits.wall)
        else:
            request = self._request(name, args, kwargs)
            number = self._calls
            reply, sent = self._exchange(request, self._limits.wall, name)
        if reply.get("number") != number:
            raise self._broken("an answer to another call")
        _copy_back(reply.get("changed"), sent)
        if "error" in reply:
            raise self._raised(name, reply["error"])
        if "value" not in reply:
            raise self._broken("neither a value nor an error")
        return self._incoming(reply["value"])

    def _request(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        args = [self._outgoing(value) for value in args]
        kwargs = {key: self._outgoing(value) for key, value in kwargs.items()}
        return {"call": name, "number": self._calls, "args": args, "kwargs": kwargs}

    def ahead(self, name: str, calls: Iterable[Sequence[Any]]) -> None:
        """Ask for calls that will be made next; no more than the connection holds, whether or not somebody reads there."""
        left = AHEAD
        for args in calls:
            left -= sum(value.nbytes + 1000 if isinstance(value, np.ndarray) else 1000 for value in args)
            if left < 0:
                return
            try:
                sent = protocol.send(self._sock, self._request(name, args, {}), time.monotonic() + self._limits.wall)
            except (TypeError, protocol.TooLargeError, TimeoutError, protocol.Closed):
                return  # the call itself will be told
            self._ahead.append((name, args, self._calls, sent))

    def expects(self, name: str, args: Sequence[Any]) -> bool:
        """Whether a call is the one that was asked for ahead, if any was."""
        if not self._ahead:
            return True
        asked, given = self._ahead[0][:2]
        return asked == name and len(given) == len(args) and all(map(operator.is_, given, args))

    def forget(self) -> None:
        """Wait for the answers to what was asked for ahead and will not be called.

        Raises:
            Ended: The process did not give them.
        """
        deadline = time.monotonic() + self._limits.wall
        while self._ahead:
            name = self._ahead.popleft()[0]
            self._answer(deadline, name, self._limits.wall)

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
        return self._child.end(grace)

    def _exchange(self, request: dict[str, Any], seconds: float, doing: str) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Send a request and wait for its answer; until then, lend what is asked for."""
        deadline = time.monotonic() + seconds
        sent = self._tell(request, deadline, doing, seconds)
        while "ask" in (reply := self._answer(deadline, doing, seconds)):
            if self._lender is None:
                raise self._broken("a question")
            try:
                given = {"value": self._lender(reply["ask"], reply.get("given"))}
            except Refused as no:
                given = {"refused": str(no)}
            self._tell(given, deadline, doing, seconds)
        return reply, sent

    def _tell(self, message: dict[str, Any], deadline: float, doing: str, seconds: float) -> list[np.ndarray]:
        """Send a message; the arrays it held."""
        try:
            return protocol.send(self._sock, message, deadline)
        except TimeoutError:
            raise self._late(doing, seconds) from None
        except protocol.Closed:
            raise self._ended_by_itself(doing) from None

    def _answer(self, deadline: float, doing: str, seconds: float) -> dict[str, Any]:
        """Wait for what the process says."""
        try:
            reply = protocol.receive(self._sock, deadline)
        except TimeoutError:
            raise self._late(doing, seconds) from None
        except protocol.Closed:
            raise self._ended_by_itself(doing) from None
        except protocol.ProtocolError as error:
            raise self._broken(str(error)) from None
        if not isinstance(reply, dict):
            raise self._broken("no answer")
        return reply

    def _late(self, doing: str, seconds: float) -> Ended:
        return Ended(LearnerError("Timeout", f"Timeout: {doing} took longer than {seconds:g} s"))

    def _ended_by_itself(self, doing: str) -> Ended:
        """Why a process is gone, from how it ended."""
        status = self.end(grace=GRACE)
        if status is None:
            return Ended(LearnerError("Crash", f"Crash: {doing} broke the connection to the grader"))
        if status == LOST:
            error = LearnerError("Crash", f"Crash: the process that {doing} was forked from ended")
            return Ended(error, "the end of the process that it was forked from")
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return Ended(LearnerError("Timeout", f"Timeout: {doing} used all its processor time"))
            name = signal.Signals(number).name
            error = LearnerError("Crash", f"Crash: {doing} ended Python ({name})")
            return Ended(error, f"{name}, which none of its limits sends")
        code = os.waitstatus_to_exitcode(status)
        if code == FAILED:
            return Ended(LearnerError("Crash", f"Crash: {doing} broke the way to the grader"))
        return Ended(LearnerError("Crash", f"Crash: {doing} ended Python (exit code {code})"))

    def _broken(self, what: str) -> Ended:
        return Ended(LearnerError("Protocol", f"Protocol: the learner's process sent {what}"))

    def _raised(self, name: str, error: Any) -> Exception:
        if not isinstance(error, dict) or not all(isinstance(error.get(part), str) for part in ("kind", "text")):
            return self._broken("an error of unknown form")
        kind, text = protocol.plain(error["kind"]), protocol.one_line(error["text"])
        self._others_took_threads(text)
        if kind in ("NotFilledError", "NotImplementedError"):
            error_class = NeedsAnother if kind == "NotFilledError" else Unfilled
            return error_class("NotImplementedError", text.removeprefix(f"{kind}: "))
        if kind in ("MemoryError", "_ArrayMemoryError"):
            return Ended(LearnerError("Memory", f"Memory: {name} needs more than it may have ({text})"))
        return LearnerError(kind, text or kind)

    def _others_took_threads(self, text: str) -> None:
        """Where threads are counted for all of a user's processes, one learner's may cost another theirs.

        Raises:
            Ended: Such an error, of a process that has few threads itself.
        """
        if self._alone or "can't start new thread" not in text:
            return
        if self._child.threads() < self._limits.processes // 2:
            raise Ended(
                LearnerError("RuntimeError", protocol.one_line(text)),
                "no thread to be had: others of this user have them",
            )

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
