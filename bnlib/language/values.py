"""What a formula is worth: an array over its free letters, for given arrays.

Inside a computation every letter has an axis of its own, of length one where a value does not depend on it. Then all
operations are numpy's own with broadcasting, a sum over k is a sum over k's axis, and equal parts are computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, cast

import numpy as np

from bnlib.language.names import FormulaError, Names
from bnlib.language.tree import Node, letters_of, reduce, walk
from bnlib.numerics import Array

LEFT_OUT = {"first": lambda count: range(1, count), "last": lambda count: range(count - 1)}
"""Where a loop with a wrong start or end comes: what it adds up (``sum but the first``), and which entries it fills."""

_FUNCTIONS: dict[str, Any] = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "abs": np.abs,
    "sign": np.sign,
    "positive": lambda a: np.where(np.real(a) > 0, 1.0, 0.0),
}


class Values:
    """Values of formulas for one set of arrays.

    Args:
        names: The names that may occur.
        arrays: The given ones, in the order of axes in which their sizes are declared. Sizes follow from their shapes.
        dtype: The type in which all is computed; complex for a complex step.
    """

    def __init__(self, names: Names, arrays: Mapping[str, Any], dtype: Any = None) -> None:
        self.names = names
        self.arrays = {name: np.asarray(arrays[name], dtype=dtype) for name in names.given if name in arrays}
        self.lengths: dict[str, int] = {}
        for name, array in self.arrays.items():
            for size, length in zip(names.given[name], array.shape, strict=True):
                if self.lengths.setdefault(size, length) != length:
                    raise ValueError(f"{name} has {length} along {size}, other arrays have {self.lengths[size]}")
        for size in names.sizes:
            if size in arrays:
                self.lengths.setdefault(size, int(arrays[size]))
        self._contexts: dict[tuple[tuple[str, int], ...], Context] = {}
        self._of_names: dict[str, Array] = {}
        self._sizes_of_names: dict[str, Array] = {}

    def of(self, node: Node, letters: Sequence[str] | None = None, sizes: Mapping[str, str] | None = None) -> Array:
        """The value over letters, in this order; by default the free ones in order of appearance.

        Args:
            node: The formula.
            letters: The axes of the result.
            sizes: What letters count of which the formula alone does not tell it.

        Raises:
            FormulaError: The formula means nothing here.
        """
        context, node, order = self._placed(node, letters, sizes)
        return context.of(node, order)

    def size(self, node: Node, letters: Sequence[str], sizes: Mapping[str, str] | None = None) -> Array:
        """How large the numbers are that a value is added up from: what its rounding is measured against.

        Args:
            node: The formula.
            letters: The axes of the result.
            sizes: What letters count of which the formula alone does not tell it.
        """
        context, node, order = self._placed(node, letters, sizes)
        return context.spread(context.size(node), order)

    def _placed(
        self, node: Node, letters: Sequence[str] | None, sizes: Mapping[str, str] | None
    ) -> tuple[Context, Node, list[str]]:
        sizes = self.names.letter_sizes(node, sizes)
        node = self.names.without_d(node)
        order = [letter for letter in letters_of(node) if letter in node.free] if letters is None else list(letters)
        every = dict.fromkeys((*order, *letters_of(node)))
        counted = {letter: self.length(sizes.get(letter.rstrip("'"), letter)) for letter in every}
        return self.context(counted), node, order

    def context(self, lengths: Mapping[str, int]) -> Context:
        """Where formulas over these letters are evaluated, and what was computed is kept."""
        key = tuple(lengths.items())
        if key not in self._contexts:
            self._contexts[key] = Context(self, lengths)
        return self._contexts[key]

    def named(self, name: str) -> Array:
        """The array behind a name, its axes in the order of its sizes."""
        if name in self.arrays:
            return self.arrays[name]
        if name not in self._of_names:
            definition = self.names.definition(name)
            if definition is None:
                return np.asarray(self.length(name), dtype=np.float64)
            self._of_names[name] = self.of(
                definition.tree, definition.letters, dict(zip(definition.letters, definition.sizes, strict=True))
            )
        return self._of_names[name]

    def size_of(self, name: str) -> Array:
        """How large the numbers are that a name is added up from, in the shape of its array."""
        definition = None if name in self.arrays else self.names.definition(name)
        if definition is None:
            return np.abs(self.named(name))
        if name not in self._sizes_of_names:
            letters = dict(zip(definition.letters, definition.sizes, strict=True))
            self._sizes_of_names[name] = self.size(definition.tree, definition.letters, letters)
        return self._sizes_of_names[name]

    def length(self, size: str) -> int:
        """How many a size is.

        Raises:
            FormulaError: It is none.
        """
        if size not in self.lengths:
            raise FormulaError(f"{size} is no size here: it is {' or '.join(self.lengths)}")
        return self.lengths[size]

    def work(self, node: Node, sizes: Mapping[str, str] | None = None) -> int:
        """How many numbers an evaluation makes at the most: a bound for formulas that strangers write."""
        sizes = self.names.letter_sizes(node, sizes)
        inside = [
            each.free | {letter for letter, _ in each.data[1]} if each.op == "reduce" else each.free
            for each in walk(node)
        ]
        return sum(prod(self.length(sizes.get(letter.rstrip("'"), letter)) for letter in free) for free in inside)


class Context:
    """Evaluation with one axis for each of some letters; remembers the value of every node it has met."""

    def __init__(self, values: Values, lengths: Mapping[str, int]) -> None:
        self.values = values
        self.lengths = dict(lengths)
        self.axes = {letter: axis for axis, letter in enumerate(lengths)}
        self._known: dict[Node, Any] = {}
        self._sizes: dict[Node, Any] = {}
        self._do = {
            "num": lambda node: node.data if not hasattr(node.data, "numerator") else node.data.numerator / node.data.denominator,
            "ref": self._ref, "delta": self._delta, "add": self._add, "mul": self._mul, "reduce": self._reduce,
            "neg": lambda node: -self.raw(node.args[0]),
            "div": lambda node: np.true_divide(self.raw(node.args[0]), self.raw(node.args[1])),
            "pow": self._pow,
            "call": lambda node: _FUNCTIONS[node.data](self.raw(node.args[0])), "but": self._but,
        }  # fmt: skip

    def of(self, node: Node, order: Sequence[str]) -> Array:
        """The value as an array over the letters in this order; letters it does not depend on are filled up."""
        return self.spread(self.raw(node), order)

    def spread(self, value: Any, order: Sequence[str]) -> Array:
        """A value of this context as an array over the letters in this order."""
        raw = np.asarray(value)
        if raw.ndim < len(self.axes):
            raw = raw.reshape((1,) * len(self.axes))
        axes = [self.axes[letter] for letter in order]
        rest = tuple(axis for axis in range(raw.ndim) if axis not in axes)
        assert all(raw.shape[axis] == 1 for axis in rest), "a letter is left that nothing binds"
        moved = raw.transpose(axes + list(rest)).reshape([raw.shape[axis] for axis in axes])
        return np.broadcast_to(moved, [self.lengths[letter] for letter in order])

    def raw(self, node: Node) -> Any:
        """The value with an axis for every letter, of length one where it does not depend on it; numbers stay numbers."""
        value = self._known.get(node)
        if value is None:
            value = self._known[node] = self._do[node.op](node)
        return value

    def size(self, node: Node) -> Any:
        """The value with a plus for every minus: how large the numbers are that rounding happened to."""
        size = self._sizes.get(node)
        if size is None:
            size = self._sizes[node] = self._size(node)
        return size

    def _size(self, node: Node) -> Any:
        if node.op in ("num", "delta"):
            return np.abs(self.raw(node))
        if node.op == "ref":
            return self._entries(self.values.size_of(node.data[0]), node.data[1])
        inside = [self.size(arg) for arg in node.args]
        if node.op == "add":
            return sum(inside[1:], start=inside[0])
        if node.op == "mul":
            return prod(inside[1:], start=inside[0])
        if node.op == "neg":
            return inside[0]
        if node.op == "div":
            return inside[0] * inside[1] / np.square(self.raw(node.args[1]))
        if node.op == "pow":
            return inside[0] * np.abs(self.raw(node.args[0])) ** float(node.data - 1)
        if node.op == "call":
            value, argument = np.abs(self.raw(node)), np.abs(self.raw(node.args[0]))
            if node.data == "exp":
                return value * (1 + inside[0])
            if node.data in ("sqrt", "log"):
                return value + inside[0] / argument * (value if node.data == "sqrt" else 1)
            return inside[0]
        kind, over, unequal = node.data
        body = inside[0]
        if kind == "variance":
            body = np.square(body + self._total(body, over, unequal) / self._count(over, unequal))
        total = self._total(body, over, unequal)
        return total if kind == "sum" else total / self._count(over, unequal)

    def _ref(self, node: Node) -> Any:
        return self._entries(self.values.named(node.data[0]), node.data[1])

    def _entries(self, array: Array, letters: tuple[str, ...]) -> Any:
        once = tuple(dict.fromkeys(letters))
        if len(once) < len(letters):
            array = cast(Any, np.einsum)(array, [once.index(letter) for letter in letters], list(range(len(once))))
        shape = [1] * len(self.axes)
        order = sorted(range(len(once)), key=lambda place: self.axes[once[place]])
        for letter, length in zip(once, array.shape, strict=True):
            shape[self.axes[letter]] = length
        return array.transpose(order).reshape(shape)

    def _delta(self, node: Node) -> Any:
        one, two = sorted(node.data, key=self.axes.__getitem__)
        if one == two:
            return 1.0
        shape = [1] * len(self.axes)
        shape[self.axes[one]], shape[self.axes[two]] = self.lengths[one], self.lengths[two]
        return np.eye(self.lengths[one], self.lengths[two]).reshape(shape)

    def _add(self, node: Node) -> Any:
        first, *others = node.args
        value = self.raw(first)
        for other in others:
            value = value - self.raw(other.args[0]) if other.op == "neg" else value + self.raw(other)
        return value

    def _mul(self, node: Node) -> Any:
        first, *others = node.args
        value = self.raw(first)
        for other in others:
            value = value * self.raw(other)
        return value

    def _pow(self, node: Node) -> Any:
        base, exponent = self.raw(node.args[0]), node.data
        if exponent == 2:
            return base * base
        return np.power(np.asarray(base, dtype=np.result_type(base, np.float64)), float(exponent))

    def _but(self, node: Node) -> Any:
        letter, which = node.data
        filled = np.zeros(self.lengths[letter])
        filled[LEFT_OUT[which](len(filled))] = 1.0
        return self.raw(node.args[0]) * np.expand_dims(filled, [axis for at, axis in self.axes.items() if at != letter])

    def _reduce(self, node: Node) -> Any:
        kind, over, unequal = node.data
        body = node.args[0]
        if kind == "variance":
            centred = self.raw(body) - self.raw(reduce("mean", over, body, unequal))
            return self._total(centred * centred, over, unequal) / self._count(over, unequal)
        if kind.startswith("sum but"):
            axis, value = self.axes[over[0][0]], np.asarray(self.raw(body))
            some = LEFT_OUT[kind.split()[-1]](value.shape[axis])
            return np.add.reduce(value.take(some, axis), axis=axis, keepdims=True)
        total = self._total(self.raw(body), over, unequal)
        return total if kind == "sum" else total / self._count(over, unequal)

    def _total(self, value: Any, over: tuple[tuple[str, str], ...], unequal: tuple[tuple[str, str], ...]) -> Any:
        for pair in unequal:
            value = value * (1.0 - self._delta(Node("delta", (), pair)))
        if not isinstance(value, np.ndarray):
            return value * self._all(over)
        alone = 1
        axes = []
        for letter, _ in over:
            axis = self.axes[letter]
            if value.shape[axis] == 1:
                alone *= self.lengths[letter]
            else:
                axes.append(axis)
        total = np.add.reduce(value, axis=tuple(axes), keepdims=True) if axes else value
        return total * alone if alone != 1 else total

    def _all(self, over: tuple[tuple[str, str], ...]) -> int:
        return prod(self.lengths[letter] for letter, _ in over)

    def _count(self, over: tuple[tuple[str, str], ...], unequal: tuple[tuple[str, str], ...]) -> Any:
        """How many terms a mean is over."""
        return self._total(1.0, over, unequal) if unequal else self._all(over)
