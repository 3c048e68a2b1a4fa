"""Derivatives of formulas, by the rules one learns at school: exact, of any formula, also of derivatives.

What is a name of the derivation is differentiated through its definition; the derivative of a defined name is a defined
name itself (``d mu / d x``), so that nothing is written out twice.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from bnlib.language.tree import ONE, ZERO, Node, add, div, fresh, letters_of, mul, neg, num, power, reduce, ref, renamed

Known = Callable[[str, str], bool]
"""From a name and what it is differentiated by to whether its definition contains that."""


def derivative(node: Node, by: Node, depends: Known) -> Node:
    """The derivative of a formula by one entry of a quantity.

    Args:
        node: The formula.
        by: The entry: a ``ref`` such as ``x[i]``.
        depends: Whether a name's definition contains the quantity (at any depth).
    """
    name, at = by.data

    def of(node: Node) -> Node:
        if node.op == "ref":
            if node.data[0] == name:
                return mul(
                    *(ONE if a == b else Node("delta", (), (a, b)) for a, b in zip(node.data[1], at, strict=True))
                )
            return ref(f"d {node.data[0]} / d {name}", node.data[1] + at) if depends(node.data[0], name) else ZERO
        if node.op in ("num", "delta"):
            return ZERO
        if node.op == "add":
            return add(*map(of, node.args))
        if node.op == "neg":
            return neg(of(node.args[0]))
        if node.op == "mul":
            return add(*(mul(*node.args[:i], of(each), *node.args[i + 1 :]) for i, each in enumerate(node.args)))
        if node.op == "div":
            above, below = node.args
            rest = of(below)
            return add(div(of(above), below), neg(div(mul(above, rest), power(below, 2))) if rest is not ZERO else ZERO)
        if node.op == "pow":
            return mul(num(node.data), power(node.args[0], node.data - 1), of(node.args[0]))
        if node.op == "call":
            return mul(SLOPES[node.data](node.args[0]), of(node.args[0]))
        if node.op == "d":
            return of(derivative(node.args[0], node.args[1], depends))
        return _of_reduce(node, of)

    def _of_reduce(node: Node, of: Callable[[Node], Node]) -> Node:
        node = apart(node, set(at))
        kind, over, unequal = node.data
        if kind != "variance":
            return reduce(kind, over, of(node.args[0]), unequal)
        body = node.args[0]
        inner = reduce("mean", over, body, unequal)
        return reduce("mean", over, mul(num(2), add(body, neg(inner)), add(of(body), neg(of(inner)))), unequal)

    return of(node)


def apart(node: Node, taken: set[str]) -> Node:
    """A sum whose bound letters are none of those taken."""
    kind, over, unequal = node.data
    change = {letter: fresh(letter, taken | set(letters_of(node))) for letter, _ in over if letter in taken}
    over = tuple((change.get(letter, letter), size) for letter, size in over)
    unequal = tuple((change.get(a, a), change.get(b, b)) for a, b in unequal)
    return reduce(kind, over, renamed(node.args[0], change), unequal)


SLOPES: dict[str, Callable[[Node], Node]] = {
    "sqrt": lambda a: mul(num(Fraction(1, 2)), power(a, Fraction(-1, 2))),
    "exp": lambda a: Node("call", (a,), "exp"),
    "log": lambda a: power(a, -1),
    "abs": lambda a: Node("call", (a,), "sign"),
    "sign": lambda a: ZERO,
    "positive": lambda a: ZERO,
}
