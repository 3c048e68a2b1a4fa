"""One session inside the confined child: run a notebook's cells, then answer the grader's calls.

The grader believes nothing that comes from here: a learner's code may change anything in this process, this module
included. All it can change that way is its own answers.
"""

from __future__ import annotations

import contextlib
import inspect
import mmap
import random
import socket
import struct
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bnlib
import bnlib.checks
import bnlib.exercises
import bnlib.numerics
import bnlib.quizzes
import bnlib.running
from bnlib.grading.process import answers, protocol
from bnlib.notebooks import Cell, NotebookError
from bnlib.stubs import Lesson, Stub, lesson_of

POSITION = struct.Struct("=3i")
WHOLE = -1
"""In place of a statement's number: the cell as a whole, while it is made into statements."""

PAGE = mmap.PAGESIZE


def run(sock: socket.socket, page: mmap.mmap, trouble: str) -> None:
    """Serve one session until the grader closes the connection.

    Args:
        sock: To the grader.
        page: Memory shared with the grader: which statement is being run, should it never end.
        trouble: Why isolation could not be put in force; nothing of the learner is run then.
    """
    protocol.send(sock, {"trouble": trouble})  # said before anything of the learner's is here
    if trouble:
        return
    request = protocol.receive(sock, trusted=True)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - answers that draw without a seed should at least repeat
    session = Session(request, page, sock)
    protocol.send(sock, {"errors": session.errors})
    while True:
        try:
            request, received = protocol.receive_with_arrays(sock, trusted=True)
        except protocol.Closed:
            return
        before = [array.tobytes() for array in received]
        reply = session.answer(request)
        changed = {str(i): a for i, a in enumerate(received) if a.tobytes() != before[i]}
        _reply(sock, {"number": request["number"], "changed": changed, **reply})
        if session.makes_an_object(request["call"]):
            for array in received:
                if array.dtype.kind == "f":
                    array += 1  # its caller may do with them what it likes: an object was asked to keep copies


def _reply(sock: socket.socket, reply: dict[str, Any]) -> None:
    try:
        protocol.send(sock, reply)
    except (protocol.TooLargeError, TypeError) as error:
        reply = _error("Output", f"Output: returned {error}") | {"number": reply["number"], "changed": {}}
        protocol.send(sock, reply)


class Session:
    """A learner's notebooks in this process.

    Args:
        request: ``lesson``: its name; ``notebooks``: for each its lesson's key and its cells; ``skip``: statements that
            never came to an end in an earlier session; ``errors``: what is known of those; ``lent``: names of exercises in
            whose place the grader answers.
        page: Where to note which statement is being run.
        sock: To the grader, for what is lent.
    """

    def __init__(self, request: dict[str, Any], page: mmap.mmap, sock: socket.socket) -> None:
        self.page = page
        self.lesson: Lesson = sys.modules[f"bnlib.stubs.{request['lesson']}"].lesson
        self.notebooks: list[tuple[str, list[Cell]]] = [
            (key, [Cell(*cell) for cell in cells]) for key, cells in request["notebooks"]
        ]
        self.skip = {tuple(position) for position in request["skip"]}
        self.errors: dict[str, str] = dict(request["errors"])
        self.kept = answers.Kept()
        self.lent = {name: Lent(sock, self.lesson.stubs[name]) for name in request["lent"]}
        self.namespace = _main()
        self._stand_in()
        self._lend()
        self._run(self.lesson.key, self.namespace, self.errors)
        POSITION.pack_into(self.page, 0, -1, -1, -1)

    def _stand_in(self) -> None:
        """Replace the parts of bnlib that show something or read files: nobody looks, and there are no files."""
        for name in ("check", "derive", "hint", "progress", "quiz", "reveal"):
            setattr(bnlib, name, _nothing)
        bnlib.checks.check = bnlib.checks.hint = bnlib.quizzes.quiz = _nothing
        for name in ("jacobian_central", "jacobian_complex", "vjp_complex"):
            setattr(bnlib.numerics, name, _not_an_answer)
        bnlib.load = bnlib.running.load = self.load

    def load(self, key: str | int) -> None:
        """Fill the exercises of an earlier lesson from the learner's own notebook, as ``bnlib.load`` does.

        Raises:
            NotebookError: It was not handed in.
        """
        lesson = lesson_of(key)
        if lesson.key not in {key for key, _ in self.notebooks}:
            raise NotebookError(f"{lesson.key}.ipynb: not handed in")
        self._run(lesson.key, bnlib.running.new_namespace(), {})

    def _run(self, key: str, namespace: dict[str, Any], errors: dict[str, str]) -> None:
        """Run the cells of a lesson's notebook, each statement on its own, noting in the shared page which."""
        outer = POSITION.unpack_from(self.page, 0)
        for number, (lesson, cells) in enumerate(self.notebooks):
            if lesson != key:
                continue
            for index, cell in enumerate(cells):
                if (number, index, WHOLE) in self.skip:
                    continue
                POSITION.pack_into(self.page, 0, number, index, WHOLE)
                for place, statement in enumerate(list(bnlib.running.statements(cell, errors))):
                    if (number, index, place) in self.skip:
                        continue
                    POSITION.pack_into(self.page, 0, number, index, place)
                    try:
                        exec(statement, namespace)  # noqa: S102 - running the learner's code is what this is for
                    except BaseException as error:
                        errors.setdefault(cell.id, _described(error))
                self._lend()
        POSITION.pack_into(self.page, 0, *outer)

    def _lend(self) -> None:
        """Put what is lent into the place of the learner's functions, whatever the cells have made of those."""
        for name, lent in self.lent.items():
            stub = self.lesson.stubs[name]
            for own in (stub.answer, self.namespace.get(name)):
                if own is not lent and callable(own) and not isinstance(own, Stub):
                    lent.stands_for(own)
                    for key, value in list(self.namespace.items()):
                        if value is own:
                            self.namespace[key] = lent
            stub.answer = self.namespace[name] = lent

    def makes_an_object(self, name: str) -> bool:
        """True for an exercise that is a class."""
        return bool(name in self.lesson.stubs and self.lesson.stubs[name].methods)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one call and say what came of it."""
        try:
            function, returns = self._function(request["call"])
            args = [protocol.resolved(value, self.kept.__getitem__) for value in request["args"]]
            kwargs = {key: protocol.resolved(value, self.kept.__getitem__) for key, value in request["kwargs"].items()}
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                value = function(*args, **kwargs)
            if returns is None:
                return {"value": answers.anything(value, self.kept)}
            return {"value": answers.returned(value, returns, self.kept)}
        except protocol.TooLargeError as error:
            return _error("Output", f"Output: returned {error}: too large")
        except _CellError as error:
            return _error(str(error).split(":")[0].split(" ")[0], str(error))
        except BaseException as error:
            return _error(type(error).__name__, _described(error))

    def _function(self, name: str) -> tuple[Callable[..., Any], Sequence[str] | None]:
        """The learner's function for a name, and the names of what it should return where there is a contract.

        ``Class.method`` gives a function whose first argument is the object. An object of a learner's class stays here, as a
        cache does.
        """
        if "." in name:
            method = name.split(".")[1]
            return lambda thing, *args, **kwargs: getattr(thing, method)(*args, **kwargs), None
        stub = self.lesson.stubs.get(name)
        returns = ("cache",) if stub and stub.methods else stub.returns if stub else None
        if stub is not None and stub.answer is not None:
            return stub.answer, returns
        found = self.namespace.get(name)
        if callable(found) and not isinstance(found, Stub):
            return found, returns
        if stub is None:
            raise AttributeError(f"there is no function called {name}")
        for lesson, cells in self.notebooks:
            for cell in cells:
                if lesson == self.lesson.key and cell.exercise == name and cell.id in self.errors:
                    raise _CellError(self.errors[cell.id])
        raise NotImplementedError(f"{name} is still empty")


class Lent:
    """In the place of a learner's wrong function, while one that builds on it is judged again: it asks the grader."""

    def __init__(self, sock: socket.socket, stub: Stub) -> None:
        self._sock, self._stub, self._signature = sock, stub, stub.signature

    def stands_for(self, function: Callable[..., Any]) -> None:
        """Take arguments as the learner's own function does, by its names and with its defaults."""
        with contextlib.suppress(TypeError, ValueError):
            self._signature = inspect.signature(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value that the exercise's contract promises.

        Raises:
            ValueError: The grader does not lend it; the message says why.
        """
        bound, asked = self._signature.bind(*args, **kwargs), self._stub.parameters
        own = list(self._signature.parameters)[len(asked) :]
        if any(name in bound.arguments for name in own):
            raise ValueError(f"{self._stub.name} takes {', '.join(asked)} alone")
        bound.apply_defaults()
        values = [np.asarray(value) if isinstance(value, (list, tuple)) else value for value in bound.args]
        given = dict(zip(asked, values))  # noqa: B905 - a learner's own arguments are at their defaults
        protocol.send(self._sock, {"ask": self._stub.name, "given": given})
        reply = protocol.receive(self._sock, trusted=True)
        if "refused" in reply:
            raise ValueError(reply["refused"])
        return reply["value"]


class _CellError(Exception):
    """An exercise has no function because its cell failed."""


def _main() -> dict[str, Any]:
    """The namespace of the main notebook, in the place of the program that started this process."""
    module = types.ModuleType("__main__")
    module.__dict__.update(bnlib.running.new_namespace())
    module.__dict__["get_ipython"]().namespace = module.__dict__
    sys.modules["__main__"] = module
    return module.__dict__


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stands for what only shows something."""


def _not_an_answer(*args: Any, **kwargs: Any) -> None:
    """Stands for bnlib's numerical derivatives in an answer."""
    raise RuntimeError("bnlib.numerics judges derivatives by measuring them; an answer computes them")


def _described(error: BaseException) -> str:
    try:
        return bnlib.running.describe_error(error)
    except BaseException:
        return type(error).__name__


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"error": {"kind": str(kind), "text": str(text)}}


def warm_up() -> None:
    """Do once what every session does, so that its children inherit the caches this fills."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        protocol.send(ours, {"x": np.zeros((2, 2)), "n": 1, "list": [1.0, (True, None)]})
        protocol.receive(theirs, trusted=True)
    cell = Cell(
        "warm-up", None, False, "import numpy as np\ndef f(x):\n    return x - x.mean(axis=0)\nf(np.ones((3, 2)))\n"
    )
    namespace = bnlib.running.new_namespace()
    for statement in bnlib.running.statements(cell, {}):
        exec(statement, namespace)  # noqa: S102 - our own text
    bnlib.running.python_of("%time 1\n")
