"""``fill``: put the learner's function, or class, behind the name of an exercise: that of the cell which ran last, or none."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from bnlib.notebooks import answered
from bnlib.stubs import Derivation, OneLine, Stub, lessons

F = TypeVar("F", bound=Callable[..., Any])


class SignatureError(OneLine, TypeError):
    """The learner's function cannot be called the way the exercise needs."""


class ArgumentError(OneLine, TypeError):
    """``check``, ``hint`` or ``quiz`` was given something else than they are for."""


def need_exercise(given: object, command: str) -> None:
    """Refuse what is no exercise; who hands over their own answer is told which exercise it is.

    Args:
        given: What stands in the brackets.
        command: Name of the function it was given to, for example ``"check"``.

    Raises:
        ArgumentError: ``given`` is no exercise.
    """
    if isinstance(given, Stub):
        return
    for lesson in lessons():
        for stub in lesson.stubs.values():
            if given is not None and stub.answer is given:
                raise ArgumentError(f"{command} needs the exercise: {command}({stub.id})")
    named = [
        stub.id for lesson in lessons() for stub in lesson.stubs.values() if stub.name == getattr(given, "__name__", "")
    ]
    if named:
        raise ArgumentError(f"{command} needs the exercise, not the function: {command}({named[0]})")
    raise ArgumentError(f"{command} needs the exercise in brackets, as in the line @fill(...) of its answer cell")


def fill(stub: Stub) -> Callable[[F], F]:
    """Decorator: the function (or class) below is the learner's answer to ``stub``.

    Everything in bnlib that needs this piece runs the learner's function from now on. The function itself is handed
    back unchanged, so it can be called and debugged like any other. Later cells may call it by the exercise's name, whatever
    its own is. What is refused leaves the exercise empty: the answer of a cell that ran before does not count.

    Args:
        stub: The exercise, for example ``translation.center``.

    Raises:
        SignatureError: The function cannot be called with the exercise's arguments.
    """
    if not isinstance(stub, Stub):
        raise SignatureError("@fill needs the exercise in brackets, for example @fill(translation.center)")

    if isinstance(stub, Derivation):
        raise SignatureError(f'{stub.name} is a derivation, and no function: write {stub.opening}"""...""")')

    stub.begin()

    def register(function: F) -> F:
        problem = _signature_problem(stub, function)
        if problem:
            raise SignatureError(problem)
        stub.take(function)
        _name(stub, function)
        return function

    return register


def follow_cells() -> None:
    """In Jupyter, let an answer cell that is run take the earlier answer away, whatever becomes of it: a syntax error runs no ``fill``."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        shell.events.register("pre_run_cell", _begin)


def _begin(cell: Any) -> None:
    for lesson, name in answered(cell.raw_cell):
        for known in lessons():
            if known.name == lesson and name in known.stubs:
                known.stubs[name].begin()


def _name(stub: Stub, function: Any) -> None:
    """Give the answer the exercise's name in its notebook, unless something else of the learner's is called so."""
    parts = [function, *vars(function).values()] if isinstance(function, type) else [function]
    names: dict[str, Any] = next((part.__globals__ for part in parts if hasattr(part, "__globals__")), {})
    if names.get("__name__") == "__main__" and names.get(stub.name, stub.named) is stub.named:
        names[stub.name] = stub.named = function


def _signature_problem(stub: Stub, function: Any) -> str | None:
    """One line on why ``function`` cannot be called as the exercise is, or None. Names of arguments are free."""
    wanted = f"{stub.name}({', '.join(stub.parameters)})"
    if not callable(function):
        return f"{stub.name}: a {'class' if stub.methods else 'function'} is needed under @fill, called as {wanted}"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*stub.parameters)
    except TypeError:
        given = f"{getattr(function, '__name__', 'your function')}{signature}"
        return f"{stub.name} will be called as {wanted}, and yours is {given}: give it the same arguments again"
    return _method_problem(stub, function) if isinstance(function, type) else None


def _method_problem(stub: Stub, cls: type) -> str | None:
    """One line on the first method that is missing or takes other arguments than the contract's, or None."""
    for name, contract in stub.methods.items():
        method = getattr(cls, name, None)
        if not callable(method):
            return f"{stub.name} needs a method {name}: copy its line again from the docstring or the exercise"
        try:
            signature = inspect.signature(method)
        except (TypeError, ValueError):
            continue
        parameters = tuple(inspect.signature(contract).parameters)
        wanted = f"{stub.name}.{name}({', '.join(parameters)})"
        try:
            signature.bind(*parameters)
        except TypeError:
            return f"{wanted} is the method that is needed, and yours is {name}{signature}: give it the same arguments again"
    return None
