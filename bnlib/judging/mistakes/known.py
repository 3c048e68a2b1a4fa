"""What is known about the outputs of an exercise from the lines of its derivation: their terms, and every mistake in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import MATCH, Evidence, same, two_at_once
from bnlib.judging.diagnosing.terms import Factors, Term, columns, factor_table, matching
from bnlib.judging.mistakes.edits import Edit, Edits, counted, is_mean, multipliers
from bnlib.judging.mistakes.rules import parsed, rules
from bnlib.judging.mistakes.stacked import Rows, Stacked, Which
from bnlib.language.derivation import Derivation, summands
from bnlib.language.tree import Node, letters_of, walk
from bnlib.language.values import Context, Values
from bnlib.numerics import Array

MOST_PAIRS = 5_000
"""Up to so many, mistakes that are made often are tried beside all others, and not beside each other alone."""

MOST_SPANNING = 24
"""A result in which all but one term is missing lies in the span of hundreds: so many are looked at."""

_NUMBERS = ("first", "second", "third", "fourth", "fifth", "sixth")


class Known:
    """The declaration of an exercise: the lines of its derivation, and words of one's own.

    Args:
        given: What the exercise is given, with sizes: ``"x: N D, gamma: D, eps"``.
        lines: The derivation; a line with the name of an output is that output.
        ways: Other ways to the same outputs, each a derivation of its own.
        rules: Rules of this exercise alone, written as those of :mod:`bnlib.judging.mistakes.rules`.
        words: Words of one's own for a mistake's name, or for ``name@line``.
        terms: Words for the terms of an output, in order; where each is derived, and what to ask besides where it is missing:
            ``"direct path | eq. 3.23 | Is it ...?"``. One for all says that the line is one term.
        view: From a case to the arrays that are given, where the case has other names.
        outputs: From an output to the line that it is, where that has another name.
        like: From a line to the argument of the case whose shape it comes in, where the view gives the arrays more axes or fewer.
        walk: Each line is judged on right values of those above it: mistakes are looked for in the line itself, and where it makes
            anew what stands above.
    """

    def __init__(
        self,
        given: str,
        lines: str,
        *ways: str,
        rules: str = "",
        words: Mapping[str, str] | None = None,
        terms: Mapping[str, Sequence[str]] | None = None,
        view: Callable[[Case], Mapping[str, Any]] | None = None,
        outputs: Mapping[str, str] | None = None,
        like: Mapping[str, str] | None = None,
        walk: bool = False,
    ) -> None:
        self.ways = [Derivation(given, text) for text in (lines, *ways)]
        self.own_rules, self._words, self.said = tuple(parsed(rules)), words or {}, terms or {}
        self._view, self._outputs, self._like, self.walk = view, outputs or {}, like or {}, walk
        self._of: dict[str, list[Way]] = {}
        self._terms: dict[str, tuple[Term, ...]] = {}

    def line(self, output: str) -> str:
        """The line that is an output."""
        return self._outputs.get(output, output)

    def of(self, output: str) -> list[Way]:
        """What each way knows about an output; a way that does not come to it knows nothing, or on a walk has no other line for it."""
        if output not in self._of:
            line = self.line(output)
            ways = [way for way in self.ways if line in way.lines]
            if self.walk:
                ways = list({way.lines[line].tree: way for way in reversed(ways)}.values())[::-1]
            self._of[output] = [Way(self, way, line, self.said.get(output, ())) for way in ways]
        return self._of[output]

    def first(self, way: Way) -> Way:
        """The first way to the same output, whose terms have names."""
        return next(ways[0] for ways in self._of.values() if way in ways)

    def truth(self, case: Case, output: str) -> Array:
        """The value of an output by the first way."""
        way = self.of(output)[0]
        return way.value(way.right, case)

    def terms(self, output: str) -> tuple[Term, ...]:
        """The terms of an output: the summands of its line, the brackets multiplied out."""
        if output not in self._terms:
            self._terms[output] = self._summands(output)
        return self._terms[output]

    def _summands(self, output: str) -> tuple[Term, ...]:
        ways = self.of(output)
        if not ways:
            return ()
        way, own = ways[0], self.said.get(output, ())
        where = way.edits.where(way.line)
        found = []
        for index, node in enumerate(way.terms(None) or ()):
            told = (own[index] if index < len(own) else "").split("|")
            said, at, missing = (part.strip() for part in (*told, "", "")[:3])
            name = said or (f"{_NUMBERS[index]} term" if len(way.terms(None) or ()) > 1 else "value")
            found.append(Term(name, at or where, lambda case, node=node: way.value(node, case), missing))  # type: ignore[misc]
        return tuple(found)

    @cached_property
    def factors(self) -> Factors:
        """What a term may be multiplied by in error."""
        way = self.ways[0]
        first, means = way.names.sizes[:1], (node for line in way.lines.values() for node in walk(line.tree))
        over = next((tuple(size for _, size in node.data[1]) for node in means if is_mean(node)), first)
        if over == ("N",) or not way.names.sizes:
            return Factors(self._multipliers)
        (other,) = [size for size in way.names.sizes if size not in over and size != "G"][:1] or first

        def lengths(case: Case) -> tuple[float, float]:
            values = self.values(way, case)
            return prod(values.length(size) for size in over), values.length(other)

        return Factors(self._multipliers, lengths, (" * ".join(over), counted(over)), (other, counted([other])))

    def _multipliers(self, case: Case) -> Mapping[str, Any]:
        """Quantities with one value a feature that the derivation multiplies by."""
        key = ("factors", id(self))
        if key not in case.memory:
            way, found = self.ways[0], {}
            values = self.values(way, case)
            for factor in multipliers(way):
                name = factor.data[0]
                found[name.strip("_")] = values.named(name)
                if name in way.lines:
                    found[f"{name.strip('_')}^2"] = values.named(name) ** 2
            case.memory[key] = found
        return case.memory[key]

    def quantities(self, case: Case) -> dict[str, Array]:
        """What the lines compute, by the names that learners know."""
        values = self.values(self.ways[0], case)
        return {name: values.named(name) for name in self.ways[0].lines if not name.startswith("_")}

    def values(self, way: Derivation, case: Case) -> Values:
        """Where a way's formulas are evaluated for a case."""
        key = ("values", id(way))
        if key not in case.memory:
            case.memory[key] = Values(way.names, self.arrays(case))
        return case.memory[key]

    def shape(self, line: str, case: Case) -> tuple[int, ...] | None:
        """The shape in which a line is returned, where it is that of an argument."""
        return np.shape(case[self._like[line]]) if line in self._like else None

    def shaped(self, line: str, value: Array, case: Case) -> Array:
        """A value over the letters of a line as it is returned; one over other letters as it is."""
        shape = self.shape(line, case)
        return value.reshape(shape) if shape and value.size == prod(shape) else value

    def arrays(self, case: Case) -> Mapping[str, Any]:
        """What is given in a case."""
        return self._view(case) if self._view else case


class Together:
    """Several declarations of one exercise that calls its functions more than once: each of some of the outputs."""

    walk = False

    def __init__(self, *parts: Known) -> None:
        self.parts = parts

    @property
    def said(self) -> Mapping[str, Sequence[str]]:
        """As of one."""
        return {output: words for part in self.parts for output, words in part.said.items()}

    def _part(self, output: str) -> Known:
        return next((part for part in self.parts if part.of(output)), self.parts[0])

    def of(self, output: str) -> list[Way]:
        """As of one."""
        return self._part(output).of(output)

    def truth(self, case: Case, output: str) -> Array:
        """As of one."""
        return self._part(output).truth(case, output)

    def terms(self, output: str) -> tuple[Term, ...]:
        """As of one."""
        return self._part(output).terms(output)

    @property
    def factors(self) -> Factors:
        """Those of the first."""
        return self.parts[0].factors

    def quantities(self, case: Case) -> dict[str, Array]:
        """Those of all, of equal names the first."""
        return {name: value for part in reversed(self.parts) for name, value in part.quantities(case).items()}


class Way:
    """One derivation of one output: the right formula and those with a mistake, all written out."""

    def __init__(self, known: Known, derivation: Derivation, line: str, said: Sequence[str] = ()) -> None:
        self.known, self.derivation, self.line = known, derivation, line
        self.whole = len(said) == 1
        self.letters = derivation.lines[line].letters
        self.right = derivation.meaning(line)
        self.edits = Edits(derivation, line, (*known.own_rules, *rules()), known._words, known.walk)
        self._mistakes: dict[tuple[int, ...], Mistake] = {}

    @cached_property
    def stacked(self) -> Stacked:
        """All mistakes alone, and what they make of a case."""
        return Stacked(self.edits)

    @cached_property
    def _kinds(self) -> dict[str, Which]:
        """Which mistakes are of the exercise's own words or rules, made often, made seldom, or can be made two at a time."""
        rows, edits = self.stacked.rows, self.stacked.edits
        names = {named.name for named in self.known.own_rules} | self.known._words.keys()
        anew = np.array([bool(row.anew) for row in rows])
        seen = np.array([not self.known.walk or row.line == self.line for row in rows])
        often = np.array([edits[row.edit].often for row in rows]) & ~anew & seen
        own = [not {(edit := edits[row.edit]).name, f"{edit.name}@{row.line}"}.isdisjoint(names) for row in rows]
        anew_or_often = often | (anew & seen)
        return {
            "spanning": anew_or_often,
            "own": np.array(own) & ~anew & seen,
            "often": often,
            "seldom": ~often & seen,
            "alone": seen & ~anew,
        }

    @cached_property
    def _rank(self) -> Which:
        """What is tried first: what the exercise has rules for, what is made often, lines further down."""
        own, rows, edits = {named.name for named in self.known.own_rules}, self.stacked.rows, self.stacked.edits
        order = sorted(
            range(len(rows)),
            key=lambda row: (
                bool(rows[row].anew),
                edits[rows[row].edit].name not in own,
                not edits[rows[row].edit].often,
                rows[row].edit,
            ),
        )
        rank = np.empty(len(rows), dtype=int)
        rank[order] = np.arange(len(rows))
        return rank

    def mistake(self, *rows: int) -> Mistake:
        """One of the mistakes, or two at once."""
        if rows not in self._mistakes:
            self._mistakes[rows] = Mistake(self, tuple(self.stacked.edit(int(row)) for row in rows))
        return self._mistakes[rows]

    @cached_property
    def signs(self) -> list[int]:
        """The signs of the terms."""
        return [1] if self.whole else [sign for sign, _ in summands(self.derivation.lines[self.line].tree)]

    def terms(self, instead: Mapping[str, Node] | None) -> list[Node] | None:
        """The summands of the line under a mistake, written out; None when the line itself has another number of them."""
        tree = self.derivation.lines[self.line].tree
        found = self._summands(instead.get(self.line, tree) if instead else tree)
        return found and [self.derivation.opened(node, instead) for node in found]

    def value(self, node: Node, case: Case) -> Array:
        """A formula's value for a case, over the output's letters, or over its own where they are others."""
        context = self._context(case)
        if not node.free <= set(context.axes):
            return self._values(case).of(node)
        order = (
            self.letters
            if node.free <= set(self.letters)
            else [letter for letter in context.axes if letter in node.free]
        )
        if not node.free and self.letters:
            order = ()
        return self.known.shaped(self.line, context.of(node, order), case)

    def _values(self, case: Case) -> Values:
        return self.known.values(self.derivation, case)

    def _context(self, case: Case) -> Context:
        key = ("context", id(self.derivation), self.line)
        if key not in case.memory:
            values = self._values(case)
            line = self.derivation.lines[self.line]
            own = dict(zip(line.letters, line.sizes, strict=True))
            sizes = self.derivation.names.letter_sizes(self.right, own)
            order = dict.fromkeys((*self.derivation.names.sizes, *self.letters, *letters_of(self.right)))
            case.memory[key] = values.context(
                {letter: values.length(sizes.get(letter.rstrip("'"), letter)) for letter in order}
            )
        return case.memory[key]

    @cached_property
    def singles(self) -> list[Mistake]:
        """Every mistake alone that can be spoken of, what is tried first in front."""
        seen = self._kinds["often"] | self._kinds["seldom"]
        found = (self.mistake(int(row)) for row in np.argsort(self._rank) if seen[row])
        return [mistake for mistake in found if mistake.edits[0].speakable]

    @cached_property
    def often(self) -> list[Mistake]:
        """The single mistakes that are made often."""
        return [mistake for mistake in self.singles if mistake.edits[0].often]

    def explaining(self, kind: str, evidence: Sequence[Evidence]) -> Iterator[Mistake]:
        """The mistakes of a kind (own, often, seldom, pairs) that make of the cases what came back.

        What all of them make of the smallest case is computed once and kept with it: then one comparison tells.
        """
        item = _smallest(evidence)
        if kind == "pairs":
            often, alone = self._kinds["often"], self._kinds["alone"]
            others = alone if often.sum() * alone.sum() <= MOST_PAIRS else often
            yield from self._two(self._remembered(item.case, "pairs", often, others), evidence)
            return
        near = self.stacked.near(self._values(item.case), self._singles(item.case)[self.line], self._over_letters(item))
        for row in sorted(near[self._kinds[kind][near]], key=self._rank.__getitem__):
            yield from self._fitting(self.mistake(int(row)), evidence)

    def besides(self, names: Set[str], evidence: Sequence[Evidence]) -> Iterator[Mistake]:
        """Any mistake beside one of these names that makes of the cases what came back."""
        alone = self._kinds["alone"]
        ones = alone & np.array([self.stacked.edits[row.edit].name in names for row in self.stacked.rows])
        if ones.any():
            yield from self._two(self._remembered(_smallest(evidence).case, frozenset(names), ones, alone), evidence)

    def _two(self, found: tuple[Array, Which, Which], evidence: Sequence[Evidence]) -> Iterator[Mistake]:
        value, first, second = found
        item = _smallest(evidence)
        near = self.stacked.near(self._values(item.case), value, self._over_letters(item))
        for place in near[np.argsort(self._rank[first[near]] + self._rank[second[near]], kind="stable")]:
            mistake = self.mistake(int(first[place]), int(second[place]))
            if len(mistake.names) > 1 and mistake.possible:
                yield from self._fitting(mistake, evidence)

    def _over_letters(self, item: Evidence) -> Evidence:
        """The evidence with an axis for each letter of the line, where it came in the shape of an argument."""
        if self.known.shape(self.line, item.case) is None:
            return item
        own, length = self.derivation.lines[self.line].sizes, self._values(item.case).length
        sizes = self.derivation.names.sizes
        for some in (own, *(each for n in range(1, len(sizes)) for each in itertools.combinations(sizes, n))):
            shape = tuple(map(length, some))
            if item.got.shape == self.known.shape(self.line, item.case) or _regrouped(item.got.shape, shape):
                expected = item.expected.reshape(shape) if some == own else np.zeros(shape)
                return replace(item, got=item.got.reshape(shape), expected=expected)
        return item

    def _fitting(self, mistake: Mistake, evidence: Sequence[Evidence]) -> Iterator[Mistake]:
        if all(edit.speakable for edit in mistake.edits) and all(item.explained_by(mistake.wrong) for item in evidence):
            yield mistake

    def _singles(self, case: Case) -> Rows:
        key = ("singles", id(self))
        if key not in case.memory:
            case.memory[key] = self.stacked.singles(self._values(case))
        return case.memory[key]

    def _remembered(self, case: Case, kind: Any, ones: Which, others: Which) -> tuple[Array, Which, Which]:
        key = (kind, id(self))
        if key not in case.memory:
            case.memory[key] = self.stacked.pairs(self._values(case), self._singles(case), ones, others)
        return case.memory[key]

    def spanning(self, evidence: Sequence[Evidence]) -> list[Mistake]:
        """The mistakes that leave the terms such that some multiples of them add up to what came back."""
        found: Sequence[int] | None = None
        for item in evidence:
            found = self._spanning(item, found)
            if not found:
                return []
        return [self.mistake(row) for row in sorted(found or (), key=self._rank.__getitem__)[:MOST_SPANNING]]

    def multiples(self, evidence: Sequence[Evidence]) -> Iterator[Mistake]:
        """The mistakes made often of which what came back is a multiple, feature by feature."""
        item = _smallest(evidence)
        kept, made = self.stacked.over_letters(self._values(item.case), self._singles(item.case)[self.line])
        if made[0, 0].size != item.got.size:
            return
        wrong = columns(made[:, 0].reshape(-1, *item.got.shape), 1)
        got = columns(item.got)
        ratio = np.sum(wrong * got, axis=2) / np.sum(wrong * wrong, axis=2)
        near = np.all(np.abs(got - wrong * ratio[..., None]) <= MATCH * np.max(np.abs(got)), axis=(1, 2))
        rows = np.flatnonzero(kept)[near]
        for row in sorted(rows[self._kinds["often"][rows]], key=self._rank.__getitem__):
            yield self.mistake(int(row))

    def _spanning(self, item: Evidence, among: Sequence[int] | None) -> list[int]:
        key = ("spans", id(self))
        if key not in item.case.memory:
            item.case.memory[key] = self._spans(item)
        rows, basis, triangle, lengths, factors = item.case.memory[key]
        if among is not None:
            some = np.isin(rows, among)
            rows, basis, triangle, lengths = (each[some] for each in (rows, basis, triangle, lengths))
        if not rows.size:
            return []
        wanted = columns(item.got)[..., None]
        along = np.swapaxes(basis, -1, -2) @ wanted
        rest = np.max(np.abs(wanted - basis @ along), axis=(1, 2, 3)) <= MATCH * np.max(np.abs(wanted))
        near = np.flatnonzero(rest & (np.min(np.abs(np.diagonal(triangle, axis1=-2, axis2=-1)), axis=(1, 2)) > 1e-9))
        if not near.size:
            return []
        fitted = np.linalg.solve(triangle[near], along[near])[..., 0] / lengths[near]
        ratios = np.swapaxes(fitted, 1, 2) / np.array(self.signs)[:, None]  # (mistakes, terms, features)
        named = np.ones(len(near), dtype=bool)
        for term in range(ratios.shape[1]):
            named[named] = matching(factors, ratios[named, term]).any(axis=0)
        return [int(row) for row in rows[near[named]]]

    def _spans(self, item: Evidence) -> tuple[Array, ...]:
        """Mistakes made often with what their terms span, feature by feature, and the factors that have a name."""
        features = item.got.shape[1] if item.got.ndim > 1 else 1
        rows: Which = np.zeros(0, dtype=int)
        parts: Array = np.zeros(0)
        if self.alike(item.case) and np.size(item.got) // features > len(self.signs):
            values, singles = self._values(item.case), self._singles(item.case)
            rows, parts = self.stacked.terms(values, singles, self._kinds["spanning"], self._summands)
        shape = self._over_letters(item).got.shape
        if not rows.size or parts.shape[2:] != shape:
            return (np.zeros(0),) * 5
        every = np.moveaxis(columns(parts.reshape(*parts.shape[:2], *item.got.shape), 2), 1, -1)
        lengths = np.maximum(np.linalg.norm(every, axis=2), 1e-300)
        basis, triangle = np.linalg.qr(every / lengths[:, :, None])
        return rows, basis, triangle, lengths, factor_table(item, self.known.factors)[1]

    def alike(self, case: Case) -> bool:
        """Whether its terms are those of the first way, which have names."""
        key = ("alike", id(self))
        if key not in case.memory:
            first = self.known.first(self)
            ours, theirs = self.terms(None) or (), first.terms(None) or ()
            case.memory[key] = self is first or (
                len(ours) == len(theirs)
                and all(same(self.value(a, case), first.value(b, case)) for a, b in zip(ours, theirs, strict=True))
            )
        return case.memory[key]

    def _summands(self, tree: Node) -> list[Node] | None:
        """The terms of the line as an edit leaves it, where there are as many as before."""
        found = [tree] if self.whole else [node for _, node in summands(tree)]
        return found if len(found) == len(self.signs) else None


def _regrouped(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Whether one shape becomes another by splitting axes, or by putting neighbours together: (5, 6, 2, 2) and (5, 3, 2, 4)."""
    one, two = ([length for length in each if length != 1] for each in (shape, other))
    while one and two:
        few, many = (one, two) if one[0] >= two[0] else (two, one)
        whole, product = few.pop(0), many.pop(0)
        while product < whole and many:
            product *= many.pop(0)
        if product != whole:
            return False
    return not one and not two


def _smallest(evidence: Sequence[Evidence]) -> Evidence:
    """The piece of evidence with the fewest numbers in it."""
    return min(evidence, key=lambda item: sum(np.size(value) for value in item.case.values()))


class Mistake:
    """One edit, or two at once: what they make of the output and of its terms."""

    __slots__ = ("_formula", "_instead", "_terms", "edits", "way")

    def __init__(self, way: Way, edits: tuple[Edit, ...]) -> None:
        self.way, self.edits = way, edits
        self._instead = edits[0].instead(way.derivation, *edits[1:])
        self._formula: Node | None = None
        self._terms: list[Node] | None = None

    @property
    def possible(self) -> bool:
        """False for two that touch the same place."""
        return self._instead is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Names for a teacher's counts."""
        return tuple(dict.fromkeys(edit.name for edit in self.edits))

    @property
    def formula(self) -> Node:
        """The output, written out."""
        if self._formula is None:
            self._formula = self.way.derivation.meaning(self.way.line, self._instead)
        return self._formula

    @property
    def message(self) -> str:
        """What to say."""
        first, *others = (edit.words for edit in self.edits)
        return two_at_once(first, others[0]) if others else first

    def wrong(self, case: Case) -> Array:
        """What it computes."""
        return self.way.value(self.formula, case)

    def parts(self, case: Case) -> list[Array]:
        """The values of the terms as it leaves them."""
        if self._terms is None:
            self._terms = self.way.terms(self._instead) or []
        if not self._terms or not self.way.alike(case):
            raise ValueError("other terms")
        return [self.way.value(node, case) for node in self._terms]
