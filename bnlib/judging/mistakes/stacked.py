"""What all the mistakes of a derivation make of one case, computed together: line by line, one mistake below the other.

A line is computed once for all mistakes above it, as an array with two axes in front: mistakes made so far, and those made in this line.
Two at once are a mistake of this line made on what those above have left. Shapes are not kept, a number stands for an array of
equal ones: what comes near is looked at again by itself.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bnlib.judging.diagnosing.evidence import NO_VALUE, Evidence
from bnlib.judging.mistakes.edits import Edit, Edits, inside, within
from bnlib.language.rewriting import Path, apart, at, put
from bnlib.language.tree import Node, letters_of, ref
from bnlib.language.values import Context, Values
from bnlib.numerics import Array

Rows = Mapping[str, Array]
"""From a line to its values under several mistakes, one below the other."""

Which = np.ndarray[Any, Any]
"""Rows by number, or True and False for each."""


@dataclass(frozen=True)
class Row:
    """One mistake: an edit by its number, and the line and the places for which a quantity is made anew with it."""

    edit: int
    line: str
    anew: tuple[Path, ...] = ()


@dataclass
class Spot:
    """Edits at the same places of a line: the line with holes there, and what each edit puts into them."""

    paths: tuple[Path, ...]
    holes: tuple[Node, ...]
    tree: Node
    made: list[tuple[Node, ...]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


class Stacked:
    """All mistakes in the lines that lead to an output.

    Args:
        source: The edits of these lines.
    """

    def __init__(self, source: Edits) -> None:
        self.source, self.derivation = source, source.derivation
        self.lines = {name: self.derivation.lines[name] for name in source.lines}
        self.edits = list(source)
        self.rows: list[Row] = []
        self.begin: dict[str, int] = {}
        self.spots: dict[str, list[Spot]] = {}
        self.later: dict[str, list[tuple[int, Node]]] = {line: [] for line in self.lines}
        """In a line, the mistakes that were made further up and are made here again, with what they make of it."""
        self.again: dict[str, list[tuple[Path | None, list[int]]]] = {}
        """Where a line makes a quantity anew: the place, or all of them, and the mistakes with which it is made."""
        self._arrange()
        self._both: dict[str, list[tuple[Spot, Spot, Node]]] = {}
        self._within: dict[tuple[int, tuple[Path, ...]], Node | None] = {}
        self.sizes: dict[str, str] = {}
        letters = dict.fromkeys(self.derivation.names.sizes)
        for line in (*self.lines.values(), self.lines[source.output]):
            own = dict(zip(line.letters, line.sizes, strict=True))
            self.sizes |= self.derivation.names.letter_sizes(line.tree, own)
            letters |= dict.fromkeys((*line.letters, *letters_of(line.tree)))
        meant = self.derivation.meaning(source.output)
        self.sizes |= self.derivation.names.letter_sizes(meant, own)
        self.letters = tuple(letters | dict.fromkeys(letters_of(meant)))

    def _arrange(self) -> None:
        """Number the mistakes in the order of the lines in which they are made first."""
        order = {line: number for number, line in enumerate(self.lines)}
        here: dict[str, dict[tuple[Path, ...], list[int]]] = {line: {} for line in self.lines}
        for number, edit in enumerate(self.edits):
            first = min((line for line, _, _ in edit.changes), key=order.__getitem__)
            here[first].setdefault(tuple(path for line, path, _ in edit.changes if line == first), []).append(number)
        for line, by_place in here.items():
            self.begin[line], self.spots[line] = len(self.rows), []
            tree = self.lines[line].tree
            for paths, numbers in by_place.items():
                holes = tuple(Node("any", (), (line, paths, path)) for path in paths)
                spot = Spot(paths, holes, put(tree, dict(zip(paths, holes, strict=True))))
                self.spots[line].append(spot)
                for number in numbers:
                    changes = self.edits[number].changes
                    made = {path: node for each, path, node in changes if each == line}
                    spot.made.append(tuple(made[path] for path in paths))
                    spot.rows.append(len(self.rows))
                    for other in dict.fromkeys(each for each, _, _ in changes if each != line):
                        there = {path: node for each, path, node in changes if each == other}
                        self.later[other].append((len(self.rows), put(self.lines[other].tree, there)))
                    self.rows.append(Row(number, line))
            self._anew(line)

    def _anew(self, line: str) -> None:
        """The quantities that may be made anew for a line with a mistake made often: at all their places, and at each."""
        uses, paths = self.derivation.uses, self.source.made_anew(line)
        self.again[line] = []
        if self.source.walk and line != self.source.output:
            return
        named = {path: at(self.lines[line].tree, path).data[0] for path in paths}
        used_by = {source: sum(uses(each, source) for each in self.lines) - 1 for source in self.lines}
        groups: dict[Path | None, list[tuple[int, tuple[Path, ...]]]] = {None: []}
        for number in range(self.begin[line]):
            row = self.rows[number]
            edit = self.edits[row.edit]
            if (
                row.anew
                or not edit.often
                or edit.everywhere
                or used_by[row.line] < 2
                or any(each != row.line for each, _, _ in edit.changes)
            ):
                continue
            places = tuple(path for path in paths if uses(named[path], row.line))
            last = line == self.source.output and not self.source.walk  # made anew for all of it is made so for all
            alone = places if last or len(places) > 1 else ()
            for path in (*(() if last or not places else (None,)), *alone):
                groups.setdefault(path, []).append((number, places if path is None else (path,)))
        for path, found in groups.items():
            if found:
                self.again[line].append((path, [number for number, _ in found]))
                self.rows += [Row(self.rows[number].edit, line, places) for number, places in found]

    def edit(self, number: int) -> Edit:
        """The edit of a row."""
        row = self.rows[number]
        return self.source.anew(self.edits[row.edit], row.line, row.anew) if row.anew else self.edits[row.edit]

    # -- values

    def singles(self, values: Values) -> Rows:
        """Every line under every mistake."""
        made: dict[str, Array] = {}
        plain = self._context(values, {})
        for line, definition in self.lines.items():
            count = self.begin[line]
            above = self._context(values, made)
            blocks = [_long(above.rows(definition.tree), count)] if count else []
            for row, tree in self.later[line]:
                blocks[0] = _put(blocks[0], [row], self._context(values, _some(made, [row])).or_nan(tree))
            for spot in self.spots[line]:
                blocks.append(np.swapaxes(plain.filled(spot, range(len(spot.rows))), 0, 1))
            for path, rows in self.again[line]:
                if path is None:
                    blocks.append(blocks[0][rows])
                else:
                    hole = Node("any", (), (line, path))
                    blocks.append(
                        plain.with_hole(
                            put(definition.tree, {path: hole}), hole, above.raw(at(definition.tree, path))[rows]
                        )
                    )
            value = _below(blocks)
            made = {name: _below([old, _long(plain.named(name), len(value) - count)]) for name, old in made.items()}
            made[line] = value
        return made

    def pairs(self, values: Values, singles: Rows, ones: Which, others: Which) -> tuple[Array, Which, Which]:
        """The output under two mistakes at once, one of ``ones`` and one of ``others``: the value, and which two.

        Args:
            values: Of the case.
            singles: Every line under every mistake.
            ones: Which rows, True or False for each; none that makes a quantity anew.
            others: Which rows; ``ones`` are among them.
        """
        first, second = np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        made: dict[str, Array] = {}
        wraps = np.array([self.edits[row.edit].wraps for row in self.rows])
        every, (ones, others) = (ones, others), (ones & ~wraps, others & ~wraps)
        rest = others & ~ones
        for line, definition in self.lines.items():
            count, blocks, here = self.begin[line], [], [(first, second)]
            if len(first):
                blocks.append(_long(self._context(values, made).rows(definition.tree), len(first)))
                for row, tree in self.later[line]:
                    mine = np.flatnonzero((first == row) | (second == row))
                    if mine.size:
                        blocks[0] = _put(blocks[0], mine, self._context(values, _some(made, mine)).or_nan(tree))
                again = [row for row, _ in self.later[line]]
                both = np.flatnonzero(np.isin(first, again) & np.isin(second, again))
                blocks[0] = _put(
                    blocks[0], both, np.full((1,) * blocks[0].ndim, np.nan)
                )  # left out: two that meet here
            for above, now in ((ones, others), (rest, ones)):
                rows = np.flatnonzero(above[:count])
                if not rows.size:
                    continue
                context = self._context(values, {name: singles[name][rows] for name in made})
                twice = np.isin(rows, [row for row, _ in self.later[line]])
                for spot in self.spots[line]:
                    chosen = [place for place, row in enumerate(spot.rows) if now[row]]
                    if chosen:
                        value = _long(context.filled(spot, chosen), len(rows))
                        if twice.any():
                            value = _put(value, np.flatnonzero(twice), np.full((1,) * value.ndim, np.nan))
                        blocks.append(value.reshape(-1, 1, *value.shape[2:]))
                        numbers = np.array([spot.rows[place] for place in chosen])
                        here.append((np.repeat(rows, len(chosen)), np.tile(numbers, len(rows))))
            plain = self._context(values, {})
            plain.rows(definition.tree)
            for one, two, tree in self._together(line):
                for left, right in ((ones, others), (rest, ones)):
                    a = [place for place, row in enumerate(one.rows) if left[row]]
                    b = [place for place, row in enumerate(two.rows) if right[row]]
                    if a and b:
                        value = plain.fork().both(tree, (one, a), (two, b))
                        blocks.append(value.reshape(-1, 1, *value.shape[2:]))
                        rows, numbers = (
                            np.array([spot.rows[i] for i in chosen]) for spot, chosen in ((one, a), (two, b))
                        )
                        here.append((np.repeat(rows, len(b)), np.tile(numbers, len(a))))
            for row, spot, tree in self._inside(line, others):
                inner = others if ones[row] else ones
                chosen = [place for place, each in enumerate(spot.rows) if inner[each]]
                if chosen:
                    value = plain.fork().filled(spot, chosen, tree)
                    blocks.append(value.reshape(-1, 1, *value.shape[2:]))
                    here.append((np.full(len(chosen), row), np.array([spot.rows[place] for place in chosen])))
            new = np.concatenate([rows for rows, _ in here[1:]] or [np.zeros(0, dtype=int)])
            first, second = (np.concatenate(each) for each in zip(*here, strict=True))
            made = {name: _below([old, singles[name][new]]) for name, old in made.items()}
            made[line] = _below(blocks) if blocks else np.zeros((0, 1, *singles[line].shape[2:]))
        return self._wrapped(values, singles, *every, wraps, (made[self.source.output], first, second))

    def _wrapped(
        self, values: Values, singles: Rows, ones: Which, others: Which, wraps: Which, found: tuple[Array, Which, Which]
    ) -> tuple[Array, Which, Which]:
        """The same with what is done to the output as a whole beside each other mistake."""
        output, blocks, rows = self.source.output, [found[0]], [found[1:]]
        tree, hole = self.lines[output].tree, Node("any", (), output)
        for outer in np.flatnonzero(wraps & others):
            inner = np.flatnonzero(others if ones[outer] else ones)
            inner = inner[inner != outer]
            row = self.rows[outer]
            made = within(self.edits[row.edit].of(output)[()], {tree: hole})
            if inner.size and made is not tree:
                context = self._context(values, {})
                blocks.append(_long(context.with_hole(made, hole, singles[output][inner]), len(inner)))
                rows.append((np.full(len(inner), outer), inner))
        first, second = (np.concatenate(each) for each in zip(*rows, strict=True))
        return _below(blocks), first, second

    def terms(
        self, values: Values, singles: Rows, chosen: Which, summands: Callable[[Node], list[Node] | None]
    ) -> tuple[Which, Array]:
        """What mistakes leave of the terms of the output: which rows, and the values: (rows, terms, *shape of the output)."""
        output, count = self.source.output, self.begin[self.source.output]
        tree, plain = self.lines[output].tree, self._context(values, {})
        rows, blocks = [np.flatnonzero(chosen[:count])], []
        if rows[0].size:
            above = self._context(values, {name: value[rows[0]] for name, value in singles.items() if name != output})
            blocks.append(_below([_long(above.rows(node), len(rows[0])) for node in summands(tree) or ()], 1))
        for spot in self.spots[output]:
            for row, made in zip(spot.rows, spot.made, strict=True):
                terms = summands(put(tree, dict(zip(spot.paths, made, strict=True)))) if chosen[row] else None
                if terms:
                    rows.append(np.array([row]))
                    blocks.append(_below([plain.or_nan(node) for node in terms], 1))
        number = count + sum(len(spot.rows) for spot in self.spots[output])
        for path, sources in self.again[output]:
            numbers, number = np.arange(number, number + len(sources)), number + len(sources)
            hole = Node("any", (), (output, path))
            terms = summands(put(tree, {path: hole})) if path else None
            if path and terms and chosen[numbers].any():
                old = self._context(values, singles).raw(at(tree, path))
                rows.append(numbers)
                blocks.append(_below([plain.fork().with_hole(node, hole, old[sources]) for node in terms], 1))
        if not blocks:
            return np.zeros(0, dtype=int), np.zeros((0, 0))
        kept, value = self.over_letters(values, _below(blocks))
        return np.concatenate(rows)[kept], value

    def over_letters(self, values: Values, every: Array) -> tuple[Which, Array]:
        """Which of several values of the output have none but its letters, and these: (rows, second axis in front, *shape)."""
        output, plain = self.source.output, self._context(values, {})
        axes = [plain.axes[letter] for letter in self.lines[output].letters]
        others = [axis for axis in range(2, every.ndim) if axis not in axes]
        kept = np.asarray(np.isfinite(every).all(axis=tuple(range(1, every.ndim))))
        kept &= (
            np.all(np.ptp(every, axis=tuple(others)) == 0, axis=tuple(range(1, every.ndim - len(others))))
            if others
            else True
        )
        value = every.transpose(0, 1, *others, *axes)[kept]
        value = value[(slice(None), slice(None), *(0 for _ in others))]  # type: ignore[arg-type]
        shape = tuple(plain.lengths[letter] for letter in self.lines[output].letters)
        return kept, np.broadcast_to(value, (*value.shape[:2], *shape))

    def _together(self, line: str) -> list[tuple[Spot, Spot, Node]]:
        """Two spots of a line that lie apart, and the line with holes in both."""
        if line not in self._both:
            pairs = itertools.combinations(self.spots[line], 2)
            self._both[line] = [
                (
                    one,
                    two,
                    put(self.lines[line].tree, dict(zip(one.paths + two.paths, one.holes + two.holes, strict=True))),
                )
                for one, two in pairs
                if all(apart(p, q) for p in one.paths for q in two.paths)
            ]
        return self._both[line]

    def _inside(self, line: str, chosen: Which) -> Iterator[tuple[int, Spot, Node]]:
        """A mistake, a spot inside of what it leaves, and the line with the mistake and with a hole in the spot."""
        tree = self.lines[line].tree
        for outer, inner in itertools.product(self.spots[line], repeat=2):
            if len(outer.paths) == len(inner.paths) == 1 and inner.paths[0][: len(outer.paths[0])] == outer.paths[0]:
                (path,) = outer.paths
                for row, (node,) in zip(outer.rows, outer.made, strict=True):
                    if chosen[row] and (row, inner.paths) not in self._within:
                        made = inside(tree, path, node, dict(zip(inner.paths, inner.holes, strict=True)))
                        self._within[row, inner.paths] = put(tree, {path: made}) if made is not node else None
                    if chosen[row] and (both := self._within[row, inner.paths]):
                        yield row, inner, both

    def _context(self, values: Values, made: Rows) -> _Rows:
        lengths = {letter: values.length(self.sizes.get(letter.rstrip("'"), letter)) for letter in self.letters}
        return _Rows(values, lengths, self.lines, made)

    # -- comparing

    def near(self, values: Values, made: Array, item: Evidence) -> Which:
        """Which of several values of the output are what came back, whatever their shapes."""
        context = self._context(values, {})
        own = self.lines[self.source.output].letters
        free = [letter for letter in self.letters if made.shape[context.axes[letter]] > 1]
        found = np.zeros(len(made), dtype=bool)
        for letters in dict.fromkeys((own, *itertools.permutations(free, item.got.ndim))):
            if item.got.shape == tuple(context.lengths[letter] for letter in letters):
                got = context.placed(item.got, letters)
                limit = context.placed(np.broadcast_to(item.limit, item.got.shape), letters)
                found |= np.all(np.abs(made - got) <= limit, axis=tuple(range(1, made.ndim)))
        return np.flatnonzero(found)


_STACKS = ("?", "!")
"""The axes in front."""


class _Rows(Context):
    """Evaluation of formulas in which some lines are many: axis 0 for the mistakes so far, axis 1 for those made now."""

    def __init__(self, values: Values, lengths: Mapping[str, int], lines: Mapping[str, Any], made: Rows) -> None:
        super().__init__(values, {**dict.fromkeys(_STACKS, 1), **lengths})
        self._lines, self._made = lines, made

    def rows(self, node: Node) -> Array:
        """The value with all its axes."""
        value = np.asarray(self.raw(node), dtype=np.float64)
        return value if value.ndim else value.reshape((1,) * len(self.axes))

    def named(self, line: str) -> Array:
        """The right value of a line."""
        return self.rows(ref(line, self._lines[line].letters))

    def placed(self, array: Array, letters: Sequence[str]) -> Array:
        """An array over some letters, with all axes."""
        return np.asarray(self._entries(array, tuple(letters)))

    def filled(self, spot: Spot, chosen: Sequence[int], tree: Node | None = None) -> Array:
        """A line with some of the edits of a spot, along axis 1."""
        self._fill(spot, chosen)
        value = self.rows(tree or spot.tree)
        return np.broadcast_to(value, (value.shape[0], len(chosen), *value.shape[2:]))

    def both(self, tree: Node, one: tuple[Spot, Sequence[int]], two: tuple[Spot, Sequence[int]]) -> Array:
        """A line with edits at two spots, those of the first along axis 0, those of the second along axis 1."""
        self._fill(*one, axis=0)
        self._fill(*two)
        value = self.rows(tree)
        return np.broadcast_to(value, (len(one[1]), len(two[1]), *value.shape[2:]))

    def with_hole(self, tree: Node, hole: Node, value: Array) -> Array:
        """A formula with several values in one place, along axis 0."""
        self._known[hole] = value
        return _long(self.rows(tree), len(value))

    def fork(self) -> _Rows:
        """A context that knows what this one does; what it computes it keeps for itself."""
        other = _Rows(self.values, self.lengths, self._lines, self._made)
        other._known.update(self._known)
        return other

    def _fill(self, spot: Spot, chosen: Sequence[int], axis: int = 1) -> None:
        for place, hole in enumerate(spot.holes):
            self._known[hole] = _below([self.or_nan(spot.made[number][place]) for number in chosen], axis)

    def or_nan(self, node: Node) -> Array:
        with contextlib.suppress(*NO_VALUE):
            value = self.rows(node)
            if all(
                length in (1, self.lengths[letter])
                for letter, length in zip(self.axes, value.shape, strict=True)
                if letter not in _STACKS
            ):
                return value
        return np.full((1,) * len(self.axes), np.nan)

    def _ref(self, node: Node) -> Any:
        name, letters = node.data
        array = self._made.get(name)
        if array is None:
            return super()._ref(node)
        own = self._lines[name].letters
        if own != letters:
            order = {self.axes[letter]: self.axes[each] for each, letter in zip(own, letters, strict=True)}
            rest = iter([axis for axis in range(array.ndim) if axis not in order.values()])
            array = array.transpose([order[axis] if axis in order else next(rest) for axis in range(array.ndim)])
        return array


def _long(value: Array, count: int) -> Array:
    """As many rows as there are mistakes, where a value depends on none of them."""
    return np.broadcast_to(value, (count, *value.shape[1:]))


def _below(blocks: Sequence[Array], axis: int = 0) -> Array:
    """Arrays one behind the other, each as large along the other axes as the largest."""
    if len(blocks) == 1:
        return blocks[0]
    shape = np.max([block.shape for block in blocks], axis=0)
    whole = [(*shape[:axis], block.shape[axis], *shape[axis + 1 :]) for block in blocks]
    return np.concatenate([np.broadcast_to(block, size) for block, size in zip(blocks, whole, strict=True)], axis)


def _some(made: Rows, rows: Any) -> Rows:
    return {name: value[rows] for name, value in made.items()}


def _put(values: Array, rows: Any, new: Array) -> Array:
    """Values with other ones in some rows."""
    shape = (len(values), *np.maximum(values.shape[1:], new.shape[1:]))
    changed = np.array(np.broadcast_to(values, shape))
    changed[rows] = new
    return changed
