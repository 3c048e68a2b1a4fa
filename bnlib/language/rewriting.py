"""Rewrite formulas: ``pattern => replacement``, in which a capital letter stands for anything.

Sums and products match in any order, and a pattern may match a part of them: the rest stays. A name in a pattern matches
itself; ``mean(A)`` in a replacement is over what the matched one was over, and ``N`` is how many that are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bnlib.language.names import Names
from bnlib.language.reading import read
from bnlib.language.tree import Node, mul, rebuilt, ref

Path = tuple[int, ...]
Bound = Mapping[str, object]


@dataclass(frozen=True)
class Rule:
    """One thing that may be written in the place of another."""

    pattern: Node
    replacement: Node

    @classmethod
    def of(cls, text: str) -> Rule:
        """The rule of ``"sqrt(V + eps) => sqrt(V) + eps"``."""
        left, right = (read(part, _ANYTHING, check=False) for part in text.split("=>"))
        return cls(left, right)

    def at(self, node: Node, names: Names) -> Iterator[tuple[Node, dict[str, Node]]]:
        """What the rule makes of this very node, in each way it matches, and what the capitals stand for then."""
        seen = set()
        for bound in match(self.pattern, node, {}):
            made = filled(self.replacement, bound, names)
            rest = bound.get("")
            if isinstance(rest, tuple):
                made = rebuilt(Node(node.op, node.args), (made, *rest)) if rest else made
            if made is not node and made not in seen:
                seen.add(made)
                yield made, {key: value for key, value in bound.items() if isinstance(value, Node)}


_ANYTHING = Names({"x": "N"})


def match(pattern: Node, node: Node, bound: Bound) -> Iterator[Bound]:
    """The ways in which a pattern matches a node; what its capitals stand for, and under ``""`` what is left over."""
    if pattern.op == "any":
        known = bound.get(pattern.data)
        if known is None:
            yield {**bound, pattern.data: node}
        elif known is node:
            yield bound
    elif pattern.op == "ref":
        name, letters = pattern.data
        if node.op == "ref" and node.data[0] == name and (not _letters(letters) or letters == node.data[1]):
            yield bound
    elif pattern.op != node.op:
        return
    elif pattern.op in ("add", "mul"):
        yield from _some(pattern.op, pattern.args, node.args, bound)
    elif pattern.op == "reduce":
        kind, over, _ = pattern.data
        if kind == node.data[0] and (not over or over == node.data[1]):
            yield from _each(pattern.args, node.args, {**bound, "over": node.data[1:]})
    elif pattern.data == node.data and len(pattern.args) == len(node.args):
        yield from _each(pattern.args, node.args, bound)


def _letters(letters: tuple[str, ...]) -> bool:
    """Whether these are indices, and not the sizes that array notation has in their place."""
    return any(letter.islower() for letter in letters)


def _each(patterns: tuple[Node, ...], nodes: tuple[Node, ...], bound: Bound) -> Iterator[Bound]:
    if not patterns:
        yield bound
        return
    for found in match(patterns[0], nodes[0], bound):
        if not found.get(""):  # inside of another formula nothing may be left over
            yield from _each(patterns[1:], nodes[1:], {key: value for key, value in found.items() if key})


def _some(op: str, patterns: tuple[Node, ...], nodes: tuple[Node, ...], bound: Bound) -> Iterator[Bound]:
    """Every pattern with a node of its own, in any order; the last capital also takes all that is left over."""
    if not patterns:
        yield {**bound, "": nodes}
        return
    first, *others = sorted(patterns, key=lambda each: each.op == "any")
    free = {key: value for key, value in bound.items() if key}
    for place, node in enumerate(nodes):
        for found in match(first, node, free):
            if not found.get(""):
                yield from _some(op, tuple(others), nodes[:place] + nodes[place + 1 :], found)
    if not others and first.op == "any" and len(nodes) > 1:
        yield from ({**found, "": ()} for found in match(first, Node(op, nodes), free))


def filled(node: Node, bound: Bound, names: Names) -> Node:
    """A replacement with what its capitals stand for."""
    if node.op == "any":
        found = bound[node.data]
        assert isinstance(found, Node)
        return found
    if node.op == "ref":
        name = node.data[0]
        if name == "N" and "over" in bound:
            return mul(*(ref(size) for _, size in bound["over"][0]))  # type: ignore[index]
        return ref(name, names.sizes_of(name)) if name in names and not _letters(node.data[1]) else node
    args = tuple(filled(arg, bound, names) for arg in node.args)
    if node.op == "reduce" and not node.data[1]:
        over = bound.get("over") or (tuple((size, size) for size in names.sizes[:1]), ())
        return Node("reduce", args, (node.data[0], *over))  # type: ignore[misc]
    return rebuilt(node, args)


def places(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node of a formula with the way to it, the formula itself first."""
    yield path, node
    for index, arg in enumerate(node.args):
        yield from places(arg, (*path, index))


def at(node: Node, path: Path) -> Node:
    """What stands in a place."""
    return at(node.args[path[0]], path[1:]) if path else node


def put(node: Node, edits: Mapping[Path, Node]) -> Node:
    """The formula with other nodes in some places, none of which lies in another."""
    if () in edits:
        return edits[()]
    below: dict[int, dict[Path, Node]] = {}
    for path, new in edits.items():
        below.setdefault(path[0], {})[path[1:]] = new
    return rebuilt(node, tuple(put(arg, below[i]) if i in below else arg for i, arg in enumerate(node.args)))


def apart(one: Path, other: Path) -> bool:
    """Whether neither place lies in the other."""
    shared = min(len(one), len(other))
    return one[:shared] != other[:shared]


def every(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """The formula with each node changed for which there is a change."""
    new = change(node)
    return new if new is not None else rebuilt(node, tuple(every(arg, change) for arg in node.args))
