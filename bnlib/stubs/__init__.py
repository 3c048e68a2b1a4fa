"""Contracts: what each exercise is called, takes, returns and is worth. No answers live here.

A lesson is one module of this package. It makes a :class:`Lesson` and declares the lesson's exercises and quiz
questions with it. The list of lessons is this folder; nothing else keeps one.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any


class OneLine(Exception):  # noqa: N818 - what its kinds have in common, not an error of its own
    """An error that is the learner's to mend, and that its message says all about."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows this in place of a traceback: the mistake is not in any code the learner can see."""
        return [str(self)]


class NotFilledError(OneLine, NotImplementedError):
    """An exercise was called before the learner wrote it."""

    def _render_traceback_(self) -> list[str]:
        return [f"Not filled yet: {self}"]


class UnknownLessonError(OneLine, KeyError):
    """No lesson, or more than one, is called so."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(eq=False)  # there is one object an exercise: it is equal to itself alone, and may be a key
class Stub:
    """One exercise: a name, a signature, a docstring, points; callable once the learner has filled it.

    Attributes:
        name: The function's or class's name, unique in its lesson.
        lesson: The lesson it belongs to.
        contract: The empty function whose signature and docstring the learner's function takes over; or a class whose
            methods are such functions.
        returns: Names of the returned values, in order; names starting with ``cache`` may be any object. For a class,
            what its checks collect from calls of the methods.
        points: What a right answer is worth.
        minutes: How long it takes, about.
        difficulty: 1 (write down what you read), 2 (think), 3 (derive on paper first).
        equation: The numbered equation the exercise belongs to, for example ``"2.3"``.
        builds_on: Names of earlier exercises that an answer may call: a mistake in one of them is charged once. None is
            listed that would be the answer by itself.
        cache_of: Name of the exercise whose cache comes in as the argument ``cache``, or "".
        answer: The learner's function or class, or None; set by :func:`bnlib.fill` only.
        begun: An answer was begun and never came: its cell ended in an error.
        named: What stands under the exercise's name in the learner's notebook because it was an answer.
    """

    name: str
    lesson: Lesson
    contract: Callable[..., Any]
    returns: tuple[str, ...]
    points: int
    minutes: int
    difficulty: int
    equation: str
    builds_on: tuple[str, ...] = ()
    cache_of: str = ""
    answer: Callable[..., Any] | None = field(default=None, repr=False)
    begun: bool = field(default=False, repr=False)
    named: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.__doc__ = inspect.getdoc(self.contract)
        self.__name__ = self.name
        self.__signature__ = self.signature

    @property
    def signature(self) -> inspect.Signature:
        """The signature the learner's function must be callable with."""
        return inspect.signature(self.contract)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(self.signature.parameters)

    @property
    def methods(self) -> dict[str, Callable[..., Any]]:
        """The contract's methods in order where the exercise is a class; empty where it is a function."""
        if not isinstance(self.contract, type):
            return {}
        return {name: value for name, value in vars(self.contract).items() if inspect.isfunction(value)}

    @property
    def id(self) -> str:
        """``translation.center``: what the learner types, and the name under which results are kept."""
        return f"{self.lesson.name}.{self.name}"

    @property
    def opening(self) -> str:
        """How the answer cell begins."""
        return f"@fill({self.id})"

    def begin(self) -> None:
        """An answer is on its way: the one before no longer counts, even if this one never comes."""
        self.answer, self.begun = None, True

    def take(self, answer: Any) -> None:
        """The answer is there."""
        self.answer, self.begun = answer, False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the learner's function.

        Raises:
            NotFilledError: Nobody has filled the exercise in this session.
        """
        if self.answer is None:
            raise NotFilledError(
                f"{self.name} is still empty. Write it in notebooks/{self.lesson.key}.ipynb, in the cell that begins "
                f'with {self.opening}, and run that cell. Already done there? Save it, then load("{self.lesson.key}").'
            )
        return self.answer(*args, **kwargs)


@dataclass(frozen=True)
class Setting:
    """What the derivations of a section may speak of.

    Attributes:
        given: From a name to the sizes of its axes: ``{"x": "N D", "eps": ""}``.
        definitions: A line for each name that is made from them, ``mu[j] = mean(x[k, j] for k in N)``.
        positive: The given names that are positive numbers.
        latex: How names are typeset where that is not plain.
    """

    given: Mapping[str, str]
    definitions: str = ""
    positive: tuple[str, ...] = ("eps",)
    latex: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Waypoint:
    """A form that some line of a derivation must have; see :mod:`bnlib.chains.forms` for the words of ``has`` and ``lacks``.

    Attributes:
        words: What is done in that line, as a row of the check's table.
        points: What it is worth.
        has: Of these the line has one at least; empty where anything will do. Other ways follow behind a ``|``.
        lacks: Of these it has none; as many ways as in ``has``.
    """

    words: str
    points: int
    has: str = ""
    lacks: str = ""

    @property
    def ways(self) -> list[tuple[list[str], list[str]]]:
        """The words of ``has`` and of ``lacks``, way by way."""
        pairs = zip(self.has.split("|"), self.lacks.split("|"), strict=True)
        return [(has.split(), lacks.split()) for has, lacks in pairs]


@dataclass(eq=False, kw_only=True)
class Derivation(Stub):
    """An exercise whose answer is a derivation: text, line under line, each equal to the one above.

    Attributes:
        setting: The names it may speak of.
        start: The first line.
        form: What the last line must not have, in the words of :mod:`bnlib.chains.forms`.
        waypoints: Rows of their own; the last line is worth what they leave of the points.
        code: Name of the lesson's exercise that translates the last line into numpy, or "".
        answer: The learner's text, or None; set by :func:`bnlib.derive` only.
    """

    setting: Setting
    start: str
    form: str
    waypoints: tuple[Waypoint, ...] = ()
    code: str = ""
    answer: Any = field(default=None, repr=False)

    @property
    def opening(self) -> str:
        """How the answer cell begins."""
        return f"derive({self.id}, "

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A derivation is read, and no function.

        Raises:
            NotFilledError: Always.
        """
        raise NotFilledError(f"{self.name} is a derivation, and is not called: check({self.id}) looks at it.")

    @property
    def end_points(self) -> int:
        """What the last line is worth."""
        return self.points - sum(waypoint.points for waypoint in self.waypoints)


@dataclass(frozen=True)
class Choice:
    """One possible answer of a quiz question."""

    letter: str
    text: str


@dataclass(frozen=True)
class Quiz:
    """A question with choices. What is right, and why, is told by the lesson's checks after the learner chose."""

    name: str
    lesson: Lesson
    question: str
    choices: tuple[Choice, ...]

    @property
    def id(self) -> str:
        """``translation.applied_twice``, as the learner types it."""
        return f"{self.lesson.name}.{self.name}"


@dataclass(frozen=True)
class Written:
    """A question that is answered in words. A person reads the answer and gives the points; no score of bnlib has them."""

    name: str
    lesson: Lesson
    points: int


class Lesson:
    """A lesson's contract: its exercises and quiz questions in the order of the notebook.

    Args:
        key: Name of the notebook without its ending, for example ``"02_translation"``; the part after the number is the
            name of the module.
        title: What the lesson is called in tables and reports.
    """

    def __init__(self, key: str, title: str) -> None:
        if not re.fullmatch(r"\d\d_[a-z_]+", key):
            raise ValueError(f"lesson key {key!r}: two digits, an underscore and the module's name are needed")
        self.key = key
        self.title = title
        self.stubs: dict[str, Stub] = {}
        self.derivations: dict[str, Derivation] = {}
        self.quizzes: dict[str, Quiz] = {}
        self.written: dict[str, Written] = {}

    @property
    def name(self) -> str:
        """Name of the module, for example ``translation``."""
        return self.key.split("_", 1)[1]

    @property
    def functions(self) -> dict[str, Stub]:
        """The exercises that are answered with code, and not with a derivation."""
        return {name: stub for name, stub in self.stubs.items() if not isinstance(stub, Derivation)}

    @property
    def points(self) -> int:
        """Sum of the exercises' points."""
        return sum(stub.points for stub in self.stubs.values())

    def exercise(
        self,
        *,
        returns: tuple[str, ...],
        points: int,
        minutes: int,
        difficulty: int,
        equation: str,
        builds_on: tuple[str, ...] = (),
        cache_of: str = "",
    ) -> Callable[[Callable[..., Any]], Stub]:
        """Decorator: turn an empty function, or a class of such, with docstrings into the contract of an exercise."""
        for earlier in (*builds_on, *((cache_of,) if cache_of else ())):
            if earlier not in self.stubs:
                raise ValueError(f"{self.key}: {earlier} is no earlier exercise of this lesson")

        def make(contract: Callable[..., Any]) -> Stub:
            name = contract.__name__
            stub = Stub(name, self, contract, returns, points, minutes, difficulty, equation, builds_on, cache_of)
            self.stubs[name] = stub
            return stub

        return make

    def derivation(
        self,
        *,
        setting: Setting,
        start: str,
        form: str = "d delta",
        waypoints: tuple[Waypoint, ...] = (),
        points: int,
        minutes: int,
        difficulty: int,
        equation: str,
        code: str = "",
        in_notebook: bool = True,
    ) -> Callable[[Callable[..., Any]], Derivation]:
        """Decorator: turn an empty function with a docstring into the contract of a derivation.

        One that the notebook does not hold (yet) can be derived, checked and revealed all the same, and is not graded.
        """

        def make(contract: Callable[..., Any]) -> Derivation:
            name = contract.__name__
            stub = Derivation(
                name, self, contract, ("lines",), points, minutes, difficulty, equation,
                setting=setting, start=start, form=form, waypoints=waypoints, code=code,
            )  # fmt: skip
            self.derivations[name] = stub
            if in_notebook:
                self.stubs[name] = stub
            return stub

        return make

    def quiz(self, name: str, question: str, **choices: str) -> Quiz:
        """Declare a question; choices are given as ``a="…", b="…"``."""
        quiz = Quiz(name, self, question, tuple(Choice(letter, text) for letter, text in choices.items()))
        self.quizzes[name] = quiz
        return quiz

    def in_words(self, name: str, points: int) -> Written:
        """Declare a question that is answered in words; the notebook asks it."""
        written = Written(name, self, points)
        self.written[name] = written
        return written

    def __repr__(self) -> str:
        return f"Lesson({self.key!r})"


@cache
def lessons() -> tuple[Lesson, ...]:
    """All lessons in order, read from the modules of this package."""
    found = [importlib.import_module(f"{__name__}.{module.name}").lesson for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted(found, key=lambda lesson: lesson.key))


def lesson_of(key: str | int) -> Lesson:
    """The lesson called ``key``: ``2``, ``"02"``, ``"02_translation"``, ``"translation"``, or the file ``"02_translation.ipynb"``.

    The beginning of a name is enough.

    Raises:
        UnknownLessonError: No such lesson, or several (a KeyError); the message lists those that exist.
    """
    known, wanted = lessons(), str(key).strip().lower().removesuffix(".ipynb").rpartition("/")[2]
    if re.fullmatch(r"\d", wanted):
        wanted = wanted.zfill(2)
    found = [lesson for lesson in known if wanted in (lesson.key, lesson.name)]
    found = found or [lesson for lesson in known if lesson.key.startswith(wanted) or lesson.name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    raise UnknownLessonError(f"no lesson called {key!r}; there are: {', '.join(lesson.key for lesson in known)}")


def stub_source(stub: Stub, before: str = "") -> str:
    """The empty answer cell of an exercise: signatures and docstrings of the contract, and lines that say what to do."""
    if isinstance(stub, Derivation):
        return before + derive_source(stub, (stub.start,))
    head = f"{before}@fill({stub.id})\n"
    if not stub.methods:
        return head + _empty_function(stub.name, stub.signature, stub.__doc__, stub.name)
    parts = [f"class {stub.name}:\n" + _docstring(stub.__doc__)]
    for name, method in stub.methods.items():
        title = stub.name if name == "__init__" else f"{stub.name}.{name}"
        function = _empty_function(name, inspect.signature(method), inspect.getdoc(method), title)
        parts.append("\n".join(line and f"    {line}" for line in function.split("\n")))
    return head + "\n\n".join(parts)


def told(stub: Stub) -> str:
    """The docstring of an exercise as source: of a class also what its methods take and do."""
    doc = stub.__doc__ or ""
    for name, method in stub.methods.items():
        doc += f"\n\n{name}{inspect.signature(method)}:\n" + textwrap.indent(inspect.getdoc(method) or "", "    ")
    return _docstring(doc)


def derive_source(stub: Derivation, lines: Iterable[str]) -> str:
    """The answer cell of a derivation that holds these lines."""
    body = "\n".join(lines)
    return f'{stub.opening}"""\n{body}\n""")'


def _empty_function(name: str, signature: inspect.Signature, doc: str | None, title: str) -> str:
    """A function that holds its docstring and the line a learner replaces; ``title`` is what its error calls it."""
    arguments = ", ".join(str(parameter) for parameter in signature.parameters.values())
    return (
        f"def {name}({arguments}):\n{_docstring(doc)}\n"
        f'    # your code here\n    raise NotImplementedError("{title} is still empty")'
    )


def _docstring(doc: str | None) -> str:
    """A docstring as source, indented by one level."""
    text = textwrap.indent(f'"""{doc}\n"""', "    ")
    return "\n".join(line.rstrip() for line in text.splitlines())
