"""``derive``, ``reveal`` and ``ladder``: what a learner calls to write a derivation, to see the course's own, and to run lines as functions.

The language and the judge are imported when they are called: the process in which a learner's functions are graded has neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bnlib.exercises import ArgumentError
from bnlib.judging.showing.report import show
from bnlib.patience import Stopped, patience
from bnlib.running import describe_error, replaying
from bnlib.stubs import Derivation, OneLine, Setting

if TYPE_CHECKING:
    from bnlib.chains.judge import Judgement


class DerivationError(OneLine, ValueError):
    """What was given to ``derive`` is no derivation of this language; the message says what to type."""


def derive(
    exercise: Derivation | None = None,
    text: str | None = None,
    *,
    lines: str | None = None,
    definitions: str = "",
    given: Mapping[str, str] | None = None,
) -> None:
    r"""Take down a derivation, typeset it, and compare every line with the one above.

    Args:
        exercise: The exercise, for example ``normalization.input_gradient``; None for a derivation of your own.
        text: The derivation, line under line, between triple quotes.
        lines: A derivation of your own, in the place of ``text``.
        definitions: For that: a line ``name[i] = formula`` for each name that is made from what is given.
        given: For that: names and the sizes of their axes, such as ``{"x": "N D", "gamma": "D", "eps": ""}``.

    Raises:
        ArgumentError: No exercise, or no text.
        DerivationError: The names of a derivation of your own do not fit.
    """
    if exercise is None and lines is not None:
        return _scratch(lines, definitions, given or {})
    if not isinstance(exercise, Derivation):
        raise ArgumentError(
            'derive needs an exercise and a text, derive(normalization.input_gradient, """..."""); or lines="""...""" of your own'
        )
    exercise.begin()
    text = lines if text is None else text
    if not isinstance(text, str):
        raise ArgumentError(f'derive needs your text between triple quotes: derive({exercise.id}, """...""")')
    exercise.take(text)
    if not replaying():
        _show(exercise, text)
    return None


def reveal(exercise: Derivation) -> None:
    """Show the course's own derivation. It costs nothing.

    Args:
        exercise: The exercise, for example ``normalization.input_gradient``.

    Raises:
        ArgumentError: It is no derivation.
    """
    from bnlib.chains.course import judged
    from bnlib.chains.page import Page
    from bnlib.checks import chain_of

    if not isinstance(exercise, Derivation):
        raise ArgumentError("reveal needs a derivation, for example reveal(normalization.input_gradient)")
    chain = chain_of(exercise)
    closing = f"{chain.idea} This is one way of many, and looking at it costs nothing: close it, and write your own."
    show(Page(f"{exercise.id}: the course's own derivation", judged(exercise, chain.text), (), closing))


def ladder(exercise: Derivation, text: str) -> list[Callable[..., Any]]:
    r"""The lines of a derivation as functions, one for each line.

    Args:
        exercise: The exercise whose names the lines use, for example ``normalization.input_gradient``.
        text: Lines, as ``derive`` takes them; nothing is compared.

    Returns:
        Functions of what is given there, in its order: of ``x, dout, gamma, beta, eps`` for lesson 03's one feature. Each returns
        the value of its line, an array over the letters that the exercise leaves free. None while a saved notebook is replayed.

    Raises:
        ArgumentError: No derivation.
        DerivationError: A line cannot be read; the message says what to type.
    """
    if not isinstance(exercise, Derivation) or not isinstance(text, str):
        raise ArgumentError('ladder needs a derivation and lines: ladder(normalization.input_gradient, """...""")')
    if replaying():
        return []  # where answers are taken out of a notebook nobody calls them
    from bnlib.chains.course import ground_of
    from bnlib.chains.lines import pieces
    from bnlib.language.names import FormulaError
    from bnlib.language.reading import read
    from bnlib.language.values import Values

    ground = ground_of(exercise)

    def function(typed: str) -> Callable[..., Any]:
        tree = read(typed, ground.names)
        ground.values(tree)  # refuses what has no value, before anybody calls it

        def line(*given: Any) -> Any:
            values = Values(ground.names, dict(zip(ground.names.given, given, strict=True)))
            return values.of(ground.names.without_d(tree), ground.letters, ground.sizes)

        line.__doc__ = typed
        return line

    try:
        lines = [function(piece.text) for piece in pieces(text)]
    except FormulaError as error:
        raise DerivationError(str(error)) from None
    if not lines:
        raise DerivationError("there is no line in it: write a formula in each")
    return lines


def _show(stub: Derivation, text: str) -> None:
    from bnlib.chains.course import judged
    from bnlib.chains.page import STANDING, Page

    found = judged(stub, text)
    steps = tuple((waypoint.words, done) for waypoint, done in zip(stub.waypoints, found.reached, strict=False))
    if found.finished and not all(found.reached):
        closing = STANDING["step"]
    elif found.finished:
        closing = f"{STANDING['done']} {_code(stub, found)}".rstrip()
    elif found.message:
        closing = f"hint({stub.id}) helps."
    else:
        closing = f"{STANDING['so far'].format(unfinished=found.unfinished)} hint({stub.id}) tells the next move."
    if found.empty:
        closing = f"{STANDING['empty'].format(start=stub.start)} hint({stub.id}) tells the first move."
    show(Page(stub.id, found, steps, closing))


def _code(stub: Derivation, found: Judgement) -> str:
    """Whether the last line and the learner's own function agree, on the numbers on which the lines were compared."""
    import numpy as np

    if not stub.code:
        return ""
    other = stub.lesson.stubs[stub.code]
    if other.answer is None:
        return f"Next, write this line in numpy: {other.id}."
    tree = found.lines[-1].tree
    assert tree is not None
    for values, right in zip(found.ground.draws, found.ground.values(tree), strict=True):
        arguments = [values.lengths.get(name) or values.named(name).tolist() for name in other.parameters]
        try:
            with patience(other.id):
                got = np.asarray(
                    other(*(np.array(a) if isinstance(a, list) else a for a in arguments)), dtype=np.float64
                )
        except Stopped as stopped:
            return str(stopped)
        except Exception as error:
            return f"Your {stub.code} does not run on the numbers of this derivation yet: {describe_error(error)}."
        if got.shape != right.value.shape:
            return f"Your last line and your {stub.code} differ: its result has shape {got.shape}, the line {right.value.shape}."
        if not np.max(np.abs(got - right.value)) <= 1e-9 * max(1e-300, float(np.max(right.size))):
            return f"Your last line and your {stub.code} differ: check({other.id}) says more."
    return f"Your last line and your {stub.code} agree."


def _scratch(lines: str, definitions: str, given: Mapping[str, str]) -> None:
    import numpy as np

    from bnlib.chains.judge import Ground, judge
    from bnlib.chains.lines import pieces
    from bnlib.chains.page import Page
    from bnlib.language.names import FormulaError

    try:
        typed = pieces(lines)
        if not typed:
            raise FormulaError('there is nothing to compare: write lines="""...""", a formula in each')
        ground = _ground(Ground, given, definitions, typed[0].text, np)
    except (FormulaError, ValueError) as error:
        raise DerivationError(str(error)) from None
    found = judge(ground, lines)
    closing = "Every line equals the one above." if not found.message else ""
    show(Page("your own derivation", found, (), closing))


def _ground(make: Any, given: Mapping[str, str], definitions: str, start: str, np: Any) -> Any:
    """Numbers of both signs where the first line has a value with them, positive ones else."""
    from bnlib.language.names import FormulaError

    try:
        return make(Setting(given, definitions, ("eps",)), start, np.random.default_rng(0))
    except FormulaError as error:
        if "has no value" not in str(error):
            raise
        return make(Setting(given, definitions, tuple(given)), start, np.random.default_rng(0))
