"""The displayed formulas of the lessons, read and evaluated: shared by the tests of the equations and of misprints.

``tests/equations/NAME.py`` says for each lesson what its displays speak of. It holds definitions, and no equation.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from bnlib.chains.judge import drawn
from bnlib.formulas import Display
from bnlib.language.displays import chains
from bnlib.language.latex import Side, read_side
from bnlib.language.names import FormulaError, Names
from bnlib.language.reading import define
from bnlib.language.tree import Node, letters_of, ref, walk
from bnlib.language.values import Values
from bnlib.release import sources
from bnlib.stubs import Setting, lesson_of

ROOT = Path(__file__).parent.parent
DRAWS = 3
ROUNDING, NEARLY, SMALL = 1e-11, 1e-5, 0.01
"""What may be left of a difference: of an equation on its scale, of an approximation, of the smallest term before dots."""


@dataclass(frozen=True)
class Speaks:
    r"""What some displays speak of.

    Attributes:
        equations: Their numbers, ``"2.1-2.4 2.10/1"``: the last is the first ``=`` of (2.10) alone.
        setting: What is given and what is defined from it.
        functions: What is written with brackets: ``{"f": ("y", "x")}`` where y is a function f of x.
        lengths: Sizes that are not drawn.
        made: Makes arrays from the drawn ones, where no formula of the language can.
    """

    equations: str
    setting: Setting
    functions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    made: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] = lambda arrays: {}

    def says(self, number: str) -> set[int] | None:
        """The ``=`` of a display that are meant, all of them where the set is empty; None where it is not among these."""
        for each in self.equations.split():
            whole, _, link = each.partition("/")
            first, _, last = whole.partition("-")
            if _order(first) <= _order(number) <= _order(last or first):
                return {int(link)} if link else set()
        return None


def _order(number: str) -> tuple[int, int, str]:
    match = re.fullmatch(r"(\d+)\.(\d+)([a-z]?)", number)
    return (int(match[1]), int(match[2]), match[3]) if match else (0, 0, "")


@cache
def spoken(name: str):
    """The definitions of a lesson: the module tests/equations/NAME.py."""
    spec = importlib.util.spec_from_file_location(f"equations_{name}", ROOT / "tests" / "equations" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lessons_with_displays() -> list[tuple[str, Path]]:
    """Name and source of every lesson."""
    return [(lesson_of(path.stem).name, path) for path in sources(ROOT / "solutions")]


@cache
def ground(speaks_id: tuple[str, int]) -> tuple[Names, list[Values]]:
    """Names and draws of a lesson's settings, by its name and their place."""
    name, place = speaks_id
    one = spoken(name).SPEAKS[place]
    names = define(Names(one.setting.given, one.setting.latex), one.setting.definitions)
    rng = np.random.default_rng(place)
    draws = []
    for _ in range(DRAWS):
        arrays = drawn(one.setting, names, rng, one.lengths)
        draws.append(Values(names, {**arrays, **one.made(arrays)}))
    return names, draws


def reasons(name: str) -> Mapping[str, str]:
    """Displays that cannot be evaluated: from a number, or from how one without a number begins, to the reason."""
    return getattr(spoken(name), "IN_WORDS", {})


def in_words(name: str, display: Display) -> str:
    """Why a display cannot be evaluated; "" where it can."""
    return next(
        (why for how, why in reasons(name).items() if how == display.number or display.latex.startswith(how)), ""
    )


def problems(name: str, display: Display) -> Iterator[str]:
    """What is wrong with a display of a lesson, in any setting that names it, or, without a number, in all that can read it."""
    file = f"tests/equations/{name}.py"
    total = sum(len(chain.relations) for chain in chains(display.latex))
    found: dict[int, list[str]] = {link: [] for link in range(1, 1 + total)}
    for place, one in enumerate(spoken(name).SPEAKS):
        meant = one.says(display.number) if display.number else set()
        if meant is not None:
            try:
                said = dict(wrong(name, place, display.latex, meant))
            except FormulaError as error:
                if display.number:
                    yield f"{display} cannot be read: {error}"
                continue
            for link in found.keys() & (meant or found.keys()):
                found[link].append(said.get(link, ""))
    if not any(found.values()):
        yield f"no setting of {file} {'names' if display.number else 'can read'} {display}"
    for link, words in found.items():
        if not words:
            yield f"no setting of {file} is for the = number {link} of {display}"
        elif any(words) if display.number else all(words):
            yield f"the = number {link} of {display} is not true: {next(filter(None, words))}"


def wrong(name: str, place: int, latex: str, links: set[int]) -> Iterator[tuple[int, str]]:
    """What is wrong with a display in one setting of its lesson: the place of an ``=``, and words.

    Args:
        name: The lesson.
        place: Which of its settings.
        latex: The display.
        links: The ``=`` that are meant, counted from 1; empty for all.

    Raises:
        FormulaError: It cannot be read.
    """
    names, draws = ground((name, place))
    functions = spoken(name).SPEAKS[place].functions
    count = 0
    for chain in chains(latex):
        first, count = count + 1, count + len(chain.relations)
        meant = [link for link in range(first, count + 1) if not links or link in links]
        places = sorted({at for link in meant for at in (link - first, link - first + 1)})
        sides = {at: read_side(chain.sides[at], names, functions) for at in places}
        sizes: dict[str, str] = {}
        for side in 2 * list(sides.values()):
            free = side.tree.free
            found = names.letter_sizes(side.tree, {letter: sizes[letter] for letter in free & set(sizes)})
            sizes |= {letter: found[letter] for letter in free & set(found)}
        for link in meant:
            one, other = sides[link - first], sides[link - first + 1]
            if one.tree is other.tree:
                yield link, "both sides are the same"
            elif chain.relations[link - first] != "becomes" and link == first and one.tree in walk(other.tree):
                yield link, "the left side is explained by itself"
            elif new := sorted(other.tree.free - sides[places[0]].tree.free):
                yield link, f"{new[0]} is free, and not so on the left"
            elif not all(holds(chain.relations[link - first], one, other, sizes, values) for values in draws):
                yield link, "the two sides differ"


def holds(relation: str, one: Side, other: Side, sizes: Mapping[str, str], values: Values) -> bool:
    """Whether both sides of an ``=`` have one value, for all values of their free letters."""
    left, right = one.tree, other.tree
    if relation == "becomes":
        left = ref(f"{left.data[0]}_new", left.data[1])
    letters = tuple(
        dict.fromkeys(letter for tree in (left, right) for letter in letters_of(tree) if letter in tree.free)
    )
    if unbound := [letter for letter in letters if not letter.islower()]:
        raise FormulaError(f"an index is missing, one that counts {' and '.join(unbound)}")
    if lost := set(letters) - set(sizes):
        raise FormulaError(f"nothing says what {', '.join(lost)} counts")
    sizes = {letter: sizes[letter] for letter in letters}

    def value(tree: Node) -> np.ndarray:
        return values.of(tree, letters, sizes)

    with np.errstate(all="ignore"):
        off = np.max(np.abs(value(left) - value(right)))
        if other.more:
            return bool(off <= SMALL * min(np.max(np.abs(value(term))) for term in right.args))
        if relation == "approx":
            return bool(off <= NEARLY * np.max(np.abs(value(left))))
        scale = max(np.max(values.size(tree, letters, sizes)) for tree in (left, right))
    return bool(off <= ROUNDING * scale)
