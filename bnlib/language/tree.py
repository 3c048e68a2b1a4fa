"""The tree of a formula: every node is made once, so that equal formulas are one object and values can be kept by it.

A node has a kind (``op``), the formulas it is made of (``args``), and what is no formula (``data``):

====== ======================== ==================================================================
op     args                     data
====== ======================== ==================================================================
num    ()                       a number: ``int``, ``Fraction`` or ``float``
ref    ()                       (name, letters): ``x[k, l]``; in array notation the letters are the sizes, (N, D)
delta  ()                       two letters: 1 where they are equal, else 0
add    terms                    None
mul    factors                  None
neg    (formula,)               None
div    (above, below)           None
pow    (base,)                  the exponent, a Fraction
call   (formula,)               a name of FUNCTIONS
reduce (body,)                  (kind, ((letter, size), ...), ((letter, other), ...)): the pairs differ
but    (formula,)               (letter, "first" or "last"): zero there; no one can write it, a loop can
d      (formula, ref)           None: the derivative
any    ()                       a capital letter: in a pattern, it stands for anything
====== ======================== ==================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from typing import Any, ClassVar
from weakref import WeakValueDictionary

REDUCTIONS = ("sum", "mean", "variance")
FUNCTIONS = ("sqrt", "exp", "log", "abs", "sign", "positive")


class Node:
    """One formula; two that are written alike are the same object."""

    __slots__ = ("__weakref__", "args", "data", "free", "op")
    _made: ClassVar[WeakValueDictionary[Any, Node]] = WeakValueDictionary()
    op: str
    args: tuple[Node, ...]
    data: Any
    free: frozenset[str]
    """The letters that no sum or mean binds: what the value depends on."""

    def __new__(cls, op: str, args: tuple[Node, ...] = (), data: Hashable = None) -> Node:
        """The node of this kind, these parts and this data."""
        key = (op, args, type(data), data)
        node = cls._made.get(key)
        if node is None:
            node = super().__new__(cls)
            node.op, node.args, node.data = op, args, data
            node.free = _free(node)
            cls._made[key] = node
        return node

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: Any) -> Node:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Node, (self.op, self.args, self.data)

    def __repr__(self) -> str:
        return f"Node({self.op!r}, {self.args!r}, {self.data!r})"


def _free(node: Node) -> frozenset[str]:
    if node.op == "ref":
        return frozenset(node.data[1])
    if node.op == "delta":
        return frozenset(node.data)
    free: frozenset[str] = frozenset().union(*(arg.free for arg in node.args))
    if node.op == "but":
        free |= {node.data[0]}
    if node.op == "reduce":
        free |= frozenset(letter for pair in node.data[2] for letter in pair)
        free -= frozenset(letter for letter, _ in node.data[1])
    return free


def num(value: Any) -> Node:
    """A number; whole fractions are integers."""
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    return Node("num", (), value)


ZERO, ONE = num(0), num(1)


def ref(name: str, letters: tuple[str, ...] = ()) -> Node:
    """A quantity, with the letters that say which of its entries."""
    return Node("ref", (), (name, letters))


def flat(op: str, *args: Node) -> Node:
    """A sum (add) or product (mul) as it is written, without brackets that change nothing."""
    return Node(op, tuple(part for arg in args for part in (arg.args if arg.op == op else (arg,))))


def add(*terms: Node) -> Node:
    """A sum of terms: flat, without zeros."""
    left = [term for term in flat("add", *terms).args if term is not ZERO]
    return Node("add", tuple(left)) if len(left) > 1 else left[0] if left else ZERO


def mul(*factors: Node) -> Node:
    """A product: flat, without ones, zero when a factor is."""
    left = [factor for factor in flat("mul", *factors).args if factor is not ONE]
    if any(factor is ZERO for factor in left):
        return ZERO
    return Node("mul", tuple(left)) if len(left) > 1 else left[0] if left else ONE


def neg(node: Node) -> Node:
    """The negative."""
    return node.args[0] if node.op == "neg" else node if node is ZERO else Node("neg", (node,))


def div(above: Node, below: Node) -> Node:
    """A quotient; nothing over something is nothing."""
    return above if above is ZERO or below is ONE else Node("div", (above, below))


def power(base: Node, exponent: Fraction | int) -> Node:
    """A power with a fixed exponent."""
    exponent = Fraction(exponent)
    return ONE if exponent == 0 else base if exponent == 1 else Node("pow", (base,), exponent)


def reduce(kind: str, over: tuple[tuple[str, str], ...], body: Node, unequal: tuple[tuple[str, str], ...] = ()) -> Node:
    """A sum, mean or variance of a body over letters, each with its size."""
    return ZERO if body is ZERO else Node("reduce", (body,), (kind, over, unequal))


_MAKERS: dict[str, Callable[..., Node]] = {"add": add, "mul": mul, "neg": neg, "div": div}


def rebuilt(node: Node, args: tuple[Node, ...]) -> Node:
    """The same kind of node made of other parts."""
    if args == node.args:
        return node
    if node.op in _MAKERS:
        return _MAKERS[node.op](*args)
    return ZERO if node.op == "reduce" and args[0] is ZERO else Node(node.op, args, node.data)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, each occurrence once."""
    yield node
    for arg in node.args:
        yield from walk(arg)


def letters_of(node: Node) -> tuple[str, ...]:
    """All letters that occur, free or bound, in order of appearance."""
    found: dict[str, None] = {}
    for each in walk(node):
        if each.op == "ref":
            found.update(dict.fromkeys(each.data[1]))
        elif each.op == "delta":
            found.update(dict.fromkeys(each.data))
        elif each.op == "reduce":
            found.update(dict.fromkeys(letter for letter, _ in each.data[1]))
            found.update(dict.fromkeys(letter for pair in each.data[2] for letter in pair))
    return tuple(found)


def names_of(node: Node) -> frozenset[str]:
    """The quantities that occur."""
    return frozenset(each.data[0] for each in walk(node) if each.op == "ref")


def renamed(node: Node, letters: dict[str, str]) -> Node:
    """The formula with other free letters; bound ones give way where they would catch one."""
    if not letters:
        return node
    if node.op == "ref":
        return ref(node.data[0], tuple(letters.get(letter, letter) for letter in node.data[1]))
    if node.op == "delta":
        return Node("delta", (), tuple(letters.get(letter, letter) for letter in node.data))
    if node.op != "reduce":
        return rebuilt(node, tuple(renamed(arg, letters) for arg in node.args))
    kind, over, unequal = node.data
    bound = {letter for letter, _ in over}
    inner = {old: new for old, new in letters.items() if old not in bound and old in node.free}
    for letter in bound & set(inner.values()):
        inner[letter] = fresh(letter, set(inner.values()) | set(letters_of(node)))
    over = tuple((inner.get(letter, letter) if letter in bound else letter, size) for letter, size in over)
    unequal = tuple((inner.get(a, a), inner.get(b, b)) for a, b in unequal)
    return reduce(kind, over, renamed(node.args[0], inner), unequal)


def fresh(letter: str, taken: set[str]) -> str:
    """A letter that is not taken: the same with strokes behind it."""
    while letter in taken:
        letter += "'"
    return letter
