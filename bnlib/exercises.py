"""``fill``: put the learner's function, or class, behind the name of an exercise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from bnlib.stubs import Stub

F = TypeVar("F", bound=Callable[..., Any])


class SignatureError(TypeError):
    """The learner's function cannot be called the way the exercise needs."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows this line alone."""
        return [str(self)]


def fill(stub: Stub) -> Callable[[F], F]:
    """Decorator: the function (or class) below is the learner's answer to ``stub``.

    Everything in bnlib that needs this piece runs the learner's function from now on. The function itself is handed
    back unchanged, so it can be called and debugged like any other.

    Args:
        stub: The exercise, for example ``translation.center``.

    Raises:
        SignatureError: The function cannot be called with the exercise's arguments.
    """
    if not isinstance(stub, Stub):
        raise SignatureError("@fill needs the exercise in brackets, for example @fill(translation.center)")

    def register(function: F) -> F:
        problem = _signature_problem(stub, function)
        if problem:
            raise SignatureError(problem)
        stub.answer = function
        return function

    return register


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
