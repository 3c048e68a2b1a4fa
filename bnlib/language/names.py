"""The names a formula may use: what is given, with its sizes, and what is defined from it, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bnlib.language.calculus import derivative
from bnlib.language.tree import Node, fresh, letters_of, names_of, rebuilt, ref, renamed, walk


class FormulaError(ValueError):
    """A formula that cannot be read, or means nothing. The message is one sentence for the person who wrote it."""


class LetterError(FormulaError):
    """A letter counts one thing in one place and another in another."""


@dataclass(frozen=True)
class Definition:
    """A name and what it stands for.

    Attributes:
        name: The name.
        letters: The letters of its entries on the left: ``mu[j]`` has ``("j",)``.
        sizes: What each letter counts: names of sizes, ``("D",)``.
        tree: The formula on the right.
        where: Where the lesson writes it, ``"eq. 3.1"``; empty where it does not.
    """

    name: str
    letters: tuple[str, ...]
    sizes: tuple[str, ...]
    tree: Node
    where: str = ""


class Names:
    r"""What a formula may speak of.

    Args:
        given: From a name to the sizes of its axes: ``{"x": "N D", "eps": ""}``. Sizes are names themselves (numbers).
        latex: How names are typeset where that is not plain: ``{"x_hat": r"\\hat{x}"}``.
    """

    def __init__(self, given: Mapping[str, str], latex: Mapping[str, str] | None = None) -> None:
        self.given = {name: tuple(sizes.split()) for name, sizes in given.items()}
        self.sizes = tuple(dict.fromkeys(size for sizes in self.given.values() for size in sizes))
        self.latex = dict(latex or {})
        self.defined: dict[str, Definition] = {}
        self._contains: dict[str, frozenset[str]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self.given or name in self.defined or name in self.sizes or str(name).startswith("d ")

    def __iter__(self) -> Iterator[str]:
        yield from self.given
        yield from (name for name in self.defined if " " not in name)

    def define(self, definition: Definition) -> None:
        """Add a name, or replace one."""
        self.defined[definition.name] = definition
        self._contains.clear()

    def sizes_of(self, name: str) -> tuple[str, ...]:
        """The sizes of a name's axes.

        Raises:
            FormulaError: Nobody knows the name.
        """
        if name in self.given:
            return self.given[name]
        if (definition := self.definition(name)) is not None:
            return definition.sizes
        if name in self.sizes:
            return ()
        raise FormulaError(f"{name} is not one of the names here: {', '.join((*self, *self.sizes))}")

    def definition(self, name: str) -> Definition | None:
        """What a name stands for; None where it is given."""
        if name.startswith("d ") and name not in self.defined:
            top, _, by = name[2:].rpartition(" / d ")
            inner = self.definition(top)
            assert inner is not None
            letters = list(inner.letters)
            for size in self.sizes_of(by):
                letters.append(fresh(size.lower(), set(letters)))
            tree = derivative(inner.tree, ref(by, tuple(letters[len(inner.letters) :])), self.depends)
            self.defined[name] = Definition(name, tuple(letters), inner.sizes + self.sizes_of(by), tree)
        return self.defined.get(name)

    def depends(self, name: str, by: str) -> bool:
        """Whether the definition of a name contains another, at any depth."""
        if name not in self._contains:
            definition = self.definition(name)
            direct = names_of(definition.tree) if definition else frozenset()
            self._contains[name] = direct.union(*(self._all_in(each) for each in direct if each != name))
        return by in self._contains[name]

    def _all_in(self, name: str) -> frozenset[str]:
        self.depends(name, "")
        return self._contains[name]

    def meaning(self, node: Node, keep: frozenset[str] = frozenset()) -> Node:
        """The formula with every defined name written out, except those to keep."""
        done: dict[Node, Node] = {}

        def out(node: Node) -> Node:
            if node not in done:
                done[node] = opened(node)
            return done[node]

        def opened(node: Node) -> Node:
            if node.op == "d":
                return out(self.without_d(node))
            if node.op != "ref":
                return rebuilt(node, tuple(out(arg) for arg in node.args))
            name, letters = node.data
            definition = None if name in keep else self.definition(name)
            if definition is None:
                return node
            return renamed(out(definition.tree), dict(zip(definition.letters, letters, strict=True)))

        return out(node)

    def without_d(self, node: Node) -> Node:
        """The formula with every derivative carried out."""
        if node.op == "d":
            return self.without_d(derivative(node.args[0], node.args[1], self.depends))
        return rebuilt(node, tuple(self.without_d(arg) for arg in node.args))

    def letter_sizes(self, node: Node, known: Mapping[str, str] | None = None) -> dict[str, str]:
        """What each letter of a formula counts, as far as the formula tells it; ``known`` tells the rest.

        Raises:
            FormulaError: A name is unknown, has another number of indices, or one letter counts two things.
        """
        found: dict[str, str] = dict(known or {})
        same: list[tuple[str, str]] = []

        def note(letter: str, size: str, place: str) -> None:
            letter = letter.rstrip("'")
            if found.setdefault(letter, size) != size:
                raise LetterError(
                    f"{letter} counts {found[letter]} in one place and {size} in another ({place}): take two letters, or the other size"
                )

        for each in walk(node):
            if each.op == "ref":
                name, letters = each.data
                sizes = self.sizes_of(name)
                if len(sizes) != len(letters):
                    wanted = f"{name}[{', '.join('ijkl'[: len(sizes)])}]" if sizes else f"{name} alone"
                    raise FormulaError(f"{name} has {len(sizes)} indices here, not {len(letters)}: write {wanted}")
                for letter, size in zip(letters, sizes, strict=True):
                    note(letter, size, f"{name}[{', '.join(letters)}]")
            elif each.op == "reduce":
                for letter, size in each.data[1]:
                    note(letter, size, f"for {letter} in {size}")
            elif each.op == "delta":
                same.append(each.data)
        for one, two in same * 2:
            for here, there in ((one, two), (two, one)):
                if (known_size := found.get(here.rstrip("'"))) is not None:
                    note(there, known_size, f"delta[{one}, {two}]")
        if len(self.sizes) == 1:
            for letter in letters_of(node):
                found.setdefault(letter.rstrip("'"), self.sizes[0])
        return found
