"""Where edits of one line are tried: is the value that comes out the one that is wanted, on every draw?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bnlib.chains.edits import Place, choices, count
from bnlib.chains.forms import below
from bnlib.language.names import FormulaError, Names
from bnlib.language.tree import Node, div, letters_of, num, power, rebuilt, ref, renamed
from bnlib.language.writing import plain
from bnlib.numerics import Array

if TYPE_CHECKING:
    from bnlib.chains.judge import Ground

CLOSE = 1e-10
MOST_NODES = 100
"""Longer lines are compared and not searched."""

_NO_FACTORS = ("num", "div", "reduce", "neg")

MOST_FACTORS = 24
"""How many of the factors that the lines near by show are tried as what is missing."""


def as_written(node: Node, names: Names) -> Node:
    """A formula with the derivatives of names written as ``d(y[k], x[i])``."""
    if node.op == "ref" and node.data[0].startswith("d "):
        of, _, by = node.data[0][2:].rpartition(" / d ")
        letters = node.data[1]
        inner = len(letters) - len(names.sizes_of(by))
        return Node("d", (as_written(ref(of, letters[:inner]), names), ref(by, letters[inner:])))
    return rebuilt(node, tuple(as_written(arg, names) for arg in node.args))


class Bench:
    """One line on which edits are tried, and the values that an edit has to give.

    Args:
        ground: Where lines are compared.
        tree: The line.
        wanted: The values, one for each draw.
        near: The lines whose names and brackets may be what is missing: the one above, this one, and what they came from.
    """

    def __init__(self, ground: Ground, tree: Node, wanted: list[Array], near: tuple[Node, ...] = ()) -> None:
        self.ground, self.tree = ground, tree
        near = tuple(as_written(each, ground.names) for each in near)
        every = sorted({node for each in near for node in below(each)}, key=plain)
        self._parts = frozenset(every)
        self.names = [name for name in ground.names if any(node.op == "ref" and node.data[0] == name for node in every)]
        products = [node for each in near for node in sorted(below(each), key=plain) if node.op == "mul"]
        factors = dict.fromkeys(arg for node in products for arg in node.args if arg.op not in _NO_FACTORS)
        slopes = (each for line in (*near, *(ground.course if near else ())) for each in below(line))
        self.slopes = tuple(sorted({each for each in slopes if each.op == "d" and each.free}, key=plain))
        factors |= dict.fromkeys(each for each in self.slopes if each in every)
        self.written = tuple(each for each in factors if each.op != "pow" or each.data > 0)[:MOST_FACTORS]
        self.brackets = tuple(factor for factor in self.written if factor.op == "add")
        self.called = tuple(node for node in every if node.op == "call" and node.data == "exp")
        self.below_bars = tuple(dict.fromkeys(node.args[1] for node in every if node.op == "div" and node.args[1].free))
        self.deltas = {node.data for node in every if node.op == "delta"}
        self.moving = {node.args[0].data[0] for node in every if node.op == "d" and node.args[0].op == "ref"}
        self.sums_above = {each.data for each in below(near[0]) if each.op == "reduce"} if near else set()
        self.calls = {node.data for node in every if node.op == "call" and node.data != "sqrt"}
        self.by = tuple(
            dict.fromkeys(each.args[1] for line in (ground.start, *near[:1]) for each in below(line) if each.op == "d")
        )
        self.parts = count(tree)
        self.usable = self.parts <= MOST_NODES
        if not self.usable:
            return
        names = ground.names
        self._flat: dict[Node, Node] = {}
        self._known_factors: dict[tuple[tuple[str, str], ...], tuple[tuple[Node, bool], ...]] = {}
        self.sizes = {**names.letter_sizes(self.flat(tree), ground.sizes), **ground.sizes}
        self._near_sizes = {letter: size for each in near for letter, size in names.letter_sizes(each).items()}
        spare = [f"{letter}''" for letter in ground.letters]
        letters = [*dict.fromkeys((*ground.letters, *letters_of(self.flat(tree)), *letters_of(tree))), *spare]
        self.contexts = []
        for values in ground.draws:
            lengths = {
                letter: values.lengths[self.sizes.get(letter.rstrip("'"), letter)]
                for letter in letters
                if self.sizes.get(letter.rstrip("'"), letter) in values.lengths
            }
            self.contexts.append(values.context(lengths))
        self._free = frozenset(ground.letters)
        # The free letters come first among a context's axes; the others are summed away, and of length one.
        self.wanted = [
            each.reshape((*each.shape, *(1,) * (len(context.axes) - each.ndim)))
            for each, context in zip(wanted, self.contexts, strict=True)
        ]
        self.work = ground.draws[0].work(self.flat(tree), ground.sizes)
        self.scales = [
            max(float(np.max(np.abs(each))), 1e-3 * scale) for each, scale in zip(wanted, ground.scale, strict=True)
        ]

    def flat(self, node: Node) -> Node:
        """The formula with its derivatives carried out."""
        found = self._flat.get(node)
        if found is None:
            found = (
                self.ground.names.without_d(node) if node.op == "d" else rebuilt(node, tuple(map(self.flat, node.args)))
            )
            self._flat[node] = found
        return found

    def fits(self, tree: Node) -> bool:
        """Whether a formula has the values wanted, on every draw."""
        try:
            flat = self.flat(tree)
            if not flat.free <= self._free:
                return False
            for context, wanted, scale in zip(self.contexts, self.wanted, self.scales, strict=True):
                if not np.abs(context.raw(flat) - wanted).max() <= CLOSE * scale:
                    return False
        except (FormulaError, KeyError):
            return False
        return True

    def speaks_of(self, part: Node) -> bool:
        """Whether a part of a formula stands in one of the lines near by."""
        return part in self._parts

    @property
    def start(self) -> Place:
        """The line as a whole."""
        return Place(tuple(self.ground.sizes.items()))

    def factors(self, place: Place) -> Iterator[tuple[Node, bool]]:
        """What a term may be multiplied by in error, or lack; True where it is a number."""
        if place.letters not in self._known_factors:
            self._known_factors[place.letters] = tuple(dict.fromkeys(self._factors(place)))
        for factor, number in self._known_factors[place.letters]:
            if not place.bound or place.bound & factor.free:
                yield factor, number

    def denominators(self, place: Place) -> Iterator[Node]:
        """What a term may have to be divided by."""
        for below_bar in self.below_bars:
            for other in self._in_letters(below_bar, place):
                if not place.bound or place.bound & other.free:
                    yield other

    def _in_letters(self, node: Node, place: Place) -> Iterator[Node]:
        """A formula, and the same with one letter exchanged for another that may be used at a place."""
        for old in sorted(node.free):
            for new, size in place.letters:
                if self._near_sizes.get(old) == size and node.free - {old} <= dict(place.letters).keys():
                    yield renamed(node, {old: new})

    def _factors(self, place: Place) -> Iterator[tuple[Node, bool]]:
        names = self.ground.names
        for factor in self.written:
            if factor.free <= dict(place.letters).keys():
                yield factor, False
        for size in names.sizes:
            yield ref(size), True
            yield div(num(2), ref(size)), True
        yield num(2), True
        for name in self.names:
            for letters in choices(names.sizes_of(name), place.letters):
                yield ref(name, letters), False
                yield power(ref(name, letters), 2), False
        for call in self.called:
            for other in self._in_letters(call, place):
                yield other, False
        for bracket in self.brackets:
            for other in self._in_letters(bracket, place):
                yield other, False
        for one, two in combinations(place.letters, 2):
            if one[1] == two[1]:
                letters = (two[0], one[0]) if (two[0], one[0]) in self.deltas else (one[0], two[0])
                yield Node("delta", (), letters), False
