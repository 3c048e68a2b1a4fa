"""The grader's end: call a learner's functions in another process as if they were here, and survive whatever they do.

``Server`` keeps the fork server; ``Learner`` is one submission. Every wait has a deadline, and the process at the other
end is killed when it passes: nothing depends on the good will of the learner's code.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bnlib
from bnlib.grading.isolation.forkserver import ForkServer, ServerError
from bnlib.grading.isolation.sandbox import Limits
from bnlib.grading.process import protocol
from bnlib.grading.process.remote import (
    Ended,
    Interrupted,
    LearnerError,
    Lender,
    NeedsAnother,
    Session,
    Unfilled,
    twice,
)
from bnlib.grading.process.server import BOOT
from bnlib.notebooks import Notebook
from bnlib.stubs import Lesson

__all__ = ["Interrupted", "Learner", "LearnerError", "NeedsAnother", "Server", "ServerError", "Unfilled", "twice"]

CALLS = 4
"""All calls of an exercise together may take this many times as long as one."""

MAX_CODE = protocol.MAX_HEADER // 2
"""Bytes of JSON that all cells together may have."""

MAX_RUNS = 6
"""How often a notebook's cells are run again without the statement that did not come to an end."""


class Server(ForkServer):
    """Starts sessions for learners' code.

    Args:
        limits: What one session may use.

    Raises:
        ServerError: It did not start.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        root = Path(bnlib.__file__).resolve().parent
        found = (find_spec(name) for name in ("numpy", "IPython"))
        packages = dict.fromkeys(str(Path(spec.origin).parents[1]) for spec in found if spec and spec.origin)
        command = [sys.executable, "-s", "-c", BOOT, str(root), os.pathsep.join(packages)]
        super().__init__(command, _environment())
        _ = self.level  # it is ready, or it is said here why it is not

    def learner(self, notebooks: Sequence[Notebook], lesson: Lesson, lender: Lender | None = None) -> Learner:
        """Run the cells of a student's notebook of ``lesson``; its exercises can then be called.

        Args:
            notebooks: All notebooks of the student, for ``load``; one of them is of ``lesson``.
            lesson: The lesson whose exercises will be called.
            lender: Answers in the place of some of them.
        """
        return Learner(self, notebooks, lesson, lender)


class Learner:
    """One student's functions, called in their own process: ``learner.center(h)``. A context manager.

    A call that does not return in time, crashes or runs out of memory raises LearnerError, as do all later calls to the
    same exercise; the others go on in a fresh process.

    Attributes:
        errors: For each cell in which something failed, its id and the first error in words.
        left_out: The same for cells that are too long to be run.
        doubt: Why what is not right may not be the learner's doing, or "": a statement was left out that ended its process twice.
    """

    def __init__(
        self, server: Server, notebooks: Sequence[Notebook], lesson: Lesson, lender: Lender | None = None
    ) -> None:
        self._lender = lender
        self._server = server
        self._lesson = lesson
        self._notebooks, self.left_out = _fitting(notebooks, lesson)
        self._lost: dict[str, LearnerError] = {}
        self._spent: dict[str, float] = {}
        self._skip: list[tuple[int, ...]] = []
        self._doubted: set[str] = set()
        self.doubt = ""
        self._session: Session | None = None
        self._sessions = 0
        self._hopeless: LearnerError | None = None
        self._noted = dict(self.left_out)
        self.errors = dict(self._noted)
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

    def ahead(self, name: str, calls: Iterable[Sequence[Any]]) -> None:
        """Let the process begin with calls that will be made next, with these very objects: fewer turns to wait for.

        A process to which others' values are lent asks for them in the middle of a call, and gets its calls one by one.
        """
        self._forget()
        if self._session is not None and self._lender is None and name not in self._lost:
            self._session.ahead(name, calls)

    def _forget(self) -> None:
        """Leave what was begun and will not be called; nobody is to blame for what came of it."""
        if self._session is not None:
            try:
                self._session.forget()
            except Ended:
                self.close()

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call one function of the learner, or ``Class.method`` with the object as first argument.

        Raises:
            LearnerError: It raised, or did not return.
            Interrupted: Its process was ended, and perhaps not by the learner's code: see :func:`~.remote.twice`.
        """
        exercise = name.split(".")[0]
        if exercise in self._lost:
            raise self._lost[exercise]
        if kwargs or (self._session is not None and not self._session.expects(name, args)):
            self._forget()
        if self._session is None:
            try:
                self._open()
            except ServerError as error:
                raise Interrupted(str(error)) from None
        if self._hopeless is not None:
            raise self._hopeless
        assert self._session is not None
        began = time.monotonic()
        try:
            value = self._session.call(name, args, kwargs)
        except Ended as end:
            self.close()
            if self._once_more(end, exercise):
                self._spent.pop(exercise, None)
                raise Interrupted(str(end.error)) from None
            if end.doubt:
                raise Interrupted(_ended_twice(exercise, end)) from None
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
            session = Session(self._server, self._server.limits, self._sessions, self._lender)
            try:
                errors = session.run(self._lesson, self._notebooks, self._skip, self._noted)
            except Ended as end:
                position = session.position()
                session.end()
                if self._once_more(end, "the cells"):
                    continue
                self.doubt = self.doubt or _ended_twice("the cells", end)
                if self._note(position, end.error):
                    continue
                if self.doubt:
                    raise Interrupted(self.doubt) from None
                self._hopeless = end.error
                return
            except BaseException:
                session.end()
                raise
            self.errors = errors
            self._session = session
            return
        self._hopeless = LearnerError("Timeout", "Timeout: the notebook's cells did not come to an end")

    def _once_more(self, end: Ended, where: str) -> bool:
        """True the first time that a process ended there by what may not have been the learner's doing."""
        again = bool(end.doubt) and where not in self._doubted
        if again:
            self._doubted.add(where)
        return again

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
            self._noted.setdefault(cells[index].id, str(error))
            self.errors = dict(self._noted)
        return True


def _ended_twice(where: str, end: Ended) -> str:
    """What to say of a process that ended again; "" where there is no doubt whose doing it was."""
    return end.doubt and f"the process of {where} was ended twice by {end.doubt}"


def _fitting(notebooks: Sequence[Notebook], lesson: Lesson) -> tuple[list[Notebook], dict[str, str]]:
    """The notebooks with their longest cells emptied until the code fits into a message; which of ``lesson`` were."""
    lengths = {
        (number, index): len(json.dumps((cell.id, cell.source)))
        for number, notebook in enumerate(notebooks)
        for index, cell in enumerate(notebook.cells)
    }
    total, emptied, said = sum(lengths.values()), set(), {}
    for place in sorted(lengths, key=lengths.__getitem__, reverse=True):
        if total <= MAX_CODE:
            break
        total -= lengths[place]
        emptied.add(place)
        cell = notebooks[place[0]].cells[place[1]]
        if notebooks[place[0]].lesson is lesson:
            said[cell.id] = (
                f"the cell holds {len(cell.source) / 1e6:.1f} MB of code, and all cells together may hold {MAX_CODE / 1e6:g} MB: it was left out"
            )
    if not emptied:
        return list(notebooks), {}
    return [
        replace(
            notebook,
            cells=tuple(
                replace(cell, source="") if (number, index) in emptied else cell
                for index, cell in enumerate(notebook.cells)
            ),
        )
        for number, notebook in enumerate(notebooks)
    ], said


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
