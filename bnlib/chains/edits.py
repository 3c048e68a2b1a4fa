"""Edits of a formula: a changed one, what it would mean if it were right, and where in a line one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from bnlib.language.tree import Node, rebuilt
from bnlib.language.writing import plain

Into = Callable[[Node], Node]
"""From a part to the whole formula with that part in its place."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True)
class Edit:
    """A changed formula, and what it would mean if it were the right one.

    Attributes:
        into: Puts the changed part into the formula.
        part: The changed part.
        words: The mistake, in words that follow "line 4:".
        name: Its name, for counting.
        cost: Of two that explain a line, the cheaper is said.
    """

    into: Into
    part: Node
    words: str
    name: str
    cost: float

    @cached_property
    def tree(self) -> Node:
        """The changed formula, which is made only where it is tried."""
        return self.into(self.part)


def itself(new: Node) -> Node:
    """Puts a new formula in the place of all."""
    return new


@dataclass(frozen=True)
class Place:
    """Where in a line one is: in which term, inside which sums, with which letters at hand.

    Attributes:
        letters: The letters that may be used there, with what they count.
        term: In which term of the outermost bracket.
        sums: Inside which sums, in words.
        bound: Where it is all that a sum adds up: the letters of that sum. What has none of them belongs in front of it.
        derived: Whether it stands below a derivative.
    """

    letters: tuple[tuple[str, str], ...]
    term: int | None = None
    sums: tuple[str, ...] = ()
    bound: frozenset[str] = frozenset()
    derived: bool = False

    @property
    def words(self) -> str:
        """``in the third term, inside its sum``."""
        term = f"in the {_ORDINALS[self.term]} term" if self.term is not None and self.term < len(_ORDINALS) else ""
        inside = f"inside the {self.sums[-1]}" if self.sums else ""
        return ", ".join(filter(None, (term, inside)))


def parts(node: Node, place: Place) -> Iterator[tuple[Node, Place]]:
    """The formulas that a node is made of, and where each stands."""
    for number, arg in enumerate(node.args if node.op != "d" else node.args[:1]):
        if node.op == "add":
            yield arg, replace(place, term=number if place.term is None else place.term, bound=frozenset())
        elif node.op == "reduce":
            kind, over, _ = node.data
            known = tuple((letter, size) for letter, size in place.letters if letter not in dict(over))
            sums = (*place.sums, f"{kind} over {' and '.join(letter for letter, _ in over)}")
            bound = frozenset(letter for letter, _ in over)
            yield arg, replace(place, letters=(*known, *over), sums=sums, bound=bound)
        else:
            yield arg, replace(place, bound=frozenset(), derived=place.derived or node.op == "d")


def everywhere(
    node: Node, place: Place, role: str = "term", into: Into = itself
) -> Iterator[tuple[Node, Place, str, Into]]:
    """Every part of a formula with its place, its role (term or factor), and how to put another in its place."""
    yield node, place, role, into
    for number, (arg, there) in enumerate(parts(node, place)):
        inner = "term" if node.op in ("add", "reduce", "d") or (node.op == "neg" and role == "term") else "factor"

        def put(new: Node, number: int = number) -> Node:
            return into(rebuilt(node, (*node.args[:number], new, *node.args[number + 1 :])))

        yield from everywhere(arg, there, inner, put)


def choices(sizes: tuple[str, ...], letters: tuple[tuple[str, str], ...]) -> list[tuple[str, ...]]:
    """Every way of giving letters to the axes of a name."""
    found: list[tuple[str, ...]] = [()]
    for size in sizes:
        found = [(*before, letter) for before in found for letter, counts in letters if counts == size]
    return found


@lru_cache(maxsize=2_000)
def text_of(node: Node) -> str:
    """A part of a line as one types it, cut short where it is long."""
    text = plain(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


def at_place(place: Place) -> str:
    """Where that is, to be put behind the words for what is wrong."""
    return f" {place.words}" if place.words else ""


def count(node: Node) -> int:
    """How many parts a formula has."""
    return 1 + sum(map(count, node.args))
