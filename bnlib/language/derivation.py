"""A derivation as text: lines ``name = formula  # eq. 3.1``, each from those above; what follows when a line is changed.

A name that begins with ``_`` belongs to the course alone: no message mentions it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bnlib.language.names import Definition, FormulaError, Names
from bnlib.language.reading import line
from bnlib.language.tree import Node, add, div, mul, names_of, neg, rebuilt, renamed


class Derivation:
    """Lines of a derivation.

    Args:
        given: What it starts from, with sizes: ``"x: N D, gamma: D, eps"``.
        text: The lines. Empty lines and comments are passed over; ``# eq. 3.1`` behind a line is where the lesson writes it.

    Raises:
        FormulaError: A line cannot be read; the message quotes it.
    """

    def __init__(self, given: str, text: str) -> None:
        pairs = (part.partition(":") for part in given.split(","))
        self.names = Names({name.strip(): sizes.strip() for name, _, sizes in pairs})
        self.lines: dict[str, Definition] = {}
        for each in text.splitlines():
            if each.partition("#")[0].strip():
                try:
                    definition = line(each, self.names)
                except FormulaError as error:
                    raise FormulaError(f"{each.strip()}: {error}") from None
                self.names.define(definition)
                self.lines[definition.name] = definition
        self._meaning: dict[str, Node] = {}
        for name, definition in self.lines.items():
            self._meaning[name] = self._opened(definition.tree, self._meaning)
        self._uses = {name: self._all_used(name) for name in self.lines}

    def _all_used(self, name: str) -> frozenset[str]:
        direct = names_of(self.lines[name].tree) & set(self.lines) - {name}
        return frozenset(direct).union(*(self._all_used(each) for each in direct))

    def uses(self, name: str, other: str) -> bool:
        """Whether a line contains another, at any depth, or is it."""
        return name == other or other in self._uses[name]

    def comes_from(self, name: str, other: str) -> bool:
        """Whether a line is made of another quantity, defined or given."""
        return other in self._uses[name] or other in names_of(self._meaning[name])

    def meaning(self, name: str, instead: Mapping[str, Node] | None = None) -> Node:
        """A line with every name above it written out, some lines replaced by others."""
        if not instead or not any(self.uses(name, each) for each in instead):
            return self._meaning[name]
        known = dict(self._meaning)
        for each, definition in self.lines.items():
            if self.uses(name, each) and any(self.uses(each, changed) for changed in instead):
                known[each] = self._opened(instead.get(each, definition.tree), known)
        return known[name]

    def opened(self, node: Node, instead: Mapping[str, Node] | None = None) -> Node:
        """Any formula of these names, written out."""
        return self._opened(node, {name: self.meaning(name, instead) for name in names_of(node) & set(self.lines)})

    def _opened(self, node: Node, known: Mapping[str, Node]) -> Node:
        if node.op != "ref":
            return rebuilt(node, tuple(self._opened(arg, known) for arg in node.args)) if node.args else node
        name, letters = node.data
        if name not in known:
            return node
        own = self.lines[name].letters
        return known[name] if own == letters else renamed(known[name], dict(zip(own, letters, strict=True)))


def summands(node: Node) -> list[tuple[int, Node]]:
    """The terms of a formula, brackets multiplied out at the top, each with its sign."""
    if node.op == "neg":
        return [(-sign, term) for sign, term in summands(node.args[0])]
    if node.op == "but":
        return [(sign, rebuilt(node, (term,))) for sign, term in summands(node.args[0])]
    if node.op == "add":
        return [each for arg in node.args for each in summands(arg)]
    if node.op == "div":
        return [(sign, div(term, node.args[1])) for sign, term in summands(node.args[0])]
    if node.op == "mul":
        split = [summands(arg) for arg in node.args]
        if [len(each) > 1 for each in split].count(True) == 1:
            place = next(i for i, each in enumerate(split) if len(each) > 1)
            return [(sign, mul(*node.args[:place], term, *node.args[place + 1 :])) for sign, term in split[place]]
    return [(1, node)]


def total(terms: list[tuple[int, Node]]) -> Node:
    """The formula that is the sum of these terms."""
    return add(*(term if sign > 0 else neg(term) for sign, term in terms))
